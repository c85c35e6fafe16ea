"""Whole batches here: workers killed in the middle, failures, resuming, interruptions."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("distributed")
if sys.platform == "win32":
    pytest.skip("these kill processes as POSIX does", allow_module_level=True)

from filelock import FileLock

from spinetools.batch import BatchParams, Progress, run_batch
from spinetools.errors import InputError, OutputError

from .conftest import WriteScript, alive, wait_until

#: sub-02 ends its worker, sub-03 its supervisor: once each. The worker is two processes up.
KILLING = """
mkdir -p "$PATH_RESULTS/pids"; echo $$ >"$PATH_RESULTS/pids/$1-$$"
if [ "$1" = sub-02 ] && [ ! -e "$PATH_RESULTS/second-$1" ]; then
    touch "$PATH_RESULTS/second-$1"
    kill -9 "$(python3 -c "print(open('/proc/$PPID/stat').read().rpartition(')')[2].split()[1])")"
    sleep 300
elif [ "$1" = sub-03 ] && [ ! -e "$PATH_RESULTS/second-$1" ]; then
    touch "$PATH_RESULTS/second-$1"
    kill -9 $PPID
    sleep 300
elif [ "$1" = sub-04 ] && [ ! -e "$PATH_RESULTS/mended" ]; then
    echo "warning: something is odd" >&2
    echo "st_x: error: the image is broken" >&2
    exit 1
fi
echo "$1" >>"$PATH_RESULTS/$1.txt"
"""


def rows_of(summary: Path) -> list[dict[str, str]]:
    with summary.open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


@pytest.fixture
def params(study: Path, tmp_path: Path) -> BatchParams:
    return BatchParams(tmp_path / "process.sh", study, tmp_path / "out", jobs=2, threads=1)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds its worker in /proc")
def test_killed_workers_lose_nothing_and_resume_repeats_what_failed(
    params: BatchParams, write_script: WriteScript, tmp_path: Path
) -> None:
    script = write_script(KILLING)
    told: list[str] = []
    seen: list[Progress] = []

    def listen(progress: Progress, message: str | None) -> None:
        seen.append(progress)
        if message is not None:
            told.append(message)

    report = run_batch(params, listen)
    results = tmp_path / "out" / "results"
    states = {record.subject: record.state for record in report.records}
    assert states == {"sub-01": "done", "sub-02": "done", "sub-03": "done", "sub-04": "failed"}
    attempts = {record.subject: len(record.attempts) for record in report.records}
    assert attempts == {"sub-01": 1, "sub-02": 2, "sub-03": 2, "sub-04": 1}
    assert report.workers_lost == 2
    # every subject once, and nothing of the killed attempts alive
    for number in (1, 2, 3):
        assert (results / f"sub-0{number}.txt").read_text() == f"sub-0{number}\n"
    pids = [int(path.read_text()) for path in (results / "pids").iterdir()]
    assert len(pids) == 6
    wait_until(lambda: not any(map(alive, pids)), 30)
    # what was said
    assert sum("is repeated (attempt 2)" in line for line in told) == 2
    (failure,) = [line for line in told if "failed" in line]
    assert "exit code 1: st_x: error: the image is broken" in failure
    assert (seen[-1].done, seen[-1].failed, seen[-1].total) == (3, 1, 4)
    # what was written
    rows = {row["subject"]: row for row in rows_of(report.summary)}
    assert rows["sub-04"]["state"] == "failed"
    assert rows["sub-04"]["warnings"] == "1"
    assert rows["sub-02"]["lost"] == "1"
    assert float(rows["sub-01"]["peak_memory_mb"]) > 5
    assert (tmp_path / "out" / "process.sh").read_text() == script.read_text()
    log = (tmp_path / "out" / "log" / "sub-02.log").read_text()
    assert "attempt 1" in log
    assert "attempt 2" in log
    assert report.report is None
    assert not (tmp_path / "out" / "qc").exists()

    (results / "mended").touch()
    again = run_batch(replace(params, resume=True))
    assert again.skipped == ("sub-01", "sub-02", "sub-03")
    assert [record.state for record in again.records] == ["done"] * 4
    assert (results / "sub-01.txt").read_text() == "sub-01\n"
    assert len(rows_of(again.summary)) == 4


def test_resuming_what_is_done_starts_nothing(
    params: BatchParams, write_script: WriteScript, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """And a record that is damaged is as none."""
    write_script("exit 9")
    log = tmp_path / "out" / "log"
    log.mkdir(parents=True)
    for number in range(1, 5):
        record = {"subject": f"sub-0{number}", "state": "done", "script_sha256": "other"}
        (log / f"sub-0{number}.json").write_text(json.dumps(record))
    report = run_batch(replace(params, resume=True))
    assert len(report.skipped) == 4
    assert "4 subjects are done with another version of the script" in caplog.text
    (log / "sub-03.json").write_text('{"subject": ')
    (log / "sub-04.json").write_text('["x"]')
    nobody = replace(params, resume=True, executor="slurm", jobs=0)
    with pytest.raises(InputError, match="-jobs 0"):  # past the records, before any worker
        run_batch(nobody)
    assert "sub-03.json is damaged" in caplog.text
    assert "sub-04.json is damaged" in caplog.text


def start(params: BatchParams) -> subprocess.Popen[bytes]:
    code = (
        "from spinetools.cli.st_run_batch import main\n"
        "if __name__ == '__main__': main()"  # workers are spawned
    )
    command = [sys.executable, "-c", code, "-script", str(params.script), "-path-data",
               str(params.data), "-path-output", str(params.output), "-jobs", "2"]  # fmt: skip
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_batch_leaves_no_process_and_can_be_resumed(
    params: BatchParams, write_script: WriteScript, tmp_path: Path, number: int
) -> None:
    write_script(
        'if [ "$1" = sub-01 ]; then exit 0; fi\n'
        'echo $$ $PPID >"$PATH_RESULTS/$1"; sleep 300 & echo $! >"$PATH_RESULTS/$1-child"; wait'
    )
    results, log = tmp_path / "out" / "results", tmp_path / "out" / "log"
    batch = start(params)
    begun = [results / name for name in ("sub-02", "sub-02-child", "sub-03", "sub-03-child")]
    wait_until(lambda: all(path.exists() and path.read_text() for path in begun), 120)
    pids = [int(word) for path in begun for word in path.read_text().split()]
    assert all(map(alive, pids))
    with pytest.raises(OutputError, match="another st_run_batch is at work"):
        run_batch(params)
    batch.send_signal(number)
    _, err = batch.communicate(timeout=120)
    assert batch.returncode == (143 if number == signal.SIGTERM else -number), err
    wait_until(lambda: not any(map(alive, pids)), 60)
    assert b"Traceback" not in err, err
    assert json.loads((log / "sub-01.json").read_text())["state"] == "done"
    assert not (log / "sub-02.json").exists()
    if number == signal.SIGTERM:
        states = [row["state"] for row in rows_of(log / "summary.tsv")]
        assert states == ["done", "not run", "not run", "not run"]


def test_who_waits_for_another_batch_makes_and_takes_away_nothing(
    params: BatchParams, write_script: WriteScript, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one may have its lock, and not yet its folders: it would lose those made here."""
    write_script("exit 0")
    log = Path(params.output) / "log"
    log.mkdir(parents=True)
    touched, mkdir = [], Path.mkdir
    monkeypatch.setattr(Path, "rmdir", lambda path: touched.append(path))
    monkeypatch.setattr(Path, "mkdir", lambda p, *a, **k: (touched.append(p), mkdir(p, *a, **k)))
    with FileLock(log / ".lock"), pytest.raises(OutputError, match="another st_run_batch"):
        run_batch(params)
    assert set(touched) <= {log}
    assert [path.name for path in Path(params.output).iterdir()] == ["log"]


def test_a_file_where_a_folder_should_be_is_said(
    params: BatchParams, write_script: WriteScript
) -> None:
    write_script("exit 0")
    output = Path(params.output)
    output.mkdir()
    (output / "data_processed").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        run_batch(params)
    assert [path.name for path in output.iterdir()] == ["data_processed"]


def test_other_batches_may_use_other_folders(params: BatchParams) -> None:
    with pytest.raises(InputError, match=r"process\.sh does not exist"):
        run_batch(params)
    assert not Path(params.output).exists()


@pytest.mark.parametrize(
    ("content", "message"), [(b"", "empty or binary"), (b"\x7fELF\0\0", "empty or binary")]
)
def test_no_script(params: BatchParams, content: bytes, message: str) -> None:
    Path(params.script).write_bytes(content)
    with pytest.raises(InputError, match=message):
        run_batch(params)


def test_workers_are_spawned_and_not_forked(study: Path) -> None:
    from spinetools.batch.crew import SETTINGS

    assert SETTINGS["distributed.worker.multiprocessing-method"] == "spawn"


@pytest.mark.skipif(os.name == "nt", reason="Windows starts scripts by their suffix")
def test_how_scripts_are_started(tmp_path: Path) -> None:
    from spinetools.batch.run import _launcher

    for name, first, expected in [
        ("a.sh", "#!/bin/sh -e", ["/bin/sh", "-e"]),
        ("b.sh", "#!/usr/bin/env bash", ["/usr/bin/env", "bash"]),
        ("c.sh", "echo no first line", ["bash"]),
        ("d.py", "#!/usr/bin/python2", [sys.executable]),
    ]:
        (tmp_path / name).write_text(f"{first}\n")
        assert _launcher(tmp_path / name) == [*expected, str(tmp_path / name)]
