"""Look at an image, and change its header, orientation, type, grid or volumes."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NoReturn

from spinetools.cli._parser import INPUTS, StParser, add_output, numbers
from spinetools.cli._run import execute

TYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64")


def get_parser() -> StParser:
    """Return the command's parser."""
    parser = StParser(
        "st_image",
        "Look at an image, and change its header, orientation, type, grid or volumes. One action a "
        "call. Orientation letters are SCT's: the side that each axis starts from (RPI starts "
        "right, posterior, inferior).",
        "st_image -i t2.nii.gz -setorient RPI -o t2_RPI.nii.gz",
    )
    parser.add_argument(
        "-i", required=True, nargs="+", action="extend", metavar="FILE",
        help=f"the image ({INPUTS}); several for -concat",
    )  # fmt: skip
    _add_header_actions(parser.add_argument_group("action"))
    parser.add_argument(
        "-x", choices=("nn", "linear", "spline"), default="linear",
        help="interpolation of -resample and -resample-to: nn for labels (default linear)",
    )  # fmt: skip
    add_output(parser, "<input>_<what was done>; <input>_Z0000… for -split")
    return parser


def _add_header_actions(group: argparse._ArgumentGroup) -> None:
    one = group.add_mutually_exclusive_group(required=True)
    add = one.add_argument
    add("-getorient", action="store_true", help="print the orientation")
    add("-setorient", metavar="CODE", help="permute and flip the axes, e.g. RPI")
    add("-header", action="store_true", help="print the header, also a broken one")
    add("-convert", action="store_true", help="write the image as NIfTI, e.g. of DICOM, unchanged")
    add("-copy-header", metavar="DEST", help="write DEST's voxels under the header of -i")
    add("-set-sform-to-qform", action="store_true", help="let the qform place the voxels")
    add("-set-qform-to-sform", action="store_true", help="let the sform place the voxels")
    add("-type", choices=TYPES, help="change the type; values are rounded, never rescaled")
    add("-pad", type=numbers(",", count=3), metavar="X,Y,Z", help="add voxels on both sides")
    add("-split", choices=tuple("xyzt"), help="write the slices or volumes one by one")
    add("-concat", choices=tuple("xyzt"), help="join the images of -i")
    add("-remove-vol", type=numbers(","), metavar="LIST", help="remove volumes, e.g. 0,5:8")
    add("-keep-vol", type=numbers(","), metavar="LIST", help="keep only these volumes")
    add(
        "-resample", metavar="SIZE",
        help="new voxel size in mm as 1x1x1; 2x2x1f is a factor, 80x80x40vox numbers of voxels. "
        "The box of the image stays, so that a size may change by up to half a voxel in all",
    )  # fmt: skip
    add("-resample-to", metavar="REF", help="put the image on the grid of REF")


def run(args: argparse.Namespace) -> None:
    """Do the one action."""
    from spinetools.cli._image_actions import act, show

    if args.concat is None and len(args.i) > 1:
        get_parser().error("several images (-i) are for -concat only")
    if args.getorient or args.header:
        show(args)
    else:
        act(args)


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command."""
    execute(get_parser(), run, argv)


if __name__ == "__main__":
    main()
