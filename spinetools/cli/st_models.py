"""st_models: the models that commands run: what there is, what it says about itself, what fits."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NoReturn

from spinetools.cli._parser import StParser
from spinetools.cli._run import execute

DESCRIPTION = """\
The models that the commands run. The project's own are part of the package; published ones of other
projects are fetched once, or taken from a file where there is no network. Nothing is ever updated
by itself.

list: every model, its version, and where it is.

info: what a model computes, on what grid, with which thresholds; how it was trained and measured,
and where it fails.

install: fetch a published model, or take it, or a model of one's own, from a file.

verify: compare the files with their checksums.

path: where a model lies, or without a name, where models are looked for."""

ACTIONS = ("list", "info", "install", "verify", "path")
NEED_A_NAME = ("info", "install")


def get_parser() -> StParser:
    """Return the command's parser."""
    parser = StParser("st_models", DESCRIPTION, "st_models info optic")
    parser.add_argument("action", choices=ACTIONS, help="what to do, see above")
    parser.add_argument(
        "name", nargs="?", metavar="NAME",
        help="a model's name, or name@version; info and path also take a file or folder",
    )  # fmt: skip
    group = parser.add_argument_group("install")
    group.add_argument(
        "-from", dest="sources", nargs="+", metavar="FILE",
        help="take these files (the published zips, or an ONNX file) instead of fetching them",
    )  # fmt: skip
    group.add_argument(
        "-to", metavar="DIR",
        help="install into this folder, which $SPINETOOLS_MODELS can name for others (default: the "
        "user's cache)",
    )  # fmt: skip
    return parser


def run(args: argparse.Namespace) -> None:
    """Do the one action."""
    from spinetools.cli import _models

    parser = get_parser()
    if args.name is None and args.action in NEED_A_NAME:
        parser.error(f"{args.action}: which model? st_models list shows the names")
    if args.action == "list" and args.name is not None:
        parser.error("list takes no name; info NAME tells about one model")
    if args.action != "install" and (args.sources or args.to):
        parser.error(f"{'-from' if args.sources else '-to'} belongs to install")
    action = {
        "list": _models.show_list,
        "info": _models.show_info,
        "install": _models.install_one,
        "verify": _models.verify_all,
        "path": _models.show_path,
    }[args.action]
    action(args)


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command."""
    execute(get_parser(), run, argv)


if __name__ == "__main__":
    main()
