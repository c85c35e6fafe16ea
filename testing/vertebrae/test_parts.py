"""What the parts of the column, seen at low resolution, say of a disc."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from spinetools.image import Image, Space
from spinetools.labels import structures
from spinetools.vertebrae.anatomy import anatomies
from spinetools.vertebrae.parts import PARTS, part_of, votes_of_parts

NAMES = ("disc_C7_T1", "disc_T11_T12", "disc_T12_L1", "disc_L2_L3", "disc_L5_S")
COARSE = Space((6, 6, 40), np.diag([5.0, 5.0, 5.0, 1.0]))
FINE = Space((20, 20, 133), np.diag([1.5, 1.5, 1.5, 1.0]))


@dataclass(frozen=True)
class Disc:
    """As much of a disc as is asked for: mm from the working grid's first voxel."""

    centre: np.ndarray
    normal: np.ndarray


def column(above: str, below: str, sure: float = 1.0) -> Image:
    """Spine everywhere; from 100 mm upwards one part, below another."""
    data = np.zeros((*COARSE.shape, 1 + len(PARTS)), np.float32)
    data[..., 0] = 1
    data[..., 1:] = (1 - sure) / (len(PARTS) - 1)
    data[:, :, 20:, 1 + PARTS.index(above)] = sure
    data[:, :, :20, 1 + PARTS.index(below)] = sure
    return Image(data, COARSE)


DISC = Disc(np.array([15.0, 15.0, 97.5]), np.array([0.0, 0.0, 1.0]))


@pytest.mark.parametrize(
    ("above", "below", "name"),
    [
        ("cervical", "thoracic", "disc_C7_T1"),
        ("thoracic", "thoracic", "disc_T11_T12"),
        ("thoracic", "lumbar", "disc_T12_L1"),
        ("lumbar", "lumbar", "disc_L2_L3"),
        ("lumbar", "sacrum", "disc_L5_S"),
    ],
)
def test_a_disc_between_two_parts_is_told(above: str, below: str, name: str) -> None:
    votes = votes_of_parts(column(above, below), [DISC], FINE, NAMES)
    assert NAMES[int(np.argmax(votes[0]))] == name


def test_a_network_that_does_not_know_says_nothing() -> None:
    doubtful = votes_of_parts(column("lumbar", "sacrum", sure=0.25), [DISC], FINE, NAMES)
    assert np.abs(doubtful).max() < 1e-3
    nothing = column("lumbar", "sacrum")
    nothing = nothing.like(nothing.data * (np.arange(1 + len(PARTS)) > 0))
    assert not votes_of_parts(nothing, [DISC], FINE, NAMES).any()
    outside = Disc(np.array([15.0, 15.0, 900.0]), DISC.normal)
    assert not votes_of_parts(column("lumbar", "sacrum"), [outside], FINE, NAMES).any()


def test_a_wrong_network_does_not_outweigh_everything() -> None:
    votes = votes_of_parts(column("thoracic", "lumbar"), [DISC], FINE, NAMES)
    assert votes.max() - votes.min() < 6


def test_every_disc_and_vertebra_has_a_part() -> None:
    for anatomy in anatomies():
        votes = votes_of_parts(column("lumbar", "sacrum"), [DISC], FINE, anatomy.disc_names)
        assert np.isfinite(votes).all()
    for row in structures():
        assert (part_of(row.name) > 0) == (row.kind == "vertebra")
