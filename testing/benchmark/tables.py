"""Results as TSV files, and as Markdown tables."""

from __future__ import annotations

import csv
import datetime
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

Row = Mapping[str, str]


def write_tsv(path: Path, rows: Sequence[Row]) -> None:
    """Write rows of one kind; the first row's keys are the columns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def read_tsv(path: Path) -> list[dict[str, str]]:
    """Read what :func:`write_tsv` wrote."""
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


def markdown(rows: Sequence[Row]) -> str:
    """Return a Markdown table; the first row's keys are its headings."""
    lines = [list(rows[0]), ["---"] * len(rows[0]), *(list(row.values()) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def number(value: float, digits: int = 2, sign: bool = False) -> str:
    """Write a number for a table; ``n/a`` where there is none."""
    if value != value:
        return "n/a"
    text = f"{value:{'+' if sign else ''}.{digits}f}"
    return text.replace("-", "−")


def machine() -> dict[str, str]:
    """Say on what a result was measured."""
    import numpy
    import scipy

    from spinetools import __version__

    return {
        "spinetools": __version__,
        "python": platform.python_version(),
        "numpy": numpy.__version__,
        "scipy": scipy.__version__,
        "cores": str(os.cpu_count()),
        "processor": _processor(),
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"),
    }


def _processor() -> str:
    try:
        lines: Iterable[str] = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
