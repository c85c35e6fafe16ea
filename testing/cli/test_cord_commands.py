"""st_get_centerline and st_propseg as a user runs them, on a phantom whose cord is known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from spinetools.cli import st_get_centerline, st_propseg
from spinetools.image import Image, Space
from spinetools.phantom import Phantom, make_phantom


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return make_phantom(4322, None, "t2_axial", nib_codes=("L", "P", "I"))


@pytest.fixture
def image_file(phantom: Phantom, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The image, in an empty current folder."""
    folder = tmp_path / "in"
    folder.mkdir()
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return phantom.image.save(folder / "sub-01_T2w.nii.gz", dtype=np.int16)


def run(command, *arguments: object) -> int:
    with pytest.raises(SystemExit) as exit_info:
        command.main([str(a) for a in arguments])
    return int(exit_info.value.code or 0)


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return 2 * float((a & b).sum()) / float(a.sum() + b.sum())


def names() -> list[str]:
    return sorted(p.name for p in Path().iterdir())


def test_centreline_files(image_file: Path, phantom: Phantom, capsys) -> None:
    assert run(st_get_centerline, "-i", image_file, "-c", "t2") == 0
    stem = "sub-01_T2w_centerline"
    assert names() == [f"{stem}.csv", f"{stem}.json", f"{stem}.nii.gz"]
    mask = Image.load(f"{stem}.nii.gz")
    assert mask.space.same_as(Image.load(image_file).space)
    rows = np.loadtxt(f"{stem}.csv", delimiter=",")
    assert mask.data[tuple(np.rint(rows).astype(int).T)].all()
    assert mask.data.sum() == len(rows)
    cord = phantom.cord.data > 0
    assert cord[mask.data > 0].mean() > 0.95
    sidecar = json.loads(Path(f"{stem}.json").read_text())
    assert sidecar["Sources"] == [str(image_file)]
    assert "view: fsleyes" in capsys.readouterr().out


def test_centreline_in_mm_soft_and_extrapolated(image_file: Path) -> None:
    options = ("-space", "phys", "-centerline-soft", 1, "-extrapolation", 1, "-o", "line.nii.gz")
    assert run(st_get_centerline, "-i", image_file, *options) == 0
    soft = Image.load("line.nii.gz")
    assert soft.data.dtype == np.float32
    canonical = soft.reorient(("R", "A", "S"))
    assert canonical.data.sum(axis=(0, 1)) == pytest.approx(1, abs=1e-5)
    voxels = canonical.space.to_voxel(np.loadtxt("line.csv", delimiter=","))
    assert voxels[:, 2] == pytest.approx(np.arange(canonical.shape[2]), abs=1e-3)


def test_centreline_of_a_segmentation_and_through_points(
    image_file: Path, phantom: Phantom
) -> None:
    phantom.cord.save("cord.nii.gz")
    assert run(st_get_centerline, "-i", "cord.nii.gz", "-method", "fitseg", "-o", "f.nii.gz") == 0
    cord = phantom.cord.data > 0
    assert cord[Image.load("f.nii.gz").data > 0].all()
    points = np.zeros(cord.shape, dtype=np.uint8)
    have = np.flatnonzero(cord.any(axis=(0, 1)))
    for k in have[[1, len(have) // 2, -2]]:
        points[(*np.argwhere(cord[:, :, k])[cord[:, :, k].sum() // 2], k)] = 1
    phantom.image.like(points).save("points.nii.gz")
    options = ("-method", "viewer", "-init-points", "points.nii.gz", "-o", "v.nii.gz")
    assert run(st_get_centerline, "-i", image_file, *options) == 0
    line = Image.load("v.nii.gz").data
    assert line.any(axis=(0, 1)).sum() == have[-2] - have[1] + 1
    assert cord[line > 0].mean() > 0.9


def test_propseg_segments_the_phantom(image_file: Path, phantom: Phantom) -> None:
    assert run(st_propseg, "-i", image_file, "-c", "t2", "-qc", "qc") == 0
    assert names() == ["qc", "sub-01_T2w_seg.json", "sub-01_T2w_seg.nii.gz"]
    mask = Image.load("sub-01_T2w_seg.nii.gz")
    assert mask.data.dtype == np.uint8
    assert dice(mask.data > 0, phantom.cord.data > 0) > 0.9
    sidecar = json.loads(Path("sub-01_T2w_seg.json").read_text())
    assert len(sidecar["LeakScore"]) == len(sidecar["Slices"])
    entries = list(Path("qc/entries").glob("*.json"))
    assert len(entries) == 1
    assert "st_propseg" in entries[0].read_text()


def test_propseg_writes_everything_it_is_asked_for(image_file: Path, phantom: Phantom) -> None:
    options = "-mesh -low-resolution-mesh .ply -init-tube -centerline-binary -centerline-coord"
    more = (*options.split(), "-CSF", "-cross", "-ofolder", "out")
    assert run(st_propseg, "-i", image_file, "-c", "t2", *more) == 0
    written = {p.name.removeprefix("sub-01_T2w_") for p in Path("out").iterdir()}
    assert written == {
        "seg.nii.gz", "seg.json", "mesh.vtk", "mesh_low_resolution.ply", "mesh_init.vtk",
        "centerline.nii.gz", "centerline.json", "centerline.csv", "CSF.nii.gz", "CSF.json",
        "cross.nii.gz", "cross.json",
    }  # fmt: skip
    mask = Image.load("out/sub-01_T2w_seg.nii.gz").data > 0
    csf = Image.load("out/sub-01_T2w_CSF.nii.gz").data > 0
    cross = Image.load("out/sub-01_T2w_cross.nii.gz").data > 0
    line = Image.load("out/sub-01_T2w_centerline.nii.gz").data > 0
    assert not (mask & csf).any()
    assert (mask | ~line).all()
    assert cross.any(axis=(0, 1)).tolist() == mask.any(axis=(0, 1)).tolist()
    canal = phantom.canal.data > 0
    slices = mask.any(axis=(0, 1))
    assert dice((mask | csf)[:, :, slices], canal[:, :, slices]) > 0.85
    # the mesh lies in the scanner's mm: its vertices are within a voxel of the mask
    lines = Path("out/sub-01_T2w_mesh.vtk").read_text().splitlines()
    n = int(lines[4].split()[1])
    vertices = np.array([[float(x) for x in row.split()] for row in lines[5 : 5 + n]])
    voxels = np.rint(phantom.space.to_voxel(vertices)).astype(int)
    from scipy import ndimage

    assert ndimage.binary_dilation(mask, iterations=2)[tuple(voxels.T)].mean() > 0.99


def test_propseg_takes_a_centreline_a_mask_and_a_correction(
    image_file: Path, phantom: Phantom
) -> None:
    assert run(st_get_centerline, "-i", image_file, "-o", "line.nii.gz") == 0
    truth = phantom.cord.data > 0
    middle = truth.shape[2] // 2
    start = np.zeros(truth.shape, dtype=np.uint8)
    start[:, :, middle] = truth[:, :, middle]
    phantom.image.like(start).save("start.nii.gz")
    for option, file in (("-init-centerline", "line.nii.gz"), ("-init-mask", "start.nii.gz")):
        assert run(st_propseg, "-i", image_file, "-c", "t2", option, file, "-o", "s.nii.gz") == 0
        assert dice(Image.load("s.nii.gz").data > 0, truth) > 0.9, option
    marks = np.zeros(truth.shape, dtype=np.uint8)
    i, j = np.nonzero(truth[:, :, middle])
    marks[i.max() + 3, round(j.mean()), middle] = 1
    phantom.image.like(marks).save("marks.nii.gz")
    options = ("-mask-correction", "marks.nii.gz", "-o", "c.nii.gz")
    assert run(st_propseg, "-i", image_file, "-c", "t2", *options) == 0
    corrected = Image.load("c.nii.gz").data[:, :, middle]
    assert np.nonzero(corrected)[0].max() >= i.max() + 2


def test_no_spine_is_an_error_or_an_empty_mask_on_demand(
    tmp_path: Path, monkeypatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    noise = np.random.default_rng(0).normal(100, 20, (60, 60, 30)).astype(np.float32)
    Image(noise, Space((60, 60, 30), np.eye(4))).save("noise.nii.gz")
    for command, ending in ((st_get_centerline, "centerline"), (st_propseg, "seg")):
        contrast = ("-c", "t2")
        assert run(command, "-i", "noise.nii.gz", *contrast) == 1
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert "no spinal cord was found" in error
        assert "-allow-empty" in error
        assert names() == ["noise.nii.gz"]
        assert run(command, "-i", "noise.nii.gz", *contrast, "-allow-empty") == 0
        assert "warning:" in capsys.readouterr().err
        assert not Image.load(f"noise_{ending}.nii.gz").data.any()
        for path in tmp_path.glob("noise_*"):
            path.unlink()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("-mesh", ".stl"), ".vtk or .ply"),
        (("-init-centerline", "absent.nii.gz"), "does not exist"),
        (("-init", "4000"), "covers slices"),
    ],
)
def test_propseg_errors_write_nothing(image_file: Path, capsys, options, said: str) -> None:
    assert run(st_propseg, "-i", image_file, "-c", "t2", *options) == 1
    assert said in capsys.readouterr().err
    assert names() == []


def test_a_mask_on_another_grid_is_refused(image_file: Path, capsys) -> None:
    Image(np.ones((9, 9, 9), dtype=np.uint8), Space((9, 9, 9), np.eye(4))).save("other.nii.gz")
    for option in ("-init-centerline", "-init-mask", "-mask-correction"):
        assert run(st_propseg, "-i", image_file, "-c", "t2", option, "other.nii.gz") == 1
        assert "not on one grid" in capsys.readouterr().err
    assert names() == ["other.nii.gz"]
