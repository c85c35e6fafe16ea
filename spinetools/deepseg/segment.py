"""Detector, centreline, patches, segmentation network and tidying up, as one function."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from spinetools.centerline import Centreline, optic_centreline
from spinetools.deepseg.clean import Cleaned, Rules, sureness
from spinetools.deepseg.doubts import (
    Doubt,
    area_jumps,
    disagreements,
    gaps,
    not_segmented,
    unsure_slices,
)
from spinetools.deepseg.lattice import Float32Array, FloatArray
from spinetools.deepseg.look import look_along
from spinetools.deepseg.network import check_network, versions
from spinetools.deepseg.params import DETECTOR, Contrast, DeepsegParams, brain_in_view
from spinetools.errors import InputError, NoSpineError
from spinetools.image import Image
from spinetools.infer.onnx import OnnxModel
from spinetools.models.store import find_model

logger = logging.getLogger(__name__)

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

#: Grid on which everything is computed (nibabel letters).
CANONICAL = ("R", "A", "S")
#: How far beyond the cord that the detector saw the network is asked: it looks only every 3 mm, and
#: the tip of the conus is seldom seen for sure.
BELOW_MM, ABOVE_MM = 20.0, 6.0
#: The soft result reaches this far beyond the mask and its neighbouring voxels: the rim that is
#: cord in part, not what little the network sees elsewhere.
SOFT_RIM_MM = 1.5


@dataclass(frozen=True)
class DeepsegResult:
    """What the networks found.

    Attributes
    ----------
    soft
        Probability of cord on the input's grid (float32), about the share of each voxel that is
        cord; 0 away from the cord.
    mask
        Where it reaches ``threshold``, cleaned (uint8).
    uncertainty
        Standard deviation of the probability over the versions of test-time augmentation
        (float32), where asked for.
    line
        The centreline along which was looked.
    slices
        Slices with cord, counted from the lowest (K,).
    areas_mm2
        Soft area in the plane of each of them (K,).
    sureness
        How sure the network is in each of them (K,), 0 to 1.
    doubts
        What a person should look at.
    threshold
        As used.
    models
        Files of the networks: detector (unless the centreline was given) and segmentation.
    n_versions
        How many versions of each patch the network was shown.
    """

    soft: Image
    mask: Image
    uncertainty: Image | None
    line: Centreline
    slices: IntArray
    areas_mm2: FloatArray
    sureness: FloatArray
    doubts: tuple[Doubt, ...]
    threshold: float
    models: tuple[Path, ...]
    n_versions: int


def find_centreline(
    image: Image,
    contrast: Contrast = "any",
    brain: bool | None = None,
    model: str = DETECTOR,
    device: str = "auto",
) -> Centreline:
    """Find the cord with the heatmap network, from a little below the cord seen to a little above.

    Parameters
    ----------
    image
        3D, any orientation and contrast.
    contrast
        Says whether the brain is expected in view.
    brain
        True: end below the brain; False: there is none in view. None: by contrast, see
        :func:`spinetools.deepseg.params.brain_in_view`.
    model
        Name or path of the detector.
    device
        Where it runs, see :mod:`spinetools.infer.device`.

    Raises
    ------
    NoSpineError
        When no cord was found.
    """
    stop = brain_in_view(contrast) if brain is None else brain
    return optic_centreline(
        image,
        model=model,
        below_mm=BELOW_MM,
        above_mm=ABOVE_MM,
        stop_at_brain=stop,
        device=device,
    )


def segment_cord(
    image: Image,
    contrast: Contrast = "any",
    params: DeepsegParams | None = None,
    line: Centreline | None = None,
) -> DeepsegResult:
    """Segment the spinal cord with a network on patches along its centreline.

    Parameters
    ----------
    image
        3D, any orientation.
    contrast
        Chooses the threshold.
    params
        See :class:`DeepsegParams`.
    line
        The cord's centreline; None: :func:`find_centreline` finds it.

    Returns
    -------
    DeepsegResult

    Raises
    ------
    NoSpineError
        When no centreline is found, or the network sees no cord along it.
    InputError
        When the centreline lies outside the image, or ``kernel`` and ``model`` contradict.
    ModelError
        When a model is missing or unfit.

    References
    ----------
    Gros C et al. Automatic segmentation of the spinal cord and intramedullary multiple sclerosis
    lesions with convolutional neural networks. NeuroImage 184 (2019) 901–915.
    """
    params = params or DeepsegParams()
    network = load_network(params)
    if line is None:
        line = find_centreline(image, contrast, device=params.device)
    canonical = image.reorient(CANONICAL)
    shown = versions(network.card, params.tta or params.uncertainty)
    limit = network.card.threshold(contrast)
    if params.threshold is not None and not params.is_soft:
        limit = params.threshold
    rules = Rules(limit, params.largest, params.fill_holes, params.smallest, params.in_mm3)
    seen = line.slices[[line.n_below, len(line.slices) - 1 - line.n_above]]
    found = look_along(canonical, _line_on(canonical, line), seen, network, shown, rules)
    chance, cleaned, start = found.chance, found.cleaned, found.start
    if not cleaned.mask.any():
        raise NoSpineError(
            f"{image.name}: the network {network.card.name} sees no cord along the centreline "
            f"(highest probability {chance.max():.2f}, threshold {limit:g}); check -c and the "
            "centreline, or lower -thr"
        )
    voxel_mm = np.asarray(canonical.space.spacing)
    soft = _soft(chance, cleaned, limit, voxel_mm)
    spread = None if found.deviation is None else found.patches.paste(found.deviation)
    slices = np.flatnonzero(cleaned.mask.any(axis=(0, 1)))
    areas = soft.sum(axis=(0, 1))[slices] * float(voxel_mm[0] * voxel_mm[1])
    sure = sureness(cleaned.mask, chance)[slices]
    doubts = _doubts(cleaned, slices, areas, sure, start, seen, spread, voxel_mm)

    def on_input(array: npt.NDArray[np.generic]) -> Image:
        full = np.zeros(canonical.shape, dtype=array.dtype)
        full[tuple(slice(a, b) for a, b in zip(*found.box, strict=True))] = array
        return canonical.like(full).reorient(image.space.nib_codes)

    return DeepsegResult(
        soft=on_input(soft),
        mask=on_input(cleaned.mask.astype(np.uint8)),
        uncertainty=on_input(spread) if params.uncertainty and spread is not None else None,
        line=line,
        slices=slices + start[2],
        areas_mm2=areas.astype(np.float64),
        sureness=sure,
        doubts=doubts,
        threshold=limit,
        models=tuple(path for path in (line.model, network.path) if path is not None),
        n_versions=len(shown),
    )


def load_network(params: DeepsegParams) -> OnnxModel:
    """Load the segmentation network, and check that it is one of the kernel asked for.

    Raises
    ------
    ModelError
        When it is missing or segments no patches about the cord.
    InputError
        When it is of the other kernel.
    """
    network = OnnxModel(find_model(params.network), params.device)
    check_network(network)
    kernel = f"{len(network.card.spacing_mm)}d"
    if params.kernel not in (None, kernel):
        raise InputError(
            f"-kernel {params.kernel}, but the model {network.card.name} is of kernel {kernel}; "
            f"leave out -kernel, or choose another -model"
        )
    return network


def _line_on(canonical: Image, line: Centreline) -> FloatArray:
    """Return the centreline on the canonical grid (K, 3), a row a slice."""
    places = canonical.space.to_voxel(line.world_mm)
    limits = np.array(canonical.shape) - 0.5
    if not ((places > -0.5) & (places < limits)).all(axis=1).any():
        raise InputError(f"the centreline does not pass through {canonical.name}; check its space")
    return np.clip(places, 0, np.array(canonical.shape) - 1)


def _soft(
    chance: Float32Array, cleaned: Cleaned, limit: float, voxel_mm: FloatArray
) -> Float32Array:
    """Return the probability in and about the mask; in filled slices the mask itself."""
    # voxels of the rim share their values with the next ones, a voxel and a half away
    radii = SOFT_RIM_MM + 1.5 * voxel_mm[:2]
    reach = (radii / voxel_mm[:2]).astype(int)
    x, y = (np.arange(-r, r + 1) * v / s for r, v, s in zip(reach, voxel_mm, radii, strict=False))
    near = np.hypot(x[:, None], y[None, :]) <= 1
    about = ndimage.binary_dilation(cleaned.mask, near[:, :, None])
    soft: Float32Array = np.where(about, chance, np.float32(0))
    # holes and gaps that were filled are cord
    added = cleaned.mask & (chance < limit)
    soft[added] = 1
    return soft


def _doubts(
    cleaned: Cleaned,
    slices: IntArray,
    areas: FloatArray,
    sure: FloatArray,
    start: IntArray,
    seen: IntArray,
    spread: Float32Array | None,
    voxel_mm: FloatArray,
) -> tuple[Doubt, ...]:
    """Gather what a person should look at; slices as counted in the image."""
    whole = slices + start[2]
    filled = tuple(k + int(start[2]) for k in cleaned.filled)
    unfilled = ~np.isin(slices, cleaned.filled)
    doubts = [
        *gaps(whole, filled),
        *not_segmented(whole, np.arange(seen[0], seen[1] + 1), float(voxel_mm[2])),
        *unsure_slices(whole[unfilled], sure[unfilled]),
        *area_jumps(whole, areas, float(voxel_mm[2])),
    ]
    if spread is not None:
        about = ndimage.binary_dilation(cleaned.mask, np.ones((3, 3, 1)))
        amount = (spread * about).sum(axis=(0, 1))[slices] * float(voxel_mm[0] * voxel_mm[1])
        doubts += disagreements(whole, amount, areas)
    return tuple(doubts)
