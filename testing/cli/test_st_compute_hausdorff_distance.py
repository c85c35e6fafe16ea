"""st_compute_hausdorff_distance: figures in mm, by slice, thinned, resampled."""

from __future__ import annotations

import math
import time
from pathlib import Path

import numpy as np
import pytest

from spinetools.image import Image, Space

from .conftest import Run

COMMAND = "st_compute_hausdorff_distance"
SPACE = Space((30, 30, 9), np.diag([0.5, 0.5, 3.0, 1.0]))


@pytest.fixture
def pair(folder: Path) -> tuple[Image, Image]:
    """Boxes that lie 3 pixels (1.5 mm) apart in one slice, and are the same in the others."""
    a = np.zeros(SPACE.shape, dtype=np.uint8)
    a[5:15, 5:15, 2:7] = 1
    b = a.copy()
    b[5:18, 5:15, 6] = 1
    first, second = Image(a, SPACE), Image(b, SPACE)
    first.save(folder / "a.nii.gz")
    second.save(folder / "b.nii.gz")
    return first, second


def test_figures(pair: tuple[Image, Image], folder: Path, run: Run) -> None:
    outcome = run(COMMAND, "-i", "a.nii.gz", "-d", "b.nii.gz")
    assert outcome.code == 0, outcome.err
    lines = outcome.out.splitlines()
    assert lines[0] == "Hausdorff distance = 1.5 mm"
    assert lines[1].startswith("95th percentile = ")
    mean = float(lines[2].removeprefix("mean surface distance = ").removesuffix(" mm"))
    assert 0 < mean < 0.5
    assert lines[4:8] == [f"{index} 0 0 0" for index in (2, 3, 4, 5)]
    assert lines[8].startswith("6 1.5 1.5 ")
    assert len(lines) == 9
    assert sorted(path.name for path in folder.iterdir()) == ["a.nii.gz", "b.nii.gz"]


def test_orientation_does_not_matter(pair: tuple[Image, Image], folder: Path, run: Run) -> None:
    expected = run(COMMAND, "-i", "a.nii.gz", "-d", "b.nii.gz").out
    pair[1].reorient(("P", "I", "L")).save(folder / "turned.nii.gz")
    assert run(COMMAND, "-i", "a.nii.gz", "-d", "turned.nii.gz").out == expected
    pair[0].like(pair[0].data * 0.9).save(folder / "soft.nii.gz")
    assert run(COMMAND, "-i", "soft.nii.gz", "-d", "b.nii.gz").out == expected


def test_thinning(pair: tuple[Image, Image], folder: Path, run: Run) -> None:
    """Two plates whose middle lines are 2 mm apart; their surfaces too."""
    plates = []
    for number, start in enumerate((5, 9)):
        data = np.zeros(SPACE.shape, dtype=np.uint8)
        data[start : start + 3, 4:26, 2:5] = 1
        plates.append(data)
        Image(data, SPACE).save(folder / f"plate{number}.nii.gz")
    outcome = run(COMMAND, "-i", "plate0.nii.gz", "-d", "plate1.nii.gz", "-thinning", 1)
    assert outcome.out.splitlines()[0] == "Hausdorff distance = 2 mm"


def test_resampling(pair: tuple[Image, Image], run: Run) -> None:
    outcome = run(COMMAND, "-i", "a.nii.gz", "-d", "b.nii.gz", "-resampling", 0.1)
    first = outcome.out.splitlines()[0]
    found = float(first.removeprefix("Hausdorff distance = ").removesuffix(" mm"))
    assert found == pytest.approx(1.5, abs=0.11)
    assert outcome.out.splitlines()[4].startswith("2 0 ")


def test_written_to_a_file(pair: tuple[Image, Image], folder: Path, run: Run) -> None:
    outcome = run(COMMAND, "-i", "a.nii.gz", "-d", "b.nii.gz", "-ofolder", "out")
    text = (folder / "out" / "a_hausdorff.txt").read_text(encoding="utf-8")
    assert outcome.out == f"{text}written: {Path('out', 'a_hausdorff.txt')}\n"


def test_no_slice_in_common(pair: tuple[Image, Image], folder: Path, run: Run) -> None:
    pair[0].like(np.roll(pair[0].data, 5, axis=2) * (np.arange(9) > 6)).save(folder / "up.nii.gz")
    outcome = run(COMMAND, "-i", "a.nii.gz", "-d", "up.nii.gz")
    assert outcome.code == 0
    assert math.isclose(float(outcome.out.split()[3]), 15.0)
    assert len(outcome.out.splitlines()) == 4


def test_bad_input(pair: tuple[Image, Image], folder: Path, run: Run) -> None:
    pair[0].like(pair[0].data * 0).save(folder / "empty.nii.gz")
    pair[0].like(pair[0].data * 0.4).save(folder / "faint.nii.gz")
    pair[0].crop((0, 0, 0), (30, 30, 8)).save(folder / "short.nii.gz")
    cases = {
        "empty.nii.gz": "empty.nii.gz is an empty mask",
        "faint.nii.gz": "the second mask is empty",
        "short.nii.gz": "not on one grid: they differ in shapes",
        "none.nii.gz": "does not exist",
    }
    for name, said in cases.items():
        outcome = run(COMMAND, "-i", "a.nii.gz", "-d", name, "-o", "h.txt")
        assert outcome.code == 1
        assert said in outcome.err
        assert outcome.err.count("\n") == 1
        assert outcome.out == ""
    assert not (folder / "h.txt").exists()


@pytest.mark.real
def test_it_takes_no_minute(real_data: Path, run: Run) -> None:
    """A shifted cord of 60 × 55 × 52 voxels; 0.03 s on the machine it was written on."""
    mask = real_data / "cord" / "errsm30crop_T2w_seg.nii.gz"
    run(COMMAND, "-i", mask, "-d", mask)
    start = time.perf_counter()
    outcome = run(COMMAND, "-i", mask, "-d", mask)
    assert outcome.out.startswith("Hausdorff distance = 0 mm\n")
    assert time.perf_counter() - start < 3
