"""The geometry in a NIfTI header: sform, qform, their codes and the voxel size.

What a header says is read strictly. A transform counts only when its code is above 0 and it can
be used; which of the two places the voxels is decided here and nowhere else (the sform, as in
viewers).
"""

from __future__ import annotations

import nibabel as nib
import numpy as np
from nibabel.quaternions import quat2mat

from spinetools.errors import InputError
from spinetools.image.space import FloatArray, Space

#: How far 1 − b² − c² − d² of a stored unit quaternion may fall below 0 by rounding; real files
#: of half-turn rotations need more than float32's epsilon.
QUATERNION_SLACK = 1e-5
#: … and so much of it is nought.
QUATERNION_NOISE = 1e-6
#: NIfTI's code "aligned": a position that refers to some other image, not to a scanner.
CODE_ALIGNED = 2
#: Transform codes that the standard defines go from 0 (unknown) to 5 (other template).
LAST_CODE = 5
#: A voxel between a nanometre and a kilometre, no further away than the moon: a header that says
#: something else is damaged, and numbers beyond it overflow in what is worked out from them.
LEAST_MM, MOST_MM, FURTHEST_MM = 1e-6, 1e6, 4e11


def known_code(header: nib.Nifti1Header, field: str) -> int:
    """Return a transform's code; one that the standard does not know counts as "aligned"."""
    code = max(0, int(header[field]))
    return code if code <= LAST_CODE else CODE_ALIGNED


def sform_of(header: nib.Nifti1Header) -> FloatArray | None:
    """Return the sform (4 × 4, mm), or None where its code is unset or it cannot be used."""
    if int(header["sform_code"]) <= 0:
        return None
    return _usable(np.asarray(header.get_sform(), dtype=np.float64))


def qform_of(header: nib.Nifti1Header) -> FloatArray | None:
    """Return the qform (4 × 4, mm), or None where its code is unset or it cannot be used."""
    if int(header["qform_code"]) <= 0 or not voxel_size_is_valid(header):
        return None
    vector = np.array([float(header[f"quatern_{axis}"]) for axis in "bcd"])
    rest = 1 - float(vector @ vector)
    if not rest >= -QUATERNION_SLACK:
        return None
    # less is the rounding of 32 bits: a turn by half a circle is exact
    rotation = quat2mat(np.array([np.sqrt(rest) if rest > QUATERNION_NOISE else 0.0, *vector]))
    # a copy: in NIfTI-2 the field has this very type, and the sign would be turned in the header
    zooms = np.array(header["pixdim"][1:4], dtype=np.float64)
    zooms[2] *= -1 if header["pixdim"][0] == -1 else 1
    affine = np.eye(4)
    affine[:3, :3] = rotation * zooms
    affine[:3, 3] = [float(header[f"qoffset_{axis}"]) for axis in "xyz"]
    return _usable(affine)


def voxel_size_is_valid(header: nib.Nifti1Header) -> bool:
    """Whether the three voxel sizes (pixdim) are above zero, and such as a voxel can have."""
    zooms = np.asarray(header["pixdim"][1:4], dtype=np.float64)
    return bool(((zooms >= LEAST_MM) & (zooms <= MOST_MM)).all())


def affine_of(header: nib.Nifti1Header, name: str) -> FloatArray:
    """Return the affine that places the voxels: sform, else qform, else from the voxel size.

    Raises
    ------
    InputError
        When the voxel size or the transform that counts cannot be used; the message names the
        action of ``st_image`` that mends the header.
    """
    sform, qform = sform_of(header), qform_of(header)
    if not voxel_size_is_valid(header):
        size = " × ".join(f"{float(z):g}" for z in header["pixdim"][1:4])
        raise InputError(
            f"{name} has a voxel size of {size} mm, expected positive numbers; "
            f"{_mend(name, sform, None)}"
        )
    if sform is not None:
        return sform
    if int(header["sform_code"]) > 0:
        raise InputError(
            f"{name} has an sform that is not finite or gives a voxel no volume; "
            f"{_mend(name, None, qform)}"
        )
    if qform is not None:
        return qform
    if int(header["qform_code"]) > 0:
        raise InputError(f"{name} has a qform that is no rotation; {_mend(name, None, None)}")
    return np.asarray(header.get_base_affine(), dtype=np.float64)


def moved(
    header: nib.Nifti1Header, old: Space, new_space: Space, move: FloatArray | None = None
) -> nib.Nifti1Header:
    """Carry the geometry along to another grid.

    Parameters
    ----------
    header
        The old grid's header.
    old, new_space
        The grids.
    move
        4 × 4, from voxel indices of the new grid to those of the old one, where it is known
        exactly; None works it out from the grids.

    Returns
    -------
    header
        A copy with sform and qform moved alike and their codes kept. Slice timing is dropped where
        the slices are no longer the same ones.
    """
    if move is None:
        move = np.linalg.inv(old.affine) @ new_space.affine
    new = header.copy()
    sform, qform = sform_of(header), qform_of(header)
    if qform is not None:
        new.set_qform(qform @ move, code=known_code(header, "qform_code"))
    else:
        new["qform_code"] = 0
        new["pixdim"][1:4] = new_space.spacing
    if sform is not None:
        new.set_sform(sform @ move, code=known_code(header, "sform_code"))
    elif qform is None:
        # neither is set: the place would be lost with the old shape, so write it down
        new.set_sform(new_space.affine, code=CODE_ALIGNED)
    _move_slice_fields(new, old, new_space, move)
    return new


def copy_geometry(source: nib.Nifti1Header, target: nib.Nifti1Header) -> nib.Nifti1Header:
    """Return ``target`` with sform, qform, codes, voxel size and units of ``source``."""
    new = target.copy()
    for field in (
        "sform_code", "srow_x", "srow_y", "srow_z", "qform_code", "quatern_b", "quatern_c",
        "quatern_d", "qoffset_x", "qoffset_y", "qoffset_z", "xyzt_units",
    ):  # fmt: skip
        new[field] = source[field]
    new["pixdim"][:4] = source["pixdim"][:4]
    return new


def with_sform_from_qform(header: nib.Nifti1Header, name: str) -> nib.Nifti1Header:
    """Return the header with its sform (and code) set to its qform.

    Raises
    ------
    InputError
        When there is no usable qform.
    """
    qform = qform_of(header)
    if qform is None:
        raise InputError(
            f"{name} has no usable qform (code 0, or damaged); {_mend(name, None, None)}"
        )
    new = header.copy()
    new.set_sform(qform, code=known_code(header, "qform_code"))
    return new


def with_qform_from_sform(header: nib.Nifti1Header, name: str) -> nib.Nifti1Header:
    """Return the header with its qform (and code, and voxel size) set to its sform.

    A qform cannot shear: where the sform does, the nearest rotation is taken.

    Raises
    ------
    InputError
        When there is no usable sform.
    """
    sform = sform_of(header)
    if sform is None:
        raise InputError(
            f"{name} has no usable sform (code 0, or damaged); {_mend(name, None, None)}"
        )
    new = header.copy()
    new.set_qform(sform, code=known_code(header, "sform_code"))
    return new


def _usable(affine: FloatArray) -> FloatArray | None:
    """Return the affine where it is finite and a voxel has a volume."""
    if not (np.abs(affine) <= FURTHEST_MM).all():  # false for NaN, too
        return None
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    if ((lengths < LEAST_MM) | (lengths > MOST_MM)).any():
        return None
    return affine if abs(np.linalg.det(affine[:3, :3] / lengths)) >= 1e-6 else None


def _mend(name: str, sform: FloatArray | None, qform: FloatArray | None) -> str:
    if sform is not None:
        return "mend the header: st_image -set-qform-to-sform"
    if qform is not None:
        return "mend the header: st_image -set-sform-to-qform"
    return f"take the header of an image on the same grid: st_image -i THAT -copy-header {name}"


def _move_slice_fields(
    header: nib.Nifti1Header, old: Space, new_space: Space, move: FloatArray
) -> None:
    """Carry the frequency, phase and slice axes along; drop a slice timing that no longer fits."""
    axes = header.get_dim_info()
    if all(axis is None for axis in axes):
        return
    source = [int(np.argmax(np.abs(move[:3, new_axis]))) for new_axis in range(3)]
    if sorted(source) != [0, 1, 2]:
        header.set_dim_info(None, None, None)
    else:
        header.set_dim_info(*(None if axis is None else source.index(axis) for axis in axes))
    slice_axis = axes[2]
    if slice_axis is None:
        return
    new_axis = source.index(slice_axis) if slice_axis in source else 0
    expected = np.zeros(4)
    expected[new_axis] = 1
    if (
        not np.allclose(move[slice_axis], expected, atol=1e-6)
        or old.shape[slice_axis] != new_space.shape[new_axis]
    ):
        header["slice_code"], header["slice_start"], header["slice_end"] = 0, 0, 0
