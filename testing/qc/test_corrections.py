"""What is to be corrected in a report, and what st_qc prints of it."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import numpy as np
import pytest

from spinetools.cli import st_propseg, st_qc
from spinetools.image import Image
from spinetools.qc import Flag, add_entry, read_entries
from spinetools.qc.corrections import tasks
from spinetools.qc.ratings import import_ratings


@pytest.fixture
def report(tmp_path: Path, ras: tuple[Image, Image]) -> Path:
    """Three subjects: sound; flagged twice; flagged once."""
    image, mask = ras
    folder = tmp_path / "qc"
    flags = {
        "sub-01": [],
        "sub-02": [Flag("leak", "wide here", (20, 21, 22, 30))],
        "sub-03": [Flag("leak", "wide there", (25,))],
    }
    for subject, own in flags.items():
        named = Image(image.data, image.space, path=tmp_path / f"{subject}.nii.gz")
        add_entry(
            folder, named, [("cord", mask)], process="st_propseg", subject=subject, flags=own,
            command_line=f"st_propseg -i {subject}.nii.gz -c t2",
            files=[tmp_path / f"{subject}_seg.nii.gz"],
        )  # fmt: skip
    return folder


def rate(report: Path, subject: str, **said: object) -> None:
    cases = {entry["subject"]: entry["case"] for entry in read_entries(report)}
    path = report.parent / "ratings.json"
    record = {"case": cases[subject], "updated": "2026-01-01", **said}
    path.write_text(json.dumps({"ratings": [record]}))
    assert import_ratings(report, path) == 1


def run(command, *argv: object) -> int:
    with pytest.raises(SystemExit) as stop:
        command.main([str(token) for token in argv])
    return int(stop.value.code or 0)


def test_flagged_slices_are_listed_run_by_run(report: Path) -> None:
    found = [(task.entry["subject"], task.slices) for task in tasks(report, "flagged")]
    assert found == [("sub-02", (20, 22)), ("sub-02", (30, 30)), ("sub-03", (25, 25))]
    first = tasks(report, "flagged")[0]
    assert first.voxel[2] == 21, "in the middle of the run"
    assert first.why == "leak: wide here"
    assert first.cursor == tuple(v + 1 for v in first.voxel)
    assert shlex.split(first.fsleyes)[:5] == ["fsleyes", "-vl", *map(str, first.voxel)]


def test_failed_are_those_that_people_say(report: Path) -> None:
    assert tasks(report) == []
    rate(report, "sub-01", verdict="fail", note="no cord\nat all")
    rate(report, "sub-03", verdict="artifact")
    said = {"verdict": "fail", "note": "leaks", "updated": "2026-01-01"}
    passed = {"verdict": "pass", "note": "", "updated": "2026-01-01"}
    rate(report, "sub-02", slices={"33": said, "34": {**said, "note": ""}, "20": passed})
    found = [(task.entry["subject"], task.slices, task.why) for task in tasks(report)]
    assert found == [
        ("sub-01", None, "fail: no cord at all"),
        ("sub-02", (33, 34), "fail: leaks"),
        ("sub-03", (25, 25), "leak: wide there"),
    ]


def test_only_the_last_run_counts(report: Path, ras: tuple[Image, Image]) -> None:
    image, mask = ras
    named = Image(image.data, image.space, path=report.parent / "sub-02.nii.gz")
    add_entry(
        report, named, [("cord", mask)], process="st_propseg", subject="sub-02",
        command_line="st_propseg -i sub-02.nii.gz -c t2 -mask-correction drawn.nii.gz",
    )  # fmt: skip
    assert [task.entry["subject"] for task in tasks(report, "flagged")] == ["sub-03"]


def test_it_is_printed_with_what_to_paste(report: Path, capsys: pytest.CaptureFixture) -> None:
    assert run(st_qc, "-qc", report, "-correct", "flagged") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "look at: sub-02 st_propseg, slices z = 20–22 (leak: wide here)"
    place = report.parent
    assert lines[1].startswith("  fsleyes: fsleyes -vl ")
    assert lines[1].endswith(f"21 {place}/sub-02.nii.gz {place}/sub-02_seg.nii.gz -cm red -a 50")
    assert lines[2].startswith(f"  itksnap: itksnap -g {place}/sub-02.nii.gz -s ")
    assert lines[2].endswith(" 22)"), "ITK-SNAP counts from 1"
    assert lines[3].endswith(f"{place}/sub-02_seg_corrected.nii.gz")
    assert lines[4].startswith("  rerun: cd ")
    rerun = shlex.split(lines[4])
    argv = rerun[rerun.index("st_propseg") + 1 :]
    st_propseg.get_parser().parse_args(argv)
    assert sum(line.startswith("look at") for line in lines) == 3


def test_a_new_entry_says_what_is_flagged(tmp_path, ras, capsys, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    image, mask = ras
    image.save("t2.nii.gz")
    holey = mask.data.copy()
    holey[:, :, 20:23] = 0
    mask.like(holey).save("t2_seg.nii.gz")
    add = ("-i", "t2.nii.gz", "-s", "t2_seg.nii.gz", "-p", "st_propseg", "-qc", "qc")
    assert run(st_qc, *add) == 0
    out = capsys.readouterr().out
    assert "look at: t2 st_propseg, slices z = 20–22 (gap: " in out
    assert f" 21 {tmp_path}/t2.nii.gz {tmp_path}/t2_seg.nii.gz -cm red" in out
    assert run(st_qc, *add, "-v", 0) == 0
    assert capsys.readouterr().out == ""
    mask.save("t2_seg.nii.gz")
    assert run(st_qc, *add) == 0
    assert "look at" not in capsys.readouterr().out


def test_a_mask_edited_in_its_file_is_the_case_of_the_command_that_made_it(
    tmp_path, ras, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    image, mask = ras
    image.save("t2.nii.gz")
    mask.save("t2_seg.nii.gz")
    line = "st_propseg -i t2.nii.gz -c t2 -qc qc"
    Path("t2_seg.json").write_text(
        json.dumps({"GeneratedBy": [{"Name": "st_propseg", "CommandLine": line}]})
    )
    named = Image(image.data, image.space, path=Path("t2.nii.gz"))
    add_entry("qc", named, [("cord", mask)], process="st_propseg", command_line=line)
    edited = mask.data.copy()
    edited[19, 30, 10] ^= 1
    mask.like(edited).save("t2_seg.nii.gz")
    add = ("-i", "t2.nii.gz", "-s", "t2_seg.nii.gz", "-qc", "qc")
    assert run(st_qc, *add, "-p", "st_propseg") == 0
    assert run(st_qc, *add, "-p", "st_deepseg_sc") == 0
    before, after, other = (entry["case"] for entry in read_entries("qc"))
    assert before == after
    assert other != before


def test_entries_of_older_versions_have_no_commands(report: Path, capsys) -> None:
    for path in (report / "entries").glob("*.json"):
        content = json.loads(path.read_text())
        del content["viewers"]
        path.write_text(json.dumps(content))
    assert np.all([task.fsleyes == task.rerun == "" for task in tasks(report, "flagged")])
    assert run(st_qc, "-qc", report, "-correct", "flagged") == 0
    assert "fsleyes" not in capsys.readouterr().out
