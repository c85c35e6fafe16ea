"""Run a network tile by tile over an array of any size, 2D or 3D, in bounded memory.

Overlapping tiles are averaged with Gaussian weights, as in nnU-Net (Isensee 2021): a network sees
least at the edge of its tile. Tiles lie on a grid and the weights are a product over the axes, so
that their sum is one too and needs no array of its own. Tiles are taken in order along one axis;
what no later tile reaches is finished, and only what is unfinished is kept for all output channels.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]
#: Runs the network: ``(N, C, *tile)`` to ``(N, channels, *tile)``.
Run = Callable[[F32], F32]
#: Turns finished output (channels, …) into what is kept (K, …), e.g. label values.
Finish = Callable[[F32], npt.NDArray[np.generic]]
#: Called with the share that is done, 0 to 1.
Progress = Callable[[float], None]

#: Width (σ) of the weights as a share of the tile, as in nnU-Net.
WEIGHT_SIGMA = 1 / 8


@dataclass(frozen=True)
class Tiling:
    """Where the tiles lie.

    Attributes
    ----------
    shape
        Of the array, without its channels.
    tile
        Of a tile.
    starts
        First index of the tiles along each axis. An array that is smaller than the tile has one,
        which is negative by what is padded before it.
    """

    shape: tuple[int, ...]
    tile: tuple[int, ...]
    starts: tuple[tuple[int, ...], ...]

    @property
    def n_tiles(self) -> int:
        """How many tiles there are."""
        return math.prod(len(starts) for starts in self.starts)

    @property
    def sweep(self) -> int:
        """Axis along which tiles are finished: the one that leaves least unfinished."""
        shares = [min(t, n) / n for t, n in zip(self.tile, self.shape, strict=True)]
        return int(np.argmin(shares))


def tile_starts(length: int, tile: int, overlap: float) -> tuple[int, ...]:
    """Return where tiles start along an axis: evenly spread, the last one ending at the end.

    Parameters
    ----------
    length, tile
        Voxels of the array and of a tile.
    overlap
        Share that neighbours have in common, at least; from 0 to below 1.
    """
    if length <= tile:
        return (-((tile - length) // 2),)
    step = max(tile * (1 - overlap), 1)
    count = math.ceil((length - tile) / step - 1e-9) + 1
    # nnU-Net's way to round: the spacing is even before rounding
    return tuple(int(value) for value in np.round(np.linspace(0, length - tile, count)))


def make_tiling(shape: Sequence[int], tile: Sequence[int], overlap: float = 0.5) -> Tiling:
    """Lay tiles over an array.

    Raises
    ------
    ValueError
        When the numbers of axes differ, a length is below 1, or the overlap is not within 0 and 1.
    """
    if len(shape) != len(tile) or min(*shape, *tile) < 1:
        raise ValueError(f"tiles of {tuple(tile)} do not fit an array of {tuple(shape)}")
    if not 0 <= overlap < 1:
        raise ValueError(f"overlap is {overlap}, expected from 0 to below 1")
    starts = (tile_starts(n, t, overlap) for n, t in zip(shape, tile, strict=True))
    return Tiling(tuple(shape), tuple(tile), tuple(starts))


def gaussian_weights(length: int) -> F32:
    """Return the weights along one axis of a tile, 1 in its middle.

    The middle of an even length is the upper of two, as in nnU-Net: half a voxel aside, labels of
    small tiles agree to a Dice of 0.987 instead of 0.9997.

    The corner of a 3D tile has the product of three: 4e-11, far above what float32 can tell from
    zero, so that no floor is needed.
    """
    sigma = max(length * WEIGHT_SIGMA, 1e-3)
    away = np.arange(length) - length // 2
    weights: F32 = np.exp(-0.5 * (away / sigma) ** 2).astype(np.float32)
    return weights


def estimate_memory(
    tiling: Tiling, n_in: int, n_out: int, batch: int = 1, kept_bytes: int = 4, n_kept: int = 0
) -> int:
    """Return how many bytes :func:`sliding_window` takes itself, without the network's layers.

    Parameters
    ----------
    tiling
        Where the tiles lie.
    n_in, n_out
        Channels of the network's input and output.
    batch
        Tiles at a time.
    kept_bytes, n_kept
        Bytes of a voxel, and channels, of what is kept (default: all output, as float32).
    """
    voxels, tile = math.prod(tiling.shape), math.prod(tiling.tile)
    sweep = tiling.sweep
    unfinished = voxels // tiling.shape[sweep] * min(tiling.tile[sweep], tiling.shape[sweep])
    kept = voxels * (n_kept or n_out) * kept_bytes
    # of the output of a tile there are two: as it comes, and weighted
    return kept + unfinished * n_out * 4 + batch * tile * (n_in + n_out) * 4 + tile * n_out * 4


def sliding_window(
    array: npt.NDArray[np.generic],
    run: Run,
    tile: Sequence[int],
    overlap: float = 0.5,
    batch: int = 1,
    pad_value: float = 0.0,
    finish: Finish | None = None,
    progress: Progress | None = None,
) -> npt.NDArray[np.generic]:
    """Return a network's output over a whole array.

    Parameters
    ----------
    array
        ``(C, *shape)``, of any type; tiles are cut as float32.
    run
        The network: ``(N, C, *tile)`` to ``(N, channels, *tile)``.
    tile
        Voxels of a tile along each axis of ``shape``.
    overlap
        Share that neighbouring tiles have in common, at least.
    batch
        Tiles at a time.
    pad_value
        What surrounds an array that is smaller than the tile; it is put in the middle.
    finish
        Applied to finished parts of the averaged output; with ``argmax`` for one, a network of
        many classes takes little memory. Its result must not depend on where a part ends.
    progress
        Called after each batch with the share that is done.

    Returns
    -------
    output
        ``(channels, *shape)``, float32, or what ``finish`` makes of it.

    Raises
    ------
    ValueError
        When ``run`` returns another shape than it should.
    """
    tiling = make_tiling(array.shape[1:], tile, overlap)
    sweep, shape = tiling.sweep, tiling.shape
    weights = [gaussian_weights(length) for length in tiling.tile]
    sums = [
        _weight_sum(n, starts, weight)
        for n, starts, weight in zip(shape, tiling.starts, weights, strict=True)
    ]
    others = [starts if axis != sweep else (0,) for axis, starts in enumerate(tiling.starts)]
    unfinished: F32 | None = None
    output: npt.NDArray[np.generic] | None = None
    done = 0
    for number, start in enumerate(tiling.starts[sweep]):
        first = max(start, 0)
        places = [
            tuple(start if axis == sweep else value for axis, value in enumerate(place))
            for place in itertools.product(*others)
        ]
        for some in _groups(places, batch):
            found = run(np.stack([_cut(array, place, tiling.tile, pad_value) for place in some]))
            if found.shape[0] != len(some) or found.shape[2:] != tiling.tile:
                raise ValueError(f"the network made {found.shape} of tiles of {tiling.tile}")
            if unfinished is None:
                kept = list(shape)
                kept[sweep] = min(tiling.tile[sweep], shape[sweep])
                unfinished = np.zeros((found.shape[1], *kept), dtype=np.float32)
            for place, values in zip(some, found, strict=True):
                _add(unfinished, values, place, tiling, weights, first)
            done += len(some)
            if progress is not None:
                progress(done / tiling.n_tiles)
            del found  # not beside the next batch's
        assert unfinished is not None
        following = tiling.starts[sweep][number + 1 :]
        end = following[0] if following else shape[sweep]
        part = _average(unfinished, sums, sweep, first, end)
        result = finish(part) if finish is not None else part
        if output is None:
            output = np.empty((result.shape[0], *shape), dtype=result.dtype)
        output[_along(sweep, first, end)] = result
        _move_on(unfinished, sweep, end - first)
    assert output is not None
    return output


def most_likely(part: F32) -> npt.NDArray[np.generic]:
    """Return the number of the largest channel in each voxel, (1, …) uint8; a ``finish``.

    ``argmax`` gives the same, by way of a copy of all channels and eight bytes a voxel.
    """
    best = part[0].copy()
    number = np.zeros((1, *best.shape), dtype=np.uint8)
    for channel in range(1, len(part)):
        number[0][part[channel] > best] = channel
        np.maximum(best, part[channel], out=best)
    return number


def _weight_sum(length: int, starts: Sequence[int], weights: F32) -> F32:
    """Return the sum of the weights of all tiles along one axis."""
    total = np.zeros(length, dtype=np.float64)
    for start in starts:
        low, high = max(start, 0), min(start + len(weights), length)
        total[low:high] += weights[low - start : high - start]
    return total.astype(np.float32)


def _cut(
    array: npt.NDArray[np.generic], place: Sequence[int], tile: Sequence[int], pad_value: float
) -> F32:
    """Return a tile as float32, surrounded by a value where it reaches beyond the array."""
    source, target = _overlap(array.shape[1:], place, tile)
    if all(part == slice(0, size) for part, size in zip(target, tile, strict=True)):
        return array[(slice(None), *source)].astype(np.float32)
    cut = np.full((array.shape[0], *tile), pad_value, dtype=np.float32)
    cut[(slice(None), *target)] = array[(slice(None), *source)]
    return cut


def _overlap(
    shape: Sequence[int], place: Sequence[int], tile: Sequence[int]
) -> tuple[list[slice], list[slice]]:
    """Return where array and tile overlap, in the array's and in the tile's indices."""
    source, target = [], []
    for length, start, size in zip(shape, place, tile, strict=True):
        low, high = max(start, 0), min(start + size, length)
        source.append(slice(low, high))
        target.append(slice(low - start, high - start))
    return source, target


def _add(
    unfinished: F32,
    values: F32,
    place: Sequence[int],
    tiling: Tiling,
    weights: Sequence[F32],
    first: int,
) -> None:
    """Add a tile's weighted output to what is unfinished, which begins at ``first``."""
    source, target = _overlap(tiling.shape, place, tiling.tile)
    part = values[(slice(None), *target)]
    n_axes = len(weights)
    weight = np.ones((1,) * n_axes, dtype=np.float32)
    for axis, (along, where) in enumerate(zip(weights, target, strict=True)):
        weight = weight * along[where].reshape([-1 if i == axis else 1 for i in range(n_axes)])
    sweep = tiling.sweep
    source[sweep] = slice(source[sweep].start - first, source[sweep].stop - first)
    unfinished[(slice(None), *source)] += part * weight


def _average(unfinished: F32, sums: Sequence[F32], sweep: int, first: int, end: int) -> F32:
    """Return the weighted mean of what is finished, from ``first`` to ``end``: a view."""
    part = unfinished[_along(sweep, 0, end - first)]
    for axis, total in enumerate(sums):
        along = total[first:end] if axis == sweep else total
        part /= along.reshape([-1 if i == axis else 1 for i in range(len(sums))])
    return part


def _move_on(unfinished: F32, sweep: int, by: int) -> None:
    """Drop what is finished: move the rest to the beginning, and clear behind it."""
    length = unfinished.shape[sweep + 1]
    for low in range(by, length, by):  # pieces that do not overlap what they move to
        high = min(low + by, length)
        unfinished[_along(sweep, low - by, high - by)] = unfinished[_along(sweep, low, high)]
    unfinished[_along(sweep, length - by, length)] = 0


def _along(axis: int, first: int, end: int) -> tuple[slice, ...]:
    """Return the index of a range along an axis, after the channels."""
    return (*(slice(None),) * (axis + 1), slice(first, end))


def _groups(items: Sequence[tuple[int, ...]], size: int) -> Iterator[Sequence[tuple[int, ...]]]:
    if size < 1:
        raise ValueError(f"batch is {size}, expected at least 1")
    for first in range(0, len(items), size):
        yield items[first : first + size]
