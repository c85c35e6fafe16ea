"""Which areas and lengths a spinal cord has, and how well evidence tells a mask's Dice.

Both were measured on the simulated spine, whose truth is exact: the numbers are in
``data/quality.json``, which ``testing/benchmark/calibrate_quality.py`` writes. The simulated
cords' areas follow the measured means and spreads of adults a level (phantom/numbers.py).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt

from spinetools.phantom.numbers import LEVEL_NUMBERS

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

#: At a known level, an area further from the adults' mean than this many standard deviations,
#: and than what methods differ by, is no cord's.
FAR_SD = 4.0
#: Errors of an expectation grow with what is expected to be lacking, and with this at least.
FLOOR = 0.02


@dataclass(frozen=True)
class Limits:
    """What is plausible.

    Attributes
    ----------
    area_mm2
        The smallest and the largest area of a cord in a slice.
    longest_mm
        The largest extent from foot to head.
    method_share
        How far a sound method's area may be from the true one, as a share.
    """

    area_mm2: tuple[float, float]
    longest_mm: float
    method_share: float

    def implausible(
        self, area_mm2: FloatArray, levels: npt.NDArray[np.int64] | None = None
    ) -> BoolArray:
        """Tell slices with an area that no cord has, at its level where that is known.

        Parameters
        ----------
        area_mm2
            In each slice; 0 without mask.
        levels
            Vertebral level of each slice (SCT's values, 1 is C1), 0 where it is not known.
        """
        low, high = (np.full(len(area_mm2), limit) for limit in self.area_mm2)
        if levels is not None:
            for number, level in enumerate(LEVEL_NUMBERS, start=1):
                here = levels == number
                spread = FAR_SD * level.cord_csa_sd
                # the conus tapers from T12 on: there only the upper limit is known
                if level.name not in ("T12", "L1", "L2", "L3", "L4", "L5"):
                    low[here] = (level.cord_csa - spread) * (1 - self.method_share)
                high[here] = (level.cord_csa + spread) * (1 + self.method_share)
        return (area_mm2 > 0) & ((area_mm2 < low) | (area_mm2 > high))


@dataclass(frozen=True, eq=False)
class Quality:
    """How evidence adds up to the Dice that is to be expected.

    Attributes
    ----------
    base
        One minus the Dice of a mask with nothing against it.
    weights
        By piece of evidence; none is negative.
    pair_error
        Standard deviation of the error of the expected ratio of what two methods lack on one
        image (its natural logarithm, see :mod:`spinetools.compare.choose`).
    error
        Standard deviation of the error of one expected Dice, over what it is expected to lack
        (plus ``FLOOR``).
    picks
        Share of images of the simulated spine on which the better of two methods had the higher
        expectation, in subjects that were not used for the weights.
    limits
        See the class.
    """

    base: float
    weights: Mapping[str, float]
    pair_error: float
    error: float
    picks: float
    limits: Limits

    def lacking(self, evidence: Any) -> float:
        """Return one minus the expected Dice, from an ``Evidence``."""
        total = self.base + sum(
            weight * getattr(evidence, name) for name, weight in self.weights.items()
        )
        return float(np.clip(total, 0.0, 1.0))

    def dice(self, evidence: Any) -> float:
        """Return the Dice that is to be expected."""
        return 1 - self.lacking(evidence)


@cache
def calibrated() -> Quality:
    """Return the numbers that ship."""
    content = json.loads(files("spinetools.data").joinpath("quality.json").read_text("utf-8"))
    return quality_from(content)


def quality_from(content: Mapping[str, Any]) -> Quality:
    """Read the numbers from their JSON."""
    limits = content["limits"]
    return Quality(
        base=content["base"],
        weights=content["weights"],
        pair_error=content["pair_error"],
        error=content["error"],
        picks=content["picks"],
        limits=Limits(
            (limits["area_mm2"][0], limits["area_mm2"][1]),
            limits["longest_mm"],
            limits["method_share"],
        ),
    )
