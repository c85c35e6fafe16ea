"""Measure painted digital spines, for the tables that the numbering is solved with.

    python testing/benchmark/calibrate_naming.py -n 14

Prints the mean of each measure by level (``spinetools/vertebrae/likeness.py``) and writes bias and
noise of a measurement against the subject's own numbers (``shapes_seen.tsv``). Its subjects are not
those of the benchmark.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "testing" / "vertebrae"))
sys.path.insert(0, str(Path(__file__).parent))

from shapes_seen import TABLE, ideal  # noqa: E402

from spinetools.phantom import Subject, make_subject, place_grid  # noqa: E402
from spinetools.phantom.content import fill_canal  # noqa: E402
from spinetools.phantom.field import Field  # noqa: E402
from spinetools.phantom.labels import structure_ids  # noqa: E402
from spinetools.phantom.paint import Canvas  # noqa: E402
from spinetools.phantom.protocols import Protocol  # noqa: E402
from spinetools.phantom.spine import paint_spine  # noqa: E402
from spinetools.vertebrae.anatomy import usual  # noqa: E402
from spinetools.vertebrae.canal import find_line  # noqa: E402
from spinetools.vertebrae.discs import find_discs  # noqa: E402
from spinetools.vertebrae.shape import MEASURES, Masks, measure  # noqa: E402

FloatArray = npt.NDArray[np.float64]
#: Measures whose bias is smoothed over the levels: hidden now and then, so that it is noisy.
SMOOTHED = ("hang", "behind", "disc", "cord", "canal_width")
#: Subjects whose numbers the means are of.
SUBJECTS = range(30_000, 30_250)


def measured(subject: Subject, spacing: float) -> FloatArray | None:
    """Paint and measure a whole spine; None where a disc is not found (fused bodies)."""
    protocol = Protocol("t2", (spacing,) * 3, (124, 230, 0), (0.3, 26.0), 18)
    canvas = Canvas(place_grid(subject, protocol, None))
    field, ids = Field.over(subject, canvas), structure_ids()
    paint_spine(canvas, field, ids)
    content = fill_canal(canvas, field)
    canal, cord = content.sac >= 0.5, content.cord >= 0.5
    structure = np.where(canal | cord, 0, canvas.structure)
    kinds = np.zeros(structure.shape, np.uint8)
    for i, name in enumerate(usual().disc_names):
        kinds[structure == ids[name]] = 1 + i % 2
    bone = (structure > 0) & (kinds == 0)
    line = find_line(canal | cord, structure > 0, spacing)
    none = [np.zeros(kinds.shape, np.float32)] * 4
    discs = find_discs((kinds > 0).astype(np.float32), none, line, spacing, kinds)
    if len(discs) != len(subject.discs):
        return None
    return measure(discs, Masks(bone, canal | cord, cord), line, spacing, np.eye(3))


def smoothed(column: FloatArray) -> FloatArray:
    """Smooth over the vertebrae; the last row, the disc above the sacrum, stays."""
    known = np.isfinite(column[:-1])
    places = np.arange(len(known))
    filled = np.interp(places, places[known], column[:-1][known])
    soft = np.convolve(np.pad(filled, 1, mode="edge"), (0.25, 0.5, 0.25), mode="valid")
    return np.append(np.where(known, soft, np.nan), column[-1])


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=14, help="painted subjects")
    parser.add_argument("--seed", type=int, default=20_000, help="of the first")
    parser.add_argument("--spacing", type=float, default=2.0, help="of the voxels, mm")
    args = parser.parse_args()
    apart = []
    for seed in range(args.seed, args.seed + args.n):
        subject = make_subject(seed, "normal")
        found = measured(subject, args.spacing)
        if found is not None:
            apart.append(found - ideal(subject))
    bias = np.nanmedian(apart, axis=0)
    low, high = np.nanpercentile(apart, (16, 84), axis=0)
    noise = (high - low) / 2
    for name in SMOOTHED:
        k = MEASURES.index(name)
        bias[:, k] = smoothed(bias[:, k])
    levels = [usual().neighbours(j)[1] for j in range(len(bias))]
    rows = ["\t".join(("level", "kind", *MEASURES))]
    for level, kinds in zip(levels, zip(bias, noise, strict=True), strict=True):
        for kind, values in zip(("bias", "noise"), kinds, strict=True):
            rows.append("\t".join((level, kind, *(f"{value:.3f}" for value in values))))
    TABLE.write_text("\n".join(rows) + "\n")
    own = np.nanmean([ideal(make_subject(seed, "normal")) for seed in SUBJECTS], axis=0)
    print("level", *(name for name in MEASURES if name != "pitch"))
    for level, values in zip(levels, own + np.nan_to_num(bias), strict=True):
        words = [
            f"{np.rad2deg(value):.0f}" if name in ("hang", "lean") else f"{np.exp(value):.1f}"
            for name, value in zip(MEASURES, values, strict=True)
            if name != "pitch"
        ]
        print(level, *words)


if __name__ == "__main__":
    main()
