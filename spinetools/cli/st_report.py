"""Write a spine report for one subject."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NoReturn

from spinetools.cli._parser import StParser, add_output
from spinetools.cli._run import announce, execute
from spinetools.labels import SCHEMES


def get_parser() -> StParser:
    """Return the command's parser."""
    parser = StParser(
        "st_report",
        "Write a spine report for one subject from labelled vertebrae and discs: heights and "
        "wedging, discs, canal and cord by level, curvature, slips, and what should be looked at. "
        "As JSON, as a table, and as one page to print.",
        "st_report -i t2.nii.gz -s t2_labels.nii.gz",
    )
    parser.add_argument(
        "-s", required=True, metavar="LABELS",
        help="labels of st_label_vertebrae, or of another program in a scheme of the label table",
    )  # fmt: skip
    group = parser.add_argument_group("what is shown and measured")
    group.add_argument(
        "-i", metavar="IMAGE", help="the image, on the labels' grid, for the picture (default: "
        "the labels alone)",
    )  # fmt: skip
    group.add_argument(
        "-seg", metavar="MASK",
        help="a cord mask on the labels' grid, measured instead of their cord",
    )  # fmt: skip
    group.add_argument(
        "-label-scheme", choices=SCHEMES, metavar="SCHEME",
        help="what label values stand for, where the file does not tell: " + ", ".join(SCHEMES),
    )  # fmt: skip
    group.add_argument(
        "-subject", metavar="NAME", help="title of the page (default: as the files' names say)"
    )
    add_output(parser, "<labels>_report.html, and .json and .tsv beside it")
    return parser


def run(args: argparse.Namespace) -> None:
    """Read, measure, write."""
    from spinetools.cli import _report as how
    from spinetools.files import output_path, write_json, write_text
    from spinetools.report import measure_spine, write_page
    from spinetools.report.tables import as_json, as_table

    path = how.page_path(output_path(args.s, "_report.html", args.o, args.ofolder))
    spine, names, labels, numbering = how.read_spine(args)
    report = measure_spine(spine, names, labels, numbering)
    table, record = path.with_suffix(".tsv"), path.with_suffix(".json")
    sources = how.sources_of(args)
    title = args.subject or how.subject_of(args)
    write_text(table, as_table(report))
    write_json(record, how.record_of(args, sources, title) | as_json(report))
    write_page(path, report, title, sources, args.command_line)
    how.say(report)
    announce([path, table, record], args)


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command."""
    execute(get_parser(), run, argv)
