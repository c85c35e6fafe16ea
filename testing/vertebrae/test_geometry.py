"""The canal's line, discs as planes, and the last touches, on shapes whose answer is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spinetools.errors import NoSpineError
from spinetools.image import Image, Space
from spinetools.vertebrae.anatomy import usual
from spinetools.vertebrae.arches import Heights, return_arches
from spinetools.vertebrae.bones import Plane, name_vertebrae, planes_of
from spinetools.vertebrae.canal import Line, coordinates, find_line
from spinetools.vertebrae.discs import DiscSeen, find_discs, without_sacral
from spinetools.vertebrae.finish import clean, close_canal, on_grid
from spinetools.vertebrae.grid import find_box, isotropic, memory_gb, working_image

SHAPE = (50, 80, 120)
NOTHING = tuple(np.zeros(SHAPE, np.float32) for _ in range(4))


def grid() -> np.ndarray:
    return np.stack(np.meshgrid(*(np.arange(n) for n in SHAPE), indexing="ij"), axis=-1) * 1.0


def tube(lean: float = 0.0) -> np.ndarray:
    """A canal of radius 7 that leans to the front by ``lean`` mm a mm upwards."""
    places = grid()
    y = 25 + lean * (places[..., 2] - 60)
    return np.hypot(places[..., 0] - 25, places[..., 1] - y) < 7


def slab(z: float, thick: float = 5.0, tilt: float = 0.0, y: float = 50.0) -> np.ndarray:
    """A disc: round, radius 13, with its middle in front of the canal."""
    places = grid() - [25, y, z]
    height = places[..., 2] - tilt * places[..., 1]
    return (np.hypot(places[..., 0], places[..., 1]) < 13) & (np.abs(height) < thick / 2)


@pytest.mark.parametrize("lean", [0.0, 0.3, -0.2])
def test_the_line_follows_the_canal(lean: float) -> None:
    line = find_line(tube(lean), np.zeros(SHAPE, bool), 1.0)
    inner = (line.points[:, 2] > 8) & (line.points[:, 2] < 112)
    expected = 25 + lean * (line.points[inner, 2] - 60)
    assert np.abs(line.points[inner, 1] - expected).max() < 0.5
    assert np.abs(line.points[inner, 0] - 25).max() < 0.3
    # its length is that of the straight line, and its direction upwards
    assert line.s[-1] == pytest.approx(119 * np.hypot(1, lean), rel=0.02)
    assert line.up[60] @ [0, lean, 1] / np.hypot(1, lean) == pytest.approx(1, abs=1e-3)


def test_the_line_bends_alike_on_any_grid() -> None:
    curves = []
    for spacing in (0.75, 1.5):
        x, y, z = np.indices((int(50 / spacing), int(50 / spacing), int(120 / spacing))) * spacing
        canal = np.hypot(x - 25, y - 25 - 6 * np.sin(2 * np.pi * z / 60)) < 7
        line = find_line(canal, np.zeros(canal.shape, bool), spacing)
        heights = np.arange(15.0, 105.0)
        curves.append(np.interp(heights, line.points[::-1, 2], line.points[::-1, 1]))
    # a bend as sharp as this is flattened, by as much on both
    assert np.ptp(curves[1]) / 2 == pytest.approx(4.5, abs=0.2)
    assert np.abs(curves[0] - curves[1]).max() < 0.2


def test_the_line_goes_on_straight_where_the_canal_is_not_seen() -> None:
    canal = tube(0.3)
    canal[:, :, :30] = False
    line = find_line(canal, np.zeros(SHAPE, bool), 1.0)
    low = line.points[line.points[:, 2] < 25]
    assert np.abs(low[:, 1] - (25 + 0.3 * (low[:, 2] - 60))).max() < 2.0
    assert line.seen[1] == pytest.approx(89 * np.hypot(1, 0.3), abs=3)


def test_without_a_canal_the_line_runs_behind_the_bones() -> None:
    bones = np.logical_or.reduce([slab(z, 25) for z in (20, 60, 100)])
    line = find_line(np.zeros(SHAPE, bool), bones, 1.0)
    assert np.abs(line.points[:, 1] - (50 - 22)).max() < 2
    with pytest.raises(NoSpineError):
        find_line(np.zeros(SHAPE, bool), np.zeros(SHAPE, bool), 1.0)


def test_coordinates_are_lengths_and_sides() -> None:
    line = find_line(tube(), np.zeros(SHAPE, bool), 1.0)
    s, right, front, _ = coordinates(line, np.array([[30.0, 45.0, 99.0]]))
    assert (s[0], right[0], front[0]) == pytest.approx((20, 5, 20), abs=0.5)


def discs_in(*masks: np.ndarray, canal: np.ndarray | None = None) -> list:
    line = find_line(tube() if canal is None else canal, np.zeros(SHAPE, bool), 1.0)
    disc = np.logical_or.reduce(masks).astype(np.float32)
    return find_discs(disc, NOTHING, line, 1.0)


@pytest.mark.parametrize("tilt", [-0.4, 0.0, 0.5])
def test_a_disc_is_measured(tilt: float) -> None:
    (found,) = discs_in(slab(60, 6, tilt))
    assert found.centre == pytest.approx([25, 50, 60], abs=0.3)
    assert found.s == pytest.approx(59, abs=0.5)
    # its plane rises by the tilt towards the front
    assert -found.normal[1] / found.normal[2] == pytest.approx(tilt, abs=0.08)
    assert found.width == pytest.approx(26, abs=2)
    assert found.depth == pytest.approx(26, abs=2.5)
    assert found.height == pytest.approx(6 * np.cos(np.arctan(tilt)), abs=1.2)
    # on the disc's own plane
    assert found.back[1:] == pytest.approx([37.5, 60 - 12.5 * tilt], abs=1.5)


@pytest.mark.parametrize("height", [15, 18])
def test_a_high_disc_is_one(height: int) -> None:
    whole = slab(60, height)
    (found,) = discs_in(whole)
    assert len(found.voxels) == np.count_nonzero(whole)
    assert found.height == pytest.approx(height, abs=1.5)


@pytest.mark.parametrize("tilt", [0.0, 0.35])
def test_discs_that_have_grown_together_are_split(tilt: float) -> None:
    bridge = np.zeros(SHAPE, bool)
    bridge[22:28, 38:42, 40:80] = True
    found = discs_in(slab(45, 6, tilt), slab(75, 6, tilt), bridge)
    assert [d.centre[2] for d in found] == pytest.approx([75, 45], abs=2.0)
    assert all(-d.normal[1] / d.normal[2] == pytest.approx(tilt, abs=0.15) for d in found)


def test_three_in_one_are_three() -> None:
    bridge = np.zeros(SHAPE, bool)
    bridge[23:27, 48:52, 20:100] = True
    found = discs_in(slab(25), slab(60), slab(95), bridge)
    assert [d.centre[2] for d in found] == pytest.approx([95, 60, 25], abs=2.5)


def test_pieces_of_one_disc_are_joined() -> None:
    whole = slab(60)
    whole[24:27] = False
    (found,) = discs_in(whole)
    assert found.centre == pytest.approx([25, 50, 60], abs=0.4)


def test_what_cannot_be_a_disc_is_left_out() -> None:
    behind = slab(30, y=12)
    crumb = np.zeros(SHAPE, bool)
    crumb[20:23, 50:53, 90:92] = True
    found = discs_in(slab(60), slab(85), behind, crumb)
    assert [round(d.centre[2]) for d in found] == [85, 60]


def test_classes_keep_touching_discs_apart() -> None:
    upper, lower = slab(64, 7), slab(57, 7)
    line = find_line(tube(), np.zeros(SHAPE, bool), 1.0)
    kinds = np.where(upper, 3, 4).astype(np.uint8)
    disc = (upper | lower).astype(np.float32)
    assert len(find_discs(disc, NOTHING, line, 1.0)) == 1
    found = find_discs(disc, NOTHING, line, 1.0, kinds)
    assert [d.centre[2] for d in found] == pytest.approx([64, 57])


def test_what_lies_beside_the_canal_does_not_move_the_line() -> None:
    """In the noise of the air in front a network may see a second canal."""
    canal = tube()
    canal[:, :, 58:62] = False  # the canal itself may come in pieces
    beside = np.zeros(SHAPE, bool)
    beside[20:30, 65:72, 30:95] = True
    alone = find_line(canal, np.zeros(SHAPE, bool), 1.0)
    both = find_line(canal | beside, np.zeros(SHAPE, bool), 1.0)
    assert np.abs(both.points - alone.points).max() < 1e-9
    assert both.seen == alone.seen


def disc_of(s: float, depth: float, sacral: float, width: float = 40.0) -> DiscSeen:
    """A disc that the network calls L5–S to this share."""
    nowhere = np.zeros(3)
    landmark = np.array([1 - sacral, 0, 0, 0, sacral])
    return DiscSeen(
        np.zeros((1, 3), np.intp), nowhere, nowhere, nowhere, s, depth, width, 8.0, 0.9, landmark
    )


def test_a_disc_within_the_sacrum_is_none() -> None:
    lumbar = [disc_of(0, 35, 0.0), disc_of(35, 36, 0.1), disc_of(70, 34, 0.9)]
    for below in (disc_of(95, 22, 0.97), disc_of(95, float("nan"), 0.8)):
        assert without_sacral([*lumbar, below]) == lumbar
        assert without_sacral([*lumbar, below, disc_of(115, 20, 0.2)]) == lumbar


def test_the_sacrum_s_own_disc_is_kept() -> None:
    one = [disc_of(0, 35, 0.0), disc_of(35, 36, 0.9)]
    for discs in (one, one[:1], [], [*one, disc_of(70, 34, 0.1)]):
        assert without_sacral(discs) == discs
    # L4–L5 taken for L5–S1: the one below is as deep, and stays
    wrong = [disc_of(0, 35, 0.0), disc_of(35, 36, 0.6), disc_of(70, 35, 0.97)]
    assert without_sacral(wrong) == wrong


@pytest.mark.parametrize("called", [0.0, 0.97])
def test_a_rudiment_below_l5_s_is_none_whatever_it_is_called(called: float) -> None:
    lumbar = [disc_of(0, 35, 0.0), disc_of(35, 36, 0.1), disc_of(70, 34, 0.9 - called / 2)]
    assert without_sacral([*lumbar, disc_of(95, 23, called, width=24)]) == lumbar
    # as wide as the others it may be L5–S1, below an L4–L5 taken for it
    whole = [*lumbar, disc_of(95, 32, called, width=39)]
    assert without_sacral(whole) == whole
    # a crumb of L5–S1 above it takes nothing with it
    four = [disc_of(0, 35, 0.0), disc_of(35, 36, 0.1), disc_of(70, 34, 0.9)]
    assert without_sacral([*four[:2], disc_of(62, 15, 0.9, width=12), four[2]]) == four
    # far from anything called L5–S a small disc is a small disc
    thoracic = [disc_of(0, 35, 0.0), disc_of(35, 23, 0.0, width=24), disc_of(70, 34, 0.9)]
    assert without_sacral(thoracic) == thoracic


def test_in_a_slab_a_vessel_is_no_last_disc() -> None:
    """Its width is not known; the disc of a vertebra that slipped far is not drawn."""
    unknown = float("nan")
    lumbar = [disc_of(0, 35, 0.0, unknown), disc_of(35, 36, 0.0, unknown)]
    assert without_sacral([*lumbar, disc_of(70, 13, 0.99, unknown)]) == lumbar
    low = [*lumbar, disc_of(70, 24, 0.99, unknown)]
    assert without_sacral(low) == low


@pytest.mark.parametrize("spacing", [1.0, 1.25, 1.5, 2.0])
def test_touching_and_high_discs_are_told_apart_on_any_grid(spacing: float) -> None:
    x, y, z = np.indices(tuple(int(n / spacing) for n in SHAPE)) * spacing
    nothing = np.zeros(x.shape, np.float32)
    line = find_line(np.hypot(x - 25, y - 25) < 7, nothing > 0, spacing)

    def found(*discs: tuple[float, float, float]) -> list[float]:
        mask = np.zeros(x.shape, bool)
        for height, thick, radius in discs:
            away = z - height - 0.2 * (y - 50)
            mask |= (np.hypot(x - 25, y - 50) < radius) & (np.abs(away) < thick / 2)
        seen = find_discs(mask.astype(np.float32), (nothing,) * 4, line, spacing)
        return [disc.centre[2] for disc in seen]

    bridge = (58.0, 18.0, 3.0)
    assert found((50, 5, 9), (66, 5, 9), bridge) == pytest.approx([66, 50], abs=1.5)
    assert found((60, 18, 13)) == pytest.approx([60], abs=1.0)


# -- bodies between discs -------------------------------------------------------------------------


def test_discs_missed_between_two_seen_are_put_back_wherever_the_bodies_leave_the_image() -> None:
    shape, anatomy = (20, 40, 150), usual()
    x, y, _ = np.indices(shape) * 1.5
    line = find_line(np.hypot(x - 15, y - 15) < 7, np.zeros(shape, bool), 1.5)
    upper, lower = 18, 21
    apart = float(anatomy.place_mm[lower] - anatomy.place_mm[upper])
    discs = [
        replace(disc_of(s, 30.0, 0.0), centre=line.at(s) + 25 * line.front[0], normal=line.up[0])
        for s in (20.0, 20.0 + apart)
    ]
    # where the image cuts the bodies' front, it seems to end far above the lower disc
    planes = planes_of(discs, (upper, lower), anatomy, 1.0, line, (0.0, 20.0))
    assert [plane.index for plane in planes if upper <= plane.index <= lower] == [18, 19, 20, 21]
    bone = (y > 25) & (y < 55)
    named = name_vertebrae((bone,), planes, anatomy, 1.0, line, 1.5)
    s = line.points[0, 2] - np.arange(shape[2]) * 1.5
    for number, above in ((21, 18), (22, 19), (23, 20)):
        ends = 20.0 + anatomy.place_mm[[above, above + 1]] - anatomy.place_mm[upper]
        inner = (s > ends[0] + 3) & (s < ends[1] - 3)
        assert (named[:, :, inner][bone[:, :, inner]] == number).all()


def last_planes(line: Line) -> list[Plane]:
    """The discs above and below L5, 30 and 65 mm along a straight line."""
    lowest = len(usual().disc_names) - 1
    discs = [
        replace(disc_of(s, 30.0, 0.0), centre=line.at(s) + 25 * line.front[0], normal=line.up[0])
        for s in (30.0, 65.0)
    ]
    return planes_of(discs, (lowest - 1, lowest), usual(), 1.0, line, (0.0, 170.0))


@pytest.mark.parametrize("kinds", [1, 2, 3])
def test_what_lies_far_in_front_of_the_sacrum_is_no_bone_of_it(kinds: int) -> None:
    """Bladder and bowel, drawn as bone and joined to it."""
    shape, anatomy = (20, 60, 120), usual()
    x, y, z = np.indices(shape) * 1.5
    line = find_line(np.hypot(x - 15, y - 15) < 7, np.zeros(shape, bool), 1.5)
    planes = last_planes(line)
    below = line.points[0, 2] - z - 65.0
    bone = (y > 25) & (y < np.where(below < 15, 55, 44))
    bowel = (y >= 44) & (below > 70) & (below < 90)
    sacrum = below > 0
    masks = {
        1: (bone | bowel,),
        2: (bone & ~sacrum, (bone & sacrum) | bowel),
        3: (bone & ~sacrum, np.zeros(shape, bool), (bone & sacrum) | bowel),
    }[kinds]
    named = name_vertebrae(masks, planes, anatomy, 1.0, line, 1.5)
    number = len(anatomy.vertebrae) + 1
    assert not named[bowel].any()
    assert (named[bone & (below > 8)] == number).all()
    assert (named[bone & (below < -6) & (below > -30)] == number - 1).all()


@pytest.mark.parametrize("knows", [True, False])
def test_where_the_wings_of_the_sacrum_begin_the_network_decides_if_it_knows(knows: bool) -> None:
    shape, anatomy = (60, 60, 120), usual()
    x, y, z = np.indices(shape) * 1.5
    line = find_line(np.hypot(x - 45, y - 15) < 7, np.zeros(shape, bool), 1.5)
    planes = last_planes(line)
    below = line.points[0, 2] - z - 65.0
    wings = (np.abs(x - 45) > 24) & (y > 14) & (y < 20)
    bone = ((np.abs(x - 45) < 15) & (y > 25) & (y < np.where(below < 15, 55, 44))) | (
        (y > 14) & (y < 28) & (np.abs(below) < 20)
    )
    said = bone & (below > 1) if knows else np.zeros(shape, bool)
    named = name_vertebrae((bone & ~said, said), planes, anatomy, 1.0, line, 1.5)
    number = len(anatomy.vertebrae) + 1
    # by height alone the wings begin 5 mm above the disc's middle
    between = wings & (below > -4) & (below < 0)
    assert (named[between] == (number - 1 if knows else number)).mean() > 0.95
    assert (named[wings & (below > 5) & (below < 18)] == number).all()
    assert (named[wings & (below < -9) & (below > -18)] == number - 1).all()


# -- the last touches -----------------------------------------------------------------------------


def test_a_pillar_that_another_name_has_flowed_into_is_given_back() -> None:
    """Where no pedicle is seen, the pillar of C3 may touch that of C2 only."""
    anatomy, line = usual(), find_line(tube(), tube(), 1.0)
    heights = Heights(20.0 * np.arange(len(anatomy.vertebrae) + 1.0) - 20.0, anatomy, line, 1.0)
    here = np.zeros(tube().shape, np.int16)
    voxels = np.argwhere(np.ones_like(tube()))
    level, right, front = heights.levels(voxels)
    beside = (np.abs(front) < 4) & (np.abs(right) > 14) & (np.abs(right) < 22)
    for number, chosen in (
        (2, beside & (level > 0.6) & (level < 1.4)),
        (3, beside & (level > 1.5) & (level < 2.4) & (right > 0)),
        (2, beside & (level > 1.5) & (level < 2.4) & (right < 0)),  # robbed
        (3, (front > 10) & (front < 20) & (np.abs(right) < 8) & (level > 1.6) & (level < 2.4)),
    ):
        here[tuple(voxels[chosen].T)] = number
    return_arches(here, heights, heights.hills(here > 0))
    pillar = beside & (level > 1.75) & (level < 2.25)
    assert (here[tuple(voxels[pillar].T)] == 3).all()
    own = beside & (level > 0.75) & (level < 1.25)
    assert (here[tuple(voxels[own].T)] == 2).all()


def test_one_component_a_label_without_holes() -> None:
    labels = np.zeros((30, 30, 30), np.uint8)
    labels[5:15, 5:15, 5:15] = 7
    labels[9:11, 9:11, 9:11] = 0
    labels[22:24, 22:24, 22:24] = 7
    result = clean(labels, 1.5)
    assert np.count_nonzero(result) == 1000
    assert (result[5:15, 5:15, 5:15] == 7).all()


def test_a_ring_is_not_filled() -> None:
    labels = np.zeros((30, 30, 30), np.uint8)
    labels[5:25, 5:25, 10:20] = 3
    labels[10:20, 10:20, 10:20] = 0
    assert (clean(labels, 1.5) == labels).all()


def test_pieces_cut_apart_by_the_image_s_side_stay() -> None:
    labels = np.zeros((4, 40, 40), np.uint8)
    labels[:, 5:15, 10:30] = 9
    labels[:, 25:30, 10:20] = 9  # the arch of a body in a thin slab
    assert (clean(labels, 1.5) == labels).all()
    assert np.count_nonzero(clean(labels, 1.5, sides=False)) == 4 * 10 * 20


def test_an_arch_may_lie_apart_where_both_sides_cut_the_body() -> None:
    labels = np.zeros((8, 60, 40), np.uint8)
    labels[:, 5:15, 10:30] = 9
    labels[3:5, 25:45, 10:20] = 9  # a spinous process: the pedicles are beyond both sides
    assert (clean(labels, 1.5) == labels).all()
    labels[-1] = 0  # one side only: it would be seen
    assert np.count_nonzero(clean(labels, 1.5)) == 7 * 10 * 20


def test_the_canal_is_closed_round_the_cord() -> None:
    places = np.indices((40, 40, 20))
    radius = np.hypot(places[0] - 20, places[1] - 20)
    cord, canal = radius < 5, (radius >= 5) & (radius < 9) & (places[0] > 15)
    cord_hole = cord & (radius > 1)
    closed_cord, closed = close_canal(cord_hole, canal, ~(cord_hole | canal), 1.0)
    assert (closed_cord == cord).all()
    assert not (closed & closed_cord).any()
    from scipy import ndimage

    around = ndimage.binary_dilation(closed_cord[:, :, 10]) & ~closed_cord[:, :, 10]
    assert closed[:, :, 10][around].all()


@pytest.mark.parametrize(("spacing", "stays"), [(1.5, True), (1.25, False), (3.0, True)])
def test_pieces_at_the_side_are_kept_from_a_size_in_mm(spacing: float, stays: bool) -> None:
    labels = np.zeros((2, 40, 40), np.uint8)
    labels[:, 5:9, 10:17] = 9
    labels[:, 25:27, 10:12] = 9  # 8 voxels: 27 mm³, 16 mm³ and 216 mm³
    assert (clean(labels, spacing) == labels).all() == stays


def test_what_is_no_cord_after_all_stays_in_the_canal() -> None:
    """A bundle of roots that a network took for cord, at the canal's wall."""
    places = np.indices((40, 40, 20))
    radius = np.hypot(places[0] - 20, places[1] - 20)
    roots = (np.abs(places[0] - 28) < 2) & (np.abs(places[1] - 20) < 2) & (radius < 10)
    roots &= np.abs(places[2] - 10) < 3
    cord = (radius < 5) | roots
    canal = (radius < 10) & ~cord
    closed_cord, closed = close_canal(cord, canal, np.ones(cord.shape, bool), 1.25)
    assert not (closed_cord & roots).any()
    assert closed[roots].all()
    # one far from the canal is nothing
    far = (places[0] < 3) & (places[1] < 3) & (places[2] < 3)
    assert not np.any(np.stack(close_canal(cord | far, canal, ~cord, 1.25))[:, far])


def test_labels_go_to_another_grid_and_back() -> None:
    fine = Space((40, 40, 40), np.eye(4))
    labels = np.zeros(fine.shape, np.uint8)
    labels[8:20, 8:30, 8:30], labels[20:32, 8:30, 8:30] = 5, 6
    turn = np.array([[0, 0, 1.3, 3], [0, 1.1, 0, 0.4], [-0.7, 0, 0, 30], [0, 0, 0, 1]])
    other = Space((40, 36, 24), turn)
    there = on_grid(labels, fine, Image(np.zeros(other.shape, np.uint8), other))
    back = on_grid(np.asarray(there.data), other, Image(np.zeros(fine.shape, np.uint8), fine))
    inside = np.argwhere(labels > 0)
    covered = other.to_voxel(fine.to_world(inside))
    ok = ((covered > 1) & (covered < np.array(other.shape) - 2)).all(axis=1)
    agree = back.data[tuple(inside[ok].T)] == labels[tuple(inside[ok].T)]
    assert agree.mean() > 0.95
    volume = np.count_nonzero(there.data == 5) * other.voxel_volume
    assert volume == pytest.approx(12 * 22 * 22, rel=0.05)


def test_the_working_grid_is_isotropic_about_the_same_middle() -> None:
    old = Space((20, 100, 101), np.diag([3.3, 0.7, 0.9, 1]))
    new = isotropic(old, 1.0)
    assert new.spacing == pytest.approx((1, 1, 1))
    assert new.shape == (66, 70, 91)
    middles = [s.to_world((np.array(s.shape) - 1) / 2) for s in (old, new)]
    assert middles[0] == pytest.approx(middles[1])


class Coarse:
    """Takes for spine what is brighter than 50."""

    name, classes, spacing_mm = "coarse", ("background", "spine"), 4.0

    def probabilities(
        self, channels: np.ndarray, space: Space, mean_sd: tuple[float, float] | None = None
    ) -> np.ndarray:
        spine = (channels[0] > 50).astype(np.float32)
        return np.stack([1 - spine, spine])


def image_with(*bright: tuple[slice, slice, slice], step: float = 2.0) -> Image:
    data = np.zeros((80, 100, 90), np.float32)
    for box in bright:
        data[box] = 100
    return Image(data, Space(data.shape, np.diag([step, step, step, 1])))


COLUMN = (slice(30, 45), slice(40, 60), slice(None))


def test_the_box_holds_what_the_coarse_network_finds(caplog: pytest.LogCaptureFixture) -> None:
    image = image_with(COLUMN)
    with caplog.at_level("INFO", logger="spinetools"):
        box = find_box(image, Coarse())
    assert box is not None
    cut = working_image(image, 1.0, box)
    assert np.count_nonzero(cut.data > 50) == pytest.approx(30 * 40 * 180, rel=0.04)
    # 20 mm are left on each side, and nothing is cut off above and below
    assert cut.shape == pytest.approx((70, 80, 180), abs=8)
    assert cut.shape[2] == 180
    assert "the spine lies in 17 % of the image" in caplog.text
    # voxels stay where they are
    where = np.argwhere(cut.data > 50).mean(axis=0)
    assert cut.space.to_world(where) == pytest.approx([74, 99, 89], abs=0.5)
    assert memory_gb(cut.shape, 15) < memory_gb((160, 200, 180), 15)


def test_the_box_is_found_in_any_orientation() -> None:
    image = image_with((slice(60, 75), slice(10, 30), slice(None)))
    first, second = (
        working_image(turned, 1.5, find_box(turned, Coarse()))
        for turned in (image, image.reorient(("I", "P", "L")))
    )
    assert first.shape == second.shape
    assert first.space.to_world([0, 0, 0]) == pytest.approx(second.space.to_world([0, 0, 0]))
    assert np.count_nonzero(second.data > 50) == pytest.approx(30 * 40 * 180 / 1.5**3, rel=0.06)


def test_a_box_that_cannot_be_trusted_is_none(caplog: pytest.LogCaptureFixture) -> None:
    above = image_with((slice(30, 45), slice(40, 60), slice(10, None)))
    with caplog.at_level("INFO", logger="spinetools"):
        assert find_box(above, Coarse()) is None
    assert "in 11 % of the image's height: the whole image is searched" in caplog.text
    assert find_box(image_with(), Coarse()) is None
    assert find_box(image_with(COLUMN), None) is None


def test_a_bright_spot_in_the_air_widens_no_box() -> None:
    spot = (slice(70, 78), slice(90, 98), slice(40, 48))
    assert find_box(image_with(COLUMN, spot), Coarse()) == find_box(image_with(COLUMN), Coarse())


def test_a_box_that_saves_nothing_is_none() -> None:
    wide = (slice(10, 70), slice(10, 90), slice(None))
    assert find_box(image_with(wide), Coarse()) is None


def test_nothing_is_cut_off_a_small_image() -> None:
    image = image_with(COLUMN, step=1.0)  # 80 × 100 × 90 mm
    assert find_box(image, Coarse()) is None
