"""What a batch is told, where it writes, and what the scripts are told."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spinetools.batch.subjects import Selection, slug

#: Where jobs can run.
EXECUTORS = ("local", "slurm", "pbs", "lsf", "sge", "htcondor")

#: Variables that say to libraries how many threads to start.
THREAD_VARIABLES = (
    "SPINETOOLS_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
)  # fmt: skip


@dataclass(frozen=True)
class BatchParams:
    """What a batch is told.

    Attributes
    ----------
    script
        What is run for each subject, with the subject (``sub-01``, ``sub-01/ses-02``) as its first
        argument.
    data
        The study: a folder a subject.
    output
        Where ``data_processed``, ``results``, ``log`` and ``qc`` are made.
    script_args
        Further arguments of the script.
    jobs
        How many subjects at once; 0: as many as there are cores; -1: one less …
    threads
        Threads that a subject may use; None: its share of the cores (of a cluster: 1).
    memory_gb
        Memory that a subject may use; None: its share (of a cluster: 8).
    timeout_minutes
        A subject that takes longer is ended; None: no limit.
    bids
        The study is a BIDS data set, and ``data_processed`` a data set of its derivatives.
    subject_prefix, ignore_sessions, selection
        Which subjects; see :func:`spinetools.batch.subjects.find_subjects`.
    continue_on_error
        Whether other subjects are still begun when one has failed.
    resume
        Leave out what is done, repeat what has failed.
    retries
        How often a subject is repeated whose worker was lost.
    executor
        One of :data:`EXECUTORS`.
    walltime, queue, account
        Of the jobs that hold the workers, for a cluster's queue.
    cluster
        Further arguments of the dask-jobqueue class, e.g. ``interface``.
    """

    script: str | os.PathLike[str]
    data: str | os.PathLike[str]
    output: str | os.PathLike[str] = "."
    script_args: tuple[str, ...] = ()
    jobs: int = 1
    threads: int | None = None
    memory_gb: float | None = None
    timeout_minutes: float | None = None
    bids: bool = False
    subject_prefix: str = "sub-"
    ignore_sessions: bool = False
    selection: Selection = field(default_factory=Selection)
    continue_on_error: bool = True
    resume: bool = False
    retries: int = 5
    executor: str = "local"
    walltime: str | None = None
    queue: str | None = None
    account: str | None = None
    cluster: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Folders:
    """Where a batch reads and writes; absolute."""

    data: Path
    output: Path

    @classmethod
    def of(cls, params: BatchParams) -> Folders:
        """Return the folders of a batch; ``~`` stands for the home folder."""
        return cls(*(Path(p).expanduser().absolute() for p in (params.data, params.output)))

    @property
    def processed(self) -> Path:
        """Images that the scripts make; scripts are started here."""
        return self.output / "data_processed"

    @property
    def results(self) -> Path:
        """Tables that the scripts make."""
        return self.output / "results"

    @property
    def log(self) -> Path:
        """A log and a record of each subject, and the summary of all."""
        return self.output / "log"

    @property
    def qc(self) -> Path:
        """The QC report."""
        return self.output / "qc"

    def log_of(self, subject: str) -> Path:
        """Return a subject's log."""
        return self.log / f"{slug(subject)}.log"

    def record_of(self, subject: str) -> Path:
        """Return a subject's record."""
        return self.log / f"{slug(subject)}.json"


def variables(
    folders: Folders,
    subject: str,
    threads: int,
    memory_bytes: int | None,
    excluded_files: tuple[str, ...] = (),
    images: tuple[str, ...] = (),
) -> dict[str, str]:
    """Return the variables that a subject's script is given beside its machine's own.

    The folders have the names that scripts for SCT know, and the same with ``SPINETOOLS_`` before.
    """
    paths = {
        "PATH_DATA": folders.data,
        "PATH_DATA_PROCESSED": folders.processed,
        "PATH_RESULTS": folders.results,
        "PATH_LOG": folders.log,
        "PATH_QC": folders.qc,
    }
    values = {name: str(path) for name, path in paths.items()}
    values |= {f"SPINETOOLS_{name}": value for name, value in values.items()}
    values |= dict.fromkeys(THREAD_VARIABLES, str(threads))
    values["EXCLUDE_FILES"] = "\n".join(excluded_files)
    values["SPINETOOLS_IMAGES"] = "\n".join(str(folders.data / path) for path in images)
    values["SPINETOOLS_SUBJECT"] = subject
    values["SPINETOOLS_QC_REFRESH"] = "0"  # the batch refreshes the report once, at its end
    if memory_bytes is not None:
        values["SPINETOOLS_MEMORY_GB"] = f"{memory_bytes / 1e9:g}"
    return values


def search_path(path: str) -> str:
    """Return PATH such that the commands found are those of this installation."""
    here = Path(sys.executable).parent
    found = shutil.which("st_qc", path=path)
    if found is not None and Path(found).parent == here:
        return path
    return os.pathsep.join([str(here), *([path] if path else [])])
