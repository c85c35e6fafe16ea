"""Gives jobs to workers, one each, and repeats those whose worker was lost."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from spinetools.batch.crew import Crew
from spinetools.batch.job import Job, Outcome
from spinetools.batch.progress import Progress, seconds_left

#: Between two looks at workers and jobs (s).
TICK_SECONDS = 0.5
#: How long a job may be with a worker that is no longer there, before it is taken back (s).
GONE_SECONDS = 5.0

#: Called with a job, what became of it, the worker's name, and whether it will be repeated.
OnEnd = Callable[[Job, Outcome, str, bool], None]


@dataclass
class _Running:
    job: Job
    handle: Any
    address: str
    worker: str
    since: float
    gone_since: float | None = None


class Dispatcher:
    """Runs jobs to their end.

    Parameters
    ----------
    crew
        The workers.
    jobs
        What to run, in this order.
    n_at_once
        How many workers are wanted.
    retries
        How often a job is repeated whose worker was lost.
    continue_on_error
        Whether jobs are still begun when one has failed.
    on_end
        Called at the end of every attempt.
    on_tick
        Called regularly with how far it is.

    Attributes
    ----------
    waiting
        Jobs that have not been begun, or wait to be repeated.
    """

    def __init__(
        self,
        crew: Crew,
        jobs: Iterable[Job],
        *,
        n_at_once: int,
        retries: int,
        continue_on_error: bool,
        on_end: OnEnd,
        on_tick: Callable[[Progress], None],
    ) -> None:
        self.waiting = deque(jobs)
        self._crew, self._n_at_once, self._retries = crew, n_at_once, retries
        self._continue_on_error = continue_on_error
        self._on_end, self._on_tick = on_end, on_tick
        self._running: list[_Running] = []
        self._total = len(self.waiting)
        self._begun = time.monotonic()
        self._finished_s: list[float] = []
        self._done = self._failed = self._lost = 0
        self._stopped = False

    def run(self) -> None:
        """Run all jobs; return when none is left, or those at work have ended after a failure."""
        while self._running or (self.waiting and not self._stopped):
            self._crew.keep_up()
            workers = self._crew.workers()
            self._assign(workers)
            self._on_tick(self.progress(len(workers)))
            self._crew.wait([item.handle for item in self._running], TICK_SECONDS)
            for item in list(self._running):
                self._collect(item, workers)
        self._on_tick(self.progress(len(self._crew.workers())))

    def progress(self, n_workers: int = 0) -> Progress:
        """Return how far it is."""
        now = time.monotonic()
        return Progress(
            total=self._total,
            done=self._done,
            failed=self._failed,
            running=tuple(item.job.subject for item in self._running),
            lost=self._lost,
            workers=n_workers,
            seconds=now - self._begun,
            eta_seconds=seconds_left(
                self._finished_s,
                [now - item.since for item in self._running],
                0 if self._stopped else len(self.waiting),
                self._n_at_once,
            ),
        )

    def _assign(self, workers: dict[str, str]) -> None:
        busy = {item.address for item in self._running}
        for address, name in workers.items():
            if not self.waiting or self._stopped:
                return
            if address not in busy:
                job = self.waiting.popleft()
                handle = self._crew.submit(job, address)
                self._running.append(_Running(job, handle, address, name, time.monotonic()))

    def _collect(self, item: _Running, workers: dict[str, str]) -> None:
        """Take note of a job that is over; take it back where its worker is gone."""
        outcome = self._crew.result(item.handle)
        if outcome is None:
            if item.address in workers:
                item.gone_since = None
                return
            now = time.monotonic()
            item.gone_since = item.gone_since or now
            if now - item.gone_since < GONE_SECONDS:
                return
            self._crew.forget(item.handle)
            outcome = Outcome("lost", "its worker was lost")
        self._running.remove(item)
        if not outcome.seconds:
            outcome = replace(outcome, seconds=round(time.monotonic() - item.since, 3))
        again = outcome.end == "lost" and item.job.attempt <= self._retries and not self._stopped
        self._lost += outcome.end == "lost"
        if again:
            # at the end: if it is the subject that ends its workers, the others are done first
            repeated = replace(item.job, attempt=item.job.attempt + 1, fresh_log=False)
            self.waiting.append(repeated)
        elif outcome.end == "done":
            self._done += 1
            self._finished_s.append(outcome.seconds)
        else:
            self._failed += 1
            self._stopped = self._stopped or not self._continue_on_error
        self._on_end(item.job, outcome, item.worker, again)
