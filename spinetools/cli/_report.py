"""What ``st_report`` reads and says."""

from __future__ import annotations

import argparse
import json
import logging
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spinetools.errors import InputError

if TYPE_CHECKING:
    from spinetools.image import Image
    from spinetools.report import SpineReport
    from spinetools.vertebrae import SpineLabels

logger = logging.getLogger(__name__)

#: Fields of the labels' sidecar that say how sure the names are.
NUMBERING = (
    "Confidence", "NumberingCertain", "Variant", "VariantProbability", "Numbering", "Alternatives",
)  # fmt: skip


def page_path(path: Path) -> Path:
    """Return where the page goes; JSON and table lie beside it.

    Raises
    ------
    InputError
        When ``-o`` names another kind of file.
    """
    if path.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"-o {path}: the page's name must end with .html")
    return path


def read_spine(
    args: argparse.Namespace,
) -> tuple[SpineLabels, dict[int, str], Image, Mapping[str, Any]]:
    """Read labels, their names, the image, and what is known of the numbering."""
    from spinetools.image import load_mask, load_volume
    from spinetools.image.combine import structure_names
    from spinetools.image.points import whole_values
    from spinetools.vertebrae.from_labels import spine_from_labels

    labels = load_mask(args.s)
    whole_values(labels)
    names = structure_names(labels, args.label_scheme)
    image = load_volume(args.i) if args.i else None
    cord = load_mask(args.seg) if args.seg else None
    numbering = numbering_of(args.s)
    confidence = numbering.get("Confidence")
    known = float(confidence) if isinstance(confidence, (int, float)) else math.nan
    return spine_from_labels(labels, names, image, cord, known), names, labels, numbering


def numbering_of(labels: str) -> dict[str, Any]:
    """Return what the sidecar of the labels says about the numbering; nothing where none does."""
    from spinetools.files import sidecar_path

    path = sidecar_path(Path(labels))
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        logger.info("no sidecar says how sure the numbering of %s is", labels)
        return {}
    if not isinstance(content, dict):
        return {}
    return {key: content[key] for key in NUMBERING if key in content}


def sources_of(args: argparse.Namespace) -> dict[str, str]:
    """Return the files by what they are."""
    given = {"image": args.i, "labels": args.s, "cord": args.seg}
    return {kind: str(name) for kind, name in given.items() if name}


def subject_of(args: argparse.Namespace) -> str:
    """Name the subject from the image's name, or that of the labels."""
    from spinetools.files import strip_nifti_suffix
    from spinetools.qc.entry import subject_of as guess

    path = args.i or args.s
    found = guess(path)
    return found if args.i else strip_nifti_suffix(found).removesuffix("_labels")


def record_of(args: argparse.Namespace, sources: Mapping[str, str], title: str) -> dict[str, Any]:
    """Return the fields of the JSON file that say where it comes from."""
    from spinetools._version import __version__

    return {
        "Subject": title,
        "Sources": list(sources.values()),
        "GeneratedBy": [
            {"Name": args.prog, "Version": __version__, "CommandLine": args.command_line}
        ],
    }


def say(report: SpineReport) -> None:
    """Name on the terminal what should be looked at."""
    for flag in report.flags:
        logger.warning("%s: %s", flag.kind, flag.reason)
    if not report.rows:
        logger.warning("no vertebra and no disc could be measured")
