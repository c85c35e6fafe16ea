"""The registry: which models there are, where their files come from, and how to trust them.

``data/models/registry.json`` ships with the package; a file of the same form and name in the folder
``$SPINETOOLS_MODELS`` adds a laboratory's own models, and wins where both have a name.
"""

from __future__ import annotations

import difflib
import hashlib
import os
import re
from dataclasses import MISSING, dataclass, fields
from importlib.resources import files
from pathlib import Path
from typing import Any

from spinetools.errors import ModelError
from spinetools.files import parse_json

MODELS_VARIABLE = "SPINETOOLS_MODELS"
REGISTRY_NAME = "registry.json"
#: Form of the registry that this code reads.
SCHEMA = 1
ENGINES = ("onnx", "nnunet")

#: Names of models, versions and parts: they become names of folders.
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")


@dataclass(frozen=True)
class ModelFile:
    """One file of a model.

    Attributes
    ----------
    file
        Its name: of an ONNX file, or of a zip with an nnU-Net results folder.
    size, sha256
        In bytes, and in hexadecimal; 0 and empty where they are not known. The checksum is then
        pinned when the file is first installed.
    urls
        Where it is published, the first one first; empty for what ships with the package.
    part
        Which part of the model it is, e.g. ``"step1"``; empty where it is the whole.
    layout
        Glob pattern of the nnU-Net results folder inside a zip.
    channels
        Meaning of the network's input channels.
    labels
        What each class is to us (a structure of ``labels.tsv``, or a group of them such as
        ``"vertebra_odd"``), by the name that the network's own ``dataset.json`` gives it.
    label_scheme
        Scheme of :mod:`spinetools.labels` that the network's values follow, instead of ``labels``.
    """

    file: str
    size: int = 0
    sha256: str = ""
    urls: tuple[str, ...] = ()
    part: str = ""
    layout: str = "**"
    channels: tuple[str, ...] = ()
    labels: dict[str, str] | None = None
    label_scheme: str = ""


@dataclass(frozen=True)
class Entry:
    """A model of the registry.

    Attributes
    ----------
    name, version
        Identity; a released version never changes.
    engine
        ``"onnx"`` or ``"nnunet"``.
    task
        What it computes.
    files
        What it consists of.
    default_for
        Commands that take it unless told otherwise.
    orientation, spacing_mm
        Grid that images are brought to before; for an ONNX file its card says it, and empty means
        that the network's own preparation does it.
    licence, citation, homepage
        Under what it may be used, what to cite, and where it comes from.
    """

    name: str
    version: str
    engine: str
    task: str
    files: tuple[ModelFile, ...]
    default_for: tuple[str, ...] = ()
    orientation: str = ""
    spacing_mm: tuple[float, ...] = ()
    licence: str = ""
    citation: str = ""
    homepage: str = ""

    @property
    def identity(self) -> str:
        """``name@version``."""
        return f"{self.name}@{self.version}"

    @property
    def published(self) -> bool:
        """Whether it can be downloaded."""
        return all(file.urls for file in self.files)


def shipped_folder() -> Path:
    """Return the folder of the models that are part of the package."""
    return Path(str(files("spinetools.data").joinpath("models")))


def read_registry(path: Path) -> list[Entry]:
    """Read one registry file.

    Raises
    ------
    ModelError
        When it is unreadable or of another form; the message names the entry.
    """
    try:
        content = parse_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"the model registry {path} cannot be read: {error}") from error
    where = str(path)
    try:
        if content["schema"] != SCHEMA:
            raise ValueError(f"its form is {content['schema']}, expected {SCHEMA}; update one")
        entries = []
        for number, item in enumerate(content["models"]):
            where = f"{path}, model {item.get('name', number)}"
            entries.append(_entry(item))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        what = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        raise ModelError(f"the model registry is wrong ({where}): {what}") from error
    return entries


def load_registry() -> dict[str, Entry]:
    """Return the known models by name: those of ``$SPINETOOLS_MODELS``, then the package's.

    Raises
    ------
    ModelError
        When a registry file is unreadable.
    """
    folders = [shipped_folder()]
    if os.environ.get(MODELS_VARIABLE):
        folders.append(Path(os.environ[MODELS_VARIABLE]))
    found: dict[str, Entry] = {}
    for folder in folders:
        path = folder / REGISTRY_NAME
        if path.is_file():
            found.update({entry.name: entry for entry in read_registry(path)})
    return found


def find_entry(name: str) -> Entry | None:
    """Return the registry's entry of ``name`` or ``name@version``; None where there is none."""
    base, _, version = name.partition("@")
    entry = load_registry().get(base)
    return entry if entry is not None and version in ("", entry.version) else None


def nearest(name: str, known: list[str]) -> str:
    """Return a hint for a misspelt name, to be put at the end of a message."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"; did you mean {near[0]}?" if near else "; st_models list shows what there is"


def plain_name(text: str, what: str) -> str:
    """Return a name that may become the name of a folder.

    Raises
    ------
    ValueError
        When it may not.
    """
    if not isinstance(text, str) or not _PLAIN.fullmatch(text):
        raise ValueError(
            f"{what} {text!r}: letters, digits and . _ + - only, a letter or digit first"
        )
    return text


def file_sha256(path: Path) -> str:
    """Return the SHA-256 checksum of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for chunk in iter(lambda: file.read(1 << 20), b""):
            digest.update(chunk)
    return digest.hexdigest()


def _entry(item: dict[str, Any]) -> Entry:
    values = _checked(Entry, item)
    plain_name(values["name"], "name")
    plain_name(values["version"], "version")
    if values["engine"] not in ENGINES:
        raise ValueError(f"engine {values['engine']!r}: expected one of {', '.join(ENGINES)}")
    values["files"] = tuple(_file(file) for file in values["files"])
    parts = [file.part for file in values["files"]]
    if not parts or len(set(parts)) != len(parts):
        raise ValueError("files: expected at least one, each with a part of its own")
    return Entry(**values)


def _file(item: dict[str, Any]) -> ModelFile:
    values = _checked(ModelFile, item)
    plain_name(values["file"], "file")
    if values.get("part"):
        plain_name(values["part"], "part")
    if not re.fullmatch(r"([0-9a-f]{64})?", values.get("sha256", "")):
        raise ValueError(f"sha256 of {values['file']}: expected 64 hexadecimal digits")
    if ".." in Path(values.get("layout", "")).parts:
        raise ValueError(f"layout of {values['file']} leaves its folder")
    return ModelFile(**values)


def _checked(kind: type, item: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of an item, lists as tuples; unknown and missing ones are refused."""
    known = {entry.name: entry for entry in fields(kind)}
    unknown = sorted(set(item) - set(known))
    if unknown:
        raise ValueError(f"unknown field {', '.join(unknown)}")
    lacking = [
        name
        for name, entry in known.items()
        if name not in item and entry.default is entry.default_factory is MISSING
    ]
    if lacking:
        raise ValueError(f"it lacks {', '.join(lacking)}")
    return {key: tuple(value) if isinstance(value, list) else value for key, value in item.items()}
