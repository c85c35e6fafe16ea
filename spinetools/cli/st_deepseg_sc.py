"""Segment the spinal cord with neural networks."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from spinetools.cli._bids import add_bids
from spinetools.cli._deepseg import add_deepseg_options
from spinetools.cli._dicom import add_dicomseg, dicomseg_beside
from spinetools.cli._parser import (
    StParser,
    add_allow_empty,
    add_input,
    add_output,
    add_qc,
    add_temporary,
)
from spinetools.cli._run import execute

if TYPE_CHECKING:
    from spinetools.deepseg import DeepsegResult


def get_parser() -> StParser:
    """Return the command's parser."""
    parser = StParser(
        "st_deepseg_sc",
        "Segment the spinal cord: a network finds it on axial slices, one best path through them "
        "is its centreline, and a second network segments patches along it (Gros 2019).",
        "st_deepseg_sc -i t2.nii.gz -c t2 -qc qc",
    )
    add_input(parser)
    add_output(parser, "<input>_seg.nii.gz")
    add_deepseg_options(parser)
    add_allow_empty(parser)
    add_temporary(parser)
    add_bids(parser)
    add_dicomseg(parser)
    add_qc(parser)
    return parser


def run(args: argparse.Namespace) -> None:
    """Segment one image, or each of a BIDS folder."""
    from spinetools.cli import _deepseg as how
    from spinetools.cli._bids import over_images

    how.params_from(args)  # what is wrong there is said before any work
    over_images(args, segment, ("file_centerline",))


def segment(args: argparse.Namespace) -> None:
    """Segment, write, report."""
    from spinetools.cli import _deepseg as how
    from spinetools.cli._contrast import settle_contrast
    from spinetools.cli._qc import add_qc_entry
    from spinetools.cli._results import empty_like, unless_empty
    from spinetools.cli._run import announce, load_input, write_sidecar
    from spinetools.deepseg import segment_cord

    params = how.params_from(args)
    image = load_input(args)
    path = how.path_of(args, "_seg.nii.gz", "probseg" if params.is_soft else "mask", args.o)
    how.check_apart(args, path)
    settle_contrast(args, image)

    def find() -> DeepsegResult:
        return segment_cord(image, args.c, params, how.centreline_of(args, image))

    result = unless_empty(args, find)
    written: list[Path] = [path]
    extra: dict[str, Any] = {"Contrast": args.c}
    shown: dict[str, Any] = {}
    if result is None:
        seg = empty_like(image).astype("float32" if params.is_soft else "uint8")
    else:
        how.say(result)
        seg = result.soft if params.is_soft else result.mask
        extra = how.record_of(args, result)
        shown = {"flags": how.flags_of(image, result), "measures": how.measures_of(image, result)}
        if result.uncertainty is not None:
            more = how.path_of(args, "_uncertainty.nii.gz", "uncertainty", args.uncertainty)
            write_sidecar(more, args, [args.i], Measure="standard deviation of the probability")
            written.append(result.uncertainty.save(more))
        if args.r == 0:
            more = how.centreline_path(args, path)
            write_sidecar(more, args, [args.i], Method=args.centerline, Contrast=args.c)
            written.append(result.line.mask(image).save(more))
    write_sidecar(path, args, [args.i], **extra)
    seg.save(path)
    written += dicomseg_beside(args, path, seg, {1: "spinal_cord"})
    add_qc_entry(args, image, [("cord", seg)], files=[path], **shown)
    announce(written, args, args.i, [path])


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command."""
    execute(get_parser(), run, argv)
