"""Segment the spinal cord by propagating a mesh along it (PropSeg)."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from spinetools.cli._bids import add_bids
from spinetools.cli._dicom import add_dicomseg, dicomseg_beside
from spinetools.cli._parser import (
    StParser,
    add_allow_empty,
    add_input,
    add_output,
    add_qc,
    add_temporary,
)
from spinetools.cli._propseg import add_propseg_options, params_from
from spinetools.cli._run import execute

if TYPE_CHECKING:
    from spinetools.centerline import Centreline
    from spinetools.image import Image
    from spinetools.propseg import PropsegResult

#: How far below the cord that the detector saw the surface may go on: the conus' length.
CONUS_MM = 40.0


def get_parser() -> StParser:
    """Return the command's parser."""
    parser = StParser(
        "st_propseg",
        "Segment the spinal cord: a tube is propagated along the centreline and fitted to the "
        "cord's edge (De Leener 2014).",
        "st_propseg -i t2.nii.gz -c t2 -qc qc",
    )
    add_input(parser)
    add_output(parser, "<input>_seg.nii.gz")
    add_propseg_options(parser)
    add_allow_empty(parser)
    add_temporary(parser)
    add_bids(parser)
    add_dicomseg(parser)
    add_qc(parser)
    return parser


def centreline_of(args: argparse.Namespace, image: Image, correction: Image | None) -> Centreline:
    """Return the centreline: from a file, a mask, clicks or the detector, led by a correction."""
    import numpy as np

    from spinetools.centerline import centreline_through, fitted_centreline, optic_centreline
    from spinetools.cli._results import mask_on
    from spinetools.propseg import drawn_places

    given = args.init_centerline or args.init_mask
    drawn = np.empty((0, 3)) if correction is None else drawn_places(correction, args.rescale)
    if given is None:
        return optic_centreline(image, drawn if len(drawn) else None, below_mm=CONUS_MM)
    if given == "viewer":
        from spinetools.cli._viewer import pick_points

        option = "-init-centerline" if args.init_centerline else "-init-mask"
        points = pick_points(image, title="Click on the cord's centre", instead=f"{option} FILE")
    elif args.init_mask:
        points = fitted_centreline(mask_on(image, given)).voxels
    else:
        return fitted_centreline(mask_on(image, given))
    if args.init_centerline:
        return centreline_through(image, image.space.to_world(points))
    # a mask says where to start; the detector, led through it, how the cord goes on
    line = optic_centreline(image, np.concatenate([points, drawn]))
    height = image.space.reoriented(("R", "A", "S")).to_voxel(image.space.to_world(points))[:, 2]
    args.init = float(max(1, np.rint(np.median(height))))
    return line


def run(args: argparse.Namespace) -> None:
    """Segment one image, or each of a BIDS folder."""
    from spinetools.cli._bids import over_images

    over_images(args, segment, ("init_centerline", "init_mask", "mask_correction"))


def segment(args: argparse.Namespace) -> None:
    """Segment, write, report."""
    from spinetools.centerline import with_sizes
    from spinetools.cli import _propseg as how
    from spinetools.cli._bids import derived
    from spinetools.cli._contrast import settle_contrast
    from spinetools.cli._qc import add_qc_entry
    from spinetools.cli._results import empty_like, mask_on, unless_empty
    from spinetools.cli._run import announce, load_input, write_sidecar
    from spinetools.files import output_path
    from spinetools.propseg import segment_cord

    params_from(args)
    image = load_input(args)
    path = derived(args, "mask", "propseg", label="SC") or output_path(
        args.i, "_seg.nii.gz", args.o, args.ofolder
    )
    settle_contrast(args, image, otherwise=None)
    correction = mask_on(image, args.mask_correction) if args.mask_correction else None

    def find() -> PropsegResult:
        line = centreline_of(args, image, correction)
        # the user's -radius holds against the detector's idea of the size, which tells leaks
        if line.radius_mm is None:
            line = with_sizes(image, line)
        return segment_cord(
            image,
            line.voxels,
            args.c,
            params_from(args),
            n_below=line.n_below,
            radius_mm=None if args.radius is not None else line.radius_mm,
            seen_radius_mm=line.radius_mm,
            correction=correction,
            with_csf=args.CSF,
        )

    result = unless_empty(args, find)
    mask = empty_like(image) if result is None else result.mask
    extra: dict[str, Any] = {"Contrast": args.c}
    written: list[Path] = [path]
    if result is not None:
        how.say_kept(result)
        how.say_leaks(result)
        extra["LeakScore"] = [round(float(score), 3) for score in result.leak.score]
        extra["Slices"] = [int(k) for k in result.slices]
        extra["Stopped"] = {"below": result.stopped[0], "above": result.stopped[1]}
        extra["KeptAsDrawn"] = [int(k) for k in result.kept]
        written += how.write_extras(args, image, result)
    write_sidecar(path, args, [args.i], **extra)
    mask.save(path)
    written += dicomseg_beside(args, path, mask, {1: "spinal_cord"})
    overlays, files = [("cord", mask)], [path]
    if result is not None and result.csf is not None:
        overlays.append(("csf", result.csf))
        files.append(how.extra_path(args, how.CSF_ENDING))
    flags = [] if result is None else how.flags_of(image, result)
    add_qc_entry(args, image, overlays, flags=flags, files=files)
    announce(written, args, args.i, [path])


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command."""
    execute(get_parser(), run, argv)
