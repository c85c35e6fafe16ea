"""The series of a DICOM folder or zip: what each is, told by its headers alone."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spinetools.errors import InputError
from spinetools.image.dicom.files import DicomFiles
from spinetools.image.dicom.weighting import weighting, words_of
from spinetools.optional import require

logger = logging.getLogger(__name__)

EXTRA = "dicom"
TAGS = (
    "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "SeriesNumber",
    "SeriesDescription", "ProtocolName", "Modality", "ImageType", "Rows", "Columns",
    "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "NumberOfFrames",
    "SamplesPerPixel", "EchoTime", "RepetitionTime", "InversionTime", "ScanningSequence",
    "EchoPulseSequence", "DiffusionBValue", "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence", "PatientName", "PatientID",
)  # fmt: skip
#: Storage classes of single and enhanced MR and CT images begin so (DICOM PS3.4, B.5).
_MR_OR_CT = ("1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.2")
_SPECTROSCOPY = "1.2.840.10008.5.1.4.1.1.4.2"

#: What reading a damaged header raises: whatever the byte at hand leads to, also classes of
#: pydicom's own.
DAMAGED = Exception

#: Fewer slices than this are a scout or a check, never a stack that a spine can be followed in.
FEWEST_SLICES = 3
#: Slices of one stack point the same way: cosine between their normals.
SAME_DIRECTION = 0.9999
#: Positions along the normal closer than this (mm) are one slice: repetitions, echoes.
SAME_PLACE_MM = 0.01

_LOCALIZER = re.compile(
    r"locali[sz]er|\bloc\b|scout|survey|scano|topogram|3[ -]?plane|three[ -]?plane|smart ?brain"
    r"|calibration|\basset\b|\bref(erence)? ?scan\b|prescan", re.IGNORECASE
)  # fmt: skip
#: Third and later words of ImageType, of what scanners work out from images.
_DERIVED = {
    "ADC", "FA", "TRACEW", "TRACE", "EADC", "PROJECTION IMAGE", "MIP", "MINIP", "MPR", "SUBTRACT",
    "SUBTRACTION", "T1 MAP", "T2 MAP", "T2 STAR MAP", "CSA MPR", "CSA 3D EDITOR", "CBF", "CBV",
    "MTT", "TTP", "PHASE CONTRAST M", "COLLAGE", "SCREEN SAVE", "POST PROC",
}  # fmt: skip


@dataclass(frozen=True)
class Series:
    """One series, as its headers describe it.

    Attributes
    ----------
    uid, study
        Of the series and of its study.
    number
        The scanner's number, 0 where there is none.
    description
        The scanner's words, without the patient's name or id.
    modality
        E.g. ``MR``.
    files
        Numbers of its files, as :class:`DicomFiles` counts them.
    plane
        ``sagittal``, ``axial`` or ``coronal``, whichever is nearest; empty where slices point in
        several directions or nowhere.
    shape
        Rows, columns, and places along the normal.
    spacing
        In mm: rows, columns, between slices (the median).
    n_frames
        Number of 2D images in all.
    contrast
        ``t1``, ``t2``, ``t2s`` or ``dwi`` as its timing says; empty where it does not.
    unfit
        Why it is not taken by itself; empty for a series that may be meant.
    private
        Parts of the patient's name and id, in lower case, which no output may show.
    """

    uid: str
    study: str
    number: int
    description: str
    modality: str
    files: tuple[int, ...]
    plane: str
    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    n_frames: int
    contrast: str
    unfit: str
    private: frozenset[str]


@dataclass(frozen=True)
class Frame:
    """One 2D image: where it lies."""

    position: tuple[float, ...]
    orientation: tuple[float, ...]


def find_series(files: DicomFiles) -> list[Series]:
    """Return the image series among the files, by number.

    Raises
    ------
    InputError
        When there is none.
    MissingExtra
        When pydicom is not installed.
    """
    likely = [number for number in range(len(files)) if files.looks_like_dicom(number)]
    if not likely:
        raise InputError(_nothing(files))
    pydicom = require("pydicom", EXTRA)
    groups: dict[str, list[tuple[int, Any]]] = {}
    damaged = 0
    with quiet():
        if len(likely) > 500:
            logger.info("reading the headers of %d files in %s", len(likely), files.path)
        for number in likely:
            header = _header(pydicom, files, number)
            if header is None:
                damaged += 1
            elif _is_image(header):
                groups.setdefault(str(header.SeriesInstanceUID), []).append((number, header))
        series = []
        for uid, group in groups.items():
            one = _described(uid, group)
            series += [] if one is None else [one]
            damaged += len(group) if one is None else 0
    if damaged:
        logger.warning("%s: %d files cannot be read as DICOM and are left out", files.path, damaged)
    if not series:
        raise InputError(
            f"{files.path} holds DICOM files but no image series in them; give the folder or zip "
            "of a scan"
        )
    return sorted(series, key=lambda one: (one.number, one.uid))


@contextmanager
def quiet() -> Iterator[None]:
    """Silence what libraries say of headers: their warnings quote values, also the patient's."""
    loggers = [logging.getLogger(name) for name in ("pydicom", "highdicom")]
    before = [one.disabled for one in loggers]
    for one in loggers:
        one.disabled = True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for one, state in zip(loggers, before, strict=True):
            one.disabled = state


def frames_of(header: Any) -> list[Frame]:
    """Return where the images of a file lie; none where the header does not say."""
    if "PerFrameFunctionalGroupsSequence" not in header:
        position, orientation = _vector(header, "ImagePositionPatient", 3), _orientation(header)
        return [Frame(position, orientation)] if position and orientation else []
    shared = next(iter(header.get("SharedFunctionalGroupsSequence") or []), None)
    frames = []
    for group in header.PerFrameFunctionalGroupsSequence:
        position = _vector(_item(group, shared, "PlanePositionSequence"), "ImagePositionPatient", 3)
        orientation = _orientation(_item(group, shared, "PlaneOrientationSequence"))
        if position and orientation:
            frames.append(Frame(position, orientation))
    return frames


def places_along_normal(frames: Sequence[Frame]) -> list[float]:
    """Return the places of slices along their normal in mm, each once, in order."""
    places: list[float] = []
    normal = normal_of(frames[0].orientation)
    for place in sorted(float(np.dot(normal, frame.position)) for frame in frames):
        if not places or place - places[-1] > SAME_PLACE_MM:
            places.append(place)
    return places


def normal_of(orientation: Sequence[float]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the unit normal of an image plane, in DICOM's axes (left, posterior, superior)."""
    normal = np.cross(orientation[:3], orientation[3:])
    return np.asarray(normal / max(float(np.linalg.norm(normal)), 1e-9), dtype=np.float64)


def spacing_in_plane(header: Any) -> tuple[float, ...]:
    """Return the distance between rows and between columns in mm; empty where it is not said."""
    if "PerFrameFunctionalGroupsSequence" in header:
        shared = next(iter(header.get("SharedFunctionalGroupsSequence") or []), None)
        group = next(iter(header.PerFrameFunctionalGroupsSequence), None)
        header = _item(group, shared, "PixelMeasuresSequence")
    return _vector(header, "PixelSpacing", 2)


# -- reading -----------------------------------------------------------------------------------


def _header(pydicom: Any, files: DicomFiles, number: int) -> Any:
    """Read one file's header; None where it is damaged."""
    try:
        with files.open(number) as stream:
            return pydicom.dcmread(
                stream, stop_before_pixels=True, force=True, specific_tags=list(TAGS)
            )
    except DAMAGED:
        return None


def _is_image(header: Any) -> bool:
    """Whether a header is of an image that has a series; reports, masks and the like are not."""
    try:
        kind = str(header.get("SOPClassUID", ""))
        image = int(header.get("Rows") or 0) > 0 and int(header.get("Columns") or 0) > 0
        masks = str(header.get("Modality", "")) in ("SEG", "RTSTRUCT", "RTDOSE", "SR", "PR", "KO")
        return bool(header.get("SeriesInstanceUID")) and image and not masks and (
            not kind.startswith(_SPECTROSCOPY)
        )  # fmt: skip
    except DAMAGED:
        return False


def _described(uid: str, group: Sequence[tuple[int, Any]]) -> Series | None:
    """Describe a series; None where its headers hold what none can."""
    try:
        return _describe(uid, group)
    except DAMAGED:
        return None


def _describe(uid: str, group: Sequence[tuple[int, Any]]) -> Series:
    first = group[0][1]
    private = private_words(first)
    frames = [frame for _, header in group for frame in frames_of(header)]
    n_frames = sum(_whole(header.get("NumberOfFrames")) or 1 for _, header in group)
    spacing: tuple[float, ...] = spacing_in_plane(first)
    one_way = bool(frames) and _one_direction(frames)
    places = places_along_normal(frames) if one_way else []
    gap = float(np.median(np.diff(places))) if len(places) > 1 else 0.0
    words = str(first.get("SeriesDescription") or first.get("ProtocolName") or "")
    contrast = weighting(first)
    if len(spacing) != 2:
        spacing, frames = (0.0, 0.0), []
    count = len(places) if one_way else n_frames
    return Series(
        uid=uid,
        study=str(first.get("StudyInstanceUID", "")),
        number=_whole(first.get("SeriesNumber")),
        description=without_private(words, private),
        modality=without_private(str(first.get("Modality", "")), private)[:16],
        files=tuple(number for number, _ in group),
        plane=_plane(frames[0].orientation) if one_way and frames else "",
        shape=(_whole(first.get("Rows")), _whole(first.get("Columns")), count),
        spacing=(spacing[0], spacing[1], gap),
        n_frames=n_frames,
        contrast=contrast,
        unfit=_unfit(first, words, frames, one_way, count),
        private=private,
    )


def _unfit(header: Any, words: str, frames: Sequence[Frame], one_way: bool, count: int) -> str:
    """Say why a series is not what a spine is looked for in; nothing where it may be."""
    kind = str(header.get("SOPClassUID", ""))
    image_type = words_of(header.get("ImageType"))
    modality = str(header.get("Modality", ""))
    if modality not in ("MR", "CT") or not kind.startswith(_MR_OR_CT):
        return "a picture of the screen, or no MR and no CT"
    if "LOCALIZER" in image_type or _LOCALIZER.search(words):
        return "a localizer"
    derived = sorted(_DERIVED & {word.replace("_", " ") for word in image_type[2:]})
    if derived:
        return f"worked out from others ({derived[0].lower()})"
    if image_type[:1] == ["DERIVED"]:
        return "worked out from others (derived)"
    if {"P", "PHASE"} & set(image_type[2:]):
        return "phases, not magnitudes"
    if not frames:
        return "without a position"
    if "MOSAIC" in image_type:
        return ""  # the slices of a volume in one picture
    if not one_way:
        return "slices in several directions"
    if count < FEWEST_SLICES:
        return f"{count} slice{'' if count == 1 else 's'} only"
    return ""


# -- the patient's -----------------------------------------------------------------------------


def private_words(header: Any) -> frozenset[str]:
    """Return the parts of the patient's name and id, in lower case, that are long enough to tell.

    Parts of less than three letters or digits are left out: they occur in any word.
    """
    text = f"{header.get('PatientName', '')}^{header.get('PatientID', '')}".lower()
    parts = re.split(r"[\^=\s,;_.\-]+", text)
    return frozenset(part for part in parts if len(part) >= 3)


def without_private(text: str, private: frozenset[str]) -> str:
    """Return a scanner's words for showing: one line, without the patient's name or id."""
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())[:64]
    for word in sorted(private, key=len, reverse=True):
        text = re.sub(re.escape(word), "***", text, flags=re.IGNORECASE)
    return text


# -- small things ------------------------------------------------------------------------------


def _item(group: Any, shared: Any, name: str) -> Any:
    """Return a functional group's item, the frame's own or the one that all share."""
    for place in (group, shared):
        if place is not None and place.get(name):
            return place[name][0]
    return {}


def _orientation(header: Any) -> tuple[float, ...]:
    values = _vector(header, "ImageOrientationPatient", 6)
    if not values or np.linalg.norm(np.cross(values[:3], values[3:])) < 0.5:
        return ()
    return values


def _vector(header: Any, name: str, length: int) -> tuple[float, ...]:
    try:
        values = tuple(float(value) for value in (header.get(name) or ()))
    except (TypeError, ValueError):
        return ()
    return values if len(values) == length and np.isfinite(values).all() else ()


def _whole(value: Any) -> int:
    try:
        return int(value or 0)
    except (TypeError, ValueError, OverflowError):
        return 0


def _one_direction(frames: Sequence[Frame]) -> bool:
    normal = normal_of(frames[0].orientation)
    return all(
        abs(float(normal @ normal_of(frame.orientation))) > SAME_DIRECTION for frame in frames
    )


def _plane(orientation: Sequence[float]) -> str:
    axis = int(np.abs(normal_of(orientation)).argmax())
    return ("sagittal", "coronal", "axial")[axis]


def _nothing(files: DicomFiles) -> str:
    path: Path = files.path
    if len(files) == 0:
        return (
            f"{path} is a folder or zip without files, expected a NIfTI file (.nii.gz, .nii) or "
            "DICOM"
        )
    if not path.is_dir() and path.suffix.lower() != ".zip":
        return f"{path} is not a DICOM file, whatever its name says"
    kind = "folder" if path.is_dir() else "zip"
    return (
        f"{path} is a {kind} with {len(files)} files of which none is DICOM; give a NIfTI file "
        "(.nii.gz, .nii), or a folder or zip of DICOM"
    )
