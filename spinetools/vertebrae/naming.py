"""The global solve: which disc is which, from all evidence at once.

The discs seen, in order, are matched to the discs of a spine by a hidden Markov model: each disc
seen is one of the spine's, in order, or a false alarm; discs of the spine may have been missed.
The sum over all matchings, body sizes and counts of vertebrae gives each naming its posterior
probability; the best matchings are enumerated, one for each start.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy.special import logsumexp

from spinetools.errors import NoSpineError
from spinetools.vertebrae.anatomy import Anatomy, anatomies
from spinetools.vertebrae.evidence import (
    SCALE_SD,
    SCALES,
    Evidence,
    EvidenceParams,
    Hearing,
    emissions,
    false_alarm_term,
    spacing_term,
    unseen_term,
)
from spinetools.vertebrae.likeness import Likeness

FloatArray = npt.NDArray[np.float64]

#: Posterior probability from which a variant of the count is believed.
VARIANT_THRESHOLD = 0.7
#: As many false alarms in a row are thought of.
_MOST_FALSE_IN_A_ROW = 2
#: This much of the spine has to be seen below a disc to say that it lies on the sacrum, mm.
_SACRUM_SEEN_MM = 15.0
#: Alternatives less likely than this are not listed.
_LEAST_PROBABILITY = 1e-3

#: Which disc of the spine each disc seen is; None for a false alarm.
Path = tuple[int | None, ...]


@dataclass(frozen=True)
class Candidate:
    """A way to name the discs.

    Attributes
    ----------
    names
        Of each disc seen, as in the label table; None for a false alarm.
    variant
        ``""``, or what is unusual about the count of vertebrae, as far as the image shows it.
    probability
        Posterior.
    """

    names: tuple[str | None, ...]
    variant: str
    probability: float

    @property
    def span(self) -> str:
        """The first and the last disc, e.g. ``T11-T12 to L5-S``."""
        named = [name.removeprefix("disc_").replace("_", "-") for name in self.names if name]
        return f"{named[0]} to {named[-1]}" if len(named) > 1 else "".join(named)


@dataclass(frozen=True)
class Numbering:
    """The naming chosen.

    Attributes
    ----------
    anatomy
        The count of vertebrae that it goes with.
    path
        Which disc of the anatomy (0 is C2–C3) each disc seen is.
    scale
        Body size relative to the mean.
    chosen
        The names, with the probability that all of them are right: the confidence.
    alternatives
        Other namings, likeliest first.
    variant_probability
        Of each variant that the image would show.
    transition
        ``sacralised`` or ``lumbarised`` where a vertebra at the sacrum may be so in part, which
        does not change the count; else empty.
    """

    anatomy: Anatomy
    path: Path
    scale: float
    chosen: Candidate
    alternatives: tuple[Candidate, ...]
    variant_probability: dict[str, float]
    transition: str = ""


@dataclass(frozen=True, eq=False)
class _Model:
    """One anatomy's tables, times the weight of the evidence."""

    anatomy: Anatomy
    hearing: Hearing  # how well the network tells landmarks
    emission: FloatArray  # (N, M, S)
    first: FloatArray  # (N, M, S): nothing seen above
    last: FloatArray  # (N, M, S): nothing seen below
    steps: dict[tuple[int, int], FloatArray]  # (M, M, S)
    false: FloatArray  # (N,)
    prior: FloatArray  # (S,)
    room_below: FloatArray  # (N,) mm of canal in the image below each disc


def solve(
    evidence: Evidence,
    params: EvidenceParams | None = None,
    variants: bool = True,
    threshold: float = VARIANT_THRESHOLD,
    kinds: Sequence[Anatomy] | None = None,
) -> Numbering:
    """Name the discs.

    Parameters
    ----------
    evidence
        With at least one disc.
    params
        How far evidence is trusted; None for the fitted values.
    variants
        Whether a count other than the usual one may be chosen.
    threshold
        Posterior probability from which a variant is believed.
    kinds
        Counts of vertebrae to consider; None for all.

    Raises
    ------
    NoSpineError
        When there is no disc.
    """
    if not evidence.discs:
        raise NoSpineError(
            "no disc was found, so that nothing can be numbered; is the spine in the image?"
        )
    params = params or EvidenceParams()
    kinds = anatomies() if kinds is None else kinds
    kinds = kinds if variants else [kind for kind in kinds if not kind.variant]
    models = [_model(evidence, kind, params, h) for h in params.hearings for kind in kinds]
    total = float(logsumexp([_total(model) for model in models]))
    scores: dict[tuple[int, Path], FloatArray] = {}
    for index, model in enumerate(models):
        for path in _good_paths(model):
            scores[index, path] = _score(model, path)
    if evidence.shape.size and params.likeness:
        scores = _with_likeness(evidence, params, models, scores, total)
    if not evidence.votes.any():  # a localizer counts
        told = {part for place in evidence.places for part in place.level.split("-")}
        scores, total = _without_guesses(models, scores, total, told)
    candidates, sources = _by_names(models, scores, total)
    shares: dict[str, float] = {}
    for candidate in candidates:
        if candidate.variant:
            shares[candidate.variant] = shares.get(candidate.variant, 0.0) + candidate.probability
    # that the count is unusual can be certain where it is not certain in which way
    unusual = sum(shares.values()) >= threshold
    chosen = next((c for c in candidates if bool(c.variant) == unusual), candidates[0])
    index, path = sources[chosen]
    best_scale = float(SCALES[int(np.argmax(scores[index, path]))])
    others = [c for c in candidates if c is not chosen and c.probability >= _LEAST_PROBABILITY]
    return Numbering(models[index].anatomy, path, best_scale, chosen, tuple(others[:9]), shares)


def _model(
    evidence: Evidence, anatomy: Anatomy, params: EvidenceParams, hearing: Hearing
) -> _Model:
    n, weight = len(evidence.discs), params.weight
    s = [disc.s for disc in evidence.discs]
    centres = [disc.centre for disc in evidence.discs]
    apart = {
        (i, k): float(np.linalg.norm(centres[k] - centres[i])) for k in range(n) for i in range(k)
    }
    steps = {
        (i, k): weight * spacing_term(s[k] - s[i], apart[i, k], anatomy, params)
        for i in range(n)
        for k in range(i + 1, min(n, i + 2 + _MOST_FALSE_IN_A_ROW))
    }
    first = [unseen_term(s[i] - evidence.top, anatomy, params, True) for i in range(n)]
    last = [unseen_term(evidence.bottom - s[i], anatomy, params, False) for i in range(n)]
    prior = -0.5 * ((SCALES - 1) / SCALE_SD) ** 2
    false = np.array([false_alarm_term(disc, params) for disc in evidence.discs])
    return _Model(
        anatomy=anatomy,
        hearing=hearing,
        emission=weight * emissions(evidence, anatomy, params, hearing),
        first=weight * np.array(first),
        last=weight * np.array(last),
        steps=steps,
        false=weight * false,
        prior=prior
        - logsumexp(prior)
        + np.log(anatomy.prior)
        - np.log(len(anatomy.place_mm))
        + np.log(hearing.prior),
        room_below=evidence.bottom - np.array(s),
    )


def _total(model: _Model) -> float:
    """Sum the likelihood of all matchings and scales."""
    forward = _forward(model)
    after = _false_after(model)
    ends = [forward[i] + model.last[i] + after[i] for i in range(len(forward))]
    return float(logsumexp(np.array(ends) + model.prior))


def _forward(model: _Model) -> list[FloatArray]:
    before = np.concatenate([[0.0], np.cumsum(model.false)])
    forward: list[FloatArray] = []
    for i in range(len(model.emission)):
        arriving = [model.first[i] + before[i]]
        for h in range(max(0, i - 1 - _MOST_FALSE_IN_A_ROW), i):
            skipped = model.false[h + 1 : i].sum()
            stepped = forward[h][:, None, :] + model.steps[h, i] + skipped
            arriving.append(logsumexp(stepped, axis=0))
        forward.append(model.emission[i] + logsumexp(np.array(arriving), axis=0))
    return forward


def _false_after(model: _Model) -> FloatArray:
    total = model.false.sum()
    result: FloatArray = total - np.cumsum(model.false)
    return result


def _good_paths(model: _Model) -> set[Path]:
    """Return the best matching for each disc that the last one may be, at several scales."""
    n, m, _ = model.emission.shape
    after = _false_after(model)
    found: set[Path] = set()
    for scale in range(1, len(SCALES) - 1, 2):
        best = np.full((n, m), -np.inf)
        came: dict[tuple[int, int], tuple[int, int] | None] = {}
        before = np.concatenate([[0.0], np.cumsum(model.false)])
        for i in range(n):
            best[i] = model.first[i, :, scale] + before[i]
            source = np.full((m, 2), -1)
            for h in range(max(0, i - 1 - _MOST_FALSE_IN_A_ROW), i):
                reach = best[h][:, None] + model.steps[h, i][:, :, scale]
                reach = reach + model.false[h + 1 : i].sum()
                top, value = np.argmax(reach, axis=0), np.max(reach, axis=0)
                better = value > best[i]
                best[i][better] = value[better]
                source[better] = np.column_stack([np.full(m, h), top])[better]
            best[i] += model.emission[i, :, scale]
            for j in range(m):
                came[i, j] = None if source[j, 0] < 0 else (int(source[j, 0]), int(source[j, 1]))
        ends = best + model.last[:, :, scale] + after[:, None]
        limit = ends.max() - 14.0
        for i, j in np.argwhere(ends > limit):
            path: list[int | None] = [None] * n
            at: tuple[int, int] | None = (int(i), int(j))
            while at is not None:
                path[at[0]] = at[1]
                at = came[at]
            found.add(tuple(path))
    return found


def _score(model: _Model, path: Path) -> FloatArray:
    """Log-likelihood of one matching at each scale, with the prior."""
    result: FloatArray = model.prior.copy()
    real = [(i, j) for i, j in enumerate(path) if j is not None]
    result += model.first[real[0]] + model.last[real[-1]]
    result += sum(model.false[i] for i, j in enumerate(path) if j is None)
    for i, j in real:
        result += model.emission[i, j]
    for (i, j), (k, to) in pairwise(real):
        result += model.steps[i, k][j, to]
    return result


def _with_likeness(
    evidence: Evidence,
    params: EvidenceParams,
    models: list[_Model],
    scores: dict[tuple[int, Path], FloatArray],
    total: float,
) -> dict[tuple[int, Path], FloatArray]:
    """Weigh the good matchings anew, by all that the vertebrae look like instead of sizes alone.

    What all good matchings have together stays theirs: the rest stays with those not listed.
    """
    plain = replace(params, sizes=0.0)
    models = [
        replace(
            model, emission=params.weight * emissions(evidence, model.anatomy, plain, model.hearing)
        )
        for model in models
    ]
    likeness = Likeness(evidence.shape, SCALES)
    keys = list(scores)
    fits = likeness.score([(models[index].anatomy, path) for index, path in keys])
    weight = params.weight * params.likeness
    anew = {
        key: _score(models[key[0]], key[1]) + weight * fit
        for key, fit in zip(keys, fits, strict=True)
    }
    before = min(float(logsumexp([logsumexp(score) for score in scores.values()])), total)
    shift = before - float(logsumexp([logsumexp(score) for score in anew.values()]))
    return {key: score + shift for key, score in anew.items()}


def _without_guesses(
    models: list[_Model],
    scores: dict[tuple[int, Path], FloatArray],
    total: float,
    told: Set[str],
) -> tuple[dict[tuple[int, Path], FloatArray], float]:
    """Leave out unusual counts of vertebrae of which not all are seen: looks alone tell no T13.

    ``told`` are levels that the user knows: one that only a variant has is no guess.
    """
    guesses = {
        key for key in scores
        if models[key[0]].anatomy.variant not in told
        and not _shows_count(models[key[0]], key[1])
    }  # fmt: skip
    kept = {key: score for key, score in scores.items() if key not in guesses}
    if not kept or not guesses:
        return scores, total
    guessed = float(logsumexp([logsumexp(scores[key]) for key in guesses]))
    least = float(logsumexp([logsumexp(score) for score in kept.values()]))
    rest = total + float(np.log1p(-min(np.exp(guessed - total), 1 - 1e-12)))
    return kept, max(rest, least)


def _shows_count(model: _Model, path: Path) -> bool:
    """Whether an unusual count can be counted: from T1 for T13, from L1 for L6 and L4."""
    anatomy = model.anatomy
    if not anatomy.variant or not _shows_variant(model, path):
        return True
    landmark = "disc_C7_T1" if anatomy.variant == "T13" else "disc_T12_L1"
    first = min(j for j in path if j is not None)
    return first <= anatomy.disc_names.index(landmark)


def _by_names(
    models: list[_Model], scores: dict[tuple[int, Path], FloatArray], total: float
) -> tuple[list[Candidate], dict[Candidate, tuple[int, Path]]]:
    """Add up the matchings that say the same: what is unusual may lie outside the image."""
    parts: dict[tuple[tuple[str | None, ...], str], list[tuple[float, int, Path]]] = {}
    for (index, path), score in scores.items():
        anatomy = models[index].anatomy
        names = tuple(None if j is None else anatomy.disc_names[j] for j in path)
        key = names, anatomy.variant if _shows_variant(models[index], path) else ""
        parts.setdefault(key, []).append((float(logsumexp(score)), index, path))
    sources: dict[Candidate, tuple[int, Path]] = {}
    for (names, variant), rows in parts.items():
        # the usual count, where the image shows nothing else
        _, index, path = max(rows, key=lambda row: (models[row[1]].anatomy.variant == variant, row))
        probability = float(np.exp(logsumexp([row[0] for row in rows]) - total))
        sources[Candidate(names, variant, probability)] = (index, path)
    return sorted(sources, key=lambda candidate: -candidate.probability), sources


def _shows_variant(model: _Model, path: Path) -> bool:
    """Whether what is unusual about a count of vertebrae lies within the image."""
    anatomy = model.anatomy
    lowest = max(j for j in path if j is not None)
    if anatomy.variant == "L4":
        beyond = model.room_below[max(i for i, j in enumerate(path) if j is not None)]
        return lowest == len(anatomy.disc_names) - 1 and beyond > _SACRUM_SEEN_MM
    named = [anatomy.disc_names[j].split("_") for j in path if j is not None]
    return any(anatomy.variant in parts for parts in named) if anatomy.variant else False
