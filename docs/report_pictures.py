"""Make the pictures of the QC report's page, all of simulated spines.

    python docs/report_pictures.py

Simulates some subjects, segments each, puts results and truth into one report in a
temporary folder, and photographs its views into docs/images. Needs Chromium with its driver, and
selenium (pip install '.[test]'); takes some minutes. The pictures are committed: run this again
when the report changes visibly.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

IMAGES = Path(__file__).resolve().parent / "images"
SUBJECTS = 6
#: The subject whose mask is spoilt by hand, to show what a flagged leak looks like.
LEAKING = 3
SIZE = (1440, 900)
BROWSER = (
    "--headless=new", "--no-sandbox", "--hide-scrollbars", "--no-first-run",
    "--enable-unsafe-swiftshader", "--disable-background-networking", "--disable-sync",
    f"--window-size={SIZE[0]},{SIZE[1]}",
)  # fmt: skip

#: Name of the picture, theme, and what is done before it is taken.
VIEWS = (
    (
        "qc_slice", "dark",
        "QC.viewer.setView('slice'); choose(3, 'spoilt');"
        "QC.viewer.goToIndex(QC.viewer.detail ? QC.table.current.flags[0].slices[5] : 0)",
    ),
    ("qc_compare", "dark", "choose(3, 'spoilt'); QC.settings.set('arrangement', 'difference');"
     "QC.viewer.setView('methods')"),
    ("qc_cohort", "light", "QC.app.setMode('cohort')"),
    ("qc_space", "dark", "QC.app.setMode('cases'); choose(2, 'st_propseg');"
     "QC.viewer.setView('space')"),
)  # fmt: skip
CHOOSE = """
window.choose = (n, process) => QC.table.select(QC.table.visible.find(
  (entry) => entry.subject === `sub-0${n}` && entry.process === process));
"""


def main() -> None:
    """Make the report and its pictures."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # so that paths on the page are short
        make_report(Path("qc"))
        photograph(Path("qc"))


def make_report(report: Path) -> None:
    """Segment simulated subjects, add their truth, and spoil one mask."""
    from spinetools.image import Image, load_mask
    from spinetools.phantom import make_phantom
    from spinetools.qc import add_entry, refresh

    os.environ["SPINETOOLS_QC_REFRESH"] = "0"
    binaries = Path(sys.executable).parent
    for number in range(1, SUBJECTS + 1):
        made = make_phantom(seed=40 + number, protocol="t2_3d")
        source = Path(f"sub-0{number}_T2w.nii.gz")
        made.image.save(source)
        image = Image(made.image.data, made.image.space, path=source)
        # level by slice: the exact ones of the simulated subject
        axis, truth = made.truth.axis, made.truth
        levels = continuous(truth.level, image.space.nib_codes[axis])
        for command in ("st_propseg", "truth"):
            output = Path(f"sub-0{number}_{command}.nii.gz")
            line = [command, "-i", str(source), "-c", "t2", "-o", str(output)]
            if command == "truth":
                made.cord.save(output)
            else:
                subprocess.run([str(binaries / command), *line[1:]], check=True, stdout=-3)
            mask = load_mask(output)
            done = " ".join(line) if command == "st_propseg" else "the exact cord"
            add_entry(report, image, [("cord", mask)], process=command,
                      command_line=done, dataset="simulated",
                      subject=f"sub-0{number}", contrast="t2", levels=levels)  # fmt: skip
            if number == LEAKING and command == "st_propseg":
                spoilt = mask.like(leak(mask.data > 0, axis).astype(np.uint8))
                add_entry(report, image, [("cord", spoilt)], process="spoilt",
                          command_line="a leak drawn by hand", dataset="simulated",
                          subject=f"sub-0{number}", contrast="t2", levels=levels)  # fmt: skip
    refresh(report)


def continuous(level: np.ndarray, code: str) -> dict[int, float]:
    """Return a level that grows evenly from the top of each vertebra to its bottom."""
    result: dict[int, float] = {}
    for value in np.unique(level[level > 0]):
        slices = np.flatnonzero(level == value)
        slices = slices[::-1] if code == "S" else slices
        for place, index in enumerate(slices.tolist()):
            result[index] = float(value) + (place + 0.5) / len(slices)
    return result


def leak(cord: np.ndarray, axis: int) -> np.ndarray:
    """Add a lobe behind the cord over 12 slices in its upper third."""
    spoilt = cord.copy()
    filled = np.flatnonzero(cord.any(axis=tuple(a for a in range(3) if a != axis)))
    first = int(filled[-1]) - (filled[-1] - filled[0]) // 3
    for index in range(first, first + 12):
        at: list[Any] = [slice(None)] * 3
        at[axis] = index
        part = spoilt[tuple(at)]
        rows, columns = np.argwhere(part).mean(axis=0)
        grid = np.indices(part.shape)
        part |= (grid[0] - rows) ** 2 + (grid[1] - columns + 5) ** 2 < 6**2
    return spoilt


def photograph(report: Path) -> None:
    """Take every picture."""
    from PIL import Image as Pillow
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or "chromium"
    for option in (*BROWSER, f"--user-data-dir={Path('profile').resolve()}"):
        options.add_argument(option)
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        width, height = SIZE
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        driver.get((report / "index.html").resolve().as_uri())
        time.sleep(3)
        for name, theme, code in VIEWS:
            driver.execute_script(f"QC.app.theme('{theme}'); {CHOOSE}")
            # twice: what is loaded at the first time is gone to at the second
            for _ in range(2):
                driver.execute_script(code)
                time.sleep(6)
            picture = Pillow.open(io.BytesIO(driver.get_screenshot_as_png()))
            colours = picture.convert("RGB").quantize(256, dither=Pillow.Dither.NONE)
            colours.save(IMAGES / f"{name}.png", optimize=True)
    finally:
        driver.quit()


if __name__ == "__main__":
    main()
