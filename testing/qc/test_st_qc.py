"""The command st_qc, and -qc of other commands."""

from __future__ import annotations

import argparse
import json

import numpy as np
import pytest

from spinetools.cli._qc import add_qc_entry
from spinetools.cli.st_qc import main
from spinetools.qc import read_entries


def run(*argv: object) -> int:
    with pytest.raises(SystemExit) as stop:
        main([str(token) for token in argv])
    return int(stop.value.code or 0)


@pytest.fixture
def files(tmp_path, ras):
    image, mask = ras
    image.save(tmp_path / "t2.nii.gz")
    mask.save(tmp_path / "t2_seg.nii.gz")
    line = np.zeros(mask.shape, dtype=np.uint8)
    for z in range(6, 42):
        line[19, 30, z] = 1
    mask.like(line).save(tmp_path / "t2_centerline.nii.gz")
    points = np.zeros(mask.shape, dtype=np.uint8)
    points[19, 30, 10], points[19, 30, 20] = 3, 4
    mask.like(points).save(tmp_path / "discs.nii.gz")
    return tmp_path


def test_it_adds_an_entry_and_says_where_the_page_is(files, capsys):
    code = run(
        "-i", files / "t2.nii.gz", "-s", files / "t2_seg.nii.gz",
        "-s", files / "t2_centerline.nii.gz", "-s", f"points={files / 'discs.nii.gz'}",
        "-p", "st_propseg", "-qc", files / "qc",
        "-qc-dataset", "study", "-qc-subject", "sub-9", "-c", "t2", "-d", files / "t2.nii.gz",
    )  # fmt: skip
    assert code == 0
    out = capsys.readouterr().out
    assert f"qc: {files / 'qc' / 'index.html'}" in out
    (entry,) = read_entries(files / "qc")
    assert entry["process"] == "st_propseg"
    assert (entry["dataset"], entry["subject"], entry["contrast"]) == ("study", "sub-9", "t2")
    kinds = [(layer["name"], layer["kind"]) for layer in entry["views"][0]["layers"]]
    assert kinds == [
        ("image", "image"),
        ("destination", "image"),
        ("seg", "mask"),
        ("centerline", "centerline"),
        ("points", "labels"),
    ]
    assert entry["command_line"].startswith("st_qc -i ")


def test_refresh_import_export(files, capsys):
    run(
        "-i",
        files / "t2.nii.gz",
        "-s",
        files / "t2_seg.nii.gz",
        "-p",
        "st_propseg",
        "-qc",
        files / "qc",
    )
    (entry,) = read_entries(files / "qc")
    (files / "qc" / "entries.js").unlink()
    ratings = files / "qc_ratings.json"
    ratings.write_text(
        json.dumps({"ratings": [{"case": entry["case"], "verdict": "fail", "updated": "2026"}]})
    )
    assert (
        run(
            "-refresh",
            "-import",
            ratings,
            "-export",
            "yml",
            "-o",
            files / "fail.yml",
            "-qc",
            files / "qc",
        )
        == 0
    )
    assert "entries: 1" in capsys.readouterr().out
    assert (files / "qc" / "entries.js").exists()
    assert (files / "fail.yml").read_text().endswith("FILES_SEG:\n- t2.nii.gz\n")


def test_open_calls_the_browser(files, monkeypatch):
    import webbrowser

    opened = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    run(
        "-i",
        files / "t2.nii.gz",
        "-s",
        files / "t2_seg.nii.gz",
        "-p",
        "p",
        "-qc",
        files / "qc",
        "-open",
    )
    assert opened == [(files / "qc" / "index.html").as_uri()]


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["-i", "t2.nii.gz", "-p", "p"], "-s"),
        (["-i", "t2.nii.gz", "-s", "t2_seg.nii.gz"], "-p"),
        (["-i", "missing.nii.gz", "-s", "t2_seg.nii.gz", "-p", "p"], "missing.nii.gz"),
        (["-i", "t2.nii.gz", "-s", "missing.nii.gz", "-p", "p"], "missing.nii.gz"),
        ([], "nothing to do"),
        (["-refresh"], "no folder"),
        (["-export", "tsv"], "no folder"),
    ],
)
def test_what_is_missing_is_said_in_one_line(files, capsys, monkeypatch, argv, said):
    monkeypatch.chdir(files)
    assert run(*argv, "-qc", "report") == 1
    error = capsys.readouterr().err.strip()
    assert said in error
    assert "\n" not in error
    assert not (files / "report").exists()


def test_commands_add_entries_only_with_qc(tmp_path, ras):
    image, mask = ras
    args = argparse.Namespace(
        qc=None, qc_dataset=None, qc_subject=None, prog="st_x", command_line="st_x -i a", c="t1"
    )
    assert add_qc_entry(args, image, [("cord", mask)]) is None
    args.qc = str(tmp_path / "qc")
    identity = add_qc_entry(args, image, [("cord", mask)], plane="sagittal")
    (entry,) = read_entries(tmp_path / "qc")
    assert entry["id"] == identity
    assert (entry["process"], entry["contrast"], entry["plane"]) == ("st_x", "t1", "sagittal")


def test_it_starts_without_heavy_modules():
    import subprocess
    import sys

    code = (
        "import sys, spinetools.cli.st_qc as c; c.get_parser(); "
        "heavy = {'numpy', 'scipy', 'nibabel', 'PIL', 'matplotlib'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
