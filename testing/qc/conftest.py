"""A small image of a curved cord, in any orientation, and reports made of it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from spinetools.image import Image, Space

SHAPE = (40, 56, 48)  # right-left, back-front, foot-head, as nibabel's RAS counts them
SPACING_MM = (1.0, 0.8, 2.0)
FILLED = range(6, 42)


def centre_of_cord(z: int) -> tuple[float, float]:
    """Where the cord runs (x, y in RAS voxels): it sways sideways and backwards."""
    return 19 + 9 * np.sin(z / 9), 30 - 8 * np.sin(z / 14)


def ras_cord() -> tuple[Image, Image]:
    affine = np.diag([*SPACING_MM, 1.0])
    affine[:3, 3] = (-20, -30, 5)
    space = Space(SHAPE, affine)
    x, y, z = np.meshgrid(*map(np.arange, SHAPE), indexing="ij")
    cx, cy = centre_of_cord(z)
    mm2 = ((x - cx) * SPACING_MM[0]) ** 2 + ((y - cy) * SPACING_MM[1]) ** 2
    noise = np.random.default_rng(1).normal(0, 4, SHAPE)
    image = 60 + 90 * (mm2 < 12**2) - 60 * (mm2 < 5**2) + noise
    mask = (mm2 < 5**2) & (z >= FILLED.start) & (z < FILLED.stop)
    return Image(image.astype(np.float32), space), Image(mask.astype(np.uint8), space)


@pytest.fixture(scope="session")
def ras() -> tuple[Image, Image]:
    return ras_cord()


@pytest.fixture
def cord(ras: tuple[Image, Image]) -> Callable[[str], tuple[Image, Image]]:
    """Return image and mask in the orientation of three nibabel letters."""

    def make(codes: str) -> tuple[Image, Image]:
        image, mask = ras
        return image.reorient(tuple(codes)), mask.reorient(tuple(codes))

    return make
