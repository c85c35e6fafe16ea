"""``st_report``: its three files, its page, and what it says of how sure it is."""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from spinetools.report.measure import COLUMNS

from .conftest import Run

VALUES = {"L1": 22, "L2": 21, "L3": 20, "L4": 19}
DISCS = {"L1-L2": 206, "L2-L3": 205, "L3-L4": 204}


def build(slip: int = 0, wedge: int = 0) -> np.ndarray:
    """Blocks of 24 mm for L1 to L4 with discs of 8 mm, a canal and a cord behind, at 1 mm."""
    data = np.zeros((60, 90, 130), np.uint8)
    top = 128
    for level, value in VALUES.items():
        low = top - 24 if level != "L4" else max(top - 24, 0)
        shift = slip if level in ("L1", "L2") else 0
        data[12:48, 40 + shift : 70 + shift, low:top] = value
        if level == "L3" and wedge:
            data[12:48, 56:70, top - wedge : top] = 0  # the front half is lower
        disc = next((v for name, v in DISCS.items() if name.startswith(f"{level}-")), 0)
        if disc:
            data[13:47, 41 + shift // 2 : 69 + shift // 2, low - 8 : low] = disc
        top = low - 8
    data[22:38, 20:36, :] = 201
    data[26:34, 25:31, :] = 200
    return data


def save(path: Path, data: np.ndarray, codes: str = "RAS") -> None:
    image = nib.Nifti1Image(data, np.diag([1.0, 1, 1, 1]))
    turns = [nib.orientations.axcodes2ornt(word) for word in ("RAS", codes)]
    nib.save(image.as_reoriented(nib.orientations.ornt_transform(*turns)), path)


def rows(path: Path) -> dict[str, dict[str, str]]:
    lines = [line.split("\t") for line in path.read_text().splitlines()]
    assert tuple(lines[0]) == COLUMNS
    return {line[0]: dict(zip(COLUMNS, line, strict=True)) for line in lines[1:]}


def test_blocks_are_measured_as_they_are(run: Run, folder: Path) -> None:
    save(folder / "a_labels.nii.gz", build())
    outcome = run("st_report", "-s", "a_labels.nii.gz")
    assert outcome.code == 0, outcome.err
    found = rows(folder / "a_labels_report.tsv")
    for name in ("vertebrae_L2", "vertebrae_L3"):
        for place in ("anterior", "middle", "posterior"):
            assert float(found[name][f"height_{place}_mm"]) == pytest.approx(24, abs=0.6)
        assert float(found[name]["wedge_ratio"]) == pytest.approx(1, abs=0.03)
        # a square of 16 has the spread of an ellipse of 18.5
        assert float(found[name]["canal_ap_mm"]) == pytest.approx(16 * 2 / math.sqrt(3), abs=0.7)
        assert float(found[name]["canal_area_mm2"]) == pytest.approx(256, rel=0.05)
        assert float(found[name]["cord_area_mm2"]) == pytest.approx(48, rel=0.05)
    assert float(found["disc_L2_L3"]["height_middle_mm"]) == pytest.approx(8, abs=0.6)
    assert float(found["disc_L2_L3"]["slip_mm"]) == pytest.approx(0, abs=0.3)
    assert found["lumbar_lordosis"]["angle_deg"] == "n/a"
    record = json.loads((folder / "a_labels_report.json").read_text())
    assert record["Numbering"] == "not known"
    assert record["Flags"] == []


def test_what_is_wrong_is_flagged_and_said(run: Run, folder: Path) -> None:
    save(folder / "a_labels.nii.gz", build(slip=5, wedge=8), codes="PIR")
    (folder / "a_labels.json").write_text(json.dumps({
        "Confidence": 0.6, "Variant": "lumbarised", "VariantProbability": {"lumbarised": 0.41},
        "Alternatives": [{"Numbering": "T12-L1 to L2-L3", "Probability": 0.3}],
    }))  # fmt: skip
    outcome = run("st_report", "-s", "a_labels.nii.gz", "-o", "r.html", "-ofolder", "out")
    assert outcome.code == 0, outcome.err
    record = json.loads((folder / "out" / "r.json").read_text())
    kinds = {flag["Kind"]: flag["Reason"] for flag in record["Flags"]}
    assert kinds["slip"].startswith("L2-L3: slipped 5")
    assert re.match(r"L3: 3\d % lower in front", kinds["height loss"])
    assert "T12-L1 to L2-L3" in kinds["numbering"]
    assert kinds["variant"] == "S1 may be lumbarised in part (probability 0.41)"
    assert "warning: slip: L2-L3" in outcome.err
    page = (folder / "out" / "r.html").read_text()
    assert "confidence 0.60" in page
    assert 'class="names unsure"' in page


class Links(HTMLParser):
    """Collects whatever a page would load, and its tags."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loaded += [value or "" for name, value in attrs if name in ("src", "href")]


def test_the_page_loads_nothing_and_names_are_no_markup(run: Run, folder: Path) -> None:
    save(folder / "l.nii.gz", build())
    name = "<img src=http://x onerror=alert(1)>"
    outcome = run("st_report", "-s", "l.nii.gz", "-i", "l.nii.gz", "-subject", name)
    assert outcome.code == 0, outcome.err
    page = (folder / "l_report.html").read_text()
    links = Links()
    links.feed(page)
    assert len(links.loaded) == 4
    assert all(link.startswith("data:image/") for link in links.loaded)
    assert "script" not in links.tags
    assert links.tags.count("img") == 4
    assert "&lt;img src=http://x" in page
    assert json.loads((folder / "l_report.json").read_text())["Subject"] == name


@pytest.mark.browser
def test_the_page_prints_on_one_sheet(run: Run, folder: Path) -> None:
    browser = shutil.which("chromium")
    if browser is None:
        pytest.skip("chromium is not installed")
    save(folder / "l.nii.gz", build(slip=5, wedge=8))
    assert run("st_report", "-s", "l.nii.gz").code == 0
    subprocess.run(
        [browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer",
         f"--print-to-pdf={folder / 'p.pdf'}", (folder / "l_report.html").as_uri()],
        check=True, capture_output=True,
    )  # fmt: skip
    printed = (folder / "p.pdf").read_bytes()
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) == 1


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("-o", "r.pdf"), "must end with .html"),
        (("-label-scheme", "sct"), "which sct does not know"),
    ],
)
def test_what_cannot_be_is_said(
    run: Run, folder: Path, more: tuple[str, ...], message: str
) -> None:
    save(folder / "l.nii.gz", build())
    outcome = run("st_report", "-s", "l.nii.gz", *more)
    assert outcome.code == 1
    assert message in outcome.err
    assert [path.name for path in folder.iterdir()] == ["l.nii.gz"]


def test_labels_without_discs_have_no_heights(run: Run, folder: Path) -> None:
    data = build()
    data[data > 201] = 0
    save(folder / "l.nii.gz", data)
    outcome = run("st_report", "-s", "l.nii.gz")
    assert outcome.code == 0, outcome.err
    assert rows(folder / "l_report.tsv")["vertebrae_L2"]["height_middle_mm"] == "n/a"
