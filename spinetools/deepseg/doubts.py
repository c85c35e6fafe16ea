"""What about a result a person should look at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spinetools.deepseg.lattice import FloatArray

IntArray = npt.NDArray[np.int64]

#: A slice that the network is less sure of is named.
LOW_SURENESS = 0.70
#: A slice whose uncertain voxels make up this share of its area is named.
HIGH_DISAGREEMENT = 0.25
#: Area of a slice against that of its neighbours on both sides, from which on it is named.
AREA_JUMP = 0.35
#: The detector tells where the cord ends to this length.
OPEN_MM = 3.0
#: Neighbours of a slice on each side that its area is compared with.
NEIGHBOURS_MM = 10.0


@dataclass(frozen=True)
class Doubt:
    """Something to look at.

    Attributes
    ----------
    kind
        One or two words: ``low confidence``, ``disagreement``, ``gap``, ``area jump`` …
    reason
        What was seen.
    slices
        Slices from the lowest of the image (canonical), in order.
    """

    kind: str
    reason: str
    slices: tuple[int, ...]


def unsure_slices(slices: IntArray, sureness: FloatArray) -> list[Doubt]:
    """Name the slices of which the network is not sure."""
    low = sureness < LOW_SURENESS
    if not low.any():
        return []
    reason = (
        f"the network is unsure here (down to {sureness[low].min():.2f}, expected "
        f"{LOW_SURENESS:g} or more)"
    )
    return [Doubt("low confidence", reason, _numbers(slices[low]))]


def disagreements(slices: IntArray, deviation: FloatArray, areas: FloatArray) -> list[Doubt]:
    """Name the slices where versions of the image give different cords.

    Parameters
    ----------
    slices
        (K,).
    deviation
        Sum of the standard deviation over the slice, as an area (K,), mm².
    areas
        Of the cord (K,), mm².
    """
    share = deviation / np.maximum(areas, 1e-6)
    high = share > HIGH_DISAGREEMENT
    if not high.any():
        return []
    reason = (
        f"mirrored, shifted and recoloured versions disagree over up to {share[high].max():.0%} "
        f"of the area, expected {HIGH_DISAGREEMENT:.0%} or less"
    )
    return [Doubt("disagreement", reason, _numbers(slices[high]))]


def area_jumps(slices: IntArray, areas: FloatArray, step_mm: float) -> list[Doubt]:
    """Name the slices whose area fits neither neighbour, each with what is expected there.

    Expected is the mean of the medians of the neighbours below and above: right for a cord that
    grows or thins evenly. The two slices at each end have no neighbours to be compared with.
    """
    reach = max(2, round(NEIGHBOURS_MM / step_mm))
    found: dict[int, float] = {}
    for row in range(2, len(slices) - 2):
        sides = [areas[max(0, row - reach) : row], areas[row + 1 : row + 1 + reach]]
        expected = float(np.mean([np.median(side) for side in sides]))
        change = areas[row] / max(expected, 1e-6) - 1
        if abs(change) > AREA_JUMP:
            found[int(slices[row])] = change
    if not found:
        return []
    worst = max(found.values(), key=abs)
    reason = f"area differs by up to {worst:+.0%} from that of the neighbours on both sides"
    return [Doubt("area jump", reason, tuple(sorted(found)))]


def gaps(slices: IntArray, filled: tuple[int, ...]) -> list[Doubt]:
    """Name the slices without cord between others, and those filled from their neighbours."""
    doubts = []
    if filled:
        reason = "no cord was found here; filled from the slices above and below"
        doubts.append(Doubt("gap filled", reason, filled))
    missing = np.setdiff1d(np.arange(slices[0], slices[-1] + 1), slices)
    if len(missing):
        reason = "no cord was found here, but above and below"
        doubts.append(Doubt("gap", reason, _numbers(missing)))
    return doubts


def not_segmented(slices: IntArray, expected: IntArray, step_mm: float) -> list[Doubt]:
    """Name the slices beyond both ends in which the centreline sees cord and the network none.

    At each end as many millimetres as lie between two slices that the detector looks at are open.
    """
    ends = (expected[expected < slices[0]], expected[expected > slices[-1]])
    long = [end for end in ends if len(end) * step_mm > OPEN_MM]
    outer = np.concatenate([expected[:0], *long])
    if not len(outer):
        return []
    reason = "the centreline goes on here, but the network sees no cord"
    return [Doubt("not segmented", reason, _numbers(outer))]


def _numbers(slices: IntArray) -> tuple[int, ...]:
    return tuple(int(k) for k in slices)
