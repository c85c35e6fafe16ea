"""st_dice_coefficient: overlap of two masks or label volumes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from spinetools.cli._parser import StParser, add_input, add_output, numbers
from spinetools.cli._run import announce, execute, write_sidecar

if TYPE_CHECKING:
    import argparse

DESCRIPTION = """\
Dice coefficient of two masks on one grid: 2 |A and B| / (|A| + |B|).

Whole numbers other than 0 are inside (where there are several, they are labels: one more line
each); other values are fractions from 0 to 1. Two empty masks have no Dice coefficient (nan)."""


def get_parser() -> StParser:
    """Return the command's parser."""
    parser = StParser(
        "st_dice_coefficient", DESCRIPTION, "st_dice_coefficient -i t2_seg.nii.gz -d manual.nii.gz"
    )
    add_input(parser, "first mask")
    parser.add_argument("-d", required=True, metavar="FILE", help="the second mask")
    add_output(parser, "none, the result is printed only")
    parser.add_argument(
        "-2d-slices", dest="axis", type=int, choices=(0, 1, 2),
        help="also slice by slice across this axis of the first file",
    )  # fmt: skip
    parser.add_argument(
        "-b", dest="box", type=numbers(",", count=6), metavar="X,NX,Y,NY,Z,NZ",
        help="compare only this box: first voxel and number of voxels along each axis",
    )  # fmt: skip
    return parser


def run(args: argparse.Namespace) -> None:
    """Compare, print, write."""
    from spinetools.files import output_path, write_text
    from spinetools.image import load_mask
    from spinetools.metrics.overlap import overlap, overlap_by_label, overlap_by_slice

    first = load_mask(args.i, allow_empty=True)
    second = load_mask(args.d, allow_empty=True).reorient(first.space.nib_codes)
    first.space.check_same(second.space, names=(args.i, args.d))
    if args.box:
        starts, counts = args.box[::2], args.box[1::2]
        stops = [start + count for start, count in zip(starts, counts, strict=True)]
        first, second = first.crop(starts, stops), second.crop(starts, stops)
    lines = [f"3D Dice coefficient = {overlap(first.data, second.data).dice:.6g}"]
    if _has_labels(first.data) or _has_labels(second.data):
        by_label = overlap_by_label(first.data, second.data)
        lines += [f"label {label}: Dice = {found.dice:.6g}" for label, found in by_label.items()]
    if args.axis is not None:
        start = args.box[2 * args.axis] if args.box else 0
        lines.append(f"2D Dice coefficient by slice across axis {args.axis}:")
        for index, found in enumerate(overlap_by_slice(first.data, second.data, args.axis)):
            if found.union:
                lines.append(f"{index + start} {found.dice:.6g}")
    print("\n".join(lines))
    if args.o or args.ofolder:
        path = output_path(args.i, "_dice.txt", args.o, args.ofolder)
        write_text(path, "\n".join(lines) + "\n")
        write_sidecar(path, args, [args.i, args.d])
        announce([path], args)


def _has_labels(data: Any) -> bool:
    """Whether there are several values, all whole numbers."""
    import numpy as np

    values = np.unique(data)
    return bool(len(values[values != 0]) > 1 and (values == np.rint(values)).all())


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command."""
    execute(get_parser(), run, argv)


if __name__ == "__main__":
    main()
