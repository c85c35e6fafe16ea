"""Measure st_run_batch: one worker, several, and several of which one is killed again and again.

    python testing/benchmark/batch.py [-subjects 100] [-jobs 2] [-kill-every 60] [-h]

Simulated subjects with a small field of view go through the whole chain of docs/process_subject.sh
(centreline, st_propseg, measures, QC report). All runs must give the same results, bit for bit.
With -slurm the subjects are run on a real SLURM of one node, too (testing/batch/slurm.py).
Prints a table; with 100 subjects or -o it is written to results/batch.tsv.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
from cases import RESULTS
from tables import Row, machine, markdown, number, write_tsv

from spinetools.batch import BatchParams, BatchReport, Progress, run_batch

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "docs" / "process_subject.sh"
#: The subjects' images: a cervical spine of 52 × 320 × 38 voxels.
SPACING_MM, FIELD_OF_VIEW = (1.0, 1.0, 4.0), "cervical"
#: What a table says of when and where it was made.
NOT_RESULTS = ("Timestamp", "Filename")
#: Written as it is only after a run of so many subjects.
FULL = 100


def main() -> None:
    """Make the subjects, run the batches, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("-subjects", type=int, default=FULL, help=f"(default {FULL})")
    parser.add_argument("-jobs", type=int, default=2, help="workers of the second run (default 2)")
    parser.add_argument("-kill-every", type=float, default=60, help="seconds (default 60)")
    parser.add_argument(
        "-runs", nargs="+", choices=("one", "many", "killed"), default=["one", "many", "killed"]
    )
    parser.add_argument("-script", type=Path, default=SCRIPT, help=f"(default {SCRIPT.name})")
    parser.add_argument("-slurm", action="store_true", help="one more run, on a real SLURM")
    parser.add_argument("-work", type=Path, help="folder that is kept (default: a temporary one)")
    parser.add_argument("-o", type=Path, help=f"folder of the table (default {RESULTS})")
    args = parser.parse_args()
    with ExitStack() as stack:
        work = args.work or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        data = work / "data"
        make_subjects(data, args.subjects, args.jobs)
        rows = measure(args, data, work)
    print(json.dumps(machine()))
    print(markdown(rows))
    if args.subjects >= FULL or args.o:
        write_tsv((args.o or RESULTS) / "batch.tsv", rows)
        print(f"\nwritten: {(args.o or RESULTS) / 'batch.tsv'}")
    lost = [row for row in rows if row["done"] != str(args.subjects) or row["same"] == "no"]
    sys.exit(1 if lost else 0)


def make_subjects(data: Path, count: int, jobs: int) -> None:
    """Make the subjects that are not there yet."""
    missing = [n for n in range(count) if not image_of(data, n).exists()]
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        list(pool.map(make_subject, [data] * len(missing), missing))


def image_of(data: Path, number: int) -> Path:
    """Return where a subject's image lies."""
    name = f"sub-{number:03}"
    return data / name / "anat" / f"{name}_T2w.nii.gz"


def make_subject(data: Path, number: int) -> None:
    """Image a simulated subject."""
    from spinetools.phantom import get_protocol, make_phantom

    protocol = replace(get_protocol("t2_3d"), spacing=SPACING_MM)
    make_phantom(number, "t2", protocol, FIELD_OF_VIEW).image.save(
        image_of(data, number), dtype="int16"
    )


def measure(args: argparse.Namespace, data: Path, work: Path) -> list[Row]:
    """Run the batches; a row each."""
    base = BatchParams(args.script, data, threads=1, retries=20)
    # the subjects of an earlier, larger run are left alone
    wanted = tuple(f"sub-{n:03}" for n in range(args.subjects))
    base = replace(base, selection=replace(base.selection, include_list=wanted))
    plans = {
        "one": (f"{1} worker", replace(base, jobs=1)),
        "many": (f"{args.jobs} workers", replace(base, jobs=args.jobs)),
        "killed": (
            f"{args.jobs} workers, one killed every {args.kill_every:g} s",
            replace(base, jobs=args.jobs),
        ),
    }
    rows: list[Row] = []
    first: dict[str, str] | None = None
    alone_s = float("nan")
    for name in [*args.runs, *(["slurm"] if args.slurm else [])]:
        with ExitStack() as stack:
            if name == "slurm":
                stack.enter_context(slurm_in(work / "slurm"))
                what, params = "SLURM", replace(
                    base, jobs=args.jobs, executor="slurm", memory_gb=1.5
                )  # fmt: skip
            else:
                what, params = plans[name]
            params = replace(params, output=work / f"run-{name}-{time.time_ns()}")
            kills = stack.enter_context(killer(args.kill_every)) if name == "killed" else []
            report = run_batch(params, say)
        found = results_of(Path(params.output))
        if name == "one":
            alone_s = report.seconds
        first = found if first is None else first
        rows.append(row_of(what, report, alone_s, len(kills), found == first))
        print(rows[-1], file=sys.stderr)
    return rows


def row_of(what: str, report: BatchReport, alone_s: float, kills: int, same: bool) -> Row:
    """Return a line of the table; the speed-up is over the run with one worker."""
    records = report.records
    return {
        "run": what,
        "subjects": str(len(records)),
        "done": str(sum(record.state == "done" for record in records)),
        "workers killed": str(kills),
        "attempts lost": str(report.workers_lost),
        "time, s": number(report.seconds, 0),
        "speed-up": number(alone_s / report.seconds),
        "a subject, s": number(sum(r.seconds for r in records) / len(records), 1),
        "its processor time, s": number(sum(r.cpu_seconds or 0 for r in records) / len(records), 1),
        "largest memory, MB": number(max(r.peak_memory_mb or 0 for r in records), 0),
        "same": "yes" if same else "no",
    }


def results_of(output: Path) -> dict[str, str]:
    """Return checksums of the images, and of the tables without when and where they were made."""
    sums = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (output / "data_processed").rglob("*.nii.gz")
    }
    for path in (output / "results").glob("*.csv"):
        with path.open(encoding="utf-8") as stream:
            rows = [
                {name: cell for name, cell in row.items() if name not in NOT_RESULTS}
                for row in csv.DictReader(stream)
            ]
        sums[path.name] = hashlib.sha256(json.dumps(rows).encode()).hexdigest()
    return sums


def say(progress: Progress, message: str | None) -> None:
    """Tell what happens."""
    if message is not None:
        left = "" if progress.eta_seconds is None else f", {progress.eta_seconds:.0f} s left"
        ended = progress.done + progress.failed
        print(f"[{ended}/{progress.total}] {message}{left}", file=sys.stderr)


@contextmanager
def killer(every_s: float) -> Iterator[list[int]]:
    """Kill one of this process's workers again and again; gives the list of those killed."""
    killed: list[int] = []
    over = threading.Event()
    draw = random.Random(0)

    def kill() -> None:
        while not over.wait(every_s):
            workers = [
                child.pid
                for child in psutil.Process().children()
                if "spawn_main" in " ".join(child.cmdline())
            ]
            if workers:
                killed.append(draw.choice(workers))
                os.kill(killed[-1], signal.SIGKILL)

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    try:
        yield killed
    finally:
        over.set()
        thread.join()


@contextmanager
def slurm_in(folder: Path) -> Iterator[None]:
    """Run a SLURM, and let this process talk to it."""
    sys.path.insert(0, str(ROOT / "testing" / "batch"))
    from slurm import slurm

    with slurm(folder) as environment:
        os.environ["SLURM_CONF"] = environment["SLURM_CONF"]
        try:
            yield
        finally:
            del os.environ["SLURM_CONF"]


if __name__ == "__main__":
    main()
