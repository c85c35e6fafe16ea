"""st_download_data: fetch public data sets for the tutorials."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NoReturn

from spinetools.cli._parser import StParser
from spinetools.cli._run import execute

DESCRIPTION = """\
Fetch a public data set, compare it with its checksum and unpack it into a new folder. A download
that breaks off goes on where it was. Where no checksum is published, that of the first download is
pinned, and later ones have to fit it.

list: the data sets there are, with where they come from."""


def get_parser() -> StParser:
    """Return the command's parser."""
    parser = StParser("st_download_data", DESCRIPTION, "st_download_data sct_course")
    parser.add_argument("name", metavar="NAME", help="a data set, or list")
    parser.add_argument("-o", metavar="DIR", help="a new folder for it (default: its name)")
    parser.add_argument(
        "-from", dest="source", metavar="FILE",
        help="take this zip, fetched otherwise, instead of downloading",
    )  # fmt: skip
    parser.add_argument(
        "-sha256", metavar="HEX", default="", help="the checksum that its zip must have"
    )
    return parser


def run(args: argparse.Namespace) -> None:
    """List, or fetch one."""
    from pathlib import Path

    from spinetools.cli._models import _progress_bar
    from spinetools.models.datasets import fetch, find_dataset, load_datasets

    if args.name == "list":
        for each in load_datasets().values():
            print(f"{each.name} ({each.version}): {each.what}\n    {each.urls[0]}")
        return
    dataset = find_dataset(args.name)
    source = None if args.source is None else Path(args.source)
    with _progress_bar(args.v) as progress:
        folder = fetch(dataset, Path(args.o or args.name), source, args.sha256, progress)
    if args.v > 0:
        print(f"written: {folder}\ncite: {dataset.citation}")


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command."""
    execute(get_parser(), run, argv)


if __name__ == "__main__":
    main()
