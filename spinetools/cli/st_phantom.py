"""Image a random digital spine, with its exact ground truth."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from spinetools.cli._parser import StParser, add_output, number_in, numbers, on_off
from spinetools.cli._run import announce, execute, write_sidecar

# written out here, so that the help needs no heavy import; a test holds them to the package's
CONTRASTS = (
    "t1", "t2", "t2s", "dwi", "mt", "random", "pd", "stir", "dixon", "relax", "ct",
)  # fmt: skip
FIELDS_OF_VIEW = ("whole", "cervical", "cervicothoracic", "thoracic", "lumbar")
PROTOCOLS = (
    "t2_3d", "t1_3d", "t2s_axial", "mt_axial", "dwi_axial", "t2_axial", "t2_sagittal",
    "t1_sagittal", "t2_lumbar", "t1_lumbar", "t2_whole", "t2_lumbar_2d", "stir_sagittal",
    "pd_sagittal", "dixon_lumbar", "ct_lumbar",
)  # fmt: skip
VARIANTS = (
    "normal", "T13", "L6", "L4", "lumbarised", "sacralised", "ribs11", "cervical_rib",
)  # fmt: skip
PATHOLOGIES = ("none", "auto", "much")


def get_parser() -> StParser:
    """Return the command's parser."""
    parser = StParser(
        "st_phantom",
        "Image a random digital spine. Writes the image, and beside it its exact ground truth: "
        "_cord, _canal (dural sac), _levels (cord with vertebral levels), _discs (one voxel at "
        "each disc's posterior edge), _structures (totalspineseg ids; L6 is 17, T13 42, their "
        "discs 225 to 229), _centerline.csv (x,y,z in scanner mm) and _truth.csv (area, "
        "diameters, level of each slice).",
        "st_phantom -c t2 -seed 1 -o phantom.nii.gz",
    )
    group = parser.add_argument_group("what to image")
    group.add_argument(
        "-c", choices=CONTRASTS, default="t2",
        help="contrast; random: any signal, relax: random sequence times (default t2)",
    )  # fmt: skip
    group.add_argument(
        "-seed", type=number_in(0, kind=int), default=0, metavar="N",
        help="which subject; the same seed and options give the same files (default 0)",
    )  # fmt: skip
    group.add_argument(
        "-variant", choices=VARIANTS,
        help="column: one vertebra more or fewer, transitional, other ribs (default: drawn, as "
        "often as in adults)",
    )  # fmt: skip
    group.add_argument(
        "-pathology", choices=PATHOLOGIES, default="auto",
        help="fractures, worn discs, narrow canal, implants … (default auto: as often as in "
        "adults who are imaged)",
    )  # fmt: skip
    group.add_argument(
        "-cord-scale", type=number_in(0.5, 2), default=1.0, metavar="X",
        help="area of the cord over the usual, 0.5 to 2 (default 1)",
    )  # fmt: skip
    group.add_argument(
        "-protocol", choices=PROTOCOLS, metavar="NAME",
        help=f"grid: {', '.join(PROTOCOLS)} (default: the contrast's usual one)",
    )  # fmt: skip
    group.add_argument("-fov", choices=FIELDS_OF_VIEW, help="part of the spine to see")
    group.add_argument(
        "-spacing", type=numbers("x", kind=float, count=3), metavar="RLxAPxSI",
        help="voxel size in mm: right-left x back-front x up-down",
    )  # fmt: skip
    group.add_argument(
        "-orient", default="RPI", metavar="CODE", help="orientation, SCT's letters (default RPI)"
    )
    on_off(group, "-soft", 0, "1: also write _cord_soft, the share of each voxel that is cord")
    add_output(parser, "phantom_<contrast>.nii.gz")
    return parser


def run(args: argparse.Namespace) -> None:
    """Make the phantom and write its files."""
    from dataclasses import replace

    from spinetools.files import nifti_suffix, output_path, strip_nifti_suffix, write_text
    from spinetools.image.orientation import nib_codes_from_sct
    from spinetools.phantom import get_protocol, make_phantom, make_subject
    from spinetools.phantom.protocols import DEFAULT_PROTOCOL

    protocol = get_protocol(args.protocol or DEFAULT_PROTOCOL[args.c])
    if args.spacing:
        protocol = replace(protocol, spacing=tuple(args.spacing))
    path = output_path(f"phantom_{args.c}", ".nii.gz", args.o, args.ofolder)
    nib_codes = nib_codes_from_sct(args.orient)
    subject = make_subject(args.seed, args.variant, args.pathology, args.cord_scale)
    phantom = make_phantom(args.seed, args.c, protocol, args.fov, nib_codes, subject=subject)
    facts = {
        "Seed": args.seed,
        "Contrast": args.c,
        "Style": phantom.style,
        "Variant": subject.variant,
        "Findings": list(subject.findings),
    }
    base, suffix = str(Path(path).with_name(strip_nifti_suffix(path))), nifti_suffix(path)
    images = {
        "": phantom.image.astype("float32"),
        "_cord": phantom.cord,
        "_canal": phantom.canal,
        "_levels": phantom.levels,
        "_discs": phantom.discs,
        "_structures": phantom.structures,
        **({"_cord_soft": phantom.cord_soft} if args.soft else {}),
    }
    written = []
    for ending, image in images.items():
        file = image.save(f"{base}{ending}{suffix}", dtype="int16" if not ending else None)
        write_sidecar(file, args, [path] if ending else [], **facts)
        written.append(file)
    tables = {"_centerline.csv": phantom.centerline_csv(), "_truth.csv": phantom.truth.csv()}
    for ending, text in tables.items():
        write_text(f"{base}{ending}", text)
        written.append(Path(f"{base}{ending}"))
    announce(written, args, image=path, overlays=[Path(f"{base}_cord{suffix}")])


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command."""
    execute(get_parser(), run, argv)


if __name__ == "__main__":
    main()
