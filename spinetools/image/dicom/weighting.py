"""What a series' timing says of its contrast, as ``-c`` names it.

Limits are those of textbooks (Westbrook and Talbot, MRI in Practice, 5th ed. 2018, ch. 2: spin
echo T1 with TR 300–700 and TE 10–30 ms, T2 with TR from 2000 and TE from 70 ms), with a margin;
between them nothing is said.
"""

from __future__ import annotations

import math
from typing import Any

T1_TE_MS, T1_TR_MS = 30.0, 1300.0
T2_TE_MS, T2_TR_MS = 60.0, 1200.0
#: A gradient echo at 5 ms or later is taken for T2*; a shorter one for T1 (MPRAGE, VIBE, FLASH).
T2S_TE_MS = 5.0


def weighting(header: Any) -> str:
    """Return ``t1``, ``t2``, ``t2s`` or ``dwi``, or nothing where the header leaves it open."""
    if str(header.get("Modality", "")) != "MR":
        return ""
    kind = words_of(header.get("ImageType"))
    sequence = words_of(header.get("ScanningSequence"))
    pulse = str(header.get("EchoPulseSequence") or "").upper()
    if "DIFFUSION" in kind or _number(header.get("DiffusionBValue")) > 0:
        return "dwi"
    te, tr = _number(header.get("EchoTime")), _number(header.get("RepetitionTime"))
    if "EP" in sequence or not math.isfinite(te) or not math.isfinite(tr):
        return ""
    gradient = "GR" in sequence or pulse == "GRADIENT"
    if gradient:
        inverted = "IR" in sequence or _number(header.get("InversionTime")) > 0
        return "t1" if inverted or te < T2S_TE_MS else "t2s"
    if "SE" in sequence or pulse == "SPIN":
        if te <= T1_TE_MS and tr <= T1_TR_MS:
            return "t1"
        if te >= T2_TE_MS and tr >= T2_TR_MS:
            return "t2"
    return ""


def words_of(value: Any) -> list[str]:
    """Return the words of a header's field, one or several, in capitals."""
    if value is None:
        return []
    return [str(v).upper() for v in ([value] if isinstance(value, str) else value)]


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan
