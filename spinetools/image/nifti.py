"""NIfTI files as they lie on disk: the raw header, the voxels, and writing both.

nibabel's own loader mends a broken header silently (a voxel size of zero becomes 1 mm). Here the
header is read as it is, so that a broken one can be refused, shown, and mended on purpose.
"""

from __future__ import annotations

import gzip
import logging
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
from nibabel.arrayproxy import ArrayProxy
from nibabel.openers import Opener
from nibabel.spatialimages import HeaderDataError
from nibabel.wrapstruct import WrapStructError

from spinetools.errors import InputError
from spinetools.files import atomic_path, nifti_suffix
from spinetools.image.claims import check_claims, check_size, read_extensions, read_to_end
from spinetools.image.header import known_code

Array = npt.NDArray[Any]

#: What reading a truncated or damaged file raises, depending on where it breaks.
READ_ERRORS = (OSError, EOFError, ValueError, OverflowError, zlib.error)

_GZIP_MAGIC = b"\x1f\x8b"
_HEADER_BYTES = {348: nib.Nifti1Header, 540: nib.Nifti2Header}


def read_header(path: str | os.PathLike[str]) -> nib.Nifti1Header:
    """Read a file's header exactly as it is, extensions included.

    Raises
    ------
    InputError
        When the file is missing, has a wrong extension, is truncated, or is no single-file NIfTI.
    """
    path = Path(path)
    _check_file(path)
    try:
        with Opener(str(path), "rb") as stream:
            start = stream.read(4)
            # the size of the header tells the byte order; nibabel guesses it by the number of axes
            orders = {int.from_bytes(start, "little"): "<", int.from_bytes(start, "big"): ">"}
            known = orders.keys() & _HEADER_BYTES.keys()
            if not known:
                raise InputError(f"{path} is not a NIfTI image: it has no NIfTI header")
            size = known.pop()
            block = start + stream.read(size - len(start))
            header = _HEADER_BYTES[size](block, orders[size], check=False)
            if bytes(header["magic"])[:3] not in (b"n+1", b"n+2"):
                raise InputError(f"{path} is not a NIfTI image: its header does not say n+1 or n+2")
            check_claims(header, path)
            read_extensions(header, stream, path)
    except PermissionError as error:
        raise InputError(f"{path} cannot be read: you have no permission to") from error
    except (HeaderDataError, WrapStructError, *READ_ERRORS) as error:
        raise InputError(f"{path} cannot be read: truncated or damaged ({_said(error)})") from error
    return header


@dataclass(frozen=True)
class Voxels:
    """The voxels of a file that is not read yet.

    Attributes
    ----------
    path
        The file.
    shape
        Without trailing axes of length 1.
    dtype
        As stored.
    header
        Says where and how the voxels lie in the file.
    """

    path: Path
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    header: nib.Nifti1Header

    def read(self, volume: int | None = None) -> Array:
        """Read all voxels or one volume; of a compressed file, up to the end with its check sum."""
        if nifti_suffix(self.path) == ".nii":
            return self._slice(ArrayProxy(str(self.path), self.header), volume)
        with gzip.open(self.path, "rb") as stream:
            data = self._slice(ArrayProxy(stream, self.header), volume)
            read_to_end(stream, self.path)
        return data

    def _slice(self, proxy: ArrayProxy, volume: int | None) -> Array:
        # a scale factor may take values to infinity, which is looked for in the result
        with np.errstate(all="ignore"):
            if volume is None:
                return np.asarray(proxy).reshape(self.shape)
            return np.asarray(proxy.reshape(self.shape)[..., volume])


def open_voxels(path: str | os.PathLike[str], header: nib.Nifti1Header) -> Voxels:
    """Return a file's voxels to be read later, without trailing axes of length 1.

    Raises
    ------
    InputError
        When the shape is not 3D or 4D or has an axis of no length, when a voxel is not one real
        number, or when the file is shorter than its header says.
    """
    path = Path(path)
    try:
        stored = tuple(int(n) for n in header.get_data_shape())
        voxel_type = header.get_data_dtype()
        proxy = ArrayProxy(str(path), header)
    except (HeaderDataError, KeyError, ValueError, OverflowError) as error:
        raise InputError(f"{path} has a damaged header: {_said(error)}") from error
    shape = stored
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if not shape or min(shape) < 1:
        raise InputError(f"{path} is empty: its shape is {stored}")
    if len(shape) not in (3, 4) or sum(n > 1 for n in shape[:3]) < 2:
        dimensions = len(shape) if len(shape) > 4 else sum(n > 1 for n in shape)
        raise InputError(f"{path} is {dimensions}D {stored}, expected a 3D or 4D image")
    if voxel_type.names is not None or voxel_type.kind not in "iuf":
        raise InputError(f"{path} has voxels of type {voxel_type}, expected one real number each")
    expected = int(proxy.offset) + int(np.prod(stored, dtype=object)) * voxel_type.itemsize
    check_size(path, expected, compressed=nifti_suffix(path) == ".nii.gz")
    return Voxels(path, shape, voxel_type, header)


def read_voxels(source: Voxels | Array, name: str, volume: int | None = None) -> Array:
    """Read voxels, scaled as the header says.

    Parameters
    ----------
    source
        What :func:`open_voxels` gave, or an array.
    name
        The file's name, for messages.
    volume
        Only this volume of a 4D source.

    Returns
    -------
    array
        In the machine's byte order. Scaled integers of 8 and 16 bits become float32, which holds
        each of their values; wider ones float64.
    """
    try:
        if isinstance(source, Voxels):
            data = source.read(volume)
        else:
            data = np.asarray(source if volume is None else source[..., volume])
    except READ_ERRORS as error:
        raise InputError(
            f"{name} cannot be read: truncated or damaged ({_said(error)}); fetch it again"
        ) from error
    stored = source.dtype
    if data.dtype.kind == "f" and (
        data.dtype.itemsize > 8 or (stored.kind in "iu" and stored.itemsize > 2)
    ):
        return data.astype(np.float64, copy=False)
    if data.dtype.kind == "f" and stored.kind in "iu":
        with np.errstate(over="ignore"):  # infinity is looked for by those who mind
            return data.astype(np.float32, copy=False)
    return data.astype(data.dtype.newbyteorder("="), copy=False)


def write(path: str | os.PathLike[str], data: Array, header: nib.Nifti1Header) -> None:
    """Write voxels atomically under a header whose geometry is kept bit for bit.

    Raises
    ------
    OutputError
        When the folder cannot be written or the disk is full.
    """
    header = _fitting(header, data)
    image_class = nib.Nifti2Image if isinstance(header, nib.Nifti2Header) else nib.Nifti1Image
    with _silent(), atomic_path(path) as temporary:
        # affine=None: nibabel then leaves sform, qform and their codes as they are
        nib.save(image_class(data, None, header, dtype=data.dtype), temporary)


def disk_type(data: Array, dtype: npt.DTypeLike | None, name: str) -> Array:
    """Return the voxels in the type that goes to disk.

    Parameters
    ----------
    data
        The voxels.
    dtype
        The type asked for; None keeps the array's, except that bool becomes uint8, float16
        float32, longer floats float64, and 64-bit integers (which many viewers refuse) int32.
    name
        What is being saved, for messages.

    Raises
    ------
    InputError
        When values do not fit the type, or the type is not a real number.
    """
    wanted = np.dtype(data.dtype if dtype is None else dtype)
    if wanted == np.bool_:
        wanted = np.dtype(np.uint8)
    elif wanted == np.float16:
        wanted = np.dtype(np.float32)
    elif wanted.kind == "f" and wanted.itemsize > 8:
        wanted = np.dtype(np.float64)
    elif wanted in (np.int64, np.uint64) and dtype is None:
        wanted = np.dtype(np.int32)
    if wanted.kind not in "iuf":
        raise InputError(f"cannot save {name} as {wanted}: expected an integer or a float type")
    if wanted == data.dtype or not data.size:
        return data.astype(wanted, copy=False)
    if wanted.kind in "iu":
        data = np.rint(data) if data.dtype.kind == "f" else data
        limits = np.iinfo(wanted)
        low, high = data.min(), data.max()
        if not (limits.min <= low and high <= limits.max):
            raise InputError(
                f"cannot save {name} as {wanted}: its values {low:g} to {high:g} do not fit; "
                "choose a wider type"
            )
        return data.astype(wanted)
    with np.errstate(over="ignore"):
        narrow = data.astype(wanted)
    if np.isinf(narrow).any() and not np.isinf(data).any():
        raise InputError(
            f"cannot save {name} as {wanted}: its largest values do not fit; choose float64"
        )
    return narrow


def _check_file(path: Path) -> None:
    if path.is_dir():
        raise InputError(f"{path} is a folder, expected a NIfTI file (.nii.gz or .nii)")
    if not path.exists():
        raise InputError(f"{path} does not exist; check the path")
    suffix = nifti_suffix(path)
    if not suffix:
        raise InputError(f"{path} has a wrong extension, expected .nii.gz or .nii")
    if path.stat().st_size == 0:
        raise InputError(f"{path} is an empty file; fetch it again")
    try:
        with path.open("rb") as stream:
            compressed = stream.read(2) == _GZIP_MAGIC
    except PermissionError as error:
        raise InputError(f"{path} cannot be read: you have no permission to") from error
    if suffix == ".nii.gz" and not compressed:
        raise InputError(f"{path} is not compressed by gzip as its name says: damaged or misnamed")
    if suffix == ".nii" and compressed:
        raise InputError(f"{path} is compressed by gzip; give it a name that ends with .nii.gz")


def _fitting(header: nib.Nifti1Header, data: Array) -> nib.Nifti1Header:
    """Return a copy of the header with the array's shape and type, and nothing else changed."""
    largest = np.iinfo(header["dim"].dtype).max
    if max(data.shape) > largest:  # NIfTI-1 counts voxels in 16 bits
        header = nib.Nifti2Header.from_header(header, check=False)
    else:
        header = header.copy()
    header.set_data_dtype(data.dtype)
    # not set_data_shape: it would reset pixdim beyond the last axis
    header["dim"] = [data.ndim, *data.shape, *[1] * (7 - data.ndim)]
    header["cal_min"], header["cal_max"] = 0, 0
    if header["pixdim"][0] not in (-1, 1):  # the standard reads 0 as 1
        header["pixdim"][0] = 1
    for code in ("sform_code", "qform_code"):
        header[code] = known_code(header, code)
    # what the input said of itself may be wrong: nibabel works out 0, the others are constants
    header["vox_offset"], header["magic"] = 0, header.single_magic
    if isinstance(header, nib.Nifti2Header):
        header["eol_check"] = nib.Nifti2Header()["eol_check"]
    return header


@contextmanager
def _silent() -> Iterator[None]:
    """Keep nibabel from telling the terminal about fields that are kept as they were."""
    talker = logging.getLogger("nibabel.global")
    before, talker.disabled = talker.disabled, True
    try:
        yield
    finally:
        talker.disabled = before


def _said(error: Exception) -> str:
    """Return a library's message in one line."""
    return " ".join(str(error).split())
