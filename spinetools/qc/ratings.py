"""Ratings that a report brings along, for everyone who opens it.

People rate in the browser, which keeps ratings to itself. They export them as JSON; merging that
file into the report writes ``ratings.js``, which the page reads; a rating in somebody's browser
counts for them where it is newer.
"""

from __future__ import annotations

import csv
import io
import json
import logging
import os
import re
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from spinetools.errors import InputError
from spinetools.files import parse_json, write_text
from spinetools.qc.index import locked, read_summaries, script_json

logger = logging.getLogger(__name__)

VERDICTS = ("pass", "fail", "artifact")
RATINGS = "ratings.js"
_START, _END = "window.spinetoolsRatings = ", ";\n"
_COLUMNS = (
    "dataset", "subject", "process", "input", "verdict", "score", "note", "updated", "case",
    "slice",
)  # fmt: skip
#: A note is kept up to this length.
MOST_TEXT = 2000
#: A file name that YAML reads as text without quotes.
_PLAIN = re.compile(r"[A-Za-z][\w.-]*\.nii(\.gz)?", re.ASCII)


@dataclass(frozen=True)
class SliceRating:
    """What a person said about one slice; both texts are empty where they took it back."""

    verdict: str = ""
    note: str = ""
    updated: str = ""

    @classmethod
    def from_record(cls, record: Any) -> SliceRating:
        """Read it from JSON; what is not a slice's rating is left out."""
        if not isinstance(record, Mapping):
            return cls()
        return cls(*(_text(record, name) for name in ("verdict", "note", "updated")))._checked()

    def _checked(self) -> SliceRating:
        verdict = self.verdict if self.verdict in VERDICTS else ""
        return replace(self, verdict=verdict, note=self.note[:MOST_TEXT])


@dataclass(frozen=True)
class Rating:
    """What a person said about a case.

    Attributes
    ----------
    verdict
        ``pass``, ``fail``, ``artifact``, or empty.
    score
        0 to 9, or None.
    note
        Free text.
    updated
        When, UTC, ISO 8601.
    entry
        The id of the entry that was looked at.
    slices
        What was said about single slices, by native index; each has its own ``updated``.
    """

    verdict: str = ""
    score: int | None = None
    note: str = ""
    updated: str = ""
    entry: str = ""
    slices: Mapping[int, SliceRating] = field(default_factory=dict)

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Rating:
        """Read a rating from a row of JSON or TSV; what is not a rating's is left out."""
        texts = {
            name: _text(record, name) for name in ("verdict", "score", "note", "updated", "entry")
        }
        verdict = texts["verdict"] if texts["verdict"] in VERDICTS else ""
        score = int(texts["score"]) if re.fullmatch(r"[0-9]", texts["score"]) else None
        slices = record.get("slices")
        return cls(
            verdict,
            score,
            texts["note"][:MOST_TEXT],
            texts["updated"],
            texts["entry"],
            {
                int(index): SliceRating.from_record(said)
                for index, said in (slices if isinstance(slices, Mapping) else {}).items()
                if re.fullmatch(r"\d{1,5}", str(index))
            },
        )

    @property
    def is_empty(self) -> bool:
        """Whether nothing was said."""
        said = any(each.verdict or each.note for each in self.slices.values())
        return not self.verdict and self.score is None and not self.note and not said

    def merged(self, other: Rating) -> Rating:
        """Return the newer word about the case, and about each slice."""
        newer = other if other.updated > self.updated else self
        slices = dict(self.slices)
        for index, said in other.slices.items():
            if index not in slices or said.updated > slices[index].updated:
                slices[index] = said
        return replace(newer, slices=slices)


Ratings = dict[str, Rating]


def _text(record: Mapping[str, Any], name: str) -> str:
    return "" if record.get(name) in (None, "n/a") else str(record[name])


def read_ratings(folder: str | os.PathLike[str]) -> Ratings:
    """Return a report's ratings by case; none where there is no file.

    Raises
    ------
    InputError
        When the file is damaged.
    """
    path = Path(folder) / RATINGS
    try:
        text = path.read_text(encoding="utf-8")
        content = parse_json(text.removeprefix(_START).removesuffix(_END)) if text.strip() else {}
        return {case: Rating.from_record(record) for case, record in content.items()}
    except FileNotFoundError:
        return {}
    except (ValueError, AttributeError, TypeError) as error:
        raise InputError(
            f"{path} is damaged ({error}); remove it and import the ratings again"
        ) from None


def import_ratings(folder: str | os.PathLike[str], source: str | os.PathLike[str]) -> int:
    """Merge an exported file into a report; the newer rating of a case, and of a slice, counts.

    Parameters
    ----------
    folder
        The report.
    source
        ``.json`` or ``.tsv`` as the page exports them.

    Returns
    -------
    int
        Number of ratings taken over.

    Raises
    ------
    InputError
        When the file is no such export.
    """
    new = _read_export(Path(source))
    with locked(Path(folder)):
        ratings = _readable_ratings(Path(folder))
        taken = 0
        for case, rating in new.items():
            merged = ratings[case].merged(rating) if case in ratings else rating
            if merged != ratings.get(case):
                ratings[case] = merged
                taken += 1
        content = {case: asdict(ratings[case]) for case in sorted(ratings)}
        write_text(Path(folder) / RATINGS, f"{_START}{script_json(content)}{_END}")
    return taken


def export_ratings(folder: str | os.PathLike[str], kind: str, verdict: str = "fail") -> str:
    """Return a report's ratings as text.

    Parameters
    ----------
    folder
        The report.
    kind
        ``yml``: the inputs with one verdict, as ``-exclude-yml`` of the batch commands reads them;
        ``tsv`` or ``json``: all ratings.
    verdict
        For ``yml``.
    """
    ratings = read_ratings(folder)
    latest = {entry["case"]: entry for entry in read_summaries(folder)}
    rated = [
        (entry, ratings[case])
        for case, entry in latest.items()
        if case in ratings and not ratings[case].is_empty
    ]
    rated.sort(key=lambda pair: (pair[0]["subject"], pair[0]["process"]))
    if kind == "yml":
        return _as_yaml((entry for entry, rating in rated if rating.verdict == verdict), verdict)
    records = [
        {
            **{name: entry[name] for name in ("case", "dataset", "subject", "process", "input")},
            "export_key": entry["export_key"],
            **asdict(rating),
        }
        for entry, rating in rated
    ]
    if kind == "tsv":
        return _as_tsv(records)
    return json.dumps({"format": 1, "ratings": records}, indent=2, ensure_ascii=False) + "\n"


def _as_yaml(entries: Iterable[Mapping[str, Any]], verdict: str) -> str:
    lists: dict[str, set[str]] = {}
    for entry in entries:
        name = re.split(r"[\\/]", entry["input"])[-1] or entry["subject"]
        lists.setdefault(entry["export_key"], set()).add(name)
    lines = [f'# inputs rated "{verdict}" in a spinetools QC report']
    for key in sorted(lists):
        lines.append(f"{key}:")
        # JSON's quoted texts are YAML's, too
        lines += [f"- {n if _PLAIN.fullmatch(n) else json.dumps(n)}" for n in sorted(lists[key])]
    if not lists:
        lines.append("{}")
    return "\n".join(lines) + "\n"


def _as_tsv(records: Iterable[Mapping[str, Any]]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter="\t", quoting=csv.QUOTE_NONE, quotechar=None,
                        lineterminator="\n")  # fmt: skip
    writer.writerow(_COLUMNS)
    for record in records:
        rows: list[dict[str, Any]] = [{**record, "slice": None}]
        for index, said in sorted(record["slices"].items()):
            if said["verdict"] or said["note"]:
                rows.append({**record, "score": None, "slice": index, **said})
        for row in rows:
            cells = (row[name] for name in _COLUMNS)
            writer.writerow(
                "n/a" if cell in (None, "") else re.sub(r"[\t\r\n]+", " ", str(cell))
                for cell in cells
            )
    return buffer.getvalue()


def _read_export(path: Path) -> Ratings:
    if path.suffix.lower() not in (".json", ".tsv"):
        raise InputError(
            f"{path} is no export of ratings: expected .json or .tsv as the page saves them "
            "(a .yml holds only names of files)"
        )
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix.lower() == ".json":
            records = parse_json(text)["ratings"]
        else:
            records = list(
                csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
            )
        ratings: Ratings = {}
        for record in records:
            case, index = str(record["case"]), _text(record, "slice")
            rating = (
                Rating(slices={int(index): SliceRating.from_record(record)})
                if re.fullmatch(r"\d{1,5}", index)
                else Rating.from_record(record)
            )
            ratings[case] = ratings[case].merged(rating) if case in ratings else rating
        return ratings
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; check the path") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path} is no export of ratings ({type(error).__name__}: {error}); "
            "save one with Export on the QC page"
        ) from None


def _readable_ratings(folder: Path) -> Ratings:
    """Return the report's ratings; a damaged file is put aside, not overwritten."""
    try:
        return read_ratings(folder)
    except InputError as error:
        aside = folder / f"ratings.damaged-{time.strftime('%Y%m%dT%H%M%S')}.js"
        with suppress(OSError):
            (folder / RATINGS).replace(aside)
        logger.warning("%s; it is kept as %s", error, aside.name)
        return {}
