"""Metal in the spine: pedicle screws with rods, plates in front of the neck."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from spinetools.phantom.lattice import FloatArray
from spinetools.phantom.subject import Implant, Vertebra


@dataclass(frozen=True)
class _Sizes:
    """Typical dimensions, mm."""

    screw: float = 3.0
    head: float = 5.0
    rod: float = 2.75
    plate: float = 2.0
    plate_half_width: float = 6.0


_SIZES = _Sizes()


def place_implants(
    hardware: Sequence[tuple[str, int, int]], vertebrae: Sequence[Vertebra]
) -> tuple[Implant, ...]:
    """Put implants into vertebrae.

    Parameters
    ----------
    hardware
        Kind, first vertebra and number of vertebrae, as in
        :class:`~spinetools.phantom.pathology.Pathology`.
    vertebrae
        All of the subject's.
    """
    placed: list[Implant] = []
    for kind, first, count in hardware:
        chosen = vertebrae[first : first + count]
        placed += _plate(chosen) if kind == "plate" else _screws(chosen)
    return tuple(placed)


def _world(vertebra: Vertebra, local: tuple[float, float, float]) -> FloatArray:
    result: FloatArray = vertebra.origin + np.array(local) @ vertebra.axes
    return result


def _screws(vertebrae: Sequence[Vertebra]) -> list[Implant]:
    """Give two screws a vertebra, through its pedicles, and a rod on each side."""
    placed = []
    for side in (-1.0, 1.0):
        heads = []
        for v in vertebrae:
            beside = side * (v.canal_rl / 2 + 0.45 * v.pedicle)
            behind = v.canal - 0.5 * v.canal_ap - 6.0
            head = _world(v, (1.25 * beside, behind, 0.25 * v.height))
            tip = _world(v, (0.55 * beside, 0.2 * v.depth, 0.1 * v.height))
            placed += [
                Implant(head, tip, _SIZES.screw),
                Implant(head, head, _SIZES.head),
            ]
            heads.append(head)
        placed += [Implant(a, b, _SIZES.rod) for a, b in pairwise(heads)]
    return placed


def _plate(vertebrae: Sequence[Vertebra]) -> list[Implant]:
    """Give a plate in front of the bodies, with two screws in each."""
    placed = []
    for side in (-1.0, 1.0):
        x = side * _SIZES.plate_half_width
        fronts = [_world(v, (x, v.depth / 2 + 1.5, 0.0)) for v in vertebrae]
        placed += [Implant(a, b, _SIZES.plate) for a, b in pairwise(fronts)]
        placed += [
            Implant(front, _world(v, (0.8 * x, -0.1 * v.depth, 0.0)), 1.8)
            for v, front in zip(vertebrae, fronts, strict=True)
        ]
    return placed
