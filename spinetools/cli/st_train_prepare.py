"""Write the nnU-Net datasets that the vertebra networks learn from."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NoReturn

from spinetools.cli._parser import StParser, number_in
from spinetools.cli._run import execute

SCHEMES = ("totalspineseg", "totalspineseg_2025", "totalsegmentator", "totalsegmentator_mr", "sct")


def get_parser() -> StParser:
    """Return the command's parser."""
    parser = StParser(
        "st_train_prepare",
        "Write nnU-Net v2 datasets: 101 (step 1: cord, canal, discs, vertebrae, landmark discs), "
        "102 (step 2: odd and even structures, from the image and its odd discs) and 103 (every "
        "structure in one step). They are made of the digital spine, of a folder of images with "
        "labels, or of both.\n\n"
        "What is there already stays: an interrupted run goes on where it was, and more volumes "
        "can be added later. st_train then learns from them.",
        "st_train_prepare 101 -phantoms 600 -folder nnunet",
    )
    group = parser.add_argument_group("what to write")
    group.add_argument(
        "dataset", nargs="?", default="all", choices=("101", "102", "103", "all"),
        help="which dataset (default all)",
    )  # fmt: skip
    group.add_argument(
        "-folder", default="nnunet", metavar="DIR",
        help="training folder; raw, preprocessed and results lie below it (default nnunet)",
    )  # fmt: skip
    group.add_argument(
        "-phantoms", type=number_in(0, kind=int), default=1200, metavar="N",
        help="volumes of the digital spine, in all (default 1200)",
    )  # fmt: skip
    group.add_argument(
        "-seed", type=number_in(0, kind=int), default=2026, metavar="N",
        help="of subjects, images and augmentation (default 2026)",
    )  # fmt: skip
    group = parser.add_argument_group("images with labels")
    group.add_argument(
        "-i", metavar="DIR", help="folder of images with labels, e.g. in BIDS layout"
    )
    group.add_argument(
        "-label-scheme", choices=SCHEMES, metavar="NAME",
        help=f"what the label values mean: {', '.join(SCHEMES)} (default: the one that fits)",
    )  # fmt: skip
    group.add_argument(
        "-values", metavar="V=NAME,...",
        help="what they mean where no scheme fits, e.g. 1=vertebra,2=disc,3=canal (canal with the "
        "cord; levels unknown) or 7=vertebrae_L3",
    )  # fmt: skip
    group.add_argument(
        "-unlabelled", choices=("background", "span", "ignore"), default="background",
        help="voxels without a label are background; nobody knows (ignore); or background where "
        "discs are labelled and all but a disc above and below (span) (default background)",
    )  # fmt: skip
    group.add_argument(
        "-lowest", metavar="DISC",
        help="where labels tell no levels: which disc the lowest one is, e.g. disc_L5_S; those "
        "above it follow",
    )  # fmt: skip
    group.add_argument("-list", metavar="FILE", help="names of the images to take, one a line")
    group.add_argument(
        "-copies", type=number_in(0, kind=int), default=3, metavar="N",
        help="randomly changed copies of each image with labels (default 3)",
    )  # fmt: skip
    group.add_argument("-noaug", action="store_true", help="no such copies, as -copies 0")
    return parser


def run(args: argparse.Namespace) -> None:
    """Write the datasets."""
    from pathlib import Path

    from spinetools.training.nnunet_bids import LabelParams, prepare_labelled
    from spinetools.training.nnunet_dataset import Layout, dataset_numbers, prepare_phantoms

    layout, numbers = Layout(Path(args.folder)), dataset_numbers(args.dataset)
    if args.i:
        params = LabelParams(
            args.label_scheme, args.values, args.unlabelled,
            copies=0 if args.noaug else args.copies, lowest=args.lowest,
        )  # fmt: skip
        prepare_labelled(layout, numbers, Path(args.i), params, args.list, args.seed)
    if args.phantoms:
        prepare_phantoms(layout, numbers, args.phantoms, args.seed)
    for path in sorted(layout.raw.glob("Dataset*/dataset.json")):
        print(f"written: {path}")


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command."""
    execute(get_parser(), run, argv)


if __name__ == "__main__":
    main()
