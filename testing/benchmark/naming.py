"""How often a spine is numbered right, and whether the confidence means what it says.

    python testing/benchmark/naming.py                   # observations: thousands in a minute
    python testing/benchmark/naming.py --voxels -n 25    # the whole pipeline on spoilt truth

Random subjects are seen through random fields of view of 5, 8, 10 and 15 vertebrae. Without
trained networks an oracle gives the probabilities, spoilt at the rates of ``ERRORS``; with
``--models`` the networks that are installed see simulated images instead.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "testing" / "vertebrae"))

from oracle import Flaws, anatomy_of, cascade, truth_on  # noqa: E402

from spinetools.image import Image  # noqa: E402
from spinetools.phantom import Subject, make_subject, place_grid  # noqa: E402
from spinetools.phantom.protocols import Protocol  # noqa: E402
from spinetools.vertebrae.classes import LANDMARK_DISCS, landmark_of_disc  # noqa: E402
from spinetools.vertebrae.discs import DiscSeen  # noqa: E402
from spinetools.vertebrae.evidence import Evidence, EvidenceParams, PlaceEvidence  # noqa: E402
from spinetools.vertebrae.label import label_spine  # noqa: E402
from spinetools.vertebrae.naming import Numbering, solve  # noqa: E402

VISIBLE = (5, 8, 10, 15)
#: Chance that a landmark is taken for its neighbour, and that it is not recognised: a trained
#: network's, roughly. T12–L1 is the hard one.
ERRORS = {
    "disc_C2_C3": (0.01, 0.04),
    "disc_C7_T1": (0.05, 0.12),
    "disc_T12_L1": (0.10, 0.15),
    "disc_L5_S": (0.02, 0.05),
}
MISSED, FALSE, MERGED = 0.02, 0.05, 0.05
#: Variants that change the count of vertebrae, and would show.
COUNTING = ("T13", "L6", "L4")


@dataclass(frozen=True)
class Case:
    """A field of view of a subject: vertebrae first to last (numbers from 0; n is the sacrum)."""

    subject: Subject
    visible: int
    top: float  # length along the canal, mm
    bottom: float
    seed: int


@dataclass(frozen=True)
class Outcome:
    """What was said of a case."""

    visible: int
    variant: str  # in the image
    flagged: str
    right: bool
    confidence: float


def cases(
    count: int, first_seed: int, variant: str | None, sizes: Sequence[int] = VISIBLE
) -> Iterator[Case]:
    """Draw fields of view, evenly over the spine; a size of 0 is the whole spine."""
    for seed in range(first_seed, first_seed + count):
        subject = make_subject(seed, variant)
        rng = np.random.default_rng([seed, 77])
        n = len(subject.boundaries) - 1
        ends = np.append(subject.boundaries, subject.boundaries[-1] + 60.0)
        for size in sizes:
            visible = size or n + 1
            start = int(rng.integers(0, n + 2 - visible))
            # the edge lies somewhere in the next vertebra
            above = rng.uniform(2.0, 0.8 * (ends[max(start, 1)] - ends[max(start, 1) - 1]))
            below = rng.uniform(2.0, 20.0)
            yield Case(subject, visible, ends[start] - above, ends[start + visible] + below, seed)


def flaws_of(case: Case, rng: np.random.Generator) -> Flaws:
    """Draw what is wrong with the networks' answer."""
    shifts: dict[str, int | None] = {}
    for name, (wrong, unseen) in ERRORS.items():
        place = rng.random()
        if place < wrong:
            shifts[name] = int(rng.choice((-1, 1)))
        elif place < wrong + unseen:
            shifts[name] = None
    count = len(anatomy_of(case.subject).disc_names)
    lost = tuple(int(i) for i in np.flatnonzero(rng.random(count) < MISSED))
    merged = tuple(int(i) for i in np.flatnonzero(rng.random(count - 1) < MERGED / 5))
    return Flaws(
        missing=lost, merged=merged, blobs=int(rng.random() < FALSE), shifts=shifts,
        hesitant=float(rng.uniform(0.05, 0.45)), noise=0.4, seed=case.seed,
    )  # fmt: skip


# -- observations only ----------------------------------------------------------------------------


def observed(case: Case, rng: np.random.Generator) -> tuple[Evidence, list[str | None]]:
    """Draw what would be measured of a case, and the true names."""
    subject, flaws = case.subject, flaws_of(case, rng)
    anatomy = anatomy_of(subject)
    names = list(anatomy.disc_names)
    place = {f"disc_{d.name.replace('-', '_')}": d for d in subject.discs}
    called = _called(anatomy.disc_names, flaws)
    found, shares, truth = [], [], []
    for i, name in enumerate(names):
        disc = place[name]
        if not case.top + 3 < disc.s < case.bottom - 3 or i in flaws.missing:
            continue
        noise = rng.normal(1, 0.04, 3)
        sizes = noise * (1.03 * disc.depth, 1.03 * disc.width, 1.2 * disc.height)
        found.append(_disc(disc.s + rng.normal(0, 0.8), *sizes, 0.9))
        row = np.full(5, 0.01)
        own = LANDMARK_DISCS.index(called[name]) + 1 if name in called else 0
        row[own] = 1 - flaws.hesitant if own else 1.0
        row[0] += flaws.hesitant if own else 0.0
        shares.append(row / row.sum())
        truth.append(name)
    if flaws.blobs and found:
        found.append(_disc(rng.uniform(case.top, case.bottom), 12.0, 12.0, 5.0, 0.7))
        shares.append(np.array([0.96, 0.01, 0.01, 0.01, 0.01]))
        truth.append(None)
    order = np.argsort([disc.s for disc in found])
    places = [_conus(case)]
    evidence = Evidence(
        tuple(found[i] for i in order), np.array(shares)[order].reshape(-1, 5),
        case.top, case.bottom, tuple(places),
    )  # fmt: skip
    return evidence, [truth[i] for i in order]


def _called(names: tuple[str, ...], flaws: Flaws) -> dict[str, str]:
    kind = next(k for k in _kinds() if k.disc_names == names)
    result = {}
    for i in range(len(names)):
        landmark = landmark_of_disc(kind, i)
        shift = flaws.shifts.get(landmark, 0) if landmark else None
        if landmark and shift is not None and 0 <= i + shift < len(names):
            result[names[i + shift]] = landmark
    return result


def _kinds() -> tuple[object, ...]:
    from spinetools.vertebrae.anatomy import anatomies

    return anatomies()


def _conus(case: Case) -> PlaceEvidence:
    conus = case.subject.conus_s
    if conus < case.top:
        return PlaceEvidence(case.top, "conus", 0.93, -1)
    if conus > case.bottom - 12:
        return PlaceEvidence(min(conus, case.bottom), "conus", 0.93, 1)
    return PlaceEvidence(conus, "conus", 0.93, 0)


def _disc(s: float, depth: float, width: float, height: float, probability: float) -> DiscSeen:
    nowhere = np.zeros(3)
    return DiscSeen(np.zeros((1, 3), np.intp), nowhere, nowhere, nowhere, s, depth, width, height,
                    probability, np.zeros(5))  # fmt: skip


def observe(case: Case, params: EvidenceParams) -> Outcome | None:
    """Number what would be measured."""
    evidence, truth = observed(case, np.random.default_rng([case.seed, case.visible]))
    if not evidence.discs:
        return None
    numbering = solve(evidence, params)
    right = list(numbering.chosen.names) == truth
    return _outcome(case, numbering, right)


# -- voxels ---------------------------------------------------------------------------------------


def label(case: Case, params: EvidenceParams, spacing: float) -> Outcome | None:
    """Run the whole pipeline on a spoilt truth."""
    protocol = Protocol("t2", (spacing,) * 3, (90, 150, 0), (0, 24), 18)
    subject = case.subject
    ends = subject.curve.at(np.array([case.top, case.bottom]))
    levels = tuple(float(np.interp(s, subject.curve.s, subject.profiles["level"]))
                   for s in (case.top, case.bottom))  # fmt: skip
    protocol = replace(protocol, levels=levels, size=(90, 150, float(abs(ends[0, 2] - ends[1, 2]))))
    space = place_grid(subject, protocol, None)
    truth, names = truth_on(subject, space)
    rng = np.random.default_rng([case.seed, case.visible])
    flaws = flaws_of(case, rng)
    # the second step errs as the first one does, but finds some discs that it missed
    later = tuple(i for i in flaws.missing if rng.random() < 0.5)
    networks = cascade(Image(truth, space), names, anatomy_of(subject), flaws,
                       replace(flaws, missing=later, merged=()), spacing)  # fmt: skip
    from spinetools.errors import NoSpineError
    from spinetools.vertebrae.label import LabelParams

    try:
        result = label_spine(Image(truth.astype(np.float32), space), networks,
                             LabelParams(evidence=params))  # fmt: skip
    except NoSpineError:
        return None
    return _outcome(case, result.numbering, names_agree(result.numbers, result.names, truth, names))


def names_agree(
    numbers: npt.NDArray[np.uint8],
    said: dict[int, str],
    truth: npt.NDArray[np.uint8],
    names: dict[int, str],
) -> bool:
    """Whether every disc and every body that is named has the name that most of it has in truth."""
    for number, name in said.items():
        here = numbers == number
        if not name.startswith(("disc_", "vertebrae_", "sacrum")) or not here.any():
            continue
        counts = np.bincount(truth[here], minlength=256)
        counts[0] = 0
        if counts.max() > 0.1 * here.sum() and names.get(int(np.argmax(counts))) != name:
            return False
        if name.startswith("disc_") and counts.max() <= 0.1 * here.sum():
            return False
    return True


def _outcome(case: Case, numbering: Numbering, right: bool) -> Outcome:
    variant = getattr(case.subject, "variant", "normal")
    return Outcome(
        case.visible, variant if variant in COUNTING else "", numbering.chosen.variant, right,
        numbering.chosen.probability,
    )  # fmt: skip


# -- tables ---------------------------------------------------------------------------------------


def table(outcomes: list[Outcome]) -> str:
    """Write accuracy by field of view, and the reliability of the confidence."""
    lines = ["visible\tcases\tright\tmean confidence\tright where sure (>= 0.8)\tsure"]
    for visible in sorted({o.visible for o in outcomes}):
        rows = [o for o in outcomes if o.visible == visible]
        if rows:
            sure = [o for o in rows if o.confidence >= 0.8]
            lines.append(
                f"{visible}\t{len(rows)}\t{_mean(o.right for o in rows):.3f}\t"
                f"{_mean(o.confidence for o in rows):.3f}\t{_mean(o.right for o in sure):.3f}\t"
                f"{len(sure) / len(rows):.3f}"
            )
    lines.append("\nconfidence\tcases\tright\tmean confidence")
    edges = (0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0001)
    error = 0.0
    for low, high in pairwise(edges):
        rows = [o for o in outcomes if low <= o.confidence < high]
        if rows:
            right, said = _mean(o.right for o in rows), _mean(o.confidence for o in rows)
            error += abs(right - said) * len(rows) / len(outcomes)
            lines.append(f"{low:g}-{min(high, 1):g}\t{len(rows)}\t{right:.3f}\t{said:.3f}")
    lines.append(f"expected calibration error\t{error:.3f}")
    plain = [o for o in outcomes if not o.variant]
    odd = [o for o in outcomes if o.variant]
    lines.append(f"\nfalse variants\t{_mean(bool(o.flagged) for o in plain):.3f}\tof {len(plain)}")
    for variant in sorted({o.variant for o in odd}):
        rows = [o for o in odd if o.variant == variant]
        lines.append(f"{variant}: flagged {_mean(o.flagged == variant for o in rows):.3f}, "
                     f"right {_mean(o.right for o in rows):.3f}\tof {len(rows)}")  # fmt: skip
    return "\n".join(lines)


def _mean(values: Iterator[float] | Iterator[bool]) -> float:
    row = [float(value) for value in values]
    return float(np.mean(row)) if row else float("nan")


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=150, help="subjects; four fields of view each")
    parser.add_argument("--seed", type=int, default=50_000, help="of the first subject")
    parser.add_argument("--variant", help="all subjects have this one (default: as in adults)")
    parser.add_argument(
        "--visible", type=int, nargs="+", default=VISIBLE, help="vertebrae; 0: whole spine"
    )
    parser.add_argument("--voxels", action="store_true", help="the whole pipeline")
    parser.add_argument("--spacing", type=float, default=1.5, help="of the working grid, mm")
    parser.add_argument("--weight", type=float, help="of the evidence (default: the fitted one)")
    args = parser.parse_args()
    params = EvidenceParams() if args.weight is None else EvidenceParams(weight=args.weight)
    outcomes = []
    for case in cases(args.n, args.seed, args.variant, args.visible):
        outcome = label(case, params, args.spacing) if args.voxels else observe(case, params)
        if outcome is not None:
            outcomes.append(outcome)
    print(table(outcomes))


if __name__ == "__main__":
    main()
