"""Put small faults into the code, one at a time, and count those that the tests see.

    python testing/benchmark/mutations.py [PART …] [-count N] [-seed N] [-h]

Parts: labels, metrics, image and dicom (image's subpackage). Of each, -count places are drawn at
random from the seed (mutants.py says what a place is), and its tests run against the module with
that place changed, the quickest first, until one fails. Only tests run that reach the line, or all
that reach the module where the line runs when it is imported. A mutant that no test sees is the
same program (results/mutations_same.tsv says why, each read and judged) or a gap in the tests.

No file is changed: tests run in a fork of this process whose importer hands out the changed
module. Programs that a test starts see the code as it is. Linux and macOS only.

Writes results/mutations.tsv. The survivors are printed.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import importlib
import importlib.machinery
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import CodeType
from typing import Any

import pytest
from mutants import Mutant, around, mutant, places
from tables import markdown, read_tsv, write_tsv

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
RESULTS = HERE / "results" / "mutations.tsv"
SAME = HERE / "results" / "mutations_same.tsv"
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
#: A mutant may take so many times what the tests take without it, and so long besides (s).
SLOWER, PATIENCE_S = 4.0, 30.0
#: Libraries that the tests import: loaded once, before the forks.
LIBRARIES = (
    "numpy", "scipy.ndimage", "scipy.interpolate", "scipy.spatial", "scipy.optimize",
    "scipy.stats", "nibabel", "skimage.measure", "skimage.morphology", "cc3d", "edt",
    "hypothesis.strategies", "hypothesis.extra.numpy", "pydicom", "highdicom", "PIL.Image",
    "requests", "filelock", "platformdirs", "tqdm",
)  # fmt: skip


@dataclass(frozen=True)
class Part:
    """Modules, and the tests that are theirs."""

    sources: tuple[str, ...]
    tests: tuple[str, ...]
    count: int
    #: Only tests that fit this expression of pytest; a mutant that they see is seen.
    expression: str = ""


PARTS = {
    "labels": Part(
        ("spinetools/labels.py",),
        ("testing/test_labels.py", "testing/cli/test_st_label_utils.py"),
        60,
    ),
    "metrics": Part(
        ("spinetools/metrics/*.py",),
        (
            "testing/metrics",
            "testing/cli/test_st_dice_coefficient.py",
            "testing/cli/test_st_compute_hausdorff_distance.py",
            "testing/cli/test_st_process_segmentation.py",
        ),
        80,
    ),
    "image": Part(
        ("spinetools/image/*.py",),
        (
            "testing/image/test_*.py",
            "testing/cli/test_st_image.py",
            "testing/cli/test_st_crop_image.py",
            "testing/cli/test_st_label_utils.py",
        ),
        80,
    ),
    "dicom": Part(
        ("spinetools/image/dicom/*.py",),
        ("testing/image/dicom", "testing/cli/test_dicom.py"),
        20,
    ),
}


@dataclass
class Reached:
    """What the tests of a part do with the code as it is."""

    seconds: dict[str, float] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    #: Tests by file and line; none where the line runs at import.
    lines: dict[str, dict[int, list[str]]] = field(default_factory=dict)

    def tests(self, file: str, line: int) -> list[str]:
        """List the tests that can see a change of a line, the quickest first."""
        by_line = self.lines.get(file, {})
        statement, function = around(Path(file).read_text(encoding="utf-8"), line)
        found = {test for one in statement for test in by_line.get(one, ())}
        if not found and function:  # a cache, or a line that the interpreter does not report
            found = {test for one in function for test in by_line.get(one, ())}
        if not found and (not function or any(one in by_line for one in function)):
            found = {test for tests in by_line.values() for test in tests}
        return sorted(found & self.seconds.keys(), key=self.seconds.__getitem__)


def main() -> None:
    """Try the parts that were asked for."""
    if any(os.environ.get(name) != "1" for name in THREADS):
        os.environ.update(dict.fromkeys(THREADS, "1"))  # a process that is forked has no threads
        os.execv(sys.executable, [sys.executable, *sys.argv])
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("-count", type=int, help="mutants of a part (default: 20 to 80)")
    parser.add_argument("-seed", type=int, default=1)
    parser.add_argument("-only", help="only places of files whose name has this")
    parser.add_argument("-again", type=Path, help="only the survivors that this file lists")
    parser.add_argument("-k", default="", help="only tests that fit this expression of pytest")
    parser.add_argument("-kept", type=Path, help="where survivors are listed (JSON lines)")
    args = parser.parse_args()
    if unknown := set(args.parts) - PARTS.keys():
        parser.error(f"no part {', '.join(unknown)}: choose of {', '.join(PARTS)}")
    os.chdir(ROOT)
    for name in LIBRARIES:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    rows: dict[str, dict[str, str]] = {}
    for name in args.parts or PARTS:
        drawn = draw(PARTS[name], args.count or PARTS[name].count, args.seed, args.only)
        if args.again:
            listed = {tuple(json.loads(line)[:2]) for line in args.again.open(encoding="utf-8")}
            drawn = [(file, one) for file, one in drawn if (file, _key(one)) in listed]
        start = time.monotonic()
        outcomes = try_all(replace(PARTS[name], expression=args.k), drawn, args.kept)
        rows[name] = row_of(name, args.seed, outcomes)
        print(f"{name}: {time.monotonic() - start:.0f} s", flush=True)
    print(markdown(list(rows.values())))
    if not (args.only or args.again or args.k):
        before = {row["part"]: row for row in read_tsv(RESULTS)} if RESULTS.exists() else {}
        rows = {**before, **rows}
        write_tsv(RESULTS, [rows[name] for name in PARTS if name in rows])


def draw(part: Part, count: int, seed: int, only: str | None = None) -> list[tuple[str, Mutant]]:
    """Draw mutants of a part: file and mutant, in the order in which they were drawn."""
    files = sorted(str(file.relative_to(ROOT)) for glob in part.sources for file in ROOT.glob(glob))
    texts = {file: Path(file).read_text(encoding="utf-8") for file in files}
    every = [(file, place) for file in files for place in places(texts[file])]
    chosen = random.Random(seed).sample(every, min(count, len(every)))
    return [
        (file, mutant(texts[file], place)) for file, place in chosen if not only or only in file
    ]


def try_all(part: Part, drawn: list[tuple[str, Mutant]], kept: Path | None) -> list[str]:
    """Run the tests on every mutant; say of each what became of it."""
    reached = reach(part)
    if reached.failed:
        print("these fail without any change and are left out:", *reached.failed, sep="\n  ")
    same = {(row["file"], row["change"]) for row in read_tsv(SAME)} if SAME.exists() else set()
    outcomes = []
    for number, (file, one) in enumerate(drawn, 1):
        tests = reached.tests(file, one.place.line)
        outcome, by = try_one(file, one, tests, sum(reached.seconds[test] for test in tests))
        if outcome == "survived" and (file, _key(one)) in same:
            outcome = "same"
        outcomes.append(outcome)
        print(f"{number:4d} {outcome:9s} {file}:{one.place.line} [{one.place.kind}] {by}")
        if outcome == "survived":
            print(f"       {one.before}\n    -> {one.after}   ({len(tests)} tests)", flush=True)
            if kept:
                with kept.open("a", encoding="utf-8") as stream:
                    stream.write(json.dumps([file, _key(one), one.place.line]) + "\n")
    return outcomes


def row_of(name: str, seed: int, outcomes: list[str]) -> dict[str, str]:
    """Count a part's outcomes."""
    counts = Counter(outcomes)
    different = len(outcomes) - counts["same"]
    seen = different - counts["survived"]
    return {
        "part": name,
        "seed": str(seed),
        "mutants": str(len(outcomes)),
        "seen by a test": str(counts["killed"]),
        "no end within the time": str(counts["time-out"]),
        "the same program": str(counts["same"]),
        "not seen": str(counts["survived"]),
        "seen of those that differ": f"{100 * seen / different:.1f} %" if different else "n/a",
    }


# -- runs in forks -----------------------------------------------------------------------------


class _Tests:
    """Keeps only some tests, the quickest first; notes times and failures."""

    def __init__(self, order: list[str] | None, seconds: dict[str, float]) -> None:
        self.order = order
        self.seconds = seconds
        self.failed: list[str] = []
        self.coverage: Any = None

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        if self.order is not None:
            rank = {test: index for index, test in enumerate(self.order)}
            items[:] = sorted(
                (item for item in items if item.nodeid in rank), key=lambda item: rank[item.nodeid]
            )

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        if self.coverage:
            _forget()
            self.coverage.switch_context(item.nodeid)
        start = time.monotonic()
        yield
        self.seconds[item.nodeid] = time.monotonic() - start
        if self.coverage:
            self.coverage.switch_context("")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed.append(report.nodeid)

    def run(self, where: list[str], *options: str) -> int:
        """Run pytest in this process."""
        return int(
            pytest.main(
                ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-m", "not alone",
                 "--hypothesis-seed=0", "--hypothesis-verbosity=quiet", *options, *where],
                plugins=[self],
            )
        )  # fmt: skip


def reach(part: Part) -> Reached:
    """Run a part's tests once as the code is: which test reaches which line, in what time."""
    with tempfile.NamedTemporaryFile() as answer:
        pid = os.fork()
        if pid == 0:
            _silent()
            try:
                Path(answer.name).write_text(json.dumps(_reach(part)), encoding="utf-8")
            finally:
                os._exit(0)
        os.waitpid(pid, 0)
        seconds, failed, lines = json.loads(Path(answer.name).read_text(encoding="utf-8"))
    by_file = {f: {int(n): tests for n, tests in by.items()} for f, by in lines.items()}
    return Reached(seconds, failed, by_file)


def _reach(part: Part) -> tuple[dict[str, float], list[str], dict[str, dict[int, list[str]]]]:
    import coverage

    files = [str(file) for glob in part.sources for file in ROOT.glob(glob)]
    tests = _Tests(None, {})
    tests.coverage = coverage.Coverage(data_file=None, config_file=False, include=files)
    tests.coverage.start()
    tests.run(sorted(str(f) for glob in part.tests for f in ROOT.glob(glob)), "-k", part.expression)
    tests.coverage.stop()
    data = tests.coverage.get_data()
    lines: dict[str, dict[int, list[str]]] = defaultdict(dict)
    for file in data.measured_files():
        name = str(Path(file).relative_to(ROOT))
        for line, contexts in data.contexts_by_lineno(file).items():
            # a line that also runs at import can be wrong for every test
            lines[name][line] = [] if "" in contexts else list(contexts)
    failed = sorted(set(tests.failed))
    return {k: v for k, v in tests.seconds.items() if k not in failed}, failed, lines


def try_one(file: str, one: Mutant, tests: list[str], seconds: float) -> tuple[str, str]:
    """Run tests on one mutant; return ``killed``, ``time-out`` or ``survived``, and by which."""
    if not tests:
        return "survived", "no test reaches it"
    with tempfile.NamedTemporaryFile() as answer:
        pid = os.fork()
        if pid == 0:
            os.setsid()
            _silent()
            try:
                by = _try(file, one, tests)
            except BaseException as error:  # a module that cannot be imported fails every test
                by = f"import: {type(error).__name__}"
            Path(answer.name).write_text(by, encoding="utf-8")
            os._exit(0)
        until = time.monotonic() + SLOWER * seconds + PATIENCE_S
        while os.waitpid(pid, os.WNOHANG)[0] == 0:
            if time.monotonic() > until:
                os.killpg(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                return "time-out", ""
            time.sleep(0.02)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)  # what a test left behind when it failed
        by = Path(answer.name).read_text(encoding="utf-8")
    return ("survived", "") if by == "none" else ("killed", by)


def _try(file: str, one: Mutant, tests: list[str]) -> str:
    code = compile(one.source, file, "exec")
    loader = importlib.machinery.SourceFileLoader
    as_it_is = loader.get_code
    changed = str(ROOT / file)

    def get_code(self: importlib.machinery.SourceFileLoader, name: str) -> CodeType | None:
        return code if self.path == changed else as_it_is(self, name)

    loader.get_code = get_code  # type: ignore[method-assign]
    plugin = _Tests(tests, {})
    status = plugin.run(sorted({test.partition("::")[0] for test in tests}), "-x")
    if plugin.failed:
        return plugin.failed[0]
    return "none" if status == 0 else f"exit code {status}"


def _forget() -> None:
    """Empty the package's caches, so that each test reaches what it needs by itself."""
    for name, module in list(sys.modules.items()):
        if name.startswith("spinetools"):
            for value in vars(module).values():
                if isinstance(value, functools._lru_cache_wrapper):
                    value.cache_clear()


def _silent() -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)


def _key(one: Mutant) -> str:
    """Name a change such that it is known again when lines move."""
    return f"{one.before} -> {one.after}"


if __name__ == "__main__":
    main()
