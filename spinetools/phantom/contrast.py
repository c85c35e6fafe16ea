"""Signal of each tissue by contrast, relative to the white matter of the cord."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spinetools.errors import InputError
from spinetools.phantom.lattice import Float32Array
from spinetools.phantom.tissues import N_TISSUES, Tissue

T = Tissue
Range = tuple[float, float]

CONTRASTS = ("t1", "t2", "t2s", "dwi", "mt", "random")

# Ranges from which a tissue's signal is drawn. Cord, CSF, grey matter, marrow, discs, muscle,
# cortex and fat: ratios measured on public single-subject images; the others are plausible.
_T1_GRADIENT: dict[Tissue, Range] = {
    T.SKIN: (0.8, 1.2), T.FAT: (1.5, 2.2), T.MUSCLE: (0.8, 0.92), T.FAT_PLANE: (1.0, 1.6),
    T.CORTEX: (0.08, 0.18), T.MARROW: (0.15, 0.26), T.ARCH_MARROW: (0.15, 0.26),
    T.ANNULUS: (0.8, 0.95), T.NUCLEUS: (0.88, 0.98), T.NUCLEUS_DARK: (0.8, 0.95),
    T.EPIDURAL: (0.5, 1.2), T.LIGAMENT: (0.25, 0.45), T.CSF: (0.45, 0.6),
    T.GREY_MATTER: (0.97, 1.03), T.ROOT: (0.7, 0.9), T.BRAIN_WHITE: (1.0, 1.2),
    T.BRAIN_GREY: (0.75, 0.9), T.BRAINSTEM: (0.97, 1.05), T.ARTERY: (0.8, 2.2),
    T.VEIN: (0.6, 1.2), T.LUNG: (0.05, 0.2), T.ORGAN: (0.9, 1.2), T.KIDNEY: (0.8, 1.0),
    T.BOWEL: (0.3, 1.1), T.HEART: (0.7, 1.0), T.CARTILAGE: (0.5, 0.8), T.MUCOSA: (0.7, 1.1),
    T.FLUID: (0.35, 0.5), T.BASIVERTEBRAL: (0.3, 0.6), T.SKULL_MARROW: (0.4, 1.3),
    T.FASCIA: (0.35, 0.7),
}  # fmt: skip
_T1_SPIN: dict[Tissue, Range] = {
    **_T1_GRADIENT,
    T.FAT: (2.1, 3.0), T.FAT_PLANE: (1.5, 2.4), T.EPIDURAL: (1.6, 2.6), T.MARROW: (1.25, 1.9),
    T.ARCH_MARROW: (1.3, 2.1), T.ANNULUS: (0.75, 1.0), T.NUCLEUS: (1.05, 1.2),
    T.NUCLEUS_DARK: (1.0, 1.15), T.MUSCLE: (0.7, 0.9), T.CSF: (0.4, 0.6), T.CORTEX: (0.1, 0.25),
    T.ARTERY: (0.05, 0.25), T.VEIN: (0.1, 0.5), T.BASIVERTEBRAL: (0.7, 1.2),
    T.SKULL_MARROW: (1.2, 2.2),
}  # fmt: skip
_T2: dict[Tissue, Range] = {
    T.SKIN: (0.5, 0.9), T.FAT: (1.8, 2.3), T.MUSCLE: (0.3, 0.4), T.FAT_PLANE: (0.8, 1.7),
    T.CORTEX: (0.05, 0.13), T.MARROW: (0.4, 0.45), T.ARCH_MARROW: (0.4, 0.6),
    T.ANNULUS: (0.06, 0.14), T.NUCLEUS: (0.5, 0.8), T.NUCLEUS_DARK: (0.15, 0.35),
    T.EPIDURAL: (0.7, 1.9), T.LIGAMENT: (0.1, 0.22), T.CSF: (2.2, 3.1),
    T.GREY_MATTER: (1.03, 1.09), T.ROOT: (0.75, 1.0), T.BRAIN_WHITE: (0.9, 1.05),
    T.BRAIN_GREY: (1.15, 1.35), T.BRAINSTEM: (0.95, 1.05), T.ARTERY: (0.04, 0.09),
    T.VEIN: (0.06, 1.0), T.LUNG: (0.02, 0.12), T.ORGAN: (0.5, 0.8), T.KIDNEY: (0.9, 1.4),
    T.BOWEL: (0.2, 1.6), T.HEART: (0.1, 0.5), T.CARTILAGE: (0.3, 0.6), T.MUCOSA: (0.6, 1.3),
    T.FLUID: (2.0, 3.0), T.BASIVERTEBRAL: (0.6, 1.2), T.SKULL_MARROW: (0.5, 1.2),
    T.FASCIA: (0.12, 0.26),
}  # fmt: skip
_T2_STAR: dict[Tissue, Range] = {
    T.SKIN: (0.7, 1.1), T.FAT: (0.95, 1.4), T.MUSCLE: (0.92, 1.02), T.FAT_PLANE: (0.45, 1.3),
    T.CORTEX: (0.12, 0.25), T.MARROW: (0.2, 0.5), T.ARCH_MARROW: (0.3, 0.37),
    T.ANNULUS: (0.6, 0.9), T.NUCLEUS: (0.95, 1.3), T.NUCLEUS_DARK: (0.7, 1.0),
    T.EPIDURAL: (0.7, 1.2), T.LIGAMENT: (0.4, 0.7), T.CSF: (1.28, 1.42),
    T.GREY_MATTER: (1.08, 1.19), T.ROOT: (0.95, 1.1), T.BRAIN_WHITE: (0.95, 1.05),
    T.BRAIN_GREY: (1.1, 1.2), T.BRAINSTEM: (0.97, 1.05), T.ARTERY: (1.3, 2.4),
    T.VEIN: (1.1, 1.9), T.LUNG: (0.02, 0.1), T.ORGAN: (0.9, 1.4), T.KIDNEY: (1.0, 1.4),
    T.BOWEL: (0.3, 1.3), T.HEART: (0.8, 1.6), T.CARTILAGE: (0.7, 1.2), T.MUCOSA: (0.8, 1.3),
    T.FLUID: (1.3, 1.6), T.BASIVERTEBRAL: (0.4, 0.8), T.SKULL_MARROW: (0.15, 0.5),
    T.FASCIA: (0.35, 0.7),
}  # fmt: skip
_MT_ON: dict[Tissue, Range] = {
    **_T2_STAR,
    T.FAT: (1.4, 2.2), T.FAT_PLANE: (1.0, 1.7), T.MUSCLE: (0.96, 1.04), T.CSF: (1.2, 1.34),
    T.GREY_MATTER: (1.18, 1.26), T.MARROW: (0.44, 0.52), T.ARCH_MARROW: (0.4, 0.52),
    T.CORTEX: (0.16, 0.24), T.LIGAMENT: (0.35, 0.6), T.ANNULUS: (0.6, 0.85),
    T.NUCLEUS: (0.9, 1.2), T.EPIDURAL: (0.9, 1.5), T.BRAIN_GREY: (1.15, 1.25),
    T.SKIN: (0.9, 1.3),
}  # fmt: skip
_MT_OFF: dict[Tissue, Range] = {
    **_MT_ON,
    T.MUSCLE: (1.01, 1.09), T.CSF: (1.36, 1.5), T.GREY_MATTER: (1.0, 1.06),
    T.MARROW: (0.36, 0.44), T.ARCH_MARROW: (0.34, 0.44), T.CORTEX: (0.31, 0.39),
    T.BRAIN_GREY: (1.0, 1.08),
}  # fmt: skip
_DWI: dict[Tissue, Range] = {
    **{tissue: (0.2, 0.38) for tissue in Tissue if tissue not in (T.AIR, T.WHITE_MATTER)},
    T.CSF: (0.2, 0.36), T.CORTEX: (0.1, 0.25), T.GREY_MATTER: (0.96, 1.06), T.ROOT: (0.45, 0.8),
    T.BRAIN_WHITE: (0.8, 1.05), T.BRAIN_GREY: (0.7, 0.95), T.BRAINSTEM: (0.9, 1.05),
    T.LUNG: (0.02, 0.1), T.ARTERY: (0.05, 0.2), T.VEIN: (0.05, 0.2),
}  # fmt: skip

_TABLES: dict[str, tuple[dict[Tissue, Range], ...]] = {
    "t1": (_T1_GRADIENT, _T1_SPIN),
    "t2": (_T2,),
    "t2s": (_T2_STAR,),
    "mt": (_MT_ON, _MT_OFF),
    "dwi": (_DWI,),
}
STYLES: dict[str, tuple[str, ...]] = {"t1": ("gradient", "spin"), "mt": ("on", "off")}

#: Signal of changed marrow over that of sound marrow: oedema, fat, dense bone.
_CHANGED_MARROW: dict[str, tuple[Range, Range, Range]] = {
    "gradient": ((0.9, 1.6), (1.2, 2.4), (0.3, 0.7)),
    "spin": ((0.45, 0.75), (1.15, 1.5), (0.3, 0.6)),
    "t2": ((1.4, 2.3), (1.3, 2.2), (0.3, 0.6)),
    "t2s": ((1.3, 2.2), (0.9, 1.6), (0.5, 0.8)),
    "random": ((0.3, 3.0), (0.3, 3.0), (0.2, 1.0)),
}
_CHANGED = (T.OEDEMA, T.FATTY_MARROW, T.SCLEROSIS)

#: Relative variation of the signal within a tissue.
_TEXTURE = {
    T.MUSCLE: 0.06, T.FAT: 0.06, T.FAT_PLANE: 0.25, T.MARROW: 0.12, T.ARCH_MARROW: 0.15,
    T.ORGAN: 0.08, T.BOWEL: 0.45, T.LUNG: 0.4, T.EPIDURAL: 0.2, T.CSF: 0.04, T.MUCOSA: 0.2,
    T.WHITE_MATTER: 0.025, T.GREY_MATTER: 0.03, T.BRAIN_GREY: 0.05, T.BRAIN_WHITE: 0.05,
    T.ANNULUS: 0.15, T.NUCLEUS: 0.12, T.NUCLEUS_DARK: 0.15, T.KIDNEY: 0.12, T.HEART: 0.3,
    T.SKIN: 0.15, T.LIGAMENT: 0.15, T.SKULL_MARROW: 0.2, T.BRAINSTEM: 0.03,
}  # fmt: skip

#: Share of fat's signal left where it is suppressed.
_FAT_LEFT: Range = (0.06, 0.2)
_FATTY = (T.FAT, T.FAT_PLANE, T.EPIDURAL, T.FATTY_MARROW)

#: Least difference between cord and CSF (cord = 1) in fully random contrasts.
_LEAST_CSF_CONTRAST = 0.2


@dataclass(frozen=True, eq=False)
class TissueTable:
    """Mean signal of each tissue (white matter of the cord = 1), and its relative texture."""

    mean: Float32Array
    texture: Float32Array
    style: str


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
        For ``t1`` ``gradient`` (dark marrow) or ``spin`` (bright marrow), for ``mt`` ``on`` or
        ``off``; None draws one.
    fat_suppressed
        None draws one (one in five for t1, t2 and t2s; always for dwi).

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
    ranges = _TABLES[contrast][number]
    mean = np.zeros(N_TISSUES, dtype=np.float32)
    mean[T.WHITE_MATTER] = 1
    for tissue in Tissue:  # in a fixed order, so that a seed gives the same table
        if tissue in ranges:
            mean[tissue] = rng.uniform(*ranges[tissue])
    _change_marrow(mean, contrast, styles[number], rng)
    suppress = rng.random() < 0.2 if fat_suppressed is None else fat_suppressed
    if suppress and contrast in ("t1", "t2", "t2s"):
        mean[list(_FATTY)] *= np.float32(rng.uniform(*_FAT_LEFT))
    return TissueTable(mean, texture * rng.uniform(0.6, 1.3), styles[number])


def _change_marrow(mean: Float32Array, contrast: str, style: str, rng: np.random.Generator) -> None:
    """Draw the signal of changed marrow relative to sound marrow, in place."""
    ranges = _CHANGED_MARROW.get(style) or _CHANGED_MARROW.get(contrast) or _CHANGED_MARROW["t2s"]
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
