"""The workers of a batch: processes on this machine, or jobs in a cluster's queue.

All talk is encrypted, with keys made for this batch alone: dask runs whatever code it is sent, and
a login node has other people on it.
"""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from typing import Any, Protocol

from spinetools.batch.job import Job, Outcome, run_job
from spinetools.batch.params import BatchParams, Folders
from spinetools.batch.queues import Queue, drop
from spinetools.batch.shares import Share
from spinetools.errors import SpinetoolsError
from spinetools.optional import require

logger = logging.getLogger(__name__)

#: How long this machine's workers may take to come (s): an import of dask on a busy machine.
LOCAL_START_SECONDS = 300.0
#: How long a worker may be without a process before another is started instead (s).
DEAD_SECONDS = 10.0
#: Between two looks whether all workers are there (s).
KEEP_UP_SECONDS = 5.0

#: dask's settings for the time of a batch.
SETTINGS = {
    # each job is given to a worker by name, and is repeated by us, so that it can be reported
    "distributed.scheduler.allowed-failures": 0,
    "distributed.scheduler.work-stealing": False,
    "distributed.worker.multiprocessing-method": "spawn",
    # jobs are processes of their own, which a worker's view of its memory does not include
    "distributed.worker.memory.terminate": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.target": False,
    "distributed.worker.preload": ["spinetools.batch.preload"],
    "distributed.diagnostics.nvml": False,
    # no pages for browsers: they are open to everybody on the machine
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    # a short look whether a worker that was lost comes back by itself (its nanny starts it again)
    "distributed.deploy.lost-worker-timeout": "15s",
}


class Crew(Protocol):
    """What the dispatcher needs of workers."""

    def workers(self) -> dict[str, str]:
        """Return the workers there are: address and name."""
        ...

    def submit(self, job: Job, address: str) -> Any:
        """Give a job to a worker; return a handle."""
        ...

    def wait(self, handles: Iterable[Any], seconds: float) -> None:
        """Wait until one of the jobs is over, or for this long."""
        ...

    def result(self, handle: Any) -> Outcome | None:
        """Return what became of a job; None as long as it runs."""
        ...

    def forget(self, handle: Any) -> None:
        """Take a job back whose worker is gone."""
        ...

    def keep_up(self) -> None:
        """See to it that the workers are as many as wanted."""
        ...


class DaskCrew:
    """Workers of a dask cluster.

    Parameters
    ----------
    cluster
        A cluster whose scheduler is in this process.
    client
        Its client.
    jobs
        How many workers there should be.
    queue
        The queue that the workers' jobs wait in; None on this machine.
    """

    def __init__(self, cluster: Any, client: Any, jobs: int, queue: Queue | None = None) -> None:
        self._cluster, self._client, self._jobs, self._queue = cluster, client, jobs, queue
        self._distributed = require("distributed", "batch")
        self._looked = self._begun = time.monotonic()
        self._came = False
        self._dead_since: dict[Any, float] = {}

    def workers(self) -> dict[str, str]:
        """Return the workers there are: address and name."""
        states = list(self._cluster.scheduler.workers.items())
        found = {address: str(w.name) for address, w in states if w.status.name == "running"}
        self._came = self._came or bool(found)
        return found

    def submit(self, job: Job, address: str) -> Any:
        """Give a job to a worker; return a handle."""
        return self._client.submit(
            run_job, job, workers=[address], allow_other_workers=False, pure=False,
            key=f"{job.subject}-attempt-{job.attempt}-{time.monotonic_ns()}",
        )  # fmt: skip

    def wait(self, handles: Iterable[Any], seconds: float) -> None:
        """Wait until one of the jobs is over, or for this long."""
        handles = list(handles)
        if not handles:
            time.sleep(seconds)
            return
        with suppress(TimeoutError, self._distributed.TimeoutError, CancelledError):
            self._distributed.wait(handles, timeout=seconds, return_when="FIRST_COMPLETED")

    def result(self, handle: Any) -> Outcome | None:
        """Return what became of a job; None as long as it runs."""
        if not handle.done():
            return None
        try:
            outcome = handle.result(timeout=30)
        except (self._distributed.KilledWorker, CancelledError) as error:
            logger.debug("%s", error)
            return Outcome("lost", "its worker was lost")
        except (OSError, self._distributed.CommClosedError) as error:
            return Outcome("lost", f"its worker cannot be reached: {error}")
        assert isinstance(outcome, Outcome)
        return outcome

    def forget(self, handle: Any) -> None:
        """Take a job back whose worker is gone."""
        handle.cancel(force=True)

    def keep_up(self) -> None:
        """See to it that the workers are as many as wanted.

        Raises
        ------
        SpinetoolsError
            When no worker comes, and none can be expected to.
        """
        now = time.monotonic()
        if now - self._looked < KEEP_UP_SECONDS:
            return
        self._looked = now
        if self._queue is not None:
            self._queue.look(self._cluster, self._came)
        elif not self._came and now - self._begun > LOCAL_START_SECONDS:
            raise SpinetoolsError(
                f"no worker has started within {LOCAL_START_SECONDS / 60:g} min; "
                "-v 2 shows what dask says"
            )
        else:
            self._forget_the_dead()
        self._cluster.scale(self._jobs)

    def _forget_the_dead(self) -> None:
        """Forget workers that do not come back: dask gives up those killed while they start."""
        here, now = set(self.workers().values()), time.monotonic()
        for name, worker in list(self._cluster.workers.items()):
            if str(name) in here or not _is_dead(worker):
                self._dead_since.pop(name, None)
            elif now - self._dead_since.setdefault(name, now) > DEAD_SECONDS:
                del self._dead_since[name]
                self._cluster.sync(drop, self._cluster, name)


def _is_dead(nanny: Any) -> bool:
    """Whether the process that starts a worker, and starts it again, has none."""
    return nanny.status.name in ("failed", "closed") or not nanny.is_alive()


@contextmanager
def open_crew(params: BatchParams, share: Share, folders: Folders) -> Iterator[DaskCrew]:
    """Start the workers, and end them and whatever they run when the block is left.

    Raises
    ------
    SpinetoolsError
        When the cluster cannot be started.
    MissingExtra
        Without the extra ``batch``.
    """
    dask = require("dask", "batch")
    distributed = require("distributed", "batch")
    require("cryptography", "batch")  # for the keys
    talk = logging.INFO if logger.isEnabledFor(logging.DEBUG) else logging.CRITICAL
    queue = None
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch,
        # else dask leaves a folder with its locks among the machine's temporary files
        dask.config.set({**SETTINGS, "temporary-directory": scratch}),
        _quiet(talk),
    ):
        security = distributed.Security.temporary()
        if params.executor == "local":
            cluster = distributed.LocalCluster(
                # started below, as a worker that fails to start must not end the batch
                n_workers=0, threads_per_worker=1, processes=True, security=security,
                memory_limit=None, dashboard_address=None, local_directory=scratch,
                silence_logs=talk, scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
            )  # fmt: skip
        else:
            queue = Queue(params, share, folders)
            cluster = queue.cluster(security, silence_logs=talk)
        try:
            with cluster, distributed.Client(cluster, security=security) as client:
                cluster.scale(share.jobs)
                yield DaskCrew(cluster, client, share.jobs, queue)
        finally:
            if queue is not None:
                queue.remove_keys(cluster)


@contextmanager
def _quiet(level: int) -> Iterator[None]:
    """Let dask say only what matters: that workers are lost is told by the batch."""
    # those for which dask sets a level of their own are named as well
    names = (
        "distributed", "distributed.client", "tornado", "tornado.application", "asyncio",
        "dask_jobqueue",
    )  # fmt: skip
    before = [(logging.getLogger(name), logging.getLogger(name).level) for name in names]
    for talker, _ in before:
        talker.setLevel(level)
    try:
        yield
    finally:
        for talker, old in before:
            talker.setLevel(old)
