"""The queues of clusters, by dask-jobqueue: one job in the queue holds one worker."""

from __future__ import annotations

import asyncio
import logging
import re
import shlex
import shutil
import subprocess
import sys
import time
import warnings
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from spinetools.batch.params import BatchParams, Folders
from spinetools.batch.shares import Share
from spinetools.errors import InputError, SpinetoolsError
from spinetools.optional import require

logger = logging.getLogger(__name__)

#: Between two questions to the queue about jobs whose worker has not come (s).
ASK_SECONDS = 20.0
#: How often jobs may end before their worker has come, while none ever has.
MOST_FAILED_STARTS = 3
#: How often the queue may refuse a job, while no worker has ever come.
MOST_REFUSALS = 2
#: How long closing a job that is over may take (s).
CLOSE_SECONDS = 30.0
#: What queueing systems take in a path without quotes.
_PLAIN_PATH = re.compile(r"[\w./+,@=:-]+", re.ASCII)


@dataclass(frozen=True)
class System:
    """A queueing system.

    Attributes
    ----------
    cluster, job
        Names of dask-jobqueue's classes.
    submit
        The command that must be there.
    ask
        Tells whether a job is there; its number is put after it.
    gone
        What the command says of a job that is over (regular expression); no words at all mean the
        same.
    account
        What the class calls the account to charge.
    """

    cluster: str
    job: str
    submit: str
    ask: str
    gone: str
    account: str = "account"


SYSTEMS: Mapping[str, System] = {
    "slurm": System(
        "SLURMCluster", "SLURMJob", "sbatch", "squeue -h -o %T -j",
        r"Invalid job id|COMPLETED|FAILED|CANCELLED|TIMEOUT|NODE_FAIL",
    ),
    "pbs": System("PBSCluster", "PBSJob", "qsub", "qstat", r"Unknown Job|has finished"),
    "lsf": System(
        "LSFCluster", "LSFJob", "bsub", "bjobs -noheader -o stat", r"not found|EXIT|DONE", "project"
    ),
    "sge": System("SGECluster", "SGEJob", "qsub", "qstat -j", r"do not exist", "project"),
    "htcondor": System("HTCondorCluster", "HTCondorJob", "condor_submit", "condor_q -af JobStatus",
                       r"^[34]\s*$"),
}  # fmt: skip


class Queue:
    """Makes a cluster's jobs, and sees what becomes of them.

    Parameters
    ----------
    params
        The batch.
    share
        What each job asks for.
    folders
        The jobs' own output goes to ``log/workers``.

    Raises
    ------
    InputError
        When the system's commands are not here, or cannot take the paths.
    MissingExtra
        Without dask-jobqueue.
    """

    def __init__(self, params: BatchParams, share: Share, folders: Folders) -> None:
        self.system = SYSTEMS[params.executor]
        self._params, self._share = params, share
        self._log = folders.log / "workers"
        self._refusals: list[str] = []
        self._failed_starts = 0
        self._asked = time.monotonic()
        self._said = False
        if shutil.which(self.system.submit) is None:
            raise InputError(
                f"-executor {params.executor} needs the command {self.system.submit}, which is not "
                "on this machine; run the batch where you submit jobs"
            )
        for path in (str(self._log), sys.executable):
            if not _PLAIN_PATH.fullmatch(path):
                raise InputError(
                    f"{path!r} has characters that the files of queueing systems cannot take; "
                    "choose a path of letters, digits, '-', '_' and '.'"
                )

    def cluster(self, security: Any, silence_logs: int) -> Any:
        """Return the cluster, with its first jobs in the queue.

        Raises
        ------
        InputError
            When dask-jobqueue does not know an argument.
        """
        jobqueue = require("dask_jobqueue", "batch")
        package = require(f"dask_jobqueue.{self._params.executor}", "batch")
        self._log.mkdir(exist_ok=True)
        options = self.options()
        self.remove_keys()  # of a batch that was killed
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", FutureWarning)
                cluster = getattr(jobqueue, self.system.cluster)(
                    job_cls=self._watched(getattr(package, self.system.job)),
                    security=security, shared_temp_directory=str(self._log),
                    silence_logs=silence_logs, **options,
                )  # fmt: skip
        except (TypeError, ValueError) as error:
            raise InputError(
                f"dask-jobqueue cannot make jobs for {self._params.executor}: {error}; check what "
                "cluster: says in -config"
            ) from error
        cluster.scale(self._share.jobs)
        return cluster

    def remove_keys(self, cluster: Any = None) -> None:
        """Remove the keys that the workers read; dask-jobqueue leaves them to chance.

        Parameters
        ----------
        cluster
            What :meth:`cluster` returned, once it is closed.
        """
        for name, value in list(vars(cluster).items()) if cluster is not None else ():
            if name.startswith("_job_") and hasattr(value, "close"):
                value.close()  # a temporary file, which is removed with that
        for key in self._log.glob(".dask-jobqueue.worker.*"):
            key.unlink(missing_ok=True)

    def options(self) -> dict[str, Any]:
        """Return the arguments of dask-jobqueue's class; those of the user come last."""
        given = dict(self._params.cluster)
        options: dict[str, Any] = {
            "cores": self._share.threads,
            "processes": 1,
            "memory": f"{self._share.memory_bytes}B",
            "job_name": "st_run_batch",
            "log_directory": str(self._log),
            "python": sys.executable,
        }
        if self._params.queue is not None:
            options["queue"] = self._params.queue
        if self._params.account is not None:
            options[self.system.account] = self._params.account
        if self._params.walltime is not None:
            options["walltime"] = self._params.walltime
        if self._params.executor == "htcondor":
            options["disk"] = "1GB"
            for name in ("queue", "walltime", "account"):
                if options.pop(name, None) is not None:
                    logger.warning("-%s has no effect with -executor htcondor", name)
        # a free port, for a server without pages: several batches can run on one machine
        scheduler = {"dashboard": False, "dashboard_address": ":0"}
        scheduler.update(given.pop("scheduler_options", {}))
        extra = ["--no-dashboard", "--preload", "spinetools.batch.preload",
                 *given.pop("worker_extra_args", [])]  # fmt: skip
        return {**options, "scheduler_options": scheduler, "worker_extra_args": extra, **given}

    def look(self, cluster: Any, came: bool) -> None:
        """Send jobs anew whose worker never came.

        Parameters
        ----------
        cluster
            The cluster.
        came
            Whether there has ever been a worker.

        Raises
        ------
        SpinetoolsError
            When there has been none, and the queue refuses jobs or they end at once.
        """
        if len(self._refusals) >= MOST_REFUSALS and not came:
            raise SpinetoolsError(f"the queue refuses the jobs: {self._refusals[-1]}")
        for name, job in list(cluster.workers.items()):
            if getattr(job, "refused", False):
                cluster.sync(drop, cluster, name)
        now = time.monotonic()
        if now - self._asked < ASK_SECONDS:
            return
        self._asked = now
        here = {str(state.name) for state in list(cluster.scheduler.workers.values())}
        waiting = {
            name: job.job_id
            for name, job in list(cluster.workers.items())
            if str(name) not in here and getattr(job, "job_id", None)
        }
        for name, number in waiting.items():
            if self._is_gone(number):
                self._failed_starts += 0 if came else 1
                cluster.sync(drop, cluster, name)
        if waiting and not here and not self._said:
            self._said = True
            logger.info("no worker yet: jobs %s wait in the queue", ", ".join(waiting.values()))
        if self._failed_starts >= MOST_FAILED_STARTS and not came:
            raise SpinetoolsError(
                f"the cluster's jobs end before their worker has started; see {self._log}"
            )

    def _is_gone(self, number: str) -> bool:
        """Whether a job is over; not where the queue gives no answer."""
        try:
            done = subprocess.run(
                [*shlex.split(self.system.ask), str(number)],
                capture_output=True, text=True, timeout=60, check=False,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired):
            return False
        if re.search(self.system.gone, done.stdout + done.stderr, re.MULTILINE):
            return True
        return done.returncode == 0 and not done.stdout.strip()

    def _watched(self, job_class: Any) -> Any:
        """Return the class of jobs, such that what the queue says to them is heard."""
        refusals = self._refusals
        failed = require("distributed.core", "batch").Status.failed

        class WatchedJob(job_class):  # type: ignore[misc]
            refused = False

            async def _submit_job(self, script_filename: str) -> Any:
                try:
                    return await super()._submit_job(script_filename)
                except (RuntimeError, OSError) as error:
                    refusals.append(_what_was_said(str(error)))
                    self.refused = True
                    self.status = failed  # dask wants to know, when the cluster is closed
                    raise

        return WatchedJob


async def drop(cluster: Any, name: Any) -> None:
    """Forget a worker or job that is over, so that the next ``scale`` starts another."""
    over = cluster.workers.pop(name, None)
    if over is not None:
        with suppress(Exception):  # whatever closing it says: it is over
            await asyncio.wait_for(over.close(), CLOSE_SECONDS)


def _what_was_said(text: str) -> str:
    """Return the queue's own words out of dask-jobqueue's message."""
    _, _, words = text.partition("stderr:")
    return " ".join((words or text).split())[:300]
