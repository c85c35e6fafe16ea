"""The gate before release: an exported model against nnU-Net's own predictor, label by label."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage

from spinetools.errors import ModelError
from spinetools.image import Image, load_mask, load_volume, resample_to_spacing
from spinetools.infer.onnx import OnnxModel
from spinetools.infer.predictor import OnnxPredictor, zscore
from spinetools.infer.sliding_window import sliding_window
from spinetools.optional import require

require("nnunetv2", "nnunet")

from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor  # noqa: E402
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager  # noqa: E402

logger = logging.getLogger(__name__)

Float32Array = npt.NDArray[np.float32]
Labels = npt.NDArray[np.uint8]

#: Both have to give the same labels to this Dice.
LEAST_AGREEMENT = 0.999
#: Logits that differ by less are equal to nnU-Net: a sum of some tiles' logits of 5 to 15, in 16
#: bits, is off by about this.
TIE = 0.03
#: Voxel size of the second volume of the gate, mm: different along every axis, so that axes that
#: are swapped anywhere show.
UNEVEN_MM = (2.4, 1.0, 1.7)


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained network with all that nnU-Net's predictor wants to know."""

    network: torch.nn.Module
    plans: dict[str, Any]
    configuration: str
    description: dict[str, Any]


def check(model: Path, trained: Trained, channels: Sequence[Image]) -> dict[str, float]:
    """Compare the two on a volume as it is and on an uneven, non-cubic version of it.

    nnU-Net adds tiles up in 16 bits, so that its own labels are chance where its two likeliest
    classes are as good as equal (:data:`TIE`). A network that is trained has few such voxels, one
    that is not has many: they are left out of what decides, and are part of what is returned.

    Parameters
    ----------
    model
        ONNX file with its card.
    trained
        The same network.
    channels
        A volume on the working grid, axes R, A, S; an image each channel.

    Returns
    -------
    agreement
        Dice over all structures and all voxels, by the volume.

    Raises
    ------
    ModelError
        When one is below :data:`LEAST_AGREEMENT` without ties, or the network finds nothing.
    """
    image = channels[0]
    uneven = [
        resample_to_spacing(c, UNEVEN_MM, "nn" if number else "spline").astype(np.float32)
        for number, c in enumerate(channels)
    ]
    engine = OnnxPredictor(model)
    stacked = np.stack([c.data for c in channels])
    found: dict[str, float] = {}
    for name, volume in (("working grid", channels), ("uneven grid", uneven)):
        if volume is channels:
            ours = engine.predict(stacked, image.space.spacing).argmax(axis=0).astype(np.uint8)
        else:
            ours = predict_like_nnunet(model, volume)
        theirs, tie = predict_by_nnunet(trained, volume)
        if not theirs.any():
            raise ModelError(f"the network finds nothing on the {name}: train it longer")
        found[name], sure = dice(ours, theirs), dice(ours[~tie], theirs[~tie])
        logger.info(
            "%s: Dice %.5f against nnU-Net's predictor, %.5f without the %.2f %% of its voxels "
            "that are ties", name, found[name], sure, 100 * tie.mean(),
        )  # fmt: skip
        if sure < LEAST_AGREEMENT:
            raise ModelError(
                f"{model} gives other labels than nnU-Net on the {name}: Dice {sure:.5f}, "
                f"expected at least {LEAST_AGREEMENT}"
            )
        if found[name] < LEAST_AGREEMENT:
            logger.warning("many ties on the %s: the network is not trained well yet", name)
    return found


def dice(one: Labels, other: Labels) -> float:
    """Return the Dice of two label volumes over all structures together."""
    total = int((one > 0).sum() + (other > 0).sum())
    return float(2 * ((one == other) & (one > 0)).sum() / total) if total else 1.0


def predict_by_nnunet(
    trained: Trained, channels: Sequence[Image]
) -> tuple[Labels, npt.NDArray[np.bool_]]:
    """Predict with nnU-Net from the image's own grid to labels on it, without mirroring.

    Returns
    -------
    labels
        Class numbers.
    tie
        Where the two likeliest classes differ by less than :data:`TIE`.
    """
    predictor = nnUNetPredictor(
        tile_step_size=0.5, use_gaussian=True, use_mirroring=False,
        perform_everything_on_device=False, device=torch.device("cpu"), allow_tqdm=False,
    )  # fmt: skip
    plans = PlansManager(trained.plans)
    predictor.manual_initialization(
        trained.network, plans, plans.get_configuration(trained.configuration),
        [trained.network.state_dict()], trained.description, "SpineTrainer", (0,),
    )  # fmt: skip
    # nnU-Net reads z, y, x
    array = np.stack([c.data.astype(np.float32).transpose(2, 1, 0) for c in channels])
    spacing = [float(mm) for mm in channels[0].space.spacing[::-1]]
    found, chance = predictor.predict_single_npy_array(
        array, {"spacing": spacing}, None, None, True
    )
    best = np.log(np.maximum(np.partition(np.asarray(chance), -2, axis=0)[-2:], 1e-12))
    labels: Labels = np.asarray(found).transpose(2, 1, 0).astype(np.uint8)
    tie: npt.NDArray[np.bool_] = (best[1] - best[0] < TIE).transpose(2, 1, 0)
    return labels, tie


def predict_like_nnunet(model: Path, channels: Sequence[Image]) -> Labels:
    """Predict with the ONNX model and nnU-Net's steps, rebuilt in x, y, z order.

    Crop to what is not zero, normalise, resample, predict tile by tile, resample the logits, take
    the likeliest. For spacings that differ by less than nnU-Net's factor of 3.
    """
    onnx = OnnxModel(model)
    card = onnx.card
    array = np.stack([c.data.astype(np.float32) for c in channels])
    filled = ndimage.binary_fill_holes((array != 0).any(axis=0))
    box = ndimage.find_objects(filled.astype(np.uint8))[0]
    part = array[(slice(None), *box)]
    part[0] = zscore(part[0])
    spacing = np.asarray(channels[0].space.spacing)
    shape = np.round(np.asarray(part.shape[1:]) * spacing / card.spacing_mm).astype(int)
    grid = np.stack([_zoomed(c, tuple(shape), 3) for c in part])
    logits = sliding_window(grid, onnx.run, card.patch, card.overlap)
    back = np.stack([_zoomed(c, part.shape[1:], 1) for c in logits])
    labels: Labels = np.zeros(array.shape[1:], dtype=np.uint8)
    labels[box] = back.argmax(axis=0)
    return labels


def _zoomed(volume: Float32Array, shape: tuple[int, ...], order: int) -> Float32Array:
    if volume.shape == shape:
        return volume
    factors = [new / old for new, old in zip(shape, volume.shape, strict=True)]
    zoomed = ndimage.zoom(volume, factors, order=order, mode="nearest", grid_mode=True)
    result: Float32Array = np.clip(zoomed, volume.min(), volume.max()).astype(np.float32)
    return result


def load_case(folder: Path, entry: dict[str, Any]) -> list[Image]:
    """Load the channels of a raw case in R, A, S order."""
    first, *rest = (folder / name for name in entry["images"])
    images = [load_volume(first), *(load_mask(path, allow_empty=True) for path in rest)]
    return [image.reorient(("R", "A", "S")).astype(np.float32) for image in images]
