"""A spine report as JSON and as a table."""

from __future__ import annotations

import math
from typing import Any

from spinetools.report.measure import COLUMNS, SpineReport


def as_json(report: SpineReport) -> dict[str, Any]:
    """Return what the JSON file holds; null for what cannot be measured."""
    return {
        "Numbering": dict(report.numbering) or "not known",
        "Levels": [
            {key: _plain(row[key]) for key in COLUMNS if key != "angle_deg"} for row in report.rows
        ],
        "Curvature": [
            {
                "Name": curve.name,
                "Upper": curve.upper,
                "Lower": curve.lower,
                "Degrees": _plain(curve.angle_deg),
            }
            for curve in report.curves
        ],
        "Endplates": [
            {
                "Name": plate.name,
                "Centre": [round(float(value), 2) for value in plate.centre],
                "LeanDegrees": _plain(plate.lean_deg),
                "TiltDegrees": _plain(plate.tilt_deg),
            }
            for plate in report.plates.values()
        ],
        "Flags": [{"Kind": flag.kind, "Reason": flag.reason} for flag in report.flags],
    }


def as_table(report: SpineReport) -> str:
    """Return the table: a row a vertebra and a disc, then one an angle."""
    rows = [[_text(row[column]) for column in COLUMNS] for row in report.rows]
    for curve in report.curves:
        known = {"structure": curve.name, "kind": "angle", "angle_deg": curve.angle_deg,
                 "level": "-".join(end for end in (curve.upper, curve.lower) if end)}  # fmt: skip
        rows.append([_text(known.get(column, math.nan)) for column in COLUMNS])
    return "\n".join("\t".join(row) for row in [list(COLUMNS), *rows]) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 3) if math.isfinite(value) else None
    return value


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}" if math.isfinite(value) else "n/a"
    return str(value) or "n/a"
