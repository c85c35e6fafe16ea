"""The part of an entry that the page's tables need, and what an entry must have to be shown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from spinetools.errors import InputError
from spinetools.qc.entry import FORMAT, ID_PATTERN, Entry

#: A curve in the summary has at most so many points: all subjects' curves are drawn together.
CURVE_POINTS = 48

_SUMMARY = tuple(
    item.name
    for item in fields(Entry)
    if item.name
    not in (
        "views",
        "marks",
        "measures",
        "measure_axis",
        "shape",
        "spacing_mm",
        "levels",
        "thumb",
        "volume",
        "viewers",
    )
)
_TEXTS = (
    "id", "case", "created", "dataset", "subject", "process", "command_line", "version", "input",
    "contrast", "plane", "nib_codes", "export_key", "folder",
)  # fmt: skip


def summarise(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of an entry's JSON that the table of the page needs.

    Raises
    ------
    InputError
        When the content is not an entry that this version can show.
    """
    problem = _problem(content)
    if problem:
        raise InputError(problem)
    summary = {name: content[name] for name in _SUMMARY}
    summary["flags"] = [
        {"kind": flag["kind"], "reason": flag["reason"], "slices": flag["slices"]}
        for flag in content["flags"]
    ]
    summary["slices"] = len(content["views"][0]["indices"])
    # of entries from before there were such
    summary["thumb"] = text if isinstance(text := content.get("thumb"), str) else ""
    summary["curve"] = curve_of(content)
    return summary


def curve_of(content: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return a measure along the cord in few points, for comparing many subjects.

    Parameters
    ----------
    content
        An entry's JSON.

    Returns
    -------
    dict or None
        The measure's ``name``, the native ``index`` of the first point and the step to the next,
        the step in ``mm``, and ``values`` from head to foot (means of one or several slices, None
        in gaps); ``levels`` beside them where they are known. None where there is no measure.
    """
    try:
        slices = content["measures"]["slices"]
        values = content["measures"]["values"]
        name = next((n for n in ("csa_mm2", "area_mm2") if n in values), next(iter(values), ""))
        axis = content["measure_axis"]
        known = dict(zip(slices, values[name], strict=True)) if name else {}
        known = {index: value for index, value in known.items() if value is not None}
        if len(known) < 2:
            return None
        levels = {int(index): value for index, value in content.get("levels", {}).items()}
        step = -1 if content["nib_codes"][axis] == "S" else 1
        first, last = (max(known), min(known)) if step < 0 else (min(known), max(known))
        per_point = math.ceil((abs(last - first) + 1) / CURVE_POINTS)
        points = [
            [index + step * k for k in range(per_point)]
            for index in range(first, last + step, step * per_point)
        ]
        curve = {
            "name": name,
            "index": [first + step * (per_point - 1) / 2, step * per_point],
            "mm": round(content["spacing_mm"][axis] * per_point, 4),
            "values": [_mean([known[i] for i in point if i in known]) for point in points],
        }
        if levels:
            curve["levels"] = [
                _mean([levels[i] for i in point if i in levels], 2) for point in points
            ]
    except (KeyError, TypeError, ValueError, IndexError, AttributeError):
        return None
    return curve


def _mean(values: Sequence[float], digits: int = 1) -> float | None:
    return round(sum(values) / len(values), digits) if values else None


def _problem(content: Any) -> str:
    """Say why a JSON content is no entry; empty where it is one."""
    if not isinstance(content, Mapping):
        return "not an entry of a QC report"
    if content.get("format") != FORMAT:
        return f"its format is {content.get('format')!r}, expected {FORMAT}"
    for name in _TEXTS:
        if not isinstance(content.get(name), str):
            return f"its field {name!r} is missing or no text"
    if not ID_PATTERN.fullmatch(content["id"]):
        return f"its id {content['id']!r} is not one that spinetools makes"
    if ".." in Path(content["folder"]).parts or Path(content["folder"]).is_absolute():
        return f"its folder {content['folder']!r} leads out of the report"
    flags, views = content.get("flags"), content.get("views")
    if not isinstance(flags, list) or not all(_is_flag(flag) for flag in flags):
        return "its flags are damaged"
    if not isinstance(views, list) or not views or not all(_is_view(view) for view in views):
        return "its views are damaged"
    return ""


def _is_flag(flag: Any) -> bool:
    return (
        isinstance(flag, Mapping)
        and isinstance(flag.get("kind"), str)
        and isinstance(flag.get("reason"), str)
        and isinstance(flag.get("slices"), list)
    )


def _is_view(view: Any) -> bool:
    return isinstance(view, Mapping) and isinstance(view.get("indices"), list)
