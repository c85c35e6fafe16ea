"""Install a model: fetch, check, unpack, and put in place as a whole or not at all."""

from __future__ import annotations

import logging
import shutil
import uuid
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from spinetools._version import __version__
from spinetools.errors import ModelError, OutputError
from spinetools.files import parse_json, write_json
from spinetools.models.card import read_card
from spinetools.models.download import Progress, download, forget_partial
from spinetools.models.registry import (
    Entry,
    ModelFile,
    file_sha256,
    find_entry,
    load_registry,
    nearest,
    plain_name,
    shipped_folder,
)
from spinetools.models.store import CHECKPOINTS, RECORD_NAME, RESULTS_FILES, cache_folder
from spinetools.models.unpack import unpack

logger = logging.getLogger(__name__)

PINS_NAME = "pins.json"
_DOWNLOADS_NAME = ".downloads"
_NEW_PREFIX = ".new-"
_LOCK_NAME = ".lock"


def install(
    name: str,
    sources: Sequence[Path] = (),
    folder: Path | None = None,
    progress: Progress | None = None,
) -> Path:
    """Install a model into the user's cache.

    Parameters
    ----------
    name
        A name of the registry, ``name@version``, or a new name for a model of one's own, which
        then comes from ``sources``.
    sources
        Files to take instead of downloading: the zips or the ONNX file.
    folder
        Where to, instead of the user's cache; a folder that ``$SPINETOOLS_MODELS`` may name.
    progress
        Called now and then while a file is fetched.

    Returns
    -------
    folder
        The model's folder; what is there already is left as it is.

    Raises
    ------
    ModelError
        When a file cannot be fetched, does not fit its checksum or is no model.
    OutputError
        When the folder cannot be written or the disk is full.
    """
    entry = _entry_to_install(name, sources)
    if all((shipped_folder() / file.file).is_file() for file in entry.files) and not sources:
        logger.info("%s is part of the package", entry.identity)
        return shipped_folder()
    base = folder if folder is not None else cache_folder()
    target = base / entry.identity
    with _writable(base), _locked(base):
        if (target / RECORD_NAME).is_file():
            logger.info("%s is installed already: %s", entry.identity, target)
            return target
        if target.exists():
            raise OutputError(f"{target} is in the way; move it and install again")
        chosen = _chosen(entry, sources)
        for leftover in base.glob(f"{_NEW_PREFIX}*"):  # of a killed run: the lock is ours
            shutil.rmtree(leftover, ignore_errors=True)
        new = base / f"{_NEW_PREFIX}{uuid.uuid4().hex[:12]}"
        try:
            new.mkdir()
            _fill(entry, chosen, base, new, progress)
            new.rename(target)
        finally:
            shutil.rmtree(new, ignore_errors=True)
            with suppress(OSError):
                (base / _DOWNLOADS_NAME).rmdir()  # stays where a part of a file waits in it
    return target


def pinned(base: Path) -> dict[str, dict[str, str]]:
    """Return the checksums that were noted at first installs: identity to file to SHA-256."""
    path = base / PINS_NAME
    if not path.is_file():
        return {}
    try:
        pins = parse_json(path.read_text(encoding="utf-8"))
        return {str(key): {str(f): str(sha) for f, sha in pins[key].items()} for key in pins}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise ModelError(f"{path} cannot be read ({error}); mend or remove it") from error


def _entry_to_install(name: str, sources: Sequence[Path]) -> Entry:
    """Return the registry's entry, or one for a model of one's own."""
    entry = find_entry(name)
    if entry is not None:
        return entry
    base, _, version = name.partition("@")
    known = load_registry()
    if base in known and not sources:
        raise ModelError(
            f"the registry knows {known[base].identity} only; give the file of {name} with -from"
        )
    if not sources:
        raise ModelError(
            f"no model named {base!r} in the registry{nearest(base, list(known))} "
            "(a model of your own needs its file: -from FILE)"
        )
    return _own_entry(base, version, sources)


def _own_entry(base: str, version: str, sources: Sequence[Path]) -> Entry:
    """Return an entry for files that the registry does not know."""
    try:
        plain_name(base, "the model's name")
        plain_name(version or "1", "the model's version")
    except ValueError as error:
        raise ModelError(str(error)) from error
    if len(sources) != 1:
        raise ModelError(f"a model of your own is one file, got {len(sources)}")
    _check_source(sources[0])
    engine, task, found = "nnunet", "own nnU-Net model", version
    if sources[0].suffix == ".onnx":
        card = read_card(sources[0])
        engine, task, found = "onnx", card.task, card.version
        if version not in ("", found):
            raise ModelError(f"{sources[0]} holds version {found} of {card.name}, not {version}")
    file = ModelFile(file=f"{base}.onnx" if engine == "onnx" else f"{base}.zip")
    return Entry(name=base, version=found or "1", engine=engine, task=task, files=(file,))


def _chosen(entry: Entry, sources: Sequence[Path]) -> dict[str, Path]:
    """Assign the given files to those that the model consists of, by name or by content."""
    if not sources:
        return {}
    chosen: dict[str, Path] = {}
    for source in sources:
        _check_source(source)
        named = [file for file in entry.files if file.file == source.name]
        fitting = named or [file for file in entry.files if _fits(file, source, entry)]
        if len(fitting) != 1:
            raise ModelError(
                f"{source} is not what {entry.identity} consists of: "
                f"{', '.join(file.file for file in entry.files)}"
            )
        chosen[fitting[0].file] = source
    lacking = [file.file for file in entry.files if file.file not in chosen]
    if lacking:
        raise ModelError(f"{entry.identity} also needs {', '.join(lacking)}; give all with -from")
    return chosen


def _check_source(source: Path) -> None:
    if not source.is_file():
        raise ModelError(f"the file {source} does not exist; check the path")


def _fits(file: ModelFile, source: Path, entry: Entry) -> bool:
    """Whether a file of another name can be the one that is meant."""
    if len(entry.files) == 1:
        return True
    try:
        with zipfile.ZipFile(source) as content:
            folders = {Path(name).parent for name in content.namelist()}
    except (zipfile.BadZipFile, OSError):
        return False
    return any(folder.match(file.layout) for folder in folders)


def _fill(
    entry: Entry,
    chosen: dict[str, Path],
    base: Path,
    new: Path,
    progress: Progress | None,
) -> None:
    """Bring all files of a model into its new folder, with a record of what they are."""
    record: dict[str, Any] = {
        "name": entry.name,
        "version": entry.version,
        "engine": entry.engine,
        "task": entry.task,
        "installed": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "by": f"spinetools {__version__}",
        "sources": {},
        "parts": {},
    }
    pins = pinned(base)
    known = pins.get(entry.identity, {})
    fresh = {}
    for file in entry.files:
        source, url = _fetched(entry, file, chosen, base, progress)
        sha = _checked_sha256(entry, file, source, known, base, fetched=bool(url))
        fresh[file.file] = sha
        record["sources"][file.file] = {"from": url or str(source.resolve()), "sha256": sha}
        try:
            where = _put(entry, file, source, new)
        except ModelError:
            if url:
                source.unlink()  # not to be taken for a finished download next time
            raise
        if entry.engine == "nnunet":
            record["parts"][file.part] = where.relative_to(new).as_posix()
        if url:
            source.unlink()
    record["files"] = {
        path.relative_to(new).as_posix(): file_sha256(path)
        for path in sorted(new.rglob("*"))
        if path.is_file()
    }
    write_json(new / RECORD_NAME, record)
    if fresh != known:
        write_json(base / PINS_NAME, {**pins, entry.identity: {**known, **fresh}})


def _fetched(
    entry: Entry, file: ModelFile, chosen: dict[str, Path], base: Path, progress: Progress | None
) -> tuple[Path, str]:
    """Return the file on this machine, and the address that it came from."""
    if file.file in chosen:
        return chosen[file.file], ""
    if not file.urls:
        raise ModelError(f"{entry.identity} is not published; give its file with -from FILE")
    downloads = base / _DOWNLOADS_NAME
    downloads.mkdir(exist_ok=True)
    path = downloads / f"{entry.identity}-{file.file}"
    if path.is_file():
        return path, file.urls[0]  # a run before has fetched it and was stopped then
    for number, url in enumerate(file.urls):
        logger.info("fetching %s", url)
        try:
            download(url, path, progress)
            return path, url
        except ModelError as error:
            if number + 1 == len(file.urls):
                raise
            logger.warning("%s", error)
    raise AssertionError("unreachable: the last address raises")


def _checked_sha256(
    entry: Entry,
    file: ModelFile,
    source: Path,
    known: dict[str, str],
    base: Path,
    fetched: bool,
) -> str:
    """Compare a file with its checksum: the registry's, else the one of its first install."""
    found = file_sha256(source)
    expected = file.sha256 or known.get(file.file, "")
    if not expected:
        logger.warning(
            "nobody has noted a checksum of %s yet: SHA-256 %s is pinned from now on",
            file.file, found,
        )  # fmt: skip
    elif found != expected:
        if fetched:
            source.unlink()
            forget_partial(source)
        whose = "the registry" if file.sha256 else f"its first install ({base / PINS_NAME})"
        raise ModelError(
            f"wrong checksum: {source.name} of {entry.identity} has SHA-256 {found[:16]}…, "
            f"{whose} says {expected[:16]}…; nothing was installed, fetch it again"
        )
    return found


def _put(entry: Entry, file: ModelFile, source: Path, new: Path) -> Path:
    """Copy or unpack a file into the model's folder; return where the model then lies."""
    if entry.engine == "onnx":
        path = new / file.file
        shutil.copyfile(source, path)
        card = read_card(path)
        if card.version != entry.version:
            raise ModelError(f"{source} holds version {card.version}, expected {entry.version}")
        return path
    folder = new / file.part if file.part else new / "model"
    folder.mkdir()
    unpack(source, folder)
    found = [
        path.parent
        for path in sorted(folder.rglob(RESULTS_FILES[0]))
        if _is_results(path.parent) and _matches(path.parent.relative_to(folder), file.layout)
    ]
    if len(found) != 1:
        what = "several nnU-Net results folders" if found else "no nnU-Net results folder"
        raise ModelError(
            f"{source} is not the expected model: {what} ({', '.join(RESULTS_FILES)}, "
            f"fold_*/{CHECKPOINTS[0]}) at {file.layout} in it"
        )
    return found[0]


def _is_results(folder: Path) -> bool:
    return all((folder / name).is_file() for name in RESULTS_FILES) and any(
        (fold / name).is_file() for fold in folder.glob("fold_*") for name in CHECKPOINTS
    )


def _matches(folder: Path, layout: str) -> bool:
    """Whether a folder's path ends as the registry says; ``**`` is any."""
    return layout == "**" or folder.match(layout)


@contextmanager
def _locked(base: Path) -> Iterator[None]:
    """Let one process at a time install here; the others wait, and may then find it there."""
    from filelock import FileLock, Timeout

    path = base / _LOCK_NAME
    fresh = not path.exists()
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        logger.info("another process is installing into %s; waiting", base)
        lock.acquire()
    done = False
    try:
        yield
        done = True
    finally:
        if fresh and not done:  # a failed run leaves nothing; who waits for it opens a new one
            with suppress(OSError):
                path.unlink()
        lock.release()


@contextmanager
def _writable(base: Path) -> Iterator[None]:
    """Make the folder; turn what goes wrong with it into an error that names it."""
    made = [step for step in (base, *base.parents) if not step.exists()]
    done = False
    try:
        base.mkdir(parents=True, exist_ok=True)
        yield
        done = True
    except OSError as error:
        what = (error.strerror or str(error)).lower()
        where = f": {error.filename}" if error.filename else ""
        raise OutputError(f"cannot install into {base}: {what}{where}") from error
    finally:
        if made and not done:
            with suppress(OSError):
                for step in made:
                    step.rmdir()  # not where a part of a file waits
