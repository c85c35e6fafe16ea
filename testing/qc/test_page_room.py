"""The page in a real browser: what there is room for, and what is not covered or cut off."""

from __future__ import annotations

import pytest

from spinetools.image import Image
from spinetools.qc import Flag, add_entry

pytestmark = pytest.mark.browser


def test_the_table_has_room_for_what_tells_rows_apart(tmp_path, visit, ras):
    """Not the subject, the data set and the ending again in every row."""
    image, mask = ras
    for name, dataset in (("sub-01_acq-ax_T2w", "study"), ("scan", "study")):
        named = Image(image.data, image.space, path=tmp_path / f"{name}.nii.gz")
        add_entry(tmp_path / "qc", named, [("cord", mask)], process="p", subject=name.split("_")[0],
                  command_line=name, dataset=dataset)  # fmt: skip
    page = visit(tmp_path / "qc")
    lines = (
        "return [...document.querySelectorAll('.col-subject .sub-line')].map(e => e.textContent)"
    )
    assert page.js(lines) == ["", "acq-ax_T2w"]
    # from where they are has to be said once there are several
    add_entry(tmp_path / "qc", image, [("cord", mask)], process="p", subject="sub-02",
              command_line="x", dataset="other")  # fmt: skip
    page.open()
    assert page.js(lines) == ["other", "study", "acq-ax_T2w · study"]


def test_a_long_command_keeps_to_its_box(tmp_path, visit, ras):
    image, mask = ras
    line = "st_compare -i " + " ".join(f"file_{n}.nii.gz" for n in range(90))
    add_entry(tmp_path / "qc", image, [("cord", mask)], process="p", command_line=line)
    page = visit(tmp_path / "qc")
    box = page.js(
        "const e = document.querySelector('#details .command code');"
        "return [e.clientHeight, e.scrollHeight, getComputedStyle(e).overflowY]"
    )
    assert box[0] <= 144 < box[1]
    assert box[2] == "auto"


def test_the_search_does_not_find_what_a_command_was_also_run_on(tmp_path, visit, ras):
    image, mask = ras
    line = "st_compare -i sub-01_T2w.nii.gz sub-02_T2w.nii.gz -s a=sub-01_a.nii.gz sub-02_a.nii.gz"
    for name in ("sub-01", "sub-02"):
        named = Image(image.data, image.space, path=tmp_path / f"{name}_T2w.nii.gz")
        add_entry(tmp_path / "qc", named, [("cord", mask)], process="st_compare", subject=name,
                  command_line=f"{line} -qc-entries 1")  # fmt: skip
    page = visit(tmp_path / "qc")
    page.press("/", *"02_t2w entries")
    assert page.js("return QC.table.visible.map((entry) => entry.subject)") == ["sub-02"]


def test_flags_at_an_end_do_not_cover_the_numbers_of_the_chart(tmp_path, visit, ras):
    image, mask = ras
    add_entry(tmp_path / "qc", image, [("cord", mask)], process="p", command_line="p",
              flags=[Flag("leak", "here", (6, 7, 40, 41))])  # fmt: skip
    page = visit(tmp_path / "qc")
    page.settle()
    left, right, bands = page.js(
        "const box = (e) => e.getBoundingClientRect();"
        "const lines = [...document.querySelectorAll('#chart .gridline')].map(box);"
        "const bands = [...document.querySelectorAll('#chart .band')].map(box);"
        "return [lines[0].left, lines[0].right, bands.map((b) => [b.left, b.right])]"
    )
    assert len(bands) == 2
    assert all(left - 1 <= a < b <= right + 1 for a, b in bands)


@pytest.mark.parametrize("flagged", [False, True])
def test_zoom_in_words_stands_beside_the_picture(report, visit, flagged):
    page = visit(report)
    page.choose("sub-02" if flagged else "sub-01")
    page.press("m")
    page.js("QC.viewer.goToIndex(30)")
    page.press("+", "h")
    overlap = page.js(
        "const [a, b] = ['#lens-reset', '#viewport']"
        ".map((each) => document.querySelector(each).getBoundingClientRect());"
        "return a.width > 0 && a.right > b.left && a.left < b.right && a.bottom > b.top"
        " && a.top < b.bottom"
    )
    assert page.visible("#lens-reset")
    assert not overlap
    if flagged:
        first = page.js(
            "const [a, b] = ['#lens-reset', '#slice-flags .flag']"
            ".map((each) => document.querySelector(each).getBoundingClientRect());"
            "return [b.right, a.left]"
        )
        assert first[0] < first[1]


def test_tools_stay_in_one_row_on_a_laptop(report, visit):
    """Filled overlays bring a slider: the picture below does not move for it."""
    page = visit(report)
    page.choose("sub-02")
    metrics = {"width": 1366, "height": 768, "deviceScaleFactor": 1, "mobile": False}
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        page.press("m")
        heights = []
        for style in ("fill", "outline"):
            page.js("QC.viewer.setStyle(arguments[0])", style)
            heights.append(page.js("return document.querySelector('.tools').offsetHeight"))
        assert heights[0] == heights[1] < 40
    finally:
        page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_a_long_reason_pushes_the_picture_and_covers_nothing(tmp_path, visit, ras):
    image, mask = ras
    reason = "the surface bulges by 5.1 mm, much more than in the slices around; " * 4
    add_entry(tmp_path / "qc", image, [("cord", mask)], process="p", command_line="p",
              flags=[Flag("leak", reason, (20,))])  # fmt: skip
    page = visit(tmp_path / "qc")
    page.settle()
    page.js("QC.viewer.setView('slice'); QC.viewer.goToIndex(30)")
    page.js("QC.viewer.goToIndex(20)")
    places = (
        "const box = (e) => document.querySelector(e).getBoundingClientRect();"
        "return [box('#slice-flags .flag').bottom, box('#frame .letter.n').top,"
        " box('#frame .letter.s').bottom, box('#under').top]"
    )
    page.wait(f"const [a, b, c, d] = (() => {{ {places} }})(); return a <= b && c <= d;")
