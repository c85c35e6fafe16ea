"""The actions of ``st_image``: each gives the image to write and the ending of its name."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spinetools.cli._run import announce, write_sidecar
from spinetools.errors import InputError
from spinetools.files import nifti_suffix, output_path, strip_nifti_suffix
from spinetools.image import load_grid
from spinetools.image.edit import (
    AXES,
    concatenate,
    describe_header,
    keep_volumes,
    load_mended,
    load_under_header_of,
    remove_volumes,
    spacing_for,
    split,
)
from spinetools.image.header import with_qform_from_sform, with_sform_from_qform
from spinetools.image.load import check_finite
from spinetools.image.orientation import nib_codes_from_sct, sct_codes_from_nib
from spinetools.image.resample import resample_to, resample_to_spacing
from spinetools.series import series_path

if TYPE_CHECKING:
    from spinetools.image import Image


def show(args: argparse.Namespace) -> None:
    """Print the orientation or the header."""
    if args.header:
        rows = describe_header(args.i[0])
        width = max(len(field) for field, _ in rows)
        for field, text in rows:
            print(f"{field:<{width}}  {text}".rstrip())
    else:
        print(sct_codes_from_nib(load_grid(args.i[0]).space.nib_codes))


def act(args: argparse.Namespace) -> None:
    """Do the action and write its image or images, with their sidecars."""
    sources = [*args.i]
    more: dict[str, Any] = {"SpatialReference": args.resample_to} if args.resample_to else {}
    named_after = sources[0]
    if args.split:
        axis = AXES.index(args.split)
        base = args.o or named_after
        suffix = nifti_suffix(base) or ".nii.gz"
        stem = Path(base).with_name(strip_nifti_suffix(base)) if args.o else None
        results = []
        for index, piece in enumerate(split(load_grid(named_after), axis)):
            ending = f"_{args.split.upper()}{index:04d}{suffix}"
            name = None if stem is None else f"{stem}{ending}"
            results.append((piece, output_path(base, ending, name, args.ofolder)))
    else:
        if args.copy_header:
            named_after = args.copy_header
            sources.append(args.copy_header)
        elif args.resample_to:
            sources.append(args.resample_to)
        if args.convert:
            image, ending, more = _converted(args.i[0])
        else:
            image, ending = _one_result(args)
        ending += nifti_suffix(named_after) or ".nii.gz"
        results = [(image, output_path(named_after, ending, args.o, args.ofolder))]
    for image, path in results:
        image.save(path, dtype=args.type)
        write_sidecar(path, args, sources, **more)
    written = [path for _, path in results]
    announce(written, args, image=written[0])


def _converted(path: str) -> tuple[Image, str, dict[str, Any]]:
    """Return an image as it is, the ending of its name, and how it was scanned where DICOM says."""
    if series_path(path) is None:
        return load_grid(path), "_converted", {}
    from spinetools.image.dicom.convert import load_series

    taken = load_series(path)
    return taken.image, "", dict(taken.record)


def _one_result(args: argparse.Namespace) -> tuple[Image, str]:
    path = args.i[0]
    if args.set_sform_to_qform:
        return load_mended(path, with_sform_from_qform), "_sform"
    if args.set_qform_to_sform:
        return load_mended(path, with_qform_from_sform), "_qform"
    image = load_grid(path)
    if args.copy_header:
        return load_under_header_of(args.copy_header, image), "_header"
    if args.concat:
        rest = [load_grid(other) for other in args.i[1:]]
        if not rest:
            raise InputError("-concat needs two images or more: give them after -i")
        return concatenate([image, *rest], AXES.index(args.concat)), "_concat"
    if args.setorient:
        codes = nib_codes_from_sct(args.setorient)
        return image.reorient(codes), f"_{args.setorient.upper()}"
    if args.type:
        return image, f"_{args.type}"
    if args.pad:
        return image.pad(args.pad, args.pad), "_pad"
    if args.remove_vol:
        return remove_volumes(image, args.remove_vol), "_removed"
    if args.keep_vol:
        return keep_volumes(image, args.keep_vol), "_kept"
    check_finite(image)
    if args.resample:
        spacing = spacing_for(args.resample, image.space)
        return resample_to_spacing(image, spacing, args.x), "_resampled"
    reference = load_grid(args.resample_to)
    result = resample_to(image, reference.space, args.x)
    return image.on_grid_of(reference, result.data), "_resampled"
