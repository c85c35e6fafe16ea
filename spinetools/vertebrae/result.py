"""What labelling gives: named voxels, named discs, and how sure the names are."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from spinetools.image import Image, Space
from spinetools.vertebrae.anatomy import Anatomy
from spinetools.vertebrae.canal import Line
from spinetools.vertebrae.discs import DiscSeen
from spinetools.vertebrae.finish import on_grid, soft_on_grid
from spinetools.vertebrae.naming import Candidate, Numbering

FloatArray = npt.NDArray[np.float64]
F32 = npt.NDArray[np.float32]
Labels = npt.NDArray[np.uint8]

#: Working numbers: vertebrae from 1 (C1) with the sacrum last, discs from here, cord and canal.
FIRST_DISC, CORD, CANAL, ANY_VERTEBRA, ANY_DISC = 60, 100, 101, 102, 103
ATLAS, AXIS = 1, 2

#: Below this confidence the numbering is said to be uncertain.
UNSURE = 0.8


@dataclass(frozen=True, eq=False)
class NamedDisc:
    """A disc with its name. Places are world mm.

    Attributes
    ----------
    name
        As in the label table.
    centre, back, normal
        Middle, middle of the posterior edge, and the unit vector upwards on its plane.
    canal
        The point of the canal's line that is nearest.
    depth, width, height
        mm; NaN where the image cuts the disc off.
    """

    name: str
    centre: FloatArray
    back: FloatArray
    normal: FloatArray
    canal: FloatArray
    depth: float
    width: float
    height: float


@dataclass(frozen=True, eq=False)
class SpineLabels:
    """A labelled image.

    Attributes
    ----------
    image
        What was labelled, on its own grid.
    working
        The image on the working grid.
    numbers
        Working numbers on the working grid (uint8); see :attr:`names`.
    names
        Structure's name, as in the label table, by working number.
    discs
        Those that were seen, from the top.
    numbering
        How the discs were named.
    cord, canal
        Probability of the cord, and of canal and cord, on the working grid.
    line
        The canal's line, mm from the working grid's first voxel.
    steps
        The networks' own classes on the working grid by name of the step, where kept.
    models
        Names of the networks that were run.
    """

    image: Image
    working: Image
    numbers: Labels
    names: dict[int, str]
    discs: tuple[NamedDisc, ...]
    numbering: Numbering
    cord: F32
    canal: F32
    line: Line
    steps: dict[str, Image] = field(default_factory=dict)
    models: tuple[str, ...] = ()

    @property
    def space(self) -> Space:
        """The working grid."""
        return self.working.space

    @property
    def confidence(self) -> float:
        """Probability that every name is right."""
        return self.numbering.chosen.probability

    @property
    def sure(self) -> bool:
        """Whether the confidence is good enough to go on without a look."""
        return self.confidence >= UNSURE

    @property
    def variant(self) -> str:
        """What is unusual about the count or the kinds of vertebrae; empty where nothing is."""
        return self.numbering.chosen.variant or self.numbering.transition

    @cached_property
    def on_input(self) -> Image:
        """Working numbers on the input's grid (uint8)."""
        return on_grid(self.numbers, self.space, self.image)

    def labels(self, iso: bool = False) -> Image:
        """Return working numbers on the input's grid, or on the working grid."""
        return self.working.like(self.numbers) if iso else self.on_input

    def soft(self, which: str, iso: bool = False) -> Image:
        """Return the probability of ``cord`` or ``canal`` (with the cord), float32."""
        share = self.cord if which == "cord" else self.canal
        if iso:
            return self.working.like(share)
        return soft_on_grid(share, self.space, self.image)

    def summary(self) -> dict[str, Any]:
        """Return what a sidecar says about the numbering."""
        return {
            "Confidence": round(self.confidence, 4),
            "NumberingCertain": self.sure,
            "Variant": self.variant or "none",
            "VariantProbability": {
                name: round(value, 4)
                for name, value in self.numbering.variant_probability.items()
                if value >= 1e-3
            },
            "Numbering": self.numbering.chosen.span,
            "Alternatives": [
                {
                    "Numbering": other.span,
                    "Variant": other.variant or "none",
                    "Probability": round(other.probability, 4),
                }
                for other in self.numbering.alternatives
            ],
            "BodyScale": round(self.numbering.scale, 2),
        }


def named_disc(name: str, disc: DiscSeen, line: Line, space: Space) -> NamedDisc:
    """Name a disc, and bring it from the working grid (``space``) to world mm."""
    steps = np.asarray(space.spacing)
    canal = line.points[line.nearest(disc.back)]
    centre, back, middle = (space.to_world(p / steps) for p in (disc.centre, disc.back, canal))
    normal = (space.affine[:3, :3] / steps) @ disc.normal
    return NamedDisc(name, centre, back, normal, middle, disc.depth, disc.width, disc.height)


def working_names(anatomy: Anatomy) -> dict[int, str]:
    """Return the name of every working number."""
    names = {i + 1: f"vertebrae_{level}" for i, level in enumerate(anatomy.vertebrae)}
    names[len(anatomy.vertebrae) + 1] = "sacrum"
    names |= {FIRST_DISC + j: name for j, name in enumerate(anatomy.disc_names)}
    return names | {CORD: "spinal_cord", CANAL: "spinal_canal"}


def as_candidate(candidate: Candidate) -> str:
    """Write a naming with its probability for a message."""
    extra = f", {candidate.variant}" if candidate.variant else ""
    return f"{candidate.span}{extra} ({candidate.probability:.0%})"
