"""How often a spine is numbered right, and whether the confidence means what it says.

    python testing/benchmark/naming.py -n 100            # observations: what would be measured
    python testing/benchmark/naming.py --flaws none      # networks without a mistake
    python testing/benchmark/naming.py --flaws rough     # ... with twice as many as usual
    python testing/benchmark/naming.py --voxels -n 10    # the whole pipeline on spoilt truth
    python testing/benchmark/naming.py --images -n 25    # ... on images, with the shipped networks

Random subjects are seen through random fields of view of 5, 8, 10 and 15 vertebrae, half of them a
slab that shows no transverse processes. An oracle stands for the networks; it errs at the rates of
``ERRORS`` and its fellows, times ``--flaws``. With ``--images`` nothing does: images of these
fields of view are simulated, in random contrasts, as volumes and as sagittal slices. With ``-o``
each case is a line of naming_SEED.tsv (or naming_fast_L6_low_SEED.tsv), from which update_readme.py
makes its table.
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

sys.path.insert(0, str(Path(__file__).parent))

from kept import keeping  # noqa: E402
from oracle import Flaws, anatomy_of, cascade, truth_on  # noqa: E402
from shapes_seen import seen  # noqa: E402
from tables import write_tsv  # noqa: E402

from spinetools.errors import NoSpineError  # noqa: E402
from spinetools.image import Image, Space  # noqa: E402
from spinetools.phantom import (  # noqa: E402
    Subject,
    draw_acquisition,
    make_phantom,
    make_subject,
    place_grid,
)
from spinetools.phantom.protocols import Protocol  # noqa: E402
from spinetools.training.nnunet_targets import phantom_names  # noqa: E402
from spinetools.vertebrae.classes import LANDMARK_DISCS, landmark_of_disc  # noqa: E402
from spinetools.vertebrae.discs import DiscSeen  # noqa: E402
from spinetools.vertebrae.engines import load_networks  # noqa: E402
from spinetools.vertebrae.evidence import Evidence, EvidenceParams, PlaceEvidence  # noqa: E402
from spinetools.vertebrae.label import LabelParams, label_spine  # noqa: E402
from spinetools.vertebrae.naming import Numbering, solve  # noqa: E402
from spinetools.vertebrae.networks import Networks  # noqa: E402
from spinetools.vertebrae.shape import MEASURES  # noqa: E402

VISIBLE = (5, 8, 10, 15)
FloatArray = npt.NDArray[np.float64]
#: Share of images that are a slab about the midline.
SLAB = 0.5
#: Chance that a landmark is taken for its neighbour, and that it is not recognised: a trained
#: network's, roughly. T12–L1 is the hard one.
ERRORS = {
    "disc_C2_C3": (0.01, 0.04),
    "disc_C7_T1": (0.05, 0.12),
    "disc_T12_L1": (0.10, 0.15),
    "disc_L5_S": (0.02, 0.05),
}
MISSED, FALSE, MERGED = 0.02, 0.05, 0.05
#: How often a remnant of the disc inside the sacrum is taken for a disc, and how often two
#: neighbours share a landmark's class.
REMNANT, SHARED = 0.03, 0.08
#: Contrasts of simulated images by their share, and voxels, mm: volumes, and sagittal slices.
CONTRASTS = {"t2": 4.0, "t1": 3.0, "dixon": 2.0, "stir": 0.7, "pd": 0.5}
VOXELS_MM = ((1.0, 1.0, 1.0), (4.0, 0.9, 0.9))
_BONES = ("vertebrae_", "sacrum")
#: Less of a vertebra than this is a sliver (a lumbar one has some 60,000), mm³.
SLIVER_MM3 = 500.0
#: Times which all rates, and the noise of measures, are taken.
FLAWS = {"none": 0.0, "usual": 1.0, "rough": 2.0}
#: Variants that change the count of vertebrae, and those that only voxels show.
COUNTING, TRANSITIONS = ("T13", "L6", "L4"), ("sacralised", "lumbarised")


@dataclass(frozen=True)
class Case:
    """A field of view of a subject: vertebrae first to last (numbers from 0; n is the sacrum)."""

    subject: Subject
    visible: int
    top: float  # length along the canal, mm
    bottom: float
    seed: int
    slab: bool = True  # whether it may show no transverse processes


@dataclass(frozen=True)
class Outcome:
    """What was said of a case."""

    visible: int
    variant: str  # in the image
    flagged: str
    right: bool
    confidence: float
    said: str = ""


def cases(
    count: int,
    first_seed: int,
    variant: str | None,
    sizes: Sequence[int] = VISIBLE,
    low: bool = False,
) -> Iterator[Case]:
    """Draw fields of view, evenly over the spine; a size of 0 is the whole spine.

    With ``low`` all of them end below the second sacral body, and show the sacrum's sides.
    """
    for seed in range(first_seed, first_seed + count):
        subject = make_subject(seed, variant)
        rng = np.random.default_rng([seed, 77])
        n = len(subject.boundaries) - 1
        ends = np.append(subject.boundaries, subject.boundaries[-1] + 60.0)
        for size in sizes:
            visible = size or n + 1
            start = n + 1 - visible if low else int(rng.integers(0, n + 2 - visible))
            # the edge lies somewhere in the next vertebra
            above = rng.uniform(2.0, 0.8 * (ends[max(start, 1)] - ends[max(start, 1) - 1]))
            below = rng.uniform(2.0, 20.0) + 28.0 * low
            top, bottom = ends[start] - above, ends[start + visible] + below
            yield Case(subject, visible, top, bottom, seed, slab=bool(size) and not low)


def flaws_of(case: Case, rng: np.random.Generator, rate: float = 1.0) -> Flaws:
    """Draw what is wrong with the networks' answer."""
    shifts: dict[str, int | None] = {}
    for name, (wrong, unseen) in ERRORS.items():
        place = rng.random()
        if place < rate * wrong:
            shifts[name] = int(rng.choice((-1, 1)))
        elif place < rate * (wrong + unseen):
            shifts[name] = None
    count = len(anatomy_of(case.subject).disc_names)
    lost = tuple(int(i) for i in np.flatnonzero(rng.random(count) < rate * MISSED))
    merged = tuple(int(i) for i in np.flatnonzero(rng.random(count - 1) < rate * MERGED / 5))
    hesitant = float(rng.uniform(0.05, 0.45)) if rate else 0.05
    return Flaws(
        missing=lost, merged=merged, blobs=int(rng.random() < rate * FALSE), shifts=shifts,
        hesitant=hesitant, noise=0.4 if rate else 0.0, seed=case.seed,
    )  # fmt: skip


# -- observations only ----------------------------------------------------------------------------


def observed(
    case: Case, rng: np.random.Generator, rate: float = 1.0
) -> tuple[Evidence, list[str | None]]:
    """Draw what would be measured of a case, and the true names."""
    flaws = flaws_of(case, rng, rate)
    anatomy = anatomy_of(case.subject)
    looks = seen(case.subject, rng, max(rate, 0.5))
    if case.slab and rng.random() < SLAB:
        looks[:, MEASURES.index("aside")] = np.nan
    called = _called(anatomy.disc_names, flaws)
    rows: list[tuple[DiscSeen, FloatArray, FloatArray, str | None]] = []
    for i, (name, disc) in enumerate(zip(anatomy.disc_names, case.subject.discs, strict=True)):
        if not case.top + 3 < disc.s < case.bottom - 3 or i in flaws.missing:
            continue
        noise = rng.normal(1, 0.04, 3)
        sizes = noise * (1.03 * disc.depth, 1.03 * disc.width, 1.2 * disc.height)
        row = np.full(5, 0.01)
        own = LANDMARK_DISCS.index(called[name]) + 1 if name in called else 0
        row[own] = 1 - flaws.hesitant if own else 1.0
        row[0] += flaws.hesitant if own else 0.0
        found = _disc(disc.s + rng.normal(0, 0.8), *sizes, 0.9)
        rows.append((found, row, looks[i], name))
    if rows and rng.random() < rate * SHARED:
        _share(rows, rng)
    nothing = np.array([0.96, 0.01, 0.01, 0.01, 0.01]), np.full(len(MEASURES), np.nan), None
    remnant = case.subject.boundaries[-1] + 31.0
    if rng.random() < rate * REMNANT and remnant < case.bottom - 3:
        rows.append((_disc(remnant, 20.0, 30.0, 3.0, 0.65), *nothing))
    if flaws.blobs and rows:
        rows.append((_disc(rng.uniform(case.top, case.bottom), 12.0, 12.0, 5.0, 0.7), *nothing))
    rows.sort(key=lambda row: row[0].s)
    discs, shares, shapes, truth = (list(part) for part in zip(*rows, strict=True)) if rows else (
        [], [], [], [])  # fmt: skip
    evidence = Evidence(
        tuple(discs), np.array(shares).reshape(-1, 5), case.top, case.bottom, (_conus(case),),
        shape=_as_measured(discs, np.array(shapes).reshape(-1, len(MEASURES))),
    )  # fmt: skip
    return evidence, truth


def _share(
    rows: list[tuple[DiscSeen, FloatArray, FloatArray, str | None]], rng: np.random.Generator
) -> None:
    """Let two neighbours share a landmark's class, the wrong one with more of it; in place."""
    marked = [i for i, row in enumerate(rows) if row[1][1:].max() > 0.3]
    if not marked:
        return
    at = int(rng.choice(marked))
    beside = at + int(rng.choice((-1, 1)))
    if 0 <= beside < len(rows):
        part = rng.uniform(0.4, 0.7)
        mine, other = rows[at][1].copy(), rows[beside][1].copy()
        column = 1 + int(np.argmax(mine[1:]))
        moved = part * mine[column]
        mine[[0, column]] += (moved, -moved)
        other[[0, column]] += (-moved, moved)
        rows[at], rows[beside] = (
            (rows[i][0], row / row.sum(), *rows[i][2:]) for i, row in ((at, mine), (beside, other))
        )  # fmt: skip


def _as_measured(discs: list[DiscSeen], shapes: FloatArray) -> FloatArray:
    """Leave out what would be measured between discs that are no neighbours."""
    shapes = shapes.copy()
    kept = [MEASURES.index("disc"), MEASURES.index("lean")]
    for i in range(len(discs)):
        below = discs[i + 1].s - discs[i].s if i + 1 < len(discs) else np.nan
        alone = not abs(below - np.exp(shapes[i, MEASURES.index("pitch")])) < 6
        for k in range(len(MEASURES)):
            if alone and k not in kept:
                shapes[i, k] = np.nan
    return shapes


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


def observe(case: Case, params: EvidenceParams, rate: float = 1.0) -> Outcome | None:
    """Number what would be measured."""
    evidence, truth = observed(case, np.random.default_rng([case.seed, case.visible]), rate)
    if not evidence.discs:
        return None
    numbering = solve(evidence, params)
    right = list(numbering.chosen.names) == truth
    return _outcome(case, numbering, right, COUNTING)


# -- voxels ---------------------------------------------------------------------------------------


def label(case: Case, params: EvidenceParams, spacing: float, rate: float = 1.0) -> Outcome | None:
    """Run the whole pipeline on a spoilt truth."""
    subject = case.subject
    rng = np.random.default_rng([case.seed, case.visible])
    space = _field(case, rng, (spacing,) * 3)
    truth, names = truth_on(subject, space)
    flaws = flaws_of(case, rng, rate)
    # the second step errs as the first one does, but finds some discs that it missed
    later = tuple(i for i in flaws.missing if rng.random() < 0.5)
    networks = cascade(Image(truth, space), names, anatomy_of(subject), flaws,
                       replace(flaws, missing=later, merged=()), spacing)  # fmt: skip
    try:
        result = label_spine(Image(truth.astype(np.float32), space), networks,
                             LabelParams(evidence=params))  # fmt: skip
    except NoSpineError:
        return None
    right = names_agree(result.numbers, result.names, truth, names, spacing**3)
    return _outcome(case, result.numbering, right, COUNTING + TRANSITIONS)


# -- images ---------------------------------------------------------------------------------------


def label_image(case: Case, params: LabelParams, networks: Networks) -> Outcome:
    """Label a simulated image by real networks; where they find no spine, nothing is right."""
    rng = np.random.default_rng([case.seed, case.visible, 3])
    subject = case.subject
    shares = np.array(list(CONTRASTS.values()))
    contrast = str(rng.choice(list(CONTRASTS), p=shares / shares.sum()))
    voxel = VOXELS_MM[int(rng.integers(len(VOXELS_MM)))]
    phantom = make_phantom(
        case.seed, contrast, space=_field(case, rng, voxel), subject=subject,
        acquisition=replace(draw_acquisition(contrast, rng), padding=0.0),
    )  # fmt: skip
    try:
        result = label_spine(phantom.image, networks, params)
    except NoSpineError as error:
        variant = subject.variant if subject.variant in COUNTING + TRANSITIONS else ""
        return Outcome(case.visible, variant, "", False, 0.0, f"subject {case.seed}: {error}")
    right = names_agree(
        result.on_input.data, result.names, phantom.structures.data, phantom_names(),
        phantom.space.voxel_volume,
    )  # fmt: skip
    outcome = _outcome(case, result.numbering, right, COUNTING + TRANSITIONS)
    return replace(outcome, said=f"{outcome.said}, {contrast}, {voxel[0]:g} mm")


def _field(case: Case, rng: np.random.Generator, voxel: tuple[float, float, float]) -> Space:
    """Return the grid of a case's field of view; half of the slabs are narrow."""
    subject = case.subject
    side = 56.0 if case.slab and rng.random() < SLAB else 116.0
    ends = subject.curve.at(np.array([case.top, case.bottom]))
    levels = tuple(float(np.interp(s, subject.curve.s, subject.profiles["level"]))
                   for s in (case.top, case.bottom))  # fmt: skip
    size = (side, 170.0, float(abs(ends[0, 2] - ends[1, 2])))
    return place_grid(subject, Protocol("t2", voxel, size, levels, 18), None)


def names_agree(
    numbers: npt.NDArray[np.uint8],
    said: dict[int, str],
    truth: npt.NDArray[np.uint8],
    names: dict[int, str],
    voxel_mm3: float,
) -> bool:
    """Whether every disc and every vertebra that is named has the name of most of it in truth.

    Discs are compared with discs and vertebrae with vertebrae: how well each is drawn is another
    matter. A disc where there is none is wrong; a sliver of a vertebra does not count.
    """
    for number, name in said.items():
        here = numbers == number
        disc = name.startswith("disc_")
        if not (disc or name.startswith(_BONES)) or not here.any():
            continue
        alike = [v for v, other in names.items() if other.startswith("disc_" if disc else _BONES)]
        counts = np.zeros(256, np.int64)
        counts[alike] = np.bincount(truth[here], minlength=256)[alike]
        most = int(np.argmax(counts))
        none = counts[most] <= 0.1 * here.sum()
        if disc if none else names.get(most) != name:
            small = not disc and here.sum() * voxel_mm3 < SLIVER_MM3
            if not small:
                return False
    return True


def _outcome(case: Case, numbering: Numbering, right: bool, flagged: Sequence[str]) -> Outcome:
    variant = getattr(case.subject, "variant", "normal")
    return Outcome(
        case.visible, variant if variant in flagged else "",
        numbering.chosen.variant or numbering.transition, right,
        numbering.chosen.probability,
        f"subject {case.seed} ({variant}) from {_level(case, case.top)} to "
        f"{_level(case, case.bottom)}: {numbering.chosen.span} {numbering.chosen.variant}",
    )  # fmt: skip


def _level(case: Case, s: float) -> str:
    """The vertebra at a length along the canal."""
    index = int(np.searchsorted(case.subject.boundaries, s, side="right")) - 1
    names = case.subject.names
    return names[index] if 0 <= index < len(names) else "head" if index < 0 else "S"


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
    sure = [o for o in outcomes if o.confidence >= 0.9]
    lines.append(f"confidence >= 0.9\t{len(sure)}\tright {_mean(o.right for o in sure):.3f}")
    plain = [o for o in outcomes if not o.variant]
    odd = [o for o in outcomes if o.variant]
    lines.append(f"\nfalse variants\t{_mean(bool(o.flagged) for o in plain):.3f}\tof {len(plain)}")
    for variant in sorted({o.variant for o in odd}):
        rows = [o for o in odd if o.variant == variant]
        lines.append(f"{variant}: flagged {_mean(o.flagged == variant for o in rows):.3f}, "
                     f"right {_mean(o.right for o in rows):.3f}\tof {len(rows)}")  # fmt: skip
    return "\n".join(lines)


def as_row(outcome: Outcome, asked: str, fast: bool, low: bool) -> dict[str, str]:
    """Write an outcome as a line of a table; ``asked`` is the variant that all subjects have."""
    return {
        "asked": asked,
        "fast": "yes" if fast else "no",
        "low": "yes" if low else "no",
        "visible": str(outcome.visible),
        "variant": outcome.variant,
        "flagged": outcome.flagged,
        "right": "yes" if outcome.right else "no",
        "confidence": f"{outcome.confidence:.4f}",
        "what": outcome.said,
    }


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
    parser.add_argument("--low", action="store_true", help="only images that end at the sacrum")
    parser.add_argument("--voxels", action="store_true", help="the whole pipeline")
    parser.add_argument("--images", action="store_true", help="simulated images, real networks")
    parser.add_argument("--model", help="as st_label_vertebrae takes it (default: what ships)")
    parser.add_argument("--fast", action="store_true", help="images as with -fast")
    parser.add_argument("--keep", type=Path, help="folder that keeps the networks' answers")
    parser.add_argument("--spacing", type=float, default=1.5, help="of the working grid, mm")
    parser.add_argument("--flaws", choices=FLAWS, default="usual", help="how often networks err")
    parser.add_argument("--plain", action="store_true", help="without what vertebrae look like")
    parser.add_argument("--show", action="store_true", help="list what is named wrong")
    parser.add_argument("--weight", type=float, help="of the evidence (default: the fitted one)")
    parser.add_argument("-o", type=Path, help="folder for the table of --images")
    args = parser.parse_args()
    if args.o and not args.images:
        parser.error("-o is for --images: the README tells of the networks that ship")
    params = EvidenceParams() if args.weight is None else EvidenceParams(weight=args.weight)
    params = replace(params, likeness=0.0) if args.plain else params
    rate = FLAWS[args.flaws]
    networks: Networks | None = load_networks(args.model, fast=args.fast) if args.images else None
    if networks is not None and args.keep:
        # with -fast the tiles of the same network overlap less
        networks = keeping(networks, args.keep / "fast" if args.fast else args.keep)
    outcomes: list[Outcome] = []
    for case in cases(args.n, args.seed, args.variant, args.visible, args.low):
        if networks is not None:
            how = LabelParams(evidence=params, fast=args.fast)
            found: Outcome | None = label_image(case, how, networks)
            print(found, file=sys.stderr, flush=True)
        elif args.voxels:
            found = label(case, params, args.spacing, rate)
        else:
            found = observe(case, params, rate)
        outcomes += [] if found is None else [found]
    print(table(outcomes))
    if args.o:
        asked = args.variant or ""
        parts = ("naming", "fast" * args.fast, asked, "low" * args.low, str(args.seed))
        path = args.o / f"{'_'.join(filter(None, parts))}.tsv"
        write_tsv(path, [as_row(o, asked, args.fast, args.low) for o in outcomes])
    if args.show:
        for outcome in outcomes:
            if not outcome.right:
                print(f"{outcome.visible}\t{outcome.confidence:.2f}\t{outcome.said}")


if __name__ == "__main__":
    main()
