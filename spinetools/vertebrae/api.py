"""Labelling in one call, from a path, an image of any library, or an array."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from spinetools.errors import InputError
from spinetools.image import Image, Space, load_volume
from spinetools.image.header import affine_of
from spinetools.image.load import check_finite
from spinetools.image.orientation import check_codes
from spinetools.image.points import load_labels
from spinetools.vertebrae.anchors import Init, Known, parse_init
from spinetools.vertebrae.engines import Engine, load_networks
from spinetools.vertebrae.label import LabelParams, label_spine
from spinetools.vertebrae.networks import Networks
from spinetools.vertebrae.result import SpineLabels

#: World directions (right, front, up) of nibabel's letters.
_DIRECTIONS = {
    "R": (1, 0, 0), "L": (-1, 0, 0), "A": (0, 1, 0), "P": (0, -1, 0), "S": (0, 0, 1),
    "I": (0, 0, -1),
}  # fmt: skip


def label_vertebrae(
    image: Any,
    spacing_mm: Sequence[float] | None = None,
    nib_codes: Sequence[str] = ("R", "A", "S"),
    *,
    params: LabelParams | None = None,
    init: str | Init | None = None,
    discfile: Any = None,
    localizer: Any = None,
    networks: Networks | None = None,
    model: str | None = None,
    engine: Engine = "onnx",
    device: str = "auto",
) -> SpineLabels:
    """Label every vertebra and disc, the sacrum, the cord and the canal of an image.

    Parameters
    ----------
    image
        A path, an :class:`~spinetools.image.Image`, a nibabel image, or a 3D array.
    spacing_mm
        Voxel size of an array along its axes; 1 mm where it is not given.
    nib_codes
        Directions in which an array's axes grow, nibabel's letters.
    params
        How to label.
    init
        A level by hand: ``"L3,120"``.
    discfile
        Single voxels with SCT's disc values, as ``image``.
    localizer
        Labels of another image of the session, as ``image``.
    networks
        Networks that are loaded already: loading takes a second or two.
    model, engine, device
        Otherwise, see :func:`~spinetools.vertebrae.engines.load_networks`.

    Returns
    -------
    SpineLabels
        The labels, and how sure they are.

    Raises
    ------
    InputError
        When the image cannot be used.
    ModelError
        When a model is missing.
    NoSpineError
        When no spine is found.
    """
    params = params or LabelParams()
    volume = as_image(image, spacing_mm, nib_codes)
    known = Known(
        init=parse_init(init) if isinstance(init, str) else init,
        discs=None if discfile is None else _labels(discfile),
        localizer=None if localizer is None else _labels(localizer),
    )
    if networks is None:
        networks = load_networks(model, engine, device, params.fast, params.step1_only)
    return label_spine(volume, networks, params, known)


def as_image(
    image: Any,
    spacing_mm: Sequence[float] | None = None,
    nib_codes: Sequence[str] = ("R", "A", "S"),
) -> Image:
    """Return what a person calls an image as one.

    Raises
    ------
    InputError
        When it is none, or not 3D, or has voxels that are not finite.
    """
    if isinstance(image, Image):
        return image.mean_volume()
    if isinstance(image, str | os.PathLike):
        return load_volume(os.fspath(image))
    if hasattr(image, "header") and hasattr(image, "dataobj"):
        header, data = image.header, np.asanyarray(image.dataobj)
        i, j, k = (int(n) for n in data.shape[:3])
        found = Image(data, Space((i, j, k), affine_of(header, "the image")), header)
        check_finite(found.mean_volume())
        return found.mean_volume()
    array = np.asarray(image)
    if array.ndim != 3 or array.dtype.kind not in "biuf":
        raise InputError(
            f"an array of shape {array.shape} and type {array.dtype}, expected a path, an image or "
            "a 3D array of numbers"
        )
    affine = np.eye(4)
    steps = (1.0, 1.0, 1.0) if spacing_mm is None else spacing_mm
    for axis, (code, step) in enumerate(zip(check_codes(nib_codes), steps, strict=True)):
        affine[:3, axis] = step * np.asarray(_DIRECTIONS[code])
    i, j, k = array.shape
    result = Image(array, Space((i, j, k), affine))
    check_finite(result)
    return result


def _labels(image: Any) -> Image:
    if isinstance(image, str | os.PathLike):
        return load_labels(os.fspath(image))
    return as_image(image)
