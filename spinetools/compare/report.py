"""A comparison as the QC report shows it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spinetools.compare.cases import Compared, methods_of
from spinetools.compare.choose import Choice, in_words
from spinetools.compare.figures import COLOURS, draw_all
from spinetools.compare.tables import agreements
from spinetools.files import strip_nifti_suffix
from spinetools.qc.comparison import add_comparison


def put_in_report(
    folder: str | Path,
    compared: Sequence[Compared],
    chosen: Sequence[Choice],
    tables: Sequence[Path],
    *,
    dataset: str = "",
    command_line: str = "",
) -> str:
    """Draw the figures and put the comparison into a QC report.

    Parameters
    ----------
    folder
        The report.
    compared, chosen
        What was measured, and what follows (:func:`spinetools.compare.choose.choices`).
    tables
        CSV files, copied into the report.
    dataset, command_line
        As shown.

    Returns
    -------
    str
        The comparison's name in the report.
    """
    pictures = draw_all(compared)
    files = {f"{p.name}-{theme}.svg": getattr(p, theme) for p in pictures for theme in COLOURS}
    files |= {table.name: table.read_bytes() for table in tables}
    content = record(compared, chosen)
    content["pictures"] = [
        {"name": p.name, "title": p.title, "caption": p.caption} for p in pictures
    ]
    content["tables"] = [table.name for table in tables]
    return add_comparison(folder, content, files, dataset=dataset, command_line=command_line)


def record(compared: Sequence[Compared], chosen: Sequence[Choice]) -> dict[str, Any]:
    """Return what the page needs, but for figures and tables; numbers that do not exist are None.

    Parameters
    ----------
    compared, chosen
        As in :func:`put_in_report`.
    """
    words = in_words(compared, chosen)
    return {
        "methods": list(methods_of(compared)),
        "colours": {theme: list(colours) for theme, colours in COLOURS.items()},
        "headline": words[0],
        "sureness": chosen[0].sureness,
        "words": words[1:],
        "choices": [_choice(choice) for choice in chosen],
        "rows": [_row(each) for each in compared],
    }


def _choice(choice: Choice) -> dict[str, Any]:
    test = choice.paired
    return {
        "group": choice.group,
        "method": choice.method,
        "runner_up": choice.runner_up,
        "sureness": choice.sureness,
        "scores": {name: _number(score) for name, score in choice.scores.items()},
        "images": choice.images,
        "subjects": choice.subjects,
        "referenced": choice.referenced,
        # as on the page: per cent that the method's masks lack less than the next one's
        "less": _less(test.mean),
        "low": _less(test.low),
        "high": _less(test.high),
        "wins": test.wins,
        "losses": test.losses,
        "p": _number(test.p),
    }


def _row(compared: Compared) -> dict[str, Any]:
    case, agreement = compared.case, agreements(compared)
    return {
        "input": str(case.image),
        "name": strip_nifti_suffix(case.image),
        "subject": case.subject,
        "contrast": case.contrast,
        "results": [
            {
                "method": result.method,
                "state": result.state,
                "reasons": list(result.reasons),
                "expected": _number(result.expected),
                "dice": _number(result.dice),
                "agreement": _number(agreement.get(result.method, math.nan)),
                "csa": _number(result.csa_mm2),
            }
            for result in compared.results
        ],
    }


def _less(log_ratio: float) -> float | None:
    return _number(100 * (1 - math.exp(-log_ratio)))


def _number(value: float) -> float | None:
    return float(f"{value:.4g}") if math.isfinite(value) else None
