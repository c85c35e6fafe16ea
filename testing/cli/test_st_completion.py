"""Completion, as a person meets it: keys typed into a real shell."""

from __future__ import annotations

import argparse
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from spinetools.cli._completion import parsers, value_kind

from .conftest import Run, entry_points

BIN = Path(sys.executable).parent


def typed(shell: list[str], keys: str, folder: Path, until: str) -> str:
    """Type into an interactive shell, and return the screen once it shows what is awaited."""
    keys = f"{keys}\t\t"
    pid, master = pty.fork()
    if pid == 0:  # pragma: no cover
        os.chdir(folder)
        environment = {"PATH": f"{BIN}:/usr/bin:/bin", "TERM": "dumb",
                       "HOME": str(folder), "INPUTRC": "/dev/null", "COLUMNS": "200"}  # fmt: skip
        os.execvpe(shell[0], shell, environment)
    screen, sent, end = "", False, time.monotonic() + 60
    try:
        while time.monotonic() < end:
            if select.select([master], [], [], 0.2)[0]:
                try:
                    screen += os.read(master, 65536).decode(errors="replace")
                except OSError:
                    break
            if not sent and "READY> " in screen:
                os.write(master, keys.encode())
                sent, screen = True, ""
            elif sent and re.search(until, screen):
                break
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        os.close(master)
    return screen


@pytest.fixture(scope="module")
def bash_script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("completion") / "rc.bash"
    code = "from spinetools.cli.st_completion import main; main(['bash'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    # the prompt comes last: what is typed before it is lost, and Debian's own rc file sets another
    path.write_text(f"bind 'set enable-bracketed-paste off'\n{done.stdout}\nPS1='READY> '\n")
    return path


@pytest.mark.skipif(not shutil.which("bash"), reason="there is no bash")
@pytest.mark.parametrize(
    ("keys", "shows"),
    [
        ("st_propseg -init-cen", r"-init-centerline"),  # an option, from its beginning
        ("st_propseg -c ", r"dwi\s.*t1\s.*t2\s"),  # choices of a value
        ("st_models ", r"install\s+list\s+path\s+verify"),  # of an argument without a name
        ("st_propseg -c t2 -i sub-01_T", r"sub-01_T2w\.nii\.gz"),  # a file
    ],
)
def test_bash_completes(keys: str, shows: str, bash_script: Path, tmp_path: Path) -> None:
    (tmp_path / "sub-01_T2w.nii.gz").touch()
    screen = typed(
        ["bash", "--noprofile", "--rcfile", str(bash_script), "-i"], keys, tmp_path, shows
    )
    assert re.search(shows, screen), screen


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "tcsh", "powershell"])
def test_every_command_is_in_every_script(shell: str, run: Run, tmp_path: Path) -> None:
    outcome = run("st_completion", shell)
    assert outcome.code == 0
    missing = [command for command in entry_points() if command not in outcome.out]
    assert missing == []
    if shell in ("bash", "zsh", "fish"):
        if not shutil.which(shell):
            pytest.skip(f"there is no {shell} to read its script")
        path = tmp_path / "script"
        path.write_text(outcome.out)
        read = subprocess.run([shell, "-n", str(path)], capture_output=True, text=True)
        assert (read.returncode, read.stderr) == (0, "")


@pytest.mark.parametrize(
    ("metavar", "kind"),
    [("FILE", "file"), ("DIR", "folder"), ("NAME", ""), ("NAME|FILE", "file"),
     ("[NAME=]FILE", "file"), ("FILE|FOLDER", "file"), ("N", ""), ("MASK", "file")],
)  # fmt: skip
def test_what_a_value_is(metavar: str, kind: str) -> None:
    parser = argparse.ArgumentParser()
    assert value_kind(parser.add_argument("-x", metavar=metavar)) == kind


def test_input_and_output_are_files_in_every_command() -> None:
    for parser in parsers():
        options = parser._option_string_actions
        for name in {"-i", "-ofolder", "-qc"} & set(options):
            kind = value_kind(options[name])
            # some commands take a whole folder of images
            assert kind == "folder" or (name == "-i" and kind == "file"), f"{parser.prog} {name}"


def test_an_unknown_shell_is_a_usage_error(run: Run) -> None:
    assert run("st_completion", "cmd").code == 2
