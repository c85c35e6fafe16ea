"""Train a dataset by nnU-Net: plan, preprocess what is new, go on from the last checkpoint."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spinetools.errors import InputError
from spinetools.infer.nnunet import torch_device
from spinetools.optional import require
from spinetools.training.nnunet_dataset import Layout
from spinetools.training.nnunet_targets import DATASETS

require("torch", "nnunet")
require("nnunetv2", "nnunet")

import torch  # noqa: E402

from spinetools.training.nnunet_init import start_from  # noqa: E402
from spinetools.training.nnunet_plan import (  # noqa: E402
    CONFIGURATION,
    plan,
    preprocess,
    raw_description,
)
from spinetools.training.nnunet_trainer import SpineTrainer  # noqa: E402

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Run:
    """How to train.

    Attributes
    ----------
    steps
        Iterations in all, those of earlier runs included; None for the trainer's own number.
    device
        ``auto``, ``cpu``, ``cuda``, ``cuda:1`` … or ``mps``.
    threads
        Of torch, on the CPU.
    seed
        Of weights and samples.
    init
        Exported model to start from, where there is no checkpoint yet.
    real_share
        Share of the draws from images rather than the digital spine; None for as many as there are.
    """

    steps: int | None = None
    device: str = "auto"
    threads: int = 1
    seed: int = 2026
    init: Path | None = None
    real_share: float | None = None


def train(layout: Layout, number: int, fold: int | str, run: Run) -> Path:
    """Train a fold of a dataset to the end; returns the folder with its checkpoints."""
    preprocess(layout, number)
    trainer = make_trainer(layout, number, fold, run)
    checkpoint = trainer.newest_checkpoint()
    if checkpoint is not None:
        trainer.load_checkpoint(str(checkpoint))
        logger.info("going on after %d iterations", trainer.current_epoch * _epoch(trainer))
    elif run.init is not None:
        trainer.initialize()
        start_from(trainer.network, run.init, DATASETS[number].classes)
    folder = Path(trainer.output_folder)
    total = trainer.num_epochs * _epoch(trainer)
    if trainer.current_epoch >= trainer.num_epochs:
        logger.info("%s: %d iterations are done already; -steps asks for more", folder, total)
        return folder
    # samples differ after each restart: the generators' states are not part of a checkpoint
    torch.manual_seed(run.seed + trainer.current_epoch)
    _seed_numpy(run.seed + trainer.current_epoch)
    trainer.run_training()
    return folder


def make_trainer(layout: Layout, number: int, fold: int | str, run: Run) -> SpineTrainer:
    """Make the trainer of a fold, untrained."""
    plans = plan(layout, number)
    device = choose(run.device)
    if device.type == "cpu":
        # a process of its own for augmentation would take the time from the network
        os.environ["nnUNet_n_proc_DA"] = "0"  # noqa: SIM112
        torch.set_num_threads(run.threads)
    else:
        os.environ.pop("nnUNet_n_proc_DA", None)
    torch.manual_seed(run.seed)
    description = raw_description(layout, DATASETS[number])
    description.pop("dataset")  # thousands of lines, in every checkpoint
    trainer = SpineTrainer(
        {**plans, "continue_training": False}, CONFIGURATION, fold, description, device
    )
    trainer.real_share = run.real_share
    if run.steps is not None:
        trainer.set_steps(run.steps)
    return trainer


def choose(name: str) -> torch.device:
    """Return the device of a name, and say which it is.

    Raises
    ------
    InputError, ModelError
        When there is no such device; see :func:`spinetools.infer.nnunet.torch_device`.
    """
    device: torch.device = torch_device(name)
    logger.info("training on %s", describe_device(device))
    return device


def describe_device(device: torch.device) -> str:
    """Return a device in words, with the card's name where there is one."""
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    return "the processor" if device.type == "cpu" else f"Apple's graphics ({device})"


def _epoch(trainer: SpineTrainer) -> int:
    return int(trainer.num_iterations_per_epoch)


def _seed_numpy(seed: int) -> None:
    import numpy as np

    np.random.seed(seed)  # noqa: NPY002  # what nnU-Net's loader draws from


def results_folder(layout: Layout, number: int, fold: int | str) -> Path:
    """Return where a fold's checkpoints lie, without making anything."""
    from spinetools.training.nnunet_plan import PLANS_NAME

    name = f"{SpineTrainer.__name__}__{PLANS_NAME}__{CONFIGURATION}"
    return layout.results / DATASETS[number].folder / name / f"fold_{fold}"


def load_weights(folder: Path) -> dict[str, Any]:
    """Read a fold's last checkpoint.

    Raises
    ------
    InputError
        When it has none.
    """
    found = [folder / f"checkpoint_{name}.pth" for name in ("final", "latest", "best")]
    there = [path for path in found if path.exists()]
    if not there:
        raise InputError(f"{folder} holds no checkpoint; st_train makes it")
    newest = max(there[:2] or there, key=lambda path: path.stat().st_mtime)
    # written by this trainer on this machine: nnU-Net's checkpoints hold more than tensors
    content: dict[str, Any] = torch.load(newest, map_location="cpu", weights_only=False)
    return content
