"""Measures of vertebrae, on a spine of cylinders whose sizes are known."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from spinetools.vertebrae.canal import Line, find_line
from spinetools.vertebrae.discs import DiscSeen
from spinetools.vertebrae.shape import MEASURES, Masks, measure

DEPTH, WIDTH, PITCH, HEIGHT = 30.0, 40.0, 36.0, 8.0
CANAL_WIDTH, CANAL_DEPTH, CORD_RADIUS = 20.0, 16.0, 5.0
#: The canal's middle, the column's, and the spine's length, mm.
CANAL_Y, BODY_Y, LENGTH = 60.0, 84.0, 4 * PITCH


@dataclass(frozen=True)
class Scene:
    discs: list[DiscSeen]
    masks: Masks
    line: Line
    spacing: float


def scene(spacing: float = 1.0, slope: float = 0.0, side: float = 56.0) -> Scene:
    """Four vertebrae with a spinous process that hangs down, and transverse ones of 45 mm."""
    shape = [round(n / spacing) for n in (2 * side, 112.0, LENGTH)]
    x, y, z = np.meshgrid(*(np.arange(n) * spacing for n in shape), indexing="ij")
    x = x - side
    body = (x / (WIDTH / 2)) ** 2 + ((y - BODY_Y) / (DEPTH / 2)) ** 2 <= 1
    canal = (x / (CANAL_WIDTH / 2)) ** 2 + ((y - CANAL_Y) / (CANAL_DEPTH / 2)) ** 2 <= 1
    cord = x**2 + (y - CANAL_Y) ** 2 <= CORD_RADIUS**2
    bone = np.zeros(shape, bool)
    discs = []
    for k in range(4):
        middle = LENGTH - (k + 0.5) * PITCH
        bone |= body & (np.abs(z - middle) <= (PITCH - HEIGHT) / 2)
        bone |= (np.abs(x) <= 45) & (np.abs(y - 70) <= 5) & (np.abs(z - middle) <= 5)
        behind = CANAL_Y - CANAL_DEPTH / 2 - y
        bone |= (
            (np.abs(x) <= 4) & (behind > 0) & (behind < 34)
            & (np.abs(z - middle + slope * behind) <= 6)
        )  # fmt: skip
    bone &= ~canal
    for k in range(1, 4):
        centre = np.array([side, BODY_Y, LENGTH - k * PITCH])
        discs.append(
            DiscSeen(
                np.zeros((1, 3), np.intp), centre, np.array([0.0, 0.0, 1.0]), centre, k * PITCH,
                DEPTH, WIDTH, HEIGHT, 0.9, np.zeros(5),
            )
        )  # fmt: skip
    line = find_line(canal, bone, spacing)
    return Scene(discs, Masks(bone, canal | cord, cord), line, spacing)


def measured(made: Scene, axes: np.ndarray | None = None) -> dict[str, np.ndarray]:
    axes = np.eye(3) if axes is None else axes
    table = measure(made.discs, made.masks, made.line, made.spacing, axes)
    assert table.shape == (3, len(MEASURES))
    return dict(zip(MEASURES, table.T, strict=True))


@pytest.mark.parametrize("spacing", [1.0, 2.0])
def test_sizes_are_those_of_the_cylinders(spacing: float) -> None:
    found = measured(scene(spacing))
    wanted = {
        "pitch": PITCH, "depth": DEPTH, "width": WIDTH, "aside": 45.0, "behind": 34.0,
        "canal": np.pi / 4 * CANAL_WIDTH * CANAL_DEPTH, "canal_width": CANAL_WIDTH,
        "cord": np.pi * CORD_RADIUS**2,
    }  # fmt: skip
    for name, value in wanted.items():
        np.testing.assert_allclose(np.exp(found[name][:2]), value, rtol=0.10, err_msg=name)
    assert np.isnan(found["depth"][2])  # no disc below the last one
    np.testing.assert_allclose(np.exp(found["disc"]), HEIGHT)


@pytest.mark.parametrize("slope", [0.0, 0.5, 1.0])
def test_spinous_processes_hang(slope: float) -> None:
    found = measured(scene(slope=slope))
    np.testing.assert_allclose(np.tan(found["hang"][:2]), slope, atol=0.15)


def test_a_slab_shows_no_transverse_processes() -> None:
    found = measured(scene(side=25.0))
    assert np.isnan(found["aside"]).all()
    assert np.isnan(found["width"]).all()
    assert np.isfinite(found["depth"][:2]).all()


def test_the_lean_is_that_in_the_scanner() -> None:
    angle = np.deg2rad(20)
    turn = np.array(
        [[1, 0, 0], [0, np.cos(angle), np.sin(angle)], [0, -np.sin(angle), np.cos(angle)]]
    )
    np.testing.assert_allclose(measured(scene())["lean"], 0.0, atol=1e-9)
    np.testing.assert_allclose(measured(scene(), turn)["lean"], angle, atol=1e-9)


def test_no_cord_is_no_measure() -> None:
    made = scene()
    without = Masks(made.masks.bone, made.masks.canal, np.zeros_like(made.masks.cord))
    table = measure(made.discs, without, made.line, made.spacing, np.eye(3))
    assert np.isnan(table[:, MEASURES.index("cord")]).all()
    assert np.isfinite(table[:2, MEASURES.index("canal")]).all()


def test_discs_far_apart_are_no_neighbours() -> None:
    made = scene()
    table = measure(made.discs[::2], made.masks, made.line, made.spacing, np.eye(3))
    assert np.isnan(table[:, MEASURES.index("depth")]).all()
    assert np.isfinite(table[:, MEASURES.index("disc")]).all()


def test_where_the_line_cuts_the_corner_nothing_is_measured_between() -> None:
    """The way along the canal is half of that between the discs' middles."""
    made = scene()
    near = replace(made.discs[1], s=made.discs[0].s + PITCH / 2)
    table = measure([made.discs[0], near], made.masks, made.line, made.spacing, np.eye(3))
    assert np.isnan(table[:, MEASURES.index("depth")]).all()
    assert np.isfinite(table[0, MEASURES.index("pitch")])
