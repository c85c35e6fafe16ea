"""Checkpoints of nnU-Net: found, compared with their checksums, and read without running code."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from spinetools.errors import ModelError
from spinetools.models.registry import file_sha256
from spinetools.models.store import CHECKPOINTS, verified_files

logger = logging.getLogger(__name__)

#: What makes NumPy's numbers and arrays when a pickle is read.
_NUMPY_FUNCTIONS = ("scalar", "_reconstruct")


def find_checkpoints(folder: Path, fold: str = "") -> list[Path]:
    """Return the checkpoints of a results folder: of one fold, or of all numbered ones.

    Raises
    ------
    ModelError
        When there is none.
    """
    folds = sorted(folder.glob(f"fold_{fold or '*'}"))
    if not fold and len(folds) > 1:
        folds = [path for path in folds if path.name != "fold_all"]
    found = []
    for path in folds:
        there = [path / name for name in CHECKPOINTS if (path / name).is_file()]
        found += there[:1]
    if not found:
        raise ModelError(
            f"{folder} holds no fold_{fold or '*'}/{CHECKPOINTS[0]}: it is no nnU-Net results "
            "folder, or one of an unfinished training"
        )
    return found


def check_files(folder: Path, checkpoints: Sequence[Path]) -> bool:
    """Compare the files with their checksums, before anything in them is read.

    Returns
    -------
    bool
        Whether there are checksums on record: those of an installed model.

    Raises
    ------
    ModelError
        When one does not fit.
    """
    record = verified_files(folder)
    if record is None:
        return False
    for path in (folder / "plans.json", folder / "dataset.json", *checkpoints):
        if record.get(path) != file_sha256(path):
            raise ModelError(
                f"wrong checksum: {path} is not the file that was installed; remove the model's "
                "folder and install it again"
            )
    return True


def load_checkpoint(path: Path, recorded: bool) -> dict[str, Any]:
    """Read a checkpoint without running code from it.

    A checkpoint is a pickle, which can run any code when it is read in full. Tensors, plain Python
    and NumPy's numbers, which are all that nnU-Net stores, are read without that. A file with more
    in it is read in full only where its checksum was on record.

    Raises
    ------
    ModelError
        When it is damaged, holds no network, or would have to be trusted.
    """
    import torch

    try:
        with torch.serialization.safe_globals(_numbers()):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if not recorded:
            raise ModelError(
                f"{path} holds more than numbers, and its checksum is not on record: it could run "
                "any code. If you trust it, zip its folder and run st_models install NAME -from ZIP"
            ) from error
        logger.info("%s holds more than numbers; its checksum is as on record", path)
        content = _read_in_full(path)
    except (OSError, EOFError, RuntimeError, ValueError) as error:
        raise ModelError(f"{path} cannot be read ({short(error)}); fetch it again") from error
    keys = content if isinstance(content, dict) else {}
    lacking = [key for key in ("network_weights", "init_args", "trainer_name") if key not in keys]
    if lacking:
        raise ModelError(f"{path} is no checkpoint of nnU-Net: it lacks {', '.join(lacking)}")
    return dict(content)


def _read_in_full(path: Path) -> Any:
    import torch

    try:
        return torch.load(path, map_location="cpu", weights_only=False)
    except Exception as error:  # a pickle can raise anything
        raise ModelError(f"{path} cannot be read ({short(error)}); fetch it again") from error


def _numbers() -> list[Any]:
    """Return the functions and types of NumPy that make a number or an array from a pickle."""
    new = int(np.__version__.partition(".")[0]) >= 2
    multiarray = import_module(f"numpy.{'_core' if new else 'core'}.multiarray")
    allowed: list[Any] = [np.dtype, np.ndarray]
    for name in _NUMPY_FUNCTIONS:
        function = getattr(multiarray, name)
        # files name the module as the NumPy that wrote them did
        allowed += [(function, f"numpy.{part}.multiarray.{name}") for part in ("core", "_core")]
    allowed += [type(np.dtype(code)) for code in ("f2", "f4", "f8", "i4", "i8", "u1", "?")]
    return allowed


def short(error: BaseException) -> str:
    """Return an error's message in one line."""
    return " ".join(str(error).split())[:200] or type(error).__name__
