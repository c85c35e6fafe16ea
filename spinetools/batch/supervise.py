"""The process above a subject's script: its log, times, memory and limits, and its end.

Run as ``python -m spinetools.batch.supervise``. It reads a job as one line of JSON from stdin, and
writes the outcome as JSON to stdout. The end of stdin means that the worker is gone: then the
script and all that it started are ended.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import datetime, timezone
from pathlib import Path
from types import FrameType
from typing import IO, Any

from spinetools.batch.job import Job, Outcome
from spinetools.batch.params import search_path

if sys.platform == "win32":
    fcntl = resource = None  # every use of them stands behind the same question
else:
    import fcntl
    import resource

#: Between a polite and a hard end (s): enough for our commands to remove their temporary files.
GRACE_SECONDS = 3.0
#: How long the processes of an attempt whose supervisor was killed may live beside the next (s).
ORPHAN_SECONDS = GRACE_SECONDS + 5
#: How long to wait for an attempt on another machine to end (s).
LOCK_SECONDS = 60.0
#: Between two looks at the memory (s), and the part of the time that looking may take.
SAMPLE_SECONDS = 1.0
SAMPLE_SHARE = 0.02
#: Why a script is ended whose worker is gone.
WORKER_GONE = "its worker is gone"
#: Signals that people and schedulers send, rather than what goes wrong in a program.
FROM_OUTSIDE = ("SIGKILL", "SIGTERM", "SIGINT", "SIGHUP")


class Supervisor:
    """Runs one job.

    Parameters
    ----------
    job
        The job.
    """

    def __init__(self, job: Job) -> None:
        self.job = job
        self.process: subprocess.Popen[bytes] | None = None
        #: why the script was ended from here; empty as long as it runs by itself
        self.ended_for = ""
        self.peak_bytes = 0
        self._lock: int | None = None
        self._ending = threading.Lock()

    def run(self) -> Outcome:
        """Run the script and tell what became of it."""
        job = self.job
        start = time.monotonic()
        outcome = Outcome("failed", host=socket.gethostname(), started=_now())
        try:
            self._lock = self._take_lock(Path(job.lock))
        except TimeoutError as error:
            return replace(outcome, end="lost", reason=str(error))
        try:
            with Path(job.log).open("wb" if job.fresh_log else "ab", buffering=0) as log:
                _say(log, f"{job.subject}: attempt {job.attempt} on {outcome.host}, {_now()}")
                try:
                    code = self._execute(log)
                except OSError as error:
                    reason = f"{job.command[0]} cannot be started: {error.strerror or error}"
                    _say(log, reason)
                    return replace(outcome, reason=reason)
                outcome = replace(
                    outcome,
                    seconds=round(time.monotonic() - start, 3),
                    exit_code=code,
                    cpu_seconds=_cpu_seconds(),
                    peak_memory_mb=round(max(self.peak_bytes, _largest_process()) / 1e6, 1),
                    **self._verdict(code),
                )
                _say(log, _ending(outcome))
        except OSError as error:
            reason = f"{job.log} cannot be written: {error.strerror or error}"
            return replace(outcome, reason=reason, seconds=round(time.monotonic() - start, 3))
        return outcome

    def end(self, reason: str) -> None:
        """End the script and all that it has started."""
        self.ended_for = self.ended_for or reason
        with self._ending:
            if self.process is not None:
                _end_all(self.process)

    def _execute(self, log: IO[bytes]) -> int:
        job = self.job
        kept: dict[str, Any] = {}
        if sys.platform == "win32":
            kept["creationflags"] = subprocess.CREATE_NEW_PROCESS_GROUP
        elif self._lock is not None:
            # inherited by all that the script starts, so that the lock is free once all are gone
            kept["pass_fds"] = (self._lock,)
        self.process = subprocess.Popen(
            job.command,
            cwd=job.folder,
            env=_environment(job.variables),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            **kept,
        )
        if sys.platform != "win32" and self._lock is not None:
            os.pwrite(self._lock, f"{socket.gethostname()} {self.process.pid}\n".encode(), 0)
        if self.ended_for:  # the worker was lost meanwhile
            self.end(self.ended_for)
        self._watch(self.process)
        with self._ending:
            _end_all(self.process, grace=GRACE_SECONDS)  # what it has left in the background
        return int(self.process.returncode)

    def _watch(self, process: subprocess.Popen[bytes]) -> None:
        """Wait for the script; look at its memory and time meanwhile."""
        job = self.job
        begun = time.monotonic()
        pause = SAMPLE_SECONDS / 10  # short scripts are seen at least once
        while True:
            with suppress(subprocess.TimeoutExpired):
                process.wait(pause)
                return
            if self.ended_for:
                continue
            before = time.perf_counter()
            self._look_at_memory(process.pid)
            took = time.perf_counter() - before
            pause = min(max(SAMPLE_SECONDS, took / SAMPLE_SHARE), 10 * SAMPLE_SECONDS)
            if job.timeout_s is not None and time.monotonic() - begun > job.timeout_s:
                self.end(f"it took longer than {job.timeout_s / 60:g} min (-timeout)")

    def _look_at_memory(self, pid: int) -> None:
        used = memory_of(pid, shared_once=False)
        limit = self.job.memory_bytes
        if limit is not None and used > limit:
            # resident memory counts what processes share once for each: look closer
            used = memory_of(pid, shared_once=True)
            if used > limit:
                self.peak_bytes = max(self.peak_bytes, used)
                self.end(
                    f"it used {used / 1e9:.2f} GB of memory, more than its {limit / 1e9:.2f} GB "
                    "(-memory)"
                )
        self.peak_bytes = max(self.peak_bytes, used)

    def _verdict(self, code: int) -> dict[str, Any]:
        if self.ended_for:
            return {"end": "lost" if self.ended_for == WORKER_GONE else "failed",
                    "reason": self.ended_for}  # fmt: skip
        if code == 0:
            return {"end": "done"}
        # a shell tells by its exit code that a command was killed
        number = -code if code < 0 else code - 128
        name = _signal_name(number)
        if code < 0:
            end = "lost" if name in FROM_OUTSIDE else "failed"
            return {"end": end, "reason": f"it was ended by {name}"}
        if name:
            hint = ", perhaps for want of memory" if name == "SIGKILL" else ""
            return {"reason": f"exit code {code}: a command was ended by {name}{hint}"}
        return {"reason": f"exit code {code}"}

    def _take_lock(self, path: Path) -> int | None:
        """Wait until no process of an earlier attempt lives, and let the script hold the lock.

        The batch never runs a subject twice at once: who holds the lock is left over from a worker
        or supervisor that was killed.

        Returns
        -------
        int or None
            The lock's file; None where the file system or system has no such locks.
        """
        if sys.platform == "win32":
            return None
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        begun = time.monotonic()
        locked = _try_lock(handle)
        while locked is False:
            waited = time.monotonic() - begun
            host, _, pid = os.pread(handle, 300, 0).decode(errors="replace").partition(" ")
            if self.ended_for or waited > LOCK_SECONDS:
                os.close(handle)
                raise TimeoutError(
                    self.ended_for or f"an earlier attempt is still at work on {host}"
                )
            here = host == socket.gethostname() and pid.strip().isdigit()
            if here and waited > ORPHAN_SECONDS:
                with suppress(OSError):
                    os.killpg(int(pid), signal.SIGKILL)
            time.sleep(0.1)
            locked = _try_lock(handle)
        if locked is None:
            os.close(handle)
            return None
        return handle


def _try_lock(handle: int) -> bool | None:
    """Lock a file; False where another holds it, None where there are no such locks."""
    if sys.platform == "win32":
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False
    except OSError:
        return None


def memory_of(pid: int, shared_once: bool) -> int:
    """Return the memory of a process and all below it (bytes).

    Parameters
    ----------
    pid
        The process.
    shared_once
        Count what processes share once (where the system tells; slower), rather than for each.
    """
    import psutil

    total = 0
    with suppress(psutil.Error):
        top = psutil.Process(pid)
        for process in (top, *top.children(recursive=True)):
            with suppress(psutil.Error):
                if shared_once and hasattr(process, "memory_full_info"):
                    info = process.memory_full_info()
                    total += int(getattr(info, "pss", info.uss))
                else:
                    total += int(process.memory_info().rss)
    return total


def main() -> None:
    """Run the job that stdin tells."""
    line = sys.stdin.buffer.readline()
    if not line.endswith(b"\n"):
        return  # the worker was gone before it had said all
    supervisor = Supervisor(Job(**json.loads(line)))
    # an ignored signal would stay ignored in all that the script runs
    signal.signal(signal.SIGINT, signal.default_int_handler)

    def stop(number: int, _frame: FrameType | None) -> None:
        threading.Thread(target=supervisor.end, args=(WORKER_GONE,), daemon=True).start()

    signal.signal(signal.SIGTERM, stop)
    threading.Thread(target=_wait_for_the_worker_s_end, args=(supervisor,), daemon=True).start()
    outcome = supervisor.run()
    with suppress(OSError):
        sys.stdout.write(json.dumps(asdict(outcome)))
        sys.stdout.flush()
    # without waiting for the thread that reads from stdin
    os._exit(0)


def _wait_for_the_worker_s_end(supervisor: Supervisor) -> None:
    with suppress(OSError, ValueError):
        while os.read(0, 1024):  # not the buffered stream, which a leaving interpreter locks
            pass
    supervisor.end(WORKER_GONE)


def _environment(variables: Mapping[str, str]) -> dict[str, str]:
    environment = {**os.environ, **variables}
    environment.pop("PYTHONSAFEPATH", None)
    environment["PATH"] = search_path(environment.get("PATH", ""))
    return environment


def _end_all(process: subprocess.Popen[bytes], grace: float = GRACE_SECONDS) -> None:
    """End a process and all that it has started: politely, then hard."""
    import psutil

    below: list[psutil.Process] = []
    with suppress(psutil.Error):
        below = psutil.Process(process.pid).children(recursive=True)
    if _send(process, below, hard=False):
        until = time.monotonic() + grace
        while time.monotonic() < until and _alive(process, below):
            time.sleep(0.05)
    _send(process, below, hard=True)


def _send(process: subprocess.Popen[bytes], below: list[Any], hard: bool) -> bool:
    """Send a signal to the script's group, and to those below it that have left the group."""
    import psutil

    reached = False
    if sys.platform != "win32":
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL if hard else signal.SIGTERM)
            reached = True
    elif process.poll() is None:
        process.kill() if hard else process.terminate()
        reached = True
    for other in below:
        with suppress(psutil.Error):
            other.kill() if hard else other.terminate()
            reached = True
    return reached


def _alive(process: subprocess.Popen[bytes], below: list[Any]) -> bool:
    if process.poll() is None or any(other.is_running() for other in below):
        return True
    if sys.platform != "win32":
        with suppress(OSError):
            os.killpg(process.pid, 0)
            return True
    return False


def _cpu_seconds() -> float | None:
    if sys.platform == "win32":
        return None
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return round(usage.ru_utime + usage.ru_stime, 2)


def _largest_process() -> int:
    """Return the largest memory that one process of the script had (bytes)."""
    if sys.platform == "win32":
        return 0
    # in kilobytes, on macOS in bytes
    unit = 1 if sys.platform == "darwin" else 1024
    return int(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return ""


def _ending(outcome: Outcome) -> str:
    how = outcome.reason or "done"
    return f"{how}, after {outcome.seconds:.1f} s, {outcome.peak_memory_mb:.0f} MB at most"


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")


def _say(log: IO[bytes], text: str) -> None:
    log.write(f"== {text}\n".encode(errors="replace"))


if __name__ == "__main__":
    main()
