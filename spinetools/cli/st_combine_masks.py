"""Combine classes of label images, or masks, into one mask."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from spinetools.cli._parser import StParser, add_output, number_in
from spinetools.cli._run import announce, execute, write_sidecar
from spinetools.errors import InputError
from spinetools.labels import SCHEMES


def get_parser() -> StParser:
    """Return the command's parser."""
    parser = StParser(
        "st_combine_masks",
        "Combine classes into one mask: of a label image, of several files, or of a folder with "
        "a file for each class. All files have to be on one grid.",
        "st_combine_masks -i t2_labels.nii.gz -m L1:L5,discs -o lumbar.nii.gz",
    )
    parser.add_argument(
        "-i", required=True, nargs="+", metavar="FILE|FOLDER",
        help="label images or masks (.nii.gz, .nii), or a folder of them",
    )  # fmt: skip
    group = parser.add_argument_group("what is combined")
    group.add_argument(
        "-m", metavar="LIST",
        help="which classes, with commas: vertebrae, discs, sacrum, cord, canal, levels (L4, "
        "L4-L5, L1:L5), names (vertebrae_L4, a file's name), label values (41, 18:22) "
        "(default: all)",
    )  # fmt: skip
    group.add_argument(
        "-label-scheme", choices=SCHEMES, metavar="SCHEME",
        help="what label values stand for, where the file does not tell: " + ", ".join(SCHEMES),
    )  # fmt: skip
    group.add_argument(
        "-thr", type=number_in(0, 1), default=0.5, metavar="N",
        help="probability from which a voxel of a soft mask counts (default 0.5)",
    )  # fmt: skip
    group.add_argument(
        "-keep-values", action="store_true",
        help="a label image: each class with its own value (default: a mask of ones)",
    )  # fmt: skip
    parser.add_argument(
        "-allow-empty", action="store_true",
        help="write an empty mask where no class is there (default: an error)",
    )  # fmt: skip
    add_output(parser, "<input>_combined.nii.gz")
    return parser


def run(args: argparse.Namespace) -> None:
    """Load, choose, combine, save."""
    from spinetools.files import output_path
    from spinetools.image.combine import choose, combine, parts_of
    from spinetools.image.points import load_labels

    files = [path for name in args.i for path in _files(Path(name))]
    words = [word.strip() for word in (args.m or "").split(",") if word.strip()]
    if args.m is not None and not words:
        raise InputError("-m names no class; leave it out to take all")
    images = [load_labels(path) for path in files]
    for image in images:
        images[0].space.check_same(image.space, (images[0].name, image.name))
    named = any(not word.replace(":", "").isdigit() for word in words)
    parts = [part for image in images for part in parts_of(image, args.label_scheme, named)]
    chosen = choose(parts, words) if words and parts else parts
    chosen = [part for part in chosen if part.inside(args.thr).any()]
    if chosen or not args.allow_empty:
        result = combine(chosen, args.thr, args.keep_values)
    else:
        result = images[0].like((images[0].data * 0).astype("uint8"))
    path = output_path(args.i[0], "_combined.nii.gz", args.o, args.ofolder)
    sources = [str(file) for file in files]
    write_sidecar(path, args, sources, Structures=list(dict.fromkeys(p.name for p in chosen)))
    result.save(path)
    announce([path], args, files[0], [path])


def _files(path: Path) -> list[Path]:
    """Return a file, or the images of a folder."""
    from spinetools.files import nifti_suffix

    if not path.is_dir():
        return [path]
    found = sorted(file for file in path.iterdir() if nifti_suffix(file))
    if not found:
        raise InputError(f"{path} has no NIfTI image (.nii.gz, .nii)")
    return found


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command."""
    execute(get_parser(), run, argv)
