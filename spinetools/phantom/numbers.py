"""Per-level numbers of the adult spine.

Sources
-------
Cord and canal, pitch: the PAM50-normalised metrics of Valošek et al. 2024 (Imaging Neuroscience),
computed from spine-generic (n = 203, to T4) and a whole-spine cohort (n = 58, from T5).
Bone: Panjabi et al. 1991, 1992 (Spine 16, 17; n = 12). Lumbar discs and lordosis: supine MRI.
Below T12 the dural sac is narrower than the bony canal of Panjabi's tables; typical MRI values.
"""

from __future__ import annotations

from dataclasses import dataclass

from spinetools.labels import LEVELS


@dataclass(frozen=True)
class LevelNumbers:
    """Means (and standard deviations) of one vertebral level, in mm and mm².

    ``pitch`` is the length along the cord from the disc above to the disc below; ``disc`` the
    height of the disc below.
    """

    name: str
    endplate_width: float
    endplate_depth: float
    pedicle_width: float
    pitch: float
    disc: float
    cord_csa: float
    cord_csa_sd: float
    cord_ap: float
    cord_rl: float
    sac_ap: float
    sac_ap_sd: float
    sac_rl: float
    sac_rl_sd: float
    spinous: float


# name: EPW EPD pedW pitch disc | cord CSA SD AP RL | sac AP SD RL SD | free spinous length
_ROWS = """
C1 17.0 15.0  7.0 23.0 0.0  74.0  7.3 8.3 11.4  16.1 1.6 23.2 2.3   4
C2 17.5 15.6  8.0 15.5 4.0  71.7  6.9 7.8 11.7  14.5 1.4 22.2 2.0  17
C3 15.8 15.0  5.6 18.5 4.1  72.5  7.1 7.6 12.1  13.1 1.2 20.8 1.6  15
C4 17.2 15.3  5.4 18.5 4.3  77.4  7.5 7.6 12.9  12.8 1.2 21.0 1.5  15
C5 17.5 15.2  5.6 16.5 4.4  76.4  7.7 7.5 13.0  12.8 1.2 21.2 1.6  16
C6 18.5 16.4  6.0 15.5 4.5  69.1  7.8 7.1 12.4  12.6 1.2 20.7 1.6  22
C7 21.8 18.1  6.5 17.0 4.3  56.8  7.2 6.6 10.9  12.8 1.3 19.7 1.7  30
T1 24.5 18.5  8.5 21.5 4.0  46.8  5.5 6.3  9.4  12.9 1.2 18.0 1.8  33
T2 24.9 19.6  8.2 23.0 3.8  41.8  5.2 6.1  8.7  12.7 1.2 16.1 1.6  35
T3 24.6 22.7  6.8 23.0 3.8  37.9  5.2 5.8  8.2  12.6 1.2 15.2 1.5  36
T4 24.5 23.3  6.3 24.5 3.8  34.3  5.5 5.6  7.7  12.6 1.2 14.4 1.4  38
T5 24.9 24.3  6.0 25.5 4.0  35.1  4.1 5.6  7.8  12.0 1.2 13.4 1.3  42
T6 26.2 26.0  6.0 25.5 4.2  34.9  3.9 5.7  7.7  12.3 1.2 13.7 1.3  44
T7 27.8 27.4  5.9 26.5 4.4  35.6  4.1 5.8  7.7  12.8 1.2 13.6 1.3  45
T8 29.5 27.9  6.7 27.0 4.6  37.3  4.1 6.1  7.8  13.2 1.3 13.8 1.3  43
T9 30.6 29.3  7.7 26.5 4.8  39.3  4.7 6.3  7.9  12.9 1.3 14.0 1.4  38
T10 31.0 30.5 9.0 29.0 5.1  42.5  5.9 6.5  8.2  13.1 1.3 14.5 1.4  35
T11 35.2 31.9 9.8 31.5 5.4  48.8  8.6 7.0  8.7  14.3 1.4 15.7 1.5  31
T12 39.2 32.8 8.7 31.5 6.0  46.5  9.0 6.7  8.2  15.7 1.5 17.4 1.6  30
L1 41.2 34.1  8.6 33.5 6.6  46.0  9.0 6.7  8.2  16.0 1.6 18.5 1.8  31
L2 42.6 34.6  8.3 35.0 7.9  46.0  9.0 6.7  8.2  15.5 1.7 18.0 1.9  33
L3 44.1 35.2 10.2 36.0 8.8  46.0  9.0 6.7  8.2  15.0 1.8 17.5 2.0  34
L4 46.6 35.5 14.1 36.0 9.3  46.0  9.0 6.7  8.2  14.5 1.9 17.0 2.2  32
L5 47.3 34.7 18.6 34.0 8.1  46.0  9.0 6.7  8.2  13.5 2.0 16.0 2.4  26
"""


def _read() -> tuple[LevelNumbers, ...]:
    rows = [line.split() for line in _ROWS.split("\n") if line]
    return tuple(LevelNumbers(row[0], *(float(x) for x in row[1:])) for row in rows)


#: C1 to L5. The cord's columns at L1 and below hold what it would have without its conus.
LEVEL_NUMBERS = _read()
assert tuple(level.name for level in LEVEL_NUMBERS) == LEVELS

#: Lengths of the sacral segments S1 to S5 along the canal, mm.
SACRAL_PITCH_MM = (31.0, 26.0, 21.0, 18.0, 16.0)
SACRAL_NAMES = ("S1", "S2", "S3", "S4", "S5")

#: Length of cord over which the conus tapers, mm (from its tip).
CONUS_TAPER_MM = 40.0

#: Mean place of the conus tip, in levels below the top of L1 (lower third of L1; n = 504), its
#: spread, and its normal limits (mid T12 to upper L3).
CONUS_MEAN, CONUS_SD, CONUS_LIMITS = 0.67, 0.45, (-0.5, 2.25)

#: SD of disc height over its mean; of endplate size; of pitch between levels of one subject.
DISC_CV, ENDPLATE_CV, PITCH_CV = 0.17, 0.05, 0.02

#: Angles in degrees as (mean, SD, low, high), lying on the back: lordosis L1–S1, forward lean of
#: the upward axis at the top of L1, kyphosis T1–T12 (less than the 40 ± 10° of standing),
#: lordosis C2–C7. Sacral slope follows: about 35°, within the limits.
LUMBAR_LORDOSIS_DEG = (36.8, 13.2, 8.0, 65.0)
L1_LEAN_DEG = (-3.0, 4.0, -12.0, 6.0)
THORACIC_KYPHOSIS_DEG = (27.0, 8.0, 8.0, 48.0)
CERVICAL_LORDOSIS_DEG = (12.7, 10.0, -15.0, 36.0)
SACRAL_SLOPE_LIMITS_DEG = (15.0, 60.0)

#: Share of subjects with one to four narrow places in the canal (disc bulges, thick ligaments).
NARROW_SHARE = 0.2
