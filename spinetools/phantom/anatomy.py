"""Draw a random adult: lengths, curvature, habitus; the rest follows along the curve."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.interpolate import PchipInterpolator

from spinetools.errors import InputError
from spinetools.phantom import numbers
from spinetools.phantom.curve import STEP_MM, Curve, integrate
from spinetools.phantom.implants import place_implants
from spinetools.phantom.lattice import FloatArray
from spinetools.phantom.pathology import Pathology, draw_pathology
from spinetools.phantom.profiles import Sizes, draw_profiles, smooth
from spinetools.phantom.stack import place_bones
from spinetools.phantom.subject import Habitus, Subject
from spinetools.phantom.variants import Column, check_variant, draw_variant, make_column

#: The curve reaches this far above the top of C1 (through brainstem and brain) and below S5, mm.
_ABOVE_MM, _BELOW_MM = 150.0, 80.0

#: Length above a wedged body within which the spine straightens again, mm.
_MADE_GOOD_MM = 180.0

#: Least and most of what the cord's area and the canal's diameters can be scaled by.
_SCALES = (0.5, 2.0)


def check_seed(seed: int) -> int:
    """Return the seed, or raise InputError where it is negative."""
    if seed < 0:
        raise InputError(f"a seed of {seed} cannot be used; give 0 or a positive whole number")
    return int(seed)


def make_subject(
    seed: int,
    variant: str | None = None,
    pathology: str = "auto",
    cord_scale: float = 1.0,
    canal_scale: float = 1.0,
) -> Subject:
    """Draw a random adult.

    Parameters
    ----------
    seed
        The same seed gives the same subject; not negative.
    variant
        A name of :data:`~spinetools.phantom.variants.VARIANTS`; None draws one with the
        frequencies of adults, so that six in seven are normal.
    pathology
        ``none``; ``auto``: fractures, worn discs, narrow canals … about as often as in adults who
        are imaged; ``much``: three times as often.
    cord_scale
        The cord's area over what the table and the seed give. The table is of segmentations by a
        program, which are some 10 to 30 % smaller than many raters' masks: draw it from 0.85 to
        1.45 for training.
    canal_scale
        The same for the diameters of dural sac and bony canal.

    Raises
    ------
    InputError
        When the seed is negative, a name does not exist or a scale is out of range.
    """
    for name, value in (("cord_scale", cord_scale), ("canal_scale", canal_scale)):
        if not _SCALES[0] <= value <= _SCALES[1]:
            raise InputError(
                f"a {name} of {value:g} makes no spine; give {_SCALES[0]:g} to {_SCALES[1]:g}"
            )
    rng = np.random.default_rng([check_seed(seed), 1])
    column = make_column(draw_variant(seed) if variant is None else check_variant(variant))
    found = draw_pathology(seed, column, pathology)
    size = float(np.clip(rng.normal(0, 1), -2, 2))
    scale = 1 + 0.05 * size
    pitch = column.numbers("pitch") * scale
    pitch *= 1 + numbers.PITCH_CV * np.clip(rng.normal(size=column.n), -2, 2)
    sacral = np.array(numbers.SACRAL_PITCH_MM) * scale
    lost = _lost(pitch, column.numbers("disc") * scale, found)
    pitch -= lost[:-1]
    sacral[0] -= lost[-1]
    boundaries = np.concatenate([[0.0], np.cumsum(pitch)])
    ends = np.concatenate([boundaries, boundaries[-1] + np.cumsum(sacral)])
    curve = _draw_curve(rng, column, ends, found.kink_deg)
    profiles = draw_profiles(
        rng,
        curve.s,
        column,
        ends,
        Sizes(size, cord_scale, canal_scale, _draw_triangular(seed)),
        found,
    )
    vertebrae, discs, remnants = place_bones(rng, curve, column, ends, profiles, scale, found)
    habitus = Habitus(
        scale=scale,
        fat=float(np.clip(rng.gamma(3.0, 3.5), 2.5, 32.0)),
        muscle_seed=int(rng.integers(2**31)),
        neck=float(rng.uniform(0.9, 1.15)),
        **_draw_build(seed),
    )
    return Subject(
        seed=int(seed),
        curve=curve,
        boundaries=boundaries,
        profiles=profiles.tables,
        conus_s=profiles.conus_s,
        sac_end_s=profiles.sac_end_s,
        vertebrae=vertebrae,
        discs=discs,
        habitus=habitus,
        roots=_draw_roots(rng),
        variant=column.variant,
        remnants=remnants,
        implants=place_implants(found.hardware, vertebrae),
        findings=tuple(found.findings),
    )


def _draw(rng: np.random.Generator, numbers_: tuple[float, float, float, float]) -> float:
    mean, deviation, low, high = numbers_
    return float(np.clip(rng.normal(mean, deviation), low, high))


def _draw_triangular(seed: int) -> float:
    """Draw the shape of the neck's canal, from oval to triangular."""
    return float(np.random.default_rng([seed, 8]).uniform(0.6, 2.6))


def _draw_build(seed: int) -> dict[str, Any]:
    """Draw what more there is to a habitus, from a stream of its own."""
    rng = np.random.default_rng([seed, 7])
    return {
        "cortex": float(rng.uniform(0.7, 1.4)),
        "jaw": float(rng.uniform(-0.5, 0.7)),
        "arms": bool(rng.random() < 0.7),
    }


def _lost(pitch: FloatArray, discs: FloatArray, found: Pathology) -> FloatArray:
    """Length that each level, and S1, has lost by a crushed body and thin discs, mm."""
    half = (1 - found.disc_share) * discs / 2
    lost = np.append(found.body_loss * (pitch - discs) + half, 0.0)
    lost[1:] += half
    return lost


def _kinks(s: FloatArray, ends: FloatArray, kink_deg: FloatArray) -> FloatArray:
    """Forward lean that wedged bodies add above them, degrees; made good by what lies higher."""
    total = np.zeros_like(s)
    for i in np.flatnonzero(kink_deg):
        bend = np.clip((ends[i + 1] - s) / (ends[i + 1] - ends[i]), 0, 1)
        total += kink_deg[i] * bend * np.clip(1 - (ends[i] - s) / _MADE_GOOD_MM, 0, 1)
    return total


def _draw_curve(
    rng: np.random.Generator, column: Column, ends: FloatArray, kink_deg: FloatArray
) -> Curve:
    """Angles at landmarks from lordosis, kyphosis and sacral slope; a smooth curve through them."""

    def at(level: float) -> float:
        return float(np.interp(level, column.marks, ends))

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
        (at(1) + 5, neck),
        (at(4), neck + 0.55 * cervical),
        (at(7), top),
        (at(9), top - 0.06 * kyphosis),
        (at(13), thoracolumbar + 0.48 * kyphosis),
        (at(18), thoracolumbar + 0.03 * kyphosis),
        (at(20), thoracolumbar + 0.06 * lordosis),
        (at(22), thoracolumbar + 0.37 * lordosis),
        (at(24), slope),
        (at(26), slope + rng.normal(2, 3)),
        (at(28), slope - rng.uniform(25, 45)),
        (float(ends[-1] + _BELOW_MM), slope - rng.uniform(50, 75)),
    ]
    s = np.arange(-_ABOVE_MM, ends[-1] + _BELOW_MM + STEP_MM, STEP_MM)
    sagittal = PchipInterpolator(*zip(*knots, strict=True))(s)
    sagittal = smooth(sagittal + _kinks(s, ends, kink_deg), 12.0)
    # mostly straight, now and then a real scoliosis
    bend = rng.gamma(1.5, 1.3) * (4.0 if rng.random() < 0.07 else 1.0)
    phase, length = rng.uniform(0, 2 * np.pi), rng.uniform(250, 600)
    fade = np.clip((s + 40) / 120, 0, 1) * np.clip((at(24) + 30 - s) / 120, 0, 1)
    coronal = bend * np.sin(2 * np.pi * s / length + phase) * fade + rng.normal(0, 1.2)
    twist = 0.6 * bend * np.cos(2 * np.pi * s / length + phase) * fade + rng.normal(0, 1.5)
    return integrate(s, *(np.deg2rad(angle) for angle in (sagittal, coronal, twist)))


def _draw_roots(rng: np.random.Generator) -> FloatArray:
    """Places of cauda equina roots in the sac: (N, 4) angle, depth, radius mm, level of exit."""
    count = 22
    # lying on the back, the roots settle behind and at the sides
    angle = rng.normal(0, 0.75, count)
    depth = np.sqrt(rng.uniform(0.35, 0.92, count))
    radius = rng.uniform(0.45, 0.8, count)
    leave = np.linspace(20.5, 26.5, count)
    return np.stack([angle, depth, radius, leave], axis=1)
