"""Signal of the tissues on the fine grid, before any scanner: means, texture, partial volume."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from spinetools.image import Space
from spinetools.phantom.contrast import TissueTable
from spinetools.phantom.labels import LabelVolume, structure_ids
from spinetools.phantom.lattice import Float32Array, interpolation, spread
from spinetools.phantom.tissues import Tissue

#: Scales (mm) and weights of the texture within tissues, and of the jets of flowing CSF.
TEXTURE_SCALES = ((1.3, 0.5), (3.5, 0.5), (11.0, 0.7))
JET_SCALES = ((9.0, 0.5), (25.0, 0.9))

#: Discs differ more between levels than vertebrae do.
_DISC_GAIN = 2.0


#: Where the texture exceeds this, muscle holds fat; how much, as (mean, SD) of its share there.
MARBLED_ABOVE, _MARBLING = 0.6, (0.1, 0.3)


def marbling(table: TissueTable, rng: np.random.Generator) -> np.float32:
    """Draw how much fat between fibres changes the signal of muscle at most.

    None where the table has no texture for muscle.
    """
    share = max(float(rng.normal(*_MARBLING)), 0.0)
    fat = float(table.mean[Tissue.FAT_PLANE] - table.mean[Tissue.MUSCLE])
    return np.float32(min(share, 0.8) * fat * (table.texture[Tissue.MUSCLE] > 0))


def draw_gains(table: TissueTable, rng: np.random.Generator) -> Float32Array:
    """Draw the relative signal of each structure's tissues, (256,) by its identity."""
    deviates = rng.normal(0, 1, 256)
    ids = structure_ids()
    for name, number in ids.items():
        if name.startswith("disc"):
            deviates[number] *= _DISC_GAIN
    for number in (0, ids["spinal_cord"], ids["spinal_canal"]):
        deviates[number] = 0.0
    gains: Float32Array = np.exp(table.gain * deviates).astype(np.float32)
    return gains


def tissue_signal(
    labels: LabelVolume, table: TissueTable, rng: np.random.Generator, flow: float = 0.0
) -> Float32Array:
    """Signal on the fine grid, without scanner: means, texture, partial volume."""
    pattern = texture(labels.space, rng, TEXTURE_SCALES)
    gains = draw_gains(table, rng)
    mean, rough = table.mean, table.texture

    def signal(tissue: npt.NDArray[np.uint8]) -> Float32Array:
        value: Float32Array = rough[tissue] * pattern
        value += 1
        value *= mean[tissue]
        return value

    image = signal(labels.top)
    image *= gains[labels.structure]
    image += (
        marbling(table, rng)
        * np.clip(pattern - MARBLED_ABOVE, 0, 1)
        * (labels.top == Tissue.MUSCLE)
    )
    edge = np.nonzero(labels.share < 1)
    share = labels.share[edge]
    other = mean[labels.under[edge]] * (1 + rough[labels.under[edge]] * pattern[edge])
    image[edge] = image[edge] * share + other * (1 - share)
    inside = np.nonzero(labels.sac > 0)
    sac, cord = labels.sac[inside], np.minimum(labels.cord[inside], labels.sac[inside])
    grey, root = labels.grey[inside], labels.root[inside]
    local = pattern[inside]
    moving: Float32Array | float = 1.0
    if flow > 0:  # jets take signal away in some places, none in others
        jets = texture(labels.space, rng, JET_SCALES)[inside]
        moving = 1 - np.float32(flow) * np.clip(jets, 0, 1)

    def of(tissue: Tissue) -> Float32Array:
        value: Float32Array = mean[tissue] * (1 + rough[tissue] * local)
        return value

    image[inside] = (
        image[inside] * (1 - sac)
        + of(Tissue.CSF) * moving * np.maximum(sac - cord - root, 0)
        + of(Tissue.WHITE_MATTER) * (cord - grey)
        + of(Tissue.GREY_MATTER) * grey
        + of(Tissue.ROOT) * root
    )
    return np.maximum(image, 0, out=image)


def texture(
    space: Space, rng: np.random.Generator, scales: Sequence[tuple[float, float]]
) -> Float32Array:
    """Smooth noise of about unit variance: (scale in mm, weight) pairs."""
    total = np.zeros(space.shape, dtype=np.float32)
    for scale_mm, weight in scales:
        pairs = [
            interpolation(n, d, scale_mm) for n, d in zip(space.shape, space.spacing, strict=True)
        ]
        noise = rng.standard_normal(tuple(len(p) for p, _ in pairs))
        total += np.float32(weight * 1.4) * spread(noise, tuple(w for _, w in pairs))
    return np.clip(total, -2.5, 2.5, out=total)
