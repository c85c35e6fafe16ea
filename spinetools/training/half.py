"""Store an ONNX model's weights as fp16: half the size, computed in fp32 as before."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

#: Smaller tensors (shapes, biases) stay as they are: they weigh nothing.
SMALLEST = 64


def with_half_weights(model: Any) -> Any:
    """Return the model with each large weight stored as fp16 and cast back where it is used.

    Parameters
    ----------
    model
        ``onnx.ModelProto``; not changed.

    Raises
    ------
    ValueError
        When a weight does not fit into fp16.
    """
    half = onnx.ModelProto()
    half.CopyFrom(model)
    graph = half.graph
    casts = []
    for tensor in graph.initializer:
        weights = numpy_helper.to_array(tensor)
        if tensor.data_type != TensorProto.FLOAT or weights.size < SMALLEST:
            continue
        with np.errstate(over="ignore"):
            small = weights.astype(np.float16)
        if not np.isfinite(small).all():
            raise ValueError(f"the weight {tensor.name} does not fit into fp16")
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(small, f"{name}_fp16"))
        casts.append(helper.make_node("Cast", [f"{name}_fp16"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.checker.check_model(half)
    return half
