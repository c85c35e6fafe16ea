"""Numbers of each structure: volume, intensity, place, heights, diameters."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from spinetools.image import Image
from spinetools.vertebrae.canal import coordinates
from spinetools.vertebrae.result import CANAL, CORD, NamedDisc, SpineLabels

FloatArray = npt.NDArray[np.float64]

#: Columns of the table, in order.
COLUMNS = (
    "name", "value", "volume_mm3", "mean_intensity", "sd_intensity", "centroid_x_mm",
    "centroid_y_mm", "centroid_z_mm", "height_anterior_mm", "height_middle_mm",
    "height_posterior_mm", "depth_mm", "width_mm", "canal_ap_mm", "canal_rl_mm", "cord_ap_mm",
    "cord_rl_mm",
)  # fmt: skip

#: Where front, middle and back heights are taken, as shares of the depth from the back; and how
#: wide the strip about the midline is, as a share of the depth.
_PLACES, _STRIP = {"posterior": 0.12, "middle": 0.5, "anterior": 0.88}, 0.18
#: Diameters are the mean over this much of the canal about a level's middle, mm.
_SLAB_MM = 6.0
_LEAST_VOXELS = 8


def statistics_of(
    result: SpineLabels, values: Mapping[int, str], labels: Image
) -> list[dict[str, Any]]:
    """Measure each structure.

    Volume and intensity are taken on the input's grid. Heights are distances between the upper and
    the lower surface along the normal of the structure's middle plane, in a strip about the
    midline: at the back, the middle and the front of bodies and discs. Diameters of canal and cord
    stand at right angles on the canal, at the middle of each vertebra and disc.

    Parameters
    ----------
    result
        A labelled image.
    values
        Structure's name by label value.
    labels
        The values on the input's grid.

    Returns
    -------
    list of dict
        One a structure, with the keys :data:`COLUMNS`; NaN where something cannot be measured.
    """
    shapes = _shapes(result)
    data = np.asarray(result.image.data, dtype=np.float64)
    on_input = labels.space.same_as(result.image.space)
    image = data if on_input else np.asarray(result.working.data, dtype=np.float64)
    rows = []
    for value, name in sorted(values.items()):
        inside = labels.data == value
        if not inside.any():
            continue
        centre = labels.space.to_world(np.argwhere(inside).mean(axis=0))
        row: dict[str, Any] = dict.fromkeys(COLUMNS, math.nan)
        row.update(
            name=name,
            value=value,
            volume_mm3=float(inside.sum() * labels.space.voxel_volume),
            mean_intensity=float(image[inside].mean()),
            sd_intensity=float(image[inside].std()),
            centroid_x_mm=float(centre[0]),
            centroid_y_mm=float(centre[1]),
            centroid_z_mm=float(centre[2]),
        )
        row.update(shapes.get(name, {}))
        rows.append(row)
    return rows


def table_of(rows: list[dict[str, Any]]) -> str:
    """Write the rows as a table with tabs; ``n/a`` where something was not measured."""

    def text(value: Any) -> str:
        if isinstance(value, float):
            return "n/a" if math.isnan(value) else f"{value:.4g}"
        return str(value)

    lines = ["\t".join(COLUMNS)]
    lines += ["\t".join(text(row[column]) for column in COLUMNS) for row in rows]
    return "\n".join(lines) + "\n"


def without_nan(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows as JSON can hold them: None for what was not measured."""
    return [
        {
            key: (None if math.isnan(value) else round(value, 4))
            if isinstance(value, float)
            else value
            for key, value in row.items()
        }
        for row in rows
    ]


def _shapes(result: SpineLabels) -> dict[str, dict[str, float]]:
    """Heights, depths, widths and diameters by structure."""
    by_name = {disc.name: disc for disc in result.discs}
    spacing = result.space.spacing[0]
    numbers = {name: number for number, name in result.names.items()}
    shapes: dict[str, dict[str, float]] = {}
    anatomy = result.numbering.anatomy
    tube = _Tube(result)
    for disc in result.discs:
        voxels = places_of(result, numbers[disc.name])
        if len(voxels) >= _LEAST_VOXELS:
            axes = axes_at(
                result, local_place(result, disc.centre), local_turn(result, disc.normal)
            )
            shapes[disc.name] = _heights(voxels, axes, spacing)
            shapes[disc.name] |= {"depth_mm": disc.depth, "width_mm": disc.width}
            shapes[disc.name] |= tube.diameters(local_place(result, disc.centre))
    for index, level in enumerate(anatomy.vertebrae):
        above = by_name.get(anatomy.disc_names[index - 2]) if index >= 2 else None
        below = by_name.get(anatomy.disc_names[index - 1]) if index >= 1 else None
        if above is not None and below is not None:
            body = _body(result, index + 1, above, below)
            if body is not None:
                voxels, centre, axes = body
                shapes[f"vertebrae_{level}"] = _heights(voxels, axes, spacing)
                shapes[f"vertebrae_{level}"] |= tube.diameters(centre)
    return shapes


def _body(
    result: SpineLabels, number: int, above: NamedDisc, below: NamedDisc
) -> tuple[FloatArray, FloatArray, tuple[FloatArray, FloatArray, FloatArray]] | None:
    """Return a vertebral body's voxels (mm), its middle, and its axes: up, front, right."""
    top, bottom = local_place(result, above.centre), local_place(result, below.centre)
    up = local_turn(result, above.normal) + local_turn(result, below.normal)
    axes = axes_at(result, (top + bottom) / 2, up / np.linalg.norm(up))
    voxels = places_of(result, number)
    depths = [d for d in (above.depth, below.depth) if np.isfinite(d)]
    if not depths or len(voxels) < _LEAST_VOXELS:
        return None
    away = voxels - (top + bottom) / 2
    # behind half the discs' depth the arch begins
    ahead = away @ axes[1]
    body = np.abs(ahead) <= 0.5 * float(np.mean(depths))
    if body.sum() < _LEAST_VOXELS:
        return None
    return voxels[body], (top + bottom) / 2, axes


def places_of(result: SpineLabels, number: int) -> FloatArray:
    """Return the voxels of a structure, in mm."""
    places: FloatArray = np.argwhere(result.numbers == number) * np.float64(result.space.spacing[0])
    return places


def axes_at(
    result: SpineLabels, place: FloatArray, up: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return unit vectors up, front and right at a place on the working grid."""
    index = int(result.line.nearest(place))
    front = result.line.front[index] - (result.line.front[index] @ up) * up
    front = front / np.linalg.norm(front)
    return up, front, np.cross(front, up)


def _heights(
    voxels: FloatArray, axes: tuple[FloatArray, FloatArray, FloatArray], spacing: float
) -> dict[str, float]:
    """Measure heights at the back, the middle and the front, and the depth."""
    up, front, right = axes
    away = voxels - voxels.mean(axis=0)
    height, ahead, aside = away @ up, away @ front, away @ right
    low, high = np.percentile(ahead, (1, 99))
    depth = float(high - low) + spacing
    found = {"depth_mm": depth}
    if np.ptp(aside) > 3 * spacing:
        found["width_mm"] = float(np.ptp(np.percentile(aside, (1, 99)))) + spacing
    for where, share in _PLACES.items():
        middle = low + share * (high - low)
        strip = (np.abs(ahead - middle) <= max(0.08 * depth, 0.75 * spacing)) & (
            np.abs(aside) <= max(_STRIP * depth, spacing)
        )
        if strip.sum() >= 3:
            top, bottom = np.percentile(height[strip], (97, 3))
            found[f"height_{where}_mm"] = float(top - bottom) + 0.94 * spacing
    return found


class _Tube:
    """Diameters of canal and cord at right angles to the canal's line."""

    def __init__(self, result: SpineLabels) -> None:
        spacing = result.space.spacing[0]
        self.spacing, self.line = spacing, result.line
        self.parts: dict[str, FloatArray] = {}
        # the canal is the tube with all it holds
        for name, numbers in (("canal", (CANAL, CORD)), ("cord", (CORD,))):
            voxels = np.argwhere(np.isin(result.numbers, numbers)) * spacing
            self.parts[name] = np.zeros((0, 3))
            if len(voxels):
                s, right, front, _ = coordinates(result.line, voxels)
                self.parts[name] = np.column_stack([s, right, front])

    def diameters(self, place: FloatArray) -> dict[str, float]:
        """Return diameters beside a place; of ellipses of the same spread as the sections."""
        s = float(coordinates(self.line, place[None])[0][0])
        found: dict[str, float] = {}
        for name, part in self.parts.items():
            near = part[np.abs(part[:, 0] - s) <= _SLAB_MM / 2]
            if len(near) >= _LEAST_VOXELS:
                # an ellipse's diameter is four standard deviations; voxels add their own width
                spread = np.maximum(near[:, 1:].var(axis=0) - self.spacing**2 / 12, 0)
                rl, ap = 4 * np.sqrt(spread)
                found |= {f"{name}_ap_mm": float(ap), f"{name}_rl_mm": float(rl)}
        return found


def local_place(result: SpineLabels, world: FloatArray) -> FloatArray:
    """Return a world place in mm from the working grid's first voxel."""
    local: FloatArray = result.space.to_voxel(world) * np.asarray(result.space.spacing)
    return local


def local_turn(result: SpineLabels, world: FloatArray) -> FloatArray:
    """Return a world direction along the working grid's axes."""
    axes = result.space.affine[:3, :3] / np.asarray(result.space.spacing)
    turned: FloatArray = np.linalg.solve(axes, world)
    return turned
