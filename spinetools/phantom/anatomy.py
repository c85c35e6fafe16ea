"""One random adult: the shape of the spine and what lies round it, as numbers along a curve."""

from __future__ import annotations

import numpy as np
from scipy.interpolate import PchipInterpolator

from spinetools.phantom import numbers
from spinetools.phantom.curve import STEP_MM, Curve, integrate
from spinetools.phantom.lattice import FloatArray
from spinetools.phantom.numbers import LEVEL_NUMBERS
from spinetools.phantom.subject import (
    GAP_FRONT_MM,
    GAP_SIDE_MM,
    N_LEVELS,
    Disc,
    Habitus,
    Subject,
    Vertebra,
)

#: The curve reaches this far above the top of C1 (through brainstem and brain) and below S5, mm.
_ABOVE_MM, _BELOW_MM = 150.0, 80.0


def make_subject(seed: int) -> Subject:
    """Draw a random adult.

    Parameters
    ----------
    seed
        The same seed gives the same subject.
    """
    rng = np.random.default_rng([int(seed), 1])
    size = float(np.clip(rng.normal(0, 1), -2, 2))
    scale = 1 + 0.055 * size
    pitch = np.array([level.pitch for level in LEVEL_NUMBERS]) * scale
    pitch *= 1 + numbers.PITCH_CV * np.clip(rng.normal(size=N_LEVELS), -2, 2)
    sacral = np.array(numbers.SACRAL_PITCH_MM) * scale
    boundaries = np.concatenate([[0.0], np.cumsum(pitch)])
    ends = np.concatenate([boundaries, boundaries[-1] + np.cumsum(sacral)])
    curve = _draw_curve(rng, ends)
    profiles, conus_s, sac_end_s, bulges = _draw_profiles(rng, curve.s, ends, size)
    heights = _disc_heights(rng, scale)
    vertebrae, discs = _place_bones(rng, curve, ends, profiles, (heights, bulges), scale)
    habitus = Habitus(
        scale=scale,
        fat=float(np.clip(rng.gamma(3.0, 3.5), 2.5, 32.0)),
        muscle_seed=int(rng.integers(2**31)),
        neck=float(rng.uniform(0.9, 1.15)),
    )
    return Subject(
        seed=int(seed),
        curve=curve,
        boundaries=boundaries,
        profiles=profiles,
        conus_s=conus_s,
        sac_end_s=sac_end_s,
        vertebrae=vertebrae,
        discs=discs,
        habitus=habitus,
        roots=_draw_roots(rng),
    )


def _draw(rng: np.random.Generator, numbers_: tuple[float, float, float, float]) -> float:
    mean, deviation, low, high = numbers_
    return float(np.clip(rng.normal(mean, deviation), low, high))


def _draw_curve(rng: np.random.Generator, ends: FloatArray) -> Curve:
    """Angles at landmarks from lordosis, kyphosis and sacral slope; a smooth curve through them."""
    lordosis = _draw(rng, numbers.LUMBAR_LORDOSIS_DEG)
    # a deep lordosis goes with a steep sacrum; their difference is the lean at the top of L1
    thoracolumbar = _draw(rng, numbers.L1_LEAN_DEG)
    slope = float(np.clip(thoracolumbar + lordosis, *numbers.SACRAL_SLOPE_LIMITS_DEG))
    top = thoracolumbar + _draw(rng, numbers.THORACIC_KYPHOSIS_DEG)
    kyphosis = top - thoracolumbar
    cervical = _draw(rng, numbers.CERVICAL_LORDOSIS_DEG)
    # the head lies level: a steep neck is partly made good by bending it back
    cervical += 0.5 * (top - 24.0)
    neck = top - cervical
    knots = [
        (-_ABOVE_MM, neck + rng.normal(6, 6)),
        (-30.0, neck + rng.normal(4, 5)),
        (float(ends[1] + 5), neck),
        (float(ends[4]), neck + 0.55 * cervical),
        (float(ends[7]), top),
        (float(ends[9]), top - 0.06 * kyphosis),
        (float(ends[13]), thoracolumbar + 0.48 * kyphosis),
        (float(ends[18]), thoracolumbar + 0.03 * kyphosis),
        (float(ends[20]), thoracolumbar + 0.06 * lordosis),
        (float(ends[22]), thoracolumbar + 0.37 * lordosis),
        (float(ends[24]), slope),
        (float(ends[26]), slope + rng.normal(2, 3)),
        (float(ends[28]), slope - rng.uniform(25, 45)),
        (float(ends[-1] + _BELOW_MM), slope - rng.uniform(50, 75)),
    ]
    s = np.arange(-_ABOVE_MM, ends[-1] + _BELOW_MM + STEP_MM, STEP_MM)
    sagittal = PchipInterpolator(*zip(*knots, strict=True))(s)
    sagittal = _smooth(sagittal, 12.0)
    # mostly straight, now and then a real scoliosis
    bend = rng.gamma(1.5, 1.3) * (4.0 if rng.random() < 0.07 else 1.0)
    phase, length = rng.uniform(0, 2 * np.pi), rng.uniform(250, 600)
    fade = np.clip((s + 40) / 120, 0, 1) * np.clip((ends[24] + 30 - s) / 120, 0, 1)
    coronal = bend * np.sin(2 * np.pi * s / length + phase) * fade + rng.normal(0, 1.2)
    twist = 0.6 * bend * np.cos(2 * np.pi * s / length + phase) * fade + rng.normal(0, 1.5)
    return integrate(s, *(np.deg2rad(angle) for angle in (sagittal, coronal, twist)))


def _smooth(values: FloatArray, sigma_mm: float) -> FloatArray:
    reach = int(4 * sigma_mm / STEP_MM)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) * STEP_MM / sigma_mm) ** 2)
    padded = np.pad(values, reach, mode="edge")
    result: FloatArray = np.convolve(padded, kernel / kernel.sum(), mode="valid")
    return result


def _along(ends: FloatArray, values: FloatArray, s: FloatArray) -> FloatArray:
    """Interpolate per-level values, placed at the levels' middles, smoothly; constant beyond."""
    middles = (ends[:-1] + ends[1:])[: len(values)] / 2
    result: FloatArray = PchipInterpolator(middles, values)(np.clip(s, middles[0], middles[-1]))
    return result


def _deviates(rng: np.random.Generator, size: float, share_of_size: float) -> FloatArray:
    """Unit-variance deviates a level: part body size, part the subject's own, part local."""
    own, local = rng.normal(), rng.normal(size=N_LEVELS + 4)
    local = np.convolve(local, np.array([0.5, 0.7, 1.0, 0.7, 0.5]) / 1.575, mode="valid")
    rest = 1 - share_of_size**2
    z = share_of_size * size + np.sqrt(0.8 * rest) * own + np.sqrt(0.2 * rest) * local
    return np.clip(z, -2.2, 2.2)


def _draw_profiles(
    rng: np.random.Generator, s: FloatArray, ends: FloatArray, size: float
) -> tuple[dict[str, FloatArray], float, float, FloatArray]:
    """Cord, dural sac and bony canal along the curve; conus tip, sac end, bulge of each disc."""
    table = LEVEL_NUMBERS
    csa = np.array([n.cord_csa for n in table])
    csa = csa + np.array([n.cord_csa_sd for n in table]) * _deviates(rng, size, 0.35)
    aspect = np.array([n.cord_ap / n.cord_rl for n in table])
    aspect = aspect * (1 + 0.05 * _deviates(rng, 0.0, 0.0))
    sac_ap = np.array([n.sac_ap for n in table])
    sac_ap = sac_ap + np.array([n.sac_ap_sd for n in table]) * _deviates(rng, size, 0.3)
    sac_rl = np.array([n.sac_rl for n in table])
    sac_rl = sac_rl + np.array([n.sac_rl_sd for n in table]) * _deviates(rng, size, 0.3)

    place = float(np.clip(rng.normal(numbers.CONUS_MEAN, numbers.CONUS_SD), *numbers.CONUS_LIMITS))
    level_ends = ends[19:23] if place >= 0 else ends[18:20]
    levels = np.arange(len(level_ends)) - (0.0 if place >= 0 else 1.0)
    conus_s = float(np.interp(place, levels, level_ends))

    to_tip = np.clip((conus_s - s) / numbers.CONUS_TAPER_MM, 0, 1)
    taper = 1 - (1 - to_tip) ** 1.8  # of diameters: a cone whose base merges smoothly
    area, ratio = _along(ends, csa, s), _along(ends, aspect, s)
    ratio = ratio + (1 - ratio) * (1 - to_tip) ** 2  # the conus' tip is round
    cord_ap = np.sqrt(4 * area * ratio / np.pi) * taper
    cord_rl = np.sqrt(4 * area / ratio / np.pi) * taper
    full_ap = np.sqrt(4 * area * ratio / np.pi)

    sac_end_s = float(np.interp(rng.normal(26.3, 0.4), np.arange(len(ends)), ends))
    close = np.clip((sac_end_s - s) / 60.0, 0, 1)
    close = 1 - (1 - close) ** 2.5
    # above C1 the sac opens into the cisterns
    open_up = np.clip(-s / 25.0, 0, 1) ** 1.5
    ap = np.maximum(_along(ends, sac_ap, s), cord_ap + 2.4) * close + 10 * open_up
    rl = np.maximum(_along(ends, sac_rl, s), cord_rl + 3.0) * close + 14 * open_up

    # where in the sac the cord lies: +1 touches the front, −1 the back
    places = np.array([-10, 60, 130, 220, 330, 400, 480, 900]) / 470 * ends[19]
    forward = np.array([0.1, 0.15, 0.25, 0.5, 0.5, 0.1, -0.6, -0.6]) + rng.normal(0, 0.12, 8)
    lean = PchipInterpolator(places, np.clip(forward, -0.8, 0.8))(np.clip(s, *places[[0, -1]]))
    free = np.maximum((ap - np.maximum(full_ap, cord_ap)) / 2, 0)
    gap_places = ends[[0, 2, 7, 12, 19, 23, 25]]
    gap = PchipInterpolator(gap_places, np.array([1.2, 1.6, 1.8, 3.0, 3.5, 5.5, 6.0]))
    gap_back = gap(np.clip(s, gap_places[0], gap_places[-1])) * rng.uniform(0.7, 1.3)
    # below the neck the fat behind lies in pads between the laminae
    level = _levels(s, ends)
    pads = 1 + 0.5 * np.cos(2 * np.pi * level) * np.clip((level - 7) / 3, 0, 1)
    gap_back = gap_back * np.where(level < 24.5, pads, 1.0)
    middle = _smooth(-lean * free, 6.0)
    profiles = {
        "cord_ap": cord_ap,
        "cord_rl": cord_rl,
        "sac_ap": ap,
        "sac_rl": rl,
        "sac_v": middle,
        "canal_ap": ap + GAP_FRONT_MM + gap_back,
        "canal_rl": rl + 2 * GAP_SIDE_MM,
        "canal_v": middle + (GAP_FRONT_MM - gap_back) / 2,
        "level": level,
    }
    bulges, thick = _draw_narrowing(rng)
    _narrow(profiles, s, ends[1 : N_LEVELS + 1], bulges, thick)
    return profiles, conus_s, sac_end_s, bulges


def _draw_narrowing(rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """How far each disc bulges into the canal, and the ligament behind, mm (C1–C2 first)."""
    bulges = np.abs(rng.normal(0, 0.5, N_LEVELS)).clip(0, 1.2)
    bulges[0] = 0.0
    thick = np.zeros(N_LEVELS)
    if rng.random() < numbers.NARROW_SHARE:
        weights = np.full(N_LEVELS, 0.15)
        weights[[2, 3, 4, 5, 21, 22, 23]] = (1.0, 1.6, 2.0, 1.5, 1.0, 1.6, 1.4)
        weights[0] = 0.0
        count = int(rng.integers(1, 5))
        where = rng.choice(N_LEVELS, count, replace=False, p=weights / weights.sum())
        bulges[where] = rng.uniform(1.2, 4.5, count)
        thick[where] = rng.uniform(0.0, 2.5, count)
    return bulges, thick


def _narrow(
    profiles: dict[str, FloatArray],
    s: FloatArray,
    discs: FloatArray,
    bulges: FloatArray,
    thick: FloatArray,
) -> None:
    """Indent the sac at discs; the cord gives way by flattening, and loses some of its area."""
    shape = np.exp(-0.5 * ((s[:, None] - discs) / 4.0) ** 2)
    front = profiles["sac_v"] + profiles["sac_ap"] / 2 - shape @ bulges
    back = profiles["sac_v"] - profiles["sac_ap"] / 2 + shape @ thick
    # never closer than this to the cord's line: what is left of the most compressed cord
    front, back = np.maximum(front, 1.9), np.minimum(back, -1.9)
    has_sac = profiles["sac_ap"] > 4.5
    front = np.where(has_sac, front, profiles["sac_v"] + profiles["sac_ap"] / 2)
    back = np.where(has_sac, back, profiles["sac_v"] - profiles["sac_ap"] / 2)
    room = 2 * (np.minimum(front, -back) - 0.35)
    ap = profiles["cord_ap"]
    flat = np.where((ap > room) & has_sac, room / np.maximum(ap, 1e-6), 1.0)
    flat = np.minimum(_smooth(flat, 2.0), flat)
    profiles["cord_ap"] = ap * flat
    profiles["cord_rl"] = profiles["cord_rl"] / flat**0.6
    profiles["sac_ap"], profiles["sac_v"] = front - back, (front + back) / 2
    profiles["sac_rl"] = np.maximum(profiles["sac_rl"], profiles["cord_rl"] + 1.2 * has_sac)
    profiles["canal_rl"] = np.maximum(profiles["canal_rl"], profiles["sac_rl"] + 1.0)


def _levels(s: FloatArray, ends: FloatArray) -> FloatArray:
    """Continuous level: 0 at the top of C1, 24 at L5–S1, 29 below S5; negative in the head."""
    inside = np.interp(s, ends, np.arange(len(ends)))
    head = s / (ends[1] - ends[0])
    tail = len(ends) - 1 + (s - ends[-1]) / 16.0
    level: FloatArray = np.where(s < 0, head, np.where(s > ends[-1], tail, inside))
    return level


def _disc_heights(rng: np.random.Generator, scale: float) -> FloatArray:
    mean = np.array([level.disc for level in LEVEL_NUMBERS])
    own = rng.normal(0, 0.5) + rng.normal(0, 0.85, N_LEVELS)
    heights: FloatArray = mean * scale * np.clip(1 + numbers.DISC_CV * own, 0.5, 1.5)
    return heights


def _place_bones(
    rng: np.random.Generator,
    curve: Curve,
    ends: FloatArray,
    profiles: dict[str, FloatArray],
    discs_: tuple[FloatArray, FloatArray],
    scale: float,
) -> tuple[tuple[Vertebra, ...], tuple[Disc, ...]]:
    """Stack bodies in front of the canal: disc centres first, bodies between them."""
    table = LEVEL_NUMBERS
    width = np.array([n.endplate_width for n in table]) * scale
    depth = np.array([n.endplate_depth for n in table]) * scale
    width *= 1 + numbers.ENDPLATE_CV * rng.normal(size=N_LEVELS).clip(-2, 2) * 0.6
    depth *= 1 + numbers.ENDPLATE_CV * rng.normal(size=N_LEVELS).clip(-2, 2) * 0.6
    sacral = np.array([0.95, 0.68, 0.52, 0.42, 0.34])
    width = np.concatenate([width, 48.0 * scale * sacral * 0.95])
    depth = np.concatenate([depth, 33.0 * scale * np.array([0.88, 0.62, 0.48, 0.4, 0.34])])
    disc_heights, bulges = discs_
    heights = np.concatenate([disc_heights, np.full(5, 1.5)])

    def profile(name: str, at: FloatArray) -> FloatArray:
        result: FloatArray = np.interp(at, curve.s, profiles[name])
        return result

    at = ends.copy()
    at[0] = 6.0 * scale  # the top of C1's ring
    disc_depth = np.concatenate([depth[:1], (depth[:-1] + depth[1:]) / 2, depth[-1:]])
    disc_width = np.concatenate([width[:1], (width[:-1] + width[1:]) / 2, width[-1:]])
    front = profile("canal_v", at) + profile("canal_ap", at) / 2 + disc_depth / 2
    centres = curve.at(at, 0.0, front)
    _, up, right, ahead = curve.frame(at)

    vertebrae = []
    slants = np.interp(
        np.arange(29), [0, 1, 5, 7, 11, 14, 17, 19, 24, 28],
        np.deg2rad([5, 12, 18, 25, 50, 52, 30, 12, 10, 20]),
    )  # fmt: skip
    for i in range(len(at) - 1):
        above = heights[i - 1] if i else 0.0
        axis = centres[i] - centres[i + 1]
        span = float(np.linalg.norm(axis))
        axis /= span
        middle = (at[i] + at[i + 1]) / 2
        local_right = right[i] + right[i + 1]
        local_right -= (local_right @ axis) * axis
        local_right /= np.linalg.norm(local_right)
        axes = np.stack([local_right, np.cross(axis, local_right), axis])
        origin = (centres[i] + centres[i + 1]) / 2 + axis * (heights[i] - above) / 4
        canal_centre = curve.at(middle, 0.0, profile("canal_v", np.array(middle)))
        tilts = [float(up[j] @ axes[1]) / max(float(up[j] @ axis), 0.5) for j in (i, i + 1)]
        vertebrae.append(
            Vertebra(
                name=(*(n.name for n in table), *numbers.SACRAL_NAMES)[i],
                origin=origin,
                axes=axes,
                width=float(width[i]),
                depth=float(depth[i]),
                height=max(span - (heights[i] + above) / 2, 4.0),
                span=span,
                tilt_top=-0.7 * tilts[0],
                tilt_bottom=-0.7 * tilts[1],
                canal=float((canal_centre - origin) @ axes[1]),
                canal_ap=float(profile("canal_ap", np.array(middle))),
                canal_rl=float(profile("canal_rl", np.array(middle))),
                pedicle=(table[i].pedicle_width if i < N_LEVELS else 16.0) * scale,
                spinous=(table[i].spinous if i < N_LEVELS else 8.0) * scale,
                slant=float(slants[i] + rng.normal(0, 0.07)),
            )
        )
    discs = _place_discs(
        rng, at, centres, (right, ahead, up), disc_width, disc_depth, (heights, bulges)
    )
    return tuple(vertebrae), discs


def _place_discs(
    rng: np.random.Generator,
    at: FloatArray,
    centres: FloatArray,
    frames: tuple[FloatArray, FloatArray, FloatArray],
    width: FloatArray,
    depth: FloatArray,
    heights_bulges: tuple[FloatArray, FloatArray],
) -> tuple[Disc, ...]:
    names = [n.name for n in LEVEL_NUMBERS] + ["S"]
    heights, bulges = heights_bulges
    age = rng.beta(1.6, 2.0)
    discs = []
    for i in range(2, N_LEVELS + 1):  # the first disc lies between C2 and C3
        discs.append(
            Disc(
                name=f"{names[i - 1]}-{names[i]}",
                s=float(at[i]),
                origin=centres[i],
                axes=np.stack([frames[0][i], frames[1][i], frames[2][i]]),
                width=float(width[i]),
                depth=float(depth[i]),
                height=float(heights[i - 1]),
                bulge=float(bulges[i - 1]),
                degeneration=float(np.clip(age + rng.normal(0, 0.25), 0, 1)),
            )
        )
    return tuple(discs)


def _draw_roots(rng: np.random.Generator) -> FloatArray:
    """Places of cauda equina roots in the sac: (N, 4) angle, depth, radius mm, level of exit."""
    count = 22
    # lying on the back, the roots settle behind and at the sides
    angle = rng.normal(0, 0.75, count)
    depth = np.sqrt(rng.uniform(0.35, 0.92, count))
    radius = rng.uniform(0.45, 0.8, count)
    leave = np.linspace(20.5, 26.5, count)
    return np.stack([angle, depth, radius, leave], axis=1)
