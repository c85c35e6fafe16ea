"""Models in ONNX Runtime, on the CPU, without torch."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from spinetools.errors import ModelError
from spinetools.models.card import ModelCard

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

    Raises
    ------
    ModelError
        When the file is no ONNX model or holds no card.
    """

    def __init__(self, path: Path) -> None:
        import onnxruntime as ort  # 0.1 s to import: only where a model is run

        options = ort.SessionOptions()
        options.intra_op_num_threads = n_threads()
        options.inter_op_num_threads = 1
        options.enable_cpu_mem_arena = False  # frees each batch: a laptop has other programs
        options.log_severity_level = 3
        try:
            self._session: Any = ort.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's own errors share no public base class
            raise ModelError(f"{path} is not a usable ONNX model; fetch it again") from error
        self.path = path
        self.card = ModelCard.from_metadata(
            dict(self._session.get_modelmeta().custom_metadata_map), path
        )
        self._input = self._session.get_inputs()[0].name

    def run(self, batch: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the model's first output for a batch laid out as the card's ``axes`` say."""
        output: npt.NDArray[np.float32] = self._session.run(None, {self._input: batch})[0]
        return output
