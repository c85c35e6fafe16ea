"""Comparisons as CSV: a row an image and method; slices, levels and pairs in tables beside."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spinetools.compare.cases import Compared, Result
from spinetools.files import write_text
from spinetools.labels import level_name

#: Names in the table of what :func:`spinetools.metrics.report.cord_report` returns.
FIGURES = (
    "dice", "hausdorff_mm", "hd95_mm", "mean_surface_distance_mm", "csa_bias_percent",
    "volume_bias_percent", "coverage", "worst_slice_dice",
)  # fmt: skip

Row = dict[str, str]


def write_tables(path: str | Path, compared: Sequence[Compared]) -> list[Path]:
    """Write the table and those beside it.

    Parameters
    ----------
    path
        The table: a row for each image and method. Beside it, with ``_slices``, ``_levels`` and
        ``_pairs`` added to its name: a row for each slice; for each vertebral level, where levels
        are known; and for each two methods.
    compared
        The images.

    Returns
    -------
    list of Path
        What was written, the table first.
    """
    path = Path(path)
    tables = {
        "": image_rows(compared),
        "_slices": slice_rows(compared),
        "_levels": level_rows(compared),
        "_pairs": pair_rows(compared),
    }
    written = []
    for ending, rows in tables.items():
        if rows or not ending:
            target = path.with_name(f"{path.stem}{ending}{path.suffix}")
            write_text(target, as_csv(rows))
            written.append(target)
    return written


def as_csv(rows: Sequence[Row]) -> str:
    """Return rows of one kind as CSV; the first row's keys are the columns."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def image_rows(compared: Sequence[Compared]) -> list[Row]:
    """Return a row for each image and method."""
    rows = []
    for each in compared:
        agreement = agreements(each)
        for result in each.results:
            figures = {name: number(result.figures.get(name)) for name in FIGURES}
            rows.append(
                _about(each, result)
                | {
                    "state": result.state,
                    "expected_dice": number(result.expected),
                    "agreement_dice": number(agreement.get(result.method)),
                    "csa_mm2": number(result.csa_mm2, 2),
                    "volume_mm3": number(result.volume_mm3, 1),
                    "length_mm": number(result.length_mm, 1),
                }
                | figures
                | {"reasons": "; ".join(result.reasons)}
            )
    return rows


def slice_rows(compared: Sequence[Compared]) -> list[Row]:
    """Return a row for each image, method and slice, from the top down."""
    return [
        _about(each, result)
        | {
            "slice": str(row.index),
            "level": level_name(row.level) if row.level else "",
            "csa_mm2": number(row.csa_mm2, 2),
            "agreement_dice": number(row.agreement),
            "edge_mm": number(row.edge_mm),
            "dice": number(row.dice),
            "state": row.state,
        }
        for each in compared
        for result in each.results
        for row in result.slices
    ]


def level_rows(compared: Sequence[Compared]) -> list[Row]:
    """Return a row for each image, method and vertebral level that is known."""
    rows = []
    for each in compared:
        for result in each.results:
            for level in sorted({row.level for row in result.slices} - {0}):
                own = [row for row in result.slices if row.level == level]
                rows.append(
                    _about(each, result)
                    | {
                        "level": level_name(level),
                        "slices": str(len(own)),
                        "csa_mm2": number(mean(row.csa_mm2 for row in own), 2),
                        "agreement_dice": number(mean(row.agreement for row in own)),
                        "dice": number(mean(row.dice for row in own)),
                        "doubtful_slices": str(sum(row.state != "ok" for row in own)),
                    }
                )
    return rows


def pair_rows(compared: Sequence[Compared]) -> list[Row]:
    """Return a row for each image and two methods."""
    return [
        {
            "image": str(each.case.image),
            "subject": each.case.subject,
            "contrast": each.case.contrast,
            "first": pair.first,
            "second": pair.second,
            "dice": number(pair.dice),
            "hausdorff_mm": number(pair.hausdorff_mm),
            "hd95_mm": number(pair.hd95_mm),
            "mean_surface_distance_mm": number(pair.mean_surface_distance_mm),
            "csa_difference_mm2": number(pair.csa_difference_mm2, 2),
        }
        for each in compared
        for pair in each.pairs
    ]


def agreements(compared: Compared) -> dict[str, float]:
    """Return each method's mean Dice with the others on one image."""
    found: dict[str, list[float]] = {}
    for pair in compared.pairs:
        for name in (pair.first, pair.second):
            found.setdefault(name, []).append(pair.dice)
    return {name: float(np.mean(values)) for name, values in found.items()}


def mean(values: Iterable[float]) -> float:
    """Return the mean of the finite values; NaN without any."""
    known = [value for value in values if math.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")


def number(value: Any, digits: int = 4) -> str:
    """Write a number for a table; ``n/a`` where there is none."""
    return "n/a" if value is None or not math.isfinite(value) else f"{value:.{digits}f}"


def _about(compared: Compared, result: Result) -> Row:
    case = compared.case
    return {
        "image": str(case.image),
        "subject": case.subject,
        "contrast": case.contrast,
        "method": result.method,
    }
