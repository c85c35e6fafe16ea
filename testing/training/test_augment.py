"""Random changes to training samples."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spinetools.training.augment import Augmentation, changed, placed

STILL = Augmentation(
    patch=(9, 7), rotation_deg=0, log_scale=0, blur=0, noise=0, repaint=0, crop=0, shift_mm=0
)


def ball(shape: tuple[int, ...], spacing: tuple[float, ...], radius_mm: float) -> np.ndarray:
    middle = (np.array(shape) - 1) / 2
    place = (np.indices(shape).T - middle) * spacing
    return (radius_mm >= np.linalg.norm(place, axis=-1).T).astype(np.float32)


def test_without_changes_a_patch_is_the_image_about_its_centre() -> None:
    image = np.random.default_rng(0).random((20, 20)).astype(np.float32)
    seen = set()
    for seed in range(8):
        (patch,), _ = placed(
            (image,), (1.0, 1.0), np.array([8.0, 9.0]), np.random.default_rng(seed), STILL
        )
        straight = np.allclose(patch, image[4:13, 6:13], atol=1e-6)
        mirrored = np.allclose(patch, image[4:13, 6:13][::-1], atol=1e-6)
        assert straight or mirrored
        seen.add(straight)
    assert seen == {True, False}


@pytest.mark.parametrize("n_axes", [2, 3])
def test_a_patch_keeps_the_volume_of_what_it_shows(n_axes: int) -> None:
    spacing = (0.5, 0.5, 3.0)[:n_axes]
    settings = Augmentation(
        patch=(80, 80, 60)[:n_axes], spacing_mm=(0.5, 0.5, 1.0)[:n_axes], log_scale=0
    )
    solid = ball((120, 120, 21)[:n_axes], spacing, 14)
    centre = (np.array(solid.shape) - 1) / 2
    wanted = solid.sum() * np.prod(spacing)
    for seed in range(5):
        rng = np.random.default_rng(seed)
        (_, cut), _ = placed((solid, solid), spacing, centre, rng, settings)
        assert cut.sum() * np.prod(settings.spacing_mm) == pytest.approx(wanted, rel=0.03)


def test_beyond_the_image_its_border_is_repeated_and_nothing_is_known() -> None:
    image, cord = np.full((6, 6), 7, np.float32), np.ones((6, 6), np.float32)
    rng = np.random.default_rng(0)
    (patch, share), inside = placed((image, cord), (1.0, 1.0), np.array([2.0, 2.0]), rng, STILL)
    assert (patch == 7).all()
    assert inside.sum() == 6 * 6
    _, targets = changed(patch, share[None], rng, STILL, distort=False, inside=inside)
    assert (targets[0][inside] == 1).all()
    assert np.isnan(targets[0][~inside]).all()


def test_a_repainted_cord_goes_on_beyond_the_image() -> None:
    image, cord = np.full((9, 3), 7, np.float32), np.zeros((9, 3), np.float32)
    cord[3:6] = 1
    rng = np.random.default_rng(0)
    (patch, share), inside = placed((image, cord), (1.0, 1.0), np.array([4.0, 1.0]), rng, STILL)
    other, _ = changed(patch, share[None], rng, replace(STILL, repaint=1.0), False, inside)
    assert np.ptp(other[4]) < 0.6 * np.ptp(other)  # the coil's field alone


def test_intensities_change_and_labels_do_not() -> None:
    rng = np.random.default_rng(1)
    settings = replace(STILL, patch=(40, 40), repaint=1.0, blur=1.0, noise=0.1)
    image, cord = rng.random((40, 40)).astype(np.float32), ball((40, 40), (1.0, 1.0), 6)
    other, targets = changed(image, cord[None], rng, settings, distort=True)
    assert other.dtype == np.float32
    assert np.isfinite(other).all()
    assert abs(np.corrcoef(other.ravel(), image.ravel())[0, 1]) < 0.99
    np.testing.assert_array_equal(targets[0], cord)


def test_a_cut_field_of_view_cuts_the_labels_too() -> None:
    settings = replace(STILL, patch=(40, 40), crop=1.0, smallest_crop=0.3)
    cord = np.ones((1, 40, 40), np.float32)
    smallest = 1.0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        image = rng.random((40, 40)).astype(np.float32)
        _, targets = changed(image, cord, rng, settings, distort=False)
        known = ~np.isnan(targets)
        assert (targets[known] == 1).all()
        smallest = min(smallest, float(known.mean()))
    assert smallest < 0.5


def test_the_same_seed_gives_the_same_sample() -> None:
    image = np.random.default_rng(2).random((64, 64)).astype(np.float32)
    cord = ball((64, 64), (1.0, 1.0), 8)
    made = []
    for _ in range(2):
        rng = np.random.default_rng(5)
        patches, _ = placed((image, cord), (1.0, 1.0), np.array([32.0, 32.0]), rng, Augmentation())
        made.append(changed(patches[0], patches[1][None], rng, Augmentation(), distort=True))
    np.testing.assert_array_equal(made[0][0], made[1][0])
    np.testing.assert_array_equal(made[0][1], made[1][1])


def test_a_blended_cord_comes_near_to_its_surroundings() -> None:
    settings = replace(STILL, patch=(40, 40), blend=1.0)
    cord = ball((40, 40), (1.0, 1.0), 6)
    image = np.float32(100) - 60 * cord
    gaps = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        other, _ = changed(image, cord[None], rng, settings, distort=False)
        outside, inside = other[28:32, 18:22].mean(), other[18:22, 18:22].mean()
        gaps.append(float((outside - inside) / outside))
    assert max(gaps) < 0.5
    assert min(gaps) < 0.1
