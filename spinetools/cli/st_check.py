"""st_check: what is installed, does it work, and what a bug report should say."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NoReturn

from spinetools.cli._parser import StParser, on_off
from spinetools.cli._run import execute

DESCRIPTION = """\
Say what is installed and whether it works: versions, packages and extras, models compared with
their checksums, where networks run, threads, memory and disk; then segment a small simulated image
and compare it with the truth. Nothing is written. The exit code is 1 where something would keep
commands from working.

Its output is the first thing that a bug report needs. It holds names of folders: look before you
post it."""


def get_parser() -> StParser:
    """Return the command's parser."""
    parser = StParser("st_check", DESCRIPTION, "st_check", bare=True)
    parser.add_argument("-json", action="store_true", help="print JSON, for scripts")
    on_off(parser, "-self-test", 1, "0: leave out the segmentation, which takes some seconds")
    return parser


def run(args: argparse.Namespace) -> None:
    """Look, print, and fail where something is wrong."""
    import json

    from spinetools.cli._check import as_text, look
    from spinetools.errors import SpinetoolsError

    report = look(bool(args.self_test))
    if args.json:
        content = {**report.facts, "problems": report.problems}
        print(json.dumps(content, indent=2, ensure_ascii=False))
    elif args.v > 0:
        print(as_text(report))
    if report.problems:
        count = len(report.problems)
        what = "; ".join(report.problems)
        raise SpinetoolsError(f"{count} problem{'s' * (count > 1)}: {what}")
    if not args.json and args.v > 0:
        print("all is well")


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command."""
    execute(get_parser(), run, argv)


if __name__ == "__main__":
    main()
