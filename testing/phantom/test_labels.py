"""Tissues on grids: exact shares, orientations, structures."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from spinetools.image import Space
from spinetools.image.orientation import ALL_CODES, reorient_array
from spinetools.labels import structures
from spinetools.phantom import Subject, make_subject, paint_labels
from spinetools.phantom.labels import LabelVolume
from spinetools.phantom.tissues import Tissue
from spinetools.phantom.truth import slice_truth

GridMaker = Callable[..., Space]


def tilted(space: Space, degrees: tuple[float, float, float]) -> Space:
    """The grid turned about its middle."""
    turn = np.eye(4)
    turn[:3, :3] = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()
    middle = space.to_world((np.array(space.shape) - 1) / 2)
    turn[:3, 3] = middle - turn[:3, :3] @ middle
    return Space(space.shape, turn @ space.affine)


def area_ratio(labels: LabelVolume, subject: Subject, hard: bool) -> np.ndarray:
    """Cord's area from the mask (across the slice, times the cosine) over the exact one."""
    truth = slice_truth(subject, labels.space)
    others = tuple(axis for axis in range(3) if axis != truth.axis)
    mask = labels.cord >= 0.5 if hard else labels.cord
    voxel = labels.space.voxel_volume / labels.space.spacing[truth.axis]
    area = mask.sum(axis=others) * voxel * np.cos(np.radians(truth.angle))
    return (area / truth.csa)[4:-4]


@pytest.mark.parametrize("seed", [0, 5])
@pytest.mark.parametrize("level", [1.5, 4.5, 9.0, 16.0])
def test_cord_area_on_a_fine_grid_is_exact(box_at: GridMaker, seed: int, level: float) -> None:
    subject = make_subject(seed)
    labels = paint_labels(subject, box_at(subject, level, (22, 22, 16), 0.5))
    assert area_ratio(labels, subject, hard=False) == pytest.approx(1.0, abs=0.01)
    assert area_ratio(labels, subject, hard=True).mean() == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("spacing", [0.8, 1.0, 1.5, 2.0])
@pytest.mark.parametrize("level", [2.5, 7.0, 18.8])
def test_cord_volume_is_exact_on_tilted_grids(
    box_at: GridMaker, spacing: float, level: float
) -> None:
    """The cord's centroid lies on its line, so that its volume is the integral of its area."""
    for seed in (1, 5, 7):
        subject = make_subject(seed)
        space = tilted(box_at(subject, level, (60, 60, 60), spacing), (25, -15, 20))
        labels = paint_labels(subject, space)
        place = np.nonzero(labels.cord)
        s, _, _ = subject.curve.solve(space.to_world(np.stack(place, axis=1)))
        middle = float(np.interp(level, subject.profiles["level"], subject.curve.s))

        def window(s: np.ndarray, middle: float = middle) -> np.ndarray:
            return np.cos(np.clip((s - middle) / 18, -1, 1) * np.pi / 2) ** 2

        volume = (labels.cord[place] * window(s)).sum() * space.voxel_volume
        fine = np.arange(middle - 18, middle + 18, 0.01)
        exact = (subject.cord_csa(fine) * window(fine)).sum() * 0.01
        assert volume == pytest.approx(exact, rel=0.005), seed


def test_soft_area_is_exact_with_thick_slices(box_at: GridMaker, subject: Subject) -> None:
    fine = box_at(subject, 4.5, (24, 24, 40), 0.5)
    thick = Space((*fine.shape[:2], 8), fine.affine @ np.diag([1, 1, 10, 1.0]))
    labels = paint_labels(subject, thick)
    whole = paint_labels(subject, fine)
    # each thick voxel is the mean of the fine ones that lie in it; its centre is a fine voxel's
    for index in range(1, 7):
        part = whole.cord[:, :, 10 * index - 5 : 10 * index + 5].sum() / 10
        assert labels.cord[:, :, index].sum() == pytest.approx(part, rel=0.02)


def test_diameters_from_the_mask(box_at: GridMaker, subject: Subject) -> None:
    space = box_at(subject, 5.0, (22, 22, 6), 0.25)
    labels = paint_labels(subject, space)
    truth = slice_truth(subject, space)
    _, up, right, front = subject.curve.frame(truth.s[10])
    place = np.argwhere(labels.cord[:, :, 10] >= 0.5)
    world = space.to_world(np.column_stack([place, np.full(len(place), 10)]))
    offset = world - subject.curve.at(truth.s[10])
    # onto the plane across the cord, along the cord
    flat = offset - np.outer((offset @ [0, 0, 1]) / up[2], up)
    flat -= np.outer(flat @ up, up)
    for axis, exact in ((right, truth.rl[10]), (front, truth.ap[10])):
        width = np.ptp(flat @ axis) + 0.25
        assert width == pytest.approx(exact, rel=0.05)


def test_all_48_orientations_hold_the_same_world(box_at: GridMaker, subject: Subject) -> None:
    space = box_at(subject, 5.0, (36, 48, 30), 2.0)
    plain = paint_labels(subject, space)
    assert len(set(np.unique(plain.hard))) > 8
    for codes in ALL_CODES:
        turned = paint_labels(subject, space.reoriented(codes))
        back = reorient_array(turned.hard, codes, space.nib_codes)
        # rounding may move a voxel on an edge
        assert (back == plain.hard).mean() > 0.999, codes
        for name in ("cord", "sac", "share"):
            moved = reorient_array(getattr(turned, name), codes, space.nib_codes)
            assert np.abs(moved - getattr(plain, name)).mean() < 1e-4, (codes, name)
        ids = reorient_array(turned.structure, codes, space.nib_codes)
        assert (ids == plain.structure).mean() > 0.999, codes


def test_windows_of_one_subject_agree(box_at: GridMaker, subject: Subject) -> None:
    space = box_at(subject, 10.0, (80, 90, 60), 2.0)
    whole = paint_labels(subject, space)
    start, stop = (7, 11, 5), (33, 40, 28)
    window = paint_labels(subject, space.cropped(start, stop))
    part = whole.crop(start, stop)
    assert part.space.same_as(window.space)
    # random fields are interpolated from another lattice: thin sheets of fat differ a little
    assert (part.hard == window.hard).mean() > 0.96
    assert (part.structure == window.structure).mean() > 0.999
    assert np.abs(part.cord - window.cord).max() < 0.02


def test_slabs_join_to_the_same_volume(
    box_at: GridMaker, subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = box_at(subject, 4.0, (40, 60, 90), 2.0)
    whole = paint_labels(subject, space)
    monkeypatch.setattr("spinetools.phantom.labels._SLAB_VOXELS", 9000)
    joined = paint_labels(subject, space)
    assert joined.top.shape == whole.top.shape == space.shape
    assert (joined.hard == whole.hard).mean() > 0.96
    assert (joined.structure == whole.structure).mean() > 0.999
    assert np.abs(joined.cord - whole.cord).max() < 0.02


def test_structures_stand_in_order_along_the_cord(box_at: GridMaker, subject: Subject) -> None:
    length = float(subject.boundaries[-1])
    space = box_at(subject, 13.0, (90, 160, length), 2.0)
    labels = paint_labels(subject, space)
    ids = {s.name: s.values["totalspineseg"] for s in structures() if "totalspineseg" in s.values}
    heights = []
    for level in [f"C{i}" for i in range(3, 8)] + [f"T{i}" for i in range(1, 13)] + ["L1", "L2"]:
        places = np.argwhere(labels.structure == ids[f"vertebrae_{level}"])
        assert len(places) > 40, level
        s, _, _ = subject.curve.solve(space.to_world(places))
        heights.append(np.median(s))
    assert (np.diff(heights) > 8).all()
    for upper, lower in pairwise(["C2", "C3", "C4", "C5", "C6", "C7", "T1", "T2"]):
        places = np.argwhere(labels.structure == ids[f"disc_{upper}_{lower}"])
        disc = next(d for d in subject.discs if d.name == f"{upper}-{lower}")
        centre = space.to_world(places).mean(axis=0)
        assert np.linalg.norm(centre - disc.origin) < 4.0, disc.name


def test_bones_leave_the_canal_free(subject: Subject, box_at: GridMaker) -> None:
    for level in (3.0, 9.5, 16.5, 21.5):
        labels = paint_labels(subject, box_at(subject, level, (70, 90, 60), 1.0))
        bone = np.isin(labels.top, (Tissue.CORTEX, Tissue.MARROW, Tissue.ARCH_MARROW))
        assert bone.sum() > 3000
        assert (bone & (labels.sac > 0.99)).sum() == 0


def test_shares_add_up(subject: Subject, box_at: GridMaker) -> None:
    labels = paint_labels(subject, box_at(subject, 19.0, (40, 40, 60), 1.0))
    assert labels.cord.min() >= 0
    assert labels.cord.max() <= 1
    assert (labels.cord <= labels.sac + 1e-3).all()
    assert (labels.grey <= labels.cord + 1e-6).all()
    assert (labels.cord + labels.root <= labels.sac + 1e-3).all()
    assert labels.share.min() >= 0.5
    assert labels.root.sum() > 100  # the cauda equina


def test_below_the_conus_there_are_roots_and_no_cord(subject: Subject, box_at: GridMaker) -> None:
    space = box_at(subject, 22.0, (30, 30, 50), 1.0)
    labels = paint_labels(subject, space)
    assert labels.cord.max() == 0
    assert labels.root.max() > 0.5
    assert (slice_truth(subject, space).level == 0).all()
