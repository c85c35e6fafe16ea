"""Counts of the campaign of faults, and the box that a command is run in."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import faults_calls as calls
import faults_run as runs
from tables import read_tsv, write_tsv


@dataclass
class Tally:
    """Counts of one row of the table, and what was found."""

    part: str
    what: str
    tried: int = 0
    refused: int = 0
    fine: int = 0
    tracebacks: int = 0
    hangs: int = 0
    half: int = 0
    outside: int = 0
    found: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Add another row's counts."""
        for name in ("tried", "refused", "fine", "tracebacks", "hangs", "half", "outside"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.found += other.found

    def row(self, seed: int) -> dict[str, str]:
        """Return the row for the table."""
        return {
            "part": self.part, "what": self.what, "seed": str(seed), "tried": str(self.tried),
            "refused in one line": str(self.refused), "ended well": str(self.fine),
            "tracebacks": str(self.tracebacks), "hangs": str(self.hangs),
            "half files": str(self.half), "files outside": str(self.outside),
        }  # fmt: skip

    @property
    def faults(self) -> int:
        """Number of faults."""
        return self.tracebacks + self.hangs + self.half + self.outside


class Table:
    """results/faults.tsv, written after every chunk so that a run can be cut off."""

    def __init__(self, path: Path, seed: int, only: tuple[str, ...] = ()) -> None:
        self.path, self.seed, self.only = path, seed, only
        self.rows: dict[tuple[str, str], Tally] = {}
        self.others: list[dict[str, str]] = []
        for row in read_tsv(path) if path.exists() else []:
            if int(row["seed"]) != seed:
                self.others.append(row)
                continue
            numbers = [int(value) for value in list(row.values())[3:]]
            self.rows[row["part"], row["what"]] = Tally(row["part"], row["what"], *numbers)

    def tried(self, part: str) -> int:
        """Return the number of cases of a part that are done."""
        return sum(
            tally.tried
            for (name, what), tally in self.rows.items()
            if name == part and (not self.only or what in self.only)
        )

    def add(self, tallies: list[Tally]) -> None:
        """Add counts, print what was found, and write the table."""
        for tally in tallies:
            row = self.rows.setdefault((tally.part, tally.what), Tally(tally.part, tally.what))
            row.add(tally)
            for text in tally.found:
                print(f"-- {tally.part}, {tally.what}: {text}", flush=True)
        self.write()

    def write(self) -> None:
        """Write the table, and beside it the sums of each part."""
        rows = [tally.row(self.seed) for tally in self.rows.values()] + self.others
        rows.sort(key=lambda row: (row["part"], row["what"], row["seed"]))
        write_tsv(self.path, rows)
        sums = []
        for part in dict.fromkeys(row["part"] for row in rows):
            own = [row for row in rows if row["part"] == part]
            counts = {name: str(sum(int(row[name]) for row in own)) for name in list(own[0])[3:]}
            sums.append({"part": part, **counts})
        write_tsv(self.path.with_name(f"{self.path.stem}_parts.tsv"), sums)

    def clear(self, part: str) -> None:
        """Forget a part, which is then tried anew."""
        self.rows = {key: tally for key, tally in self.rows.items() if key[0] != part}


@dataclass(frozen=True)
class Box:
    """A folder of its own for one run: what lies where is known before and after."""

    root: Path

    @property
    def out(self) -> Path:
        """The folder that a command is told to write to."""
        return self.root / "out"

    @property
    def here(self) -> Path:
        """The current folder of the command, and where its bad input lies."""
        return self.root / "here"

    def outside(self, before: dict[str, tuple[int, int]]) -> list[str]:
        """Return what changed in the box beyond the folder for output."""
        after = runs.listing(self.root)
        changed = {name for name, state in after.items() if before.get(name) != state}
        changed |= before.keys() - after.keys()
        # locks stay: to remove one that another process waits for would part the two
        changed = {name for name in changed if not name.endswith((".lock", "/.locks"))}
        changed.discard("tmp/.ses")  # ONNX Runtime writes it when it is imported
        return sorted(name for name in changed if name.split("/")[0] != "out")


@contextlib.contextmanager
def box(parent: Path) -> Iterator[Box]:
    """Make a box, and remove it."""
    root = Path(tempfile.mkdtemp(prefix="box-", dir=parent))
    for name in ("here", "tmp", "out"):
        (root / name).mkdir()
    try:
        yield Box(root)
    finally:
        shutil.rmtree(root, ignore_errors=True)


def problems_of(ended: runs.Ended, tally: Tally, name: str) -> None:
    """Count a run that hung or that showed a traceback."""
    if ended.hung:
        tally.hangs += 1
        tally.found.append(f"{name}: hangs: {ended.err[-1500:]}")
    elif ended.traceback:
        tally.tracebacks += 1
        tally.found.append(f"{name}: {ended.traceback[-3000:]}")


def judge(
    call: calls.Call, files: dict[str, Path | str], place: Box, tally: Tally, case: str
) -> runs.Ended:
    """Run a command once in a box, and count what it did."""
    before = runs.listing(place.root)
    start = dict(before)
    ended = runs.run(call.arguments(files), place.here)
    tally.tried += 1
    tally.refused += ended.code in (1, 2)
    tally.fine += ended.code == 0
    problems_of(ended, tally, f"case {case}, {call.line}")
    problems = []
    half = runs.half_files(place.out) + runs.unopened_reports(place.out)
    if ended.code != 0:  # refused: then nothing is there that was not before
        new = [name for name in runs.listing(place.root) if name not in start]
        half += [f"left by a refusal: {name}" for name in new
                 if name.startswith("out/") and not name.endswith(".lock")]  # fmt: skip
    if half:
        tally.half += 1
        problems.append(f"half: {half}")
    if outside := place.outside(before):
        tally.outside += 1
        problems.append(f"outside: {outside}")
    tally.found += [f"case {case}, {call.line}: {text}" for text in problems]
    return ended
