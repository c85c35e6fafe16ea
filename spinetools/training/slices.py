"""Axial training slices at 1 mm: from real images marked ``train``, and from the digital spine."""

from __future__ import annotations

import csv
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cc3d
import numpy as np
import numpy.typing as npt

from spinetools.errors import InputError
from spinetools.image import Image, load_mask, load_volume, resample_to_spacing

logger = logging.getLogger(__name__)

SPACING_MM = 1.0
Float32Array = npt.NDArray[np.float32]

#: Volumes with a manual cord whose patient is marked ``train`` (../shared/real/README.md).
REAL_CORDS = (
    "cord/errsm11_T2w",
    "cord/errsm18_T2w",
    "cord/gm9418_T2star",
    "cord/gm9584_T2star",
    "cord/gm10062Ses1_T2star",
    "cord/gm10062Ses2_T2star",
)


#: SPIDER's label of a disc, the smallest component that is one (voxels), and of the canal.
SPIDER_DISC, SMALLEST_DISC, SPIDER_CANAL = 2, 500, 3
#: From the lowest disc upwards (L5–S1, or S1–S2 where it shows) no cord reaches down to the third:
#: the conus ends above L3 (anatomy: mid T12 to upper L3).
DISCS_WITHOUT_CORD = 3


@dataclass(frozen=True)
class Slice:
    """One training slice.

    Attributes
    ----------
    image
        (X, Y), axes R and A, 1 mm pixels, raw intensities.
    cord
        (X, Y), fraction of cord 0 to 1.
    brain
        (X, Y), 1 where there is brain, cerebellum or brainstem.
    group
        What it comes from, for sampling evenly: a real volume, or a contrast of the phantom.
    """

    image: Float32Array
    cord: Float32Array
    brain: Float32Array
    group: str


def real_slices(folder: Path) -> Iterator[Slice]:
    """Give the labelled axial slices of the real training images.

    Raises
    ------
    InputError
        When the manifest does not mark one of them ``train``.
    """
    check_use(folder, REAL_CORDS)
    for name in REAL_CORDS:
        image = load_volume(folder / f"{name}.nii.gz")
        cord = load_mask(folder / f"{name}_seg.nii.gz").astype(np.float32)
        yield from volume_slices(image, cord, group=name, labelled_only=True)


def cauda_slices(folder: Path) -> Iterator[Slice]:
    """Give axial slices of lumbar images that hold cauda equina and surely no cord.

    SPIDER's volumes marked ``train`` have no cord mask, but their discs, counted from below, tell
    where no cord can be. (van der Graaf JW et al., Scientific Data 11 (2024) 264, CC BY 4.0.)
    """
    for part, _ in labelled_discs(folder):
        nothing = part.like(np.zeros(part.shape, dtype=np.float32))
        yield from volume_slices(part, nothing, "spider cauda", labelled_only=False, step_mm=6.0)


def check_use(folder: Path, names: tuple[str, ...]) -> None:
    """Make sure that images may be trained on.

    Raises
    ------
    InputError
        When the manifest does not mark one of them ``train``.
    """
    with (folder / "manifest.tsv").open(encoding="utf-8") as file:
        use = {row["file"]: row["use"] for row in csv.DictReader(file, delimiter="\t")}
    for name in names:
        if use.get(f"{name}.nii.gz") != "train":
            raise InputError(f"{name} is not marked train in {folder / 'manifest.tsv'}")


def labelled_discs(folder: Path) -> Iterator[tuple[Image, Image]]:
    """Give the lower parts of SPIDER's training volumes that surely hold no cord, and their canal.

    Yields
    ------
    image, canal
        On one grid (RAS); the canal as 0 and 1.
    """
    with (folder / "manifest.tsv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if row["use"] == "train"]
    for row in rows:
        if not row["file"].startswith("spider/") or row["file"].endswith("_seg.nii.gz"):
            continue
        image = load_volume(folder / row["file"]).reorient(("R", "A", "S"))
        stem = row["file"].removesuffix(".nii.gz")
        mask = load_mask(folder / f"{stem}_seg.nii.gz").reorient(("R", "A", "S"))
        components = cc3d.connected_components((mask.data == SPIDER_DISC).astype(np.uint8))
        found = cc3d.statistics(components)
        discs_found = zip(found["centroids"][1:], found["voxel_counts"][1:], strict=True)
        heights = sorted(float(at[2]) for at, size in discs_found if size >= SMALLEST_DISC)
        top = int(heights[DISCS_WITHOUT_CORD - 1])
        canal = mask.like((mask.data == SPIDER_CANAL).astype(np.uint8))
        box = ((0, 0, 0), (*image.shape[:2], top))
        yield image.crop(*box), canal.crop(*box)


def volume_slices(
    image: Image,
    cord: Image,
    group: str,
    labelled_only: bool,
    step_mm: float = 0.0,
    brain: Image | None = None,
) -> Iterator[Slice]:
    """Cut a volume into axial slices at 1 mm in the plane.

    Parameters
    ----------
    image, cord
        On one grid; the cord as a fraction.
    group
        See :class:`Slice`.
    labelled_only
        Leave out slices without cord: where a person did not draw, there may be cord all the same.
    step_mm
        Least distance between the slices taken; 0 for all.
    brain
        Where there is brain; None: nowhere.
    """
    arrays = []
    for part in (image, cord, image.like(np.zeros(image.shape)) if brain is None else brain):
        canonical = part.reorient(("R", "A", "S"))
        thickness = canonical.space.spacing[2]
        arrays.append(resample_to_spacing(canonical, (SPACING_MM, SPACING_MM, thickness)).data)
    voxels, masks, brains = (array.astype(np.float32) for array in arrays)
    masks, brains = np.clip(masks, 0, 1), np.clip(brains, 0, 1)
    for k in range(0, voxels.shape[2], max(1, round(step_mm / thickness))):
        if labelled_only and not masks[:, :, k].any():
            continue
        yield Slice(voxels[:, :, k], masks[:, :, k], brains[:, :, k], group)
