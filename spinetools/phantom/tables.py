"""Signal of each tissue by contrast, as ranges relative to the white matter of the cord.

Cord, CSF, grey matter, marrow, discs, muscle, cortex and fat: ratios measured on public images
(STIR, proton density and water-fat: typical order and ratios); the others are plausible.
``T2_STAR``: CSF over cord 1.35 in one subject, 1.5 to 2.4 in four volumes of other sites; muscle
0.97, and 0.6 to 0.75. ``T2_TURBO``: marrow over CSF as in 29 lumbar images (SPIDER, van der Graaf
2024): 0.16 to 0.58, median 0.29.
CT in Hounsfield units.
"""

from __future__ import annotations

from spinetools.phantom.tissues import Tissue

T = Tissue
Range = tuple[float, float]

T1_GRADIENT: dict[Tissue, Range] = {
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
T1_SPIN: dict[Tissue, Range] = {
    **T1_GRADIENT,
    T.FAT: (2.1, 3.0), T.FAT_PLANE: (1.5, 2.4), T.EPIDURAL: (1.6, 2.6), T.MARROW: (1.25, 1.9),
    T.ARCH_MARROW: (1.3, 2.1), T.ANNULUS: (0.75, 1.0), T.NUCLEUS: (1.05, 1.2),
    T.NUCLEUS_DARK: (1.0, 1.15), T.MUSCLE: (0.7, 0.9), T.CSF: (0.4, 0.6), T.CORTEX: (0.1, 0.25),
    T.ARTERY: (0.05, 0.25), T.VEIN: (0.1, 0.5), T.BASIVERTEBRAL: (0.7, 1.2),
    T.SKULL_MARROW: (1.2, 2.2),
}  # fmt: skip
T2: dict[Tissue, Range] = {
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
T2_STAR: dict[Tissue, Range] = {
    T.SKIN: (0.7, 1.1), T.FAT: (0.6, 1.4), T.MUSCLE: (0.6, 1.02), T.FAT_PLANE: (0.45, 1.3),
    T.CORTEX: (0.12, 0.25), T.MARROW: (0.2, 0.5), T.ARCH_MARROW: (0.3, 0.37),
    T.ANNULUS: (0.6, 0.9), T.NUCLEUS: (0.95, 1.3), T.NUCLEUS_DARK: (0.7, 1.0),
    T.EPIDURAL: (0.7, 1.2), T.LIGAMENT: (0.4, 0.7), T.CSF: (1.28, 2.3),
    T.GREY_MATTER: (1.08, 1.19), T.ROOT: (0.95, 1.1), T.BRAIN_WHITE: (0.95, 1.05),
    T.BRAIN_GREY: (1.1, 1.2), T.BRAINSTEM: (0.97, 1.05), T.ARTERY: (1.3, 2.4),
    T.VEIN: (1.1, 1.9), T.LUNG: (0.02, 0.1), T.ORGAN: (0.9, 1.4), T.KIDNEY: (1.0, 1.4),
    T.BOWEL: (0.3, 1.3), T.HEART: (0.8, 1.6), T.CARTILAGE: (0.7, 1.2), T.MUCOSA: (0.8, 1.3),
    T.FLUID: (1.3, 2.2), T.BASIVERTEBRAL: (0.4, 0.8), T.SKULL_MARROW: (0.15, 0.5),
    T.FASCIA: (0.35, 0.7),
}  # fmt: skip
MT_ON: dict[Tissue, Range] = {
    **T2_STAR,
    T.FAT: (1.4, 2.2), T.FAT_PLANE: (1.0, 1.7), T.MUSCLE: (0.96, 1.04), T.CSF: (1.2, 1.34),
    T.GREY_MATTER: (1.18, 1.26), T.MARROW: (0.44, 0.52), T.ARCH_MARROW: (0.4, 0.52),
    T.CORTEX: (0.16, 0.24), T.LIGAMENT: (0.35, 0.6), T.ANNULUS: (0.6, 0.85),
    T.NUCLEUS: (0.9, 1.2), T.EPIDURAL: (0.9, 1.5), T.BRAIN_GREY: (1.15, 1.25),
    T.SKIN: (0.9, 1.3),
}  # fmt: skip
MT_OFF: dict[Tissue, Range] = {
    **MT_ON,
    T.MUSCLE: (1.01, 1.09), T.CSF: (1.36, 1.5), T.GREY_MATTER: (1.0, 1.06),
    T.MARROW: (0.36, 0.44), T.ARCH_MARROW: (0.34, 0.44), T.CORTEX: (0.31, 0.39),
    T.BRAIN_GREY: (1.0, 1.08),
}  # fmt: skip
DWI: dict[Tissue, Range] = {
    **{tissue: (0.2, 0.38) for tissue in Tissue if tissue not in (T.AIR, T.WHITE_MATTER)},
    T.CSF: (0.2, 0.36), T.CORTEX: (0.1, 0.25), T.GREY_MATTER: (0.96, 1.06), T.ROOT: (0.45, 0.8),
    T.BRAIN_WHITE: (0.8, 1.05), T.BRAIN_GREY: (0.7, 0.95), T.BRAINSTEM: (0.9, 1.05),
    T.LUNG: (0.02, 0.1), T.ARTERY: (0.05, 0.2), T.VEIN: (0.05, 0.2),
}  # fmt: skip
T2_TURBO: dict[Tissue, Range] = {
    **T2,
    T.MARROW: (0.42, 1.3), T.ARCH_MARROW: (0.5, 1.4), T.FAT: (1.6, 2.8), T.FAT_PLANE: (0.8, 2.2),
    T.EPIDURAL: (1.0, 2.4), T.MUSCLE: (0.25, 0.5), T.NUCLEUS: (0.6, 1.7),
    T.NUCLEUS_DARK: (0.12, 0.4), T.ANNULUS: (0.06, 0.2), T.LIGAMENT: (0.1, 0.3),
    T.ROOT: (0.6, 1.0), T.BASIVERTEBRAL: (0.8, 2.0), T.SKULL_MARROW: (0.6, 1.6),
}  # fmt: skip
STIR: dict[Tissue, Range] = {
    T.SKIN: (0.3, 0.8), T.FAT: (0.02, 0.09), T.FAT_PLANE: (0.04, 0.3), T.MUSCLE: (0.4, 0.7),
    T.CORTEX: (0.03, 0.1), T.MARROW: (0.12, 0.4), T.ARCH_MARROW: (0.12, 0.4),
    T.ANNULUS: (0.08, 0.25), T.NUCLEUS: (1.2, 2.3), T.NUCLEUS_DARK: (0.2, 0.5),
    T.EPIDURAL: (0.08, 0.5), T.LIGAMENT: (0.08, 0.25), T.CSF: (2.4, 4.0),
    T.GREY_MATTER: (1.03, 1.12), T.ROOT: (0.8, 1.1), T.BRAIN_WHITE: (0.85, 1.0),
    T.BRAIN_GREY: (1.15, 1.4), T.BRAINSTEM: (0.95, 1.05), T.ARTERY: (0.04, 0.2),
    T.VEIN: (0.3, 2.4), T.LUNG: (0.02, 0.12), T.ORGAN: (0.5, 0.9), T.KIDNEY: (1.2, 2.0),
    T.BOWEL: (0.3, 2.2), T.HEART: (0.1, 0.6), T.CARTILAGE: (0.4, 0.9), T.MUCOSA: (0.8, 1.8),
    T.FLUID: (2.4, 3.8), T.BASIVERTEBRAL: (0.7, 1.8), T.SKULL_MARROW: (0.1, 0.4),
    T.FASCIA: (0.1, 0.3),
}  # fmt: skip
PROTON: dict[Tissue, Range] = {
    T.SKIN: (0.7, 1.1), T.FAT: (1.2, 1.8), T.FAT_PLANE: (0.8, 1.4), T.MUSCLE: (0.55, 0.8),
    T.CORTEX: (0.05, 0.15), T.MARROW: (0.5, 0.95), T.ARCH_MARROW: (0.5, 1.0),
    T.ANNULUS: (0.2, 0.45), T.NUCLEUS: (0.7, 1.2), T.NUCLEUS_DARK: (0.4, 0.7),
    T.EPIDURAL: (0.9, 1.5), T.LIGAMENT: (0.15, 0.35), T.CSF: (1.2, 1.6),
    T.GREY_MATTER: (1.1, 1.25), T.ROOT: (0.9, 1.1), T.BRAIN_WHITE: (0.9, 1.05),
    T.BRAIN_GREY: (1.15, 1.35), T.BRAINSTEM: (0.97, 1.05), T.ARTERY: (0.05, 0.2),
    T.VEIN: (0.1, 1.2), T.LUNG: (0.03, 0.12), T.ORGAN: (0.7, 1.0), T.KIDNEY: (1.0, 1.4),
    T.BOWEL: (0.3, 1.4), T.HEART: (0.2, 0.7), T.CARTILAGE: (0.6, 1.0), T.MUCOSA: (0.8, 1.3),
    T.FLUID: (1.2, 1.7), T.BASIVERTEBRAL: (0.7, 1.2), T.SKULL_MARROW: (0.5, 1.3),
    T.FASCIA: (0.2, 0.4),
}  # fmt: skip
WATER: dict[Tissue, Range] = {
    T.SKIN: (0.5, 0.9), T.FAT: (0.02, 0.1), T.FAT_PLANE: (0.06, 0.4), T.MUSCLE: (0.6, 1.0),
    T.CORTEX: (0.06, 0.2), T.MARROW: (0.42, 0.85), T.ARCH_MARROW: (0.3, 0.8),
    T.ANNULUS: (0.6, 1.2), T.NUCLEUS: (1.0, 1.8), T.NUCLEUS_DARK: (0.7, 1.2),
    T.EPIDURAL: (0.1, 0.5), T.LIGAMENT: (0.25, 0.5), T.CSF: (1.25, 2.1),
    T.GREY_MATTER: (1.02, 1.15), T.ROOT: (0.85, 1.1), T.BRAIN_WHITE: (0.95, 1.05),
    T.BRAIN_GREY: (1.05, 1.2), T.BRAINSTEM: (0.97, 1.05), T.ARTERY: (0.6, 2.4),
    T.VEIN: (0.6, 2.2), T.LUNG: (0.02, 0.12), T.ORGAN: (0.8, 1.3), T.KIDNEY: (0.9, 1.5),
    T.BOWEL: (0.2, 1.4), T.HEART: (0.6, 1.6), T.CARTILAGE: (0.7, 1.2), T.MUCOSA: (0.8, 1.3),
    T.FLUID: (1.2, 2.2), T.BASIVERTEBRAL: (0.8, 1.7), T.SKULL_MARROW: (0.1, 0.5),
    T.FASCIA: (0.3, 0.6),
}  # fmt: skip
IN_PHASE: dict[Tissue, Range] = {
    **WATER,
    T.FAT: (1.3, 2.2), T.FAT_PLANE: (1.0, 1.6), T.MARROW: (0.8, 1.3), T.ARCH_MARROW: (0.8, 1.4),
    T.EPIDURAL: (1.0, 1.8), T.SKIN: (0.7, 1.1), T.SKULL_MARROW: (0.8, 1.5),
}  # fmt: skip
OPPOSED: dict[Tissue, Range] = {
    **WATER,
    T.FAT: (1.1, 2.0), T.FAT_PLANE: (0.1, 0.8), T.MARROW: (0.08, 0.45),
    T.ARCH_MARROW: (0.1, 0.6), T.EPIDURAL: (0.4, 1.2), T.SKULL_MARROW: (0.2, 1.0),
}  # fmt: skip
#: Nearly nothing but fat: the cord is as dark as muscle.
FAT_ONLY: dict[Tissue, Range] = {
    **{tissue: (0.03, 0.12) for tissue in Tissue if tissue is not T.AIR},
    T.FAT: (1.2, 1.8), T.FAT_PLANE: (0.5, 1.3), T.MARROW: (0.45, 0.9), T.ARCH_MARROW: (0.5, 1.1),
    T.EPIDURAL: (0.8, 1.6), T.SKULL_MARROW: (0.5, 1.3), T.MUSCLE: (0.04, 0.18),
    T.SKIN: (0.1, 0.3), T.CORTEX: (0.02, 0.1), T.LUNG: (0.01, 0.05), T.BASIVERTEBRAL: (0.1, 0.4),
}  # fmt: skip
#: Hounsfield units; trabecular bone: 226 ± 44 in the young, falling by 2.5 a year.
CT: dict[Tissue, Range] = {
    T.AIR: (-1000, -1000), T.SKIN: (0, 60), T.FAT: (-115, -90), T.MUSCLE: (45, 65),
    T.FAT_PLANE: (-90, -30), T.CORTEX: (500, 1300), T.MARROW: (70, 270),
    T.ARCH_MARROW: (120, 380), T.ANNULUS: (75, 115), T.NUCLEUS: (60, 95),
    T.NUCLEUS_DARK: (60, 95), T.EPIDURAL: (-100, -40), T.LIGAMENT: (50, 90), T.CSF: (5, 16),
    T.WHITE_MATTER: (30, 40), T.GREY_MATTER: (32, 42), T.ROOT: (25, 40),
    T.BRAIN_WHITE: (24, 32), T.BRAIN_GREY: (33, 42), T.BRAINSTEM: (26, 34), T.ARTERY: (38, 260),
    T.VEIN: (36, 160), T.LUNG: (-880, -720), T.ORGAN: (50, 110), T.KIDNEY: (30, 180),
    T.BOWEL: (-60, 80), T.HEART: (38, 200), T.CARTILAGE: (60, 200), T.MUCOSA: (35, 70),
    T.FLUID: (0, 18), T.BASIVERTEBRAL: (40, 100), T.SKULL_MARROW: (200, 700), T.FASCIA: (30, 70),
}  # fmt: skip

#: Signal of changed marrow (oedema, fat, dense bone) over that of sound marrow; by style or
#: contrast.
CHANGED_MARROW: dict[str, tuple[Range, Range, Range]] = {
    "gradient": ((0.9, 1.6), (1.2, 2.4), (0.3, 0.7)),
    "spin": ((0.45, 0.75), (1.15, 1.5), (0.3, 0.6)),
    "t2": ((1.4, 2.3), (1.3, 2.2), (0.3, 0.6)),
    "pd": ((0.8, 1.2), (1.1, 1.4), (0.4, 0.7)),
    "stir": ((3.0, 6.0), (0.3, 0.7), (0.4, 0.8)),
    "water": ((1.2, 1.8), (0.3, 0.7), (0.4, 0.8)),
    "fat": ((0.3, 0.7), (1.3, 2.0), (0.3, 0.6)),
    "ct": ((0.7, 1.0), (0.2, 0.6), (1.8, 3.0)),
    "random": ((0.3, 3.0), (0.3, 3.0), (0.2, 1.0)),
    "other": ((1.3, 2.2), (0.9, 1.6), (0.5, 0.8)),
}
