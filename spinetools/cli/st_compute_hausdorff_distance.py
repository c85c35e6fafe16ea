"""st_compute_hausdorff_distance: how far apart the surfaces of two masks lie."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

from spinetools.cli._parser import StParser, add_input, add_output, number_in, on_off
from spinetools.cli._run import announce, execute, write_sidecar

if TYPE_CHECKING:
    import argparse

    from spinetools.image import Image

DESCRIPTION = """\
Distances between the surfaces of two masks on one grid, in mm: the largest (Hausdorff), the 95th
percentile and the mean, in 3D and in each axial slice (0 is the lowest). Voxels of 0.5 and more
are inside."""


def get_parser() -> StParser:
    """Return the command's parser."""
    parser = StParser(
        "st_compute_hausdorff_distance", DESCRIPTION,
        "st_compute_hausdorff_distance -i t2_seg.nii.gz -d manual.nii.gz -o distances.txt",
    )  # fmt: skip
    add_input(parser, "first mask")
    parser.add_argument("-d", required=True, metavar="FILE", help="the second mask")
    add_output(parser, "none, the result is printed only")
    on_off(
        parser, "-thinning", 0,
        "compare the skeletons of the masks in each slice instead of their surfaces, as SCT does "
        "unless told otherwise",
    )  # fmt: skip
    parser.add_argument(
        "-resampling", type=number_in(0.01), metavar="MM",
        help="first resample the slices to this pixel size (default: as they are; distances are "
        "in mm on any grid)",
    )  # fmt: skip
    return parser


def run(args: argparse.Namespace) -> None:
    """Measure, print, write."""
    from spinetools.files import output_path, write_text
    from spinetools.image import load_mask
    from spinetools.metrics.overlap import as_fractions
    from spinetools.metrics.surface import surface_distances, surface_distances_by_slice, thinned

    first, second = (load_mask(path).reorient(("R", "A", "S")) for path in (args.i, args.d))
    first.space.check_same(second.space, names=(args.i, args.d))
    if args.resampling:
        first, second = _resampled(first, second, args.resampling)
    a, b = (as_fractions(image.data) >= 0.5 for image in (first, second))
    if args.thinning:
        a, b = thinned(a), thinned(b)
    found = surface_distances(a, b, first.space)
    lines = [
        f"Hausdorff distance = {found.hausdorff:.6g} mm",
        f"95th percentile = {found.hd95:.6g} mm",
        f"mean surface distance = {found.mean:.6g} mm",
        "by axial slice (slice, Hausdorff distance, 95th percentile, mean; mm):",
    ]
    for index, here in surface_distances_by_slice(a, b, first.space).items():
        lines.append(f"{index} {here.hausdorff:.6g} {here.hd95:.6g} {here.mean:.6g}")
    print("\n".join(lines))
    if args.o or args.ofolder:
        path = output_path(args.i, "_hausdorff.txt", args.o, args.ofolder)
        write_text(path, "\n".join(lines) + "\n")
        write_sidecar(path, args, [args.i, args.d])
        announce([path], args)


def _resampled(first: Image, second: Image, size_mm: float) -> tuple[Image, Image]:
    """Resample what lies around the masks to square pixels within slices."""
    import numpy as np

    from spinetools.image import resample_to_spacing
    from spinetools.metrics.overlap import as_fractions

    places = np.argwhere((first.data != 0) | (second.data != 0))
    # two pixels around, for the interpolation; no new slices
    low = np.maximum(places.min(axis=0) - 2, 0)
    high = np.minimum(places.max(axis=0) + 3, first.shape)
    low[2], high[2] = 0, first.shape[2]
    spacing = (size_mm, size_mm, first.space.spacing[2])
    one, other = (
        resample_to_spacing(
            image.like(as_fractions(image.data).astype(np.float32)).crop(low, high), spacing
        )
        for image in (first, second)
    )
    return one, other


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command."""
    execute(get_parser(), run, argv)


if __name__ == "__main__":
    main()
