"""What a person should look at in a spine report. A flag is a reason to look, not a diagnosis."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from spinetools.phantom.numbers import LEVEL_NUMBERS
from spinetools.qc import Flag
from spinetools.vertebrae.alignment import Curve
from spinetools.vertebrae.result import UNSURE
from spinetools.vertebrae.transition import unusual

#: Loss of height in front, in the middle or as a whole from which a vertebra is deformed: mild,
#: moderate, severe (Genant 1993, J Bone Miner Res 8: 20, 25 and 40 %).
GENANT = ((0.40, "severe"), (0.25, "moderate"), (0.20, "mild"))
#: A disc lower than this share of the mean of its neighbours is thin (a choice, not a source).
THIN_DISC = 0.6
#: A slip from which a vertebra is said to have slipped, mm (usual in the literature; of the
#: measure's own error see the accuracy page).
SLIP_MM = 3.0
#: A canal narrower than this from front to back, mm (Verbiest 1975: absolute stenosis below 10).
NARROW_MM = 10.0
#: Standard deviations of adults beyond which the cord's area is unusual.
CORD_SD = 3.0
#: From which angle, seen from the front, a spine is scoliotic (Scoliosis Research Society).
SCOLIOSIS_DEG = 10.0


def flags_of(
    rows: Sequence[Mapping[str, Any]],
    curves: Sequence[Curve],
    numbering: Mapping[str, Any],
    variant: str,
) -> list[Flag]:
    """Return what should be looked at; a reason that is about a level begins with its name.

    Parameters
    ----------
    rows
        Of the report.
    curves
        Angles.
    numbering
        What is known of how sure the names are.
    variant
        Of the count of vertebrae; empty for the usual one.
    """
    flags = list(_about_names(numbering, variant))
    vertebrae = [row for row in rows if row["kind"] == "vertebra"]
    discs = [row for row in rows if row["kind"] == "disc"]
    for index, row in enumerate(vertebrae):
        flags += _of_vertebra(row, vertebrae[max(index - 1, 0) : index + 2])
    for index, row in enumerate(discs):
        flags += _of_disc(row, discs[max(index - 1, 0) : index + 2])
    for row in rows:
        ap = row["canal_ap_mm"]
        if ap < NARROW_MM:
            flags.append(_flag("narrow canal", row, f"{ap:.1f} mm from front to back"))
    flags += [flag for row in vertebrae for flag in _of_cord(row)]
    for curve in curves:
        if curve.name == "coronal_cobb" and curve.angle_deg >= SCOLIOSIS_DEG:
            flags.append(
                Flag(
                    "scoliosis",
                    f"{curve.angle_deg:.0f}° from the front, between {curve.upper[:-1]} and "
                    f"{curve.lower[:-1]}, lying",
                )
            )
    return flags


def _flag(kind: str, row: Mapping[str, Any], reason: str) -> Flag:
    return Flag(kind, f"{row['level']}: {reason}")


def _about_names(numbering: Mapping[str, Any], variant: str) -> list[Flag]:
    flags = []
    confidence = numbering.get("Confidence")
    if isinstance(confidence, (int, float)) and confidence < UNSURE:
        others = ", ".join(
            f"{other.get('Numbering')} ({float(other.get('Probability', 0)):.2f})"
            for other in list(numbering.get("Alternatives", ()))[:2]
        )
        reason = f"the names of the levels are right with probability {confidence:.2f}"
        flags.append(Flag("numbering", reason + (f"; or discs {others}" if others else "")))
    said = variant or str(numbering.get("Variant", "none"))
    if said not in ("none", ""):
        chances = numbering.get("VariantProbability")
        chance = chances.get(said) if isinstance(chances, Mapping) else None
        flags.append(Flag("variant", unusual(said, chance)))
    return flags


def _of_vertebra(row: Mapping[str, Any], near: Sequence[Mapping[str, Any]]) -> list[Flag]:
    """Look for loss of height, as Genant grades it."""
    if row["level"] in ("C1", "C2"):
        return []
    front, middle, back = (
        row[f"height_{place}_mm"] for place in ("anterior", "middle", "posterior")
    )
    others = [r["height_posterior_mm"] for r in near if r is not row]
    others = [value for value in others if math.isfinite(value)]
    losses = {"in front": 1 - front / back, "in the middle": 1 - middle / max(front, back)}
    if others:
        losses["as a whole"] = 1 - max(front, back) / (sum(others) / len(others))
    losses = {where: loss for where, loss in losses.items() if math.isfinite(loss)}
    if not losses:
        return []
    where, loss = max(losses.items(), key=lambda item: item[1])
    for least, word in GENANT:
        if loss >= least:
            return [_flag("height loss", row, f"{100 * loss:.0f} % lower {where} ({word})")]
    return []


def _of_disc(row: Mapping[str, Any], near: Sequence[Mapping[str, Any]]) -> list[Flag]:
    flags = []
    others = [r["height_middle_mm"] for r in near if r is not row]
    others = [value for value in others if math.isfinite(value)]
    height = row["height_middle_mm"]
    if others and height < THIN_DISC * sum(others) / len(others):
        flags.append(
            _flag("thin disc", row, f"{height:.1f} mm, neighbours {sum(others) / len(others):.1f}")
        )
    if abs(row["slip_mm"]) >= SLIP_MM:
        way = "forward" if row["slip_mm"] > 0 else "backward"
        reason = f"slipped {abs(row['slip_mm']):.1f} mm {way} ({abs(row['slip_percent']):.0f} %)"
        flags.append(_flag("slip", row, reason))
    return flags


def _of_cord(row: Mapping[str, Any]) -> list[Flag]:
    known = {level.name: level for level in LEVEL_NUMBERS}
    level, area = known.get(row["level"]), row["cord_area_mm2"]
    # from T12 on the conus tapers, and every area is usual
    if level is None or not math.isfinite(area) or level.name in ("T12", *_LUMBAR):
        return []
    off = (area - level.cord_csa) / level.cord_csa_sd
    if abs(off) < CORD_SD:
        return []
    return [
        _flag(
            "cord area", row,
            f"{area:.0f} mm², adults {level.cord_csa:.0f} ± {level.cord_csa_sd:.0f}",
        )
    ]  # fmt: skip


_LUMBAR = ("L1", "L2", "L3", "L4", "L5", "L6")
