"""Run a command as a process of its own, kill it if wanted, and look at what it left.

The process is forked from one that has imported everything: a run takes a tenth of a second where a
fresh Python would take two. It is a process like any other to the kernel, to signals and to files.
"""

from __future__ import annotations

import csv
import faulthandler
import importlib
import io
import json
import os
import pkgutil
import re
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

#: After so long a command counts as hanging (s): the slowest sound one takes some 3.
LIMIT_S = 60.0
#: They start processes of their own, each with a Python of its own.
SLOW_LIMITS_S = {"st_run_batch": 400.0, "st_pilot": 400.0}
#: Address space of a command.
MEMORY_BYTES = 6 << 30
#: What an audit event must be to count as "touches the file system".
_TOUCHES = ("open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.truncate", "shutil.")
#: Packages whose warnings on the terminal count as faults, too.
_STRAY = re.compile(r"^\S+\.py:\d+: \w*Warning: |^Exception ignored in|^Fatal Python error", re.M)


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes
    ----------
    code
        Exit code; −9 where it was killed.
    out, err
        What it said.
    seconds
        How long it took.
    touches
        How often it touched a file; only of a run that was not killed.
    hung
        Whether it had to be stopped.
    """

    code: int
    out: str
    err: str
    seconds: float
    touches: int
    hung: bool

    @property
    def traceback(self) -> str:
        """What a user would see of our insides; empty where there is nothing."""
        if "Traceback (most recent call last)" in self.err or _STRAY.search(self.err):
            return self.err
        if self.code not in (0, 1, 2, -signal.SIGKILL):
            return f"exit code {self.code}: {self.err}"
        lines = self.err.strip().splitlines()
        if self.code == 1 and not (lines and ": error: " in lines[-1]):
            return f"exit code 1 without a line that says why: {self.err}"
        return ""


@dataclass(frozen=True)
class Kill:
    """When to kill -9 a run: after so many seconds, or before it touches files the n-th time."""

    after_s: float | None = None
    touch: int | None = None


def import_everything() -> None:
    """Import what commands import, so that forked processes need not."""
    import spinetools

    for found in pkgutil.walk_packages(spinetools.__path__, "spinetools."):
        if found.name.startswith(("spinetools.training", "spinetools.data")):
            continue
        with suppress(ImportError):  # an extra that is not installed
            importlib.import_module(found.name)
    for name in (
        "onnxruntime",
        "skimage.measure",
        "matplotlib.figure",
        "PIL.Image",
        "scipy.ndimage",
        "matplotlib.backends.backend_agg",
        "scipy.interpolate",
        "scipy.optimize",
        "scipy.sparse.csgraph",
        "scipy.spatial",
        "skimage.morphology",
        "cc3d",
        "edt",
    ):
        with suppress(ImportError):
            importlib.import_module(name)


def run(
    arguments: Sequence[str],
    folder: Path,
    kill: Kill | None = None,
    limit_s: float | None = None,
    memory_bytes: int = MEMORY_BYTES,
) -> Ended:
    """Run a command in a folder.

    Parameters
    ----------
    arguments
        The command's name and its arguments.
    folder
        The current folder; ``$TMPDIR`` is the folder ``tmp`` beside it.
    kill
        When to kill it; None never.
    limit_s, memory_bytes
        Time and address space that it may take; None for what is usual.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        source, sink = os.pipe()
        start = time.monotonic()
        child = os.fork()
        if child == 0:
            os.close(source)
            _become(arguments, folder, (out.fileno(), err.fileno()), sink, kill, memory_bytes)
        os.close(sink)
        limit_s = limit_s or SLOW_LIMITS_S.get(arguments[0], LIMIT_S)
        status, hung = _wait(child, kill, limit_s)
        seconds = time.monotonic() - start
        with os.fdopen(source, "rb") as pipe:
            said = pipe.read()
        with suppress(ProcessLookupError):  # what it started itself
            os.killpg(child, signal.SIGKILL)
        texts = []
        for stream in (out, err):
            stream.seek(0)
            texts.append(stream.read().decode(errors="replace"))
    code = os.waitstatus_to_exitcode(status)
    return Ended(code, *texts, seconds, int(said or b"0"), hung)


def together(every: Sequence[Sequence[str]], folder: Path) -> list[Ended]:
    """Run several commands at once in one folder; return how each ended."""
    waiting = []
    for arguments in every:
        source, sink = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.write(sink, json.dumps(vars(run(arguments, folder))).encode())
            finally:
                os._exit(0)
        os.close(sink)
        waiting.append((child, source))
    ended = []
    for child, source in waiting:
        with os.fdopen(source, "rb") as pipe:
            ended.append(Ended(**json.loads(pipe.read())))
        os.waitpid(child, 0)
    return ended


def _wait(child: int, kill: Kill | None, limit_s: float) -> tuple[int, bool]:
    """Wait for a process, kill it when it is time; return its status and whether it hung."""
    start = time.monotonic()
    to_kill = kill.after_s if kill else None
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status, False
        passed = time.monotonic() - start
        if to_kill is not None and passed >= to_kill:
            os.kill(child, signal.SIGKILL)
            to_kill = None
        if passed > limit_s:
            os.kill(child, signal.SIGABRT)  # faulthandler says where it hangs
            time.sleep(0.3)
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            return os.waitpid(child, 0)[1], True
        time.sleep(min(0.005, max(0.0, (to_kill or 1) - passed)))


def _become(
    arguments: Sequence[str],
    folder: Path,
    streams: tuple[int, int],
    sink: int,
    kill: Kill | None,
    memory_bytes: int,
) -> None:
    """Be the command, in a forked process; does not return."""
    code = 70
    try:
        os.setsid()
        os.dup2(streams[0], 1)
        os.dup2(streams[1], 2)
        sys.stdout = io.TextIOWrapper(os.fdopen(1, "wb", closefd=False), "utf-8", "strict")
        sys.stderr = io.TextIOWrapper(
            os.fdopen(2, "wb", closefd=False), "utf-8", "backslashreplace", line_buffering=True
        )
        faulthandler.enable(2, all_threads=False)
        os.chdir(folder)
        os.environ["TMPDIR"] = tempfile.tempdir = str(folder.parent / "tmp")
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
        touches = _count_touches(kill.touch if kill else None)
        sys.argv = list(arguments)
        try:
            importlib.import_module(f"spinetools.cli.{arguments[0]}").main()
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        except BaseException:
            traceback.print_exc()
            code = 1
        sys.stdout.flush()
        sys.stderr.flush()
        os.write(sink, str(touches()).encode())
    finally:
        os._exit(code)


def _count_touches(killed_at: int | None) -> Callable[[], int]:
    """Count the events that touch files, and kill this process before one of them."""
    count = 0

    def watch(event: str, _: object) -> None:
        nonlocal count
        if event.startswith(_TOUCHES):
            count += 1
            if count == killed_at:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)
    return lambda: count


# -- what is left ------------------------------------------------------------------------------


def listing(folder: Path) -> dict[str, tuple[int, int]]:
    """Return size and time of every file below a folder; folders and links as they are."""
    found = {}
    for path in folder.rglob("*"):
        with suppress(OSError):
            state = path.lstat()
            found[os.fsencode(path.relative_to(folder)).decode(errors="replace")] = (
                state.st_size if path.is_file() else -1,
                state.st_mtime_ns if path.is_file() else 0,
            )
    return found


def visible_files(folder: Path) -> list[Path]:
    """Return the files that a user sees: no part of their path starts with a dot."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and not any(p.startswith(".") for p in path.relative_to(folder).parts)
    )


def half_files(folder: Path, whole: Path | None = None) -> list[str]:
    """Return what is wrong with the visible files of a folder, a line each.

    Parameters
    ----------
    folder
        Where a command wrote.
    whole
        The same from a run that ended well: files that have no structure of their own are compared
        with it.
    """
    wrong = []
    for path in visible_files(folder):
        like = whole / path.relative_to(folder) if whole else None
        said = unsound(path, like if like and like.is_file() else None)
        if said:
            wrong.append(f"{path.relative_to(folder)}: {said}")
    return wrong


def unsound(path: Path, like: Path | None = None) -> str:
    """Say in a few words why a file is not whole; empty where it is."""
    name = path.name.lower()
    try:
        if name.endswith((".nii.gz", ".nii")):
            _read_image(path)
        elif name.endswith(".json"):
            json.loads(path.read_text("utf-8"))
        elif name.endswith((".csv", ".tsv")):
            _read_table(path)
        elif name.endswith((".png", ".jpg", ".jpeg")):
            _read_picture(path)
        elif name.endswith((".html", ".svg")):
            text = path.read_text("utf-8").rstrip()
            assert text.endswith(("</html>", "</svg>")), "it does not end as it should"
        elif name in ("entries.js", "entry.js"):
            read_script(path)
        elif name.endswith(".onnx"):
            from spinetools.models.card import read_card

            read_card(path)
        elif name in ("ratings.js", "comparisons.js") and path.stat().st_size == 0:
            pass  # put there for the page to find, until there is something to say
        elif like is not None:
            short = path.stat().st_size < like.stat().st_size
            assert not short, f"{path.stat().st_size} bytes, whole it has {like.stat().st_size}"
    except Exception as error:
        return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
    return ""


def _read_image(path: Path) -> None:
    from spinetools.image import Image

    # nibabel's own loader looks into extensions, which are kept as they were, sound or not
    _ = Image.load(path).data


def _read_table(path: Path) -> None:
    text = path.read_text("utf-8")
    assert text.endswith("\n"), "its last line has no end"
    list(
        csv.reader(io.StringIO(text), delimiter="\t" if path.suffix == ".tsv" else ",", strict=True)
    )


def _read_picture(path: Path) -> None:
    from PIL import Image

    with Image.open(path) as picture:
        picture.load()


def read_script(path: Path) -> object:
    """Read the JSON within a report's script; an empty one says nothing yet."""
    text = path.read_text("utf-8")
    return json.loads(text[text.index("{") : text.rindex("}") + 1]) if text.strip() else {}


def unopened_reports(folder: Path) -> list[str]:
    """Return what keeps the QC reports below a folder from being opened."""
    wrong = []
    for page in folder.rglob("index.html"):
        scripts = re.findall(r'<script[^>]* src="([^"]+)"', page.read_text("utf-8"))
        wrong += [
            f"{page.parent}: {name} is missing"
            for name in scripts
            if not (page.parent / name).is_file()
        ]
        index = page.with_name("entries.js")
        if index.is_file() and (said := unsound(index)):
            wrong.append(f"{index}: {said}")
    return wrong
