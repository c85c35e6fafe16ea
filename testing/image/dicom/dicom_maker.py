"""DICOM series as a scanner writes them, from volumes whose places are known."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence as DicomSequence
from pydicom.uid import (
    CTImageStorage,
    EnhancedMRImageStorage,
    ExplicitVRLittleEndian,
    MRImageStorage,
    SecondaryCaptureImageStorage,
    generate_uid,
)
from pydicom.valuerep import DSfloat

#: Nobody's: no output may hold any part of it.
NAME, PATIENT_ID, BIRTH = "Quixano^Alonso^Don", "LaMancha-1605", "15470929"
SECRETS = ("quixano", "alonso", "lamancha", "1605", BIRTH, "cervantes", "20210304", "Toboso")

#: Echo and repetition times (ms) and scanning sequence by contrast.
TIMING = {
    "t1": (10, 600, "SE"),
    "t2": (100, 3500, "SE"),
    "t2s": (18, 500, "GR"),
    "": (15, 3000, "SE"),
}
LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


class Study:
    """Series of one patient and day, written into a folder.

    Parameters
    ----------
    folder
        Where.
    modality
        MR or CT.
    """

    def __init__(self, folder: Path, modality: str = "MR") -> None:
        self.folder, self.modality = folder, modality
        self.uid, self.frame_of_reference = generate_uid(), generate_uid()
        folder.mkdir(parents=True, exist_ok=True)

    def add(
        self,
        array: np.ndarray,
        affine: np.ndarray,
        number: int,
        description: str = "t2_tse",
        contrast: str = "t2",
        image_type: tuple[str, ...] = ("ORIGINAL", "PRIMARY", "M", "ND"),
        uid: str | None = None,
        first: int = 1,
        **fields: Any,
    ) -> str:
        """Write a series with a file a slice: axis 0 along rows, axis 1 down, axis 2 slices.

        ``affine`` is NIfTI's (RAS). A 4D array has repetitions last. Returns the series' UID.
        """
        uid = uid or generate_uid()
        volumes = array if array.ndim == 4 else array[..., None]
        place = first
        for time in range(volumes.shape[3]):
            for k in range(volumes.shape[2]):
                header = self._header(number, description, contrast, image_type, uid, place)
                place_slice(header, affine, k)
                header.AcquisitionNumber = time + 1
                header.TemporalPositionIdentifier = time + 1
                set_pixels(header, volumes[:, :, k, time].T)
                for name, value in fields.items():
                    setattr(header, name, value)
                self._write(header, f"{number:03d}_{uid[-6:]}_{place:04d}")
                place += 1
        return uid

    def add_enhanced(
        self, array: np.ndarray, affine: np.ndarray, number: int, description: str = "t2_enhanced"
    ) -> str:
        """Write a series as one enhanced multi-frame file."""
        uid = generate_uid()
        types = ("ORIGINAL", "PRIMARY", "VOLUME", "NONE")
        header = self._header(number, description, "t2", types, uid, 1, EnhancedMRImageStorage)
        for name in ("EchoTime", "RepetitionTime", "ScanningSequence", "SequenceVariant"):
            delattr(header, name)
        set_pixels(header, np.moveaxis(array, 2, 0).transpose(0, 2, 1))
        header.NumberOfFrames = array.shape[2]
        header.EchoPulseSequence = "SPIN"
        whole = place_slice(Dataset(), affine, 0)
        shared, measures, plane = Dataset(), Dataset(), Dataset()
        measures.PixelSpacing, measures.SliceThickness = whole.PixelSpacing, whole.SliceThickness
        measures.SpacingBetweenSlices = whole.SpacingBetweenSlices
        plane.ImageOrientationPatient = whole.ImageOrientationPatient
        shared.PixelMeasuresSequence = DicomSequence([measures])
        shared.PlaneOrientationSequence = DicomSequence([plane])
        header.SharedFunctionalGroupsSequence = DicomSequence([shared])
        frames = []
        for k in range(array.shape[2]):
            frame, content, position = Dataset(), Dataset(), Dataset()
            content.StackID, content.InStackPositionNumber = "1", k + 1
            content.DimensionIndexValues = [1, k + 1]
            position.ImagePositionPatient = place_slice(Dataset(), affine, k).ImagePositionPatient
            frame.FrameContentSequence = DicomSequence([content])
            frame.PlanePositionSequence = DicomSequence([position])
            frames.append(frame)
        header.PerFrameFunctionalGroupsSequence = DicomSequence(frames)
        self._write(header, f"{number:03d}_enhanced")
        return uid

    def add_screenshot(self, number: int) -> None:
        """Write a picture of the screen: no place in space."""
        header = self._header(number, "screen", "", ("DERIVED", "SECONDARY"), generate_uid(), 1,
                              SecondaryCaptureImageStorage)  # fmt: skip
        header.Modality, header.ConversionType = "OT", "WSD"
        set_pixels(header, np.ones((32, 32), np.uint16))
        self._write(header, f"{number:03d}_screen")

    def _header(
        self, number: int, description: str, contrast: str, image_type: tuple[str, ...], uid: str,
        place: int, kind: str | None = None,
    ) -> FileDataset:  # fmt: skip
        meta = FileMetaDataset()
        kind = kind or (MRImageStorage if self.modality == "MR" else CTImageStorage)
        meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = kind, generate_uid()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        header = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
        header.SOPClassUID, header.SOPInstanceUID = kind, meta.MediaStorageSOPInstanceUID
        header.StudyInstanceUID, header.SeriesInstanceUID = self.uid, uid
        header.FrameOfReferenceUID = self.frame_of_reference
        header.PatientName, header.PatientID, header.PatientBirthDate = NAME, PATIENT_ID, BIRTH
        header.PatientSex, header.PatientAge, header.PatientWeight = "M", "050Y", 70
        header.OtherPatientIDs, header.PatientAddress = "LaMancha-1615", "El Toboso"
        header.StudyDate = header.SeriesDate = header.AcquisitionDate = "20210304"
        header.ContentDate = "20210304"
        header.StudyTime = header.SeriesTime = header.AcquisitionTime = "101112"
        header.ContentTime = "101112"
        header.AccessionNumber, header.StudyID = "A1605", "1605"
        header.ReferringPhysicianName = header.OperatorsName = "Cervantes^Miguel"
        header.InstitutionName, header.StudyDescription = "Toboso", f"spine of {NAME}"
        header.Manufacturer, header.ManufacturerModelName = "SIEMENS", "Prisma"
        header.Modality, header.BodyPartExamined = self.modality, "SPINE"
        header.PositionReferenceIndicator, header.PatientPosition = "", "HFS"
        header.SeriesNumber, header.InstanceNumber = number, place
        header.SeriesDescription = header.ProtocolName = description
        header.ImageType = list(image_type)
        echo, repetition, sequence = TIMING[contrast]
        if self.modality == "MR":
            header.EchoTime, header.RepetitionTime = echo, repetition
            header.ScanningSequence, header.SequenceVariant = sequence, "SK"
            header.MRAcquisitionType, header.FlipAngle = "2D", 150
            header.MagneticFieldStrength, header.ScanOptions = 3, ""
            header.EchoTrainLength = 1
        else:
            header.KVP, header.RescaleIntercept, header.RescaleSlope = 120, -1024, 1
        return header

    def _write(self, header: FileDataset, name: str) -> None:
        # exports are named after the patient; no output may show it
        header.save_as(self.folder / f"Quixano_{name}.dcm", enforce_file_format=True)


def place_slice(header: Any, affine: np.ndarray, k: int) -> Any:
    """Set where slice k of a volume lies."""
    lps = LPS @ affine
    sizes = np.linalg.norm(lps[:3, :3], axis=0)
    ways = lps[:3, :3] / sizes
    corner = lps @ [0, 0, k, 1]
    header.ImageOrientationPatient = decimals([*ways[:, 0], *ways[:, 1]])
    header.ImagePositionPatient = decimals(corner[:3])
    header.PixelSpacing = decimals([sizes[1], sizes[0]])
    header.SliceThickness = decimals([sizes[2]])[0]
    header.SpacingBetweenSlices = decimals([sizes[2]])[0]
    return header


def set_pixels(header: Any, pixels: np.ndarray) -> None:
    """Set 16-bit grey values: rows, columns; with frames first for several."""
    header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
    header.Rows, header.Columns = pixels.shape[-2:]
    header.BitsAllocated, header.BitsStored, header.HighBit = 16, 16, 15
    header.PixelRepresentation = 0
    header.PixelData = np.ascontiguousarray(pixels.astype(np.uint16)).tobytes()


def decimals(values: Any) -> list[DSfloat]:
    """Return numbers as DICOM's decimal strings of up to 16 characters."""
    return [DSfloat(float(value), auto_format=True) for value in values]


def zipped(folder: Path, path: Path) -> Path:
    """Put a folder into a zip."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, Path("export", file.relative_to(folder)))
    return path
