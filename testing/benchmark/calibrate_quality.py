"""Learn from the simulated spine how evidence without a reference tells a mask's Dice.

    python testing/benchmark/calibrate_quality.py [-h]

st_compare and st_pilot judge masks where nobody has drawn a reference: by the image's edges, the
course of the area, what other methods find, and by which areas and lengths a cord can have. How
much each piece of evidence counts is fitted here, on small images of simulated subjects in every
contrast, on the masks of the methods that ship and on the same masks spoilt in known ways. No
weight is negative: evidence against a mask never speaks for it. No weight belongs to a method.
What is reported about the accuracy comes from subjects that were left out of the fit. Writes
data/quality.json. Takes some ten minutes.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
from cases import ROOT
from scipy.ndimage import shift
from scipy.optimize import least_squares, nnls
from small_phantoms import ENDINGS, Small, make, segmented

from spinetools.compare.choose import LEAST_LACKING, log_ratio
from spinetools.compare.edges import edge_distance
from spinetools.compare.evidence import NAMES, judge
from spinetools.compare.plausible import FLOOR, Limits
from spinetools.files import write_json
from spinetools.image import load_mask, load_volume
from spinetools.metrics.overlap import dice
from spinetools.metrics.shape import AXIAL
from spinetools.phantom import make_subject

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

#: Seeds of the images (others than those of the tests, the benchmarks and the training), and of
#: the subjects whose lengths and areas set the limits.
FIRST_SEED, SEEDS, SUBJECTS = 8100, 9, 400
#: A cord's area is taken this far and further above its end, where the conus tapers.
CONUS_MM = 40.0
#: What may be cut by obliquity: slices stand up to some 35 degrees off the cord.
OBLIQUE = 1 / np.cos(np.radians(35))
#: Half of the smallest and the largest area left beyond what any subject has.
ROOM = 0.2
#: How many spoilt versions of a mask are looked at.
SPOILT = 3


@dataclass(frozen=True, eq=False)
class Sample:
    """One method's mask beside another's: its evidence, and what it lacks of the truth."""

    seed: int
    pair: int
    evidence: FloatArray
    lacking: float
    sound: bool


def main(argv: Sequence[str] | None = None) -> int:
    """Make, judge, fit, say how good it is, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("-seeds", type=int, default=SEEDS, help=f"subjects (default {SEEDS})")
    parser.add_argument("-folder", type=Path, help="keep images and masks here, and reuse them")
    parser.add_argument("-o", type=Path, default=ROOT / "data" / "quality.json")
    args = parser.parse_args(argv)
    limits = limits_of(range(FIRST_SEED, FIRST_SEED + SUBJECTS))
    print(f"areas {limits.area_mm2} mm2, longest {limits.longest_mm} mm")
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.folder or Path(temporary)
        seeds = range(FIRST_SEED, FIRST_SEED + args.seeds)
        samples: list[Sample] = []
        for case in make(folder, ENDINGS, seeds):
            samples += samples_of(case, limits, len(samples))
            print(case.name, len(samples), flush=True)
    content = fitted(samples, limits)
    write_json(args.o, content)
    print(content)
    return 0


def limits_of(seeds: Sequence[int]) -> Limits:
    """Measure which areas and lengths the cords of simulated subjects have."""
    lengths, smallest, largest = [], [], []
    for seed in seeds:
        subject = make_subject(seed)
        first, last = subject.cord_range
        s = subject.curve.s
        cord = (s >= max(first, 0)) & (s <= last - CONUS_MM)
        area = subject.cord_csa(s[cord])
        smallest.append(area.min())
        largest.append(area.max())
        lengths.append(last - first)
    low, high = min(smallest) * (1 - ROOM), max(largest) * OBLIQUE * (1 + ROOM)
    # a mask may go on into the medulla, some 3 cm
    return Limits((round(float(low), 1), round(float(high), 1)), round(max(lengths) + 30.0), ROOM)


def samples_of(case: Small, limits: Limits, number: int) -> Iterator[Sample]:
    """Judge the methods' masks of one image, and spoilt ones, in pairs."""
    image = load_volume(case.image).reorient(AXIAL)
    truth = load_mask(case.truth).reorient(AXIAL)
    sound = {
        name: load_mask(path).reorient(AXIAL)
        for name, path in segmented(case).items()
        if path is not None
    }
    rng = np.random.default_rng([case.seed, len(case.protocol), number])
    pairs = [(sound[a], sound[b], True) for a, b in combinations(sound, 2)]
    for _ in range(SPOILT):
        for mask in sound.values():
            base, other = (mask, truth)[int(rng.integers(2))], rng.choice(list(sound))
            worse = base.like(spoilt(base.data > 0, image.space.spacing, rng).astype(np.uint8))
            if worse.data.any():
                pairs.append((worse, sound[str(other)], False))
    for first, second, both in pairs:
        number += 1
        judged = judge(image, {"a": first, "b": second}, limits)
        for name, mask, good in (("a", first, both), ("b", second, True)):
            lacking = 1 - dice(mask.data, truth.data)
            yield Sample(case.seed, number, judged[name].evidence.row(), lacking, good and both)


def spoilt(mask: BoolArray, spacing: Sequence[float], rng: np.random.Generator) -> BoolArray:
    """Spoil a mask in one or two of the ways in which segmentations go wrong."""
    ways = (moved, resized, ended, leaking, holey)
    for number in rng.choice(len(ways), size=int(rng.integers(1, 3)), replace=False):
        mask = ways[number](mask, spacing, rng)
    return mask


def moved(mask: BoolArray, spacing: Sequence[float], rng: np.random.Generator) -> BoolArray:
    """Move a piece sideways by up to 4 mm."""
    result = mask.copy()
    piece = _piece(mask, rng)
    by = [rng.normal(0, 1.5) / spacing[0], rng.normal(0, 1.5) / spacing[1], 0]
    result[:, :, piece] = shift(mask[:, :, piece].astype(float), by, order=1) > 0.5
    return result


def resized(mask: BoolArray, spacing: Sequence[float], rng: np.random.Generator) -> BoolArray:
    """Move the edge in or out by up to 1.2 mm."""
    return np.asarray(edge_distance(mask, spacing) < rng.uniform(-1.2, 1.2))


def ended(mask: BoolArray, spacing: Sequence[float], rng: np.random.Generator) -> BoolArray:
    """Take away up to half of it at one end."""
    filled = np.flatnonzero(mask.any(axis=(0, 1)))
    n = int(rng.uniform(0.05, 0.5) * len(filled))
    gone = filled[:n] if rng.random() < 0.5 else filled[len(filled) - n :]
    result = mask.copy()
    result[:, :, gone] = False
    return result


def leaking(mask: BoolArray, spacing: Sequence[float], rng: np.random.Generator) -> BoolArray:
    """Add a lobe to one side of a piece."""
    result = mask.copy()
    reach, angle = rng.uniform(1.5, 5.0), rng.uniform(0, 2 * np.pi)
    distance = edge_distance(mask, spacing)
    rows, columns = np.indices(mask.shape[:2])
    for k in _piece(mask, rng):
        if mask[:, :, k].any():
            centre = np.argwhere(mask[:, :, k]).mean(axis=0)
            x, y = (rows - centre[0]) * spacing[0], (columns - centre[1]) * spacing[1]
            side = np.abs(np.angle(np.exp(1j * (np.arctan2(y, x) - angle)))) < np.pi / 3
            result[:, :, k] |= side & (distance[:, :, k] < reach)
    return result


def holey(mask: BoolArray, spacing: Sequence[float], rng: np.random.Generator) -> BoolArray:
    """Take away some slices."""
    result = mask.copy()
    result[:, :, rng.random(mask.shape[2]) < rng.uniform(0.02, 0.3)] = False
    return result


def _piece(mask: BoolArray, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    filled = np.flatnonzero(mask.any(axis=(0, 1)))
    if not len(filled):
        return filled
    n = max(1, int(rng.uniform(0.1, 1.0) * len(filled)))
    start = int(rng.integers(0, len(filled) - n + 1))
    return filled[start : start + n]


# -- fitting --------------------------------------------------------------------------------------


def fitted(samples: Sequence[Sample], limits: Limits) -> dict[str, object]:
    """Fit weights; measure errors on subjects that were left out, one after the other."""
    base, weights = solve(samples)
    expected = np.zeros(len(samples))
    seeds = np.array([sample.seed for sample in samples])
    for seed in np.unique(seeds):
        rest = [sample for sample in samples if sample.seed != seed]
        b, w = solve(rest)
        for n in np.flatnonzero(seeds == seed):
            expected[n] = np.clip(b + samples[n].evidence @ w, 0, 1)
    lacking = np.array([sample.lacking for sample in samples])
    sound = np.array([sample.sound for sample in samples])
    errors = (lacking - expected) / (expected + FLOOR)
    first = np.flatnonzero([a.pair == b.pair for a, b in pairwise(samples)])
    pairs = first[sound[first]]
    true, said = (values[pairs] - values[pairs + 1] for values in (lacking, expected))
    ratios = [
        np.array([log_ratio(1 - values[n], 1 - values[n + 1]) for n in pairs])
        for values in (lacking, expected)
    ]
    clear = np.abs(true) >= 0.01
    print(f"{len(samples)} masks, {sound.sum()} sound, in {len(seeds)} samples")
    print(
        f"picks the better of two: {np.mean(true * said > 0):.1%} of {len(pairs)}; where they "
        f"differ by 0.01 or more: {np.mean((true * said > 0)[clear]):.1%} of {clear.sum()}"
    )
    print(
        f"correlation: all {np.corrcoef(lacking, expected)[0, 1]:.3f}, sound "
        f"{np.corrcoef(lacking[sound], expected[sound])[0, 1]:.3f}"
    )
    print(f"mean error of sound: {np.mean(np.abs(lacking - expected)[sound]):.4f}")
    return {
        "made_by": "testing/benchmark/calibrate_quality.py, on the simulated spine",
        "images": len({(sample.seed, sample.pair) for sample in samples}),
        "base": round(base, 5),
        "weights": {name: round(float(w), 4) for name, w in zip(NAMES, weights, strict=True)},
        "error": round(float(np.sqrt(np.mean(errors[sound] ** 2))), 3),
        "pair_error": round(float(np.sqrt(np.mean((ratios[0] - ratios[1]) ** 2))), 3),
        "picks": round(float(np.mean(true * said > 0)), 3),
        "limits": {
            "area_mm2": list(limits.area_mm2),
            "longest_mm": limits.longest_mm,
            "method_share": limits.method_share,
        },
    }


def solve(samples: Sequence[Sample]) -> tuple[float, FloatArray]:
    """Fit non-negative weights to the logarithm of what is lacking.

    Methods are compared by the ratio of what they lack, so errors of the ratio are what counts, of
    good masks as of bad ones.
    """
    lacking = np.array([sample.lacking for sample in samples])
    columns = np.column_stack([np.ones(len(samples)), [sample.evidence for sample in samples]])
    scale = 1 / (lacking + FLOOR)
    start, _ = nnls(columns * scale[:, None], lacking * scale)

    def errors(weights: FloatArray) -> FloatArray:
        expected = np.clip(columns @ weights, 0, 1)
        return np.asarray(np.log(lacking + LEAST_LACKING) - np.log(expected + LEAST_LACKING))

    found = least_squares(errors, np.maximum(start, 1e-3), bounds=(0, np.inf)).x
    return float(found[0]), found[1:]


if __name__ == "__main__":
    raise SystemExit(main())
