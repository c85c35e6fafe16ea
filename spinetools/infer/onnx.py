"""Models in ONNX Runtime, without torch."""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from spinetools.errors import ModelError
from spinetools.infer.device import PROVIDERS, Device, choose_device, say_device
from spinetools.models.card import ModelCard

logger = logging.getLogger(__name__)

THREADS_VARIABLE = "SPINETOOLS_THREADS"


def n_threads() -> int:
    """Return how many threads to use: ``$SPINETOOLS_THREADS``, else the cores we may use."""
    named = os.environ.get(THREADS_VARIABLE, "")
    if named.isdigit() and int(named) > 0:
        return int(named)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class OnnxModel:
    """A model with its card.

    Parameters
    ----------
    path
        ONNX file with a card, see :class:`spinetools.models.card.ModelCard`.
    device
        Where it runs, see :mod:`spinetools.infer.device`. ``"auto"`` falls back to the processor
        where a card cannot be used; another name is an error then.

    Attributes
    ----------
    path, card, device
        What was loaded, what it says, and where it runs.

    Raises
    ------
    InputError
        When there is no device of this name.
    ModelError
        When the file is no ONNX model or holds no card, or the device that was asked for cannot
        run it.
    """

    def __init__(self, path: Path, device: str = "auto") -> None:
        self.path = path
        self._session, self.device = _session(path, choose_device(device))
        try:
            metadata = dict(self._session.get_modelmeta().custom_metadata_map)
        except UnicodeDecodeError as error:
            raise ModelError(f"{path} is not a usable ONNX model; fetch it again") from error
        self.card = ModelCard.from_metadata(metadata, path)
        self._input = self._session.get_inputs()[0].name
        say_device(self.device, n_threads(), self.card.name)

    def run(self, batch: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the model's first output for a batch laid out as the card's ``axes`` say.

        Raises
        ------
        ModelError
            When the model cannot take such a batch.
        """
        try:
            output: npt.NDArray[np.float32] = self._session.run(None, {self._input: batch})[0]
        except Exception as error:  # onnxruntime's own errors share no public base class
            raise ModelError(
                f"the model {self.path} cannot run on a batch of {batch.dtype} {batch.shape} "
                f"(axes {self.card.axes}): {_first_line(error)}"
            ) from error
        return output

    def run_batches(
        self, samples: npt.NDArray[np.float32], batch: int = 8
    ) -> npt.NDArray[np.float32]:
        """Return the output for any number of samples, some at a time, so that memory is bounded.

        Parameters
        ----------
        samples
            (N, C, …) as the card's ``axes`` say; N may be 0.
        batch
            Samples at a time.
        """
        if batch < 1:
            raise ValueError(f"batch is {batch}, expected at least 1")
        result: npt.NDArray[np.float32] | None = None
        for first in range(0, max(len(samples), 1), batch):
            part = self.run(np.ascontiguousarray(samples[first : first + batch], dtype=np.float32))
            if result is None:
                result = np.empty((len(samples), *part.shape[1:]), dtype=np.float32)
            result[first : first + batch] = part
        assert result is not None
        return result


def _session(path: Path, device: Device) -> tuple[Any, Device]:
    """Load the network on a device, or where it need not be that one, on the processor."""
    session, problem = None, None
    try:
        session = _load(path, device)
    except Exception as error:  # onnxruntime's own errors share no public base class
        problem = error
    # a card whose libraries are missing is not an error to ONNX Runtime: it takes the processor
    if session is not None and session.get_providers()[0] == PROVIDERS[device.kind]:
        return session, device
    if device.kind == "cpu":
        raise ModelError(f"{path} is not a usable ONNX model; fetch it again") from problem
    reason = _first_line(problem) if problem is not None else "its libraries cannot be loaded"
    if device.asked:
        raise ModelError(f"-device {device}: {reason}; take -device auto or cpu") from problem
    logger.info("%s cannot be used (%s); going on with the processor", device, reason)
    return _session(path, replace(device, kind="cpu", index=0))


def _load(path: Path, device: Device) -> Any:
    import onnxruntime as ort  # 0.1 s to import: only where a model is run

    options = ort.SessionOptions()
    options.intra_op_num_threads = n_threads()
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False  # frees each batch: a laptop has other programs
    options.log_severity_level = 3
    return ort.InferenceSession(str(path), options, providers=device.providers)


def _first_line(error: BaseException | None) -> str:
    lines = str(error).strip().splitlines()
    return " ".join(lines[0].split())[:200] if lines else type(error).__name__
