"""Commands for image viewers: quoted for any path, at the right voxel, and taken back."""

from __future__ import annotations

import importlib
import os
import shlex
import subprocess
from pathlib import Path

import numpy as np
import pytest

from spinetools.image import Image
from spinetools.image.orientation import ALL_CODES
from spinetools.qc import Flag, add_entry, read_entries
from spinetools.qc.entry import case_key
from spinetools.qc.viewers import Viewers, place_of, viewers_of

#: Names that a shell would take for something else.
NAMES = (
    "plain.nii.gz",
    "two words.nii.gz",
    'it\'s $(touch hacked) `touch hacked`; "quoted" & more.nii.gz',
    "-vl.nii.gz",
    "back\\slash *?[a].nii.gz",
    "new\nline.nii.gz",
    "äß 脊髄 \u202e.nii.gz",
    "!history #hash ~ {1,2} %s.nii.gz",
)


def said_by_a_shell(command: str, folder: Path) -> list[str]:
    """Run a command in a shell in which the viewers write down what they were called with."""
    tools = folder / "tools"
    tools.mkdir(exist_ok=True)
    for name in ("fsleyes", "itksnap", "st_propseg"):
        (tools / name).write_text('#!/bin/sh\nprintf "%s\\0" "$@" >"$SAID"\n')
        (tools / name).chmod(0o755)
    environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "SAID": f"{folder}/said"}
    subprocess.run(["bash", "-c", command], check=True, env=environment, cwd=folder)
    return (folder / "said").read_text(encoding="utf-8").split("\0")[:-1]


@pytest.mark.parametrize("name", NAMES)
def test_paths_come_through_a_shell_as_they_are(name: str, tmp_path: Path, monkeypatch) -> None:
    work = tmp_path / name.removesuffix(".nii.gz")
    work.mkdir()
    monkeypatch.chdir(work)
    line = shlex.join(["st_propseg", "-i", name, "-c", "t2"])
    viewers = viewers_of(name, [("mask", f"seg {name}"), ("labels", "")], "st_propseg", line)
    image, seg = str(work / name), str(work / f"seg {name}")
    before, after = viewers.fsleyes
    said = said_by_a_shell(f"{before} 3 4 5 {after}", tmp_path)
    assert said == ["-vl", "3", "4", "5", image, seg, "-cm", "red", "-a", "50"]
    assert said_by_a_shell(viewers.itksnap, tmp_path) == ["-g", image, "-s", seg]
    corrected = seg.removesuffix(".nii.gz") + "_corrected.nii.gz"
    assert viewers.todo[1] == corrected
    expected = ["-i", name, "-c", "t2", "-mask-correction", corrected]
    assert said_by_a_shell(viewers.rerun, tmp_path) == expected
    assert not list(tmp_path.rglob("hacked"))


def test_without_files_there_is_nothing_to_open() -> None:
    assert viewers_of("", [("mask", "a.nii.gz")], "st_propseg", "st_propseg") == Viewers()
    alone = viewers_of("/a/t2.nii.gz", [("mask", "")], "other", "other -i t2.nii.gz")
    assert alone.fsleyes == ("fsleyes -vl", "/a/t2.nii.gz")
    assert alone.itksnap == "itksnap -g /a/t2.nii.gz"
    assert (alone.todo, alone.rerun) == (("", ""), "")
    # not from a shell
    assert viewers_of("/a/t2.nii.gz", [], "st_propseg", "st_propseg -i 'open").rerun == ""


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("st_propseg -i a.nii.gz -c t2 -mask-correction old.nii.gz -radius 5",
         "st_propseg -i a.nii.gz -c t2 -radius 5 -mask-correction /w/seg_corrected.nii.gz"),
        ("st_deepseg_sc -i a.nii.gz -c t2 -centerline optic",
         "st_deepseg_sc -i a.nii.gz -c t2 -centerline file -file-centerline /w/seg_points.nii.gz"),
        ("st_get_centerline -i a.nii.gz -c t2",
         "st_get_centerline -i a.nii.gz -c t2 -method viewer -init-points /w/seg_points.nii.gz"),
        ("st_qc -i a.nii.gz -s seg.nii.gz -p st_propseg -qc qc",
         "st_qc -i a.nii.gz -s seg.nii.gz -p st_propseg -qc qc"),
    ],
)  # fmt: skip
def test_the_command_that_takes_a_correction_back_is_one(line: str, expected: str) -> None:
    name = line.split()[0]
    process = "st_propseg" if name == "st_qc" else name
    viewers = viewers_of("/w/a.nii.gz", [("mask", "/w/seg.nii.gz")], process, line)
    folder, rerun = viewers.rerun.split(" && ")
    assert folder == shlex.join(["cd", str(Path.cwd())])
    assert rerun == expected
    parser = importlib.import_module(f"spinetools.cli.{name}").get_parser()
    parser.parse_args(shlex.split(rerun)[1:])  # exits with 2 where it is none
    source = "/w/a.nii.gz"
    same = [case_key(source, process, each, ("", "s", "axial")) for each in (line, rerun)]
    if "optic" not in line:
        assert same[0] == same[1], "a corrected result is a later one of the same case"


def test_another_method_is_another_case() -> None:
    def key(line: str) -> str:
        return case_key("/w/a.nii.gz", "p", f"st_x -i a.nii.gz {line}", ())

    assert key("-centerline optic") != key("-centerline cnn")
    assert key("-centerline file -file-centerline a.csv") == key("")
    assert key("-method viewer -init-points p.nii.gz -c t2") == key("-c t2")
    assert key("-init-centerline viewer") == key("-init-mask m.nii.gz") == key("")
    assert key("-init 20") != key("")


@pytest.mark.parametrize("codes", ["".join(codes) for codes in ALL_CODES])
def test_the_voxel_is_on_the_cord_of_that_slice(codes: str, cord, tmp_path: Path) -> None:
    """In every orientation: the indices are the array's own, as FSLeyes counts them."""
    image, mask = cord(codes)
    axis = next(a for a, code in enumerate(codes) if code in "SI")
    for plane in ("axial", "sagittal"):
        add_entry(tmp_path / plane, image, [("cord", mask)], process="p", command_line="p",
                  plane=plane)  # fmt: skip
        (content,) = read_entries(tmp_path / plane)
        for index in (12, 24, 30):
            voxel = place_of(content, index)
            assert voxel[axis] == index
            if plane == "axial":
                # the tile's middle follows the cord, smoothed
                centre = np.argwhere(np.take(mask.data, index, axis=axis)).mean(axis=0)
                across = [v for a, v in enumerate(voxel) if a != axis]
                assert np.abs(np.array(across) - centre).max() < 3.5, (plane, index)


def test_an_entry_keeps_the_commands(ras, tmp_path: Path) -> None:
    image, mask = ras
    saved = tmp_path / "t2.nii.gz"
    named = Image(image.data, image.space, path=saved)
    add_entry(
        tmp_path / "qc", named, [("cord", mask)], process="st_propseg",
        command_line="st_propseg -i t2.nii.gz -c t2", files=[tmp_path / "t2_seg.nii.gz"],
        flags=[Flag("leak", "wide", (20,))],
    )  # fmt: skip
    (content,) = read_entries(tmp_path / "qc")
    assert content["viewers"]["fsleyes"] == [
        "fsleyes -vl", f"{saved} {tmp_path}/t2_seg.nii.gz -cm red -a 50",
    ]  # fmt: skip
    assert content["viewers"]["rerun"].endswith("t2_seg_corrected.nii.gz")
