"""Time st_label_vertebrae against nnU-Net's own predictor: same image, same weights.

    python testing/benchmark/against_nnunet.py IMAGE -folder nnunet [-h]

-folder is where st_train left the results of datasets 101 and 102; nnunetv2 has to be installed.
Each runs as a process of its own, from the file to labels on the image's grid: nnU-Net both steps
(step 2 is given every other disc that step 1 found), with its tiles half overlapping, with and
without its mirroring (which is on by default); st_label_vertebrae both steps, its labelling and all
of its outputs, with the models that ship or those of -model. Prints a table with the Dice of the
two results of step 1 over all classes, in the part of the image that st_label_vertebrae looked at,
and writes results/against_nnunet.tsv.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
from cases import RESULTS
from scipy import ndimage
from speed import timed
from tables import markdown, number, write_tsv

from spinetools.files import strip_nifti_suffix
from spinetools.image import Image, load_mask, load_volume
from spinetools.models.classes import STEP1

BIN = Path(sys.executable).parent


def main() -> None:
    """Measure, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("image", type=Path, nargs="+", help="what is labelled")
    parser.add_argument("-folder", type=Path, required=True, help="training folder")
    parser.add_argument("-model", help="folder of the exported networks (default: what ships)")
    parser.add_argument("-o", type=Path, default=RESULTS, help="folder of the results")
    parser.add_argument("--predict", nargs=2, metavar=("OUT", "TTA"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.predict:
        predict(args.image[0], args.folder, Path(args.predict[0]), args.predict[1] == "tta")
        return
    rows = [row for image in args.image for row in compare(image.resolve(), args)]
    print(markdown(rows))
    write_tsv(args.o / "against_nnunet.tsv", rows)


def predict(path: Path, folder: Path, output: Path, tta: bool) -> None:
    """Run nnU-Net's predictor on an image."""
    from spinetools.infer.nnunet import NnunetPredictor
    from spinetools.training.nnunet_dataset import Layout
    from spinetools.training.nnunet_train import results_folder

    image = load_volume(path).reorient(("R", "A", "S"))
    channels, answers = image.data, []
    for number_ in (101, 102):
        trained = results_folder(Layout(folder), number_, "all").parent
        network = NnunetPredictor(trained, "cpu", "all", tta)
        answers.append(network.segment(channels, image.space.spacing))
        discs = np.isin(answers[0], [i for i, name in enumerate(STEP1) if "disc" in name])
        parts = ndimage.label(discs)[0]
        channels = np.stack([image.data, parts % 2])
    for found, path_ in zip(answers, (output, output.with_name("step2.nii.gz")), strict=True):
        image.like(found.astype(np.uint8)).save(path_)


def compare(path: Path, args: argparse.Namespace) -> list[dict[str, str]]:
    """Run both on an image."""
    shape = " × ".join(map(str, Image.load(path).shape))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        words = [str(BIN / "st_label_vertebrae"), "-i", str(path), "-ofolder", name,
                 "-save", "step1"]  # fmt: skip
        ours = timed([*words, *(["-model", args.model] if args.model else [])], folder)
        (kept,) = folder.glob(f"{strip_nifti_suffix(path)}*step1*.nii*")
        rows = [row(path, shape, "st_label_vertebrae", ours, ours, 1.0)]
        for tta in ("", "tta"):
            output = folder / f"nnunet{tta}.nii.gz"
            again = [sys.executable, __file__, str(path), "-folder", str(args.folder.resolve())]
            theirs = timed([*again, "--predict", str(output), tta or "plain"], folder)
            what = f"nnU-Net's predictor, both steps, {'with' if tta else 'without'} mirroring"
            rows.append(row(path, shape, what, theirs, ours, agreement(kept, output)))
    return rows


def agreement(ours: Path, theirs: Path) -> float:
    """Return the Dice over all classes of step 1, where ours looked."""
    one = load_mask(ours).reorient(("R", "A", "S"))
    other = load_mask(theirs)
    if not one.space.same_as(other.space):
        sys.exit(f"{ours} and {theirs} lie on different grids")
    found = np.argwhere(one.data > 0)
    box = tuple(slice(low, high + 1) for low, high in zip(found.min(0), found.max(0), strict=True))
    a, b = one.data[box], other.data[box]
    same = (a == b) & (a > 0) & (a < len(STEP1))
    return float(2 * same.sum() / ((a > 0).sum() + (b > 0).sum()))


def row(
    path: Path,
    shape: str,
    what: str,
    took: tuple[float, float, float],
    ours: tuple[float, float, float],
    dice: float,
) -> dict[str, str]:
    """Return a line of the table."""
    seconds, processor, peak = took
    return {
        "image": strip_nifti_suffix(path),
        "voxels": shape,
        "what": what,
        "seconds": number(seconds, 1),
        "processor, s": number(processor, 1),
        "times ours (processor)": number(processor / ours[1], 1),
        "memory, MB": number(peak, 0),
        "Dice, step 1": number(dice, 4),
    }


if __name__ == "__main__":
    main()
