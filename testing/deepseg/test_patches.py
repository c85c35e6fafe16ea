"""Where patches lie, what they hold, and how their values come back."""

from __future__ import annotations

import numpy as np
import pytest

from spinetools.deepseg.patches import blocks_along, slices_along

SHAPE = (40, 44, 90)
MM = np.array([1.0, 1.0, 1.0])


def line(n: int = 90, slope: float = 0.0) -> np.ndarray:
    k = np.arange(n)
    return np.column_stack([20 + slope * (k - n / 2), np.full(n, 21.0), k])


def test_a_patch_of_a_slice_is_the_slice_about_its_middle() -> None:
    volume = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
    patches = slices_along(SHAPE, MM, line(), (17, 15), (1.0, 1.0), margin=1)
    found = patches.cut(volume, range(3, 5))
    assert found.shape == (2, 19, 17)
    assert found[0] == pytest.approx(volume[11:30, 13:30, 3], abs=1e-5)


def test_beyond_the_image_its_border_is_repeated() -> None:
    volume = np.random.default_rng(0).normal(size=(10, 10, 3)).astype(np.float32)
    middle = np.array([[1.0, 8.0, 0.0]])
    patches = slices_along((10, 10, 3), MM, middle, (9, 9), (1.0, 1.0), margin=0)
    found = patches.cut(volume, [0])[0]
    expected = np.pad(volume[:, :, 0], 8, mode="edge")[5:14, 12:21]
    assert found == pytest.approx(expected, abs=1e-5)
    # what lies beyond the image does not come back into it
    ones = patches.paste(np.ones((1, 9, 9), dtype=np.float32))
    assert ones[0:6, 4:10, 0] == pytest.approx(1)
    assert not ones[6:].any()
    assert not ones[:, :, 1:].any()


@pytest.mark.parametrize("thickness", [0.7, 1.0, 2.5, 6.0])
def test_blocks_give_back_a_smooth_volume(thickness: float) -> None:
    n = round(90 / thickness)
    mm = np.array([1.0, 1.0, thickness])
    k = np.arange(n)
    places = np.column_stack([np.full(n, 20.0), np.full(n, 21.0), k])
    x, y, z = np.indices((40, 44, n)) * mm[:, None, None, None]
    volume = (np.cos(x / 9) + np.sin(y / 8) + 0.02 * z).astype(np.float32)
    patches = blocks_along((40, 44, n), mm, places, (32, 32, 24), (1.0, 1.0, 2.0), 0, 0.5)
    back = patches.paste(patches.cut(volume, range(len(patches))))
    middle = (slice(8, 32), slice(9, 33))
    assert np.abs(back[middle] - volume[middle]).max() < 0.06
    assert (patches.weights >= 0).all()


def test_every_slice_is_in_a_block_that_the_cord_is_in() -> None:
    steep = line(slope=0.8)  # 72 mm aside over 90 mm
    space = (120, 44, 90)
    steep[:, 0] += 40
    few = blocks_along(SHAPE, MM, line(), (64, 64, 48), (0.5, 0.5, 1.0), 0, 0.5)
    many = blocks_along(space, MM, steep, (64, 64, 48), (0.5, 0.5, 1.0), 0, 0.5)
    assert len(many) > len(few)
    volume = np.zeros(space, dtype=np.float32)
    for x, y, k in np.rint(steep).astype(int):
        volume[x - 4 : x + 5, y - 4 : y + 5, k] = 1
    back = many.paste(many.cut(volume, range(len(many))))
    x, y, k = np.rint(steep).astype(int).T
    assert back[x, y, k] == pytest.approx(1, abs=0.02)
    assert back.sum() == pytest.approx(volume.sum(), rel=0.02)


def test_a_short_stack_is_one_block() -> None:
    patches = blocks_along(
        (40, 44, 4), np.array([1, 1, 8.0]), line(4), (64, 64, 48), (0.5, 0.5, 1.0), 0, 0.5
    )
    assert len(patches) <= 2
    ones = patches.paste(np.ones((len(patches), 64, 64, 48), dtype=np.float32))
    assert ones[20, 21] == pytest.approx(1)
