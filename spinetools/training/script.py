"""What the training scripts share: their options, and what a card says of a training."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from spinetools.training.export import warm_start
from spinetools.training.loop import Draw, Schedule, commit, fit


def make_parser(text: str, folder: str, steps: int) -> argparse.ArgumentParser:
    """Return a parser with the options of every training script.

    Parameters
    ----------
    text
        The script's docstring.
    folder
        Where it works unless told otherwise.
    steps
        How long it trains unless told otherwise.
    """
    parser = argparse.ArgumentParser(description=text.splitlines()[0])
    parser.add_argument("action", choices=("prepare", "train", "export"))
    parser.add_argument("-real", type=Path, default=Path("../shared/real"))
    parser.add_argument("-o", type=Path, default=Path(folder))
    parser.add_argument("-init", type=Path, help="exported model to start from")
    parser.add_argument("-steps", type=int, default=steps)
    parser.add_argument("-seed", type=int, default=2026)
    parser.add_argument("-threads", type=int, default=1)
    parser.add_argument("-device", default="auto", help="auto, cpu, cuda[:N] or mps")
    parser.add_argument("-model", type=Path, help="default: data/models/NAME.onnx")
    parser.add_argument("-model-version", default="1.0")
    return parser


def parse(parser: argparse.ArgumentParser, argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the options; what the script does is told on stderr from here on."""
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    return args


def run_training(
    net: nn.Module, draw: Draw, folder: Path, args: argparse.Namespace, bf16: bool = True
) -> None:
    """Train as the options say, a new network from the weights of ``-init`` if given."""
    folder.mkdir(exist_ok=True)
    if args.init is not None:
        warm_start(net, args.init)
    schedule = Schedule(
        args.steps, seed=args.seed, threads=args.threads, bf16=bf16, device=args.device
    )
    fit(net, draw, folder, schedule)


def training_facts(
    net: nn.Module,
    state: Mapping[str, Any],
    groups: Mapping[str, Sequence[object]],
    batch: int,
    data_commit: str,
) -> dict[str, Any]:
    """Return what a card says of the training.

    Parameters
    ----------
    net, state
        The network, and its last checkpoint.
    groups
        Samples by what they come from.
    batch
        Samples a step.
    data_commit
        Commit of the digital spine that made the samples.
    """
    return {
        "data": {name: len(samples) for name, samples in groups.items()},
        "steps": state["step"],
        "batch": batch,
        "seed": state["seed"],
        "data_commit": data_commit,
        "hours": round(state["seconds"] / 3600, 2),
        "commit": commit(),
        "parameters": sum(p.numel() for p in net.parameters()),
    }
