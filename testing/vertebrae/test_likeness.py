"""What vertebrae look like as evidence: joint, by trend, robust."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from spinetools.vertebrae.anatomy import usual
from spinetools.vertebrae.evidence import SCALES
from spinetools.vertebrae.likeness import SPREADS, Likeness, Path, mean_of, means_of
from spinetools.vertebrae.shape import MEASURES

ONE = np.array([1.0])


def typical(first: int, last: int, scale: float = 1.0) -> np.ndarray:
    """Measures of a spine of mean proportions, discs first to last."""
    growth = np.array([SPREADS[m].growth if m in SPREADS else 0.0 for m in MEASURES])
    return means_of(usual())[0][first : last + 1] + growth * np.log(scale)


def best(measures: np.ndarray, scales: np.ndarray = SCALES) -> int:
    """The first disc of the naming that fits best."""
    n = len(measures)
    starts = range(len(usual().disc_names) - n + 1)
    paths: list[tuple[object, Path]] = [(usual(), tuple(range(a, a + n))) for a in starts]
    return int(np.argmax(logsumexp(Likeness(measures, scales).score(paths), axis=1)))


@pytest.mark.parametrize("first", range(0, 18, 3))
def test_typical_vertebrae_fit_where_they_belong(first: int) -> None:
    assert best(typical(first, first + 5)) == first


def test_the_size_of_the_body_is_found() -> None:
    paths = [(usual(), tuple(range(8, 15)))]
    for scale in (0.9, 1.1):
        score = Likeness(typical(8, 14, scale), SCALES).score(paths)[0]
        assert SCALES[int(np.argmax(score))] == pytest.approx(scale, abs=0.04)


def test_what_is_so_throughout_does_not_move_the_names() -> None:
    """A wide canal and thin discs in the whole spine."""
    measures = typical(6, 12)
    measures[:, MEASURES.index("canal")] += np.log(1.2)
    measures[:, MEASURES.index("disc")] += np.log(0.85)
    assert best(measures) == 6


def test_a_crushed_body_says_nothing() -> None:
    measures = typical(8, 13)
    measures[2, MEASURES.index("depth")] += np.log(0.35)
    without = measures.copy()
    without[2, MEASURES.index("depth")] = np.nan
    paths = [(usual(), tuple(range(a, a + 6))) for a in range(6, 12)]
    np.testing.assert_allclose(
        Likeness(measures, SCALES).score(paths), Likeness(without, SCALES).score(paths)
    )


def test_a_measure_that_is_wrong_throughout_costs_little() -> None:
    """Of the transverse processes next to nothing is drawn: as short as in the upper back."""
    measures = typical(16, 21)
    measures[:, MEASURES.index("aside")] = np.log(30.0)
    assert best(measures) == 16


def test_between_discs_that_are_no_neighbours_there_is_no_vertebra() -> None:
    measures = typical(8, 10)
    lost = measures.copy()
    for k, name in enumerate(MEASURES):
        if name not in ("disc", "lean"):
            lost[0, k] = np.nan
    path = [(usual(), (8, 10, 11))]
    np.testing.assert_allclose(Likeness(measures, ONE).score(path), Likeness(lost, ONE).score(path))


def test_a_false_alarm_is_not_looked_at() -> None:
    measures = typical(8, 10)
    path = [(usual(), (None, None, None))]
    np.testing.assert_array_equal(Likeness(measures, SCALES).score(path), 0.0)


def test_the_density_is_that_of_a_normal_distribution() -> None:
    depth = MEASURES.index("depth")
    measures = np.full((3, len(MEASURES)), np.nan)
    measures[:2, depth] = np.log([26.0, 29.0])
    spread = SPREADS["depth"]
    covariance = np.full((2, 2), spread.subject**2) + np.eye(2) * spread.own**2
    scores = {}
    for first in (10, 14):
        levels = [usual().neighbours(first + i)[1] for i in (0, 1)]
        means = [mean_of(level)[depth] for level in levels]
        scores[first] = multivariate_normal(means, covariance).logpdf(measures[:2, depth])
    paths = [(usual(), (first, first + 1, first + 2)) for first in scores]
    found = Likeness(measures, ONE, doubt=1e-12).score(paths)[:, 0]
    assert found[0] - found[1] == pytest.approx(scores[10] - scores[14])


def test_means_are_anatomical() -> None:
    """Bodies grow from C3 to the lumbar spine; the short processes of T11 and T12 stand out."""
    column = {name: k for k, name in enumerate(MEASURES)}
    depth = [mean_of(level)[column["depth"]] for level in ("C3", "T1", "T6", "T12", "L3")]
    assert depth == sorted(depth)
    aside = {level: np.exp(mean_of(level)[column["aside"]]) for level in ("T10", "T12", "L1")}
    assert aside["T12"] < 0.8 * aside["T10"] < aside["L1"]
    assert np.isnan(mean_of("S")[column["depth"]])
