"""How well vertebrae of unknown name fit those of a named spine, all measures of all at once.

A measure differs from its level's mean because the body is large or small, because the subject has
it so along the whole spine (a wide canal), because it drifts along the spine, and by itself. All of
it is Gaussian, so that a spine's measures have one joint density: what counts is how they change
from level to level, and a spine that is broad throughout is no evidence of a lower level.

Spreads are the digital spine's where those of real images are not larger: depth, width and height
of 68 lumbar bodies of 12 people vary by 5 to 7 % about their trends. What a network makes of a
structure (how much of the processes, the sac or the whole canal) adds to what a subject has along
the whole spine; and any measure may be meaningless throughout an image.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from spinetools.vertebrae.anatomy import Anatomy
from spinetools.vertebrae.canal import FloatArray
from spinetools.vertebrae.shape import MEASURES

Path = tuple[int | None, ...]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Spread:
    """Standard deviations of a measure: of its logarithm, or of an angle in radians.

    Attributes
    ----------
    growth
        Power of body size that it follows.
    subject
        The same along the whole spine.
    drift
        Changes slowly along the spine.
    own
        Of each level.
    """

    growth: float
    subject: float
    drift: float
    own: float


#: The distance between discs is weighed with the sequence, and is none of these.
SPREADS = {
    "disc": Spread(1.0, 0.15, 0.0, 0.24),
    "depth": Spread(1.0, 0.08, 0.0, 0.07),
    "width": Spread(1.0, 0.08, 0.0, 0.07),
    "aside": Spread(0.5, 0.15, 0.05, 0.10),
    "behind": Spread(0.8, 0.20, 0.05, 0.16),
    "canal": Spread(0.8, 0.20, 0.06, 0.07),
    "canal_width": Spread(0.5, 0.15, 0.05, 0.07),
    "cord": Spread(0.5, 0.18, 0.05, 0.08),
    "hang": Spread(0.0, 0.12, 0.05, 0.13),
    "lean": Spread(0.0, 0.10, 0.13, 0.05),
}
#: Length, in levels, over which drifts change.
_DRIFT_LEVELS = 5.0
#: A measure this many standard deviations from what the others of its naming make likely, in every
#: naming, says nothing (a crushed body, a merged mask).
_OUTLIER_SD = 4.0
#: Outliers show among no fewer than these.
_LEAST_TO_COMPARE = 3
#: Chance that a measure says nothing in the whole image (cut processes, a canal drawn otherwise).
DOUBT = 0.05
#: Spread of body size, relative.
_SIZE_SD = 0.08
_LENGTHS = tuple(name for name in SPREADS if name not in ("hang", "lean"))

# The vertebra, and the disc above it: mm, mm² (canal, cord), degrees (hang, lean). Means of what is
# measured on the digital spine (2 mm voxels), which has the numbers of
# :mod:`spinetools.phantom.numbers`.
_ROWS = """
C3   4.4  13.7  14.8  23.3  21.8   212  21.0    70    11    12
C4   4.5  14.3  15.9  23.2  20.7   208  21.2    75    16    15
C5   4.4  14.1  16.4  23.8  19.8   205  21.4    73    18    18
C6   4.7  15.5  17.8  25.0  22.0   198  20.8    66    20    20
C7   4.8  17.2  20.9  29.3  26.3   190  19.7    55    24    22
T1   4.9  15.6  21.5  34.5  30.7   179  17.9    45    26    23
T2   4.7  16.6  22.5  33.8  34.3   158  16.1    41    29    22
T3   4.7  19.3  21.9  34.0  33.9   148  15.2    37    34    22
T4   4.8  19.9  21.9  33.7  32.5   140  14.4    33    41    19
T5   4.8  21.1  22.6  33.5  31.2   123  13.3    34    47    16
T6   5.2  22.3  23.5  33.6  31.1   129  13.4    34    47    13
T7   5.5  23.9  24.5  33.1  31.2   134  13.3    34    50    10
T8   5.6  24.0  25.8  32.9  30.6   140  13.5    36    51     7
T9   6.0  25.0  27.6  33.0  31.9   139  13.7    38    44     4
T10  6.0  26.4  27.7  32.3  32.2   148  14.3    41    39     0
T11  6.2  28.0  31.3  23.1  31.7   175  15.6    46    31    -2
T12  6.5  28.9  35.2  23.4  33.8   211  17.2    40    23    -3
L1   7.3  29.1  36.5  43.0  37.2   230  18.3    33    19    -3
L2   8.3  29.5  38.2  46.1  40.0   216  18.0    28    21    -1
L3   9.2  30.2  39.2  49.5  42.1   203  17.6     -    20     3
L4   9.9  30.4  41.1  52.3  42.4   191  17.2     -    21    11
L5   9.7  29.8  41.8  54.1  37.9   168  16.2     -    23    24
S    5.8     -     -     -     -     -     -     -     -    41
"""
_LIKE = {"T13": "T12", "L6": "L5"}
#: How much more the cord's area varies where its end tapers, or has ended, by level.
_TAPER_SD = {"T11": 0.12, "T12": 0.28, "T13": 0.28, "L1": 0.4, "L2": 0.4}


@lru_cache(maxsize=1)
def _means() -> dict[str, FloatArray]:
    """Return the mean of each measure by level, in the order of :data:`MEASURES`; NaN for none."""
    table = {}
    for row in _ROWS.strip().splitlines():
        level, *words = row.split()
        values = dict(zip(SPREADS, words, strict=True))
        means = np.full(len(MEASURES), np.nan)
        for name, word in values.items():
            if word != "-":
                number = float(word)
                means[MEASURES.index(name)] = (
                    np.log(number) if name in _LENGTHS else np.deg2rad(number)
                )
        table[level] = means
    return table


def mean_of(level: str) -> FloatArray:
    """Return the means (measures,) of a vertebra and the disc above it; ``S`` is the sacrum."""
    return _means()[_LIKE.get(level, level)]


@lru_cache(maxsize=16)
def means_of(anatomy: Anatomy) -> tuple[FloatArray, FloatArray]:
    """Return means and own spreads (discs, measures): each disc and the vertebra below it."""
    levels = [anatomy.neighbours(j)[1] for j in range(len(anatomy.disc_names))]
    own = np.tile(_by_column("own"), (len(levels), 1))
    for row, level in enumerate(levels):
        cord = MEASURES.index("cord")
        own[row, cord] = np.hypot(own[row, cord], _TAPER_SD.get(level, 0.0))
    return np.array([mean_of(level) for level in levels]), own


@dataclass(frozen=True, eq=False)
class _Fit:
    """What each measure should be in a naming, its own spread, and whether it means anything."""

    means: FloatArray
    own: FloatArray
    used: Bools


class Likeness:
    """The joint density of one image's measures, for any naming.

    Parameters
    ----------
    measures
        (N, measures) as :func:`spinetools.vertebrae.shape.measure` gives them.
    scales
        Body sizes to give the density for.
    doubt
        Chance that a measure says nothing in the whole image.
    """

    def __init__(self, measures: FloatArray, scales: FloatArray, doubt: float = DOUBT) -> None:
        self._measures = measures
        self._log_scales = np.log(scales)
        self._doubt = doubt
        columns = (MEASURES.index(name) for name in SPREADS)
        self._columns = [k for k in columns if np.isfinite(measures[:, k]).any()]
        self._factors: dict[bytes, tuple[FloatArray, float]] = {}

    def score(self, paths: list[tuple[Anatomy, Path]]) -> FloatArray:
        """Return the log-likelihood ratio (paths, scales) of each way to name the discs."""
        fits = [self._fit(anatomy, path) for anatomy, path in paths]
        sound = self._sound(fits)
        result = np.zeros((len(paths), len(self._log_scales)))
        for fit, row in zip(fits, result, strict=True):
            for k in self._columns:
                used = fit.used[:, k] & sound[:, k]
                if used.any():
                    ratio = self._ratio(fit, k, used)
                    row += np.logaddexp(np.log1p(-self._doubt) + ratio, np.log(self._doubt))
        return result

    def _fit(self, anatomy: Anatomy, path: Path) -> _Fit:
        """Return what each measure should be in a naming, and whether it means anything."""
        expected, spread = means_of(anatomy)
        means = np.full(self._measures.shape, np.nan)
        own = np.ones(self._measures.shape)
        alone = [MEASURES.index("lean"), MEASURES.index("disc")]
        for row, index in enumerate(path):
            if index is None:
                continue
            follower = path[row + 1] if row + 1 < len(path) else None
            # where the next disc is not the next one, no single vertebra lies between them
            columns = slice(None) if follower == index + 1 else alone
            means[row, columns] = expected[index, columns]
            own[row] = spread[index]
        used = np.isfinite(means) & np.isfinite(self._measures)
        return _Fit(means, own, used)

    def _sound(self, fits: list[_Fit]) -> Bools:
        """Find the measures that are outliers in no matter which naming, and leave them out."""
        least = np.full(self._measures.shape, np.inf)
        for fit in fits:
            parts = []
            for k in self._columns:
                used = fit.used[:, k]
                if used.any():
                    inverse, _ = self._factor(fit, k, used)
                    rest = self._measures[used, k] - fit.means[used, k]
                    parts.append((k, used, inverse, rest, _by_column("growth")[k]))
            # in the body size that fits best
            pull = sum(g * float(inverse.sum(axis=0) @ rest) for _, _, inverse, rest, g in parts)
            stiff = sum(g**2 * float(inverse.sum()) for _, _, inverse, _, g in parts)
            size = pull / (stiff + 1 / _SIZE_SD**2)
            for k, used, inverse, rest, growth in parts:
                if used.sum() < _LEAST_TO_COMPARE:
                    least[used, k] = 0.0
                    continue
                z = np.abs(inverse @ (rest - size * growth)) / np.sqrt(np.diag(inverse))
                least[used, k] = np.minimum(least[used, k], z)
        sound: Bools = least < _OUTLIER_SD
        return sound

    def _ratio(self, fit: _Fit, k: int, used: Bools) -> FloatArray:
        """Compare one measure's joint density to that of things of no name: (scales,)."""
        values, growth = self._measures[used, k], _by_column("growth")[k]
        inverse, log_det = self._factor(fit, k, used)
        rest = values - fit.means[used, k]
        pull = inverse.sum(axis=0) * growth
        squares = (
            float(rest @ inverse @ rest)
            - 2 * self._log_scales * float(pull @ rest)
            + self._log_scales**2 * float(pull.sum()) * growth
        )
        mean, sd = (part[k] for part in _usual())
        flat = -0.5 * float((((values - mean) / sd) ** 2).sum()) - len(values) * np.log(sd)
        result: FloatArray = -0.5 * squares - 0.5 * log_det - flat
        return result

    def _factor(self, fit: _Fit, k: int, used: Bools) -> tuple[FloatArray, float]:
        """Return the inverse of one measure's covariance, and the log of its determinant."""
        own = fit.own[used, k]
        key = bytes([k]) + used.tobytes() + own.tobytes()
        if key not in self._factors:
            rows = np.flatnonzero(used)
            drift = np.exp(-np.abs(rows[:, None] - rows) / _DRIFT_LEVELS)
            covariance = (
                _by_column("subject")[k] ** 2
                + _by_column("drift")[k] ** 2 * drift
                + np.diag(own**2)
            )
            inverse = np.linalg.inv(covariance)
            self._factors[key] = inverse, float(np.linalg.slogdet(covariance)[1])
        return self._factors[key]


@lru_cache(maxsize=1)
def _usual() -> tuple[FloatArray, FloatArray]:
    """Return mean and spread of each measure over all levels: what a thing of no name is like."""
    everyone = np.array(list(_means().values()))
    weighed = np.isfinite(everyone).any(axis=0)
    mean, variance = np.zeros(len(MEASURES)), np.ones(len(MEASURES))
    mean[weighed] = np.nanmean(everyone[:, weighed], axis=0)
    variance[weighed] = np.nanvar(everyone[:, weighed], axis=0)
    for name in ("subject", "drift", "own"):
        variance += _by_column(name) ** 2
    return mean, np.sqrt(variance)


@lru_cache(maxsize=8)
def _by_column(field: str) -> FloatArray:
    """Return one of the spreads by column of the measures; 0 for what is not weighed."""
    return np.array(
        [getattr(SPREADS[name], field) if name in SPREADS else 0.0 for name in MEASURES]
    )
