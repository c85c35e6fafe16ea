"""Simulated images of every contrast and style: one painting of a subject, imaged many times.

Painting a spine takes far longer than imaging it. Grids, fields of view and contrasts are crossed
on purpose, so that nothing can tell a contrast by its usual slice thickness.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from spinetools.image import Image, Space
from spinetools.phantom import (
    LabelVolume,
    draw_acquisition,
    draw_table,
    make_subject,
    paint_labels,
    simulate,
)
from spinetools.phantom.acquisition import coarse_space
from spinetools.phantom.contrast import to_hounsfield

#: Contrast and style of each image of a subject.
KINDS = (
    ("t1", "gradient"), ("t1", "spin"), ("t2", "volume"), ("t2", "turbo"), ("t2s", ""),
    ("mt", "on"), ("mt", "off"), ("dwi", ""), ("pd", ""), ("stir", ""), ("dixon", "water"),
    ("dixon", "fat"), ("dixon", "in"), ("dixon", "opposed"), ("ct", ""),
)  # fmt: skip
#: Painted voxel, mm; and how many of them make one of the image: 3D, sagittal, axial slices.
PAINTED_MM = 1.2
GRIDS = ((1, 1, 1), (1, 1, 1), (3, 1, 1), (1, 1, 3), (1, 1, 6))
#: Level at the middle of the field of view (0 top of C1), and its sizes, mm.
LEVELS, WIDTH_MM, DEPTH_MM, LENGTH_MM = (0.5, 23.0), (45, 130), (110, 190), (90, 190)


@dataclass(frozen=True)
class Made:
    """An image and what it is."""

    image: Image
    contrast: str
    style: str
    level: float
    seed: int

    @property
    def name(self) -> str:
        """A name for tables."""
        return f"phantom {self.seed} {self.contrast} {self.style}".strip()


def images_of(seed: int) -> Iterator[Made]:
    """Image one subject in every contrast, each on a grid of its own over one field of view."""
    rng = np.random.default_rng([seed, 61])
    subject = make_subject(seed)
    # half of the images are of the neck, where most cord imaging is done
    level = rng.uniform(LEVELS[0], 8.0) if rng.random() < 0.5 else rng.uniform(*LEVELS)
    size = np.array([rng.uniform(*limits) for limits in (WIDTH_MM, DEPTH_MM, LENGTH_MM)])
    centre = subject.curve.at(np.interp(level, subject.profiles["level"], subject.curve.s))
    centre = centre + np.array([rng.normal(0, 4), rng.uniform(-5, 25), 0])
    count = 6 * np.maximum(np.round(size / PAINTED_MM / 6).astype(int), 4)
    affine = np.diag([PAINTED_MM] * 3 + [1.0])
    affine[:3, 3] = centre - PAINTED_MM * (count - 1) / 2
    labels = paint_labels(subject, Space((int(count[0]), int(count[1]), int(count[2])), affine))
    for contrast, style in KINDS:
        yield Made(_imaged(labels, contrast, style, rng), contrast, style, level, seed)


def _imaged(labels: LabelVolume, contrast: str, style: str, rng: np.random.Generator) -> Image:
    factors = GRIDS[int(rng.integers(len(GRIDS)))]
    taken = draw_acquisition(contrast, rng)
    table = draw_table(contrast, rng, style or None, taken.fat_suppressed)
    # voxels smaller than these were averaged: less noise
    taken = replace(taken, snr=taken.snr * float(rng.uniform(1.0, 1.5)))
    array = simulate(labels, table, taken, rng, factors)
    array = to_hounsfield(array) if contrast == "ct" else array * np.float32(rng.uniform(150, 600))
    return Image(np.round(array).astype(np.int16), coarse_space(labels.space, factors))
