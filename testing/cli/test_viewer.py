"""The point-picking window, really shown on a virtual display, clicked and typed into."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from spinetools.cli import _viewer
from spinetools.cli._viewer import Cancelled, NoWindow, pick_points
from spinetools.errors import InputError, MissingExtra, SpinetoolsError
from spinetools.image import Image, Space
from spinetools.image.orientation import ALL_CODES

#: In RAS order, with voxels of three different sizes.
SHAPE, SPACING = (24, 30, 51), (1.5, 0.8, 2.0)
TICK_MS, PATIENCE_TICKS = 20, 500
TITLE = "Click on the centre of the spinal cord"


def cannot(reason: str) -> None:
    """Skip, but never quietly where the project's own checks run."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    """A virtual display of our own, so that no window comes up before the developer."""
    if not shutil.which("Xvfb"):
        cannot("no Xvfb, and windows are tested on it: apt-get install xvfb")
    read, write = os.pipe()
    # -noreset: the server would restart, and refuse clients, whenever the last one leaves
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", "1400x900x24", "-noreset"],
        pass_fds=[write],
        stderr=subprocess.DEVNULL,
    )
    os.close(write)
    try:
        number = _display_number(read)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("DISPLAY", f":{number}")
            patch.delenv("WAYLAND_DISPLAY", raising=False)
            patch.delenv("MPLBACKEND", raising=False)
            try:
                _viewer.open_backend()
            except MissingExtra as error:
                cannot(str(error))
            yield f":{number}"
            from matplotlib import pyplot as plt

            plt.close("all")
            plt.switch_backend("agg")
    finally:
        server.terminate()
        server.wait(10)


def _display_number(read: int) -> str:
    """Read the number to the end of its line: the server dies of a pipe that is closed earlier."""
    written = b""
    while not written.endswith(b"\n"):
        ready, _, _ = select.select([read], [], [], 30)
        more = os.read(read, 16) if ready else b""
        assert more, "Xvfb did not start within 30 s"
        written += more
    os.close(read)
    return written.decode().strip()


@pytest.fixture
def drive(display, monkeypatch) -> Callable[..., None]:
    """Have steps done in the shown window, one by one, while its own event loop runs."""
    from spinetools.cli._viewer_window import PickWindow

    original = PickWindow.show_until_closed

    def use(*steps):
        def show_and_do(window):
            left, failures, ticks = list(steps), [], 0

            def tick():
                nonlocal ticks
                ticks += 1
                try:
                    if left and ticks > 5:  # the window is up by then
                        left.pop(0)(window)
                    assert ticks < PATIENCE_TICKS, "the window was never closed"
                except BaseException as failure:  # toolkits print it and go on
                    failures.append(failure)
                    window.cancel()

            timer = window.canvas.new_timer(interval=TICK_MS)
            timer.add_callback(tick)
            timer.start()
            original(window)
            timer.stop()
            if failures:
                raise failures[0]
            assert not left, f"the window closed before {len(left)} steps were done"

        monkeypatch.setattr(PickWindow, "show_until_closed", show_and_do)

    return use


def image_in(codes="RAS", data=None) -> Image:
    """An anisotropic, oblique image, stored in the orientation asked for."""
    turn = np.deg2rad(12)
    affine = np.eye(4)
    affine[:3, :3] = [
        [1, 0, 0],
        [0, np.cos(turn), -np.sin(turn)],
        [0, np.sin(turn), np.cos(turn)],
    ] * np.array(SPACING)
    affine[:3, 3] = -20, 7, 31
    if data is None:
        data = np.random.default_rng(0).normal(100, 20, SHAPE).astype(np.float32)
    return Image(data, Space(SHAPE, affine)).reorient(codes)


# -- steps: clicks and keys, at the places where a user makes them ------------------------------


def press(window, x: float, y: float, button: int = 1) -> None:
    """Press and release a mouse button at a pixel of the window."""
    from matplotlib.backend_bases import MouseEvent

    for kind in ("motion_notify_event", "button_press_event", "button_release_event"):
        event = MouseEvent(kind, window.canvas, x, y, button=button)
        window.canvas.callbacks.process(kind, event)


def axial(x: float, y: float, button: int = 1) -> Callable:
    return lambda window: press(window, *window.axial.transData.transform((x, y)), button)


def sagittal(y: float, z: float) -> Callable:
    return lambda window: press(window, *window.sagittal.transData.transform((y, z)))


def button(words: str) -> Callable:
    def step(window):
        (found,) = (b for b in window._buttons if b.label.get_text() == words)
        box = found.ax.bbox
        press(window, (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2)

    return step


def key(name: str, at: tuple[float, float] = (0, 0)) -> Callable:
    def step(window):
        from matplotlib.backend_bases import KeyEvent

        event = KeyEvent("key_press_event", window.canvas, name, *at)
        window.canvas.callbacks.process("key_press_event", event)

    return step


def wheel(step_size: float) -> Callable:
    def step(window):
        from matplotlib.backend_bases import MouseEvent

        x, y = window.axial.transAxes.transform((0.5, 0.5))
        event = MouseEvent("scroll_event", window.canvas, x, y, step=step_size)
        window.canvas.callbacks.process("scroll_event", event)

    return step


def expect(**values) -> Callable:
    """Check the slice, the notice or the number of points."""

    def step(window):
        state = window.state
        seen = {"z": state.position[1], "x": state.position[0], "count": len(state.points)}
        assert {name: seen[name] for name in values if name != "notice"} == {
            name: value for name, value in values.items() if name != "notice"
        }
        if "notice" in values:
            assert values["notice"] in window._notice.get_text()

    return step


# -- the points ---------------------------------------------------------------------------------


@pytest.mark.display
@pytest.mark.parametrize("codes", ["RAS", "LPI", "SRP", "PIR"])
def test_a_click_on_a_place_gives_its_voxel_in_any_orientation(drive, codes):
    image = image_in(codes)
    places = [(6.0, 21.0), (9.5, 18.25), (12.0, 11.0)]
    drive(*[axial(x, y) for x, y in places], key("enter"))
    points = pick_points(image, gap_mm=20, title=TITLE)
    expected = image_in().space.to_world([(*place, 10 * i) for i, place in enumerate(places)])
    # a pixel is less than a third of a millimetre here
    np.testing.assert_allclose(image.space.to_world(points), expected, atol=0.3)


@pytest.mark.parametrize("codes", ["".join(codes) for codes in ALL_CODES])
def test_points_are_on_the_own_grid_of_all_48_orientations(monkeypatch, codes):
    window = pytest.importorskip("spinetools.cli._viewer_window")
    picked = [(3.25, 20.5, 10.0), (4.0, 18.0, 30.0)]

    class Window:
        def __init__(self, data, spacing, state, title, name, flipped):
            assert data.shape == SHAPE
            np.testing.assert_allclose(spacing, SPACING)
            assert data[2, 3, 5] == image_in().data[2, 3, 5]
            assert list(flipped) == [letter not in codes for letter in "RAS"]
            for x, y, z in picked:
                state = state.at(z=int(z)).clicked_axial(x, y)
            self.state, self.saved = state, True

        def show_until_closed(self):
            pass

    monkeypatch.setattr(window, "PickWindow", Window)
    monkeypatch.setattr(_viewer, "open_backend", lambda _instead: "none")
    image = image_in(codes)
    points = pick_points(image, title=TITLE)
    np.testing.assert_allclose(
        image.space.to_world(points), image_in().space.to_world(picked), atol=1e-9
    )


@pytest.mark.display
def test_keys_wheel_and_sagittal_clicks_go_to_slices(drive):
    drive(
        expect(z=0), key("up"), expect(z=1), key("down"), key("down"), expect(z=0),
        key("pageup"), expect(z=10), key("pagedown"), expect(z=0),
        wheel(1), wheel(1), expect(z=2), wheel(-1), expect(z=1),
        wheel(0.5), expect(z=1), wheel(0.5), expect(z=2),
        key("n"), expect(z=12, count=0),
        sagittal(15, 33), expect(z=33, count=0), key("home"), expect(z=50),
        key("n"), expect(z=50, notice="last slice"), key("end"), expect(z=0),
        expect(x=12), key("left"), expect(x=13), key("right"), key("right"), expect(x=11),
        axial(8, 8, button=3), expect(count=0, z=0),  # only the left button places points
        key("q"), key("f"), key("s"), expect(count=0),  # no keys of matplotlib's own
        key("escape"),
    )  # fmt: skip
    with pytest.raises(Cancelled):
        pick_points(image_in(), gap_mm=20, title=TITLE)


@pytest.mark.display
def test_points_clicked_out_of_order_come_from_bottom_to_top(drive):
    drive(sagittal(15, 40), axial(8, 8), sagittal(15, 4), axial(9, 9), key("enter"))
    assert np.round(pick_points(image_in(), title=TITLE)[:, 2]).tolist() == [4, 40]


@pytest.mark.display
def test_undo_by_key_and_by_button(drive):
    drive(
        axial(8, 8), axial(9, 9), expect(count=2, z=20),
        key("u"), expect(count=1, z=10), key("backspace"), expect(count=0, z=0),
        key("u"), expect(count=0, notice="Nothing to undo"),
        axial(7, 7), button("Undo"), expect(count=0), axial(6, 6),
        button("Skip"), expect(count=1, z=20), axial(5, 5), button("Save and quit"),
    )  # fmt: skip
    points = pick_points(image_in(), title=TITLE)
    np.testing.assert_allclose(points, [[6, 6, 0], [5, 5, 20]], atol=0.2)


@pytest.mark.display
def test_enter_with_one_point_says_so_and_stays_open(drive):
    drive(
        key("enter"), expect(notice="none so far"), axial(8, 8),
        button("Save and quit"), expect(notice="one so far", count=1),
        axial(8, 8), expect(notice=""), key("enter"),
    )  # fmt: skip
    assert len(pick_points(image_in(), title=TITLE)) == 2


@pytest.mark.display
def test_escape_loses_the_points_and_says_so(drive):
    drive(axial(8, 8), axial(8, 8), key("escape"))
    with pytest.raises(SpinetoolsError, match=r"^cancelled: no points were saved$"):
        pick_points(image_in(), title=TITLE)


@pytest.mark.display
def test_closing_the_window_is_cancelling(drive):
    def close(window):
        frame = window.canvas.manager.window
        if hasattr(frame, "protocol"):  # what a window manager sends to Tk
            frame.tk.call(frame.protocol("WM_DELETE_WINDOW"))
        else:
            frame.close()

    drive(axial(8, 8), axial(8, 8), close)
    with pytest.raises(Cancelled):
        pick_points(image_in(), title=TITLE)


@pytest.mark.display
def test_clicks_and_keys_that_come_through_the_toolkit(drive, display):
    """The same as a mouse and a keyboard do, in Tk's own event queue."""
    if _viewer.open_backend() != "TkAgg":
        pytest.skip("this Python has no Tk; the other tests went through another toolkit")

    def through_tk(place=None, key=None):
        def step(window):
            widget = window.canvas.get_tk_widget()
            if key:
                widget.focus_force()
                widget.event_generate(key)
                return
            x, y = window.axial.transData.transform(place)
            down = window.canvas.figure.bbox.height - y
            widget.event_generate("<Button-1>", x=round(x), y=round(down))
            widget.event_generate("<ButtonRelease-1>", x=round(x), y=round(down))

        return step

    drive(
        through_tk((8, 20)), expect(count=1, z=10),
        through_tk(key="<Prior>"), expect(z=20),
        through_tk((9, 21)), through_tk((9, 22)), through_tk(key="<BackSpace>"), expect(count=2),
        through_tk(key="<Return>"),
    )  # fmt: skip
    points = pick_points(image_in(), title=TITLE)
    np.testing.assert_allclose(points, [[8, 20, 0], [9, 21, 20]], atol=0.2)


@pytest.mark.display
def test_labels_are_clicked_on_the_sagittal_view(drive):
    drive(
        sagittal(20, 40), key("left"), sagittal(19, 30), expect(count=2),
        key("n"), expect(notice="last label"), key("enter"),
    )  # fmt: skip
    points = pick_points(image_in(), title="Click on the discs", labels=["C2-C3", "C3-C4", "C4-C5"])
    np.testing.assert_allclose(points, [[12, 20, 40], [13, 19, 30], [np.nan] * 3], atol=0.2)


# -- what is on the screen ----------------------------------------------------------------------


@pytest.mark.display
def test_the_screen_shows_the_body_the_right_way_round_and_in_proportion(drive, display):
    from PIL import ImageGrab

    data = np.ones(SHAPE, np.float32)
    data[14:17, 20:24, 30:34] = 100  # to the patient's right, in front, near the head
    seen = {}

    def look(window):
        seen["shot"] = np.asarray(ImageGrab.grab(xdisplay=display).convert("L")).astype(float)
        size = window.canvas.figure.bbox
        for name in ("axial", "sagittal"):
            box = getattr(window, name).get_window_extent()
            seen[name] = (box.x0, size.height - box.y1, box.width, box.height)
            seen[name + " letters"] = {
                t.get_text(): (t.get_window_extent().x0, t.get_window_extent().y0)
                for t in getattr(window, name).texts
            }
        frame = window.canvas.get_tk_widget() if hasattr(window.canvas, "get_tk_widget") else None
        seen["corner"] = (frame.winfo_rootx(), frame.winfo_rooty()) if frame else (0, 0)

    drive(sagittal(15, 32), key("left"), key("left"), key("left"), *[lambda _: None] * 5, look,
          key("escape"))  # fmt: skip
    with pytest.raises(Cancelled):
        pick_points(image_in("LPI", data), title=TITLE)

    def bright(name):
        """Centre of the bright pixels, from the picture's left and top, in parts of its size."""
        left, top, width, height = (round(v) for v in seen[name])
        dx, dy = seen["corner"]
        part = seen["shot"][top + dy : top + dy + height, left + dx : left + dx + width]
        rows, columns = np.nonzero(part > 200)
        assert rows.size > 50, f"nothing bright in the {name} picture: is the window shown?"
        return columns.mean() / width, rows.mean() / height

    nx, ny, nz = SHAPE
    # the patient's right is on the left; the front is up, the head is up, the face looks left
    np.testing.assert_allclose(bright("axial"), (1 - 15.5 / nx, 1 - 22 / ny), atol=0.04)
    np.testing.assert_allclose(bright("sagittal"), (1 - 22 / ny, 1 - 32 / nz), atol=0.04)
    dx, dy, dz = SPACING
    assert seen["axial"][2] / seen["axial"][3] == pytest.approx(nx * dx / (ny * dy), rel=1e-6)
    assert seen["sagittal"][2] / seen["sagittal"][3] == pytest.approx(ny * dy / (nz * dz), rel=1e-6)
    letters = seen["axial letters"]
    assert letters["R"][0] < letters["A"][0] < letters["L"][0]
    assert letters["P"][1] < letters["R"][1] < letters["A"][1]
    letters = seen["sagittal letters"]
    assert letters["A"][0] < letters["S"][0] < letters["P"][0]
    assert letters["I"][1] < letters["A"][1] < letters["S"][1]


@pytest.mark.display
def test_slices_are_numbered_as_in_the_file(drive):
    status = []
    drive(
        lambda w: status.append(w._status.get_text()), axial(8, 8),
        lambda w: status.append(w._status.get_text()), key("escape"),
    )  # fmt: skip
    with pytest.raises(Cancelled):
        pick_points(image_in("LPI"), title=TITLE)
    assert " ".join(status[0].split()) == "Axial slice 50 0 points next suggested: 40"
    assert " ".join(status[1].split()) == "Axial slice 40 1 point next suggested: 30"


@pytest.mark.display
def test_zooming_keeps_what_is_under_the_mouse(drive):
    def zoom(window):
        pixel = window.axial.transData.transform((8.0, 22.0))
        before = np.ptp(window.axial.get_xlim())
        for name in ("+", "+", "-"):
            key(name, pixel)(window)
            window.canvas.draw()
            now = window.axial.transData.inverted().transform(pixel)
            np.testing.assert_allclose(now, (8.0, 22.0), atol=0.05)
        assert np.ptp(window.axial.get_xlim()) < before / 1.3
        for _ in range(9):
            key("-", pixel)(window)
        assert np.ptp(window.axial.get_xlim()) == pytest.approx(before)

    # as wide as high, so that zooming does not change the picture's shape
    wide = Image(np.random.default_rng(0).random((60, 60, 20)), Space((60, 60, 20), np.eye(4)))
    drive(zoom, key("escape"))
    with pytest.raises(Cancelled):
        pick_points(wide, title=TITLE)


@pytest.mark.display
def test_once_the_cord_is_known_the_axial_picture_comes_close_and_follows(drive):
    large = Image(np.random.default_rng(0).random((200, 300, 50)), Space((200, 300, 50), np.eye(4)))
    limits = []
    drive(
        lambda w: limits.append((w.axial.get_xlim(), w.axial.get_ylim())), axial(120, 90),
        lambda w: limits.append((w.axial.get_xlim(), w.axial.get_ylim())), key("escape"),
    )  # fmt: skip
    with pytest.raises(Cancelled):
        pick_points(large, title=TITLE)
    assert limits[0] == ((199.5, -0.5), (-0.5, 299.5))
    np.testing.assert_allclose(limits[1], ((180, 60), (30, 150)), atol=1)


# -- where there can be no window ---------------------------------------------------------------


def test_without_a_display_it_says_what_to_do(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr(_viewer.sys, "platform", "linux")
    with pytest.raises(NoWindow, match=r"no display .*-init-points FILE.*ssh -X"):
        pick_points(image_in(), title=TITLE)
    with pytest.raises(NoWindow, match=r"no display .*\(-init-mask FILE\)"):
        pick_points(image_in(), title=TITLE, instead="-init-mask FILE")


@pytest.mark.display
def test_a_backend_without_windows_is_named(display, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "agg")
    with pytest.raises(NoWindow, match=r"MPLBACKEND=agg draws no window.*unset MPLBACKEND"):
        pick_points(image_in(), title=TITLE)
    monkeypatch.setenv("MPLBACKEND", "module://there_is_none")
    with pytest.raises(NoWindow, match=r"there_is_none.*cannot be used"):
        pick_points(image_in(), title=TITLE)


def test_without_a_toolkit_it_says_what_to_install(monkeypatch):
    def missing(backend):
        raise ImportError(f"no {backend}")

    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.delenv("MPLBACKEND", raising=False)
    monkeypatch.setattr(_viewer, "_try", missing)
    with pytest.raises(MissingExtra, match=r"python3-tk or pip install 'spinetools\[viewer\]'"):
        pick_points(image_in(), title=TITLE)


def test_4d_images_are_refused():
    image = Image(np.zeros((4, 5, 6, 2)), Space((4, 5, 6), np.eye(4)))
    with pytest.raises(InputError, match="4D"):
        pick_points(image, title=TITLE)


COMMAND = textwrap.dedent("""
    import sys
    import numpy as np
    from spinetools.cli._parser import StParser
    from spinetools.cli._run import execute

    def run(args):
        from spinetools.cli import _viewer
        from spinetools.image import Image, Space
        if sys.argv[1] == "wait":
            from spinetools.cli._viewer_window import PickWindow
            original = PickWindow.show_until_closed
            def show_and_tell(window):
                timer = window.canvas.new_timer(interval=50)
                timer.add_callback(lambda: print("shown", flush=True))
                timer.start()
                original(window)
            PickWindow.show_until_closed = show_and_tell
        image = Image(np.random.default_rng(0).random((9, 9, 9)), Space((9, 9, 9), np.eye(4)))
        print(_viewer.pick_points(image, title="Click"))

    execute(StParser("st_x", "a command"), run, [])
""")


def run_command(**environment: str) -> subprocess.CompletedProcess[str]:
    hidden = {"DISPLAY", "WAYLAND_DISPLAY", "MPLBACKEND"}
    kept = {name: value for name, value in os.environ.items() if name not in hidden}
    return subprocess.run(
        [sys.executable, "-c", COMMAND, "now"], env=kept | environment, capture_output=True,
        text=True, timeout=60, check=False,
    )  # fmt: skip


def test_a_command_without_a_display_ends_with_one_line_and_1():
    done = run_command()
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("st_x: error: there is no display (DISPLAY is not set)")
    assert done.stderr.count("\n") == 1


@pytest.mark.display
def test_a_display_that_does_not_answer_is_said_in_one_line(display):
    done = run_command(DISPLAY=":47110")  # the fixture makes sure that there is a toolkit
    assert (done.returncode, done.stdout) == (1, "")
    assert "the display ':47110' does not answer" in done.stderr
    assert "-init-points FILE" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.display
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_command_that_waits_for_clicks_can_be_interrupted(display, number, code):
    command = subprocess.Popen(
        [sys.executable, "-c", COMMAND, "wait"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    try:
        assert command.stdout is not None
        assert command.stdout.readline() == "shown\n"
        command.send_signal(number)
        _, said = command.communicate(timeout=10)
    finally:
        command.kill()
    assert command.returncode == code
    assert "Traceback" not in said
