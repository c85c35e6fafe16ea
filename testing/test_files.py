"""Atomic writes and names of outputs."""

from __future__ import annotations

import errno
import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from spinetools.errors import OutputError
from spinetools.files import (
    atomic_path,
    nifti_suffix,
    output_path,
    parse_json,
    sidecar_path,
    strip_nifti_suffix,
    write_json,
    write_text,
)


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# -- names -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "base", "suffix"),
    [
        ("a/t2.nii.gz", "t2", ".nii.gz"),
        ("t2.nii", "t2", ".nii"),
        ("T2.NII.GZ", "T2", ".nii.gz"),
        ("sub-01.v2_T2w.nii.gz", "sub-01.v2_T2w", ".nii.gz"),
        ("x.csv", "x", ""),
        ("nii.gz", "nii", ""),
    ],
)
def test_base_and_suffix(path: str, base: str, suffix: str) -> None:
    assert strip_nifti_suffix(path) == base
    assert nifti_suffix(path) == suffix


def test_output_names_are_stable() -> None:
    assert output_path("in/t2.nii.gz", "_seg.nii.gz") == Path("t2_seg.nii.gz")
    assert output_path("in/t2.nii", "_seg.nii.gz", folder="out") == Path("out/t2_seg.nii.gz")
    assert output_path("t2.nii", "_seg.nii.gz", output="x.nii") == Path("x.nii")
    assert output_path("t2.nii", "_seg.nii.gz", "x.nii", "out") == Path("out/x.nii")
    assert output_path("t2.nii", "_seg.nii.gz", "there/x.nii", "out") == Path("there/x.nii")
    assert output_path("t2.nii", "_seg.nii.gz", "/abs/x.nii", "out") == Path("/abs/x.nii")


def test_sidecars_lie_beside_their_output() -> None:
    assert sidecar_path("out/t2_seg.nii.gz") == Path("out/t2_seg.json")
    assert sidecar_path("t2.v1.csv") == Path("t2.v1.json")


# -- writing -----------------------------------------------------------------------------------


def test_text_and_json(tmp_path: Path) -> None:
    write_text(tmp_path / "new" / "deep" / "a.txt", "é\n")
    assert (tmp_path / "new" / "deep" / "a.txt").read_text(encoding="utf-8") == "é\n"
    write_json(tmp_path / "a.json", {"name": "é"})
    assert (tmp_path / "a.json").read_text(encoding="utf-8") == '{\n  "name": "é"\n}\n'
    assert _names(tmp_path) == ["a.json", "new"]


def test_permissions_are_those_of_an_ordinary_file(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "a.txt", "x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == 0o640


def test_the_temporary_file_has_the_suffix_and_lies_beside(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "my.image.nii.gz") as temporary:
        assert temporary.parent == tmp_path
        assert temporary.name.endswith(".nii.gz")
        assert temporary.name.startswith(".")
        temporary.write_text("x")
        assert not (tmp_path / "my.image.nii.gz").exists()
    assert _names(tmp_path) == ["my.image.nii.gz"]


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt, SystemExit, MemoryError])
def test_whatever_fails_the_old_file_stays(failure: type[BaseException], tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")

    def write_half() -> None:
        with atomic_path(target) as temporary:
            temporary.write_text("half")
            raise failure

    with pytest.raises(failure):
        write_half()
    assert target.read_text() == "old"
    assert _names(tmp_path) == ["a.txt"]


def test_a_failed_write_removes_the_folders_that_it_made(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(ValueError, match="no"), atomic_path(tmp_path / "there/a/b/c.txt"):
        raise ValueError("no")
    assert _names(tmp_path) == ["there"]
    assert _names(tmp_path / "there") == []


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "no space left on the disk"),
        (errno.EDQUOT, "no space left on the disk"),
        (errno.EACCES, "the folder cannot be written"),
        (errno.EROFS, "the folder cannot be written"),
        (errno.EIO, "input/output error"),
    ],
)
def test_errors_of_the_file_system(number: int, said: str, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=said), atomic_path(tmp_path / "new" / "a.txt"):
        raise OSError(number, os.strerror(number))
    assert _names(tmp_path) == []


def test_a_really_full_disk(tmp_path: Path) -> None:
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(tmp_path)], capture_output=True
    )
    if mount.returncode:
        pytest.skip("cannot mount a small file system here (needs root)")
    try:
        write_text(tmp_path / "a.txt", "old")
        with pytest.raises(OutputError, match="no space left on the disk"):
            write_text(tmp_path / "a.txt", "x" * 1_000_000)
        assert _names(tmp_path) == ["a.txt"]
        assert (tmp_path / "a.txt").read_text() == "old"
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_file_too_large_for_its_limit(tmp_path: Path) -> None:
    code = (
        "import resource, signal, sys\n"
        "from spinetools.files import write_text\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "write_text(sys.argv[1], 'x' * 100000)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "a.txt")], capture_output=True, text=True
    )
    assert "OutputError" in run.stderr
    assert "no space left" in run.stderr
    assert _names(tmp_path) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_folder_that_is_not_ours(tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o700)
    for parent in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        parent.chmod(parent.stat().st_mode | 0o055)
    code = (
        "import os, sys\nfrom spinetools.files import write_text\nos.setuid(65534)\n"
        "write_text(sys.argv[1], 'x')\n"
    )
    for name in ("a.txt", "deeper/a.txt"):
        run = subprocess.run(
            [sys.executable, "-c", code, str(folder / name)], capture_output=True, text=True
        )
        assert "OutputError" in run.stderr, run.stderr
        assert "the folder cannot be written" in run.stderr
    assert _names(folder) == []


def test_things_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match="a file is in the way"):
        write_text(tmp_path / "file" / "a.txt", "x")
    with pytest.raises(OutputError, match="is a folder"):
        write_text(tmp_path / "folder", "x")
    with pytest.raises(OutputError, match="is a folder"):
        write_text("", "x")
    with pytest.raises(OutputError, match="too long"):
        write_text(tmp_path / ("a" * 300), "x")
    assert _names(tmp_path) == ["file", "folder"]


def test_names_as_long_as_allowed(tmp_path: Path) -> None:
    for name in ("a" * 255, "é" * 120 + ".nii.gz", "a." + "b" * 250):
        write_text(tmp_path / name, "x")
    assert len(_names(tmp_path)) == 3


# -- killed ------------------------------------------------------------------------------------

_SAVER = """
import sys
import numpy as np
from spinetools.image import Image, Space
space = Space((64, 64, 64), np.eye(4))
images = [Image(np.full((64, 64, 64), value, np.float64), space) for value in (1, 2)]
images[0].save(sys.argv[1])
print("ready", flush=True)
while True:
    for image in images:
        image.save(sys.argv[1])
"""


def test_killed_while_saving_the_file_is_the_old_or_the_new_one(tmp_path: Path) -> None:
    from spinetools.image import Image

    target = tmp_path / "a.nii"
    for number in range(6):
        saver = subprocess.Popen(
            [sys.executable, "-c", _SAVER, str(target)], stdout=subprocess.PIPE, text=True
        )
        assert saver.stdout is not None
        assert saver.stdout.readline() == "ready\n"
        time.sleep(0.003 + 0.0071 * number)
        saver.send_signal(signal.SIGKILL)
        saver.wait()
        saver.stdout.close()
        data = Image.load(target).data
        assert data.min() == data.max()
        assert data[0, 0, 0] in (1, 2)


def test_sidecar_of_a_write_is_valid_json_while_others_write_it(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom spinetools.files import write_json\n"
        "for i in range(200): write_json(sys.argv[1], {'n': [i] * 500})\n"
    )
    target = tmp_path / "a.json"
    write_json(target, {"n": []})
    writers = [subprocess.Popen([sys.executable, "-c", code, str(target)]) for _ in range(3)]
    while any(writer.poll() is None for writer in writers):
        json.loads(target.read_text(encoding="utf-8"))
    assert all(writer.returncode == 0 for writer in writers)
    assert _names(tmp_path) == ["a.json"]


# -- text that is odd ----------------------------------------------------------------------------


def test_names_that_are_no_text(tmp_path: Path) -> None:
    """A file's name is bytes: what is no UTF-8 is written in reports as JSON escapes it."""
    name = b"caf\xe9 \xff".decode(errors="surrogateescape")
    write_json(tmp_path / f"{name}.json", {"Sources": [name]})
    (found,) = _names(tmp_path)
    assert found == f"{name}.json"
    assert json.loads((tmp_path / found).read_text("utf-8")) == {"Sources": [name]}


def test_json_without_end_is_a_value_error() -> None:
    assert parse_json('{"a": [1]}') == {"a": [1]}
    for text in ("[" * 100_000, '{"a":' * 100_000, "{", ""):
        with pytest.raises(ValueError, match=r"nested|Expecting"):
            parse_json(text)
