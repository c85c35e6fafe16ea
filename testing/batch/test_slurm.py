"""A real SLURM: the same results as on this machine, bit for bit; jobs that are cancelled."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("dask_jobqueue")
if sys.platform != "linux":
    pytest.skip("SLURM is started on Linux only", allow_module_level=True)

from spinetools.batch import BatchParams, run_batch

from .conftest import WriteScript, alive, wait_until
from .slurm import Unavailable, processes_of, slurm

pytestmark = pytest.mark.slow

#: Subjects of the comparison.
SUBJECTS = 20
#: Arithmetic whose last bits depend on the number of threads and on the libraries.
WORK = """
if [ -n "${SLURM_JOB_ID:-}" ]; then echo "$SLURM_JOB_ID" >"$PATH_LOG/job-$1"; fi
python - "$1" >"$PATH_RESULTS/$1.txt" <<'EOP'
import os, sys
import numpy as np
random = np.random.default_rng(int(sys.argv[1][-2:]))
values = np.linalg.svd(random.normal(size=(150, 150)) @ random.normal(size=(150, 150)))[1]
print(os.environ["OMP_NUM_THREADS"], *(float(value).hex() for value in values))
EOP
"""


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    folder = tmp_path_factory.mktemp("slurm")
    try:
        with slurm(folder) as environment:
            yield environment
    except Unavailable as reason:
        pytest.skip(f"no SLURM: {reason}")
    assert processes_of(folder) == []


def sums(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_slurm_gives_what_this_machine_gives(
    node: dict[str, str], study: Path, tmp_path: Path, write_script: WriteScript,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    for number in range(5, SUBJECTS + 1):
        (study / f"sub-{number:02}").mkdir()
    script = write_script(WORK)
    here = BatchParams(script, study, tmp_path / "here", jobs=2, threads=1)
    assert {record.state for record in run_batch(here).records} == {"done"}
    for name in ("SLURM_CONF", "PATH"):
        monkeypatch.setenv(name, node[name])
    there = BatchParams(
        script, study, tmp_path / "there", jobs=2, threads=1, memory_gb=1, executor="slurm",
        queue="test",
    )  # fmt: skip
    report = run_batch(there)
    assert {record.state for record in report.records} == {"done"}
    assert len(list((tmp_path / "there" / "log").glob("job-*"))) == SUBJECTS
    assert not list((tmp_path / "here" / "log").glob("job-*"))
    assert sums(tmp_path / "there" / "results") == sums(tmp_path / "here" / "results")
    assert len(sums(tmp_path / "here" / "results")) == SUBJECTS
    # the queue is left empty
    wait_until(lambda: squeue(node) == "", 60)


def test_a_cancelled_job_loses_nothing(
    node: dict[str, str], study: Path, tmp_path: Path, write_script: WriteScript,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """The whole job of a worker is cancelled in the middle: another is sent, all is done."""
    for name in ("SLURM_CONF", "PATH"):
        monkeypatch.setenv(name, node[name])
    script = write_script(
        'if [ "$1" = sub-01 ] && [ ! -e "$PATH_RESULTS/cancelled" ]; then\n'
        '  touch "$PATH_RESULTS/cancelled"; scancel "$SLURM_JOB_ID"; sleep 300; fi\n'
        'echo "$SLURM_JOB_ID" >"$PATH_RESULTS/$1"'
    )
    begun = time.monotonic()
    report = run_batch(
        BatchParams(script, study, tmp_path / "out", jobs=1, memory_gb=1, executor="slurm")
    )
    print(f"with a cancelled job: {time.monotonic() - begun:.0f} s")
    assert {record.state for record in report.records} == {"done"}
    assert report.records[0].times_lost == 1
    jobs = {path.read_text() for path in (tmp_path / "out" / "results").glob("sub-*")}
    assert len(jobs) == 1  # the second job has done all


def test_a_killed_batch_leaves_the_queue_empty(
    node: dict[str, str], study: Path, tmp_path: Path, write_script: WriteScript
) -> None:
    script = write_script('sleep 300 & echo $$ $! >"$PATH_RESULTS/$1"; wait')
    code = "from spinetools.cli.st_run_batch import main; main()"
    command = [sys.executable, "-c", code, "-script", str(script), "-path-data", str(study),
               "-path-output", str(tmp_path / "out"), "-jobs", "2", "-memory", "1", "-executor",
               "slurm"]  # fmt: skip
    batch = subprocess.Popen(command, env=node)
    begun = [tmp_path / "out" / "results" / name for name in ("sub-01", "sub-02")]
    wait_until(lambda: all(path.exists() and path.read_text() for path in begun), 180)
    batch.kill()
    batch.wait()
    wait_until(lambda: squeue(node) == "", 180)
    pids = [int(word) for path in begun for word in path.read_text().split()]
    wait_until(lambda: not any(map(alive, pids)), 30)


def squeue(node: dict[str, str]) -> str:
    return subprocess.run(
        ["squeue", "-h"], env={**os.environ, **node}, capture_output=True, text=True
    ).stdout.strip()
