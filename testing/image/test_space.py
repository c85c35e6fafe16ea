"""The grid: geometry without voxels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spinetools.errors import InputError, SpaceMismatch
from spinetools.image import Space
from spinetools.image.orientation import ALL_CODES

from .conftest import affine_for

floats = st.floats(-1e3, 1e3, allow_nan=False)
angles = st.tuples(*[st.floats(-180, 180)] * 3)
sizes = st.tuples(*[st.floats(0.05, 20)] * 3)
shapes = st.tuples(*[st.integers(1, 400)] * 3)


@st.composite
def spaces(draw: st.DrawFn) -> Space:
    codes = draw(st.sampled_from(ALL_CODES))
    affine = affine_for(codes, draw(sizes), draw(angles), draw(st.floats(-0.5, 0.5)))
    return Space(draw(shapes), affine)


@given(spaces(), st.tuples(floats, floats, floats))
@settings(max_examples=80, deadline=None)
def test_to_world_and_back(space: Space, voxel: tuple[float, float, float]) -> None:
    np.testing.assert_allclose(space.to_voxel(space.to_world(voxel)), voxel, atol=1e-6)


@given(spaces(), st.sampled_from(ALL_CODES))
@settings(max_examples=80, deadline=None)
def test_reorienting_moves_no_corner(space: Space, codes: tuple[str, str, str]) -> None:
    turned = space.reoriented(codes)
    assert turned.nib_codes == codes
    assert _corners(turned) == pytest.approx(_corners(space), abs=1e-6)
    assert turned.reoriented(space.nib_codes).same_as(space, atol=1e-6)
    assert turned.voxel_volume == pytest.approx(space.voxel_volume)


def _corners(space: Space) -> np.ndarray:
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in space.shape])).reshape(3, -1).T
    world = space.to_world(corners)
    return np.concatenate([world.min(axis=0), world.max(axis=0)])


@given(spaces(), sizes)
@settings(max_examples=80, deadline=None)
def test_resampled_covers_the_same_box(space: Space, spacing: tuple[float, ...]) -> None:
    new = space.resampled(spacing)
    for corner in (np.full(3, -0.5), np.asarray(space.shape) - 0.5):
        scaled = (corner + 0.5) / space.shape * new.shape - 0.5
        np.testing.assert_allclose(new.to_world(scaled), space.to_world(corner), atol=1e-6)
    for got, wanted, old, n in zip(new.spacing, spacing, space.spacing, new.shape, strict=True):
        # off by at most half a voxel over the whole length; one voxel is the least there is
        assert n == 1 or abs(got - wanted) * n <= wanted / 2 + 1e-9, (got, wanted, old)


def test_spacing_codes_volume() -> None:
    space = Space((4, 5, 6), affine_for(("P", "S", "R"), (0.5, 2, 3)))
    assert space.spacing == pytest.approx((0.5, 2, 3))
    assert space.nib_codes == ("P", "S", "R")
    assert space.voxel_volume == pytest.approx(3)
    assert space.is_orthogonal


def test_a_sheared_grid_keeps_its_volume_and_says_so() -> None:
    space = Space((4, 5, 6), affine_for(shear=0.3))
    assert not space.is_orthogonal
    assert space.voxel_volume == pytest.approx(0.75 * 1.5 * 2.25)


def test_it_is_immutable() -> None:
    affine = np.eye(4)
    space = Space((2, 2, 2), affine)
    affine[0, 0] = 9
    assert space.spacing[0] == 1
    with pytest.raises(ValueError, match="read-only"):
        space.affine[0, 0] = 2
    with pytest.raises(AttributeError):
        space.shape = (3, 3, 3)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("affine", "said"),
    [
        (np.diag([1.0, 0, 1, 1]), "no volume"),
        (np.array([[1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]]), "no volume"),
        (np.diag([1.0, np.nan, 1, 1]), "not a finite"),
        (np.diag([1.0, np.inf, 1, 1]), "not a finite"),
        (np.eye(3), "not a finite"),
    ],
)
def test_an_affine_without_volume_is_refused(affine: np.ndarray, said: str) -> None:
    with pytest.raises(InputError, match=said):
        Space((2, 2, 2), affine)


def test_micrometre_voxels_are_no_error() -> None:
    assert Space((2, 2, 2), np.diag([5e-4, 5e-4, 5e-4, 1])).spacing[0] == pytest.approx(5e-4)


def test_two_or_four_axes_are_refused() -> None:
    with pytest.raises(InputError, match="2 dimensions"):
        Space((2, 2), np.eye(4))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (Space((5, 6, 8), affine_for()), "shapes 5 × 6 × 7 and 5 × 6 × 8"),
        (Space((5, 6, 7), affine_for(("L", "A", "S"))), "axes RAS and LAS"),
        (Space((5, 6, 7), affine_for(spacing=(0.75, 1.5, 2))), "2.25 and 0.75 × 1.5 × 2 mm"),
        (Space((5, 6, 7), affine_for(origin=(-11.25, 22.5, -33.75))), "by up to 2 mm"),
    ],
)
def test_a_mismatch_says_how_and_what_mends_it(other: Space, said: str) -> None:
    space = Space((5, 6, 7), affine_for())
    with pytest.raises(SpaceMismatch, match=said) as caught:
        space.check_same(other, ("a.nii.gz", "b.nii.gz"))
    assert "st_image -i b.nii.gz -resample-to a.nii.gz" in str(caught.value)
    assert not space.same_as(other)


def test_rounding_of_a_header_is_no_mismatch() -> None:
    affine = affine_for(degrees=(10, 20, 30))
    space = Space((300, 300, 300), affine)
    space.check_same(Space((300, 300, 300), affine.astype(np.float32)))


def test_cropped_may_reach_beyond() -> None:
    space = Space((5, 6, 7), affine_for(degrees=(10, 0, 0)))
    wide = space.cropped((-2, 0, 1), (7, 6, 5))
    assert wide.shape == (9, 6, 4)
    np.testing.assert_allclose(wide.to_world((2, 0, 0)), space.to_world((0, 0, 1)))


def test_grids_differ_where_their_last_voxels_lie_apart() -> None:
    first = Space((11, 5, 5), np.eye(4))
    for step, same in ((0.95e-4, True), (1.05e-4, False)):  # ten steps to the last voxel
        other = Space((11, 5, 5), np.diag([1 + step, 1, 1, 1]))
        assert first.same_as(other, atol=1e-3) is same


@pytest.mark.parametrize(("moved_mm", "same"), [(0.009, True), (0.012, False)])
def test_images_of_one_grid_lie_to_a_hundredth_of_a_millimetre(moved_mm: float, same: bool) -> None:
    affine = np.eye(4)
    affine[0, 3] = moved_mm
    first, second = Space((4, 5, 6), np.eye(4)), Space((4, 5, 6), affine)
    if same:
        first.check_same(second)
    else:
        with pytest.raises(SpaceMismatch, match="positions in the scanner"):
            first.check_same(second)
