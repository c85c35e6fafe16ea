"""Label maps as DICOM Segmentation objects (DICOM-SEG), which lie over the series they come from.

What the patient's series hands on are the UIDs that viewers and archives join them by, and the
geometry; the patient's name and everything else that tells who, where or when stays behind unless
it is asked for.
"""

from __future__ import annotations

import copy
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from spinetools._version import __version__
from spinetools.errors import InputError
from spinetools.files import atomic_path
from spinetools.image.dicom.series import (
    DAMAGED,
    EXTRA,
    Frame,
    frames_of,
    normal_of,
    places_along_normal,
    quiet,
    spacing_in_plane,
)
from spinetools.image.image import Image
from spinetools.image.space import FloatArray
from spinetools.labels import Structure, code_of, colour_of_structure
from spinetools.optional import require

logger = logging.getLogger(__name__)

#: NIfTI's world (right, anterior, superior) to DICOM's (left, posterior, superior).
LPS_FROM_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
#: Our series get the number of theirs plus this, far from what scanners count to.
SERIES_OFFSET = 5000
#: Fractional values are stored in a byte.
MOST = 255

_NEEDED = (
    "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "SeriesNumber",
    "FrameOfReferenceUID", "Modality", "Rows", "Columns", "NumberOfFrames", "InstanceNumber",
    "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness",
    "SpacingBetweenSlices", "DimensionOrganizationSequence", "DimensionIndexSequence",
)  # fmt: skip
_NEEDED_GROUPS = (
    "PixelMeasuresSequence", "PlanePositionSequence", "PlaneOrientationSequence",
    "FrameContentSequence",
)  # fmt: skip
_PATIENT = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID",
    "StudyDate", "StudyTime", "ReferringPhysicianName",
)  # fmt: skip
#: Of what is copied with the patient, what an archive shows of the study besides.
_STUDY = ("StudyDescription", "PatientAge", "IssuerOfPatientID", "SpecificCharacterSet")

_FAMILIES = {
    "st_propseg": ("123111", "Deformable Models"),
    "st_deepseg_sc": ("123110", "Artificial Intelligence"),
    "st_label_vertebrae": ("123110", "Artificial Intelligence"),
}
_OTHER_FAMILY = ("123109", "Manual Processing")


@dataclass(frozen=True)
class Maker:
    """Who made the labels: a command and its version; None where that is not known."""

    name: str | None = None
    version: str = __version__


def write_segmentation(
    path: str | os.PathLike[str],
    labels: Image,
    names: Mapping[int, Structure],
    source: Sequence[Any],
    maker: Maker | None = None,
    keep_patient: bool = False,
) -> Path:
    """Write labels as a DICOM Segmentation over the series that they come from.

    Label maps become a binary segmentation with a segment a structure; an image of probabilities
    a fractional one. Segments have the structure's name, its code (SNOMED CT, from DICOM's context
    groups 7603 and 7604 where the structure is in them) and the colour that it has everywhere.

    Parameters
    ----------
    path
        Must end with ``.dcm``.
    labels
        On any grid in the scanner's space with axes at right angles.
    names
        What each value stands for; for probabilities, one structure by any value.
    source
        Headers of the series, as :func:`spinetools.image.dicom.convert.source_files` gives them.
    maker
        What made the labels.
    keep_patient
        Copy the patient's name, id, birth date and the study's data, so that an archive files the
        segmentation with the images.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    InputError
        When a value has no name, nothing is labelled, the grid is sheared, or the labels do not
        lie within the series.
    MissingExtra
        When highdicom is not installed.
    """
    path = Path(path)
    if path.suffix.lower() != ".dcm":
        raise InputError(f"cannot save {path}: the name of a DICOM file must end with .dcm")
    soft = labels.data.dtype.kind == "f" and not np.array_equal(labels.data, np.rint(labels.data))
    values, numbered = _segments(labels, names, soft)
    if not labels.space.is_orthogonal:
        raise InputError(f"{labels.name} is on a sheared grid, which DICOM does not know; resample")
    hd = require("highdicom", EXTRA)
    headers, frames = _geometry(source, keep_patient)
    _check_inside(labels, headers[0], frames)
    array, affine = _turned(numbered, labels.space.affine, frames[0].orientation)
    structures = [names[value] for value in values]
    with quiet():
        try:
            dataset = _dataset(hd, headers, array, affine, structures, maker or Maker())
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            raise InputError(
                f"highdicom cannot write a segmentation over this series ({type(error).__name__}); "
                "export the series again"
            ) from error
        if keep_patient:
            for name in _STUDY:
                if name in source[0]:
                    dataset[name] = source[0][name]
        with atomic_path(path) as temporary:
            dataset.save_as(temporary)
    return path


def _dataset(
    hd: Any, headers: Sequence[Any], array: npt.NDArray[Any], affine: FloatArray,
    structures: Sequence[Structure], maker: Maker,
) -> Any:  # fmt: skip
    """Make the object: segments numbered from 1, or probabilities of one structure."""
    soft = array.dtype.kind == "f"
    volume = hd.Volume(
        array[..., None] if soft else array, affine, "PATIENT",
        frame_of_reference_uid=str(headers[0].FrameOfReferenceUID),
        channels={"SegmentNumber": [1]} if soft else None,
    )  # fmt: skip
    number = int(headers[0].get("SeriesNumber") or 0) % SERIES_OFFSET
    return hd.seg.Segmentation(
        source_images=headers,
        pixel_array=volume,
        segmentation_type="FRACTIONAL" if soft else "BINARY",
        segment_descriptions=[
            _description(hd, place, structure, maker)
            for place, structure in enumerate(structures, 1)
        ],
        series_instance_uid=hd.UID(),
        series_number=SERIES_OFFSET + number,
        sop_instance_uid=hd.UID(),
        instance_number=1,
        manufacturer="spinetools",
        manufacturer_model_name=maker.name or "spinetools",
        software_versions=__version__,
        device_serial_number="n/a",
        max_fractional_value=MOST,
        content_label="SPINE",
        series_description=f"spinetools: {_listed([one.name for one in structures])}",
    )


def _geometry(source: Sequence[Any], keep_patient: bool) -> tuple[list[Any], list[Frame]]:
    """Return what is needed of a series' headers, and where its images lie."""
    try:
        headers = [_stripped(header, keep_patient) for header in source]
        frames = [frame for header in headers for frame in frames_of(header)]
    except InputError:
        raise
    except DAMAGED:
        raise InputError("the series has a damaged file; export it again") from None
    if not frames or not spacing_in_plane(headers[0]):
        raise InputError("the series does not say where its slices lie, or how large a voxel is")
    return headers, frames


def _segments(
    labels: Image, names: Mapping[int, Structure], soft: bool
) -> tuple[list[int], npt.NDArray[Any]]:
    """Return the values that occur, and the voxels with these numbered from 1 (or soft values)."""
    if soft:
        data = labels.data
        if data.min() < 0 or data.max() > 1:
            raise InputError(
                f"{labels.name} has values {data.min():g} to {data.max():g}, expected whole "
                "numbers, or probabilities from 0 to 1"
            )
        if len(names) != 1:
            raise InputError(f"{labels.name} holds probabilities, of one structure; say which")
        return [next(iter(names))], data.astype(np.float32)
    found = np.unique(labels.data)
    values = [int(value) for value in found if value != 0]
    if not values:
        raise InputError(f"{labels.name} is empty: it has no labels")
    unnamed = [str(value) for value in values if value not in names]
    if unnamed:
        raise InputError(f"{labels.name} has values without a name: {', '.join(unnamed[:8])}")
    numbers = np.zeros(len(found), dtype=np.uint8 if len(values) < 256 else np.uint16)
    numbers[found != 0] = np.arange(1, len(values) + 1)
    return values, numbers[np.searchsorted(found, labels.data)]


def _turned(
    array: npt.NDArray[Any], affine: FloatArray, orientation: Sequence[float]
) -> tuple[npt.NDArray[Any], FloatArray]:
    """Turn axes so that the array is (slices, rows, columns), as near as may be to the series'.

    Axes are exchanged and reversed only: no voxel is changed.
    """
    lps = LPS_FROM_RAS @ affine
    ways = lps[:3, :3] / np.linalg.norm(lps[:3, :3], axis=0)
    wanted = np.stack([normal_of(orientation), orientation[3:], orientation[:3]])
    likeness = wanted @ ways
    order: list[int] = []
    for row in np.abs(likeness):
        order.append(next(int(axis) for axis in np.argsort(-row) if axis not in order))
    move = np.zeros((4, 4))
    move[3, 3] = 1
    array = array.transpose(order)
    for new, old in enumerate(order):
        back = likeness[new, old] < 0
        move[old, new] = -1 if back else 1
        move[old, 3] = array.shape[new] - 1 if back else 0
        array = np.flip(array, new) if back else array
    turned: FloatArray = lps @ move
    return np.ascontiguousarray(array), turned


def _check_inside(labels: Image, header: Any, frames: Sequence[Any]) -> None:
    """Raise where no labelled voxel lies within the series: then it is another one."""
    orientation = np.asarray(frames[0].orientation)
    places = places_along_normal(frames)
    rows_mm, columns_mm = spacing_in_plane(header)
    step = float(np.median(np.diff(places))) if len(places) > 1 else 5.0
    world = labels.space.to_world(np.argwhere(labels.data != 0)) @ LPS_FROM_RAS[:3, :3]
    off = world - np.asarray(frames[0].position)
    along = world @ normal_of(frames[0].orientation)
    columns, rows = off @ orientation[:3] / columns_mm, off @ orientation[3:] / rows_mm
    inside = (
        (along > places[0] - step) & (along < places[-1] + step)
        & (columns > -1) & (columns < int(header.Columns))
        & (rows > -1) & (rows < int(header.Rows))
    )  # fmt: skip
    if not inside.any():
        raise InputError(
            f"{labels.name} lies outside the DICOM series; give the series that it comes from"
        )
    if not inside.all():
        share = 100 * float(1 - inside.mean())
        logger.warning("%.3g %% of the labelled voxels lie outside the DICOM series", share)


def _stripped(header: Any, keep_patient: bool) -> Any:
    """Return a header with the geometry and the UIDs; the patient's data blank unless wanted."""
    pydicom = require("pydicom", EXTRA)
    result = pydicom.Dataset()
    for name in _NEEDED:
        if name in header:
            result[name] = copy.deepcopy(header[name])
    missing = [name for name in ("StudyInstanceUID", "SOPInstanceUID") if name not in result]
    if missing:
        raise InputError(f"a file of the series has no {missing[0]}; export the series again")
    if "FrameOfReferenceUID" not in result:
        result.FrameOfReferenceUID = result.SeriesInstanceUID
    for name in _PATIENT:
        setattr(result, name, copy.deepcopy(header.get(name, "")) if keep_patient else "")
    result.PositionReferenceIndicator = ""
    for name in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        if name in header:
            groups = [_geometry_of(pydicom, group) for group in header[name].value]
            setattr(result, name, pydicom.Sequence(groups))
    result.file_meta = copy.deepcopy(getattr(header, "file_meta", None))
    return result


def _geometry_of(pydicom: Any, group: Any) -> Any:
    result = pydicom.Dataset()
    for name in _NEEDED_GROUPS:
        if name in group:
            result[name] = copy.deepcopy(group[name])
            for item in result[name].value:
                for field in (
                    "FrameAcquisitionDateTime",
                    "FrameReferenceDateTime",
                    "FrameComments",
                ):
                    if field in item:
                        del item[field]
    return result


def _description(hd: Any, number: int, structure: Structure, maker: Maker) -> Any:
    """Describe a segment: name, codes, colour, algorithm."""
    code = hd.sr.CodedConcept
    designator, value, meaning = code_of(structure)
    family, family_meaning = _FAMILIES.get(maker.name or "", _OTHER_FAMILY)
    red, green, blue = (round(255 * part) for part in colour_of_structure(structure))
    return hd.seg.SegmentDescription(
        segment_number=number,
        segment_label=structure.name,
        segmented_property_category=code("91723000", "SCT", "Anatomical Structure"),
        segmented_property_type=code(value, designator, meaning),
        algorithm_type="SEMIAUTOMATIC" if maker.name is None else "AUTOMATIC",
        algorithm_identification=hd.AlgorithmIdentificationSequence(
            name=maker.name or "not recorded",
            version=maker.version,
            family=code(family, "DCM", family_meaning),
            source="spinetools",
        ),
        tracking_id=structure.name,
        tracking_uid=hd.UID(),
        display_color=hd.color.CIELabColor.from_rgb(red, green, blue),
    )


def _listed(names: Sequence[str]) -> str:
    text = ", ".join(names)
    return text if len(text) <= 48 else f"{len(names)} structures"
