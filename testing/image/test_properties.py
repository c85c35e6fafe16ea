"""Properties of grids, orientations, resampling and labels that hold whatever the values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from spinetools.errors import InputError
from spinetools.image import Image, Space
from spinetools.image.nifti import disk_type
from spinetools.image.orientation import (
    ALL_CODES,
    check_codes,
    codes_of,
    nib_codes_from_sct,
    reorient_array,
    sct_codes_from_nib,
)
from spinetools.image.points import (
    Point,
    add_value,
    centres,
    create,
    keep_values,
    number_downwards,
    points_of,
    remove_values,
)
from spinetools.image.resample import Interpolation, resample_to
from spinetools.labels import (
    LEVELS,
    SCHEMES,
    find_scheme,
    level_name,
    level_value,
    numbering,
    remapping,
)

from .conftest import affine_for

quick = settings(max_examples=40, deadline=None)
codes = st.sampled_from(ALL_CODES)
shapes = st.tuples(*[st.integers(2, 7)] * 3)
sizes = st.tuples(*[st.floats(0.2, 5)] * 3)
small_angles = st.tuples(*[st.floats(-15, 15)] * 3)


@st.composite
def grids(draw: st.DrawFn) -> Space:
    return Space(draw(shapes), affine_for(draw(codes), draw(sizes), draw(small_angles)))


@st.composite
def images(draw: st.DrawFn, dtype: Any = np.int16) -> Image:
    space = draw(grids())
    # every voxel has its own value, so that any mix-up shows
    values = np.random.default_rng(draw(st.integers(0, 99))).permutation(np.prod(space.shape))
    return Image(values.reshape(space.shape).astype(dtype), space)


@st.composite
def label_images(draw: st.DrawFn) -> Image:
    space = draw(grids())
    array = draw(hnp.arrays(np.uint8, space.shape, elements=st.integers(0, 6), fill=st.just(0)))
    return Image(array, space)


# -- grids and orientation -----------------------------------------------------------------------


@given(grids(), codes, codes)
@quick
def test_two_turns_are_one(space: Space, first: Any, second: Any) -> None:
    once = space.reoriented(second)
    assert space.reoriented(first).reoriented(second).same_as(once, atol=1e-9)
    both = space.reorientation(first) @ space.reoriented(first).reorientation(second)
    np.testing.assert_array_equal(both, space.reorientation(second))


@given(grids(), st.data())
@quick
def test_a_cut_out_stays_where_it_was(space: Space, data: st.DataObject) -> None:
    start = [data.draw(st.integers(-3, n - 1)) for n in space.shape]
    stop = [data.draw(st.integers(s + 1, s + 9)) for s in start]
    cut = space.cropped(start, stop)
    assert cut.shape == tuple(b - a for a, b in zip(start, stop, strict=True))
    np.testing.assert_allclose(cut.to_world((0, 0, 0)), space.to_world(start), atol=1e-9)
    assert cut.voxel_volume == pytest.approx(space.voxel_volume)


@given(grids(), st.tuples(*[st.floats(-0.4, 0.4)] * 3))
@quick
def test_a_shift_is_a_difference_as_large_as_it_is(space: Space, shift: Any) -> None:
    affine = space.affine.copy()
    affine[:3, 3] += shift
    other = Space(space.shape, affine)
    largest = float(np.abs(shift).max())
    assert space.same_as(other, atol=largest + 1e-6)
    assert other.same_as(space, atol=largest + 1e-6)
    if largest > 1e-3:
        assert not space.same_as(other, atol=largest / 2)
        assert "positions" in space.differences(other, atol=largest / 2)


@given(codes, sizes, small_angles)
@quick
def test_the_codes_of_a_tilted_grid_are_those_of_the_upright_one(
    letters: Any, spacing: Any, degrees: Any
) -> None:
    assert codes_of(affine_for(letters, spacing, degrees)) == letters


@given(st.text(alphabet="LRAPISlrx", min_size=1, max_size=4))
def test_letters_are_an_orientation_or_an_error(text: str) -> None:
    letters = tuple(text.upper())
    if letters in ALL_CODES:
        assert check_codes(text) == letters
        assert sct_codes_from_nib(nib_codes_from_sct(text)) == text.upper()
        assert not set(nib_codes_from_sct(text)) & set(letters)
    else:
        with pytest.raises(InputError, match="no orientation"):
            check_codes(text)


@given(hnp.arrays(np.int16, hnp.array_shapes(min_dims=3, max_dims=4, max_side=5)), codes, codes)
@quick
def test_turning_an_array_there_and_back(array: NDArray[np.int16], old: Any, new: Any) -> None:
    turned = reorient_array(array, old, new)
    assert sorted(turned.ravel()) == sorted(array.ravel())
    np.testing.assert_array_equal(reorient_array(turned, new, old), array)


@given(images(), codes)
@quick
def test_a_turned_image_has_each_value_at_its_place(image: Image, letters: Any) -> None:
    turned = image.reorient(letters)
    where = np.argwhere(np.ones(image.shape, bool))
    moved = np.rint(turned.space.to_voxel(image.space.to_world(where))).astype(int)
    np.testing.assert_array_equal(turned.data[tuple(moved.T)], image.data[tuple(where.T)])


# -- what goes to disk ---------------------------------------------------------------------------


@given(
    hnp.arrays(
        st.sampled_from([np.float64, np.int64, np.uint16, np.float32]), (2, 2, 2),
        elements={"min_value": 0, "max_value": 60000},
    ),
    st.sampled_from(["uint8", "int16", "int32", "float32"]),
)  # fmt: skip
@settings(max_examples=80, deadline=None)
def test_values_fit_the_type_on_disk_or_are_refused(array: NDArray[Any], wanted: str) -> None:
    kind = np.dtype(wanted)
    try:
        stored = disk_type(array, kind, "x")
    except InputError:
        assert kind.kind in "iu"
        assert np.rint(array.astype(np.float64)).max() > np.iinfo(kind).max
        return
    assert stored.dtype == kind
    tolerance = 0.5 if kind.kind in "iu" else 60000 * 2**-23
    assert np.abs(stored.astype(np.float64) - array.astype(np.float64)).max() <= tolerance


# -- resampling ----------------------------------------------------------------------------------


@given(images(np.float32), st.sampled_from(["nn", "linear", "spline"]))
@quick
def test_resampling_to_its_own_grid_changes_nothing(image: Image, how: Interpolation) -> None:
    same = resample_to(image, image.space, how)
    np.testing.assert_allclose(same.data, image.data, atol=1e-3 * image.data.size)


@given(images(np.float32), codes, st.sampled_from(["nn", "linear"]))
@quick
def test_resampling_to_turned_axes_is_turning(
    image: Image, letters: Any, how: Interpolation
) -> None:
    turned = image.reorient(letters)
    np.testing.assert_allclose(
        resample_to(image, turned.space, how).data, turned.data, atol=1e-3 * image.data.size
    )


@given(images(), grids())
@quick
def test_nearest_neighbours_invent_no_label(image: Image, space: Space) -> None:
    found = set(np.unique(resample_to(image, space, "nn").data))
    assert found <= {*np.unique(image.data), 0}


@given(images(np.float32), grids(), st.sampled_from(["linear", "spline"]))
@quick
def test_interpolation_stays_within_the_values(
    image: Image, space: Space, how: Interpolation
) -> None:
    data = resample_to(image, space, how).data
    assert data.min() >= min(0, image.data.min()) - 1e-3
    assert data.max() <= image.data.max() + 1e-3


# -- labels --------------------------------------------------------------------------------------


@given(grids(), st.data())
@quick
def test_points_come_back_as_they_were_set(space: Space, data: st.DataObject) -> None:
    places = data.draw(
        st.lists(st.tuples(*[st.integers(0, n - 1) for n in space.shape]), unique=True, max_size=8)
    )
    values = data.draw(st.lists(st.integers(1, 70000), min_size=len(places), max_size=len(places)))
    points = [Point(*place, value) for place, value in zip(places, values, strict=True)]
    empty = Image(np.zeros(space.shape, np.uint8), space)
    found = points_of(create(empty, points))
    assert sorted(found) == sorted(points)
    assert [point.value for point in found] == sorted(values)


@given(label_images(), st.sets(st.integers(1, 6)))
@quick
def test_what_is_kept_and_what_is_removed_are_the_whole(image: Image, values: set[int]) -> None:
    kept, rest = keep_values(image, values).data, remove_values(image, values).data
    np.testing.assert_array_equal(kept + rest, image.data)
    assert not ((kept != 0) & (rest != 0)).any()


@given(label_images(), st.integers(1, 70000))
@quick
def test_adding_a_number_and_taking_it_off(image: Image, number: int) -> None:
    assume(image.data.any())
    again = add_value(add_value(image, number), -number)
    np.testing.assert_array_equal(again.data, image.data)


@given(label_images())
@quick
def test_labels_are_numbered_from_the_head_down(image: Image) -> None:
    assume(image.data.any())
    numbered = number_downwards(image)
    np.testing.assert_array_equal(numbered.data != 0, image.data != 0)
    points = points_of(numbered)
    assert [point.value for point in points] == list(range(1, len(points) + 1))
    upright = image.space.reoriented(("L", "A", "S"))
    heights = [
        round(float(upright.to_voxel(image.space.to_world((p.x, p.y, p.z)))[2])) for p in points
    ]
    assert heights == sorted(heights, reverse=True)


@given(label_images())
@quick
def test_a_label_s_centre_lies_among_its_voxels(image: Image) -> None:
    assume(image.data.any())
    for point in points_of(centres(image)):
        where = np.argwhere(image.data == point.value)
        if len(where):  # else two labels had one centre, which is said
            assert (where.min(axis=0) <= (point.x, point.y, point.z)).all()
            assert ((point.x, point.y, point.z) <= where.max(axis=0)).all()


# -- names of labels -----------------------------------------------------------------------------


@given(st.integers(-5, 40))
def test_levels_and_their_values(value: int) -> None:
    name = level_name(value)
    assert (name == "n/a") == (not 1 <= value <= len(LEVELS))
    if name != "n/a":
        assert level_value(name) == value


def names_in(scheme: str) -> set[str]:
    return {row.name for discs in (False, True) for row in numbering(scheme, discs).values()}


@given(st.sampled_from(SCHEMES), st.sampled_from(SCHEMES), st.data())
@quick
def test_remapping_keeps_names(source: str, target: str, data: st.DataObject) -> None:
    known = numbering(source)
    values = data.draw(st.sets(st.sampled_from(sorted(known)), min_size=1, max_size=12))
    if not any(known[value].name in names_in(target) for value in values):
        with pytest.raises(InputError, match="has a value for none of"):
            remapping(values, source, target)
        return
    try:
        changes, dropped = remapping(values, source, target)
    except InputError:  # vertebrae and discs at once: one count has a value for none of them
        assert target == "sct"
        return
    assert len(set(changes.values())) == len(changes), "two structures became one"
    assert {known[value].name for value in values - changes.keys()} == set(dropped)
    names = [
        {value: row.name for value, row in numbering(target, discs).items()}
        for discs in (False, True)
    ]
    for old, new in changes.items():
        assert known[old].name in {table.get(new) for table in names}


@given(st.sampled_from(SCHEMES), st.data())
@quick
def test_a_scheme_is_found_or_the_doubt_is_said(scheme: str, data: st.DataObject) -> None:
    values = data.draw(st.sets(st.sampled_from(sorted(numbering(scheme))), min_size=1))
    fits = [name for name in SCHEMES if values <= numbering(name).keys()]
    if len(fits) > 1:
        with pytest.raises(InputError, match=f"{fits[0]}.* and .*{fits[-1]}"):
            find_scheme(values)
    else:
        assert find_scheme(values) == scheme
