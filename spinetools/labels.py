"""Names and label values of the spine's structures, in every scheme of ``data/labels.tsv``."""

from __future__ import annotations

import colorsys
import csv
from collections.abc import Iterable
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

SCHEMES = (
    "totalspineseg",
    "totalspineseg_2025",
    "totalsegmentator",
    "totalsegmentator_mr",
    "sct",
)

#: Programs that a colour table can be written for, and the suffix that each looks for.
LUT_SUFFIXES = {"fsleyes": ".lut", "itksnap": ".txt", "slicer": ".ctbl"}

_COLUMNS = {
    "totalspineseg": ("totalspineseg",),
    "totalspineseg_2025": ("totalspineseg_2025",),
    "totalsegmentator": ("totalsegmentator_total",),
    "totalsegmentator_mr": ("totalsegmentator_vertebrae_mr",),
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


@lru_cache(maxsize=1)
def _codes() -> dict[str, tuple[str, str, str]]:
    """Read the table of codes that ships with the package."""
    text = files("spinetools.data").joinpath("codes.tsv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines(), delimiter="\t")
    return {row["name"]: (row["designator"], row["code"], row["meaning"]) for row in rows}


def code_of(row: Structure) -> tuple[str, str, str]:
    """Return a structure's code: designator, value, meaning.

    SNOMED CT codes of DICOM's context groups 7603 (vertebrae) and 7604 (discs); what is not in
    them (T13, L6 and the discs beside them) has the code of any vertebra or disc.
    """
    return _codes()[row.name]


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


def numbering(scheme: str, discs: bool = False) -> dict[int, Structure]:
    """Return the structure that each label value of a scheme stands for.

    Parameters
    ----------
    scheme
        One of :data:`SCHEMES`.
    discs
        SCT counts vertebrae and discs alike (3 is C3 in a volume, C2–C3 as a point): True reads
        its values as discs. The other schemes have one value for each structure.
    """
    columns = _COLUMNS[check_scheme(scheme)]
    column = columns[-1] if discs else columns[0]
    return {row.values[column]: row for row in structures() if column in row.values}


def find_scheme(values: Iterable[int], discs: bool = False) -> str:
    """Return the one scheme that knows every value.

    Raises
    ------
    InputError
        When no scheme does, or more than one: a guess would rename structures silently.
    """
    seen = {int(value) for value in values} - {0}
    fits = [name for name in SCHEMES if seen and seen <= numbering(name, discs).keys()]
    listed = _listed(seen)
    if not fits:
        raise InputError(f"no label scheme has all of the values {listed}; keep those that it has")
    if len(fits) > 1:
        raise InputError(
            f"the values {listed} fit the schemes {' and '.join(fits)}; say which: -label-scheme"
        )
    return fits[0]


def remapping(
    values: Iterable[int], source: str, target: str, discs: bool = False
) -> tuple[dict[int, int], list[str]]:
    """Say how label values change from one scheme to another.

    Parameters
    ----------
    values
        Those that occur.
    source, target
        Names of schemes.
    discs
        Whether SCT's values in the source are discs; see :func:`numbering`.

    Returns
    -------
    changes
        New value by old value.
    dropped
        Names of the structures that have no value in the target. SCT has one count for vertebrae
        and one for discs: where both occur, the discs are dropped.

    Raises
    ------
    InputError
        When a value is not in the source scheme, or no structure is left.
    """
    seen = sorted({int(value) for value in values} - {0})
    known = numbering(source, discs)
    unknown = [value for value in seen if value not in known]
    if unknown:
        raise InputError(f"the scheme {source} has no label {_listed(unknown)}")
    to_discs = all(known[value].kind != "vertebra" for value in seen)
    new = {row.name: value for value, row in numbering(target, to_discs).items()}
    changes = {value: new[known[value].name] for value in seen if known[value].name in new}
    dropped = [known[value].name for value in seen if known[value].name not in new]
    if not changes:
        raise InputError(f"the scheme {target} has a value for none of {', '.join(dropped)}")
    return changes, dropped


def colour_table(scheme: str, program: str, discs: bool = False) -> str:
    """Write a scheme's names and colours as a viewer reads them.

    Parameters
    ----------
    scheme
        One of :data:`SCHEMES`.
    program
        ``fsleyes``, ``itksnap`` or ``slicer``.
    discs
        See :func:`numbering`.
    """
    rows = [
        (value, row.name, colour_of_structure(row))
        for value, row in numbering(scheme, discs).items()
    ]
    rows.sort()
    if program == "fsleyes":
        lines = [f"{v} {r:.5f} {g:.5f} {b:.5f} {name}" for v, name, (r, g, b) in rows]
    elif program == "itksnap":
        lines = ['    0     0    0    0        0  0  0    "Clear Label"']
        lines += [
            f'{v:5d} {_byte(r):5d} {_byte(g):4d} {_byte(b):4d}        1  1  1    "{name}"'
            for v, name, (r, g, b) in rows
        ]
    elif program == "slicer":
        lines = [
            f"# Color table file {scheme}",
            f"# {len(rows) + 1} values",
            "0 Background 0 0 0 0",
        ]
        lines += [f"{v} {name} {_byte(r)} {_byte(g)} {_byte(b)} 255" for v, name, (r, g, b) in rows]
    else:
        raise InputError(f"unknown program {program!r}; choose one of {', '.join(LUT_SUFFIXES)}")
    return "\n".join(lines) + "\n"


def colour_of_structure(row: Structure) -> tuple[float, float, float]:
    """Give a structure its colour, the same in every scheme: neighbours far apart in hue."""
    if row.kind == "cord":
        return 1.0, 0.85, 0.2
    if row.kind == "canal":
        return 0.45, 0.8, 1.0
    order = [other.name for other in structures() if other.kind == row.kind].index(row.name)
    hue = (0.03 + order * 0.618034) % 1  # golden ratio: no two near ones look alike
    saturation, brightness = (0.75, 0.9) if row.kind == "vertebra" else (0.35, 1.0)
    return colorsys.hsv_to_rgb(hue, saturation, brightness)


def _byte(value: float) -> int:
    return round(value * 255)


def _listed(values: Iterable[int], most: int = 8) -> str:
    ordered = sorted(values)
    text = ", ".join(str(value) for value in ordered[:most])
    return f"{text}, …" if len(ordered) > most else text or "none"
