"""Paired comparisons of methods: sign test, bootstrap, Bland–Altman."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

FloatArray = npt.NDArray[np.float64]

#: Resamples of a bootstrap, and its seed: the same scans give the same answer.
RESAMPLES, SEED = 10_000, 20


@dataclass(frozen=True)
class Paired:
    """What paired differences say.

    Attributes
    ----------
    n
        Number of independent differences.
    mean
        Of the differences.
    low, high
        Limits of the mean's 95 % interval (percentile bootstrap); NaN for a single difference.
    support
        Share of resamples with a mean above zero.
    wins, losses
        How many differences are positive and negative.
    p
        Of the two-sided sign test: how often as uneven a count as this, or a more uneven one,
        comes about where neither side is better.
    """

    n: int
    mean: float
    low: float
    high: float
    support: float
    wins: int
    losses: int
    p: float


def paired(differences: npt.ArrayLike, errors: npt.ArrayLike | None = None) -> Paired:
    """Test whether paired differences are above or below zero.

    Parameters
    ----------
    differences
        One for each independent unit (a subject, not a slice).
    errors
        Standard deviation of each difference's own measurement error; without it, differences
        are taken as exact. It is drawn anew in every resample, so that the interval holds both
        what differs between units and what is not known of each.

    Returns
    -------
    Paired

    Notes
    -----
    Percentile bootstrap after Efron and Tibshirani, An Introduction to the Bootstrap, 1993,
    chapter 13. With few units it is too narrow: the sign test, which makes no assumption at all,
    stands beside it. It cannot fall below 0.05 with fewer than six units.
    """
    values = np.asarray(differences, dtype=np.float64)
    n = len(values)
    if n == 0:
        nan = float("nan")
        return Paired(0, nan, nan, nan, nan, 0, 0, 1.0)
    spread = np.zeros(n) if errors is None else np.asarray(errors, dtype=np.float64)
    rng = np.random.default_rng(SEED)
    chosen = rng.integers(0, n, (RESAMPLES, n))
    means = (values[chosen] + rng.normal(0, 1, (RESAMPLES, n)) * spread[chosen]).mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5]) if n > 1 else (np.nan, np.nan)
    # exact zeros support neither side: they count as a half
    support = float((means > 0).mean() + (means == 0).mean() / 2)
    wins, losses = int((values > 0).sum()), int((values < 0).sum())
    return Paired(
        n, float(values.mean()), float(low), float(high), support, wins, losses,
        sign_test(wins, losses),
    )  # fmt: skip


def sign_test(wins: int, losses: int) -> float:
    """Return the two-sided p of a sign test; ties are left out (Conover 1999, section 3.4)."""
    if wins + losses == 0:
        return 1.0
    return float(stats.binomtest(wins, wins + losses, 0.5).pvalue)


@dataclass(frozen=True)
class BlandAltman:
    """Agreement of two methods that measure the same (Bland and Altman, Lancet 1986, 1:307).

    Attributes
    ----------
    n
        Number of pairs.
    bias
        Mean of first minus second.
    sd
        Standard deviation of the differences.
    lower, upper
        95 % limits of agreement: bias ± 1.96 SD.
    bias_low, bias_high
        95 % confidence limits of the bias.
    """

    n: int
    bias: float
    sd: float
    lower: float
    upper: float
    bias_low: float
    bias_high: float


def bland_altman(first: npt.ArrayLike, second: npt.ArrayLike) -> BlandAltman:
    """Compare paired measurements.

    Parameters
    ----------
    first, second
        One pair for each independent unit; pairs with a value that is not finite are left out.

    Returns
    -------
    BlandAltman
        With fewer than two pairs, all that needs a spread is NaN.
    """
    a, b = (np.asarray(values, dtype=np.float64) for values in (first, second))
    known = np.isfinite(a) & np.isfinite(b)
    differences = (a - b)[known]
    n = len(differences)
    bias = float(differences.mean()) if n else float("nan")
    if n < 2:
        nan = float("nan")
        return BlandAltman(n, bias, nan, nan, nan, nan, nan)
    sd = float(differences.std(ddof=1))
    half = float(stats.t.ppf(0.975, n - 1)) * sd / np.sqrt(n)
    return BlandAltman(n, bias, sd, bias - 1.96 * sd, bias + 1.96 * sd, bias - half, bias + half)
