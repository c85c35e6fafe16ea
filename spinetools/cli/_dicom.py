"""What commands share about DICOM: label maps as DICOM-SEG beside NIfTI."""

from __future__ import annotations

import logging
from collections.abc import Mapping
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
    from spinetools.image import points
    from spinetools.image.dicom.convert import source_files
    from spinetools.image.dicom.seg import write_segmentation
    from spinetools.labels import find_scheme, numbering

    labels = points.load_labels(args.i)
    path = output_path(args.i, ".dcm", args.o, args.ofolder)
    if series_path(args.export_dicomseg) is None:
        raise InputError(
            f"{args.export_dicomseg} is no DICOM folder or zip; give the series of the image"
        )
    if args.structure is not None:
        structure = structure_named(args.structure)
        names = {int(value): structure for value in (1,)}
    else:
        values = points.whole_values(labels)
        scheme = args.label_scheme or find_scheme(values, discs=points.is_points(labels))
        names = numbering(scheme, discs=points.is_points(labels))
    source = source_files(args.export_dicomseg)
    return write_segmentation(path, labels, names, source, _maker_of(args.i), args.keep_patient)


def _maker_of(path: str) -> Any:
    """Return what made a label image, as its sidecar tells."""
    import json

    from spinetools.files import sidecar_path
    from spinetools.image.dicom.seg import Maker

    try:
        last = json.loads(sidecar_path(path).read_text(encoding="utf-8"))["GeneratedBy"][-1]
        return Maker(str(last["Name"]), str(last["Version"]))
    except (OSError, ValueError, KeyError, IndexError, TypeError):
        return Maker()
