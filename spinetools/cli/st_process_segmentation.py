"""st_process_segmentation: area and shape of the cord, by slice, by level or over a range."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from spinetools.cli._parser import StParser, add_input, add_output, number_in, numbers, on_off
from spinetools.cli._run import announce, execute, write_sidecar

if TYPE_CHECKING:
    import argparse

DESCRIPTION = """\
Measure a cord mask in each axial slice: area (mm²), AP and RL diameter (mm), eccentricity,
orientation and angles (degrees), solidity, length (mm); mean and standard deviation as CSV.

Slices are counted from the inferior end (0 is the lowest), whatever the file's orientation."""


def get_parser() -> StParser:
    """Return the command's parser."""
    parser = StParser(
        "st_process_segmentation",
        DESCRIPTION,
        "st_process_segmentation -i t2_seg.nii.gz -vertfile t2_levels.nii.gz -vert 2:5 "
        "-perlevel 1 -o csa.csv",
    )
    add_input(parser, "cord mask, binary or soft (0 to 1)")
    add_output(parser, "csa.csv")
    on_off(
        parser, "-append", 0, "add the rows to the file, if it is there, instead of replacing it"
    )
    which = parser.add_argument_group("which slices")
    ranges = numbers(",")
    which.add_argument("-z", type=ranges, metavar="RANGE", help="slices, e.g. 3:10 or 3,5,7")
    which.add_argument("-vert", type=ranges, metavar="RANGE", help="vertebral levels, e.g. 2:5")
    source = which.add_mutually_exclusive_group()
    source.add_argument(
        "-vertfile", metavar="FILE", help="labels of the levels (1 is C1), on the cord or vertebrae"
    )
    source.add_argument("-discfile", metavar="FILE", help="single voxels at the discs (3 is C2-C3)")
    on_off(which, "-perslice", 0, "a row for each slice")
    on_off(which, "-perlevel", 0, "a row for each level")
    how = parser.add_argument_group("how to measure")
    on_off(how, "-angle-corr", 1, "measure at right angles to the cord instead of in the slice")
    how.add_argument(
        "-centerline-algo", choices=("bspline", "polyfit", "linear", "nurbs"), default="bspline",
        help="curve through the cord, for its angle (default bspline)",
    )  # fmt: skip
    how.add_argument(
        "-centerline-smooth", type=number_in(0), default=30, metavar="MM",
        help="smoothing length of the curve (default 30)",
    )  # fmt: skip
    how.add_argument(
        "-anat", metavar="FILE", help="an image on the same grid: adds its mean inside the mask"
    )
    return parser


def run(args: argparse.Namespace) -> None:
    """Measure, group, write."""
    from pathlib import Path

    import numpy as np

    from spinetools.centerline.fit import fit_curve
    from spinetools.files import output_path
    from spinetools.image import load_mask, load_volume
    from spinetools.metrics.shape import (
        AXIAL,
        mean_inside,
        measure_slices,
        slice_centres,
        slice_frame,
    )
    from spinetools.metrics.table import Selection, group_slices, make_rows, write_rows

    mask = load_mask(args.i).reorient(AXIAL)
    curve = fit_curve(slice_centres(mask)[1], args.centerline_algo, args.centerline_smooth)
    heights = np.arange(mask.shape[2]) * slice_frame(mask.space)[2, 2]
    shapes = measure_slices(mask, curve.tangent(heights) if args.angle_corr else None)
    levels = _levels(args, mask, curve)
    further = {"intensity": mean_inside(mask, load_volume(args.anat))} if args.anat else {}
    selection = Selection(args.z, args.vert, bool(args.perslice), bool(args.perlevel))
    groups = group_slices(shapes.slices, selection, levels)
    rows = make_rows(shapes, groups, str(Path(args.i).resolve()), levels, further)
    path = output_path("csa", ".csv", args.o, args.ofolder)
    write_rows(path, rows, append=bool(args.append))
    sources = [args.i, args.vertfile, args.discfile, args.anat]
    write_sidecar(path, args, [source for source in sources if source])
    announce([path], args)


def _levels(args: argparse.Namespace, mask: Any, curve: Any) -> Any:
    """Level of each slice, or None where no file says so."""
    from spinetools.image import load_mask
    from spinetools.metrics.levels import levels_from_discs, levels_from_labels

    if args.vertfile:
        return levels_from_labels(load_mask(args.vertfile), mask)
    if args.discfile:
        return levels_from_discs(load_mask(args.discfile), mask, curve.resample(0.1))
    return None


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command."""
    execute(get_parser(), run, argv)


if __name__ == "__main__":
    main()
