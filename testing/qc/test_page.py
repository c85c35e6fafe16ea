"""The page in a real browser, opened from a file: looking through entries and slices."""

from __future__ import annotations

import numpy as np
import pytest

from spinetools.qc import add_entry

pytestmark = pytest.mark.browser

DOWN, UP, RIGHT, LEFT = "\ue015", "\ue013", "\ue014", "\ue012"
PAGE_UP, PAGE_DOWN, END, HOME, ESCAPE, TAB = (
    "\ue00e",
    "\ue00f",
    "\ue010",
    "\ue011",
    "\ue00c",
    "\ue004",
)


def test_it_opens_from_a_file_without_errors_and_asks_nothing_of_the_network(report, visit):
    page = visit(report)
    page.settle()
    assert page.errors() == []
    assert len(page.all("#rows tr")) == 5
    requested = page.requested()
    assert any(name.endswith("entries.js") for name in requested)
    assert any(name.endswith((".webp", ".png")) for name in requested)
    assert all(name.startswith("file://") for name in requested)
    page.choose("sub-01")
    # 36 slices of cord and 5 beyond either end
    assert len(page.all("#mosaic .tile")) == 46
    assert page.subject() == "sub-01"
    assert page.text("#entry-title") == "sub-01_T2w.nii.gz"
    assert "st_propseg -i sub-01_T2w.nii.gz -c t2" in page.text("#details")
    assert "RAS (nibabel: LPI)" in page.text("#details")


def test_up_and_down_move_through_the_entries_of_the_table(report, visit):
    page = visit(report)
    page.choose("sub-01")
    order = page.js("return QC.table.visible.map((entry) => entry.subject)")
    start = order.index("sub-01")
    page.press(DOWN)
    assert page.subject() == order[start + 1]
    page.press(UP, UP, UP, UP, UP)
    assert page.subject() == order[0]
    page.press(*[DOWN] * 9)
    assert page.subject() == order[-1]
    page.settle()
    assert page.find("tr[aria-current]").is_displayed()
    page.all("#rows tr")[2].click()
    assert page.subject() == order[2]


def test_right_toggles_the_overlay(report, visit):
    page = visit(report)
    page.choose("sub-01")
    assert page.red("#mosaic") > 300
    page.press(RIGHT)
    assert page.red("#mosaic") == 0
    assert page.find("#layers button").get_attribute("aria-pressed") == "false"
    page.press("m")
    assert page.red("#frame") == 0
    page.press(RIGHT)
    assert page.red("#frame") > 100
    page.press(LEFT)
    assert page.red("#frame") == 0


def test_fill_outline_and_opacity(report, visit):
    page = visit(report)
    page.choose("sub-01")
    page.press("m")
    outline = page.red("#frame")
    assert not page.visible("#opacity")
    page.press("o")
    filled = page.pixels("#frame")
    assert page.red("#frame") > 4 * outline
    page.js(
        "const o = arguments[0]; o.value = 100; o.dispatchEvent(new Event('input'))",
        page.find("#opacity"),
    )
    assert page.pixels("#frame")[..., 1].sum() < filled[..., 1].sum()
    page.click("#style-outline")
    assert page.red("#frame") == outline
    page.click("#style-fill")
    # arrows on the slider are the slider's own
    value = page.find("#opacity").get_attribute("value")
    page.find("#opacity").send_keys(LEFT)
    assert page.find("#opacity").get_attribute("value") != value
    assert page.red("#frame") > 0


def test_one_overlay_is_hidden_by_its_name(report, visit):
    page = visit(report)
    page.choose("sub-02")
    chips = page.all("#layers button")
    assert [chip.text for chip in chips] == ["cord", "manual"]
    page.press("o")
    chips[1].click()
    page.js("document.activeElement.blur()")
    assert chips[1].get_attribute("aria-pressed") == "false"
    visible = page.js(
        "return [...document.querySelectorAll('#mosaic .tile:first-child .overlay')]"
        ".map((node) => getComputedStyle(node).visibility)"
    )
    assert visible == ["visible", "hidden"]


def test_keys_and_buttons_move_through_slices_by_native_index(report, visit):
    page = visit(report)
    page.choose("sub-01")
    page.press("m", HOME)
    # RAS in SCT's letters, LPI in nibabel's: z counts from the head, the first picture is the head
    assert page.slice_label() == "z = 1"
    page.press(PAGE_DOWN, PAGE_DOWN)
    assert page.slice_label() == "z = 3"
    page.press(PAGE_UP)
    assert page.slice_label() == "z = 2"
    page.press(END)
    assert page.slice_label() == "z = 46"
    page.click("#slice-previous")
    assert page.slice_label() == "z = 45"
    page.click("#slice-first")
    page.click("#slice-next")
    assert page.slice_label() == "z = 2"
    page.click("#slice-last")
    assert page.slice_label() == "z = 46"
    assert page.text("#slice-label span") == "46 of 46"


def test_the_wheel_scrolls_slices_and_not_the_page(report, visit):
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.actions.wheel_input import ScrollOrigin

    page = visit(report)
    page.choose("sub-01")
    page.press("m", HOME)
    origin = ScrollOrigin.from_element(page.find("#frame"))
    ActionChains(page.driver).scroll_from_origin(origin, 0, 120).perform()
    page.wait("return document.querySelector('#slice-label strong').textContent === 'z = 4'")
    ActionChains(page.driver).scroll_from_origin(origin, 0, -40).perform()
    page.wait("return document.querySelector('#slice-label strong').textContent === 'z = 3'")


def test_a_tile_opens_its_slice_and_escape_leads_back(report, visit):
    page = visit(report)
    page.choose("sub-01")
    tile = page.all("#mosaic .tile")[7]
    number = tile.find_element("css selector", ".number").text
    tile.click()
    assert page.visible("#single")
    assert page.slice_label() == f"z = {number}"
    page.press(ESCAPE)
    assert page.visible("#mosaic")
    page.click("#view-slice")
    assert page.visible("#single")
    page.click("#view-mosaic")
    assert not page.visible("#single")


@pytest.mark.parametrize("codes", ["LAS", "RPI", "SRA", "AIL", "PSR", "IPR"])
def test_the_picture_shows_the_voxel_that_its_number_says(codes, tmp_path, visit, ras):
    """One voxel on the patient's right and front: seen in its slice, and where it should be."""
    image, mask = ras
    spot = np.zeros(mask.shape, dtype=np.uint8)
    spot[25, 32, 24] = 1
    image, mask, spot = (i.reorient(tuple(codes)) for i in (image, mask, mask.like(spot)))
    index = np.argwhere(spot.data)[0]
    axis = next(a for a, code in enumerate(codes) if code in "SI")
    # the mask fixes where pictures are cut; only the spot is drawn in red
    add_entry(
        tmp_path / "qc", image, [("canal", mask), ("cord", spot)], process="p", command_line="p"
    )
    page = visit(tmp_path / "qc")
    page.settle()
    page.press("o", "m")
    page.all("#layers button")[0].click()
    page.js("QC.viewer.goToIndex(arguments[0])", int(index[axis]))
    assert page.slice_label() == f"{'xyz'[axis]} = {index[axis]}"
    pixels = page.pixels("#frame .picture")
    found = np.argwhere((pixels[..., 0] - pixels[..., 1] > 60) & (pixels[..., 0] > 120))
    assert len(found) > 20
    row, column = found.mean(axis=0) / pixels.shape[:2]
    assert column < 0.5, "the patient's right is on the left"
    assert row < 0.5, "the patient's front is at the top"
    # what the page says about the point under the pointer
    voxel = page.js(
        "return QC.tiles.voxelAt(QC.viewer.view, QC.viewer.tile, arguments[0], arguments[1])",
        float(column), float(row),
    )  # fmt: skip
    assert voxel == index.tolist()
    # and the slices beside it do not show it
    page.press(PAGE_DOWN)
    assert page.red("#frame .picture") == 0


def test_position_is_linked_in_overview_chart_and_slice(report, visit):
    from selenium.webdriver import ActionChains

    page = visit(report)
    page.choose("sub-01")
    page.press("m")
    picture = page.find("#overview .picture")
    ActionChains(page.driver).move_to_element_with_offset(
        picture, 0, round(picture.size["height"] * 0.2)
    ).click().perform()
    # 48 rows: 0.7 of the height from the top is row 33 of slices that count from the head
    assert page.slice_label() in ("z = 33", "z = 34")
    top = page.js("return parseFloat(document.querySelector('.marker').style.top)")
    assert top == pytest.approx(70, abs=2)
    chart = page.find("#chart svg")
    ActionChains(page.driver).move_to_element(chart).click().perform()
    label = int(page.slice_label().split("=")[1])
    assert label == pytest.approx(24, abs=2)
    area = float(page.text(".readout"))
    counts = page.js("return QC.viewer.detail.measures")
    assert area == pytest.approx(
        counts["values"]["area_mm2"][counts["slices"].index(label)], rel=0.01
    )


def test_several_measures_can_be_chosen(report, visit):
    page = visit(report)
    page.choose("sub-05")
    page.js("QC.viewer.goToIndex(20)")
    assert page.text(".readout") == "90.0"
    assert page.text("#chart option") == "CSA (mm²)"
    page.find("#chart select").send_keys(DOWN)
    assert page.text(".readout") == "8.00"


def test_flags_are_seen_in_table_mosaic_slice_and_side(report, visit, hostile):
    page = visit(report)
    page.choose("sub-02")
    row = page.find("tr[aria-current] .flag")
    assert row.text == "leak +1"
    flagged = page.js(
        "return [...document.querySelectorAll('.tile.flagged .number')].map((n) => n.textContent)"
    )
    assert sorted(map(int, flagged)) == [20, 21, 22, 30, 31]
    assert len(page.all("#overview .flag-tick")) == 2
    assert len(page.all("#chart .band")) == 2
    assert [item.text for item in page.all("#flags .jump")] == ["30–31", "20–22"]
    page.all("#flags .jump")[1].click()
    assert page.slice_label() == "z = 20"
    assert "gap: cord has no voxel" in page.text("#slice-flags")
    page.click("[data-filter=flagged]")
    assert set(page.js("return QC.table.visible.map((e) => e.subject)")) == {"sub-02", hostile}


def test_names_of_labels_stand_beside_the_picture(report, visit):
    page = visit(report)
    page.choose("sub-03")
    page.press("m")
    page.settle()
    names = [mark.text for mark in page.all(".marks em")]
    assert names == ["C2-C3", "C3-C4"]
    picture = page.find("#frame .picture").rect
    for mark in page.all(".marks span"):
        assert mark.rect["x"] > picture["x"] + picture["width"]
    assert page.slice_label().startswith("along the cord: x ")
    page.press(PAGE_DOWN)
    assert page.slice_label().startswith("x = ")
    assert not page.visible("#overview")


def test_search_filter_and_sort(report, visit):
    page = visit(report)
    page.press("/")
    page.press(*"DEEPSEG t2")
    assert page.js("return QC.table.visible.map((e) => e.subject)") == ["sub-05"]
    page.press("f", "7", "?")
    assert page.find("#search").get_attribute("value") == "DEEPSEG t2f7?"
    assert page.text("#no-rows") == "No entry fits. Esc clears the search."
    page.press(ESCAPE)
    assert len(page.all("#rows tr")) == 5
    page.press(*"sub-0", DOWN, DOWN)
    assert page.subject() == "sub-02", "arrows go through the entries found while searching"
    page.press(ESCAPE, ESCAPE)
    page.click("th.col-subject button")
    subjects = page.js("return QC.table.visible.map((e) => e.subject)")
    assert subjects.index("sub-05") < subjects.index("sub-01")
    assert page.find("th.col-subject").get_attribute("aria-sort") == "descending"
    page.click("th.col-flags button")
    assert page.js("return QC.table.visible[0].subject") == "sub-02"


def test_help_theme_and_tile_size(report, visit):
    page = visit(report)
    page.choose("sub-01")
    page.press("?")
    assert page.visible("#help-dialog")
    listed = page.text("#keys")
    for key in ("PageUp", "Home", "F", "N", "U", "O", "/", "Esc"):
        assert key in listed
    page.press("f")
    assert page.rating()["verdict"] == "", "keys rest while the list is open"
    page.press(ESCAPE)
    assert not page.visible("#help-dialog")
    page.click("#help")
    page.click("#help-close")
    assert not page.visible("#help-dialog")
    width = page.find("#mosaic .tile").size["width"]
    page.press("+")
    assert page.find("#mosaic .tile").size["width"] > width
    page.click("#smaller")
    page.press("-")
    assert page.find("#mosaic .tile").size["width"] < width
    page.click("#larger")
    theme = page.js("return document.documentElement.dataset.theme")
    page.click("#theme")
    other = page.js("return document.documentElement.dataset.theme")
    assert {theme, other} == {"dark", "light"}
    page.open()
    assert page.js("return document.documentElement.dataset.theme") == other, "kept"
