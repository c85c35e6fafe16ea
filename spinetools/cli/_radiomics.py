"""``-radiomics`` of ``st_label_vertebrae``."""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from spinetools.files import write_json, write_text

if TYPE_CHECKING:
    from spinetools.image import Image

#: Feature classes of pyradiomics, written out here so that the help needs no heavy import; a test
#: holds them to the package's.
CLASSES = ("shape", "firstorder", "glcm", "glrlm", "glszm", "gldm", "ngtdm")
DEFAULT = "shape,firstorder"


def add_radiomics(group: argparse._ArgumentGroup) -> None:
    """Declare ``-radiomics``."""
    group.add_argument(
        "-radiomics",
        nargs="?",
        const=_classes(DEFAULT),
        type=_classes,
        metavar="LIST",
        help="radiomic features of each structure: <input>_radiomics.tsv and .json; classes with "
        f"commas, of {', '.join(CLASSES)} (default {DEFAULT}); needs pyradiomics (extra radiomics)",
    )


def _classes(text: str) -> list[str]:
    words = [part.strip() for part in text.split(",") if part.strip()]
    unknown = [word for word in words if word not in CLASSES]
    if unknown or not words:
        raise argparse.ArgumentTypeError(
            f"{', '.join(unknown) or repr(text)}: expected some of {', '.join(CLASSES)}"
        )
    return words


def write_radiomics(
    args: argparse.Namespace,
    files: tuple[Path, Path],
    image: Image,
    labels: Image,
    names: Mapping[int, str],
) -> list[Path]:
    """Compute and write the table and the record; returns both paths."""
    from spinetools.vertebrae.radiomics import SETTINGS, radiomics_of

    table, record = files
    found = radiomics_of(image, labels, names, args.radiomics)
    columns = ("name", "value", *found.columns)
    lines = ["\t".join(columns)]
    for row in found.rows:
        cells = [row[column] for column in columns]
        lines.append("\t".join(_text(cell) for cell in cells))
    write_text(table, "\n".join(lines) + "\n")
    write_json(
        record,
        {
            "Sources": [args.i],
            "PyradiomicsVersion": found.version,
            "Settings": SETTINGS,
            "Classes": args.radiomics,
        },
    )
    return [table, record]


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6g}" if math.isfinite(value) else "n/a"
    return str(value)
