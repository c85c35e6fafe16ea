"""Tiles: nothing is lost, nothing is shifted, memory is as foretold."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from spinetools.infer.sliding_window import (
    F32,
    estimate_memory,
    gaussian_weights,
    make_tiling,
    most_likely,
    sliding_window,
    tile_starts,
)

RNG = np.random.default_rng(7)


def identity(batch: F32) -> F32:
    return batch


def blur(batch: F32) -> F32:
    """A network that sees 2 voxels around: at a tile's edge it sees zeros instead."""
    return np.stack([
        np.stack([ndimage.uniform_filter(channel, 5, mode="constant") for channel in sample])
        for sample in batch
    ])  # fmt: skip


# -- where tiles lie ---------------------------------------------------------------------------


@given(st.integers(1, 300), st.integers(1, 64), st.floats(0, 0.9))
def test_tiles_cover_an_axis(length: int, tile: int, overlap: float) -> None:
    starts = tile_starts(length, tile, overlap)
    if length <= tile:
        (start,) = starts
        before, after = -start, start + tile - length
        assert before >= 0
        assert after - before in (0, 1), "in the middle"
        return
    assert (starts[0], starts[-1]) == (0, length - tile)
    steps = np.diff(starts)
    assert (steps > 0).all()
    assert steps.max() <= max(tile * (1 - overlap), 1) + 1  # 1: rounded to voxels
    assert steps.max() - steps.min() <= 1, "evenly spread"


def test_tiles_as_nnunet_lays_them() -> None:
    """100 voxels, tiles of 48, half a tile in common: nnU-Net's own rounding."""
    assert tile_starts(100, 48, 0.5) == (0, 17, 35, 52)
    assert tile_starts(48, 48, 0.5) == (0,)
    assert tile_starts(49, 48, 0.5) == (0, 1)


@pytest.mark.parametrize(
    ("shape", "tile", "overlap"),
    [((4, 4), (2, 2, 2), 0.5), ((4, 0), (2, 2), 0.5), ((4, 4), (0, 2), 0.5), ((4,), (2,), 1.0)],
)
def test_tilings_that_cannot_be(shape: Any, tile: Any, overlap: float) -> None:
    with pytest.raises(ValueError, match=r"do not fit|overlap is"):
        make_tiling(shape, tile, overlap)


def test_weights_are_symmetric_and_never_vanish() -> None:
    for length in (1, 2, 5, 64, 112):
        weights = gaussian_weights(length)
        middle = length // 2  # nnU-Net's
        whole = weights[1 - length % 2 :]
        np.testing.assert_array_equal(whole, whole[::-1])
        assert weights.min() > 3e-4
        assert weights.argmax() == middle


# -- what comes out ----------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 40), st.integers(1, 24)), min_size=2, max_size=3),
    st.floats(0, 0.8),
    st.integers(1, 5),
    st.integers(1, 3),
)
def test_the_identity_is_reproduced(
    sizes: list[tuple[int, int]], overlap: float, batch: int, n_channels: int
) -> None:
    shape, tile = zip(*sizes, strict=True)
    array = RNG.normal(100, 50, (n_channels, *shape)).astype(np.float32)
    found = sliding_window(array, identity, tile, overlap, batch)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, array, rtol=2e-6)


def test_every_place_is_its_own() -> None:
    """Each voxel's value is its index: a shift of one would show."""
    array = np.arange(31 * 17 * 23, dtype=np.float32).reshape(1, 31, 17, 23)
    found = sliding_window(array, identity, (8, 32, 9), 0.4, 3)
    np.testing.assert_array_equal(np.round(found), array)


def test_a_network_with_a_field_of_view() -> None:
    """Inside, tiles agree with the whole; at their edges the weights hide what they cannot see."""
    array = RNG.normal(0, 1, (1, 60, 50, 40)).astype(np.float32)
    whole = blur(array[np.newaxis])[0]
    found = sliding_window(array, blur, (32, 32, 32), 0.5, 2)
    assert np.abs(found - whole).max() < 0.02 * np.abs(whole).max()
    worse = sliding_window(array, blur, (32, 32, 32), 0, 2)
    assert np.abs(worse - whole).max() > 10 * np.abs(found - whole).max()


def test_translation() -> None:
    """A moved array gives the moved output, wherever the tiles fall."""
    array = np.zeros((1, 70, 66), dtype=np.float32)
    array[0, 20:45, 20:40] = RNG.normal(1, 1, (25, 20))
    found = sliding_window(array, blur, (24, 24), 0.5)
    for shift in [(0, 1), (5, 0), (-7, 11), (13, -9)]:
        moved = sliding_window(np.roll(array, shift, (1, 2)), blur, (24, 24), 0.5)
        back = np.roll(moved, [-step for step in shift], (1, 2))
        np.testing.assert_allclose(back, found, atol=0.02 * found.max())
        pointwise = sliding_window(np.roll(array, shift, (1, 2)), np.tanh, (24, 24), 0.5)
        expected = np.roll(np.tanh(array), shift, (1, 2))
        np.testing.assert_allclose(pointwise, expected, atol=1e-6)


def test_mirroring() -> None:
    """A mirrored array gives the mirrored output, but for half a voxel of the weights' middle."""
    array = RNG.normal(0, 1, (1, 45, 38)).astype(np.float32)
    found = sliding_window(array, blur, (16, 16), 0.5)
    for axis in (1, 2):
        turned = sliding_window(np.flip(array, axis), blur, (16, 16), 0.5)
        # starts are rounded, and half a voxel rounds to one side
        assert np.abs(np.flip(turned, axis) - found).max() < 0.05 * np.abs(found).max()
    even = np.flip(sliding_window(np.flip(array[:, :40], 1), blur, (16, 16), 0.5), 1)
    np.testing.assert_allclose(even, sliding_window(array[:, :40], blur, (16, 16), 0.5), atol=0.05)


def test_small_arrays_are_padded_in_the_middle() -> None:
    seen: list[F32] = []

    def look(batch: F32) -> F32:
        seen.append(batch.copy())
        return batch

    array = np.full((1, 3, 4), 9, dtype=np.int16)
    found = sliding_window(array, look, (8, 6), 0.5, pad_value=-1)
    np.testing.assert_allclose(found, array, rtol=1e-6)
    (batch,) = seen
    assert batch.dtype == np.float32
    expected = np.full((8, 6), -1.0)
    expected[2:5, 1:5] = 9
    np.testing.assert_array_equal(batch[0, 0], expected)


def test_batches_are_as_large_as_asked() -> None:
    sizes: list[int] = []
    shares: list[float] = []

    def count(batch: F32) -> F32:
        sizes.append(len(batch))
        return batch

    array = np.zeros((1, 40, 40), dtype=np.float32)
    sliding_window(array, count, (10, 10), 0, 3, progress=shares.append)
    assert sum(sizes) == 16
    assert max(sizes) == 3
    assert shares == sorted(shares)
    assert shares[-1] == 1


def test_finish_is_the_same_as_afterwards() -> None:
    array = RNG.normal(0, 1, (1, 50, 31, 27)).astype(np.float32)

    def three(batch: F32) -> F32:
        return np.concatenate([batch, -batch, np.abs(batch) - 0.5], axis=1)

    whole = sliding_window(array, three, (16, 16, 16), 0.5, 2)
    found = sliding_window(array, three, (16, 16, 16), 0.5, 2, finish=most_likely)
    assert found.dtype == np.uint8
    assert found.shape == array.shape
    np.testing.assert_array_equal(found[0], whole.argmax(axis=0))


def test_memory_is_as_foretold_and_small_with_finish() -> None:
    n_out, tile, batch = 8, (24, 24, 24), 2
    array = np.zeros((1, 160, 60, 60), dtype=np.float32)
    tiling = make_tiling(array.shape[1:], tile, 0.5)
    assert tiling.sweep == 0

    def classes(batch: F32) -> F32:
        return np.repeat(batch, n_out, axis=1)

    def peak(finish: Any) -> int:
        tracemalloc.start()
        sliding_window(array, classes, tile, 0.5, batch, finish=finish)
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    whole = estimate_memory(tiling, 1, n_out, batch)
    small = estimate_memory(tiling, 1, n_out, batch, kept_bytes=1, n_kept=1)
    assert 0.8 * whole < peak(None) < 1.2 * whole
    assert 0.8 * small < peak(most_likely) < 1.2 * small
    assert small < whole / 3


def test_a_network_of_another_size() -> None:
    with pytest.raises(ValueError, match=r"the network made \(1, 1, 4, 4\) of tiles of \(8, 8\)"):
        sliding_window(np.zeros((1, 9, 9)), lambda batch: batch[..., ::2, ::2], (8, 8))
    with pytest.raises(ValueError, match="batch is 0"):
        sliding_window(np.zeros((1, 9, 9)), identity, (8, 8), batch=0)
