"""The page in a real browser: commands that open a slice to correct it, and before and after."""

from __future__ import annotations

import shlex

import numpy as np
import pytest

from spinetools.image import Image
from spinetools.qc import Flag, add_entry

pytestmark = pytest.mark.browser

#: Of the image in conftest.
SPACING_MM = (1.0, 0.8, 2.0)
HOME, PAGE_DOWN = "\ue011", "\ue00f"
#: A path that a shell, or a page, would take for something else.
PLACE = "it's <b>my $(study)"


@pytest.fixture(scope="module")
def runs(tmp_path_factory, ras):
    """A case that leaked and was corrected in slices 20 to 24, and a sound one."""
    place = tmp_path_factory.mktemp("runs") / PLACE
    place.mkdir()
    image, mask = (each.reorient(tuple("LPI")) for each in ras)

    def add(subject: str, data: np.ndarray, options: str = "", flags: tuple[Flag, ...] = ()):
        named = Image(image.data, image.space, path=place / f"{subject}.nii.gz")
        return add_entry(
            place / "qc",
            named,
            [("cord", image.like(data.astype(np.uint8)))],
            process="st_propseg",
            command_line=f"st_propseg -i {subject}.nii.gz -c t2{options}",
            subject=subject,
            flags=flags,
            files=[place / f"{subject}_seg.nii.gz"],
        )

    leaking = mask.data.copy()
    leaking[:, :, 20:25] |= np.roll(mask.data, 4, axis=0)[:, :, 20:25]
    leaking[:, :, 22] |= np.roll(mask.data, 6, axis=0)[:, :, 22]
    add("sub-01", leaking, flags=(Flag("leak", "wide", (20, 21, 22, 23, 24)),))
    add("sub-01", mask.data, " -mask-correction drawn.nii.gz")
    add("sub-02", mask.data)
    return place / "qc", leaking, mask.data


def copied(page) -> list[str]:
    """Keep what the page copies; returns what it has copied since."""
    page.js(
        """
        window.copied = [];
        Object.defineProperty(navigator, "clipboard", { configurable: true,
          value: { writeText: async (text) => { window.copied.push(text); } } });
        """
    )
    return []


def first_run(page) -> None:
    page.js("QC.table.select(QC.entries[0])")
    page.settle()
    page.press("m")


def test_a_flagged_slice_has_the_commands_that_open_it(runs, visit):
    folder, _, mask = runs
    page = visit(folder)
    copied(page)
    first_run(page)
    page.js("QC.viewer.goToIndex(10)")
    assert not page.visible("#correct-section"), "nothing is wrong with this slice"
    assert not page.all("#correct-here")
    page.js("QC.viewer.goToIndex(22)")
    assert page.visible("#correct-section")
    assert page.text("#correct-name") == "Correct slice z = 22"
    place = folder.parent
    words = shlex.split(page.text("#correct-fsleyes code"))
    voxel = [int(word) for word in words[2:5]]
    assert words[:2] == ["fsleyes", "-vl"]
    assert words[5:] == [
        f"{place}/sub-01.nii.gz", f"{place}/sub-01_seg.nii.gz", "-cm", "red", "-a", "50",
    ]  # fmt: skip
    assert voxel[2] == 22
    assert mask[tuple(voxel)], "the voxel is on the cord"
    assert shlex.split(page.text("#correct-itksnap code"))[:3] == [
        "itksnap", "-g", f"{place}/sub-01.nii.gz",
    ]  # fmt: skip
    assert page.text("#correct-cursor") == " ".join(str(v + 1) for v in voxel)
    assert page.text("#correct-file code") == f"{place}/sub-01_seg_corrected.nii.gz"
    assert shlex.split(page.text("#correct-rerun code"))[-2:] == [
        "-mask-correction", f"{place}/sub-01_seg_corrected.nii.gz",
    ]  # fmt: skip
    # each copies what it shows; so do the button over the picture and the key
    for name in ("fsleyes", "itksnap", "file", "rerun"):
        page.click(f"#correct-{name} .copy")
        assert page.js("return window.copied.pop()") == page.text(f"#correct-{name} code")
    page.press(PAGE_DOWN)
    page.click("#correct-here")
    assert shlex.split(page.js("return window.copied.pop()"))[4] == "23"
    page.js("document.activeElement.blur()")
    page.press(PAGE_DOWN, "e")
    assert shlex.split(page.js("return window.copied.pop()"))[4] == "24"
    assert page.errors() == []


def test_a_slice_that_was_judged_bad_has_them_too(runs, visit):
    page = visit(runs[0])
    copied(page)
    page.choose("sub-02")
    page.press("m")
    page.js("QC.viewer.goToIndex(15)")
    assert not page.visible("#correct-section")
    # any slice opens from the details, and with the key
    assert shlex.split(page.text("#viewer-commands code"))[4] == "15"
    page.press("e")
    assert shlex.split(page.js("return window.copied.pop()"))[4] == "15"
    page.js("QC.ratings.setSlice(QC.rail.entry, 15, { verdict: 'fail' })")
    assert page.visible("#correct-section")
    assert page.visible("#correct-here")
    page.press(PAGE_DOWN)
    assert not page.visible("#correct-section")
    page.press("f", "f")
    assert page.rating()["verdict"] == "fail"
    assert page.visible("#correct-section"), "the whole result failed"
    page.press("f", "f")
    assert not page.visible("#correct-section")


def test_before_and_after_a_correction(runs, visit):
    folder, leaking, mask = runs
    page = visit(folder)
    page.choose("sub-02")
    assert not page.visible("#runs-section"), "a case with one run"
    page.choose("sub-01")
    assert page.js("return QC.table.current.flags.length") == 0, "the last run is the one to see"
    buttons = page.all("#runs .run")
    assert [button.get_attribute("aria-pressed") for button in buttons] == ["false", "true"]
    assert [button.find_element("css selector", "em").text for button in buttons] == [
        "leak", "no flags",
    ]  # fmt: skip
    page.press("p")
    page.wait("return QC.methods.all.length === 2 && QC.methods.panels.length === 1")
    page.wait("return !document.getElementById('runs-changed').hidden")
    both = (leaking > 0) & (mask > 0)
    dice = [2 * both[..., k].sum() / ((leaking[..., k] > 0).sum() + (mask[..., k] > 0).sum())
            for k in range(20, 25)]  # fmt: skip
    words = page.text("#runs-changed")
    assert words == f"5 slices changed, most 22 (Dice {min(dice):.2f}):"
    assert [jump.text for jump in page.all("#runs-slices .jump")] == ["20–24"]
    assert page.slice_label() == "z = 22"
    assert page.text("#panels figcaption em") == "before, not after"
    page.wait("return document.querySelector('.dice').textContent.includes('Dice')")
    assert f"Dice {dice[2]:.3f} here" in page.text(".dice")
    # red is what went; nothing came
    page.driver.execute_async_script("setTimeout(arguments[0], 300)")
    pixels = page.pixels("#panels .picture")
    gone = (pixels[..., 0] - pixels[..., 2] > 70).sum()
    came = (pixels[..., 2] - pixels[..., 0] > 70).sum()
    view = page.js("return QC.methods.all[0].view.size")
    per_voxel = pixels.shape[0] * pixels.shape[1] / (view[0] * view[1])
    removed = ((leaking > 0) & ~(mask > 0))[..., 22].sum()
    assert gone / per_voxel == pytest.approx(removed, rel=0.2)
    assert came < per_voxel
    # the first run is one click away, and compares with the one after it
    buttons[0].click()
    page.settle()
    assert page.js("return QC.table.current.flags.length") == 1
    assert page.errors() == []


def test_ratings_stay_with_the_case_and_say_that_they_are_older(runs, visit):
    page = visit(runs[0])
    first_run(page)
    page.press("f", "f")
    page.js("QC.ratings.setSlice(QC.rail.entry, 22, { verdict: 'fail', note: 'leaks' })")
    page.choose("sub-01")
    assert page.js("return QC.table.current.flags.length") == 0
    assert page.rating()["verdict"] == "fail"
    assert page.text("#slices-said .jump") == "22"
    assert "another run" in page.text("#rating-hint")
    badge = page.find("tr[aria-current] .badge")
    assert "before" in badge.get_attribute("class").split()
    page.press("f", "f", "f")
    assert page.rating()["verdict"] == "pass"
    badge = page.find("tr[aria-current] .badge")
    assert "before" not in badge.get_attribute("class").split()
