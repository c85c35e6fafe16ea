"""Names of files in BIDS: ``sub-01_ses-02_run-1_T2w.nii.gz`` and what it says."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from spinetools.errors import InputError

#: Entities in the order that a name has them (BIDS 1.10, appendix "Entity table").
ORDER = (
    "sub", "tpl", "ses", "cohort", "sample", "task", "tracksys", "acq", "nuc", "voi", "ce", "trc",
    "stain", "rec", "dir", "run", "mod", "echo", "flip", "inv", "mt", "part", "proc", "hemi",
    "space", "split", "recording", "chunk", "atlas", "seg", "scale", "res", "den", "label", "desc",
)  # fmt: skip
#: Entities whose value is a number: run-1 and run-01 are the same run.
INDICES = frozenset({"run", "echo", "flip", "inv", "split", "chunk", "scale"})
#: What a value may be made of.
_LABEL = re.compile(r"[0-9A-Za-z+]+")
_SUFFIX = re.compile(r"[0-9A-Za-z]+")
#: What ends the names of images that a cord can be seen in, and the contrast that each has.
ENDINGS = (
    ("_acq-T1w_MTS", "t1"), ("_T1w", "t1"), ("_T2w", "t2"), ("_T2star", "t2s"),
    ("_T2starw", "t2s"), ("_MTS", "t2s"), ("_MTon", "t2s"), ("_MToff", "t2s"), ("_dwi", "dwi"),
    ("_DWImean", "dwi"),
)  # fmt: skip


@dataclass(frozen=True)
class BidsName:
    """A file's name, taken apart.

    Attributes
    ----------
    entities
        Value by entity, in the order of the name: ``{"sub": "01", "run": "1"}``.
    suffix
        What the file holds: ``T2w``, ``dseg``.
    extension
        From the first dot on: ``.nii.gz``.
    """

    entities: Mapping[str, str]
    suffix: str
    extension: str

    def __str__(self) -> str:
        """Return the name, its entities in the order that BIDS has."""
        parts = [f"{key}-{self.entities[key]}" for key in ORDER if key in self.entities]
        return "_".join([*parts, f"{self.suffix}{self.extension}"])

    @property
    def folder(self) -> str:
        """The folder of the subject, or of its session: ``sub-01/ses-02``."""
        return "/".join(f"{key}-{self.entities[key]}" for key in ("sub", "ses")
                        if key in self.entities)  # fmt: skip

    @property
    def key(self) -> tuple[object, ...]:
        """What two files must not share: entities and suffix, whatever the case and the zeros."""
        values = ((key, int(value) if key in INDICES and value.isdecimal() else value.lower())
                  for key, value in sorted(self.entities.items()))  # fmt: skip
        return (*values, self.suffix)


def parse_name(path: str | os.PathLike[str]) -> BidsName:
    """Take a file's name apart.

    Raises
    ------
    InputError
        When it is no name that BIDS knows: an entity that does not exist, occurs twice or has a
        value with other characters than letters, digits and ``+``; no subject; no suffix.
    """
    name = Path(path).name
    stem, dot, rest = name.partition(".")
    *pairs, suffix = stem.split("_")
    entities: dict[str, str] = {}
    for pair in pairs:
        key, dash, value = pair.partition("-")
        if not dash or key not in ORDER:
            raise _no_name(name, f"{pair!r} is no entity of BIDS")
        if not _LABEL.fullmatch(value):
            raise _no_name(name, f"{pair!r} may hold letters, digits and '+' only")
        if key in entities:
            raise _no_name(name, f"{key!r} occurs twice")
        entities[key] = value
    if "sub" not in entities:
        raise _no_name(name, "it names no subject (sub-…)")
    if not _SUFFIX.fullmatch(suffix):
        raise _no_name(name, f"it ends in {suffix!r}, no suffix")
    return BidsName(entities, suffix, f"{dot}{rest}")


def _no_name(name: str, why: str) -> InputError:
    return InputError(f"{name!r} is no name of BIDS: {why}; expected one like sub-01_T2w.nii.gz")


def contrast_of(name: str) -> str:
    """Return the contrast that a file's name (without its ending) tells; empty for none."""
    if re.search(r"_acq-T1w(_[a-z]+-[0-9A-Za-z]+)*_MTS$", name):
        return "t1"
    return next((contrast for ending, contrast in ENDINGS if name.endswith(ending)), "")
