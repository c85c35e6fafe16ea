"""What ``st_image`` and ``st_crop_image`` do to an image, as functions."""

from __future__ import annotations

import itertools
import logging
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt

from spinetools.errors import InputError, SpaceMismatch
from spinetools.image.header import affine_of
from spinetools.image.image import Image
from spinetools.image.nifti import open_voxels, read_header
from spinetools.image.resample import inside
from spinetools.image.space import Space
from spinetools.series import series_path

logger = logging.getLogger(__name__)

Box = tuple[tuple[int, int, int], tuple[int, int, int]]

AXES = ("x", "y", "z", "t")
TIME = 3
#: Pieces whose places leave a gap or overlap by more than this (mm) are said not to follow on.
GAP_TOLERANCE_MM = 0.1


# -- headers -----------------------------------------------------------------------------------


def load_mended(
    path: str | os.PathLike[str], mend: Callable[[nib.Nifti1Header, str], nib.Nifti1Header]
) -> Image:
    """Open a file under a header that ``mend`` makes of its own, which may be a broken one.

    Raises
    ------
    InputError
        When the file is no NIfTI image, or the mended header cannot be used either.
    """
    if series_path(path) is not None:
        raise InputError(
            f"{path} is DICOM, whose header is not mended; make it NIfTI first: st_image -convert"
        )
    path = Path(path)
    own = read_header(path)
    voxels = open_voxels(path, own)
    header = mend(own, str(path))
    i, j, k = voxels.shape[:3]
    return Image(voxels, Space((i, j, k), affine_of(header, str(path))), header, path)


def load_under_header_of(path: str | os.PathLike[str], source: Image) -> Image:
    """Open a file's voxels under another image's header; the file's own may be broken.

    Raises
    ------
    InputError
        When the shapes differ.
    """

    def replace(own: nib.Nifti1Header, name: str) -> nib.Nifti1Header:
        shape = tuple(int(n) for n in own.get_data_shape()[:3])
        if shape != source.space.shape:
            raise SpaceMismatch(
                f"{name} and {source.name} have different shapes, {shape} and "
                f"{source.space.shape}; a header can only be copied between images of one shape"
            )
        header = source.header
        header["pixdim"][4:] = own["pixdim"][4:]  # the time step stays its own
        return header

    return load_mended(path, replace)


def describe_header(path: str | os.PathLike[str]) -> list[tuple[str, str]]:
    """Return every field of a file's header as text, also of a header that cannot be used.

    Of DICOM, the header that it is converted to.
    """
    header = read_header(path) if series_path(path) is None else Image.load(path).header
    rows = []
    for field in header.keys():  # noqa: SIM118 (a NIfTI header iterates over nothing else)
        value = np.asarray(header[field])
        if value.dtype.kind == "S":
            text = bytes(value.item()).decode(errors="replace").rstrip("\0")
        else:
            text = " ".join(f"{number:.9g}" for number in value.ravel().tolist())
        rows.append((field, text))
    return rows


# -- pieces ------------------------------------------------------------------------------------


def split(image: Image, axis: int) -> list[Image]:
    """Return the slices (axis 0 to 2) or the volumes (axis 3), each in its place."""
    if axis == TIME:
        if image.n_volumes == 1:
            raise InputError(f"{image.name} is 3D and cannot be split along t; expected 4D")
        return [image.volume(index) for index in range(image.n_volumes)]
    pieces = []
    for index in range(image.shape[axis]):
        start, stop = [0, 0, 0], list(image.space.shape)
        start[axis], stop[axis] = index, index + 1
        pieces.append(image.crop(start, stop))
    return pieces


def concatenate(images: Sequence[Image], axis: int) -> Image:
    """Join images along a voxel axis (0 to 2) or time (3), under the first one's header.

    Raises
    ------
    SpaceMismatch
        When the shapes do not fit, or the grids differ in orientation or spacing (along time: in
        anything). Pieces whose places do not follow each other are joined with a warning.
    """
    first = images[0]
    for image in images[1:]:
        if axis == TIME:
            first.space.check_same(image.space, (first.name, image.name))
        else:
            _check_fits(first, image, axis)
    if axis == TIME:
        arrays = [image.data if image.data.ndim == 4 else image.data[..., None] for image in images]
        return first.like(np.concatenate(arrays, axis=TIME))
    start = [0, 0, 0]
    for before, image in itertools.pairwise(images):
        start[axis] += before.shape[axis]
        apart = float(np.abs(first.space.to_world(start) - image.space.to_world((0, 0, 0))).max())
        if apart > GAP_TOLERANCE_MM:
            logger.warning(
                "%s does not follow %s in the scanner (%.3g mm apart); it is put there",
                image.name, before.name, apart,
            )  # fmt: skip
    array = np.concatenate([image.data for image in images], axis=axis)
    i, j, k = array.shape[:3]
    return first.on(Space((i, j, k), first.space.affine), array, move=np.eye(4))


def keep_volumes(image: Image, indices: Sequence[int]) -> Image:
    """Return some volumes of a 4D image, in the order given."""
    _check_volumes(image, indices)
    if len(indices) == 1:
        return image.volume(indices[0])
    return image.like(image.data[..., list(indices)])


def remove_volumes(image: Image, indices: Sequence[int]) -> Image:
    """Return a 4D image without some of its volumes."""
    _check_volumes(image, indices)
    rest = [index for index in range(image.n_volumes) if index not in set(indices)]
    if not rest:
        raise InputError(f"all {image.n_volumes} volumes of {image.name} would be removed")
    return keep_volumes(image, rest)


def spacing_for(text: str, space: Space) -> tuple[float, float, float]:
    """Read a voxel size in mm from ``1x1x2`` (mm), ``0.5x0.5x1f`` (factor) or ``80x80x40vox``.

    One number stands for all three axes. A factor above 1 makes voxels smaller.

    Raises
    ------
    InputError
        When the text is none of these.
    """
    match = re.fullmatch(r"([0-9.x]+?)(mm|f|vox)?", text)
    try:
        numbers = [float(part) for part in match[1].split("x")] if match else []
    except ValueError:
        numbers = []
    numbers *= 3 if len(numbers) == 1 else 1
    if match is None or len(numbers) != 3 or min(numbers) <= 0:
        raise InputError(
            f"{text!r} is no voxel size: expected mm as 1x1x1, factors as 2x2x1f, "
            "or numbers of voxels as 80x80x40vox"
        )
    spacing = np.asarray(space.spacing)
    if match[2] == "f":
        numbers = list(spacing / numbers)
    elif match[2] == "vox":
        numbers = list(spacing * space.shape / numbers)
    return float(numbers[0]), float(numbers[1]), float(numbers[2])


# -- boxes -------------------------------------------------------------------------------------


def box_from_limits(
    image: Image, limits: Sequence[tuple[int, int]], names: Sequence[str] = AXES
) -> Box:
    """Return the box between inclusive limits in voxels; a negative limit counts from the end.

    Returns
    -------
    start, stop
        The first voxel, and the one after the last, along each axis.

    Raises
    ------
    InputError
        When a limit lies outside the image, or the lower one above the upper one.
    """
    start, stop = [], []
    for name, n, (low, high) in zip(names, image.space.shape, limits, strict=False):
        first, last = (limit + n if limit < 0 else limit for limit in (low, high))
        if not 0 <= first <= last < n:
            raise InputError(
                f"-{name}min {low} -{name}max {high} is no range in {image.name}: "
                f"it has voxels 0 to {n - 1} along {name}"
            )
        start.append(first)
        stop.append(last + 1)
    return _box(start, stop)


def box_of_mask(mask: npt.NDArray[Any]) -> Box:
    """Return the smallest box around the voxels of a 3D array that are not zero."""
    kept = [np.flatnonzero(mask.any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
    if not kept[0].size:
        raise InputError("the mask is empty: no voxel is different from zero")
    return _box([int(line[0]) for line in kept], [int(line[-1]) + 1 for line in kept])


def box_of_reference(image: Image, reference: Image) -> Box:
    """Return the smallest box around the voxels whose centres lie inside another image's grid."""
    covered = inside(reference.space, image.space)
    if not covered.any():
        raise InputError(f"{reference.name} and {image.name} do not overlap in the scanner")
    return box_of_mask(covered)


def dilate_box(box: Box, by: Sequence[int], shape: Sequence[int]) -> Box:
    """Widen a box by some voxels on each side, up to the borders of the image."""
    start = [max(0, first - extra) for first, extra in zip(box[0], by, strict=True)]
    stop = [min(n, last + extra) for last, extra, n in zip(box[1], by, shape, strict=False)]
    if any(first >= last for first, last in zip(start, stop, strict=True)):
        raise InputError(f"a margin of {'x'.join(map(str, by))} voxels leaves nothing of the box")
    return _box(start, stop)


def fill_outside(image: Image, box: Box, value: float) -> Image:
    """Return the image with every voxel outside a box set to one value.

    Raises
    ------
    InputError
        When the value does not fit the image's type.
    """
    dtype = image.data.dtype
    fits = dtype.kind == "f" or (
        dtype.kind in "iu"
        and float(value).is_integer()
        and np.iinfo(dtype).min <= value <= np.iinfo(dtype).max
    )
    if not fits:
        raise InputError(f"-b {value:g} does not fit {image.name}, whose voxels are {dtype}")
    array = np.full_like(image.data, value)
    where = tuple(slice(first, last) for first, last in zip(*box, strict=True))
    array[where] = image.data[where]
    return image.like(array)


def _box(start: Sequence[int], stop: Sequence[int]) -> Box:
    return (start[0], start[1], start[2]), (stop[0], stop[1], stop[2])


def _check_volumes(image: Image, indices: Sequence[int]) -> None:
    if image.n_volumes == 1:
        raise InputError(f"{image.name} is 3D, expected a 4D image with volumes to choose from")
    for index in indices:
        if not 0 <= index < image.n_volumes:
            raise InputError(
                f"{image.name} has no volume {index}: it has {image.n_volumes}, counted from 0"
            )


def _check_fits(first: Image, image: Image, axis: int) -> None:
    """Raise SpaceMismatch unless two pieces can be joined along an axis of voxels."""
    shapes = [[n for index, n in enumerate(one.shape) if index != axis] for one in (first, image)]
    if shapes[0] != shapes[1]:
        raise SpaceMismatch(
            f"{first.name} and {image.name} have shapes {first.shape} and {image.shape}, "
            f"which may differ along {AXES[axis]} only"
        )
    if not np.allclose(first.space.affine[:3, :3], image.space.affine[:3, :3], atol=1e-3):
        raise SpaceMismatch(
            f"{first.name} and {image.name} differ in orientation or voxel size; "
            f"resample one first: st_image -i {image.name} -resample"
        )
