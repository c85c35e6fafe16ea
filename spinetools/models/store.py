"""Where models are found: a path, ``$SPINETOOLS_MODELS``, or what ships with the package."""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path

from spinetools.errors import ModelError

MODELS_VARIABLE = "SPINETOOLS_MODELS"


def find_model(name: str) -> Path:
    """Return the path of a model.

    Parameters
    ----------
    name
        A file's path, or a model's name without extension.

    Raises
    ------
    ModelError
        When it is nowhere.
    """
    given = Path(name)
    if given.suffix == ".onnx":
        if given.is_file():
            return given
        raise ModelError(f"the model {name} does not exist; check the path")
    folders = [Path(str(files("spinetools.data").joinpath("models")))]
    if os.environ.get(MODELS_VARIABLE):
        folders.insert(0, Path(os.environ[MODELS_VARIABLE]))
    for folder in folders:
        path = folder / f"{name}.onnx"
        if path.is_file():
            return path
    searched = ", ".join(str(folder) for folder in folders)
    raise ModelError(f"no model named {name!r} in {searched}; set {MODELS_VARIABLE} to its folder")
