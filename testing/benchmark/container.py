"""Build the container image, run the README's two commands in fresh containers, and measure all.

    python testing/benchmark/container.py                 by docker
    python testing/benchmark/container.py -tool podman -o     by podman; write results/container.tsv

From a clean copy of the project, containers/Dockerfile is built; the chain on the sample then runs
in it twice, and st_check as a user whom the image does not know. In a container of the bare image
that the Dockerfile starts from, the README's install command runs as a user without rights, and
then its chain, twice. Only the build and the install have a network. Exit code 1 where a step
fails, a user is root, or the base installation is larger than the target of install.py.

Where no registry of images can be reached, ``container_base.sh`` first makes that bare image from
Debian's packages. A machine's own settings go in by ``-options``, which the project knows nothing
of, for instance a file of pip's settings and limits that the machine sets::

    -options "-v /etc/pip.conf:/etc/pip.conf:ro --ulimit nofile=1024:4096"

Times are of the step's processes alone, without the start of a container.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from install import RESULTS, ROOT, TARGET_MB, checkout
from tables import Row, read_tsv, write_tsv

IMAGE = "spinetools"
#: A user whom no image knows: --user of the docs may be any number. Not root's, where that is us.
STRANGER = (
    "--user", f"{os.getuid()}:{os.getgid()}" if os.getuid() else "4321:4321", "--env", "HOME=/tmp",
)  # fmt: skip
OFFLINE = ("--network", "none")
#: Where the folder of this machine is seen in a container; the other is the container's own.
MOUNTED, OWN = "/data", "/tmp"

# run inside a container: a command's times and the memory of its largest process
CLOCK = """
import json, os, resource, subprocess, sys, time
start = time.monotonic()
code = subprocess.call(sys.argv[1:])
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print("MEASURED", json.dumps({"clock": time.monotonic() - start, "user": os.getuid(),
    "processor": used.ru_utime + used.ru_stime, "memory": used.ru_maxrss / 1e3}))
sys.exit(code)
"""
INSTALL = "python3 -m venv .venv && . .venv/bin/activate && pip install -q --no-cache-dir ."
CHAIN = "batch_processing.sh"


@dataclass(frozen=True)
class Tool:
    """A program that builds and runs containers, called as docker is."""

    command: list[str]
    options: list[str] = field(default_factory=list)

    def build(self, folder: Path, python: str) -> float:
        """Build the project's image; return how long it took (s)."""
        start = time.monotonic()
        self.call(
            "build", *self.options, "--no-cache", "--build-arg", f"PYTHON={python}", "-t", IMAGE,
            "-f", str(folder / "containers" / "Dockerfile"), str(folder),
        )  # fmt: skip
        return time.monotonic() - start

    def size_mb(self, image: str) -> float:
        """Return how large an image is, all its layers together."""
        return int(self.call("image", "inspect", "--format", "{{.Size}}", image)) / 1e6

    def run(
        self, image: str, script: str, *options: str, folder: Path | None = None
    ) -> dict[str, float]:
        """Run a line of shell in a new container, in a folder of this machine or its own."""
        mount = ("-v", f"{folder}:{MOUNTED}") if folder else ()
        said = self.call(
            "run", "--rm", *self.options, *options, *mount, "-w", MOUNTED if folder else OWN,
            image, "python3", "-c", CLOCK, "bash", "-euc", script,
        )  # fmt: skip
        line = re.findall(r"^MEASURED (.*)$", said, flags=re.MULTILINE)[-1]
        measured: dict[str, float] = json.loads(line)
        if measured.pop("user") == 0:
            raise SystemExit(f"{script}: ran as root in {image}")
        return measured

    def call(self, *arguments: str) -> str:
        """Run the program; it must succeed."""
        done = subprocess.run([*self.command, *arguments], capture_output=True, text=True)
        if done.returncode:
            what = f"{shlex.join(self.command)} {arguments[0]}"
            raise SystemExit(f"{what} failed:\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
        return done.stdout


def main() -> None:
    """Build, run, measure, tell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-tool", default="docker", help="program, with its own options if need be")
    parser.add_argument("-options", default="", help="options for every build and run")
    parser.add_argument("-python", default=default_python(), help="version of Python")
    parser.add_argument("-only", choices=("build", "image", "readme"), help="one part of the table")
    parser.add_argument("-o", action="store_true", help="write the table, or its part, in results/")
    args = parser.parse_args()
    tool = Tool(shlex.split(args.tool), shlex.split(args.options))
    parts = {"build": of_the_build, "image": of_the_image, "readme": of_the_readme}
    for part, steps in parts.items():
        if args.only in (None, part):
            rows = []
            for step in steps(tool, args.python):
                print(*step.values(), sep="\t", flush=True)
                rows.append({"part": part, **step})
                if args.o:
                    keep(rows)


def of_the_build(tool: Tool, python: str) -> Iterator[Row]:
    """Build the image from a clean copy of the project."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "source")
        checkout(source)
        seconds = tool.build(source, python)
    yield row("containers/Dockerfile is built", tool.size_mb(IMAGE), seconds)
    yield row(f"of it, {bare_image(python)}", tool.size_mb(bare_image(python)))


def of_the_image(tool: Tool, python: str) -> Iterator[Row]:
    """Run in the image that was built, with no network."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)  # whoever runs in the container writes there
        measured = tool.run(IMAGE, "st_check", *OFFLINE, *STRANGER, folder=Path(folder))
    yield row("st_check, by a user whom it does not know", **measured)
    for turn in ("first", "second"):
        yield row(f"{CHAIN}, {turn} run", **tool.run(IMAGE, CHAIN, *OFFLINE))


def of_the_readme(tool: Tool, python: str) -> Iterator[Row]:
    """Run the README's two commands in the bare image; the second one with no network."""
    bare = bare_image(python)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "source")
        checkout(source)
        for path in (Path(folder), source, *filter(Path.is_dir, source.rglob("*"))):
            path.chmod(0o777)
        measured = tool.run(bare, INSTALL, *STRANGER, folder=source)
        installed_mb = size_mb(source / ".venv")
        yield row("venv and pip install", installed_mb, **measured)
        for turn in ("first", "second"):
            script = f". .venv/bin/activate && bash {CHAIN}"
            measured = tool.run(bare, script, *OFFLINE, *STRANGER, folder=source)
            yield row(f"{CHAIN}, {turn} run", **measured)
    if installed_mb > TARGET_MB:
        raise SystemExit(f"the installation has {installed_mb:.0f} MB, more than {TARGET_MB:.0f}")


def keep(rows: list[dict[str, str]]) -> None:
    """Put a part into the table, in the place of what it had before."""
    path = RESULTS / "container.tsv"
    old = read_tsv(path) if path.is_file() else []
    write_tsv(path, [*(each for each in old if each["part"] != rows[0]["part"]), *rows])


def row(
    step: str,
    disk: float | None = None,
    clock: float | None = None,
    processor: float | None = None,
    memory: float | None = None,
) -> Row:
    """Return a row of the table; what was not measured is n/a."""

    def shown(value: float | None) -> str:
        return "n/a" if value is None else f"{value:.0f}"

    return {
        "step": step,
        "time, s": shown(clock),
        "of the processor, s": shown(processor),
        "largest process, MB": shown(memory),
        "on the disk, MB": shown(disk),
    }


def bare_image(python: str) -> str:
    """Return the name of the image that the Dockerfile starts from."""
    return f"python:{python}-slim"


def default_python() -> str:
    """Return the version of Python that the Dockerfile names."""
    text = (ROOT / "containers" / "Dockerfile").read_text(encoding="utf-8")
    return re.findall(r"^ARG PYTHON=(\S+)$", text, flags=re.MULTILINE)[0]


def size_mb(folder: Path) -> float:
    """Return how large a folder's files are, links not followed."""
    files = (path.lstat() for path in folder.rglob("*"))
    return sum(status.st_size for status in files if stat.S_ISREG(status.st_mode)) / 1e6


if __name__ == "__main__":
    main()
