"""st_label_utils: each action, on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from numpy.typing import NDArray

from spinetools.cli import st_label_utils
from spinetools.image import Image
from spinetools.labels import LUT_SUFFIXES, SCHEMES

from .conftest import Run

SHAPE = (12, 10, 8)  # of t2: x runs backwards, y downwards, z to the right


def _voxels(path: Path | str) -> NDArray[np.generic]:
    return np.asarray(nib.load(path).dataobj)


def _points(path: Path | str) -> set[tuple[int, ...]]:
    array = _voxels(path)
    return {(*map(int, place), int(array[tuple(place)])) for place in np.argwhere(array)}


def _save(array: NDArray[np.generic], like: Path, name: str) -> str:
    image = nib.load(like)
    header = image.header.copy()
    header.set_data_dtype(array.dtype)
    nib.save(nib.Nifti1Image(array, None, header), name)
    return name


@pytest.fixture
def seg(t2: Path) -> str:
    """A cord that drifts: in slice y (0 on top) its centre is at x = 4 + y / 3, z = 3."""
    array = np.zeros(SHAPE, np.uint8)
    for y in range(1, 9):
        x = 4 + round(y / 3)
        array[x - 1 : x + 2, y, 2:5] = 1
    return _save(array, t2, "seg.nii.gz")


@pytest.fixture
def discs(t2: Path) -> str:
    array = np.zeros(SHAPE, np.uint8)
    array[1, 2, 3], array[2, 5, 3], array[3, 8, 4] = 3, 4, 5
    return _save(array, t2, "discs.nii.gz")


# -- making ------------------------------------------------------------------------------------


def test_create(run: Run, t2: Path) -> None:
    outcome = run("st_label_utils", "-i", t2, "-create", "1,2,3,4:11,9,7,300")
    assert outcome.code == 0
    assert _points("t2_labels.nii.gz") == {(1, 2, 3, 4), (11, 9, 7, 300)}
    assert f"view: fsleyes {t2} t2_labels.nii.gz -cm red -a 70" in outcome.out
    header, source = nib.load("t2_labels.nii.gz").header, nib.load(t2).header
    for field in ("srow_x", "srow_y", "srow_z", "sform_code", "qform_code", "quatern_b", "pixdim"):
        assert header[field].tobytes() == source[field].tobytes()
    assert json.loads(Path("t2_labels.json").read_text())["Sources"] == [str(t2)]


def test_create_add_keeps_what_is_there(run: Run, discs: str) -> None:
    done = run("st_label_utils", "-i", discs, "-create-add", "5,5,5,9:1,2,3,7", "-o", "o.nii.gz")
    assert done.code == 0
    assert _points("o.nii.gz") == {(1, 2, 3, 7), (2, 5, 3, 4), (3, 8, 4, 5), (5, 5, 5, 9)}
    assert len(_points(discs)) == 3


@pytest.mark.parametrize("place", ["12,0,0", "0,10,0", "0,0,8", "0,-1,0"])
def test_points_outside_the_image(place: str, run: Run, t2: Path, folder: Path) -> None:
    outcome = run("st_label_utils", "-i", t2, "-create", f"{place},1")
    assert outcome.code == 1
    assert "lies outside" in outcome.err
    assert [path.name for path in folder.iterdir()] == ["t2.nii.gz"]


@pytest.mark.parametrize("text", ["1,2,3", "1,2,3,4,5", "a,b,c,d", "1,2,3,4:", ""])
def test_points_that_are_none(text: str, run: Run, t2: Path) -> None:
    outcome = run("st_label_utils", "-i", t2, "-create", text)
    assert outcome.code == 2
    assert outcome.err.count("\n") == 1


def test_create_seg_counts_slices_from_the_lowest(run: Run, seg: str) -> None:
    # y runs downwards over 10 slices: the lowest is y = 9
    assert run("st_label_utils", "-i", seg, "-create-seg", "1,8:8,3", "-o", "o.nii").code == 0
    assert _points("o.nii") == {(4 + round(8 / 3), 8, 3, 8), (4, 1, 3, 3)}
    for z in (0, 9, 10, -1):
        outcome = run("st_label_utils", "-i", seg, "-create-seg", f"4,1:{z},2")
        assert outcome.code == 1
        assert f"no segmentation in slice {z}; it reaches from slice 1 to 8" in outcome.err


def test_create_seg_follows_the_weights_of_a_soft_segmentation(run: Run, t2: Path) -> None:
    array = np.zeros(SHAPE, np.float32)
    array[2:9, 5, 3] = [0.1, 0.1, 0.1, 0.1, 0.1, 0.9, 1]
    soft = _save(array, t2, "soft.nii.gz")
    assert run("st_label_utils", "-i", soft, "-create-seg", "4,2", "-o", "o.nii").code == 0
    centre = np.average(np.arange(2, 9), weights=array[2:9, 5, 3])
    assert _points("o.nii") == {(round(centre), 5, 3, 2)}


def test_create_seg_mid(run: Run, seg: str) -> None:
    assert run("st_label_utils", "-i", seg, "-create-seg-mid", "3", "-o", "o.nii").code == 0
    assert _points("o.nii") == {(5, 4, 3, 3)}  # slice 10 / 2 from below is y = 4


# -- changing ----------------------------------------------------------------------------------


def test_add_widens_the_type(run: Run, discs: str) -> None:
    assert run("st_label_utils", "-i", discs, "-add", "253", "-o", "o.nii").code == 0
    assert {point[3] for point in _points("o.nii")} == {256, 257, 258}
    assert run("st_label_utils", "-i", discs, "-add", "-9", "-o", "o.nii").code == 0
    assert {point[3] for point in _points("o.nii")} == {-6, -5, -4}
    vanished = run("st_label_utils", "-i", discs, "-add", "-4", "-o", "o.nii")
    assert "labels of value 4 become 0 and vanish" in vanished.err
    assert {point[3] for point in _points("o.nii")} == {-1, 1}


def test_keep_and_remove(run: Run, discs: str) -> None:
    assert run("st_label_utils", "-i", discs, "-keep", "3,5", "-o", "k.nii").code == 0
    assert {point[3] for point in _points("k.nii")} == {3, 5}
    assert run("st_label_utils", "-i", discs, "-remove", "3:4", "-o", "r.nii").code == 0
    assert {point[3] for point in _points("r.nii")} == {5}
    assert nib.load("r.nii").get_data_dtype() == np.uint8
    outcome = run("st_label_utils", "-i", discs, "-keep", "3,77", "-o", "k.nii")
    assert outcome.code == 0
    assert "warning: discs.nii.gz has no label 77" in outcome.err


def test_display_prints_what_create_takes(run: Run, t2: Path, discs: str, folder: Path) -> None:
    before = set(folder.iterdir())
    outcome = run("st_label_utils", "-i", discs, "-display")
    assert outcome.out.splitlines() == [
        "Position=(1,2,3) -- Value= 3",
        "Position=(2,5,3) -- Value= 4",
        "Position=(3,8,4) -- Value= 5",
        "All labels (useful syntax):",
        "1,2,3,3:2,5,3,4:3,8,4,5",
    ]
    assert set(folder.iterdir()) == before
    again = outcome.out.splitlines()[-1]
    assert run("st_label_utils", "-i", t2, "-create", again, "-o", "again.nii").code == 0
    assert _points("again.nii") == _points(discs)


def test_increment_numbers_from_head_to_feet(run: Run, t2: Path) -> None:
    array = np.zeros(SHAPE, np.uint8)
    array[1, 8, 3], array[5, 2, 3], array[3, 5, 4] = 9, 30, 4
    labels = _save(array, t2, "l.nii.gz")
    assert run("st_label_utils", "-i", labels, "-increment", "-o", "o.nii").code == 0
    assert _points("o.nii") == {(5, 2, 3, 1), (3, 5, 4, 2), (1, 8, 3, 3)}


def test_cubic_to_point_and_vert_body(run: Run, t2: Path) -> None:
    array = np.zeros(SHAPE, np.uint8)
    array[1:4, 0:3, 2:5], array[4:7, 4:7, 2:5], array[4:8, 8, 1] = 2, 3, 4
    labels = _save(array, t2, "l.nii.gz")
    assert run("st_label_utils", "-i", labels, "-cubic-to-point", "-o", "c.nii").code == 0
    everything = {(2, 1, 3, 2), (5, 5, 3, 3), (6, 8, 1, 4)}
    assert _points("c.nii") == everything
    assert run("st_label_utils", "-i", labels, "-vert-body", "0", "-o", "a.nii").code == 0
    assert _points("a.nii") == everything
    some = run("st_label_utils", "-i", labels, "-vert-body", "3,9", "-o", "v.nii")
    assert _points("v.nii") == {(5, 5, 3, 3)}
    assert "has no label 9" in some.err


def test_project_on_the_centreline_either_way_round(run: Run, t2: Path, seg: str) -> None:
    array = np.zeros(SHAPE, np.uint8)
    array[3, 2, 3], array[5, 5, 5], array[7, 8, 2] = 3, 4, 5
    discs = _save(array, t2, "discs.nii.gz")
    first = run("st_label_utils", "-i", seg, "-project-centerline", discs, "-o", "a.nii")
    assert first.code == 0
    assert f"projecting the labels of {discs} on {seg}" in first.err
    second = run("st_label_utils", "-i", discs, "-project-centerline", seg, "-o", "b.nii")
    assert f"projecting the labels of {discs} on {seg}" in second.err
    assert _points("a.nii") == _points("b.nii")
    image = Image.load(seg)
    line = np.array([[4 + round(y / 3), y, 3] for y in range(1, 9)])
    expected = set()
    for x, y, z, value in _points(discs):
        apart = image.space.to_world(line) - image.space.to_world((x, y, z))
        expected.add((*map(int, line[np.linalg.norm(apart, axis=1).argmin()]), value))
    assert _points("a.nii") == expected
    assert len(expected) == 3


def test_labels_that_land_on_one_voxel_are_said(run: Run, t2: Path, seg: str, discs: str) -> None:
    outcome = run("st_label_utils", "-i", seg, "-project-centerline", discs, "-o", "a.nii")
    assert outcome.code == 0
    assert "share a voxel; the later one is kept" in outcome.err


def test_projection_needs_one_grid_and_a_line(run: Run, t2: Path, discs: str) -> None:
    nib.save(nib.Nifti1Image(np.ones((4, 4, 4), np.uint8), np.eye(4)), "other.nii.gz")
    outcome = run("st_label_utils", "-i", discs, "-project-centerline", "other.nii.gz")
    assert outcome.code == 1
    assert "not on one grid" in outcome.err
    empty = _save(np.zeros(SHAPE, np.uint8), t2, "empty.nii.gz")
    outcome = run("st_label_utils", "-i", empty, "-project-centerline", empty)
    assert outcome.code == 1
    assert "there is no centreline" in outcome.err


# -- schemes -----------------------------------------------------------------------------------


@pytest.fixture
def spine(t2: Path) -> str:
    """Two vertebrae (L4, L5), a disc and the cord, as TotalSpineSeg counts them."""
    array = np.zeros(SHAPE, np.uint8)
    array[1:4, 0:3, 2:5], array[1:4, 4:7, 2:5], array[1:4, 3, 2:5], array[6:8] = 19, 18, 203, 200
    return _save(array, t2, "spine.nii.gz")


def test_remap_finds_the_scheme(run: Run, spine: str) -> None:
    outcome = run("st_label_utils", "-i", spine, "-remap", "totalspineseg_2025", "-o", "n.nii")
    assert outcome.code == 0
    assert "labels of spine.nii.gz read as totalspineseg" in outcome.err
    old, new = _voxels(spine), _voxels("n.nii")
    for before, after in {0: 0, 19: 44, 18: 45, 203: 95, 200: 1}.items():
        assert (new[old == before] == after).all()
    back = run("st_label_utils", "-i", "n.nii", "-remap", "totalspineseg", "-o", "b.nii")
    assert back.code == 0
    np.testing.assert_array_equal(_voxels("b.nii"), old)


def test_remap_says_what_it_drops(run: Run, spine: str) -> None:
    outcome = run("st_label_utils", "-i", spine, "-remap", "sct", "-o", "s.nii")
    assert outcome.code == 0
    assert "warning: sct has no value for spinal_cord, disc_L4_L5: dropped" in outcome.err
    assert set(np.unique(_voxels("s.nii"))) == {0, 23, 24}


def test_points_in_scts_values_are_discs(run: Run, discs: str) -> None:
    outcome = run(
        "st_label_utils", "-i", discs, "-label-scheme", "sct", "-remap", "totalspineseg",
        "-o", "d.nii",
    )  # fmt: skip
    assert outcome.code == 0
    assert {point[3] for point in _points("d.nii")} == {224, 223, 222}


def test_remap_does_not_guess(run: Run, t2: Path, folder: Path) -> None:
    array = np.zeros(SHAPE, np.float32)
    array[1:4], array[5:7] = 18, 19
    labels = _save(array, t2, "l.nii.gz")
    outcome = run("st_label_utils", "-i", labels, "-remap", "totalspineseg_2025")
    assert outcome.code == 1
    assert "say which: -label-scheme" in outcome.err
    assert not (folder / "l_labels.nii.gz").exists()
    array[0] = 1.5
    half = _save(array, t2, "half.nii.gz")
    assert "has a label 1.5" in run("st_label_utils", "-i", half, "-remap", "sct").err


@pytest.mark.parametrize("program", ["fsleyes", "itksnap", "slicer"])
def test_export_lut(program: str, run: Run, spine: str, folder: Path) -> None:
    suffix = {"fsleyes": ".lut", "itksnap": ".txt", "slicer": ".ctbl"}[program]
    assert run("st_label_utils", "-i", spine, "-export-lut", program).code == 0
    found = (folder / f"spine{suffix}").read_text()
    assert "vertebrae_L4" in found
    without = ["-export-lut", program, "-label-scheme", "totalspineseg", "-ofolder", "o"]
    assert run("st_label_utils", *without).code == 0
    assert (folder / "o" / f"totalspineseg{suffix}").read_text() == found


# -- use ---------------------------------------------------------------------------------------


def test_choices_are_those_of_the_label_table() -> None:
    assert st_label_utils.SCHEMES == SCHEMES
    assert set(st_label_utils.PROGRAMS) == set(LUT_SUFFIXES)


def test_use(run: Run, t2: Path) -> None:
    for arguments in (
        ["-i", t2],
        ["-add", "1"],
        ["-i", t2, "-add", "1", "-increment"],
        ["-i", t2, "-remap", "nobody"],
        ["-export-lut", "fsleyes"],
    ):
        outcome = run("st_label_utils", *arguments)
        assert outcome.code == 2
        assert outcome.err.startswith("st_label_utils: ")


@pytest.mark.parametrize(
    "action", [["-cubic-to-point"], ["-create-seg", "1,2"], ["-vert-body", "0"], ["-increment"]]
)
def test_empty_labels(action: list[str], run: Run, t2: Path) -> None:
    empty = _save(np.zeros(SHAPE, np.uint8), t2, "empty.nii.gz")
    outcome = run("st_label_utils", "-i", empty, *action)
    assert outcome.code == 1
    assert "empty" in outcome.err


def test_4d_is_refused(run: Run, folder: Path) -> None:
    nib.save(nib.Nifti1Image(np.ones((4, 4, 4, 2), np.uint8), np.eye(4)), "four.nii.gz")
    outcome = run("st_label_utils", "-i", "four.nii.gz", "-cubic-to-point")
    assert outcome.code == 1
    assert "is 4D" in outcome.err
