"""Which method suits the scans, how sure that is, and that in plain words."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from spinetools.compare.cases import Compared, Result, methods_of
from spinetools.compare.plausible import Quality, calibrated
from spinetools.compare.statistics import Paired, paired

#: Methods are compared by the ratio of what their masks lack, 1 − Dice: so a scan on which both
#: do badly counts no more than others. This much is added, so that hairs are not split.
LEAST_LACKING = 0.01
#: Ratios nearer to one than this make no difference to a study.
EQUAL_RATIO = 1.15
#: What a sign test and a 95 % interval have to reach before anything is called sure.
SURE_P, LIKELY_SUPPORT = 0.05, 0.9
#: With fewer independent scans a sign test cannot reach SURE_P: 2 / 2**5 is 0.0625.
LEAST_UNITS = 6

#: What each contrast is called in sentences.
CONTRASTS = {"t1": "T1-weighted", "t2": "T2-weighted", "t2s": "T2*-weighted", "dwi": "diffusion"}


@dataclass(frozen=True)
class Choice:
    """The better of the methods on some scans.

    Attributes
    ----------
    group
        Which scans: empty for all, else the contrast.
    method
        The one whose masks lack least, in the geometric mean over scans.
    runner_up
        The next one; empty where there is no other.
    sureness
        ``sure``, ``likely``, ``equal`` (both do as well, and that is sure) or ``open``.
    scores
        Mean score of each method: Dice with the reference where there is one, else to be expected.
    paired
        Natural logarithm of what ``runner_up`` lacks over what ``method`` lacks, a subject.
    images, subjects, referenced
        How many.
    """

    group: str
    method: str
    runner_up: str
    sureness: str
    scores: dict[str, float]
    paired: Paired
    images: int
    subjects: int
    referenced: int


def score_of(compared: Compared, result: Result) -> float:
    """Return the Dice with the reference where there is one, else the expected one; 0: failed."""
    if not compared.has_reference:
        return result.expected
    return result.dice if math.isfinite(result.dice) else 0.0


def choices(compared: Sequence[Compared], quality: Quality | None = None) -> list[Choice]:
    """Choose over all scans, and for each contrast where there are several.

    Parameters
    ----------
    compared
        The scans.
    quality
        How well expectations hold; None for the numbers that ship.

    Returns
    -------
    list of Choice
        The first is for all scans.
    """
    quality = quality or calibrated()
    result = [choose(compared, "", quality)]
    groups = list(dict.fromkeys(each.case.contrast for each in compared if each.case.contrast))
    if len(groups) > 1:
        result += [
            choose([each for each in compared if each.case.contrast == group], group, quality)
            for group in sorted(groups)
        ]
    return result


def choose(
    compared: Sequence[Compared],
    group: str = "",
    quality: Quality | None = None,
    score: Callable[[Compared, Result], float] = score_of,
) -> Choice:
    """Choose the method whose masks lack least, and test it against the next one.

    Images of one subject are averaged first, because they are not independent.

    Parameters
    ----------
    compared
        Scans with the same methods; not empty.
    group
        What these scans are called.
    quality
        How well expectations hold; None for the numbers that ship.
    score
        The score of a result, from 0 to 1.
    """
    quality = quality or calibrated()
    names = methods_of(compared)
    scores = {
        name: float(np.mean([score(each, each.result(name)) for each in compared]))
        for name in names
    }
    subjects = list(dict.fromkeys(each.case.subject for each in compared))

    def lacking(name: str) -> float:
        own: dict[str, list[float]] = {subject: [] for subject in subjects}
        for each in compared:
            own[each.case.subject].append(log_ratio(0.0, score(each, each.result(name))))
        return float(np.mean([np.mean(values) for values in own.values()]))

    ranked = sorted(names, key=lacking)
    best, second = ranked[0], ranked[1] if len(ranked) > 1 else ""
    differences, errors = [], []
    for subject in subjects if second else []:
        own = [each for each in compared if each.case.subject == subject]
        pairs = [(each.result(best), each.result(second), each) for each in own]
        ratios = [log_ratio(score(c, a), score(c, b)) for a, b, c in pairs]
        differences.append(float(np.mean(ratios)))
        variances = [_pair_error(a, b, c, quality) ** 2 for a, b, c in pairs]
        errors.append(float(np.sqrt(sum(variances))) / len(own))
    test = paired(differences, errors)
    return Choice(
        group=group,
        method=best,
        runner_up=second,
        sureness=_sureness(test, len(names)),
        scores=scores,
        paired=test,
        images=len(compared),
        subjects=len(subjects),
        referenced=sum(each.has_reference for each in compared),
    )


def log_ratio(better: float, other: float) -> float:
    """Return the logarithm of what one score lacks over what the other does: above 0 if better."""
    return float(np.log((1 - other + LEAST_LACKING) / (1 - better + LEAST_LACKING)))


def _pair_error(a: Result, b: Result, compared: Compared, quality: Quality) -> float:
    """How far the expected ratio of two methods on one image may be off; exact: 0."""
    judged = not compared.has_reference and a.evidence and b.evidence
    return quality.pair_error if judged else 0.0


def _sureness(test: Paired, n_methods: int) -> str:
    """Judge a test; the more methods there are, the more one of them is best by chance."""
    if test.n == 0:
        return "open"
    apart = test.low > 0 or test.high < 0
    equal = float(np.log(EQUAL_RATIO))
    if test.n >= LEAST_UNITS and test.low > -equal and test.high < equal:
        return "equal"
    if test.n >= LEAST_UNITS and apart and test.p * (n_methods - 1) < SURE_P:
        return "sure"
    return "likely" if test.support >= LIKELY_SUPPORT and test.n > 1 else "open"


# -- words ----------------------------------------------------------------------------------------


def in_words(compared: Sequence[Compared], chosen: Sequence[Choice]) -> list[str]:
    """Return the summary: a headline, and sentences that say how sure it is and what failed."""
    first = chosen[0]
    lines = [headline(first), *_reasons(first), *map(headline, chosen[1:])]
    lines += _failures(compared)
    lines.append(_basis(first))
    return lines


def headline(choice: Choice) -> str:
    """Return one sentence: which method, and how sure."""
    scans = _scans(choice)
    if not choice.runner_up:
        return f"Only one method was run on {scans}: there is nothing to choose."
    better, other = choice.method, choice.runner_up
    return {
        "sure": f"Use {better} for {scans}: it does better than {other}, and that is sure.",
        "likely": f"{better} probably suits {scans} better than {other}, but that is not sure.",
        "equal": f"{better} and {other} do equally well on {scans}: choose either.",
        "open": f"Not sure: {better} and {other} cannot be told apart on {scans}.",
    }[choice.sureness]


def _scans(choice: Choice) -> str:
    kind = f"{CONTRASTS.get(choice.group, choice.group)} " if choice.group else ""
    if choice.images == 1:
        return f"this one {kind}scan"
    return f"these {choice.images} {kind}scans"


def _reasons(choice: Choice) -> list[str]:
    if not choice.runner_up:
        return []
    test, better, other = choice.paired, choice.method, choice.runner_up
    what = "Dice" if choice.referenced == choice.images else "expected Dice"
    unit = "scans" if choice.subjects == choice.images else "subjects"
    less = _percent_less(test.mean)
    interval = f" (95 % interval {_percent_less(test.low)} to {_percent_less(test.high)} %)"
    lines = [
        f"The mean {what} is {choice.scores[better]:.3f} with {better} and "
        f"{choice.scores[other]:.3f} with {other}. What a mask lacks, 1 − Dice, is typically "
        f"{less} % less with {better}{interval if test.n > 1 else ''}."
    ]
    if test.n > 1:
        lines.append(
            f"{better} does better in {test.wins} of {test.n} {unit}, {other} in {test.losses}; "
            f"by chance alone so uneven a count comes about with p = {test.p:.2g}."
        )
    if test.n < LEAST_UNITS:
        lines.append(
            f"With {test.n} {unit if test.n > 1 else unit[:-1]} nothing can be sure: at least "
            f"{LEAST_UNITS} are needed, and more where methods are close."
        )
    return lines


def _percent_less(log_ratio: float) -> str:
    return f"{100 * (1 - math.exp(-log_ratio)):.0f}".replace("-", "−")


def _failures(compared: Sequence[Compared]) -> list[str]:
    lines = []
    for name in methods_of(compared):
        states = [each.result(name).state for each in compared]
        failed, suspect = states.count("failed"), states.count("suspect")
        if failed or suspect:
            parts = [f"failed on {failed}"] if failed else []
            parts += [f"has something to look at on {suspect}"] if suspect else []
            lines.append(f"{name} {' and '.join(parts)} of {len(states)} images.")
    if not lines:
        lines.append("No method failed, and nothing was flagged.")
    return lines


def _basis(choice: Choice) -> str:
    quality = calibrated()
    told = (
        "the quality of a mask was estimated from the image's edges, the course of the area, the "
        "agreement of the methods and what a cord can be; on simulated spines this picks the "
        f"better of two methods in {100 * quality.picks:.0f} % of images. Look at the images that "
        "are named before you decide"
    )
    if choice.referenced == choice.images:
        return "Dice is with the manual references."
    if choice.referenced == 0:
        return f"There was no manual reference: {told}."
    known = f"{choice.referenced} of {choice.images} images have a manual reference"
    return f"{known}; in the others {told}."
