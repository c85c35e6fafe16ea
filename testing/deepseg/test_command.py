"""``st_deepseg_sc`` and ``st_get_centerline -method cnn`` as a user runs them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from spinetools.cli import st_deepseg_sc, st_get_centerline
from spinetools.image import Image

from .conftest import dice, tube

CODES = ("L", "P", "I")


@pytest.fixture
def share() -> np.ndarray:
    """Exact share of cord, on the file's grid."""
    image, share = tube((50, 52, 40), (1.0, 1.0, 1.5), sway_mm=3)
    return image.like(share).reorient(CODES).data


@pytest.fixture
def image_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The image, slices counted from above, in an empty current folder."""
    (tmp_path / "in").mkdir()
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    image = tube((50, 52, 40), (1.0, 1.0, 1.5), sway_mm=3)[0].reorient(CODES)
    return image.save(tmp_path / "in" / "sub-01_T2w.nii.gz", dtype=np.int16)


def run(*arguments: object, command=st_deepseg_sc) -> int:
    with pytest.raises(SystemExit) as stop:
        command.main([str(argument) for argument in arguments])
    return int(stop.value.code or 0)


def names() -> list[str]:
    return sorted(path.name for path in Path().iterdir())


def test_it_segments_and_says_with_what(image_file: Path, share, networks: Path, capsys) -> None:
    assert run("-i", image_file, "-c", "t2", "-qc", "qc") == 0
    assert names() == ["qc", "sub-01_T2w_seg.json", "sub-01_T2w_seg.nii.gz"]
    mask = Image.load("sub-01_T2w_seg.nii.gz")
    assert mask.data.dtype == np.uint8
    assert mask.space.same_as(Image.load(image_file).space)
    assert dice(mask.data > 0, share >= 0.5) > 0.98
    said = json.loads(Path("sub-01_T2w_seg.json").read_text())
    digest = hashlib.sha256((networks / "cord_2d.onnx").read_bytes()).hexdigest()
    assert said["Models"][1] == {"Name": "cord_2d", "Version": "0.1", "SHA256": digest}
    assert said["Models"][0]["Name"] == "cord_heatmap"
    assert (said["Threshold"], said["Contrast"]) == (0.5, "t2")
    assert len(said["Confidence"]) == len(said["Slices"]) == 40
    (entry,) = Path("qc/entries").glob("*.json")
    content = json.loads(entry.read_text())
    assert content["process"] == "st_deepseg_sc"
    assert set(content["measures"]["values"]) == {"area_mm2", "confidence"}
    outcome = capsys.readouterr()
    assert "view: fsleyes" in outcome.out
    assert outcome.err == ""


def test_the_kernel_3d(image_file: Path, share) -> None:
    assert run("-i", image_file, "-kernel", "3d", "-o", "s.nii") == 0
    assert dice(Image.load("s.nii").data > 0, share >= 0.5) > 0.97
    assert json.loads(Path("s.json").read_text())["Models"][1]["Name"] == "cord_3d"


def test_the_uncertainty_does_not_replace_the_mask(
    image_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("-i", image_file, "-o", "same.nii.gz", "-uncertainty", "same.nii.gz") == 1
    assert "is where the segmentation goes; give another name" in capsys.readouterr().err
    assert not Path("same.nii.gz").exists()


def test_soft_uncertain_and_temporary_files(image_file: Path, share) -> None:
    options = ("-thr", -1, "-uncertainty", "u.nii.gz", "-r", 0, "-ofolder", "out")
    assert run("-i", image_file, *options) == 0
    made = {path.name.removeprefix("sub-01_T2w_") for path in Path("out").iterdir()}
    assert made == {
        "seg.nii.gz", "seg.json", "u.nii.gz", "u.json", "centerline.nii.gz", "centerline.json",
    }  # fmt: skip
    soft = Image.load("out/sub-01_T2w_seg.nii.gz").data
    assert soft.dtype == np.float32
    assert soft.sum() == pytest.approx(share.sum(), rel=0.01)
    spread = Image.load("out/u.nii.gz").data
    assert spread.dtype == np.float32
    assert 0 < spread.max() < 0.5
    assert json.loads(Path("out/sub-01_T2w_seg.json").read_text())["TestTimeAugmentation"] is True


def test_what_is_doubtful_is_said_by_the_files_own_slices(image_file: Path, capsys) -> None:
    image = nib.load(image_file)
    data = np.asarray(image.dataobj).copy()
    data[..., 5:8] = 100  # counted from above, as the file does
    nib.save(nib.Nifti1Image(data, image.affine, image.header), image_file)
    assert run("-i", image_file, "-qc", "qc", "-o", "s.nii.gz") == 0
    said = capsys.readouterr().err
    assert "warning: gap filled in 3 of 40 slices (from the lowest: 32–34): no cord" in said
    (entry,) = Path("qc/entries").glob("*.json")
    flags = {flag["kind"]: flag["slices"] for flag in json.loads(entry.read_text())["flags"]}
    assert flags["gap filled"] == [5, 6, 7]


def centreline_files(image_file: Path) -> None:
    """Write a centreline over slices 10 to 30 from below in every form that is read."""
    assert run("-i", image_file, "-o", "line.nii.gz", command=st_get_centerline) == 0
    for space in ("pix", "phys"):
        options = ("-space", space, "-o", f"{space}.nii.gz")
        assert run("-i", image_file, *options, command=st_get_centerline) == 0
        rows = Path(f"{space}.csv").read_text().splitlines()
        Path(f"{space}.csv").write_text("\n".join(rows[10:31]) + "\n")
    line = Image.load("line.nii.gz")
    part = line.data.copy()
    part[..., 30:], part[..., :9] = 0, 0  # 39 − 30 and 39 − 10, counted from above
    line.like(part).save("mask.nii.gz")
    labels = np.zeros_like(part)
    for value, k in ((3, 9), (9, 17), (2, 29)):
        i, j = np.argwhere(part[..., k])[0]
        labels[i, j, k] = value
    line.like(labels).save("labels.nii.gz")


def test_a_centreline_from_a_file(image_file: Path, share) -> None:
    centreline_files(image_file)
    for name in ("mask.nii.gz", "labels.nii.gz", "pix.csv", "phys.csv"):
        options = ("-centerline", "file", "-file-centerline", name)
        assert run("-i", image_file, *options, "-o", "s.nii.gz") == 0, name
        mask = Image.load("s.nii.gz").data > 0
        assert np.flatnonzero(mask.any(axis=(0, 1))).tolist() == list(range(9, 30)), name
        assert dice(mask, (share >= 0.5) & mask.any(axis=(0, 1))) > 0.98, name
        models = json.loads(Path("s.json").read_text())["Models"]
        assert [model["Name"] for model in models] == ["cord_2d"]


def test_a_centreline_in_mm_of_a_longer_image(image_file: Path, share, capsys) -> None:
    centreline_files(image_file)
    rows = np.loadtxt("phys.csv", delimiter=",")
    steps = (rows[-1] - rows[0]) / 20
    longer = np.vstack([rows, rows[-1] + steps * np.arange(1, 40)[:, None]])
    np.savetxt("phys.csv", longer, delimiter=",")
    options = ("-centerline", "file", "-file-centerline", "phys.csv", "-o", "s.nii.gz")
    assert run("-i", image_file, *options) == 0
    assert " of 60 points of phys.csv lie inside the image" in capsys.readouterr().err
    filled = np.flatnonzero(Image.load("s.nii.gz").data.any(axis=(0, 1)))
    assert filled.tolist() == list(range(30))  # from the top of the image, counted from above
    np.savetxt("phys.csv", longer + 900, delimiter=",")
    assert run("-i", image_file, *options) == 1
    assert "no point of phys.csv lies inside" in capsys.readouterr().err


def test_a_centreline_by_clicks(image_file: Path, share, monkeypatch) -> None:
    centreline_files(image_file)
    clicked = np.argwhere(Image.load("mask.nii.gz").data)
    monkeypatch.setattr(
        "spinetools.cli._viewer.pick_points", lambda *_, **__: clicked.astype(float)
    )
    assert run("-i", image_file, "-centerline", "viewer", "-o", "s.nii.gz") == 0
    mask = Image.load("s.nii.gz").data > 0
    assert np.flatnonzero(mask.any(axis=(0, 1))).tolist() == list(range(9, 30))


def test_a_volume_or_the_mean_of_a_series(image_file: Path, share, capsys) -> None:
    image = nib.load(image_file)
    data = np.asarray(image.dataobj)
    series = np.stack([np.full_like(data, 5), data, data], axis=-1)
    nib.save(nib.Nifti1Image(series, image.affine), "dwi.nii.gz")
    assert run("-i", "dwi.nii.gz", "-c", "dwi") == 0
    assert "3 volumes: taking their mean" in capsys.readouterr().err
    for options in ((), ("-volume", 1)):
        assert run("-i", "dwi.nii.gz", "-c", "dwi", "-thr", 0.5, *options) == 0
        assert dice(Image.load("dwi_seg.nii.gz").data > 0, share >= 0.5) > 0.98
    assert run("-i", "dwi.nii.gz", "-volume", 0) == 1  # constant


def test_centreline_by_the_same_detector(image_file: Path, share) -> None:
    assert run("-i", image_file, "-method", "cnn", command=st_get_centerline) == 0
    mask = Image.load("sub-01_T2w_centerline.nii.gz").data
    assert (mask.sum(axis=(0, 1)) == 1).all()
    assert (share[mask > 0] > 0.9).all()
    said = json.loads(Path("sub-01_T2w_centerline.json").read_text())
    assert (said["Method"], said["Models"][0]["Name"]) == ("cnn", "cord_heatmap")


def test_the_brain_is_only_told_by_the_network(image_file: Path, share, capsys) -> None:
    centreline_files(image_file)
    options = ("-centerline", "file", "-file-centerline", "pix.csv", "-o", "s.nii.gz")
    assert run("-i", image_file, *options, "-brain", 1) == 0
    assert "warning: -brain 1 has no effect" in capsys.readouterr().err


def test_no_cord_is_an_error_or_an_empty_mask_on_demand(image_file: Path, capsys) -> None:
    noise = np.random.default_rng(0).normal(100, 20, (60, 60, 30)).astype(np.float32)
    nib.save(nib.Nifti1Image(noise, np.eye(4)), "noise.nii.gz")
    assert run("-i", "noise.nii.gz", "-c", "any") == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "no spinal cord was found" in error
    assert "-allow-empty" in error
    assert names() == ["noise.nii.gz"]
    for threshold, dtype in ((0.5, np.uint8), (-1, np.float32)):
        assert run("-i", "noise.nii.gz", "-allow-empty", "-thr", threshold) == 0
        assert "warning:" in capsys.readouterr().err
        data = Image.load("noise_seg.nii.gz").data
        assert not data.any()
        assert data.dtype == dtype


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("-centerline", "file"), 1, "-file-centerline FILE go together"),
        (("-file-centerline", "a.csv"), 1, "go together"),
        (("-centerline", "file", "-file-centerline", "a.csv"), 1, "a.csv cannot be read"),
        (("-centerline", "file", "-file-centerline", "bad.csv"), 1, "no table of x,y,z"),
        (("-centerline", "file", "-file-centerline", "two.csv"), 1, "expected x,y,z"),
        (("-centerline", "file", "-file-centerline", "far.csv"), 1, "outside"),
        (("-centerline", "file", "-file-centerline", "other.nii.gz"), 1, "not on one grid"),
        (("-model", "nowhere"), 1, "nowhere"),
        (("-model", "broken.onnx"), 1, "broken.onnx is not a usable ONNX model"),
        (("-device", "tpu"), 1, "unknown device"),
        (("-o", "x.img"), 1, "must end with .nii.gz or .nii"),
        (("-uncertainty", "x.img"), 1, "must end with .nii.gz or .nii"),
        (("-thr", "-0.5"), 2, "expected 0 to 1, or -1"),
        (("-thr", "2"), 2, "out of range"),
        (("-remove-small", "ten"), 2, "expected a size like"),
        (("-kernel", "4d"), 2, "-kernel"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_writes_nothing(
    image_file: Path, capsys, options, code: int, said: str
) -> None:
    Path("bad.csv").write_text("a,b\n")
    Path("two.csv").write_text("1,2\n3,4\n")
    Path("far.csv").write_text("500,2,3\n500,4,9\n")
    Path("broken.onnx").write_bytes(b"no model")
    grid = nib.Nifti1Image(np.ones((9, 9, 9), dtype=np.uint8), np.eye(4))
    nib.save(grid, "other.nii.gz")
    before = names()
    assert run("-i", image_file, "-c", "t2", *options) == code
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert names() == before


def test_a_missing_model_is_said(image_file: Path, capsys, monkeypatch, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.setenv("SPINETOOLS_MODELS", str(empty))
    monkeypatch.setattr("spinetools.models.store.shipped_folder", lambda: empty)
    monkeypatch.setenv("XDG_CACHE_HOME", str(empty))
    assert run("-i", image_file) == 1
    assert "cord_" in capsys.readouterr().err
    assert names() == []
