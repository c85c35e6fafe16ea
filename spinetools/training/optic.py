"""Train the local detector of ``st_get_centerline -method optic``.

A small 2D U-Net that reads one axial slice at 1 mm, normalised by its local contrast, and gives the
probability of cord at each pixel. Any contrast; 118,000 parameters. Run

    python -m spinetools.training.optic prepare -real ../shared/real -o runs/optic
    python -m spinetools.training.optic train -o runs/optic -steps 12000
    python -m spinetools.training.optic export -o runs/optic

``train`` goes on from the last checkpoint. The same command runs on CUDA where there is one.
"""

from __future__ import annotations

import argparse
import itertools
import json
import logging
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from spinetools.files import atomic_path
from spinetools.infer.normalise import local_contrast
from spinetools.models.card import ModelCard
from spinetools.training.half import with_half_weights
from spinetools.training.phantom_slices import phantom_slices
from spinetools.training.slices import (
    SPACING_MM,
    Augmentation,
    Slice,
    augmented,
    cauda_slices,
    real_slices,
)

logger = logging.getLogger("spinetools.training")

FEATURES = (12, 24, 32, 48)
BATCH = 16
LEARNING_RATE = 2e-3
CHECKPOINT_SECONDS = 120
#: fp16 weights have to give the same cord as fp32 to this Dice.
LEAST_AGREEMENT = 0.999


class Block(nn.Module):
    """Two convolutions with batch norm (folded away at export) and leaky ReLU."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for n in (n_in, n_out):
            layers += [
                nn.Conv2d(n, n_out, 3, padding=1, bias=False),
                nn.BatchNorm2d(n_out),
                nn.LeakyReLU(0.1, inplace=True),
            ]
        self.layers = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Run the block."""
        return self.layers(x)


class Detector(nn.Module):
    """U-Net over one axial slice: (N, 1, X, Y) → logit of cord (N, 1, X, Y)."""

    def __init__(self, features: tuple[int, ...] = FEATURES) -> None:
        super().__init__()
        ins = (1, *features[:-1])
        self.down = nn.ModuleList([Block(a, b) for a, b in zip(ins, features, strict=True)])
        pairs = list(itertools.pairwise(features))
        self.up = nn.ModuleList([nn.ConvTranspose2d(b, a, 2, stride=2) for a, b in pairs])
        self.join = nn.ModuleList([Block(2 * a, a) for a, _ in pairs])
        self.head = nn.Conv2d(features[0], 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Run the network."""
        skips = []
        for level, block in enumerate(self.down):
            x = block(x if level == 0 else nn.functional.max_pool2d(x, 2))
            skips.append(x)
        for level in range(len(self.up) - 1, -1, -1):
            x = self.join[level](torch.cat([skips[level], self.up[level](x)], dim=1))
        return self.head(x)


def prepare(real: Path, folder: Path, n_subjects: int, seed: int) -> None:
    """Write the training slices to ``slices.npz`` in ``folder``."""
    slices = [*real_slices(real), *cauda_slices(real), *phantom_slices(n_subjects, seed)]
    content: dict[str, Any] = {
        "groups": np.array([s.group for s in slices]),
        "commit": np.array(_commit()),  # of the digital spine
    }
    for number, s in enumerate(slices):
        content[f"i{number}"] = s.image.astype(np.float16 if s.image.max() < 6e4 else np.float32)
        content[f"c{number}"] = np.round(s.cord * 255).astype(np.uint8)
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_path(folder / "slices.npz") as temporary:
        np.savez(temporary, **content)
    logger.info("%d slices in %s", len(slices), folder / "slices.npz")


def load_slices(path: Path) -> dict[str, list[Slice]]:
    """Read the training slices, by group."""
    groups: dict[str, list[Slice]] = {}
    with np.load(path) as content:
        for number, group in enumerate(content["groups"]):
            image = content[f"i{number}"].astype(np.float32)
            cord = content[f"c{number}"].astype(np.float32) / 255
            groups.setdefault(str(group), []).append(Slice(image, cord, str(group)))
    return groups


def data_commit(path: Path) -> str:
    """Return the commit of the digital spine that the slices were made with."""
    with np.load(path) as content:
        return str(content["commit"])


def batch(
    groups: dict[str, list[Slice]], rng: np.random.Generator, n: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw a batch: half real, half phantom; within each, groups and then slices evenly."""
    kinds = [[g for g in groups if g.startswith("phantom") == phantom] for phantom in (False, True)]
    kinds = [kind for kind in kinds if kind]
    settings = Augmentation()
    images, cords = [], []
    for number in range(n):
        names = kinds[number % len(kinds)]
        group = groups[names[rng.integers(len(names))]]
        sample = group[rng.integers(len(group))]
        real = not sample.group.startswith("phantom")
        image, cord = augmented(sample, rng, settings, distort=real and rng.random() < 0.7)
        images.append(local_contrast(image, SPACING_MM))
        cords.append(cord)
    return torch.from_numpy(np.stack(images)[:, None]), torch.from_numpy(np.stack(cords)[:, None])


def loss_of(logits: torch.Tensor, cord: torch.Tensor) -> torch.Tensor:
    """Cross-entropy with soft labels, and soft Dice over the batch."""
    entropy = nn.functional.binary_cross_entropy_with_logits(logits, cord)
    chance = torch.sigmoid(logits)
    dice = 1 - (2 * (chance * cord).sum() + 1) / (chance.sum() + cord.sum() + 1)
    return entropy * 5 + dice


def train(folder: Path, steps: int, seed: int, threads: int) -> None:
    """Train to ``steps`` in all, going on from the last checkpoint in ``folder``."""
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    net = Detector().to(device)
    optimiser = torch.optim.AdamW(net.parameters(), lr=LEARNING_RATE, weight_decay=1e-4)
    checkpoint, log = folder / "checkpoint.pt", folder / "log.tsv"
    first, seconds = 0, 0.0
    if checkpoint.exists():
        state = torch.load(checkpoint, map_location=device, weights_only=True)
        net.load_state_dict(state["net"])
        optimiser.load_state_dict(state["optimiser"])
        first, seconds = state["step"], state["seconds"]
    groups = load_slices(folder / "slices.npz")
    began, saved, running = time.monotonic(), time.monotonic(), 0.0
    net.train()
    for step in range(first, steps):
        rng = np.random.default_rng([seed, step])  # the same samples however often it is resumed
        for group in optimiser.param_groups:
            group["lr"] = LEARNING_RATE * (1 - step / steps) ** 0.9
        image, cord = (part.to(device) for part in batch(groups, rng, BATCH))
        with torch.autocast(device.type, dtype=torch.bfloat16):
            logits = net(image)
        loss = loss_of(logits.float(), cord)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        running += loss.item()
        if (step + 1) % 100 == 0:
            with log.open("a", encoding="utf-8") as file:
                file.write(f"{step + 1}\t{running / 100:.4f}\t{time.monotonic() - began:.0f}\n")
            running = 0.0
        if time.monotonic() - saved > CHECKPOINT_SECONDS or step + 1 == steps:
            state = {
                "net": net.state_dict(),
                "optimiser": optimiser.state_dict(),
                "step": step + 1,
                "seconds": seconds + time.monotonic() - began,
                "seed": seed,
            }
            with atomic_path(checkpoint) as temporary:
                torch.save(state, temporary)
            saved = time.monotonic()


class _Probability(nn.Module):
    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(self.net(x))


def export(folder: Path, output: Path, version: str) -> None:
    """Write the trained network as ONNX with its card inside."""
    import onnx

    state = torch.load(folder / "checkpoint.pt", map_location="cpu", weights_only=True)
    net = Detector()
    net.load_state_dict(state["net"])
    net.eval()
    groups = load_slices(folder / "slices.npz")
    card = ModelCard(
        name="optic",
        version=version,
        task="probability of spinal cord at each pixel of an axial slice",
        axes="N 1 x y",
        orientation="RAS",
        spacing_mm=(SPACING_MM, SPACING_MM),
        normalisation="local_contrast",
        multiple=2 ** (len(FEATURES) - 1),
        labels=("cord",),
        training={
            "data": {name: len(slices) for name, slices in groups.items()},
            "steps": state["step"],
            "batch": BATCH,
            "seed": state["seed"],
            "data_commit": data_commit(folder / "slices.npz"),
            "hours": round(state["seconds"] / 3600, 2),
            "commit": _commit(),
            "parameters": sum(p.numel() for p in net.parameters()),
        },
    )
    with atomic_path(output) as temporary:
        torch.onnx.export(
            _Probability(net),
            (torch.zeros(1, 1, 96, 96),),
            str(temporary),
            dynamo=False,
            opset_version=17,
            input_names=["slice"],
            output_names=["cord"],
            dynamic_axes={"slice": {0: "n", 2: "x", 3: "y"}, "cord": {0: "n", 2: "x", 3: "y"}},
        )
        whole = onnx.load(str(temporary))
        model = with_half_weights(whole)
        agreement = agreement_of(whole, model, groups)
        if agreement < LEAST_AGREEMENT:
            raise SystemExit(f"fp16 weights agree to Dice {agreement:.5f} only: not exported")
        for key, value in card.to_metadata().items():
            model.metadata_props.add(key=key, value=value)
        onnx.save(model, str(temporary))
    logger.info("%s: %s", output, json.dumps(card.training))
    logger.info("fp16 weights against fp32: Dice %.5f", agreement)


def agreement_of(one: Any, other: Any, groups: dict[str, list[Slice]], n: int = 64) -> float:
    """Return the Dice of two models' cords over some training slices of every kind."""
    import onnxruntime as ort

    images, _ = batch(groups, np.random.default_rng(0), n)
    found = []
    for model in (one, other):
        session = ort.InferenceSession(model.SerializeToString())
        found.append(session.run(None, {"slice": images.numpy()})[0] >= 0.5)
    return float(2 * (found[0] & found[1]).sum() / (found[0].sum() + found[1].sum()))


def _commit() -> str:
    answer = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    return answer.stdout.strip() or "unknown"


def main(argv: list[str] | None = None) -> None:
    """Run one of the three steps."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("action", choices=("prepare", "train", "export"))
    parser.add_argument("-real", type=Path, default=Path("../shared/real"))
    parser.add_argument("-o", type=Path, default=Path("runs/optic"))
    parser.add_argument("-subjects", type=int, default=40, help="digital spines to make")
    parser.add_argument("-steps", type=int, default=12000)
    parser.add_argument("-seed", type=int, default=2026)
    parser.add_argument("-threads", type=int, default=1)
    parser.add_argument("-model", type=Path, default=Path("data/models/optic.onnx"))
    parser.add_argument("-model-version", default="1.0")
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    if args.action == "prepare":
        prepare(args.real, args.o, args.subjects, args.seed)
    elif args.action == "train":
        train(args.o, args.steps, args.seed, args.threads)
    else:
        export(args.o, args.model, args.model_version)


if __name__ == "__main__":
    main()
