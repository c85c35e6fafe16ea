"""Write a network that nnU-Net has trained as ONNX with its card, if it passes the gate."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from spinetools.errors import InputError, ModelError
from spinetools.files import atomic_path
from spinetools.models.card import ModelCard
from spinetools.optional import require
from spinetools.training.export import export
from spinetools.training.nnunet_dataset import Layout
from spinetools.training.nnunet_targets import DATASETS, Dataset
from spinetools.training.provenance import commit

require("onnx", "nnunet")

from spinetools.training.nnunet_gate import Trained, check, load_case  # noqa: E402
from spinetools.training.nnunet_plan import CONFIGURATION, plan, raw_description  # noqa: E402
from spinetools.training.nnunet_train import load_weights, results_folder  # noqa: E402
from spinetools.training.nnunet_trainer import EPOCH  # noqa: E402

logger = logging.getLogger(__name__)

#: Names of the models that ship, by dataset.
MODEL_NAMES = {101: "spine_step1", 102: "spine_step2", 103: "spine_onestep"}
#: No shipped model is larger.
LARGEST_BYTES = 15_000_000
#: Iterations of an epoch where nnU-Net's own habits hold.
_STOCK_EPOCH = 250
#: The gate looks at the first case of about this many voxels: many tiles, some seconds.
_GATE_VOXELS = (400_000, 1_500_000)


@dataclass(frozen=True)
class Release:
    """What the card says of a model beside what is measured.

    Attributes
    ----------
    version
        A released version never changes.
    licence
        Under what it may be used.
    failures
        Where it is known to fail.
    log_before
        The log of the training that this one went on from, if any.
    """

    version: str = "1.0"
    licence: str = "MIT"
    failures: tuple[str, ...] = ()
    log_before: str = ""


def export_model(
    layout: Layout, number: int, fold: int | str, output: Path, release: Release
) -> dict[str, float]:
    """Export the last checkpoint of a fold; returns its agreement with nnU-Net's predictor.

    Beside it goes the log of its training.

    Raises
    ------
    InputError
        When there is no checkpoint, no case to check the model on, or another log to go on from.
    ModelError
        When the exported model gives other labels than nnU-Net, or is larger than allowed: then
        nothing is written.
    """
    dataset = DATASETS[number]
    folder = results_folder(layout, number, fold)
    state = load_weights(folder)
    plans, description = plan(layout, number), raw_description(layout, dataset)
    log = training_log(state, release.log_before)
    trained = load_network(plans, description, state)
    card = make_card(dataset, plans, description, state, release)
    channels = _gate_case(layout, dataset, description, card.spacing_mm)
    samples = _samples(channels, card.patch)
    with atomic_path(output) as temporary:
        export(trained.network, card, samples, temporary, logits=True)
        if temporary.stat().st_size > LARGEST_BYTES:
            raise ModelError(
                f"the model takes {temporary.stat().st_size / 1e6:.1f} MB, expected at most "
                f"{LARGEST_BYTES / 1e6:.0f}; make the network smaller"
            )
        found = check(temporary, trained, channels)
    with atomic_path(output.with_suffix(".log.tsv")) as temporary:
        temporary.write_text(log, encoding="utf-8")
    logger.info("%s: %.1f MB", output, output.stat().st_size / 1e6)
    return found


def training_log(state: dict[str, Any], before: str = "") -> str:
    """Return the loss of each epoch: iteration, loss, seconds from the start, in columns.

    Parameters
    ----------
    state
        A checkpoint.
    before
        The log of the training that it went on from.

    Raises
    ------
    InputError
        When that is no such log.
    """
    lines = [line for line in before.splitlines() if line]
    last = lines[-1] if lines else "0\t0\t0"
    try:
        iteration, _, seconds = (float(word) for word in last.split("\t"))
    except ValueError:
        raise InputError(
            f"the log to go on from ends with {last!r}; expected an iteration, a loss and seconds, "
            "separated by tabs"
        ) from None
    epoch = EPOCH if state["init_args"]["device"].type == "cpu" else _STOCK_EPOCH
    times = state["logging"]
    for loss, start, end in zip(
        times["train_losses"], times["epoch_start_timestamps"], times["epoch_end_timestamps"],
        strict=False,
    ):  # fmt: skip
        iteration, seconds = iteration + epoch, seconds + end - start
        lines.append(f"{iteration:.0f}\t{loss:.4f}\t{seconds:.0f}")
    return "\n".join(lines) + "\n"


def load_network(
    plans: dict[str, Any], description: dict[str, Any], state: dict[str, Any]
) -> Trained:
    """Build the network of a checkpoint, without the coarse outputs that only training needs."""
    from nnunetv2.utilities.get_network_from_plans import get_network_from_plans

    arch = plans["configurations"][CONFIGURATION]["architecture"]
    network = get_network_from_plans(
        arch["network_class_name"], arch["arch_kwargs"], arch["_kw_requires_import"],
        len(description["channel_names"]), len(description["labels"]),
        allow_init=False, deep_supervision=False,
    )  # fmt: skip
    network.load_state_dict(state["network_weights"])
    return Trained(network.eval(), plans, CONFIGURATION, description)


def make_card(
    dataset: Dataset,
    plans: dict[str, Any],
    description: dict[str, Any],
    state: dict[str, Any],
    release: Release,
) -> ModelCard:
    """Say how the network is run and where it comes from."""
    configuration = plans["configurations"][CONFIGURATION]
    strides = np.prod(configuration["architecture"]["arch_kwargs"]["strides"], axis=0)
    times = state["logging"]
    seconds = [
        end - start
        for start, end in zip(
            times.get("epoch_start_timestamps", ()), times.get("epoch_end_timestamps", ()),
            strict=False,
        )
    ]  # fmt: skip
    # pseudo dice of the last epochs: random patches of held-out cases, or of all with fold all
    return ModelCard(
        name=MODEL_NAMES[dataset.number],
        version=release.version,
        task=dataset.task,
        axes=f"N {len(dataset.channels)} x y z",
        orientation="RAS",
        spacing_mm=tuple(float(mm) for mm in configuration["spacing"]),
        normalisation="zscore",
        multiple=int(strides.max()),
        labels=dataset.classes,
        patch=tuple(int(n) for n in configuration["patch_size"]),
        overlap=0.5,
        tta=("x",),
        licence=release.licence,
        failures=release.failures,
        channels=dataset.channels,
        activation="softmax",
        training={
            "by": "nnU-Net v2, SpineTrainer",
            "data": _sources(description),
            "epochs": int(state["current_epoch"]),
            "hours": round(sum(seconds) / 3600, 2),
            "fold": str(state["init_args"]["fold"]),
            "data_commit": description["spinetools"]["commit"],
            "commit": commit(),
        },
    )


def _sources(description: dict[str, Any]) -> dict[str, int]:
    """Count the cases by where they come from."""
    count: dict[str, int] = {}
    for case in description["dataset"]:
        kind = case.split("_")[0]
        count[kind] = count.get(kind, 0) + 1
    return count


def _gate_case(
    layout: Layout, dataset: Dataset, description: dict[str, Any], spacing_mm: tuple[float, ...]
) -> list[Any]:
    low, high = _GATE_VOXELS
    for entry in description["dataset"].values():
        channels = load_case(layout.raw_of(dataset), entry)
        shape, spacing = channels[0].shape, channels[0].space.spacing
        working = np.allclose(spacing, spacing_mm, atol=1e-3)
        if working and low <= np.prod(shape) <= high and len(set(shape)) == 3:
            return channels
    raise InputError(
        f"{layout.raw_of(dataset)} has no phantom volume of {low} to {high} voxels of "
        f"{spacing_mm[0]:g} mm, as the network reads, to check the model on; "
        f"write some: st_train_prepare {dataset.number} -phantoms 12"
    )


def _samples(channels: list[Any], patch: tuple[int, ...]) -> torch.Tensor:
    """Cut the middle of a volume, normalised, as one sample of the patch's size."""
    from spinetools.infer.predictor import zscore

    parts = [zscore(channels[0].data), *(c.data for c in channels[1:])]
    cut = []
    for part in parts:
        pad = [
            (max(0, n - s) // 2, -(-max(0, n - s) // 2))
            for n, s in zip(patch, part.shape, strict=True)
        ]
        padded = np.pad(part, pad)
        start = [(s - n) // 2 for n, s in zip(patch, padded.shape, strict=True)]
        cut.append(padded[tuple(slice(a, a + n) for a, n in zip(start, patch, strict=True))])
    return torch.from_numpy(np.stack(cut)[None].astype(np.float32))
