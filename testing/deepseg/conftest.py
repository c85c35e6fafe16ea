"""Tiny networks whose answer is known, and cords to run them on.

``cord_2d`` and ``cord_3d`` here undo the patch's normalisation: the darkest voxel of a patch is 0,
the brightest 1. On an image whose intensity is the share of cord that is exactly the share.
``cord_heatmap`` looks for a bright disc as wide as a cord; what flickers from pixel to pixel is
brain to it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from scipy.special import erf

from spinetools.image import Image, Space
from spinetools.models.card import ModelCard

RAS = ("R", "A", "S")


def constant(name: str, value: Any) -> onnx.TensorProto:
    return numpy_helper.from_array(np.asarray(value, dtype=np.float32), name)


def save_model(path: Path, card: ModelCard, nodes: list[Any], constants: list[Any]) -> Path:
    """Write a network from ``x`` to ``y`` with its card."""
    dims = ["n", "c", *card.spatial_axes]
    graph = helper.make_graph(
        nodes,
        card.name,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, dims)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, dims)],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    for key, value in card.to_metadata().items():
        model.metadata_props.add(key=key, value=value)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path


def card_of(name: str, **changes: Any) -> ModelCard:
    content: dict[str, Any] = {
        "name": name,
        "version": "0.1",
        "task": "test",
        "axes": "N 1 x y",
        "orientation": "RAS",
        "spacing_mm": (0.5, 0.5),
        "normalisation": "patch_contrast",
        "multiple": 16,
        "labels": ("cord",),
        "patch": (64, 64),
        "tta": ("x",),
        "thresholds": {"any": 0.5, "dwi": 0.3},
    }
    return ModelCard(**{**content, **changes})


def share_network(path: Path, card: ModelCard) -> Path:
    """Darkest voxel of the patch 0, brightest 1; a patch without contrast is 0."""
    axes = list(range(1, 2 + len(card.spacing_mm)))
    nodes = [
        helper.make_node("ReduceMin", ["x"], ["low"], axes=axes),
        helper.make_node("ReduceMax", ["x"], ["high"], axes=axes),
        helper.make_node("Sub", ["high", "low"], ["range"]),
        helper.make_node("Max", ["range", "least"], ["safe"]),
        helper.make_node("Sub", ["x", "low"], ["above"]),
        helper.make_node("Div", ["above", "safe"], ["y"]),
    ]
    return save_model(path, card, nodes, [constant("least", 0.5)])


def heatmap_network(path: Path) -> Path:
    """Bright discs of about 4 mm radius are cord, flicker is brain."""
    card = card_of(
        "cord_heatmap",
        spacing_mm=(1.0, 1.0),
        normalisation="local_contrast",
        labels=("cord", "brain"),
        patch=(),
        tta=(),
    )
    x, y = np.mgrid[-8:9, -8:9]
    away = np.hypot(x, y)
    inside, ring = away <= 4, (away > 6) & (away <= 8)
    weights = inside / inside.sum() - ring / ring.sum()
    change = np.zeros((3, 3))
    change[:, 1] = -0.5, 0, 0.5  # along x
    mean = np.full((9, 9), 1 / 81)
    nodes = [
        helper.make_node("Conv", ["x", "weights"], ["disc"], pads=[8] * 4),
        helper.make_node("Mul", ["disc", "ten"], ["scaled"]),
        helper.make_node("Sub", ["scaled", "half"], ["logit"]),
        helper.make_node("Sigmoid", ["logit"], ["cord"]),
        helper.make_node("Conv", ["x", "change"], ["changes"], pads=[1] * 4),
        helper.make_node("Abs", ["changes"], ["flicker"]),
        helper.make_node("Conv", ["flicker", "mean"], ["much"], pads=[4] * 4),
        helper.make_node("Sub", ["much", "least"], ["more"]),
        helper.make_node("Mul", ["more", "hundred"], ["sure"]),
        helper.make_node("Sigmoid", ["sure"], ["brain"]),
        helper.make_node("Concat", ["cord", "brain"], ["y"], axis=1),
    ]
    constants = [
        constant("weights", weights[None, None]),
        constant("change", change[None, None]),
        constant("mean", mean[None, None]),
        constant("ten", 10), constant("half", 9), constant("least", 0.4), constant("hundred", 100),
    ]  # fmt: skip
    return save_model(path, card, nodes, constants)


@pytest.fixture(scope="session")
def networks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the three networks."""
    folder = tmp_path_factory.mktemp("networks")
    heatmap_network(folder / "cord_heatmap.onnx")
    share_network(folder / "cord_2d.onnx", card_of("cord_2d"))
    card = card_of(
        "cord_3d", axes="N 1 x y z", spacing_mm=(0.5, 0.5, 1.0), patch=(64, 64, 48), overlap=0.25
    )
    share_network(folder / "cord_3d.onnx", card)
    return folder


@pytest.fixture(autouse=True)
def _use_networks(networks: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPINETOOLS_MODELS", str(networks))


def tube(
    shape: tuple[int, int, int] = (60, 64, 70),
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0),
    radii_mm: tuple[float, float] = (6.0, 4.2),
    sway_mm: float = 4.0,
    noise: float = 0.0,
    middle_mm: Callable[[np.ndarray], np.ndarray] | None = None,
) -> tuple[Image, np.ndarray]:
    """A bright elliptic cord in the dark, swaying along; gives image and exact share of cord."""
    sizes = zip(shape, spacing, strict=True)
    x, y, z = np.meshgrid(*[(np.arange(n) + 0.5) * s for n, s in sizes], indexing="ij")
    height = shape[2] * spacing[2]
    away = middle_mm(z) if middle_mm else sway_mm * np.sin(2 * np.pi * z / height)
    u = (x - shape[0] * spacing[0] / 2 - away) / radii_mm[0]
    v = (y - shape[1] * spacing[1] / 2 + away / 2) / radii_mm[1]
    rho = np.maximum(np.hypot(u, v), 1e-6)
    steep = np.hypot(u / radii_mm[0], v / radii_mm[1]) / rho
    distance = (rho - 1) / np.maximum(steep, 1e-6)
    # a straight edge under a pixel's box, near enough
    blur = 0.29 * max(spacing[:2])
    share = (0.5 * (1 - erf(distance / (blur * np.sqrt(2))))).astype(np.float32)
    data = 100 + 900 * share
    if noise:
        data = data + np.random.default_rng(1).normal(0, noise, shape).astype(np.float32)
    return Image(data.astype(np.float32), Space(shape, np.diag([*spacing, 1.0]))), share


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return 2 * float((a & b).sum()) / float(a.sum() + b.sum())
