"""What every command keeps to, whatever it does: one test over all entry points."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from spinetools._version import __version__
from spinetools.cli._parser import StParser

from .conftest import Run, entry_points

COMMANDS = list(entry_points())
HEAVY = {"numpy", "scipy", "nibabel", "skimage", "matplotlib", "onnxruntime", "torch", "tqdm"}
#: Limit for `st_x -h` (s): 0.25 is the aim, the rest is room for a busy machine.
STARTUP_LIMIT_S = 0.4

pytestmark = pytest.mark.parametrize("command", COMMANDS)


def _parser(command: str) -> StParser:
    parser = importlib.import_module(f"spinetools.cli.{command}").get_parser()
    assert isinstance(parser, StParser)
    return parser


def _options(command: str) -> set[str]:
    return set(_parser(command)._option_string_actions)


def test_help_comes_at_once_and_imports_nothing_heavy(
    command: str, record_property: pytest.RecordProperty
) -> None:
    code = (
        "import sys, json\n"
        f"from spinetools.cli.{command} import main\n"
        "try: main(['-h'])\n"
        "except SystemExit as stop: code = stop.code\n"
        "sys.stderr.write(json.dumps([code, sorted(sys.modules)]))\n"
    )
    times = []
    for _ in range(5):
        start = time.perf_counter()
        shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        times.append(time.perf_counter() - start)
    exit_code, modules = json.loads(shown.stderr)
    assert exit_code == 0
    assert f"usage: {command} " in shown.stdout
    assert "example:" in shown.stdout
    assert not HEAVY & {name.partition(".")[0] for name in modules}
    record_property("startup_s", round(min(times), 3))
    print(f"{command} -h: {min(times):.3f} s")
    assert min(times) <= STARTUP_LIMIT_S


def test_the_installed_script_runs(command: str) -> None:
    script = Path(sys.executable).with_name(command)
    if not script.exists():
        pytest.skip(f"{command} is not installed beside {sys.executable}: pip install -e .")
    shown = subprocess.run([script, "-version"], capture_output=True, text=True)
    assert (shown.returncode, shown.stdout) == (0, f"{command} (spinetools {__version__})\n")


def test_help_and_version_have_their_usual_names(command: str, run: Run) -> None:
    for option in ("-h", "-help", "--help"):
        assert run(command, option).code == 0
    assert run(command, "-version").out == f"{command} (spinetools {__version__})\n"


def test_no_arguments_is_a_usage_error(command: str, run: Run, folder: Path) -> None:
    if _parser(command)._bare:
        pytest.skip(f"{command} works without any")
    outcome = run(command)
    assert outcome.code == 2
    assert outcome.out == ""
    assert re.fullmatch(rf"{command}: .+\n", outcome.err)
    assert not any(folder.iterdir())


@pytest.mark.parametrize("token", ["-nonsense", "--nonsense", "-zzz=3", "-I"])
def test_unknown_options_are_refused(command: str, token: str, run: Run, folder: Path) -> None:
    outcome = run(command, token, "x")
    assert outcome.code == 2
    assert f"unknown option {token!r}" in outcome.err
    assert outcome.err.count("\n") == 1
    assert not any(folder.iterdir())


def test_no_option_is_read_as_part_of_another(command: str, run: Run) -> None:
    options = _options(command)
    for option in sorted(options):
        cut = option[:-1]
        if len(option) > 3 and cut not in options:
            outcome = run(command, cut, "x")
            assert outcome.code == 2, cut
            assert f"unknown option {cut!r}; did you mean" in outcome.err
        joined = run(command, f"{option}=x")
        assert joined.code == 2
        assert f"write {option} x (a space, no '=')" in joined.err
        glued = f"{option}x"
        if glued not in options:
            assert run(command, glued).code == 2, glued


def test_the_traps_of_argparse(command: str, run: Run) -> None:
    options = _options(command)
    if "-qc-dataset" in options:
        outcome = run(command, "-qc-data", "x")
        assert outcome.code == 2
        assert "did you mean -qc-dataset?" in outcome.err
    if "-o" in options and "-ofolder" not in options:
        assert "unknown option '-ofolder=d'" in run(command, "-ofolder=d").err


def test_qc_brings_its_two_companions(command: str) -> None:
    options = _options(command)
    if "-qc" in options:
        assert {"-qc-dataset", "-qc-subject"} <= options


def test_shared_options_mean_the_same(command: str) -> None:
    parser = _parser(command)
    assert parser.prog == command
    actions = parser._option_string_actions
    assert actions["-v"].choices == (0, 1, 2)
    for option, action in actions.items():
        assert action.help, f"{option} has no help"
        assert option in ("--help", "--version") or not option.startswith("--")
    if "-ofolder" in actions:
        assert "-o" in actions
