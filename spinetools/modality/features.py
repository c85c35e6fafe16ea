"""What of an image tells its contrast: intensities of the cord and about it, against each other.

Places come from the cord detector, which reads any contrast. Everything is a ratio of intensities,
so that the scanner's scale does not matter; nothing depends on the voxel size, which would tell the
site's habits rather than the contrast.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from spinetools.centerline.detect import CANONICAL, CORD, CORD_SIGMA_MM, PRESENT, SMOOTHNESS
from spinetools.centerline.detect import probability_maps as maps_of
from spinetools.centerline.path import best_path
from spinetools.image import Image
from spinetools.infer.onnx import OnnxModel
from spinetools.models.store import find_model

FloatArray = npt.NDArray[np.float64]

#: Slices that are looked at: this far apart (mm), and no more than so many.
_EVERY_MM, _MOST_SLICES = 6.0, 20
#: Regions about the cord in a slice, mm: (least, most) to the side, and to the front.
_REGIONS = {
    "bodies": ((0, 6), (13, 26)),
    "arches": ((0, 4), (-32, -13)),
    "muscle": ((14, 32), (-32, -4)),
}
_NEAR_MM, _CORD_MM, _ROUND_MM = 60.0, 2.2, (4.5, 9.0)
#: Percentiles of each region; of all about the cord; and of the whole image.
_OF_REGION, _OF_NEAR, _OF_IMAGE = (15, 50, 85), (2, 50, 95, 99), (10, 25, 50, 75, 90, 95)
#: What is darker than this share of the bright end is as good as nothing.
_FLOOR_LOCAL, _FLOOR_IMAGE, _BRIGHT = 0.02, 0.01, 98
_LEAST_VOXELS = 4

#: Names of the features, in order. Logarithms of ratios: to the bright end of the image, then to
#: the cord.
FEATURES = (
    *(f"image p{p}" for p in _OF_IMAGE), "cord", *(f"round p{p}" for p in _OF_REGION),
    *(f"{name} p{p}" for name in _REGIONS for p in _OF_REGION), *(f"near p{p}" for p in _OF_NEAR),
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Seen:
    """What an image shows.

    Attributes
    ----------
    features
        (:data:`FEATURES`,); NaN for those about the cord where none is seen.
    n_slices
        Slices in which the cord was seen.
    below_air, soft
        Shares of voxels below −30, and between −20 and 120: fat and air, and soft tissue, in
        Hounsfield units.
    """

    features: FloatArray
    n_slices: int
    below_air: float
    soft: float


def look_at(image: Image) -> Seen:
    """Measure what tells the contrast.

    Parameters
    ----------
    image
        3D, in any orientation.
    """
    canonical = image.reorient(CANONICAL)
    data = np.asarray(canonical.data, dtype=np.float32)
    sample = data.ravel()
    padding = float(data.min())
    share = float(np.mean(data == padding))
    if 0.02 < share < 0.98:  # zeros round the image say nothing
        sample = data[data != padding]
    sample = sample[:: max(1, sample.size // 200_000)]
    below, soft = float(np.mean(sample < -30)), float(np.mean((sample > -20) & (sample < 120)))
    # Hounsfield units count from air, as MR does from nothing
    lift = 1024.0 if below > 0.005 else 0.0
    percentiles = np.percentile(sample, (*_OF_IMAGE, _BRIGHT)) + lift
    bright = max(float(percentiles[-1]), 1e-6)
    of_image = np.log(np.clip(percentiles[:-1], _FLOOR_IMAGE * bright, None) / bright)
    rows = _rows(canonical, data) + lift
    local = np.full(1 + len(_OF_REGION) * (1 + len(_REGIONS)) + len(_OF_NEAR), np.nan)
    if len(rows) >= 2:
        rows = np.where(np.isnan(rows), np.nan, np.clip(rows, _FLOOR_LOCAL * bright, None))
        local[0] = np.log(np.median(rows[:, 0]) / bright)
        ratios = np.log(rows[:, 1:] / rows[:, :1])
        known = np.isfinite(ratios).any(axis=0)
        local[1:][known] = np.nanmedian(ratios[:, known], axis=0)
    return Seen(np.concatenate([of_image, local]), len(rows), below, soft)


def _rows(canonical: Image, data: npt.NDArray[np.float32]) -> FloatArray:
    """Measure each slice in which the cord is seen: the cord, round it, and the regions."""
    detector = OnnxModel(find_model("optic"), "cpu")
    steps = np.asarray(canonical.space.spacing)
    count = canonical.shape[2]
    every = max(1, round(_EVERY_MM / steps[2]))
    wanted = np.linspace(0, count - 1, min(_MOST_SLICES, max(2, count // every + 1)))
    slices = np.unique(np.round(wanted).astype(np.int64))
    maps = maps_of(canonical, slices, detector)[CORD]
    sigma = CORD_SIGMA_MM / detector.card.spacing_mm[0]
    scores = [ndimage.gaussian_filter(m, sigma) for m in maps]
    path = best_path(scores, np.diff(slices) * steps[2], SMOOTHNESS)
    zoom = np.array(maps.shape[1:]) / np.array(canonical.shape[:2])
    rows = [
        _row(data[:, :, k], steps, (place + 0.5) / zoom - 0.5)
        for k, place, score in zip(slices, path, scores, strict=True)
        if score[tuple(place)] >= PRESENT
    ]
    width = 1 + len(_OF_REGION) * (1 + len(_REGIONS)) + len(_OF_NEAR)
    return np.array(rows, dtype=np.float64).reshape(-1, width)


def _row(plane: npt.NDArray[np.float32], steps: FloatArray, centre: FloatArray) -> list[float]:
    aside = np.abs(np.arange(plane.shape[0])[:, None] - centre[0]) * steps[0]
    ahead = (np.arange(plane.shape[1])[None, :] - centre[1]) * steps[1]
    away = np.hypot(aside, 1.2 * ahead)  # the cord is wider than deep

    def percentiles(inside: npt.NDArray[np.bool_], wanted: tuple[int, ...]) -> list[float]:
        values = plane[inside]
        if values.size < _LEAST_VOXELS:
            return [float("nan")] * len(wanted)
        return [float(value) for value in np.percentile(values, wanted)]

    row = percentiles(away < _CORD_MM, (50,))
    if np.isnan(row[0]):  # a voxel as wide as the cord
        i, j = np.clip(np.rint(centre).astype(int), 0, np.array(plane.shape) - 1)
        row = [float(plane[i, j])]
    row += percentiles((away >= _ROUND_MM[0]) & (away < _ROUND_MM[1]), _OF_REGION)
    for (near, far), (back, front) in _REGIONS.values():
        inside = (aside >= near) & (aside < far) & (ahead > back) & (ahead < front)
        row += percentiles(inside, _OF_REGION)
    row += percentiles((aside < _NEAR_MM) & (np.abs(ahead) < _NEAR_MM), _OF_NEAR)
    return row
