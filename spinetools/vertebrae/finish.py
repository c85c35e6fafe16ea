"""From named voxels to a result: one component a label, no holes, the canal closed."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from spinetools.image import Image, Space, resample_to
from spinetools.morphology import components, fill_holes

Bools = npt.NDArray[np.bool_]
F32 = npt.NDArray[np.float32]
Labels = npt.NDArray[np.uint8]

#: Pieces that the image's side cuts off from their bone are kept from this share of its size, and
#: from this size.
_CUT_SHARE, _LEAST_PIECE_MM3 = 0.05, 27.0
#: Fluid round the cord, mm: that much of background next to it belongs to the canal.
_ROUND_CORD_MM = 1.0
#: Width (σ, voxels) of the smoothing that gives a label's edge its place between voxels.
_EDGE_SIGMA = 0.6


def clean(labels: Labels, spacing: float, sides: bool = True) -> Labels:
    """Keep one component of each label, and fill its holes.

    Parameters
    ----------
    labels
        Label values on a grid that runs right, front and up.
    spacing
        Of the isotropic grid, mm.
    sides
        Whether a bone may consist of several pieces where the image cuts it: a few sagittal slices
        show a body and its arch apart.
    """
    result = np.zeros_like(labels)
    least = _LEAST_PIECE_MM3 / spacing**3 if sides else None
    for value, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is None:
            continue
        piece = _main_part(labels[box] == value, box, labels.shape, least)
        piece = fill_holes(piece, axis=None)  # not slice by slice: that would fill the canal
        free = piece & ((labels[box] == value) | (labels[box] == 0))
        result[box][free] = value
    return result


def _main_part(
    mask: Bools, box: tuple[Any, ...], shape: tuple[int, ...], least: float | None
) -> Bools:
    """Keep the largest piece, and others from so many voxels on where the image cuts it."""
    parts, count = components(mask)
    if count <= 1:
        return mask
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    main = int(np.argmax(sizes))
    kept = [main]
    if least is not None and _at_edge(parts == main, box, shape):
        large = np.flatnonzero(sizes >= max(_CUT_SHARE * sizes[main], least))
        # a body that both sides cut has its pedicles beyond them: its arch may be anywhere behind
        apart = _cut_by_both_sides(parts == main, box, shape)
        kept += [int(n) for n in large if apart or _at_edge(parts == n, box, shape)]
    result: Bools = np.isin(parts, kept)
    return result


def _cut_by_both_sides(piece: Bools, box: tuple[Any, ...], shape: tuple[int, ...]) -> bool:
    along = np.flatnonzero(piece.any(axis=(1, 2))) + box[0].start
    return bool(along[0] == 0 and along[-1] == shape[0] - 1)


def _at_edge(piece: Bools, box: tuple[Any, ...], shape: tuple[int, ...]) -> bool:
    """Whether a piece reaches the image's side, top or bottom."""
    for axis in (0, 2):
        along = np.flatnonzero(piece.any(axis=tuple({0, 1, 2} - {axis}))) + box[axis].start
        if along[0] == 0 or along[-1] == shape[axis] - 1:
            return True
    return False


def close_canal(cord: Bools, canal: Bools, free: Bools, spacing: float) -> tuple[Bools, Bools]:
    """Close the canal round the cord, and fill both.

    Parameters
    ----------
    cord, canal
        Masks that do not overlap.
    free
        Voxels that nothing else claims.
    spacing
        Of the isotropic grid, mm.

    Returns
    -------
    cord, canal
        Without holes from slice to slice; the canal lies round the cord on all sides.
    """
    if cord.any():
        seen, cord = cord, fill_holes(_only_large(cord), axis=2)
        # a piece that is no cord after all (a bundle of roots) lies in the canal
        canal = (canal | seen) & ~cord
    if not canal.any() and not cord.any():
        return cord, canal
    reach = max(1, round(_ROUND_CORD_MM / spacing))
    near = ndimage.binary_dilation(cord, iterations=reach) & (free | canal)
    whole = _only_large(canal | cord | near)
    whole = fill_holes(whole, axis=2)
    return cord, whole & ~cord & (free | canal)


def _only_large(mask: Bools, share: float = 0.1) -> Bools:
    """Drop pieces much smaller than the largest one: a canal may be cut in two by the image."""
    parts, count = components(mask)
    if count <= 1:
        return mask
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    kept: Bools = np.isin(parts, np.flatnonzero(sizes >= share * sizes.max()))
    return kept


def on_grid(labels: Labels, space: Space, target: Image) -> Image:
    """Bring labels to another grid, with edges between voxels where they belong.

    Each label is smoothed a little and interpolated; a voxel takes the label that has most of it.

    Parameters
    ----------
    labels
        On ``space``.
    space
        The working grid.
    target
        Image whose grid and header the result has.
    """
    if space.same_as(target.space):
        return target.like(labels)
    best = np.zeros(target.space.shape, np.float32)
    result = np.zeros(target.space.shape, labels.dtype)
    taken = labels > 0
    for value, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is None:
            continue
        start = [max(0, side.start - 3) for side in box]
        stop = [min(n, side.stop + 3) for side, n in zip(box, labels.shape, strict=True)]
        crop = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
        share = (labels[crop] == value).astype(np.float32)
        share = ndimage.gaussian_filter(share, _EDGE_SIGMA)
        part = Image(share, space.cropped(start, stop))
        window = _window(part.space, target.space)
        if window is None:
            continue
        low, high = window
        there = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        found = resample_to(part, target.space.cropped(low, high), "linear").data
        more = found > best[there]
        best[there][more] = found[more]
        result[there][more] = value
    covered = resample_to(
        Image(ndimage.gaussian_filter(taken.astype(np.float32), _EDGE_SIGMA), space), target.space
    )
    result[covered.data < 0.5] = 0
    return target.like(result)


def soft_on_grid(share: F32, space: Space, target: Image) -> Image:
    """Bring a probability to another grid (float32, 0–1)."""
    image = resample_to(Image(share.astype(np.float32), space), target.space, "linear")
    return target.like(np.clip(image.data, 0, 1).astype(np.float32))


def _window(part: Space, target: Space) -> tuple[list[int], list[int]] | None:
    """Return the box of the target's voxels that a part may reach; None where it reaches none."""
    corners = np.array(np.meshgrid(*[(-1, n) for n in part.shape])).reshape(3, -1).T
    voxels = target.to_voxel(part.to_world(corners))
    low = np.maximum(np.floor(voxels.min(axis=0)).astype(int), 0)
    high = np.minimum(np.ceil(voxels.max(axis=0)).astype(int) + 1, target.shape)
    return None if (high <= low).any() else (low.tolist(), high.tolist())
