"""The page about batches: every command on it runs, in this order, and does what is said."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytest.importorskip("distributed")
if sys.platform == "win32":
    pytest.skip("the page's script is for a POSIX shell", allow_module_level=True)

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "batches.rst").read_text(encoding="utf-8")
BIN = Path(sys.executable).parent

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (BIN / "st_run_batch").exists(), reason="the commands are not installed"
    ),
]


def blocks(language: str, caption: str = "") -> list[str]:
    """Return the page's blocks of a language, without their indent."""
    head = rf"^\.\. code-block:: {language}\n" + (rf"   :caption: {caption}\n" if caption else "")
    found = re.findall(head + r"\n((?:   .*\n|\n)+)", PAGE, re.MULTILINE)
    return [textwrap.dedent(block) for block in found]


def test_every_command_of_the_page(tmp_path: Path) -> None:
    shutil.copy(ROOT / "docs" / "process_subject.sh", tmp_path)
    (study_yml,) = blocks("yaml", "study.yml")
    (tmp_path / "study.yml").write_text(study_yml)
    lines = [line[2:] for block in blocks("console") for line in block.splitlines() if line]
    assert len(lines) >= 10
    outputs = {}
    for line in lines:
        if "-executor" in line:
            continue  # a cluster: test_slurm.py
        done = subprocess.run(
            ["bash", "-c", line], cwd=tmp_path, capture_output=True, text=True,
            env={**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"},
        )  # fmt: skip
        assert done.returncode == 0, (line, done.stdout, done.stderr)
        outputs[line] = done.stdout
    said = [text.splitlines() for line, text in outputs.items() if "st_run_batch" in line]
    endings = [
        next(t for t in text if t.startswith("done: ")).split(" subjects")[0] for text in said
    ]
    assert endings == ["done: 3 of 3", "done: 3 of 3", "done: 1 of 1", "done: 1 of 1",
                       "done: 3 of 3", "done: 2 of 2"]  # fmt: skip
    assert "3 of them before" in outputs[lines[5]]

    with (tmp_path / "csa.csv").open() as stream:
        subjects = {Path(row["Filename"]).name[:6] for row in csv.DictReader(stream)}
    assert subjects == {"sub-01", "sub-02", "sub-03"}
    entries = [json.loads(p.read_text()) for p in (tmp_path / "out/qc/entries").glob("*.json")]
    assert sorted((entry["subject"], entry["process"]) for entry in entries) == [
        (f"sub-0{n}", command) for n in (1, 2, 3) for command in ("st_get_centerline", "st_propseg")
    ]
    index = (tmp_path / "out/qc/entries.js").read_text()
    assert all(entry["id"] in index for entry in entries)
    with (tmp_path / "out/log/summary.tsv").open() as stream:
        rows = {row["subject"]: row for row in csv.DictReader(stream, delimiter="\t")}
    for subject in ("sub-01", "sub-02"):
        told = {f"{e['process']}: {f['kind']}" for e in entries if e["subject"] == subject
                for f in e["flags"]}  # fmt: skip
        assert int(rows[subject]["flags"]) == len(told)
        assert float(rows[subject]["cpu_seconds"]) > 1
    # the study itself is as it was
    assert not list((tmp_path / "data").rglob("*_seg*"))


def test_what_the_page_tells_is_what_there_is() -> None:
    from spinetools.batch.params import EXECUTORS, THREAD_VARIABLES, BatchParams
    from spinetools.cli import _batch

    assert _batch.EXECUTORS == EXECUTORS
    for name in EXECUTORS[1:]:
        assert f"``{name}``" in PAGE
    assert BatchParams("", "").retries == 5
    assert "up to five times" in PAGE
    assert {name for name in THREAD_VARIABLES if f"``{name}``" in PAGE} >= {"SPINETOOLS_THREADS"}


def test_the_python_of_the_page(tmp_path: Path) -> None:
    """With a script that does nothing, as the commands are tested above."""
    (code,) = blocks("python")
    (tmp_path / "study.py").write_text(code)
    (tmp_path / "process_subject.sh").write_text('test "$1" != sub-02\n')
    for subject in ("sub-01", "sub-02"):
        (tmp_path / "data" / subject).mkdir(parents=True)
    done = subprocess.run(
        [sys.executable, "study.py"], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "['sub-02']\n"), done.stderr
