"""What a spine report holds, from a labelled spine. The measures themselves are in vertebrae/."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from spinetools.centerline import fit_curve
from spinetools.errors import InputError
from spinetools.image import Image
from spinetools.labels import LEVELS
from spinetools.metrics.levels import levels_from_discs
from spinetools.metrics.shape import AXIAL, measure_slices, slice_centres, slice_frame
from spinetools.qc import Flag
from spinetools.report.flags import flags_of
from spinetools.vertebrae.alignment import (
    Curve,
    Endplate,
    Slip,
    curves_of,
    endplates,
    slips_of,
)
from spinetools.vertebrae.levels import disc_points
from spinetools.vertebrae.result import CANAL, CORD, SpineLabels
from spinetools.vertebrae.statistics import statistics_of

FloatArray = npt.NDArray[np.float64]
logger = logging.getLogger(__name__)

#: Columns of the table, in order; ``structure`` is the name of the label table.
COLUMNS = (
    "structure", "kind", "level", "height_anterior_mm", "height_middle_mm", "height_posterior_mm",
    "wedge_ratio", "middle_ratio", "depth_mm", "width_mm", "volume_mm3", "canal_ap_mm",
    "canal_rl_mm", "canal_area_mm2", "cord_ap_mm", "cord_rl_mm", "cord_area_mm2", "slip_mm",
    "slip_percent", "angle_deg", "flags",
)  # fmt: skip
#: What cannot be measured of a structure that the image cuts off.
_SHAPE = (
    "height_anterior_mm", "height_middle_mm", "height_posterior_mm", "depth_mm", "width_mm",
)  # fmt: skip
#: Fewer slices of a level than this give no area.
_LEAST_SLICES = 2


@dataclass(frozen=True, eq=False)
class SpineReport:
    """Everything that a report shows.

    Lengths in mm, areas in mm², angles in degrees; NaN where something cannot be measured.

    Attributes
    ----------
    spine
        The labelled spine that was measured.
    rows
        One a vertebra and a disc, from the top, with the keys :data:`COLUMNS` up to ``slip``.
    plates
        Endplates by name.
    curves, slips
        Angles, and how vertebrae stand on each other.
    numbering
        What is known of how sure the names are (the sidecar of the labels); empty where nothing.
    flags
        What a person should look at; ``Flag.kind`` and a sentence that names the level.
    """

    spine: SpineLabels
    rows: list[dict[str, Any]]
    plates: dict[str, Endplate]
    curves: list[Curve]
    slips: list[Slip]
    numbering: Mapping[str, Any] = field(default_factory=dict)
    flags: list[Flag] = field(default_factory=list)


def measure_spine(
    spine: SpineLabels,
    names: Mapping[int, str],
    labels: Image,
    numbering: Mapping[str, Any] | None = None,
) -> SpineReport:
    """Measure a labelled spine.

    Parameters
    ----------
    spine
        The result of labelling, or :func:`~spinetools.vertebrae.from_labels.spine_from_labels`.
    names
        Structure's name by label value.
    labels
        The label values.
    numbering
        What the labels' sidecar says (``Confidence``, ``Alternatives``, ``Variant``).
    """
    found = {row["name"]: row for row in statistics_of(spine, names, labels)}
    areas = areas_by_level(spine)
    slips = slips_of(spine)
    by_disc = {slip.disc: slip for slip in slips}
    cut = _cut_off(spine)
    rows = []
    for name in _from_the_top(spine):
        if name not in found:
            continue
        row = {key: found[name].get(key, math.nan) for key in COLUMNS}
        disc = name.startswith("disc_")
        level = name.removeprefix("disc_").removeprefix("vertebrae_").replace("_", "-")
        row.update(structure=name, kind="disc" if disc else "vertebra", level=level, flags="")
        if name in cut:
            row.update(dict.fromkeys(_SHAPE, math.nan))
        front, middle, back = (
            float(row[f"height_{place}_mm"]) for place in ("anterior", "middle", "posterior")
        )
        row["wedge_ratio"] = front / back
        row["middle_ratio"] = middle / max(front, back)
        row.update(areas.get(level, {}))
        if name in by_disc:
            row.update(slip_mm=by_disc[name].mm, slip_percent=by_disc[name].percent)
        rows.append(row)
    plates = endplates(spine)
    report = SpineReport(spine, rows, plates, curves_of(plates), slips, numbering or {})
    report.flags.extend(flags_of(report.rows, report.curves, report.numbering, spine.variant))
    for row in rows:
        row["flags"] = "; ".join(f.kind for f in report.flags if _about(f, row["level"]))
    return report


def _cut_off(spine: SpineLabels) -> set[str]:
    """Names of discs that the image cuts off, and of the vertebrae that stand on them.

    A disc's plane is not known from a part of it, and a body is measured between two planes.
    """
    anatomy = spine.numbering.anatomy
    names: set[str] = set()
    for disc in spine.discs:
        if not math.isfinite(disc.height):
            index = anatomy.disc_names.index(disc.name)
            around = anatomy.vertebrae[index + 1 : index + 3]
            names |= {disc.name, *(f"vertebrae_{level}" for level in around)}
    return names


def _about(flag: Flag, level: str) -> bool:
    return flag.reason.startswith(f"{level}: ")


def _from_the_top(spine: SpineLabels) -> list[str]:
    """Names of vertebrae and discs in the order of the body."""
    anatomy = spine.numbering.anatomy
    names = [f"vertebrae_{level}" for level in anatomy.vertebrae]
    below = dict(zip(names[1:], anatomy.disc_names, strict=True))
    return [part for name in names for part in (name, below.get(name, ""))]


def areas_by_level(spine: SpineLabels) -> dict[str, dict[str, float]]:
    """Mean area of cord and canal at right angles to the cord, by vertebral level.

    As ``st_process_segmentation -perlevel 1 -discfile`` measures them; a level lies between its
    discs. Where there is no cord or are no two neighbouring discs, there is nothing.
    """
    labels = spine.on_input
    cord = labels.like((labels.data == CORD).astype(np.uint8)).reorient(AXIAL)
    canal = labels.like(np.isin(labels.data, (CORD, CANAL)).astype(np.uint8)).reorient(AXIAL)
    if not canal.data.any():
        return {}
    curve = fit_curve(slice_centres(canal)[1], "bspline", 30.0)
    heights = np.arange(canal.shape[2]) * slice_frame(canal.space)[2, 2]
    try:
        levels = levels_from_discs(disc_points(spine), canal, curve.resample(0.1))
    except InputError as error:
        logger.info("no areas by level: %s", error)
        return {}
    tangents = curve.tangent(heights)
    found: dict[str, dict[str, float]] = {}
    for name, mask in (("cord", cord), ("canal", canal)):
        if not mask.data.any():
            continue
        area = measure_slices(mask, tangents).area_mm2
        for value in np.unique(levels[levels > 0]):
            here = area[(levels == value) & np.isfinite(area)]
            # a level that the mask covers in part only has no mean
            if len(here) >= max(_LEAST_SLICES, 0.8 * np.count_nonzero(levels == value)):
                level = LEVELS[value - 1] if value <= len(LEVELS) else ""
                found.setdefault(level, {})[f"{name}_area_mm2"] = float(here.mean())
    return found
