"""What is known of each subject, in a JSON file beside its log: what ``-resume`` goes by."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from spinetools.batch.job import Outcome
from spinetools.files import write_json

logger = logging.getLogger(__name__)

#: How much of a log's end is searched for the error (bytes).
TAIL_BYTES = 20_000

State = Literal["done", "failed", "lost", "not run"]


@dataclass(frozen=True)
class Record:
    """A subject's last run.

    Attributes
    ----------
    subject
        ``sub-01``, ``sub-01/ses-02``.
    state
        ``done``; ``failed``: the script did; ``lost``: its workers were, more often than it is
        repeated; ``not run``: the batch was stopped before.
    reason
        Why it is not done.
    exit_code, host, started, seconds, cpu_seconds, peak_memory_mb
        Of the last attempt, see :class:`spinetools.batch.job.Outcome`.
    attempts
        Every attempt, the last one too, with the worker's name.
    log
        Path of the log.
    script_sha256, script_args
        What was run.
    threads
        How many it was allowed.
    """

    subject: str
    state: State
    reason: str = ""
    exit_code: int | None = None
    host: str = ""
    started: str = ""
    seconds: float = 0.0
    cpu_seconds: float | None = None
    peak_memory_mb: float | None = None
    attempts: tuple[Mapping[str, Any], ...] = ()
    log: str = ""
    script_sha256: str = ""
    script_args: tuple[str, ...] = ()
    threads: int = 1

    @property
    def times_lost(self) -> int:
        """How many attempts were lost."""
        return sum(attempt.get("end") == "lost" for attempt in self.attempts)

    def save(self, path: Path) -> None:
        """Write it, atomically."""
        write_json(path, asdict(self))


def attempt_of(outcome: Outcome, worker: str) -> dict[str, Any]:
    """Return an attempt as a record lists it."""
    return {"worker": worker, **asdict(outcome)}


def read_record(path: Path) -> Record | None:
    """Read a record; None where there is none, or a damaged one, which is said."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        names = {item.name for item in fields(Record)}
        known = {name: value for name, value in content.items() if name in names}
        for name in ("attempts", "script_args"):
            known[name] = tuple(known.get(name, ()))
        return Record(**known)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, AttributeError) as error:
        logger.warning("%s is damaged: its subject is run again (%s)", path, error)
        return None


def reason_in(log: Path) -> str:
    """Return the last error that a log tells, else its last line; empty where there is neither."""
    lines = [line for line in _tail(log) if line.strip() and not line.startswith("== ")]
    errors = [line for line in lines if "error:" in line.lower()]
    return (errors or lines or [""])[-1].strip()[:300]


def warnings_in(log: Path) -> int:
    """Count the warnings that our commands gave in a log's last attempt."""
    count = 0
    try:
        with log.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if line.startswith("== ") and ": attempt " in line:
                    count = 0
                count += line.startswith("warning: ")
    except OSError:
        return 0
    return count


def _tail(path: Path) -> Sequence[str]:
    try:
        with path.open("rb") as stream:
            stream.seek(0, 2)
            stream.seek(max(0, stream.tell() - TAIL_BYTES))
            return stream.read().decode("utf-8", errors="replace").splitlines()
    except OSError:
        return []
