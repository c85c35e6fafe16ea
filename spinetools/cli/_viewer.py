"""Pick points on an image in a window: for ``-method viewer`` and ``-init-centerline viewer``.

A window belongs to the command line, so matplotlib's interactive part is used here and nowhere
else. Import this module only when a window was asked for.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from spinetools.cli._viewer_state import FloatArray, PickState
from spinetools.errors import InputError, MissingExtra, SpinetoolsError

if TYPE_CHECKING:
    from spinetools.image import Image

logger = logging.getLogger(__name__)

#: Toolkits in the order of trial. Tk goes before Qt, because Qt ends the whole process where a
#: system library of its own is missing; the others raise an error and the next one gets its turn.
BACKENDS = ("TkAgg", "QtAgg", "GTK4Agg", "GTK3Agg", "WxAgg")


class Cancelled(SpinetoolsError):
    """The window was closed without saving."""


class NoWindow(SpinetoolsError):
    """There is no display to open a window on."""


def pick_points(
    image: Image,
    *,
    gap_mm: float = 20.0,
    title: str,
    labels: Sequence[str] | None = None,
    instead: str = "-init-points FILE",
) -> FloatArray:
    """Let the user click points on an image; returns when the window is closed.

    Without ``labels`` the user clicks on the cord in one axial slice after the other, from the
    bottom up, and a sagittal slice shows where that is. With ``labels`` each named point is clicked
    on a sagittal slice.

    Parameters
    ----------
    image
        A 3D image in any orientation.
    gap_mm
        Distance in mm from one point to the slice that is suggested next.
    title
        What is asked for, e.g. ``"Click on the centre of the spinal cord"``.
    labels
        Names of the points, e.g. ``["C2-C3", "C3-C4"]``.
    instead
        The command's option that takes points from a file, for the message where no window can be.

    Returns
    -------
    points
        (N, 3) voxel coordinates on the image's own grid. Within a slice they are not rounded.
        Without labels at least two, from bottom to top, each in the centre of its axial slice. With
        labels one row each in the order of the labels, NaN where the user skipped one.

    Raises
    ------
    Cancelled
        When the window was closed, or Escape pressed, before the points were saved.
    NoWindow
        When there is no display.
    MissingExtra
        When Python has no window toolkit that matplotlib can use.
    InputError
        When the image is not 3D, the gap not positive, or ``labels`` empty.
    """
    if len(image.shape) != 3:
        raise InputError(f"{image.name} is 4D, expected one volume to click on: choose -volume")
    upright = image.space.reoriented("RAS")
    state = PickState.start(upright.shape, upright.spacing, gap_mm, labels)
    open_backend(instead)
    from spinetools.cli._viewer_window import PickWindow

    name = image.path.name if image.path else ""
    to_native = image.space.reorientation("RAS")
    flipped = [bool(column.sum() < 0) for column in to_native[:3, :3].T]
    window = PickWindow(image.reorient("RAS").data, upright.spacing, state, title, name, flipped)
    window.show_until_closed()
    if not window.saved:
        raise Cancelled("cancelled: no points were saved")
    native: FloatArray = window.state.result() @ to_native[:3, :3].T + to_native[:3, 3]
    return native


def open_backend(instead: str = "-init-points FILE") -> str:
    """Choose the first toolkit that works here, or the one that MPLBACKEND names.

    Parameters
    ----------
    instead
        See :func:`pick_points`.

    Returns
    -------
    str
        matplotlib's name of the backend.

    Raises
    ------
    NoWindow, MissingExtra
        See :func:`pick_points`.
    """
    otherwise = f"give the points in a file ({instead})"
    _check_display(otherwise)
    wanted = os.environ.get("MPLBACKEND", "")
    candidates = (wanted,) if wanted not in ("", "auto") else _candidates()
    failures: list[str] = []
    for backend in candidates:
        try:
            framework = _try(backend)
        except Exception as error:  # each toolkit has errors of its own for what it lacks
            logger.debug("no %s window: %s", backend, error)
            failures.append(str(error))
            continue
        if framework is None:
            raise NoWindow(
                f"MPLBACKEND={backend} draws no window, and the points are clicked in one: "
                f"unset MPLBACKEND, or {otherwise}"
            )
        return backend
    if any("headless" in failure for failure in failures):
        raise NoWindow(
            _no_display(f"the display {os.environ.get('DISPLAY', '')!r} does not answer", otherwise)
        )
    if wanted not in ("", "auto"):
        why = failures[0].split(";")[0]  # the rest lists every backend
        raise NoWindow(f"MPLBACKEND={wanted} cannot be used ({why}): unset MPLBACKEND")
    raise MissingExtra(
        "Python has no window toolkit (tried Tk, Qt, GTK and wx): install one, "
        f"apt-get install python3-tk or pip install 'spinetools[viewer]', or {otherwise}"
    )


def _candidates() -> tuple[str, ...]:
    return ("MacOSX", *BACKENDS) if sys.platform == "darwin" else BACKENDS


def _try(backend: str) -> str | None:
    """Open a window that is never shown; returns the toolkit's name, None for a file format."""
    from matplotlib import pyplot as plt

    plt.switch_backend(backend)
    figure = plt.figure()
    try:
        framework: str | None = figure.canvas.required_interactive_framework
        return framework
    finally:
        plt.close(figure)


def _check_display(otherwise: str) -> None:
    """Say at once that there is no display, rather than what a toolkit makes of it."""
    if sys.platform in ("darwin", "win32", "cygwin"):
        return
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise NoWindow(_no_display("there is no display (DISPLAY is not set)", otherwise))


def _no_display(seen: str, otherwise: str) -> str:
    return (
        f"{seen}, and the points are clicked in a window: {otherwise}, log in with ssh -X, "
        "or run the command in a desktop or VNC session"
    )
