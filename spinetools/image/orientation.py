"""Orientation letters.

nibabel names the direction in which an axis *grows*, SCT the side that it *starts* from: SCT's
"RPI" is nibabel's "LAS". Inside the package only nibabel's letters are used; the command line
speaks SCT's, and :func:`nib_codes_from_sct` is the one place that translates.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from spinetools.errors import InputError

Codes = tuple[str, str, str]
Scalar = TypeVar("Scalar", bound=np.generic)

_OPPOSITE = {"L": "R", "R": "L", "A": "P", "P": "A", "S": "I", "I": "S"}
_AXIS = {"L": 0, "R": 0, "P": 1, "A": 1, "I": 2, "S": 2}

#: All 48 ways to lay the three anatomical axes out in an array.
ALL_CODES: tuple[Codes, ...] = tuple(
    (a, b, c)
    for x, y, z in itertools.permutations(("LR", "PA", "IS"))
    for a in x
    for b in y
    for c in z
)


def check_codes(codes: Sequence[str]) -> Codes:
    """Return three valid orientation letters as a tuple, or raise InputError."""
    letters = tuple(c.upper() for c in codes)
    if len(letters) != 3 or {_AXIS.get(c) for c in letters} != {0, 1, 2}:
        raise InputError(
            f"{''.join(codes)!r} is no orientation: give three letters, one each of LR, AP and SI"
        )
    return letters[0], letters[1], letters[2]


def nib_codes_from_sct(sct_codes: str) -> Codes:
    """Translate SCT's letters to nibabel's: ``"RPI"`` → ``("L", "A", "S")``."""
    a, b, c = check_codes(sct_codes)
    return _OPPOSITE[a], _OPPOSITE[b], _OPPOSITE[c]


def sct_codes_from_nib(nib_codes: Sequence[str]) -> str:
    """Translate nibabel's letters to SCT's: ``("L", "A", "S")`` → ``"RPI"``."""
    return "".join(_OPPOSITE[c] for c in check_codes(nib_codes))


def codes_of(affine: npt.NDArray[np.float64]) -> Codes:
    """Return nibabel's letters for an affine; oblique axes go to the nearest free direction."""
    axes = np.asarray(affine)[:3, :3]
    unit = axes / np.linalg.norm(axes, axis=0)
    # of the 6 ways to pair array axes with anatomical ones, the one that turns the grid least
    best = max(
        itertools.permutations(range(3)),
        key=lambda order: sum(abs(unit[world, axis]) for axis, world in enumerate(order)),
    )
    letters = tuple(
        ("LR", "PA", "IS")[world][int(unit[world, axis] > 0)] for axis, world in enumerate(best)
    )
    return letters[0], letters[1], letters[2]


def flips_and_axes(
    old: Sequence[str], new: Sequence[str]
) -> tuple[tuple[int, int, int], tuple[bool, bool, bool]]:
    """Say how to get from one layout to another.

    Returns
    -------
    axes
        For each new axis, the old axis that it comes from.
    flips
        For each *old* axis, whether it is flipped.
    """
    old, new = check_codes(old), check_codes(new)
    by_world = {_AXIS[letter]: axis for axis, letter in enumerate(old)}
    axes = tuple(by_world[_AXIS[letter]] for letter in new)
    flips = tuple(letter not in new for letter in old)
    return (axes[0], axes[1], axes[2]), (flips[0], flips[1], flips[2])


def reorient_array(
    array: npt.NDArray[Scalar], old: Sequence[str], new: Sequence[str]
) -> npt.NDArray[Scalar]:
    """Permute and flip the first three axes of an array; returns a view.

    Parameters
    ----------
    array
        At least three-dimensional; further axes (time) stay where they are.
    old, new
        nibabel orientation letters.
    """
    axes, flips = flips_and_axes(old, new)
    flipped = array[tuple(slice(None, None, -1) if flip else slice(None) for flip in flips)]
    return flipped.transpose(*axes, *range(3, array.ndim))
