"""Small ONNX models with a card, made here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spinetools.models.card import ModelCard

#: Makes a model file: identity, a blur of 3 voxels, or two labels from one channel.
Make = Callable[..., Path]


def card_of(n_axes: int, **changes: Any) -> ModelCard:
    """A card for a network of 2 or 3 spatial axes."""
    values: dict[str, Any] = {
        "name": "small", "version": "1.0", "task": "a test", "orientation": "RAS",
        "axes": "N 1 x y z" if n_axes == 3 else "N 1 x y", "spacing_mm": (1.0,) * n_axes,
        "normalisation": "none", "multiple": 1, "labels": ("cord",),
    }  # fmt: skip
    return ModelCard(**{**values, **changes})


@pytest.fixture
def make_model(tmp_path: Path) -> Make:
    """Write an ONNX file: ``make_model(card, kind)``."""
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper, numpy_helper

    def make(card: ModelCard, kind: str = "identity", name: str = "small.onnx") -> Path:
        n_axes = len(card.spatial_axes)
        weights = {
            "identity": np.ones((1, 1, *(1,) * n_axes)),
            "blur": np.ones((1, 1, *(3,) * n_axes)) / 3**n_axes,
            "ramp": np.arange(1, 4).reshape(1, 1, 3, *(1,) * (n_axes - 1)) / 6,
            "two labels": np.array([1.0, -2.0]).reshape(2, 1, *(1,) * n_axes),
            "sum of channels": np.array([1.0, 10.0]).reshape(1, 2, *(1,) * n_axes),
        }[kind].astype(np.float32)
        dims = ["n", int(weights.shape[1]), *"xyz"[:n_axes]]
        node = helper.make_node(
            "Conv", ["in", "w"], ["out"], pads=[s // 2 for s in weights.shape[2:]] * 2
        )
        graph = helper.make_graph(
            [node], "g",
            [helper.make_tensor_value_info("in", TensorProto.FLOAT, dims)],
            [helper.make_tensor_value_info("out", TensorProto.FLOAT, None)],
            [numpy_helper.from_array(weights, "w")],
        )  # fmt: skip
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        for key, value in card.to_metadata().items():
            model.metadata_props.add(key=key, value=value)
        path = tmp_path / name
        onnx.save(model, str(path))
        return path

    return make
