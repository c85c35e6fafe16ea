"""Start a training from an exported model: of the same network, or of another step's."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import torch
from torch import nn

from spinetools.errors import ModelError
from spinetools.models.card import ModelCard

logger = logging.getLogger(__name__)

#: What a class starts as where the other model has none of its name or of its name's beginning.
_BEGINS_AS = {"sacrum": "vertebra"}


def start_from(network: nn.Module, path: Path, classes: tuple[str, ...]) -> int:
    """Put an exported model's weights into an untrained network of the same architecture.

    Input channels that the model did not have start at zero, classes as the class that held them:
    step 2's odd and even discs as step 1's discs. The coarse outputs, which only training has,
    stay as they are.

    Parameters
    ----------
    network
        nnU-Net's.
    path
        ONNX file with a card.
    classes
        Meaning of the network's output channels.

    Returns
    -------
    n
        How many of the network's tensors were filled.

    Raises
    ------
    ModelError
        When the file holds another architecture, or no class fits.
    """
    import onnx

    model = onnx.load(str(path))
    card = ModelCard.from_metadata({entry.key: entry.value for entry in model.metadata_props}, path)
    stored = {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}
    rows = [_class_before(name, card.labels, path) for name in classes]
    filled = 0
    for name, parameter in network.named_parameters():
        found = stored.get(f"net.{name}", stored.get(f"net.{name}_fp16"))
        if found is None:
            if ".seg_layers." in name:
                continue
            raise ModelError(f"{path} holds another network: it has no {name}")
        weights = found.astype(np.float32)
        if ".seg_layers." in name:
            weights = weights[rows]
        elif parameter.ndim > 1 and weights.shape[1] < parameter.shape[1]:
            wider = np.zeros((weights.shape[0], *parameter.shape[1:]), np.float32)
            wider[:, : weights.shape[1]] = weights
            weights = wider
        if weights.shape != tuple(parameter.shape):
            raise ModelError(
                f"{path} holds another network: {name} is {weights.shape}, expected "
                f"{tuple(parameter.shape)}"
            )
        with torch.no_grad():
            parameter.copy_(torch.from_numpy(weights))
        filled += 1
    logger.info("%d tensors start as those of %s %s", filled, card.name, card.version)
    return filled


def _class_before(name: str, labels: tuple[str, ...], path: Path) -> int:
    for candidate in (name, name.partition("_")[0], _BEGINS_AS.get(name, name)):
        if candidate in labels:
            return labels.index(candidate)
    raise ModelError(f"{path} has no class that {name} can start as; it has {', '.join(labels)}")
