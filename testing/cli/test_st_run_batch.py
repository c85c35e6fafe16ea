"""st_run_batch: its options, its configuration file, and what it prints."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import Any

import pytest

from spinetools.batch.job import Outcome
from spinetools.batch.progress import Progress
from spinetools.batch.record import Record, attempt_of
from spinetools.batch.run import BatchReport
from spinetools.batch.shares import Share
from spinetools.batch.summary import Row
from spinetools.cli._batch import Shown, params_from, print_summary, with_config
from spinetools.cli.st_run_batch import get_parser
from spinetools.errors import InputError

from .conftest import Run

GIVEN = "-script a.sh -path-data data"


def parsed(line: str) -> argparse.Namespace:
    args = get_parser().parse_args(shlex.split(line))
    args.prog, args.command_line = "st_run_batch", f"st_run_batch {line}"
    return with_config(args)


def params(line: str) -> Any:
    return params_from(parsed(line))


def test_defaults_are_those_of_the_package() -> None:
    from spinetools.batch import BatchParams

    assert params(GIVEN) == BatchParams("a.sh", "data")


def test_options() -> None:
    found = params(
        f"{GIVEN} -jobs -1 -include-list sub-01 sub-02 -exclude ses-03 -script-args ' -c \"t 2\"' "
        "-continue-on-error 0 -resume -executor lsf -queue q -memory 2.5 -subject-prefix ''"
    )
    assert found.jobs == -1
    assert found.selection.include_list == ("sub-01", "sub-02")
    assert found.selection.exclude == "ses-03"
    assert found.script_args == ("-c", "t 2")
    assert (found.continue_on_error, found.resume) == (False, True)
    assert (found.executor, found.queue, found.memory_gb) == ("lsf", "q", 2.5)
    assert found.subject_prefix == ""


CONFIG = """\
script: from_file.sh
path_data: "my data"
jobs: 4
include-list: [sub-01, sub-02]
script_args: -c t2
continue_on_error: false
ignore_ses: true
cluster:
  interface: ib0
"""


def test_a_configuration_file(folder: Path) -> None:
    pytest.importorskip("yaml")
    (folder / "a b.yml").write_text(CONFIG)
    found = params("-config 'a b.yml' -jobs 2")
    assert (found.script, found.data) == ("from_file.sh", "my data")
    assert found.jobs == 2  # what is typed comes first
    assert found.selection.include_list == ("sub-01", "sub-02")
    assert found.script_args == ("-c", "t2")
    assert (found.continue_on_error, found.ignore_sessions) == (False, True)
    assert found.cluster == {"interface": "ib0"}
    assert params("-config 'a b.yml' -include-list sub-07").selection.include_list == ("sub-07",)


def test_json_and_lists_of_arguments(folder: Path) -> None:
    pytest.importorskip("yaml")
    (folder / "a.json").write_text(
        '{"script": "a.sh", "path-data": "d", "script-args": ["-x", "b c"], "resume": false}'
    )
    assert params("-config a.json").script_args == ("-x", "b c")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("colour: red", "unknown option 'colour'"),
        ("jobs: many", "'many' is not a number"),
        ("jobs: {a: 1}", "expected one value"),
        ("resume: 3", "expected true or false"),
        ("executor: cloud", "invalid choice: 'cloud'"),
        ("cluster: 5", "cluster holds 5"),
        ("- a", "holds no options"),
        ("a: [", "is no YAML"),
        ("config: b.yml", "unknown option 'config'"),
        ("script: a.sh", "-path-data is missing"),
    ],
)
def test_wrong_configuration(text: str, message: str, run: Run, folder: Path) -> None:
    pytest.importorskip("yaml")
    (folder / "a.yml").write_text(text)
    outcome = run("st_run_batch", "-config", "a.yml")
    assert outcome.code == 1
    assert message in outcome.err
    assert outcome.err.count("\n") == 1
    assert [path.name for path in folder.iterdir()] == ["a.yml"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("-config none.yml", "none.yml does not exist"),
        ("-script a.sh", "-path-data is missing"),
        ("-script none.sh -path-data data", "none.sh does not exist"),
        ("-script data -path-data data", "data cannot be read: is a directory"),
        ("-script a.sh -path-data none", "none does not exist"),
        ("-script a.sh -path-data a.sh", "a.sh is no folder"),
        ("-script a.sh -path-data data -subject-prefix x", "begins with 'x'"),
        ("-script a.sh -path-data data -include (", "no regular expression"),
        ("-script a.sh -path-data data -exclude sub", "all 1 subjects are left out"),
        ("-script a.sh -path-data data -exclude-yml none", "none does not exist"),
        ('-script a.sh -path-data data -script-args "\'"', "no closing quotation"),
        ("-script a.sh -path-data data -executor slurm -jobs 0", "-jobs 0 counts from"),
        ("-script a.sh -path-data data -memory 99999", "more than the machine's"),
        ("-script a.sh -path-data data -path-output a.sh", "cannot write"),
    ],
)
def test_wrong_input(line: str, message: str, run: Run, folder: Path) -> None:
    pytest.importorskip("distributed")
    (folder / "data" / "sub-01").mkdir(parents=True)
    (folder / "a.sh").write_text("true\n")
    outcome = run("st_run_batch", *shlex.split(line))
    assert outcome.code == 1
    assert message in outcome.err
    assert outcome.err.splitlines()[-1].startswith("st_run_batch: error: ")
    assert "Traceback" not in outcome.err


def test_without_the_extra(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    (folder / "data" / "sub-01").mkdir(parents=True)
    (folder / "a.sh").write_text("true\n")
    outcome = run("st_run_batch", "-script", "a.sh", "-path-data", "data", "-path-output", "out")
    assert outcome.code == 1
    assert "pip install 'spinetools[batch]'" in outcome.err
    assert not (folder / "out").exists()


def report(*records: Record, **more: Any) -> BatchReport:
    base: dict[str, Any] = {
        "rows": tuple(Row(record, 1, ("st_propseg: leak",)) for record in records),
        "skipped": (), "workers_lost": 0, "share": Share(2, 1, 4_000_000_000), "seconds": 100.0,
        "summary": Path("s.tsv"), "report": None,
    }  # fmt: skip
    return BatchReport(**{**base, **more})


def record(subject: str, state: Any = "done", **more: Any) -> Record:
    attempts = (attempt_of(Outcome("done"), "0"),)
    return Record(subject, state, seconds=130.0, peak_memory_mb=512.3, attempts=attempts, **more)


def test_the_summary_on_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    failed = record("sub-02/ses-01", "failed", reason="exit code 1: no cord")
    print_summary(report(record("sub-01"), failed, workers_lost=2, skipped=("sub-01",)))
    assert capsys.readouterr().out.splitlines() == [
        "subject        state   time   memory  attempts  warnings  flags",
        "sub-01         done    2 min  512 MB  1         1         st_propseg: leak",
        "sub-02/ses-01  failed  2 min  512 MB  1         1         st_propseg: leak",
        "failed: sub-02/ses-01: exit code 1: no cord",
        "done: 1 of 2 subjects in 2 min; 1 of them before; 2 at once, 1 thread and 4.0 GB each; "
        "workers lost: 2",
    ]


def test_large_batches_show_what_has_something_to_say(capsys: pytest.CaptureFixture[str]) -> None:
    fine = [Row(record(f"sub-{n:03}")) for n in range(100)]
    odd = Row(record("sub-100", "lost", reason="its worker was lost"))
    print_summary(report(rows=(*fine, odd)))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["subject", "sub-100", "lost:", "done:"]


def test_progress_as_lines(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    with Shown(1) as shown:
        shown(Progress(3), None)
        shown(Progress(3, done=1, eta_seconds=125.0), "sub-01: done in 62 s")
        shown(Progress(3, done=2, failed=1, eta_seconds=0.0), "warning: sub-02: failed")
    assert [(r.levelname, r.message) for r in caplog.records] == [
        ("INFO", "[1/3] sub-01: done in 62 s, 2 min left"),
        ("WARNING", "[3/3] sub-02: failed"),
    ]
    caplog.clear()
    with Shown(0) as shown:
        shown(Progress(3, done=1), "sub-01: done")
    assert not caplog.records


def test_progress_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    running = ("sub-02", "sub-03", "sub-04", "sub-05")
    with Shown(1) as shown:
        shown(Progress(9, running=running, workers=4), None)
        shown(Progress(9, done=1, failed=1, running=running, eta_seconds=600.0), "warning: sub-01")
    err = capsys.readouterr().err
    assert "warning: sub-01\n" in err
    assert "2 of 9 subjects" in err
    assert "1 failed, 10 min left, at work: sub-02, sub-03, sub-04 and 1 more" in err


def test_params_of_the_config_parser_are_input_errors(folder: Path) -> None:
    pytest.importorskip("yaml")
    (folder / "a.yml").write_text("jobs: 1.5")
    with pytest.raises(InputError, match=r"a\.yml: argument -jobs"):
        parsed("-config a.yml")
