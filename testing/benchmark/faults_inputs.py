"""Malformed inputs, each made from a seed and a number: the same two give the same file.

An image is spoilt in one of the ways of :data:`WAYS`, at a random place or with a random value.
What it is made from is sound, so that only the fault can be the reason for what happens.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import random
import socket
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

NAN, INF = float("nan"), float("inf")
#: Numbers that no voxel size, place or factor should be.
ODD = (NAN, INF, -INF, 0.0, -1.0, 1e-30, 1e30, -1e30, 3.4e38)


@dataclass(frozen=True)
class Malformed:
    """A file that something is wrong with, and what."""

    way: str
    path: Path


class Sound:
    """A sound image in memory, to be spoilt: header and voxels as bytes."""

    def __init__(self, draw: random.Random, array: np.ndarray | None = None) -> None:
        if array is None:
            shape = [draw.randint(2, 9) for _ in range(3)]
            kind = draw.choice(["u1", "i2", "u2", "f4", "f8", "i4"])
            array = np.random.default_rng(draw.randrange(2**32)).integers(0, 99, shape)
            array = array.astype(kind)
        self.two = draw.random() < 0.25
        kind = nib.Nifti2Header if self.two else nib.Nifti1Header
        self.header: Any = kind()
        self.header.set_data_shape(array.shape)
        self.header.set_data_dtype(array.dtype)
        affine = np.diag([-1.0, 1.0, 2.0, 1.0])
        affine[:3, 3] = 20, -30, 5
        self.header.set_sform(affine, 1)
        self.header.set_qform(affine, 1)
        self.header["magic"] = kind().single_magic
        self.header["vox_offset"] = kind().single_vox_offset
        self.voxels = array.tobytes(order="F")
        self.array = array
        self.between = bytes(4)

    def bytes(self) -> bytes:
        """Return the whole file, not compressed."""
        return self.header.binaryblock + self.between + self.voxels


def malformed(seed: int, number: int, folder: Path, array: np.ndarray | None = None) -> Malformed:
    """Make the malformed image of a seed and a number in a folder.

    Parameters
    ----------
    seed, number
        What says which one.
    folder
        Where to make it; nothing else should be there.
    array
        Voxels of the sound image; None for a few random ones.
    """
    draw = random.Random(f"{seed} {number}")
    names = list(WAYS)
    way = names[number % len(names)]
    sound = Sound(draw, array)
    made = WAYS[way](sound, draw)
    if isinstance(made, bytes):
        packed = draw.random() < 0.5
        path = folder / ("bad.nii.gz" if packed else "bad.nii")
        path.write_bytes(gzip.compress(made, 1, mtime=0) if packed else made)
    elif isinstance(made, tuple):
        path = folder / made[0]
        path.write_bytes(made[1])
    else:
        path = made(folder)
    return Malformed(way, path)


# -- ways to spoil: bytes of a NIfTI, (name, bytes of a file), or a maker of something else --------

Made = bytes | tuple[str, bytes] | Callable[[Path], Path]


def _truncated(sound: Sound, draw: random.Random) -> Made:
    whole = sound.bytes()
    places = (draw.randrange(4), draw.randrange(348), 348, 351, draw.randrange(len(whole)),
              len(whole) - len(sound.voxels), len(whole) - 1)  # fmt: skip
    return "bad.nii", whole[: draw.choice(places)]


def _truncated_gz(sound: Sound, draw: random.Random) -> Made:
    packed = gzip.compress(sound.bytes(), draw.choice([0, 1, 9]), mtime=0)
    places = (draw.randrange(1, 18), draw.randrange(len(packed)), len(packed) - draw.randint(1, 9))
    return "bad.nii.gz", packed[: draw.choice(places)]


def _magic(sound: Sound, draw: random.Random) -> Made:
    magics = [b"", b"ni1", b"ni2", b"n+3", b"N+1", b"n+", b"\xff\xff\xff\xff"]
    sound.header["magic"] = draw.choice(magics)
    return sound.bytes()


def _header_size(sound: Sound, draw: random.Random) -> Made:
    size = draw.choice([0, 1, 347, 349, 540, 348, 541, -348, 2**31 - 1, 1543569408, 469893120])
    return struct.pack("<i", size) + sound.bytes()[4:]


def _huge(sound: Sound, draw: random.Random) -> Made:
    most = 2 ** draw.choice([31, 40, 62]) if sound.two else 32767
    axes = draw.choice([3, 3, 4])
    sound.header["dim"] = [axes, *[draw.choice([most, most // 2, 999, 5]) for _ in range(axes)],
                           *[1] * (7 - axes)]  # fmt: skip
    sound.header["dim"][draw.randint(1, axes)] = most
    return sound.bytes()


def _axes(sound: Sound, draw: random.Random) -> Made:
    dim = sound.header["dim"]
    place = draw.randrange(8)
    dim[place] = draw.choice([0, -1, 1, 2, 5, 6, 7, 8, 100, -32768, 32767])
    return sound.bytes()


def _dimensions(sound: Sound, draw: random.Random) -> Made:
    shape = draw.choice(
        [(4,), (4, 5), (4, 5, 1), (1, 1, 4), (4, 5, 6, 2), (4, 5, 6, 0), (4, 5, 6, 1, 3),
         (4, 5, 6, 2, 2), (1, 1, 1), (2, 1, 2, 1, 2, 1, 2)]
    )  # fmt: skip
    array = np.arange(np.prod(shape), dtype=np.int16).reshape(shape)
    sound.header.set_data_dtype(np.int16)
    sound.header["dim"] = [len(shape), *shape, *[1] * (7 - len(shape))]
    sound.voxels = array.tobytes(order="F")
    return sound.bytes()


def _sform(sound: Sound, draw: random.Random) -> Made:
    rows = [sound.header[f"srow_{axis}"] for axis in "xyz"]
    how = draw.randrange(4)
    if how == 0:
        rows[draw.randrange(3)][draw.randrange(4)] = draw.choice(ODD)
    elif how == 1:
        rows[draw.randrange(3)][:] = draw.choice(ODD)
    elif how == 2:  # singular: two axes are one
        for row in rows:
            row[0] = row[1]
    else:
        for row in rows:
            row[:3] *= draw.choice([1e-20, 1e20, 1e-7, 1e7, 0])
    sound.header["qform_code"] = draw.choice([0, 1])
    return sound.bytes()


def _qform(sound: Sound, draw: random.Random) -> Made:
    sound.header["sform_code"] = draw.choice([0, 0, 1])
    for _ in range(draw.randint(1, 3)):
        field = draw.choice(["quatern_b", "quatern_c", "quatern_d", "qoffset_x", "qoffset_z"])
        sound.header[field] = draw.choice([*ODD, 0.9, 2.0])
    return sound.bytes()


def _spacing(sound: Sound, draw: random.Random) -> Made:
    sound.header["pixdim"][draw.randrange(5)] = draw.choice(ODD)
    sound.header["sform_code"] = draw.choice([0, 1])
    return sound.bytes()


def _codes(sound: Sound, draw: random.Random) -> Made:
    fields = ("sform_code", "qform_code", "intent_code", "slice_code", "xyzt_units", "dim_info",
              "slice_start", "slice_end", "slice_duration", "toffset", "bitpix")  # fmt: skip
    for field in draw.sample(fields, draw.randint(1, 4)):
        kind = sound.header[field].dtype
        limits = np.iinfo(kind) if kind.kind in "iu" else None
        odd = [limits.min, limits.max, 6, 77] if limits else list(ODD)
        sound.header[field] = draw.choice(odd)
    return sound.bytes()


def _datatype(sound: Sound, draw: random.Random) -> Made:
    if draw.random() < 0.5:
        kinds: list[Any] = [np.complex64, np.complex128, [("R", "u1"), ("G", "u1"), ("B", "u1")],
                            [("R", "u1"), ("G", "u1"), ("B", "u1"), ("A", "u1")]]  # fmt: skip
        array = np.zeros((4, 5, 6), dtype=draw.choice(kinds))
        sound.header.set_data_shape(array.shape)
        sound.header.set_data_dtype(array.dtype)
        sound.voxels = array.tobytes()
    else:
        sound.header["datatype"] = draw.choice([0, 1, 3, 5, 255, 777, -1, 1536, 2048, 64, 512])
        sound.header["bitpix"] = draw.choice([0, 1, 8, 16, 64, -8, 32767])
    return sound.bytes()


def _scale(sound: Sound, draw: random.Random) -> Made:
    sound.header["scl_slope"] = draw.choice([*ODD, 1.0])
    sound.header["scl_inter"] = draw.choice([*ODD, 1.0])
    return sound.bytes()


def _offset(sound: Sound, draw: random.Random) -> Made:
    if sound.two:
        offsets: tuple[float, ...] = (0, -1, 4, 348, 543, 545, 2**62, -(2**63), 10**7)
    else:
        offsets = (*ODD, 4, 347, 348, 351, 353, 360, 1e7, 1e9, -352)
    sound.header["vox_offset"] = draw.choice(offsets)
    return sound.bytes()


def _swapped(sound: Sound, draw: random.Random) -> Made:
    header = sound.header.as_byteswapped(">").binaryblock
    if draw.random() < 0.4:  # the header alone, the voxels, or a part of the header
        return header + sound.between + sound.voxels
    if draw.random() < 0.5:
        return sound.header.binaryblock + sound.between + sound.voxels[::-1]
    place = draw.randrange(1, 348)
    return header[:place] + sound.header.binaryblock[place:] + sound.between + sound.voxels


def _extensions(sound: Sound, draw: random.Random) -> Made:
    room = draw.choice([16, 32, 64, 1024])
    sizes = (0, 1, 7, 8, 15, 16, 17, room, room + 8, room * 2, -1, -8, -(2**31), 2**31 - 1)
    code = draw.choice([0, 2, 4, 6, 30, 44, -1, 2**31 - 1])
    content = draw.choice([bytes(room), draw.randbytes(room), b"<?xml" * room])[: room - 8]
    sound.between = b"\1\0\0\0" + struct.pack("<ii", draw.choice(sizes), code) + content
    sound.header["vox_offset"] = int(sound.header.single_vox_offset) + room
    return sound.bytes()


def _bomb(sound: Sound, draw: random.Random) -> Made:
    zeros = bytes(1 << 20)
    chunks = draw.choice([66, 80])
    if draw.random() < 0.5:  # behind the voxels
        return "bad.nii.gz", gzip.compress(sound.bytes() + zeros * chunks, 9, mtime=0)
    if draw.random() < 0.5:  # many small streams
        return "bad.nii.gz", gzip.compress(sound.bytes(), mtime=0) + gzip.compress(zeros) * chunks
    sound.between = b"\1\0\0\0" + struct.pack("<ii", 2**31 - 1, 6) + zeros * chunks
    offset = len(sound.header.binaryblock) + len(sound.between)
    sound.header["vox_offset"] = offset // 16 * 16
    return "bad.nii.gz", gzip.compress(sound.bytes(), 9, mtime=0)


def _compression(sound: Sound, draw: random.Random) -> Made:
    whole = sound.bytes()
    packed = bytearray(gzip.compress(whole, draw.choice([0, 6]), mtime=0))
    how = draw.randrange(8)
    if how == 0:
        return "bad.nii", bytes(packed)
    if how == 1:
        return "bad.nii.gz", whole
    if how == 2:
        return "bad.nii.gz", draw.choice([bz2.compress(whole), lzma.compress(whole)])
    if how == 3:
        return "bad.nii.gz", gzip.compress(b"", mtime=0)
    if how == 4:
        return "bad.nii.gz", bytes(packed) + draw.randbytes(draw.randint(1, 40))
    if how == 5:
        packed[-draw.randint(1, 8)] ^= 0x55  # check sum or length
    elif how == 6:
        packed[draw.randrange(2, 10)] = draw.randrange(256)  # method and flags
    else:
        return "bad.nii.gz", gzip.compress(bytes(packed), mtime=0)
    return "bad.nii.gz", bytes(packed)


def _flipped(sound: Sound, draw: random.Random) -> Made:
    whole = bytearray(sound.bytes())
    for _ in range(draw.choice([1, 1, 3, 20, 100])):
        whole[draw.randrange(min(len(whole), draw.choice([352, len(whole)])))] = draw.randrange(256)
    return bytes(whole)


def _flipped_gz(sound: Sound, draw: random.Random) -> Made:
    packed = bytearray(gzip.compress(sound.bytes(), draw.choice([0, 6]), mtime=0))
    for _ in range(draw.choice([1, 1, 3, 20])):
        packed[draw.randrange(len(packed))] = draw.randrange(256)
    return "bad.nii.gz", bytes(packed)


def _random(_: Sound, draw: random.Random) -> Made:
    length = draw.choice([1, 2, 347, 348, 352, 1000, 5000])
    start = draw.choice([b"", b"\x5c\x01\0\0", b"\x1c\x02\0\0", b"\x1f\x8b\x08"])
    return draw.choice(["bad.nii", "bad.nii.gz"]), start + draw.randbytes(length)


def _voxels(sound: Sound, draw: random.Random) -> Made:
    array = np.asarray(sound.array, dtype=np.float32).copy()
    how = draw.randrange(5)
    if how == 0:
        array[:] = draw.choice([0, 7, NAN, INF, -1])
    elif how == 1:
        array[tuple(draw.randrange(n) for n in array.shape)] = draw.choice([NAN, INF, -INF, 3e38])
    elif how == 2:
        array *= draw.choice([1e36, -1, 1e-40])
    elif how == 3:
        array[:] = 0
        array[tuple(draw.randrange(n) for n in array.shape)] = draw.choice([1, -1, 0.5, 1e9])
    else:
        array = np.random.default_rng(draw.randrange(99)).random(array.shape).astype(np.float32)
    sound.header.set_data_dtype(np.float32)
    sound.voxels = array.tobytes(order="F")
    return sound.bytes()


def _no_file(_: Sound, draw: random.Random) -> Made:
    how = draw.choice(["folder", "fifo", "null", "zero", "random", "dangling", "loop", "socket",
                       "empty", "missing", "to folder", "empty folder with images"])  # fmt: skip

    def make(folder: Path) -> Path:
        path = folder / draw.choice(["bad.nii", "bad.nii.gz"])
        if how in ("folder", "empty folder with images"):
            path.mkdir()
        elif how == "fifo":
            os.mkfifo(path)
        elif how in ("null", "zero", "random"):
            path.symlink_to(f"/dev/{how}")
        elif how == "dangling":
            path.symlink_to(folder / "gone.nii")
        elif how == "loop":
            path.symlink_to(path)
        elif how == "to folder":
            path.symlink_to(folder)
        elif how == "socket":
            with socket.socket(socket.AF_UNIX) as ear:
                # a socket's path may be 107 bytes long: bound from within its folder
                before = Path.cwd()
                os.chdir(folder)
                ear.bind(path.name)
                os.chdir(before)
        elif how == "empty":
            path.touch()
        return path

    return make


def _other_format(sound: Sound, draw: random.Random) -> Made:
    def zipped() -> bytes:
        import io

        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("../../outside.nii", sound.bytes())
        return buffer.getvalue()

    contents = [
        b"<html><body>404</body></html>" * 30,
        b'{"a": 1}' * 60,
        b"\x89PNG\r\n" * 80,
        b"hello " * 200,
        bytes(2000),
        zipped(),
        bytes(128) + b"DICM" + bytes(600),
    ]
    name = draw.choice(
        ["bad.nii", "bad.nii.gz", "bad.img", "bad.mgz", "bad", "bad.nii.zip", "bad.dcm"]
    )
    content = draw.choice(contents)
    return name, gzip.compress(content) if name.endswith(".gz") else content


WAYS: dict[str, Callable[[Sound, random.Random], Made]] = {
    "truncated .nii": _truncated,
    "truncated .nii.gz": _truncated_gz,
    "magic": _magic,
    "size of the header": _header_size,
    "huge dimensions": _huge,
    "an axis that cannot be": _axes,
    "1D, 2D, 4D, 5D, 7D": _dimensions,
    "sform: NaN, zero, singular": _sform,
    "qform: NaN, no rotation": _qform,
    "voxel size: zero, negative, NaN": _spacing,
    "codes that nobody knows": _codes,
    "data type: complex, RGB, unknown": _datatype,
    "scale factor": _scale,
    "place of the voxels": _offset,
    "byte order": _swapped,
    "extensions": _extensions,
    "gzip bombs": _bomb,
    "compression": _compression,
    "bytes changed, .nii": _flipped,
    "bytes changed, .nii.gz": _flipped_gz,
    "random bytes": _random,
    "voxels: NaN, infinite, constant": _voxels,
    "no file: folder, FIFO, device, link": _no_file,
    "another format": _other_format,
}
