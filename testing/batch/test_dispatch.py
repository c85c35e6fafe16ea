"""Who gets which job, and what happens when workers are lost: with workers made for the test."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from spinetools.batch import dispatch
from spinetools.batch.dispatch import Dispatcher
from spinetools.batch.job import Job, Outcome
from spinetools.batch.progress import Progress

DONE, FAILED, LOST = Outcome("done"), Outcome("failed", "exit code 1"), Outcome("lost", "gone")


class FakeCrew:
    """Workers whose jobs end at the next look, as written for each subject and attempt."""

    def __init__(self, names: Iterable[str] = "ab", **fates: list[Outcome | None]) -> None:
        self.names, self.fates = list(names), fates
        self.given: list[tuple[str, int, str]] = []
        self.forgotten: list[str] = []
        self.at_once = 0
        self.looks = 0
        self._busy: set[str] = set()

    def workers(self) -> dict[str, str]:
        return {f"tls://{name}": name for name in self.names}

    def submit(self, job: Job, address: str) -> Any:
        assert address not in self._busy, "two jobs on one worker"
        self._busy.add(address)
        self.at_once = max(self.at_once, len(self._busy))
        self.given.append((job.subject, job.attempt, address[-1]))
        return job, address

    def wait(self, handles: Iterable[Any], seconds: float) -> None:
        pass

    def result(self, handle: Any) -> Outcome | None:
        job, address = handle
        fates = self.fates.get(job.subject, [])
        fate = fates[job.attempt - 1] if job.attempt <= len(fates) else DONE
        if fate is None:  # its worker goes away without a word
            self.names = [name for name in self.names if not address.endswith(name)] or ["z"]
            return None
        self._busy.discard(address)
        return fate

    def forget(self, handle: Any) -> None:
        self.forgotten.append(handle[0].subject)
        self._busy.discard(handle[1])

    def keep_up(self) -> None:
        self.looks += 1


def job(subject: str) -> Job:
    return Job(subject, ("x",), {}, "/", "/log", "/lock")


class Run:
    """A dispatcher's run, and what it told."""

    def __init__(self, crew: FakeCrew, *subjects: str, **options: Any) -> None:
        self.ends: list[tuple[str, int, str, bool]] = []
        self.ticks: list[Progress] = []
        settings: dict[str, Any] = {"retries": 2, "continue_on_error": True, **options}
        self.dispatcher = Dispatcher(
            crew,
            [job(subject) for subject in subjects],
            n_at_once=2,
            on_end=lambda job, outcome, worker, again: self.ends.append(
                (job.subject, job.attempt, outcome.end, again)
            ),
            on_tick=self.ticks.append,
            **settings,
        )
        self.dispatcher.run()


def test_every_job_once_and_one_a_worker() -> None:
    crew = FakeCrew("abc")
    run = Run(crew, *"12345678")
    assert sorted(subject for subject, _, _ in crew.given) == list("12345678")
    assert crew.at_once == 3
    assert [tick.done for tick in run.ticks][-1] == 8
    assert run.ticks[-1].running == ()
    assert run.ticks[0].eta_seconds is None


def test_a_failure_is_not_repeated() -> None:
    run = Run(FakeCrew(**{"2": [FAILED]}), *"1234")
    assert ("2", 1, "failed", False) in run.ends
    assert len(run.ends) == 4
    assert (run.ticks[-1].done, run.ticks[-1].failed, run.ticks[-1].lost) == (3, 1, 0)


def test_a_lost_job_is_repeated_after_the_others() -> None:
    crew = FakeCrew(**{"1": [LOST, LOST]})
    run = Run(crew, *"1234")
    assert [end for end in run.ends if end[0] == "1"] == [
        ("1", 1, "lost", True), ("1", 2, "lost", True), ("1", 3, "done", False),
    ]  # fmt: skip
    order = [subject for subject, _, _ in crew.given]
    assert order.index("4") < len(order) - 1 - order[::-1].index("1")
    assert (run.ticks[-1].done, run.ticks[-1].lost) == (4, 2)


def test_a_job_that_is_always_lost_ends() -> None:
    run = Run(FakeCrew(**{"1": [LOST] * 99}), *"12")
    assert [end for end in run.ends if end[0] == "1"][-1] == ("1", 3, "lost", False)
    assert run.ticks[-1].failed == 1
    assert Run(FakeCrew(**{"1": [LOST] * 99}), "1", retries=0).ends == [("1", 1, "lost", False)]


def test_a_failure_can_stop_the_batch() -> None:
    run = Run(FakeCrew("a", **{"2": [FAILED]}), *"1234", continue_on_error=False)
    assert [end[0] for end in run.ends] == ["1", "2"]
    assert [item.subject for item in run.dispatcher.waiting] == ["3", "4"]


def test_jobs_at_work_end_by_themselves_after_a_failure() -> None:
    run = Run(FakeCrew("ab", **{"1": [FAILED]}), *"1234", continue_on_error=False)
    assert {end[:3] for end in run.ends} == {("1", 1, "failed"), ("2", 1, "done")}


def test_a_worker_that_goes_without_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "GONE_SECONDS", 0.0)
    crew = FakeCrew("ab", **{"1": [None]})
    run = Run(crew, *"123")
    assert crew.forgotten == ["1"]
    assert ("1", 1, "lost", True) in run.ends
    assert ("1", 2, "done", False) in run.ends
    assert crew.looks > 1


def test_nothing_to_do() -> None:
    assert Run(FakeCrew()).ends == []
