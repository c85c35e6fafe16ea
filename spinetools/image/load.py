"""What a command accepts as an image: one 3D volume with finite voxels that differ."""

from __future__ import annotations

import logging
import os

import numpy as np

from spinetools.errors import InputError
from spinetools.image.header import qform_of
from spinetools.image.image import Image
from spinetools.image.orientation import sct_codes_from_nib

logger = logging.getLogger(__name__)

#: A sform and a qform that place a voxel further apart than this (mm) are said to disagree.
QFORM_TOLERANCE_MM = 0.1


def load_volume(
    path: str | os.PathLike[str], volume: int | None = None, contrast: str | None = None
) -> Image:
    """Load a 3D image to work on.

    A 4D file gives one volume, or the mean over time, which is said in a message. Where sform and
    qform disagree the sform is used, as viewers do, and a warning says so.

    Parameters
    ----------
    path
        A NIfTI file; a DICOM folder or zip.
    volume
        Which volume of a 4D file, from 0; None for the mean over time.
    contrast
        Chooses among the series of a DICOM folder or zip, where several may be meant.

    Raises
    ------
    InputError
        When the file cannot be used: see :meth:`Image.load`; also 2D, constant, NaN or infinite.
    """
    image = load_grid(path, contrast)
    if image.n_volumes > 1 and volume is None:
        logger.info("%s has %d volumes: taking their mean", image.name, image.n_volumes)
        image = image.mean_volume()
    elif volume is not None:
        image = image.volume(volume)
    if min(image.shape) == 1:
        raise InputError(f"{image.name} is 2D ({image.shape}), expected a 3D volume")
    check_finite(image)
    if image.data.min() == image.data.max():
        raise InputError(
            f"{image.name} is constant (every voxel is {image.data.flat[0]:g}), expected an image"
        )
    return image


def load_mask(path: str | os.PathLike[str], allow_empty: bool = False) -> Image:
    """Load a 3D mask, label or probability volume.

    Raises
    ------
    InputError
        As :func:`load_volume`; an empty mask (all zero) is refused unless ``allow_empty``.
    """
    image = load_grid(path)
    if image.n_volumes > 1:
        raise InputError(f"{image.name} is 4D ({image.shape}), expected a 3D mask")
    check_finite(image)
    if not allow_empty and not image.data.any():
        raise InputError(f"{image.name} is an empty mask: no voxel is different from zero")
    return image


def load_grid(path: str | os.PathLike[str], contrast: str | None = None) -> Image:
    """Open a file and warn where its header leaves a doubt; voxels are not looked at.

    Doubts are a sform and a qform that disagree, a qform that is no rotation, a grid without a
    position (both codes 0), and sheared axes.

    Raises
    ------
    InputError
        As :meth:`Image.load`.
    """
    image = Image.load(path, contrast)
    header = image.header
    apart = image.qform_disagrees
    if apart > QFORM_TOLERANCE_MM:
        logger.warning(
            "%s: sform and qform place voxels up to %.3g mm apart; the sform is used "
            "(st_image -set-sform-to-qform or -set-qform-to-sform makes them agree)",
            image.name,
            apart,
        )
    if int(header["sform_code"]) <= 0 and int(header["qform_code"]) <= 0:
        logger.warning(
            "%s: neither sform nor qform says how the image lies (codes 0); its axes are taken "
            "as %s (%s in nibabel's letters)",
            image.name,
            sct_codes_from_nib(image.space.nib_codes),
            "".join(image.space.nib_codes),
        )
    elif int(header["qform_code"]) > 0 and qform_of(header) is None:
        logger.warning("%s: the qform is no rotation and is ignored", image.name)
    if not image.space.is_orthogonal:
        logger.warning("%s: the axes of the grid are sheared; measures follow them", image.name)
    return image


def check_finite(image: Image) -> None:
    """Raise InputError where a voxel is NaN or infinite."""
    data = image.data
    if data.dtype.kind == "f":
        bad = int(data.size - np.count_nonzero(np.isfinite(data)))
        if bad:
            raise InputError(
                f"{image.name} has {bad} voxels that are NaN or infinite; replace them first"
            )
