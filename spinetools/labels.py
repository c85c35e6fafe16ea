"""Names and label values of the spine's structures, in every scheme of ``data/labels.tsv``."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from spinetools.errors import InputError

#: Vertebrae from the skull to the sacrum, without the variants T13 and L6.
LEVELS = (
    *(f"C{i}" for i in range(1, 8)),
    *(f"T{i}" for i in range(1, 13)),
    *(f"L{i}" for i in range(1, 6)),
)

SCHEMES = ("totalspineseg", "totalspineseg_2025", "totalsegmentator", "sct")

_COLUMNS = {
    "totalspineseg": ("totalspineseg",),
    "totalspineseg_2025": ("totalspineseg_2025",),
    "totalsegmentator": ("totalsegmentator_total",),
    "sct": ("sct_vertebral_level", "sct_disc"),
}


@dataclass(frozen=True)
class Structure:
    """One row of the label table.

    Attributes
    ----------
    name
        E.g. ``vertebrae_C1``, ``disc_C2_C3``, ``spinal_cord``.
    kind
        ``vertebra``, ``disc``, ``cord``, ``canal`` or ``sacrum``-like kinds of the table.
    level
        E.g. ``C1`` or ``C2-C3``; ``n/a`` where there is none.
    values
        Label value by column of the table; columns without a value are left out.
    """

    name: str
    kind: str
    level: str
    values: dict[str, int]

    def value(self, scheme: str) -> int | None:
        """Return the label value in a scheme, or None where the scheme has none."""
        for column in _COLUMNS[check_scheme(scheme)]:
            if column in self.values:
                return self.values[column]
        return None


@lru_cache(maxsize=1)
def structures() -> tuple[Structure, ...]:
    """Read the label table that ships with the package."""
    text = files("spinetools.data").joinpath("labels.tsv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines(), delimiter="\t")
    fixed = ("name", "kind", "level")
    return tuple(
        Structure(
            name=row["name"],
            kind=row["kind"],
            level=row["level"],
            values={k: int(v) for k, v in row.items() if k not in fixed and v != "n/a"},
        )
        for row in rows
    )


def check_scheme(scheme: str) -> str:
    """Return the scheme's name, or raise InputError naming those that exist."""
    if scheme not in SCHEMES:
        raise InputError(f"unknown label scheme {scheme!r}; choose one of {', '.join(SCHEMES)}")
    return scheme


def level_value(level: str) -> int:
    """Return the value of a vertebral level as SCT numbers them: C1 is 1, T1 is 8, L5 is 24."""
    try:
        return LEVELS.index(level) + 1
    except ValueError:
        raise InputError(f"unknown vertebral level {level!r}; levels run from C1 to L5") from None


def level_name(value: int) -> str:
    """Return the name of a vertebral level from SCT's value; ``n/a`` where there is none."""
    return LEVELS[value - 1] if 1 <= value <= len(LEVELS) else "n/a"
