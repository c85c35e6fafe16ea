"""Grids of typical protocols, placed on a subject."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from spinetools.errors import InputError
from spinetools.image import Space
from spinetools.phantom.lattice import FloatArray
from spinetools.phantom.subject import Subject


@dataclass(frozen=True)
class Protocol:
    """A grid and a contrast.

    Attributes
    ----------
    contrast
        What it is usually taken with.
    spacing
        Voxel size in mm: right-left, back-front, up-down.
    size
        Field of view in mm along the same axes; 0 along the last: from the levels.
    levels
        Uppermost and lowest level seen (0 top of C1 … 24 top of the sacrum; negative: in the head).
    forward
        How far in front of the cord the field of view's centre lies, mm.
    style
        Of its contrast (:func:`~spinetools.phantom.draw_table`); None draws one.
    """

    contrast: str
    spacing: tuple[float, float, float]
    size: tuple[float, float, float]
    levels: tuple[float, float]
    forward: float = 0.0
    style: str | None = None


#: Limits within which a grid can be made.
_LEAST_SPACING_MM, _MOST_VOXELS = 0.1, 250_000_000

#: Levels seen by field of view.
FIELDS_OF_VIEW = {
    "whole": (-2.0, 26.5),
    "cervical": (-1.0, 8.0),
    "cervicothoracic": (-1.2, 11.0),
    "thoracic": (6.5, 19.5),
    "lumbar": (16.5, 25.5),
}

PROTOCOLS = {
    "t2_3d": Protocol(
        "t2", (1, 1, 1), (52, 320, 200), FIELDS_OF_VIEW["cervicothoracic"], 10, "volume"
    ),
    "t1_3d": Protocol("t1", (1, 1, 1), (176, 224, 200), FIELDS_OF_VIEW["cervical"], 10),
    "t2s_axial": Protocol("t2s", (0.5, 0.5, 5), (180, 180, 75), (1.5, 5.5), 5),
    "mt_axial": Protocol("mt", (0.9, 0.9, 5), (220, 220, 110), (0.5, 6.5), 10),
    "dwi_axial": Protocol("dwi", (0.85, 0.85, 15), (110, 110, 75), (1.5, 5.5), 0),
    "t2_axial": Protocol("t2", (0.7, 0.7, 4), (180, 180, 100), (1.0, 6.5), 5),
    "t2_sagittal": Protocol("t2", (3.3, 0.7, 0.7), (50, 220, 220), (-1.5, 10.5), 10),
    "t1_sagittal": Protocol("t1", (3.3, 0.8, 0.8), (50, 240, 240), (-1.5, 11.0), 10),
    "t2_lumbar": Protocol("t2", (1, 1, 1), (44, 240, 200), FIELDS_OF_VIEW["lumbar"], 20),
    "t1_lumbar": Protocol("t1", (4, 0.8, 0.8), (64, 260, 280), (15.5, 27.0), 25),
    "t2_whole": Protocol("t2", (1, 1, 1), (56, 300, 0), FIELDS_OF_VIEW["whole"], 20),
    "t2_lumbar_2d": Protocol("t2", (4.4, 0.7, 0.7), (62, 280, 280), (15.5, 27.0), 25, "turbo"),
    "stir_sagittal": Protocol("stir", (3.5, 0.9, 0.9), (56, 280, 280), (15.5, 27.0), 25),
    "pd_sagittal": Protocol("pd", (3.3, 0.8, 0.8), (50, 240, 240), (-1.5, 11.0), 10),
    "dixon_lumbar": Protocol("dixon", (2, 1, 1), (80, 240, 240), (16.0, 26.0), 15, "water"),
    "ct_lumbar": Protocol("ct", (0.9, 0.9, 2), (160, 160, 220), FIELDS_OF_VIEW["lumbar"], 5),
}


#: Protocol that is meant where only a contrast is named.
DEFAULT_PROTOCOL = {
    "t1": "t1_3d",
    "t2": "t2_3d",
    "t2s": "t2s_axial",
    "mt": "mt_axial",
    "dwi": "dwi_axial",
    "random": "t2_3d",
    "pd": "pd_sagittal",
    "stir": "stir_sagittal",
    "dixon": "dixon_lumbar",
    "relax": "t2_3d",
    "ct": "ct_lumbar",
}


def get_protocol(name: str) -> Protocol:
    """Return a protocol by name.

    Raises
    ------
    InputError
        When the name does not exist.
    """
    if name not in PROTOCOLS:
        raise InputError(f"unknown protocol {name!r}; choose one of {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name]


def seen_through(protocol: Protocol, field_of_view: str) -> Protocol:
    """Return the protocol with another field of view along the spine.

    Raises
    ------
    InputError
        When the name does not exist.
    """
    if field_of_view not in FIELDS_OF_VIEW:
        raise InputError(
            f"unknown field of view {field_of_view!r}; choose one of {', '.join(FIELDS_OF_VIEW)}"
        )
    width, depth, _ = protocol.size
    return replace(protocol, levels=FIELDS_OF_VIEW[field_of_view], size=(width, depth, 0.0))


def place_grid(
    subject: Subject,
    protocol: Protocol,
    rng: np.random.Generator | None = None,
    nib_codes: Sequence[str] = ("R", "A", "S"),
) -> Space:
    """Place a protocol's grid on a subject.

    Parameters
    ----------
    subject
        Whom to scan.
    protocol
        What to take.
    rng
        Jitters the position by some mm and turns thick axial slices across the cord, as an
        operator would; None for none of it.
    nib_codes
        Orientation of the array, nibabel's letters.

    Raises
    ------
    InputError
        When the voxel size makes no grid.
    """
    s = np.interp(protocol.levels, *_level_axis(subject))
    ends = subject.curve.at(s)
    steps = np.array(protocol.spacing, dtype=float)
    if steps.shape != (3,) or not np.isfinite(steps).all() or (steps < _LEAST_SPACING_MM).any():
        shown = " × ".join(f"{step:g}" for step in steps)
        raise InputError(
            f"a voxel size of {shown} mm makes no grid; give three numbers of at least "
            f"{_LEAST_SPACING_MM:g}"
        )
    size = np.array(protocol.size, dtype=float)
    if size[2] == 0:
        size[2] = abs(ends[0, 2] - ends[1, 2])
    middle = subject.curve.at(s.mean())
    path = subject.curve.at(np.linspace(s[0], s[1], 50))
    centre = np.array([path[:, 0].mean(), path[:, 1].mean(), (ends[0, 2] + ends[1, 2]) / 2])
    turn = np.eye(3)
    if protocol.size[2] != 0 and steps[2] > 2:
        centre = middle
        if rng is not None:
            _, up, _, _ = subject.curve.frame(s.mean())
            tilt = np.arctan2(up[1], up[2]) * rng.uniform(0.3, 1.0)
            cosine, sine = np.cos(tilt), np.sin(tilt)
            turn = np.array([[1, 0, 0], [0, cosine, sine], [0, -sine, cosine]])
    centre = centre + turn @ np.array([0, protocol.forward, 0])
    if rng is not None:
        centre = centre + rng.uniform(-1, 1, 3) * np.array([4, 12, 8])
    shape = np.maximum(1, np.round(size / steps)).astype(int)
    if shape.prod() > _MOST_VOXELS:
        raise InputError(
            f"a grid of {' × '.join(map(str, shape))} voxels is too large; take larger voxels or "
            "a smaller field of view"
        )
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag(steps)
    affine[:3, 3] = centre - affine[:3, :3] @ ((shape - 1) / 2)
    space = Space((int(shape[0]), int(shape[1]), int(shape[2])), affine)
    return space.reoriented(nib_codes)


def _level_axis(subject: Subject) -> tuple[FloatArray, FloatArray]:
    return subject.profiles["level"], subject.curve.s
