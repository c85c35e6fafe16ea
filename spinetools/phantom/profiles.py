"""Cord, dural sac and bony canal along the curve: means by level, spreads, conus, narrowing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import minimum_filter1d

from spinetools.phantom import numbers
from spinetools.phantom.curve import STEP_MM
from spinetools.phantom.lattice import FloatArray
from spinetools.phantom.pathology import Pathology
from spinetools.phantom.subject import GAP_FRONT_MM, GAP_SIDE_MM
from spinetools.phantom.variants import Column

#: Margin between cord and dural sac that healthy subjects keep, mm: back-front, right-left.
_LEAST_CSF_MM = (2.4, 3.0)

#: How much wider the sac is in front than in the middle, over its half width, by level.
_SKEW = (
    (-0.5, 0.0),
    (1.5, 0.12),
    (6.0, 0.18),
    (8.0, 0.05),
    (17.0, 0.0),
    (20.0, 0.08),
    (24.0, 0.25),
)
_MOST_SKEW = 0.33

#: What is left in front of and behind the cord's line at the tightest places, mm.
_TIGHTEST_MM, _FILM_MM = 1.9, 0.35

#: Width (SD) of a disc's bulge along the spine, mm.
_BULGE_LENGTH_MM = 4.5


#: A disc that bulges no more than this is sound, mm.
_SOUND_BULGE_MM = 1.2


@dataclass(frozen=True)
class Sizes:
    """How large a subject is.

    ``body`` in standard deviations from the mean, ``cord`` and ``canal`` over what the tables give:
    the cord's area, and the diameters of dural sac and canal; ``triangular``: how much wider in
    front the canal of the neck is than usual.
    """

    body: float
    cord: float = 1.0
    canal: float = 1.0
    triangular: float = 1.0


@dataclass(frozen=True, eq=False)
class Profiles:
    """Tables along the curve (see :class:`~spinetools.phantom.subject.Subject`) and where they end.

    Attributes
    ----------
    tables
        By name, one value for each sample of the curve.
    conus_s, sac_end_s
        Tip of the conus, end of the dural sac, mm.
    bulges
        How far the disc below each level bulges into the canal, mm.
    """

    tables: dict[str, FloatArray]
    conus_s: float
    sac_end_s: float
    bulges: FloatArray


def draw_profiles(
    rng: np.random.Generator,
    s: FloatArray,
    column: Column,
    ends: FloatArray,
    sizes: Sizes,
    pathology: Pathology,
) -> Profiles:
    """Draw cord, dural sac and canal.

    Parameters
    ----------
    rng
        Source of randomness.
    s
        (N,) samples along the curve, mm.
    column
        Its vertebrae.
    ends
        ``s`` of the top of C1 and of the lower end of each level C1 to S5.
    sizes
        Of the body, the cord and the canal.
    pathology
        What narrows the canal.
    """
    size = sizes.body
    csa = _draw_levels(rng, column, "cord_csa", size, 0.35) * sizes.cord
    aspect = column.numbers("cord_ap") / column.numbers("cord_rl")
    aspect = aspect * (1 + 0.05 * _deviates(rng, column.n, 0.0, 0.0))
    sac_ap = _draw_levels(rng, column, "sac_ap", size, 0.3) * sizes.canal
    sac_rl = _draw_levels(rng, column, "sac_rl", size, 0.3) * sizes.canal

    conus_s = _draw_conus(rng, column, ends)
    to_tip = np.clip((conus_s - s) / numbers.CONUS_TAPER_MM, 0, 1)
    taper = 1 - (1 - to_tip) ** 1.8  # of diameters: a cone whose base merges smoothly
    area, ratio = _along(ends, csa, s), _along(ends, aspect, s)
    ratio = ratio + (1 - ratio) * (1 - to_tip) ** 2  # the conus' tip is round
    # what the cord would be without its conus: below, the sac keeps its place in the canal
    full_ap = np.sqrt(4 * area * ratio / np.pi)
    cord_ap, cord_rl = full_ap * taper, np.sqrt(4 * area / ratio / np.pi) * taper

    sac_end_s = float(np.interp(rng.normal(26.3, 0.4), column.marks, ends))
    close = np.clip((sac_end_s - s) / 60.0, 0, 1)
    close = 1 - (1 - close) ** 2.5
    # above C1 the sac opens into the cisterns
    open_up = np.clip(-s / 25.0, 0, 1) ** 1.5
    ap = np.maximum(_along(ends, sac_ap, s), cord_ap + _LEAST_CSF_MM[0]) * close + 10 * open_up
    rl = np.maximum(_along(ends, sac_rl, s), cord_rl + _LEAST_CSF_MM[1]) * close + 14 * open_up

    middle = smooth(-_draw_lean(rng, s, column, ends) * np.maximum((ap - full_ap) / 2, 0), 6.0)
    level = continuous_level(s, ends, column.marks)
    behind = _draw_gap_behind(rng, s, column, ends)
    tables = {
        "cord_ap": cord_ap,
        "cord_rl": cord_rl,
        "sac_ap": ap,
        "sac_rl": rl,
        "sac_v": middle,
        "canal_ap": ap + GAP_FRONT_MM + behind,
        "canal_rl": rl + 2 * GAP_SIDE_MM,
        "canal_v": middle + (GAP_FRONT_MM - behind) / 2,
        "sac_skew": np.minimum(_draw_skew(rng, level, sizes.triangular), _MOST_SKEW),
        "level": level,
    }
    bulges, thick = _draw_narrowing(rng, column.n)
    if not pathology.narrow:
        bulges, thick = np.minimum(bulges, _SOUND_BULGE_MM), np.zeros(column.n)
    bulges = np.maximum(bulges, pathology.bulge_mm)
    thick = np.maximum(thick, pathology.ligament_mm)
    _narrow(tables, s, ends[1 : column.n + 1], bulges, thick, pathology.side_share)
    return Profiles(tables, conus_s, sac_end_s, bulges)


def _draw_levels(
    rng: np.random.Generator, column: Column, name: str, size: float, share_of_size: float
) -> FloatArray:
    means, deviations = column.numbers(name), column.numbers(f"{name}_sd")
    result: FloatArray = means + deviations * _deviates(rng, column.n, size, share_of_size)
    return result


def _deviates(rng: np.random.Generator, n: int, size: float, share_of_size: float) -> FloatArray:
    """Unit-variance deviates a level: part body size, part the subject's own, part local."""
    own, local = rng.normal(), rng.normal(size=n + 4)
    local = np.convolve(local, np.array([0.5, 0.7, 1.0, 0.7, 0.5]) / 1.575, mode="valid")
    rest = 1 - share_of_size**2
    z = share_of_size * size + np.sqrt(0.8 * rest) * own + np.sqrt(0.2 * rest) * local
    result: FloatArray = np.clip(z, -2.2, 2.2)
    return result


def _along(ends: FloatArray, values: FloatArray, s: FloatArray) -> FloatArray:
    """Interpolate per-level values, placed at the levels' middles, smoothly; constant beyond."""
    middles = (ends[:-1] + ends[1:])[: len(values)] / 2
    result: FloatArray = PchipInterpolator(middles, values)(np.clip(s, middles[0], middles[-1]))
    return result


def _draw_skew(rng: np.random.Generator, level: FloatArray, triangular: float) -> FloatArray:
    """How much wider the sac is in front, over its half width; a factor more in the neck."""
    neck = np.clip((8.0 - level) / 2, 0, 1)
    usual = np.interp(level, *np.array(_SKEW).T) * rng.uniform(0.6, 1.4)
    result: FloatArray = usual * (1 + (triangular - 1) * neck)
    return result


def _draw_conus(rng: np.random.Generator, column: Column, ends: FloatArray) -> float:
    """Draw where the conus ends, mm; its place is counted in levels from the top of L1."""
    place = rng.normal(numbers.CONUS_MEAN, numbers.CONUS_SD)
    place = float(np.clip(place, *numbers.CONUS_LIMITS))
    return float(np.interp(19 + place, column.marks, ends))


def _draw_lean(
    rng: np.random.Generator, s: FloatArray, column: Column, ends: FloatArray
) -> FloatArray:
    """Where in the sac the cord lies: +1 touches the front, −1 the back (lying on the back)."""
    places = np.array([-10, 60, 130, 220, 330, 400, 480, 900]) / 470
    places *= np.interp(19, column.marks, ends)
    forward = np.array([0.1, 0.15, 0.25, 0.5, 0.5, 0.1, -0.6, -0.6]) + rng.normal(0, 0.12, 8)
    curve = PchipInterpolator(places, np.clip(forward, -0.75, 0.75))
    result: FloatArray = curve(np.clip(s, *places[[0, -1]]))
    return result


def _draw_gap_behind(
    rng: np.random.Generator, s: FloatArray, column: Column, ends: FloatArray
) -> FloatArray:
    """Epidural fat behind the sac, mm; below the neck it lies in pads between the laminae."""
    places = np.interp([0, 2, 7, 12, 19, 23, 25], column.marks, ends)
    number = continuous_level(s, ends)  # whole at each disc, also where a vertebra is added
    last = column.n + 0.5
    curve = PchipInterpolator(places, np.array([1.2, 1.6, 1.8, 3.0, 3.5, 5.5, 6.0]))
    pads = 1 + 0.75 * np.cos(2 * np.pi * number) * np.clip((number - 7) / 3, 0, 1)
    gap = curve(np.clip(s, places[0], places[-1])) * rng.uniform(0.7, 1.3)
    result: FloatArray = gap * np.where(number < last, pads, 1.0)
    return result


def _draw_narrowing(rng: np.random.Generator, n: int) -> tuple[FloatArray, FloatArray]:
    """How far each disc bulges into the canal, and the ligament behind, mm (C1–C2 first)."""
    bulges = np.abs(rng.normal(0, 0.5, n)).clip(0, 1.2)
    bulges[0] = 0.0
    thick = np.zeros(n)
    if rng.random() < numbers.NARROW_SHARE:
        weights = np.full(n, 0.15)
        weights[[2, 3, 4, 5, n - 3, n - 2, n - 1]] = (1.0, 1.6, 2.0, 1.5, 1.0, 1.6, 1.4)
        weights[0] = 0.0
        count = int(rng.integers(1, 5))
        where = rng.choice(n, count, replace=False, p=weights / weights.sum())
        bulges[where] = rng.uniform(1.2, 4.5, count)
        thick[where] = rng.uniform(0.0, 2.5, count)
    return bulges, thick


def _narrow(
    tables: dict[str, FloatArray],
    s: FloatArray,
    discs: FloatArray,
    bulges: FloatArray,
    thick: FloatArray,
    side: FloatArray,
) -> None:
    """Indent the sac at discs; the cord gives way by flattening, and loses some of its area."""
    shape = np.exp(-0.5 * ((s[:, None] - discs) / _BULGE_LENGTH_MM) ** 2)
    front = tables["sac_v"] + tables["sac_ap"] / 2 - shape @ bulges
    back = tables["sac_v"] - tables["sac_ap"] / 2 + shape @ thick
    front, back = np.maximum(front, _TIGHTEST_MM), np.minimum(back, -_TIGHTEST_MM)
    has_sac = tables["sac_ap"] > 4.5
    front = np.where(has_sac, front, tables["sac_v"] + tables["sac_ap"] / 2)
    back = np.where(has_sac, back, tables["sac_v"] - tables["sac_ap"] / 2)
    room = 2 * (np.minimum(front, -back) - _FILM_MM)
    ap = tables["cord_ap"]
    flat = np.where((ap > room) & has_sac, room / np.maximum(ap, 1e-6), 1.0)
    # least within some mm, then smooth: no steps, and nowhere wider than there is room
    flat = np.minimum(smooth(minimum_filter1d(flat, 9, mode="nearest"), 2.0), flat)
    tables["cord_ap"] = ap * flat
    tables["cord_rl"] = tables["cord_rl"] / flat**0.6
    tables["sac_ap"], tables["sac_v"] = front - back, (front + back) / 2
    tables["flavum"] = shape @ thick
    tables["sac_rl"] *= np.clip(1 - shape @ side, 0.6, 1)
    tables["sac_rl"] = np.maximum(tables["sac_rl"], tables["cord_rl"] + 1.2 * has_sac)
    tables["canal_rl"] = np.maximum(tables["canal_rl"], tables["sac_rl"] + 1.0)


def continuous_level(
    s: FloatArray, ends: FloatArray, marks: FloatArray | None = None
) -> FloatArray:
    """Continuous level: 0 at the top of C1, 24 at L5–S1, 29 below S5; negative in the head.

    ``marks`` are the levels at ``ends``; None counts them.
    """
    marks = np.arange(float(len(ends))) if marks is None else marks
    inside = np.interp(s, ends, marks)
    head = s / (ends[1] - ends[0])
    tail = marks[-1] + (s - ends[-1]) / 16.0
    level: FloatArray = np.where(s < 0, head, np.where(s > ends[-1], tail, inside))
    return level


def smooth(values: FloatArray, sigma_mm: float) -> FloatArray:
    """Smooth a table along the curve by a Gaussian; its ends are continued."""
    reach = int(4 * sigma_mm / STEP_MM)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) * STEP_MM / sigma_mm) ** 2)
    padded = np.pad(values, reach, mode="edge")
    result: FloatArray = np.convolve(padded, kernel / kernel.sum(), mode="valid")
    return result
