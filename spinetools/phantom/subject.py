"""What a subject is: bones, discs, cord and habitus as numbers along a curve."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from spinetools.labels import LEVELS
from spinetools.phantom.curve import STEP_MM, Curve
from spinetools.phantom.lattice import FloatArray
from spinetools.phantom.numbers import LEVEL_NUMBERS
from spinetools.phantom.pathology import SOUND, Lesions

N_LEVELS = len(LEVEL_NUMBERS)

#: Gaps between dural sac and bony canal in front (ligament, veins) and at the sides, mm; behind
#: lies ``gap_back``. Typical MRI values.
GAP_FRONT_MM, GAP_SIDE_MM = 1.4, 1.8


@dataclass(frozen=True)
class Vertebra:
    """One vertebra, C1 to L5 (L4, L6, with T13 in variants) or S1 to S5.

    Attributes
    ----------
    name
        E.g. ``C4``, ``S1``.
    origin, axes
        World mm of the body's centre; rows are the local right, front and up.
    width, depth
        Endplate width and depth, mm.
    height
        Of the body between its endplates' centres, mm.
    span
        From the disc above to the disc below, mm.
    tilt_top, tilt_bottom
        Slopes of the endplates in the sagittal plane (rise per mm towards the front).
    canal
        Local y of the canal's centre (negative: it lies behind), mm.
    canal_ap, canal_rl
        Bony canal, mm.
    pedicle, spinous
        Pedicle width and free length of the spinous process, mm.
    slant
        Descent of the spinous process, radians below the horizontal.
    wings
        Whether its transverse processes are wide and join the sacrum.
    lesions
        What is not sound about its body.
    """

    name: str
    origin: FloatArray
    axes: FloatArray
    width: float
    depth: float
    height: float
    span: float
    tilt_top: float
    tilt_bottom: float
    canal: float
    canal_ap: float
    canal_rl: float
    pedicle: float
    spinous: float
    slant: float
    wings: bool = False
    lesions: Lesions = SOUND


@dataclass(frozen=True)
class Disc:
    """An intervertebral disc.

    Attributes
    ----------
    name
        ``C2-C3``.
    s
        Where it lies along the cord, mm.
    origin, axes
        World mm of its centre; rows are the local right, front and up.
    width, depth, height
        Of the disc, mm.
    bulge
        How far it reaches into the canal behind, mm.
    degeneration
        0 bright and healthy … 1 dark.
    fill, slope
        How far it fills hollows of the endplates above and below, mm; and wedges towards the
        front, mm a mm.
    fused
        Whether the vertebrae have grown together round it.
    """

    name: str
    s: float
    origin: FloatArray
    axes: FloatArray
    width: float
    depth: float
    height: float
    bulge: float
    degeneration: float
    fill: tuple[float, float] = (0.0, 0.0)
    slope: tuple[float, float] = (0.0, 0.0)
    fused: bool = False


@dataclass(frozen=True, eq=False)
class Implant:
    """A rod of metal from ``start`` to ``end`` (world mm), ``radius`` mm thick."""

    start: FloatArray
    end: FloatArray
    radius: float


@dataclass(frozen=True)
class Habitus:
    """What surrounds the spine, mm."""

    scale: float
    fat: float  # thickness of subcutaneous fat at the back
    muscle_seed: int
    neck: float  # relative thickness of neck and trunk
    cortex: float = 1.0  # relative thickness of cortical bone
    jaw: float = 0.0  # how much lower than usual the chin is, in levels
    arms: bool = False  # whether they lie beside the trunk


@dataclass(frozen=True, eq=False)
class Subject:
    """A random adult, in a world whose origin is the cord at the top of C1.

    Everything tabulated along the cord is in ``profiles``, one value for each sample of
    ``curve.s``: ``cord_ap`` and ``cord_rl`` (diameters), ``sac_ap``, ``sac_rl`` and ``sac_v``
    (middle of the dural sac before the cord's), ``canal_ap``, ``canal_rl`` and ``canal_v`` (bony
    canal), all in mm; ``sac_skew`` (how much wider sac and canal are in front); ``level`` (0 at
    the top of C1, 1 at the disc below it, 7 at the top of T1, 19 of L1, 24 of the sacrum; whole at
    the discs of a normal column, see :class:`~spinetools.phantom.variants.Column`). ``variant``
    says which column it has; ``remnants`` are discs inside the sacrum, ``findings``
    says in words what is not sound.
    """

    seed: int
    curve: Curve
    boundaries: FloatArray
    profiles: dict[str, FloatArray]
    conus_s: float
    sac_end_s: float
    vertebrae: tuple[Vertebra, ...]
    discs: tuple[Disc, ...]
    habitus: Habitus
    roots: FloatArray = field(repr=False)
    variant: str = "normal"
    remnants: tuple[Disc, ...] = ()
    implants: tuple[Implant, ...] = ()
    findings: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the vertebrae above the sacrum, C1 first."""
        return tuple(v.name for v in self.vertebrae if v.name[0] != "S")

    @property
    def cord_range(self) -> tuple[float, float]:
        """``s`` where the cord begins (foramen magnum) and where the conus ends, mm."""
        return 0.0, self.conus_s

    def profile(self, name: str, s: npt.ArrayLike) -> FloatArray:
        """Interpolate one profile at ``s`` (mm); constant beyond the curve's ends."""
        table = self.profiles[name]
        place = (np.asarray(s, dtype=float) - self.curve.start_mm) / STEP_MM
        place = np.clip(place, 0, len(table) - 1)
        index = np.minimum(place.astype(np.intp), len(table) - 2)
        fraction = place - index
        result: FloatArray = table[index] * (1 - fraction) + table[index + 1] * fraction
        return result

    def cord_csa(self, s: npt.ArrayLike) -> FloatArray:
        """Exact area of the cord in mm², perpendicular to it, at ``s``; 0 where there is none."""
        area: FloatArray = np.pi / 4 * self.profile("cord_ap", s) * self.profile("cord_rl", s)
        return area

    def level_index(self, s: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """SCT's level value at ``s``: 1 for C1 … 24 for L5, 0 outside, and at T13 and L6."""
        values = [LEVELS.index(name) + 1 if name in LEVELS else 0 for name in self.names]
        table = np.array([0, *values, 0], dtype=np.int64)
        result: npt.NDArray[np.int64] = table[self._number(s)]
        return result

    def level_names(self, s: npt.ArrayLike) -> list[str]:
        """Names of the vertebrae at ``s`` (N,), ``n/a`` outside."""
        names = ("n/a", *self.names, "n/a")
        return [names[number] for number in self._number(s)]

    def _number(self, s: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Count the vertebra at ``s`` from C1 as 1: 0 above, one more than there are below."""
        found = np.searchsorted(self.boundaries, np.asarray(s, dtype=float), side="right")
        return np.asarray(found, dtype=np.int64)
