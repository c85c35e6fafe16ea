"""Write a trained network as ONNX with its card inside, its weights stored as fp16."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from spinetools.errors import ModelError
from spinetools.files import atomic_path
from spinetools.models.card import ModelCard
from spinetools.training.half import with_half_weights

logger = logging.getLogger(__name__)

#: fp16 weights have to give the same as fp32 to this Dice.
LEAST_AGREEMENT = 0.999


class _Probability(nn.Module):
    def __init__(self, net: nn.Module, logits: bool = False) -> None:
        super().__init__()
        self.net, self.logits = net, logits

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.net(x)
        return found if self.logits else torch.sigmoid(found)


def export(
    net: nn.Module, card: ModelCard, samples: torch.Tensor, output: Path, logits: bool = False
) -> None:
    """Write ``net`` with ``card`` to ``output``.

    Parameters
    ----------
    net
        On the CPU; its output are logits.
    card
        How to run it.
    samples
        (N, 1, spatial): fp16 weights are checked against fp32 on these.
    output
        ONNX file; replaced as a whole.
    logits
        Classes exclude each other: logits are written, and compared by the likeliest class.

    Raises
    ------
    SystemExit
        When fp16 weights give another result.
    """
    import onnx

    net.eval()
    name = "logits" if logits else "probability"
    axes = {0: "n", **{i: "xyz"[i - 2] for i in range(2, samples.ndim)}}
    with atomic_path(output) as temporary:
        torch.onnx.export(
            _Probability(net, logits),
            (torch.zeros_like(samples[:1]),),
            str(temporary),
            dynamo=False,
            opset_version=17,
            # each weight keeps its name, so that training can go on from the file
            training=torch.onnx.TrainingMode.PRESERVE,
            do_constant_folding=False,
            input_names=["image"],
            output_names=[name],
            dynamic_axes={"image": axes, name: axes},
        )
        whole = onnx.load(str(temporary))
        model = with_half_weights(whole)
        agreement = agreement_of(whole, model, samples, logits)
        if agreement < LEAST_AGREEMENT:
            raise SystemExit(f"fp16 weights agree to Dice {agreement:.5f} only: not exported")
        for key, value in card.to_metadata().items():
            model.metadata_props.add(key=key, value=value)
        onnx.save(model, str(temporary))
    logger.info("%s: %s", output, json.dumps(card.training))
    logger.info("fp16 weights against fp32: Dice %.5f", agreement)


def warm_start(net: nn.Module, path: Path) -> None:
    """Put the weights of an exported model into an untrained network of the same shape.

    Raises
    ------
    ModelError
        When the file holds another network.
    """
    import onnx

    stored = {t.name: onnx.numpy_helper.to_array(t) for t in onnx.load(str(path)).graph.initializer}
    state = net.state_dict()
    for name, weights in state.items():
        if name.endswith("num_batches_tracked"):
            continue
        found = stored.get(f"net.{name}", stored.get(f"net.{name}_fp16"))
        if found is None or found.shape != tuple(weights.shape):
            raise ModelError(f"{path} holds another network: {name} is missing or of another shape")
        state[name] = torch.from_numpy(found.astype(np.float32))
    net.load_state_dict(state)


def agreement_of(one: Any, other: Any, samples: torch.Tensor, logits: bool = False) -> float:
    """Return the Dice of two models' thresholded outputs, or (logits) likeliest classes."""
    import onnxruntime as ort

    found = []
    for model in (one, other):
        session = ort.InferenceSession(model.SerializeToString())
        name = session.get_inputs()[0].name
        outputs = [session.run(None, {name: part.numpy()})[0] for part in samples.split(8)]
        answer = np.concatenate(outputs)
        found.append(_one_hot(answer) if logits else answer >= 0.5)
    total = found[0].sum() + found[1].sum()
    return float(2 * (found[0] & found[1]).sum() / total) if total else 1.0


def _one_hot(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """Mark the likeliest class in each place; background, class 0, is left out."""
    best = logits.argmax(axis=1)
    marks: npt.NDArray[np.bool_] = np.stack(
        [best == number for number in range(1, logits.shape[1])], axis=1
    )
    return marks
