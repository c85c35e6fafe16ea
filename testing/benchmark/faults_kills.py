"""kill -9 at random moments of every command that writes."""

from __future__ import annotations

import random
import shutil
from dataclasses import dataclass
from pathlib import Path

import faults_calls as calls
import faults_run as runs
from faults_count import Box, Table, Tally, box

#: One kill in so many is of a slow command.
RARELY = 5


@dataclass(frozen=True)
class Whole:
    """A run that was not killed: how long it took, how often it touched files, what it wrote."""

    seconds: float
    touches: int
    out: Path


def kills(table: Table, count: int, folder: Path) -> None:
    """Kill commands until ``count`` kills hit: half at any time, half before a file is touched.

    Half of the runs find the files of an earlier run, which must stay or be replaced as a whole.
    At the end of each tenth kill the command is run again over what the killed one left.
    """
    files = calls.sound_files(folder / "sound")
    every = calls.available(calls.WRITING)
    if table.only:
        every = [call for call in every if call.command in table.only]
    quick = [call for call in every if call.command not in calls.SLOW] or every
    slow = [call for call in every if call.command in calls.SLOW]
    known: dict[str, Whole | None] = {}
    while (number := table.tried("kills")) < count:
        few = slow and number % RARELY == RARELY - 1
        chosen = slow[number // RARELY % len(slow)] if few else quick[number % len(quick)]
        if chosen.line not in known:
            known[chosen.line] = whole_run(chosen, files, folder / f"whole-{len(known)}")
        if known[chosen.line] is None:
            chosen = next(call for call in quick if known.get(call.line))
        tally = Tally("kills", chosen.command)
        kill_once(chosen, files, known[chosen.line], tally, (table.seed, number), folder)
        table.add([tally])


def whole_run(call: calls.Call, files: dict[str, Path | str], root: Path) -> Whole | None:
    """Run a command to its end; None where that is not well: its kills would tell nothing."""
    place = Box(root)
    for part in (place.out, place.here, root / "tmp"):
        part.mkdir(parents=True)
    ended = runs.run(call.arguments({**files, "OUT": place.out}), place.here)
    half = runs.half_files(place.out) + runs.unopened_reports(place.out)
    if ended.code != 0 or half or not runs.visible_files(place.out):
        print(f"left out: {call.line}: exit code {ended.code}, {half}, {ended.err[-300:]}")
        return None
    return Whole(ended.seconds, max(1, ended.touches), place.out)


def kill_once(
    call: calls.Call,
    files: dict[str, Path | str],
    whole: Whole,
    tally: Tally,
    case: tuple[int, int],
    folder: Path,
) -> None:
    """Run a command, kill it, and look at what is there; runs that end before do not count."""
    draw = random.Random(f"kill {case[0]} {case[1]}")
    for _ in range(20):
        how = (
            runs.Kill(touch=draw.randint(1, whole.touches))
            if draw.random() < 0.5
            else runs.Kill(after_s=draw.uniform(0, whole.seconds))
        )
        with box(folder) as place:
            again = draw.random() < 0.5
            if again:
                shutil.rmtree(place.out)
                shutil.copytree(whole.out, place.out)
            before = runs.listing(place.root)
            words = call.arguments({**files, "OUT": place.out})
            ended = runs.run(words, place.here, how)
            if ended.code == 0:
                continue  # it was faster than its death
            tally.tried += 1
            name = f"{case[1]} {'over older files ' if again else ''}{how} {call.line}"
            _look(place, before, whole, tally, name)
            if case[1] % 10 == 0:
                _run_again(words, place, tally, name)
            return


def _look(
    place: Box, before: dict[str, tuple[int, int]], whole: Whole, tally: Tally, name: str
) -> None:
    half = runs.half_files(place.out, whole.out) + runs.unopened_reports(place.out)
    if half:
        tally.half += 1
        tally.found.append(f"{name}: {half}")
    lost = [
        item for item in before
        if item.startswith("out/") and not (place.root / item).exists()
        and not item.rpartition("/")[2].startswith(".") and not _redone(name, item)
    ]  # fmt: skip
    if lost:
        tally.half += 1
        tally.found.append(f"{name}: gone: {lost}")
    # a killed process cannot remove what lies in the folder for temporary files
    outside = [item for item in place.outside(before) if not item.startswith("tmp")]
    if outside:
        tally.outside += 1
        tally.found.append(f"{name}: outside: {outside}")


def _redone(name: str, item: str) -> bool:
    """Whether a command takes this file away before it makes it again, as its pages say.

    A batch forgets how a subject went before it starts the subject anew, and a pilot study removes
    what a method made before the method runs: the old one would pass for a result of this run.
    """
    return ("st_run_batch " in name and item.startswith("out/log/")) or (
        "st_pilot " in name and item.endswith((".nii.gz", ".json"))
    )


def _run_again(words: list[str], place: Box, tally: Tally, name: str) -> None:
    """Run the command over what a killed one left: it must go on or say in one line why not."""
    ended = runs.run(words, place.here)
    if ended.hung:
        tally.hangs += 1
    if ended.traceback:
        tally.tracebacks += 1
    half = runs.half_files(place.out) + runs.unopened_reports(place.out)
    tally.half += bool(half)
    tally.fine += ended.code == 0
    tally.refused += ended.code == 1
    if ended.hung or ended.traceback or half or ended.code:
        tally.found.append(f"{name}, run again: {ended.code} {half} {ended.err[-2000:]}")
