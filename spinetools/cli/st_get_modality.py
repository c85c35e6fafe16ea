"""Tell whether an image is MR or CT, and its likely contrast."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from spinetools.cli._parser import StParser
from spinetools.cli._run import announce, execute


def get_parser() -> StParser:
    """Return the command's parser."""
    parser = StParser(
        "st_get_modality",
        "Tell whether an image is MR or CT, its likely contrast, and what -c of the other commands "
        "should be: from its name (BIDS) and sidecar where they say so, else from the image. Where "
        "the evidence is weak the answer is: not sure.",
        "st_get_modality -i sub-01.nii.gz",
    )
    parser.add_argument(
        "-i", required=True, nargs="+", metavar="FILE", help="images (.nii.gz, .nii)"
    )
    parser.add_argument(
        "-volume", type=int, metavar="N",
        help="which volume of a 4D image, from 0 (default: the mean over time)",
    )  # fmt: skip
    parser.add_argument(
        "-only-image", action="store_true", help="do not ask the file's name and its sidecar"
    )
    parser.add_argument("-o", metavar="FILE", help="a table of the answers too (.tsv)")
    return parser


def run(args: argparse.Namespace) -> None:
    """Look at each image, say, write."""
    from spinetools.cli._contrast import COLUMNS, in_words, row_of
    from spinetools.files import write_text
    from spinetools.image import load_volume
    from spinetools.modality import guess_contrast

    rows = ["\t".join(COLUMNS)]
    for path in args.i:
        image = load_volume(path, volume=args.volume)
        guess = guess_contrast(image, path, only_image=args.only_image)
        print(f"{path}: {in_words(guess)}")
        rows.append("\t".join(row_of(path, guess)))
    if args.o is not None:
        write_text(args.o, "\n".join(rows) + "\n")
        announce([Path(args.o)], args)


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command."""
    execute(get_parser(), run, argv)
