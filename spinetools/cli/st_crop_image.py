"""Crop an image to a box, or blank what lies outside it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NoReturn

from spinetools.cli._parser import INPUTS, StParser, add_output, numbers
from spinetools.cli._run import announce, execute, write_sidecar

AXES = "xyz"


def get_parser() -> StParser:
    """Return the command's parser."""
    parser = StParser(
        "st_crop_image",
        "Crop an image to the box of a mask, of another image, or between limits. Voxels keep "
        "their place in the scanner. Limits are inclusive and count voxels along the file's own "
        "axes from 0; a negative one counts from the end (-1 is the last).",
        "st_crop_image -i t2.nii.gz -m t2_seg.nii.gz -dilate 20x20x0",
    )
    parser.add_argument("-i", required=True, metavar="FILE", help=f"the image ({INPUTS})")
    group = parser.add_argument_group("box")
    group.add_argument("-m", metavar="MASK", help="the box round this mask, on the same grid")
    group.add_argument("-ref", metavar="REF", help="the part that this image covers too")
    for axis in AXES:
        group.add_argument(f"-{axis}min", type=int, metavar="N", help=f"first voxel along {axis}")
        group.add_argument(f"-{axis}max", type=int, metavar="N", help=f"last voxel along {axis}")
    group.add_argument(
        "-dilate", type=numbers("x"), metavar="XxYxZ",
        help="voxels to add to the box on each side: 5, or 20x20x0",
    )  # fmt: skip
    group.add_argument(
        "-b", type=float, metavar="VALUE",
        help="keep the size, and set the voxels outside the box to VALUE",
    )  # fmt: skip
    add_output(parser, "<input>_crop.nii.gz")
    return parser


def run(args: argparse.Namespace) -> None:
    """Find the box, crop, save."""
    limits = [(getattr(args, f"{axis}min"), getattr(args, f"{axis}max")) for axis in AXES]
    limited = any(limit is not None for pair in limits for limit in pair)
    if sum((args.m is not None, args.ref is not None, limited)) != 1:
        get_parser().error("say what to crop to: one of -m, -ref, or limits (-xmin, -xmax …)")
    dilate = args.dilate or [0]
    dilate = dilate * 3 if len(dilate) == 1 else dilate
    if len(dilate) != 3:
        get_parser().error("-dilate takes one number, or three as 20x20x0")

    from spinetools.files import nifti_suffix, output_path
    from spinetools.image import edit, load_grid, load_mask

    image = load_grid(args.i)
    other = args.m or args.ref
    if args.m:
        mask = load_mask(args.m)
        image.space.check_same(mask.space, (image.name, mask.name))
        box = edit.box_of_mask(mask.data)
    elif args.ref:
        box = edit.box_of_reference(image, load_grid(args.ref))
    else:
        ends = [(0 if a is None else a, -1 if b is None else b) for a, b in limits]
        box = edit.box_from_limits(image, ends)
    box = edit.dilate_box(box, dilate, image.space.shape)
    result = image.crop(*box) if args.b is None else edit.fill_outside(image, box, args.b)
    path = output_path(args.i, f"_crop{nifti_suffix(args.i) or '.nii.gz'}", args.o, args.ofolder)
    result.save(path)
    write_sidecar(path, args, [args.i, other] if other else [args.i], Box=[*box[0], *box[1]])
    announce([path], args, image=path)


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command."""
    execute(get_parser(), run, argv)


if __name__ == "__main__":
    main()
