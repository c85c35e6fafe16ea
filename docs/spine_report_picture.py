"""Make the picture of st_report's page, of a simulated spine with two fractures.

    python docs/spine_report_picture.py [-h]

Simulates a whole spine with its exact labels, reports it, and photographs the page into
docs/images. Needs Chromium; takes some minutes. The picture is committed: run this again when the
page changes visibly.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from pathlib import Path

from PIL import Image as Picture

from spinetools.cli.st_report import main as st_report
from spinetools.phantom import make_phantom, make_subject
from spinetools.phantom.labels import structure_ids
from spinetools.vertebrae.values import with_names

PICTURE = Path(__file__).resolve().parent / "images" / "spine_report.png"
#: A subject with a wedge fracture of T12 and a biconcave one of L3.
SEED = 111
#: A4 at 96 pixels an inch, with the page's margin on the screen; pixels of the picture a pixel.
SIZE, SCALE = (840, 1170), 1.5


def make_files(folder: Path) -> tuple[Path, Path]:
    """Simulate the image and its exact labels, which a person is taken to have checked."""
    phantom = make_phantom(SEED, protocol="t2_whole", subject=make_subject(SEED, "normal"))
    labels = phantom.structures
    names = {value: name for name, value in structure_ids().items() if (labels.data == value).any()}
    image, found = folder / "sub-01_T2w.nii.gz", folder / "sub-01_T2w_labels.nii.gz"
    phantom.image.save(image)
    with_names(labels, names).save(found)
    (folder / "sub-01_T2w_labels.json").write_text('{"Confidence": 0.98, "Variant": "none"}')
    return image, found


def main() -> None:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        image, labels = make_files(folder)
        page = folder / "report.html"
        try:
            st_report(["-i", str(image), "-s", str(labels), "-o", str(page)])
        except SystemExit as stop:
            if stop.code:
                raise
        shot = folder / "page.png"
        subprocess.run(
            ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
             f"--force-device-scale-factor={SCALE}", f"--window-size={SIZE[0]},{SIZE[1]}",
             f"--screenshot={shot}", page.as_uri()],
            check=True, capture_output=True,
        )  # fmt: skip
        picture = Picture.open(shot).convert("RGB").quantize(128)
        picture.save(PICTURE, optimize=True)


if __name__ == "__main__":
    main()
