"""Ratings in a real browser: given by key and button, kept, exported, imported."""

from __future__ import annotations

import json
import time

import pytest

from spinetools.image import Image
from spinetools.qc import add_entry
from spinetools.qc.ratings import import_ratings

pytestmark = pytest.mark.browser

DOWN, ESCAPE = "\ue015", "\ue00c"


@pytest.fixture
def cases(tmp_path, ras):
    """Three subjects; returns the report and a function that runs the command again for one."""
    folder = tmp_path / "qc"

    def again(subject: str, options: str = "") -> str:
        named = Image(ras[0].data, ras[0].space, path=tmp_path / f"{subject}_T2w.nii.gz")
        return add_entry(
            folder,
            named,
            [("cord", ras[1])],
            process="st_propseg",
            command_line=f"st_propseg -i {subject}_T2w.nii.gz -c t2 {options}",
            subject=subject,
        )

    for subject in ("sub-01", "sub-02", "sub-03"):
        again(subject)
    return folder, again


def saved(page, name: str) -> str:
    """A file that the page saved; removed once read."""
    path = page.driver.downloads / name
    for _ in range(200):
        if path.exists() and path.stat().st_size > 0:
            break
        time.sleep(0.02)
    text = path.read_text(encoding="utf-8")
    path.unlink()
    return text


def export(page, which: str) -> None:
    page.click("#export")
    page.click(f"#export-{which}")


def test_f_cycles_the_verdict_and_digits_score(cases, visit):
    page = visit(cases[0])
    seen = []
    for _ in range(5):
        seen.append(page.rating()["verdict"])
        page.press("f")
    assert seen == ["", "pass", "fail", "artifact", ""]
    page.press("7")
    assert page.rating()["score"] == 7
    assert page.find("tr[aria-current] .score").text == "7"
    page.press("0")
    assert page.rating()["score"] == 0
    page.press("0")
    assert page.rating()["score"] is None
    assert page.all("tr[aria-current] .score") == []


def test_buttons_rate_too_and_a_second_click_takes_it_back(cases, visit):
    page = visit(cases[0])
    for verdict in ("pass", "fail", "artifact"):
        page.click(f"[data-verdict={verdict}]")
        assert page.rating()["verdict"] == verdict
        pressed = page.find(f"[data-verdict={verdict}]").get_attribute("aria-pressed")
        assert pressed == "true"
        assert verdict in page.find("tr[aria-current] .badge").get_attribute("class")
    page.click("[data-verdict=artifact]")
    assert page.rating()["verdict"] == ""
    page.click("[data-score='4']")
    assert page.rating()["score"] == 4
    page.click("[data-score='4']")
    assert page.rating()["score"] is None


def test_a_note_is_written_without_waking_keys(cases, visit):
    page = visit(cases[0])
    page.press("n", *"fail? 7/ <b>x</b>", ESCAPE)
    assert page.rating()["note"] == "fail? 7/ <b>x</b>"
    assert page.rating()["verdict"] == ""
    assert page.rating()["score"] is None
    # Esc left the note: keys work again
    page.press("f")
    assert page.rating()["verdict"] == "pass"
    page.press(DOWN)
    assert page.find("#note").get_attribute("value") == ""


def test_ratings_survive_a_reload(cases, visit):
    page = visit(cases[0])
    page.press("f", "f", "3", "n", *"low", ESCAPE, DOWN, "f")
    page.open()
    assert page.rating()["verdict"] == "fail"
    assert page.rating()["score"] == 3
    assert page.find("#note").get_attribute("value") == "low"
    assert page.text("#progress-text") == "2 of 3 rated"
    badges = [badge.get_attribute("class").strip() for badge in page.all("#rows .badge")]
    assert badges == ["badge fail", "badge pass", "badge"]
    assert page.js("return document.getElementById('progress-fail').style.width") != "0%"


def test_ratings_follow_the_case_when_the_command_is_run_again(cases, visit):
    folder, again = cases
    page = visit(folder)
    page.press("f", "f")
    assert not page.visible("#rating-hint")
    newest = again("sub-01", "-v 2")
    other = again("sub-01", "-radius 5")
    page.open()
    # the last run is shown, with its rating and a word that it is another run's
    assert page.js("return QC.table.visible.length") == 4
    page.js("QC.table.select(QC.entries.find((e) => e.id === arguments[0]))", newest)
    assert page.rating()["verdict"] == "fail"
    assert page.visible("#rating-hint")
    # other options are another case
    page.js("QC.table.select(QC.entries.find((e) => e.id === arguments[0]))", other)
    assert page.rating()["verdict"] == ""
    # the earlier run is there on demand
    page.click("#earlier")
    assert page.js("return QC.table.visible.length") == 5
    assert len(page.all("tr.earlier")) == 1
    page.click("#earlier")
    assert page.js("return QC.table.visible.length") == 4


def test_filters_and_the_next_entry_that_is_not_rated(cases, visit):
    page = visit(cases[0])
    page.press("f", "u")
    assert page.subject() == "sub-02"
    page.press("u")
    assert page.subject() == "sub-03"
    page.press("f", "f", "u")
    assert page.subject() == "sub-02", "and round"
    page.click("[data-filter=fail]")
    assert page.js("return QC.table.visible.map((e) => e.subject)") == ["sub-03"]
    page.click("[data-filter=unrated]")
    assert page.js("return QC.table.visible.map((e) => e.subject)") == ["sub-02"]
    page.press("f")
    assert len(page.all("#rows tr")) == 1, "a row stays until the table is filtered again"
    page.press("u")
    assert page.text("#toast") == "Every entry in the table is rated."


def test_export_lists_failed_inputs_as_batch_scripts_read_them(cases, visit):
    page = visit(cases[0])
    page.press("f", "f", DOWN, "f", DOWN, "f", "f", "f")
    export(page, "fail")
    assert saved(page, "qc_fail.yml") == (
        '# inputs rated "fail" in a spinetools QC report\nFILES_SEG:\n- sub-01_T2w.nii.gz\n'
    )
    export(page, "artifact")
    assert saved(page, "qc_artifact.yml").splitlines()[1:] == ["FILES_SEG:", "- sub-03_T2w.nii.gz"]
    export(page, "tsv")
    rows = [line.split("\t") for line in saved(page, "qc_ratings.tsv").splitlines()]
    assert rows[0][:5] == ["dataset", "subject", "process", "input", "verdict"]
    assert [(row[1], row[4]) for row in rows[1:]] == [
        ("sub-01", "fail"),
        ("sub-02", "pass"),
        ("sub-03", "artifact"),
    ]
    assert {len(row) for row in rows} == {10}


def test_an_export_of_nothing_is_valid(cases, visit):
    page = visit(cases[0])
    export(page, "fail")
    assert saved(page, "qc_fail.yml").splitlines()[1:] == ["{}"]


def test_exported_ratings_reach_everyone_through_the_report(cases, visit, open_browser):
    folder, _ = cases
    page = visit(folder)
    page.press("f", "f", "2", "n", *"leak", ESCAPE)
    export(page, "json")
    text = saved(page, "qc_ratings.json")
    assert json.loads(text)["ratings"][0]["input"].endswith("sub-01_T2w.nii.gz")
    (folder.parent / "qc_ratings.json").write_text(text)
    assert import_ratings(folder, folder.parent / "qc_ratings.json") == 1
    # somebody else: a browser that has never seen the report
    other = type(page)(open_browser(), folder)
    assert other.rating()["verdict"] == "fail"
    assert other.rating()["note"] == "leak"
    assert other.errors() == []
    # what they say later counts for them
    other.press("f")
    other.open()
    assert other.rating()["verdict"] == "artifact"


def test_the_page_imports_what_it_exported(cases, visit):
    folder, _ = cases
    page = visit(folder)
    page.press("f", "9")
    export(page, "json")
    path = folder.parent / "ratings.json"
    path.write_text(saved(page, "qc_ratings.json"))
    page.js("localStorage.clear()")
    page.open()
    assert page.rating()["score"] is None
    page.find("#import-file").send_keys(str(path))
    page.wait("return QC.ratings.get(QC.table.current.case).score === 9")
    assert page.rating()["verdict"] == "pass"
    path.write_text("no JSON")
    page.find("#import-file").send_keys(str(path))
    page.wait("return document.getElementById('toast').textContent.includes('Not an export')")


def test_a_browser_that_keeps_nothing_says_so(cases, visit):
    page = visit(cases[0])
    page.js("Storage.prototype.setItem = () => { throw new Error('QuotaExceededError'); }")
    page.press("f")
    assert "export your ratings" in page.text("#toast")
    assert page.rating()["verdict"] == "pass", "for as long as the page is open"
    page.press(DOWN, "\ue013")
    assert page.rating()["verdict"] == "pass"


def test_kept_rubbish_does_no_harm(cases, visit):
    page = visit(cases[0])
    page.js(
        "localStorage.setItem('spinetools-qc:rating:' + QC.table.current.case, '{\"verdict\": 3');"
        'localStorage.setItem(\'spinetools-qc:settings\', \'{"tile": "wide", "view": 7}\')'
    )
    page.open()
    assert page.rating()["verdict"] == ""
    assert page.errors() == []
    page.press("f")
    assert page.rating()["verdict"] == "pass"
