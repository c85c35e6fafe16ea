"""The page in a real browser: which method suits the scans."""

from __future__ import annotations

import json

import numpy as np
import pytest

from spinetools.compare.cases import Case, Compared, Pair, Result, SliceRow
from spinetools.compare.choose import choices
from spinetools.compare.report import put_in_report
from spinetools.compare.tables import write_tables
from spinetools.image import Image
from spinetools.qc import add_entry

pytestmark = pytest.mark.browser

ESCAPE = "\ue00c"
SUBJECTS, FAILED = 8, 5


def result(method, dice, state="ok", reasons=()):
    states = ["ok"] * 10
    if state != "ok":
        states[3:6] = ["disagreement"] * 3
    slices = tuple(
        SliceRow(40 - n, n / 9, 3 + n // 5, 70.0 + n, 0.9, 0.2, float("nan"), each)
        for n, each in enumerate(states)
    )
    if state == "failed":
        return Result(method, state, reasons)
    return Result(method, state, reasons, expected=dice, csa_mm2=75 + 10 * dice,
                  evidence={"edge": 1 - dice}, slices=slices)  # fmt: skip


@pytest.fixture(scope="module")
def study(tmp_path_factory, ras, hostile):
    """Eight subjects in two contrasts, with hostile names; one method failed on one image."""
    folder = tmp_path_factory.mktemp("study")
    image, mask = ras
    rng = np.random.default_rng(4)
    compared = []
    for n in range(SUBJECTS):
        contrast = "t2" if n % 2 else "t1"
        path = folder / f"sub-{n:02d}_{contrast}.nii.gz"
        for process in ("st_propseg", "st_deepseg_sc"):
            add_entry(folder / "qc", Image(image.data, image.space, path=path), [("cord", mask)],
                      process=process, command_line=process, subject=f"sub-{n:02d}",
                      dataset="pilot")  # fmt: skip
        a = result("propseg", 0.90 + rng.normal(0, 0.005), *(
            ("failed", ("no segmentation was made",)) if n == FAILED
            else ("suspect", (f"disagreement: {hostile}",)) if n == 2 else ()))  # fmt: skip
        b = result(hostile, 0.96 + rng.normal(0, 0.003))
        pair = Pair("propseg", hostile, 0.93, 2.0, 1.0, 0.3, -3.0)
        compared.append(Compared(Case(path, {}, f"sub-{n:02d}", contrast), (a, b), (pair,)))
    tables = write_tables(folder / "pilot.csv", compared)
    put_in_report(folder / "qc", compared, choices(compared), tables, dataset="pilot",
                  command_line="st_pilot")  # fmt: skip
    return folder / "qc"


def test_the_choice_is_said_first(study, visit, hostile):
    page = visit(study)
    page.settle()
    assert page.visible("#mode-study")
    page.press("w")
    assert page.visible("#study")
    assert not page.visible("#main")
    assert not page.visible(".list")
    assert page.text("#study-sureness") == "Sure"
    assert page.text("#study-headline") == (
        f"Use {hostile} for these 8 scans: it does better than propseg, and that is sure."
    )
    words = page.text("#study-list")
    assert "does better in 8 of 8 scans" in words
    assert "propseg failed on 1 and has something to look at on 1 of 8 images." in words
    assert "There was no manual reference" in words
    # names are text
    assert page.js("return window.hacked") is None
    assert page.errors() == []
    page.press("w")
    assert page.visible("#main")
    page.click("#mode-study")
    page.press(ESCAPE)
    assert page.visible("#main")


def test_contrasts_images_and_reasons(study, visit, hostile):
    page = visit(study)
    page.press("w")
    groups = [row.text for row in page.all("#study-groups tbody tr")]
    assert [text.split(")")[0] + ")" for text in groups] == ["All (8)", "T1w (4)", "T2w (4)"]
    assert "Likely, not sure" in groups[1]  # four scans are too few
    rows = page.all("#study-rows tbody tr:not(.reasons)")
    assert len(rows) == SUBJECTS
    states = [cell.text for cell in rows[FAILED].find_elements("css selector", ".state")]
    assert states == ["failed", "sound"]
    reasons = page.all("#study-rows tr.reasons")
    assert [each.text for each in reasons] == [
        f"propseg disagreement: {' '.join(hostile.split())}", "propseg no segmentation was made",
    ]  # fmt: skip
    page.click("#study-only")
    assert len(page.all("#study-rows tbody tr:not(.reasons)")) == 2
    page.click("#study-only")
    links = [link.get_attribute("href") for link in page.all("#study-tables a")]
    assert [link.rsplit("/", 1)[1] for link in links] == [
        "pilot.csv", "pilot_slices.csv", "pilot_levels.csv", "pilot_pairs.csv",
    ]  # fmt: skip


def test_an_image_opens_with_its_methods(study, visit):
    page = visit(study)
    page.press("w")
    page.all("#study-rows .link")[3].click()
    page.settle()
    assert page.visible("#methods")
    assert page.subject() == "sub-03"
    page.wait("return document.querySelectorAll('#panels .panel').length === 2")


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_figures_are_those_of_the_theme(study, visit, theme):
    page = visit(study)
    page.press("w")
    if page.js("return document.documentElement.dataset.theme") != theme:
        page.click("#theme")
    images = [each for each in page.all("#study-figures img") if each.is_displayed()]
    names = [each.get_attribute("src").rsplit("/", 1)[1] for each in images]
    assert names == [
        f"{name}-{theme}.svg" for name in ("scores", "levels", "areas", "agreement", "where")
    ]
    page.wait(
        "return [...document.querySelectorAll('#study-figures img')]"
        ".filter((each) => each.offsetParent).every((each) => each.naturalWidth > 100)"
    )
    # text and lines stand out from the background
    page.js("arguments[0].scrollIntoView({block: 'center'})", images[0])
    pixels = page.pixels(f"#study-figures img.for-{theme}")
    assert pixels.max() - pixels.min() > 120


def test_a_report_without_comparison_has_no_button(report, visit):
    page = visit(report)
    assert not page.visible("#mode-study")
    page.press("w")
    assert page.visible("#main")
    assert page.errors() == []


def test_a_damaged_record_hides_nothing_else(study, visit, tmp_path, caplog):
    import shutil

    from spinetools.qc.comparison import list_comparisons

    copy = tmp_path / "qc"
    shutil.copytree(study, copy)
    record = next(copy.glob("comparisons/*/comparison.json"))
    content = json.loads(record.read_text())
    (copy / "comparisons" / "0123456789abcdef").mkdir()
    (copy / "comparisons" / "0123456789abcdef" / "comparison.json").write_text("{")
    assert list_comparisons(copy) == 1
    assert "is damaged" in caplog.text
    page = visit(copy)
    page.press("w")
    assert page.text("#study-headline") == content["headline"]


def test_on_a_narrow_screen_nothing_is_cut_off(study, visit):
    page = visit(study)
    page.driver.set_window_size(560, 900)
    try:
        page.press("w")
        assert page.js("return document.documentElement.scrollWidth <= innerWidth")
        # wide tables scroll by themselves
        assert page.js(
            "const box = document.querySelector('.study-images');"
            "return box.scrollWidth >= box.clientWidth"
        )
    finally:
        page.driver.set_window_size(1440, 1000)
