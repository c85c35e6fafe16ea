"""Measure the centreline and the segmentation on every image that has a mask to compare with.

    python testing/benchmark/accuracy.py [-h]

Real images are taken from ../shared/real beside the checkout or from $SPINETOOLS_REAL_DATA (left
out, and said, where neither exists); the simulated spine is made anew. Each command is run as a
user runs it. Prints tables and writes results/accuracy.tsv. Which slices count: cases.py.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from cases import RESULTS, Case, centres_mm, phantom_cases, real_cases, real_folder
from tables import markdown, number, write_tsv

from spinetools.image import Image, load_mask
from spinetools.metrics.report import cord_report

BIN = Path(sys.executable).parent

SEGMENTATION = {
    "image": "image",
    "use": "use",
    "slices": "slices",
    "dice": "Dice",
    "worst_slice_dice": "worst slice",
    "hd95_mm": "HD95, mm",
    "mean_surface_distance_mm": "mean surface distance, mm",
    "csa_bias_percent": "area, %",
    "coverage": "slices found",
}
CENTRELINE = {
    "image": "image",
    "use": "use",
    "slices": "slices",
    "mean_mm": "mean error, mm",
    "worst_mm": "worst, mm",
    "inside": "inside the cord",
    "coverage": "slices found",
}


def main() -> None:
    """Run all cases, print and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("-seeds", type=int, default=3, help="subjects a protocol (default 3)")
    parser.add_argument("-only", metavar="TEXT", default="", help="cases with this in their name")
    parser.add_argument("-no-real", action="store_true", help="the simulated spine only")
    parser.add_argument("-o", type=Path, default=RESULTS, help="folder of the results")
    args = parser.parse_args()
    rows: list[dict[str, str]] = []
    with tempfile.TemporaryDirectory() as folder:
        for case in all_cases(Path(folder), args.seeds, not args.no_real):
            if args.only not in case.name:
                continue
            print(f"{case.name} …", file=sys.stderr, flush=True)
            rows += measure(case, Path(folder) / "out")
    if not rows:
        sys.exit(f"no case has {args.only!r} in its name")
    print(report(rows))
    if not args.only:
        write_tsv(args.o / "accuracy.tsv", rows)
        print(f"\nwritten: {args.o / 'accuracy.tsv'}")


def all_cases(folder: Path, seeds: int, with_real: bool) -> Iterator[Case]:
    """Return the real cases, then the simulated ones."""
    real = real_folder() if with_real else None
    if real is None:
        print("no real images: measuring on the simulated spine only", file=sys.stderr)
    else:
        yield from real_cases(real)
    yield from phantom_cases(folder, seeds)


def measure(case: Case, folder: Path) -> list[dict[str, str]]:
    """Run the commands on a case and compare; a command that fails has no figures."""
    truth = load_mask(case.mask)
    line, seg = folder / "centerline.nii.gz", folder / "seg.nii.gz"
    rows = [row(case, "st_get_centerline", centreline_figures(
        run(line, "st_get_centerline", "-i", case.image, "-c", case.contrast), truth, case
    ))]  # fmt: skip
    made = run(seg, "st_propseg", "-i", case.image, "-c", case.contrast)
    rows.append(row(case, "st_propseg", segmentation_figures(made, truth, case)))
    if case.peer is not None:
        rows.append(row(case, "peer", segmentation_figures(case.peer, truth, case)))
    return rows


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
        return {"coverage": "failed"}
    found = cord_report(load_mask(made, allow_empty=True), truth, case.slices)
    return {
        "dice": number(found["dice"], 3),
        "worst_slice_dice": number(found["worst_slice_dice"], 3),
        "hd95_mm": number(found["hd95_mm"]),
        "mean_surface_distance_mm": number(found["mean_surface_distance_mm"]),
        "csa_bias_percent": number(found["csa_bias_percent"], 1, sign=True),
        "coverage": f"{100 * found['coverage']:.0f} %",
    }


def centreline_figures(made: Path | None, truth: Image, case: Case) -> dict[str, str]:
    """Compare the centreline's coordinates with the mask's centre of mass, in each slice."""
    if made is None:
        return {"coverage": "failed"}
    upright = truth.reorient(("R", "A", "S"))
    table = np.loadtxt(made.with_name("centerline.csv"), delimiter=",", ndmin=2)
    world = truth.space.to_world(table)
    places = upright.space.to_voxel(world)
    at = {round(place[2]): number for number, place in enumerate(places)}
    slices, centres = centres_mm(truth)
    wanted = {k: centre for k, centre in zip(slices, centres, strict=True) if k in case.slices}
    both = [k for k in wanted if k in at]
    errors = [np.linalg.norm(world[at[k]] - wanted[k]) for k in both]
    inside = [upright.data[tuple(np.rint(places[at[k]]).astype(int))] > 0 for k in both]
    if not errors:
        return {"coverage": "0 %"}
    return {
        "mean_mm": number(float(np.mean(errors))),
        "worst_mm": number(float(np.max(errors))),
        "inside": f"{100 * np.mean(inside):.0f} %",
        "coverage": f"{100 * len(both) / len(wanted):.0f} %",
    }


def row(case: Case, method: str, figures: dict[str, str]) -> dict[str, str]:
    """Put a case, a method and its figures into one row of the table."""
    columns = dict.fromkeys([*SEGMENTATION, *CENTRELINE], "")
    fixed = {"image": case.name, "use": case.use, "slices": str(len(case.slices))}
    return {"method": method, "contrast": case.contrast, **columns, **fixed, **figures}


def report(rows: Iterable[dict[str, str]]) -> str:
    """Return one Markdown table a method."""
    rows = list(rows)
    parts = []
    for method in dict.fromkeys(row["method"] for row in rows):
        columns = CENTRELINE if method == "st_get_centerline" else SEGMENTATION
        chosen = [row for row in rows if row["method"] == method]
        parts.append(f"## {method}\n\n{markdown(chosen, columns)}")
    return "\n\n".join(parts)


if __name__ == "__main__":
    main()
