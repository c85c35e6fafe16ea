"""Write a network that st_train has trained as an ONNX model with its card."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NoReturn

from spinetools.cli._parser import StParser
from spinetools.cli._run import announce, execute


def get_parser() -> StParser:
    """Return the command's parser."""
    parser = StParser(
        "st_export_onnx",
        "Write the last checkpoint of a training as an ONNX model that runs without nnU-Net and "
        "torch: its weights stored as fp16, and inside the file the card that says how to run "
        "it.\n\n"
        "Before the file appears, its labels are compared with those of nnU-Net's own predictor, "
        "on a volume of the dataset and on a version of it with other voxels along every axis; "
        "below a Dice of 0.999 nothing is written.",
        "st_export_onnx 101 all -folder nnunet -o spine_step1.onnx",
    )
    group = parser.add_argument_group("what to export")
    group.add_argument(
        "dataset", choices=("101", "102", "103"), help="which dataset it was trained on"
    )
    group.add_argument(
        "fold", nargs="?", default="0", choices=("0", "1", "2", "3", "4", "all"),
        help="which fold (default 0)",
    )  # fmt: skip
    group.add_argument(
        "-folder", default="nnunet", metavar="DIR", help="training folder (default nnunet)"
    )
    group.add_argument("-model-version", default="1.0", metavar="TEXT", help="default 1.0")
    group.add_argument("-licence", default="MIT", metavar="TEXT", help="default MIT")
    group.add_argument(
        "-failure", action="append", default=[], metavar="TEXT",
        help="a sentence on where it is known to fail; can be given several times",
    )  # fmt: skip
    group.add_argument(
        "-log-before", metavar="FILE",
        help="log of the model that the training started from (-init): the new one goes on from it",
    )  # fmt: skip
    group = parser.add_argument_group("output")
    group.add_argument(
        "-o", metavar="FILE",
        help="output file (default: spine_step1.onnx, spine_step2.onnx or spine_onestep.onnx)",
    )  # fmt: skip
    group.add_argument(
        "-ofolder", metavar="DIR", help="output folder, made if missing (default: the current one)"
    )
    return parser


def run(args: argparse.Namespace) -> None:
    """Export."""
    from pathlib import Path

    from spinetools.errors import InputError
    from spinetools.files import output_path
    from spinetools.training.nnunet_dataset import Layout
    from spinetools.training.nnunet_export import MODEL_NAMES, Release, export_model

    number = int(args.dataset)
    fold = args.fold if args.fold == "all" else int(args.fold)
    output = output_path(MODEL_NAMES[number], ".onnx", args.o, args.ofolder)
    before = ""
    if args.log_before:
        if not Path(args.log_before).is_file():
            raise InputError(
                f"-log-before {args.log_before}: there is no such file; expected the .log.tsv "
                "beside the model that -init named"
            )
        before = Path(args.log_before).read_text(encoding="utf-8")
    release = Release(args.model_version, args.licence, tuple(args.failure), before)
    export_model(Layout(Path(args.folder)), number, fold, output, release)
    announce([output, output.with_suffix(".log.tsv")], args)


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command."""
    execute(get_parser(), run, argv)


if __name__ == "__main__":
    main()
