"""Make the pictures of the documentation and the README, all of the simulated spine.

    bash batch_processing.sh && python docs/make_pictures.py

takes the sample and its results from the current folder, and writes into docs/images. Needs
Chromium with its driver, and selenium (pip install '.[test]'). The pictures are committed, because
making them takes a browser; run this again when the report or a method changes visibly. With
``phantom`` behind it, only the pictures of the simulated spine are made, which need no browser.
"""

from __future__ import annotations

import csv
import io
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

IMAGES = Path(__file__).resolve().parent / "images"
SAMPLE, RESULTS = Path("sample"), Path("runs/sample")
#: How long the page may take on a busy machine.
PATIENCE_SECONDS = 300
RED, YELLOW, GREY = "#e8323c", "#ffd21f", "#8a93a3"
BROWSER = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run",
    "--disable-background-networking", "--disable-sync", "--window-size=1440,960",
)  # fmt: skip


def main() -> None:
    """Make all pictures."""
    from phantom_pictures import phantom_pictures

    phantom_pictures(IMAGES)
    if sys.argv[1:] == ["phantom"]:
        return
    if not (RESULTS / "qc" / "index.html").is_file():
        raise SystemExit(f"no {RESULTS / 'qc' / 'index.html'}: run bash batch_processing.sh first")
    IMAGES.mkdir(exist_ok=True)
    report_page(IMAGES / "qc_report.png")
    segmentations(IMAGES / "segmentation.png")
    areas(IMAGES / "area.png")


def report_page(path: Path) -> None:
    """Photograph the report's page at the segmentation of the T2w image."""
    from PIL import Image as Pillow
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.support.ui import WebDriverWait

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or "chromium"
    with tempfile.TemporaryDirectory() as profile:
        for option in (*BROWSER, f"--user-data-dir={profile}"):
            options.add_argument(option)
        driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
        try:
            driver.set_script_timeout(PATIENCE_SECONDS)
            driver.get((RESULTS / "qc" / "index.html").resolve().as_uri())
            wait = WebDriverWait(driver, PATIENCE_SECONDS, 0.05)
            wait.until(lambda page: page.execute_script("return QC.table.visible.length > 3"))
            driver.execute_script(
                "QC.table.select(QC.table.visible.find((entry) =>"
                " entry.process === 'st_deepseg_sc' && entry.contrast === 't2'))"
            )
            wait.until(
                lambda page: page.execute_script(
                    "return QC.viewer.detail && QC.viewer.detail.id === QC.table.current.id"
                )
            )
            driver.execute_script("QC.viewer.go(QC.viewer.tile)")  # brings the middle into sight
            driver.execute_async_script(
                "const done = arguments[0];"
                "QC.tiles.preload(QC.viewer.detail, QC.viewer.view).catch(() => null)"
                ".then(() => requestAnimationFrame(() => requestAnimationFrame(() => done())))"
            )
            picture = Pillow.open(io.BytesIO(driver.get_screenshot_as_png()))
        finally:
            driver.quit()
    picture.convert("RGB").save(path, optimize=True)


def segmentations(path: Path) -> None:
    """Draw both images with the cord's outline, from the side and across."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(
        1, 4, figsize=(11.4, 3.1), facecolor="black", width_ratios=[1, 1, 1, 1]
    )
    for number, weight in enumerate(("T2w", "T1w")):
        image, mask = both(weight)
        inside = np.argwhere(mask)
        z = int(np.percentile(inside[:, 2], 60))
        x, y, _ = np.rint(inside[inside[:, 2] == z].mean(axis=0)).astype(int)
        low, high = np.percentile(image, [1, 99.7])
        box = (slice(x - 22, x + 23), slice(y - 22, y + 23), z)
        # a square about the cord; front and patient's right on the left, as on a scanner's screen
        middle = int(np.rint(inside[:, 1].mean()))
        side = slice(max(0, middle - 100), middle + 100)
        for axis, plane, outline in (
            (axes[2 * number], image[x, side][::-1], mask[x, side][::-1]),
            (axes[2 * number + 1], image[box][::-1], mask[box][::-1]),
        ):
            axis.imshow(plane.T, origin="lower", cmap="gray", vmin=low, vmax=high)
            axis.contour(outline.T, [0.5], colors=RED, linewidths=1.2)
            axis.set_axis_off()
        label = axes[2 * number]
        label.text(0.03, 0.04, weight, color="white", transform=label.transAxes, fontsize=13)
    figure.tight_layout(pad=0.4)
    figure.savefig(path, dpi=110, facecolor="black")
    plt.close(figure)


def both(weight: str) -> tuple[Any, Any]:
    """Return an image of the sample and the segmentation of it, axes to the right, front, top."""
    from spinetools.image import load_mask, load_volume

    image = load_volume(SAMPLE / f"sub-01_{weight}.nii.gz")
    mask = load_mask(RESULTS / f"sub-01_{weight}_seg-deepseg.nii.gz")
    return tuple(each.reorient(("R", "A", "S")).data for each in (image, mask))


def areas(path: Path) -> None:
    """Plot the area at each level beside the exact one of the simulated spine."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    from spinetools.labels import LEVELS, level_name, level_value

    with (SAMPLE / "sub-01_T2w_truth.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    truth: dict[int, list[float]] = {}
    for row in rows:
        if row["level"] in LEVELS:
            truth.setdefault(level_value(row["level"]), []).append(float(row["csa_mm2"]))
    figure, axis = plt.subplots(figsize=(7, 3.2))
    levels = sorted(truth)
    axis.plot(levels, [np.mean(truth[level]) for level in levels], color=GREY, lw=5, label="exact")
    for weight, colour in (("T2w", RED), ("T1w", "#1763c2")):
        for method, line in (("propseg", "s:"), ("deepseg", "o-")):
            table = RESULTS / f"sub-01_{weight}_csa-{method}.csv"
            with table.open(encoding="utf-8") as stream:
                found = {
                    int(row["VertLevel"]): float(row["MEAN(area)"])
                    for row in csv.DictReader(stream)
                }
            shown = [level for level in levels if level in found]
            label = f"{weight}, {method}"
            axis.plot(shown, [found[level] for level in shown], line, color=colour, label=label)
    axis.set_xticks(levels, [level_name(level) for level in levels])
    axis.set_ylabel("cord area, mm²")
    axis.set_ylim(0)
    axis.legend(frameon=False)
    axis.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)


if __name__ == "__main__":
    main()
