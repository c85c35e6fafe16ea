"""Step two of PropSeg: a coarse tube grows along the centreline from a start, both ways."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from spinetools.propseg.edges import (
    MIN_RADIUS_MM,
    closed_path,
    edge_score,
    levels_beside,
    score_scale,
)
from spinetools.propseg.elastic import low_pass, relax
from spinetools.propseg.params import PropsegParams
from spinetools.propseg.profiles import (
    Float32Array,
    FloatArray,
    IntArray,
    radii_axis,
    sample_rays,
)
from spinetools.propseg.tube import Tube, ellipse_radii

#: Length of a section that one step of the propagation adds (De Leener 2014).
SECTION_MM = 6.0
#: Outward slope a mm, in units of the ring's typical edge.
OUTWARD = 0.2
#: Smoothing of the profiles along the cord for the coarse tube.
SECTION_SMOOTH_MM = 4.0
#: Vertices in a ring of the coarse tube: 15 for T2, 20 for T1 in the paper; 20 for both here.
COARSE_RAYS = 20
#: Half axes of a cord in units of its mean radius: 7.6 × 12.6 mm at C4 (PAM50, spine-generic).
AP_SHARE, RL_SHARE = 0.85, 1.3
#: Penalty on the squared distance (mm²) to a cord-sized ellipse, in thousandths of the window.
EVIDENCE_PENALTY = 15.0
#: An area this much larger than the last section's is a jump.
AREA_JUMP = 1.25
#: A prior ring is at most this much wider than the cord that the detector sees.
LARGEST_SHARE = 1.12
#: Below the cord that was seen, a section ends it that has less than this share of the contrast of
#: the sections above, or more than this share of their area: a bundle of roots with CSF between.
TIP_CONTRAST, TIP_AREA = 0.7, 1.3
#: Below this area (mm²) the cord has ended: the tip of the conus.
MIN_AREA_MM2 = 8.0


@dataclass(frozen=True)
class Scene:
    """What the surface is fitted to.

    Attributes
    ----------
    coefficients
        In-plane spline coefficients of the windowed image (X, Y, Z).
    spacing
        Voxel size in mm (3,).
    polarity
        +1 where the cord is darker than its surroundings, −1 where it is brighter.
    slices, centreline_mm
        Slices (K,) that the centreline covers, and its place in each (K, 2).
    radius_mm
        Rough radius of the cord in each (K,).
    sized
        Whether these radii were seen in this image, and so bound the surface that is expected.
    n_below
        How many of the first slices lie below the cord that was seen: perhaps the conus' tip,
        perhaps roots only, so that the rules for stopping are strict there.
    """

    coefficients: Float32Array
    spacing: FloatArray
    polarity: int
    slices: IntArray
    centreline_mm: FloatArray
    radius_mm: FloatArray
    sized: bool = False
    n_below: int = 0

    def bounded(self, radii_mm: FloatArray, rows: IntArray) -> FloatArray:
        """Shrink rings (K, T) that are much larger than the cord seen there, keeping their shape.

        What follows a leak then starts from a cord-sized ring again.
        """
        if not self.sized:
            return radii_mm
        size = np.sqrt((radii_mm**2).mean(axis=1))
        most = LARGEST_SHARE * self.radius_mm[rows]
        bounded: FloatArray = radii_mm * np.minimum(1, most / size)[:, None]
        return bounded

    def template(self, rows: IntArray) -> FloatArray:
        """Return a cord-like ellipse (T,) of the size expected at some slices."""
        radius = float(self.radius_mm[rows].mean())
        return ellipse_radii(COARSE_RAYS, AP_SHARE * radius, RL_SHARE * radius)

    def rays(self, centres_mm: FloatArray, slices: IntArray, n_rays: int) -> Float32Array:
        """Sample rays with the sign that makes the cord darker than its surroundings."""
        profiles = sample_rays(
            self.coefficients, self.spacing, centres_mm, slices, n_rays, radii_axis()
        )
        return profiles * np.float32(self.polarity)


@dataclass(frozen=True)
class Growth:
    """Result of the propagation.

    Attributes
    ----------
    tube
        The coarse tube, one ring a slice.
    start
        Slice where it started.
    stopped
        Why it stopped downwards and upwards.
    """

    tube: Tube
    start: int
    stopped: tuple[str, str]


@dataclass(frozen=True)
class _Section:
    centre_mm: FloatArray  # shift from the centreline
    radii_mm: FloatArray
    contrast: float
    moved_mm: float

    @property
    def area_mm2(self) -> float:
        return float((self.radii_mm**2).mean() * np.pi)


def grow(scene: Scene, start: int, params: PropsegParams) -> Growth:
    """Propagate the tube from a slice, downwards and upwards.

    Parameters
    ----------
    scene
        Image and centreline.
    start
        Index into ``scene.slices`` where to start.
    params
        Stopping rules and start radius.

    Returns
    -------
    Growth
    """
    size = max(1, round(SECTION_MM / scene.spacing[2]))
    first_rows = np.arange(
        max(0, start - size // 2), min(len(scene.slices), start - size // 2 + size)
    )
    # the first section has only the start radius to go by, so it may deform more, twice
    seed = _fit(scene, first_rows, np.zeros(2), scene.template(first_rows), params, loose=True)
    seed = _fit(scene, first_rows, seed.centre_mm, seed.radii_mm, params, loose=True)
    down, why_down = _run(scene, first_rows[0] - 1, -1, size, seed, params, params.down_voxels)
    up, why_up = _run(scene, first_rows[-1] + 1, 1, size, seed, params, params.up_voxels)
    sections = [*reversed(down), (first_rows, seed), *up]
    rows = np.concatenate([np.sort(r) for r, _ in sections])
    tube = Tube(
        scene.slices[rows],
        np.concatenate([scene.centreline_mm[np.sort(r)] + s.centre_mm for r, s in sections]),
        np.concatenate([np.tile(s.radii_mm, (len(r), 1)) for r, s in sections]),
    )
    return Growth(tube, int(scene.slices[start]), (why_down, why_up))


def ring_evidence(scene: Scene, rows: IntArray) -> float:
    """Say how well a cord-sized ring fits at some slices with the scene's polarity.

    Returns
    -------
    evidence
        Median over the slices of the ring's mean score in units of intensity (a thousandth of the
        window), less the penalty for its distance to a cord-sized ellipse.
    """
    radii = radii_axis()
    profiles = scene.rays(scene.centreline_mm[rows], scene.slices[rows], COARSE_RAYS)
    score = edge_score(_blur(profiles), radii, 1.6)
    score -= (EVIDENCE_PENALTY * (radii - scene.template(rows)[None, :, None]) ** 2).astype(
        np.float32
    )
    score[..., radii < MIN_RADIUS_MM] = -1000
    path = closed_path(score, bend=3.0)
    chosen = np.take_along_axis(score, path[..., None], axis=-1)[..., 0]
    return float(np.median(chosen.mean(axis=1)))


def _run(
    scene: Scene,
    row: int,
    step: int,
    size: int,
    seed: _Section,
    params: PropsegParams,
    limit: int | None,
) -> tuple[list[tuple[IntArray, _Section]], str]:
    """Add sections in one direction until a rule stops it; give them and the reason."""
    grown: list[tuple[IntArray, _Section]] = []
    last, contrasts, left = seed, [seed.contrast], limit
    # an image that is faint where it starts (T2*w with dark CSF) may go on being faint
    faintest = min(params.min_contrast, 0.3 * seed.contrast)
    if scene.sized:
        faintest *= 0.5  # the detector vouches for the cord where the image is faint
    for _ in range(params.n_iterations):
        rows = np.arange(row, row + step * size, step)
        rows = rows[(rows >= 0) & (rows < len(scene.slices))]
        if left is not None:
            rows, left = rows[:left], left - len(rows[:left])
        if not len(rows):
            return grown, "end of the centreline" if left is None else "length reached"
        # the prior surface is the last section's, grown or shrunk as the cord is expected to
        change = scene.radius_mm[rows].mean() / scene.radius_mm[row - step]
        prior = scene.bounded(last.radii_mm[None] * change, rows[:1])[0]
        section = _fit(scene, rows, last.centre_mm, prior, params)
        contrasts.append(section.contrast)
        recent = float(np.mean(contrasts[-3:]))
        if recent <= faintest:
            return grown, f"contrast {recent:.0f} ≤ {faintest:.0f}"
        if section.moved_mm >= params.max_deformation_mm:
            return grown, f"deformation {section.moved_mm:.1f} mm"
        jumps = section.area_mm2 > AREA_JUMP * last.area_mm2
        if section.area_mm2 >= params.max_area_mm2 and jumps:
            return grown, f"area {section.area_mm2:.0f} mm²"
        if rows.min() < scene.n_below and _ends(grown[-6:], section):
            return grown, "the cord ends (roots only)"
        if section.area_mm2 < MIN_AREA_MM2:
            return grown, f"the cord ends (area {section.area_mm2:.0f} mm²)"
        grown.append((rows, section))
        last, row = section, row + step * size
    return grown, f"{params.n_iterations} sections"


def _ends(before: list[tuple[IntArray, _Section]], section: _Section) -> bool:
    """Whether a section below the cord that was seen is roots: a faint or a sprawling ring."""
    if not before:
        return False
    contrast = float(np.median([last.contrast for _, last in before]))
    area = float(np.median([last.area_mm2 for _, last in before]))
    return section.contrast < TIP_CONTRAST * contrast or section.area_mm2 > TIP_AREA * area


def _fit(
    scene: Scene,
    rows: IntArray,
    shift_mm: FloatArray,
    prior_mm: FloatArray,
    params: PropsegParams,
    loose: bool = False,
) -> _Section:
    """Fit one ring to a section's mean profiles, starting from the section before."""
    radii = radii_axis()
    near, weights = _neighbourhood(rows, scene)
    centres = scene.centreline_mm[near] + shift_mm
    profiles = scene.rays(centres, scene.slices[near], COARSE_RAYS)
    profiles = np.einsum("k,ktn->tn", weights, profiles)[None].astype(np.float32)
    score = edge_score(_blur(profiles), radii, 1.6)
    # an edge fainter than -min-contrast does not count as a whole one, so the prior holds there
    relative, trust = in_units_of_edge(score, score_scale(score, radii, 1), params)
    slope = OUTWARD * trust if scene.polarity > 0 else 0 * trust
    strength = 1.0 if loose else 1.6
    path = closed_path(prefer(relative, radii, prior_mm[None], slope, strength, params))
    target = radii[path]
    seen = np.take_along_axis(relative, path[..., None], axis=-1)[..., 0]
    stiffness = params.alpha / 50
    fitted = relax(target, np.clip(seen, 0, 1) ** 2 + 0.01, low_pass(target, 4), stiffness, 0)[0]
    fitted = np.maximum(fitted, MIN_RADIUS_MM)
    ring = Tube(np.zeros(1, dtype=np.int64), np.zeros((1, 2)), fitted[None])
    offset = ring.centroids_mm()
    radii_about_centroid = ring.recentred(offset).radii_mm[0]
    inside, outside = levels_beside(profiles, radii, fitted[None])
    contrast = float(np.abs(outside - inside).mean())
    moved = float(np.abs(fitted - prior_mm).mean())
    return _Section(shift_mm + offset[0], radii_about_centroid, contrast, moved)


def _neighbourhood(rows: IntArray, scene: Scene) -> tuple[IntArray, FloatArray]:
    """Rows whose profiles a section's ring is fitted to, with weights that add up to 1.

    A Gaussian along the cord: single thick slices are helped by their neighbours.
    """
    step_mm = float(scene.spacing[2])
    reach = round(2 * SECTION_SMOOTH_MM / step_mm)
    first, last = (
        max(0, int(rows.min()) - reach),
        min(len(scene.slices) - 1, int(rows.max()) + reach),
    )
    near = np.arange(first, last + 1)
    away_mm = (near - rows.mean()) * step_mm
    weights = np.exp(-0.5 * (away_mm / SECTION_SMOOTH_MM) ** 2)
    return near, weights / weights.sum()


def in_units_of_edge(
    score: Float32Array, typical: Float32Array, params: PropsegParams
) -> tuple[Float32Array, FloatArray]:
    """Divide an edge score (K, T, N) by its ring's typical edge (K,), but not by a faint one.

    Returns
    -------
    relative
        (K, T, N), clipped to ±1.5.
    trust
        (K, 1, 1): 1 where the typical edge reaches twice ``-min-contrast``, towards 0 where there
        is none to see and only the prior surface is left to go by.
    """
    floor = np.maximum(typical, params.min_contrast)[:, None, None]
    trust = np.clip(typical / (2 * params.min_contrast), 0, 1)[:, None, None]
    return np.clip(score / floor, -1.5, 1.5), trust


def prefer(
    relative: FloatArray | Float32Array,
    radii_mm: FloatArray,
    prior_mm: FloatArray,
    slope: FloatArray,
    strength: float,
    params: PropsegParams,
) -> Float32Array:
    """Add what is known beforehand to an edge score (K, T, N) in units of the ring's typical edge.

    The squared distance to the prior surface (K, T) counts against a point (``-d``); points beyond
    ``-distance-search`` are out. The outward slope (K, 1, 1) a mm is for a dark cord: grey matter's
    edge lies inside the cord's, and nothing alike lies outside, since CSF is brighter than both.
    """
    distance = radii_mm - prior_mm[..., None]
    penalty = 0.015 * params.distance_weight * strength * distance**2
    preferred = relative + slope * radii_mm - penalty
    preferred[np.abs(distance) > params.distance_search_mm] = -100
    preferred[..., radii_mm < MIN_RADIUS_MM] = -100
    return preferred.astype(np.float32)


def _blur(profiles: Float32Array) -> Float32Array:
    blurred: Float32Array = ndimage.gaussian_filter1d(profiles, 1.0, axis=-1)
    return blurred
