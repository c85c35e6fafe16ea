"""Jobs, threads and memory: together never more than there is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from spinetools.batch.params import BatchParams
from spinetools.batch.progress import seconds_left, words
from spinetools.batch.shares import CLUSTER_MEMORY_BYTES, cluster_share, local_share
from spinetools.errors import InputError

GB = 1_000_000_000
PARAMS = BatchParams(script="a.sh", data="data")


@pytest.mark.parametrize("jobs", range(-9, 12))
@pytest.mark.parametrize("cores", [1, 2, 8, 64])
def test_what_is_not_given_never_oversubscribes(jobs: int, cores: int) -> None:
    share = local_share(replace(PARAMS, jobs=jobs), 100, cores, 16 * GB)
    assert share.jobs == (jobs if jobs > 0 else max(1, cores + jobs))
    assert share.jobs * share.threads <= max(cores, share.jobs)
    assert share.jobs * share.memory_bytes <= 16 * GB


def test_fewer_subjects_than_jobs() -> None:
    share = local_share(replace(PARAMS, jobs=8), 3, 8, 16 * GB)
    assert (share.jobs, share.threads) == (3, 2)


def test_memory_limits_the_jobs(caplog: pytest.LogCaptureFixture) -> None:
    share = local_share(replace(PARAMS, jobs=4, memory_gb=6), 100, 8, 16 * GB)
    assert (share.jobs, share.threads, share.memory_bytes) == (2, 4, 6 * GB)
    assert "2 jobs at once rather than 4" in caplog.text


def test_more_memory_than_there_is() -> None:
    with pytest.raises(InputError, match=r"more than the machine's 16\.0 GB"):
        local_share(replace(PARAMS, memory_gb=17), 100, 8, 16 * GB)


def test_too_many_threads_are_said(caplog: pytest.LogCaptureFixture) -> None:
    share = local_share(replace(PARAMS, jobs=4, threads=4), 100, 8, 16 * GB)
    assert (share.jobs, share.threads) == (4, 4)
    assert "threads of all jobs together: 16, cores: 8" in caplog.text


def test_of_a_cluster() -> None:
    pytest.importorskip("dask_jobqueue")
    there = replace(PARAMS, executor="slurm", jobs=20)
    share = cluster_share(there, 100)
    assert (share.jobs, share.threads, share.memory_bytes) == (20, 1, CLUSTER_MEMORY_BYTES)
    assert cluster_share(replace(there, memory_gb=3, threads=2), 5).memory_bytes == 3 * GB
    with pytest.raises(InputError, match="-jobs 0 counts from this machine's cores"):
        cluster_share(replace(there, jobs=0), 100)


def test_the_memory_that_the_site_has_set_up() -> None:
    dask = pytest.importorskip("dask")
    pytest.importorskip("dask_jobqueue")
    with dask.config.set({"jobqueue.slurm.memory": "24GB"}):
        assert cluster_share(replace(PARAMS, executor="slurm"), 5).memory_bytes == 24 * GB


@pytest.mark.parametrize(
    ("finished", "running", "waiting", "at_once", "expected"),
    [
        ([], [5], 3, 2, None),
        ([10, 20], [], 0, 2, 0),
        ([10, 20], [0, 0], 0, 2, 15),
        ([10, 20], [5, 100], 0, 2, 10),
        ([10], [], 8, 2, 40),
        ([10], [5, 5], 8, 2, 45),
        ([10], [9], 1, 4, 10),  # the one that waits takes ten seconds in any case
    ],
)
def test_time_left(
    finished: list[float], running: list[float], waiting: int, at_once: int, expected: float | None
) -> None:
    assert seconds_left(finished, running, waiting, at_once) == expected


def test_times_in_words() -> None:
    told = [words(s) for s in (0.2, 89.4, 90, 3599, 5400, 45_000)]
    assert told == ["0 s", "89 s", "2 min", "60 min", "1 h 30 min", "12 h 30 min"]
