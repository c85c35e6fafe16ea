"""Where a network runs: the processor, an NVIDIA card, or Apple's."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import Any

from spinetools.errors import InputError, ModelError

logger = logging.getLogger(__name__)

#: ONNX Runtime's name of the part that runs on each kind of device.
PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "mps": "CoreMLExecutionProvider",
}
#: Package that brings it.
PACKAGES = {"cuda": "onnxruntime-gpu", "mps": "onnxruntime for macOS"}


@dataclass(frozen=True)
class Device:
    """A device, as ``-device`` names it.

    Attributes
    ----------
    kind
        ``"cpu"``, ``"cuda"`` or ``"mps"``.
    index
        Which of several; 0 but for CUDA.
    asked
        Whether it was asked for by name: then nothing else will do.
    """

    kind: str
    index: int = 0
    asked: bool = False

    def __str__(self) -> str:
        return f"{self.kind}:{self.index}" if self.kind == "cuda" else self.kind

    @property
    def providers(self) -> list[Any]:
        """ONNX Runtime's providers in order; the processor takes what the others cannot."""
        if self.kind == "cpu":
            return [PROVIDERS["cpu"]]
        first = PROVIDERS[self.kind]
        chosen = (first, {"device_id": self.index}) if self.kind == "cuda" else first
        return [chosen, PROVIDERS["cpu"]]


def parse_device(name: str) -> tuple[str, int]:
    """Split ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps`` into kind and index.

    Raises
    ------
    InputError
        When it is none of these.
    """
    found = re.fullmatch(r"(auto|cpu|mps|cuda(?::(\d+))?)", name)
    if found is None:
        raise InputError(f"unknown device {name!r}, expected auto, cpu, cuda, cuda:N or mps")
    return found[1].partition(":")[0], int(found[2] or 0)


def choose_device(name: str = "auto") -> Device:
    """Return the device to run ONNX models on.

    Parameters
    ----------
    name
        ``"auto"`` takes the NVIDIA card where ONNX Runtime can use one, else the processor (Apple's
        part of ONNX Runtime leaves most 3D layers to the processor, so it has to be asked for).

    Raises
    ------
    InputError
        When there is no device of this name at all.
    ModelError
        When ONNX Runtime has no part for the device that was asked for.
    """
    kind, index = parse_device(name)
    available = _available()
    if kind == "auto":
        chosen = "cuda" if PROVIDERS["cuda"] in available else "cpu"
        return Device(chosen)
    if PROVIDERS[kind] not in available:
        raise ModelError(_not_there(name, kind, available))
    return Device(kind, index, asked=True)


def _available() -> list[str]:
    import onnxruntime

    return list(onnxruntime.get_available_providers())


def _not_there(name: str, kind: str, available: list[str]) -> str:
    kinds = [other for other, provider in PROVIDERS.items() if provider in available]
    return (
        f"-device {name}: this ONNX Runtime runs on {', '.join(kinds)} only; install "
        f"{PACKAGES.get(kind, 'onnxruntime')}, or take -device auto"
    )


def say_device(device: Device, threads: int, what: str) -> None:
    """Log what runs where: a notice for a card or what was asked for, else a detail."""
    where = f"{threads} threads of the processor" if device.kind == "cpu" else str(device)
    level = logging.INFO if device.asked or device.kind != "cpu" else logging.DEBUG
    logger.log(level, "%s runs on %s", what, where)
