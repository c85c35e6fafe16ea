"""Draw the signal of each tissue by contrast, relative to the white matter of the cord."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spinetools.errors import InputError
from spinetools.phantom import tables
from spinetools.phantom.lattice import Float32Array
from spinetools.phantom.relaxation import SEQUENCES, draw_means
from spinetools.phantom.tables import Range
from spinetools.phantom.tissues import N_TISSUES, Tissue

T = Tissue

CONTRASTS = (
    "t1", "t2", "t2s", "dwi", "mt", "random", "pd", "stir", "dixon", "relax", "ct",
)  # fmt: skip

_TABLES: dict[str, tuple[dict[Tissue, Range], ...]] = {
    "t1": (tables.T1_GRADIENT, tables.T1_SPIN),
    "t2": (tables.T2, tables.T2_TURBO),
    "t2s": (tables.T2_STAR,),
    "mt": (tables.MT_ON, tables.MT_OFF),
    "dwi": (tables.DWI,),
    "pd": (tables.PROTON,),
    "stir": (tables.STIR,),
    "dixon": (tables.WATER, tables.FAT_ONLY, tables.IN_PHASE, tables.OPPOSED),
    "ct": (tables.CT,),
}
STYLES: dict[str, tuple[str, ...]] = {
    "t1": ("gradient", "spin"),
    "t2": ("volume", "turbo"),
    "mt": ("on", "off"),
    "dixon": ("water", "fat", "in", "opposed"),
    "relax": SEQUENCES,
}

#: Relative variation of the signal within a tissue.
_TEXTURE = {
    T.MUSCLE: 0.06, T.FAT: 0.06, T.FAT_PLANE: 0.25, T.MARROW: 0.12, T.ARCH_MARROW: 0.15,
    T.ORGAN: 0.08, T.BOWEL: 0.45, T.LUNG: 0.4, T.EPIDURAL: 0.2, T.CSF: 0.04, T.MUCOSA: 0.2,
    T.WHITE_MATTER: 0.025, T.GREY_MATTER: 0.03, T.BRAIN_GREY: 0.05, T.BRAIN_WHITE: 0.05,
    T.ANNULUS: 0.15, T.NUCLEUS: 0.12, T.NUCLEUS_DARK: 0.15, T.KIDNEY: 0.12, T.HEART: 0.3,
    T.SKIN: 0.15, T.LIGAMENT: 0.15, T.SKULL_MARROW: 0.2, T.BRAINSTEM: 0.03,
}  # fmt: skip

_CHANGED = (T.OEDEMA, T.FATTY_MARROW, T.SCLEROSIS)

#: Signal of the arches' marrow over that of the bodies'.
_ARCH_TO_BODY: Range = (0.85, 1.35)

#: Attenuation of the cord over that of air, HU.
_CORD_CT = 1035.0

#: Share of fat's signal left where it is suppressed.
_FAT_LEFT: Range = (0.06, 0.2)
_FATTY = (T.FAT, T.FAT_PLANE, T.EPIDURAL, T.FATTY_MARROW)

#: Texture in CT, relative to the tissue's attenuation above air.
_CT_TEXTURE = {
    T.CORTEX: 0.12, T.MARROW: 0.04, T.ARCH_MARROW: 0.06, T.SKULL_MARROW: 0.1, T.LUNG: 0.3,
    T.BOWEL: 0.06, T.OEDEMA: 0.04, T.SCLEROSIS: 0.05, T.FATTY_MARROW: 0.06,
}  # fmt: skip
_CT_SOFT_TEXTURE = 0.006

#: Least difference between cord and CSF (cord = 1) in fully random contrasts.
_LEAST_CSF_CONTRAST = 0.2


@dataclass(frozen=True, eq=False)
class TissueTable:
    """Mean signal of each tissue (white matter of the cord = 1), and its relative texture.

    ``gain`` is the spread of signal between vertebrae, and between discs.

    In CT the signal is that of :func:`from_hounsfield`; in water-fat imaging's fat image, fat is
    about 1 and the cord nearly 0.
    """

    mean: Float32Array
    texture: Float32Array
    style: str
    gain: float = 0.07


def draw_table(
    contrast: str,
    rng: np.random.Generator,
    style: str | None = None,
    fat_suppressed: bool | None = None,
) -> TissueTable:
    """Draw the signal of every tissue.

    Parameters
    ----------
    contrast
        One of :data:`CONTRASTS`. ``random`` draws each tissue's signal freely, so that a model
        trained on it relies on shape.
    rng
        Source of randomness.
    style
        For ``t1`` ``gradient`` (dark marrow) or ``spin`` (bright marrow), for ``t2`` ``volume``
        (dark marrow) or ``turbo`` (any), for ``mt`` ``on`` or ``off``, for ``dixon`` ``water``,
        ``fat``, ``in`` or ``opposed`` (phase), for ``relax`` (signal equations with random times)
        ``spin_echo``, ``gradient_echo`` or ``inversion``; None draws one.
    fat_suppressed
        None draws one (one in five for t1, t2, t2s and pd; always for dwi).

    Raises
    ------
    InputError
        When the contrast or the style does not exist.
    """
    if contrast not in CONTRASTS:
        raise InputError(f"unknown contrast {contrast!r}; choose one of {', '.join(CONTRASTS)}")
    texture = np.full(N_TISSUES, 0.05, dtype=np.float32)
    for tissue, value in _TEXTURE.items():
        texture[tissue] = value
    if contrast == "random":
        return TissueTable(_random_means(rng), texture * rng.uniform(0.3, 2.0), "random")
    styles = STYLES.get(contrast, ("",))
    if style is not None and style not in styles:
        raise InputError(f"contrast {contrast} has no style {style!r}; choose {', '.join(styles)}")
    number = int(rng.integers(len(styles))) if style is None else styles.index(style)
    if contrast == "relax":
        means = draw_means(rng, styles[number]).astype(np.float32)
        return TissueTable(means, texture * rng.uniform(0.6, 1.3), styles[number])
    ranges = _TABLES[contrast][number]
    mean = np.zeros(N_TISSUES, dtype=np.float32)
    mean[T.WHITE_MATTER] = 1
    for tissue in Tissue:  # in a fixed order, so that a seed gives the same table
        if tissue in ranges:
            mean[tissue] = rng.uniform(*ranges[tissue])
    if contrast in ("pd", "stir", "dixon") or styles[number] == "turbo":
        # wide ranges: what differs little within one subject must not be drawn apart
        mean[T.ARCH_MARROW] = mean[T.MARROW] * rng.uniform(*_ARCH_TO_BODY)
    _change_marrow(mean, contrast, styles[number], rng)
    suppress = rng.random() < 0.2 if fat_suppressed is None else fat_suppressed
    if suppress and contrast in ("t1", "t2", "t2s", "pd"):
        mean[list(_FATTY)] *= np.float32(rng.uniform(*_FAT_LEFT))
    if contrast == "ct":
        mean, texture[:] = from_hounsfield(mean), _CT_SOFT_TEXTURE
        texture[list(_CT_TEXTURE)] = list(_CT_TEXTURE.values())
    gain = 0.015 if contrast == "ct" else 0.07
    return TissueTable(mean, texture * rng.uniform(0.6, 1.3), styles[number], gain)


def from_hounsfield(units: Float32Array) -> Float32Array:
    """Attenuation over that of the cord (35 HU): air 0, cord 1."""
    result: Float32Array = ((units + 1000) / _CORD_CT).astype(np.float32)
    return result


def to_hounsfield(signal: Float32Array) -> Float32Array:
    """Undo :func:`from_hounsfield`."""
    result: Float32Array = (signal * np.float32(_CORD_CT) - 1000).astype(np.float32)
    return result


def _ranges_of_changed(contrast: str, style: str) -> tuple[Range, Range, Range]:
    known = tables.CHANGED_MARROW
    found = known.get(style) or known.get(contrast)
    return known["other"] if found is None else found


def _change_marrow(mean: Float32Array, contrast: str, style: str, rng: np.random.Generator) -> None:
    """Draw the signal of changed marrow relative to sound marrow, in place."""
    ranges = _ranges_of_changed(contrast, style)
    for tissue, limits in zip(_CHANGED, ranges, strict=True):
        mean[tissue] = mean[T.MARROW] * rng.uniform(*limits)


def _random_means(rng: np.random.Generator) -> Float32Array:
    mean = rng.uniform(0.02, 2.2, N_TISSUES)
    mean[T.AIR] = 0.0 if rng.random() < 0.8 else rng.uniform(0, 0.6)
    mean[T.WHITE_MATTER] = 1.0
    mean[T.GREY_MATTER] = rng.uniform(0.85, 1.2)
    mean[T.BRAINSTEM] = rng.uniform(0.95, 1.05)
    while abs(mean[T.CSF] - 1) < _LEAST_CSF_CONTRAST:
        mean[T.CSF] = rng.uniform(0.02, 3.0)
    mean[T.ARCH_MARROW] = mean[T.MARROW] * rng.uniform(0.8, 1.2)
    result: Float32Array = mean.astype(np.float32)
    _change_marrow(result, "random", "", rng)
    return result
