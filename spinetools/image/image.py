"""Image: voxels on a Space, loaded when first needed, never changed in place."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt

from spinetools.errors import InputError
from spinetools.files import nifti_suffix
from spinetools.image.header import affine_of, copy_geometry, moved, qform_of, sform_of
from spinetools.image.nifti import Voxels, disk_type, open_voxels, read_header, read_voxels, write
from spinetools.image.orientation import check_codes, reorient_array
from spinetools.image.space import FloatArray, Space
from spinetools.series import series_path

Array = npt.NDArray[Any]


class Image:
    """Voxels (3D, or 4D with time last) on a :class:`Space`.

    Operations return new images. ``data`` is read-only; make a copy to change voxels, and put the
    result back on the grid with :meth:`like`.

    Parameters
    ----------
    array
        Array, or voxels still to be read, of three or four dimensions.
    space
        The grid of the first three dimensions.
    header
        NIfTI header whose sform, qform, codes and other fields a saved file keeps.
    path
        The file that the image came from, for messages.
    """

    def __init__(
        self,
        array: Array | Voxels,
        space: Space,
        header: nib.Nifti1Header | None = None,
        path: Path | None = None,
    ) -> None:
        shape = tuple(int(n) for n in array.shape)
        if shape[:3] != space.shape or len(shape) not in (3, 4):
            raise InputError(
                f"an array of shape {shape} does not fit a grid of shape {space.shape}"
            )
        self._array: Array | Voxels = array
        self._data: Array | None = None
        self.space = space
        self.shape = shape
        self.path = path
        self._header = None if header is None else header.copy()

    # -- reading ------------------------------------------------------------------------------

    @classmethod
    def load(cls, path: str | os.PathLike[str], contrast: str | None = None) -> Image:
        """Open a NIfTI file (.nii, .nii.gz); the voxels are read when first needed.

        Trailing axes of length 1 are dropped. A DICOM folder or zip is converted by
        :func:`spinetools.image.dicom.convert.load_series`, which reads ``contrast``.

        Raises
        ------
        InputError
            When the file is missing, is no NIfTI image, has a wrong extension, is 2D or more than
            4D, is empty, is RGB or complex, or has no usable voxel size.
        """
        if series_path(path) is not None:
            from spinetools.image.dicom.convert import load_series  # needs the extra dicom

            return load_series(path, contrast).image
        path = Path(path)
        header = read_header(path)
        voxels = open_voxels(path, header)
        i, j, k = voxels.shape[:3]
        return cls(voxels, Space((i, j, k), affine_of(header, str(path))), header, path)

    @property
    def data(self) -> Array:
        """The voxels, scaled as the header says; read-only.

        Raises
        ------
        InputError
            When the file turns out to be truncated or damaged.
        """
        if self._data is None:
            data = read_voxels(self._array, self.name).view()
            data.setflags(write=False)
            self._data, self._array = data, data
        return self._data

    @property
    def name(self) -> str:
        """The file's path as given, or a word for an image without one."""
        return "the image" if self.path is None else str(self.path)

    @property
    def header(self) -> nib.Nifti1Header:
        """A copy of the NIfTI header that a saved file gets, before dtype and shape are set."""
        if self._header is not None:
            return self._header.copy()
        # NIfTI-1 counts voxels in 16 bits
        header = nib.Nifti2Header() if max(self.shape) > 32767 else nib.Nifti1Header()
        header.set_data_shape(self.shape)
        # a qform cannot shear: then it stays unset, rather than place the voxels elsewhere
        header.set_qform(self.space.affine, code=int(self.space.is_orthogonal))
        header.set_sform(self.space.affine, code=1)
        header.set_xyzt_units("mm", "sec")
        return header

    @property
    def n_volumes(self) -> int:
        """Number of volumes along time; 1 for a 3D image."""
        return self.shape[3] if len(self.shape) == 4 else 1

    # -- new images ---------------------------------------------------------------------------

    def like(self, array: Array) -> Image:
        """Put an array on this image's grid, with its header (sform, qform and their codes)."""
        return Image(np.asanyarray(array), self.space, header=self._header, path=self.path)

    def astype(self, dtype: npt.DTypeLike) -> Image:
        """Return the image with voxels of another type (not rounded, not rescaled)."""
        return self.like(self.data.astype(dtype))

    def volume(self, index: int) -> Image:
        """Return one volume of a 4D image as a 3D image."""
        if not 0 <= index < self.n_volumes:
            raise InputError(
                f"{self.name} has no volume {index}: it has {self.n_volumes}, counted from 0"
            )
        if len(self.shape) == 3:
            return self
        return self.like(read_voxels(self._array, self.name, volume=index))

    def mean_volume(self) -> Image:
        """Return the mean over time as a 3D image (float32)."""
        if len(self.shape) == 3:
            return self
        return self.like(self.data.mean(axis=3, dtype=np.float64).astype(np.float32))

    def reorient(self, nib_codes: Sequence[str]) -> Image:
        """Permute and flip the axes; every voxel stays where it is in the scanner.

        Parameters
        ----------
        nib_codes
            nibabel letters (the direction in which each axis grows).
        """
        codes = check_codes(nib_codes)
        if codes == self.space.nib_codes:
            return self
        array = reorient_array(self.data, self.space.nib_codes, codes)
        return self.on(self.space.reoriented(codes), array, move=self.space.reorientation(codes))

    def crop(self, start: Sequence[int], stop: Sequence[int]) -> Image:
        """Return the voxels from ``start`` to ``stop`` (exclusive) along each axis."""
        for axis, (first, last) in enumerate(zip(start, stop, strict=True)):
            if not 0 <= first < last <= self.shape[axis]:
                raise InputError(
                    f"cannot crop {self.name} to voxels {first} to {last - 1} along axis {axis}: "
                    f"it has voxels 0 to {self.shape[axis] - 1}"
                )
        box = tuple(slice(first, last) for first, last in zip(start, stop, strict=True))
        return self.on(self.space.cropped(start, stop), self.data[box], move=_shift(start))

    def pad(self, before: Sequence[int], after: Sequence[int], value: float = 0) -> Image:
        """Add voxels of one value before the first and after the last along each axis.

        Raises
        ------
        InputError
            When a number of voxels is negative.
        """
        if min(*before, *after) < 0:
            raise InputError(f"cannot pad by {before} and {after} voxels; to take some off, crop")
        widths = [*zip(before, after, strict=True), *[(0, 0)] * (len(self.shape) - 3)]
        stop = [n + extra for n, extra in zip(self.shape, after, strict=False)]
        start = [-extra for extra in before]
        array = np.pad(self.data, widths, constant_values=value)
        return self.on(self.space.cropped(start, stop), array, move=_shift(start))

    def on(self, space: Space, array: Array, move: FloatArray | None = None) -> Image:
        """Put an array on another grid, with this image's other header fields.

        sform and qform are moved alike, so that each keeps its code. ``move`` (4 × 4, voxels of
        the new grid to voxels of this one) makes that exact where it is known.
        """
        header = None if self._header is None else moved(self._header, self.space, space, move)
        return Image(array, space, header=header, path=self.path)

    def on_grid_of(self, other: Image, array: Array) -> Image:
        """Put an array on another image's grid, with its sform, qform and codes bit for bit."""
        header = copy_geometry(other.header, self.header)
        return Image(array, other.space, header=header, path=self.path)

    # -- writing ------------------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str], dtype: npt.DTypeLike | None = None) -> Path:
        """Write the image atomically: a killed run leaves the old file or the new one.

        Parameters
        ----------
        path
            Must end with ``.nii`` or ``.nii.gz``.
        dtype
            Type on disk; None keeps the array's type. Values are rounded for an integer type.
            No scale factor is written.

        Returns
        -------
        Path
            The file written.

        Raises
        ------
        InputError
            When the name has another extension, or the values do not fit the type.
        OutputError
            When the folder cannot be written or the disk is full.
        """
        path = Path(path)
        if not nifti_suffix(path):
            raise InputError(f"cannot save {path}: the name must end with .nii.gz or .nii")
        write(path, disk_type(self.data, dtype, str(path)), self.header)
        return path

    @property
    def qform_disagrees(self) -> float:
        """Largest distance in mm between a voxel's sform and qform places; 0 if one is unset."""
        if self._header is None:
            return 0.0
        sform, qform = sform_of(self._header), qform_of(self._header)
        if sform is None or qform is None:
            return 0.0
        corners = np.array(np.meshgrid(*[(0, n - 1) for n in self.space.shape])).reshape(3, -1)
        difference: FloatArray = (sform - qform) @ np.vstack([corners, np.ones(8)])
        return float(np.abs(difference).max())


def _shift(start: Sequence[int]) -> FloatArray:
    """Return the 4 × 4 that moves voxel 0 of a cut-out to voxel ``start`` of the whole."""
    move = np.eye(4)
    move[:3, 3] = start
    return move
