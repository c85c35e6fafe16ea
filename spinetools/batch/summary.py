"""The table of a batch: a row a subject, with times, memory, failures and flags."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from spinetools.batch.params import Folders
from spinetools.batch.record import Record, warnings_in
from spinetools.batch.subjects import slug
from spinetools.errors import InputError
from spinetools.files import write_text

logger = logging.getLogger(__name__)

COLUMNS = (
    "subject", "state", "reason", "attempts", "lost", "exit_code", "started", "seconds",
    "cpu_seconds", "peak_memory_mb", "warnings", "flags", "flagged", "host", "log",
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """A subject's line in the summary.

    Attributes
    ----------
    record
        What became of it.
    warnings
        How many warnings our commands gave.
    flags
        What the QC report flags, e.g. ``st_propseg: leak``; each command and kind once.
    """

    record: Record
    warnings: int = 0
    flags: tuple[str, ...] = ()

    def cells(self) -> tuple[Any, ...]:
        """Return the line, in the order of :data:`COLUMNS`."""
        record = self.record
        return (
            record.subject, record.state, record.reason, len(record.attempts), record.times_lost,
            record.exit_code, record.started, record.seconds, record.cpu_seconds,
            record.peak_memory_mb, self.warnings, len(self.flags), "; ".join(self.flags),
            record.host, record.log,
        )  # fmt: skip


def rows_of(records: Sequence[Record], folders: Folders) -> list[Row]:
    """Return a row for each record, with what the logs and the QC report say."""
    entries = _entries(folders.qc)
    return [
        Row(record, warnings_in(Path(record.log)) if record.log else 0, flags_of(record, entries))
        for record in records
    ]


def write_summary(rows: Sequence[Row], folders: Folders) -> Path:
    """Write the table as ``summary.tsv``, with ``n/a`` where there is nothing to say."""
    lines = ["\t".join(COLUMNS)]
    for row in rows:
        cells = ("n/a" if cell in (None, "") else str(cell) for cell in row.cells())
        lines.append("\t".join(re.sub(r"[\t\r\n]+", " ", cell) for cell in cells))
    path = folders.log / "summary.tsv"
    write_text(path, "\n".join(lines) + "\n")
    return path


def flags_of(record: Record, entries: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return what a QC report flags in a subject's results.

    Parameters
    ----------
    record
        The subject; entries from before its run do not count.
    entries
        The report's summaries; of each case the newest counts.
    """
    newest: dict[str, Mapping[str, Any]] = {}
    for entry in entries:
        if record.started and entry["created"] >= record.started and _is_of(record.subject, entry):
            newest[entry["case"]] = entry
    found = {
        f"{entry['process']}: {flag['kind']}"
        for entry in newest.values()
        for flag in entry["flags"]
    }
    return tuple(sorted(found))


def _is_of(subject: str, entry: Mapping[str, Any]) -> bool:
    """Whether an entry is a subject's: by its name in the report, or by the image's path."""
    from spinetools.qc.entry import subject_of

    names = {slug(str(entry["subject"])), slug(subject_of(str(entry["input"])))}
    if slug(subject) in names:
        return True
    parts, wanted = PurePath(str(entry["input"])).parts, tuple(subject.split("/"))
    return any(
        parts[start : start + len(wanted)] == wanted for start in range(len(parts) - len(wanted))
    )


def _entries(folder: Path) -> list[dict[str, Any]]:
    if not folder.is_dir():
        return []
    # only now: it takes a second, as it draws pictures
    from spinetools.qc.index import ENTRIES, read_summaries

    if not (folder / ENTRIES).is_dir():
        return []
    try:
        return read_summaries(folder)
    except InputError as error:
        logger.warning("the flags are not known: %s", error)
        return []
