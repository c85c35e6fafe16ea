"""The printable page of a spine report: one HTML file, A4, nothing loaded from elsewhere."""

from __future__ import annotations

import base64
import math
import os
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from spinetools._version import __version__
from spinetools.files import write_text
from spinetools.report.figures import draw_all
from spinetools.report.measure import SpineReport
from spinetools.vertebrae.result import UNSURE

#: Flags on the page; the others are counted, and in the JSON file.
MOST_FLAGS = 8
_ANGLES = {
    "cervical_lordosis": ("Cervical lordosis", "C2–C7"),
    "thoracic_kyphosis": ("Thoracic kyphosis", "T4–T12"),
    "lumbar_lordosis": ("Lumbar lordosis", "L1–S1"),
    "sacral_slope": ("Sacral slope", "to the scanner"),
    "coronal_cobb": ("Cobb, from the front", ""),
}
_NUMBERS = (
    "height_anterior_mm", "height_middle_mm", "height_posterior_mm", "wedge_ratio", "depth_mm",
    "canal_ap_mm", "canal_rl_mm", "canal_area_mm2", "cord_ap_mm", "cord_rl_mm", "cord_area_mm2",
)  # fmt: skip
_OF_DISC = (
    "height_anterior_mm", "height_middle_mm", "height_posterior_mm", "canal_ap_mm", "slip_mm",
)  # fmt: skip
_DIGITS = {"wedge_ratio": 2, "canal_area_mm2": 0, "cord_area_mm2": 0}


def write_page(
    path: str | os.PathLike[str],
    report: SpineReport,
    subject: str,
    sources: Mapping[str, str],
    command_line: str = "",
) -> None:
    """Write the page.

    Parameters
    ----------
    path
        Ends with ``.html``.
    report
        What was measured.
    subject
        Shown as the title.
    sources
        Files by what they are: ``image``, ``labels``.
    command_line
        Shown at the foot.
    """
    write_text(path, page(report, subject, sources, command_line))


def page(
    report: SpineReport, subject: str, sources: Mapping[str, str], command_line: str = ""
) -> str:
    """Return the page as text; see :func:`write_page`."""
    style = files("spinetools.report").joinpath("page.css").read_text(encoding="utf-8")
    named = " · ".join(
        f"{escape(kind)} {escape(Path(name).name)}" for kind, name in sources.items()
    )
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
            "style-src 'unsafe-inline'; img-src data:\">",
            f"<title>Spine report: {escape(subject)}</title>",
            f"<style>{style}</style></head><body><main>",
            f"<header><h1>{escape(subject)}</h1><p>{named}</p>{_names(report)}</header>",
            _flags(report),
            _figures(report),
            _angles(report),
            _table(report),
            _foot(command_line),
            "</main></body></html>\n",
        ]
    )


def _names(report: SpineReport) -> str:
    """Say how sure the names of the levels are."""
    said = report.numbering.get("Confidence")
    span = report.spine.numbering.chosen.span
    words = f"Discs {span} named" if span else "No disc named"
    if not isinstance(said, (int, float)):
        return f'<p class="names">{escape(words)}; how surely is not known</p>'
    kind = "sure" if said >= UNSURE else "unsure"
    return f'<p class="names {kind}">{escape(words)} with confidence {said:.2f}</p>'


def _flags(report: SpineReport) -> str:
    if not report.flags:
        return '<section class="flags none"><p>Nothing was flagged.</p></section>'
    items = [
        f"<li><b>{escape(flag.kind)}</b> {escape(flag.reason)}</li>"
        for flag in report.flags[:MOST_FLAGS]
    ]
    more = len(report.flags) - MOST_FLAGS
    if more > 0:
        items.append(f"<li>and {more} more, in the JSON file</li>")
    return f'<section class="flags"><h2>To be looked at</h2><ul>{"".join(items)}</ul></section>'


def _figures(report: SpineReport) -> str:
    words = {
        "picture": "The spine from the side, with its labels",
        "heights": "Heights of vertebrae and discs",
        "canal": "Canal and cord by level",
        "alignment": "Endplates from the side and the front",
    }
    parts = []
    for name, (kind, content) in draw_all(report).items():
        mime = {"png": "image/png", "svg": "image/svg+xml"}[kind]
        data = base64.b64encode(content).decode()
        parts.append(f'<img class="{name}" alt="{words[name]}" src="data:{mime};base64,{data}">')
    return f'<section class="figures">{"".join(parts)}</section>'


def _angles(report: SpineReport) -> str:
    cells = []
    for curve in report.curves:
        word, between = _ANGLES[curve.name]
        if curve.name == "coronal_cobb" and curve.upper:
            between = f"{curve.upper[:-1]}–{curve.lower[:-1]}"
        shown = f"{curve.angle_deg:.0f}°" if math.isfinite(curve.angle_deg) else "–"
        cells.append(
            f"<div><b>{shown}</b><span>{word}</span><small>{escape(between)}</small></div>"
        )
    return f'<section class="angles">{"".join(cells)}</section>'


def _table(report: SpineReport) -> str:
    """Return the table: a vertebra and the disc below it in one row."""
    discs = {row["level"].partition("-")[0]: row for row in report.rows if row["kind"] == "disc"}
    rows = [row for row in report.rows if row["kind"] == "vertebra" and _measured(row, discs)]
    known = {row["level"] for row in rows}
    # a disc may be named where the vertebra above it is not
    rows += [{"level": level, "flags": ""} for level in discs if level not in known]
    body = []
    for row in rows:
        disc: Mapping[str, Any] = discs.get(row["level"], {})
        cells = [_cell(row, key) for key in _NUMBERS] + [_cell(disc, key) for key in _OF_DISC]
        name = escape(str(disc.get("level", "")))
        cells.insert(len(_NUMBERS), f'<th class="disc">{name}</th>')
        kind = ' class="flagged"' if row["flags"] or disc.get("flags") else ""
        body.append(f"<tr{kind}><th>{escape(str(row['level']))}</th>{''.join(cells)}</tr>")
    return (
        '<table><thead><tr><th rowspan="2"></th><th colspan="5">Vertebral body, mm</th>'
        '<th colspan="3">Canal, mm, mm²</th><th colspan="3">Cord, mm, mm²</th>'
        '<th colspan="6">Disc below, mm</th></tr><tr>'
        + "".join(f"<th>{word}</th>" for word in _HEADINGS)
        + f"</tr></thead><tbody>{''.join(body)}</tbody></table>"
    )


def _measured(row: Mapping[str, Any], discs: Mapping[str, Any]) -> bool:
    """Whether a row says anything: something about the vertebra, or the disc below it."""
    return row["level"] in discs or any(math.isfinite(float(row[key])) for key in _NUMBERS)


_HEADINGS: Sequence[str] = (
    "front", "middle", "back", "front/<wbr>back", "depth", "AP", "RL", "area", "AP", "RL", "area",
    "", "front", "middle", "back", "canal AP", "slip",
)  # fmt: skip


def _cell(row: Mapping[str, Any], key: str) -> str:
    value = row.get(key, math.nan)
    if not (isinstance(value, float) and math.isfinite(value)):
        return "<td>–</td>"
    # + 0.0: what rounds to nothing has no sign
    shown = f"{round(value, _DIGITS.get(key, 1)) + 0.0:.{_DIGITS.get(key, 1)}f}".replace("-", "−")
    return f"<td>{shown}</td>"


def _foot(command_line: str) -> str:
    return (
        "<footer><p>Measured from the labels, lying in the scanner; flags are reasons to look, "
        "no diagnosis, and this is no medical device. On simulated spines: "
        f"{ACCURACY}. Bands: adults ± 2 SD.</p>"
        f"<p>spinetools {escape(__version__)} <code>{escape(command_line)}</code></p></footer>"
    )


#: Median and 95th percentile of the absolute error with exact labels at 1 mm: what
#: testing/benchmark/spine_report.py measured (results/spine_report.tsv; a test compares them).
ACCURACY = (
    "median error (95th percentile) with exact labels at 1 mm: vertebra heights 0.3 (1.2) mm, "
    "disc heights 0.6 (3.0) mm, diameters 0.1 (0.4) mm, slips 0.2 (0.8) mm, "
    "angles 0.7 (2.0)°"
)
