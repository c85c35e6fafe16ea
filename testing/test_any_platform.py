"""Windows and macOS, as far as a Linux machine can tell.

``mypy --platform win32`` (testing/run.sh) finds what the standard library lacks there. Here: what
it cannot see, the commands without all that only POSIX has, names of files, encodings, and
processes that are started by spawning.
"""

from __future__ import annotations

import argparse
import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from spinetools.cli._folder import run_jobs

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted((ROOT / "spinetools").rglob("*.py"))

#: What Windows does not have; deleted before a command runs.
WITHOUT = """
import os, signal, sys
for name in ("fcntl", "resource", "pwd", "grp", "termios"):
    sys.modules[name] = None
for module, names in {
    os: ("fork forkpty killpg setsid getpgid sched_getaffinity sysconf "
         "pread pwrite mkfifo chown wait4"),
    signal: "SIGHUP SIGKILL SIGALRM SIGUSR1 SIGUSR2 SIGCHLD SIGQUIT alarm pthread_sigmask",
}.items():
    for name in names.split():
        delattr(module, name)
from importlib import import_module
sys.argv = sys.argv[1:]
import_module("spinetools.cli." + sys.argv[0]).main()
"""
CHAIN = (
    "st_phantom -c t2 -protocol t2_axial -spacing 1x1x5 -seed 1 -o sub-01_T2w.nii.gz",
    "st_get_centerline -i sub-01_T2w.nii.gz -c t2 -qc qc",
    "st_propseg -i sub-01_T2w.nii.gz -c t2 -init-centerline sub-01_T2w_centerline.nii.gz "
    "-o propseg.nii.gz -qc qc -v 2",
    "st_deepseg_sc -i sub-01_T2w.nii.gz -c t2 -o deepseg.nii.gz -qc qc -v 2",
    "st_process_segmentation -i deepseg.nii.gz -perlevel 1 -vertfile sub-01_T2w_levels.nii.gz "
    "-o csa.csv",
    "st_compare -i sub-01_T2w.nii.gz -s a=propseg.nii.gz -s b=deepseg.nii.gz "
    "-ref sub-01_T2w_cord.nii.gz -o compared.csv",
    "st_qc -qc qc -export tsv -o ratings.tsv",
    "st_check -self-test 0",
)
#: No name of a file on Windows has these, nor ends with a dot or space.
FORBIDDEN = set('<>:"|?*\\')


@pytest.mark.slow
def test_the_chain_without_what_only_posix_has(tmp_path: Path) -> None:
    """With a pipe of Windows' old encoding, too, which lacks − and ≥, and without a home folder."""
    environment = {
        **os.environ, "PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0", "HOME": "/dev/null/home",
    }  # fmt: skip
    for line in CHAIN:
        done = subprocess.run(
            [sys.executable, "-c", WITHOUT, *line.split()],
            cwd=tmp_path, env=environment, capture_output=True,
        )  # fmt: skip
        assert done.returncode == 0, f"{line}\n{done.stderr.decode('cp1252')}"
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) > 30
    for path in written:
        for part in path.relative_to(tmp_path).parts:
            assert not FORBIDDEN & set(part), path
            assert part == part.rstrip(". "), path
            assert len(part) < 200, path
    for path in (tmp_path / "csa.csv", tmp_path / "compared.csv", tmp_path / "ratings.tsv"):
        assert b"\r" not in path.read_bytes()
    # as Python reads them whatever the system's own encoding
    assert "\ufffd" not in (tmp_path / "propseg.json").read_text(encoding="utf-8")


def test_onnx_runtime_reports_to_nobody() -> None:
    """Without a home folder it complains when it would report, as it can't keep a number there."""
    code = (
        "import os, spinetools\n"
        "assert os.environ['ORT_DISABLE_TELEMETRY'] == '1'\n"
        "from spinetools.infer.onnx import OnnxModel\n"
        "from spinetools.models.store import find_model\n"
        "OnnxModel(find_model('optic'))"
    )
    # of itself it says nothing on a CI server
    environment = {name: value for name, value in os.environ.items() if name != "CI"}
    environment.pop("ORT_DISABLE_TELEMETRY", None)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True,
        env={**environment, "HOME": "/dev/null/home"},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_what_a_pipe_cannot_encode_ends_no_command() -> None:
    code = (
        "from spinetools.cli._parser import StParser\n"
        "from spinetools.cli._run import execute\n"
        "execute(StParser('st_x', 'x', 'st_x', bare=True), lambda _: print('2 − 1 ≥ 0'), [])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "cp1252"},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.split() == rb"2 \u2212 1 \u2265 0".split()


def _double(job: argparse.Namespace) -> None:
    """Work of the test below; other processes find it by its name."""
    image = nib.load(job.i)
    Path(job.o).write_text(f"{np.asarray(image.dataobj).sum()} {os.getppid()}", encoding="utf-8")


def test_processes_are_spawned_and_never_forked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.nii"
    nib.save(nib.Nifti1Image(np.ones((2, 2, 2), np.uint8), np.eye(4)), path)
    monkeypatch.setenv("PYTHONPATH", f"{Path(__file__).parent}{os.pathsep}{ROOT}")
    monkeypatch.setattr(sys, "path", [str(Path(__file__).parent), *sys.path])
    from test_any_platform import _double as work  # by a name that a new process can import

    monkeypatch.delattr(os, "fork", raising=False)
    jobs = [
        argparse.Namespace(
            i=str(path), o=str(tmp_path / name), jobs=2, v=1, continue_on_error=False
        )
        for name in "xyz"
    ]
    run_jobs(jobs, work)
    said = [(tmp_path / name).read_text(encoding="utf-8").split() for name in "xyz"]
    assert said == [["8", str(os.getpid())]] * 3


def calls() -> Iterator[tuple[str, ast.Call, str]]:
    """Yield where, what and the name of everything that the package calls."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                where = f"{path.relative_to(ROOT)}:{node.lineno}"
                yield where, node, ast.unparse(node.func)


CALLS = list(calls())
#: How a file can be opened.
MODES = {f"{a}{b}{c}" for a in "rwax" for b in ("", "b", "t") for c in ("", "+")}


def keywords(call: ast.Call) -> dict[str, str]:
    return {word.arg: ast.unparse(word.value) for word in call.keywords if word.arg}


def test_the_audit_sees_calls() -> None:
    names = {name for _, _, name in CALLS}
    assert {"subprocess.Popen", "ProcessPoolExecutor", "temporary.replace"} <= names


def test_nothing_forks_and_no_shell_is_asked() -> None:
    never = {"os.fork", "os.system", "os.popen", "os.rename", "multiprocessing.Pool",
             "multiprocessing.Process", "multiprocessing.set_start_method",
             "tempfile.NamedTemporaryFile", "tempfile.mktemp"}  # fmt: skip
    assert [(where, name) for where, _, name in CALLS if name in never] == []
    assert [where for where, call, _ in CALLS if keywords(call).get("shell") == "True"] == []
    pools = [(where, call) for where, call, name in CALLS if name.endswith("ProcessPoolExecutor")]
    assert pools
    assert [where for where, call in pools if "mp_context" not in keywords(call)] == []
    contexts = [
        ast.unparse(call.args[0]) for _, call, name in CALLS if name.endswith(".get_context")
    ]
    assert set(contexts) == {"'spawn'"}


def test_text_has_an_encoding_wherever_it_is_read_or_written() -> None:
    wrong = []
    for where, call, name in CALLS:
        last = name.rpartition(".")[2]
        given = keywords(call)
        if last in ("read_text", "write_text"):
            ours = name in ("write_text", "files.write_text")  # spinetools.files: always UTF-8
            count = 0 if last == "read_text" else 1
            if not ours and "encoding" not in given and len(call.args) <= count:
                wrong.append(where)
        elif name == "open" or name.endswith(").open") or last == "fdopen":
            constants = [node for each in (*call.args, *call.keywords) for node in ast.walk(each)]
            modes = [n.value for n in constants if isinstance(n, ast.Constant) if n.value in MODES]
            if not any("b" in mode for mode in modes) and "encoding" not in given:
                wrong.append(where)
    assert wrong == []
