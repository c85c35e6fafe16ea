"""Orientation letters, and the moves between the 48 layouts."""

from __future__ import annotations

import itertools

import nibabel as nib
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from spinetools.errors import InputError
from spinetools.image.orientation import (
    ALL_CODES,
    check_codes,
    codes_of,
    flips_and_axes,
    nib_codes_from_sct,
    reorient_array,
    sct_codes_from_nib,
)


def test_there_are_48_layouts_and_each_uses_every_axis_once() -> None:
    assert len(set(ALL_CODES)) == 48
    for codes in ALL_CODES:
        assert {"".join(sorted(c + o)) for c, o in zip(codes, _opposites(codes), strict=True)} == {
            "LR",
            "AP",
            "IS",
        }


def _opposites(codes: tuple[str, ...]) -> tuple[str, ...]:
    swap = dict(zip("LRAPIS", "RLPASI", strict=True))
    return tuple(swap[c] for c in codes)


def test_sct_letters_name_the_side_an_axis_starts_from() -> None:
    assert nib_codes_from_sct("RPI") == ("L", "A", "S")
    assert sct_codes_from_nib(("L", "A", "S")) == "RPI"
    assert nib_codes_from_sct("ail") == ("P", "S", "R")
    for codes in ALL_CODES:
        assert nib_codes_from_sct(sct_codes_from_nib(codes)) == codes


@pytest.mark.parametrize("letters", ["", "RP", "RPIS", "RRI", "RLI", "XPI", "R P"])
def test_wrong_letters_are_refused(letters: str) -> None:
    with pytest.raises(InputError, match="no orientation"):
        check_codes(letters)


@pytest.mark.parametrize("degrees", [(0, 0, 0), (20, -10, 30), (5, 40, -5)])
def test_codes_agree_with_nibabel(degrees: tuple[float, float, float]) -> None:
    turn = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()
    for order in itertools.permutations(range(3)):
        for signs in itertools.product((1, -1), repeat=3):
            affine = np.eye(4)
            affine[:3, :3] = turn @ np.eye(3)[:, order] * signs * [0.5, 3, 1.2]
            assert codes_of(affine) == nib.aff2axcodes(affine)


def test_codes_use_each_anatomical_axis_once_even_halfway() -> None:
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", (45, 45, 45), degrees=True).as_matrix()
    assert check_codes(codes_of(affine))


def test_every_move_between_layouts_puts_voxels_where_nibabel_does() -> None:
    array = np.arange(2 * 3 * 4).reshape(2, 3, 4)
    for old, new in itertools.product(ALL_CODES, ALL_CODES):
        theirs = nib.orientations.apply_orientation(
            array,
            nib.orientations.ornt_transform(
                nib.orientations.axcodes2ornt(old), nib.orientations.axcodes2ornt(new)
            ),
        )
        np.testing.assert_array_equal(reorient_array(array, old, new), theirs)


def test_time_stays_last() -> None:
    array = np.zeros((2, 3, 4, 9))
    assert reorient_array(array, "RAS", "ILP").shape == (4, 2, 3, 9)
    assert flips_and_axes("RAS", "ILP") == ((2, 0, 1), (True, True, True))
