"""Options and outputs of ``st_propseg`` beyond its mask."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spinetools.cli._parser import StParser, number_in, on_off
from spinetools.cli._results import native_slice, ranges
from spinetools.errors import InputError

if TYPE_CHECKING:
    from spinetools.image import Image
    from spinetools.propseg import PropsegParams, PropsegResult
    from spinetools.qc import Flag

logger = logging.getLogger(__name__)

#: What the masks of the fluid and of the centreline end in.
CSF_ENDING, LINE_ENDING = "_CSF.nii.gz", "_centerline.nii.gz"


def add_propseg_options(parser: StParser) -> None:
    """Declare everything between input and output."""
    group = parser.add_argument_group("segmentation")
    group.add_argument(
        "-c",
        choices=("t1", "t2", "t2s", "dwi"),
        help="contrast: t2, t2s (and MT): dark cord in bright CSF; t1, dwi: bright cord (default: "
        "as the name, the sidecar or the image tell; see st_get_modality)",
    )
    group.add_argument("-down", type=number_in(0, kind=int), help="slices to go down (all)")
    group.add_argument("-up", type=number_in(0, kind=int), help="slices to go up (all)")
    group.add_argument(
        "-init",
        type=number_in(0),
        default=0.5,
        help="where to start: a slice from the lowest, or a fraction of the centreline below 1 "
        "(default 0.5)",
    )
    group.add_argument(
        "-init-centerline", metavar="FILE|viewer", help="centreline as a mask, or click it"
    )
    group.add_argument(
        "-init-mask",
        metavar="FILE|viewer",
        help="some voxels at the cord's centre, or click them: start there",
    )
    group.add_argument(
        "-mask-correction",
        metavar="FILE",
        help="what you drew: slices with the whole cord are kept as drawn and lead the surface "
        "beside them; in others, voxels on the cord's edge that the surface has to pass through",
    )
    group.add_argument(
        "-radius",
        type=number_in(0),
        metavar="MM",
        help="approximate radius of the cord (default: as the detector sees it, else 4)",
    )
    for name, default, unit, text in (
        ("-max-area", 120.0, "MM2", "stop where the area is larger and jumps"),
        ("-max-deformation", 2.5, "MM", "stop where a section deforms more"),
        ("-min-contrast", 50.0, "N", "stop below this contrast, in 1/1000 of the local range"),
        ("-d", 10.0, "N", "weight of the distance in the search for the edge"),
        ("-distance-search", 15.0, "MM", "how far to search for the edge"),
        ("-alpha", 25.0, "N", "stiffness of the surface"),
        ("-rescale", 1.0, "N", "scale the image, for cords that are not of human size"),
    ):
        group.add_argument(
            name, type=number_in(0), default=default, metavar=unit, help=f"{text} ({default:g})"
        )
    group.add_argument(
        "-nbiter", type=number_in(1, kind=int), default=200, help="most sections a direction (200)"
    )
    on_off(group, "-correct-seg", 1, "1: drop slices that cannot be cord")
    group.add_argument(
        "-leak",
        choices=("warn", "bridge", "stop"),
        default="warn",
        help="slices where the surface leaks: name them, bridge them, or stop there (default warn)",
    )
    extra = parser.add_argument_group("more outputs (beside the mask)")
    for name, text in (
        ("-mesh", "the surface as a mesh, scanner mm"),
        ("-low-resolution-mesh", "the propagated mesh before refinement"),
        ("-init-tube", "the section that the propagation started from, as a mesh"),
    ):
        extra.add_argument(
            name, nargs="?", const=".vtk", metavar=".vtk|.ply", help=f"{text} (default .vtk)"
        )
    for name, text in (
        ("-centerline-binary", "the cord's centreline as a mask"),
        ("-centerline-coord", "the cord's centreline as CSV, scanner mm"),
        ("-CSF", "the cerebrospinal fluid round the cord as a mask"),
        ("-cross", "crosses at the cord's extremes in each slice, as a mask"),
    ):
        extra.add_argument(name, action="store_true", help=text)


def params_from(args: argparse.Namespace) -> PropsegParams:
    """Turn the options into parameters; an unusable mesh type is an error before any work."""
    from spinetools.propseg import PropsegParams

    for name in ("mesh", "low_resolution_mesh", "init_tube"):
        if getattr(args, name) not in (None, ".vtk", ".ply"):
            raise InputError(f"-{name.replace('_', '-')} {getattr(args, name)}: give .vtk or .ply")
    return PropsegParams(
        radius_mm=4.0 if args.radius is None else args.radius,
        down_voxels=args.down,
        up_voxels=args.up,
        init=args.init,
        n_iterations=args.nbiter,
        max_area_mm2=args.max_area,
        max_deformation_mm=args.max_deformation,
        min_contrast=args.min_contrast,
        distance_weight=args.d,
        distance_search_mm=args.distance_search,
        alpha=args.alpha,
        rescale=args.rescale,
        correct=bool(args.correct_seg),
        leak=args.leak,
    )


def say_leaks(result: PropsegResult) -> None:
    """Name leaking slices and gaps on the terminal."""
    flagged = result.slices[result.leak.flagged]
    if len(flagged):
        logger.warning(
            "the surface leaks in %d of %d slices (from the lowest: %s); look at them, "
            "or try -leak bridge",
            len(flagged),
            len(result.slices),
            ranges([int(k) for k in flagged]),
        )


def say_kept(result: PropsegResult) -> None:
    """Say which slices are as a person drew them."""
    if len(result.kept):
        logger.info(
            "kept as drawn (slices from the lowest): %s", ranges([int(k) for k in result.kept])
        )


def flags_of(image: Image, result: PropsegResult) -> list[Flag]:
    """Return the QC report's flags, with slice numbers as the image's own voxel indices.

    Neighbouring slices have one flag, with the reason of the worst of them.
    """
    import numpy as np

    from spinetools.qc import Flag

    flags = []
    rows = np.flatnonzero(result.leak.flagged)
    for run in np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1):
        if not len(run):
            continue
        indices = [native_slice(image.space, int(k)) for k in result.slices[run]]
        worst = int(np.argmax(result.leak.score[run]))
        reason = result.leak.reasons[run[worst]]
        if len(run) > 1:
            reason += f" (slice {indices[worst]})"
        flags.append(Flag("leak", reason, tuple(sorted(indices))))
    return flags


def write_extras(args: argparse.Namespace, image: Image, result: PropsegResult) -> list[Path]:
    """Write the outputs that were asked for, and return their paths."""
    import numpy as np

    from spinetools.centerline import draw
    from spinetools.cli._run import write_sidecar
    from spinetools.files import write_text

    written: list[Path] = []
    meshes = (
        (args.mesh, "_mesh", result.mesh),
        (args.low_resolution_mesh, "_mesh_low_resolution", result.coarse_mesh),
        (args.init_tube, "_mesh_init", result.initial_mesh),
    )
    for suffix, ending, mesh in meshes:
        if suffix:
            written.append(mesh.save(extra_path(args, f"{ending}{suffix}")))
    masks: list[tuple[str, Image]] = []
    # BIDS has no name for a table of coordinates: there they stand in the sidecar of the mask
    in_sidecar = args.centerline_coord and args.bids
    if args.centerline_binary or in_sidecar:
        masks.append((LINE_ENDING, draw(image, result.centreline_mm)))
    if args.CSF and result.csf is not None:
        masks.append((CSF_ENDING, result.csf))
    if args.cross:
        masks.append(("_cross.nii.gz", crosses(image, result)))
    for ending, mask in masks:
        path = extra_path(args, ending)
        said: dict[str, Any] = {}
        if ending == LINE_ENDING and in_sidecar:
            points = np.round(result.centreline_mm, 4).tolist()
            said = {"Coordinates": "phys", "Points": points}
        write_sidecar(path, args, [args.i], **said)
        written.append(mask.astype(np.uint8).save(path))
    if args.centerline_coord and not args.bids:
        path = extra_path(args, "_centerline.csv")
        write_text(path, "".join(f"{x:.4f},{y:.4f},{z:.4f}\n" for x, y, z in result.centreline_mm))
        written.append(path)
    return written


def extra_path(args: argparse.Namespace, ending: str) -> Path:
    """Name an output beside the mask, by the ending that it has without ``-bids``."""
    from spinetools.cli._bids import derived
    from spinetools.files import output_path

    word, _, extension = ending.removeprefix("_").partition(".")
    suffix, _, what = word.partition("_")
    if suffix == "mesh":
        label = f"SC{what.title().replace('_', '')}"  # SCLowResolution
    else:
        label, suffix = word, "mask"
    path = derived(args, suffix, "propseg", label=label, extension=f".{extension}")
    return path or output_path(args.i, ending, None, folder_of(args))


def folder_of(args: argparse.Namespace) -> str | None:
    """Folder of the further outputs: that of the mask."""
    if args.ofolder is not None:
        return str(args.ofolder)
    if args.o is not None and str(Path(args.o).parent) != ".":
        return str(Path(args.o).parent)
    return None


def crosses(image: Image, result: PropsegResult) -> Image:
    """Mark the cord's right-, left-, front- and backmost voxel and its centre in each slice."""
    import numpy as np

    canonical = result.mask.reorient(("R", "A", "S"))
    marks = np.zeros(canonical.shape, dtype=np.uint8)
    for k in np.flatnonzero(canonical.data.any(axis=(0, 1))):
        i, j = np.nonzero(canonical.data[:, :, k])
        x, y = round(float(i.mean())), round(float(j.mean()))
        marks[i.min() : i.max() + 1, y, k] = 1
        marks[x, j.min() : j.max() + 1, k] = 1
    return canonical.like(marks).reorient(image.space.nib_codes)
