"""st_dice_coefficient: figures, labels, slices, boxes, files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spinetools.image import Image, Space

from .conftest import Run

COMMAND = "st_dice_coefficient"
SPACE = Space((10, 12, 8), np.diag([1.0, 1.0, 3.0, 1.0]))


@pytest.fixture
def pair(folder: Path) -> tuple[Image, Image]:
    """Boxes of 48 and 36 voxels that share 18."""
    a, b = (np.zeros(SPACE.shape, dtype=np.uint8) for _ in range(2))
    a[2:6, 2:6, 2:5] = 1
    b[4:8, 2:5, 2:5] = 1
    first, second = Image(a, SPACE), Image(b, SPACE)
    first.save(folder / "a.nii.gz")
    second.save(folder / "b.nii.gz")
    return first, second


DICE = 2 * 18 / (48 + 36)


def test_two_masks(pair: tuple[Image, Image], folder: Path, run: Run) -> None:
    outcome = run(COMMAND, "-i", "a.nii.gz", "-d", "b.nii.gz")
    assert (outcome.code, outcome.out) == (0, f"3D Dice coefficient = {DICE:.6g}\n")
    assert sorted(path.name for path in folder.iterdir()) == ["a.nii.gz", "b.nii.gz"]


def test_the_second_may_lie_another_way(pair: tuple[Image, Image], folder: Path, run: Run) -> None:
    pair[1].reorient(("P", "I", "L")).save(folder / "turned.nii.gz", dtype=np.float32)
    outcome = run(COMMAND, "-i", "a.nii.gz", "-d", "turned.nii.gz")
    assert outcome.out == f"3D Dice coefficient = {DICE:.6g}\n"


def test_soft_masks(pair: tuple[Image, Image], folder: Path, run: Run) -> None:
    pair[0].like(pair[0].data * np.float32(0.5)).save(folder / "soft.nii.gz")
    outcome = run(COMMAND, "-i", "soft.nii.gz", "-d", "soft.nii.gz")
    assert outcome.out == "3D Dice coefficient = 1\n"
    outcome = run(COMMAND, "-i", "soft.nii.gz", "-d", "a.nii.gz")
    assert outcome.out == f"3D Dice coefficient = {2 / 3:.6g}\n"


def test_a_line_a_label(pair: tuple[Image, Image], folder: Path, run: Run) -> None:
    first, second = pair
    first.like(first.data * 3 + second.data * (first.data == 0)).save(folder / "labels.nii.gz")
    second.like(second.data * 3).save(folder / "three.nii.gz")
    outcome = run(COMMAND, "-i", "labels.nii.gz", "-d", "three.nii.gz")
    assert outcome.out.splitlines() == [
        f"3D Dice coefficient = {2 * 36 / (66 + 36):.6g}",
        "label 1: Dice = 0",
        f"label 3: Dice = {DICE:.6g}",
    ]


def test_by_slice_and_in_a_box(pair: tuple[Image, Image], run: Run) -> None:
    outcome = run(COMMAND, "-i", "a.nii.gz", "-d", "b.nii.gz", "-2d-slices", 0)
    assert outcome.out.splitlines()[1:] == [
        "2D Dice coefficient by slice across axis 0:",
        "2 0", "3 0", f"4 {18 / 21:.6g}", f"5 {18 / 21:.6g}", "6 0", "7 0",
    ]  # fmt: skip
    box = "4,2,0,12,3,1"
    outcome = run(COMMAND, "-i", "a.nii.gz", "-d", "b.nii.gz", "-2d-slices", 2, "-b", box)
    assert outcome.out.splitlines() == [
        f"3D Dice coefficient = {12 / 14:.6g}",
        "2D Dice coefficient by slice across axis 2:",
        f"3 {12 / 14:.6g}",
    ]


def test_written_to_a_file(pair: tuple[Image, Image], folder: Path, run: Run) -> None:
    outcome = run(COMMAND, "-i", "a.nii.gz", "-d", "b.nii.gz", "-o", "dice.txt")
    text = (folder / "dice.txt").read_text(encoding="utf-8")
    assert text == f"3D Dice coefficient = {DICE:.6g}\n"
    assert outcome.out == f"{text}written: dice.txt\n"
    assert (folder / "dice.json").exists()


def test_two_empty_masks_have_no_dice(pair: tuple[Image, Image], folder: Path, run: Run) -> None:
    pair[0].like(pair[0].data * 0).save(folder / "empty.nii.gz")
    outcome = run(COMMAND, "-i", "empty.nii.gz", "-d", "empty.nii.gz")
    assert (outcome.code, outcome.out) == (0, "3D Dice coefficient = nan\n")
    assert run(COMMAND, "-i", "a.nii.gz", "-d", "empty.nii.gz").out.endswith("= 0\n")


def test_bad_input(pair: tuple[Image, Image], folder: Path, run: Run) -> None:
    other = Image(pair[0].data, Space(SPACE.shape, np.diag([1.0, 1.0, 2.0, 1.0])))
    other.save(folder / "other.nii.gz")
    outcome = run(COMMAND, "-i", "a.nii.gz", "-d", "other.nii.gz", "-o", "dice.txt")
    assert outcome.code == 1
    assert "a.nii.gz and other.nii.gz are not on one grid" in outcome.err
    outcome = run(COMMAND, "-i", "a.nii.gz", "-d", "b.nii.gz", "-b", "4,20,0,12,3,1")
    assert outcome.code == 1
    assert "cannot crop" in outcome.err
    assert run(COMMAND, "-i", "a.nii.gz", "-d", "b.nii.gz", "-b", "4,20,0").code == 2
    assert run(COMMAND, "-i", "a.nii.gz", "-d", "b.nii.gz", "-2d-slices", 3).code == 2
    assert not (folder / "dice.txt").exists()
