"""Variants of the vertebral column: one vertebra more or fewer, transitional ones, other ribs."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from spinetools.errors import InputError
from spinetools.phantom.lattice import FloatArray
from spinetools.phantom.numbers import LEVEL_NUMBERS, SACRAL_NAMES, LevelNumbers

#: Share of adults. One vertebra more 4.3 %, one fewer 3.3 % of whole-spine MRI (18 and 14 of 418);
#: lumbarised 6.6 %, sacralised 3.6 % (n = 10,833), each split into those that change the count and
#: those that do not. T13, missing ribs and cervical ribs: shares that fit these sums, inferred.
VARIANT_SHARES = {
    "normal": 0.863,
    "T13": 0.015,  # thirteen vertebrae with ribs
    "L6": 0.028,  # six free lumbar vertebrae (S1 wholly lumbarised)
    "L4": 0.020,  # four free lumbar vertebrae (L5 wholly sacralised)
    "lumbarised": 0.038,  # S1 square, with a disc below it, still part of the sacrum
    "sacralised": 0.016,  # L5 with wide transverse processes that join the sacrum, thin disc
    "ribs11": 0.013,  # T12 without ribs
    "cervical_rib": 0.007,  # short ribs at C7
}
VARIANTS = tuple(VARIANT_SHARES)

#: Neighbours that a supernumerary vertebra spreads over: its first, and how many levels it shares.
_SPREAD = {"T13": ("T8", 5), "L6": ("L1", 5), "L4": ("L1", 5)}


def draw_variant(seed: int) -> str:
    """Return the variant that a seed's subject has, by the shares of adults."""
    place = np.random.default_rng([seed, 5]).random()
    ends = np.cumsum(list(VARIANT_SHARES.values()))
    return VARIANTS[min(int(np.searchsorted(ends, place, side="right")), len(VARIANTS) - 1)]


def check_variant(name: str) -> str:
    """Return the variant's name, or raise InputError naming those that exist."""
    if name not in VARIANT_SHARES:
        raise InputError(f"unknown variant {name!r}; choose one of {', '.join(VARIANTS)}")
    return name


def level_numbers(variant: str) -> tuple[LevelNumbers, ...]:
    """Return the numbers of the free vertebrae, C1 to the last above the sacrum."""
    if variant == "L4":
        return LEVEL_NUMBERS[:-1]
    if variant == "L6":
        return (*LEVEL_NUMBERS, replace(LEVEL_NUMBERS[-1], name="L6", pitch=32.0, spinous=22.0))
    if variant == "T13":
        upper, lower = LEVEL_NUMBERS[18], LEVEL_NUMBERS[19]
        between = {
            key: (getattr(upper, key) + getattr(lower, key)) / 2
            for key in vars(upper)
            if key != "name"
        }
        return (*LEVEL_NUMBERS[:19], LevelNumbers("T13", **between), *LEVEL_NUMBERS[19:])
    return LEVEL_NUMBERS


@dataclass(frozen=True, eq=False)
class Column:
    """The names of all vertebrae, and where they lie on the scale of levels.

    The scale is anatomical: 0 at the top of C1, 7 of T1, 19 of L1, 24 of the sacrum, 29 below S5,
    with whole numbers at the discs of a normal column. A vertebra more shares its neighbours'.

    Attributes
    ----------
    variant
        A name of :data:`VARIANTS`.
    levels
        Numbers of the free vertebrae.
    marks
        (n + 6,) level at the top of each vertebra, and below S5.
    """

    variant: str
    levels: tuple[LevelNumbers, ...]
    marks: FloatArray

    @property
    def n(self) -> int:
        """How many vertebrae lie above the sacrum."""
        return len(self.levels)

    @property
    def names(self) -> tuple[str, ...]:
        """All vertebrae, C1 to S5."""
        return (*(level.name for level in self.levels), *SACRAL_NAMES)

    def numbers(self, name: str) -> FloatArray:
        """One column of the levels' numbers."""
        return np.array([getattr(level, name) for level in self.levels])


def make_column(variant: str) -> Column:
    """Lay out the column of a variant."""
    levels = level_numbers(check_variant(variant))
    marks = np.arange(30.0)
    if variant in _SPREAD:
        first, shared = _SPREAD[variant]
        start = [level.name for level in LEVEL_NUMBERS].index(first)
        count = shared + len(levels) - len(LEVEL_NUMBERS)
        inside = np.linspace(start, start + shared, count + 1)
        marks = np.concatenate([marks[:start], inside, marks[start + shared + 1 :]])
    return Column(variant, levels, marks)
