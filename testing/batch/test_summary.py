"""The table of a batch: what the logs and the QC report say of each subject."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from spinetools.batch.job import Outcome
from spinetools.batch.params import Folders
from spinetools.batch.record import Record, attempt_of, read_record, reason_in, warnings_in
from spinetools.batch.summary import COLUMNS, Row, flags_of, rows_of, write_summary

LOG = """\
== sub-01: attempt 1 on node1, 2026-01-01T00:00:00Z
warning: of the first attempt
== sub-01: attempt 2 on node2, 2026-01-01T00:01:00Z
written: a.nii.gz
warning: the surface leaks
a warning: in the middle of a line
st_propseg: error: no cord
at the end
== exit code 1, after 2.0 s, 20 MB at most
"""


def entry(**more: object) -> dict[str, object]:
    base = {"case": "1", "created": "2026-01-01T00:05:00Z", "subject": "sub-01", "input": "",
            "process": "st_propseg", "flags": [{"kind": "leak"}, {"kind": "leak"}]}  # fmt: skip
    return {**base, **more}


RECORD = Record("sub-01", "done", started="2026-01-01T00:01:00Z")


def test_what_a_log_says(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text(LOG)
    assert warnings_in(log) == 1
    assert reason_in(log) == "st_propseg: error: no cord"
    log.write_bytes(b"\xff\xfe only this\n")
    assert "only this" in reason_in(log)
    assert reason_in(tmp_path / "none") == ""
    assert warnings_in(tmp_path / "none") == 0


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, ("st_propseg: leak",)),
        ({"subject": "sub-02"}, ()),
        ({"created": "2026-01-01T00:00:59Z"}, ()),
        ({"subject": "x", "input": "/d/sub-01/anat/a.nii.gz"}, ("st_propseg: leak",)),
        ({"subject": "x", "input": "/d/sub-01_T2w.nii.gz"}, ("st_propseg: leak",)),
        ({"subject": "sub-010", "input": "/d/sub-010/a.nii.gz"}, ()),
        ({"flags": []}, ()),
    ],
)
def test_whose_flags(more: dict[str, object], expected: tuple[str, ...]) -> None:
    assert flags_of(RECORD, [entry(**more)]) == expected


def test_flags_of_sessions_and_of_reruns() -> None:
    record = Record("sub-01/ses-02", "done", started="2026-01-01T00:01:00Z")
    one = entry(subject="sub-01_ses-02")
    assert flags_of(record, [one, entry(subject="sub-01_ses-01")]) == ("st_propseg: leak",)
    again = entry(subject="sub-01_ses-02", flags=[{"kind": "gap"}])
    assert flags_of(record, [one, again]) == ("st_propseg: gap",)


def test_the_table(tmp_path: Path) -> None:
    folders = Folders(tmp_path / "data", tmp_path)
    folders.log.mkdir()
    lost = attempt_of(Outcome("lost", "gone", seconds=2.0), "0")
    record = Record(
        "sub-01", "failed", "exit\tcode\n1", 1, "node", "2026-01-01T00:00:00Z", 3.5, None, 20.5,
        (lost, attempt_of(Outcome("failed"), "1")), str(folders.log / "none.log"),
    )  # fmt: skip
    record.save(folders.record_of("sub-01"))
    assert read_record(folders.record_of("sub-01")) == record
    path = write_summary([Row(record, 2, ("a: b", "c: d")), *rows_of([RECORD], folders)], folders)
    with path.open() as stream:
        first, second = csv.DictReader(stream, delimiter="\t")
    assert tuple(first) == COLUMNS
    assert (first["reason"], first["lost"], first["attempts"]) == ("exit code 1", "1", "2")
    assert (first["flags"], first["flagged"]) == ("2", "a: b; c: d")
    assert (second["cpu_seconds"], second["exit_code"], second["log"]) == ("n/a",) * 3
