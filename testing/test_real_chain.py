"""The whole chain on real images, against masks that people drew.

Figures are floors a little below what was measured (testing/benchmark/results); that they hold
says that nothing got worse, not that they are good: the README's table says how good they are.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spinetools.centerline import optic_centreline
from spinetools.errors import NoSpineError
from spinetools.image import Image, load_mask, load_volume
from spinetools.metrics.report import cord_report
from spinetools.propseg import segment_cord

pytestmark = pytest.mark.real

RAS = ("R", "A", "S")


def c1_to_t3(folder: Path, name: str) -> np.ndarray:
    """Slices from C1's upper end to T3's lower one, from the points at C2 and T2 (1 mm slices)."""
    marks = load_mask(folder / f"{name}_points.nii.gz").reorient(RAS).data
    c2, t2 = (int(np.argwhere(marks == value)[0, 2]) for value in (2, 9))
    return np.arange(t2 - 33, min(c2 + 26, marks.shape[2]))


@pytest.mark.parametrize(
    ("name", "contrast", "least_dice", "most_bias_percent"),
    [
        ("errsm21_T2w", "t2", 0.915, 3.0),
        ("errsm30crop_T1w", "t1", 0.94, 8.0),
        ("errsm21_T2star", "t2s", 0.93, 6.0),
        ("gm9669_T2star", "t2s", 0.88, 12.0),
        ("tutorial05_MTon", "t2s", 0.92, 12.0),
    ],
)
def test_propseg(
    real_data: Path, name: str, contrast: str, least_dice: float, most_bias_percent: float
) -> None:
    folder = real_data / "cord"
    image = load_volume(folder / f"{name}.nii.gz")
    manual = load_mask(folder / f"{name}_seg.nii.gz")
    line = optic_centreline(image)
    mask = segment_cord(image, line.voxels, contrast, radius_mm=line.radius_mm).mask
    slices = c1_to_t3(folder, name) if name == "errsm21_T2w" else None
    report = cord_report(mask, manual.like((manual.data > 0.5).astype(np.uint8)), slices)
    assert report["dice"] >= least_dice, report
    assert abs(report["csa_bias_percent"]) <= most_bias_percent, report
    assert report["coverage"] >= 0.99, report


@pytest.mark.parametrize(
    "name",
    ["errsm11_T2w", "errsm18_T2w", "errsm21_T2w", "errsm21_T2star", "gm9669_T2star",
     "gm9418_T2star", "gm9584_T2star", "gm10062Ses1_T2star", "errsm30crop_T1w", "errsm30crop_T2w"],
)  # fmt: skip
def test_centreline_is_inside_the_cord(real_data: Path, name: str) -> None:
    folder = real_data / "cord"
    line = optic_centreline(load_volume(folder / f"{name}.nii.gz"))
    cord = load_mask(folder / f"{name}_seg.nii.gz").reorient(RAS)
    have = np.flatnonzero((cord.data > 0.5).any(axis=(0, 1)))
    if (folder / f"{name}_points.nii.gz").exists() and "crop" not in name:
        have = np.intersect1d(have, c1_to_t3(folder, name))
    assert np.isin(have, line.slices).all()
    places = cord.space.to_voxel(line.world_mm)[np.isin(line.slices, have)]
    i, j, k = np.rint(places).astype(int).T
    assert (cord.data[i, j, k] > 0.5).all()
    if name == "errsm21_T2w":
        from scipy import ndimage

        centres = np.array([ndimage.center_of_mass(cord.data[:, :, n]) for n in have])
        error = np.linalg.norm((places[:, :2] - centres) * cord.space.spacing[:2], axis=1)
        assert error.mean() <= 0.6
        assert error.max() <= 1.6


@pytest.mark.parametrize("name", ["lumbar/ts_mr", "ct/ts_ct"])
def test_an_image_without_a_cord_is_refused(real_data: Path, name: str) -> None:
    with pytest.raises(NoSpineError):
        optic_centreline(load_volume(real_data / f"{name}.nii.gz"))


def test_conus_ends_the_cord(real_data: Path) -> None:
    """The lumbar image reaches down to L5; the cord ends near L1, about a third of the way."""
    image = load_volume(real_data / "cord" / "tutorial_lumbar_T2w.nii.gz")
    line = optic_centreline(image)
    mask: Image = segment_cord(image, line.voxels, "t2", radius_mm=line.radius_mm).mask
    filled = np.flatnonzero(mask.reorient(RAS).data.any(axis=(0, 1)))
    assert filled[-1] == 200
    assert 60 <= filled[0] <= 110
    assert (np.diff(filled) == 1).all()
