"""Builders of small NIfTI files, right and wrong in every way that the image layer decides on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

SHAPE = (5, 6, 7)
SPACING = (0.75, 1.5, 2.25)


def affine_for(
    codes: tuple[str, ...] = ("R", "A", "S"),
    spacing: tuple[float, ...] = SPACING,
    degrees: tuple[float, float, float] = (0, 0, 0),
    shear: float = 0,
    origin: tuple[float, float, float] = (-11.25, 20.5, -33.75),
) -> NDArray[np.float64]:
    """Affine of a grid: axes along the codes, then turned, then sheared."""
    axes = np.zeros((3, 3))
    for column, letter in enumerate(codes):
        world = next(i for i, pair in enumerate(("LR", "PA", "IS")) if letter in pair)
        axes[world, column] = 1 if letter in "RAS" else -1
    axes = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix() @ axes * spacing
    axes[:, 1] += shear * axes[:, 0]
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = axes, origin
    return affine


@pytest.fixture
def voxels() -> NDArray[np.int16]:
    """Every voxel has its own value, so that any mix-up of axes shows."""
    return np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE)


@pytest.fixture
def write_raw(tmp_path: Path) -> Callable[..., Path]:
    """Write an uncompressed NIfTI-1 byte by byte, with header fields that no library would save."""

    def write(
        array: NDArray[Any], affine: NDArray[np.float64], name: str = "raw.nii", **fields: Any
    ) -> Path:
        header = nib.Nifti1Header()
        header.set_data_shape(array.shape)
        header.set_data_dtype(array.dtype)
        header.set_sform(affine, code=1)
        header.set_qform(affine, code=1)
        header["magic"], header["vox_offset"] = b"n+1", 352
        for field, value in fields.items():
            header[field] = value
        path = tmp_path / name
        path.write_bytes(header.binaryblock + bytes(4) + array.tobytes(order="F"))
        return path

    return write


GEOMETRY = (
    "sform_code", "srow_x", "srow_y", "srow_z", "qform_code", "quatern_b", "quatern_c",
    "quatern_d", "qoffset_x", "qoffset_y", "qoffset_z", "pixdim", "xyzt_units",
)  # fmt: skip


def geometry_bits(path: Path) -> dict[str, bytes]:
    """The geometry of a file's header, as the bytes on disk."""
    opener: Any = nib.openers.Opener(str(path), "rb")
    with opener as stream:
        kind: Any = nib.Nifti1Header if stream.read(4)[:2] == b"\x5c\x01" else nib.Nifti2Header
        stream.seek(0)
        header = kind.from_fileobj(stream, check=False)
    return {field: header[field].tobytes() for field in GEOMETRY}
