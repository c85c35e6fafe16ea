"""How commands end: exit codes, messages, signals, sidecars, what is printed."""

from __future__ import annotations

import argparse
import errno
import json
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from spinetools._version import __version__
from spinetools.cli._parser import StParser, add_qc
from spinetools.cli._run import announce, execute, write_sidecar
from spinetools.errors import InputError, NoSpineError, OutputError

Body = Callable[[argparse.Namespace], None]


def _end(
    body: Body, capsys: pytest.CaptureFixture[str], *tokens: str
) -> tuple[int | str | None, str, str]:
    parser = StParser("st_x", "x", "st_x", bare=True)
    add_qc(parser)
    with pytest.raises(SystemExit) as stop:
        execute(parser, body, tokens)
    out, err = capsys.readouterr()
    return stop.value.code, out, err


def _raising(error: BaseException) -> Body:
    def body(_: argparse.Namespace) -> None:
        raise error

    return body


def test_done(capsys: pytest.CaptureFixture[str]) -> None:
    assert _end(lambda _: print("x"), capsys) == (0, "x\n", "")


@pytest.mark.parametrize("kind", [InputError, OutputError, NoSpineError])
def test_a_known_error_is_one_line(
    kind: type[Exception], capsys: pytest.CaptureFixture[str]
) -> None:
    ended = _end(_raising(kind("seen this,\n  expected that")), capsys)
    assert ended == (1, "", "st_x: error: seen this, expected that\n")


def test_details_have_the_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = _end(_raising(InputError("seen")), capsys, "-v", "2")
    assert code == 1
    assert "Traceback" in err
    assert err.endswith("st_x: error: seen\n")


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "no space left on device"),
        (errno.EDQUOT, "quota"),
        (errno.EACCES, "permission denied"),
        (errno.EROFS, "read-only file system"),
        (errno.ENOENT, "no such file or directory"),
        (errno.ENOTDIR, "not a directory"),
        (errno.EISDIR, "is a directory"),
        (errno.ENAMETOOLONG, "file name too long"),
        (errno.EMFILE, "too many open files"),
        (errno.EIO, "input/output error"),
    ],
)
def test_failures_of_the_file_system_are_one_line(
    number: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    error = OSError(number, os.strerror(number), "a.txt")
    code, _, err = _end(_raising(error), capsys)
    assert code == 1
    assert said in err
    assert err.startswith("st_x: error: ")
    assert err.endswith(": a.txt\n")
    assert err.count("\n") == 1


def test_no_memory(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = _end(_raising(MemoryError()), capsys)
    assert (code, err.count("\n")) == (1, 1)
    assert "not enough memory" in err


@pytest.mark.parametrize("error", [ValueError("odd"), KeyError("x"), OSError("no number")])
def test_an_unknown_error_keeps_its_traceback(error: Exception) -> None:
    with pytest.raises(type(error)):
        execute(StParser("st_x", "x"), _raising(error), [])


def test_interrupted(capsys: pytest.CaptureFixture[str]) -> None:
    assert _end(_raising(KeyboardInterrupt()), capsys) == (130, "", "st_x: interrupted\n")


def test_handlers_are_put_back_and_threads_may_run_commands(
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = signal.getsignal(signal.SIGTERM)
    during = []
    _end(lambda _: during.append(signal.getsignal(signal.SIGTERM)), capsys)
    assert signal.getsignal(signal.SIGTERM) == before != during[0]
    ended = []
    thread = threading.Thread(target=lambda: ended.append(_end(lambda _: None, capsys)[0]))
    thread.start()
    thread.join()
    assert ended == [0]


# -- real processes ----------------------------------------------------------------------------

_SAVES_SLOWLY = """
import argparse, sys, time
from pathlib import Path
from spinetools.cli._parser import StParser
from spinetools.cli._run import execute
from spinetools.files import atomic_path

def run(args):
    with atomic_path("new/a.txt") as temporary:
        temporary.write_text("half")
        print("ready", flush=True)
        time.sleep(120)  # not for ever: a test that fails leaves it behind

execute(StParser("st_x", "x"), run, [])
"""


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)],
)
def test_signals_leave_no_temporary_file(number: int, code: int, tmp_path: Path) -> None:
    # the tests themselves may run under nohup or in the background of a script, which hand "is
    # ignored" on to children
    usual = "signal.default_int_handler" if number == signal.SIGINT else "signal.SIG_DFL"
    code_with_default = f"import signal\nsignal.signal({int(number)}, {usual})\n" + _SAVES_SLOWLY
    process = subprocess.Popen(
        [sys.executable, "-c", code_with_default], cwd=tmp_path, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    assert [path.name for path in (tmp_path / "new").iterdir()] != []
    process.send_signal(number)
    _, err = process.communicate(timeout=20)
    assert process.returncode == code
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


def test_nohup_keeps_a_command_alive(tmp_path: Path) -> None:
    code = "import signal\nsignal.signal(signal.SIGHUP, signal.SIG_IGN)\n" + _SAVES_SLOWLY
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGHUP)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=0.3)
    process.terminate()
    process.communicate()
    assert process.returncode == 143


def _script(body: str) -> list[str]:
    return [
        sys.executable,
        "-c",
        "from spinetools.cli._parser import StParser\nfrom spinetools.cli._run import execute\n"
        f"def run(args):\n    {body}\nexecute(StParser('st_x', 'x'), run, [])\n",
    ]


@pytest.mark.parametrize("lines", [1, 100_000])
def test_a_reader_that_leaves_is_no_error(lines: int) -> None:
    writer = subprocess.Popen(
        _script(f"[print('x' * 50) for _ in range({lines})]"),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert writer.stdout is not None
    assert writer.stderr is not None
    writer.stdout.close()
    err = writer.stderr.read()
    writer.stderr.close()
    assert (writer.wait(), err) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_behind_stdout_is_an_error() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(_script("print('x')"), stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert done.stderr == "st_x: error: no space left on device\n"


# -- messages ----------------------------------------------------------------------------------


def test_verbosity(capsys: pytest.CaptureFixture[str]) -> None:
    log = logging.getLogger("spinetools.image.somewhere")

    def body(args: argparse.Namespace) -> None:
        log.debug("detail")
        log.info("notice")
        log.warning("doubt %d", 3)
        announce([Path("a.nii.gz")], args, image="t 2.nii", overlays=[Path("a.nii.gz")])

    view = "view: fsleyes 't 2.nii' a.nii.gz -cm red -a 70\n"
    assert _end(body, capsys, "-v", "0") == (0, "", "")
    said = _end(body, capsys)
    assert said == (0, f"written: a.nii.gz\n{view}", "notice\nwarning: doubt 3\n")
    package = logging.getLogger("spinetools")
    assert package.propagate  # as it was: a program that calls main() keeps its own logging
    assert not package.handlers
    assert _end(body, capsys, "-v", "2")[2] == "detail\nnotice\nwarning: doubt 3\n"


def test_the_qc_page_is_printed_last(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    _, out, _ = _end(lambda args: announce([], args), capsys, "-qc", str(tmp_path / "q"))
    assert out == f"qc: {tmp_path / 'q' / 'index.html'}\n"


# -- sidecars ----------------------------------------------------------------------------------


@pytest.fixture
def args() -> argparse.Namespace:
    return argparse.Namespace(prog="st_x", command_line="st_x -i 'a b.nii'")


def _read(path: Path) -> dict[str, object]:
    content: dict[str, object] = json.loads(path.read_text(encoding="utf-8"))
    return content


def test_sidecar_fields(args: argparse.Namespace, tmp_path: Path) -> None:
    write_sidecar(tmp_path / "a_seg.nii.gz", args, ["a.nii", Path("m.nii")], Seed=3)
    assert _read(tmp_path / "a_seg.json") == {
        "Sources": ["a.nii", "m.nii"],
        "SpatialReference": "a.nii",
        "GeneratedBy": [
            {"Name": "st_x", "Version": __version__, "CommandLine": "st_x -i 'a b.nii'"}
        ],
        "Seed": 3,
    }
    write_sidecar(tmp_path / "b.nii.gz", args, [])
    assert _read(tmp_path / "b.json")["SpatialReference"] == "n/a"


def test_our_own_sidecar_is_replaced(args: argparse.Namespace, tmp_path: Path) -> None:
    write_sidecar(tmp_path / "a.nii.gz", args, ["x.nii"], Model="old", Old=1)
    write_sidecar(tmp_path / "a.nii.gz", args, ["y.nii"], Model="new")
    content = _read(tmp_path / "a.json")
    assert content["Model"] == "new"
    assert "Old" not in content
    assert len(content["GeneratedBy"]) == 1  # type: ignore[arg-type]


def test_somebody_elses_sidecar_keeps_its_fields(args: argparse.Namespace, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"EchoTime": 0.1, "GeneratedBy": [{"Name": "dcm2niix"}]}')
    write_sidecar(tmp_path / "a.nii.gz", args, ["x.nii"])
    content = _read(tmp_path / "a.json")
    assert content["EchoTime"] == 0.1
    makers = content["GeneratedBy"]
    assert isinstance(makers, list)
    assert [maker["Name"] for maker in makers] == ["dcm2niix", "st_x"]


@pytest.mark.parametrize("content", ["not json", "[1]", '{"GeneratedBy": "me"}'])
def test_a_file_that_is_no_sidecar_is_left_alone(
    content: str, args: argparse.Namespace, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "a.json").write_text(content)
    write_sidecar(tmp_path / "a.nii.gz", args, ["x.nii"])
    assert (tmp_path / "a.json").read_text() == content
    assert "left as it is" in caplog.text
