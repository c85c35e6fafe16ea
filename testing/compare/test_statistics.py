"""Statistics with answers that are known from elsewhere."""

from __future__ import annotations

import numpy as np
import pytest

from spinetools.compare.statistics import bland_altman, paired, sign_test


@pytest.mark.parametrize(
    ("wins", "losses", "p"),
    [
        (5, 0, 2 / 32),  # five of five: not below 0.05
        (6, 0, 2 / 64),
        (9, 1, 2 * 11 / 1024),
        (3, 3, 1.0),
        (0, 0, 1.0),
        (1, 0, 1.0),
    ],
)
def test_sign_test(wins: int, losses: int, p: float) -> None:
    assert sign_test(wins, losses) == pytest.approx(p)
    assert sign_test(losses, wins) == pytest.approx(p)


def test_bland_altman_by_hand() -> None:
    # differences 1, −1, 2, 0: mean 0.5, SD √(5/3); t(0.975, 3) = 3.18245
    found = bland_altman([11, 9, 12, 10], [10, 10, 10, 10])
    sd = np.sqrt(5 / 3)
    assert (found.n, found.bias, found.sd) == (4, 0.5, pytest.approx(sd))
    assert found.lower == pytest.approx(0.5 - 1.96 * sd)
    assert found.upper == pytest.approx(0.5 + 1.96 * sd)
    assert found.bias_high - found.bias == pytest.approx(3.18245 * sd / 2, rel=1e-5)
    assert found.bias - found.bias_low == pytest.approx(3.18245 * sd / 2, rel=1e-5)


def test_bland_altman_leaves_out_what_failed() -> None:
    assert bland_altman([1, np.nan, 3], [0, 2, 1]) == bland_altman([1, 3], [0, 1])
    one = bland_altman([2.0], [1.5])
    assert (one.n, one.bias) == (1, 0.5)
    assert np.isnan([one.sd, one.lower, one.bias_low]).all()
    assert bland_altman([], []).n == 0


def test_the_bootstrap_interval_is_that_of_the_mean() -> None:
    rng = np.random.default_rng(5)
    values = rng.normal(0.3, 1.0, 400)
    found = paired(values)
    half = 1.96 * values.std() / 20
    assert found.mean == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - half, abs=0.012)
    assert found.high == pytest.approx(values.mean() + half, abs=0.012)
    assert found.support == 1.0


def test_errors_of_measurement_widen_it() -> None:
    values = np.full(100, 0.1)
    exact, rough = paired(values), paired(values, np.full(100, 2.0))
    assert exact.low == exact.high == pytest.approx(0.1)
    # the mean of 100 draws of SD 2 has an SD of 0.2
    assert rough.high - rough.low == pytest.approx(2 * 1.96 * 0.2, rel=0.05)
    assert rough.support == pytest.approx(0.69, abs=0.02)  # Φ(0.1 / 0.2)


def test_intervals_hold_as_often_as_they_say() -> None:
    rng = np.random.default_rng(11)
    inside = 0
    for _ in range(60):
        truth = rng.normal(0, 1, 25)
        seen = truth + rng.normal(0, 0.7, 25)
        found = paired(seen)
        inside += found.low <= 0 <= found.high
    assert 50 <= inside <= 60  # 95 % of 60 is 57


def test_few_units() -> None:
    assert paired([]).n == 0
    one = paired([0.2])
    assert np.isnan([one.low, one.high]).all()
    assert (one.wins, one.losses, one.p) == (1, 0, 1.0)
    tie = paired([0.0, 0.0])
    assert (tie.wins, tie.losses, tie.support) == (0, 0, 0.5)


def test_it_is_the_same_every_time() -> None:
    values = np.random.default_rng(1).normal(0, 1, 12)
    assert paired(values) == paired(values)
