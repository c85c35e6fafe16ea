"""Label maps as DICOM Segmentations, read back by highdicom and pydicom."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
import pytest
from dicom_maker import Study
from pydicom.sr.codedict import codes
from scipy.spatial import cKDTree

from spinetools.errors import InputError, MissingExtra
from spinetools.image import Image, Space, load_volume, resample_to_spacing
from spinetools.image.dicom.convert import source_files
from spinetools.image.dicom.seg import Maker, write_segmentation
from spinetools.labels import code_of, colour_of_structure, numbering, structures
from spinetools.phantom import Phantom

Phantoms = Callable[[str], Phantom]
NAMES = numbering("totalspineseg")
CORD = next(row for row in structures() if row.name == "spinal_cord")
TOLERANCE_MM = 1e-3


@pytest.fixture
def study(tmp_path: Path, phantom: Phantoms) -> Callable[..., tuple[Path, Image]]:
    """``study(plane, enhanced)``: a series, and the phantom's labels on the image made of it."""

    def make(plane: str = "sagittal", enhanced: bool = False) -> tuple[Path, Image]:
        one = phantom(plane)
        scan = Study(tmp_path / f"study_{plane}")
        add = scan.add_enhanced if enhanced else scan.add
        add(np.rint(one.image.data), one.space.affine, 4)
        image = load_volume(scan.folder)
        labels = one.structures.reorient(image.space.nib_codes)
        assert labels.space.same_as(image.space)
        return scan.folder, image.like(labels.data)

    return make


def places(segments: hd.seg.Segmentation, number: int) -> np.ndarray:
    """World places (NIfTI's, mm) of a segment's voxels."""
    volume = segments.get_volume(combine_segments=True)
    indices = np.argwhere(volume.array == number)
    lps = indices @ volume.affine[:3, :3].T + volume.affine[:3, 3]
    return lps * [-1, -1, 1]


@pytest.mark.parametrize("plane", ["sagittal", "axial", "coronal"])
@pytest.mark.parametrize("enhanced", [False, True])
def test_segments_overlay_the_same_voxels(
    plane: str, enhanced: bool, study: Callable[..., tuple[Path, Image]], tmp_path: Path
) -> None:
    source, labels = study(plane, enhanced)
    path = write_segmentation(tmp_path / "s.dcm", labels, NAMES, source_files(source))
    segments = hd.seg.segread(path)
    values = [int(value) for value in np.unique(labels.data) if value]
    assert len(values) >= 8
    assert [one.SegmentLabel for one in segments.SegmentSequence] == [
        NAMES[value].name for value in values
    ]
    for number, value in enumerate(values, 1):
        there = labels.space.to_world(np.argwhere(labels.data == value))
        back = places(segments, number)
        assert len(back) == len(there)
        assert cKDTree(back).query(there)[0].max() < TOLERANCE_MM


def test_frames_name_the_slices_that_they_lie_on(
    study: Callable[..., tuple[Path, Image]], tmp_path: Path
) -> None:
    source, labels = study()
    path = write_segmentation(tmp_path / "s.dcm", labels, NAMES, source_files(source))
    dataset = pydicom.dcmread(path)
    where = {
        str(header.SOPInstanceUID): np.array(header.ImagePositionPatient, dtype=float)
        for header in source_files(source)
    }
    for frame in dataset.PerFrameFunctionalGroupsSequence:
        image = frame.DerivationImageSequence[0].SourceImageSequence[0]
        at = np.array(frame.PlanePositionSequence[0].ImagePositionPatient, dtype=float)
        # frames are cut to the labels in depth, never in the plane
        np.testing.assert_allclose(at, where[str(image.ReferencedSOPInstanceUID)], atol=1e-4)
    first = source_files(source)[0]
    assert dataset.FrameOfReferenceUID == first.FrameOfReferenceUID
    assert dataset.StudyInstanceUID == first.StudyInstanceUID
    assert dataset.ReferencedSeriesSequence[0].SeriesInstanceUID == first.SeriesInstanceUID
    assert (dataset.SeriesNumber, dataset.Modality) == (5004, "SEG")
    assert (dataset.Rows, dataset.Columns) == (first.Rows, first.Columns)


def test_names_codes_colours_and_maker(
    study: Callable[..., tuple[Path, Image]], tmp_path: Path
) -> None:
    source, labels = study()
    path = write_segmentation(
        tmp_path / "s.dcm", labels, NAMES, source_files(source), Maker("st_label_vertebrae", "9.9")
    )
    segments = {one.SegmentLabel: one for one in pydicom.dcmread(path).SegmentSequence}
    expected = {
        "vertebrae_T1": codes.cid7603.T1Vertebra,
        "disc_C7_T1": codes.cid7604.C7T1Disc,
        "spinal_cord": codes.SCT.SpinalCord,
    }
    for name, code in expected.items():
        one = segments[name]
        kind = one.SegmentedPropertyTypeCodeSequence[0]
        assert (kind.CodeValue, kind.CodingSchemeDesignator) == (code.value, "SCT")
        category = one.SegmentedPropertyCategoryCodeSequence[0].CodeValue
        assert category == codes.cid7150.AnatomicalStructure.value
        assert (one.SegmentAlgorithmType, one.SegmentAlgorithmName) == (
            "AUTOMATIC", "st_label_vertebrae"
        )  # fmt: skip
        algorithm = one.SegmentationAlgorithmIdentificationSequence[0]
        assert algorithm.AlgorithmVersion == "9.9"
        assert algorithm.AlgorithmFamilyCodeSequence[0].CodeMeaning == "Artificial Intelligence"
    for structure in structures():
        if structure.name in segments:
            lab = hd.color.CIELabColor.from_dicom_value(
                segments[structure.name].RecommendedDisplayCIELabValue
            )
            shown = np.array(lab.to_rgb()) / 255
            assert np.abs(shown - colour_of_structure(structure)).max() < 0.02, structure.name


def test_the_codes_are_those_of_the_standard() -> None:
    vertebrae = {code.meaning: code for name in codes.cid7603.dir()
                 for code in [getattr(codes.cid7603, name)]}  # fmt: skip
    discs = {code.meaning: code for name in codes.cid7604.dir()
             for code in [getattr(codes.cid7604, name)]}  # fmt: skip
    listed = {**vertebrae, **discs}
    found = 0
    for row in structures():
        designator, value, meaning = code_of(row)
        assert designator == "SCT"
        assert value.isdigit()
        if row.kind == "vertebra" and row.name not in ("sacrum", "vertebrae_T13", "vertebrae_L6"):
            assert meaning == f"{row.level} vertebra"
        if meaning in listed:
            assert value == listed[meaning].value
            found += 1
        else:
            assert row.name in (
                "sacrum", "spinal_cord", "spinal_canal", "vertebrae_T13", "vertebrae_L6",
                "disc_T12_T13", "disc_T13_L1", "disc_L5_L6", "disc_L6_S", "disc_L4_S",
            ), row.name  # fmt: skip
    assert found == len(listed) == 47


def test_any_grid_in_the_scanners_space(
    study: Callable[..., tuple[Path, Image]], tmp_path: Path
) -> None:
    source, labels = study()
    finer = resample_to_spacing(labels, (1.0, 1.2, 2.0), "nn").reorient(("P", "I", "R"))
    path = write_segmentation(tmp_path / "s.dcm", finer, NAMES, source_files(source))
    segments = hd.seg.segread(path)
    value = 200
    number = [one.SegmentLabel for one in segments.SegmentSequence].index("spinal_cord") + 1
    there = finer.space.to_world(np.argwhere(finer.data == value))
    back = places(segments, number)
    assert len(back) == len(there)
    assert cKDTree(back).query(there)[0].max() < TOLERANCE_MM


def test_probabilities_become_fractions(
    study: Callable[..., tuple[Path, Image]], phantom: Phantoms, tmp_path: Path
) -> None:
    source, labels = study()
    soft = phantom("sagittal").cord_soft.reorient(labels.space.nib_codes)
    soft = labels.like(soft.data.astype(np.float32))
    path = write_segmentation(tmp_path / "s.dcm", soft, {1: CORD}, source_files(source))
    assert pydicom.dcmread(path).SegmentationType == "FRACTIONAL"
    volume = hd.seg.segread(path).get_volume()
    lps = np.argwhere(volume.array[..., 0] > 0) @ volume.affine[:3, :3].T + volume.affine[:3, 3]
    at = tuple(np.rint(soft.space.to_voxel(lps * [-1, -1, 1])).astype(int).T)
    np.testing.assert_allclose(
        volume.array[..., 0][volume.array[..., 0] > 0], soft.data[at], atol=0.5 / 255 + 1e-6
    )
    with pytest.raises(InputError, match="probabilities, of one structure"):
        write_segmentation(tmp_path / "t.dcm", soft, NAMES, source_files(source))
    with pytest.raises(InputError, match="expected whole numbers, or probabilities"):
        write_segmentation(
            tmp_path / "t.dcm", soft.like(soft.data * 3), {1: CORD}, source_files(source)
        )


def test_what_cannot_be_written(
    study: Callable[..., tuple[Path, Image]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, labels = study()
    headers = source_files(source)
    out = tmp_path / "out" / "s.dcm"

    def refused(labels: Image, message: str, path: Path = out) -> None:
        with pytest.raises(InputError, match=message):
            write_segmentation(path, labels, NAMES, headers)
        assert not out.parent.exists()

    refused(labels, "must end with .dcm", out.with_suffix(".nii"))
    refused(labels.like(np.zeros_like(labels.data)), "is empty: it has no labels")
    refused(labels.like((labels.data > 0) * np.uint8(250)), "values without a name: 250")
    refused(labels.like(labels.data.astype(np.int16) * -1), "values without a name: -")
    elsewhere = labels.space.affine.copy()
    elsewhere[:3, 3] += 900
    far = Image(labels.data, replace(labels.space, affine=elsewhere))
    refused(far, "lies outside the DICOM series")
    sheared = labels.space.affine.copy()
    sheared[:3, 0] += 0.2 * sheared[:3, 1]
    refused(Image(labels.data, Space(labels.space.shape, sheared)), "sheared grid")
    monkeypatch.setitem(sys.modules, "highdicom", None)
    with pytest.raises(MissingExtra, match=r"highdicom is not installed.*spinetools\[dicom\]"):
        write_segmentation(out, labels, NAMES, headers)


def test_labels_that_reach_beyond_the_series_are_said(
    study: Callable[..., tuple[Path, Image]], tmp_path: Path, messages: Callable[[], str]
) -> None:
    source, labels = study()
    grown = labels.pad((6, 6, 0), (6, 6, 0))
    data = grown.data.copy()
    data[0, 0, :3] = 200
    path = write_segmentation(tmp_path / "s.dcm", grown.like(data), NAMES, source_files(source))
    assert path.exists()
    assert "% of the labelled voxels lie outside the DICOM series" in messages()


def test_a_segmentation_is_no_image_series(
    study: Callable[..., tuple[Path, Image]], tmp_path: Path
) -> None:
    source, labels = study()
    write_segmentation(source / "s.dcm", labels, NAMES, source_files(source))
    assert load_volume(source).space.same_as(labels.space)
