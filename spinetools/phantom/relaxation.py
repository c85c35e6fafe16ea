"""Signal equations: contrasts that no table holds, from relaxation times and random sequences.

Times are those measured for CSF, cord, discs and vertebrae at 1.5 to 3 T (white matter 876/73 ms,
grey matter 973/76 ms, CSF 4273/1578 ms, normal, intermediate and dry disc 1165/102, 723/67 and
554/56 ms, vertebra 515/101 ms); for other tissues typical ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spinetools.phantom.lattice import FloatArray
from spinetools.phantom.tissues import N_TISSUES, Tissue

T = Tissue

# T1 and T2 in ms, T2' in ms (dephasing that an echo undoes), proton density (CSF 107)
_TIMES: dict[Tissue, tuple[float, float, float, float]] = {
    T.SKIN: (900, 35, 60, 70), T.FAT: (340, 75, 60, 100), T.MUSCLE: (1150, 38, 80, 78),
    T.FAT_PLANE: (380, 70, 50, 90), T.CORTEX: (400, 2, 5, 15), T.MARROW: (515, 101, 10, 91),
    T.ARCH_MARROW: (480, 95, 9, 91), T.ANNULUS: (640, 45, 40, 48),
    T.NUCLEUS: (1165, 102, 60, 79), T.NUCLEUS_DARK: (554, 56, 50, 48),
    T.EPIDURAL: (420, 80, 40, 95), T.LIGAMENT: (700, 14, 30, 42),
    T.CSF: (4273, 1578, 400, 107), T.WHITE_MATTER: (876, 73, 90, 62),
    T.GREY_MATTER: (973, 76, 100, 70), T.ROOT: (950, 85, 60, 66),
    T.BRAIN_WHITE: (850, 75, 100, 66), T.BRAIN_GREY: (1350, 95, 90, 80),
    T.BRAINSTEM: (890, 74, 90, 63), T.ARTERY: (1700, 150, 80, 80), T.VEIN: (1600, 80, 40, 80),
    T.LUNG: (1000, 30, 2, 14), T.ORGAN: (750, 45, 50, 76), T.KIDNEY: (1200, 85, 60, 85),
    T.BOWEL: (900, 60, 20, 60), T.HEART: (1500, 100, 50, 80), T.CARTILAGE: (1100, 38, 50, 72),
    T.MUCOSA: (1000, 50, 40, 80), T.FLUID: (3500, 900, 300, 105),
    T.BASIVERTEBRAL: (1100, 110, 25, 90), T.SKULL_MARROW: (450, 80, 12, 80),
    T.FASCIA: (700, 16, 30, 46), T.OEDEMA: (900, 120, 20, 95), T.FATTY_MARROW: (350, 90, 15, 95),
    T.SCLEROSIS: (500, 40, 6, 38),
}  # fmt: skip

SEQUENCES = ("spin_echo", "gradient_echo", "inversion")

#: Spread of times and densities between subjects and scanners (SD of the logarithm).
_SPREAD = 0.08

#: White matter gives at least this share of the brightest tissue, and differs from CSF by at least
#: this share of itself: what nobody would scan is drawn anew.
_LEAST_SIGNAL, _LEAST_DIFFERENCE = 0.1, 0.2


@dataclass(frozen=True)
class Sequence:
    """Times in ms, flip angle in degrees; ``kind`` one of :data:`SEQUENCES`."""

    kind: str
    repetition: float
    echo: float
    flip: float = 90.0
    inversion: float = 0.0


def signal(
    sequence: Sequence, t1: FloatArray, t2: FloatArray, t2_star: FloatArray, density: FloatArray
) -> FloatArray:
    """Magnitude of a sequence's signal in the steady state.

    Spoiled gradient echo by Ernst's formula; spin echo and inversion recovery with a perfect
    refocusing pulse. Times in ms.
    """
    e1 = np.exp(-sequence.repetition / t1)
    if sequence.kind == "gradient_echo":
        angle = np.radians(sequence.flip)
        along = np.sin(angle) * (1 - e1) / (1 - np.cos(angle) * e1)
        decay = np.exp(-sequence.echo / t2_star)
    else:
        along, decay = 1 - e1, np.exp(-sequence.echo / t2)
    if sequence.kind == "inversion":
        along = 1 - 2 * np.exp(-sequence.inversion / t1) + e1
    result: FloatArray = np.abs(density * along * decay)
    return result


def draw_sequence(rng: np.random.Generator, kind: str) -> Sequence:
    """Draw the times of a sequence that people use."""

    def between(low: float, high: float) -> float:
        return float(np.exp(rng.uniform(np.log(low), np.log(high))))

    if kind == "gradient_echo":
        return Sequence(kind, between(6, 700), between(2, 22), flip=between(6, 70))
    if kind == "inversion":
        return Sequence(kind, between(2500, 8000), between(10, 80), inversion=between(120, 2200))
    return Sequence(kind, between(400, 6000), between(8, 120))


def draw_means(rng: np.random.Generator, kind: str) -> FloatArray:
    """Signal of every tissue in a random sequence, white matter = 1."""
    tissues = list(_TIMES)
    base = np.array([_TIMES[tissue] for tissue in tissues]).T
    for _ in range(200):
        sequence = draw_sequence(rng, kind)
        t1, t2, t2_dash, density = base * np.exp(rng.normal(0, _SPREAD, base.shape))
        # echo trains keep fat bright
        fatty = np.isin(tissues, (T.FAT, T.FAT_PLANE, T.EPIDURAL, T.FATTY_MARROW))
        t2 = np.where(fatty, t2 * rng.uniform(1.0, 2.0), t2)
        found = signal(sequence, t1, t2, 1 / (1 / t2 + 1 / t2_dash), density)
        mean: FloatArray = np.zeros(N_TISSUES)
        mean[tissues] = found
        if kind != "gradient_echo":  # blood flows out between pulse and echo
            mean[[T.ARTERY, T.VEIN]] *= rng.uniform(0.0, 0.5, 2)
        white = mean[T.WHITE_MATTER]
        if white < _LEAST_SIGNAL * mean.max():
            continue
        mean /= white
        if abs(mean[T.CSF] - 1) >= _LEAST_DIFFERENCE:
            return mean
    raise AssertionError("no usable sequence in 200 draws")  # about one in three is usable
