"""The segmentation network on patches, once or under test-time augmentation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from spinetools.deepseg.lattice import Float32Array
from spinetools.deepseg.patches import Patches
from spinetools.errors import ModelError
from spinetools.infer import normalise
from spinetools.infer.onnx import OnnxModel
from spinetools.models.card import ModelCard

#: Voxels of a batch: some 30 MB for the network's own layers at 16 features.
_BATCH_VOXELS = 16 * 64 * 64
#: Shifts (pixels) and exponents of test-time augmentation: one voxel of 1 mm in two directions, and
#: contrasts as different as two sequences of one kind. The first is the patch as it is.
_VERSIONS: tuple[tuple[tuple[int, int], float], ...] = (
    ((0, 0), 1.0),
    ((2, 1), 0.8),
    ((-1, -2), 1.25),
)
MARGIN = max(abs(step) for shift, _ in _VERSIONS for step in shift)


@dataclass(frozen=True)
class Version:
    """A way to show the network a patch.

    Attributes
    ----------
    shift
        Pixels in the plane.
    exponent
        Of the intensity between the patch's extremes.
    mirrored
        Whether left and right are exchanged.
    """

    shift: tuple[int, int] = (0, 0)
    exponent: float = 1.0
    mirrored: bool = False


def versions(card: ModelCard, tta: bool) -> tuple[Version, ...]:
    """Return the ways to show a patch: one, or those of test-time augmentation.

    The set is closed under mirroring, where the card allows that, so that a mirrored image gives
    the mirrored result.
    """
    if not tta:
        return (Version(),)
    sides = (False, True) if "x" in card.tta else (False,)
    return tuple(
        Version(shift, exponent, mirrored) for shift, exponent in _VERSIONS for mirrored in sides
    )


def check_network(model: OnnxModel) -> None:
    """Raise ModelError where a model is none that segments patches about the cord."""
    card = model.card
    flat_or_block = card.axes.split()[:2] == ["N", "1"] and len(card.spacing_mm) in (2, 3)
    if not (flat_or_block and card.patch and card.labels == ("cord",)):
        raise ModelError(
            f"{model.path} ({card.task}) is no network of patches about the cord, expected one "
            "input channel, a patch size and the label cord; choose another -model"
        )


def probabilities(
    model: OnnxModel,
    volume: np.ndarray[tuple[int, ...], np.dtype[np.generic]],
    patches: Patches,
    shown: tuple[Version, ...],
) -> tuple[Float32Array, Float32Array | None]:
    """Run the network on every patch.

    Parameters
    ----------
    model
        The network.
    volume
        The canonical image.
    patches
        Where to cut.
    shown
        See :func:`versions`.

    Returns
    -------
    mean
        Probability of cord (N, P, P[, P]).
    deviation
        Standard deviation over the versions; None for one version.
    """
    size = model.card.patch
    mean = np.empty((len(patches), *size), dtype=np.float32)
    deviation = np.empty_like(mean) if len(shown) > 1 else None
    change = _normalisation(model.card)
    for rows in _batches(len(patches), max(1, _BATCH_VOXELS // int(np.prod(size)))):
        wide = patches.cut(volume, rows)
        found = np.stack(
            [_shown(model, wide, version, patches.margin, change) for version in shown]
        )
        mean[rows] = found.mean(axis=0)
        if deviation is not None:
            deviation[rows] = found.std(axis=0)
    return mean, deviation


def _shown(
    model: OnnxModel,
    wide: Float32Array,
    version: Version,
    margin: int,
    change: Callable[[Float32Array], Float32Array],
) -> Float32Array:
    """Run the network on one version of some patches, and undo the version."""
    nx, ny = model.card.patch[:2]
    dx, dy = version.shift
    # a mirrored patch is shifted after mirroring: the versions stay a closed set
    views = wide[:, ::-1] if version.mirrored else wide
    views = views[:, margin + dx : margin + dx + nx, margin + dy : margin + dy + ny]
    batch = np.stack([change(_recoloured(view, version.exponent)) for view in views])
    found = model.run(np.ascontiguousarray(batch[:, None], dtype=np.float32))[:, 0]
    # pixels that a shift has moved out of the patch lie 16 mm from the cord: there is none
    back = np.zeros((len(wide), *wide.shape[1:3], *found.shape[3:]), dtype=np.float32)
    back[:, margin + dx : margin + dx + nx, margin + dy : margin + dy + ny] = found
    back = back[:, ::-1] if version.mirrored else back
    return back[:, margin : margin + nx, margin : margin + ny]


def _recoloured(patch: Float32Array, exponent: float) -> Float32Array:
    """Bend the intensities between the patch's extremes."""
    if exponent == 1:
        return patch
    low, high = np.percentile(patch, [0.5, 99.5])
    if high <= low:
        return patch
    unit: Float32Array = np.clip((patch - low) / np.float32(high - low), 0, 1) ** np.float32(
        exponent
    )
    return unit


def _normalisation(card: ModelCard) -> Callable[[Float32Array], Float32Array]:
    """Return the card's normalisation; only ones of a patch alone can be used here."""
    if card.normalisation != "patch_contrast":
        raise ModelError(
            f"the model {card.name} asks for the normalisation {card.normalisation!r}, expected "
            "'patch_contrast'; choose another -model"
        )
    return normalise.patch_contrast


def _batches(n: int, size: int) -> Iterator[range]:
    for first in range(0, n, size):
        yield range(first, min(first + size, n))
