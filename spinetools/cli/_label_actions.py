"""The actions of ``st_label_utils``."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from spinetools.cli._run import announce, write_sidecar
from spinetools.errors import InputError
from spinetools.files import nifti_suffix, output_path, strip_nifti_suffix, write_text
from spinetools.image import points
from spinetools.image.points import Point, load_labels
from spinetools.labels import LUT_SUFFIXES, colour_table, find_scheme, remapping

if TYPE_CHECKING:
    from spinetools.image import Image

logger = logging.getLogger(__name__)


def display(args: argparse.Namespace) -> None:
    """Print each label, and all of them as ``-create`` takes them."""
    found = points.points_of(load_labels(args.i))
    for point in found:
        print(f"Position=({point.x},{point.y},{point.z}) -- Value= {point.number}")
    print("All labels (useful syntax):")
    print(":".join(str(point) for point in found))


def export(args: argparse.Namespace) -> None:
    """Write the colour table of the scheme that is given, or found in the labels."""
    discs = False
    scheme = args.label_scheme
    if args.i is not None:
        labels = load_labels(args.i)
        discs = points.is_points(labels)
        scheme = scheme or find_scheme(points.whole_values(labels), discs)
    base = strip_nifti_suffix(args.i) if args.i else scheme
    name = f"{base}{LUT_SUFFIXES[args.export_lut]}"
    path = output_path(base, "", args.o or name, args.ofolder)
    write_text(path, colour_table(scheme, args.export_lut, discs))
    announce([path], args)


def export_dicomseg(args: argparse.Namespace) -> None:
    """Write the labels as DICOM Segmentation."""
    from spinetools.cli import _dicom

    announce([_dicom.export_dicomseg(args)], args)


def change(args: argparse.Namespace) -> None:
    """Do an action that gives a label image, and write it."""
    image = load_labels(args.i)
    sources = [args.i]
    if args.project_centerline is not None:
        sources.append(args.project_centerline)
        result = _project(image, load_labels(args.project_centerline))
    elif args.remap is not None:
        result = _remap(image, args.label_scheme, args.remap)
    else:
        result = _changed(image, args)
    path = output_path(args.i, f"_labels{nifti_suffix(args.i) or '.nii.gz'}", args.o, args.ofolder)
    result.save(path)
    write_sidecar(path, args, sources)
    announce([path], args, image=args.i, overlays=[path])


def _changed(image: Image, args: argparse.Namespace) -> Image:
    if args.create is not None:
        return points.create(image, [Point(*numbers) for numbers in args.create])
    if args.create_add is not None:
        return points.add_points(image, [Point(*numbers) for numbers in args.create_add])
    if args.create_seg is not None:
        return points.along_segmentation(image, args.create_seg)
    if args.create_seg_mid is not None:
        middle = points.middle_slice(image)
        return points.along_segmentation(image, [(middle, args.create_seg_mid)])
    if args.add is not None:
        return points.add_value(image, args.add)
    if args.keep is not None:
        return points.keep_values(image, args.keep)
    if args.remove is not None:
        return points.remove_values(image, args.remove)
    if args.increment:
        return points.number_downwards(image)
    if args.vert_body is not None:
        return points.centres(image, None if args.vert_body == [0] else args.vert_body)
    return points.centres(image)


def _project(given: Image, other: Image) -> Image:
    """Project the labels of one image on the centreline in the other, whichever is which."""
    # SCT's order is -i centreline, then labels; here the files tell
    given_is_line = points.n_slices_reached(given) >= points.n_slices_reached(other)
    line, labels = (given, other) if given_is_line else (other, given)
    logger.info("projecting the labels of %s on %s", labels.name, line.name)
    return points.project(labels, line)


def _remap(image: Image, source: str | None, target: str) -> Image:
    values = points.whole_values(image)
    if not values:
        raise InputError(f"{image.name} is empty: it has no labels")
    discs = points.is_points(image)
    scheme = source or find_scheme(values, discs)
    changes, dropped = remapping(values, scheme, target, discs)
    logger.info("labels of %s read as %s", Path(image.name).name, scheme)
    if dropped:
        logger.warning("%s has no value for %s: dropped", target, ", ".join(dropped))
    return points.replace_values(image, changes)
