"""The page in a real browser: window and zoom, flicker, slices rated, methods compared, 3D."""

from __future__ import annotations

import numpy as np
import pytest

from spinetools.image import Image
from spinetools.qc import add_entry

pytestmark = pytest.mark.browser

#: Of the image in conftest.
SPACING_MM = (1.0, 0.8, 2.0)

DOWN, RIGHT, SHIFT, ESCAPE, SPACE = "\ue015", "\ue014", "\ue008", "\ue00c", " "
HOME, PAGE_DOWN = "\ue011", "\ue00f"


@pytest.fixture(scope="module")
def methods(tmp_path_factory, ras):
    """One image, four results: two methods cut differently, one with other options, and a rerun."""
    folder = tmp_path_factory.mktemp("methods") / "qc"
    image, mask = (each.reorient(tuple("LPI")) for each in ras)
    image = Image(image.data, image.space, path=folder.parent / "sub-01_T2w.nii.gz")

    def add(process: str, data: np.ndarray, options: str = "", name: str = "cord") -> None:
        add_entry(
            folder,
            image,
            [(name, image.like(data.astype(np.uint8)))],
            process=process,
            command_line=f"{process} -i sub-01_T2w.nii.gz -c t2{options}",
            subject="sub-01",
            dataset="study",
        )

    # shifted by two voxels to the left and lower by one: another cut, other voxels
    moved = np.roll(mask.data, (2, 1), axis=(0, 1))
    add("st_propseg", mask.data)
    add("st_deepseg_sc", moved)
    add("st_deepseg_sc", mask.data, " -thr 0.4")
    add("st_deepseg_sc", moved)
    return folder, mask.data, moved


def drag(page, selector: str, dx: int, dy: int, key: str = "") -> None:
    from selenium.webdriver import ActionChains

    actions = ActionChains(page.driver)
    if key:
        actions = actions.key_down(key)
    actions = actions.click_and_hold(page.find(selector)).move_by_offset(dx // 2, dy // 2)
    actions = actions.move_by_offset(dx - dx // 2, dy - dy // 2).release()
    if key:
        actions = actions.key_up(key)
    actions.perform()


# -- how a picture is looked at -------------------------------------------------------------------


def test_dragging_changes_window_and_level_of_every_picture(report, visit):
    page = visit(report)
    page.choose("sub-01")
    page.press("m", RIGHT)
    before = page.pixels("#frame .picture")
    drag(page, "#viewport", 0, -60)
    brighter = page.pixels("#frame .picture")
    assert brighter.mean() > before.mean() + 10
    assert page.visible("#lens-reset")
    assert "level" in page.text("#lens-reset")
    drag(page, "#viewport", 0, 60)
    drag(page, "#viewport", 90, 0)
    contrast = page.pixels("#frame .picture")
    assert contrast.std() > before.std() + 10
    mosaic = page.js("return getComputedStyle(document.querySelector('.kind-image')).filter")
    assert "window" in mosaic
    page.press("r")
    assert not page.visible("#lens-reset")
    assert np.abs(page.pixels("#frame .picture") - before).max() <= 1
    page.press("h", "h", "b")
    assert page.visible("#lens-reset")
    page.press("l", "l", "d")
    assert page.js("return [QC.lens.window, QC.lens.level]") == pytest.approx([1, 0.5])


def test_zoom_and_pan_keep_the_voxel_under_the_pointer(report, visit):
    page = visit(report)
    page.choose("sub-01")
    page.press("m")
    size = page.find("#viewport").size
    page.press("+")
    assert page.js("return QC.lens.zoom") == pytest.approx(1.5)
    assert page.find("#frame .picture").size["width"] == pytest.approx(1.5 * size["width"], abs=2)
    assert page.find("#viewport").size == size
    page.js(
        "QC.lens.frame.dispatchEvent(new WheelEvent('wheel', {deltaY: -120, shiftKey: true,"
        " bubbles: true, cancelable: true, clientX: arguments[0], clientY: arguments[1]}))",
        page.find("#viewport").rect["x"] + 10,
        page.find("#viewport").rect["y"] + 10,
    )
    zoom, x, y = page.js("return [QC.lens.zoom, QC.lens.x, QC.lens.y]")
    assert zoom > 2.5
    assert x < 0.4
    assert y < 0.4
    drag(page, "#viewport", -40, 0, SHIFT)
    assert page.js("return QC.lens.x") == pytest.approx(x + 40 / size["width"] / zoom, abs=0.01)
    assert page.js("return QC.lens.window") == 1, "Shift and drag moves, and changes no window"
    from selenium.webdriver import ActionChains

    ActionChains(page.driver).key_down(SHIFT).send_keys(RIGHT).key_up(SHIFT).perform()
    assert page.js("return QC.lens.x") > x + 40 / size["width"] / zoom
    assert page.js("return QC.viewer.overlay"), "Shift and an arrow toggles nothing"
    ActionChains(page.driver).double_click(page.find("#viewport")).perform()
    assert page.js("return QC.lens.zoom") == 1


def test_a_held_arrow_flickers_and_space_hides_for_as_long(report, visit):
    page = visit(report)
    page.choose("sub-01")
    page.press("m")
    seen = page.driver.execute_async_script(
        """
        const done = arguments[0];
        const key = (type, repeat) => document.body.dispatchEvent(new KeyboardEvent(type,
          { key: "ArrowRight", repeat, bubbles: true, cancelable: true }));
        const shown = () => getComputedStyle(document.querySelector("#frame .overlay")).visibility;
        const seen = [];
        key("keydown", false);
        key("keydown", true);
        key("keydown", true);
        const watch = setInterval(() => seen.push(shown()), 20);
        setTimeout(() => {
          clearInterval(watch);
          key("keyup", false);
          done([seen.filter((s, i) => i > 0 && s !== seen[i - 1]).length, shown()]);
        }, 1000);
        """
    )
    assert seen[0] >= 3, "on and off several times a second"
    assert seen[1] == "visible", "as before it was pressed"
    held = page.js(
        """
        const shown = () => getComputedStyle(document.querySelector("#frame .overlay")).visibility;
        const key = (type) => document.body.dispatchEvent(new KeyboardEvent(type,
          { key: " ", bubbles: true, cancelable: true }));
        key("keydown");
        const during = shown();
        key("keyup");
        return [during, shown()];
        """
    )
    assert held == ["hidden", "visible"]
    # on a button, Space presses it
    page.find("#view-mosaic").send_keys(SPACE)
    assert page.visible("#mosaic")


def test_a_structure_under_the_pointer_is_named(report, visit):
    from selenium.webdriver import ActionChains

    page = visit(report)
    page.choose("sub-01")
    page.press("m")
    page.js("QC.viewer.goToIndex(20)")
    picture = page.find("#viewport")
    ActionChains(page.driver).move_to_element(picture).perform()
    page.wait("return !document.getElementById('tip').hidden")
    assert page.text("#tip") == "cord"
    assert page.text("#slice-label span").startswith("voxel ")
    ActionChains(page.driver).move_to_element_with_offset(
        picture, round(picture.size["width"] * -0.45), 0
    ).perform()
    page.wait("return document.getElementById('tip').hidden")


# -- verdicts and notes on slices -----------------------------------------------------------------


def test_a_slice_has_a_verdict_and_a_note_of_its_own(report, visit):
    page = visit(report)
    page.choose("sub-01")
    page.press("m", HOME, PAGE_DOWN, PAGE_DOWN)
    assert page.slice_label() == "z = 3"
    from selenium.webdriver import ActionChains

    for letter in "ffn":
        ActionChains(page.driver).key_down(SHIFT).send_keys(letter).key_up(SHIFT).perform()
    page.press(*"<i>leak</i> 7", ESCAPE)
    rating = page.rating()
    assert rating["verdict"] == "", "the case is not rated"
    assert rating["score"] is None
    assert rating["slices"]["3"]["verdict"] == "fail"
    assert rating["slices"]["3"]["note"] == "<i>leak</i> 7"
    page.press(PAGE_DOWN)
    assert page.find("#slice-note").get_attribute("value") == ""
    assert [button.text for button in page.all("#slices-said button")] == ["3"]
    page.open()
    page.choose("sub-01")
    page.js("QC.viewer.setView('mosaic')")
    said = page.all("#mosaic .tile.said")
    assert [(tile.text, tile.get_attribute("data-verdict")) for tile in said] == [("3", "fail")]
    page.click("#slices-said button")
    page.js("QC.viewer.setView('slice')")
    assert page.slice_label() == "z = 3"
    page.click("#slice-verdicts [data-verdict=fail]")
    assert page.rating()["slices"]["3"]["verdict"] == ""
    record = page.js("return JSON.parse(QC.exports.json()).ratings[0]")
    assert record["slices"]["3"]["note"] == "<i>leak</i> 7"
    assert page.js("return QC.exports.tsv()").splitlines()[2].endswith("\t3")


def test_the_newer_word_on_each_slice_counts(report, visit):
    page = visit(report)
    merged = page.js(
        """
        const said = (verdict, updated) => ({ verdict, note: "", updated });
        const one = QC.ratings.clean({ verdict: "pass", updated: "2026-03",
          slices: { 4: said("fail", "2026-03"), 5: said("pass", "2026-01") } });
        const two = QC.ratings.clean({ verdict: "fail", updated: "2026-02", slices: {
          5: said("artifact", "2026-02"), 6: said("fail", "2026-02"), x: said("fail", "") } });
        return QC.ratings.merge(one, two);
        """
    )
    assert merged["verdict"] == "pass"
    verdicts = {index: said["verdict"] for index, said in merged["slices"].items()}
    assert verdicts == {"4": "fail", "5": "artifact", "6": "fail"}


# -- several results on one image -----------------------------------------------------------------


def open_methods(page) -> None:
    page.choose("sub-01", "st_propseg")
    page.js("QC.viewer.setView('methods')")
    page.wait("return QC.methods.all.length >= 3 && QC.methods.panels.length > 0")
    page.js("QC.viewer.goToIndex(20)")
    page.driver.execute_async_script("setTimeout(arguments[0], 150)")


def test_methods_of_one_image_are_shown_side_by_side_and_over_each_other(methods, visit):
    page = visit(methods[0])
    open_methods(page)
    labels = [chip.text for chip in page.all("#methods-chips button")]
    assert labels[0] == "st_propseg · cord"
    assert "st_deepseg_sc · -thr 0.4" in labels
    # the rerun of the same command is told apart by its time
    assert sum(label.startswith("st_deepseg_sc") for label in labels) == 3
    assert len(set(labels)) == 4
    assert len(page.all("#panels .panel")) == 4
    assert "mm²" in page.text("#panels figcaption")
    page.all("#methods-chips button")[1].click()
    assert len(page.all("#panels .panel")) == 3
    page.press("c")
    assert len(page.all("#panels .panel")) == 1
    assert len(page.all("#panels canvas")) == 3
    assert page.errors() == []


def test_the_area_of_every_method_is_drawn_and_written(tmp_path, visit, ras):
    image, mask = (each.reorient(tuple("LPI")) for each in ras)
    areas = dict.fromkeys(range(10, 30), 60.0)
    measures = {"csa_mm2": areas, "csa_mm2:b": dict.fromkeys(range(10, 29), 80.0)}
    add_entry(tmp_path / "qc", image, [("a", mask), ("b", mask)], process="st_compare",
              command_line="st_compare", subject="s", measures=measures)  # fmt: skip
    page = visit(tmp_path / "qc")
    page.settle()
    page.js("QC.viewer.setView('slice'); QC.viewer.goToIndex(20)")
    head = "#chart .chart-head"
    assert [page.text(f"{head} {each}") for each in (".method-name", ".method-name ~ span")] == [
        "a60.0", "b80.0",
    ]  # fmt: skip
    colours = page.js(
        "return [...document.querySelectorAll('#chart .curve')].map((e) => e.style.stroke)"
    )
    assert len(set(colours)) == 2
    # one measure, not two, and what is not there is not made up
    assert not page.all("#chart select")
    page.js("QC.viewer.goToIndex(29)")
    assert page.text(f"{head} .method-name ~ span") == "b–"
    page.press("c")
    page.js("QC.settings.set('arrangement', 'side'); QC.methods.draw(); QC.viewer.goToIndex(20)")
    page.wait("return document.querySelectorAll('.panel figcaption b').length === 2")
    assert [each.text for each in page.all(".panel figcaption b")] == ["60.0 mm²", "80.0 mm²"]
    # of one entry, the names of its layers say enough
    assert [each.text for each in page.all(".panel figcaption em")] == ["a", "b"]


def test_the_difference_of_two_methods_is_what_the_voxels_say(methods, visit):
    folder, mask, moved = methods
    page = visit(folder)
    open_methods(page)
    page.click("#arrange-difference")
    page.driver.execute_async_script("setTimeout(arguments[0], 300)")
    page.wait("return document.querySelector('.dice').textContent.includes('Dice')")
    second = page.js("return QC.methods.all[QC.methods.pair[1]].entry.command_line")
    other = mask if "-thr" in second else moved
    if "-thr" in second:
        page.js("QC.methods.pair[1] = 2; QC.methods.draw()")
        page.wait("return document.querySelector('.dice').textContent.includes('Dice')")
        other = moved
    both = (mask > 0) & (other > 0)
    here = (mask > 0)[..., 20].sum() + (other > 0)[..., 20].sum()
    differ = (here - 2 * both[..., 20].sum()) * SPACING_MM[0] * SPACING_MM[1]
    dice = 2 * both.sum() / ((mask > 0).sum() + (other > 0).sum())
    words = page.text(".dice")
    assert f"Dice {2 * both[..., 20].sum() / here:.3f} here" in words
    assert f"{dice:.3f} in all" in words
    assert f"({differ:.1f} mm² differ)" in words
    # red and blue where one alone is: as many pixels as voxels, in shares of the picture
    pixels = page.pixels("#panels .picture")
    red = (pixels[..., 0] - pixels[..., 2] > 70).sum()
    blue = (pixels[..., 2] - pixels[..., 0] > 70).sum()
    view = page.js("return QC.methods.all[0].view.size")
    per_voxel = pixels.shape[0] * pixels.shape[1] / (view[0] * view[1])
    only = ((mask > 0) & ~(other > 0))[..., 20].sum()
    assert red / per_voxel == pytest.approx(only, rel=0.15)
    assert blue / per_voxel == pytest.approx(only, rel=0.15)


def test_another_cut_is_laid_over_by_its_voxels(methods, visit):
    """The moved mask is cut two voxels further to the left; it is drawn where its voxels are."""
    page = visit(methods[0])
    open_methods(page)
    found = page.js(
        """
        const [one, ...others] = QC.methods.all;
        const other = others.find((each) => !each.entry.command_line.includes("thr"));
        QC.methods.off = new Set(QC.methods.all.filter((m) => m !== other).map((m) => m.label));
        QC.methods.draw();
        const tile = other.view.indices.indexOf(20);
        return [one.view.origins[QC.viewer.tile], other.view.origins[tile]];
        """
    )
    assert found[0] != found[1], "the test needs two cuts"
    page.press("o") if page.js("return QC.settings.values.style") == "outline" else None
    page.driver.execute_async_script("setTimeout(arguments[0], 300)")
    pixels = page.pixels("#panels .picture")
    canvas = np.abs(pixels - pixels.mean(axis=2, keepdims=True)).max(axis=2) > 30
    rows, columns = np.argwhere(canvas).mean(axis=0) / canvas.shape
    expected = np.argwhere(methods[2][..., 20]).mean(axis=0)  # x from the left, y from the front
    start = page.js("return QC.methods.all[0].view.origins[QC.viewer.tile]")
    steps, size = page.js("const v = QC.methods.all[0].view; return [v.steps, v.size]")
    assert (columns * size[1] - 0.5) * steps[1] + start[1] == pytest.approx(expected[0], abs=0.4)
    assert (rows * size[0] - 0.5) * steps[0] + start[0] == pytest.approx(expected[1], abs=0.4)


def test_a_result_alone_says_where_others_would_be(report, visit):
    page = visit(report)
    page.choose("sub-01")
    page.press("c")
    page.wait("return !document.getElementById('methods-none').hidden")
    page.press(DOWN)
    page.wait("return QC.methods.entry === QC.table.current")


# -- in space -------------------------------------------------------------------------------------


def test_the_3d_view_is_loaded_when_asked_for_and_shows_the_surface(report, visit):
    page = visit(report)
    page.choose("sub-01")
    assert not any("niivue" in name for name in page.requested())
    page.press("v")
    page.wait(
        "return document.getElementById('space-message').hidden && QC.space.meshes.length === 1",
        seconds=30,
    )
    requested = page.requested()
    assert any("niivue" in name for name in requested)
    assert all(name.startswith(("file://", "data:", "blob:")) for name in requested)
    # where the mask is, in mm, to half a voxel of smoothing
    box = page.js(
        """
        const points = QC.space.meshes[0][1].pts;
        const range = (axis) => { const all = [...points].filter((_, i) => i % 3 === axis);
          return [Math.min(...all), Math.max(...all)]; };
        return [0, 1, 2].map(range);
        """
    )
    assert box[2][1] - box[2][0] == pytest.approx(36 * SPACING_MM[2], abs=2 * SPACING_MM[2])
    assert box[2][0] == pytest.approx(5 + 6 * SPACING_MM[2], abs=2 * SPACING_MM[2])
    assert page.red("#space-canvas") > 300
    page.press(RIGHT)
    assert page.red("#space-canvas") < 30
    page.press(RIGHT)
    page.click("#space-all")
    page.press(PAGE_DOWN)
    page.press("v")
    assert page.visible("#single")
    severe = [text for text in page.errors() if "WebGL" not in text and "GL Driver" not in text]
    assert severe == []


def test_an_entry_without_voxels_says_so(report, visit, tmp_path):
    import shutil

    place = tmp_path / "qc"
    shutil.copytree(report, place)
    next(place.glob("img/study/sub-01/*/volume.js")).unlink()
    page = visit(place)
    page.choose("sub-01")
    page.press("v")
    page.wait("return document.getElementById('space-message').textContent.includes('No 3D view')")
    page.press("m")
    assert page.visible("#single")
