"""What one entry of the QC report records, and its JSON form."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import shlex
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from spinetools.qc.viewers import Viewers

#: Raised when an older page or an older spinetools cannot read what this one writes.
FORMAT = 1

ID_PATTERN = re.compile(r"\d{8}T\d{12}Z-[0-9a-f]{12}")

#: Options that do not change a result, so that a rerun with other ones is still the same case,
#: with the number of values that follow them.
_WITHOUT_EFFECT = {"-v": 1, "-r": 1, "-qc": 1, "-qc-dataset": 1, "-qc-subject": 1}
#: What a person gives so that a failed result becomes right: it is the same case, before and after.
_CORRECTING = {
    "-mask-correction": 1, "-init-mask": 1, "-init-centerline": 1, "-file-centerline": 1,
    "-init-points": 1,
}  # fmt: skip
#: The same, where the option has one of these values.
_CORRECTING_BY = {"-centerline": ("file", "viewer"), "-method": ("viewer",)}
#: The input is part of the case by its full path; where the output goes does not matter.
_KNOWN_OTHERWISE = {"-i": 1, "-o": 1, "-ofolder": 1}

#: Under which key a failed file is listed, as the correction and batch scripts of the field read
#: them (``FILES_SEG:`` followed by file names).
_EXPORT_KEYS = {
    "propseg": "FILES_SEG",
    "deepseg": "FILES_SEG",
    "deepseg_sc": "FILES_SEG",
    "deepseg_gm": "FILES_GMSEG",
    "label_vertebrae": "FILES_LABEL",
    "label_utils": "FILES_LABEL",
    "get_centerline": "FILES_CENTERLINE",
}

Measures = Mapping[str, Mapping[int, float]]


@dataclass(frozen=True)
class Flag:
    """Something about a result that a person should look at.

    Attributes
    ----------
    kind
        One or two words, shown as a tag: ``leak``, ``gap``, ``empty``, ``area jump`` …
    reason
        A sentence: what was seen and what was expected.
    slices
        Native voxel indices along the image's head-to-foot axis; none for the whole image.
    """

    kind: str
    reason: str
    slices: tuple[int, ...] = ()


@dataclass(frozen=True)
class Layer:
    """One picture of a view: the image, or an overlay on it.

    Attributes
    ----------
    name
        E.g. ``cord``.
    kind
        ``image``, ``mask``, ``labels`` or ``centerline``.
    colour
        ``#rrggbb``; empty for an image and for labels, which have a colour each.
    files
        The sheets of tiles, in the entry's folder.
    source
        The file that was shown; empty where it is not known.
    """

    name: str
    kind: str
    colour: str
    files: tuple[str, ...]
    source: str = ""


@dataclass(frozen=True)
class View:
    """Tiles of one plane, and where their voxels lie in the image's own grid.

    Attributes
    ----------
    plane
        ``axial`` or ``sagittal``.
    axes
        The image's voxel axis that runs down, across and through the tiles.
    steps
        +1 or -1: whether the native index grows downwards and to the right.
    spacing_mm
        Voxel size downwards, to the right, and through.
    letters
        The patient's side (R, L, A, P, S, I) at the top, right, bottom and left of a tile.
    size
        Rows and columns of a tile, in voxels, without the gutter.
    gutter
        Voxels drawn around each tile, so that smoothing does not mix neighbouring tiles.
    columns, per_sheet
        How tiles lie in a sheet: row by row.
    indices
        Native slice index of each tile; None for a cut that follows the cord.
    origins
        Native index (down, across) of each tile's first row and column.
    curve
        For a cut that follows the cord: the native slice index of each row, from the top.
    every
        Shown is every n-th slice.
    layers
        The image first, then overlays.
    """

    plane: str
    axes: tuple[int, int, int]
    steps: tuple[int, int]
    spacing_mm: tuple[float, float, float]
    letters: tuple[str, str, str, str]
    size: tuple[int, int]
    gutter: int
    columns: int
    per_sheet: int
    indices: tuple[int | None, ...]
    origins: tuple[tuple[int, int], ...]
    curve: tuple[int, ...] = ()
    every: int = 1
    layers: tuple[Layer, ...] = ()


@dataclass(frozen=True)
class Mark:
    """A label's place: its value, name, colour, and centre in native voxel indices."""

    layer: str
    value: int
    name: str
    colour: str
    centre: tuple[float, float, float]


@dataclass(frozen=True)
class Entry:
    """One result in the report, as ``entries/<id>.json`` holds it.

    Attributes
    ----------
    id
        UTC time and a random part; entries sort by it.
    case
        Key that ratings follow: the same for the same input and the same command.
    created
        UTC time, ISO 8601.
    dataset, subject, process, command_line, version, input, contrast, plane
        As shown on the page; ``version`` is that of spinetools.
    nib_codes, spacing_mm, shape
        The image's grid.
    export_key
        Under which a failed input is listed in an exported YAML file.
    folder
        Where the pictures are, relative to the report.
    views
        The first one is the entry's own plane.
    flags, marks
        See the classes.
    measures
        Values by name and native index along ``measure_axis``.
    measure_axis
        The image's head-to-foot voxel axis.
    levels
        Vertebral level by native index along ``measure_axis``: 3.0 at the top of C3, 3.5 in its
        middle (see :mod:`spinetools.qc.levels`).
    thumb
        File name of a small picture for the table of all subjects.
    volume
        File name of the script with voxels for the 3D view and for names under the pointer.
    viewers
        Commands that open the result in image viewers, and that take a correction back.
    """

    id: str
    case: str
    created: str
    dataset: str
    subject: str
    process: str
    command_line: str
    version: str
    input: str
    contrast: str
    plane: str
    nib_codes: str
    spacing_mm: tuple[float, float, float]
    shape: tuple[int, int, int]
    export_key: str
    folder: str
    measure_axis: int
    views: tuple[View, ...] = ()
    flags: tuple[Flag, ...] = ()
    marks: tuple[Mark, ...] = ()
    measures: Measures = field(default_factory=dict)
    levels: Mapping[int, float] = field(default_factory=dict)
    thumb: str = ""
    volume: str = ""
    viewers: Viewers = field(default_factory=Viewers)
    format: int = FORMAT

    def to_json(self) -> dict[str, Any]:
        """Return what is written as JSON; measures as a list of indices and lists of values."""
        content = asdict(self)
        slices = sorted({index for series in self.measures.values() for index in series})
        content["levels"] = {str(index): _number(v) for index, v in sorted(self.levels.items())}
        content["measures"] = {
            "slices": slices,
            "values": {
                name: [_number(series.get(index)) for index in slices]
                for name, series in self.measures.items()
            },
        }
        return content

    def summary(self) -> dict[str, Any]:
        """Return what the table of the page needs."""
        from spinetools.qc.summary import summarise

        return summarise(self.to_json())


def _number(value: float | None) -> float | None:
    """JSON has no NaN; five digits are more than a picture shows."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.5g}")


# -- identity -------------------------------------------------------------------------------------


def new_id(now: datetime | None = None) -> str:
    """Return a new id: UTC time in microseconds, and 48 random bits."""
    now = now or datetime.now(timezone.utc)
    return f"{now:%Y%m%dT%H%M%S%f}Z-{uuid.uuid4().hex[:12]}"


def created_from_id(identity: str) -> str:
    """Return an id's time as ISO 8601, to the second."""
    return datetime.strptime(identity.partition("-")[0], "%Y%m%dT%H%M%S%fZ").strftime(
        "%Y-%m-%dT%H:%M:%SZ"
    )


def case_key(
    source: str | os.PathLike[str], process: str, command_line: str, names: Sequence[str]
) -> str:
    """Return the key that ratings follow: the same input and the same command give the same one.

    Options that change only what is printed, or where results go, do not count, nor do corrections
    that a person gives: a corrected result is a later one of the same case.

    Parameters
    ----------
    source
        The input image; its full path counts.
    process
        The command's name.
    command_line
        The whole command line, as typed.
    names
        What else tells entries apart: data set, subject, plane.
    """
    full = os.path.abspath(source) if os.fspath(source) else ""  # noqa: PTH100 - no link followed
    parts = [full, process, *_essential(command_line), *names]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _essential(command_line: str) -> list[str]:
    try:
        tokens = shlex.split(command_line)[1:]
    except ValueError:  # an unbalanced quote: not from a shell, take it as it is
        return [command_line]
    skip = {**_WITHOUT_EFFECT, **_KNOWN_OTHERWISE, **_CORRECTING}
    kept: list[str] = []
    position = 0
    while position < len(tokens):
        if tokens[position] in skip:
            position += skip[tokens[position]]
        elif "".join(tokens[position + 1 : position + 2]) in _CORRECTING_BY.get(
            tokens[position], ()
        ):
            position += 1
        else:
            kept.append(tokens[position])
        position += 1
    return kept


def export_key(process: str) -> str:
    """Return the YAML key under which failed inputs of a command are listed."""
    name = re.sub(r"^(st|sct)_", "", process)
    if name in _EXPORT_KEYS:
        return _EXPORT_KEYS[name]
    return "FILES_" + (re.sub(r"[^A-Z0-9]+", "_", name.upper()).strip("_") or "OTHER")


# -- names ----------------------------------------------------------------------------------------


def folder_name(text: str, default: str) -> str:
    """Turn any text into a harmless folder name (ASCII letters, digits, ``.``, ``_``, ``-``).

    Two texts may get one name: the entry's id below it keeps them apart.
    """
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", text).strip("._- ")[:40].rstrip("._- ")
    # names of devices on Windows, where a report may be unzipped
    if re.fullmatch(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?", name):
        name = f"_{name}"
    return name or default


def subject_of(source: str | os.PathLike[str]) -> str:
    """Guess the subject from a path: BIDS' ``sub-…[_ses-…]``, else the file's name."""
    path = Path(source)
    text = "/".join((*path.parts[-4:-1], path.name))
    subject = re.findall(r"sub-[A-Za-z0-9]+", text)
    session = re.findall(r"ses-[A-Za-z0-9]+", text)
    if subject:
        return "_".join([subject[-1], *session[-1:]])
    return re.sub(r"\.nii(\.gz)?$", "", path.name)
