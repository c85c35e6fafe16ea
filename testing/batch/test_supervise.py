"""One subject's run: its log, times and limits, and that nothing of it stays behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("psutil")
if sys.platform == "win32":
    pytest.skip("these look at POSIX's processes", allow_module_level=True)

from spinetools.batch.job import Job, run_job
from spinetools.batch.params import THREAD_VARIABLES, Folders, variables

from .conftest import WriteScript, alive, wait_until


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(
        "sub-01", ("bash", str(tmp_path / "process.sh"), "sub-01"), {"HERE": str(tmp_path)},
        str(tmp_path), str(tmp_path / "sub-01.log"), str(tmp_path / "locks" / "sub-01"),
    )  # fmt: skip


def log_of(job: Job) -> str:
    return Path(job.log).read_text()


def pid_in(path: Path) -> int:
    wait_until(lambda: path.exists() and path.read_text().strip())
    return int(path.read_text())


def test_what_a_script_says_and_takes(job: Job, write_script: WriteScript) -> None:
    write_script("echo one; echo two >&2; pwd; echo $1; cat; python3 -c 'sum(range(3000000))'")
    outcome = run_job(job)
    assert (outcome.end, outcome.exit_code, outcome.reason) == ("done", 0, "")
    assert outcome.started.endswith("Z")
    assert 0 < (outcome.cpu_seconds or 0) <= outcome.seconds * (os.cpu_count() or 1)
    assert 5 < (outcome.peak_memory_mb or 0) < 500
    first, *lines, last = log_of(job).splitlines()
    assert first.startswith("== sub-01: attempt 1 on ")
    assert lines == ["one", "two", job.folder, "sub-01"]  # and cat has found no input
    assert last.startswith("== done, after ")


def test_the_memory_of_all_its_processes_counts(job: Job, write_script: WriteScript) -> None:
    eat = "python3 -c 'x = bytearray(120_000_000); import time; time.sleep(4)'"
    write_script(f"{eat} & {eat} & wait")
    assert 240 < (run_job(job).peak_memory_mb or 0) < 400


def test_logs_of_attempts_follow_each_other(job: Job, write_script: WriteScript) -> None:
    write_script("echo said")
    run_job(job)
    run_job(replace(job, attempt=2, fresh_log=False))
    assert log_of(job).count("said") == 2
    run_job(job)
    assert log_of(job).count("said") == 1


@pytest.mark.parametrize(
    ("text", "end", "code", "reason"),
    [
        ("exit 3", "failed", 3, "exit code 3"),
        ("false; echo never", "failed", 1, "exit code 1"),
        ("kill -9 $$", "lost", -9, "it was ended by SIGKILL"),
        ("kill -TERM $$", "lost", -15, "it was ended by SIGTERM"),
        ("kill -SEGV $$", "failed", -11, "it was ended by SIGSEGV"),
        (
            "bash -c 'kill -9 $$'; true", "failed", 137,
            "exit code 137: a command was ended by SIGKILL, perhaps for want of memory",
        ),
        ("exit 255", "failed", 255, "exit code 255"),
    ],
)  # fmt: skip
def test_how_scripts_end(
    job: Job, write_script: WriteScript, text: str, end: str, code: int, reason: str
) -> None:
    write_script(text)
    outcome = run_job(job)
    assert (outcome.end, outcome.exit_code, outcome.reason) == (end, code, reason)


def test_a_script_that_cannot_be_started(job: Job) -> None:
    outcome = run_job(replace(job, command=("/no/such/shell",)))
    assert outcome.end == "failed"
    assert outcome.reason == "/no/such/shell cannot be started: No such file or directory"
    assert "cannot be started" in log_of(job)


def test_a_log_that_cannot_be_written(job: Job, tmp_path: Path, write_script: WriteScript) -> None:
    write_script("touch $HERE/ran")
    outcome = run_job(replace(job, log=str(tmp_path / "missing" / "a.log")))
    assert outcome.end == "failed"
    assert "a.log cannot be written" in outcome.reason
    assert not (tmp_path / "ran").exists()


def test_too_much_memory(job: Job, write_script: WriteScript) -> None:
    write_script("python3 -c 'x = bytearray(300_000_000); import time; time.sleep(60)'")
    outcome = run_job(replace(job, memory_bytes=200_000_000))
    assert outcome.end == "failed"
    # it may be seen while its memory is still being filled
    found = re.match(r"it used (\d\.\d\d) GB of memory, more than its 0\.20 GB", outcome.reason)
    assert found, outcome.reason
    assert 0.2 <= float(found[1]) < 0.35
    assert outcome.seconds < 50


def test_too_much_time_and_who_ignores_the_polite_end(
    job: Job, tmp_path: Path, write_script: WriteScript
) -> None:
    write_script("trap '' TERM; echo $$ >$HERE/pid; while true; do sleep 0.1; done")
    outcome = run_job(replace(job, timeout_s=0.5))
    assert outcome.end == "failed"
    assert outcome.reason == "it took longer than 0.00833333 min (-timeout)"
    assert not alive(pid_in(tmp_path / "pid"))


def test_what_is_left_in_the_background_is_ended(
    job: Job, tmp_path: Path, write_script: WriteScript
) -> None:
    write_script("sleep 300 & echo $! >$HERE/pid")
    assert run_job(job).end == "done"
    assert not alive(pid_in(tmp_path / "pid"))


def worker(job: Job) -> subprocess.Popen[bytes]:
    """Run a job in a process that can be killed, as a worker would."""
    code = f"from spinetools.batch.job import Job, run_job; run_job({job!r})"
    return subprocess.Popen([sys.executable, "-c", code])


def test_nothing_outlives_a_killed_worker(
    job: Job, tmp_path: Path, write_script: WriteScript
) -> None:
    write_script("setsid sleep 300 & echo $! >$HERE/far; sleep 300 & echo $! >$HERE/near; wait")
    process = worker(job)
    pids = [pid_in(tmp_path / name) for name in ("far", "near")]
    process.kill()
    process.wait()
    wait_until(lambda: not any(map(alive, pids)), 30)


def test_an_attempt_waits_for_what_is_left_of_the_one_before(
    job: Job, tmp_path: Path, write_script: WriteScript
) -> None:
    """The supervisor is killed, too: its script is found by the lock that it holds."""
    write_script(
        'if [ ! -e "$HERE/pid" ]; then echo $PPID >$HERE/above; echo $$ >$HERE/pid; '
        "exec sleep 300; fi; echo second"
    )
    process = worker(job)
    pid, above = pid_in(tmp_path / "pid"), pid_in(tmp_path / "above")
    os.kill(above, signal.SIGKILL)
    process.kill()
    process.wait()
    assert alive(pid)
    outcome = run_job(replace(job, attempt=2, fresh_log=False))
    assert outcome.end == "done"
    assert not alive(pid)
    assert "second" in log_of(job)


def test_a_polite_end_leaves_time_to_tidy_up(
    job: Job, tmp_path: Path, write_script: WriteScript
) -> None:
    write_script(
        "trap 'rm $HERE/temporary; exit 143' TERM; touch $HERE/temporary; sleep 300 & wait"
    )
    process = worker(job)
    wait_until((tmp_path / "temporary").exists)
    process.kill()
    process.wait()
    wait_until(lambda: not (tmp_path / "temporary").exists(), 30)


def test_a_ctrl_c_is_not_ignored_in_scripts(job: Job, write_script: WriteScript) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as workers do
    try:
        write_script("grep SigIgn /proc/self/status")
        run_job(job)
    finally:
        signal.signal(signal.SIGINT, before)
    (line,) = [line for line in log_of(job).splitlines() if line.startswith("SigIgn")]
    assert not int(line.split()[1], 16) & 1 << (signal.SIGINT - 1)


def test_jobs_beside_each_other_do_not_wait(job: Job, tmp_path: Path) -> None:
    """Each has its own lock, and no file of the other."""
    (tmp_path / "process.sh").write_text(
        "touch $HERE/$1; while [ ! -e $HERE/$2 ]; do sleep .1; done"
    )
    one = replace(job, command=(*job.command, "sub-02"), timeout_s=60)
    other = replace(
        job, subject="sub-02", lock=f"{job.lock}b", log=f"{job.log}b", timeout_s=60,
        command=(*job.command[:2], "sub-02", "sub-01"),
    )  # fmt: skip
    thread = threading.Thread(target=run_job, args=(other,))
    thread.start()
    assert run_job(one).end == "done"
    thread.join(60)
    assert "done" in log_of(other)


def test_what_a_script_is_told(
    job: Job, tmp_path: Path, write_script: WriteScript, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = Folders(tmp_path / "my data", tmp_path / "out")
    told = variables(folders, "sub-01", 3, 2_500_000_000, ("a.nii.gz", "b c.nii.gz"))
    write_script('echo "$PATH_DATA|$SPINETOOLS_PATH_QC|$OMP_NUM_THREADS|$EXCLUDE_FILES"; '
                 "command -v st_qc; echo ${PYTHONSAFEPATH:-none}; env >$HERE/env")  # fmt: skip
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    run_job(replace(job, variables={**told, "HERE": str(tmp_path)}))
    lines = log_of(job).splitlines()[1:-1]
    assert lines[:2] == [f"{tmp_path}/my data|{tmp_path}/out/qc|3|a.nii.gz", "b c.nii.gz"]
    if Path(sys.executable).with_name("st_qc").exists():
        assert lines[2] == str(Path(sys.executable).with_name("st_qc"))
    assert lines[-1] == "none"
    seen = dict(
        line.split("=", 1) for line in (tmp_path / "env").read_text().splitlines() if "=" in line
    )
    assert {seen[name] for name in THREAD_VARIABLES} == {"3"}
    assert seen["SPINETOOLS_QC_REFRESH"] == "0"
    assert seen["SPINETOOLS_MEMORY_GB"] == "2.5"
    for name in ("PATH_DATA", "PATH_DATA_PROCESSED", "PATH_RESULTS", "PATH_LOG", "PATH_QC"):
        assert seen[name] == seen[f"SPINETOOLS_{name}"]


def test_a_folder_with_modules_does_no_harm(
    job: Job, tmp_path: Path, write_script: WriteScript, monkeypatch: pytest.MonkeyPatch
) -> None:
    if sys.version_info < (3, 11):
        pytest.skip("this Python always looks in the current folder first")
    (tmp_path / "json.py").write_text("raise SystemExit(5)")
    monkeypatch.chdir(tmp_path)
    write_script("true")
    assert run_job(job).end == "done"


def test_times_are_of_this_attempt(job: Job, write_script: WriteScript) -> None:
    write_script("sleep 0.5")
    begun = time.monotonic()
    outcome = run_job(job)
    assert 0.5 <= outcome.seconds <= time.monotonic() - begun
