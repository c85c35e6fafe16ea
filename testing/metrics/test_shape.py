"""Shape measures against elliptic cylinders in closed form, and one golden slice."""

from __future__ import annotations

import numpy as np
import pytest

from spinetools.centerline.fit import fit_curve
from spinetools.errors import InputError, SpaceMismatch
from spinetools.image import Image, Space, load_mask
from spinetools.image.orientation import ALL_CODES
from spinetools.metrics.outline import trace
from spinetools.metrics.shape import (
    AXIAL,
    SliceShapes,
    _middle_extent,
    mean_inside,
    measure_slices,
    slice_centres,
    slice_frame,
)

FIELDS = [name for name in SliceShapes.__dataclass_fields__ if name != "objects"]


def grid(spacing, shape, oblique_deg=0.0, shear=0.0):
    c, s = np.cos(np.radians(oblique_deg)), np.sin(np.radians(oblique_deg))
    turn = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.array([[1, shear, 0], [0, 1, shear], [0, 0, 1]]) @ np.diag(spacing)
    affine[:3, 3] = (-12, 34, -56)
    return Space(shape, affine)


def cylinder(space, ap_mm, rl_mm, turn_deg=0.0, slopes=(0.0, 0.0), soft=True, samples=4):
    """An elliptic cylinder along (slopes, 1) in the world, turned about its own axis."""
    along = np.array([*slopes, 1.0]) / np.linalg.norm([*slopes, 1.0])
    forward = np.cross(along, [1, 0, 0])
    forward /= np.linalg.norm(forward)
    left = np.cross(along, forward)
    c, s = np.cos(np.radians(turn_deg)), np.sin(np.radians(turn_deg))
    own_rl, own_ap = c * left + s * forward, c * forward - s * left
    middle = space.to_world((np.array(space.shape) - 1) / 2 + [0.17, -0.31, 0.23])
    steps = (np.arange(samples) + 0.5) / samples - 0.5 if soft else [0.0]
    voxels = np.stack(np.meshgrid(*map(np.arange, space.shape), indexing="ij"), axis=-1)
    total = np.zeros(space.shape)
    for offset in np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(-1, 3):
        points = space.to_world(voxels + offset) - middle
        total += (points @ own_rl * 2 / rl_mm) ** 2 + (points @ own_ap * 2 / ap_mm) ** 2 <= 1
    return Image(total / len(steps) ** 3, space)


def measured(mask):
    """Measures with the cord's own direction, in the slices that it fills."""
    slices, points = slice_centres(mask)
    axial = mask.reorient(AXIAL).space
    curve = fit_curve(points, "polyfit")
    heights = np.arange(axial.shape[2]) * slice_frame(axial)[2, 2]
    return measure_slices(mask, curve.tangent(heights)), slices[1:-1]


GRIDS = {
    "1 mm": grid((1, 1, 1), (30, 36, 24)),
    "0.5 mm": grid((0.5, 0.5, 0.5), (52, 60, 16)),
    "thick": grid((0.5, 0.5, 5), (56, 90, 7)),
    "anisotropic": grid((0.8, 0.5, 3), (36, 76, 8)),
    "oblique": grid((0.7, 0.7, 2), (40, 56, 10), oblique_deg=17),
    "sheared": grid((0.7, 0.7, 2), (50, 60, 10), shear=0.2),
}


@pytest.mark.parametrize("space", GRIDS.values(), ids=GRIDS.keys())
# slopes that put each slice elsewhere on the pixel grid: one placement repeated is one's luck
@pytest.mark.parametrize("slopes", [(0.03, 0.07), (0.0, 0.37), (0.17, 0.33)])
@pytest.mark.parametrize(("ap_mm", "rl_mm"), [(8.0, 12.5), (6.5, 9.0)])
@pytest.mark.parametrize("soft", [True, False], ids=["soft", "binary"])
def test_an_elliptic_cylinder(space, slopes, ap_mm, rl_mm, soft):
    mask = cylinder(space, ap_mm, rl_mm, slopes=slopes, soft=soft)
    found, inner = measured(mask)
    area = found.area_mm2[inner].mean() / (np.pi / 4 * ap_mm * rl_mm) - 1
    ap = found.diameter_ap_mm[inner].mean() / ap_mm - 1
    rl = found.diameter_rl_mm[inner].mean() / rl_mm - 1
    assert abs(area) < 0.01
    assert abs(ap) < 0.02
    assert abs(rl) < 0.02
    expected = np.sqrt(1 - (ap_mm / rl_mm) ** 2)
    assert found.eccentricity[inner].mean() == pytest.approx(expected, abs=0.02)
    assert (found.objects[inner] == 1).all()
    assert found.solidity[inner].mean() > (0.99 if soft else 0.94)


@pytest.mark.parametrize("turn_deg", [-30, -5, 12, 40])
@pytest.mark.parametrize("slopes", [(0.0, 0.0), (0.0, 0.4), (-0.25, 0.3)])
def test_orientation(turn_deg, slopes):
    mask = cylinder(GRIDS["1 mm"], 7.0, 12.0, turn_deg, slopes)
    found, inner = measured(mask)
    assert found.orientation_deg[inner].mean() == pytest.approx(turn_deg, abs=0.5)
    assert found.diameter_rl_mm[inner].mean() == pytest.approx(12, rel=0.02)
    assert found.diameter_ap_mm[inner].mean() == pytest.approx(7, rel=0.02)


def test_a_cord_that_leans_both_ways_keeps_its_section():
    space = grid((1, 1, 1), (40, 40, 10))
    found, inner = measured(cylinder(space, 8.0, 12.0, slopes=(0.7, 0.7)))
    assert found.area_mm2[inner].mean() == pytest.approx(np.pi * 24, rel=0.01)
    assert found.diameter_ap_mm[inner].mean() == pytest.approx(8, rel=0.02)
    assert found.diameter_rl_mm[inner].mean() == pytest.approx(12, rel=0.02)
    assert found.orientation_deg[inner].mean() == pytest.approx(0, abs=0.5)


def test_a_cord_deeper_than_wide_keeps_its_names():
    found, inner = measured(cylinder(GRIDS["0.5 mm"], 12.0, 7.0, turn_deg=10))
    assert found.diameter_ap_mm[inner].mean() == pytest.approx(12, rel=0.02)
    assert found.diameter_rl_mm[inner].mean() == pytest.approx(7, rel=0.02)
    assert found.orientation_deg[inner].mean() == pytest.approx(10, abs=0.5)


def test_angles_and_length():
    slopes = (-0.2, 0.4)
    found, inner = measured(cylinder(GRIDS["1 mm"], 8.0, 12.0, slopes=slopes))
    # towards −x is to the left: positive
    assert found.angle_ap_deg[inner].mean() == pytest.approx(np.degrees(np.arctan(0.2)), abs=0.2)
    assert found.angle_rl_deg[inner].mean() == pytest.approx(np.degrees(np.arctan(0.4)), abs=0.2)
    expected = np.sqrt(1 + 0.2**2 + 0.4**2)
    assert found.length_mm[inner].mean() == pytest.approx(expected, rel=0.002)


def test_without_tangents_the_slice_itself_is_measured():
    mask = cylinder(GRIDS["1 mm"], 8.0, 12.0, slopes=(0, 0.5))
    found, inner = measured(mask)
    plain = measure_slices(mask)
    factor = np.sqrt(1.25)
    assert plain.area_mm2[inner].mean() == pytest.approx(
        factor * found.area_mm2[inner].mean(), rel=1e-3
    )
    assert plain.diameter_ap_mm[inner].mean() == pytest.approx(8 * factor, rel=0.02)
    assert (plain.angle_rl_deg[inner] == 0).all()
    np.testing.assert_allclose(plain.length_mm[inner], 1)


@pytest.mark.parametrize("codes", ALL_CODES, ids="".join)
def test_the_way_the_file_lies_does_not_matter(codes):
    space = Space((20, 22, 6), np.diag([0.9, 0.8, 3.0, 1]))
    mask = cylinder(space, 7.0, 11.0, 8.0, (0.1, 0.2), samples=2)
    expected, inner = measured(mask)
    found, same = measured(mask.reorient(codes))
    np.testing.assert_array_equal(inner, same)
    for name in FIELDS:
        np.testing.assert_allclose(
            getattr(found, name), getattr(expected, name), atol=1e-6, err_msg=name
        )


def test_slices_without_mask_are_nan_and_faint_ones_have_no_shape():
    mask = np.zeros((12, 12, 5))
    mask[3:9, 4:8, 1] = 1
    mask[3:9, 4:8, 2] = 0.3
    found = measure_slices(Image(mask, Space(mask.shape, np.diag([0.5, 0.5, 2, 1]))))
    assert found.slices.tolist() == [1, 2]
    np.testing.assert_allclose(found.area_mm2[1:3], [24 * 0.25, 24 * 0.3 * 0.25])
    assert np.isnan(found.diameter_ap_mm[[0, 2, 3, 4]]).all()
    assert found.diameter_ap_mm[1] == pytest.approx(2, rel=0.05)
    assert found.objects.tolist() == [0, 1, 0, 0, 0]


def test_a_mask_that_fills_its_slices():
    found = measure_slices(Image(np.ones((5, 6, 2)), Space((5, 6, 2), np.diag([0.5, 0.5, 2, 1]))))
    np.testing.assert_allclose(found.area_mm2, 30 * 0.25)
    assert found.objects.tolist() == [1, 1]


def test_objects_and_holes():
    mask = np.zeros((30, 30, 3))
    mask[5:15, 5:15, 0] = 1
    mask[8:12, 8:12, 0] = 0
    mask[5:10, 5:10, 1] = 1
    mask[20:25, 5:10, 1] = 1
    mask[7, 7, 2] = 1
    found = measure_slices(Image(mask, Space(mask.shape, np.eye(4))))
    assert found.objects.tolist() == [1, 2, 1]
    assert found.area_mm2.tolist() == [84, 50, 1]
    assert found.solidity[0] == pytest.approx(0.84, abs=0.02)
    assert found.solidity[1] == pytest.approx(50 / 100, abs=0.02)
    assert found.diameter_rl_mm[1] > 15
    assert 0.5 < found.diameter_ap_mm[2] < 2


def test_outline_of_a_disc():
    places = np.indices((41, 41)) - 20
    distance = np.hypot(*places)
    disc = np.clip(15.3 - distance + 0.5, 0, 1)
    found = trace(disc)
    assert found.area == pytest.approx(disc.sum(), rel=2e-3)
    np.testing.assert_allclose(found.centre, [20, 20], atol=1e-6)
    np.testing.assert_allclose(found.covariance, np.eye(2) * 15.3**2 / 4, rtol=4e-3, atol=1e-6)
    assert found.solidity > 0.995
    assert trace(disc * 0.4) is None
    assert trace(np.zeros((0, 0))) is None


@pytest.mark.parametrize("radius", [2.1, 3.0, 4.6, 7.3])
@pytest.mark.parametrize("shift", [(0.0, 0.0), (0.4, 0.2)])
def test_the_outline_of_a_small_binary_disc_loses_no_area(radius, shift):
    places = np.indices((21, 21)) - np.reshape(shift, (2, 1, 1)) - 10
    disc = (np.hypot(*places) <= radius).astype(float)
    # the line at one half cuts up to 3 % off
    assert trace(disc).area == pytest.approx(disc.sum(), rel=1.5e-3)


@pytest.mark.parametrize("turn_deg", [0, 12, 30, 45, 80, 150])
@pytest.mark.parametrize("width", [0.3, 0.9, 1.6])
def test_pixels_at_the_edge_of_a_strip_count_with_their_part(turn_deg, width):
    axis = np.array([np.cos(np.radians(turn_deg)), np.sin(np.radians(turn_deg))])
    to_mm = np.array([[0.7, 0.0], [0.0, 1.1]])
    steps = (np.arange(400) + 0.5) / 400 - 0.5
    along = (np.stack(np.meshgrid(steps, steps), axis=-1) @ to_mm.T) @ axis
    inside = (np.abs(along) < width / 2).mean() * 0.77
    found = _middle_extent(np.ones((1, 1)), to_mm, axis, width)
    assert found == pytest.approx(inside / width, rel=0.01)


def test_slice_frame_of_an_oblique_and_of_a_sheared_grid():
    np.testing.assert_allclose(
        slice_frame(grid((0.5, 0.6, 3), (4, 4, 4), oblique_deg=25)), np.diag([0.5, 0.6, 3]),
        atol=1e-12,
    )  # fmt: skip
    space = grid((0.5, 0.6, 3), (4, 4, 4), oblique_deg=25, shear=0.3)
    frame = slice_frame(space)
    assert (np.tril(frame, -1) == 0).all()
    steps = np.random.default_rng(0).normal(size=(20, 3))
    np.testing.assert_allclose(
        np.linalg.norm(steps @ frame.T, axis=1),
        np.linalg.norm(space.to_world(steps) - space.to_world([0, 0, 0]), axis=1),
    )
    assert np.prod(np.diag(frame)) == pytest.approx(space.voxel_volume)


def test_slice_centres():
    mask = cylinder(GRIDS["sheared"], 8.0, 12.0, slopes=(0.1, 0.3))
    slices, points = slice_centres(mask)
    assert slices.tolist() == list(range(10))
    steps = np.diff(points[2:-2], axis=0)
    # the slice normal of this grid is the world's z axis, its first axis the world's x
    np.testing.assert_allclose(steps[:, :2] / steps[:, 2:], np.tile([0.1, 0.3], (5, 1)), atol=0.02)


def test_mean_inside():
    space = Space((3, 4, 3), np.diag([1.0, 1, 2, 1]))
    weights, values = np.zeros(space.shape), np.zeros(space.shape)
    weights[1, 1:3, 0], values[1, 1:3, 0] = (1, 0.25), (8, 3)
    weights[0, 0, 2], values[..., 2] = 1, 5
    mask, image = Image(weights, space), Image(values, space)
    expected = [(8 + 0.75) / 1.25, np.nan, 5]
    np.testing.assert_allclose(mean_inside(mask, image), expected)
    np.testing.assert_allclose(mean_inside(mask.reorient("PIR"), image.reorient("ILA")), expected)
    with pytest.raises(SpaceMismatch):
        mean_inside(mask, Image(values, Space(space.shape, np.eye(4))))


def test_tangents_have_to_fit():
    mask = Image(np.ones((5, 5, 4)), Space((5, 5, 4), np.eye(4)))
    with pytest.raises(InputError, match=r"expected \(4, 3\)"):
        measure_slices(mask, np.ones((3, 3)))
    with pytest.raises(InputError, match="upwards"):
        measure_slices(mask, np.tile([0, 1, 0], (4, 1)))


@pytest.mark.real
def test_golden_slice(real_data):
    """SCT 7.4, sct_process_segmentation on the same file, slice 10 (angle correction on)."""
    mask = load_mask(real_data / "cord" / "errsm30crop_T2w_seg.nii.gz")
    slices, points = slice_centres(mask)
    tangents = fit_curve(points).tangent(np.arange(55.0))
    found = measure_slices(mask, tangents)
    assert slices.tolist() == list(range(55))
    golden = {
        "area_mm2": 78.586,
        "diameter_ap_mm": 7.8425,
        "diameter_rl_mm": 12.5378,
        "orientation_deg": -5.4359,
        "eccentricity": 0.76787,
        "solidity": 0.96911,
    }
    assert {name: float(getattr(found, name)[10]) for name in golden} == pytest.approx(
        golden, rel=0.01
    )
