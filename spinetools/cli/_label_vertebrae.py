"""Options of ``st_label_vertebrae``, and its work on one image or a folder of them."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spinetools.cli._parser import StParser, on_off
from spinetools.cli._radiomics import add_radiomics
from spinetools.errors import InputError
from spinetools.labels import SCHEMES

if TYPE_CHECKING:
    from spinetools.cli._folder import Work
    from spinetools.image import Image
    from spinetools.vertebrae import Known, LabelParams, SpineLabels
    from spinetools.vertebrae.networks import Networks

#: What ``-save`` takes.
SAVED = ("step1", "step2", "cord", "canal", "levels", "soft")


def add_label_options(parser: StParser) -> None:
    """Declare everything between input and output."""
    _add_labelling(parser)
    _add_outputs(parser)
    group = parser.add_argument_group("networks and work")
    group.add_argument(
        "-engine",
        choices=("onnx", "nnunet"),
        default="onnx",
        help="onnx: the models of this project; nnunet: an nnU-Net results folder, as published "
        "(needs the extra nnunet) (default onnx)",
    )
    group.add_argument(
        "-model", metavar="NAME|FOLDER", help="models (default: spine, or totalspineseg for nnunet)"
    )
    group.add_argument("-fold", default="0", metavar="N|all", help="nnunet: which fold (default 0)")
    group.add_argument(
        "-device", default="auto", metavar="NAME", help="auto, cpu, cuda[:N] or mps (default auto)"
    )


def _add_labelling(parser: StParser) -> None:
    group = parser.add_argument_group("labelling")
    group.add_argument(
        "-step1",
        action="store_true",
        help="step 1 only: cord, canal, named discs, one label for all vertebrae (99)",
    )
    group.add_argument(
        "-fast", action="store_true", help="one network, and less overlap of its tiles"
    )
    group.add_argument(
        "-init",
        metavar="LEVEL,z",
        help="a level by hand and the axial slice through its middle, from the lowest (0): L3,120",
    )
    group.add_argument(
        "-discfile", metavar="FILE", help="voxels at discs with SCT's values (3 is C2-C3)"
    )
    group.add_argument(
        "-loc", metavar="FILE|FOLDER", help="labels of a localizer, in any label scheme"
    )
    group.add_argument(
        "-loc-suffix",
        default="",
        metavar="TEXT",
        help="folder: the labels of IMAGE.nii.gz are IMAGE<suffix>.nii.gz in the folder of -loc",
    )
    group.add_argument(
        "-variants",
        choices=("auto", "never"),
        default="auto",
        help="T13, L6 and a sacralised L5: where the evidence is strong, or never (default auto)",
    )


def _add_outputs(parser: StParser) -> None:
    group = parser.add_argument_group("what is written")
    group.add_argument(
        "-label-scheme",
        choices=SCHEMES,
        default="totalspineseg",
        help="values of the labels; sct has vertebrae only (default totalspineseg)",
    )
    group.add_argument(
        "-structures",
        type=lambda text: [part.strip() for part in text.split(",") if part.strip()],
        metavar="LIST",
        help="only these, with commas: vertebrae, discs, sacrum, cord, canal, L4, L4-L5, names",
    )
    on_off(group, "-ml", 1, "1: one file with all labels; 0: a folder with a file each")
    group.add_argument("-iso", action="store_true", help="result on the isotropic working grid")
    group.add_argument(
        "-statistics",
        action="store_true",
        help="volume, intensity, centroid, heights, diameters: <input>_statistics.json and .tsv",
    )
    add_radiomics(group)
    group.add_argument(
        "-preview",
        nargs="?",
        const="png",
        choices=("png", "jpg"),
        help="a picture of the result: <input>_preview.png",
    )
    group.add_argument(
        "-save",
        type=_saved,
        default=[],
        metavar="LIST",
        help=f"keep also, with commas: {', '.join(SAVED)} (levels are always written; soft: cord "
        "and canal as probabilities)",
    )


def _saved(text: str) -> list[str]:
    words = [part.strip() for part in text.split(",") if part.strip()]
    unknown = [word for word in words if word not in SAVED]
    if unknown or not words:
        raise argparse.ArgumentTypeError(
            f"{', '.join(unknown) or repr(text)}: expected some of {', '.join(SAVED)}"
        )
    return words


def check(args: argparse.Namespace) -> None:
    """Refuse what cannot go together, before any work."""
    is_folder = has_images(args.i) or (args.bids and Path(args.i).is_dir())
    if is_folder and args.o is not None:
        raise InputError("-o names one file, but -i is a folder; give -ofolder")
    if is_folder and (args.init or args.discfile):
        raise InputError("-init and -discfile belong to one image, but -i is a folder")
    if args.iso and args.qc is not None:
        raise InputError("-qc shows labels on the input's grid; leave out -iso")
    if args.loc is not None and Path(args.loc).is_dir() and not is_folder and not args.loc_suffix:
        raise InputError(f"-loc {args.loc} is a folder: give the file, or -loc-suffix")
    if args.init is not None:
        from spinetools.vertebrae.anchors import parse_init

        parse_init(args.init)
    if args.radiomics:
        from spinetools.vertebrae.radiomics import check_radiomics

        check_radiomics()


def label_file(args: argparse.Namespace, networks: Networks | None = None) -> None:
    """Label one image, write, report."""
    from spinetools.cli._label_outputs import write_all, write_empty
    from spinetools.cli._results import unless_empty
    from spinetools.cli._run import load_input
    from spinetools.vertebrae import label_spine

    image = load_input(args)
    known = known_of(args, image)
    loaded = load(args) if networks is None else networks
    params = params_of(args)

    def find() -> SpineLabels:
        return label_spine(image, loaded, params, known)

    result = unless_empty(args, find)
    if result is None:
        write_empty(args, image)
    else:
        write_all(args, result)


def saved(args: argparse.Namespace) -> set[str]:
    """Return what to keep beside the labels; ``-r 0`` keeps what the networks say too."""
    return {*args.save, "step1", "step2"} if args.r == 0 else set(args.save)


def load(args: argparse.Namespace) -> Networks:
    """Load the networks of the options."""
    from spinetools.vertebrae import load_networks

    return load_networks(args.model, args.engine, args.device, args.fast, args.step1, args.fold)


def params_of(args: argparse.Namespace) -> LabelParams:
    """Turn the options into parameters."""
    from spinetools.vertebrae import LabelParams

    return LabelParams(
        step1_only=args.step1,
        fast=args.fast,
        variants=args.variants == "auto",
        keep_steps=bool({"step1", "step2"} & saved(args)),
    )


def known_of(args: argparse.Namespace, image: Image) -> Known:
    """Load what is known beforehand."""
    from spinetools.image import load_mask
    from spinetools.vertebrae import Known
    from spinetools.vertebrae.anchors import parse_init

    discs = localizer = None
    if args.discfile is not None:
        discs = load_mask(args.discfile)
        image.space.check_same(discs.space, (image.name, discs.name))
    if args.loc is not None:
        localizer = load_mask(localizer_path(args))
    return Known(None if args.init is None else parse_init(args.init), discs, localizer)


def has_images(path: str) -> bool:
    """Whether a path is a folder of NIfTI images; a folder of DICOM is one image."""
    from spinetools.files import nifti_suffix

    folder = Path(path)
    return folder.is_dir() and any(nifti_suffix(file) for file in folder.iterdir())


def localizer_path(args: argparse.Namespace) -> Path:
    """Return the file with the localizer's labels for the image of ``-i``."""
    from spinetools.files import nifti_suffix, strip_nifti_suffix

    given = Path(args.loc)
    if not given.is_dir():
        return given
    name = f"{strip_nifti_suffix(args.i)}{args.loc_suffix}"
    found = [given / f"{name}{end}" for end in (nifti_suffix(args.i), ".nii.gz", ".nii")]
    return next((path for path in found if path.is_file()), found[0])


def label_folder(args: argparse.Namespace) -> None:
    """Label each image of a folder, some at a time."""
    from spinetools.cli._folder import over_each
    from spinetools.files import nifti_suffix

    folder = Path(args.i)
    images = sorted(path for path in folder.iterdir() if nifti_suffix(path))
    if not images:
        raise InputError(f"{folder} has no NIfTI image (.nii.gz, .nii)")
    over_each(args, images, work_of(args))


def work_of(args: argparse.Namespace) -> Work:
    """Return what is done with each of many images; a missing model is one error for all."""
    networks = load(args)
    # loaded once, unless each is labelled in a process of its own
    return partial(label_file, networks=networks) if args.jobs == 1 else label_file


def record_of(args: argparse.Namespace, result: SpineLabels) -> dict[str, Any]:
    """Return what the sidecars say beside the usual fields."""
    return {
        "Models": list(result.models),
        "LabelScheme": args.label_scheme,
        "Step1Only": args.step1,
        "Fast": args.fast,
        **result.summary(),
    }
