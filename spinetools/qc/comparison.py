"""Comparisons of methods in a report: a record, figures and tables each, and their list.

They are kept like entries: a folder each that is written whole, its record last, and one script
that lists them, made anew from the records at any time. Comparing the same images again replaces
the earlier comparison.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from spinetools._version import __version__
from spinetools.files import atomic_path, write_text
from spinetools.qc.index import ENTRIES, refresh, refresh_wanted, script_json

logger = logging.getLogger(__name__)

COMPARISONS, LIST, RECORD = "comparisons", "comparisons.js", "comparison.json"
#: Raised when an older page cannot show what is written.
FORMAT = 1

_NAME = re.compile(r"[0-9a-f]{16}")


def add_comparison(
    folder: str | os.PathLike[str],
    content: Mapping[str, Any],
    files: Mapping[str, bytes],
    *,
    dataset: str = "",
    command_line: str = "",
) -> str:
    """Add a comparison to a report, which is made where there is none.

    Parameters
    ----------
    folder
        The report.
    content
        What the page shows: ``methods``, ``headline``, ``sureness``, ``words``, ``choices``,
        ``rows`` (one an image, with ``input`` as the entries have it), ``pictures`` and
        ``tables``, as :func:`spinetools.compare.report.record` returns it.
    files
        Figures and tables by file name.
    dataset, command_line
        As shown.

    Returns
    -------
    str
        The comparison's name: the same for the same data set, methods and images.

    Raises
    ------
    OutputError
        When the report cannot be written.
    """
    folder = Path(folder)
    name = _key(dataset, content["methods"], [row["input"] for row in content["rows"]])
    place = folder / COMPARISONS / name
    for file, data in files.items():
        with atomic_path(place / file) as temporary:
            temporary.write_bytes(data)
    record = {
        "format": FORMAT,
        "name": name,
        "created": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "dataset": dataset,
        "command_line": command_line,
        "version": __version__,
        **content,
    }
    write_text(place / RECORD, script_json(record) + "\n")
    (folder / ENTRIES).mkdir(exist_ok=True)
    if refresh_wanted():
        refresh(folder)
    list_comparisons(folder)
    return name


def list_comparisons(folder: str | os.PathLike[str]) -> int:
    """Write the script that lists a report's comparisons, the newest first; return their number."""
    folder = Path(folder)
    records = []
    for path in folder.glob(f"{COMPARISONS}/*/{RECORD}"):
        record = _read(path)
        if record is not None:
            records.append(record)
    records.sort(key=lambda record: (record["created"], record["name"]), reverse=True)
    lines = ",\n".join(script_json(record) for record in records)
    write_text(folder / LIST, f"window.spinetoolsComparisons = [\n{lines}\n];\n")
    return len(records)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if record["format"] != FORMAT or record["name"] != path.parent.name:
            raise ValueError("not of this version")
        if not _NAME.fullmatch(record["name"]) or not isinstance(record["created"], str):
            raise ValueError("no comparison")
        return dict(record)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        logger.warning("%s is damaged and is left out of the QC report (%s)", path, error)
        return None


def _key(dataset: str, methods: Sequence[str], inputs: Sequence[str]) -> str:
    full = sorted(os.path.abspath(name) for name in inputs)  # noqa: PTH100 - no link followed
    text = json.dumps([dataset, list(methods), full])
    return hashlib.sha256(text.encode()).hexdigest()[:16]
