"""Train the networks that find the cord: ``optic`` and ``cord_heatmap``.

Small 2D U-Nets that read one axial slice at 1 mm, normalised by its local contrast, and give the
probability of cord at each pixel; ``cord_heatmap`` sees more of the surroundings, and gives the
probability of brain too. Run

    python -m spinetools.training.heatmap prepare -real ../shared/real -o runs/heatmap
    python -m spinetools.training.heatmap train -name cord_heatmap -o runs/heatmap -steps 8000
    python -m spinetools.training.heatmap export -name cord_heatmap -o runs/heatmap

``train`` goes on from the last checkpoint. The same command runs on CUDA where there is one.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch

from spinetools.files import atomic_path
from spinetools.infer.normalise import local_contrast
from spinetools.models.card import ModelCard
from spinetools.training.augment import Augmentation, changed, placed
from spinetools.training.entry import run_script
from spinetools.training.export import export
from spinetools.training.loop import commit, load_checkpoint
from spinetools.training.nets import UNet
from spinetools.training.phantom_slices import phantom_slices
from spinetools.training.script import make_parser, parse, run_training, training_facts
from spinetools.training.slices import SPACING_MM, Slice, cauda_slices, real_slices

logger = logging.getLogger("spinetools.training")

BATCH = 16
#: Shares of a batch by what the group's name begins with.
SHARES = {"cord/errsm": 0.2, "cord/gm": 0.16, "spider": 0.12, "phantom": 0.52}


@dataclass(frozen=True)
class Recipe:
    """Channels of each level, meaning of the outputs, and the task in words."""

    features: tuple[int, ...]
    labels: tuple[str, ...]
    task: str


RECIPES = {
    "optic": Recipe(
        (12, 24, 32, 48), ("cord",),
        "probability of spinal cord at each pixel of an axial slice",
    ),
    "cord_heatmap": Recipe(
        (12, 24, 32, 48, 64), ("cord", "brain"),
        "probability of spinal cord, and of brain, at each pixel of an axial slice",
    ),
}  # fmt: skip
AUGMENTATION = Augmentation(patch=(112, 112), spacing_mm=(SPACING_MM, SPACING_MM))


def prepare(real: Path, folder: Path, n_subjects: int, seed: int) -> None:
    """Write the training slices to ``slices.npz`` in ``folder``."""
    slices: Iterable[Slice] = chain(
        real_slices(real), cauda_slices(real), phantom_slices(n_subjects, seed)
    )
    content: dict[str, Any] = {"commit": np.array(commit())}  # of the digital spine
    groups = []
    for number, s in enumerate(slices):
        groups.append(s.group)
        top = max(float(s.image.max()), 1e-6)
        content[f"i{number}"] = (s.image / top * 1000).astype(np.float16)
        content[f"c{number}"] = np.round(s.cord * 255).astype(np.uint8)
        content[f"b{number}"] = np.round(s.brain * 255).astype(np.uint8)
    content["groups"] = np.array(groups)
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_path(folder / "slices.npz") as temporary:
        np.savez_compressed(temporary, **content)
    logger.info("%d slices in %s", len(groups), folder / "slices.npz")


def load_slices(path: Path) -> tuple[dict[str, list[Slice]], str]:
    """Read the training slices by group, and the commit of the digital spine that made them."""
    groups: dict[str, list[Slice]] = {}
    with np.load(path) as content:
        for number, group in enumerate(content["groups"]):
            image, cord, brain = (content[f"{kind}{number}"] for kind in "icb")
            groups.setdefault(str(group), []).append(Slice(image, cord, brain, str(group)))
        return groups, str(content["commit"])


class Sampler:
    """Draws batches of slices: kinds by their shares; within each, groups and then slices evenly.

    Parameters
    ----------
    groups
        Slices by group, as :func:`load_slices` gives them.
    n_labels
        1: cord; 2: cord and brain.
    n
        Slices a batch.
    """

    def __init__(self, groups: dict[str, list[Slice]], n_labels: int, n: int = BATCH) -> None:
        self.groups, self.n_labels, self.n = groups, n_labels, n
        self.kinds = {kind: [g for g in groups if g.startswith(kind)] for kind in SHARES}

    def __call__(self, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw a batch: images (N, 1, X, Y), targets (N, labels, X, Y)."""
        shares = np.array([SHARES[kind] * bool(names) for kind, names in self.kinds.items()])
        edges = np.cumsum(shares) / shares.sum()
        images, targets = [], []
        for place in (np.arange(self.n) + rng.random()) / self.n:
            names = list(self.kinds.values())[int(np.searchsorted(edges, place))]
            group = self.groups[names[rng.integers(len(names))]]
            image, cord, brain = self._sample(group[rng.integers(len(group))], rng)
            images.append(local_contrast(image, SPACING_MM))
            targets.append(np.stack([cord, brain][: self.n_labels]))
        return torch.from_numpy(np.stack(images)[:, None]), torch.from_numpy(np.stack(targets))

    def _sample(self, sample: Slice, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        parts = (
            sample.image.astype(np.float32),
            sample.cord.astype(np.float32) / np.float32(255),
            sample.brain.astype(np.float32) / np.float32(255),
        )
        spacing = (SPACING_MM, SPACING_MM)
        patches, inside = placed(parts, spacing, _centre(sample, rng), rng, AUGMENTATION)
        image, cord, brain = patches
        distort = not sample.group.startswith("phantom") and rng.random() < 0.7
        image, targets = changed(image, np.stack([cord, brain]), rng, AUGMENTATION, distort, inside)
        return image, *targets


def _centre(sample: Slice, rng: np.random.Generator) -> np.ndarray:
    """Mostly near the cord; sometimes anywhere, so that the rest is learnt as background."""
    if sample.cord.max() > 127 and rng.random() >= AUGMENTATION.anywhere:
        cord = np.argwhere(sample.cord > 127).mean(axis=0)
        shift = rng.uniform(-1, 1, size=2) * AUGMENTATION.shift_mm / SPACING_MM
        return np.asarray(cord + shift)
    return np.asarray(rng.uniform(0.1, 0.9, size=2) * np.array(sample.image.shape))


def train(args: argparse.Namespace) -> None:
    """Train a network to ``-steps`` in all."""
    torch.manual_seed(args.seed)
    recipe = RECIPES[args.name]
    groups, _ = load_slices(args.o / "slices.npz")
    net = UNet(2, recipe.features, len(recipe.labels))
    run_training(net, Sampler(groups, len(recipe.labels)), args.o / args.name, args)


def export_model(folder: Path, name: str, output: Path, version: str) -> None:
    """Write the trained network as ONNX with its card inside."""
    recipe = RECIPES[name]
    state = load_checkpoint(folder / name)
    net = UNet(2, recipe.features, len(recipe.labels))
    net.load_state_dict(state["net"])
    groups, data_commit = load_slices(folder / "slices.npz")
    card = ModelCard(
        name=name,
        version=version,
        task=recipe.task,
        axes="N 1 x y",
        orientation="RAS",
        spacing_mm=(SPACING_MM, SPACING_MM),
        normalisation="local_contrast",
        multiple=2 ** (len(recipe.features) - 1),
        labels=recipe.labels,
        licence="Apache-2.0",
        training=training_facts(net, state, groups, BATCH, data_commit),
    )
    samples, _ = Sampler(groups, len(recipe.labels), 64)(np.random.default_rng(0))
    export(net, card, samples, output)


def main(argv: list[str] | None = None) -> None:
    """Run one of the three steps."""
    parser = make_parser(__doc__, "runs/heatmap", 8000)
    parser.add_argument("-name", choices=tuple(RECIPES), default="cord_heatmap")
    parser.add_argument("-subjects", type=int, default=40, help="digital spines to make")
    args = parse(parser, argv)
    if args.action == "prepare":
        prepare(args.real, args.o, args.subjects, args.seed)
    elif args.action == "train":
        train(args)
    else:
        model = args.model or Path(f"data/models/{args.name}.onnx")
        export_model(args.o, args.name, model, args.model_version)


if __name__ == "__main__":
    run_script(main)
