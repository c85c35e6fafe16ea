"""Grids and subjects that several tests of the digital spine use."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from spinetools.image import Space
from spinetools.phantom import Subject, make_subject

GridMaker = Callable[..., Space]


def _box_at(
    subject: Subject, level: float, size_mm: tuple[float, float, float], spacing: float
) -> Space:
    """A grid along the world's axes about the cord at a level (0 top of C1 … 19 top of L1)."""
    s = float(np.interp(level, subject.profiles["level"], subject.curve.s))
    shape = np.round(np.array(size_mm) / spacing).astype(int)
    affine = np.diag([spacing, spacing, spacing, 1.0])
    affine[:3, 3] = subject.curve.at(s) - spacing * (shape - 1) / 2
    return Space((int(shape[0]), int(shape[1]), int(shape[2])), affine)


@pytest.fixture(scope="session")
def box_at() -> GridMaker:
    """``box_at(subject, level, size_mm, spacing)`` makes a grid."""
    return _box_at


@pytest.fixture(scope="session")
def subject() -> Subject:
    return make_subject(7)
