"""What an image's name and its sidecar say of its contrast."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spinetools.files import sidecar_path, strip_nifti_suffix

#: Contrast by BIDS suffix, and by the endings that labs and SCT's data use beside it.
_ENDINGS = {
    "acq-T1w_MTS": "t1", "T1w": "t1", "T2w": "t2", "T2star": "t2s", "T2starw": "t2s", "MTS": "mt",
    "MTon": "mt", "MToff": "mt", "dwi": "dwi", "DWImean": "dwi", "PDw": "pd", "STIR": "stir",
    "ct": "ct", "CT": "ct",
}  # fmt: skip


def from_name(path: str | os.PathLike[str]) -> str:
    """Return the contrast that a file's name ends with; empty for none."""
    name = f"_{strip_nifti_suffix(path)}"
    fits = [ending for ending in _ENDINGS if name.endswith(f"_{ending}")]
    return _ENDINGS[max(fits, key=len)] if fits else ""


def from_sidecar(path: str | os.PathLike[str]) -> str:
    """Return the contrast that the JSON beside an image tells; empty for none.

    Times are in seconds, as BIDS has them; the limits are those of everyday protocols.
    """
    try:
        fields = json.loads(sidecar_path(Path(path)).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    return _from_fields(fields) if isinstance(fields, dict) else ""


def _from_fields(fields: Mapping[str, Any]) -> str:
    if fields.get("Modality") in ("CT", "ct"):
        return "ct"
    sequence = fields.get("ScanningSequence", "")
    parts = set(
        sequence if isinstance(sequence, list) else str(sequence).replace("\\", "_").split("_")
    )
    echo, repetition, inversion = (
        _number(fields.get(key)) for key in ("EchoTime", "RepetitionTime", "InversionTime")
    )
    if fields.get("DiffusionScheme") or fields.get("DiffusionGradientOrientation"):
        return "dwi"
    if fields.get("MTState") is True:
        return "mt"
    if "IR" in parts and inversion is not None and 0.08 <= inversion <= 0.26:
        return "stir"
    if "GR" in parts and "IR" in parts:
        return "t1"
    if "SE" in parts and echo is not None and repetition is not None:
        if echo >= 0.06 and repetition >= 1.0:
            return "t2"
        if echo <= 0.035:
            return "t1" if repetition <= 1.2 else "pd" if repetition >= 1.8 else ""
    return ""


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and value == value else None
