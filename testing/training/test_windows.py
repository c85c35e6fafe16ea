"""Training data: which images are used, and what a window holds."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spinetools.errors import InputError
from spinetools.training.phantom_slices import SCANS, phantom_slices
from spinetools.training.slices import REAL_CORDS, check_use
from spinetools.training.windows import (
    PIXEL_MM,
    cauda_windows,
    phantom_windows,
    read_shards,
    real_windows,
    write_shards,
)


@pytest.mark.real
def test_no_image_marked_test_is_trained_on(real_data: Path) -> None:
    with (real_data / "manifest.tsv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    tests = {row["file"].removesuffix(".nii.gz") for row in rows if row["use"] == "test"}
    used = {window.group for window in real_windows(real_data)}
    assert used == set(REAL_CORDS)
    assert not used & tests
    # patients apart: the stem's subject, not only the file
    subjects = {name.split("/")[1].split("_")[0].removesuffix("Ses1").removesuffix("Ses2")
                for name in used}  # fmt: skip
    assert not any(name.split("/")[1].startswith(tuple(subjects)) for name in tests
                   if name.startswith("cord/"))  # fmt: skip


@pytest.mark.real
def test_an_image_marked_test_is_refused(real_data: Path) -> None:
    with pytest.raises(InputError, match="cord/errsm21_T2w is not marked train"):
        check_use(real_data, ("cord/errsm21_T2w",))


@pytest.mark.real
def test_windows_of_cauda_equina_hold_no_cord(real_data: Path) -> None:
    windows = list(cauda_windows(real_data))
    assert len(windows) >= 32
    assert all(window.cord.max() == 0 for window in windows)


@pytest.mark.real
def test_the_manual_cord_lies_about_the_centres(real_data: Path) -> None:
    for window in real_windows(real_data):
        k = window.image.shape[2] // 2
        centre = np.argwhere(window.cord[:, :, k] > 0.5).mean(axis=0)
        assert np.abs(centre - window.centres[k]).max() * PIXEL_MM < 1.0


def test_phantom_windows_depend_on_the_seed_only() -> None:
    one, other = (list(phantom_windows(2, seed=3)) for _ in range(2))
    assert len(one) == len(other) >= 6
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a.image, b.image)
        assert a.group == b.group
    assert not np.array_equal(one[0].image, next(phantom_windows(1, seed=4)).image)


def test_a_window_has_the_cord_where_its_centres_say() -> None:
    seen = 0
    for window in phantom_windows(6, seed=1):
        assert window.image.shape == window.cord.shape
        assert window.centres.shape == (window.image.shape[2], 2)
        for k in range(window.image.shape[2]):
            cord = window.cord[:, :, k]
            if cord.sum() * PIXEL_MM**2 < 30:
                continue
            centre = (np.indices(cord.shape) * cord).sum(axis=(1, 2)) / cord.sum()
            assert np.abs(centre - window.centres[k]).max() * PIXEL_MM < 2.0
            seen += 1
    assert seen > 20


def test_shards_there_and_back(tmp_path: Path) -> None:
    windows = list(phantom_windows(2, seed=7))
    assert write_shards(iter(windows), tmp_path, "phantom", "abc") == len(windows)
    groups, commits = read_shards(tmp_path)
    assert commits == ["abc"]
    assert sum(map(len, groups.values())) == len(windows)
    first = groups[windows[0].group][0]
    np.testing.assert_allclose(first.cord / 255, windows[0].cord, atol=0.003)
    scaled = first.image.astype(float) / 1000 * windows[0].image.max()
    np.testing.assert_allclose(scaled, windows[0].image, atol=2e-3 * windows[0].image.max())


def test_slices_of_the_digital_spine_show_cord_brain_and_neither() -> None:
    scans = (replace(SCANS[0], levels=(-3.0, 3.0)), replace(SCANS[7], levels=(20.5, 24.0)))
    slices = list(phantom_slices(1, seed=2, scans=scans))
    kinds = {(bool(s.cord.max() > 0.5), bool(s.brain.max() > 0.5)) for s in slices}
    assert {(True, False), (False, True), (False, False)} <= kinds
    assert all(s.group.startswith("phantom ") for s in slices)
