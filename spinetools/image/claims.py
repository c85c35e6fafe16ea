"""What a NIfTI header claims of its file, looked at before anything is read or allocated.

A header of 348 bytes can ask for more memory than there is, place the voxels in front of the file,
or announce extensions that never end. Each such claim is refused here in one line; nothing is
mended silently except an offset of 0, which the standard reads as "right after the header".
"""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from spinetools.errors import InputError

logger = logging.getLogger(__name__)

#: Deflate shrinks by no more than this (258 bytes in 2 bits); gzip's own bytes come on top.
#: https://www.zlib.net/zlib_tech.html
MOST_INFLATION = 1032
#: Extensions are notes (names of labels, XML); no program writes more than some megabytes.
MOST_EXTENSION_BYTES = 64 << 20
#: A compressed file is read to its end for its check sum; this much may follow the voxels.
MOST_BYTES_BEHIND = 64 << 20
#: NIfTI counts its axes from 1 to 7; 0 is an empty image.
_MOST_AXES = 7
_EXTENSION_START = 8


def check_claims(header: nib.Nifti1Header, path: Path) -> None:
    """Refuse a header whose number of axes or place of the voxels cannot be.

    Raises
    ------
    InputError
        When the header is damaged.
    """
    axes = int(header["dim"][0])
    if not 0 <= axes <= _MOST_AXES:
        raise InputError(f"{path} has a damaged header: it says {axes} axes, expected 3 or 4")
    offset = float(header["vox_offset"])
    least = int(header.single_vox_offset)
    most = least + MOST_EXTENSION_BYTES
    if not math.isfinite(offset) or (offset != 0 and not least <= offset <= most):
        raise InputError(
            f"{path} has a damaged header: its voxels start at byte {offset:g}, expected "
            f"{least} or a little more"
        )
    if offset == 0:
        header["vox_offset"] = least


def read_extensions(header: nib.Nifti1Header, stream: Any, path: Path) -> None:
    """Read the extensions between the header and the voxels into the header.

    Damaged ones are left out, which a warning says: they are notes, the image is whole without.

    Parameters
    ----------
    header
        Checked by :func:`check_claims`.
    stream
        Just behind the header's own bytes.
    path
        For messages.

    Raises
    ------
    InputError
        When the file ends within the extensions.
    """
    room = int(header["vox_offset"]) - int(header.sizeof_hdr)
    area = stream.read(room)
    if len(area) < room:
        raise InputError(f"{path} cannot be read: truncated or damaged (it ends in its header)")
    if not area[0]:
        return
    order = "<" if header.endianness == "<" else ">"
    place, found = 4, []
    while len(area) - place >= _EXTENSION_START:
        size, code = (int(n) for n in np.frombuffer(area, f"{order}i4", 2, place))
        if (size, code) == (0, 0):  # zeros up to the voxels, as some programs leave them
            break
        if not _EXTENSION_START <= size <= len(area) - place or code < 0:
            logger.warning("%s: its header extensions are damaged and are left out", path)
            return
        content = area[place + _EXTENSION_START : place + size].rstrip(b"\0")
        # all of one plain kind: nothing looks into the bytes, and they are saved as they are
        found.append(nib.nifti1.Nifti1Extension(code, content))
        place += size
    header.extensions.extend(found)


def check_size(path: Path, expected: int, compressed: bool) -> None:
    """Refuse a file that cannot hold as many bytes as its header says.

    Parameters
    ----------
    path
        The file.
    expected
        Bytes up to the end of the voxels, not compressed.
    compressed
        Whether the file is compressed by gzip: then it is measured by what it could hold at most.

    Raises
    ------
    InputError
        When the file is too short.
    """
    size = path.stat().st_size
    if compressed and expected > size * MOST_INFLATION:
        raise InputError(
            f"{path} is truncated, or its header is damaged: {size} compressed bytes cannot hold "
            f"the {expected} that its shape needs"
        )
    if not compressed and size < expected:
        raise InputError(f"{path} is truncated: {size} bytes, expected {expected}; fetch it again")


def read_to_end(stream: Any, path: Path) -> None:
    """Read what follows the voxels of a compressed file, so that gzip compares its check sum.

    Raises
    ------
    InputError
        When it goes on and on.
    """
    behind = 0
    while chunk := stream.read(1 << 20):
        behind += len(chunk)
        if behind > MOST_BYTES_BEHIND:
            raise InputError(
                f"{path} is damaged: more than {MOST_BYTES_BEHIND >> 20} MiB follow its last voxel"
            )
