"""Make and change label images: single voxels (discs, levels) and label volumes."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NoReturn

from spinetools.cli._dicom import add_export_options
from spinetools.cli._parser import INPUTS, StParser, add_output, numbers, tuples
from spinetools.cli._run import execute

# written out here, so that the help needs no import; a test holds them to the label table's
SCHEMES = ("totalspineseg", "totalspineseg_2025", "totalsegmentator", "totalsegmentator_mr", "sct")
PROGRAMS = ("fsleyes", "itksnap", "slicer")


def get_parser() -> StParser:
    """Return the command's parser."""
    parser = StParser(
        "st_label_utils",
        "Make and change label images. Points are given in voxels of the file's own axes, from 0. "
        "One action a call.",
        "st_label_utils -i t2.nii.gz -create 30,25,40,3:30,25,22,4 -o t2_discs.nii.gz",
    )
    parser.add_argument("-i", metavar="FILE", help=f"the image or labels ({INPUTS})")
    _add_actions(parser.add_argument_group("action").add_mutually_exclusive_group(required=True))
    parser.add_argument(
        "-label-scheme", choices=SCHEMES, metavar="SCHEME",
        help="what the values of -i stand for, where they do not tell by themselves: "
        f"{', '.join(SCHEMES)}",
    )  # fmt: skip
    add_export_options(parser)
    add_output(parser, "<input>_labels.nii.gz")
    return parser


def _add_actions(one: argparse._MutuallyExclusiveGroup) -> None:
    add = one.add_argument
    add("-create", type=tuples(4), metavar="X,Y,Z,V:…", help="labels on an empty image")
    add("-create-add", type=tuples(4), metavar="X,Y,Z,V:…", help="labels added to those of -i")
    add(
        "-create-seg", type=tuples(2), metavar="Z,V:…",
        help="labels at the centre of the segmentation -i; slice 0 is the lowest",
    )  # fmt: skip
    add("-create-seg-mid", type=int, metavar="V", help="the same, in the middle slice of the image")
    add("-add", type=int, metavar="N", help="add N to every label")
    add("-keep", type=numbers(","), metavar="LIST", help="keep only these values, e.g. 3,5:8")
    add("-remove", type=numbers(","), metavar="LIST", help="remove these values")
    add("-display", action="store_true", help="print every label, and all of them for -create")
    add("-increment", action="store_true", help="number the labels 1, 2, 3… from head to feet")
    add(
        "-vert-body", type=numbers(","), metavar="LIST",
        help="from labelled vertebrae, a point at the centre of these levels (0: of all)",
    )  # fmt: skip
    add("-cubic-to-point", action="store_true", help="shrink each label to its centre")
    add(
        "-project-centerline", metavar="FILE",
        help="move labels to the nearest point of a centreline or segmentation; one of -i and "
        "FILE is the labels, the other (which reaches over more slices) the centreline",
    )  # fmt: skip
    add("-remap", choices=SCHEMES, help="change the values to those of another scheme")
    add("-export-lut", choices=PROGRAMS, help="write the scheme's names and colours for a viewer")
    add(
        "-export-dicomseg", metavar="DICOM",
        help="write the labels as DICOM Segmentation over this series (folder or zip, with #N): "
        "<input>.dcm",
    )  # fmt: skip


def run(args: argparse.Namespace) -> None:
    """Do the one action."""
    from spinetools.cli._label_actions import change, display, export, export_dicomseg

    if args.i is None and not (args.export_lut and args.label_scheme):
        get_parser().error("the following arguments are required: -i")
    if args.display:
        display(args)
    elif args.export_lut:
        export(args)
    elif args.export_dicomseg:
        export_dicomseg(args)
    else:
        change(args)


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command."""
    execute(get_parser(), run, argv)


if __name__ == "__main__":
    main()
