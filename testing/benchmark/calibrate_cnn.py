"""At which probability the CNN's mean area is right: the thresholds of the model's card.

    python testing/benchmark/calibrate_cnn.py [-kernel 2d] [-seeds 3] [-unseen ONNX …] [-write]

Each image marked ``train`` and each protocol of the simulated spine is segmented once; its
probability is cut at a range of thresholds, and where the mean area of the slices that count is
that of the truth, the image's bias is zero. A contrast's threshold has zero mean bias over its
images, real and simulated ones weighing alike. ``-write`` puts the thresholds into the model's card
(``spinetools.training.set_thresholds``). Images marked ``test`` are not looked at.

A network draws the images that it has learnt from as their raters drew them, and other ones not.
``-unseen`` names networks of the same recipe that were trained without some of the patients
(``spinetools.training.cord train -without``): each training image is measured by the first of them
whose card does not name it.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from cases import PHANTOMS, filled_slices, real_cases, real_folder

from spinetools.deepseg import DeepsegParams, segment_cord
from spinetools.deepseg.params import NETWORKS, Contrast
from spinetools.errors import NoSpineError
from spinetools.image import Image, load_mask, load_volume
from spinetools.models.card import read_card
from spinetools.models.store import find_model
from spinetools.phantom import make_phantom
from spinetools.training.set_thresholds import set_thresholds

THRESHOLDS = np.round(np.arange(0.10, 0.91, 0.05), 2)
#: A threshold beyond these would trade the outline for the area.
LIMITS = (0.25, 0.75)
RAS = ("R", "A", "S")

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Sample:
    """An image, the true area of its cord in each slice that counts, and where it comes from."""

    name: str
    real: bool
    contrast: Contrast
    image: Image
    slices: npt.NDArray[np.int64]
    areas_mm2: FloatArray


def main() -> None:
    """Print the table, and write the thresholds where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("-kernel", choices=tuple(NETWORKS), default="2d")
    parser.add_argument("-model", help="network (default: the one of the kernel)")
    parser.add_argument("-seeds", type=int, default=3, help="subjects a protocol (default 3)")
    parser.add_argument(
        "-unseen", nargs="+", default=[], help="networks trained without some images"
    )
    parser.add_argument("-write", action="store_true", help="put the thresholds into the card")
    args = parser.parse_args()
    logging.getLogger("spinetools").setLevel(logging.ERROR)
    params = DeepsegParams(args.kernel, args.model, threshold=-1)
    print("image", *(f"{t:.2f}" for t in THRESHOLDS), "soft", "unbiased", sep="\t")
    biases: dict[str, dict[bool, list[FloatArray]]] = {}
    for sample in samples(args.seeds):
        found = bias_of(sample, params_for(sample, params, args.unseen))
        if found is None:
            print(f"{sample.name}\tfailed")
            continue
        cut, soft = found
        biases.setdefault(sample.contrast, {}).setdefault(sample.real, []).append(cut)
        shown = (f"{b:+.1%}" for b in [*cut, soft])
        print(sample.name, *shown, f"{zero_of(cut):.3f}", sep="\t", flush=True)
    chosen = thresholds_of(biases)
    for contrast, value in chosen.items():
        print(f"{contrast}: {value:g}")
    if args.write:
        path = find_model(params.network)
        set_thresholds(path, chosen)
        print(f"written: {path}")


def samples(seeds: int) -> Iterator[Sample]:
    """Return the training images, then the simulated ones."""
    folder = real_folder()
    if folder is None:
        print("no real images: calibrating on the simulated spine only", file=sys.stderr)
    for case in [] if folder is None else real_cases(folder):
        if case.use != "train":
            continue
        mask = load_mask(case.mask)
        share = mask.like((mask.data > 0.5).astype(np.float32))
        yield sample_of(case.name, True, case.contrast, load_volume(case.image), share, case.slices)
    for protocol in PHANTOMS:
        # subjects that the benchmark does not measure on
        for seed in range(501, 501 + seeds):
            made = make_phantom(seed=seed, protocol=protocol)
            contrast = {"mt": "t2s"}.get(made.contrast, made.contrast)
            inner = filled_slices(made.cord)
            name = f"{protocol}_{seed}"
            yield sample_of(name, False, contrast, made.image, made.cord_soft, inner)


def sample_of(
    name: str,
    real: bool,
    contrast: str,
    image: Image,
    share: Image,
    slices: npt.NDArray[np.int64],
) -> Sample:
    """Measure the truth."""
    pixel_mm2 = float(np.prod(share.reorient(RAS).space.spacing[:2]))
    areas = share.reorient(RAS).data[:, :, slices].sum(axis=(0, 1), dtype=float) * pixel_mm2
    known: dict[str, Contrast] = {"t1": "t1", "t2": "t2", "t2s": "t2s", "dwi": "dwi"}
    return Sample(name, real, known[contrast], image, slices, areas)


def params_for(sample: Sample, params: DeepsegParams, unseen: Sequence[str]) -> DeepsegParams:
    """Choose the network that has not learnt from a real image."""
    if not sample.real or not unseen:
        return params
    for model in unseen:
        learnt = read_card(Path(model)).training["data"]
        if not any(sample.name in group for group in learnt):
            return replace(params, model=model)
    raise SystemExit(f"{sample.name}: each network of -unseen has learnt from it")


def bias_of(sample: Sample, params: DeepsegParams) -> tuple[FloatArray, float] | None:
    """Return the mean area bias at each threshold, and that of the sum of probabilities."""
    try:
        result = segment_cord(sample.image, sample.contrast, params)
    except NoSpineError:
        return None
    soft = result.soft.reorient(RAS)
    pixel_mm2 = float(np.prod(soft.space.spacing[:2]))
    part = soft.data[:, :, sample.slices]
    found = part.any(axis=(0, 1))
    if not found.any():
        return None

    def bias(values: npt.NDArray[np.generic]) -> float:
        areas = values.sum(axis=(0, 1), dtype=float) * pixel_mm2
        return float((areas[found] / sample.areas_mm2[found]).mean() - 1)

    return np.array([bias(part >= limit) for limit in THRESHOLDS]), bias(part)


def zero_of(bias: FloatArray) -> float:
    """Return the threshold of zero bias; areas fall as it rises."""
    return float(np.interp(0, -bias, THRESHOLDS))


def thresholds_of(biases: Mapping[str, Mapping[bool, list[FloatArray]]]) -> dict[str, float]:
    """Return the threshold of each contrast, and that of any: of the mean over contrasts."""
    curves = {
        contrast: np.mean([np.mean(kind, axis=0) for kind in kinds.values()], axis=0)
        for contrast, kinds in biases.items()
    }
    curves["any"] = np.mean(list(curves.values()), axis=0)
    return {
        contrast: round(float(np.clip(zero_of(curve), *LIMITS)), 3)
        for contrast, curve in curves.items()
    }


if __name__ == "__main__":
    main()
