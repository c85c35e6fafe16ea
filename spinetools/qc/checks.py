"""Flags and measures that follow from any mask, whichever command made it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from spinetools.qc.cuts import Extent
from spinetools.qc.entry import Flag
from spinetools.qc.geometry import Frame


def gaps(frame: Frame, extent: Extent) -> tuple[int, ...]:
    """Return native indices of empty slices between the first and the last that is not empty."""
    filled = extent.filled
    if len(filled) < 2:
        return ()
    inner = np.arange(filled[0], filled[-1])
    missing = inner[extent.counts[inner] == 0]
    return tuple(sorted(int(frame.native(2, s)) for s in missing))


def mask_flags(name: str, frame: Frame, extent: Extent, cropped: tuple[int, ...]) -> list[Flag]:
    """Return what is wrong with a mask at first sight.

    Parameters
    ----------
    name
        Of the mask.
    frame
        The axial frame.
    extent
        Of the mask, in the frame.
    cropped
        Native slices where the mask reaches beyond its picture.
    """
    if not len(extent.filled):
        return [Flag("empty", f"{name} has no voxel in this image")]
    flags = []
    missing = gaps(frame, extent)
    if missing:
        flags.append(Flag("gap", f"{name} has no voxel, but has some above and below", missing))
    if cropped:
        flags.append(Flag("cut off", f"{name} reaches beyond the picture", cropped))
    return flags


def areas(frame: Frame, data: npt.NDArray[Any], extent: Extent) -> dict[int, float]:
    """Return a mask's area in each slice (mm²) by native index; a soft mask's values are summed.

    It is the area in the plane of the slice: where the cord runs obliquely through the slice it is
    larger than the cross-sectional area.
    """
    pixel_mm2 = frame.spacing[0] * frame.spacing[1]
    top = float(data.max()) if data.size else 0.0
    soft = data.dtype.kind == "f" and 0 < top <= 1
    sums = frame.array(data).sum(axis=(0, 1), dtype=np.float64) if soft else extent.counts
    return {int(frame.native(2, s)): float(sums[s] * pixel_mm2) for s in extent.filled.tolist()}
