"""Measures as a table: slices grouped, averaged, and written as CSV with SCT's columns."""

from __future__ import annotations

import csv
import hashlib
import io
import logging
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
from filelock import FileLock

from spinetools._version import __version__
from spinetools.errors import InputError
from spinetools.files import write_text
from spinetools.metrics.levels import spans
from spinetools.metrics.shape import SliceShapes

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Row = dict[str, str]

#: Name in the table (SCT's) of each measure.
COLUMNS = {
    "area": "area_mm2",
    "angle_AP": "angle_ap_deg",
    "angle_RL": "angle_rl_deg",
    "diameter_AP": "diameter_ap_mm",
    "diameter_RL": "diameter_rl_mm",
    "eccentricity": "eccentricity",
    "orientation": "orientation_deg",
    "solidity": "solidity",
}

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Selection:
    """Which slices to report, and how.

    Attributes
    ----------
    slices
        Wanted slices, from the inferior end; None for all.
    levels
        Wanted vertebral levels; None for all.
    per_slice
        A row for each slice.
    per_level
        A row for each level.
    """

    slices: Sequence[int] | None = None
    levels: Sequence[int] | None = None
    per_slice: bool = False
    per_level: bool = False


def group_slices(
    measured: Sequence[int] | IntArray,
    selection: Selection,
    level_of: IntArray | None = None,
) -> list[tuple[int, ...]]:
    """Choose slices and put them into the groups that become rows.

    What was asked for and is not there is said in a warning.

    Parameters
    ----------
    measured
        Slices that have mask.
    selection
        What is wanted.
    level_of
        Level of every slice of the volume, 0 where none; None without level information.

    Returns
    -------
    list of tuple
        Slice indices, ascending in each group; slices from the inferior end, levels from C1 down.

    Raises
    ------
    InputError
        When levels are asked for and not known, or nothing is left.
    """
    chosen = {int(index) for index in measured}
    if selection.slices is not None:
        missing = set(selection.slices) - chosen
        if missing:
            logger.warning("no cord in slices %s: left out", spans(missing))
        chosen &= set(selection.slices)
        if not chosen:
            raise InputError(
                f"no cord in slices {spans(selection.slices)}; it lies in slices {spans(measured)} "
                "(0 is the lowest)"
            )
    if level_of is None:
        if selection.levels is not None or selection.per_level:
            raise InputError("levels are asked for: give them with -vertfile or -discfile")
    elif selection.levels is not None or selection.per_level:
        chosen = _with_levels(chosen, selection.levels, level_of)
    if selection.per_slice:
        return [(index,) for index in sorted(chosen)]
    if selection.per_level and level_of is not None:
        present = sorted({int(level_of[index]) for index in chosen})
        return [tuple(sorted(i for i in chosen if level_of[i] == level)) for level in present]
    return [tuple(sorted(chosen))]


def make_rows(
    shapes: SliceShapes,
    groups: Sequence[tuple[int, ...]],
    source: str,
    level_of: IntArray | None = None,
    further: Mapping[str, FloatArray] | None = None,
) -> list[Row]:
    """Average measures over groups of slices.

    Parameters
    ----------
    shapes
        Measures of every slice.
    groups
        Slices of each row; see :func:`group_slices`.
    source
        What the row says it comes from (the mask's file).
    level_of
        Level of every slice, for the column VertLevel.
    further
        More measures by column name, one value a slice.

    Returns
    -------
    list of dict
        Column to text. Means and standard deviations (of the sample; none for one slice) leave
        out slices without a value; of the length, the sum.
    """
    columns = {name: getattr(shapes, field) for name, field in COLUMNS.items()}
    columns.update(further or {})
    time = datetime.now().strftime("%Y-%m-%d %H:%M:%S")
    rows = []
    for group in groups:
        index = list(group)
        levels = set() if level_of is None else {int(level_of[i]) for i in index} - {0}
        row = {
            "Timestamp": time,
            "spinetools Version": __version__,
            "Filename": source,
            "Slice (I->S)": spans(index),
            "VertLevel": spans(levels),
        }
        for name, values in columns.items():
            there = values[index][np.isfinite(values[index])]
            row[f"MEAN({name})"] = _text(there.mean()) if len(there) else ""
            row[f"STD({name})"] = _text(there.std(ddof=1)) if len(there) > 1 else ""
        row["SUM(length)"] = _text(shapes.length_mm[index].sum())
        rows.append(row)
    return rows


def write_rows(path: str | Path, rows: Sequence[Row], append: bool = False) -> Path:
    """Write rows as CSV, atomically.

    Parameters
    ----------
    path
        The file.
    rows
        At least one; all with the same columns.
    append
        Keep the rows that the file has already. Processes of this machine that append to one file
        wait for each other.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    InputError
        When the file that is appended to has other columns.
    OutputError
        When it cannot be written.
    """
    path = Path(path)
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    header = text.getvalue().rstrip("\n")
    writer.writerows(rows)
    if not append:
        write_text(path, text.getvalue())
        return path
    # the lock lies in the temporary folder, so that none is left beside the table, and is the
    # user's own, as another user's could not be opened there
    key = hashlib.sha256(f"{Path.home()} {path.resolve()}".encode()).hexdigest()[:16]
    with FileLock(Path(tempfile.gettempdir(), f"spinetools-{key}.lock")):
        before = path.read_text(encoding="utf-8") if path.is_file() else ""
        if before.strip():
            if before.splitlines()[0] != header:
                raise InputError(
                    f"{path} has other columns than these measures; write to another file with "
                    "-o, or start it anew with -append 0"
                )
            new = text.getvalue().removeprefix(header + "\n")
            write_text(path, before.rstrip("\n") + "\n" + new)
        else:
            write_text(path, text.getvalue())
    return path


def _with_levels(chosen: set[int], wanted: Sequence[int] | None, level_of: IntArray) -> set[int]:
    known = {index for index in chosen if level_of[index]}
    if wanted is None:
        kept = known
    else:
        kept = {index for index in known if level_of[index] in wanted}
        missing = set(wanted) - {int(level_of[index]) for index in kept}
        if missing and kept:
            logger.warning("no slice with cord has level %s: left out", spans(missing))
    if not kept:
        there = spans(int(level_of[index]) for index in known)
        asked = "a level" if wanted is None else f"level {spans(wanted)}"
        raise InputError(f"no slice with cord has {asked}; the levels there are {there or 'none'}")
    return kept


def _text(value: float) -> str:
    return f"{float(value):.8g}"
