"""Label every vertebra and disc, the sacrum, the cord and the canal."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NoReturn

from spinetools.cli._bids import add_bids
from spinetools.cli._dicom import add_dicomseg
from spinetools.cli._label_vertebrae import add_label_options
from spinetools.cli._parser import (
    INPUTS,
    StParser,
    add_allow_empty,
    add_output,
    add_qc,
    add_temporary,
)
from spinetools.cli._run import execute


def get_parser() -> StParser:
    """Return the command's parser."""
    parser = StParser(
        "st_label_vertebrae",
        "Label every vertebra and intervertebral disc, the sacrum, the spinal cord and the canal, "
        "in any contrast and field of view. A first network finds the structures, a second one "
        "tells neighbours apart, and the numbering that fits all evidence best names them, with "
        "a confidence and the alternatives.\n\n"
        "With a folder, each of its images is labelled; with -bids, each of a BIDS data set.",
        "st_label_vertebrae -i t2.nii.gz -qc qc",
    )
    group = parser.add_argument_group("input")
    group.add_argument(
        "-i",
        required=True,
        metavar="FILE|FOLDER",
        help=f"the image ({INPUTS}), or a folder of images",
    )
    group.add_argument(
        "-volume",
        type=int,
        metavar="N",
        help="which volume of a 4D image, from 0 (default: the mean over time)",
    )
    add_output(parser, "<input>_labels.nii.gz")
    add_label_options(parser)
    add_allow_empty(parser)
    add_temporary(parser)
    add_bids(parser)
    add_dicomseg(parser)
    add_qc(parser)
    return parser


def run(args: argparse.Namespace) -> None:
    """Label one image, or each in a folder."""
    from spinetools.cli import _label_vertebrae as how
    from spinetools.cli._bids import over_images

    how.check(args)
    if how.has_images(args.i) and not args.bids:
        how.label_folder(args)
        return
    over_images(args, how.label_file, ("init", "discfile"), how.work_of)


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command."""
    execute(get_parser(), run, argv)
