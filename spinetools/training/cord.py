"""Train the patch networks of ``st_deepseg_sc``: ``cord_2d`` and ``cord_3d``.

A U-Net reads a patch about the cord and gives the share of each voxel that is cord. It learns from
the digital spine in every contrast and from the real images marked for training. Run

    python -m spinetools.training.cord prepare -real ../shared/real -o runs/cord
    python -m spinetools.training.cord train -kernel 2d -o runs/cord -steps 12000
    python -m spinetools.training.cord export -kernel 2d -o runs/cord

``train`` goes on from the last checkpoint. The same command runs on CUDA where there is one.
With ``-without errsm11 gm9418`` these images are left out, so that a network which has not seen
them can be measured on them; it has a folder of its own, ``export`` the same option and a
``-model``.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from spinetools.errors import InputError
from spinetools.infer.normalise import patch_contrast
from spinetools.models.card import ModelCard
from spinetools.training.augment import Augmentation, changed, placed
from spinetools.training.entry import run_script
from spinetools.training.export import export
from spinetools.training.loop import commit, load_checkpoint
from spinetools.training.nets import UNet
from spinetools.training.script import make_parser, parse, run_training, training_facts
from spinetools.training.windows import (
    PIXEL_MM,
    Window,
    cauda_windows,
    phantom_windows,
    read_shards,
    real_windows,
    write_shards,
)

logger = logging.getLogger("spinetools.training")


@dataclass(frozen=True)
class Recipe:
    """What distinguishes the networks.

    Attributes
    ----------
    features
        Channels of each level.
    norm
        See :class:`~spinetools.training.nets.UNet`.
    batch
        Samples a step.
    augmentation
        Ranges of the random changes; also patch and spacing.
    """

    features: tuple[int, ...]
    norm: str
    batch: int
    augmentation: Augmentation


_COMMON = Augmentation(
    log_scale=0.15,
    log_stretch=0.08,
    shift_mm=4.0,
    anywhere=0.0,
    blur=1.2,
    repaint=0.12,
    blend=0.15,
    crop=0.15,
    smallest_crop=0.4,
)
RECIPES = {
    "2d": Recipe(
        (16, 32, 64, 96), "batch", 24,
        replace(_COMMON, patch=(64, 64), spacing_mm=(PIXEL_MM, PIXEL_MM)),
    ),
    "3d": Recipe(
        (8, 16, 32, 64), "instance", 2,
        replace(_COMMON, patch=(64, 64, 48), spacing_mm=(PIXEL_MM, PIXEL_MM, 1.0)),
    ),
}  # fmt: skip

#: Shares of a batch by what the group's name begins with: real T2w and T2*w images with a manual
#: cord, cauda equina without, and the digital spine.
SHARES = {"cord/errsm": 0.26, "cord/gm": 0.18, "spider": 0.06, "phantom": 0.5}
#: Share of the real patches whose intensities are remapped. Few: the curve moves the edge that is
#: seen, half of the way from cord to CSF, away from where the rater drew it.
DISTORTED = 0.15


class Sampler:
    """Draws batches of patches from windows.

    Parameters
    ----------
    groups
        Windows by group, as :func:`~spinetools.training.windows.read_shards` gives them.
    recipe
        Of the network.
    """

    def __init__(self, groups: dict[str, list[Window]], recipe: Recipe) -> None:
        self.recipe = recipe
        self.groups = groups
        self.kinds = {kind: [name for name in groups if name.startswith(kind)] for kind in SHARES}
        self.shares = np.array([SHARES[kind] * bool(names) for kind, names in self.kinds.items()])

    def __call__(self, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw a batch: kinds by their shares; within each, groups and then windows evenly."""
        # evenly spread rather than drawn: a batch always holds every kind
        edges = np.cumsum(self.shares) / self.shares.sum()
        places = (np.arange(self.recipe.batch) + rng.random()) / self.recipe.batch
        images, cords = [], []
        for place in places:
            names = list(self.kinds.values())[int(np.searchsorted(edges, place))]
            windows = self.groups[names[rng.integers(len(names))]]
            image, cord = self.sample(windows[rng.integers(len(windows))], rng)
            images.append(patch_contrast(image))
            cords.append(cord)
        return (
            torch.from_numpy(np.stack(images)[:, None]),
            torch.from_numpy(np.stack(cords)[:, None]),
        )

    def sample(self, window: Window, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Cut one patch out of a window and change it."""
        settings = self.recipe.augmentation
        k = int(rng.integers(window.image.shape[2]))
        centre = window.centres[k] + rng.uniform(-1, 1, 2) * settings.shift_mm / PIXEL_MM
        image, cord = window.image, window.cord
        spacing: tuple[float, ...] = (PIXEL_MM, PIXEL_MM)
        if len(settings.patch) == 2:
            image, cord = image[:, :, k], cord[:, :, k]
        else:
            spacing = (*spacing, window.thickness_mm)
            centre = np.array([*centre, k])
        pair = (image.astype(np.float32), cord.astype(np.float32) / np.float32(255))
        (image, cord), inside = placed(pair, spacing, centre, rng, settings)
        distort = not window.group.startswith("phantom") and rng.random() < DISTORTED
        image, targets = changed(image, cord[None], rng, settings, distort, inside)
        return image, targets[0]


def prepare(real: Path, folder: Path, n_paintings: int, seed: int) -> None:
    """Write the training windows as shards to ``folder/windows``."""
    made = folder / "windows"
    write_shards(real_windows(real), made, "real", commit())
    write_shards(cauda_windows(real), made, "cauda", commit())
    write_shards(phantom_windows(n_paintings, seed), made, "phantom", commit())


def train(args: argparse.Namespace) -> None:
    """Train a network to ``-steps`` in all."""
    torch.manual_seed(args.seed)
    recipe = RECIPES[args.kernel]
    groups, _ = read_groups(args.o, args.without)
    run_training(network(recipe), Sampler(groups, recipe), folder_of(args), args)


def folder_of(args: argparse.Namespace) -> Path:
    """Return where the checkpoints of a network lie."""
    apart = ["without", *sorted(args.without)] if args.without else []
    folder: Path = args.o / "-".join([args.kernel, *apart]).replace("/", "_")
    return folder


def read_groups(folder: Path, without: Sequence[str]) -> tuple[dict[str, list[Window]], list[str]]:
    """Return the windows by group but those left out, and the commits that made them."""
    groups, commits = read_shards(folder / "windows")
    for part in without:
        if not any(part in name for name in groups):
            raise InputError(
                f"-without {part}: no group of windows has that in its name; there are "
                + ", ".join(groups)
            )
    kept = {n: windows for n, windows in groups.items() if not any(p in n for p in without)}
    if without and not kept:
        raise InputError(f"-without {' '.join(without)} leaves nothing to learn from")
    return kept, commits


def network(recipe: Recipe) -> UNet:
    """Make the untrained network of a recipe."""
    return UNet(len(recipe.augmentation.patch), recipe.features, norm=recipe.norm)


def export_model(args: argparse.Namespace, output: Path) -> None:
    """Write the trained network as ONNX with its card inside."""
    kernel, version = args.kernel, args.model_version
    recipe = RECIPES[kernel]
    state = load_checkpoint(folder_of(args))
    net = network(recipe)
    net.load_state_dict(state["net"])
    groups, commits = read_groups(args.o, args.without)
    settings = recipe.augmentation
    axes = " ".join("xyz"[: len(settings.patch)])
    card = ModelCard(
        name=f"cord_{kernel}",
        version=version,
        task="share of each voxel that is spinal cord, in a patch about the cord's centreline",
        axes=f"N 1 {axes}",
        orientation="RAS",
        spacing_mm=settings.spacing_mm,
        normalisation="patch_contrast",
        multiple=2 ** (len(recipe.features) - 1),
        labels=("cord",),
        patch=settings.patch,
        overlap=0.5,
        thresholds={"any": 0.5},
        tta=("x",),
        licence="Apache-2.0",
        training=training_facts(net, state, groups, recipe.batch, ", ".join(commits)),
    )
    draw = Sampler(groups, replace(recipe, batch=32))
    samples, _ = draw(np.random.default_rng(0))
    export(net, card, samples, output)


def main(argv: list[str] | None = None) -> None:
    """Run one of the three steps."""
    parser = make_parser(__doc__, "runs/cord", 12000)
    parser.add_argument("-kernel", choices=tuple(RECIPES), default="2d")
    parser.add_argument("-paintings", type=int, default=1500, help="windows painted, 3 images each")
    parser.add_argument("-without", nargs="+", default=[], metavar="PART", help="leave out images")
    args = parse(parser, argv)
    if args.action == "prepare":
        prepare(args.real, args.o, args.paintings, args.seed)
    elif args.action == "train":
        train(args)
    else:
        if args.without and args.model is None:
            raise InputError("-without needs a -model: what is trained in part ships nowhere")
        export_model(args, args.model or Path(f"data/models/cord_{args.kernel}.onnx"))


if __name__ == "__main__":
    run_script(main)
