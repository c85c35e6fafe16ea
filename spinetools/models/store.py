"""Where models are found: a path, ``$SPINETOOLS_MODELS``, the package, or the user's cache.

A model is an ONNX file, or a folder that holds one or more nnU-Net results folders. Each place may
hold it as ``<name>.onnx``, ``<name>@<version>.onnx``, ``<name>/`` or ``<name>@<version>/``.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spinetools.errors import ModelError
from spinetools.files import parse_json
from spinetools.models.card import read_card
from spinetools.models.registry import (
    MODELS_VARIABLE,
    Entry,
    file_sha256,
    find_entry,
    load_registry,
    nearest,
    shipped_folder,
)

logger = logging.getLogger(__name__)

#: What an installed model's folder says about itself: sources, checksums of its files.
RECORD_NAME = "installed.json"
#: Files that make an nnU-Net results folder.
RESULTS_FILES = ("plans.json", "dataset.json")
#: Checkpoints in its folds, the better one first.
CHECKPOINTS = ("checkpoint_final.pth", "checkpoint_best.pth")


@dataclass(frozen=True)
class Place:
    """A folder that models are looked for in.

    Attributes
    ----------
    kind
        ``"own"`` (``$SPINETOOLS_MODELS``), ``"shipped"`` or ``"installed"`` (the user's cache).
    folder
        Its path; it need not exist.
    """

    kind: str
    folder: Path


def cache_folder() -> Path:
    """Return the folder that models are installed into."""
    from platformdirs import user_cache_path

    return Path(user_cache_path("spinetools", appauthor=False)) / "models"


def places() -> list[Place]:
    """Return the folders that are searched, first the ones that win."""
    named = os.environ.get(MODELS_VARIABLE)
    own = [Place("own", Path(named))] if named else []
    return [*own, Place("shipped", shipped_folder()), Place("installed", cache_folder())]


def find_model(name: str) -> Path:
    """Return the path of a model: an ONNX file, or the folder of an nnU-Net model.

    Parameters
    ----------
    name
        A path (it ends with ``.onnx`` or has a slash in it), a name, or ``name@version``.

    Raises
    ------
    ModelError
        When it is nowhere; the message says how to get it.
    """
    given = Path(name).expanduser()
    if given.suffix == ".onnx" or len(given.parts) > 1 or name.endswith(("/", os.sep)):
        if given.is_file() or results_folders(given):
            return given
        problem = "is no nnU-Net results folder" if given.is_dir() else "does not exist"
        raise ModelError(f"the model {name} {problem}; check the path")
    base, at, version = name.partition("@")
    if base and (version or not at):
        for place in places():
            path = _find_in(place, base, version)
            if path is not None:
                return path
    if results_folders(given):
        return given
    raise ModelError(_not_found(name))


def results_folders(folder: Path) -> dict[str, Path]:
    """Return the nnU-Net results folders in a folder, by part.

    Parameters
    ----------
    folder
        What :func:`find_model` gives for an nnU-Net model, or a results folder itself.

    Returns
    -------
    dict
        Part of the model (``""`` where it has but one) to the folder that holds ``plans.json``
        and ``dataset.json``.
    """
    if _is_results(folder):
        return {"": folder}
    if not (folder / RECORD_NAME).is_file():
        inside = [path for path in _folders(folder) if _is_results(path)]
        return {"": inside[0]} if len(inside) == 1 else {path.name: path for path in inside}
    parts = read_record(folder)["parts"]
    return {part: folder / where for part, where in parts.items() if _is_results(folder / where)}


def read_record(folder: Path) -> dict[str, Any]:
    """Return what was noted when a model was installed.

    Raises
    ------
    ModelError
        When the record is unreadable.
    """
    path = folder / RECORD_NAME
    try:
        record = parse_json(path.read_text(encoding="utf-8"))
        wanted = {"name": str, "version": str, "engine": str, "files": dict, "parts": dict}
        if not all(isinstance(record[key], kind) for key, kind in wanted.items()):
            raise ValueError("not as it is written")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{path} cannot be read ({error}); remove {folder} and install the model again"
        ) from error
    return dict(record)


def installed_models() -> list[Path]:
    """Return the folders of the models that were installed, here or in ``$SPINETOOLS_MODELS``."""
    folders = [place.folder for place in places() if place.kind != "shipped"]
    return [path for base in folders for path in _folders(base) if (path / RECORD_NAME).is_file()]


def verified_files(path: Path) -> dict[Path, str] | None:
    """Return the checksums that are on record for a model's files, or None where there are none.

    A record counts only where models are installed: one that came with a folder from elsewhere
    says nothing.

    Parameters
    ----------
    path
        What :func:`find_model` gives, or a file or folder in it.
    """
    trusted = {place.folder.resolve() for place in places() if place.kind != "shipped"}
    for folder in (path, *path.parents):
        if folder.parent.resolve() in trusted and (folder / RECORD_NAME).is_file():
            return {folder / name: sha for name, sha in read_record(folder)["files"].items()}
    for entry in load_registry().values():
        for file in entry.files:
            if file.sha256 and path == shipped_folder() / file.file:
                return {path: file.sha256}
    return None


def model_identity(path: Path) -> tuple[str, str, str]:
    """Return name, version and SHA-256 of a model, for sidecars.

    Parameters
    ----------
    path
        An ONNX file, or an nnU-Net results folder: its first checkpoint is what counts.

    Raises
    ------
    ModelError
        When the file holds no card, or the folder no checkpoint.
    """
    if not path.is_dir():
        card = read_card(path)
        return card.name, card.version, file_sha256(path)
    checkpoints = [fold / name for fold in sorted(path.glob("fold_*")) for name in CHECKPOINTS]
    first = next((checkpoint for checkpoint in checkpoints if checkpoint.is_file()), None)
    if first is None:
        raise ModelError(f"{path} holds no fold_*/{CHECKPOINTS[0]}")
    for folder in path.parents:
        if (folder / RECORD_NAME).is_file():
            record = read_record(folder)
            return str(record["name"]), str(record["version"]), file_sha256(first)
    return path.name, "", file_sha256(first)


def _find_in(place: Place, base: str, version: str) -> Path | None:
    """Return the model's path in one place; without a version, the registry's goes first."""
    folder = place.folder
    wanted = version
    if not version:
        entry = find_entry(base)
        wanted = entry.version if entry is not None else ""
    if wanted:
        found = _as_model(folder / f"{base}@{wanted}.onnx") or _as_model(
            folder / f"{base}@{wanted}"
        )
        if found is not None:
            return found
    plain = _as_model(folder / f"{base}.onnx") or _as_model(folder / base)
    if plain is not None and (not version or _version_of(plain, base) == version):
        return plain
    if version or not folder.is_dir():
        return None
    return _only_version(folder, base)


def _only_version(folder: Path, base: str) -> Path | None:
    """Return the one version that is there: an older one than the registry's is not replaced."""
    there = [path for path in sorted(folder.glob(f"{base}@*")) if _as_model(path) is not None]
    if len(there) > 1:
        names = ", ".join(path.name.removesuffix(".onnx") for path in there)
        raise ModelError(f"there are several versions of {base}: {names}; name one")
    if not there:
        return None
    logger.info("the model %s is the only version of it here", there[0].name.removesuffix(".onnx"))
    return _as_model(there[0])


def _as_model(path: Path) -> Path | None:
    """Return the model that a path stands for: itself, or the ONNX file in its folder."""
    if path.suffix == ".onnx" and path.is_file():
        return path
    if not path.is_dir():
        return None
    if results_folders(path):
        return path
    inside = sorted(path.glob("*.onnx"))
    return inside[0] if len(inside) == 1 else None


def _version_of(path: Path, base: str) -> str:
    """Return the version of a model whose file or folder name does not tell it."""
    if path.is_file():
        return read_card(path).version
    if (path / RECORD_NAME).is_file():
        return str(read_record(path)["version"])
    entry = find_entry(base)
    return entry.version if entry is not None else ""


def _not_found(name: str) -> str:
    base, _, version = name.partition("@")
    registry = load_registry()
    entry = registry.get(base)
    searched = ", ".join(str(place.folder) for place in places())
    if entry is None:
        return f"no model named {name!r} in {searched}{nearest(base, list(registry))}"
    if version not in ("", entry.version):
        return f"no version {version} of {base} in {searched}; the registry knows {entry.version}"
    how = "" if entry.published else " -from FILE"
    return f"the model {entry.identity} is not installed: st_models install {base}{how}"


def _is_results(folder: Path) -> bool:
    return all((folder / name).is_file() for name in RESULTS_FILES)


def _folders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))


def entry_of(name: str) -> Entry:
    """Return the registry's entry of a model.

    Raises
    ------
    ModelError
        When the registry does not know it.
    """
    entry = find_entry(name)
    if entry is None:
        raise ModelError(_not_found(name))
    return entry
