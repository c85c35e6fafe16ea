"""PropSeg as one function: image and centreline in, cord out."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from spinetools.errors import InputError, NoSpineError
from spinetools.image import Image
from spinetools.propseg.canal import csf_mask
from spinetools.propseg.correct import (
    CANONICAL,
    Correction,
    Course,
    guide,
    held,
    impose,
    lead,
    read_correction,
)
from spinetools.propseg.leak import Leak, bridge, leak_scores
from spinetools.propseg.mesh import Mesh, tube_mesh
from spinetools.propseg.params import EDGE_FRACTION, POLARITY, Contrast, PropsegParams
from spinetools.propseg.profiles import (
    Float32Array,
    FloatArray,
    IntArray,
    spline_coefficients,
    window,
)
from spinetools.propseg.propagate import Growth, Scene, grow, ring_evidence
from spinetools.propseg.refine import FINE_RAYS, edge_contrast, refine, settle
from spinetools.propseg.tube import Tube

logger = logging.getLogger(__name__)

#: When the image is believed against ``-c``, in thousandths of the window. With the sign for a dark
#: cord, a ring fits dark cords by −40 (T2*w whose CSF is as bright as the cord) to 324, and bright
#: ones by −105 or less; with the sign for a bright cord, bright ones by 320 or more, dark ones by
#: up to 164 (the canal's wall). Measured on the images of the real set, three of them bright.
DARK_FOR_SURE, NOT_DARK, BRIGHT_FOR_SURE = 50.0, -50.0, 220.0
#: The contrast that is meant, most likely, where ``-c`` has the wrong polarity.
_USUAL = {1: "t2", -1: "t1"}
#: A slice whose mask's centre is further than this from the mesh's is dropped (De Leener 2014).
MAX_OFF_CENTRE_MM = 3.0


@dataclass(frozen=True)
class PropsegResult:
    """What PropSeg found.

    Attributes
    ----------
    soft
        Fraction of each voxel inside the surface, on the input's grid (float32).
    mask
        ``soft`` at one half, cleaned (uint8).
    csf
        The ring of CSF round the cord (uint8), where asked for.
    mesh, coarse_mesh, initial_mesh
        The fine surface, the propagated one, and the section that it started from.
    centreline_mm
        The cord's centre in world mm, a row a slice from the lowest (K, 3).
    slices
        Slice of each row, counted from the lowest.
    leak
        Leak score and reasons, a slice of ``slices``.
    polarity
        +1 where the cord was taken to be darker than its surroundings, −1 brighter.
    stopped
        Why the propagation ended below and above.
    kept
        Slices, counted from the lowest, that are as a person drew them.
    """

    soft: Image
    mask: Image
    csf: Image | None
    mesh: Mesh
    coarse_mesh: Mesh
    initial_mesh: Mesh
    centreline_mm: npt.NDArray[np.float64]
    slices: IntArray
    leak: Leak
    polarity: int
    stopped: tuple[str, str]
    kept: IntArray


def segment_cord(
    image: Image,
    centreline_voxels: FloatArray,
    contrast: Contrast,
    params: PropsegParams | None = None,
    *,
    radius_mm: FloatArray | None = None,
    seen_radius_mm: FloatArray | None = None,
    n_below: int = 0,
    correction: Image | None = None,
    with_csf: bool = False,
) -> PropsegResult:
    """Segment the spinal cord by propagating and fitting a tube.

    Parameters
    ----------
    image
        3D anatomical image.
    centreline_voxels
        Rows of voxel coordinates (K, 3) on the image's grid, one for each slice that may hold cord;
        slices between two rows are interpolated.
    contrast
        Says whether the cord is darker (t2, t2s) or brighter (t1, dwi) than its surroundings; where
        the image clearly says otherwise, the image is believed and a warning says so.
    params
        See :class:`PropsegParams`.
    radius_mm
        Rough radius of the cord at each row of the centreline (K,); None: ``params.radius_mm``.
    seen_radius_mm
        Rough radius of the cord as a detector sees it at each row (K,), which only the leak score
        goes by; None: ``radius_mm``, where that is given.
    n_below
        How many rows at the centreline's lower end lie below the cord that was seen.
    correction
        What a person marked (non-zero): the cord as a whole in some slices, which are kept as drawn
        and lead the surface beside them, or voxels on the cord's edge in others, which the surface
        has to pass through.
    with_csf
        Segment the CSF too.

    Returns
    -------
    PropsegResult

    Raises
    ------
    NoSpineError
        When no ring with enough contrast is found at the start.

    References
    ----------
    De Leener B, Kadoury S, Cohen-Adad J. Robust, accurate and fast automatic segmentation of the
    spinal cord. NeuroImage 98 (2014) 528–536.
    """
    params = params or PropsegParams()
    canonical = image.reorient(CANONICAL)
    spacing = np.asarray(canonical.space.spacing) * params.rescale
    if radius_mm is None:
        sizes: FloatArray = np.full(len(centreline_voxels), params.radius_mm)
    else:
        sizes = np.asarray(radius_mm) * params.rescale
    path = _one_a_slice(image, centreline_voxels, sizes, spacing, n_below)
    seen_radius_mm = radius_mm if seen_radius_mm is None else seen_radius_mm
    seen = None
    if seen_radius_mm is not None:
        sizes = np.asarray(seen_radius_mm) * params.rescale
        seen = _one_a_slice(image, centreline_voxels, sizes, spacing, n_below)
    marks = None if correction is None else correction.reorient(CANONICAL).data
    drawn = None if marks is None else read_correction(marks, spacing, FINE_RAYS)
    if drawn is not None:
        path = lead(path, drawn.rings, float(spacing[2]), sized=radius_mm is not None)
        seen = None if seen is None else lead(seen, drawn.rings, float(spacing[2]))
    volume = window(canonical.data.astype(np.float32), spacing, path.centres_mm, path.slices)
    scene = Scene(
        spline_coefficients(volume),
        spacing,
        POLARITY[contrast],
        path.slices,
        path.centres_mm,
        path.radius_mm,
        sized=radius_mm is not None,
        n_below=path.n_below,
    )
    start = _start_row(scene, params, None if drawn is None else drawn.slices)
    scene = _believe_image(scene, contrast)
    growth = grow(scene, start, params)
    # an image that contradicts -c is treated as the likeliest contrast of its own polarity
    treated = contrast if POLARITY[contrast] == scene.polarity else _USUAL[scene.polarity]
    coarse = growth.tube
    if drawn is not None:
        coarse = guide(coarse, drawn.rings, path, float(spacing[2]))
    tube = settle(scene, refine(scene, coarse, params), EDGE_FRACTION[treated], params)
    if drawn is not None:
        tube = held(tube, coarse.resampled(tube.n_rays), drawn.slices, float(spacing[2]))
        tube = impose(tube, drawn, spacing)
    tube, leak = _mend_leaks(scene, tube, growth, params, seen, drawn)
    soft = tube.rasterise(canonical.shape, spacing)
    if drawn is not None:
        # voxel by voxel as drawn: a ring has one radius an angle, and a person need not think so
        kept = np.intersect1d(drawn.slices, tube.slices)
        soft[:, :, kept] = drawn.drawn[:, :, kept]
    mask, tube, leak = _checked(soft, tube, leak, spacing, params, drawn)
    soft = soft * mask.any(axis=(0, 1))
    back = image.space.nib_codes
    csf = None
    if with_csf:
        csf = canonical.like(csf_mask(scene, tube, mask, params)).reorient(back)
    first = growth.tube.slices == growth.start
    return PropsegResult(
        soft=canonical.like(soft).reorient(back),
        mask=canonical.like(mask).reorient(back),
        csf=csf,
        mesh=tube_mesh(tube, canonical.space, spacing),
        coarse_mesh=tube_mesh(growth.tube, canonical.space, spacing),
        initial_mesh=tube_mesh(
            growth.tube.part(_about(first, growth.tube.slices, spacing[2])),
            canonical.space,
            spacing,
        ),
        centreline_mm=canonical.space.to_world(
            np.column_stack([tube.centroids_mm() / spacing[:2], tube.slices])
        ),
        slices=tube.slices,
        leak=leak,
        polarity=scene.polarity,
        stopped=growth.stopped,
        kept=np.intersect1d(drawn.slices if drawn is not None else [], tube.slices).astype(int),
    )


def _one_a_slice(
    image: Image,
    centreline_voxels: FloatArray,
    sizes: FloatArray,
    spacing: FloatArray,
    n_below: int,
) -> Course:
    """Turn centreline points on the image's grid into one centre and size a canonical slice."""
    canonical = image.space.reoriented(CANONICAL)
    points = canonical.to_voxel(image.space.to_world(np.asarray(centreline_voxels)))
    inside = (points > -0.5).all(axis=1) & (points < np.asarray(canonical.shape) - 0.5).all(axis=1)
    points = np.column_stack([points, sizes])[inside]
    if not len(points):
        raise InputError(f"the centreline does not pass through {image.name}; check its space")
    points = points[np.argsort(points[:, 2], kind="stable")]
    heights, first = np.unique(np.round(points[:, 2], 3), return_index=True)
    slices = np.arange(round(heights[0]), round(heights[-1]) + 1)
    x, y, size = (np.interp(slices, heights, points[first, column]) for column in (0, 1, 3))
    return Course(slices.astype(np.int64), np.column_stack([x, y]) * spacing[:2], size, n_below)


def _start_row(scene: Scene, params: PropsegParams, drawn: IntArray | None) -> int:
    """Where to start: ``-init`` as slice or fraction; by default the middle of the centreline.

    A drawn slice is a better start: of those, the one nearest to the middle.
    """
    if params.init >= 1:
        row = int(params.init) - int(scene.slices[0])
        if not 0 <= row < len(scene.slices):
            raise InputError(
                f"cannot start at slice {params.init:g}: the centreline covers slices "
                f"{scene.slices[0]} to {scene.slices[-1]}, counted from the lowest"
            )
        return row
    seen = len(scene.slices) - scene.n_below
    row = min(scene.n_below + int(params.init * seen), len(scene.slices) - 1)
    if drawn is not None and len(drawn) and params.init == PropsegParams().init:
        rows = drawn - scene.slices[0]
        return int(rows[np.abs(rows - row).argmin()])
    return row


def _believe_image(scene: Scene, contrast: Contrast) -> Scene:
    """Turn the polarity where the image clearly contradicts the contrast given."""
    rows = np.unique(np.linspace(0, len(scene.slices) - 1, 25).round().astype(int))
    dark = ring_evidence(replace(scene, polarity=1), rows)
    bright = ring_evidence(replace(scene, polarity=-1), rows)
    if scene.polarity > 0:
        wrong = dark < NOT_DARK and bright > BRIGHT_FOR_SURE
    else:
        # epidural fat, bright on T1w, is a ring about a bright cord too: the cord's own must fail
        wrong = dark > DARK_FOR_SURE and bright < dark / 2
    turned = replace(scene, polarity=-scene.polarity)
    if wrong:
        seen = "darker" if turned.polarity > 0 else "brighter"
        logger.warning(
            "-c %s expects a %s cord, but in this image it is %s than its surroundings; going by "
            "the image (choose -c %s)",
            contrast,
            "darker" if scene.polarity > 0 else "brighter",
            seen,
            "t2 or t2s" if turned.polarity > 0 else "t1 or dwi",
        )
        return turned
    return scene


def _mend_leaks(
    scene: Scene,
    tube: Tube,
    growth: Growth,
    params: PropsegParams,
    path: Course | None,
    drawn: Correction | None,
) -> tuple[Tube, Leak]:
    """Score leaks, but not what a person drew, and do what ``-leak`` says about them."""
    step_mm = float(scene.spacing[2])

    def score(surface: Tube) -> Leak:
        contrast = edge_contrast(scene, surface)
        seen = None if path is None else path.radius_mm[surface.slices - path.slices[0]]
        leak = leak_scores(surface, contrast, step_mm, params.min_contrast, seen)
        return leak if drawn is None else leak.but_not(np.isin(surface.slices, drawn.slices))

    leak = score(tube)
    if not leak.flagged.any() or params.leak == "warn":
        return tube, leak
    if params.leak == "bridge":
        return bridge(tube, leak.flagged), leak
    start = int(np.flatnonzero(tube.slices == growth.start)[0])
    below = np.flatnonzero(leak.flagged[: start + 1])
    above = np.flatnonzero(leak.flagged[start + 1 :])
    low = int(below[-1]) + 1 if len(below) else 0
    high = start + 1 + int(above[0]) if len(above) else len(tube.slices)
    if high <= low:
        raise NoSpineError(
            f"the surface leaks in the slice where it starts ({growth.start}); choose another "
            "start with -init, or -leak bridge"
        )
    kept = tube.part(slice(low, high))
    return kept, score(kept)


def _checked(
    soft: Float32Array,
    tube: Tube,
    leak: Leak,
    spacing: FloatArray,
    params: PropsegParams,
    drawn: Correction | None,
) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.uint8]], Tube, Leak]:
    """Threshold, and drop what cannot be cord (``-correct-seg``), unless a person drew it."""
    mask = (soft >= 0.5).astype(np.uint8)
    keep = np.asarray(mask[:, :, tube.slices].any(axis=(0, 1)))
    if params.correct:
        for row, (k, centre) in enumerate(zip(tube.slices, tube.centroids_mm(), strict=True)):
            _, n = ndimage.label(mask[:, :, k])
            if n == 0 or (drawn is not None and k in drawn.slices):
                continue
            where = np.array(ndimage.center_of_mass(mask[:, :, k])) * spacing[:2]
            if n > 1 or float(np.hypot(*(where - centre))) >= MAX_OFF_CENTRE_MM:
                keep[row] = False
    if not keep.any():
        raise NoSpineError("no slice holds a plausible cord; check the centreline and -c")
    mask[:, :, np.setdiff1d(tube.slices, tube.slices[keep])] = 0
    rows = np.flatnonzero(keep)
    inner = slice(int(rows[0]), int(rows[-1]) + 1)
    return mask, tube.part(inner), Leak(leak.score[inner], leak.reasons[inner])


def _about(
    first: np.ndarray[tuple[int, ...], np.dtype[np.bool_]], slices: IntArray, step_mm: float
) -> IntArray:
    """Rows within a section's length of the start."""
    start = int(np.flatnonzero(first)[0])
    reach = max(1, round(3.0 / step_mm))
    return np.arange(max(0, start - reach), min(len(slices), start + reach + 1))
