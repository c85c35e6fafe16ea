"""Train a network of the vertebra cascade by nnU-Net."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NoReturn

from spinetools.cli._parser import StParser, number_in
from spinetools.cli._run import execute


def get_parser() -> StParser:
    """Return the command's parser."""
    parser = StParser(
        "st_train",
        "Train a network by nnU-Net v2 (the extra 'nnunet') on a dataset of st_train_prepare: "
        "plan, preprocess the cases that are new, train.\n\n"
        "A run that was interrupted goes on from its last checkpoint, a few minutes old at most. "
        "On a CPU the trainer works in bf16 with AdamW, an iteration a second or so; with CUDA as "
        "nnU-Net does.",
        "st_train 101 all -steps 15000 -folder nnunet",
    )
    group = parser.add_argument_group("what to train")
    group.add_argument(
        "dataset", nargs="?", default="101", choices=("101", "102", "103"),
        help="which dataset (default 101)",
    )  # fmt: skip
    group.add_argument(
        "fold", nargs="?", default="0", choices=("0", "1", "2", "3", "4", "all"),
        help="which fifth of the subjects is held out; all: none (default 0)",
    )  # fmt: skip
    group.add_argument(
        "-folder", default="nnunet", metavar="DIR", help="training folder (default nnunet)"
    )
    group = parser.add_argument_group("how to train")
    group.add_argument(
        "-steps", type=number_in(1, kind=int), metavar="N",
        help="iterations in all, earlier runs included (default 15000 on a CPU, nnU-Net's 250000 "
        "with CUDA)",
    )  # fmt: skip
    group.add_argument(
        "-device", default="auto", metavar="{auto,cpu,cuda[:N],mps}",
        help="where (default auto: CUDA where there is one, else the processor)",
    )  # fmt: skip
    group.add_argument(
        "-threads", type=number_in(1, kind=int), default=1, metavar="N",
        help="cores to use on a CPU (default 1)",
    )  # fmt: skip
    group.add_argument(
        "-seed", type=number_in(0, kind=int), default=2026, metavar="N",
        help="of weights and samples (default 2026)",
    )  # fmt: skip
    group.add_argument(
        "-init", metavar="FILE",
        help="exported model (.onnx, of any step) whose weights a new training starts from",
    )  # fmt: skip
    group.add_argument(
        "-real-share", type=number_in(0, 1), metavar="X",
        help="draw about this share of the samples from images, the rest from the digital spine "
        "(default: by the number of cases of each)",
    )  # fmt: skip
    return parser


def run(args: argparse.Namespace) -> None:
    """Train."""
    from pathlib import Path

    from spinetools.errors import InputError
    from spinetools.training.nnunet_dataset import Layout
    from spinetools.training.nnunet_train import Run, train

    fold = args.fold if args.fold == "all" else int(args.fold)
    init = None if args.init is None else Path(args.init)
    if init is not None and not init.is_file():
        raise InputError(f"-init {init}: there is no such file; expected an exported model (.onnx)")
    how = Run(args.steps, args.device, args.threads, args.seed, init, args.real_share)
    folder = train(Layout(Path(args.folder)), int(args.dataset), fold, how)
    print(f"written: {folder}")


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command."""
    execute(get_parser(), run, argv)


if __name__ == "__main__":
    main()
