"""Training windows about the cord, in shards on disk: real images and the digital spine."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from spinetools.files import atomic_path
from spinetools.image import Image, Space, load_mask, load_volume, resample_to_spacing
from spinetools.phantom import Subject, draw_acquisition, draw_table, make_subject, paint_labels
from spinetools.phantom.acquisition import block_mean, fine_space, simulate
from spinetools.phantom.tissues import Tissue
from spinetools.training.slices import REAL_CORDS, check_use, labelled_discs

logger = logging.getLogger(__name__)

#: In-plane pixels and extent of a window: a patch of 32 mm fits into it turned and shifted.
PIXEL_MM, WINDOW_MM = 0.5, 52.0
#: Real volumes are cut into windows of this length.
LENGTH_MM = 64.0
#: Images of one painting: painting takes longer than imaging.
IMAGES_A_PAINTING = 3
SHARD = 60
#: Value of the point at T2's centre, and how far below it T3 ends (anatomy.md: pitch 23 mm).
T2_POINT, T3_BELOW_T2_MM = 9, 34.0

Float32Array = npt.NDArray[np.float32]
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Window:
    """A stack of axial slices about the cord.

    Attributes
    ----------
    image
        (X, Y, Z) float32, axes R, A, S, pixels of ``PIXEL_MM`` in the plane.
    cord
        Same shape, 0 to 1: share of each voxel that is cord.
    thickness_mm
        Distance of the slices.
    centres
        (Z, 2): the cord's middle, or where it would be, in pixels.
    group
        What it comes from: a real volume, or ``phantom`` and the contrast.
    """

    image: Float32Array
    cord: Float32Array
    thickness_mm: float
    centres: FloatArray
    group: str


#: Kinds of scan: (share, contrasts and their weights, right-left, back-front and up-down spacing
#: in mm as (low, high); None: as the axis before), after anatomy.md's acquisition ranges.
_Range = tuple[float, float] | None
SCANS: tuple[tuple[float, dict[str, float], tuple[_Range, _Range, _Range]], ...] = (
    (
        0.35,
        {"t2": 3, "t1": 3, "t2s": 1, "stir": 1, "pd": 1, "relax": 1, "random": 3},
        ((0.7, 1.2), None, None),
    ),
    (0.15, {"t2": 3, "t1": 2, "stir": 1, "random": 2}, ((2.0, 4.0), (0.5, 0.9), None)),
    (
        0.35,
        {"t2s": 4, "mt": 4, "t2": 2, "t1": 1, "pd": 1, "random": 3},
        ((0.35, 0.95), None, (2.0, 7.5)),
    ),
    (0.15, {"dwi": 4, "random": 1}, ((0.75, 1.4), None, (4.0, 17.5))),
)
#: Contrasts in which CSF may come nearer to the cord than their tables say, and how often.
WEAKENED, WEAK_SHARE = ("t2s", "mt", "t1"), 0.35
#: Above the top of C1 and below the conus windows reach this far, mm.
BEYOND_MM = (12.0, 30.0)


def phantom_windows(n_paintings: int, seed: int) -> Iterator[Window]:
    """Image random windows along the cord of random subjects.

    Parameters
    ----------
    n_paintings
        How many windows are painted, each of another subject; each is imaged three times.
    seed
        The n-th painting depends on ``seed`` and n only.
    """
    for number in range(n_paintings):
        rng = np.random.default_rng([seed, number])
        subject = make_subject(
            int(rng.integers(2**31)),
            cord_scale=float(np.exp(rng.uniform(-0.15, 0.35))),
            canal_scale=float(np.exp(rng.uniform(-0.1, 0.15))),
        )
        shares = np.array([scan[0] for scan in SCANS])
        _, contrasts, ranges = SCANS[rng.choice(len(SCANS), p=shares / shares.sum())]
        spacing: list[float] = []
        for limits in ranges:
            spacing.append(float(rng.uniform(*limits)) if limits else spacing[-1])
        space = _window_space(subject, spacing, rng)
        fine, factors = fine_space(space)
        labels = paint_labels(subject, fine)
        cord = space_image(space, block_mean(labels.cord, factors))
        weights = np.array(list(contrasts.values()))
        for _ in range(IMAGES_A_PAINTING):
            contrast = str(rng.choice(list(contrasts), p=weights / weights.sum()))
            taken = draw_acquisition(contrast, rng)
            if min(spacing) < 0.6 and taken.snr > 12:  # small voxels are noisy
                taken = replace(taken, snr=taken.snr * float(rng.uniform(0.5, 1.0)))
            table = draw_table(contrast, rng, taken.style, taken.fat_suppressed)
            if contrast in WEAKENED and rng.random() < WEAK_SHARE:
                # at some sites CSF hardly differs from the cord
                csf = 1 + (table.mean[Tissue.CSF] - 1) * np.float32(rng.uniform(0.3, 1.0))
                table.mean[Tissue.CSF] = csf
            image = space_image(space, simulate(labels, table, taken, rng, factors))
            where = _line_pixels(subject, space)
            yield from _stack(image, cord, where, f"phantom {contrast}")


def space_image(space: Space, array: Float32Array) -> Image:
    """Put an array on a grid."""
    return Image(np.asarray(array, dtype=np.float32), space)


def _window_space(subject: Subject, spacing: list[float], rng: np.random.Generator) -> Space:
    s = rng.uniform(-BEYOND_MM[0], subject.conus_s + BEYOND_MM[1])
    centre = subject.curve.at(s) + rng.uniform(-1, 1, 3) * np.array([2, 2, 0])
    _, up, _, _ = subject.curve.frame(s)
    tilt = np.deg2rad(rng.normal(0, 4))
    if spacing[2] > 1.9:  # the operator turns thick axial slices across the cord
        tilt += np.arctan2(up[1], up[2]) * rng.uniform(0.3, 1.0)
    cosine, sine = np.cos(tilt), np.sin(tilt)
    turn = np.array([[1, 0, 0], [0, cosine, sine], [0, -sine, cosine]])
    n_slices = max(4, round(LENGTH_MM / spacing[2]))
    shape = (round(WINDOW_MM / spacing[0]), round(WINDOW_MM / spacing[1]), n_slices)
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag(spacing)
    affine[:3, 3] = centre - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return Space(shape, affine)


def _line_pixels(subject: Subject, space: Space) -> FloatArray:
    """Where the cord's line, going on beyond the cord, crosses each slice: voxels (Z, 2)."""
    voxels = space.to_voxel(subject.curve.points)
    order = np.argsort(voxels[:, 2])
    z = np.arange(space.shape[2])
    return np.stack([np.interp(z, voxels[order, 2], voxels[order, a]) for a in (0, 1)], axis=1)


def real_windows(folder: Path) -> Iterator[Window]:
    """Cut the real training images with a manual cord into windows; unlabelled slices are left out.

    Raises
    ------
    InputError
        When the manifest does not mark one of them ``train``.
    """
    check_use(folder, REAL_CORDS)
    for name in REAL_CORDS:
        image = load_volume(folder / f"{name}.nii.gz").reorient(("R", "A", "S"))
        mask = load_mask(folder / f"{name}_seg.nii.gz").reorient(("R", "A", "S"))
        cord = mask.like((mask.data > 0).astype(np.float32))
        filled = np.flatnonzero(cord.data.any(axis=(0, 1)))
        filled = filled[filled >= _lowest_trusted(folder, name, image)]
        where = np.array([np.argwhere(cord.data[:, :, k] > 0).mean(axis=0) for k in filled])
        first, last = int(filled[0]), int(filled[-1]) + 1
        line = np.stack([np.interp(np.arange(first, last), filled, w) for w in where.T], axis=1)
        box = ((0, 0, first), (*image.shape[:2], last))
        yield from _stack(image.crop(*box), cord.crop(*box), line, name)


def _lowest_trusted(folder: Path, name: str, image: Image) -> int:
    """Lowest slice whose manual cord is trusted: the data's README says to about T3."""
    path = folder / f"{name}_points.nii.gz"
    if not path.exists():
        return 0
    points = load_mask(path).reorient(("R", "A", "S"))
    t2 = int(np.argwhere(points.data == T2_POINT)[0, 2])
    return max(0, t2 - round(T3_BELOW_T2_MM / image.space.spacing[2]))


def cauda_windows(folder: Path) -> Iterator[Window]:
    """Cut windows of cauda equina, surely without cord, out of SPIDER's volumes marked ``train``.

    (van der Graaf JW et al., Scientific Data 11 (2024) 264, CC BY 4.0.)
    """
    for image, canal in labelled_discs(folder):
        nothing = image.like(np.zeros(image.shape, dtype=np.float32))
        filled = np.flatnonzero(canal.data.any(axis=(0, 1)))
        if len(filled) < 2:
            continue
        where = np.array([np.argwhere(canal.data[:, :, k]).mean(axis=0) for k in filled])
        first, last = int(filled[0]), int(filled[-1]) + 1
        line = np.stack([np.interp(np.arange(first, last), filled, w) for w in where.T], axis=1)
        box = ((0, 0, first), (*image.shape[:2], last))
        yield from _stack(image.crop(*box), nothing.crop(*box), line, "spider cauda")


def _stack(image: Image, cord: Image, where: FloatArray, group: str) -> Iterator[Window]:
    """Resample to pixels of ``PIXEL_MM`` and cut into windows that follow the cord."""
    thickness = image.space.spacing[2]
    spacing = (PIXEL_MM, PIXEL_MM, thickness)
    zoom = np.asarray(image.space.spacing[:2]) / PIXEL_MM
    length = max(1, round(LENGTH_MM / thickness))
    pixels = round(WINDOW_MM / PIXEL_MM)
    for first in range(0, image.shape[2], length):
        last = min(first + length, image.shape[2])
        if last - first < 3 and first > 0:
            continue
        reach = int(np.ceil(WINDOW_MM / 2 / min(image.space.spacing[:2]))) + 3
        middle = where[first:last].mean(axis=0)
        low = np.clip(np.floor(middle - reach).astype(int), 0, image.shape[:2])
        high = np.clip(np.ceil(middle + reach).astype(int) + 1, 0, image.shape[:2])
        box = ((int(low[0]), int(low[1]), first), (int(high[0]), int(high[1]), last))
        voxels = resample_to_spacing(image.crop(*box), spacing).data
        masks = np.clip(resample_to_spacing(cord.crop(*box), spacing).data, 0, 1)
        centres = (where[first:last] - low + 0.5) * zoom - 0.5
        cut = [
            np.clip(round(float(c)) - pixels // 2, 0, max(n - pixels, 0))
            for c, n in zip(centres.mean(axis=0), voxels.shape[:2], strict=True)
        ]
        parts = tuple(slice(int(c), int(c) + pixels) for c in cut)
        yield Window(
            voxels[parts].astype(np.float32),
            masks[parts].astype(np.float32),
            float(thickness),
            centres - np.array(cut),
            group,
        )


def write_shards(windows: Iterable[Window], folder: Path, name: str, commit: str) -> int:
    """Write windows to ``folder/name_0000.npz`` …; returns how many windows there were."""
    folder.mkdir(parents=True, exist_ok=True)
    held: list[Window] = []
    total = number = 0

    def flush() -> None:
        nonlocal number
        content: dict[str, Any] = {
            "groups": np.array([w.group for w in held]),
            "thickness": np.array([w.thickness_mm for w in held]),
            "commit": np.array(commit),
        }
        for n, window in enumerate(held):
            top = max(float(window.image.max()), 1e-6)
            content[f"i{n}"] = (window.image / top * 1000).astype(np.float16)
            content[f"c{n}"] = np.round(window.cord * 255).astype(np.uint8)
            content[f"w{n}"] = window.centres.astype(np.float32)
        with atomic_path(folder / f"{name}_{number:04d}.npz") as temporary:
            np.savez(temporary, **content)
        number += 1
        held.clear()

    for window in windows:
        held.append(window)
        total += 1
        if len(held) == SHARD:
            flush()
    if held:
        flush()
    logger.info("%d windows of %s in %s", total, name, folder)
    return total


def read_shards(folder: Path) -> tuple[dict[str, list[Window]], list[str]]:
    """Read all windows of a folder by group, and the commits they were made at."""
    groups: dict[str, list[Window]] = {}
    commits: list[str] = []
    for path in sorted(folder.glob("*.npz")):
        with np.load(path) as content:
            commits.append(str(content["commit"]))
            for n, group in enumerate(content["groups"]):
                window = Window(
                    content[f"i{n}"],
                    content[f"c{n}"],
                    float(content["thickness"][n]),
                    content[f"w{n}"].astype(np.float64),
                    str(group),
                )
                groups.setdefault(str(group), []).append(window)
    return groups, sorted(set(commits))
