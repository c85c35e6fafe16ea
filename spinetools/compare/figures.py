"""Figures of a comparison, as SVG in dark and light. The only module here that draws."""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from spinetools.compare.cases import Compared, methods_of
from spinetools.compare.choose import score_of
from spinetools.compare.measure import FAILED_BELOW
from spinetools.compare.statistics import bland_altman
from spinetools.compare.tables import mean
from spinetools.files import strip_nifti_suffix
from spinetools.labels import level_name
from spinetools.phantom.numbers import LEVEL_NUMBERS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: One colour a method, told apart by colour-blind eyes, on each of the two backgrounds.
COLOURS = {
    "dark": ("#ff5470", "#38c6f4", "#ffd23f", "#2ed3a2", "#b58cff", "#ff9f1c"),
    "light": ("#c2183f", "#0a6fb0", "#8f6a00", "#0b7a5a", "#6d3fc4", "#b25a00"),
}
#: Text, lines, and states of slices, as on the report's page.
INK = {"dark": "#e8ecf1", "light": "#17202b"}
SOFT = {"dark": "#9aa6b5", "light": "#556274"}
LINE = {"dark": "#29313c", "light": "#dbe0e7"}
STATES = ("ok", "disagreement", "implausible", "missing", "nothing")
STATE_WORDS = ("sound", "fits worse than the other", "implausible area", "missing", "no cord found")
STATE_COLOURS = {
    "dark": ("#24433a", "#f2bb4a", "#ff6b7c", "#8390a0", "#11151b"),
    "light": ("#cfe9dc", "#d99a1b", "#c0263a", "#8a95a3", "#f3f5f8"),
}
#: Short names of contrasts.
CONTRASTS = {"t1": "T1w", "t2": "T2w", "t2s": "T2*w", "dwi": "DWI"}
#: Rows of the picture of failures; of more images, those with most to see are shown.
MOST_ROWS = 40
#: Places along the cord in that picture.
PLACES = 40
#: More pairs of methods than this are not drawn.
MOST_PAIRS = 3


@dataclass(frozen=True)
class Picture:
    """A figure: its name, what it shows, what to see in it, and its two versions."""

    name: str
    title: str
    caption: str
    dark: bytes
    light: bytes


def draw_all(compared: Sequence[Compared]) -> list[Picture]:
    """Draw every figure that the data allows.

    Parameters
    ----------
    compared
        The images with their results.
    """
    names = methods_of(compared)
    pictures = [_picture("scores", _scores_words(compared), compared, _draw_scores)]
    if _levels(compared):
        words = (
            "Area at each level",
            "Mean area at right angles to the cord, an image a point; the band is the mean of "
            "healthy adults ± 2 SD.",
        )
        pictures.append(_picture("levels", words, compared, _draw_levels))
    words = (
        "Area of the cord",
        "Mean area at right angles to the cord, an image a point, with quartiles. A method whose "
        "points lie apart from the other's has another idea of where the cord's edge is.",
    )
    pictures.append(_picture("areas", words, compared, _draw_areas))
    if len(names) > 1 and any(each.pairs for each in compared):
        words = (
            "Agreement of the areas",
            "Difference of the mean area in an image against their mean (Bland and Altman): the "
            "bias, and the limits within which 95 % of differences are to be expected.",
        )
        pictures.append(_picture("agreement", words, compared, _draw_agreement))
    words = (
        "Which method failed where",
        "Each row is an image, from the top of the cord (left) to its lower end (right).",
    )
    pictures.append(_picture("where", words, compared, _draw_where))
    return pictures


Draw = Callable[["Figure", Sequence[Compared], str], None]


def _picture(
    name: str, words: tuple[str, str], compared: Sequence[Compared], draw: Draw
) -> Picture:
    dark, light = (_as_svg(compared, draw, theme) for theme in ("dark", "light"))
    return Picture(name, *words, dark, light)


def _as_svg(compared: Sequence[Compared], draw: Draw, theme: str) -> bytes:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    style: Any = {
        "font.size": 10, "svg.hashsalt": "spinetools", "svg.fonttype": "path",
        "text.color": INK[theme], "axes.labelcolor": INK[theme], "axes.edgecolor": SOFT[theme],
        "xtick.color": SOFT[theme], "ytick.color": SOFT[theme], "grid.color": LINE[theme],
        "axes.spines.top": False, "axes.spines.right": False, "axes.facecolor": "none",
        "text.parse_math": False, "axes.axisbelow": True, "legend.frameon": False,
    }  # fmt: skip
    with mpl.rc_context(style):
        figure = Figure(figsize=(6.4, 3.9), layout="constrained")
        draw(figure, compared, theme)
        stream = io.BytesIO()
        with warnings.catch_warnings():  # an emoji in a subject's name is drawn as a box
            warnings.filterwarnings("ignore", r"Glyph \d+ ", UserWarning)
            figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
    return stream.getvalue()


# -- scores ---------------------------------------------------------------------------------------


def _scores_words(compared: Sequence[Compared]) -> tuple[str, str]:
    number = sum(each.has_reference for each in compared)
    if number == len(compared):
        return "Dice with the reference", "An image a line. Bars are means without failures."
    title = "Expected Dice" if number == 0 else "Dice, expected where there is no reference"
    caption = (
        "An image a line. Bars are means without failures. How far an estimate may be off is not "
        "drawn."
    )
    return title, caption


def _draw_scores(figure: Figure, compared: Sequence[Compared], theme: str) -> None:
    axes = figure.add_subplot()
    names = methods_of(compared)
    rows = np.array([[score_of(each, each.result(n)) for n in names] for each in compared])
    useful = rows >= FAILED_BELOW
    # failures stand at the foot, so that the others can be told apart
    lowest, highest = (float(f(rows[useful])) if useful.any() else 0.5 for f in (np.min, np.max))
    room = max(highest - lowest, 0.02)
    foot = lowest - 0.18 * room
    shown = np.where(useful, rows, foot)
    along = np.arange(len(names)) + _spread(len(rows))[:, None] * 0.24
    for x, row in zip(along, shown, strict=True):
        axes.plot(x, row, color=SOFT[theme], lw=0.7, alpha=0.55, zorder=1)
    for number in range(len(names)):
        colour, good = _colour(theme, number), useful[:, number]
        axes.scatter(along[good, number], shown[good, number], s=20, color=colour, zorder=2, lw=0)
        axes.scatter(along[~good, number], shown[~good, number], s=46, color=colour, zorder=2,
                     marker="x", lw=2)  # fmt: skip
        if (~good).any():
            axes.annotate(
                f"{(~good).sum()} failed", (number + 0.32, foot), va="center", color=INK[theme],
                fontsize=9,
            )  # fmt: skip
        if good.any():
            middle = float(rows[good, number].mean())
            axes.plot([number - 0.3, number + 0.3], [middle] * 2, color=INK[theme], lw=2, zorder=3)
            axes.annotate(
                f"{middle:.3f}", (number + 0.32, middle), va="center", color=INK[theme], fontsize=9
            )
    axes.set_xticks(range(len(names)), names, color=INK[theme])
    axes.set_xlim(-0.5, len(names) - 0.25)
    axes.set_ylim(foot - 0.06 * room, min(1.0, highest + 0.1 * room))
    axes.set_ylabel("Dice")
    axes.grid(axis="y")


def _spread(count: int) -> Any:
    """Places between −1 and 1, the same for all methods, so that lines run parallel."""
    return np.linspace(-1, 1, count) if count > 1 else np.zeros(count)


# -- areas ----------------------------------------------------------------------------------------


def _draw_areas(figure: Figure, compared: Sequence[Compared], theme: str) -> None:
    axes = figure.add_subplot()
    names = methods_of(compared)
    groups = sorted({each.case.contrast for each in compared})
    width = 0.8 / len(names)
    for number, name in enumerate(names):
        colour = _colour(theme, number)
        for place, group in enumerate(groups):
            own = [each for each in compared if each.case.contrast == group]
            values = np.array([each.result(name).csa_mm2 for each in own])
            values = values[np.isfinite(values)]
            x = place + (number - (len(names) - 1) / 2) * width
            if len(values) > 3:
                axes.boxplot(
                    values, positions=[x], widths=width * 0.75, showfliers=False,
                    manage_ticks=False,
                    boxprops={"color": SOFT[theme]}, whiskerprops={"color": SOFT[theme]},
                    capprops={"color": SOFT[theme]}, medianprops={"color": INK[theme], "lw": 2},
                )  # fmt: skip
            offset = _spread(len(values)) * width * 0.22
            axes.scatter(x + offset, values, s=16, color=colour, lw=0, zorder=3,
                         label=name if place == 0 else None)  # fmt: skip
    axes.set_xticks(range(len(groups)), [CONTRASTS.get(group, group) or "all" for group in groups])
    axes.set_xlim(-0.6, len(groups) - 0.4)
    axes.set_ylabel("mean area, mm²")
    axes.grid(axis="y")
    _legend(figure, axes)


def _levels(compared: Sequence[Compared]) -> list[int]:
    found = {row.level for each in compared for r in each.results for row in r.slices}
    return sorted(found - {0})


def _draw_levels(figure: Figure, compared: Sequence[Compared], theme: str) -> None:
    axes = figure.add_subplot()
    levels = _levels(compared)
    known = [level for level in levels if level <= len(LEVEL_NUMBERS)]
    means = np.array([LEVEL_NUMBERS[level - 1].cord_csa for level in known])
    spread = np.array([LEVEL_NUMBERS[level - 1].cord_csa_sd for level in known])
    axes.fill_between(known, means - 2 * spread, means + 2 * spread, color=LINE[theme], lw=0)
    names = methods_of(compared)
    for number, name in enumerate(names):
        colour = _colour(theme, number)
        middles = []
        for level in levels:
            values = [
                mean(row.csa_mm2 for row in each.result(name).slices if row.level == level)
                for each in compared
            ]
            middles.append(mean(values))
            x = level + (number - (len(names) - 1) / 2) * 0.16
            axes.scatter(np.full(len(values), x), values, s=14, color=colour, lw=0)
        axes.plot(levels, middles, color=colour, lw=1.6, label=name)
    axes.set_xticks(levels, [level_name(level) for level in levels])
    axes.set_ylabel("area, mm²")
    axes.grid(axis="y")
    _legend(figure, axes)


def _draw_agreement(figure: Figure, compared: Sequence[Compared], theme: str) -> None:
    pairs = list(combinations(methods_of(compared), 2))[:MOST_PAIRS]
    grid = figure.subplots(1, len(pairs), squeeze=False, sharey=True)[0]
    for axes, (first, second) in zip(grid, pairs, strict=True):
        a, b = (np.array([each.result(n).csa_mm2 for each in compared]) for n in (first, second))
        found = bland_altman(a, b)
        axes.scatter((a + b) / 2, a - b, s=22, color=_colour(theme, 0), lw=0, zorder=3)
        axes.axhline(0, color=SOFT[theme], lw=0.8)
        if math.isfinite(found.bias):
            axes.axhline(found.bias, color=INK[theme], lw=1.6)
            _at_right(axes, found.bias, f"bias {_signed(found.bias)}", theme)
        if math.isfinite(found.sd):
            axes.axhspan(found.bias_low, found.bias_high, color=SOFT[theme], alpha=0.25, lw=0)
            for limit in (found.lower, found.upper):
                axes.axhline(limit, color=INK[theme], lw=1, ls=(0, (5, 4)))
                _at_right(axes, limit, _signed(limit), theme)
        axes.set_xlabel("mean of both, mm²")
        axes.margins(x=0.08, y=0.16)
        label = f"{first} − {second}, mm²"
        if len(pairs) == 1:
            axes.set_ylabel(label)
        else:
            axes.set_title(label, fontsize=9)


def _at_right(axes: Axes, y: float, text: str, theme: str) -> None:
    """Name a line at its right end, above it and inside the axes."""
    axes.annotate(
        text, (1, y), xycoords=("axes fraction", "data"), xytext=(-2, 3),
        textcoords="offset points", ha="right", va="bottom", fontsize=9, color=INK[theme],
    )  # fmt: skip


def _signed(value: float) -> str:
    return f"{value:+.1f}".replace("-", "−")


# -- where ----------------------------------------------------------------------------------------


def where_rows(compared: Sequence[Compared], method: str) -> Any:
    """Return the worst state at each place along the cord: (images, places), as in ``STATES``."""
    rows = np.full((len(compared), PLACES), STATES.index("nothing"))
    for number, each in enumerate(compared):
        slices = each.result(method).slices
        if not slices:
            continue
        places = np.array([row.place for row in slices])
        states = np.array([STATES.index(row.state) for row in slices])
        half = 0.5 / max(len(slices) - 1, 1)
        for place in range(PLACES):
            at = place / (PLACES - 1)
            near = np.abs(places - at) <= max(half, 0.5 / (PLACES - 1)) + 1e-9
            if near.any():
                rows[number, place] = states[near].max()
    return rows


def _draw_where(figure: Figure, compared: Sequence[Compared], theme: str) -> None:
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    names = methods_of(compared)
    shown = _most_to_see(compared, names)
    figure.set_figheight(1.5 + 0.17 * len(shown))
    grid = figure.subplots(1, len(names), squeeze=False, sharey=True)[0]
    colours = ListedColormap(list(STATE_COLOURS[theme]))
    seen: set[int] = set()
    for axes, name in zip(grid, names, strict=True):
        rows = where_rows(shown, name)
        seen |= set(np.unique(rows).tolist())
        axes.pcolormesh(
            np.linspace(0, 1, PLACES + 1), np.arange(len(shown) + 1) - 0.5, rows,
            cmap=colours, vmin=-0.5, vmax=len(STATES) - 0.5, rasterized=True,
        )  # fmt: skip
        for edge in range(1, len(shown)):
            axes.axhline(edge - 0.5, color=LINE[theme], lw=0.6)
        axes.set_title(name, fontsize=10)
        axes.set_xticks([0, 1], ["top", "end"])
        for label, side in zip(axes.get_xticklabels(), ("left", "right"), strict=True):
            label.set_horizontalalignment(side)
        axes.tick_params(length=0)
        for side in ("left", "bottom"):
            axes.spines[side].set_visible(False)
    grid[0].set_yticks(range(len(shown)), [_short(each) for each in shown], fontsize=7.5)
    grid[0].invert_yaxis()
    handles = [Patch(color=STATE_COLOURS[theme][n], label=STATE_WORDS[n]) for n in sorted(seen)]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 4),
                  fontsize=8.5)  # fmt: skip


def _most_to_see(compared: Sequence[Compared], names: Sequence[str]) -> list[Compared]:
    if len(compared) <= MOST_ROWS:
        return list(compared)
    doubts = [
        sum(row.state != "ok" for n in names for row in each.result(n).slices)
        + 1000 * sum(each.result(n).state == "failed" for n in names)
        for each in compared
    ]
    worst = sorted(np.argsort(doubts)[::-1][:MOST_ROWS])
    return [compared[n] for n in worst]


def _short(compared: Compared) -> str:
    # a file's name is bytes: those that are no text cannot be drawn
    text = strip_nifti_suffix(compared.case.image).encode("utf-8", "replace").decode()
    return text if len(text) <= 26 else f"{text[:12]}…{text[-13:]}"


# -- small things ---------------------------------------------------------------------------------


def _colour(theme: str, number: int) -> str:
    return COLOURS[theme][number % len(COLOURS[theme])]


def _legend(figure: Figure, axes: Axes) -> None:
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), fontsize=9)
