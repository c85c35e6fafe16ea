"""st_process_segmentation: what is in the table, which slices, and what is refused."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from spinetools.image import Image, Space

from .conftest import Run

COMMAND = "st_process_segmentation"
SLOPE = 0.3
SPACE = Space((24, 34, 30), np.diag([1.0, 0.8, 2.0, 1.0]))


@pytest.fixture
def mask(folder: Path) -> Image:
    """A cord of 8 × 12 mm that runs forward, with 5 slices without it below and 3 above."""
    i, j, k = np.meshgrid(*map(np.arange, SPACE.shape), indexing="ij")
    # eight samples a pixel side: a soft mask
    total = np.zeros(SPACE.shape)
    steps = (np.arange(8) + 0.5) / 8 - 0.5
    tilt = np.hypot(1, SLOPE)
    for di in steps:
        for dj in steps:
            x = (i + di - 11.6) / 6
            y = ((j + dj) * 0.8 - 5 - SLOPE * k * 2) / (4 * tilt)
            total += x**2 + y**2 <= 1
    total /= 64
    total[:, :, :5] = 0
    total[:, :, 27:] = 0
    image = Image(total.astype(np.float32), SPACE)
    image.save(folder / "seg.nii.gz")
    return image


def levels(mask: Image) -> Image:
    """C3 in slices 18 to 26, C4 in 10 to 17, C5 below."""
    steps = np.repeat([5, 4, 3], [10, 8, 12])
    return mask.like((mask.data > 0.5) * steps)


def rows(path: Path | str = "csa.csv") -> list[dict[str, str]]:
    with Path(path).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def numbers(table: list[dict[str, str]], column: str) -> list[float]:
    return [float(row[column]) for row in table]


def test_one_row_of_means(mask: Image, folder: Path, run: Run) -> None:
    outcome = run(COMMAND, "-i", "seg.nii.gz")
    assert outcome.code == 0, outcome.err
    assert outcome.out == "written: csa.csv\n"
    (row,) = rows()
    assert row["Filename"] == str(folder / "seg.nii.gz")
    assert row["Slice (I->S)"] == "5:26"
    assert row["VertLevel"] == ""
    assert float(row["MEAN(area)"]) == pytest.approx(np.pi * 24, rel=0.005)
    assert float(row["MEAN(diameter_AP)"]) == pytest.approx(8, rel=0.01)
    assert float(row["MEAN(diameter_RL)"]) == pytest.approx(12, rel=0.01)
    assert float(row["MEAN(angle_RL)"]) == pytest.approx(np.degrees(np.arctan(SLOPE)), abs=0.1)
    assert float(row["MEAN(angle_AP)"]) == pytest.approx(0, abs=0.1)
    assert float(row["MEAN(orientation)"]) == pytest.approx(0, abs=0.2)
    assert float(row["SUM(length)"]) == pytest.approx(22 * 2 * np.hypot(1, SLOPE), rel=0.001)
    assert 0 < float(row["STD(area)"]) < 1
    sidecar = json.loads((folder / "csa.json").read_text(encoding="utf-8"))
    assert sidecar["Sources"] == ["seg.nii.gz"]
    assert sorted(path.name for path in folder.iterdir()) == ["csa.csv", "csa.json", "seg.nii.gz"]


def test_angle_correction_can_be_left_out(mask: Image, run: Run) -> None:
    run(COMMAND, "-i", "seg.nii.gz", "-angle-corr", 0)
    (row,) = rows()
    assert float(row["MEAN(area)"]) == pytest.approx(np.pi * 24 * np.hypot(1, SLOPE), rel=0.005)
    assert float(row["MEAN(angle_RL)"]) == 0


@pytest.mark.parametrize("algo", ["bspline", "polyfit", "linear", "nurbs"])
def test_every_curve_gives_the_same_on_a_straight_cord(algo: str, mask: Image, run: Run) -> None:
    run(COMMAND, "-i", "seg.nii.gz", "-centerline-algo", algo, "-centerline-smooth", 20)
    assert numbers(rows(), "MEAN(area)") == pytest.approx([np.pi * 24], rel=0.005)


@pytest.mark.parametrize("codes", [("R", "A", "S"), ("P", "S", "R"), ("L", "A", "I")])
def test_slices_count_from_below_whatever_the_orientation(
    codes: tuple[str, str, str], mask: Image, folder: Path, run: Run
) -> None:
    mask.reorient(codes).save(folder / "turned.nii.gz")
    run(COMMAND, "-i", "turned.nii.gz", "-perslice", 1, "-z", "5:8,20")
    table = rows()
    assert [row["Slice (I->S)"] for row in table] == ["5", "6", "7", "8", "20"]
    run(COMMAND, "-i", "seg.nii.gz", "-perslice", 1, "-z", "5:8,20", "-o", "straight.csv")
    for column in ("MEAN(area)", "MEAN(diameter_AP)", "MEAN(angle_RL)"):
        assert numbers(table, column) == pytest.approx(numbers(rows("straight.csv"), column))
    assert {row["STD(area)"] for row in table} == {""}


def test_levels_from_a_label_volume(mask: Image, folder: Path, run: Run) -> None:
    levels(mask).reorient(("P", "S", "R")).save(folder / "levels.nii.gz", dtype=np.uint8)
    outcome = run(
        COMMAND, "-i", "seg.nii.gz", "-vertfile", "levels.nii.gz", "-vert", "3:5,9", "-perlevel", 1
    )
    assert outcome.code == 0
    assert "no slice with cord has level 9" in outcome.err
    table = rows()
    assert [row["VertLevel"] for row in table] == ["3", "4", "5"]
    assert [row["Slice (I->S)"] for row in table] == ["18:26", "10:17", "5:9"]
    run(COMMAND, "-i", "seg.nii.gz", "-vertfile", "levels.nii.gz", "-vert", "3,5")
    (row,) = rows()
    assert (row["VertLevel"], row["Slice (I->S)"]) == ("3,5", "5:9,18:26")


def test_levels_from_discs(mask: Image, folder: Path, run: Run) -> None:
    discs = np.zeros(SPACE.shape, dtype=np.uint8)
    for value, k in {3: 26, 4: 18, 5: 8}.items():
        discs[11, round((5 + SLOPE * k * 2) / 0.8), k] = value
    mask.like(discs).save(folder / "discs.nii.gz")
    run(COMMAND, "-i", "seg.nii.gz", "-discfile", "discs.nii.gz", "-perslice", 1)
    found = {int(row["Slice (I->S)"]): row["VertLevel"] for row in rows()}
    assert {k for k, level in found.items() if level == "3"} >= set(range(19, 26))
    assert {k for k, level in found.items() if level == "4"} >= set(range(9, 18))
    assert {found[5], found[6]} == {""}


def test_append(mask: Image, run: Run) -> None:
    for start in ("5:9", "10:14"):
        assert run(COMMAND, "-i", "seg.nii.gz", "-z", start, "-append", 1).code == 0
    assert [row["Slice (I->S)"] for row in rows()] == ["5:9", "10:14"]
    run(COMMAND, "-i", "seg.nii.gz", "-z", "20")
    assert [row["Slice (I->S)"] for row in rows()] == ["20"]


def test_intensity_inside(mask: Image, folder: Path, run: Run) -> None:
    ramp = np.broadcast_to(np.arange(30.0) * 10, SPACE.shape)
    image = Image(ramp.astype(np.float32), SPACE).reorient(("P", "S", "R"))
    image.save(folder / "t2.nii.gz")
    outcome = run(COMMAND, "-i", "seg.nii.gz", "-anat", "t2.nii.gz", "-perslice", 1, "-z", "7,21")
    assert outcome.code == 0, outcome.err
    assert numbers(rows(), "MEAN(intensity)") == pytest.approx([70, 210])


def test_output_folder(mask: Image, folder: Path, run: Run) -> None:
    run(COMMAND, "-i", "seg.nii.gz", "-ofolder", "results", "-v", 0)
    assert sorted(path.name for path in (folder / "results").iterdir()) == ["csa.csv", "csa.json"]


def test_bad_input_is_one_line_and_writes_nothing(mask: Image, folder: Path, run: Run) -> None:
    mask.like(mask.data * 0).save(folder / "empty.nii.gz")
    Image(np.stack([mask.data] * 2, axis=3), SPACE).save(folder / "4d.nii.gz")
    Image(np.ones((5, 5, 5)), Space((5, 5, 5), np.eye(4))).save(folder / "other.nii.gz")
    mask.like(mask.data * 100 + 0.5).save(folder / "image.nii.gz")
    mask.like(np.where(mask.data > 0, np.nan, 0)).save(folder / "nan.nii.gz")
    before = sorted(folder.iterdir())
    cases = {
        "missing.nii.gz": "does not exist",
        "empty.nii.gz": "empty mask",
        "4d.nii.gz": "is 4D",
        "image.nii.gz": "expected fractions from 0 to 1",
        "nan.nii.gz": "NaN",
    }
    for name, said in cases.items():
        outcome = run(COMMAND, "-i", name)
        assert outcome.code == 1
        assert said in outcome.err
        assert outcome.err.count("\n") == 1
    options = {
        ("-z", "0:3"): "no cord in slices 0:3; it lies in slices 5:26",
        ("-vert", "3"): "-vertfile or -discfile",
        ("-perlevel", "1"): "-vertfile or -discfile",
        ("-vertfile", "other.nii.gz"): "not on one grid",
        ("-discfile", "other.nii.gz"): "not on one grid",
        ("-anat", "empty.nii.gz"): "constant",
    }
    for option, said in options.items():
        outcome = run(COMMAND, "-i", "seg.nii.gz", *option)
        assert outcome.code == 1, option
        assert said in outcome.err.splitlines()[-1], option
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize(
    "wrong",
    [("-z", "a:b"), ("-z", "5:3"), ("-perslice", "2"), ("-centerline-algo", "spline"),
     ("-centerline-smooth", "-3"), ("-vertfile", "a.nii.gz", "-discfile", "b.nii.gz")],
)  # fmt: skip
def test_wrong_usage(wrong: tuple[str, ...], folder: Path, run: Run) -> None:
    assert run(COMMAND, "-i", "seg.nii.gz", *wrong).code == 2
    assert not any(folder.iterdir())


@pytest.mark.real
def test_golden_slice(real_data: Path, folder: Path, run: Run) -> None:
    """SCT 7.4's figures for slice 10 of this mask; within 1 %."""
    run(COMMAND, "-i", real_data / "cord" / "errsm30crop_T2w_seg.nii.gz", "-z", 10)
    (row,) = rows()
    golden = {
        "MEAN(area)": 78.586, "MEAN(diameter_AP)": 7.8425, "MEAN(diameter_RL)": 12.5378,
        "MEAN(orientation)": -5.4359, "MEAN(eccentricity)": 0.76787, "MEAN(solidity)": 0.96911,
    }  # fmt: skip
    assert {name: float(row[name]) for name in golden} == pytest.approx(golden, rel=0.01)
