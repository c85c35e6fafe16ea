"""Make the pictures of the QC report's page, all of simulated spines.

    python docs/report_pictures.py [-h]

Simulates some subjects, puts their exact labels into one report in a temporary folder, and
photographs its views into docs/images. Needs Chromium with its driver, and
selenium (pip install '.[test]'); takes some minutes. The pictures are committed: run this again
when the report changes visibly.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from spinetools.image import Image

IMAGES = Path(__file__).resolve().parent / "images"
SUBJECTS = 6
#: The subject whose mask is spoilt by hand, to show what a flagged leak looks like, and the one
#: with a leak that was corrected.
LEAKING, CORRECTED = 3, 1
SIZE = (1440, 900)
BROWSER = (
    "--headless=new", "--no-sandbox", "--hide-scrollbars", "--no-first-run",
    "--enable-unsafe-swiftshader", "--disable-background-networking", "--disable-sync",
    f"--window-size={SIZE[0]},{SIZE[1]}",
)  # fmt: skip

#: What has to be true before a picture is taken: the entry is drawn; the difference is counted.
DRAWN = "QC.viewer.detail && QC.viewer.detail.id === QC.table.current.id"
COUNTED = f"{DRAWN} && (QC.byId('panels').textContent || '').includes('Dice')"
#: Name of the picture, theme, what is done before it is taken, and when it may be taken.
VIEWS = (
    (
        "qc_slice", "dark",
        "QC.viewer.setView('slice'); choose(3, 'spoilt'); goToWorst()",
        DRAWN,
    ),
    (
        "qc_compare", "dark",
        "choose(3, 'spoilt'); QC.settings.set('arrangement', 'difference');"
        "QC.viewer.setView('methods'); goToWorst()",
        COUNTED,
    ),
    ("qc_cohort", "light", "QC.app.setMode('cohort')", "QC.byId('cohort-rows').children.length"),
    (
        "qc_correct", "dark",
        "QC.app.setMode('cases'); QC.viewer.setView('slice');"
        "QC.table.select(QC.entries.find((e) => e.subject === 'sub-01' && e.flags.length > 0));"
        "goToWorst();"
        "QC.byId('rail').scrollTop = QC.byId('correct-section').offsetTop - 60",
        f"{DRAWN} && !QC.byId('correct-section').hidden",
    ),
    (
        "qc_before_after", "dark",
        "choose(1, 'st_propseg'); QC.correct.compare();"
        "QC.byId('rail').scrollTop = QC.byId('runs-section').offsetTop - 60",
        f"{COUNTED} && !QC.byId('runs-changed').hidden",
    ),
    (
        "qc_space", "dark",
        "QC.app.setMode('cases'); choose(2, 'labels'); QC.viewer.setView('space')",
        f"{DRAWN} && QC.byId('space-message').hidden && QC.space.meshes.length > 0",
    ),
)  # fmt: skip
#: How long a view may take on a busy machine.
PATIENCE_SECONDS = 600
#: All pictures of the entry are loaded, and two frames are drawn.
SETTLED = """
const done = arguments[0];
QC.tiles.preload(QC.viewer.detail, QC.viewer.view).catch(() => null)
  .then(() => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 700))));
"""
CHOOSE = """
window.choose = (n, process) => QC.table.select(QC.table.visible.find(
  (entry) => entry.subject === `sub-0${n}` && entry.process === process));
// where the first flag's slices have the largest area
window.goToWorst = () => {
  if (!QC.viewer.detail || QC.viewer.detail.id !== QC.table.current.id) return;
  const { slices, values } = QC.viewer.detail.measures;
  const area = (index) => values.area_mm2[slices.indexOf(index)] || 0;
  // of a long cord not every slice is shown
  const shown = (index) => QC.viewer.view.indices.includes(index);
  const flagged = QC.table.current.flags[0].slices.filter(shown);
  QC.viewer.goToIndex(flagged.reduce((a, b) => (area(b) > area(a) ? b : a)));
};
"""


def main() -> None:
    """Make the report and its pictures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "-keep", type=Path, help="keep the simulated images in this folder, and use those in it"
    )
    parser.add_argument("-subjects", type=int, default=SUBJECTS, help="how many to simulate")
    parser.add_argument("-only", nargs="+", default=[], help="make these pictures only")
    args = parser.parse_args()
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="study-") as folder:
        keep = Path(folder, "images") if args.keep is None else args.keep.resolve()
        os.chdir(folder)  # so that paths on the page are short
        make_report(Path("qc"), simulated(keep, args.subjects))
        photograph(Path("qc"), args.only)


def simulated(keep: Path, subjects: int) -> Iterator[tuple[Image, Image, Image, dict[int, str]]]:
    """Yield image, cord, all structures and their names of simulated subjects."""
    from spinetools.image import Image
    from spinetools.labels import numbering
    from spinetools.phantom import make_phantom

    names = {value: row.name for value, row in numbering("totalspineseg").items()}
    for number in range(subjects):
        files = [keep / f"{number}_{part}.nii.gz" for part in ("image", "cord", "structures")]
        if not all(file.is_file() for file in files):
            made = make_phantom(seed=40 + number, protocol="t2_sagittal", field_of_view="whole")
            for file, each in zip(files, (made.image, made.cord, made.structures), strict=True):
                each.save(file)
        image, cord, structures = (Image.load(file) for file in files)
        yield image, cord, structures, names


def make_report(
    report: Path, subjects: Iterable[tuple[Image, Image, Image, dict[int, str]]]
) -> None:
    """Add every subject's cord and labels, and one cord that was spoilt by hand."""
    from spinetools.image import Image
    from spinetools.qc import add_entry, refresh

    os.environ["SPINETOOLS_QC_REFRESH"] = "0"
    for number, (image, cord, structures, names) in enumerate(subjects, start=1):
        subject = f"sub-{number:02d}"
        image = Image(image.data, image.space, path=Path(f"data/{subject}_T2w.nii.gz"))
        axis = next(a for a, code in enumerate(image.space.nib_codes) if code in "SI")
        bones = structures.like(without(structures.data, names, ("cord", "canal")))
        about = {"dataset": "simulated", "subject": subject, "contrast": "t2"}
        saved = [f"data/{subject}_T2w_seg.nii.gz"]
        add_entry(report, image, [("cord", cord), ("bones", bones)], process="labels",
                  command_line="the exact labels", plane="sagittal",
                  label_kind=["mask", "labels"], label_names=names, **about)  # fmt: skip
        levels = levels_of(bones, names, axis)
        add_entry(report, image, [("cord", cord)], process="truth",
                  command_line="the exact cord", levels=levels, files=saved, **about)  # fmt: skip
        if number == LEAKING:
            spoilt = cord.like(leak(cord, axis))
            add_entry(report, image, [("cord", spoilt)], process="spoilt",
                      command_line="a leak drawn by hand", levels=levels, files=saved,
                      **about)  # fmt: skip
        if number == CORRECTED:
            corrected(report, image, cord, axis, levels=levels, **about)
    refresh(report)


def corrected(report: Path, image: Image, cord: Image, axis: int, **about: Any) -> None:
    """Add two runs of one case: with a leak, and after it was corrected."""
    from spinetools.qc import Flag, add_entry

    spoilt = leak(cord, axis)
    wrong = np.argwhere(spoilt != cord.data)[:, axis]
    flag = Flag("leak", "bulges by 5.1 mm", tuple(sorted(set(wrong.tolist()))))
    saved = "data/sub-01_T2w_seg.nii.gz"
    for mask, flags, more in (
        (spoilt, [flag], ""),
        (cord.data, [], " -mask-correction data/sub-01_T2w_seg_corrected.nii.gz"),
    ):
        add_entry(
            report, image, [("cord", cord.like(np.asarray(mask)))], process="st_propseg",
            command_line=f"st_propseg -i data/sub-01_T2w.nii.gz -c t2 -o {saved} -qc qc{more}",
            flags=flags, files=[saved], **about,
        )  # fmt: skip


def without(data: np.ndarray, names: dict[int, str], words: tuple[str, ...]) -> np.ndarray:
    """Return labels without those whose name has one of the words."""
    gone = [value for value, name in names.items() if any(word in name for word in words)]
    return np.where(np.isin(data, gone), 0, data).astype(np.uint8)


def levels_of(labels: Image, names: dict[int, str], axis: int) -> dict[int, float]:
    """Return the level of each slice from the discs."""
    from spinetools.qc.levels import level_of_label, levels_along

    places = {}
    for value in np.unique(labels.data[labels.data > 0]).tolist():
        level = level_of_label(value, names.get(value, ""), "")
        if level is not None and level % 1 == 0:
            places[level] = float(np.argwhere(labels.data == value)[:, axis].mean())
    down = -1 if labels.space.nib_codes[axis] == "S" else 1
    return levels_along(places, 0, labels.shape[axis] - 1, down)


def leak(cord: Image, axis: int) -> np.ndarray:
    """Add a lobe behind the cord over 12 slices in its upper third."""
    spoilt = np.array(cord.data > 0)
    across = tuple(a for a in range(3) if a != axis)
    filled = np.flatnonzero(spoilt.any(axis=across))
    first = int(filled[-1]) - (filled[-1] - filled[0]) // 3
    mm = [cord.space.spacing[a] for a in across]
    for index in range(first, first + 12):
        at: list[Any] = [slice(None)] * 3
        at[axis] = index
        part = spoilt[tuple(at)]
        rows, columns = np.argwhere(part).mean(axis=0)
        grid = np.indices(part.shape)
        x, y = (grid[0] - rows) * mm[0], (grid[1] - columns) * mm[1] + 4
        part |= x**2 + y**2 < 5**2
    return spoilt.astype(np.uint8)


def photograph(report: Path, only: Sequence[str] = ()) -> None:
    """Take every picture, or some."""
    from PIL import Image as Pillow
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.support.ui import WebDriverWait

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or "chromium"
    for option in (*BROWSER, f"--user-data-dir={Path('profile').resolve()}"):
        options.add_argument(option)
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        width, height = SIZE
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        driver.set_page_load_timeout(PATIENCE_SECONDS)
        driver.set_script_timeout(PATIENCE_SECONDS)
        driver.get((report / "index.html").resolve().as_uri())
        wait = WebDriverWait(driver, PATIENCE_SECONDS, 0.2)
        wait.until(lambda page: page.execute_script(f"return Boolean({DRAWN})"))
        for name, theme, code, ready in VIEWS:
            if only and name not in only:
                continue
            driver.execute_script(f"QC.app.theme('{theme}'); {CHOOSE}")
            # twice: what is loaded at the first time is gone to at the second
            for awaited in (DRAWN, ready):
                driver.execute_script(code)
                wait.until(lambda page, it=awaited: page.execute_script(f"return Boolean({it})"))
                driver.execute_async_script(SETTLED)
            picture = Pillow.open(io.BytesIO(driver.get_screenshot_as_png()))
            picture.convert("RGB").save(IMAGES / f"{name}.png", optimize=True)
    finally:
        driver.quit()


if __name__ == "__main__":
    main()
