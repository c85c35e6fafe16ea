"""Slices of a report that are to be corrected, with the commands to do it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from spinetools.qc.index import read_entries
from spinetools.qc.ratings import Rating, read_ratings
from spinetools.qc.viewers import place_of

Which = Literal["failed", "flagged"]

#: Verdicts after which a person corrects.
_BAD = ("fail", "artifact")


@dataclass(frozen=True)
class Task:
    """A piece of a result that a person corrects.

    Attributes
    ----------
    entry
        The entry's JSON.
    slices
        First and last slice, native indices along the head-to-foot axis; None for the whole result.
    why
        Verdict and note, or flag and reason.
    voxel
        Native voxel to go to.
    """

    entry: Mapping[str, Any]
    slices: tuple[int, int] | None
    why: str
    voxel: tuple[int, int, int]

    @property
    def fsleyes(self) -> str:
        """Command for FSLeyes, at the voxel; empty where the files are not known."""
        before, after = self._viewers.get("fsleyes", ("", ""))
        return f"{before} {' '.join(map(str, self.voxel))} {after}" if before else ""

    @property
    def itksnap(self) -> str:
        """Command for ITK-SNAP."""
        return str(self._viewers.get("itksnap", ""))

    @property
    def cursor(self) -> tuple[int, int, int]:
        """What is typed in as ITK-SNAP's cursor: it counts from 1."""
        i, j, k = self.voxel
        return i + 1, j + 1, k + 1

    @property
    def todo(self) -> str:
        """What to draw, and the file to save it in."""
        return " ".join(self._viewers.get("todo", ())).strip()

    @property
    def rerun(self) -> str:
        """Command that takes the correction back; empty where none is known."""
        return str(self._viewers.get("rerun", ""))

    @property
    def _viewers(self) -> Mapping[str, Any]:
        viewers = self.entry.get("viewers")
        return viewers if isinstance(viewers, Mapping) else {}


def tasks(folder: str | os.PathLike[str], which: Which = "failed") -> list[Task]:
    """Return what is to be corrected in a report, by subject.

    Parameters
    ----------
    folder
        The report.
    which
        ``failed``: results and slices with the verdict fail or artifact, in the ratings that the
        report brings along (a failed result without a word on a slice: its flagged slices, or the
        whole of it). ``flagged``: every flagged slice. Only the last run of a case counts.

    Raises
    ------
    InputError
        When the folder is no report, or its ratings are damaged.
    """
    ratings = read_ratings(folder) if which == "failed" else {}
    latest = {content["case"]: content for content in read_entries(folder)}
    found: list[Task] = []
    for case, content in latest.items():
        if which == "flagged":
            found += flagged(content)
        elif case in ratings:
            found += list(_failed(content, ratings[case]))
    return sorted(found, key=lambda task: (task.entry["subject"], task.entry["process"]))


def flagged(content: Mapping[str, Any]) -> list[Task]:
    """Return a task for each run of slices that one flag is about, and for flags of the whole."""
    found = []
    for flag in content["flags"]:
        why = f"{flag['kind']}: {flag['reason']}"
        runs = list(_runs(flag["slices"]))
        found += [_task(content, run, why) for run in runs] or [_task(content, None, why)]
    return found


def _failed(content: Mapping[str, Any], rating: Rating) -> list[Task]:
    bad = {index: said for index, said in rating.slices.items() if said.verdict in _BAD}
    if bad:
        found = []
        for first, last in _runs(bad):
            words = [bad[index].note for index in range(first, last + 1) if bad[index].note]
            why = ": ".join([bad[first].verdict, *words[:1]])
            found.append(_task(content, (first, last), why))
        return found
    if rating.verdict not in _BAD:
        return []
    why = ": ".join([rating.verdict, *([rating.note] if rating.note else [])])
    own = flagged(content)
    return own or [_task(content, None, why)]


def _task(content: Mapping[str, Any], slices: tuple[int, int] | None, why: str) -> Task:
    if slices is None:
        shown = [i for i in content["views"][0]["indices"] if i is not None]
        axial = content["views"][0]["axes"][2] == content["measure_axis"]
        middle = shown[len(shown) // 2] if axial else content["shape"][content["measure_axis"]] // 2
    else:
        middle = (slices[0] + slices[1]) // 2
    return Task(content, slices, " ".join(why.split()), place_of(content, int(middle)))


def _runs(indices: Any) -> Iterator[tuple[int, int]]:
    """Join neighbouring slices."""
    start = last = None
    for index in sorted({int(i) for i in indices}):
        if last is not None and index == last + 1:
            last = index
            continue
        if start is not None and last is not None:
            yield start, last
        start = last = index
    if start is not None and last is not None:
        yield start, last
