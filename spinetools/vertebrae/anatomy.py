"""What a spine can look like: its count of vertebrae, and the mean size of each level.

Sizes are those of the digital spine's sources (:mod:`spinetools.phantom.numbers`). How often a
spine has one presacral vertebra more or less: lumbarised 6.6 %, sacralised 3.6 % (n = 10,833), a
thirteenth thoracic vertebra 1–3 %, count ± 1 in 7.7 % of 418 whole-spine MRI.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt

from spinetools.labels import LEVELS
from spinetools.models.classes import Levels
from spinetools.phantom.numbers import LEVEL_NUMBERS, LevelNumbers

FloatArray = npt.NDArray[np.float64]

#: Whose sizes an additional vertebra has.
_LIKE = {"T13": "T12", "L6": "L5"}
_NUMBERS = {level.name: level for level in LEVEL_NUMBERS}


@dataclass(frozen=True)
class Anatomy(Levels):
    """A count of vertebrae, and how large they are.

    Attributes
    ----------
    vertebrae
        Free vertebrae from C1 down; the sacrum follows.
    variant
        ``""`` for the usual 24, else ``T13``, ``L6`` (six free lumbar vertebrae: one too many, or
        S1 lumbarised; the spine alone cannot tell) or ``L4`` (four: L5 sacralised).
    prior
        Share of people.
    """

    prior: float = 1.0

    @cached_property
    def place_mm(self) -> FloatArray:
        """Place of each disc along the cord below C2–C3, mm, in a spine of mean size."""
        pitch = [_numbers(level).pitch for level in self.vertebrae[2:]]
        return np.concatenate([[0.0], np.cumsum(pitch)])

    @cached_property
    def disc_depth_mm(self) -> FloatArray:
        """Depth (front to back) of each disc, mm."""
        return self._at_discs("endplate_depth")

    @cached_property
    def disc_width_mm(self) -> FloatArray:
        """Width of each disc, mm."""
        return self._at_discs("endplate_width")

    @cached_property
    def disc_height_mm(self) -> FloatArray:
        """Height of each disc, mm."""
        return np.array([_numbers(level).disc for level in self.vertebrae[1:]])

    def level_mm(self, level: str) -> tuple[float, float]:
        """Return where a vertebra begins and ends along the cord, mm below C2–C3.

        C1 and C2 lie above it (negative), the sacrum below the last disc.
        """
        place = self.place_mm
        if level == "S":
            return float(place[-1]), float(place[-1]) + 110.0
        index = self.vertebrae.index(level)
        if index == 0:
            return -_NUMBERS["C1"].pitch - _NUMBERS["C2"].pitch, -_NUMBERS["C2"].pitch
        if index == 1:
            return -_NUMBERS["C2"].pitch, 0.0
        return float(place[index - 2]), float(place[index - 1])

    def _at_discs(self, field: str) -> FloatArray:
        row = [getattr(_numbers(level), field) for level in self.vertebrae[1:]]
        row.append(row[-1] * 0.97)  # the sacrum's endplate is a little smaller than L5's
        values = np.array(row)
        result: FloatArray = (values[:-1] + values[1:]) / 2
        return result


@lru_cache(maxsize=1)
def anatomies() -> tuple[Anatomy, ...]:
    """Return the counts that the numbering considers; the usual one comes first."""
    extra = LEVELS.index("L1")
    return (
        Anatomy(LEVELS, "", 0.90),
        Anatomy((*LEVELS[:extra], "T13", *LEVELS[extra:]), "T13", 0.02),
        Anatomy((*LEVELS, "L6"), "L6", 0.045),
        Anatomy(LEVELS[:-1], "L4", 0.035),
    )


def usual() -> Anatomy:
    """Return the spine with 7 cervical, 12 thoracic and 5 lumbar vertebrae."""
    return anatomies()[0]


def _numbers(level: str) -> LevelNumbers:
    return _NUMBERS[_LIKE.get(level, level)]
