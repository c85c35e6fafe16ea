"""What goes wrong in a scan: motion, fold-over, cross-talk, padding, metal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from spinetools.image import Space
from spinetools.phantom import (
    Acquisition,
    draw_acquisition,
    draw_table,
    get_protocol,
    make_phantom,
    make_subject,
    paint_labels,
    scanner,
    simulate,
)
from spinetools.phantom.acquisition import coarse_space, fine_space
from spinetools.phantom.subject import Implant
from spinetools.phantom.tissues import Tissue

GridMaker = Callable[..., Space]
PERFECT = Acquisition(snr=1e6, coil=0.0, bias=0.0, blur=(0, 0, 0), style="volume")


def blocks(shape: tuple[int, int, int] = (24, 32, 20)) -> np.ndarray:
    rng = np.random.default_rng(0)
    image = np.kron(rng.uniform(0.2, 1, tuple(n // 4 for n in shape)), np.ones((4, 4, 4)))
    return image.astype(np.float32)


def test_constant_displacement_shifts_the_image() -> None:
    image = blocks()
    moved = scanner.move(image, 1, np.full(32, 3.0))
    assert moved == pytest.approx(np.roll(image, 3, axis=1), abs=1e-4)
    assert scanner.move(image, 1, np.zeros(32)) == pytest.approx(image, abs=1e-5)


def test_motion_keeps_the_mean_and_the_place() -> None:
    image = blocks()
    lines = scanner.draw_displacement(32, 1.0, 1.0, np.random.default_rng(1))
    assert lines[16] == 0  # the middle of k-space decides where the image lies
    moved = scanner.move(image, 1, lines)
    assert np.abs(moved - image).mean() > 0.005
    assert moved.mean() == pytest.approx(image.mean(), rel=0.05)
    overlap = [np.corrcoef(np.roll(moved, k, 1).ravel(), image.ravel())[0, 1] for k in range(-3, 4)]
    assert int(np.argmax(overlap)) == 3


def test_fold_over_adds_what_lies_outside_at_the_other_end() -> None:
    wide = np.zeros((10, 3, 3), dtype=np.float32)
    wide[0], wide[9], wide[4] = 1.0, 2.0, 5.0
    folded = scanner.fold(wide, (2, 0, 0))
    assert folded.shape == (6, 3, 3)
    assert folded[:, 0, 0] == pytest.approx([0, 2, 5, 0, 1, 0])
    assert scanner.fold(wide, (0, 0, 0)) == pytest.approx(wide)


def test_cross_talk_mixes_neighbours_and_keeps_a_constant() -> None:
    image = np.zeros((4, 4, 5), dtype=np.float32)
    image[..., 2] = 1
    mixed = scanner.cross_talk(image, 2, 0.1, 0.0)
    assert mixed[0, 0] == pytest.approx([0, 0.1, 0.8, 0.1, 0])
    flat = np.ones((4, 4, 5), dtype=np.float32)
    assert scanner.cross_talk(flat, 2, 0.1, 0.0) == pytest.approx(flat)
    assert scanner.cross_talk(flat, 2, 0.0, 0.2)[0, 0] == pytest.approx([1, 0.8, 1, 0.8, 1])


def rod() -> tuple[Implant]:
    return (Implant(np.array([-8.0, 0.0, 0.0]), np.array([8.0, 0.0, 0.0]), 3.0),)


def cube(n: int = 41) -> Space:
    affine = np.eye(4)
    affine[:3, 3] = -(n - 1) / 2
    return Space((n, n, n), affine)


def test_metal_leaves_a_void_and_a_bright_rim_in_mr() -> None:
    flat = np.ones(cube().shape, dtype=np.float32)
    for seed in range(4):
        seen = scanner.metal(flat, cube(), rod(), np.random.default_rng(seed))
        assert seen[20, 20, 20] < 0.02
        assert seen.max() > 1.1
        assert seen[:, 0].mean() == pytest.approx(1, abs=0.03)  # far away nothing changes
        assert seen.min() >= 0
    far = (Implant(np.array([500.0, 0, 0]), np.array([510.0, 0, 0]), 3.0),)
    assert scanner.metal(flat, cube(), far, np.random.default_rng(0)) is flat


def test_metal_is_bright_in_ct() -> None:
    flat = np.ones(cube().shape, dtype=np.float32)
    seen = scanner.metal_ct(flat, cube(), rod(), 3.9)
    assert seen[20, 20, 20] == pytest.approx(3.9, rel=1e-4)
    inside = (seen > 2.4).sum()
    assert inside == pytest.approx(np.pi * 9 * 16 + 4 / 3 * np.pi * 27, rel=0.15)


def test_implants_show_in_the_image_and_not_in_the_truth(box_at: GridMaker) -> None:
    subject = make_subject(3, pathology="none")
    space = box_at(subject, 22.0, (60, 90, 60), 2.0)
    labels = paint_labels(subject, space)
    middle = subject.vertebrae[21].origin
    metal = (Implant(middle, middle + np.array([0.0, 12.0, 0.0]), 4.0),)
    with_metal = replace(labels, implants=metal)
    table = draw_table("t2", np.random.default_rng(0), "turbo")
    plain, seen = (
        simulate(each, table, PERFECT, np.random.default_rng(1)) for each in (labels, with_metal)
    )
    voxel = tuple(np.rint(space.to_voxel(middle)).astype(int))
    assert seen[voxel] < 0.1 * plain[voxel]
    assert labels.crop((0, 0, 0), (5, 5, 5)).implants == labels.implants


def test_coarse_space_undoes_fine_space() -> None:
    affine = np.diag([0.5, 0.7, 5.0, 1.0])
    affine[:3, 3] = (3, 4, 5)
    space = Space((10, 11, 6), affine)
    fine, factors = fine_space(space)
    assert factors == (1, 1, 3)
    assert coarse_space(fine, factors).same_as(space)


def test_padded_ends_are_zero_and_hold_no_truth() -> None:
    protocol = replace(get_protocol("t2_3d"), spacing=(2.0, 2.0, 2.0), size=(40.0, 90.0, 90.0))
    hidden = 0
    for seed in range(4):
        phantom = make_phantom(seed, "t2", protocol, acquisition=replace(PERFECT, padding=0.15))
        outside = phantom.seen.data == 0
        hidden += int(outside.sum())
        assert not phantom.image.data[outside].any()
        for part in (phantom.cord, phantom.structures, phantom.discs, phantom.levels):
            assert not part.data[outside].any()
        along = np.rint(phantom.space.to_voxel(phantom.centerline)).astype(int)
        assert phantom.seen.data[tuple(along.T)].all()
        listed = [int(row.split(",")[0]) for row in phantom.truth.csv().splitlines()[1:]]
        assert set(listed) == set(np.flatnonzero(np.isfinite(phantom.truth.csa)))
    assert hidden > 0


def test_wrapped_image_holds_more_and_the_same_truth() -> None:
    protocol = replace(get_protocol("t2_3d"), spacing=(2.0, 2.0, 2.0), size=(40.0, 70.0, 80.0))
    plain, wrapped = (
        make_phantom(2, "t2s", protocol, acquisition=replace(PERFECT, style=None, wrap_mm=wrap))
        for wrap in (0.0, 20.0)
    )
    assert wrapped.space.same_as(plain.space)
    assert np.abs(wrapped.cord_soft.data - plain.cord_soft.data).max() < 0.02
    ratio = wrapped.image.data.mean() / plain.image.data.mean()
    assert ratio > 1.1


def test_mishaps_happen_now_and_then() -> None:
    drawn = [draw_acquisition("t2", np.random.default_rng(seed)) for seed in range(400)]
    for name, share in (("motion", 0.15), ("cross_talk", 0.3), ("wrap_mm", 0.08)):
        found = np.mean([getattr(each, name) > 0 for each in drawn])
        assert found == pytest.approx(share, abs=0.06), name
    ct = draw_acquisition("ct", np.random.default_rng(0))
    assert not ct.magnitude
    assert ct.motion == ct.ringing == ct.coil == ct.bias == ct.ghost == 0


def test_saturation_band_darkens_what_lies_in_front(box_at: GridMaker) -> None:
    labels = paint_labels(make_subject(7), box_at(make_subject(7), 20.0, (20, 160, 40), 2.0))
    table = draw_table("t2", np.random.default_rng(0))
    flat = replace(table, mean=np.ones_like(table.mean), texture=table.texture * 0, gain=0.0)
    image = simulate(labels, flat, replace(PERFECT, band_mm=40.0), np.random.default_rng(0))
    assert image[:, :50].mean() == pytest.approx(1, abs=0.03)  # to 20 mm in front of the cord
    assert image[:, 70:].mean() < 0.4


def test_arms_lie_beside_the_trunk_in_some(box_at: GridMaker) -> None:
    subjects = [make_subject(seed) for seed in range(40)]
    assert 0.4 < np.mean([subject.habitus.arms for subject in subjects]) < 0.95
    subject = subjects[0]
    space = box_at(subject, 17.0, (620, 160, 8), 4.0)
    without, beside = (
        paint_labels(replace(subject, habitus=replace(subject.habitus, arms=arms)), space).top
        for arms in (False, True)
    )
    widths = [int((top > 0).any(axis=(1, 2)).sum()) * 4.0 for top in (without, beside)]
    assert 110 < widths[1] - widths[0] < 220  # two arms, and the gaps
    assert (beside[without > 0] == without[without > 0]).mean() > 0.99  # the trunk is the same
    assert (beside == Tissue.CORTEX).sum() > (without == Tissue.CORTEX).sum() + 20
