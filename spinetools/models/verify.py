"""Compare the models that are here with the checksums on record."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from spinetools.models.registry import (
    REGISTRY_NAME,
    file_sha256,
    read_registry,
    shipped_folder,
)
from spinetools.models.store import RECORD_NAME, installed_models, read_record


@dataclass(frozen=True)
class Finding:
    """What was found of one file.

    Attributes
    ----------
    model
        ``name@version``.
    path
        The file.
    problem
        What is wrong with it; empty where it is as on record.
    """

    model: str
    path: Path
    problem: str = ""


def verify_shipped(folder: Path | None = None) -> list[Finding]:
    """Check the models of the package, and that each of them is in the registry.

    Parameters
    ----------
    folder
        The models' folder with its registry (default: the package's).
    """
    folder = folder if folder is not None else shipped_folder()
    entries = [entry for entry in read_registry(folder / REGISTRY_NAME) if not entry.published]
    found = [
        _compared(entry.identity, folder / file.file, file.sha256, file.size)
        for entry in entries
        for file in entry.files
    ]
    known = {finding.path for finding in found}
    strangers = sorted(set(folder.glob("*.onnx")) - known)
    return found + [Finding(path.stem, path, "not in the registry") for path in strangers]


def verify_installed(folder: Path) -> list[Finding]:
    """Check an installed model: every file that its record names, and no other.

    Raises
    ------
    ModelError
        When there is no readable record.
    """
    record = read_record(folder)
    model = f"{record['name']}@{record['version']}"
    found = [
        _compared(model, folder / name, sha256) for name, sha256 in sorted(record["files"].items())
    ]
    known = {folder / name for name in record["files"]} | {folder / RECORD_NAME}
    there = {path for path in folder.rglob("*") if path.is_file()}
    return found + [Finding(model, path, "not on record") for path in sorted(there - known)]


def verify(name: str = "") -> list[Finding]:
    """Check the shipped and the installed models, or those of one name or ``name@version``."""
    found = verify_shipped()
    for folder in installed_models():
        found += verify_installed(folder)
    return [finding for finding in found if name in ("", finding.model, _base(finding.model))]


def _base(model: str) -> str:
    return model.partition("@")[0]


def _compared(model: str, path: Path, sha256: str, size: int = 0) -> Finding:
    if not path.is_file():
        return Finding(model, path, "missing")
    if size and path.stat().st_size != size:
        return Finding(model, path, f"{path.stat().st_size} bytes, expected {size}")
    if not sha256:
        return Finding(model, path, "no checksum on record")
    if file_sha256(path) != sha256:
        return Finding(model, path, "wrong checksum")
    return Finding(model, path)
