"""Try what can go wrong, thousands of times, and count what a user would suffer from.

    python testing/benchmark/faults.py [PART …] [-count N] [-seed N] [-h]

Parts, each with its counts in results/faults.tsv:

loader    malformed NIfTI files through the functions that load images, masks and labels
commands  malformed NIfTI files through the commands
other     malformed tables, JSON, YAML, ONNX models and zips through the commands
kills     kill -9 at random moments of every command that writes
machine   full disk, read-only folder, two runs on one output, a clock that jumps
large     a volume of 512³ voxels through commands that may take 4 GB
names     paths with spaces, quotes, newlines, emoji, HTML and bytes that are no text

Counted are tracebacks (also warnings of libraries, and errors of more than one line), hangs, half
files (under a final name, not whole), and files outside the folder that was named for output. A
case follows from the seed and its number alone; a run goes on from the number that the table has,
until every part has -count cases. What was found is printed.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import faults_calls as calls
import faults_inputs as inputs
import faults_run as runs
import faults_texts as texts
from faults_count import Box, Table, Tally, box, judge
from faults_kills import kills
from faults_machine import large, machine, names
from fuzz_loader import check
from tables import markdown

#: A process that is forked must not have threads.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
RESULTS = Path(__file__).resolve().parent / "results" / "faults.tsv"
COUNTS = {"loader": 2400, "commands": 480, "other": 240, "kills": 600}
#: So many inputs share a process in the part "loader".
CHUNK = 60
#: What loading a file of some kilobytes may take (s), on a busy machine.
LOADER_LIMIT_S = 20
LOADER_MEMORY_BYTES = 3 << 30


def main() -> None:
    """Run the parts that were asked for."""
    if any(os.environ.get(name) != "1" for name in THREADS):
        os.environ.update(dict.fromkeys(THREADS, "1"))
        os.execv(sys.executable, [sys.executable, *sys.argv])  # libraries read it when imported
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("-count", type=int, help=f"cases of a part (default {COUNTS})")
    parser.add_argument("-seed", type=int, default=1)
    parser.add_argument("-only", nargs="+", default=(), help="only these commands, or ways")
    parser.add_argument("-table", type=Path, default=RESULTS, help="default: results/faults.tsv")
    args = parser.parse_args()
    unknown = set(args.parts) - PARTS.keys()
    if unknown:
        parser.error(f"no part {', '.join(unknown)}: choose of {', '.join(PARTS)}")
    runs.import_everything()
    table = Table(args.table, args.seed, tuple(args.only))
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        for part in args.parts or PARTS:
            start = time.monotonic()
            PARTS[part](table, args.count or COUNTS.get(part, 0), Path(folder))
            print(
                f"{part}: {table.tried(part)} tried, {time.monotonic() - start:.0f} s", flush=True
            )
    rows = list(table.rows.values())
    print(markdown([tally.row(args.seed) for tally in rows]))
    sys.exit(1 if any(tally.faults for tally in rows) else 0)


# -- loader ------------------------------------------------------------------------------------


class Hang(BaseException):
    """A load took too long; no Exception, so that nothing in between can take it for its own."""


def loader(table: Table, count: int, folder: Path) -> None:
    """Load malformed images in this kind of process, some at a time in a forked one."""
    ways = list(inputs.WAYS)
    every = [n for n in range(count) if not table.only or ways[n % len(ways)] in table.only]
    for start in range(table.tried("loader"), len(every), CHUNK):
        numbers = every[start : start + CHUNK]
        table.add(_in_fork(lambda numbers=numbers: load_all(table.seed, numbers, folder)))


def load_all(seed: int, numbers: Sequence[int], folder: Path) -> list[Tally]:
    """Load the malformed images of these numbers; return a row for each kind."""
    tallies: dict[str, Tally] = {}
    for number in numbers:
        with box(folder) as place:
            bad = inputs.malformed(seed, number, place.here)
            tally = tallies.setdefault(bad.way, Tally("loader", bad.way))
            before = runs.listing(place.root)
            _load(bad.path, place, tally, f"{seed} {number}")
            if outside := place.outside(before):
                tally.outside += 1
                tally.found.append(f"{number}: files outside: {outside}")
    return list(tallies.values())


def _load(path: Path, place: Box, tally: Tally, case: str) -> None:
    def stop(*_: object) -> None:
        raise Hang

    tally.tried += 1
    signal.signal(signal.SIGALRM, stop)
    signal.alarm(LOADER_LIMIT_S)
    saved = place.out / "saved.nii"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            check(path, saved)
    except Hang:
        tally.hangs += 1
        tally.found.append(f"{case}: hang")
    except Exception:
        tally.tracebacks += 1
        tally.found.append(f"{case}:\n{traceback.format_exc()}")
    else:
        tally.fine += saved.exists()
        tally.refused += not saved.exists()
    finally:
        signal.alarm(0)
    if half := runs.half_files(place.out):
        tally.half += 1
        tally.found.append(f"{case}: {half}")


def _in_fork(work: Callable[[], list[Tally]]) -> list[Tally]:
    """Do something in a forked process with little memory; return its rows."""
    source, sink = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            resource.setrlimit(resource.RLIMIT_AS, (LOADER_MEMORY_BYTES, LOADER_MEMORY_BYTES))
            rows = [vars(tally) for tally in work()]
            with os.fdopen(sink, "w") as pipe:
                json.dump(rows, pipe)
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    os.close(sink)
    with os.fdopen(source) as pipe:
        rows = json.load(pipe)
    os.waitpid(child, 0)
    return [Tally(**row) for row in rows]


# -- commands ----------------------------------------------------------------------------------


def commands(table: Table, count: int, folder: Path) -> None:
    """Give malformed images to commands."""
    files = calls.sound_files(folder / "sound")
    chosen = calls.available(calls.READING)
    image, mask = calls.cord()
    for number in range(table.tried("commands"), count):
        call = chosen[(number * 7 + number // len(chosen)) % len(chosen)]
        with box(folder) as place:
            array = mask if "MBAD" in call.line else image
            bad = inputs.malformed(table.seed + 1000, number, place.here, array)
            own = {**files, "OUT": place.out, "BAD": bad.path, "MBAD": bad.path}
            tally = Tally("commands", call.command)
            judge(call, own, place, tally, f"{number} ({bad.way})")
        table.add([tally])


def other(table: Table, count: int, folder: Path) -> None:
    """Give malformed files that are no images to commands."""
    files = calls.sound_files(folder / "sound")
    report = calls.report_for(folder / "report", files)
    chosen = [(kind, call) for kind, line in calls.OTHER for call in calls.available((line,))]
    if table.only:
        chosen = [each for each in chosen if each[0] in {name.split(":")[0] for name in table.only}]
    for number in range(table.tried("other"), count):
        kind, call = chosen[number % len(chosen)]
        with box(folder) as place:
            shutil.copytree(report, place.out / "report")
            bad = texts.other_file(kind, table.seed, number, place.here, files)
            own = {**files, "OUT": place.out, "BAD": bad, "REPORT": place.out / "report"}
            tally = Tally("other", f"{kind}: {call.command}")
            judge(call, own, place, tally, str(number))
        table.add([tally])


PARTS: dict[str, Callable[[Table, int, Path], None]] = {
    "loader": loader,
    "commands": commands,
    "other": other,
    "kills": kills,
    "machine": machine,
    "names": names,
    "large": large,
}


if __name__ == "__main__":
    main()
