"""The training loop that all networks share: seeded, resumable, on any device."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from spinetools.files import atomic_path
from spinetools.infer.nnunet import torch_device
from spinetools.training.provenance import commit

__all__ = ["Schedule", "commit", "fit", "load_checkpoint", "soft_loss"]

logger = logging.getLogger(__name__)

#: Draws a batch: image (N, 1, spatial) and target (N, C, spatial); NaN where nobody knows.
Draw = Callable[[np.random.Generator], tuple[torch.Tensor, torch.Tensor]]


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to learn.

    Attributes
    ----------
    steps
        In all, with those of earlier runs that are gone on from.
    learning_rate
        At the start; falls to zero by a polynomial of power 0.9, after a short rise.
    seed
        Of the weights and the samples.
    threads
        Of torch, on the CPU.
    dice_share
        The first share of the steps learns by overlap and cross-entropy, the rest by cross-entropy
        alone: overlap finds small things soon, but draws doubtful edges outwards.
    checkpoint_s, log_steps
        A checkpoint is written this often, a line of the log this often.
    bf16
        Compute in bfloat16 where that does no harm. Not for volumes that shrink to two voxels along
        their first axis: there torch 2.13 returns a wrong gradient of 3D convolutions on the CPU
        (measured: not even the same one twice).
    device
        ``auto``, ``cpu``, ``cuda``, ``cuda:1`` … or ``mps``.
    """

    steps: int
    learning_rate: float = 2e-3
    seed: int = 2026
    threads: int = 1
    dice_share: float = 0.6
    checkpoint_s: float = 120.0
    log_steps: int = 100
    bf16: bool = True
    device: str = "auto"


def fit(net: nn.Module, draw: Draw, folder: Path, schedule: Schedule) -> None:
    """Train ``net`` to ``schedule.steps``, going on from ``folder/checkpoint.pt`` where it exists.

    A step's samples depend on the seed and the step only, however often the run is resumed.
    """
    torch.set_num_threads(schedule.threads)
    device = torch_device(schedule.device)
    logger.info("training on %s", device)
    net.to(device)
    optimiser = torch.optim.AdamW(net.parameters(), lr=schedule.learning_rate, weight_decay=1e-4)
    checkpoint, log = folder / "checkpoint.pt", folder / "log.tsv"
    first, seconds = 0, 0.0
    if checkpoint.exists():
        state = load_checkpoint(folder)
        net.load_state_dict(state["net"])
        optimiser.load_state_dict(state["optimiser"])
        first, seconds = state["step"], state["seconds"]
    began = saved = time.monotonic()
    running = 0.0
    net.train()
    for step in range(first, schedule.steps):
        for group in optimiser.param_groups:
            group["lr"] = _rate(step, schedule)
        parts = draw(np.random.default_rng([schedule.seed, step]))
        image, target = (part.to(device) for part in parts)
        with torch.autocast(
            device.type, dtype=torch.bfloat16, enabled=schedule.bf16 and device.type != "mps"
        ):
            logits = net(image)
        loss = soft_loss(logits.float(), target, step < schedule.dice_share * schedule.steps)
        optimiser.zero_grad()
        loss.backward()
        steepness = nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        if not torch.isfinite(steepness):
            raise FloatingPointError(
                f"the gradient of step {step + 1} is {steepness:g}: the network would be lost; "
                f"{checkpoint} holds the last good one"
            )
        optimiser.step()
        running += loss.item()
        now = time.monotonic()
        if (step + 1) % schedule.log_steps == 0:
            with log.open("a", encoding="utf-8") as file:
                mean = running / schedule.log_steps
                file.write(f"{step + 1}\t{mean:.4f}\t{seconds + now - began:.0f}\n")
            running = 0.0
        if now - saved > schedule.checkpoint_s or step + 1 == schedule.steps:
            state = {
                "net": net.state_dict(),
                "optimiser": optimiser.state_dict(),
                "step": step + 1,
                "seconds": seconds + now - began,
                "seed": schedule.seed,
            }
            with atomic_path(checkpoint) as temporary:
                torch.save(state, temporary)
            saved = now


def _rate(step: int, schedule: Schedule) -> float:
    rise = min(1.0, (step + 1) / 100)  # the optimiser's averages fill first
    fall = max(1 - step / schedule.steps, 1e-3)
    return float(schedule.learning_rate * rise * fall**0.9)


def load_checkpoint(folder: Path) -> dict[str, Any]:
    """Read the last checkpoint of a run."""
    state: dict[str, Any] = torch.load(
        folder / "checkpoint.pt", map_location="cpu", weights_only=True
    )
    return state


def soft_loss(logits: torch.Tensor, target: torch.Tensor, with_dice: bool = True) -> torch.Tensor:
    """Cross-entropy with soft labels, and soft Dice over the batch, a channel at a time.

    Parameters
    ----------
    logits, target
        (N, C, spatial); the target from 0 to 1, or NaN where it is not known.
    with_dice
        False: cross-entropy alone, whose best answer to a doubtful voxel is its true share.
    """
    total = logits.new_zeros(())
    for channel in range(target.shape[1]):
        known = ~torch.isnan(target[:, channel])
        if not known.any():
            continue
        wanted, got = target[:, channel][known], logits[:, channel][known]
        entropy = nn.functional.binary_cross_entropy_with_logits(got, wanted)
        total = total + entropy * 5
        if with_dice:
            chance = torch.sigmoid(got)
            total = (
                total + 1 - (2 * (chance * wanted).sum() + 1) / (chance.sum() + wanted.sum() + 1)
            )
    return total
