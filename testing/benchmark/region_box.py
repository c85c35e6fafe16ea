"""Measure the box that spine_region draws round the spine: what it cuts off, and what it saves.

    python testing/benchmark/region_box.py [-h]

Simulated spines in random fields of view, contrasts and noise, each also as a slab of some sagittal
slices and as a tiny image; and the real images that somebody labelled, where ../shared/real is
beside the checkout or $SPINETOOLS_REAL_DATA names it. Prints each image and a table, which is
written to results/region_box.tsv. -labels instead labels the real images (or those named) by
step 1, in the box and as a whole, and writes how alike the labels inside the box are to
results/region_labels.tsv. The constants in spinetools/vertebrae/grid.py were chosen with -seed 7001
-subjects 6 and -use train; what is published is -seed 7002 and -use test.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from cases import RESULTS, real_folder
from tables import markdown, number, write_tsv

from spinetools.image import Image, Space, load_volume
from spinetools.image.points import load_labels
from spinetools.infer.predictor import OnnxPredictor
from spinetools.models.store import find_model
from spinetools.training.nnunet_phantom import Sample, phantom_samples
from spinetools.vertebrae.engines import REGION_OVERLAP, PredictorNetwork, load_networks
from spinetools.vertebrae.grid import CODES, find_box, working_image, working_space
from spinetools.vertebrae.networks import Network
from spinetools.vertebrae.reading import hard_classes

FloatArray = npt.NDArray[np.float64]

#: Sagittal slab and tiny image, mm.
SLAB_MM = 12.0
TINY_MM = (36.0, 45.0, 45.0)
#: The bar: of the spine's voxels, at least this share lies in the box.
LEAST_INSIDE = 0.995
#: What the working grid's voxel size is here, mm: that of step 1.
SPACING_MM = 1.5


@dataclass(frozen=True, eq=False)
class Case:
    """An image, and the places (world, mm) of its spine."""

    kind: str
    name: str
    image: Image
    spine: FloatArray


def simulated(seed: int, subjects: int) -> Iterator[Case]:
    """Simulate subjects in the training's fields of view, whole and cut."""
    for number_ in range(subjects):
        for sample in phantom_samples(number_, seed, spacing_mm=SPACING_MM):
            name = f"{sample.name} {sample.source}"
            whole = tuple(slice(0, n) for n in sample.image.shape)
            yield from _cut("phantom", name, sample, whole)
            where = np.argwhere(sample.structures > 0)
            if len(where):
                middle = where[len(where) // 2]
                slab = np.array([SLAB_MM, 1e3, 1e3]) / SPACING_MM / 2
                yield from _cut("slab", name, sample, _about(middle, slab, sample))
                tiny = np.array(TINY_MM) / SPACING_MM / 2
                yield from _cut("tiny", name, sample, _about(middle, tiny, sample))


def _about(middle: FloatArray, half: FloatArray, sample: Sample) -> tuple[slice, ...]:
    low = np.maximum(np.round(middle - half), 0).astype(int)
    high = np.minimum(np.round(middle + half), sample.image.shape).astype(int)
    return tuple(slice(a, b) for a, b in zip(low, high, strict=True))


def _cut(kind: str, name: str, sample: Sample, box: tuple[slice, ...]) -> Iterator[Case]:
    space = sample.image.space.cropped([s.start for s in box], [s.stop for s in box])
    where = np.argwhere(sample.structures[box] > 0)
    if len(where):
        yield Case(kind, name, Image(sample.image.data[box], space), _world(space, where))


def real(folder: Path, use: str) -> Iterator[Case]:
    """Read the real images whose vertebrae, discs, canal or cord somebody labelled."""
    with (folder / "manifest.tsv").open(encoding="utf-8", newline="") as stream:
        rows = {row["file"]: row for row in csv.DictReader(stream, delimiter="\t")}
    for file, row in rows.items():
        if row["use"] != use or "_seg" not in file:
            continue
        ends = (file.replace("_seg-vert_msk", "_seg").replace("_seg", end) for end in
                ("_img", "", "_ct"))  # fmt: skip
        image = next((name for name in ends if name in rows), None)
        if image is not None:
            truth = load_labels(folder / file)
            where = np.argwhere(np.asarray(truth.data) > 0)
            name = Path(image).name.removesuffix(".nii.gz")
            yield Case("real", name, load_volume(folder / image), _world(truth.space, where))


def _world(space: Space, voxels: npt.NDArray[np.intp]) -> FloatArray:
    return np.asarray(space.to_world(voxels.astype(float)))


def measure(case: Case, network: Network) -> dict[str, str]:
    """Find the box of an image, and count."""
    box = find_box(case.image, network)
    upright = case.image.reorient(CODES).space
    whole = working_space(upright, SPACING_MM)
    cut = working_space(upright, SPACING_MM, box)
    # to the voxels' outer faces, and the rounding of a grid to the other
    voxels = cut.to_voxel(case.spine)
    inside = ((voxels > -1.01) & (voxels < np.asarray(cut.shape) + 0.01)).all(axis=1)
    left = float(np.prod(cut.shape) / np.prod(whole.shape))
    return {
        "kind": case.kind,
        "image": case.name,
        "size, mm": " × ".join(str(round(n * SPACING_MM)) for n in whole.shape),
        "spine inside": number(100 * float(inside.mean()), 2) + " %",
        "image left": number(100 * left, 0) + " %",
    }


def alike(case: Case, region: Network, step1: Network) -> dict[str, str] | None:
    """Compare step 1's labels in the box with those that the whole image gives there.

    None where the whole image is searched.
    """
    box = find_box(case.image, region)
    if box is None:
        return None
    cut = working_image(case.image, step1.spacing_mm, box)
    whole = working_image(case.image, step1.spacing_mm)
    data = case.image.data
    some = hard_classes(
        step1.probabilities(cut.data[None], cut.space, (float(data.mean()), float(data.std())))
    )
    every = hard_classes(step1.probabilities(whole.data[None], whole.space))
    start = np.rint(whole.space.to_voxel(cut.space.to_world(np.zeros(3)))).astype(int)
    there = every[tuple(slice(a, a + n) for a, n in zip(start, cut.shape, strict=True))]
    same = (some == there) & (some > 0)
    dice = 2 * same.sum() / ((some > 0).sum() + (there > 0).sum())
    kept = (there > 0).sum() / (every > 0).sum()
    return {
        "image": case.name,
        "image left": number(100 * some.size / every.size, 0) + " %",
        "Dice of the labels inside": number(float(dice), 4),
        "of all labels inside": number(100 * float(kept), 1) + " %",
    }


def summary(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """Return a row a kind of image."""
    result = []
    for kind in dict.fromkeys(row["kind"] for row in rows):
        some = [row for row in rows if row["kind"] == kind]
        inside, left = (
            np.array([float(row[key].split()[0]) for row in some])
            for key in ("spine inside", "image left")
        )
        result.append({
            "method": "spine_region",
            "images": kind,
            "count": str(len(some)),
            "spine inside, least": number(float(inside.min()), 2) + " %",
            "below 99.5 %": str(int((inside < 100 * LEAST_INSIDE).sum())),
            "image left, mean": number(float(left.mean()), 0) + " %",
            "least": number(float(left.min()), 0) + " %",
            "whole image": str(int((left >= 100).sum())),
        })  # fmt: skip
    return result


def main() -> None:
    """Run all cases, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("-model", type=Path, help="ONNX file (default: the installed one)")
    parser.add_argument("-seed", type=int, default=7002, help="of the simulated spines")
    parser.add_argument("-subjects", type=int, default=3, help="12 fields of view each")
    parser.add_argument("-use", choices=("test", "train"), default="test", help="real images")
    parser.add_argument("-labels", nargs="*", metavar="IMAGE", help="compare step 1's labels")
    parser.add_argument("-o", type=Path, default=RESULTS, help="folder of the results")
    args = parser.parse_args()
    predictor = OnnxPredictor(args.model or find_model("spine_region"), overlap=REGION_OVERLAP)
    network = PredictorNetwork(predictor, predictor.labels)
    rows = []
    folder = real_folder()
    if args.labels is not None:
        if folder is None:
            sys.exit("-labels compares real images, and there are none")
        step1 = load_networks(one_step=True).step1
        cases = (c for c in real(folder, args.use) if not args.labels or c.name in args.labels)
        rows = [row for case in cases if (row := alike(case, network, step1)) is not None]
        print(markdown(rows))
        write_tsv(args.o / "region_labels.tsv", rows)
        return
    sources = [simulated(args.seed, args.subjects)]
    sources += [real(folder, args.use)] if folder is not None else []
    for source in sources:
        for case in source:
            rows.append(measure(case, network))
            print("\t".join(rows[-1].values()), file=sys.stderr, flush=True)
    table = summary(rows)
    print(markdown(table))
    write_tsv(args.o / "region_box.tsv", table)


if __name__ == "__main__":
    main()
