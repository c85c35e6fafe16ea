"""Axial training slices of the digital spine, in every contrast and along the whole spine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from spinetools.image import Image, Space
from spinetools.phantom import (
    Protocol,
    Subject,
    draw_acquisition,
    draw_table,
    fine_space,
    make_subject,
    paint_labels,
    place_grid,
    simulate,
)
from spinetools.phantom.acquisition import block_mean, centre_parts
from spinetools.phantom.tissues import Tissue
from spinetools.training.slices import Slice, volume_slices

_BRAIN = (Tissue.BRAIN_WHITE, Tissue.BRAIN_GREY, Tissue.BRAINSTEM)
#: Neighbouring slices of one volume teach little new: thin slices are painted this far apart.
STEP_MM = 9.0
#: Images of one painting.
IMAGES_A_PAINTING = 2


@dataclass(frozen=True)
class Scan:
    """A kind of scan.

    Attributes
    ----------
    contrasts
        Their weights.
    levels
        Uppermost and lowest level seen, as in :class:`~spinetools.phantom.Protocol`.
    width_mm, depth_mm
        Limits of the field of view, right-left and back-front.
    pixel_mm
        Limits of the pixel size.
    sagittal_mm, axial_mm
        Limits of the slices' thickness, right-left and up-down; None: not thicker than the pixels.
    forward_mm
        How far in front of the cord the field of view's centre lies.
    """

    contrasts: dict[str, float]
    levels: tuple[float, float]
    width_mm: tuple[float, float]
    depth_mm: tuple[float, float]
    pixel_mm: tuple[float, float] = (0.7, 1.1)
    sagittal_mm: tuple[float, float] | None = None
    axial_mm: tuple[float, float] | None = None
    forward_mm: float = 10.0


_MIXED = {"t2": 3.0, "t1": 3.0, "t2s": 1.0, "random": 3.0}
SCANS = (
    Scan(_MIXED, (-5.0, 6.0), (48, 170), (180, 260)),
    Scan(_MIXED, (-1.2, 11.0), (48, 90), (180, 300)),
    Scan({"t1": 3, "t2": 1, "random": 1}, (-3.0, 8.0), (120, 190), (180, 240)),
    Scan(_MIXED, (-1.5, 10.5), (45, 70), (180, 240), sagittal_mm=(2.0, 4.0)),
    Scan(_MIXED, (6.5, 19.5), (48, 120), (180, 300)),
    Scan(_MIXED, (15.5, 27.0), (44, 120), (180, 260), forward_mm=20),
    Scan(_MIXED, (15.5, 27.0), (44, 80), (180, 260), sagittal_mm=(3.0, 4.5), forward_mm=20),
    Scan(
        {"t2s": 3, "mt": 3, "t2": 2, "random": 3}, (0.5, 7.0), (100, 220), (100, 220),
        axial_mm=(2.5, 7.5),
    ),
    Scan(
        {"t2s": 1, "mt": 1, "t2": 2, "t1": 1, "random": 2}, (6.0, 20.0), (100, 200), (100, 200),
        axial_mm=(3.0, 7.5), forward_mm=0,
    ),
    Scan({"dwi": 3, "random": 1}, (0.5, 9.0), (60, 140), (60, 140), (0.8, 1.3),
         axial_mm=(4.0, 17.5), forward_mm=0),
)  # fmt: skip


def phantom_slices(n_subjects: int, seed: int, scans: tuple[Scan, ...] = SCANS) -> Iterator[Slice]:
    """Image ``n_subjects`` random subjects, each with every kind of scan, and cut slices.

    Parameters
    ----------
    n_subjects
        How many subjects.
    seed
        The n-th subject and its scans depend on ``seed`` and n only.
    scans
        Kinds of scan.
    """
    for number in range(n_subjects):
        rng = np.random.default_rng([seed, number])
        subject = make_subject(int(rng.integers(2**31)))
        for scan in scans:
            yield from _scan_slices(subject, scan, rng)


def _scan_slices(subject: Subject, scan: Scan, rng: np.random.Generator) -> Iterator[Slice]:
    pixel = float(rng.uniform(*scan.pixel_mm))
    across = float(rng.uniform(*scan.sagittal_mm)) if scan.sagittal_mm else pixel
    along = float(rng.uniform(*scan.axial_mm)) if scan.axial_mm else STEP_MM
    width, depth = (float(rng.uniform(*limits)) for limits in (scan.width_mm, scan.depth_mm))
    protocol = Protocol(
        "random", (across, pixel, along), (width, depth, 0.0), scan.levels, scan.forward_mm
    )
    space = place_grid(subject, protocol, rng)
    thin = scan.axial_mm is None
    fine, factors = fine_space(space)
    if thin:  # slices far apart, but thin: only the part in the middle of each is seen
        middle = factors[2] // 2
        sliced = np.diag([1.0, 1.0, float(factors[2]), 1.0])
        sliced[2, 3] = middle
        fine = Space((fine.shape[0], fine.shape[1], space.shape[2]), fine.affine @ sliced)
        factors = (factors[0], factors[1], 1)
    labels = paint_labels(subject, fine)
    cord = Image(block_mean(labels.cord, factors), space)
    brain_part = centre_parts(np.isin(labels.hard, _BRAIN).astype(np.uint8), factors)
    # with the folds between: a slice is asked whether it holds brain, not where its grey matter is
    closed = ndimage.binary_closing(brain_part, np.ones((5, 5, 1)))
    brain = Image(closed.astype(np.float32), space)
    weights = np.array(list(scan.contrasts.values()))
    for _ in range(IMAGES_A_PAINTING):
        contrast = str(rng.choice(list(scan.contrasts), p=weights / weights.sum()))
        taken = draw_acquisition(contrast, rng)
        if thin:
            taken = replace(taken, blur=(taken.blur[0], taken.blur[1], 0.0), gap=0.0)
        table = draw_table(contrast, rng, taken.style, taken.fat_suppressed)
        image = Image(simulate(labels, table, taken, rng, factors), space)
        yield from volume_slices(image, cord, f"phantom {contrast}", False, brain=brain)
