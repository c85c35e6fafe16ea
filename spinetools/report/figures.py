"""Figures of a spine report. The only module of the report that draws."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from spinetools.phantom.numbers import LEVEL_NUMBERS
from spinetools.report.measure import SpineReport
from spinetools.vertebrae.preview import midsagittal
from spinetools.vertebrae.result import CORD, SpineLabels
from spinetools.vertebrae.values import colour_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Ink, softer ink, grid; front, middle and back; cord and canal; discs. Told apart in grey print
#: too, by their marks.
INK, SOFT, LINE = "#17202b", "#556274", "#dbe0e7"
FRONT, MIDDLE, BACK, CORD_COLOUR, CANAL_COLOUR = (
    "#0a6fb0", "#8f6a00", "#c2183f", "#6d3fc4", "#0b7a5a",
)  # fmt: skip
#: Height of all figures, and width of each kind, inches.
HEIGHT_IN, WIDTH_IN = 3.55, 1.75
_OPACITY = 0.42


def draw_all(report: SpineReport) -> dict[str, tuple[str, bytes]]:
    """Draw every figure.

    Parameters
    ----------
    report
        With at least one row.

    Returns
    -------
    dict
        Kind of file (``png`` or ``svg``) and its bytes, by the figure's name: ``picture``,
        ``heights``, ``canal``, ``alignment``.
    """
    figures: dict[str, tuple[str, Callable[[Figure, SpineReport], None]]] = {
        "picture": ("png", _picture),
        "heights": ("svg", _heights),
        "canal": ("svg", _canal),
        "alignment": ("svg", _alignment),
    }
    return {name: (kind, _saved(report, kind, draw)) for name, (kind, draw) in figures.items()}


def _saved(report: SpineReport, kind: str, draw: Callable[[Figure, SpineReport], None]) -> bytes:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    style: Any = {
        "font.size": 6.5, "svg.hashsalt": "spinetools", "svg.fonttype": "path",
        "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": SOFT, "axes.linewidth": 0.6,
        "xtick.color": SOFT, "ytick.color": SOFT, "grid.color": LINE, "grid.linewidth": 0.5,
        "axes.spines.top": False, "axes.spines.right": False, "axes.axisbelow": True,
        "legend.frameon": False, "text.parse_math": False, "lines.linewidth": 0.9,
        "xtick.major.size": 2, "ytick.major.size": 2, "axes.titlesize": 7,
    }  # fmt: skip
    with mpl.rc_context(style):
        figure = Figure(figsize=(WIDTH_IN, HEIGHT_IN), layout="constrained")
        draw(figure, report)
        stream = io.BytesIO()
        more: dict[str, Any] = {"metadata": {"Date": None}} if kind == "svg" else {"dpi": 220}
        figure.savefig(stream, format=kind, **more)
    return stream.getvalue()


def _picture(figure: Figure, report: SpineReport) -> None:
    """Draw the image along the canal, with its labels and the names of the vertebrae."""
    spine = report.spine
    grey, numbers = midsagittal(spine)
    rows, columns = _window(spine, numbers, grey.shape)
    grey, numbers = grey[rows, columns], numbers[rows, columns]
    colours = np.zeros((256, 3))
    for number in np.unique(numbers[numbers > 0]):
        name = spine.names[int(number)]
        colours[number] = _known_colour(name)
    plain = np.repeat(grey[..., None], 3, axis=2) / 255
    shown = np.where(
        (numbers > 0)[..., None], (1 - _OPACITY) * plain + _OPACITY * colours[numbers] / 255, plain
    )
    axes = figure.add_subplot()
    axes.imshow(np.clip(shown, 0, 1), interpolation="bilinear")
    for number, name in spine.names.items():
        found = np.argwhere(numbers == number)
        if len(found) >= 8 and name.startswith(("vertebrae_", "sacrum")):
            level = name.removeprefix("vertebrae_").replace("sacrum", "S")
            # on the body: the front half of what is seen
            body = found[found[:, 1] >= np.median(found[:, 1])]
            y, x = body.mean(axis=0)
            axes.text(x, y, level, color="white", size=5.5, ha="center", va="center",
                      weight="bold", path_effects=_outline())  # fmt: skip
    axes.set_axis_off()


def _outline() -> list[Any]:
    from matplotlib import patheffects

    return [patheffects.withStroke(linewidth=1.2, foreground="black")]


def _known_colour(name: str) -> tuple[int, int, int]:
    try:
        return colour_of(name)
    except ValueError:
        return 200, 200, 200


def _window(spine: SpineLabels, numbers: Any, shape: Sequence[int]) -> tuple[slice, slice]:
    """Crop to the labels: a face in front of the neck is no part of a report."""
    where = np.argwhere((numbers > 0) & (numbers < 120))
    margin = round(8.0 / spine.space.spacing[0])
    low = np.maximum(where.min(axis=0) - margin, 0)
    high = np.minimum(where.max(axis=0) + margin + 1, shape)
    return slice(int(low[0]), int(high[0])), slice(int(low[1]), int(high[1]))


def _levels_axis(axes: Axes, levels: Sequence[str], names: bool = True) -> None:
    axes.set_yticks(range(len(levels)), levels if names else [])
    axes.set_ylim(len(levels) - 0.4, -0.6)
    axes.grid(axis="x")
    axes.tick_params(axis="y", length=0)


def _column(rows: Sequence[dict[str, Any]], key: str) -> Any:
    return np.array([float(row[key]) for row in rows])


def _heights(figure: Figure, report: SpineReport) -> None:
    """Draw heights of bodies, and of the discs between them."""
    vertebrae = [row for row in report.rows if row["kind"] == "vertebra"]
    levels = [row["level"] for row in vertebrae]
    axes = figure.add_subplot()
    y = np.arange(len(levels), dtype=float)
    for key, colour, mark, word in (
        ("anterior", FRONT, "o", "front"), ("middle", MIDDLE, "s", "middle"),
        ("posterior", BACK, "^", "back"),
    ):  # fmt: skip
        axes.plot(
            _column(vertebrae, f"height_{key}_mm"), y, f"-{mark}", color=colour, ms=2.4, label=word
        )
    discs = {row["level"].partition("-")[0]: row for row in report.rows if row["kind"] == "disc"}
    places = [i + 0.5 for i, level in enumerate(levels) if level in discs]
    middles = [float(discs[level]["height_middle_mm"]) for level in levels if level in discs]
    if places:
        axes.barh(places, middles, height=0.32, color=LINE, edgecolor=SOFT, lw=0.4, label="disc")
    _levels_axis(axes, levels)
    axes.set_xlim(left=0)
    axes.set_title("Heights, mm", loc="left")
    axes.legend(loc="upper center", bbox_to_anchor=(0.45, -0.05), ncols=2, fontsize=5.5,
                handlelength=1.4, columnspacing=0.8)  # fmt: skip


def _canal(figure: Figure, report: SpineReport) -> None:
    """Draw canal and cord from front to back, and the cord's area with the band of adults."""
    vertebrae = [row for row in report.rows if row["kind"] == "vertebra"]
    levels = [row["level"] for row in vertebrae]
    y = np.arange(len(levels), dtype=float)
    left, right = figure.subplots(1, 2, sharey=True)
    for key, colour, mark, word in (
        ("canal", CANAL_COLOUR, "o", "canal"), ("cord", CORD_COLOUR, "s", "cord"),
    ):  # fmt: skip
        left.plot(_column(vertebrae, f"{key}_ap_mm"), y, f"-{mark}", color=colour, ms=2.4,
                  label=word)  # fmt: skip
    _levels_axis(left, levels)
    left.set_xlim(left=0)
    left.set_title("AP, mm", loc="left")
    left.legend(loc="upper center", bbox_to_anchor=(0.45, -0.05), fontsize=5.5, handlelength=1.4)
    known = {level.name: level for level in LEVEL_NUMBERS if level.name[0] in "CT"}
    band = [(i, known[level]) for i, level in enumerate(levels) if level in known]
    if band:
        places = [i for i, _ in band]
        low, high = (
            [level.cord_csa + side * 2 * level.cord_csa_sd for _, level in band] for side in (-1, 1)
        )
        right.fill_betweenx(places, low, high, color=LINE, label="adults")
    right.plot(_column(vertebrae, "cord_area_mm2"), y, "-s", color=CORD_COLOUR, ms=2.4)
    right.set_xlim(left=0)
    right.grid(axis="x")
    right.tick_params(axis="y", length=0, labelleft=False)
    right.set_title("cord, mm²", loc="left")
    if band:
        right.legend(loc="upper center", bbox_to_anchor=(0.45, -0.05), fontsize=5.5,
                     handlelength=1.0)  # fmt: skip


def _alignment(figure: Figure, report: SpineReport) -> None:
    """Draw the endplates from the side and from the front, and the angles between them."""
    side, front = figure.subplots(1, 2, sharey=True, width_ratios=(1.5, 1))
    plates = list(report.plates.values())
    for axes, axis, angles, title in (
        (side, 1, [p.lean_deg for p in plates], "side"),
        (front, 0, [p.tilt_deg for p in plates], "front"),
    ):
        places = np.array([p.centre for p in plates]).reshape(-1, 3)
        axes.plot(places[:, axis], places[:, 2], color=LINE, lw=2.5, zorder=1)
        for place, angle in zip(places, angles, strict=True):
            if math.isfinite(angle):
                turn = math.radians(angle)
                across, down = 11 * math.cos(turn), -11 * math.sin(turn)
                axes.plot(
                    [place[axis] - across, place[axis] + across],
                    [place[2] - down, place[2] + down], color=INK, lw=0.8,
                )  # fmt: skip
        axes.set_aspect("equal", adjustable="datalim")
        axes.set_axis_off()
        axes.set_title(title, loc="center", color=SOFT)
    # the front is on the left, as in the picture's mirror image on a radiograph: say it
    side.text(0.98, 0.0, "front →", transform=side.transAxes, ha="right", color=SOFT, size=5.5)
    front.text(0.98, 0.0, "right →", transform=front.transAxes, ha="right", color=SOFT, size=5.5)
    for curve in report.curves:
        if curve.upper in report.plates and curve.lower in report.plates:
            upper, lower = report.plates[curve.upper], report.plates[curve.lower]
            if not math.isfinite(curve.angle_deg):
                continue
            axes, axis = (front, 0) if curve.name == "coronal_cobb" else (side, 1)
            middle = (upper.centre + lower.centre) / 2
            axes.text(middle[axis] - 14, middle[2], f"{curve.angle_deg:.0f}°", ha="right",
                      va="center", color=BACK, size=6.5, weight="bold")  # fmt: skip


def has_cord(spine: SpineLabels) -> bool:
    """Whether the labels hold a cord."""
    return bool((spine.numbers == CORD).any())
