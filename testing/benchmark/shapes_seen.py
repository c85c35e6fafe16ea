"""What is measured of a digital spine's vertebrae, without painting it.

A subject's own numbers differ from what :func:`spinetools.vertebrae.shape.measure` finds on its
label map by a constant of each level and a little noise. ``calibrate_naming.py`` measured both on
painted subjects; with them thousands of images are simulated in the time that one takes to paint.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from spinetools.phantom import Subject
from spinetools.phantom.subject import Vertebra
from spinetools.vertebrae.shape import MEASURES

FloatArray = npt.NDArray[np.float64]
TABLE = Path(__file__).with_name("shapes_seen.tsv")
_COLUMN = {name: k for k, name in enumerate(MEASURES)}
_LIKE = {"T13": "T12", "L6": "L5"}


def ideal(subject: Subject) -> FloatArray:
    """Return (discs, measures): a subject's own numbers in the order of the measures."""
    discs = subject.discs
    result = np.full((len(discs), len(MEASURES)), np.nan)
    for i, disc in enumerate(discs):
        up = disc.axes[2]
        result[i, _COLUMN["disc"]] = np.log(disc.height)
        result[i, _COLUMN["lean"]] = np.arctan2(up[1], up[2])
        if i + 1 == len(discs):
            continue
        below = discs[i + 1]
        for name, value in _of_vertebra(subject, subject.vertebrae[i + 2], disc.s, below.s).items():
            result[i, _COLUMN[name]] = value
    return result


def _of_vertebra(subject: Subject, v: Vertebra, top: float, bottom: float) -> dict[str, float]:
    def at(name: str) -> float:
        return float(subject.profile(name, (top + bottom) / 2))

    cord = np.pi / 4 * at("cord_ap") * at("cord_rl")
    return {
        "pitch": np.log(bottom - top),
        "depth": np.log(v.depth),
        "width": np.log(v.width),
        "aside": np.log(_aside(v)),
        "behind": np.log(v.spinous * np.cos(v.slant) + 6),
        "hang": v.slant,
        "canal": np.log(np.pi / 4 * at("sac_ap") * at("sac_rl")),
        "canal_width": np.log(at("sac_rl")),
        "cord": np.log(cord) if cord > 20 else np.nan,
    }


def _aside(v: Vertebra) -> float:
    """Reach of the transverse processes, as :mod:`spinetools.phantom.bones` draws them."""
    if v.name[0] == "C":
        return v.width / 2 + 9.5 * v.width / 17.5 + 2.4
    if v.name[0] == "T":
        short = 0.7 if v.name in ("T11", "T12", "T13") else 1.0
        return (24 + 8 * min(max(1.6 - v.span / 27, 0.2), 1.0)) * short + 4.6
    return 42 * v.span / 35 + 3


def seen(subject: Subject, rng: np.random.Generator, spoilt: float = 1.0) -> FloatArray:
    """Return (discs, measures) with what a measurement adds; ``spoilt`` scales its noise."""
    bias, noise = _table()
    rows = [_LIKE.get(disc.name.split("-")[1], disc.name.split("-")[1]) for disc in subject.discs]
    result = ideal(subject)
    for i, level in enumerate(rows):
        # where the cord ends in most subjects there was nothing to measure its bias on
        spread = spoilt * np.nan_to_num(noise[level], nan=0.05)
        result[i] += np.nan_to_num(bias[level]) + spread * rng.normal(size=len(MEASURES))
    return result


@lru_cache(maxsize=1)
def _table() -> tuple[dict[str, FloatArray], dict[str, FloatArray]]:
    """Read bias and noise by the level below the disc."""
    bias: dict[str, FloatArray] = {}
    noise: dict[str, FloatArray] = {}
    for line in TABLE.read_text().splitlines()[1:]:
        level, kind, *words = line.split("\t")
        values = np.array([float(word) for word in words])
        (bias if kind == "bias" else noise)[level] = values
    return bias, noise
