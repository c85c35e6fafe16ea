"""The index of a report: ``entries.js`` and the page, rebuilt from the entries at any time.

Entries are files of their own and never change, so that nothing is lost whatever happens to the
index. Many processes refresh one report at once; what makes that safe is the rescan: whoever has
replaced the index lists the entries again, and goes on until the listing is what was written. So
the last one to replace the index has seen every entry that was there when it finished, and who
adds one later refreshes after it.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from spinetools.errors import InputError, OutputError
from spinetools.files import write_text
from spinetools.qc.entry import FORMAT, ID_PATTERN
from spinetools.qc.summary import summarise

logger = logging.getLogger(__name__)

#: Set to 0 by a batch, which then refreshes once at its end.
REFRESH_VARIABLE = "SPINETOOLS_QC_REFRESH"
#: How long to wait for others that refresh the same report; then it goes on without the lock.
LOCK_SECONDS = 10.0
#: A writer that holds the lock rebuilds the index so often at most, if entries are added meanwhile.
MOST_ROUNDS = 3
#: How often to ask meanwhile whether others have listed the entry.
POLL_SECONDS = 0.1
#: Windows refuses to replace a file while a browser reads it: try again.
REPLACE_SECONDS = 2.0

#: How the names of other people's libraries on the page begin.
VENDORED = "niivue-"

ENTRIES = "entries"
INDEX = "entries.js"
#: The page itself, which loads all else.
FRONT = "index.html"
_START, _END = "window.spinetoolsReport = ", ";\n"

Summaries = dict[str, dict[str, Any]]


def refresh(
    folder: str | os.PathLike[str], rebuild: bool = False, wanted: str | None = None
) -> int:
    """Bring a report's page and index up to date with its entries.

    Parameters
    ----------
    folder
        The report.
    rebuild
        Read every entry again, rather than those only that the index does not have yet.
    wanted
        Id of an entry that must be listed. Where others refresh the report at the moment, one of
        them will list it: then this call waits for that, rather than for its own turn.

    Returns
    -------
    int
        Number of entries in the index; 0 where another process has listed the wanted one.

    Raises
    ------
    InputError
        When the folder is no report.
    OutputError
        When the index cannot be written. The entries are safe all the same.
    """
    folder = _report(folder)
    with locked(folder, lambda: wanted is not None and _lists(folder, wanted)) as lock:
        if lock == "not needed":
            return 0
        _put_assets(folder, lambda name: name != FRONT)
        _put_empty(folder)
        known: Summaries = {} if rebuild else _read_index(folder)
        reported: set[str] = set()
        fresh = bool(known) and set(known) == _listing(folder)
        rounds = 0
        while not fresh:
            # others that wait for this lock list their entries themselves: whoever holds it need
            # not serve all of them while they go on adding
            if wanted is not None and lock == "held" and rounds == MOST_ROUNDS:
                break
            rounds += 1
            listing = _listing(folder)
            known = _summaries(folder, listing, known, reported)
            if rebuild:
                _put_scripts(folder, known)
            _replace(folder / INDEX, _as_script(known))
            fresh = _listing(folder) == listing
        # last, so that a run killed before leaves no page without its scripts
        _put_assets(folder, lambda name: name == FRONT)
    return len(known)


def refresh_wanted() -> bool:
    """Whether commands refresh the report themselves (see :data:`REFRESH_VARIABLE`)."""
    return os.environ.get(REFRESH_VARIABLE, "1").strip() != "0"


def read_entries(folder: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """Return the whole content of every sound entry, oldest first; damaged ones are named."""
    folder = _report(folder)
    contents = []
    for name in sorted(_listing(folder)):
        content = _read_entry(folder / ENTRIES / f"{name}.json")
        if content is not None:
            contents.append(content)
    return contents


def read_entry(folder: str | os.PathLike[str], identity: str) -> dict[str, Any]:
    """Return the whole content of an entry.

    Raises
    ------
    InputError
        When the folder is no report, or has no sound entry of that id.
    """
    content = _read_entry(_report(folder) / ENTRIES / f"{identity}.json")
    if content is None:
        raise InputError(f"{folder} has no entry {identity}; run st_qc -refresh")
    return content


def read_summaries(folder: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """Return a summary of every sound entry, oldest first; from the index where it has it.

    Raises
    ------
    InputError
        When the folder is no report.
    """
    folder = _report(folder)
    known = _summaries(folder, _listing(folder), _read_index(folder), set())
    return [known[name] for name in sorted(known)]


def entry_script(content: dict[str, Any]) -> str:
    """Return an entry as a script, because a page opened from a file cannot read JSON files."""
    return f"spinetoolsEntry({script_json(content)});\n"


def _report(folder: str | os.PathLike[str]) -> Path:
    folder = Path(folder)
    if not (folder / ENTRIES).is_dir():
        raise InputError(f"{folder} is no QC report: it has no folder {ENTRIES!r}; check the path")
    return folder


def _listing(folder: Path) -> set[str]:
    try:
        with os.scandir(folder / ENTRIES) as items:
            names = [item.name for item in items]
    except FileNotFoundError:
        return set()
    # temporary files of writers start with a dot
    return {name[:-5] for name in names if name.endswith(".json") and not name.startswith(".")}


def _summaries(folder: Path, listing: set[str], known: Summaries, reported: set[str]) -> Summaries:
    """Return a summary of each listed entry; damaged ones are named once and left out."""
    result: Summaries = {}
    for name in sorted(listing):
        if name in known:
            result[name] = known[name]
        elif name not in reported:
            content = _read_entry(folder / ENTRIES / f"{name}.json")
            if content is None:
                reported.add(name)
            else:
                result[name] = summarise(content)
    return result


def _read_entry(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        summarise(content)
        if content["id"] != path.stem:
            raise InputError(f"it holds the entry {content['id']}")
    except FileNotFoundError:
        return None  # removed since it was listed
    except (OSError, ValueError, InputError, KeyError, TypeError, RecursionError) as error:
        reason = "not readable JSON" if isinstance(error, ValueError) else error
        logger.warning("%s is damaged and is left out of the QC report (%s)", path, reason)
        return None
    return dict(content)


def _put_scripts(folder: Path, summaries: Summaries) -> None:
    """Make the scripts of entries again where they got lost: the page cannot show them without."""
    for name, summary in summaries.items():
        script = folder / summary["folder"] / "entry.js"
        if not script.exists():
            content = _read_entry(folder / ENTRIES / f"{name}.json")
            if content is not None:
                write_text(script, entry_script(content))


def _read_index(folder: Path) -> Summaries:
    """Return the summaries that the index has; none where it is missing, damaged or of old form."""
    try:
        text = (folder / INDEX).read_text(encoding="utf-8")
        report = json.loads(text.removeprefix(_START).removesuffix(_END))
        if report["format"] != FORMAT:
            return {}
        return {entry["id"]: entry for entry in report["entries"]}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}


def _as_script(summaries: Summaries) -> str:
    lines = ",\n".join(script_json(summaries[name]) for name in sorted(summaries))
    return f'{_START}{{"format": {FORMAT}, "entries": [\n{lines}\n]}}{_END}'


def script_json(content: Any) -> str:
    """Return JSON in ASCII, without ``<``: safe wherever a browser may read it."""
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c")


def _put_assets(folder: Path, chosen: Callable[[str], bool]) -> None:
    """Copy files of the page beside the entries, where they are missing or differ."""
    for asset in sorted(files("spinetools.qc").joinpath("page").iterdir(), key=lambda a: a.name):
        if not asset.name.endswith((".html", ".js", ".css", ".svg", ".txt")):
            continue
        if not chosen(asset.name):
            continue
        target = folder / (asset.name if asset.name == FRONT else f"page/{asset.name}")
        # large libraries have their version in their name: one that is there is the same
        if asset.name.startswith(VENDORED) and target.is_file():
            continue
        text = asset.read_text(encoding="utf-8")
        try:
            same = target.read_text(encoding="utf-8") == text
        except (OSError, ValueError):
            same = False
        if not same:
            _replace(target, text)


def _put_empty(folder: Path) -> None:
    """Put empty scripts where the page would ask in vain; never over one that has something."""
    for name in ("ratings.js", "comparisons.js"):
        with suppress(OSError), (folder / name).open("x", encoding="utf-8"):
            pass


def _replace(path: Path, text: str) -> None:
    end = time.monotonic() + (REPLACE_SECONDS if os.name == "nt" else 0)
    while time.monotonic() < end:
        with suppress(OutputError):
            write_text(path, text)
            return
        time.sleep(0.05)
    write_text(path, text)


def _lists(folder: Path, identity: str) -> bool:
    """Whether the index has an entry; without parsing it, because that takes longer."""
    try:
        return f'"id":"{identity}"'.encode() in (folder / INDEX).read_bytes()
    except OSError:
        return False


@contextmanager
def locked(
    folder: Path, done: Callable[[], bool] = lambda: False
) -> Iterator[Literal["held", "without", "not needed"]]:
    """Hold the report's lock; go on without it where it is not to be had (see the module).

    Parameters
    ----------
    folder
        The report.
    done
        Asked while others hold the lock: whether they have done the work already. With sixteen
        writers, each refresh then serves all who wait, and nobody waits for fifteen turns.

    Yields
    ------
    str
        Whether the lock is held, is not to be had, or the work is done.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(folder / ".lock")
    end = time.monotonic() + LOCK_SECONDS
    state: Literal["held", "without", "not needed"] = "without"
    while True:
        try:
            lock.acquire(timeout=min(POLL_SECONDS, LOCK_SECONDS), poll_interval=POLL_SECONDS / 4)
            state = "held"
            break
        except Timeout:
            if done():
                state = "not needed"
                break
            if time.monotonic() >= end:
                logger.info("the QC report %s is busy: refreshed without waiting longer", folder)
                break
        except (OSError, NotImplementedError):
            logger.debug("no lock in %s (a file system without locks, or read-only)", folder)
            break
    try:
        yield state
    finally:
        if lock.is_locked:
            lock.release()


def tidy(folder: str | os.PathLike[str], older_than_seconds: float = 86_400) -> int:
    """Remove what killed writers left behind: temporary files, and pictures without an entry.

    Only files that are a day old, so that a writer at work keeps its own.

    Returns
    -------
    int
        Number of files and folders removed.
    """
    import shutil

    folder = Path(folder)
    listing = _listing(folder)
    before = time.time() - older_than_seconds
    removed = 0
    for path in (
        *folder.glob(".*.*"),
        *folder.glob(f"{ENTRIES}/.*.json"),
        *folder.glob("page/.*.*"),
    ):
        if path.is_file() and path.name != ".lock" and path.stat().st_mtime < before:
            path.unlink(missing_ok=True)
            removed += 1
    for path in folder.glob("img/*/*/*"):
        orphan = path.is_dir() and ID_PATTERN.fullmatch(path.name) and path.name not in listing
        if orphan and path.stat().st_mtime < before:
            shutil.rmtree(path, ignore_errors=True)
            removed += 1
    return removed
