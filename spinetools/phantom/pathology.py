"""Findings of the spine's bones and discs: how often, where and how strong they are.

Shares are those of adults who are imaged, chosen so that each finding is met often enough; they are
no epidemiology. Where a finding sits follows common radiological experience.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from spinetools.errors import InputError
from spinetools.phantom.lattice import FloatArray
from spinetools.phantom.tissues import Tissue
from spinetools.phantom.variants import Column

Triple = tuple[float, float, float]

#: Share of subjects with a finding of a kind.
FINDING_SHARES = {
    "fracture": 0.10,
    "node": 0.22,
    "osteophytes": 0.45,
    "collapsed disc": 0.22,
    "haemangioma": 0.11,
    "block": 0.012,
    "slip": 0.06,
    "stenosis": 0.08,
    "hardware": 0.02,
}
PATHOLOGIES = ("none", "auto", "much")

#: ``much`` makes findings this many times as frequent.
_MUCH = 3.0

#: Odds of a level, by anatomical level (19 at the top of L1), for what prefers some regions.
_FRACTURE_ODDS = ((7.0, 0.0), (10.0, 0.3), (13.5, 1.0), (15.5, 0.5), (18.0, 1.6), (19.5, 2.0),
                  (21.0, 0.8), (24.0, 0.3))  # fmt: skip
_NODE_ODDS = ((8.0, 0.1), (13.0, 1.0), (19.0, 1.5), (21.5, 1.0), (24.0, 0.3))
_WEAR_ODDS = ((2.0, 0.2), (4.5, 1.5), (6.5, 1.0), (8.0, 0.2), (17.0, 0.3), (22.0, 1.5), (24.0, 2.0))
_SLIP_ODDS = ((2.0, 0.1), (4.0, 0.5), (7.0, 0.1), (19.0, 0.1), (22.0, 2.0), (24.0, 2.0))


@dataclass(frozen=True)
class Spot:
    """A patch of other marrow in a body: an ellipsoid in the vertebra's frame.

    ``centre`` is in half widths, half depths and half heights of the body, ``radii`` in mm.
    """

    tissue: Tissue
    centre: Triple
    radii: Triple


@dataclass(frozen=True)
class Lesions:
    """What one vertebra has; pairs are (at the upper, at the lower endplate).

    Attributes
    ----------
    dish
        How much deeper the endplates are hollowed, mm.
    wedge
        How much steeper the endplates fall towards the front, mm a mm, about the back edge.
    osteophytes
        How far lips stand out from the endplates' rims, mm.
    nodes
        Schmorl nodes: (x, y) in half widths and depths, +1 upper or −1 lower endplate, radius mm.
    spots
        Marrow changes: Modic changes, oedema, haemangioma.
    """

    dish: tuple[float, float] = (0.0, 0.0)
    wedge: tuple[float, float] = (0.0, 0.0)
    osteophytes: tuple[float, float] = (0.0, 0.0)
    nodes: tuple[tuple[float, float, int, float], ...] = ()
    spots: tuple[Spot, ...] = ()


SOUND = Lesions()


@dataclass(frozen=True, eq=False)
class Pathology:
    """Findings by vertebra above the sacrum, or by the disc below it.

    Attributes
    ----------
    lesions
        One a vertebra.
    kink_deg
        Forward bend at each vertebra.
    body_loss
        Share of each vertebra's height that is lost at the back.
    disc_share
        Height of each disc over what it would be.
    worn, fused
        Whether each disc is dark; whether its vertebrae have grown together.
    slip_mm
        How far each vertebra has slipped forward on the next.
    bulge_mm, ligament_mm, side_share
        Least narrowing of the canal at each disc: from the front, from behind, and the share of
        its width lost.
    narrow
        Whether the canal may be narrow at single discs also without a finding here.
    hardware
        Kind of implant ("screws", "plate"), first vertebra, number of vertebrae; None for none.
    findings
        What there is, in words.
    """

    lesions: list[Lesions]
    kink_deg: FloatArray
    body_loss: FloatArray
    disc_share: FloatArray
    worn: npt.NDArray[np.bool_]
    fused: npt.NDArray[np.bool_]
    slip_mm: FloatArray
    bulge_mm: FloatArray
    ligament_mm: FloatArray
    side_share: FloatArray
    narrow: bool = True
    hardware: list[tuple[str, int, int]] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)


def no_pathology(n: int) -> Pathology:
    """Return the findings of a sound column of ``n`` vertebrae above the sacrum: none."""
    return Pathology(
        lesions=[SOUND] * n,
        kink_deg=np.zeros(n),
        body_loss=np.zeros(n),
        disc_share=np.ones(n),
        worn=np.zeros(n, dtype=bool),
        fused=np.zeros(n, dtype=bool),
        slip_mm=np.zeros(n),
        bulge_mm=np.zeros(n),
        ligament_mm=np.zeros(n),
        side_share=np.zeros(n),
    )


def draw_pathology(seed: int, column: Column, pathology: str = "auto") -> Pathology:
    """Draw the findings of a subject.

    Parameters
    ----------
    seed
        The subject's.
    column
        Its vertebrae.
    pathology
        ``none``, ``auto`` (as often as in imaged adults) or ``much`` (three times as often).

    Raises
    ------
    InputError
        When ``pathology`` is none of these.
    """
    if pathology not in PATHOLOGIES:
        raise InputError(f"unknown pathology {pathology!r}; choose one of {', '.join(PATHOLOGIES)}")
    found = no_pathology(column.n)
    if pathology == "none":
        return replace(found, narrow=False)
    rng = np.random.default_rng([seed, 6])
    more = _MUCH if pathology == "much" else 1.0
    makers: dict[str, Callable[[_Place, Pathology], None]] = {
        "fracture": _fractures,
        "node": _nodes,
        "osteophytes": _osteophytes,
        "collapsed disc": _collapsed_discs,
        "haemangioma": _haemangiomas,
        "block": _block,
        "slip": _slip,
        "stenosis": _stenosis,
        "hardware": _hardware,
    }
    for name, make in makers.items():
        # one stream a kind, so that a change of one leaves the others alone
        own = np.random.default_rng(rng.integers(2**63))
        if own.random() < min(more * FINDING_SHARES[name], 0.9):
            make(_Place(own, column), found)
    return found


@dataclass(frozen=True, eq=False)
class _Place:
    """Random choices of levels in a column."""

    rng: np.random.Generator
    column: Column

    def pick(self, odds: tuple[tuple[float, float], ...], count: int, first: int = 2) -> list[int]:
        """Draw vertebrae by odds; ``first`` is the uppermost that can have the finding."""
        levels, weights = np.array(odds).T
        chance = np.interp(self.column.marks[: self.column.n] + 0.5, levels, weights)
        chance[:first] = 0.0
        count = min(count, int((chance > 0).sum()))
        found = self.rng.choice(self.column.n, count, replace=False, p=chance / chance.sum())
        return sorted(int(i) for i in found)

    def name(self, index: int) -> str:
        return self.column.names[index]

    def disc(self, index: int) -> str:
        """Name of the disc below a vertebra."""
        below = self.name(index + 1) if index + 1 < self.column.n else "S"
        return f"{self.name(index)}-{below}"

    def uniform(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))


def _fractures(place: _Place, found: Pathology) -> None:
    """Wedge, biconcave and crush fractures; a recent one has oedema below its endplate."""
    rng = place.rng
    for i in place.pick(_FRACTURE_ODDS, 1 + int(rng.geometric(0.6)) // 2):
        kind = str(rng.choice(["wedge", "biconcave", "crush"], p=[0.55, 0.3, 0.15]))
        lesion = found.lesions[i]
        if kind == "wedge":
            slope, dent = place.uniform(0.12, 0.28), place.uniform(0.5, 2.0)
            lesion = replace(lesion, wedge=(slope, 0.03), dish=(dent, 0.0))
            found.kink_deg[i] += np.degrees(0.5 * slope)
            found.body_loss[i] = place.uniform(0.0, 0.08)
        elif kind == "biconcave":
            lesion = replace(lesion, dish=(place.uniform(2, 5), place.uniform(1.5, 5)))
            found.body_loss[i] = place.uniform(0.0, 0.08)
        else:
            lesion = replace(lesion, wedge=(0.1, 0.04), dish=(place.uniform(1, 3), 1.0))
            found.kink_deg[i] += 4.0
            found.body_loss[i] = place.uniform(0.2, 0.4)
            found.bulge_mm[i - 1] = max(found.bulge_mm[i - 1], place.uniform(0.5, 3.0))
        if rng.random() < 0.4:
            height = place.uniform(4, 9)
            spot = Spot(Tissue.OEDEMA, (0.0, 0.0, 0.75), (18.0, 15.0, height))
            lesion = replace(lesion, spots=(*lesion.spots, spot))
        found.lesions[i] = lesion
        found.findings.append(f"{kind} fracture {place.name(i)}")


def _nodes(place: _Place, found: Pathology) -> None:
    """Schmorl nodes: disc that has broken through an endplate."""
    for i in place.pick(_NODE_ODDS, int(place.rng.integers(1, 6))):
        side = 1 if place.rng.random() < 0.5 else -1
        where = (place.uniform(-0.45, 0.45), place.uniform(-0.4, 0.35))
        node = (*where, side, place.uniform(2.0, 4.5))
        found.lesions[i] = replace(found.lesions[i], nodes=(*found.lesions[i].nodes, node))
        found.findings.append(f"Schmorl node {place.name(i)}")


def _osteophytes(place: _Place, found: Pathology) -> None:
    """Lips at the endplates on both sides of worn discs."""
    for i in place.pick(_WEAR_ODDS, int(place.rng.integers(1, 7))):
        reach = place.uniform(0.8, 4.5 if place.column.marks[i] >= 7 else 2.5)
        _lips(found, i, reach)
        found.findings.append(f"osteophytes {place.disc(i)}")


def _lips(found: Pathology, i: int, reach: float) -> None:
    """Give both bodies at a disc lips of at least some millimetres."""
    upper = found.lesions[i]
    most = max(upper.osteophytes[1], reach)
    found.lesions[i] = replace(upper, osteophytes=(upper.osteophytes[0], most))
    if i + 1 < len(found.lesions):
        lower = found.lesions[i + 1]
        most = max(lower.osteophytes[0], 0.9 * reach)
        found.lesions[i + 1] = replace(lower, osteophytes=(most, lower.osteophytes[1]))


def _collapsed_discs(place: _Place, found: Pathology) -> None:
    """Thin dark discs that bulge, with lips and, in half, Modic changes beside them."""
    rng = place.rng
    kinds = (Tissue.OEDEMA, Tissue.FATTY_MARROW, Tissue.SCLEROSIS)
    for i in place.pick(_WEAR_ODDS, int(rng.integers(1, 4))):
        found.disc_share[i] = place.uniform(0.25, 0.65)
        found.worn[i] = True
        found.bulge_mm[i] = max(found.bulge_mm[i], place.uniform(0.5, 2.5))
        _lips(found, i, place.uniform(0.5, 3.0))
        found.findings.append(f"collapsed disc {place.disc(i)}")
        if rng.random() < 0.5:
            kind = int(rng.choice(3, p=[0.3, 0.6, 0.1]))
            place_x, place_y = place.uniform(-0.5, 0.5), place.uniform(-0.5, 0.7)
            radii = (place.uniform(10, 26), place.uniform(8, 20), place.uniform(3, 9))
            for index, side in ((i, -1.0), (i + 1, 1.0)):
                if index < place.column.n:
                    spot = Spot(kinds[kind], (place_x, place_y, side), radii)
                    old = found.lesions[index]
                    found.lesions[index] = replace(old, spots=(*old.spots, spot))
            found.findings.append(f"Modic {kind + 1} {place.disc(i)}")


def _haemangiomas(place: _Place, found: Pathology) -> None:
    """Fatty balls in one or two bodies."""
    for i in place.pick(((2.0, 0.3), (24.0, 1.0)), 1 + int(place.rng.random() < 0.3)):
        x, y, z = (place.uniform(-0.6, 0.6) for _ in range(3))
        most = 5.0 if place.column.marks[i] < 7 else 10.0
        r = place.uniform(2.5, most)
        radii = (r * place.uniform(0.8, 1.2), r, r * place.uniform(0.8, 1.2))
        spot = Spot(Tissue.FATTY_MARROW, (x, y, z), radii)
        old = found.lesions[i]
        found.lesions[i] = replace(old, spots=(*old.spots, spot))
        found.findings.append(f"haemangioma {place.name(i)}")


def _block(place: _Place, found: Pathology) -> None:
    """Two vertebrae that have grown together, with a remnant of the disc between."""
    i = place.pick(((2.0, 2.0), (6.5, 1.5), (9.0, 0.4), (24.0, 0.5)), 1, first=1)[0]
    if i == place.column.n - 1:  # that would be a sacralised vertebra
        i -= 1
    found.fused[i] = found.worn[i] = True
    found.disc_share[i] = place.uniform(0.2, 0.4)
    found.findings.append(f"block vertebra {place.disc(i)}")


def _slip(place: _Place, found: Pathology) -> None:
    """Spondylolisthesis of some millimetres."""
    i = place.pick(_SLIP_ODDS, 1)[0]
    found.slip_mm[i] = place.uniform(2.0, 3.5 if place.column.marks[i] < 7 else 7.0)
    found.worn[i] = True
    found.disc_share[i] = min(found.disc_share[i], place.uniform(0.5, 0.9))
    found.bulge_mm[i] = max(found.bulge_mm[i], 0.3 * found.slip_mm[i])
    found.findings.append(f"slip {place.name(i)}")


def _stenosis(place: _Place, found: Pathology) -> None:
    """Three to six narrow places in a row, in the neck or the lower back."""
    rng, n = place.rng, place.column.n
    count = int(rng.integers(3, 7))
    first = int(rng.integers(2, 4)) if rng.random() < 0.5 else n - count
    for i in range(first, first + count):
        found.bulge_mm[i] = max(found.bulge_mm[i], place.uniform(0.8, 4.0))
        found.ligament_mm[i] = max(found.ligament_mm[i], place.uniform(0.5, 3.0))
        found.side_share[i] = place.uniform(0.0, 0.35)
    found.findings.append(f"stenosis {place.disc(first)} to {place.disc(first + count - 1)}")


def _hardware(place: _Place, found: Pathology) -> None:
    """Screws and rods, or a plate in front of the neck."""
    count = int(place.rng.integers(2, 5))
    if place.rng.random() < 0.35:
        kind, first = "plate", int(place.rng.integers(2, 6))
        count = min(count, 7 - first)
    else:
        kind = "screws"
        first = max(place.column.n - count - int(place.rng.integers(0, 4)), 7)
    found.hardware.append((kind, first, count))
    found.findings.append(f"{kind} {place.name(first)} to {place.name(first + count - 1)}")
