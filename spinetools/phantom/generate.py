"""Make a phantom: a random subject, imaged, with its ground truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from spinetools.image import Image, Space
from spinetools.phantom.acquisition import (
    Acquisition,
    block_mean,
    centre_parts,
    draw_acquisition,
    fine_space,
    simulate,
)
from spinetools.phantom.anatomy import check_seed, make_subject
from spinetools.phantom.contrast import draw_table, to_hounsfield
from spinetools.phantom.labels import paint_labels
from spinetools.phantom.lattice import FloatArray
from spinetools.phantom.protocols import (
    DEFAULT_PROTOCOL,
    Protocol,
    get_protocol,
    place_grid,
    seen_through,
)
from spinetools.phantom.subject import Subject
from spinetools.phantom.truth import (
    SliceTruth,
    centerline,
    cord_levels,
    disc_points,
    slice_truth,
)


@dataclass(frozen=True, eq=False)
class Phantom:
    """An image and its exact ground truth, all on one grid.

    Attributes
    ----------
    image
        Float32.
    cord_soft, canal_soft
        Share of each voxel that is cord, or dural sac with all it holds.
    structures
        uint8, ids of the label table's column ``totalspineseg``.
    seen
        uint8, 0 where the image was padded with zeros: there is no truth there either.
    subject
        Whom it shows.
    contrast, style
        What was simulated.
    """

    image: Image
    cord_soft: Image
    canal_soft: Image
    structures: Image
    seen: Image
    subject: Subject
    contrast: str
    style: str

    @property
    def space(self) -> Space:
        """The grid."""
        return self.image.space

    @cached_property
    def cord(self) -> Image:
        """Voxels that are at least half cord (uint8)."""
        return self.image.like((self.cord_soft.data >= 0.5).astype(np.uint8))

    @cached_property
    def canal(self) -> Image:
        """Voxels that are at least half dural sac, cord included (uint8)."""
        return self.image.like((self.canal_soft.data >= 0.5).astype(np.uint8))

    @cached_property
    def levels(self) -> Image:
        """The cord with SCT's level values (C1 is 1)."""
        return self.image.like(cord_levels(self.subject, self.space, self.cord.data > 0))

    @cached_property
    def discs(self) -> Image:
        """One voxel at the posterior edge of each disc, with SCT's disc value (C2–C3 is 3)."""
        return self.image.like(disc_points(self.subject, self.space) * self.seen.data)

    @cached_property
    def centerline(self) -> FloatArray:
        """Points (N, 3) on the cord's line inside the grid in world mm, top first."""
        points = centerline(self.subject, self.space)[:, :3]
        at = np.rint(self.space.to_voxel(points)).astype(int)
        seen: FloatArray = points[self.seen.data[tuple(at.T)] > 0]
        return seen

    def centerline_csv(self) -> str:
        """Return the centreline as text, x,y,z in world mm a row, from the lowest point."""
        rows = self.centerline[::-1]
        return "".join(f"{x:.4f},{y:.4f},{z:.4f}\n" for x, y, z in rows)

    @cached_property
    def truth(self) -> SliceTruth:
        """Exact area, diameters, angle and level of the cord, slice by slice."""
        return slice_truth(self.subject, self.space, self.seen.data)


def make_phantom(
    seed: int = 0,
    contrast: str | None = None,
    protocol: str | Protocol | None = None,
    field_of_view: str | None = None,
    nib_codes: Sequence[str] = ("R", "A", "S"),
    space: Space | None = None,
    acquisition: Acquisition | None = None,
    subject: Subject | None = None,
) -> Phantom:
    """Make a phantom; the same arguments give the same voxels.

    Parameters
    ----------
    seed
        Seed of the subject, of its position and of the image; not negative.
    contrast
        A name of :data:`CONTRASTS`; None for the protocol's. The image is in arbitrary units, in
        Hounsfield units for ``ct``.
    protocol
        A name of :data:`~spinetools.phantom.protocols.PROTOCOLS` or a protocol of one's own; None
        for the contrast's usual one.
    field_of_view
        A name of :data:`~spinetools.phantom.protocols.FIELDS_OF_VIEW` instead of the protocol's.
    nib_codes
        Orientation of the array, nibabel's letters.
    space
        A grid of one's own in the subject's world (its origin is the cord at the top of C1);
        protocol, field of view and orientation are then not used.
    acquisition
        None draws one.
    subject
        Whom to scan; None makes the subject of ``seed``.

    Raises
    ------
    InputError
        When a name is unknown, the seed is negative or a voxel size makes no grid.
    """
    if not isinstance(protocol, Protocol):
        name = protocol or DEFAULT_PROTOCOL.get(contrast or "t2", "t2_3d")
        protocol = get_protocol(name)
    if field_of_view is not None:
        protocol = seen_through(protocol, field_of_view)
    contrast = protocol.contrast if contrast is None else contrast
    subject = make_subject(seed) if subject is None else subject
    rng = np.random.default_rng([check_seed(seed), 2])
    taken = draw_acquisition(contrast, rng) if acquisition is None else acquisition
    style = protocol.style if contrast == protocol.contrast and space is None else None
    table = draw_table(contrast, rng, taken.style or style, taken.fat_suppressed)
    target = place_grid(subject, protocol, rng, nib_codes) if space is None else space
    # formed in one layout and turned afterwards: all orientations show the same voxels
    formed = target.reoriented(("R", "A", "S"))
    margin = _margin(formed, taken.wrap_mm, rng)
    fine, factors = fine_space(_widened(formed, margin))
    labels = paint_labels(subject, fine)
    image = simulate(labels, table, taken, rng, factors, margin)
    if contrast == "ct":
        image = to_hounsfield(image)
    else:
        image *= np.float32(rng.uniform(150, 600))
    seen = _seen(formed, taken.padding, rng)
    image *= seen
    box = tuple(slice(m, m + n) for m, n in zip(margin, formed.shape, strict=True))

    def on_target(array: npt.NDArray[Any]) -> Image:
        return Image(array, formed).reorient(target.nib_codes)

    return Phantom(
        image=on_target(image),
        cord_soft=on_target(block_mean(labels.cord, factors)[box] * seen),
        canal_soft=on_target(block_mean(labels.sac, factors)[box] * seen),
        structures=on_target(centre_parts(labels.structure, factors)[box] * seen),
        seen=on_target(seen),
        subject=subject,
        contrast=contrast,
        style=table.style,
    )


def _margin(space: Space, wrap_mm: float, rng: np.random.Generator) -> tuple[int, int, int]:
    """Voxels beyond the field of view at both ends of one in-plane axis, never up and down."""
    axes = np.argsort(space.spacing, kind="stable")[:2]
    axes = axes[axes < 2]  # the layout's last axis runs up
    axis = int(axes[rng.integers(len(axes))])
    most = space.shape[axis] // 3
    margin = [0, 0, 0]
    margin[axis] = min(round(wrap_mm / space.spacing[axis]), most)
    return margin[0], margin[1], margin[2]


def _widened(space: Space, margin: tuple[int, int, int]) -> Space:
    if not any(margin):
        return space
    affine = space.affine.copy()
    affine[:3, 3] -= affine[:3, :3] @ np.array(margin, dtype=float)
    shape = tuple(n + 2 * m for n, m in zip(space.shape, margin, strict=True))
    return Space((shape[0], shape[1], shape[2]), affine)


def _seen(space: Space, padding: float, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Ones, but for zeros at one or both ends of an axis, a share of its length each."""
    seen = np.ones(space.shape, dtype=np.uint8)
    axis, ends = int(rng.integers(3)), int(rng.integers(1, 4))
    width = int(padding * space.shape[axis])
    # half of the borders are bent, as where a gradient's distortion has been corrected
    bend = float(rng.uniform(0, 1.5)) * int(rng.integers(2))
    other = (axis + 1) % 3 if rng.random() < 0.5 else (axis + 2) % 3
    if width:
        places = np.indices(space.shape, sparse=True)[axis]
        across = np.indices(space.shape, sparse=True)[other] / max(space.shape[other] - 1, 1)
        edge = width * (1 + bend * (2 * across - 1) ** 2)
        if ends & 1:
            seen[np.broadcast_to(places < edge, space.shape)] = 0
        if ends & 2:
            seen[np.broadcast_to(space.shape[axis] - 1 - places < edge, space.shape)] = 0
    return seen
