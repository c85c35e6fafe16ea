"""Image formation: contrast ratios, partial volume, noise, protocols, the whole phantom."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from spinetools.errors import InputError
from spinetools.image import Space
from spinetools.image.orientation import ALL_CODES
from spinetools.phantom import (
    CONTRASTS,
    FIELDS_OF_VIEW,
    PROTOCOLS,
    Acquisition,
    Phantom,
    Subject,
    draw_acquisition,
    draw_table,
    fine_space,
    get_protocol,
    make_phantom,
    make_subject,
    paint_labels,
    place_grid,
    seen_through,
    simulate,
)
from spinetools.phantom.acquisition import block_mean, tissue_signal
from spinetools.phantom.protocols import DEFAULT_PROTOCOL
from spinetools.phantom.tissues import Tissue
from spinetools.phantom.truth import slice_truth

GridMaker = Callable[..., Space]

#: A scanner without faults.
PERFECT = Acquisition(snr=1e6, coil=0.0, bias=0.0, blur=(0, 0, 0))

#: Ratios to the cord's white matter (data: anatomy notes, from public single-subject images).
RATIOS = {
    ("t1", "gradient"): {"CSF": (0.45, 0.6), "MUSCLE": (0.78, 0.94), "MARROW": (0.13, 0.28),
                         "GREY_MATTER": (0.95, 1.05)},
    ("t1", "spin"): {"CSF": (0.3, 0.7), "MARROW": (1.1, 2.0)},
    ("t2", "volume"): {"CSF": (2.2, 3.1), "MARROW": (0.38, 0.47), "MUSCLE": (0.28, 0.42),
                   "GREY_MATTER": (1.01, 1.11)},
    ("t2s", None): {"CSF": (1.25, 2.35), "GREY_MATTER": (1.08, 1.19), "MUSCLE": (0.58, 1.04)},
    ("mt", "on"): {"CSF": (1.19, 1.35), "MARROW": (0.43, 0.53), "GREY_MATTER": (1.17, 1.27)},
    ("mt", "off"): {"CSF": (1.35, 1.51), "MARROW": (0.35, 0.45), "GREY_MATTER": (0.99, 1.07)},
    ("dwi", None): {"CSF": (0.15, 0.4), "MUSCLE": (0.15, 0.4), "GREY_MATTER": (0.95, 1.07)},
}  # fmt: skip


@pytest.mark.parametrize(("contrast", "style"), RATIOS)
def test_tissues_have_the_contrast_s_ratios(
    subject: Subject, box_at: GridMaker, contrast: str, style: str | None
) -> None:
    labels = paint_labels(subject, box_at(subject, 5.0, (60, 70, 50), 1.0))
    pure = {
        Tissue.WHITE_MATTER: (labels.cord == 1) & (labels.grey == 0),
        Tissue.GREY_MATTER: labels.grey > 0.97,
        Tissue.CSF: (labels.sac == 1) & (labels.cord == 0) & (labels.root == 0),
        **{
            tissue: (labels.top == tissue) & (labels.share == 1) & (labels.sac == 0)
            for tissue in (Tissue.MUSCLE, Tissue.MARROW)
        },
    }
    for seed in range(3):
        rng = np.random.default_rng(seed)
        table = draw_table(contrast, rng, style, fat_suppressed=False)
        image = tissue_signal(labels, table, rng)
        cord = image[pure[Tissue.WHITE_MATTER]].mean()
        for name, (low, high) in RATIOS[contrast, style].items():
            ratio = image[pure[Tissue[name]]].mean() / cord
            assert low * 0.95 < ratio < high * 1.05, (contrast, style, name)


def test_order_of_t1_and_t2_tissues() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        spin = draw_table("t1", rng, "spin", fat_suppressed=False).mean
        order = [Tissue.FAT, Tissue.MARROW, Tissue.WHITE_MATTER, Tissue.CSF, Tissue.CORTEX]
        assert (np.diff(spin[order]) < 0).all()
        t2 = draw_table("t2", rng, "volume", fat_suppressed=False).mean
        assert t2[Tissue.ANNULUS] <= 0.37 * t2[Tissue.MARROW]
        assert 1.05 < t2[Tissue.NUCLEUS] / t2[Tissue.MARROW] < 2.1
        suppressed = draw_table("t2", rng, "volume", fat_suppressed=True).mean
        assert suppressed[Tissue.FAT] < 0.25 * t2[Tissue.FAT]


def test_random_contrast_always_tells_cord_from_csf() -> None:
    tables = [draw_table("random", np.random.default_rng(seed)).mean for seed in range(200)]
    difference = np.array([abs(table[Tissue.CSF] - table[Tissue.WHITE_MATTER]) for table in tables])
    assert difference.min() >= 0.2
    assert np.mean([table[Tissue.CSF] > 1 for table in tables]) > 0.25
    assert np.mean([table[Tissue.CSF] < 1 for table in tables]) > 0.25


@pytest.mark.parametrize(("contrast", "style"), [("t3", None), ("t1", "fast"), ("t2", "spin")])
def test_unknown_names_are_refused(contrast: str, style: str | None) -> None:
    with pytest.raises(InputError):
        draw_table(contrast, np.random.default_rng(0), style)


def test_partial_volume_is_linear_in_the_share(subject: Subject, box_at: GridMaker) -> None:
    labels = paint_labels(subject, box_at(subject, 4.0, (20, 20, 20), 1.0))
    table = draw_table("t2", np.random.default_rng(0))
    plain = replace(table, texture=table.texture * 0)
    image = tissue_signal(labels, plain, np.random.default_rng(0))
    mixed = (labels.cord > 0.05) & (labels.cord < 0.95) & (labels.sac == 1) & (labels.root == 0)
    mixed &= labels.grey == 0
    assert mixed.sum() > 100
    expected = labels.cord + (1 - labels.cord) * plain.mean[Tissue.CSF]
    assert image[mixed] == pytest.approx(expected[mixed], rel=1e-4)


def test_thick_slices_average_what_lies_in_them(subject: Subject, box_at: GridMaker) -> None:
    fine = box_at(subject, 4.0, (40, 40, 30), 1.0)
    thick = Space((40, 40, 6), fine.affine @ np.diag([1, 1, 5, 1.0]) @ _shift(2 / 5))
    divided, factors = fine_space(thick)
    assert factors == (1, 1, 3)
    assert divided.shape == (40, 40, 18)
    corners = np.array([[0, 0, 0], [39, 39, 17]])
    assert divided.to_world(corners)[:, 2] == pytest.approx(
        fine.to_world([[0, 0, -0.5], [0, 0, 29.5]])[:, 2] + np.array([5 / 6, -5 / 6])
    )
    factors = (1, 1, 5)
    labels = paint_labels(subject, fine)
    table = draw_table("t2", np.random.default_rng(0))
    plain = replace(table, texture=table.texture * 0)
    at_once = simulate(labels, plain, PERFECT, np.random.default_rng(1), factors)
    # without texture the signal is fixed but for the gain of each vertebra: the same draw
    signal = tissue_signal(labels, plain, np.random.default_rng(1))
    mean = signal.reshape(40, 40, 6, 5).mean(axis=3)
    assert np.abs(at_once - mean).max() < 1e-3


def _shift(z: float) -> np.ndarray:
    matrix = np.eye(4)
    matrix[2, 3] = z
    return matrix


def test_gap_between_slices_is_not_seen() -> None:
    fine = np.zeros((1, 1, 10), dtype=np.float32)
    fine[..., [0, 4, 5, 9]] = 1.0  # the outer parts of each slice of five
    assert block_mean(fine, (1, 1, 5)) == pytest.approx(np.full((1, 1, 2), 0.4))
    assert block_mean(fine, (1, 1, 5), gap=0.4) == pytest.approx(np.zeros((1, 1, 2)))


def test_noise_has_the_strength_asked_for(subject: Subject, box_at: GridMaker) -> None:
    labels = paint_labels(subject, box_at(subject, 4.0, (40, 40, 30), 1.0))
    table = draw_table("t2", np.random.default_rng(0))
    plain = replace(table, texture=table.texture * 0)
    clean, noisy = (
        simulate(labels, plain, replace(PERFECT, snr=snr), np.random.default_rng(2))
        for snr in (1e6, 20.0)
    )
    inside = labels.cord == 1
    assert (noisy - clean)[inside].std() == pytest.approx(1 / 20, rel=0.1)
    air = Acquisition(snr=20.0, coil=0.0, bias=0.0)
    empty = paint_labels(subject, _far_away())
    background = simulate(empty, plain, air, np.random.default_rng(0))
    assert background.mean() == pytest.approx(np.sqrt(np.pi / 2) / 20, rel=0.05)  # Rayleigh


def _far_away() -> Space:
    affine = np.eye(4)
    affine[:3, 3] = (0.0, -400.0, 0.0)
    return Space((20, 20, 20), affine)


def test_surface_coil_falls_off_towards_the_front(subject: Subject, box_at: GridMaker) -> None:
    labels = paint_labels(subject, box_at(subject, 4.0, (40, 160, 40), 2.0))
    table = draw_table("t2s", np.random.default_rng(0))
    flat = replace(table, mean=np.ones_like(table.mean), texture=table.texture * 0)
    image = simulate(labels, flat, replace(PERFECT, coil=1.0), np.random.default_rng(0))
    profile = image.mean(axis=(0, 2))
    assert profile[5:15].mean() > 1.3 * profile[-15:-5].mean()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_protocols_see_the_cord(subject: Subject, protocol: str) -> None:
    taken = get_protocol(protocol)
    space = place_grid(subject, taken, np.random.default_rng(0))
    assert space.spacing == pytest.approx(taken.spacing)
    assert space.nib_codes == ("R", "A", "S")
    s = np.interp(np.mean(taken.levels), subject.profiles["level"], subject.curve.s)
    voxel = space.to_voxel(subject.curve.at(s))
    assert (voxel > 0).all()
    assert (voxel < space.shape).all()


@pytest.mark.parametrize("name", FIELDS_OF_VIEW)
def test_fields_of_view_cover_their_levels(name: str) -> None:
    first, last = FIELDS_OF_VIEW[name]
    for seed in range(5):
        seen = make_subject(seed)
        space = place_grid(seen, seen_through(get_protocol("t2_3d"), name))
        levels = set(slice_truth(seen, space).level) - {0}
        last_with_cord = int(min(last, float(seen.profile("level", seen.conus_s))))
        assert set(range(max(int(np.ceil(first)), 0) + 1, last_with_cord + 1)) <= levels
        assert max(levels) <= last + 2


def test_spacing_is_the_protocol_s(subject: Subject) -> None:
    protocol = replace(get_protocol("t2_3d"), spacing=(2.5, 2.0, 3.0))
    assert place_grid(subject, protocol).spacing == pytest.approx((2.5, 2.0, 3.0))


@pytest.mark.parametrize("spacing", [(0.0, 1.0, 1.0), (1.0, np.nan, 1.0), (0.1, 0.1, 0.1)])
def test_impossible_grids_are_refused(subject: Subject, spacing: tuple[float, ...]) -> None:
    with pytest.raises(InputError, match="voxel"):
        place_grid(subject, replace(get_protocol("t2_3d"), spacing=spacing))


def small(seed: int, contrast: str = "t2", **options: object) -> Phantom:
    protocol = replace(get_protocol("t2_3d"), spacing=(2.0, 2.0, 2.0), size=(40.0, 90.0, 90.0))
    return make_phantom(seed, contrast, protocol, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("contrast", CONTRASTS)
def test_same_seed_same_voxels(contrast: str) -> None:
    first, again, other = small(4, contrast), small(4, contrast), small(5, contrast)
    assert np.array_equal(first.image.data, again.image.data)
    assert np.array_equal(first.structures.data, again.structures.data)
    assert not np.array_equal(first.image.data, other.image.data)
    assert np.isfinite(first.image.data).all()
    assert first.image.data.dtype == np.float32
    assert first.contrast == contrast


def test_all_orientations_hold_the_same_image() -> None:
    plain = small(1)
    for codes in ALL_CODES[::5]:
        turned = small(1, nib_codes=codes)
        assert turned.space.nib_codes == codes
        for name in ("image", "cord", "levels", "discs", "structures"):
            back = getattr(turned, name).reorient(("R", "A", "S"))
            assert np.array_equal(back.data, getattr(plain, name).data), (codes, name)
        assert turned.centerline == pytest.approx(plain.centerline)


def test_a_grid_of_one_s_own(subject: Subject, box_at: GridMaker) -> None:
    space = box_at(subject, 4.0, (30, 40, 50), 2.0).reoriented(("P", "S", "R"))
    phantom = make_phantom(0, "t2s", space=space, subject=subject)
    assert phantom.space.same_as(space)
    assert phantom.cord.data.any()


def test_truth_fits_the_masks() -> None:
    phantom = make_phantom(3, "t2", "t2_axial")
    cord, canal = phantom.cord.data > 0, phantom.canal.data > 0
    assert (canal >= cord).all()
    voxels = phantom.space.to_voxel(phantom.centerline)
    inside = cord[tuple(np.rint(voxels).astype(int).T)]
    assert inside.mean() > 0.97  # at the end slices a thick voxel may be half empty
    truth = phantom.truth
    for index in np.flatnonzero(truth.level)[1:-1]:
        places = np.argwhere(cord[:, :, index])
        offset = (places.mean(axis=0) - truth.position[index, :2]) * phantom.space.spacing[:2]
        assert np.linalg.norm(offset) < 0.5
        levels = phantom.levels.data[:, :, index]
        assert truth.level[index] in levels[cord[:, :, index]]
    assert set(np.unique(phantom.levels.data[cord])) <= set(range(1, 25))
    assert not phantom.levels.data[~cord].any()


def test_disc_points_lie_behind_their_discs_in_front_of_the_cord() -> None:
    phantom = make_phantom(6, "t2", replace(get_protocol("t2_3d"), spacing=(1.5, 1.5, 1.5)))
    points = np.argwhere(phantom.discs.data)
    values = phantom.discs.data[tuple(points.T)]
    assert len(values) == len(set(values)) > 6
    assert min(values) >= 3  # C2–C3
    order = np.argsort(values)
    world = phantom.space.to_world(points[order])
    assert (np.diff(world[:, 2]) < 0).all()  # downwards
    s, u, v = phantom.subject.curve.solve(world)
    wall = phantom.subject.profile("sac_v", s) + phantom.subject.profile("sac_ap", s) / 2
    assert np.abs(v - wall).max() < 3.5
    assert np.abs(u).max() < 2
    # the level changes at the disc: above it the level is the value less one
    assert (phantom.subject.level_index(s - 3) == values[order] - 1).all()


def test_truth_as_text() -> None:
    phantom = small(2)
    lines = phantom.truth.csv().splitlines()
    assert lines[0] == "slice,level,s_mm,csa_mm2,ap_mm,rl_mm,angle_deg"
    assert len(lines) - 1 == int((phantom.truth.level > 0).sum())
    cells = lines[1].split(",")
    assert cells[1][0] in "CTL"
    assert float(cells[3]) == pytest.approx(np.pi / 4 * float(cells[4]) * float(cells[5]), rel=1e-3)
    rows = np.array(
        [line.split(",") for line in phantom.centerline_csv().splitlines()], dtype=float
    )
    assert (np.diff(rows[:, 2]) > 0).all()
    assert np.linalg.norm(np.diff(rows, axis=0), axis=1) == pytest.approx(0.5, abs=0.02)


def test_every_contrast_has_its_protocol() -> None:
    assert set(DEFAULT_PROTOCOL) == set(CONTRASTS)
    assert set(DEFAULT_PROTOCOL.values()) <= set(PROTOCOLS)
    for contrast in CONTRASTS:
        drawn = draw_acquisition(contrast, np.random.default_rng(0))
        assert drawn.snr > 3
