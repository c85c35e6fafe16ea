"""What an image says about the numbering, as log-likelihoods of a disc being each disc.

Every term is the logarithm of a likelihood *ratio*: how much better a measure fits this disc than
it fits anything at all. So a disc may also be taken for a false alarm, at a price, and terms that
cannot be measured are zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy.special import expit, log_ndtr

from spinetools.vertebrae.anatomy import Anatomy
from spinetools.vertebrae.classes import LANDMARK_DISCS, landmark_of_disc
from spinetools.vertebrae.discs import DiscSeen

FloatArray = npt.NDArray[np.float64]

#: Body size relative to the mean: the grid over which it is integrated, and its spread. Height
#: varies by 4–5 % between adults of one sex, 7 % over both.
SCALES = np.arange(0.78, 1.27, 0.04)
SCALE_SD = 0.08

#: Conus tip in levels below the top of L1 (lower third of L1; n = 504), and its spread.
CONUS_LEVEL, CONUS_SD = 0.67, 0.5

#: How sharply the network means a landmark from a share of a disc's voxels on.
_NAMED_WIDTH = 0.07
#: Two discs of a mean spine are next to never nearer to each other than this.
_TOO_NEAR_MM = 8.5


@dataclass(frozen=True)
class Hearing:
    """How well a network tells landmarks in one kind of image.

    Each tuple holds a chance for C2–C3, C7–T1, T12–L1 and L5–S.

    Attributes
    ----------
    prior
        Share of images that are of this kind.
    hit, near, far, other
        Chance that a network gives a landmark's class to the landmark, to its neighbour, to a disc
        two away, and to any other.
    edge
        Chance that it does so to the next disc below and to the one after, where the image begins
        just above: what would tell it from the landmark is not seen.
    """

    prior: float
    hit: tuple[float, ...]
    near: tuple[float, ...]
    far: tuple[float, ...]
    other: tuple[float, ...]
    edge: tuple[float, float] = (0.7, 0.35)


#: On contrasts that the network learnt (calibrate_landmarks.py), on others, and where it names no
#: disc a landmark, wherever it lies.
HEARINGS = (
    Hearing(0.75, (0.97, 0.97, 0.95, 0.97), (0.01, 0.02, 0.05, 0.01), (0.004, 0.004, 0.01, 0.004),
            (0.001, 0.001, 0.001, 0.001)),
    Hearing(0.15, (0.80, 0.65, 0.50, 0.75), (0.05, 0.10, 0.15, 0.08), (0.02, 0.03, 0.05, 0.02),
            (0.004, 0.004, 0.004, 0.004)),
    Hearing(0.1, *((0.003,) * 4,) * 4, edge=(0.003, 0.003)),
)  # fmt: skip


@dataclass(frozen=True)
class EvidenceParams:
    """How far each kind of evidence is trusted.

    Attributes
    ----------
    pitch_cv, place_mm
        Spread of the distance between two discs: relative, and the error of both places.
    size_cv, height_cv
        Relative spread of a disc's depth and width, and of its height.
    missed
        Share of the discs within the image that a network does not find.
    false_alarm
        Odds that something found where a disc may be is none.
    half
        Share of a disc's voxels with a landmark's class from which the network means it: for C2–C3,
        C7–T1, T12–L1 and L5–S, as all that follows.
    hearings
        How well networks tell landmarks, by kind of image.
    edge_mm
        A disc lies at the image's upper end within this.
    bend
        Share of discs whose distance is right between their middles rather than along the canal.
    outlier
        Share of measures that say nothing.
    sizes
        Weight of discs' sizes in the sequence (lengths of one spine err together).
    likeness
        Weight of what the vertebrae look like, all together
        (:class:`~spinetools.vertebrae.likeness.Likeness`).
    weight
        Of all evidence together: measures of one image err together, so that a sum of independent
        terms is too sure of itself. Fitted so that the confidence is right as often as it says.
    """

    pitch_cv: float = 0.06
    place_mm: float = 1.5
    size_cv: float = 0.10
    height_cv: float = 0.35
    missed: float = 0.03
    false_alarm: float = 0.01
    half: tuple[float, ...] = (0.3, 0.3, 0.3, 0.3)
    hearings: tuple[Hearing, ...] = HEARINGS
    edge_mm: float = 16.0
    bend: float = 0.05
    outlier: float = 0.04
    sizes: float = 0.35
    likeness: float = 0.7
    weight: float = 1.0


@dataclass(frozen=True)
class PlaceEvidence:
    """Something at a known place along the canal that belongs to a level.

    Attributes
    ----------
    s
        Where, mm along the canal's line.
    level
        ``C5`` (a vertebra), ``C4-C5`` (a disc), or ``conus``.
    sure
        Probability that it is what it is said to be.
    side
        0 where it lies there, 1 where it lies there or below, -1 there or above.
    """

    s: float
    level: str
    sure: float = 1 - 1e-6
    side: int = 0


@dataclass(frozen=True)
class Evidence:
    """All that the numbering is solved from.

    Attributes
    ----------
    discs
        From the top.
    landmarks
        (N, 5) shares of no landmark and of each landmark, from all networks together; NaN for a
        disc that the image cuts: half of what makes a landmark is not seen.
    top, bottom
        Length along the canal's line between which discs would be seen, mm.
    places
        Conus, and what the user or a localizer says.
    votes
        (N, L) extra log-likelihood of each disc by its name's place in ``vote_names``.
    shape
        (N, measures) what each disc and the vertebra below it look like, see
        :mod:`spinetools.vertebrae.shape`; empty where nothing was measured.
    """

    discs: tuple[DiscSeen, ...]
    landmarks: FloatArray
    top: float
    bottom: float
    places: tuple[PlaceEvidence, ...] = ()
    votes: FloatArray = field(default_factory=lambda: np.zeros((0, 0)))
    vote_names: tuple[str, ...] = ()
    shape: FloatArray = field(default_factory=lambda: np.zeros((0, 0)))


def emissions(
    evidence: Evidence, anatomy: Anatomy, params: EvidenceParams, hearing: Hearing = HEARINGS[0]
) -> FloatArray:
    """Log-likelihood of each disc seen being each disc: (N, discs of the anatomy, scales).

    Parameters
    ----------
    evidence, anatomy, params
        What was seen, which spine it may be, and how far it is trusted.
    hearing
        How well the network tells landmarks in this image.
    """
    n, m = len(evidence.discs), len(anatomy.disc_names)
    result = np.zeros((n, m, len(SCALES)))
    result += _landmark_term(evidence, anatomy, params, hearing)[:, :, None]
    for i, disc in enumerate(evidence.discs):
        result[i] += _size_term(disc.depth, anatomy.disc_depth_mm, params.size_cv, params)
        result[i] += _size_term(disc.width, anatomy.disc_width_mm, params.size_cv, params)
        result[i] += _size_term(disc.height, anatomy.disc_height_mm, params.height_cv, params)
    s = np.array([disc.s for disc in evidence.discs])
    for place in evidence.places:
        above = np.flatnonzero(s <= place.s)
        nearest = int(above[-1]) if len(above) else 0
        result[nearest] += _place_term(place, float(s[nearest]), anatomy, params)
    if evidence.votes.size:
        columns = {name: i for i, name in enumerate(evidence.vote_names)}
        for j, name in enumerate(anatomy.disc_names):
            if name in columns:
                result[:, j] += evidence.votes[:, columns[name], None]
    return result


def spacing_term(
    distance: float, apart: float, anatomy: Anatomy, params: EvidenceParams
) -> FloatArray:
    """Log-likelihood (from, to, scale) of a distance between two discs that follow each other.

    Discs between them were missed, each at its price; a disc does not follow itself or a lower one.

    Parameters
    ----------
    distance
        Along the canal's line, mm.
    apart
        Between the discs' middles, mm. Where the spine bends sharply, the line cuts the corner.
    anatomy, params
        Which spine it may be, and how far evidence is trusted.
    """
    place = anatomy.place_mm
    expected = place[None, :] - place[:, None]
    gaps = np.arange(len(place))[None, :] - np.arange(len(place))[:, None] - 1
    mean = expected[:, :, None] * SCALES
    # spreads of single levels add up as squares
    levels = np.maximum(gaps + 1, 1)
    sd = np.sqrt((params.pitch_cv * mean) ** 2 / levels[:, :, None] + 2 * params.place_mm**2)
    along = _log_normal(distance, mean, sd) + np.log(1 - params.bend - params.outlier)
    across = _log_normal(apart, mean, 1.5 * sd) + np.log(params.bend)
    result: FloatArray = np.logaddexp(along, across) + np.log(30.0)
    result = np.logaddexp(result, np.log(params.outlier) - 3)
    # a distance may be odd, but of two within a low cervical body's height one is no disc
    result[:, :, distance < _TOO_NEAR_MM * SCALES] -= 6.0
    result += np.maximum(gaps, 0)[:, :, None] * np.log(params.missed)
    result[gaps < 0] = -np.inf
    return result


def unseen_term(room: float, anatomy: Anatomy, params: EvidenceParams, upwards: bool) -> FloatArray:
    """Log-likelihood (disc, scale) that no disc is seen in the room beyond an outermost one."""
    place = anatomy.place_mm
    apart = place[:, None] - place[None, :] if upwards else place[None, :] - place[:, None]
    distance = apart[:, :, None] * SCALES  # from each disc to each other one that way
    # a disc at the very edge may be seen or not
    visible = expit((room - distance - 5.0) / 2.5)
    unseen = np.log1p(-visible * (1 - params.missed))
    result: FloatArray = np.where(apart[:, :, None] > 0, unseen, 0.0).sum(axis=1)
    return result


def false_alarm_term(disc: DiscSeen, params: EvidenceParams) -> float:
    """Log-likelihood that a thing is no disc: the surer the network, the less likely."""
    return float(np.log(params.false_alarm) - 4.0 * max(disc.probability - 0.6, 0.0))


def _landmark_term(
    evidence: Evidence, anatomy: Anatomy, params: EvidenceParams, hearing: Hearing
) -> FloatArray:
    """Compare what the networks call each disc to how they call each disc of the spine."""
    shares = evidence.landmarks
    names = [landmark_of_disc(anatomy, j) for j in range(len(anatomy.disc_names))]
    said = np.zeros((2, len(names), 1 + len(LANDMARK_DISCS)))  # within the image, at its upper end
    for column, landmark in enumerate(LANDMARK_DISCS):
        if landmark not in names:
            continue
        below = np.arange(len(names)) - names.index(landmark)
        away = np.abs(below)
        chance = np.select(
            [away == 0, away == 1, away == 2],
            [hearing.hit[column], hearing.near[column], hearing.far[column]],
            hearing.other[column],
        )
        said[0, :, column + 1] = chance
        said[1, :, column + 1] = np.select([below == 1, below == 2], hearing.edge, chance)
    said[:, :, 0] = np.maximum(1 - said[:, :, 1:].sum(axis=-1), 1e-3)
    average = np.full(said.shape[-1], 0.04)
    average[0] = 1 - average[1:].sum()
    sizes = np.array([len(disc.voxels) for disc in evidence.discs])
    named = _as_heard(np.nan_to_num(shares), sizes, params)
    result: FloatArray = np.log(named @ said[0].T) - np.log(named @ average)[:, None]
    s = np.array([disc.s for disc in evidence.discs])
    edge = s - evidence.top < params.edge_mm
    result[edge] = np.log(named[edge] @ said[1].T) - np.log(named[edge] @ average)[:, None]
    result[np.isnan(shares).any(axis=1)] = 0
    return result


def _as_heard(
    shares: FloatArray, sizes: npt.NDArray[np.intp], params: EvidenceParams
) -> FloatArray:
    """Turn shares of a landmark's class into how likely it is that the network names it.

    A disc of which a third is called a landmark is one: others have next to nothing of the class.
    Where two have much of it, the one with more voxels of it is meant.
    """
    named = expit((shares[:, 1:] - np.array(params.half)) / _NAMED_WIDTH)
    voxels = shares[:, 1:] * sizes[:, None]
    named *= voxels / np.maximum(voxels.max(axis=0), 1e-9)
    named /= np.maximum(1.0, named.sum(axis=1, keepdims=True))
    return np.column_stack([1 - named.sum(axis=1), named])


def _size_term(
    measured: float, expected: FloatArray, cv: float, params: EvidenceParams
) -> FloatArray:
    """Compare a length to each disc's, in any body size: (disc, scale)."""
    if not np.isfinite(measured) or measured <= 0:
        return np.zeros((len(expected), len(SCALES)))
    apart = np.log(measured) - np.log(expected[:, None] * SCALES)
    fit = _log_normal(apart, 0.0, cv) + np.log(2.5)
    result: FloatArray = params.sizes * np.logaddexp(
        np.log1p(-params.outlier) + fit, np.log(params.outlier)
    )
    return result


def _place_term(
    place: PlaceEvidence, s: float, anatomy: Anatomy, params: EvidenceParams
) -> FloatArray:
    """Compare the distance from a disc to a place whose level is known: (disc, scale)."""
    middle, half, soft = _where(place.level, anatomy)
    if not np.isfinite(middle):
        return np.full((len(anatomy.place_mm), len(SCALES)), np.log(1 - place.sure))
    expected = (middle - anatomy.place_mm)[:, None] * SCALES
    apart = (place.s - s) - expected
    sd = np.sqrt(soft**2 + params.place_mm**2)
    if place.side > 0:  # it lies here or below: here is not below it
        fit = log_ndtr(-apart / sd)
    elif place.side < 0:
        fit = log_ndtr(apart / sd)
    else:
        beyond = np.maximum(np.abs(apart) - half, 0)
        fit = -0.5 * (beyond / sd) ** 2
    sure = min(place.sure, 1 - 1e-9)
    result: FloatArray = np.logaddexp(np.log(sure) + fit, np.log1p(-sure))
    return result


def _where(level: str, anatomy: Anatomy) -> tuple[float, float, float]:
    """Return a level's middle (mm below C2–C3), half its length, and how blurred its ends are."""
    if level == "conus":
        top, end = anatomy.level_mm("L1")
        return top + CONUS_LEVEL * (end - top), 0.0, CONUS_SD * (end - top)
    if "-" in level:
        name = f"disc_{level.replace('-', '_')}"
        if name not in anatomy.disc_names:
            return np.nan, 0.0, 1.0
        return float(anatomy.place_mm[anatomy.disc_names.index(name)]), 3.0, 1.5
    if level != "S" and level not in anatomy.vertebrae:
        return np.nan, 0.0, 1.0
    top, end = anatomy.level_mm(level)
    return (top + end) / 2, (end - top) / 2, 1.0


def _log_normal(x: npt.ArrayLike, mean: npt.ArrayLike, sd: npt.ArrayLike) -> FloatArray:
    spread = np.asarray(sd)
    z = (np.asarray(x) - np.asarray(mean)) / spread
    result: FloatArray = -0.5 * z**2 - np.log(spread) - 0.5 * np.log(2 * np.pi)
    return result


def landmark_shares(sources: Sequence[FloatArray]) -> FloatArray:
    """Average the shares (N, 5) that several outputs give each disc.

    They come from one image and often from one mistake, so that they do not multiply.
    """
    result: FloatArray = np.mean(np.stack(sources), axis=0)
    return result
