"""The files of a DICOM folder or zip, by number.

Their names are never shown or used for writing: a name may hold the patient's, or a path out of
the folder. A zip is read in place; what is needed of it is copied under names of our own.
"""

from __future__ import annotations

import lzma
import os
import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from spinetools.errors import InputError, OutputError

#: A study of a whole hospital stay has fewer.
MOST_FILES = 200_000
#: No study unpacks to more; a zip of a few megabytes can hold terabytes of zeros.
MOST_BYTES = 64 << 30
#: Beyond this size, a file that shrinks more than this is no picture of anything.
SUSPECT_BYTES, SUSPECT_RATIO = 32 << 20, 200
CHUNK_BYTES = 1 << 20
#: What operating systems leave beside files.
_NOISE = ("__MACOSX", ".DS_Store", "Thumbs.db")

_PREAMBLE_BYTES = 132
#: How a file without the preamble of the standard begins: group 0008 (or 0002), little-endian.
_OLD_STARTS = (b"\x08\x00", b"\x02\x00")

#: What reading a zip raises, depending on what is wrong with it.
ZIP_ERRORS = (
    zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, lzma.LZMAError, EOFError,
    NotImplementedError,
)  # fmt: skip


class DicomFiles:
    """Files that may be DICOM.

    Parameters
    ----------
    path
        A folder, a zip or one file.

    Raises
    ------
    InputError
        When the place cannot be read; when a zip is damaged, or has an entry that no export
        from a scanner has: an absolute path, a path with ``..``, a link, an encrypted or endless
        file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._zip: zipfile.ZipFile | None = None
        self._entries: list[zipfile.ZipInfo] = []
        self._paths: list[Path] = []
        try:
            if path.is_dir():
                self._paths = sorted(_walk(path))
            elif path.suffix.lower() == ".zip":
                self._zip = zipfile.ZipFile(path)
                self._entries = _checked(path, self._zip.infolist())
            else:
                self._paths = [path]
        except ZIP_ERRORS as error:
            raise InputError(f"{path} is not a sound zip file; fetch it again") from error
        except PermissionError as error:
            raise InputError(f"{path} cannot be read: you have no permission to") from error
        if len(self) > MOST_FILES:
            raise InputError(f"{path} holds {len(self)} files, expected at most {MOST_FILES}")

    def __len__(self) -> int:
        return len(self._entries) if self._zip is not None else len(self._paths)

    def __enter__(self) -> DicomFiles:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the zip."""
        if self._zip is not None:
            self._zip.close()

    @contextmanager
    def open(self, number: int) -> Iterator[IO[bytes]]:
        """Open a file for reading.

        Raises
        ------
        InputError
            When it cannot be read, or is damaged inside the zip.
        """
        try:
            if self._zip is not None:
                with self._zip.open(self._entries[number]) as entry:
                    yield entry
            else:
                with self._paths[number].open("rb") as stream:
                    yield stream
        except (*ZIP_ERRORS, OSError) as error:
            raise InputError(
                f"{self.path}: a file in it cannot be read (damaged, or no permission to); "
                "fetch it again"
            ) from error

    def looks_like_dicom(self, number: int) -> bool:
        """Whether a file begins as DICOM does."""
        try:
            with self.open(number) as stream:
                start = stream.read(_PREAMBLE_BYTES)
        except InputError:
            return False
        return start[128:] == b"DICM" or start[:2] in _OLD_STARTS

    def copy(self, numbers: list[int], folder: Path) -> list[Path]:
        """Copy files into a folder, under names that say nothing; return where they are.

        Raises
        ------
        InputError
            When one cannot be read.
        OutputError
            When the disk is too small.
        """
        needed = sum(self._size(number) for number in numbers)
        free = shutil.disk_usage(folder).free
        if needed > free:
            raise OutputError(
                f"cannot unpack {self.path}: it takes {needed / 1e9:.2f} GB in {folder.parent}, "
                f"{free / 1e9:.2f} GB are free; set TMPDIR to a larger disk"
            )
        copies = [folder / f"{place:06d}.dcm" for place in range(len(numbers))]
        for number, copy in zip(numbers, copies, strict=True):
            with self.open(number) as source, copy.open("xb", buffering=0) as target:
                while chunk := source.read(CHUNK_BYTES):
                    _write(target, chunk, folder)
        return copies

    def _size(self, number: int) -> int:
        if self._zip is not None:
            return self._entries[number].file_size
        return self._paths[number].stat().st_size


def _write(target: IO[bytes], chunk: bytes, folder: Path) -> None:
    try:
        target.write(chunk)
    except OSError as error:
        raise OutputError(f"cannot write in {folder.parent}: {error.strerror}") from error


def _walk(folder: Path) -> Iterator[Path]:
    """Give the files below a folder; links to folders are not followed, they may go in circles."""
    for base, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in _NOISE]
        for name in names:
            path = Path(base, name)
            if name not in _NOISE and not name.startswith("._") and path.is_file():
                yield path


def _checked(archive: Path, entries: list[zipfile.ZipInfo]) -> list[zipfile.ZipInfo]:
    """Return a zip's files; refuse the zip where one of them is wrong, without naming it."""
    for entry in entries:
        wrong = _what_is_wrong(entry)
        if wrong:
            raise InputError(f"{archive} is not used: {wrong} in it; fetch it again")
    if sum(entry.file_size for entry in entries) > MOST_BYTES:
        raise InputError(
            f"{archive} is not used: it unpacks to more than {MOST_BYTES / 2**30:.0f} GB; "
            "unpack it, and give the folder of one study"
        )
    return sorted((e for e in entries if not _is_noise(e)), key=lambda entry: entry.filename)


def _is_noise(entry: zipfile.ZipInfo) -> bool:
    path = PurePosixPath(entry.filename)
    return entry.is_dir() or path.name.startswith("._") or any(p in _NOISE for p in path.parts)


def _what_is_wrong(entry: zipfile.ZipInfo) -> str:
    name = entry.filename.replace("\\", "/")
    path = PurePosixPath(name)
    if path.is_absolute() or name[1:3] == ":/":
        return "an absolute path is"
    if ".." in path.parts:
        return "a path out of its folder is"
    mode = entry.external_attr >> 16
    if mode and not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_IFMT(mode) == 0):
        return "a link or a device is"
    if entry.flag_bits & 0x1:
        return "an encrypted file is"
    ratio = entry.file_size / max(entry.compress_size, 1)
    if entry.file_size > SUSPECT_BYTES and ratio > SUSPECT_RATIO:
        return f"a file that unpacks to {ratio:.0f} times its size is"
    return ""
