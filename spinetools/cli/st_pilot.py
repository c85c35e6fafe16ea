"""Run the methods of segmentation over pilot scans and say which one suits them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NoReturn

from spinetools.cli._parser import StParser, number_in
from spinetools.cli._run import execute

# written out here, so that the help needs no heavy import; a test holds them to the package's
METHODS = ("propseg", "deepseg", "deepseg3d")

DESCRIPTION = """\
Run st_propseg and st_deepseg_sc over pilot scans, compare the results, and say in plain words
which method suits these scans and how sure that is. Writes one table and one report.

Contrasts are told by the ends of the names, as BIDS has them: _T1w, _T2w, _T2star, _MTS, _dwi.
With -c, every image of the folder has that contrast. The folder is not written to."""


def get_parser() -> StParser:
    """Return the command's parser."""
    parser = StParser("st_pilot", DESCRIPTION, "st_pilot -path-data pilot -c t2 -o which_method")
    group = parser.add_argument_group("input")
    group.add_argument(
        "-path-data", required=True, metavar="FOLDER", help="images, in it and in folders below it"
    )
    group.add_argument(
        "-c", choices=("t1", "t2", "t2s", "dwi"), help="contrast (default: as the names say)"
    )
    group.add_argument(
        "-methods", nargs="+", choices=METHODS, default=["propseg", "deepseg"],
        metavar="METHOD", help=f"which: {', '.join(METHODS)} (default propseg deepseg)",
    )  # fmt: skip
    group.add_argument(
        "-ref-suffix", metavar="TEXT",
        help="masks drawn by hand lie beside the images with this added to their names, e.g. "
        "_seg-manual (default: there are none)",
    )  # fmt: skip
    group = parser.add_argument_group("output")
    group.add_argument(
        "-o", metavar="FOLDER", default="pilot",
        help="pilot.csv (and _slices, _levels, _pairs), the report qc/index.html, and the "
        "segmentations (default: a folder pilot)",
    )  # fmt: skip
    group.add_argument(
        "-jobs", type=number_in(1, kind=int), default=1, metavar="N",
        help="how many segmentations run at once (default 1)",
    )  # fmt: skip
    group = parser.add_argument_group("quality control")
    group.add_argument("-qc", metavar="DIR", help="the report's folder (default: qc in -o)")
    group.add_argument(
        "-qc-dataset", metavar="NAME", help="data set's name in the report (default: the folder's)"
    )
    group.add_argument("-qc-subject", metavar="NAME", help="subject's name, for a single subject")
    return parser


def run(args: argparse.Namespace) -> None:
    """Segment, compare, write, say."""
    from pathlib import Path

    from spinetools.cli import _compare, _pilot
    from spinetools.cli._run import announce

    scans = _pilot.find_scans(args)
    folder = Path(args.o)
    _pilot.check_place(folder)
    args.qc = args.qc or str(folder / "qc")
    args.qc_dataset = args.qc_dataset or Path(args.path_data).resolve().name
    cases = _pilot.segment_all(args, scans, folder)
    compared = _compare.compare_all(cases, tolerant=True)
    written = _compare.finish(args, compared, folder / "pilot.csv")
    announce(written, args)


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command."""
    execute(get_parser(), run, argv)
