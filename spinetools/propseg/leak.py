"""Where the surface leaks: slices that no cord can look like."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from spinetools.propseg.profiles import FloatArray
from spinetools.propseg.tube import Tube

#: Half length of the stretch of cord that a slice is compared with.
_STRETCH_MM = 20.0
#: What the detector sees is compared with the mean area over this length: single slices are noisy.
_SEEN_MM = 5.0
#: A surface is a leak that is this much larger than the cord that the detector sees, or than that
#: times what the surface is of it elsewhere (median): the detector's idea of the size is off by up
#: to a quarter, but by the same everywhere. On simulated spines (testing/benchmark/leaks.py, seeds
#: below 9000) sound results reached 4 % and 12 % at most, and every leak 25 % or 28 %; six real
#: training images reached 6 %, but for one end without an edge, 42 %.
_SURPLUS, _LOCAL = 0.25, 0.28
#: Beyond the image the detector sees no cord, so that near its ends the cord seems to taper.
_ENDS_MM = 20.0
#: From this score on a slice is called a leak.
LEAK_THRESHOLD = 0.5


@dataclass(frozen=True)
class Leak:
    """Leak score of each ring.

    Attributes
    ----------
    score
        (K,), 0 sound to 1.
    reasons
        A few words for each ring above the threshold; empty for the others.
    """

    score: FloatArray
    reasons: tuple[str, ...]

    @property
    def flagged(self) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Rings called a leak (K,)."""
        return self.score >= LEAK_THRESHOLD

    def but_not(self, sound: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> Leak:
        """Return the scores with those rings (K,) called sound."""
        words = ("" if ok else why for ok, why in zip(sound, self.reasons, strict=True))
        return Leak(np.where(sound, 0.0, self.score), tuple(words))


def leak_scores(
    tube: Tube,
    contrast: FloatArray,
    step_mm: float,
    min_contrast: float,
    seen_radius_mm: FloatArray | None = None,
) -> Leak:
    """Score every ring by its size, its bulge and the edge that it stands on.

    Parameters
    ----------
    tube
        The final surface.
    contrast
        Rise of intensity across the surface at each vertex (K, T), in thousandths of the window.
    step_mm
        Distance between slices.
    min_contrast
        A vertex with a lower rise stands on no edge.
    seen_radius_mm
        Radius of the cord that the detector sees (K,), where it was asked.

    Returns
    -------
    Leak
        The score is the largest of: area above the stretch's median (50 % more is 1), outward
        bulge above the stretch's median shape (3 mm is 1), the share of the ring without an
        edge (60 % is half), and area above the cord that the detector sees (25 % more is half),
        or above what is usual of that in this tube (28 % more is half).
    """
    size = 2 * max(2, round(_STRETCH_MM / step_mm)) + 1
    area = tube.areas_mm2
    usual_area = ndimage.median_filter(area, size=size, mode="nearest")
    excess = area / usual_area - 1
    usual = ndimage.median_filter(tube.radii_mm, size=(size, 1), mode="nearest")
    bulge = np.maximum(tube.radii_mm - usual, 0).max(axis=1)
    bare = (contrast < min_contrast).mean(axis=1)
    surplus = local = np.zeros_like(area)
    if seen_radius_mm is not None:
        window = max(1, round(_SEEN_MM / step_mm))
        share = area / (np.pi * _held_at_ends(seen_radius_mm, step_mm) ** 2)
        mean = ndimage.uniform_filter1d(share, window, mode="nearest")
        surplus, local = mean - 1, mean / np.median(share) - 1
    parts = np.stack(
        [
            excess / 0.5,
            bulge / 3.0,
            0.5 * bare / 0.6,
            0.5 * surplus / _SURPLUS,
            0.5 * local / _LOCAL,
        ]
    )
    score = np.clip(parts.max(axis=0), 0, 1)
    words = (
        [f"area {e:+.0%} of its neighbours'" for e in excess],
        [f"bulges by {b:.1f} mm" for b in bulge],
        [f"no edge along {b:.0%} of the ring" for b in bare],
        [f"area {s:+.0%} of the cord that the detector sees" for s in surplus],
        [f"area {x:+.0%} of what is usual here" for x in local],
    )
    worst = parts.argmax(axis=0)
    reasons = tuple(
        words[worst[k]][k] if score[k] >= LEAK_THRESHOLD else "" for k in range(len(score))
    )
    return Leak(score, reasons)


def _held_at_ends(radius_mm: FloatArray, step_mm: float) -> FloatArray:
    """Let sizes not fall towards the ends below what they are further inside."""
    n = min(round(_ENDS_MM / step_mm), (len(radius_mm) - 1) // 3)
    held = radius_mm.copy()
    held[:n] = np.maximum(held[:n], held[n])
    held[len(held) - n :] = np.maximum(held[len(held) - n :], held[len(held) - 1 - n])
    return held


def bridge(tube: Tube, flagged: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Tube:
    """Replace flagged rings by what lies between their sound neighbours (linear)."""
    sound = np.flatnonzero(~flagged)
    if not len(sound) or not flagged.any():
        return tube
    rows = np.arange(len(flagged))
    centres = np.stack([np.interp(rows, sound, c[sound]) for c in tube.centres_mm.T], axis=1)
    radii = np.stack([np.interp(rows, sound, r[sound]) for r in tube.radii_mm.T], axis=1)
    return Tube(tube.slices, centres, radii)
