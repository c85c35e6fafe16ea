"""A DICOM series as an Image, converted by dcm2niix.

dcm2niix is run on copies, under names of our own, of the files of one series; what it says is not
shown, and of the header that it writes only the geometry and the timing stay: its text fields
hold times of day, and may hold more.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from spinetools.errors import InputError
from spinetools.image.dicom.choose import choose, describe, handle
from spinetools.image.dicom.files import DicomFiles
from spinetools.image.dicom.series import (
    DAMAGED,
    EXTRA,
    Frame,
    Series,
    find_series,
    frames_of,
    places_along_normal,
    quiet,
)
from spinetools.image.dicom.weighting import words_of
from spinetools.image.header import affine_of
from spinetools.image.image import Image
from spinetools.image.nifti import open_voxels, read_header, read_voxels
from spinetools.image.space import Space
from spinetools.optional import require
from spinetools.series import SEPARATOR, note_taken, series_name, series_path

logger = logging.getLogger(__name__)

#: dcm2niix takes seconds; a file that makes it go round in circles does not hang a batch.
LIMIT_S = 900
#: What a series' timing can tell.
CONTRASTS = ("t1", "t2", "t2s", "dwi")
#: Slices further from even steps than this share of a step do not fit a grid: slices are missing.
UNEVEN = 0.05
#: What is kept of dcm2niix's account of a scan; nothing of it tells who, where or when.
KEPT_FIELDS = (
    "Modality", "MagneticFieldStrength", "Manufacturer", "ManufacturersModelName",
    "MRAcquisitionType", "ScanningSequence", "SequenceVariant", "ScanOptions", "EchoTime",
    "RepetitionTime", "InversionTime", "FlipAngle", "SliceThickness", "SpacingBetweenSlices",
    "PixelBandwidth", "EchoTrainLength", "ConversionSoftware", "ConversionSoftwareVersion",
)  # fmt: skip


@dataclass(frozen=True)
class Taken:
    """A series that was taken.

    Attributes
    ----------
    image
        On the grid of the scanner.
    series
        What it is.
    record
        How it was scanned, in BIDS' words.
    """

    image: Image
    series: Series
    record: Mapping[str, Any]


def load_series(path: str | os.PathLike[str], contrast: str | None = None) -> Taken:
    """Load a series of a DICOM folder or zip.

    Which one is taken is said in a message.

    Parameters
    ----------
    path
        A folder, a zip or a file, with ``#number``, ``#description`` or ``#UID`` behind it, or not.
    contrast
        What ``-c`` says, where several series may be meant.

    Raises
    ------
    InputError
        When it is not DICOM, when it is not clear which series is meant (all are listed in
        messages), when slices are missing, or when dcm2niix cannot convert it.
    MissingExtra
        When pydicom or dcm2niix is not installed.
    OutputError
        When the disk for temporary files is too small.
    """
    given = os.fspath(path)
    parts = series_path(path)
    if parts is None:
        raise InputError(f"{given} is no DICOM folder or zip; check the path")
    with DicomFiles(parts.path) as files:
        series = find_series(files)
        one, part, reason = choose(series, parts.series, contrast, given)
        taken = f"{parts.path}{SEPARATOR}{handle(one, series)}"
        with tempfile.TemporaryDirectory(prefix="spinetools-") as temporary:
            source, target = Path(temporary, "dicom"), Path(temporary, "nifti")
            source.mkdir()
            target.mkdir()
            _check_places(files.copy(list(one.files), source), taken)
            _run_dcm2niix(source, target, taken)
            file, number = _pick(target, part, taken)
            image = _opened(file, Path(taken if number is None else f"{taken}.{number}"))
            record = _record(file, one)
    if parts.series is None:
        logger.info(
            "%s: series %s taken (%s): %s", given, handle(one, series), reason, describe(one)
        )
    if contrast in CONTRASTS and one.contrast not in ("", contrast):
        logger.warning(
            "%s: the timing of the scan is that of %s, but -c says %s",
            image.name, one.contrast, contrast,
        )  # fmt: skip
    _warn_of_name(parts.path, one)
    note_taken(path, image.name)
    return Taken(image, one, record)


def source_files(path: str | os.PathLike[str], contrast: str | None = None) -> tuple[Any, ...]:
    """Return the headers (pydicom, without pixels) of the series that :func:`load_series` takes."""
    parts = series_path(path)
    if parts is None:
        raise InputError(f"{os.fspath(path)} is no DICOM folder or zip; check the path")
    with DicomFiles(parts.path) as files:
        one, _, _ = choose(find_series(files), parts.series, contrast, os.fspath(path))
        pydicom = require("pydicom", EXTRA)
        headers = []
        with quiet():
            for number in one.files:
                with files.open(number) as stream:
                    headers.append(_read(pydicom, stream, f"{parts.path}"))
    return tuple(headers)


# -- converting --------------------------------------------------------------------------------


def _run_dcm2niix(source: Path, target: Path, name: str) -> None:
    program = require("dcm2niix", EXTRA).bin
    # -g i: the user's defaults file would change what comes out
    command = [
        program, "-g", "i", "-b", "y", "-ba", "y", "-z", "n", "-f", "image", "-d", "0",
        "-o", str(target), str(source),
    ]  # fmt: skip
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, timeout=LIMIT_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise InputError(f"{name}: dcm2niix did not end in {LIMIT_S // 60} minutes") from None
    except OSError as error:
        raise InputError(
            f"{name}: dcm2niix cannot be run ({(error.strerror or 'unknown').lower()}); install it "
            "again: pip install --force-reinstall dcm2niix"
        ) from error
    if not list(target.glob("*.nii")):
        raise InputError(
            f"{name} cannot be converted: dcm2niix made no image of it (its exit code is "
            f"{done.returncode}); look at it with another program"
        )


def _pick(folder: Path, part: int | None, name: str) -> tuple[Path, int | None]:
    """Choose among the images that a series gave: the one asked for, or the only one.

    Returns
    -------
    file, number
        The number counts from 1; None where there is one only.
    """
    images = _images(folder)
    if part is not None and not 1 <= part <= len(images):
        raise InputError(
            f"{name} gives {len(images)} image{'' if len(images) == 1 else 's'}: there is no "
            f"{name}.{part}"
        )
    if part is not None or len(images) == 1:
        number = part or 1
        return images[number - 1], number if len(images) > 1 else None
    magnitudes = [file for file in images if not _is_phase(file)]
    if len(magnitudes) == 1:
        logger.info("%s: its magnitude is taken, not its phase", name)
        return magnitudes[0], images.index(magnitudes[0]) + 1
    logger.info("images in %s:", name)
    for number, file in enumerate(images, 1):
        logger.info("  %s.%d  %s", name, number, _describe_file(file))
    raise InputError(
        f"{name} gives {len(images)} images (listed above): several echoes or directions; say "
        f"which, like {name}.1"
    )


def _images(folder: Path) -> list[Path]:
    """Return the images in the order of their echoes; of a tilted gantry, the straightened one."""
    images = list(folder.glob("*.nii"))
    straight = [file for file in images if "_Tilt" in file.stem]
    even = [file for file in images if "_Eq" not in file.stem]

    def order(file: Path) -> tuple[float, str]:
        echo = _account(file).get("EchoTime")
        return (float(echo) if isinstance(echo, int | float) else 0.0, file.name)

    return sorted(straight or even or images, key=order)


def _account(file: Path) -> dict[str, Any]:
    """Return what dcm2niix says of an image."""
    try:
        content = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _is_phase(file: Path) -> bool:
    kind = set(words_of(_account(file).get("ImageType")))
    return bool(kind & {"P", "PHASE"}) or file.stem.endswith(("_ph", "_imaginary", "_real"))


def _describe_file(file: Path) -> str:
    header = read_header(file)
    shape = " × ".join(str(int(n)) for n in header.get_data_shape())
    size = " × ".join(f"{float(z):.3g}" for z in header["pixdim"][1:4])
    across = str(nib.aff2axcodes(header.get_best_affine())[2])
    planes = {"R": "sagittal", "L": "sagittal", "A": "coronal", "P": "coronal"}
    slices = planes.get(across, "axial")
    echo = _account(file).get("EchoTime")
    ms = f", echo time {1000 * echo:.3g} ms" if isinstance(echo, int | float) else ""
    return f"{slices}, {shape}, {size} mm{ms}{', phase' if _is_phase(file) else ''}"


def _opened(file: Path, name: Path) -> Image:
    """Read a converted image as a whole (its file will be gone), and clean its header."""
    header = read_header(file)
    voxels = open_voxels(file, header)
    i, j, k = voxels.shape[:3]
    space = Space((i, j, k), affine_of(header, str(name)))
    data = read_voxels(voxels, str(name))
    for field in ("descrip", "aux_file", "db_name", "intent_name", "data_type"):
        header[field] = b""
    header.extensions.clear()
    return Image(data, space, header=header, path=name)


def _record(file: Path, one: Series) -> dict[str, Any]:
    account = _account(file)
    kept = {field: account[field] for field in KEPT_FIELDS if field in account}
    return {**kept, "SeriesNumber": one.number, "SeriesDescription": one.description}


# -- checks ------------------------------------------------------------------------------------


def _check_places(copies: Sequence[Path], name: str) -> None:
    """Refuse a stack with slices missing: no grid of even steps can hold it.

    Raises
    ------
    InputError
        When the steps along the normal differ.
    """
    pydicom = require("pydicom", EXTRA)
    stacks: dict[tuple[float, ...], list[Frame]] = {}
    with quiet():
        for copy in copies:
            frames = _frames_in(pydicom, copy, name)
            if frames is None:
                return
            for frame in frames:
                way = tuple(round(value, 3) for value in frame.orientation)
                stacks.setdefault(way, []).append(frame)
    for stack in stacks.values():
        steps = np.diff(places_along_normal(stack))
        if len(steps) > 1 and steps.max() - steps.min() > UNEVEN * steps.min():
            raise InputError(
                f"{name} has slices {steps.min():.4g} to {steps.max():.4g} mm apart: some are "
                "missing or were left out; export the series again"
            )


def _frames_in(pydicom: Any, file: Path, name: str) -> list[Frame] | None:
    """Return where a file's images lie; None for a mosaic, which has the place of the picture."""
    tags = [
        "ImagePositionPatient", "ImageOrientationPatient", "ImageType",
        "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence",
    ]  # fmt: skip
    header = _read(pydicom, file, name, tags)
    try:
        return None if "MOSAIC" in words_of(header.get("ImageType")) else frames_of(header)
    except DAMAGED:
        raise InputError(f"{name} has a damaged file; export the series again") from None


def _read(pydicom: Any, source: Any, name: str, tags: Sequence[str] | None = None) -> Any:
    try:
        return pydicom.dcmread(source, stop_before_pixels=True, force=True, specific_tags=tags)
    except DAMAGED:
        raise InputError(f"{name} has a damaged file; export the series again") from None


def _warn_of_name(path: Path, one: Series) -> None:
    """Warn where the input's own name says who the patient is: outputs are named after it."""
    words = f"{path}/{series_name(path)}".lower()
    if any(word in words for word in one.private if len(word) > 3):
        logger.warning(
            "the path of -i holds the patient's name or ID, and outputs record it; rename the "
            "folder or zip to keep results anonymous"
        )
