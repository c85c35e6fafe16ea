"""A whole batch: from a study's folder to the summary of all its subjects."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from spinetools._version import __version__
from spinetools.batch.dispatch import Dispatcher
from spinetools.batch.job import Job, Outcome
from spinetools.batch.params import EXECUTORS, BatchParams, Folders, variables
from spinetools.batch.progress import Progress, words
from spinetools.batch.queues import Queue
from spinetools.batch.record import Record, attempt_of, read_record, reason_in
from spinetools.batch.shares import Share, cluster_share, local_share, machine
from spinetools.batch.subjects import Chosen, choose, find_subjects, slug
from spinetools.batch.summary import Row, rows_of, write_summary
from spinetools.bids import Derivatives, open_dataset
from spinetools.errors import InputError, OutputError
from spinetools.files import atomic_path, write_json, write_text
from spinetools.optional import require

logger = logging.getLogger(__name__)

#: Called with how far the batch is, and with what has just happened, if anything.
OnProgress = Callable[[Progress, str | None], None]


@dataclass(frozen=True)
class BatchReport:
    """What became of a batch.

    Attributes
    ----------
    rows
        A row a subject, in the order of their names; with those that ``resume`` left out.
    skipped
        Subjects that were done before.
    workers_lost
        Attempts that were lost with their worker, and repeated as far as allowed.
    share
        Jobs at once, and what each was allowed.
    seconds
        From the start of the workers to their end.
    summary
        The table, as a file.
    report
        The QC report's page; None where no script has added to it.
    """

    rows: tuple[Row, ...]
    skipped: tuple[str, ...]
    workers_lost: int
    share: Share
    seconds: float
    summary: Path
    report: Path | None

    @property
    def records(self) -> tuple[Record, ...]:
        """The subjects' records."""
        return tuple(row.record for row in self.rows)


def run_batch(params: BatchParams, on_progress: OnProgress | None = None) -> BatchReport:
    """Run a script for every subject of a study.

    Each subject has a log and a record in ``<output>/log``. Where a worker is lost, its subject is
    repeated. On any exception (an interruption, too) all that runs is ended, and the summary of
    what is done is written; ``resume`` goes on from there.

    Workers are started by spawning: a Python script that calls this needs the usual
    ``if __name__ == "__main__":``.

    Parameters
    ----------
    params
        What to run.
    on_progress
        Called twice a second.

    Raises
    ------
    InputError
        When the script, the data or an option cannot be used.
    OutputError
        When the output cannot be written, or another batch is at work there.
    MissingExtra
        Without the extra ``batch``.
    """
    # without these there is no batch: said before anything is made
    for module in ("dask", "distributed", "psutil", "yaml", "cryptography"):
        require(module, "batch")
    folders = Folders.of(params)
    script, text = _read_script(params)
    subjects = find_subjects(folders.data, params.subject_prefix, params.ignore_sessions)
    data = open_dataset(folders.data) if params.bids else None
    derivatives = None if data is None else Derivatives.of(data, folders.processed)
    images = None if data is None else data.images()
    chosen = choose(subjects, params.selection, text, images)
    batch = _Batch(params, folders, script, chosen, on_progress or (lambda *_: None))
    # all that can be wrong with what was given has been seen: now folders are made
    with _at_work_in(folders):
        if derivatives is not None:
            derivatives.prepare()  # once, rather than by whichever subject comes first
        return batch.run()


class _Batch:
    """One batch: what is done already, and what is left to do, when it is made."""

    def __init__(
        self,
        params: BatchParams,
        folders: Folders,
        script: Path,
        chosen: Chosen,
        say: OnProgress,
    ) -> None:
        self.params, self.folders, self.script, self.chosen = params, folders, script, chosen
        self.say = say
        self.sha256 = hashlib.sha256(script.read_bytes()).hexdigest()
        self.records: dict[str, Record] = {}
        self.attempts: dict[str, list[dict[str, Any]]] = {}
        self.workers_lost = 0
        self.dispatcher: Dispatcher | None = None
        self.skipped = self._done_before() if params.resume else ()
        self.to_do = [subject for subject in chosen.subjects if subject not in self.skipped]
        if params.executor == "local":
            self.share = local_share(params, len(self.to_do), *machine())
        else:
            self.share = cluster_share(params, len(self.to_do))
            Queue(params, self.share, folders)  # says whether there can be one

    def run(self) -> BatchReport:
        self.script = _put_script(self.script, self.folders)
        begun = time.monotonic()
        try:
            if self.to_do:
                self._describe()
                self._dispatch()
            shutil.rmtree(self.folders.log / ".locks", ignore_errors=True)
        finally:
            seconds = time.monotonic() - begun
            report = _refresh_report(self.folders.qc)
            rows = rows_of(self._all_records(), self.folders)
            summary = write_summary(rows, self.folders)
        return BatchReport(
            tuple(rows), self.skipped, self.workers_lost, self.share, seconds, summary, report
        )

    def _done_before(self) -> tuple[str, ...]:
        done = []
        other_script = 0
        for subject in self.chosen.subjects:
            record = read_record(self.folders.record_of(subject))
            if record is not None and record.state == "done":
                self.records[subject] = record
                other_script += record.script_sha256 != self.sha256 or list(
                    record.script_args
                ) != list(self.params.script_args)
                done.append(subject)
        if other_script:
            logger.warning(
                "%d subjects are done with another version of the script, or other -script-args, "
                "and are left out all the same; without -resume all are run again",
                other_script,
            )
        return tuple(done)

    def _describe(self) -> None:
        """Write how the batch is run, so that it can be told and done again."""
        content = {
            "Version": __version__,
            "Python": sys.version.split()[0],
            "Script": str(self.script),
            "ScriptSHA256": self.sha256,
            "Data": str(self.folders.data),
            "Params": json.loads(json.dumps(asdict(self.params), default=str)),
            "Share": asdict(self.share),
            "Subjects": self.to_do,
            "LeftOut": dict(self.chosen.left_out),
            "ExcludedFiles": {s: list(names) for s, names in self.chosen.excluded_files.items()},
        }
        write_json(self.folders.log / "batch.json", content)

    def _dispatch(self) -> None:
        from spinetools.batch.crew import open_crew

        for subject in self.to_do:  # a batch that is killed must not leave old records as if new
            self.folders.record_of(subject).unlink(missing_ok=True)
        jobs = [self._job(subject) for subject in self.to_do]
        with open_crew(self.params, self.share, self.folders) as crew:
            self.dispatcher = Dispatcher(
                crew,
                jobs,
                n_at_once=self.share.jobs,
                retries=self.params.retries,
                continue_on_error=self.params.continue_on_error,
                on_end=self._on_end,
                on_tick=lambda progress: self.say(progress, None),
            )
            self.dispatcher.run()

    def _job(self, subject: str) -> Job:
        share, limit = self.share, self.params.timeout_minutes
        return Job(
            subject=subject,
            command=(*_launcher(self.script), subject, *self.params.script_args),
            variables=variables(
                self.folders, subject, share.threads, share.memory_bytes,
                self.chosen.excluded_files.get(subject, ()),
                self.chosen.images.get(subject, ()),
            ),
            folder=str(self.folders.processed),
            log=str(self.folders.log_of(subject)),
            lock=str(self.folders.log / ".locks" / slug(subject)),
            memory_bytes=share.memory_bytes,
            timeout_s=None if limit is None else 60 * limit,
        )  # fmt: skip

    def _tell(self, message: str) -> None:
        assert self.dispatcher is not None
        self.say(self.dispatcher.progress(), message)

    def _on_end(self, job: Job, outcome: Outcome, worker: str, again: bool) -> None:
        """Write an attempt down and say it; the subject's record is written when it is over."""
        subject = job.subject
        self.attempts.setdefault(subject, []).append(attempt_of(outcome, worker))
        took = words(outcome.seconds)
        if outcome.end == "lost":
            self.workers_lost += 1
        if again:
            self._tell(
                f"warning: {subject} was lost after {took}, {outcome.reason} (worker {worker}); "
                f"it is repeated (attempt {job.attempt + 1})"
            )
            return
        log = self.folders.log_of(subject)
        reason = outcome.reason
        if outcome.end == "failed" and reason.startswith("exit code"):
            said = reason_in(log)
            reason += f": {said}" if said else ""
        record = Record(
            subject=subject,
            state=outcome.end,
            reason=reason,
            exit_code=outcome.exit_code,
            host=outcome.host,
            started=outcome.started,
            seconds=outcome.seconds,
            cpu_seconds=outcome.cpu_seconds,
            peak_memory_mb=outcome.peak_memory_mb,
            attempts=tuple(self.attempts[subject]),
            log=str(log),
            script_sha256=self.sha256,
            script_args=tuple(self.params.script_args),
            threads=self.share.threads,
        )
        self.records[subject] = record
        record.save(self.folders.record_of(subject))
        if record.state == "done":
            self._tell(f"{subject}: done in {took}")
        else:
            self._tell(f"warning: {subject}: {record.state} after {took}: {reason}")

    def _all_records(self) -> list[Record]:
        not_run = Record("", "not run", "the batch ended before")
        return [
            self.records.get(subject, replace(not_run, subject=subject))
            for subject in self.chosen.subjects
        ]


# -- the script and the folders --------------------------------------------------------------------


def _read_script(params: BatchParams) -> tuple[Path, str]:
    script = Path(params.script).expanduser()
    if params.executor not in EXECUTORS:
        raise InputError(f"unknown executor {params.executor!r}; choose from {EXECUTORS}")
    try:
        text = script.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        raise InputError(f"{script} does not exist; check -script") from None
    except OSError as error:
        raise InputError(
            f"{script} cannot be read: {(error.strerror or str(error)).lower()}; check -script"
        ) from error
    if not text.strip() or "\0" in text:
        raise InputError(f"{script} is no script: it is empty or binary; check -script")
    return script.absolute(), text


def _put_script(script: Path, folders: Folders) -> Path:
    """Copy the script beside the results: it is kept with them, and may be edited meanwhile."""
    copy = folders.output / script.name
    if copy.exists() and copy.samefile(script):
        return copy
    with atomic_path(copy) as temporary:
        shutil.copyfile(script, temporary)
        temporary.chmod(0o755)
    return copy


def _launcher(script: Path) -> list[str]:
    """Return the words that start a script: by its first line, or as its name says."""
    with script.open("rb") as stream:
        first = stream.readline(200)
    if script.suffix == ".py":
        return [sys.executable, str(script)]
    if os.name != "nt" and first.startswith(b"#!"):
        # as the system would, also where the file system does not allow to execute files
        words_ = shlex.split(first[2:].decode(errors="replace"))
        if words_:
            return [*words_, str(script)]
    return ["bash", str(script)]


@contextmanager
def _at_work_in(folders: Folders) -> Iterator[None]:
    """Make the output's folders and keep other batches out; leave nothing where that fails."""
    from filelock import FileLock, Timeout

    made: list[Path] = []
    lock = FileLock(folders.log / ".lock")
    try:
        _make(folders.log, made)
        lock.acquire(timeout=0)
        # only who has the lock makes, and takes away, what both would use
        for folder in (folders.processed, folders.results, folders.qc):
            _make(folder, made)
        # a full disk is said now, rather than after the first subject
        write_text(folders.log / ".writable", "x")
        (folders.log / ".writable").unlink()
        made.clear()
        yield
    except Timeout:
        made.clear()  # the other one is at work in these, whoever made them
        raise OutputError(
            f"another st_run_batch is at work in {folders.output}; wait for it, or choose another "
            "-path-output"
        ) from None
    except OSError as error:
        if not made and lock.is_locked:
            raise
        reason = (error.strerror or str(error)).lower()
        raise OutputError(
            f"cannot write {folders.output}: {reason}; choose another -path-output"
        ) from error
    finally:
        if made:
            with suppress(OSError):
                (folders.log / ".lock").unlink()
        for step in reversed(made):
            with suppress(OSError):
                step.rmdir()
        lock.release()


def _make(folder: Path, made: list[Path]) -> None:
    """Make a folder with those above it, and note which were not there."""
    for step in reversed([folder, *folder.parents]):
        if step.is_dir():
            continue
        try:
            step.mkdir()
        except FileExistsError:
            if not step.is_dir():
                raise
        else:  # else another batch was faster
            made.append(step)


def _refresh_report(folder: Path) -> Path | None:
    """Bring the QC report up to date, once for all subjects."""
    with suppress(OSError):
        folder.rmdir()  # no script has used it
    if not folder.is_dir():
        return None
    # only now: it takes a second, as it draws pictures
    from spinetools.qc.index import ENTRIES, refresh, tidy

    if not (folder / ENTRIES).is_dir():
        return None
    try:
        refresh(folder, rebuild=True)
        tidy(folder)
    except OutputError as error:
        logger.warning("the QC report is not up to date: %s (st_qc -refresh)", error)
    return folder / "index.html"
