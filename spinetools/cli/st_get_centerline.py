"""Find the centreline of the spinal cord."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from spinetools.cli._bids import add_bids
from spinetools.cli._parser import (
    StParser,
    add_allow_empty,
    add_input,
    add_output,
    add_qc,
    number_in,
    on_off,
)
from spinetools.cli._run import execute

if TYPE_CHECKING:
    from spinetools.centerline import Centreline
    from spinetools.image import Image


def get_parser() -> StParser:
    """Return the command's parser."""
    parser = StParser(
        "st_get_centerline",
        "Find the centreline of the spinal cord. Writes a mask with one voxel a slice, and the "
        "coordinates as CSV (x,y,z a row, from the lowest slice).",
        "st_get_centerline -i t2.nii.gz -c t2 -qc qc",
    )
    add_input(parser)
    add_output(parser, "<input>_centerline.nii.gz")
    group = parser.add_argument_group("method")
    group.add_argument(
        "-c",
        choices=("t1", "t2", "t2s", "dwi", "any"),
        help="contrast; the detector reads any, so that this is only recorded (default: as the "
        "name, the sidecar or the image tell, else any; see st_get_modality)",
    )
    group.add_argument(
        "-method",
        choices=("optic", "cnn", "fitseg", "viewer"),
        default="optic",
        help="optic: trained detector and best path; cnn: the same with the detector of "
        "st_deepseg_sc, which stops at the brain; fitseg: -i is a segmentation to fit; viewer: "
        "click on the cord (default optic)",
    )
    group.add_argument(
        "-centerline-algo",
        choices=("bspline", "polyfit", "linear", "nurbs"),
        default="bspline",
        help="curve fitted to the places found (default bspline)",
    )
    group.add_argument(
        "-centerline-smooth",
        type=number_in(0),
        default=30.0,
        metavar="MM",
        help="smoothing length along the cord (default 30)",
    )
    on_off(group, "-extrapolation", 0, "1: go on, straight, to the first and the last slice")
    group.add_argument(
        "-gap",
        type=number_in(0.1),
        default=20.0,
        metavar="MM",
        help="viewer: distance between the slices to click in (default 20)",
    )
    group.add_argument(
        "-init-points",
        metavar="FILE",
        help="points on the cord (non-zero voxels): optic and cnn pass through them; with -method "
        "viewer they are used instead of clicks",
    )
    form = parser.add_argument_group("form of the output")
    on_off(form, "-centerline-soft", 0, "1: the place between voxels as weights, not one voxel")
    form.add_argument(
        "-space",
        choices=("pix", "phys"),
        default="pix",
        help="coordinates in the CSV: voxels of the input, or scanner mm (default pix)",
    )
    add_allow_empty(parser)
    add_bids(parser)
    add_qc(parser)
    return parser


def find(args: argparse.Namespace, image: Image) -> Centreline:
    """Get the centreline by the method asked for."""
    from spinetools.centerline import centreline_through, fitted_centreline, optic_centreline
    from spinetools.cli._results import labelled_points

    how: dict[str, Any] = {
        "algo": args.centerline_algo,
        "smooth_mm": args.centerline_smooth,
        "extrapolate": bool(args.extrapolation),
    }
    points = labelled_points(args.init_points, image) if args.init_points else None
    if args.method == "fitseg":
        return fitted_centreline(image, **how)
    if args.method == "viewer":
        if points is None:
            from spinetools.cli._viewer import pick_points

            points = pick_points(image, gap_mm=args.gap, title="Click on the cord's centre")
        return centreline_through(image, image.space.to_world(points), **how)
    if args.method == "cnn":
        return optic_centreline(image, points, **how, model="cord_heatmap", stop_at_brain=True)
    return optic_centreline(image, points, **how)


def run(args: argparse.Namespace) -> None:
    """Find it in one image, or in each of a BIDS folder."""
    from spinetools.cli._bids import over_images
    from spinetools.errors import InputError

    if args.bids and args.method == "fitseg" and Path(args.i).is_dir():
        raise InputError("-method fitseg fits one segmentation, but -i is a folder")
    over_images(args, find_and_write, ("init_points",))


def find_and_write(args: argparse.Namespace) -> None:
    """Find, write, report."""
    import numpy as np

    from spinetools.cli._bids import derived
    from spinetools.cli._contrast import settle_contrast
    from spinetools.cli._qc import add_qc_entry
    from spinetools.cli._results import model_record, unless_empty
    from spinetools.cli._run import announce, load_input, write_sidecar
    from spinetools.files import output_path, strip_nifti_suffix, write_text

    image = load_input(args)
    kind = "probseg" if args.centerline_soft else "mask"
    path = derived(args, kind, args.method, label="centerline") or output_path(
        args.i, "_centerline.nii.gz", args.o, args.ofolder
    )
    if args.method in ("optic", "cnn"):
        settle_contrast(args, image)
    line = unless_empty(args, lambda: find(args, image))
    if line is None:
        mask, rows = image.like(np.zeros(image.shape, dtype=np.uint8)), np.empty((0, 3))
    else:
        mask = line.mask(image, soft=bool(args.centerline_soft))
        rows = line.voxels if args.space == "pix" else line.world_mm
    written = [path]
    said: dict[str, Any] = {
        "Method": args.method, "Contrast": args.c or "any", "Coordinates": args.space,
    }  # fmt: skip
    if args.bids:  # which has no name for a table of coordinates
        said["Points"] = np.round(rows, 4).tolist()
    else:
        written.append(Path(path).with_name(f"{strip_nifti_suffix(path)}.csv"))
        write_text(written[1], "".join(f"{x:.4f},{y:.4f},{z:.4f}\n" for x, y, z in rows))
    if line is not None and line.model is not None:
        said["Models"] = [model_record(line.model)]
    write_sidecar(path, args, [args.i], **said)
    mask.save(path)
    shown = "mask" if args.centerline_soft else "centerline"
    add_qc_entry(args, image, [("centerline", mask)], label_kind=shown, files=[path])
    announce(written, args, args.i, [path])


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command."""
    execute(get_parser(), run, argv)
