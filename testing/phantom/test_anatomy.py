"""The subject's numbers: cord, curve, bones."""

from __future__ import annotations

import numpy as np
import pytest

from spinetools.errors import InputError
from spinetools.phantom import Subject, make_subject, numbers
from spinetools.phantom.numbers import LEVEL_NUMBERS
from spinetools.phantom.profiles import continuous_level


def at_level(subject: Subject, level: float) -> float:
    return float(np.interp(level, subject.profiles["level"], subject.curve.s))


def test_same_seed_same_subject_other_seed_another() -> None:
    first, again, other = make_subject(3), make_subject(3), make_subject(4)
    for name, table in first.profiles.items():
        assert np.array_equal(table, again.profiles[name]), name
    assert np.array_equal(first.curve.points, again.curve.points)
    assert [v.height for v in first.vertebrae] == [v.height for v in again.vertebrae]
    assert not np.array_equal(
        first.profiles["cord_ap"], other.profiles["cord_ap"][: len(first.curve.s)]
    )


def test_negative_seed_is_refused() -> None:
    with pytest.raises(InputError, match="seed"):
        make_subject(-1)


def test_population_has_the_table_s_means_and_spreads() -> None:
    subjects = [make_subject(seed) for seed in range(150)]
    # above the conus' taper, the cord's area at mid-level is that of the table
    for index, level in enumerate(LEVEL_NUMBERS[:17]):
        csa = np.array([s.cord_csa(at_level(s, index + 0.5)) for s in subjects])
        assert csa.mean() == pytest.approx(level.cord_csa, rel=0.05), level.name
        assert csa.std() == pytest.approx(level.cord_csa_sd, rel=0.30), level.name
        ratio = [
            s.profile("cord_ap", at_level(s, index + 0.5))
            / s.profile("cord_rl", at_level(s, index + 0.5))
            for s in subjects
        ]
        assert np.median(ratio) == pytest.approx(level.cord_ap / level.cord_rl, rel=0.04), (
            level.name
        )
    place = [float(s.profile("level", s.conus_s)) - 19 for s in subjects]
    assert np.mean(place) == pytest.approx(numbers.CONUS_MEAN, abs=0.15)
    assert numbers.CONUS_LIMITS[0] <= min(place) <= max(place) <= numbers.CONUS_LIMITS[1]


def test_body_size_scales_everything_together() -> None:
    subjects = [make_subject(seed) for seed in range(80)]
    length = [s.boundaries[-1] for s in subjects]
    width = [np.mean([v.width for v in s.vertebrae[2:24]]) for s in subjects]
    area = [float(s.cord_csa(at_level(s, 3.5))) for s in subjects]
    assert np.corrcoef(length, width)[0, 1] > 0.8
    assert 0.05 < np.corrcoef(length, area)[0, 1] < 0.7


def test_cord_changes_smoothly_and_lies_inside_the_sac() -> None:
    for seed in range(40):
        subject = make_subject(seed)
        s = np.arange(0.0, subject.conus_s - 3.0, 1.0)
        cord_ap, cord_rl = subject.profile("cord_ap", s), subject.profile("cord_rl", s)
        assert np.abs(np.diff(cord_ap)).max() < 1.0  # mm a mm: no steps, even where squeezed
        middle, half = subject.profile("sac_v", s), subject.profile("sac_ap", s) / 2
        assert (middle + half > cord_ap / 2).all()
        assert (middle - half < -cord_ap / 2).all()
        assert (subject.profile("sac_rl", s) > cord_rl).all()
        canal_v, canal_half = subject.profile("canal_v", s), subject.profile("canal_ap", s) / 2
        assert (canal_v + canal_half > middle + half).all()
        assert (canal_v - canal_half < middle - half).all()


def test_some_subjects_have_a_squeezed_cord() -> None:
    least = []
    for seed in range(60):
        subject = make_subject(seed)
        s = np.arange(20.0, subject.boundaries[7])
        least.append(float((subject.profile("cord_ap", s) / subject.profile("cord_rl", s)).min()))
    assert 0.02 < np.mean(np.array(least) < 0.42) < 0.4


def test_curvature_is_that_of_a_supine_adult() -> None:
    angles = {"lordosis": [], "kyphosis": [], "neck": []}
    for seed in range(150):
        subject = make_subject(seed)
        _, up, _, _ = subject.curve.frame([at_level(subject, n) for n in (1.5, 7, 19, 24)])
        lean = np.degrees(np.arctan2(up[:, 1], up[:, 2]))
        angles["neck"].append(lean[1] - lean[0])
        angles["kyphosis"].append(lean[1] - lean[2])
        angles["lordosis"].append(lean[3] - lean[2])
    assert np.mean(angles["lordosis"]) == pytest.approx(36.8, abs=5)
    assert np.mean(angles["neck"]) == pytest.approx(12.7, abs=4)
    assert 18 < np.mean(angles["kyphosis"]) < 36
    assert np.std(angles["lordosis"]) > 8


def test_curve_coordinates_are_inverted() -> None:
    subject = make_subject(1)
    rng = np.random.default_rng(0)
    s = rng.uniform(0, 550, 500)
    u, v = rng.uniform(-40, 40, (2, 500))
    found = subject.curve.solve(subject.curve.at(s, u, v))
    for name, expected, value in zip("suv", (s, u, v), found, strict=True):
        assert np.abs(value - expected).max() < 0.05, name


def test_vertebrae_and_discs_alternate_down_the_spine() -> None:
    for seed in range(20):
        subject = make_subject(seed)
        names = [v.name for v in subject.vertebrae]
        assert names == [n.name for n in LEVEL_NUMBERS] + ["S1", "S2", "S3", "S4", "S5"]
        heights = {v.name: v.height for v in subject.vertebrae}
        assert 9 < heights["C4"] < 20
        assert 17 < heights["T8"] < 29
        assert 20 < heights["L3"] < 36
        assert [d.name for d in subject.discs][:2] == ["C2-C3", "C3-C4"]
        assert subject.discs[-1].name == "L5-S"
        assert (np.diff([d.s for d in subject.discs]) > 10).all()


def test_levels_along_the_curve() -> None:
    ends = np.arange(0.0, 300.0, 10.0)
    level = continuous_level(np.array([-10.0, 0.0, 5.0, 240.0, 290.0, 306.0]), ends)
    assert level == pytest.approx([-1.0, 0.0, 0.5, 24.0, 29.0, 30.0])
