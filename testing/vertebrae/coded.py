"""Tiny ONNX networks that read the truth from the image: intensity 10 × k is step 2's class k.

Unlike the oracle they are run as trained networks are: from files with cards, tile by tile.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from oracle import anatomy_of, truth_on

from spinetools.image import Image, Space
from spinetools.models.card import ModelCard
from spinetools.phantom import Subject, place_grid
from spinetools.phantom.protocols import Protocol
from spinetools.vertebrae.classes import STEP1, STEP2, target

SPACING_MM = 2.0


def save_networks(folder: Path, spacing_mm: float = SPACING_MM, region: bool = True) -> Path:
    """Write ``spine_step1``, ``spine_step2`` and ``spine_region`` into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    first = np.zeros((len(STEP1), len(STEP2)), np.float32)
    for k, name in enumerate(STEP2):
        kind = "vertebra" if name.startswith(("vertebra", "sacrum")) else name
        kind = kind if kind in STEP1 else "disc"
        first[STEP1.index(kind), k] = 1
    _save(folder / "spine_step1.onnx", first, STEP1, 1, spacing_mm)
    _save(folder / "spine_step2.onnx", np.eye(len(STEP2), dtype=np.float32), STEP2, 2, spacing_mm)
    if region:
        spine = np.zeros((2, len(STEP2)), np.float32)
        spine[0, 0], spine[1, 1:] = 1, 1
        _save(folder / "spine_region.onnx", spine, ("background", "spine"), 1, 2 * spacing_mm)
    return folder


def _save(
    path: Path, mix: np.ndarray, labels: tuple[str, ...], n_channels: int, spacing_mm: float
) -> None:
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    k = 10.0 * np.arange(len(STEP2), dtype=np.float32)
    # −(x − k)² / 20 without what all classes share
    weights = np.stack([2 * k / 20, np.full_like(k, -1 / 20)], axis=1)
    tensors = {
        "w": weights[:, :, None, None, None], "b": -(k**2) / 20,
        "mix": mix[:, :, None, None, None], "zero": np.array([0], np.int64),
    }  # fmt: skip
    nodes = [
        helper.make_node("Gather", ["image", "zero"], ["x"], axis=1),
        helper.make_node("Mul", ["x", "x"], ["xx"]),
        helper.make_node("Concat", ["x", "xx"], ["both"], axis=1),
        helper.make_node("Conv", ["both", "w", "b"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["classes"], axis=1),
        helper.make_node("Conv", ["classes", "mix"], ["out"]),
    ]
    spatial = ["x_", "y_", "z_"]
    graph = helper.make_graph(
        nodes, "coded",
        [helper.make_tensor_value_info("image", 1, ["n", n_channels, *spatial])],
        [helper.make_tensor_value_info("out", 1, ["n", len(labels), *spatial])],
        [numpy_helper.from_array(np.ascontiguousarray(v.astype(v.dtype if v.dtype == np.int64
                                 else np.float32)), name) for name, v in tensors.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    card = ModelCard(
        name=path.stem, version="1", task="reads coded images", axes=f"N {n_channels} x y z",
        orientation="RAS", spacing_mm=(spacing_mm,) * 3, normalisation="none", multiple=8,
        labels=labels, patch=(32, 64, 64), overlap=0.25,
    )  # fmt: skip
    for key, value in card.to_metadata().items():
        model.metadata_props.append(onnx.StringStringEntryProto(key=key, value=value))
    onnx.save(model, path)


def coded_image(
    subject: Subject, levels: tuple[float, float], spacing_mm: float = SPACING_MM
) -> tuple[Image, Image, dict[int, str]]:
    """Return an image of a subject for the networks, the true structures, and their names."""
    protocol = Protocol("t2", (spacing_mm,) * 3, (84, 150, 0), levels, 18)
    space: Space = place_grid(subject, protocol, None)
    truth, names = truth_on(subject, space)
    classes = target(truth, names, anatomy_of(subject), "step2")
    return Image(classes.astype(np.float32) * 10, space), Image(truth, space), names
