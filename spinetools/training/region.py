"""Train ``spine_region``, which finds the spine at low resolution, so that step 1 reads less.

A small 3D U-Net reads the whole image in voxels of 5 mm. It learns from the volumes that
``st_train_prepare 101`` wrote: whatever is labelled for step 1 is spine. Run

    python -m spinetools.training.region prepare -volumes nnunet -o runs/region
    python -m spinetools.training.region train -o runs/region
    python -m spinetools.training.region export -o runs/region

``train`` goes on from the last checkpoint. The same command runs on CUDA where there is one.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from spinetools.files import atomic_path
from spinetools.image import Image
from spinetools.infer.predictor import zscore
from spinetools.models.card import ModelCard
from spinetools.training.augment import Augmentation, changed
from spinetools.training.entry import run_script
from spinetools.training.export import export
from spinetools.training.loop import load_checkpoint
from spinetools.training.nets import UNet
from spinetools.training.nnunet_targets import DATASETS
from spinetools.training.script import make_parser, parse, run_training, training_facts
from spinetools.vertebrae.grid import working_image

logger = logging.getLogger("spinetools.training")

NAME = "spine_region"
#: A vertebra is some voxels wide, and a whole spine a volume that takes some milliseconds.
SPACING_MM = 5.0
FEATURES = (8, 16, 32, 48)
MULTIPLE = 2 ** (len(FEATURES) - 1)
LABELS = ("background", "spine")
#: Share of the samples that are real images.
REAL_SHARE = 0.3
#: Voxels with less known than this share do not count.
LEAST_KNOWN = 0.5
#: Contrast, coil and noise; the volumes' fields of view are random already.
CHANGES = Augmentation(blur=0.6, noise=0.1, repaint=0.0, crop=0.0)
#: A field of view is cut on each side by up to this share of its length.
MOST_CUT = 0.2

F32 = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Volume:
    """A training volume in voxels of :data:`SPACING_MM`.

    Attributes
    ----------
    image
        (X, Y, Z), axes R, A, S.
    spine
        Same shape: share of each voxel that is spine; NaN where nobody knows.
    """

    image: F32
    spine: F32


def prepare(volumes: Path, folder: Path) -> None:
    """Write the volumes of dataset 101 in low resolution to ``folder/volumes.npz``."""
    dataset = DATASETS[101]
    raw = volumes / "raw"
    description = (raw / dataset.folder / "dataset.json").read_text(encoding="utf-8")
    unknown = len(dataset.classes)  # the code for the set of all classes
    content: dict[str, Any] = {"commit": np.array(json.loads(description)["spinetools"]["commit"])}
    names: list[str] = []
    for path in sorted((raw / dataset.folder / "labelsTr").glob("*.nii.gz")):
        name, number = path.name.removesuffix(".nii.gz"), len(names)
        labels = Image.load(path)
        codes = np.asarray(labels.data)
        image = working_image(
            Image.load(raw / dataset.folder / "imagesTr" / f"{name}_0000.nii.gz"), SPACING_MM
        )
        known = working_image(labels.like((codes != unknown).astype(np.float32)), SPACING_MM)
        some = ((codes > 0) & (codes != unknown)).astype(np.float32)
        spine = working_image(labels.like(some), SPACING_MM).data / np.maximum(known.data, 0.1)
        content[f"i{number}"] = image.data.astype(np.float32)
        content[f"s{number}"] = np.where(
            known.data < LEAST_KNOWN, np.nan, np.clip(spine, 0, 1)
        ).astype(np.float16)
        names.append(name)
        if len(names) % 100 == 0:
            logger.info("%d volumes", len(names))
    content["names"] = np.array(names)
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_path(folder / "volumes.npz") as temporary:
        np.savez_compressed(temporary, **content)


def load_volumes(path: Path) -> tuple[dict[str, list[Volume]], str]:
    """Read the volumes by what they come from (phantom, real), and the digital spine's commit."""
    groups: dict[str, list[Volume]] = {}
    with np.load(path) as content:
        for number, name in enumerate(content["names"]):
            volume = Volume(content[f"i{number}"], content[f"s{number}"].astype(np.float32))
            groups.setdefault(str(name).partition("_")[0], []).append(volume)
        return groups, str(content["commit"])


class Sampler:
    """Draws one volume at a time, in its own size.

    Parameters
    ----------
    groups
        Volumes by what they come from.
    """

    def __init__(self, groups: dict[str, list[Volume]]) -> None:
        self.groups = groups

    def __call__(self, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw an image (1, 1, X, Y, Z) and its labels (1, labels, X, Y, Z)."""
        others = [name for name in self.groups if name != "real"]
        group = str(rng.choice(others)) if others else "real"
        if "real" in self.groups and rng.random() < REAL_SHARE:
            group = "real"
        volume = self.groups[group][int(rng.integers(len(self.groups[group])))]
        box = tuple(_cut(length, rng) for length in volume.image.shape)
        image, spine = volume.image[box], volume.spine[box]
        targets = np.stack([1 - spine, spine])
        if rng.random() < 0.5:
            image, targets = image[::-1], targets[:, ::-1]
        image, targets = changed(image, targets, rng, CHANGES, distort=rng.random() < 0.5)
        shown = _padded(zscore(image), 0.0)
        wanted = np.stack([_padded(target, np.nan) for target in targets])
        return torch.from_numpy(shown[None, None]), torch.from_numpy(wanted[None])


def _cut(length: int, rng: np.random.Generator) -> slice:
    low, high = (int(rng.uniform(0, MOST_CUT) * length * (rng.random() < 0.5)) for _ in range(2))
    return slice(low, length - high)


def _padded(array: F32, value: float) -> F32:
    """Pad to the size that the network takes, evenly on both sides, as inference does."""
    missing = [-length % MULTIPLE for length in array.shape]
    pads = [(n // 2, n - n // 2) for n in missing]
    return np.ascontiguousarray(np.pad(array, pads, constant_values=value), dtype=np.float32)


def export_model(folder: Path, output: Path, version: str) -> None:
    """Write the trained network as ONNX with its card inside."""
    state = load_checkpoint(folder)
    net = UNet(3, FEATURES, len(LABELS), norm="instance")
    net.load_state_dict(state["net"])
    groups, data_commit = load_volumes(folder / "volumes.npz")
    card = ModelCard(
        name=NAME,
        version=version,
        task="where the spine is, at low resolution",
        axes="N 1 x y z",
        orientation="RAS",
        spacing_mm=(SPACING_MM,) * 3,
        normalisation="zscore",
        multiple=MULTIPLE,
        labels=LABELS,
        licence="Apache-2.0",
        training=training_facts(net, state, groups, 1, data_commit),
    )
    sample, _ = Sampler(groups)(np.random.default_rng(0))
    export(net, card, sample, output)


def main(argv: list[str] | None = None) -> None:
    """Run one of the three steps."""
    parser = make_parser(__doc__, "runs/region", 4000)
    parser.add_argument("-volumes", type=Path, default=Path("nnunet"), help="training folder")
    args = parse(parser, argv)
    if args.action == "prepare":
        prepare(args.volumes, args.o)
    elif args.action == "train":
        torch.manual_seed(args.seed)
        groups, _ = load_volumes(args.o / "volumes.npz")
        net = UNet(3, FEATURES, len(LABELS), norm="instance")
        run_training(net, Sampler(groups), args.o, args, bf16=False)
    else:
        model = args.model or Path(f"data/models/{NAME}.onnx")
        export_model(args.o, model, args.model_version)


if __name__ == "__main__":
    run_script(main)
