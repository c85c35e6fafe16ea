"""What commands share about DICOM: label maps as DICOM-SEG beside NIfTI."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spinetools.errors import InputError
from spinetools.files import strip_nifti_suffix
from spinetools.series import series_path, with_series

if TYPE_CHECKING:
    import argparse

    from spinetools.image import Image
    from spinetools.labels import Structure

logger = logging.getLogger(__name__)

#: Their masks are of the cord.
CORD_COMMANDS = ("st_propseg", "st_deepseg_sc")
SEGMENTING = (*CORD_COMMANDS, "st_label_vertebrae")


def add_dicomseg(parser: argparse.ArgumentParser) -> None:
    """Declare ``-dicomseg`` and ``-keep-patient``."""
    group = parser.add_argument_group("DICOM")
    group.add_argument(
        "-dicomseg",
        action="store_true",
        help="with DICOM input: write the result as DICOM Segmentation too, beside the NIfTI file",
    )
    add_keep_patient(group)


def add_keep_patient(parser: Any) -> None:
    """Declare ``-keep-patient``."""
    parser.add_argument(
        "-keep-patient",
        action="store_true",
        help="copy the patient's name, ID and birth date into the DICOM Segmentation, so that an "
        "archive files it with the images (default: they are left blank)",
    )


def add_export_options(parser: argparse.ArgumentParser) -> None:
    """Declare what goes with ``-export-dicomseg``."""
    group = parser.add_argument_group("DICOM Segmentation")
    group.add_argument(
        "-structure", metavar="NAME",
        help="what a mask is of, e.g. spinal_cord, where neither its values nor its sidecar tell",
    )  # fmt: skip
    add_keep_patient(group)


def check_dicomseg(args: argparse.Namespace) -> None:
    """Refuse ``-dicomseg`` without DICOM input, before any work."""
    if args.dicomseg and series_path(args.i) is None:
        raise InputError(
            f"-dicomseg needs the DICOM series, and {args.i} is none; for a NIfTI file: "
            "st_label_utils -export-dicomseg"
        )


def dicomseg_beside(
    args: argparse.Namespace, path: Path, labels: Image, names: Mapping[int, str]
) -> list[Path]:
    """Write a result as DICOM Segmentation where ``-dicomseg`` asks for it; return what is written.

    Parameters
    ----------
    args
        The command's arguments.
    path
        The NIfTI file.
    labels
        What is in it.
    names
        The structure that each value stands for.
    """
    if not args.dicomseg:
        return []
    from spinetools.image.dicom.convert import source_files
    from spinetools.image.dicom.seg import Maker, write_segmentation

    target = path.with_name(f"{strip_nifti_suffix(path)}.dcm")
    if not labels.data.any():
        logger.warning("nothing is labelled: no %s is written", target)
        return []
    source = source_files(with_series(args.i))
    maker = Maker(args.prog)
    structures = {value: structure_named(name) for value, name in names.items()}
    return [write_segmentation(target, labels, structures, source, maker, args.keep_patient)]


def structure_named(name: str) -> Structure:
    """Return the structure of a name, e.g. ``spinal_cord``.

    Raises
    ------
    InputError
        When there is none, with the nearest.
    """
    import difflib

    from spinetools.labels import structures

    known = {row.name: row for row in structures()}
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.3)
        raise InputError(f"unknown structure {name!r}; names are like {', '.join(near or known)}")
    return known[name]


def export_dicomseg(args: argparse.Namespace) -> Path:
    """Write the labels of ``-i`` as DICOM Segmentation over the series of ``-export-dicomseg``."""
    from spinetools.files import output_path
    from spinetools.image.dicom.convert import source_files
    from spinetools.image.dicom.seg import Maker, write_segmentation
    from spinetools.image.points import load_labels

    labels = load_labels(args.i)
    path = output_path(args.i, ".dcm", args.o, args.ofolder)
    if series_path(args.export_dicomseg) is None:
        raise InputError(
            f"{args.export_dicomseg} is no DICOM folder or zip; give the series of the image"
        )
    said = _said_of(args.i)
    made_by = _last_maker(said)
    names = _names_of(labels, args, said, made_by)
    maker = Maker(*made_by) if made_by else Maker()
    source = source_files(args.export_dicomseg)
    return write_segmentation(path, labels, names, source, maker, args.keep_patient)


def _names_of(
    labels: Image, args: argparse.Namespace, said: Mapping[str, Any], made_by: Sequence[str]
) -> Mapping[int, Structure]:
    """Return what values stand for: as the user says, as the sidecar does, or as they tell."""
    import numpy as np

    from spinetools.image.points import is_points, whole_values
    from spinetools.labels import find_scheme, numbering

    name = args.structure
    if name is None and args.label_scheme is None and made_by and made_by[0] in CORD_COMMANDS:
        name = "spinal_cord"
    if name is not None:
        soft = labels.data.dtype.kind == "f" and bool((labels.data != np.rint(labels.data)).any())
        values = [1] if soft else whole_values(labels)
        if len(values) > 1:
            raise InputError(f"{labels.name} has {len(values)} values, and -structure names one")
        return {value: structure_named(name) for value in values}
    points = is_points(labels)
    scheme = args.label_scheme or said.get("LabelScheme")
    return numbering(str(scheme or find_scheme(whole_values(labels), points)), points)


def _said_of(path: str) -> dict[str, Any]:
    """Return a file's sidecar; empty where it has none."""
    import json

    from spinetools.files import sidecar_path

    try:
        content = json.loads(sidecar_path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _last_maker(said: Mapping[str, Any]) -> tuple[str, ...]:
    """Return name and version of the last command that segmented; empty where none is recorded."""
    makers = said.get("GeneratedBy")
    for one in reversed(makers if isinstance(makers, list) else []):
        if isinstance(one, dict) and one.get("Name") in SEGMENTING:
            return str(one["Name"]), str(one.get("Version", "n/a"))
    return ()
