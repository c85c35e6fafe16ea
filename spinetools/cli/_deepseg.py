"""Options and messages of ``st_deepseg_sc``."""

from __future__ import annotations

import argparse
import logging
import re
from typing import TYPE_CHECKING, Any

from spinetools.cli._parser import StParser, number_in, on_off
from spinetools.cli._results import model_record, native_slice, ranges
from spinetools.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from spinetools.centerline import Centreline
    from spinetools.deepseg import DeepsegParams, DeepsegResult
    from spinetools.image import Image
    from spinetools.qc import Flag

logger = logging.getLogger(__name__)


def add_deepseg_options(parser: StParser) -> None:
    """Declare everything between input and output."""
    group = parser.add_argument_group("segmentation")
    group.add_argument(
        "-c",
        choices=("t1", "t2", "t2s", "dwi", "any"),
        help="contrast: chooses the threshold and whether a brain is expected; the networks read "
        "any (default: as the name, the sidecar or the image tell, else any; see st_get_modality)",
    )
    group.add_argument(
        "-centerline",
        choices=("cnn", "optic", "file", "viewer"),
        default="cnn",
        help="where the cord is looked for: cnn: a network finds cord and brain; optic: the "
        "detector of st_get_centerline; file: -file-centerline; viewer: click (default cnn)",
    )
    group.add_argument(
        "-file-centerline",
        metavar="FILE",
        help="centreline as a mask, as labels on the cord, or as the CSV of st_get_centerline",
    )
    group.add_argument(
        "-brain",
        type=int,
        choices=(0, 1),
        help="1: a brain may be in view, stop at it; 0: there is none (default: 0 for t2s and dwi, "
        "1 for t1, t2 and any)",
    )
    group.add_argument(
        "-kernel",
        choices=("2d", "3d"),
        help="segment slice by slice, or in blocks along the cord (default 2d)",
    )
    group.add_argument(
        "-model", metavar="NAME|FILE", help="segmentation network (default: cord_2d or cord_3d)"
    )
    group.add_argument(
        "-thr",
        type=threshold,
        metavar="N",
        help="probability from which a voxel is cord, 0 to 1; -1: write the probability itself "
        "(default: as the model's card says for the contrast)",
    )
    on_off(group, "-tta", 0, "1: mean over mirrored, shifted and recoloured images; slower, surer")
    group.add_argument(
        "-uncertainty",
        nargs="?",
        const="",
        metavar="FILE",
        help="also write how much these versions disagree: standard deviation of the probability "
        "in each voxel (turns -tta on; default: <input>_uncertainty.nii.gz)",
    )
    group.add_argument(
        "-device",
        metavar="{auto,cpu,cuda[:N],mps}",
        default="auto",
        help="where the networks run (default auto)",
    )
    tidy = parser.add_argument_group("tidying up")
    on_off(tidy, "-largest", 0, "1: keep the largest connected part only")
    on_off(tidy, "-fill-holes", 1, "1: fill holes, slice by slice")
    tidy.add_argument(
        "-remove-small",
        type=size,
        metavar="N{vox,mm3}",
        help="remove parts smaller than this, e.g. 100vox or 50mm3",
    )


def threshold(text: str) -> float:
    """Read ``-thr``: 0 to 1, or −1."""
    value = float(number_in(-1, 1)(text))
    if -1 < value < 0:
        raise argparse.ArgumentTypeError(f"{text} is out of range, expected 0 to 1, or -1")
    return value


def size(text: str) -> tuple[float, bool]:
    """Read ``-remove-small``: a number and whether it is in mm³."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(vox|mm3)?", text)
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a size like 100vox or 50mm3")
    return float(found[1]), found[2] == "mm3"


def params_from(args: argparse.Namespace) -> DeepsegParams:
    """Turn the options into parameters; options that contradict are an error before any work."""
    from spinetools.deepseg import DeepsegParams
    from spinetools.files import nifti_suffix

    if (args.centerline == "file") != (args.file_centerline is not None):
        raise InputError("-centerline file and -file-centerline FILE go together; give both")
    for option, name in (("-o", args.o), ("-uncertainty", args.uncertainty)):
        if name and not nifti_suffix(name):
            raise InputError(f"{option} {name}: the name must end with .nii.gz or .nii")
    if args.bids and args.uncertainty:
        raise InputError("-uncertainty needs no name with -bids: leave it out")
    smallest, in_mm3 = args.remove_small or (0.0, False)
    return DeepsegParams(
        kernel=args.kernel,
        model=args.model,
        threshold=args.thr,
        tta=bool(args.tta),
        uncertainty=args.uncertainty is not None,
        largest=bool(args.largest),
        fill_holes=bool(args.fill_holes),
        smallest=smallest,
        in_mm3=in_mm3,
        device=args.device,
    )


def path_of(args: argparse.Namespace, ending: str, suffix: str, given: str | None) -> Path:
    """Name an output: as BIDS does with ``-bids``, else as the user does, else by its ending."""
    from spinetools.cli._bids import derived
    from spinetools.files import output_path

    path = derived(args, suffix, _desc(args), label="SC")
    return path or output_path(args.i, ending, given or None, args.ofolder)


def centreline_path(args: argparse.Namespace, mask: Path) -> Path:
    """Name the centreline that ``-r 0`` keeps: beside the mask."""
    from spinetools.cli._bids import derived
    from spinetools.files import output_path

    path = derived(args, "mask", _desc(args), label="centerline")
    return path or output_path(args.i, "_centerline.nii.gz", None, str(mask.parent))


def _desc(args: argparse.Namespace) -> str:
    """Return the method's name, which differs between the kinds of network."""
    return "deepseg3d" if args.kernel == "3d" else "deepseg"


def check_apart(args: argparse.Namespace, path: Path) -> None:
    """Make sure that the uncertainty does not replace the segmentation."""
    if args.uncertainty is None:
        return
    other = path_of(args, "_uncertainty.nii.gz", "uncertainty", args.uncertainty)
    if other.resolve() == path.resolve():
        raise InputError(f"-uncertainty {other} is where the segmentation goes; give another name")


def centreline_of(args: argparse.Namespace, image: Image) -> Centreline:
    """Return the centreline by the method asked for."""
    if args.brain and args.centerline != "cnn":
        logger.warning("-brain 1 has no effect: only -centerline cnn tells the brain")
    if args.centerline == "cnn":
        from spinetools.deepseg import find_centreline

        return find_centreline(
            image, args.c, None if args.brain is None else bool(args.brain), device=args.device
        )
    if args.centerline == "optic":
        from spinetools.deepseg import find_centreline

        return find_centreline(image, args.c, brain=False, model="optic", device=args.device)
    if args.centerline == "file":
        from spinetools.cli._results import centreline_on

        return centreline_on(image, args.file_centerline)
    from spinetools.centerline import centreline_through
    from spinetools.cli._viewer import pick_points

    points = pick_points(image, title="Click on the cord's centre", instead="-centerline file")
    return centreline_through(image, image.space.to_world(points))


def say(result: DeepsegResult) -> None:
    """Name on the terminal where the cord ends at the brain, and what should be looked at."""
    if result.line.ceiling is not None:
        logger.info(
            "the brain begins at slice %d from the lowest: the cord ends below it (-brain 0 goes "
            "on)",
            result.line.ceiling,
        )
    for doubt in result.doubts:
        logger.warning(
            "%s in %d of %d slices (from the lowest: %s): %s",
            doubt.kind,
            len(doubt.slices),
            len(result.slices),
            ranges(doubt.slices),
            doubt.reason,
        )


def flags_of(image: Image, result: DeepsegResult) -> list[Flag]:
    """Return the QC report's flags, with slice numbers as the image's own voxel indices."""
    from spinetools.qc import Flag

    return [
        Flag(
            doubt.kind,
            doubt.reason,
            tuple(sorted(native_slice(image.space, k) for k in doubt.slices)),
        )
        for doubt in result.doubts
    ]


def measures_of(image: Image, result: DeepsegResult) -> dict[str, dict[int, float]]:
    """Return area and confidence by the image's own voxel index."""
    numbers = [native_slice(image.space, int(k)) for k in result.slices]
    return {
        "area_mm2": dict(zip(numbers, result.areas_mm2.tolist(), strict=True)),
        "confidence": dict(zip(numbers, result.sureness.tolist(), strict=True)),
    }


def record_of(args: argparse.Namespace, result: DeepsegResult) -> dict[str, Any]:
    """Return what the sidecar says beyond the usual."""
    return {
        "Contrast": args.c,
        "Models": [model_record(path) for path in result.models],
        "Threshold": result.threshold,
        "Centerline": args.centerline,
        "TestTimeAugmentation": result.n_versions > 1,
        "Slices": [int(k) for k in result.slices],
        "Confidence": [round(float(sure), 3) for sure in result.sureness],
        "Doubts": [
            {"Kind": doubt.kind, "Reason": doubt.reason, "Slices": list(doubt.slices)}
            for doubt in result.doubts
        ],
    }
