"""spinetools: a toolbox for spinal cord and spine MRI."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from spinetools._version import __version__

if TYPE_CHECKING:
    from spinetools.vertebrae import SpineSegmenter, label_vertebrae

__all__ = ["SpineSegmenter", "__version__", "label_vertebrae"]

# ONNX Runtime reports its use to its makers by default (on Linux and macOS since 1.29, on Windows
# before), and reads this when it is imported: nothing of ours leaves a hospital's machine unasked
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

#: What is imported only when it is used, so that ``import spinetools`` stays light.
_LAZY = {
    "SpineSegmenter": "spinetools.vertebrae",
    "label_vertebrae": "spinetools.vertebrae",
}


def __getattr__(name: str) -> Any:
    """Import a function of the Python interface when it is first asked for."""
    if name in _LAZY:
        from importlib import import_module

        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
