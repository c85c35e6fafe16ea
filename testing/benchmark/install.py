"""Install spinetools as a new user would, and measure it: time, size, and what weighs how much.

    python testing/benchmark/install.py                 with this Python
    python testing/benchmark/install.py -python 3.10 -run   and the README's chain on the sample
    python testing/benchmark/install.py -python 3.10 -test  and the fast part of the tests

A clean copy of the project's files is installed into a new virtual environment in a new folder, by
the one command of the README. ``-o`` appends a row to results/install.tsv and the largest packages
go to results/install_packages.tsv. Exit code 1 where the base is larger than the target, or where a
test failed. (container.py does the same in a container.)
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tables import read_tsv, write_tsv

ROOT = Path(__file__).resolve().parents[2]
RESULTS = Path(__file__).resolve().parent / "results"
#: What a base installation may weigh: for a laptop, beside 1.8 GB of a reduced SCT (issue 6).
TARGET_MB = 600.0

#: The fast part of the tests, and all that it needs beside the package itself.
FAST = (
    "testing/image", "testing/metrics", "testing/test_labels.py", "testing/test_files.py",
    "testing/cli/test_contract.py", "testing/cli/test_parser.py",
)  # fmt: skip
TEST_TOOLS = ("pytest", "pytest-timeout", "hypothesis")
#: How fast a command starts is not for a machine that is busy with installing to say.
TIMED = "not help_comes_at_once"

# run inside the new environment: sizes by distribution, of files as they lie on the disk
SIZES = """
import importlib.metadata as m, json, pathlib, sys
def size(path):
    return path.stat().st_size if path.is_file() and not path.is_symlink() else 0
packages = {}
for d in m.distributions():
    files = {pathlib.Path(d.locate_file(f)).resolve() for f in d.files or ()}
    packages[d.metadata["Name"]] = (d.version, sum(map(size, files)))
everything = sum(size(p) for p in pathlib.Path(sys.prefix).rglob("*"))
print(json.dumps({"packages": packages, "everything": everything}))
"""


def main() -> None:
    """Install, measure, tell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-python", default=sys.executable, help="interpreter, or 3.X of pyenv")
    parser.add_argument("-extras", default="", help="extras to install, e.g. batch,train")
    parser.add_argument("-keep", type=Path, help="make the environment here and keep it")
    parser.add_argument("-run", action="store_true", help="then batch_processing.sh on its sample")
    parser.add_argument("-test", action="store_true", help="then the fast part of the tests")
    parser.add_argument("-o", action="store_true", help="write the tables in results/")
    args = parser.parse_args()
    python = interpreter(args.python)
    with tempfile.TemporaryDirectory() as folder:
        source, venv = Path(folder, "source"), args.keep or Path(folder, "venv")
        checkout(source)
        seconds, processor = clocked(lambda: install(python, source, venv, args.extras))
        measured = json.loads(call([venv_python(venv), "-c", SIZES], source))
        ran = clocked(lambda: run_chain(venv, source)) if args.run else None
        tested = run_tests(venv, source) if args.test else "n/a"
    packages = {name: (v, size / 1e6) for name, (v, size) in measured["packages"].items()}
    tools = ("pip", "setuptools", "wheel")
    base = sum(size for name, (_, size) in packages.items() if name not in tools)
    everything = measured["everything"] / 1e6
    version = call([python, "-c", "import platform; print(platform.python_version())"], ROOT)
    row = {
        "python": version.strip(),
        "system": f"{platform.system()} {platform.machine()}",
        "pip install, s": f"{seconds:.0f}",
        "of the processor, s": f"{processor:.0f}",
        "packages, MB": f"{base:.0f}",
        "with pip, MB": f"{everything:.0f}",
        "batch_processing.sh, s": f"{ran[0]:.0f}" if ran else "n/a",
        "of the processor in it, s": f"{ran[1]:.0f}" if ran else "n/a",
        "fast tests": tested,
    }
    largest = sorted(packages.items(), key=lambda item: -item[1][1])
    weights = [
        {"package": name, "version": version, "MB": f"{size:.1f}"}
        for name, (version, size) in largest
        if size >= 1
    ]
    print(*(f"{name}: {value}" for name, value in row.items()), sep="\n")
    print(*("{MB:>8} MB  {package} {version}".format(**each) for each in weights), sep="\n")
    if args.o:
        note(row)
        write_tsv(RESULTS / "install_packages.tsv", weights)
    sys.exit(base > TARGET_MB or "failed" in tested or "error" in tested)


def interpreter(name: str) -> str:
    """Return the path of a Python that is named by its version."""
    if Path(name).exists():
        return name
    home = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    found = sorted(home.glob(f"{name}*/bin/python"))
    return str(found[-1]) if found else f"python{name}"


def checkout(folder: Path) -> None:
    """Put the files of the project, and no others that lie about, into a new folder."""
    listed = call(["git", "ls-files", "-z", "-co", "--exclude-standard"], ROOT)
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


def clocked(work: Callable[[], None]) -> tuple[float, float]:
    """Return how long programs take (s), by the clock and of the processor."""
    start, before = time.monotonic(), os.times()
    work()
    after = os.times()
    used = after.children_user + after.children_system
    return time.monotonic() - start, used - before.children_user - before.children_system


def install(python: str, source: Path, venv: Path, extras: str) -> None:
    """Run the README's command for installing."""
    call([python, "-m", "venv", str(venv)], source)
    what = f".[{extras}]" if extras else "."
    call([venv_python(venv), "-m", "pip", "install", "-q", "--no-cache-dir", what], source)


def run_chain(venv: Path, source: Path) -> None:
    """Run the second command of the README."""
    path = f"{venv / 'bin'}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "batch_processing.sh"], cwd=source, env={**os.environ, "PATH": path},
        capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"batch_processing.sh failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")


def run_tests(venv: Path, source: Path) -> str:
    """Run the fast part of the tests against the installed package; return pytest's counts."""
    call([venv_python(venv), "-m", "pip", "install", "-q", *TEST_TOOLS], source)
    # not the package beside the tests, but the installed one
    (source / "spinetools").rename(source / "spinetools-source")
    done = subprocess.run(
        [venv_python(venv), "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", TIMED, *FAST],
        cwd=source, capture_output=True, text=True,
    )  # fmt: skip
    counts = re.search(r"(\d+ (?:passed|failed|error).*) in ", done.stdout)
    if done.returncode or not counts:
        print(done.stdout[-8000:], done.stderr[-2000:], sep="\n", file=sys.stderr)
    return counts[1] if counts else "error: no test ran"


def venv_python(venv: Path) -> str:
    """Return the environment's Python."""
    return str(venv / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python"))


def call(command: list[str], folder: Path) -> str:
    """Run a program to its end; it must succeed."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command[:4])} failed:\n{done.stderr[-2000:]}")
    return done.stdout


def note(row: dict[str, str]) -> None:
    """Put a row into the table, in the place of an earlier one of the same Python and system."""
    path = RESULTS / "install.tsv"
    rows = read_tsv(path) if path.is_file() else []
    kept = [
        {name: old.get(name, "n/a") for name in row}  # written before there was such a column
        for old in rows
        if (old["python"], old["system"]) != (row["python"], row["system"])
    ]
    write_tsv(path, sorted([*kept, row], key=lambda r: [int(n) for n in r["python"].split(".")]))


if __name__ == "__main__":
    main()
