"""Inputs that are DICOM: a folder, a zip or a file of it, and which series in it is meant.

``study.zip`` is the archive, ``study.zip#3`` its series number 3; a description (``#t2_tse_sag``)
or a UID stands for a series too, and ``#3.2`` is the second image that series 3 gives. Only names
are looked at here, so that commands can name their outputs without a library for DICOM.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple

#: What a single file has to be called to be taken for DICOM; inside a folder or zip, any name does.
DICOM_SUFFIXES = (".dcm", ".ima")
SEPARATOR = "#"

#: Series that were chosen in this process, by the input as it was given: for sidecars.
_taken: dict[str, str] = {}


class SeriesPath(NamedTuple):
    """A DICOM input.

    Attributes
    ----------
    path
        The folder, the zip or the file.
    series
        What the user put after ``#``: a number, a description or a UID; None for nothing.
    """

    path: Path
    series: str | None


def series_path(path: str | os.PathLike[str]) -> SeriesPath | None:
    """Return the parts of an input that is DICOM by its name, and None for any other.

    A folder, a ``.zip``, ``.dcm`` or ``.ima`` that exists is one; what is in it is not looked at. A
    file or folder whose own name has a ``#`` in it is taken as it is.
    """
    text = os.fspath(path)
    if _is_container(text):
        return SeriesPath(Path(text), None)
    place = text.rfind(SEPARATOR)
    while place > 0 and not os.path.exists(text):  # noqa: PTH110 - a Path would drop a last slash
        if _is_container(text[:place]) and text[place + 1 :]:
            return SeriesPath(Path(text[:place]), text[place + 1 :])
        place = text.rfind(SEPARATOR, 0, place)
    return None


def is_there(path: str | os.PathLike[str]) -> bool:
    """Whether an input exists: a file or folder, or a series in one as ``study.zip#3`` names it."""
    return Path(path).exists() or series_path(path) is not None


def series_name(path: str | os.PathLike[str]) -> str | None:
    """Return what outputs of a DICOM input are called after; None for any other input.

    The folder's or zip's name, with the series where one was given, so that two series of one
    archive do not write to one file: ``study.zip#3`` gives ``study_3``.
    """
    parts = series_path(path)
    if parts is None:
        return None
    place = parts.path
    name = place.name if place.name not in ("", "..") else place.resolve().name
    if not place.is_dir():
        name = Path(name).stem
    if parts.series is None:
        return name or "dicom"
    return f"{name}_{re.sub(r'[^A-Za-z0-9.+-]+', '_', parts.series).strip('_') or 'series'}"


def note_taken(path: str | os.PathLike[str], series: str) -> None:
    """Remember which series an input stood for."""
    _taken[os.fspath(path)] = series


def with_series(path: str | os.PathLike[str]) -> str:
    """Return an input with the series that was taken from it, as sidecars name it."""
    return _taken.get(os.fspath(path), os.fspath(path))


def _is_container(text: str) -> bool:
    path = Path(text)
    try:
        return (bool(text) and path.is_dir()) or (
            path.suffix.lower() in (".zip", *DICOM_SUFFIXES) and path.is_file()
        )
    except (OSError, ValueError):  # a name too long, or with a zero in it, is found out later
        return False
