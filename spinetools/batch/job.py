"""One subject's run on a worker.

The script runs under a supervisor, a process of its own (:mod:`spinetools.batch.supervise`): where
the worker is killed, nothing of the script stays behind to write into the next attempt's files.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

#: ``lost``: ended by something that was not the script's fault, so that it is worth repeating.
End = Literal["done", "failed", "lost"]


@dataclass(frozen=True)
class Job:
    """What a worker is told.

    Attributes
    ----------
    subject
        ``sub-01``, ``sub-01/ses-02``.
    command
        The script, with its arguments.
    variables
        Environment variables beside the worker's own.
    folder
        Where the script is started.
    log
        The file that takes what the script prints.
    lock
        A file that is locked as long as any process of the script lives.
    attempt
        From 1.
    fresh_log
        Whether the log begins anew.
    memory_bytes, timeout_s
        The script is ended beyond these.
    """

    subject: str
    command: tuple[str, ...]
    variables: Mapping[str, str]
    folder: str
    log: str
    lock: str
    attempt: int = 1
    fresh_log: bool = True
    memory_bytes: int | None = None
    timeout_s: float | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of one attempt.

    Attributes
    ----------
    end
        See :data:`End`.
    reason
        Why it did not end well.
    exit_code
        Of the script; negative: the signal that ended it. None where it did not come to that.
    host
        The machine.
    started
        UTC, ISO 8601.
    seconds
        From start to end.
    cpu_seconds
        Processor time of all its processes; None where the system does not tell.
    peak_memory_mb
        The largest resident memory: of all its processes together as sampled each second, or of a
        single one, whichever is more; 1 MB is 10⁶ bytes.
    """

    end: End
    reason: str = ""
    exit_code: int | None = None
    host: str = ""
    started: str = ""
    seconds: float = 0.0
    cpu_seconds: float | None = None
    peak_memory_mb: float | None = None

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Outcome:
        """Read it from JSON; what it does not know is left out."""
        names = {item.name for item in fields(cls)}
        return cls(**{name: value for name, value in record.items() if name in names})


def run_job(job: Job) -> Outcome:
    """Run a subject's script to its end, on a worker."""
    # the folder that the supervisor is started in must not shadow its imports
    environment = {**os.environ, "PYTHONSAFEPATH": "1"}
    with subprocess.Popen(
        [sys.executable, "-m", "spinetools.batch.supervise"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        start_new_session=True,  # a Ctrl-C at the terminal is for the batch, which then ends all
    ) as supervisor:
        assert supervisor.stdin is not None
        assert supervisor.stdout is not None
        try:
            # kept open: the supervisor takes its end as the worker's
            supervisor.stdin.write((json.dumps(asdict(job)) + "\n").encode())
            supervisor.stdin.flush()
        except BrokenPipeError:
            pass  # it has ended already: seen below
        said = supervisor.stdout.read()
    try:
        return Outcome.from_record(json.loads(said))
    except ValueError:
        return Outcome("lost", f"its supervisor ended with code {supervisor.returncode}")
