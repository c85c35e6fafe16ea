"""What the benchmarks measure on: images with a cord mask, and the slices that count."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from spinetools.image import Image, load_mask

ROOT = Path(__file__).resolve().parents[2]
RESULTS = Path(__file__).resolve().parent / "results"

#: How a file's last word tells the contrast; magnetisation transfer looks like T2*.
CONTRASTS = {
    "T1w": "t1", "T2w": "t2", "T2star": "t2s", "MTon": "t2s", "MToff": "t2s", "DWImean": "dwi",
}  # fmt: skip

#: Values of the points in ``*_points.nii.gz``, on the cord at the middle of the vertebra.
POINT_C2, POINT_T2 = 2, 9
#: Length of the cord, from the levels' table of the simulated spine (phantom/numbers.py):
#: from the top of C1 to the middle of C2 (C1 and half of C2), and from there to the middle of T2.
TOP_OF_C1_TO_C2_MM = 23.0 + 15.5 / 2
C2_TO_T2_MM = 15.5 / 2 + 18.5 + 18.5 + 16.5 + 15.5 + 17.0 + 21.5 + 23.0 / 2

#: Protocols of the simulated spine: each contrast as it is usually taken.
PHANTOMS = (
    "t2_3d", "t2_axial", "t2_sagittal", "t2_lumbar", "t1_3d", "t2s_axial", "mt_axial", "dwi_axial",
)  # fmt: skip

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Case:
    """An image and the truth about its cord.

    Attributes
    ----------
    name
        The file's name without its ending.
    use
        ``train``: methods may have been trained or tuned on it; ``test``: only ever measured on;
        ``check``: its mask comes from a program, so that it is no truth; ``phantom``: simulated.
    image, mask
        Files.
    contrast
        As the commands name it.
    slices
        Axial slices to score, counted from the lowest.
    peer
        Another program's segmentation of the same image.
    """

    name: str
    use: str
    image: Path
    mask: Path
    contrast: str
    slices: IntArray
    peer: Path | None = None


def real_folder() -> Path | None:
    """Return the folder of real images ($SPINETOOLS_REAL_DATA, ../shared/real), if it is there."""
    folder = Path(os.environ.get("SPINETOOLS_REAL_DATA") or ROOT.parent / "shared" / "real")
    return folder if (folder / "manifest.tsv").is_file() else None


def spider_train(folder: Path) -> list[Path]:
    """Return the SPIDER images that may be learnt from; the labels of each lie beside it."""
    with (folder / "manifest.tsv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    return [
        folder / row["file"]
        for row in rows
        if row["use"] == "train"
        and row["file"].startswith("spider/")
        and not row["file"].endswith("_seg.nii.gz")
    ]


def real_cases(folder: Path) -> Iterator[Case]:
    """Find every image of the manifest that has a cord mask beside it."""
    with (folder / "manifest.tsv").open(encoding="utf-8", newline="") as stream:
        rows = {row["file"]: row for row in csv.DictReader(stream, delimiter="\t")}
    for file, row in rows.items():
        stem = file.removesuffix(".nii.gz")
        mask = f"{stem}_seg.nii.gz"
        contrast = CONTRASTS.get(stem.rsplit("_", 1)[-1])
        if not file.startswith("cord/") or contrast is None or mask not in rows:
            continue
        peer = folder / f"{stem}_propseg-peer.nii.gz"
        yield Case(
            name=Path(stem).name,
            use="check" if "CNN" in rows[mask]["what"] else row["use"],
            image=folder / file,
            mask=folder / mask,
            contrast=contrast,
            slices=scored_slices(folder / stem, load_mask(folder / mask)),
            peer=peer if peer.is_file() else None,
        )


def phantom_cases(folder: Path, seeds: int) -> Iterator[Case]:
    """Make the simulated spine in each protocol, with its exact mask."""
    from spinetools.phantom import make_phantom

    for protocol in PHANTOMS:
        for seed in range(1, seeds + 1):
            made = make_phantom(seed=seed, protocol=protocol)
            name = f"{protocol}_{seed}"
            image, mask = folder / f"{name}.nii.gz", folder / f"{name}_seg.nii.gz"
            made.image.save(image)
            made.cord.save(mask)
            contrast = {"mt": "t2s"}.get(made.contrast, made.contrast)
            yield Case(name, "phantom", image, mask, contrast, filled_slices(made.cord))


def scored_slices(stem: Path, mask: Image) -> IntArray:
    """Return the slices to score: C1 to T3 where the files say where that is, else all with cord.

    The manual masks of images with ``_points`` and ``_disccentres`` are weaker below T3.

    Parameters
    ----------
    stem
        Path of the image without its ending.
    mask
        The manual mask.
    """
    points, discs = (
        stem.with_name(stem.name + end) for end in ("_points.nii.gz", "_disccentres.tsv")
    )
    if not (points.is_file() and discs.is_file()):
        return filled_slices(mask)
    with discs.open(encoding="utf-8", newline="") as stream:
        centres = {
            row["disc"]: np.array([float(row[f"{axis}_mm"]) for axis in "xyz"])
            for row in csv.DictReader(stream, delimiter="\t")
        }
    labels = load_mask(points)
    c2, t2 = (
        labels.space.to_world(np.argwhere(labels.data == value).mean(axis=0))
        for value in (POINT_C2, POINT_T2)
    )
    return slices_c1_to_t3(mask, c2, t2, centres["T3-T4"])


def slices_c1_to_t3(
    mask: Image, c2_mm: FloatArray, t2_mm: FloatArray, disc_t3_t4_mm: FloatArray
) -> IntArray:
    """Return the slices of a cord mask from the top of C1 to the disc below T3.

    The lower end is the slice in which the cord's centre is nearest to the disc. The upper end is
    the top of C1: as far above the middle of C2, along the cord, as in the levels' table scaled
    to the subject, by the length of its cord from the middle of C2 to the middle of T2.

    Parameters
    ----------
    mask
        Cord mask, in any orientation.
    c2_mm, t2_mm
        Points on the cord at the middle of C2 and T2, in scanner space.
    disc_t3_t4_mm
        Centre of the disc T3–T4.
    """
    slices, centres = centres_mm(mask)
    steps = np.linalg.norm(np.diff(centres, axis=0), axis=1)
    length = np.concatenate([[0.0], np.cumsum(steps)])

    def nearest(point: FloatArray) -> int:
        return int(np.argmin(np.linalg.norm(centres - point, axis=1)))

    c2, t2, below = nearest(c2_mm), nearest(t2_mm), nearest(disc_t3_t4_mm)
    scale = (length[c2] - length[t2]) / C2_TO_T2_MM
    top = length[c2] + TOP_OF_C1_TO_C2_MM * scale
    return slices[(length >= length[below]) & (length <= top)]


def filled_slices(mask: Image) -> IntArray:
    """Return the axial slices that have a voxel of the mask, counted from the lowest."""
    found: IntArray = np.flatnonzero(mask.reorient(("R", "A", "S")).data.any(axis=(0, 1)))
    return found


def centres_mm(mask: Image) -> tuple[IntArray, FloatArray]:
    """Return the filled slices and the centre of mass in each (N, 3), in scanner space."""
    upright = mask.reorient(("R", "A", "S"))
    slices = filled_slices(mask)
    places = [(*np.argwhere(upright.data[:, :, k] > 0).mean(axis=0), k) for k in slices]
    return slices, upright.space.to_world(np.array(places))
