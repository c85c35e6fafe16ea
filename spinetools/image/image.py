"""Image: voxels on a Space, loaded when first needed, never changed in place."""

from __future__ import annotations

import os
import warnings
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError

from spinetools.errors import InputError
from spinetools.files import atomic_path, nifti_suffix
from spinetools.image.orientation import reorient_array
from spinetools.image.space import FloatArray, Space

Array = npt.NDArray[Any]


class Image:
    """Voxels (3D, or 4D with time last) on a :class:`Space`.

    Operations return new images. ``data`` is read-only; make a copy to change voxels, and put the
    result back on the grid with :meth:`like`.

    Parameters
    ----------
    array
        Array or nibabel ``dataobj``, of three or four dimensions.
    space
        The grid of the first three dimensions.
    header
        NIfTI header whose sform, qform, codes and other fields a saved file keeps.
    path
        The file that the image came from, for messages.
    """

    def __init__(
        self,
        array: Any,
        space: Space,
        header: nib.Nifti1Header | None = None,
        path: Path | None = None,
    ) -> None:
        shape = tuple(int(n) for n in array.shape)
        if shape[:3] != space.shape or len(shape) not in (3, 4):
            raise InputError(
                f"an array of shape {shape} does not fit a grid of shape {space.shape}"
            )
        self._array = array
        self._data: Array | None = None
        self.space = space
        self.shape = shape
        self.path = path
        self._header = None if header is None else header.copy()

    # -- reading ------------------------------------------------------------------------------

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Image:
        """Open a NIfTI file (.nii, .nii.gz); the voxels are read when first needed.

        Trailing axes of length 1 are dropped.

        Raises
        ------
        InputError
            When the file is missing, is no NIfTI image, has a wrong extension, is 2D or more than
            4D, is empty, is RGB or complex, or has no usable voxel size.
        """
        path = Path(path)
        _check_is_nifti(path)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                source = nib.load(path)
        except (ImageFileError, HeaderDataError) as error:
            raise InputError(f"{path} is not a readable NIfTI image ({error})") from error
        except (OSError, EOFError, ValueError, zlib.error) as error:
            raise InputError(f"{path} cannot be read: truncated or damaged ({error})") from error
        header = source.header
        array = _without_trailing_axes(source.dataobj, path)
        _check_header(header, array, path)
        try:
            space = Space(array.shape[:3], np.asarray(source.affine, dtype=np.float64))
        except InputError as error:
            raise InputError(f"{path}: {error}") from None
        return cls(array, space, header=header, path=path)

    @property
    def data(self) -> Array:
        """The voxels, scaled as the header says; read-only.

        Raises
        ------
        InputError
            When the file turns out to be truncated or damaged.
        """
        if self._data is None:
            try:
                data = np.asanyarray(self._array)
            except (OSError, EOFError, ValueError, zlib.error) as error:
                raise InputError(
                    f"{self.name} cannot be read: truncated or damaged ({error}); fetch it again"
                ) from error
            data = data.view()
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
        header = nib.Nifti1Header()
        header.set_data_shape(self.shape)
        header.set_sform(self.space.affine, code=1)
        header.set_qform(self.space.affine, code=1)
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
        return self.like(self.data[..., index])

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
        codes = tuple(nib_codes)
        if codes == self.space.nib_codes:
            return self
        array = reorient_array(self.data, self.space.nib_codes, codes)
        space = self.space.reoriented(codes)
        return Image(array, space, header=self._moved_header(space), path=self.path)

    def crop(self, start: Sequence[int], stop: Sequence[int]) -> Image:
        """Return the voxels from ``start`` to ``stop`` (exclusive) along each axis."""
        for axis, (first, last) in enumerate(zip(start, stop, strict=True)):
            if not 0 <= first < last <= self.shape[axis]:
                raise InputError(
                    f"cannot crop {self.name} to voxels {first} to {last - 1} along axis {axis}: "
                    f"it has voxels 0 to {self.shape[axis] - 1}"
                )
        box = tuple(slice(first, last) for first, last in zip(start, stop, strict=True))
        space = self.space.cropped(start, stop)
        return Image(self.data[box], space, header=self._moved_header(space), path=self.path)

    def on(self, space: Space, array: Array) -> Image:
        """Put an array on another grid, with this image's other header fields."""
        return Image(array, space, header=self._moved_header(space), path=self.path)

    def _moved_header(self, space: Space) -> nib.Nifti1Header | None:
        """Carry sform and qform along to a new grid, each by the same move of voxels."""
        if self._header is None:
            return None
        header = self._header.copy()
        move = np.linalg.inv(self.space.affine) @ space.affine
        sform, sform_code = self._header.get_sform(), int(self._header["sform_code"])
        qform_code = int(self._header["qform_code"])
        if qform_code > 0:
            header.set_qform(self._header.get_qform() @ move, code=qform_code)
        if sform_code > 0:
            header.set_sform(sform @ move, code=sform_code)
        elif qform_code <= 0:
            # neither code set: the implied position would be lost, so write it down
            header.set_sform(space.affine, code=1)
        if qform_code <= 0:
            header["pixdim"][1:4] = space.spacing
        return header

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
        data = _as_disk_type(self.data, dtype, path)
        header = self.header
        header.set_data_dtype(data.dtype)
        header.set_data_shape(data.shape)
        header["cal_min"], header["cal_max"] = 0, 0
        # affine=None: nibabel then leaves sform, qform and their codes exactly as they are
        image = type(self)._nifti_class(header)(data, None, header)
        with atomic_path(path) as temporary:
            nib.save(image, temporary)
        return path

    @staticmethod
    def _nifti_class(header: nib.Nifti1Header) -> type[Any]:
        is_nifti2 = isinstance(header, nib.Nifti2Header)
        image_class: type[Any] = nib.Nifti2Image if is_nifti2 else nib.Nifti1Image
        return image_class

    @property
    def qform_disagrees(self) -> float:
        """Largest distance in mm between a voxel's sform and qform places; 0 if one is unset."""
        header = self._header
        if header is None or int(header["sform_code"]) <= 0 or int(header["qform_code"]) <= 0:
            return 0.0
        corners = np.array(np.meshgrid(*[(0, n - 1) for n in self.space.shape])).reshape(3, -1)
        corners = np.vstack([corners, np.ones(8)])
        difference: FloatArray = (header.get_sform() - header.get_qform()) @ corners
        return float(np.abs(difference).max())


def _check_is_nifti(path: Path) -> None:
    if path.is_dir():
        raise InputError(f"{path} is a folder, expected a NIfTI file (.nii.gz or .nii)")
    if not path.exists():
        raise InputError(f"{path} does not exist; check the path")
    if not nifti_suffix(path):
        raise InputError(f"{path} has a wrong extension, expected .nii.gz or .nii")
    if path.stat().st_size == 0:
        raise InputError(f"{path} is an empty file; fetch it again")


def _without_trailing_axes(dataobj: Any, path: Path) -> Any:
    shape = tuple(dataobj.shape)
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) < 3 or (len(shape) == 3 and min(shape) == 1 and sum(n > 1 for n in shape) < 2):
        raise InputError(f"{path} is {len(shape)}D ({shape}), expected a 3D or 4D image")
    if len(shape) > 4:
        raise InputError(f"{path} is {len(shape)}D ({shape}), expected a 3D or 4D image")
    if 0 in shape:
        raise InputError(f"{path} is empty: its shape is {shape}")
    return dataobj if shape == tuple(dataobj.shape) else dataobj.reshape(shape)


def _check_header(header: nib.Nifti1Header, array: Any, path: Path) -> None:
    dtype = header.get_data_dtype()
    if dtype.names is not None or dtype.kind == "c":
        raise InputError(f"{path} has voxels of type {dtype}, expected one real number a voxel")
    zooms = np.asarray(header["pixdim"][1:4], dtype=np.float64)
    if int(header["sform_code"]) <= 0 and (not np.isfinite(zooms).all() or (zooms <= 0).any()):
        raise InputError(
            f"{path} has a voxel size of {' × '.join(f'{z:g}' for z in zooms)} mm, "
            "expected positive numbers; mend the header (st_image -copy-header)"
        )


def _as_disk_type(data: Array, dtype: npt.DTypeLike | None, path: Path) -> Array:
    wanted = np.dtype(data.dtype if dtype is None else dtype)
    if wanted == np.bool_:
        wanted = np.dtype(np.uint8)
    elif wanted == np.float16:
        wanted = np.dtype(np.float32)
    elif wanted in (np.int64, np.uint64) and dtype is None:
        wanted = np.dtype(np.int32)  # many viewers refuse 64-bit integers
    if wanted == data.dtype:
        return data
    if wanted.kind in "iu" and data.size:
        rounded = np.rint(data) if data.dtype.kind == "f" else data
        limits = np.iinfo(wanted)
        low, high = rounded.min(), rounded.max()
        if not (limits.min <= low and high <= limits.max):
            raise InputError(
                f"cannot save {path} as {wanted}: values {low:g} to {high:g} do not fit; "
                "choose a wider type"
            )
        return rounded.astype(wanted)
    return data.astype(wanted)
