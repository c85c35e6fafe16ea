"""The point-picking window: draws a :class:`PickState` and turns clicks and keys into actions."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib import pyplot as plt
from matplotlib.backend_bases import Event, KeyEvent, MouseEvent
from matplotlib.widgets import Button

from spinetools.cli._viewer_state import PickState
from spinetools.qc.render import windowed

BACKGROUND, PANEL, TEXT, DIM = "#16181d", "#2b2f38", "#f2f2f2", "#9aa3b2"
#: Points, what is suggested, and where the other picture is cut.
POINT, SUGGESTED, CUT = "#ffd23f", "#2ed3a2", "#38c6f4"
#: Where the two pictures may be, as fractions of the window: left, bottom, width, height.
LEFT_BOX, RIGHT_BOX = (0.035, 0.15, 0.45, 0.70), (0.535, 0.15, 0.43, 0.70)
WINDOW_INCHES = (12.6, 7.0)
#: Side of the axial picture once it is known where the cord is, and at the strongest zoom.
CLOSE_MM, CLOSEST_MM = 120.0, 20.0
ZOOM_STEP = 1.4
#: How often Python looks at signals while the toolkit waits for the user.
HEARTBEAT_MS = 200

POINTS_HELP = (
    "Click on the cord in the axial picture; click in the sagittal picture to go to a slice"
    "    + −: zoom\n"
    "↑ ↓ wheel: slice    PgUp PgDn: one gap    ← →: sagittal slice    "
    "n: skip    u: undo    Enter: save and quit    Esc: cancel"
)
LABELS_HELP = (
    "Click on the named point in the sagittal picture; click in the axial picture to choose the "
    "sagittal slice\n"
    "← → wheel: sagittal slice    ↑ ↓: axial slice    + −: zoom    "
    "n: skip    u: undo    Enter: save and quit    Esc: cancel"
)


class PickWindow:
    """A window with a sagittal picture on the left and an axial one on the right.

    Parameters
    ----------
    data
        Voxels in RAS order.
    spacing
        Their size in mm.
    state
        Where to begin.
    title
        What is asked for.
    name
        The image's file name.
    flipped
        Whether the file counts its slices against x, y and z; slice numbers are the file's, from 0.
    """

    def __init__(
        self,
        data: npt.NDArray[Any],
        spacing: Sequence[float],
        state: PickState,
        title: str,
        name: str = "",
        flipped: Sequence[bool] = (False, False, False),
    ) -> None:
        self.data = data
        self.flipped = flipped
        self.spacing = spacing
        self.state = state
        self.saved = False
        #: Side of the axial picture; None until the user zooms
        self.view_mm: float | None = None
        self._centre: tuple[float, float] | None = None
        self._scrolled = 0.0
        self._shown: tuple[int | None, int | None] = (None, None)
        with mpl.rc_context({"toolbar": "None"}):
            self.figure = cast(Any, plt.figure(figsize=WINDOW_INCHES, facecolor=BACKGROUND))
        self.canvas = self.figure.canvas
        manager = self.canvas.manager
        manager.set_window_title(f"{title}: {name}" if name else title)
        # matplotlib's own keys would close the window (q) or go fullscreen (f)
        self.canvas.mpl_disconnect(manager.key_press_handler_id)
        self._build(title, name)
        for event, action in (
            ("button_press_event", self._on_click),
            ("scroll_event", self._on_scroll),
            ("key_press_event", self._on_key),
        ):
            self.canvas.mpl_connect(event, action)
        self.refresh()

    def show_until_closed(self) -> None:
        """Show the window and wait until it is closed."""
        with _signals_kept() as signals:
            heartbeat = self.canvas.new_timer(interval=HEARTBEAT_MS)
            heartbeat.add_callback(lambda: plt.close(self.figure) if signals else None)
            heartbeat.start()
            try:
                plt.show(block=True)
            finally:
                heartbeat.stop()
                plt.close(self.figure)
        for number in signals:
            signal.raise_signal(number)

    # -- what the window is made of -----------------------------------------------------------

    def _build(self, title: str, name: str) -> None:
        self.figure.text(0.035, 0.955, title, color=TEXT, size=15, weight="bold", va="center")
        self.figure.text(0.965, 0.955, name, color=DIM, size=10, va="center", ha="right")
        self._status = self.figure.text(0.035, 0.91, "", color=SUGGESTED, size=11, va="center")
        self._notice = self.figure.text(
            0.965, 0.91, "", color=POINT, size=11, va="center", ha="right", weight="bold"
        )
        words = LABELS_HELP if self.state.labels else POINTS_HELP
        self.figure.text(0.035, 0.06, words, color=DIM, size=8.5, va="center", linespacing=1.7)
        dx, dy, dz = self.spacing
        nx, ny, nz = self.state.shape
        self.sagittal = self._picture(LEFT_BOX, dz / dy, "APSI")
        self.axial = self._picture(RIGHT_BOX, dy / dx, "RLAP")
        self._sagittal_image = self._grey(self.sagittal, (-0.5, ny - 0.5, -0.5, nz - 0.5))
        self._axial_image = self._grey(self.axial, (-0.5, nx - 0.5, -0.5, ny - 0.5))
        # the front of the body on the left; in the axial picture the patient's right
        self.sagittal.set(xlim=(ny - 0.5, -0.5), ylim=(-0.5, nz - 0.5))
        self._build_marks()
        self._buttons = [
            self._button(0.655, 0.085, "Undo", PANEL, lambda: self._become(self.state.undone())),
            self._button(0.750, 0.085, "Skip", PANEL, lambda: self._become(self.state.skipped())),
            self._button(0.845, 0.120, "Save and quit", "#1f6f54", self.save),
        ]

    def _picture(self, box: Sequence[float], aspect: float, sides: str) -> Any:
        """Make axes without ticks, and put the letters of the body's sides beside them."""
        left, bottom, width, height = box
        axes = self.figure.add_axes((left, bottom, width, height), facecolor="black")
        axes.set(aspect=aspect, xticks=[], yticks=[], anchor="C")
        for spine in axes.spines.values():
            spine.set_color(PANEL)
        if sides == "APSI":
            places = {"A": (0, 0.5), "P": (1, 0.5), "S": (0.5, 1), "I": (0.5, 0)}
        else:
            places = {"R": (0, 0.5), "L": (1, 0.5), "A": (0.5, 1), "P": (0.5, 0)}
        for letter, (x, y) in places.items():
            offset = (14 * (x - 0.5) * 1.4, 14 * (y - 0.5) * 1.5)
            axes.annotate(
                letter, (x, y), xycoords="axes fraction", xytext=offset,
                textcoords="offset points", color=TEXT, size=11, weight="bold",
                ha="center", va="center", annotation_clip=False,
            )  # fmt: skip
        return axes

    @staticmethod
    def _grey(axes: Any, extent: Sequence[float]) -> Any:
        return axes.imshow(
            np.zeros((1, 1), np.uint8), cmap="gray", vmin=0, vmax=255, origin="lower",
            extent=extent, interpolation="bilinear", aspect=axes.get_aspect(),
        )  # fmt: skip

    def _build_marks(self) -> None:
        """Make the lines and points that lie over the pictures."""
        side, top = self.sagittal, self.axial
        self._here = side.axhline(0, color=CUT, lw=1.0, alpha=0.9)
        self._next = side.axhline(0, color=SUGGESTED, lw=1.0, ls=(0, (4, 4)), alpha=0.9)
        line = {"color": POINT, "mec": "black", "mew": 0.8, "ms": 7, "lw": 1.0, "clip_on": False}
        (self._path,) = side.plot([], [], "o-", **line)
        self._sagittal_cut = top.axvline(0, color=CUT, lw=1.0, alpha=0.35)
        (self._expected,) = top.plot([], [], "o", mfc="none", mec=SUGGESTED, mew=1.3, ms=22)
        (self._point,) = top.plot([], [], "+", color=POINT, ms=15, mew=1.8)
        self._names: list[Any] = []
        # in front of the pictures, which imshow draws at 0
        for mark in (self._here, self._next, self._path, self._expected, self._point):
            mark.set_zorder(3)

    def _button(
        self, left: float, width: float, words: str, colour: str, action: Callable[[], None]
    ) -> Button:
        axes = self.figure.add_axes((left, 0.035, width, 0.05))
        button = Button(axes, words, color=colour, hovercolor="#4a505e")
        button.label.set(color=TEXT, size=10)
        for spine in axes.spines.values():
            spine.set_visible(False)
        button.on_clicked(lambda _event: action())
        return button

    # -- what the user does -------------------------------------------------------------------

    def save(self) -> None:
        """Close the window and keep the points; stay open where points are missing."""
        missing = self.state.missing
        if missing:
            self._become(self.state.with_notice(missing))
            return
        self.saved = True
        plt.close(self.figure)

    def cancel(self) -> None:
        """Close the window; the points are lost."""
        plt.close(self.figure)

    def _become(self, state: PickState) -> None:
        self.state = state
        self.refresh()

    def _on_click(self, event: Event) -> None:
        if not isinstance(event, MouseEvent) or event.button != 1:
            return
        if event.xdata is None or event.ydata is None:
            return
        if event.inaxes is self.axial:
            self._become(self.state.clicked_axial(event.xdata, event.ydata))
        elif event.inaxes is self.sagittal:
            self._become(self.state.clicked_sagittal(event.xdata, event.ydata))

    def _on_scroll(self, event: Event) -> None:
        if not isinstance(event, MouseEvent):
            return
        self._scrolled += event.step  # a touch pad sends fractions of a step
        steps = int(self._scrolled)
        self._scrolled -= steps
        if steps:
            sideways = self.state.labels and event.inaxes is not self.axial
            self._become(self.state.moved(right=-steps) if sideways else self.state.moved(up=steps))

    def _on_key(self, event: Event) -> None:
        if not isinstance(event, KeyEvent) or event.key is None:
            return
        state, key = self.state, event.key
        keys: dict[str, Callable[[], PickState]] = {
            "up": lambda: state.moved(up=1),
            "down": lambda: state.moved(up=-1),
            "pageup": lambda: state.moved(up=state.step),
            "pagedown": lambda: state.moved(up=-state.step),
            "home": lambda: state.at(z=state.shape[2] - 1),
            "end": lambda: state.at(z=0),
            # the arrow moves the blue line in the axial picture: the patient's right is on the left
            "left": lambda: state.moved(right=1),
            "right": lambda: state.moved(right=-1),
            "n": state.skipped,
            "u": state.undone,
            "backspace": state.undone,
        }
        if key in keys:
            self._become(keys[key]())
        elif key == "enter":
            self.save()
        elif key == "escape":
            self.cancel()
        elif key in ("+", "=", "-"):
            self._zoom(ZOOM_STEP if key == "-" else 1 / ZOOM_STEP, event)

    def _zoom(self, factor: float, event: KeyEvent) -> None:
        """Zoom the axial picture; what is under the mouse stays there."""
        before = self._axial_view()
        self.view_mm = max(self._side_mm() * factor, CLOSEST_MM)
        if event.inaxes is self.axial and event.xdata is not None and event.ydata is not None:
            x, y = (
                at + (sum(old) / 2 - at) * (new[1] - new[0]) / (old[1] - old[0])
                for at, old, new in zip(
                    (event.xdata, event.ydata), before, self._axial_view(), strict=True
                )
            )
            self._centre = (x, y)
        self.refresh()

    # -- what is on the screen ----------------------------------------------------------------

    def refresh(self) -> None:
        """Draw what the state says."""
        state = self.state
        x, z = state.position
        if self._shown[0] != x:
            grey = windowed(self.data[x].T[None], along=1)[0]
            self._sagittal_image.set_data(grey)
        if self._shown[1] != z:
            self._axial_image.set_data(windowed(self.data[:, :, z].T[None])[0])
            if self._shown[1] is not None and state.points and not state.labels:
                self._centre = None  # the picture follows the cord
        self._shown = (x, z)
        across, up = self._axial_view()
        self.axial.set(xlim=across[::-1], ylim=up)
        self._draw_marks()
        self._status.set_text(self._status_words())
        self._notice.set_text(state.notice)
        self.canvas.draw_idle()

    def _draw_marks(self) -> None:
        state = self.state
        x, z = state.position
        points = [state.points[key] for key in sorted(state.points)]
        self._here.set_ydata([z, z])
        suggestion = None if state.labels else state.suggestion
        self._next.set_visible(suggestion is not None)
        self._next.set_ydata([suggestion or 0] * 2)
        self._path.set_data([p[1] for p in points], [p[2] for p in points])
        self._path.set_linestyle("none" if state.labels else "-")
        self._sagittal_cut.set_xdata([x, x])
        here = [p for p in points if round(p[2]) == z]
        self._point.set_data([p[0] for p in here], [p[1] for p in here])
        expected = None if here else state.predicted
        self._expected.set_data(*(([expected[0]], [expected[1]]) if expected else ([], [])))
        for name in self._names:
            name.remove()
        self._names = [
            self.sagittal.annotate(
                state.labels[key], state.points[key][1:], xytext=(8, 0), color=POINT, size=9,
                textcoords="offset points", va="center",
            )
            for key in (state.points if state.labels else ())
        ]  # fmt: skip

    def _side_mm(self) -> float:
        """Return the side of the axial picture: all of it, until it is known where the cord is."""
        largest = max(n * mm for n, mm in zip(self.state.shape[:2], self.spacing, strict=False))
        automatic = CLOSE_MM if self.state.predicted else largest
        return min(self.view_mm or automatic, largest)

    def _axial_view(self) -> list[tuple[float, float]]:
        """Return the limits of the axial picture in voxels along x and y, within the image."""
        nx, ny, _ = self.state.shape
        centre = self._centre or self.state.predicted or ((nx - 1) / 2, (ny - 1) / 2)
        limits = []
        for middle, count, mm in zip(centre, (nx, ny), self.spacing, strict=False):
            width = min(self._side_mm() / mm, count)
            low = min(max(middle - width / 2, -0.5), count - 0.5 - width)
            limits.append((low, low + width))
        return limits

    def _status_words(self) -> str:
        state = self.state
        x, z = state.position
        count = len(state.points)
        if state.labels:
            label = f"Now click: {state.label}" if state.label else "All labels done"
            at = f"sagittal slice {self._native(0, x)}"
            return f"{label}    {at}    {count} of {len(state.labels)} points"
        following = state.suggestion
        then = "" if following is None else f"    next suggested: {self._native(2, following)}"
        points = f"{count} point{'' if count == 1 else 's'}"
        return f"Axial slice {self._native(2, z)}    {points}{then}"

    def _native(self, axis: int, index: int) -> int:
        """Return a slice's number as the file and other viewers count it."""
        return self.state.shape[axis] - 1 - index if self.flipped[axis] else index


@contextmanager
def _signals_kept() -> Iterator[list[int]]:
    """Collect the signals that ask the command to end, for when the toolkit's loop has been left.

    An exception from a signal handler would end up in whatever callback of the toolkit happens to
    run: Tk prints it and goes on, Qt ends the process.
    """
    seen: list[int] = []
    kinds = [getattr(signal, name, None) for name in ("SIGINT", "SIGTERM", "SIGHUP")]
    before = {kind: signal.getsignal(kind) for kind in kinds if kind is not None}
    heard = [kind for kind, handler in before.items() if handler not in (signal.SIG_IGN, None)]
    if threading.current_thread() is not threading.main_thread():
        heard = []  # Python sets handlers in the main thread only
    for kind in heard:
        signal.signal(kind, lambda number, _frame: seen.append(number))
    try:
        yield seen
    finally:
        for kind in heard:
            signal.signal(kind, before[kind])
