"""Jobs for the queues of clusters; a real SLURM is in test_slurm.py."""

from __future__ import annotations

import logging
import stat
import subprocess
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("dask_jobqueue")

import dask_jobqueue as jobqueue

from spinetools.batch import BatchParams, run_batch
from spinetools.batch.params import Folders
from spinetools.batch.queues import MOST_FAILED_STARTS, SYSTEMS, Queue
from spinetools.batch.shares import Share
from spinetools.errors import InputError, SpinetoolsError

from .conftest import WriteScript

SHARE = Share(3, 2, 4_000_000_000)


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of commands that comes first."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    return tmp_path / "bin"


def put(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(f"#!/bin/bash\n{text}\n")
    (folder / name).chmod(stat.S_IRWXU)


def queue_of(executor: str, commands: Path, tmp_path: Path, **more: Any) -> Queue:
    put(commands, SYSTEMS[executor].submit, "exit 1")
    params = BatchParams("a.sh", "data", tmp_path, executor=executor, **more)
    (tmp_path / "log").mkdir(exist_ok=True)
    return Queue(params, SHARE, Folders.of(params))


@pytest.mark.parametrize(
    ("executor", "lines"),
    [
        ("slurm", ["#SBATCH -p long", "#SBATCH -A lab", "#SBATCH --cpus-per-task=2",
                   "#SBATCH --mem=4G", "#SBATCH -t 02:00:00"]),
        ("pbs", ["#PBS -q long", "#PBS -A lab", "ncpus=2", "walltime=02:00:00"]),
        ("lsf", ["#BSUB -q long", '#BSUB -P "lab"', "#BSUB -n 2", "#BSUB -W 02:00"]),
        ("sge", ["#$ -q long", "#$ -P lab", "h_rt=02:00:00"]),
        ("htcondor", ["RequestCpus = MY.DaskWorkerCores", "MY.DaskWorkerCores = 2"]),
    ],
)  # fmt: skip
def test_job_files(executor: str, lines: list[str], commands: Path, tmp_path: Path) -> None:
    walltime = "02:00" if executor == "lsf" else "02:00:00"
    put(commands, "lsadmin", "echo 'LSF_UNIT_FOR_LIMITS=MB'")
    queue = queue_of(executor, commands, tmp_path, queue="long", account="lab", walltime=walltime)
    options = queue.options()
    options.pop("scheduler_options")
    job = getattr(jobqueue, SYSTEMS[executor].cluster).job_cls(
        scheduler="tls://host:1", name="w", config_name=executor, **options
    )
    text = job.job_script()
    for line in lines:
        assert line in text
    assert "--preload spinetools.batch.preload" in text
    assert "-m distributed.cli.dask_worker" in text
    assert str(tmp_path / "log" / "workers") in text


def test_the_user_s_arguments_come_last(commands: Path, tmp_path: Path) -> None:
    cluster = {"interface": "ib0", "memory": "7GB", "worker_extra_args": ["--x"],
               "scheduler_options": {"port": 5}}  # fmt: skip
    options = queue_of("slurm", commands, tmp_path, cluster=cluster).options()
    assert (options["interface"], options["memory"]) == ("ib0", "7GB")
    assert options["worker_extra_args"][-1] == "--x"
    assert options["scheduler_options"] == {
        "dashboard": False, "dashboard_address": ":0", "port": 5,
    }  # fmt: skip


def test_what_has_no_effect_is_said(
    commands: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    queue_of("htcondor", commands, tmp_path, queue="long").options()
    assert caplog.messages == ["-queue has no effect with -executor htcondor"]


def test_no_queue_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    params = BatchParams("a.sh", "data", tmp_path, executor="pbs")
    with pytest.raises(InputError, match="needs the command qsub, which is not on this machine"):
        Queue(params, SHARE, Folders.of(params))


def test_a_path_that_no_job_file_takes(commands: Path, tmp_path: Path) -> None:
    place = tmp_path / "my results"
    place.mkdir()
    with pytest.raises(InputError, match="cannot take"):
        queue_of("slurm", commands, place)


def test_arguments_that_dask_jobqueue_does_not_know(commands: Path, tmp_path: Path) -> None:
    queue = queue_of("slurm", commands, tmp_path, cluster={"colour": "red"})
    with pytest.raises(InputError, match="unexpected keyword argument 'colour'"):
        queue.cluster(None, logging.CRITICAL)


@pytest.mark.parametrize(
    ("executor", "answer", "expected"),
    [
        ("slurm", "echo PENDING", False),
        ("slurm", "true", True),
        ("slurm", "echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1", True),
        ("slurm", "echo 'Socket timed out' >&2; exit 1", False),
        ("pbs", "echo 'qstat: Unknown Job Id 7' >&2; exit 153", True),
        ("pbs", "echo '7 st_run_batch me 0 Q long'", False),
        ("lsf", "echo EXIT", True),
        ("lsf", "echo PEND", False),
        ("sge", "echo 'Following jobs do not exist: 7' >&2; exit 1", True),
        ("htcondor", "echo 1", False),
        ("htcondor", "echo 4", True),
    ],
)
def test_whether_a_job_is_over(
    executor: str, answer: str, expected: bool, commands: Path, tmp_path: Path
) -> None:
    queue = queue_of(executor, commands, tmp_path)
    put(commands, SYSTEMS[executor].ask.split()[0], answer)
    assert queue._is_gone("7") is expected


class FakeCluster:
    """A cluster whose jobs never bring a worker."""

    def __init__(self) -> None:
        self.scheduler = SimpleNamespace(workers={})
        self.workers = {"w-0": SimpleNamespace(job_id="7", close=self._close)}
        self.closed = 0

    async def _close(self) -> None:
        self.closed += 1

    def sync(self, function: Any, *args: Any) -> None:
        import asyncio

        asyncio.run(function(*args))


def test_jobs_that_end_at_once_end_the_batch(
    commands: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spinetools.batch.queues.ASK_SECONDS", 0)
    queue = queue_of("slurm", commands, tmp_path)
    put(commands, "squeue", "true")
    for _ in range(MOST_FAILED_STARTS - 1):
        cluster = FakeCluster()
        queue.look(cluster, came=False)
        assert cluster.workers == {}  # to be sent anew
        assert cluster.closed == 1
    with pytest.raises(SpinetoolsError, match="end before their worker has started"):
        queue.look(FakeCluster(), came=False)
    queue.look(FakeCluster(), came=True)  # later, a job that ends is only replaced


def test_a_queue_that_refuses(
    commands: Path, study: Path, tmp_path: Path, write_script: WriteScript,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("spinetools.batch.crew.KEEP_UP_SECONDS", 0.5)
    put(commands, "sbatch", "echo 'sbatch: error: invalid partition specified: x' >&2; exit 1")
    put(commands, "scancel", "exit 0")
    params = BatchParams(write_script("true"), study, tmp_path / "out", executor="slurm")
    with pytest.raises(SpinetoolsError, match="the queue refuses the jobs: sbatch: error: invalid"):
        run_batch(params)


def test_a_queue_made_of_files(
    commands: Path, study: Path, tmp_path: Path, write_script: WriteScript
) -> None:
    """PBS's commands, which start the jobs right here: the whole way through dask-jobqueue."""
    # as a queue does, the script is copied before the command returns: it is deleted then
    keep = f'job={tmp_path}/job-$$.sh; cp "$1" "$job"'
    put(commands, "qsub", f'{keep}; setsid bash "$job" >{tmp_path}/job.out 2>&1 & echo $!.here')
    put(commands, "qdel", 'kill -9 -- "-${1%%.*}"')
    script = write_script('echo "$1 $OMP_NUM_THREADS" >"$PATH_RESULTS/$1"')
    params = BatchParams(script, study, tmp_path / "out", executor="pbs", threads=2, memory_gb=1)
    report = run_batch(replace(params, jobs=1))
    told = {path.name: path.read_text() for path in (tmp_path / "out" / "results").iterdir()}
    assert told == {f"sub-0{n}": f"sub-0{n} 2\n" for n in range(1, 5)}
    assert [record.state for record in report.records] == ["done"] * 4
    # the keys of the batch are gone with it
    assert not list((tmp_path / "out" / "log" / "workers").glob(".dask*"))
    left = subprocess.run(["pgrep", "-f", f"{tmp_path}/out/log/workers"], capture_output=True)
    assert left.stdout == b""
