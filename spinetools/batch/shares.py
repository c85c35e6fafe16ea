"""How many jobs at once, and how many threads and how much memory each may use."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from spinetools.batch.params import BatchParams
from spinetools.errors import InputError
from spinetools.optional import require

logger = logging.getLogger(__name__)

#: The part of a machine's memory that jobs may use; the rest is for the system and the workers.
USABLE_MEMORY = 0.9
#: Of a job on a cluster, where neither -memory nor dask-jobqueue's own configuration says (bytes).
CLUSTER_MEMORY_BYTES = 8_000_000_000


@dataclass(frozen=True)
class Share:
    """Jobs at once, and what each may use."""

    jobs: int
    threads: int
    memory_bytes: int


def machine() -> tuple[int, int]:
    """Return cores and bytes of memory that this process may use, limits of containers included."""
    system = require("dask.system", "batch")
    memory = require("distributed.system", "batch")
    return int(system.cpu_count()), int(memory.memory_limit())


def local_share(params: BatchParams, n_subjects: int, cores: int, memory_bytes: int) -> Share:
    """Divide this machine among jobs.

    What is not given is chosen such that all jobs together use no more than there is.

    Parameters
    ----------
    params
        The batch.
    n_subjects
        How many there are to do.
    cores, memory_bytes
        Of the machine.

    Raises
    ------
    InputError
        When one job alone does not fit.
    """
    asked = params.jobs if params.jobs > 0 else max(1, cores + params.jobs)
    jobs = max(1, min(asked, n_subjects))
    usable = int(memory_bytes * USABLE_MEMORY)
    if params.memory_gb is None:
        memory = usable // jobs
    else:
        memory = int(params.memory_gb * 1e9)
        if memory > memory_bytes:
            raise InputError(
                f"-memory {params.memory_gb:g} GB is more than the machine's "
                f"{memory_bytes / 1e9:.1f} GB; give less"
            )
        fitting = max(1, usable // memory)
        if fitting < jobs:
            logger.warning(
                "%d jobs at once rather than %d: each may use %g GB of the machine's %.1f GB",
                fitting, jobs, params.memory_gb, memory_bytes / 1e9,
            )  # fmt: skip
            jobs = fitting
    threads = params.threads or max(1, cores // jobs)
    if jobs * threads > cores:
        logger.warning(
            "threads of all jobs together: %d, cores: %d: so many at once are no faster",
            jobs * threads, cores,
        )  # fmt: skip
    return Share(jobs, threads, memory)


def cluster_share(params: BatchParams, n_subjects: int) -> Share:
    """Return what each job of a cluster asks for.

    Raises
    ------
    InputError
        When ``jobs`` is 0 or negative: a cluster has no number of cores to count from.
    """
    if params.jobs < 1:
        raise InputError(
            f"-jobs {params.jobs} counts from this machine's cores; with -executor "
            f"{params.executor} give how many jobs the queue may run for you at once"
        )
    dask = require("dask", "batch")
    named = dask.config.get(f"jobqueue.{params.executor}.memory", None)
    if params.memory_gb is not None:
        memory = int(params.memory_gb * 1e9)
    elif named is not None:
        memory = int(require("dask.utils", "batch").parse_bytes(named))
    else:
        memory = CLUSTER_MEMORY_BYTES
    return Share(max(1, min(params.jobs, n_subjects)), params.threads or 1, memory)
