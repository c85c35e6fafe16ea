"""Unpack a zip from elsewhere: nothing outside the folder, no links, no flood of bytes."""

from __future__ import annotations

import errno
import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from spinetools.errors import ModelError, OutputError

#: No model unpacks to more; a zip of a few kilobytes can hold terabytes of zeros.
MOST_BYTES = 16 << 30
MOST_FILES = 10_000
CHUNK_BYTES = 1 << 20
#: What the Finder adds, and no model needs.
_NOISE = ("__MACOSX", ".DS_Store")


def unpack(archive: Path, folder: Path, most_bytes: int = MOST_BYTES) -> None:
    """Unpack a zip archive into a new folder.

    Parameters
    ----------
    archive
        The zip.
    folder
        An empty folder.
    most_bytes
        Limit of all files together, unpacked.

    Raises
    ------
    ModelError
        When it is no sound zip, or one with an entry that a model has no use for: an absolute
        path, a path with ``..``, a link or device, an encrypted file, too many or too large files.
    OutputError
        When the disk is too small.
    """
    try:
        with zipfile.ZipFile(archive) as content:
            wanted = _checked(archive, content.infolist(), most_bytes)
            needed = sum(entry.file_size for entry, _ in wanted)
            free = shutil.disk_usage(folder).free
            if needed > free:
                raise OutputError(
                    f"cannot unpack {archive.name} in {folder}: it takes {needed / 1e9:.2f} GB, "
                    f"{free / 1e9:.2f} GB are free"
                )
            left = most_bytes
            for entry, where in wanted:
                left -= _write(content, entry, folder.joinpath(*where.parts), left)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, EOFError) as error:
        raise ModelError(
            f"{archive} is not a sound zip file ({str(error).lower()}); fetch it again"
        ) from error
    except NotImplementedError as error:  # a compression that Python does not know
        raise ModelError(f"{archive} cannot be unpacked: {error}") from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OutputError(f"cannot unpack {archive.name}: no space left in {folder}") from error
        raise


def _checked(
    archive: Path, entries: list[zipfile.ZipInfo], most_bytes: int
) -> list[tuple[zipfile.ZipInfo, PurePosixPath]]:
    """Return the files of an archive with their paths; refuse the archive where one is wrong."""
    if len(entries) > MOST_FILES:
        raise ModelError(f"{archive} holds {len(entries)} files, expected at most {MOST_FILES}")
    wanted = []
    for entry in entries:
        path = PurePosixPath(entry.filename)
        wrong = _what_is_wrong(entry, path)
        if wrong:
            raise ModelError(f"{archive} is not used: {wrong}: {entry.filename!r}")
        noise = path.name.startswith("._") or any(part in _NOISE for part in path.parts)
        if not entry.is_dir() and not noise:
            wanted.append((entry, path))
    if sum(entry.file_size for entry, _ in wanted) > most_bytes:
        raise ModelError(
            f"{archive} is not used: it unpacks to more than {most_bytes / 1e9:.1f} GB"
        )
    if len({str(path).casefold() for _, path in wanted}) != len(wanted):
        raise ModelError(f"{archive} is not used: two of its files have the same name")
    return wanted


def _what_is_wrong(entry: zipfile.ZipInfo, path: PurePosixPath) -> str:
    # zipfile has turned the system's own separator into a slash; the other system's counts too
    if "\\" in entry.filename or ":" in entry.filename or "\0" in entry.filename:
        return "a name with a backslash, colon or zero"
    if path.is_absolute():
        return "an absolute path"
    if ".." in path.parts:
        return "a path out of its folder"
    mode = entry.external_attr >> 16
    if mode and not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_IFMT(mode) == 0):
        return "a link or a device"
    if entry.flag_bits & 0x1:
        return "an encrypted file"
    return ""


def _write(content: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path, left: int) -> int:
    """Write one file and return its size; the sizes that the archive tells may be wrong."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with content.open(entry) as source, path.open("xb") as target:
        while chunk := source.read(CHUNK_BYTES):
            written += len(chunk)
            if written > left:
                raise ModelError(f"{content.filename} is not used: it unpacks to too much")
            target.write(chunk)
    return written
