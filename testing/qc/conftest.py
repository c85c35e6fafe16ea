"""A small image of a curved cord, in any orientation, and reports made of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spinetools.image import Image, Space
from spinetools.qc import Flag, add_entry

SHAPE = (40, 56, 48)  # right-left, back-front, foot-head, as nibabel's RAS counts them
SPACING_MM = (1.0, 0.8, 2.0)
FILLED = range(6, 42)


def centre_of_cord(z: int) -> tuple[float, float]:
    """Where the cord runs (x, y in RAS voxels): it sways sideways and backwards."""
    return 19 + 9 * np.sin(z / 9), 30 - 8 * np.sin(z / 14)


def ras_cord() -> tuple[Image, Image]:
    affine = np.diag([*SPACING_MM, 1.0])
    affine[:3, 3] = (-20, -30, 5)
    space = Space(SHAPE, affine)
    x, y, z = np.meshgrid(*map(np.arange, SHAPE), indexing="ij")
    cx, cy = centre_of_cord(z)
    mm2 = ((x - cx) * SPACING_MM[0]) ** 2 + ((y - cy) * SPACING_MM[1]) ** 2
    noise = np.random.default_rng(1).normal(0, 4, SHAPE)
    image = 60 + 90 * (mm2 < 12**2) - 60 * (mm2 < 5**2) + noise
    mask = (mm2 < 5**2) & (z >= FILLED.start) & (z < FILLED.stop)
    return Image(image.astype(np.float32), space), Image(mask.astype(np.uint8), space)


@pytest.fixture(scope="session")
def ras() -> tuple[Image, Image]:
    return ras_cord()


@pytest.fixture
def cord(ras: tuple[Image, Image]) -> Callable[[str], tuple[Image, Image]]:
    """Return image and mask in the orientation of three nibabel letters."""

    def make(codes: str) -> tuple[Image, Image]:
        image, mask = ras
        return image.reorient(tuple(codes)), mask.reorient(tuple(codes))

    return make


# -- a real browser -------------------------------------------------------------------------------

#: Headless, and silent: none of these may reach out to the network while tests run.
CHROMIUM_OPTIONS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--hide-scrollbars", "--window-size=1440,1000",
)  # fmt: skip


@pytest.fixture(scope="session")
def open_browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Any]]:
    """Return a function that starts a browser with a fresh profile; all are closed at the end."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("no chromium on this machine: the report's page is not tested in a browser")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    started = []

    def start() -> Any:
        folder = tmp_path_factory.mktemp("browser")
        options = webdriver.ChromeOptions()
        options.binary_location = chromium
        for option in CHROMIUM_OPTIONS:
            options.add_argument(option)
        options.add_argument(f"--user-data-dir={folder / 'profile'}")
        downloads = folder / "downloads"
        downloads.mkdir()
        options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
        driver.downloads = downloads
        started.append(driver)
        return driver

    yield start
    for driver in started:
        driver.quit()


@pytest.fixture(scope="session")
def browser(open_browser: Callable[[], Any]) -> Any:
    return open_browser()


class Page:
    """The report as a person uses it: keys, clicks, and what can be seen."""

    def __init__(self, driver: Any, folder: Path) -> None:
        self.driver = driver
        self.folder = folder
        self.open()

    def open(self) -> None:
        self.driver.get((self.folder / "index.html").resolve().as_uri())
        self.wait("return !document.getElementById('no-entry').hidden || QC.viewer.view !== null")

    def js(self, code: str, *args: Any) -> Any:
        return self.driver.execute_script(code, *args)

    def wait(self, condition: str, *args: Any, seconds: float = 5) -> None:
        from selenium.webdriver.support.ui import WebDriverWait

        WebDriverWait(self.driver, seconds, 0.02).until(lambda _d: self.js(condition, *args))

    def press(self, *keys: str) -> None:
        """Press keys where the focus is, as a person does."""
        from selenium.webdriver import ActionChains

        for key in keys:
            ActionChains(self.driver).send_keys(key).perform()

    def find(self, selector: str) -> Any:
        return self.driver.find_element("css selector", selector)

    def all(self, selector: str) -> list[Any]:
        return self.driver.find_elements("css selector", selector)

    def click(self, selector: str) -> None:
        self.find(selector).click()

    def text(self, selector: str) -> str:
        return str(self.js("return document.querySelector(arguments[0]).textContent", selector))

    def visible(self, selector: str) -> bool:
        return bool(self.find(selector).is_displayed())

    def settle(self) -> None:
        """Wait until the entry that is selected is the one that is drawn, with its pictures."""
        self.wait("return QC.viewer.detail && QC.viewer.detail.id === QC.table.current.id")
        self.js("return QC.tiles.preload(QC.viewer.detail, QC.viewer.view).catch(() => null)")
        # two frames: drawn, and seen
        self.driver.execute_async_script(
            "const done = arguments[0];"
            "requestAnimationFrame(() => requestAnimationFrame(() => done()))"
        )

    def choose(self, subject: str, process: str = "") -> None:
        """Select an entry by its subject (and process)."""
        self.js(
            "QC.table.select(QC.table.visible.find((entry) =>"
            " entry.subject === arguments[0] && entry.process.includes(arguments[1])))",
            subject,
            process,
        )
        self.settle()

    def subject(self) -> str:
        return str(self.js("return QC.table.current.subject"))

    def rating(self) -> dict[str, Any]:
        return dict(self.js("return QC.ratings.get(QC.table.current.case)"))

    def slice_label(self) -> str:
        return self.text("#slice-label strong")

    def pixels(self, selector: str) -> np.ndarray:
        """What is seen of an element, as RGB."""
        import io

        from PIL import Image as Pillow

        picture = Pillow.open(io.BytesIO(self.find(selector).screenshot_as_png))
        return np.asarray(picture.convert("RGB")).astype(int)

    def red(self, selector: str) -> int:
        """How many pixels of the cord's colour are seen."""
        pixels = self.pixels(selector)
        found = (pixels[..., 0] - pixels[..., 1] > 60) & (pixels[..., 0] > 120)
        return int(found.sum())

    def requested(self) -> list[str]:
        """Every address that the page asked for since it was opened."""
        import json

        events = (json.loads(e["message"])["message"] for e in self.driver.get_log("performance"))
        return [
            event["params"]["request"]["url"]
            for event in events
            if event["method"] == "Network.requestWillBeSent"
        ]

    def errors(self) -> list[str]:
        return [entry["message"] for entry in self.driver.get_log("browser")]


#: A name that does harm wherever text becomes markup.
HOSTILE = (
    '<img src=x onerror="window.hacked=1"><b>&amp;"\'\u2028</script>'
    "<script>window.hacked=1</script>"
)


@pytest.fixture(scope="session")
def hostile() -> str:
    return HOSTILE


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory, ras: tuple[Image, Image]) -> Path:
    """Five entries: sound, flagged, labels in the sagittal plane, hostile names, another method."""
    folder = tmp_path_factory.mktemp("reports") / "qc"
    image, mask = (each.reorient(tuple("LPI")) for each in ras)

    def add(subject: str, case: tuple[Image, Image], **more: Any) -> None:
        settings = {
            "process": "st_propseg",
            "command_line": f"st_propseg -i {subject}_T2w.nii.gz -c t2",
            "contrast": "t2",
            "dataset": "study",
        } | more
        named = Image(case[0].data, case[0].space, path=folder.parent / f"{subject}_T2w.nii.gz")
        segmentations = settings.pop("segmentations", [("cord", case[1])])
        add_entry(folder, named, segmentations, subject=subject, **settings)

    add("sub-01", (image, mask))
    holey = mask.data.copy()
    holey[:, :, 20:23] = 0
    flags = [Flag("leak", "wider than its neighbours", (30, 31))]
    add("sub-02", (image, mask.like(holey)), flags=flags,
        segmentations=[("cord", mask.like(holey)), ("manual", mask)])  # fmt: skip
    discs = np.zeros(mask.shape, dtype=np.uint8)
    discs[20, 25, 15], discs[20, 25, 30] = 3, 4
    add("sub-03", (image, mask), plane="sagittal", process="st_label_utils",
        segmentations=[("discs", image.like(discs))], label_kind="labels",
        label_names={3: "C2-C3", 4: "C3-C4"})  # fmt: skip
    add(HOSTILE, (image, mask), dataset=HOSTILE, process=HOSTILE, contrast=HOSTILE,
        command_line=HOSTILE, flags=[Flag(HOSTILE, HOSTILE, (10,))],
        segmentations=[(HOSTILE, mask)])  # fmt: skip
    add("sub-05", (image, mask), process="st_deepseg_sc",
        measures={"csa_mm2": {z: 70.0 + z for z in range(10, 30)},
                  "diameter_ap_mm": dict.fromkeys(range(10, 30), 8.0)})  # fmt: skip
    return folder


@pytest.fixture
def visit(browser: Any) -> Callable[[Path], Page]:
    """Open a report in the browser with nothing kept from before."""

    def start(folder: Path) -> Page:
        # an empty page of the same origin, to clear what earlier tests kept
        blank = folder / "blank.html"
        blank.write_text("<!doctype html><title>blank</title>")
        browser.get(blank.as_uri())
        browser.execute_script("localStorage.clear()")
        blank.unlink()
        for log in ("browser", "performance"):
            browser.get_log(log)
        return Page(browser, folder)

    return start
