"""Measure whether the QC report's page shows the voxel index that image viewers show.

    python testing/benchmark/orientations.py [-h]

An image is stored in each of the 48 orientations, with some single voxels marked, and read back
with nibabel: FSLeyes shows a voxel by its place in that array. Then the page is opened in Chromium,
gone to the slice of each marked voxel by its index, and photographed. Counted is where the page
names another slice, shows the mark in another slice, elsewhere in the picture, or on the wrong
side of the patient, and where it names another voxel under the pointer. Adds its rows to
results/report.tsv.
"""

from __future__ import annotations

import argparse
import io
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
from report import browser, record, row
from tables import markdown

from spinetools.image import Image, Space
from spinetools.image.orientation import ALL_CODES
from spinetools.qc import add_entry

#: Right-left, back-front, foot-head: no two alike, so that swapped axes are seen.
SHAPE, SPACING_MM = (40, 56, 48), (1.0, 0.8, 2.0)
#: Middle of the picture (right-left, back-front), and marked voxels of the upright image; each lies
#: off the middle, so that a mirrored picture shows it elsewhere.
CENTRE = (19, 28)
SPOTS = ((26, 34, 9), (13, 21, 38))
#: How long the page may take on a busy machine.
PATIENCE_SECONDS = 600
#: Pixels of the mark's colour (red) that are certainly a mark.
LEAST_PIXELS = 20


def main(argv: Sequence[str] | None = None) -> int:
    """Store, show, photograph, count, and write the rows."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("-only", nargs="+", default=[], help="these orientations, as RAS LPI")
    args = parser.parse_args(argv)
    codes = args.only or ["".join(each) for each in ALL_CODES]
    wrong: dict[str, int] = dict.fromkeys(("slice named", "slice shown", "voxel", "side"), 0)
    with tempfile.TemporaryDirectory() as folder:
        marked = {each: store(Path(folder), each) for each in codes}
        driver = browser()
        try:
            driver.set_script_timeout(PATIENCE_SECONDS)
            driver.get((Path(folder, "qc") / "index.html").as_uri())
            for each, voxels in marked.items():
                for spot, voxel in zip(SPOTS, voxels, strict=True):
                    for what in mistakes(driver, each, voxel, spot):
                        wrong[what] += 1
                        print(f"{each}, voxel {voxel}: {what}", flush=True)
        finally:
            driver.quit()
    slices = sum(len(voxels) for voxels in marked.values())
    what = f"{len(codes)} orientations, {slices} slices in the browser"
    rows = [
        row(f"{what}: index shown is not FSLeyes'", str(wrong["slice named"]), "0"),
        row(f"{what}: a voxel is seen in another slice", str(wrong["slice shown"]), "0"),
        row(f"{what}: voxel under the pointer is not FSLeyes'", str(wrong["voxel"]), "0"),
        row(f"{what}: wrong side of the patient", str(wrong["side"]), "0"),
    ]
    print(markdown(rows))
    if not args.only:
        record(rows)
    return int(any(wrong.values()))


def store(folder: Path, codes: str) -> list[tuple[int, ...]]:
    """Save the image in an orientation, add it to the report, and return its marked voxels.

    They are read from the file by nibabel, as a viewer does.
    """
    x, y, z = np.meshgrid(*map(np.arange, SHAPE), indexing="ij")
    affine = np.diag([*SPACING_MM, 1.0])
    affine[:3, 3] = (-20, -30, 5)
    space = Space(SHAPE, affine)
    mm2 = ((x - CENTRE[0]) * SPACING_MM[0]) ** 2 + ((y - CENTRE[1]) * SPACING_MM[1]) ** 2
    around = (mm2 < 11**2) & (z > 3)
    spots = np.zeros(SHAPE, dtype=np.uint8)
    for number, spot in enumerate(SPOTS, start=1):
        spots[spot] = number
    stored = []
    for name, data in (
        ("image", np.where(around, 90, 40).astype(np.float32)),
        ("canal", (around & (z < 45)).astype(np.uint8)),
        ("cord", spots),
    ):
        path = folder / f"{codes}_{name}.nii.gz"
        Image(data, space).reorient(tuple(codes)).save(path)
        stored.append(path)
    image, canal, marks = (Image.load(path) for path in stored)
    read = np.asarray(nib.load(stored[-1]).dataobj)
    voxels = [tuple(np.argwhere(read == n)[0].tolist()) for n in range(1, len(SPOTS) + 1)]
    # the canal fixes where pictures are cut; the cord is drawn in red
    layers = [("canal", canal), ("cord", marks.like((marks.data > 0).astype(np.uint8)))]
    add_entry(folder / "qc", image, layers, process="p", command_line=codes, subject=codes)
    return voxels


def mistakes(driver: Any, codes: str, voxel: tuple[int, ...], spot: tuple[int, ...]) -> list[str]:
    """Look at a marked voxel on the page; return what is not as a viewer has it.

    ``spot`` is its place in the upright image: there, larger is right, front and head.
    """
    axis = next(a for a, code in enumerate(codes) if code in "SI")
    open_slice(driver, codes, voxel[axis] + 1)
    beside = seen(driver)
    open_slice(driver, codes, voxel[axis])
    found = []
    if driver.execute_script(
        "return document.querySelector('#slice-label strong').textContent"
    ) != f"{'xyz'[axis]} = {voxel[axis]}":  # fmt: skip
        found.append("slice named")
    place = seen(driver)
    if place is None or beside is not None:
        return [*found, "slice shown"]
    under = driver.execute_script(
        "return QC.tiles.voxelAt(QC.viewer.view, QC.viewer.tile, arguments[0], arguments[1])",
        float(place[1]), float(place[0]),
    )  # fmt: skip
    if tuple(under) != voxel:
        found.append("voxel")
    # radiological: the patient's right on the left, the front at the top
    if (spot[0] > CENTRE[0], spot[1] > CENTRE[1]) != (place[1] < 0.5, place[0] < 0.5):
        found.append("side")
    return found


OPEN = """
const [subject, index, done] = arguments;
QC.viewer.setView("slice");
QC.viewer.setStyle("fill");
QC.table.select(QC.entries.find((entry) => entry.subject === subject));
const look = () => {
  if (!QC.viewer.detail || QC.viewer.detail.id !== QC.table.current.id) {
    setTimeout(look, 5);
    return;
  }
  QC.viewer.hidden = new Set(["canal"]);
  QC.viewer.applyStyle();
  QC.viewer.goToIndex(index);
  QC.tiles.preload(QC.viewer.detail, QC.viewer.view).catch(() => null)
    .then(() => requestAnimationFrame(() => requestAnimationFrame(() => done())));
};
look();
"""


def open_slice(driver: Any, codes: str, index: int) -> None:
    """Show a slice, by its index, with the marks alone."""
    driver.execute_async_script(OPEN, codes, index)


def seen(driver: Any) -> npt.NDArray[np.float64] | None:
    """Return where the mark is seen, as shares of the picture's height and width."""
    from PIL import Image as Pillow

    picture = driver.find_element("css selector", "#frame .picture")
    pixels = np.asarray(Pillow.open(io.BytesIO(picture.screenshot_as_png)).convert("RGB"))
    pixels = pixels.astype(int)
    red = np.argwhere((pixels[..., 0] - pixels[..., 1] > 60) & (pixels[..., 0] > 120))
    if len(red) < LEAST_PIXELS:
        return None
    share: npt.NDArray[np.float64] = (red.mean(axis=0) + 0.5) / pixels.shape[:2]
    return share


if __name__ == "__main__":
    raise SystemExit(main())
