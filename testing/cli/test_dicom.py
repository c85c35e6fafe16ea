"""DICOM in the commands: each takes it, and does with it what it does with the NIfTI file."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from .conftest import Run

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "vertebrae"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "image" / "dicom"))
from coded import save_networks

_WHY = "the extra dicom is not installed"
hd = pytest.importorskip("highdicom", reason=_WHY)
pytest.importorskip("dcm2niix", reason=_WHY)
maker = pytest.importorskip("dicom_maker", reason=_WHY)

SHAPE = (48, 44, 30)
AFFINE = np.diag([-1.0, -1, 2, 1])


def cord() -> tuple[np.ndarray, np.ndarray]:
    """A T2-like cord: a grey tube in bright fluid in dark tissue."""
    x, y, z = np.indices(SHAPE)
    distance = np.hypot(x - 24 - 2 * np.sin(z / 12), (y - 22 - 0.1 * z) * 1.3)
    noise = np.random.default_rng(0).normal(0, 12, SHAPE)
    image = np.where(distance < 9.5, 620, 150 + 40 * np.sin(x / 5) * np.cos(y / 7))
    return np.where(distance < 5.5, 330, image) + noise, distance < 5.5


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A zip with a localizer, a T2 image (series 5) and its mask (series 6, as CT)."""
    folder = tmp_path_factory.mktemp("export")
    image, mask = cord()
    study = maker.Study(folder / "study")
    study.add(image[:, :, :3], AFFINE, 1, "localizer")
    study.add(image.clip(0), AFFINE, 5, "t2_tse_tra", "t2")
    study.modality = "CT"
    study.add(mask.astype(np.uint16), AFFINE, 6, "mask", RescaleIntercept=0)
    maker.zipped(study.folder, folder / "study.zip")
    shutil.rmtree(study.folder)
    return folder / "study.zip"


@pytest.fixture
def files(export: Path, folder: Path, run: Run) -> dict[str, str]:
    """The same images twice: in DICOM, and as st_image -convert writes them."""
    shutil.copy(export, folder / "study.zip")
    for name, number in (("image", 5), ("mask", 6)):
        made = run("st_image", "-i", f"study.zip#{number}", "-convert", "-o", f"{name}.nii.gz")
        assert made.code == 0, made.err
    return {
        "IMAGE": "study.zip#5", "MASK": "study.zip#6",
        "image": "image.nii.gz", "mask": "mask.nii.gz",
    }  # fmt: skip


@pytest.mark.parametrize(
    "line",
    [
        "st_get_centerline -i IMAGE -c t2 -o OUT.nii.gz",
        "st_get_centerline -i MASK -method fitseg -o OUT.nii.gz",
        "st_propseg -i IMAGE -c t2 -o OUT.nii.gz",
        "st_propseg -i IMAGE -c t2 -init-centerline MASK -o OUT.nii.gz",
        "st_deepseg_sc -i IMAGE -c t2 -o OUT.nii.gz",
        "st_process_segmentation -i MASK -anat IMAGE -o OUT.csv",
        "st_dice_coefficient -i MASK -d MASK -o OUT.csv",
        "st_compute_hausdorff_distance -i MASK -d MASK -o OUT.csv",
        "st_image -i IMAGE -setorient RPI -o OUT.nii.gz",
        "st_image -i IMAGE -resample 2x2x2 -o OUT.nii.gz",
        "st_image -i IMAGE IMAGE -concat t -o OUT.nii.gz",
        "st_image -i IMAGE -type float32 -o OUT.nii.gz",
        "st_crop_image -i IMAGE -m MASK -o OUT.nii.gz",
        "st_label_utils -i IMAGE -create 3,3,3,1 -o OUT.nii.gz",
        "st_label_utils -i MASK -create-seg 5,1 -o OUT.nii.gz",
        "st_image -i IMAGE -getorient",
        "st_image -i IMAGE -header",
        "st_label_utils -i MASK -cubic-to-point -o OUT.nii.gz",
        "st_compare -i IMAGE -s a=MASK -ref MASK -o OUT.csv",
    ],
)
def test_a_command_does_the_same_with_dicom(
    line: str, files: dict[str, str], run: Run, folder: Path
) -> None:
    results = []
    for kind in ("dicom", "nifti"):
        words = [
            re.sub("IMAGE|MASK", lambda m, k=kind: files[m[0] if k == "dicom" else m[0].lower()], w)
            for w in line.replace("OUT", kind).split()
        ]
        outcome = run(*words)
        assert outcome.code == 0, outcome.err
        results.append(outcome.out)
    if "OUT.nii.gz" in line:
        dicom, nifti = (nib.load(f"{kind}.nii.gz") for kind in ("dicom", "nifti"))
        np.testing.assert_array_equal(np.asarray(dicom.dataobj), np.asarray(nifti.dataobj))
        np.testing.assert_array_equal(dicom.affine, nifti.affine)
        sources = json.loads(Path("dicom.json").read_text())["Sources"]
        assert all(source.startswith("study.zip#") for source in sources)
    elif "OUT" not in line:
        assert results[0] == results[1]
    elif "st_compare" not in line:
        tables = [Path(f"{kind}.csv").read_text().splitlines() for kind in ("dicom", "nifti")]
        assert len(tables[0]) == len(tables[1])
        numbers = [re.findall(r"(?<=[,\t= ])-?\d+(?:\.\d+)?", table[-1]) for table in tables]
        assert numbers[0] == numbers[1]
        assert numbers[0]
    assert not [path for path in folder.rglob(".*") if path.name != ".lock"]


def test_the_series_is_chosen_by_contrast_and_said(export: Path, folder: Path, run: Run) -> None:
    shutil.copy(export, "study.zip")
    outcome = run("st_propseg", "-i", "study.zip", "-c", "t2")
    assert outcome.code == 0, outcome.err
    assert "study.zip: series 5 taken (the only T2 of 2 that may be): t2_tse_tra" in outcome.err
    assert json.loads(Path("study_seg.json").read_text())["Sources"] == ["study.zip#5"]
    (view,) = re.findall("view: (.*)", outcome.out)
    assert view == (
        "st_image -i 'study.zip#5' -convert -o study.nii.gz && "
        "fsleyes study.nii.gz study_seg.nii.gz -cm red -a 70"
    )
    first, _, _ = view.partition(" && ")
    assert run(*first.replace("'", "").split()).code == 0
    assert nib.load("study.nii.gz").shape == nib.load("study_seg.nii.gz").shape


def test_what_is_not_clear_is_listed_in_lines(export: Path, folder: Path, run: Run) -> None:
    shutil.copy(export, "study.zip")
    outcome = run("st_image", "-i", "study.zip", "-getorient")
    assert outcome.code == 1
    assert outcome.err.splitlines() == [
        "series in study.zip:",
        "  #1  localizer, MR, axial, 3 × 48 × 44, 1 × 1 × 2 mm, T2 – a localizer",
        "  #5  t2_tse_tra, MR, axial, 30 × 48 × 44, 1 × 1 × 2 mm, T2",
        "  #6  mask, CT, axial, 30 × 48 × 44, 1 × 1 × 2 mm",
        "st_image: error: study.zip: 2 of 3 series may be meant (listed above); say which, by its "
        "number, like study.zip#5",
    ]
    warned = run("st_propseg", "-i", "study.zip#5", "-c", "t1")
    assert "the timing of the scan is that of t2, but -c says t1" in warned.err


def test_convert_records_how_it_was_scanned(files: dict[str, str], run: Run) -> None:
    said = json.loads(Path("image.json").read_text())
    assert (said["EchoTime"], said["SeriesDescription"]) == (0.1, "t2_tse_tra")
    assert said["GeneratedBy"][-1]["Name"] == "st_image"
    again = run("st_image", "-i", "image.nii.gz", "-convert")
    assert again.code == 0
    assert Path("image_converted.nii.gz").exists()
    mended = run("st_image", "-i", "study.zip#5", "-set-sform-to-qform")
    assert mended.code == 1
    assert "make it NIfTI first: st_image -convert" in mended.err


@pytest.mark.parametrize("line", ["st_propseg -c t2", "st_deepseg_sc -c t2 -thr -1"])
def test_dicomseg_beside_nifti(line: str, files: dict[str, str], run: Run) -> None:
    command, *more = line.split()
    outcome = run(command, "-i", "study.zip#5", *more, "-dicomseg", "-o", "seg.nii.gz")
    assert outcome.code == 0, outcome.err
    assert "written: seg.dcm" in outcome.out
    volume = hd.seg.segread("seg.dcm").get_volume(combine_segments="-thr" not in line)
    array = volume.array.reshape(volume.array.shape[:3])
    lps = np.argwhere(array > 0) @ volume.affine[:3, :3].T + volume.affine[:3, 3]
    seg = nib.load("seg.nii.gz")
    voxels = nib.affines.apply_affine(np.linalg.inv(seg.affine), lps * [-1, -1, 1])
    assert np.abs(voxels - np.rint(voxels)).max() < 1e-3
    data = np.asarray(seg.dataobj)
    found = set(map(tuple, np.rint(voxels).astype(int)))
    # probabilities below half a 255th are none
    assert found == set(map(tuple, np.argwhere(np.rint(data * 255) > 0)))
    without = run(command, "-i", "image.nii.gz", *more, "-dicomseg")
    assert without.code == 1
    assert "-dicomseg needs the DICOM series, and image.nii.gz is none" in without.err


def test_labels_of_vertebrae_as_dicomseg(files: dict[str, str], run: Run, folder: Path) -> None:
    models = save_networks(folder / "models")
    image = nib.load("image.nii.gz")
    data = np.zeros(image.shape, np.uint8)
    data[10:30, 10:30, 4:12], data[10:30, 10:30, 12:15] = 40, 224
    nib.save(nib.Nifti1Image(data, image.affine), "labels.nii.gz")
    made = run("st_label_utils", "-i", "labels.nii.gz", "-export-dicomseg", "study.zip#5")
    assert made.code == 0, made.err
    names = [one.SegmentLabel for one in hd.seg.segread("labels.dcm").SegmentSequence]
    assert names == ["vertebrae_C2", "disc_C2_C3"]
    empty = run("st_label_vertebrae", "-i", "study.zip#5", "-model", models, "-allow-empty",
                "-dicomseg")  # fmt: skip
    assert empty.code == 0, empty.err
    assert Path("study_5_labels.nii.gz").exists()


def test_a_mask_is_exported_by_name(files: dict[str, str], run: Run) -> None:
    call = ["st_label_utils", "-i", "mask.nii.gz", "-export-dicomseg", "study.zip#5"]
    unknown = run(*call)
    assert unknown.code == 1
    assert "-label-scheme" in unknown.err
    wrong = run(*call, "-structure", "spinal_chord")
    assert wrong.code == 1
    assert "names are like spinal_cord" in wrong.err
    made = run(*call, "-structure", "spinal_cord", "-o", "mask.dcm")
    assert made.code == 0, made.err
    (segment,) = hd.seg.segread("mask.dcm").SegmentSequence
    assert (segment.SegmentLabel, segment.SegmentAlgorithmType) == ("spinal_cord", "SEMIAUTOMATIC")
    nifti = run("st_label_utils", "-i", "mask.nii.gz", "-export-dicomseg", "image.nii.gz",
                "-structure", "spinal_cord")  # fmt: skip
    assert nifti.code == 1
    assert "image.nii.gz is no DICOM folder or zip" in nifti.err


def test_a_folder_of_dicom_is_one_image_for_st_label_vertebrae(
    export: Path, folder: Path, run: Run
) -> None:
    shutil.unpack_archive(export, folder / "scan")
    models = save_networks(folder / "models")
    outcome = run("st_label_vertebrae", "-i", "scan", "-model", models, "-allow-empty")
    assert outcome.code == 1
    assert "2 of 3 series may be meant" in outcome.err
    one = run("st_label_vertebrae", "-i", "scan#5", "-model", models, "-allow-empty")
    assert one.code == 0, one.err
    assert Path("scan_5_labels.nii.gz").exists()


@pytest.mark.parametrize("module", ["pydicom", "dcm2niix", "highdicom"])
def test_a_missing_extra_is_one_line(
    module: str, files: dict[str, str], run: Run, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    before = {path.name for path in folder.iterdir()}
    outcome = run("st_label_utils", "-i", "mask.nii.gz", "-export-dicomseg", "study.zip#5",
                  "-structure", "spinal_cord") if module == "highdicom" else run(
                      "st_propseg", "-i", "study.zip#5", "-c", "t2")  # fmt: skip
    assert outcome.code == 1
    assert outcome.err.count("\n") == 1
    assert f"{module} is not installed" in outcome.err
    assert "pip install 'spinetools[dicom]'" in outcome.err
    assert {path.name for path in folder.iterdir()} == before
