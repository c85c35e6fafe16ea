"""Atomic writes and the names of outputs."""

from __future__ import annotations

import errno
import json
import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from spinetools.errors import OutputError
from spinetools.series import series_name

NIFTI_SUFFIXES = (".nii.gz", ".nii")


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside ``path``, and rename it to ``path`` when the block ends well.

    A killed or failed run leaves the old file or the new one, never half of one; on any exception
    the temporary file is removed, and with it the folders that were made for it.

    Parameters
    ----------
    path
        The file to write. Missing folders above it are made.

    Yields
    ------
    Path
        A path in the same folder and with the same suffix; write there.

    Raises
    ------
    OutputError
        When the folder cannot be written or the disk is full.
    """
    path = Path(path)
    if not path.name:
        raise OutputError(f"cannot write {path}: it is a folder; give a file name")
    # named before it is made: whenever the run is interrupted, the name to remove is known
    temporary = path.with_name(f".{_short(path)}.{uuid.uuid4().hex[:12]}{_suffix(path)}")
    made: list[Path] = []
    done = False
    try:
        if path.is_dir():
            raise OutputError(f"cannot write {path}: it is a folder; give a file name")
        _make_folders(path.parent, made)
        # made here with the usual permissions, so that an unwritable folder is found before work
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        yield temporary
        temporary.replace(path)
        done = True
    except OSError as error:
        raise OutputError(f"cannot write {path}: {_reason(error)}") from error
    finally:
        if not done:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            for folder in reversed(made):
                with suppress(OSError):
                    folder.rmdir()


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a text file (UTF-8) atomically."""
    # bytes in a file's name that are no text are written as JSON and Python escape them, \udcff
    content = text.encode("utf-8", "backslashreplace")
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)  # the same on every system, line ends included


def parse_json(text: str) -> Any:
    """Read JSON.

    Raises
    ------
    ValueError
        When it is none; also when it is nested too deeply for Python.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def write_json(path: str | os.PathLike[str], content: Mapping[str, Any]) -> None:
    """Write a JSON file atomically, indented, with a final newline."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def strip_nifti_suffix(path: str | os.PathLike[str]) -> str:
    """Return the file's name without its folder and without ``.nii`` or ``.nii.gz``.

    Of a DICOM folder or zip, what its outputs are called after.
    """
    named = series_name(path)
    if named is not None:
        return named
    name = Path(path).name
    for suffix in NIFTI_SUFFIXES:
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return Path(name).stem


def nifti_suffix(path: str | os.PathLike[str]) -> str:
    """Return ``.nii.gz`` or ``.nii``, or an empty text where the name ends otherwise."""
    name = Path(path).name.lower()
    return next((suffix for suffix in NIFTI_SUFFIXES if name.endswith(suffix)), "")


def output_path(
    source: str | os.PathLike[str],
    ending: str,
    output: str | os.PathLike[str] | None = None,
    folder: str | os.PathLike[str] | None = None,
) -> Path:
    """Name an output: ``-o`` as it is, else ``<source><ending>`` in ``-ofolder`` or here.

    Parameters
    ----------
    source
        The input image that the result comes from.
    ending
        What is put after the input's name, e.g. ``"_seg.nii.gz"``.
    output
        The name that the user gave (``-o``). A bare file name goes into ``folder`` if there is one.
    folder
        The folder that the user gave (``-ofolder``); without it, the current folder.

    Returns
    -------
    Path
        Where to write.
    """
    base = Path(folder) if folder is not None else Path()
    if output is not None:
        return (
            base / output
            if folder is not None and Path(output).name == str(output)
            else Path(output)
        )
    return base / f"{strip_nifti_suffix(source)}{ending}"


def sidecar_path(path: str | os.PathLike[str]) -> Path:
    """Return the JSON sidecar of an output: same folder and name, ``.json``."""
    path = Path(path)
    return path.with_name(f"{strip_nifti_suffix(path)}.json")


def _short(path: Path) -> str:
    """Keep temporary names below the file system's limit of 255 bytes."""
    return os.fsencode(path.name)[:100].decode(errors="ignore")


def _suffix(path: Path) -> str:
    """Return the ending that tells a writer the format: ``.nii.gz`` as a whole."""
    suffix = "".join(path.suffixes[-2:]) if path.name.lower().endswith(".gz") else path.suffix
    return suffix if len(suffix) <= 20 else ""  # a long name with a dot in it has no format


def _make_folders(folder: Path, made: list[Path]) -> None:
    """Make a folder and those above it; note each new one, so that a failed write removes it."""
    missing = [step for step in (folder, *folder.parents) if not step.exists()]
    for step in reversed(missing):
        with suppress(FileExistsError):  # another process was faster
            step.mkdir()
            made.append(step)


def _reason(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return "no space left on the disk; free some and run again"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "the folder cannot be written; choose another with -o or -ofolder"
    if error.errno in (errno.EEXIST, errno.ENOTDIR):
        return "a file is in the way of its folder; choose another with -o or -ofolder"
    return (error.strerror or str(error)).lower()
