"""The page in a real browser: all subjects together, and thousands of rows."""

from __future__ import annotations

import json

import numpy as np
import pytest

from spinetools.image import Image
from spinetools.qc import Flag, add_entry, refresh
from spinetools.qc.index import entry_script

pytestmark = pytest.mark.browser

DOWN, END, HOME, ENTER, ESCAPE = "\ue015", "\ue010", "\ue011", "\ue007", "\ue00c"
SUBJECTS, ODD = 9, 4


@pytest.fixture(scope="module")
def cohort(tmp_path_factory, ras, hostile):
    """Nine subjects with levels; one cord is half as large as the others; the last has a flag."""
    import os

    folder = tmp_path_factory.mktemp("cohort") / "qc"
    image, mask = ras
    levels = {z: 8 - z / 6 for z in range(6, 42)}
    rng = np.random.default_rng(3)
    os.environ["SPINETOOLS_QC_REFRESH"] = "0"
    try:
        for n in range(SUBJECTS):
            scale = (0.5 if n == ODD else 1) * rng.normal(70, 2)
            add_entry(
                folder,
                Image(image.data, image.space, path=folder.parent / f"sub-{n:02d}_T2w.nii.gz"),
                [("cord", mask)],
                process="st_propseg",
                command_line=f"st_propseg -i sub-{n:02d}_T2w.nii.gz",
                subject=hostile if n == SUBJECTS - 1 else f"sub-{n:02d}",
                measures={"csa_mm2": {z: scale + z / 10 for z in levels}},
                levels=levels,
                flags=[Flag("leak", hostile, (10,))] if n == SUBJECTS - 1 else [],
            )
    finally:
        del os.environ["SPINETOOLS_QC_REFRESH"]
    refresh(folder)
    return folder


def test_all_subjects_are_seen_with_the_odd_one_marked(cohort, visit, hostile):
    page = visit(cohort)
    page.settle()
    page.press("a")
    assert page.visible("#cohort")
    assert not page.visible("#main")
    rows = page.all("#cohort-rows .subject")
    assert len(rows) == SUBJECTS
    assert page.text("#cohort-count").startswith("9 subjects, 1 flagged, 1 outlier.")
    assert rows[0].find_element("css selector", "strong").text == f"sub-{ODD:02d}"
    words = rows[0].find_element("css selector", ".outlier-words").text
    assert "below the others" in words
    assert "C2 to " in words or "C1 to " in words
    assert 45 <= int(words.split()[0]) <= 55
    assert len(page.all(".subject .outlier")) == 1
    # thumbnails are pictures of the entries
    picture = page.js(
        "return getComputedStyle(document.querySelector('.thumb-picture')).backgroundImage"
    )
    assert "thumb" in picture
    # a name is text
    assert hostile in page.text("#cohort-rows")
    assert page.js("return window.hacked") is None
    page.click("#cohort-only")
    assert len(page.all("#cohort-rows .subject")) == 2
    assert page.errors() == []


def test_curves_are_drawn_over_level_distance_or_slice(cohort, visit):
    page = visit(cohort)
    page.press("a")
    options = [option.get_attribute("value") for option in page.all("#cohort-over option")]
    assert options == ["level", "mm", "slice"]
    assert page.js("return QC.cohort.by") == "level"
    first = page.js("return QC.cohort.curves[0].points")
    assert first[0][0] == pytest.approx(8 - 41 / 6, abs=0.02), "from the head down"
    seen = page.pixels("#cohort-canvas")
    assert (np.abs(seen - seen[0, 0]).max(axis=2) > 25).mean() > 0.01
    for over, last in (("mm", 70), ("slice", 6)):
        page.js(
            "const s = document.getElementById('cohort-over'); s.value = arguments[0];"
            "s.dispatchEvent(new Event('change'))",
            over,
        )
        points = page.js("return QC.cohort.curves[0].points")
        assert points[-1][0] == pytest.approx(last, abs=0.1)
    odd = page.js("return QC.cohort.curves.filter((c) => c.outlier).map((c) => c.entry.subject)")
    assert odd == [f"sub-{ODD:02d}"]


def test_keys_and_clicks_lead_to_the_case_and_back(cohort, visit):
    from selenium.webdriver import ActionChains

    page = visit(cohort)
    # sorted by name after the odd one; a hostile name comes before the others
    names = page.js(
        "QC.app.setMode('cohort'); return QC.cohort.rows.map((r) => r.entries[0].subject)"
    )
    assert names[0] == f"sub-{ODD:02d}"
    page.press(DOWN, DOWN)
    assert page.text(".subject[aria-current] strong") == names[2]
    page.press(END, HOME, *[DOWN] * names.index("sub-01"), ENTER)
    assert not page.visible("#cohort")
    assert page.subject() == "sub-01"
    page.press("a", ESCAPE)
    assert not page.visible("#cohort")
    # the outlier's curve is the lowest
    page.press("a")
    canvas = page.find("#cohort-canvas")
    y = page.js("return QC.curves.scale.y(37)")
    ActionChains(page.driver).move_to_element_with_offset(
        canvas, 0, round(y - canvas.size["height"] / 2)
    ).perform()
    assert page.text("#cohort-lit").startswith(f"sub-{ODD:02d}: ")
    ActionChains(page.driver).click().perform()
    assert page.subject() == f"sub-{ODD:02d}"


def test_the_search_chooses_the_subjects(cohort, visit):
    page = visit(cohort)
    page.press("/", *"sub-0", ESCAPE, ESCAPE)
    page.press("a", "/", *"sub-03")
    assert len(page.all("#cohort-rows .subject")) == 1


@pytest.fixture(scope="module")
def crowd(report, tmp_path_factory):
    """Two thousand entries that share one folder of pictures."""
    import shutil

    place = tmp_path_factory.mktemp("crowd") / "qc"
    shutil.copytree(report, place)
    model = json.loads(min((place / "entries").glob("*.json")).read_text())
    for n in range(2000):
        model["id"] = f"20260101T{n:012d}Z-{n:012x}"
        model["subject"], model["case"] = f"sub-{n + 100:04d}", f"{n:016x}"
        (place / "entries" / f"{model['id']}.json").write_text(entry_script(model)[16:-3])
    refresh(place)
    return place


def test_only_rows_in_sight_are_in_the_page(crowd, visit):
    page = visit(crowd)
    assert page.js("return QC.table.visible.length") == 2005
    assert len(page.all("#rows tr")) < 60
    heights = page.js(
        "return [...document.querySelectorAll('#rows tr')]"
        ".map((row) => row.getBoundingClientRect().height)"
    )
    assert set(heights) == {page.js("return QC.table.ROW")}
    total = page.js("const box = document.getElementById('table-scroll'); return box.scrollHeight")
    assert total == pytest.approx(2005 * heights[0], abs=60)
    page.js("QC.table.select(QC.table.visible[1500])")
    row = page.find("tr[aria-current]")
    assert row.is_displayed()
    box = page.find("#table-scroll").rect
    assert box["y"] < row.rect["y"] < box["y"] + box["height"] - heights[0] + 1
    page.js("document.getElementById('table-scroll').scrollTop = 0")
    page.wait("return document.querySelector('#rows tr').dataset.id === QC.table.visible[0].id")
    # the key goes on from the entry that is shown, and brings it into sight
    page.press(DOWN)
    assert page.find("tr[aria-current]").rect["y"] > box["y"]
    assert page.js("return QC.table.visible.indexOf(QC.table.current)") == 1501
    page.press("a")
    assert len(page.all("#cohort-rows .subject")) < 60


def test_everyone_counts_at_every_place(cohort, visit):
    """Also where a long curve has no point: the median must not jump with who has one."""
    page = visit(cohort)
    page.press("a")
    band, gap = page.js("""
        const points = (k) => [...Array(20).keys()].map((i) => [2 + 0.06 * k + 0.37 * i, 60 + k]);
        QC.cohort.by = "level";
        const judged = (curves) => {
          QC.cohort.curves = curves.map((each) => ({ points: each }));
          QC.cohort.judge();
          return QC.cohort.band;
        };
        const all = [0, 1, 2, 3, 4, 5].map(points);
        const band = judged(all).map((each) => [each.at, each.n, each.median]);
        all[5][10][1] = null;
        const middle = Math.floor(all[5][10][0] / 0.25);
        return [band, judged(all).find((each) => each.at === middle).n];
    """)
    inner = [row for row in band if 2.5 <= row[0] * 0.25 <= 8.75]
    assert [row[0] for row in inner] == list(range(10, 36))
    assert {(row[1], row[2]) for row in inner} == {(6, 62.5)}
    assert gap == 5, "what is missing stays missing"
