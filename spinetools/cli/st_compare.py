"""Compare segmentations of the same images by several methods."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

from spinetools.cli._parser import StParser, on_off
from spinetools.cli._run import execute

if TYPE_CHECKING:
    from spinetools.compare.cases import Compared, Result

DESCRIPTION = """\
Compare segmentations of the spinal cord by several methods on the same images, with references
drawn by hand or without, and say which method suits these images, how sure that is, and what
failed.

Without a reference a mask is judged by the image's edges, the course of its area, what the other
methods find, and which areas and lengths a cord can have."""


def get_parser() -> StParser:
    """Return the command's parser."""
    parser = StParser(
        "st_compare",
        DESCRIPTION,
        "st_compare -i a_T2w.nii.gz b_T2w.nii.gz "
        "-s propseg=a_prop.nii.gz b_prop.nii.gz -s deepseg=a_deep.nii.gz b_deep.nii.gz "
        "-qc qc",
    )
    group = parser.add_argument_group("input: one file an image in every list, in their order")
    group.add_argument("-i", required=True, nargs="+", metavar="IMAGE", help="the images")
    group.add_argument(
        "-s", required=True, nargs="+", action="append", metavar="METHOD=SEG",
        help="a method's name and its segmentations: METHOD=SEG SEG …, or METHOD=SEG each time",
    )  # fmt: skip
    group.add_argument("-ref", nargs="+", metavar="MANUAL", help="masks drawn by hand, or none")
    group.add_argument(
        "-vertfile", nargs="+", metavar="FILE", help="labels of vertebral levels, or none"
    )
    group.add_argument("-discfile", nargs="+", metavar="FILE", help="labels of discs, or none")
    group.add_argument(
        "-c", choices=("t1", "t2", "t2s", "dwi"),
        help="contrast of all images (default: told by the ends of their names, _T1w, _T2w …)",
    )  # fmt: skip
    group.add_argument(
        "-allow-missing", action="store_true",
        help="a segmentation that does not exist is a failure of its method (default: an error)",
    )  # fmt: skip
    group = parser.add_argument_group("output")
    group.add_argument(
        "-o", metavar="FILE", default="comparison.csv",
        help="the table, a row an image and method; beside it _slices, _levels and _pairs "
        "(default comparison.csv)",
    )  # fmt: skip
    group = parser.add_argument_group("quality control")
    group.add_argument("-qc", metavar="DIR", help="put figures and summary into this QC report")
    group.add_argument("-qc-dataset", metavar="NAME", help="data set's name in the QC report")
    group.add_argument("-qc-subject", metavar="NAME", help="subject's name, for a single image")
    on_off(
        group, "-qc-entries", 1,
        "1: also an entry an image with all its segmentations; 0: the report has them already",
    )  # fmt: skip
    return parser


def run(args: argparse.Namespace) -> None:
    """Compare, write, say."""
    from dataclasses import replace
    from pathlib import Path

    from spinetools.cli import _compare as how
    from spinetools.cli._run import announce
    from spinetools.errors import InputError

    if not args.o.lower().endswith(".csv"):
        raise InputError(f"-o {args.o}: the name must end with .csv")
    cases = how.cases_from(args)
    if args.qc_subject:
        if len(cases) > 1:
            raise InputError("-qc-subject names one subject, but there are several images")
        cases = [replace(cases[0], subject=args.qc_subject)]
    compared = how.compare_all(cases)
    written = how.finish(args, compared, Path(args.o))
    if args.qc and args.qc_entries:
        for each in compared:
            _add_entry(args, each)
    announce(written, args)


def _add_entry(args: argparse.Namespace, compared: Compared) -> None:
    """Add an entry with all segmentations of an image, and the reference."""
    from spinetools.image import load_mask, load_volume
    from spinetools.qc import add_entry
    from spinetools.series import is_there

    case = compared.case
    named = {**case.segmentations, "manual": case.reference}
    overlays = [
        (name, load_mask(path, allow_empty=True))
        for name, path in named.items()
        if path is not None and is_there(path)
    ]
    measured = [result.method for result in compared.results if result.slices]
    # the page's area without a name is that of the first mask
    overlays.sort(key=lambda overlay: overlay[0] not in measured)
    measures = {
        "csa_mm2" if name == measured[0] else f"csa_mm2:{name}": _areas(compared.result(name))
        for name in measured
    }
    add_entry(
        args.qc, load_volume(case.image), overlays,
        process=args.prog, command_line=args.command_line,
        dataset=args.qc_dataset, subject=case.subject, contrast=case.contrast,
        flags=[flag for result in compared.results for flag in result.flags],
        measures=measures or None,
    )  # fmt: skip


def _areas(result: Result) -> dict[int, float]:
    """Return a method's area in each slice where it has one."""
    return {row.index: row.csa_mm2 for row in result.slices if row.csa_mm2 == row.csa_mm2}


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command."""
    execute(get_parser(), run, argv)
