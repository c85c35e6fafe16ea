"""Measure the centreline and the segmentation on every image that has a mask to compare with.

    python testing/benchmark/accuracy.py [-h]

Real images are taken from ../shared/real beside the checkout or from $SPINETOOLS_REAL_DATA (left
out, and said, where neither exists); the simulated spine is made anew. Each command is run as a
user runs it. Prints tables, and writes results/segmentation.tsv and results/centreline.tsv. Which
slices count: cases.py.
"""

from __future__ import annotations

import argparse
import functools
import logging
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from cases import RESULTS, Case, centres_mm, phantom_cases, real_cases, real_folder
from tables import markdown, number, write_tsv

from spinetools.errors import ModelError
from spinetools.image import Image, load_mask
from spinetools.metrics.report import cord_report
from spinetools.models.store import find_model

BIN = Path(sys.executable).parent

#: Methods of segmentation: name in the tables, command with its options, model that it needs.
METHODS: tuple[tuple[str, tuple[str, ...], str | None], ...] = (
    ("st_propseg", ("st_propseg",), None),
    ("st_deepseg_sc 2d", ("st_deepseg_sc", "-kernel", "2d"), "cord_2d"),
    ("st_deepseg_sc 3d", ("st_deepseg_sc", "-kernel", "3d"), "cord_3d"),
)
#: Methods of the centreline, likewise.
LINES: tuple[tuple[str, tuple[str, ...], str | None], ...] = (
    ("st_get_centerline", (), None),
    ("st_get_centerline -method cnn", ("-method", "cnn"), "cord_heatmap"),
)
TABLES = ("segmentation", "centreline")
#: Columns that say what was measured, then those of the figures.
CASE = ("method", "image", "use", "contrast", "slices")
SEGMENTATION = (
    "Dice", "worst slice", "HD95, mm", "mean surface distance, mm", "area, %", "slices found",
)  # fmt: skip
CENTRELINE = ("mean error, mm", "worst, mm", "inside the cord", "slices found")


def main() -> None:
    """Run all cases, print and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("-seeds", type=int, default=3, help="subjects a protocol (default 3)")
    parser.add_argument("-only", metavar="TEXT", default="", help="cases with this in their name")
    parser.add_argument("-table", choices=TABLES, help="this table only (default both)")
    parser.add_argument("-no-real", action="store_true", help="the simulated spine only")
    parser.add_argument("-o", type=Path, default=RESULTS, help="folder of the results")
    args = parser.parse_args()
    logging.getLogger("spinetools").setLevel(logging.ERROR)
    rows: list[dict[str, str]] = []
    with tempfile.TemporaryDirectory() as folder:
        for case in all_cases(Path(folder), args.seeds, not args.no_real):
            if args.only not in case.name:
                continue
            print(f"{case.name} …", file=sys.stderr, flush=True)
            wanted = TABLES if args.table is None else (args.table,)
            rows += measure(case, Path(folder) / "out", wanted)
    if not rows:
        sys.exit(f"no case has {args.only!r} in its name")
    tables = {
        "segmentation": [row for row in rows if "Dice" in row],
        "centreline": [row for row in rows if "Dice" not in row],
    }
    for name, table in tables.items():
        if not table:
            continue
        print(f"\n## {name}\n\n{markdown(table)}")
        if not args.only:
            write_tsv(args.o / f"{name}.tsv", table)
            print(f"\nwritten: {args.o / name}.tsv")


def all_cases(folder: Path, seeds: int, with_real: bool) -> Iterator[Case]:
    """Return the real cases, then the simulated ones."""
    real = real_folder() if with_real else None
    if real is None:
        print("no real images: measuring on the simulated spine only", file=sys.stderr)
    else:
        yield from real_cases(real)
    yield from phantom_cases(folder, seeds)


def measure(case: Case, folder: Path, tables: tuple[str, ...] = TABLES) -> list[dict[str, str]]:
    """Run the commands on a case and compare; a command that fails has no figures."""
    truth = load_mask(case.mask)
    options = ("-i", case.image, "-c", case.contrast)
    rows = []
    for method, command, model in LINES if "centreline" in tables else ():
        if model is None or is_there(model):
            line = run(folder / "centerline.nii.gz", "st_get_centerline", *command, *options)
            rows.append(row(case, method, centreline_figures(line, truth, case)))
    if "segmentation" not in tables:
        return rows
    for method, command, model in METHODS:
        if model is None or is_there(model):
            seg = run(folder / "seg.nii.gz", *command, *options)
            rows.append(row(case, method, segmentation_figures(seg, truth, case)))
    if case.peer is not None:
        rows.append(row(case, "peer", segmentation_figures(case.peer, truth, case)))
    return rows


@functools.cache
def is_there(model: str) -> bool:
    """Whether a model is found; says so where it is not."""
    try:
        find_model(model)
    except ModelError as error:
        print(f"left out: {error}", file=sys.stderr)
        return False
    return True


def run(output: Path, *command: str | Path) -> Path | None:
    """Run a command with ``-o``; None, with its message, when it fails."""
    words = [str(BIN / command[0]), *map(str, command[1:]), "-o", str(output)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return output
    print(f"  {command[0]} failed: {done.stderr.strip()}", file=sys.stderr)
    return None


def segmentation_figures(made: Path | None, truth: Image, case: Case) -> dict[str, str]:
    """Compare a segmentation with the truth in the case's slices."""
    if made is None:
        return dict.fromkeys(SEGMENTATION, "n/a") | {"slices found": "failed"}
    found = cord_report(load_mask(made, allow_empty=True), truth, case.slices)
    return {
        "Dice": number(found["dice"], 3),
        "worst slice": number(found["worst_slice_dice"], 3),
        "HD95, mm": number(found["hd95_mm"]),
        "mean surface distance, mm": number(found["mean_surface_distance_mm"]),
        "area, %": number(found["csa_bias_percent"], 1, sign=True),
        "slices found": percent(found["coverage"]),
    }


def centreline_figures(made: Path | None, truth: Image, case: Case) -> dict[str, str]:
    """Compare the centreline's coordinates with the mask's centre of mass, in each slice."""
    if made is None:
        return dict.fromkeys(CENTRELINE, "n/a") | {"slices found": "failed"}
    upright = truth.reorient(("R", "A", "S"))
    world = truth.space.to_world(
        np.loadtxt(made.with_name("centerline.csv"), delimiter=",", ndmin=2)
    )
    voxels = upright.space.to_voxel(world)
    at = {round(voxel[2]): number for number, voxel in enumerate(voxels)}
    slices, centres = centres_mm(truth)
    wanted = {k: centre for k, centre in zip(slices, centres, strict=True) if k in case.slices}
    both = [k for k in wanted if k in at]
    errors = [np.linalg.norm(world[at[k]] - wanted[k]) for k in both] or [np.nan]
    inside = [upright.data[tuple(np.rint(voxels[at[k]]).astype(int))] > 0 for k in both] or [0]
    return {
        "mean error, mm": number(float(np.mean(errors))),
        "worst, mm": number(float(np.max(errors))),
        "inside the cord": percent(float(np.mean(inside))),
        "slices found": percent(len(both) / len(wanted)),
    }


def percent(share: float) -> str:
    """Write a share; 100 % only where it is all of it."""
    return f"{100 * share:.0f} %" if share in (0, 1) else f"{100 * share:.1f} %"


def row(case: Case, method: str, figures: dict[str, str]) -> dict[str, str]:
    """Put a case, a method and its figures into one row of the table."""
    what = (method, case.name, case.use, case.contrast, str(len(case.slices)))
    return {**dict(zip(CASE, what, strict=True)), **figures}


if __name__ == "__main__":
    main()
