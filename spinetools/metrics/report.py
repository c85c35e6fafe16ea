"""One segmentation against a reference: the figures that the project reports everywhere."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from spinetools.errors import InputError
from spinetools.image import Image
from spinetools.metrics.overlap import as_fractions, overlap, overlap_by_slice
from spinetools.metrics.shape import AXIAL
from spinetools.metrics.surface import surface_distances

FloatArray = npt.NDArray[np.float64]


def cord_report(
    segmentation: Image, reference: Image, slices: Iterable[int] | None = None
) -> dict[str, float]:
    """Compare a cord segmentation with a reference.

    Parameters
    ----------
    segmentation, reference
        Masks on one grid, in any orientation; soft ones count as inside from 0.5 on.
    slices
        Axial slices to compare, counted from the inferior end; None for all. The surfaces of
        other slices are still there to measure to.

    Returns
    -------
    dict
        ``dice``; ``hd95_mm``, ``hausdorff_mm``, ``mean_surface_distance_mm``;
        ``csa_bias_percent``, the mean over slices that both have of area / reference area − 1;
        ``csa_ratio_bias_percent``, the same from the mean areas over those slices;
        ``volume_bias_percent``, over all slices compared, so that missing ones count;
        ``coverage``, the part of the reference's slices that the segmentation has;
        ``worst_slice`` and ``worst_slice_dice``, of the reference's slices.
        A figure that does not exist (distances to an empty segmentation) is NaN.

    Raises
    ------
    InputError
        When the reference is empty in the slices compared, or a slice is not in the image.
    SpaceMismatch
        When the two are not on one grid.
    """
    seg, ref = segmentation.reorient(AXIAL), reference.reorient(AXIAL)
    seg.space.check_same(ref.space, names=(segmentation.name, reference.name))
    a, b = (as_fractions(image.data) >= 0.5 for image in (seg, ref))
    chosen = _chosen(slices, a.shape[2])
    within = np.broadcast_to(chosen, a.shape)
    area, wanted = (np.count_nonzero(mask & within, axis=(0, 1)) for mask in (a, b))
    if not wanted.any():
        raise InputError(f"{reference.name} is empty in the slices to compare; nothing to measure")
    has = wanted > 0
    both = has & (area > 0)
    dices = np.array([found.dice for found in overlap_by_slice(a, b)])
    worst = int(np.argmin(np.where(has, dices, np.inf)))
    ratios = area[both] / wanted[both]
    result = {
        "dice": overlap(a & within, b & within).dice,
        "hd95_mm": float("nan"),
        "hausdorff_mm": float("nan"),
        "mean_surface_distance_mm": float("nan"),
        "csa_bias_percent": _percent(ratios.mean()) if both.any() else float("nan"),
        "csa_ratio_bias_percent": (
            _percent(area[both].sum() / wanted[both].sum()) if both.any() else float("nan")
        ),
        "volume_bias_percent": _percent(area.sum() / wanted.sum()),
        "coverage": float(both.sum() / has.sum()),
        "worst_slice": worst,
        "worst_slice_dice": float(dices[worst]),
    }
    if area.any():
        distances = surface_distances(a, b, seg.space, within=within)
        result["hd95_mm"] = distances.hd95
        result["hausdorff_mm"] = distances.hausdorff
        result["mean_surface_distance_mm"] = distances.mean
    return result


def _chosen(slices: Iterable[int] | None, count: int) -> npt.NDArray[np.bool_]:
    if slices is None:
        return np.ones(count, dtype=bool)
    chosen = np.zeros(count, dtype=bool)
    index = np.asarray(list(slices), dtype=np.int64)
    if index.size and (index.min() < 0 or index.max() >= count):
        raise InputError(
            f"slices {index.min()} to {index.max()}, expected 0 to {count - 1} (0 is the lowest)"
        )
    chosen[index] = True
    return chosen


def _percent(ratio: float) -> float:
    return float(100 * (ratio - 1))
