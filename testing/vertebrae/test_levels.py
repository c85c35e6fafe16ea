"""Points at the discs and above them, on shapes whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from spinetools.image import Image, Space
from spinetools.vertebrae.from_labels import spine_from_labels
from spinetools.vertebrae.levels import disc_points

NAMES = {
    1: "vertebrae_C1",
    2: "vertebrae_C2",
    3: "disc_C2_C3",
    4: "vertebrae_C3",
    5: "spinal_canal",
}


def neck(high: int) -> Image:
    """C1 of so many slices of 1 mm, C2, C3 and the disc between them, with air above."""
    data = np.zeros((30, 50, 100), np.uint8)
    data[10:20, 10:20, 5:95] = 5
    for value, low, top in ((4, 10, 25), (3, 25, 31), (2, 31, 60), (1, 62, 62 + high)):
        data[8:22, 25:42, low:top] = value
    return Image(data, Space(data.shape, np.eye(4)))


@pytest.mark.parametrize(("high", "points"), [(12, {1, 2, 3}), (5, {3})])
def test_the_points_above_c2_c3_need_c1_seen_whole(high: int, points: set[int]) -> None:
    spine = spine_from_labels(neck(high), NAMES)
    assert spine.space.spacing == pytest.approx((1, 1, 1))
    found = disc_points(spine)
    assert set(np.unique(found.data)) - {0} == points
    heights = [np.argwhere(found.data == value)[0, 2] for value in sorted(points)]
    assert heights == sorted(heights, reverse=True)
    assert heights[-1] == pytest.approx(28, abs=1)
