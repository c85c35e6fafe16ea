"""Ratings in a report: import merges, export lists."""

from __future__ import annotations

import json

import pytest

from spinetools.errors import InputError
from spinetools.image import Image
from spinetools.qc import add_entry, read_entries
from spinetools.qc.ratings import export_ratings, import_ratings, read_ratings


@pytest.fixture
def report(tmp_path, ras):
    image, mask = ras
    for name in ("sub-01_T2w.nii.gz", "sub-02_T2w.nii.gz", "sub 03: #x.nii.gz"):
        add_entry(
            tmp_path / "qc",
            Image(image.data, image.space, path=tmp_path / name),
            [("cord", mask)],
            process="st_propseg",
            command_line=f"st_propseg -i {name}",
        )
    return tmp_path / "qc"


def case_of(report, name: str) -> str:
    return next(e["case"] for e in read_entries(report) if e["input"].endswith(name))


def exported(tmp_path, records, name="ratings.json"):
    path = tmp_path / name
    path.write_text(json.dumps({"format": 1, "ratings": records}))
    return path


def record(report, name, verdict, updated="2026-01-01T00:00:00.000Z", **more):
    return {"case": case_of(report, name), "verdict": verdict, "updated": updated, **more}


def test_failed_inputs_are_listed_as_batch_scripts_read_them(report, tmp_path):
    records = [
        record(report, "sub-01_T2w.nii.gz", "fail", score=2, note="a leak\tat C3\n- x: y"),
        record(report, "sub-02_T2w.nii.gz", "pass"),
        record(report, "sub 03: #x.nii.gz", "fail"),
    ]
    assert import_ratings(report, exported(tmp_path, records)) == 3
    lines = export_ratings(report, "yml").splitlines()
    assert lines[0].startswith("#")
    assert lines[1:] == ["FILES_SEG:", '- "sub 03: #x.nii.gz"', "- sub-01_T2w.nii.gz"]
    assert export_ratings(report, "yml", "artifact").splitlines()[1:] == ["{}"]
    table = [row.split("\t") for row in export_ratings(report, "tsv").splitlines()]
    assert {len(row) for row in table} == {10}
    assert len(table) == 4
    assert "a leak at C3 - x: y" in {row[6] for row in table}


@pytest.mark.parametrize("kind", ["json", "tsv"])
def test_an_export_is_read_back(report, tmp_path, kind):
    records = [record(report, "sub-01_T2w.nii.gz", "artifact", score=0, note="dark")]
    import_ratings(report, exported(tmp_path, records))
    before = read_ratings(report)
    path = tmp_path / f"again.{kind}"
    path.write_text(export_ratings(report, kind))
    (report / "ratings.js").unlink()
    assert import_ratings(report, path) == 1
    after = read_ratings(report)
    (case,) = before
    for name in ("verdict", "score", "note", "updated"):
        assert getattr(after[case], name) == getattr(before[case], name)


def test_the_newer_rating_of_a_case_counts(report, tmp_path):
    name = "sub-01_T2w.nii.gz"
    import_ratings(report, exported(tmp_path, [record(report, name, "fail", "2026-02-01")]))
    older = exported(tmp_path, [record(report, name, "pass", "2026-01-01")])
    assert import_ratings(report, older) == 0
    assert read_ratings(report)[case_of(report, name)].verdict == "fail"
    newer = exported(tmp_path, [record(report, name, "pass", "2026-03-01")])
    assert import_ratings(report, newer) == 1
    assert read_ratings(report)[case_of(report, name)].verdict == "pass"


def test_what_is_no_rating_is_left_out(report, tmp_path):
    name = "sub-01_T2w.nii.gz"
    strange = record(report, name, "<b>", score=77, note=5, extra="x")
    import_ratings(report, exported(tmp_path, [strange]))
    rating = read_ratings(report)[case_of(report, name)]
    assert rating.verdict == ""
    assert rating.score is None
    assert rating.note == "5"
    assert "<" not in (report / "ratings.js").read_text()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("r.json", "{"),
        ("r.json", "[]"),
        ("r.json", '{"ratings": 3}'),
        ("r.tsv", "a\tb\n1\t2\n"),
        ("r.yml", "FILES_SEG:\n- a.nii.gz\n"),
        ("missing.json", None),
    ],
)
def test_what_is_no_export_is_refused(report, tmp_path, name, text):
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=name):
        import_ratings(report, tmp_path / name)
    assert read_ratings(report) == {}


def test_a_damaged_file_is_put_aside(report, tmp_path, caplog):
    (report / "ratings.js").write_text("window.spinetoolsRatings = {oops")
    with pytest.raises(InputError, match="damaged"):
        read_ratings(report)
    records = [record(report, "sub-01_T2w.nii.gz", "fail")]
    assert import_ratings(report, exported(tmp_path, records)) == 1
    assert list(report.glob("ratings.damaged-*.js"))
    assert "is kept as" in caplog.text


@pytest.mark.parametrize("kind", ["json", "tsv"])
def test_ratings_of_slices_are_kept_and_read_back(report, tmp_path, kind):
    said = {"verdict": "fail", "note": "leak", "updated": "2026-01-02"}
    name = "sub-01_T2w.nii.gz"
    rated = record(report, name, "pass", slices={"7": said, "x": said, "8": {"verdict": "odd"}})
    import_ratings(report, exported(tmp_path, [rated]))
    rating = read_ratings(report)[case_of(report, name)]
    assert rating.slices[7].verdict == "fail"
    assert rating.slices[8].verdict == ""
    assert set(rating.slices) == {7, 8}
    path = tmp_path / f"again.{kind}"
    path.write_text(export_ratings(report, kind))
    (report / "ratings.js").unlink()
    assert import_ratings(report, path) == 1
    again = read_ratings(report)[case_of(report, name)]
    assert again.verdict == "pass"
    assert again.slices[7] == rating.slices[7]
    assert import_ratings(report, path) == 0, "nothing new"


def test_two_people_share_the_slices_of_a_case(report, tmp_path):
    name = "sub-01_T2w.nii.gz"

    def said(verdict: str, updated: str) -> dict[str, str]:
        return {"verdict": verdict, "note": "", "updated": updated}

    one = record(report, name, "pass", "2026-03-01", slices={
        "4": said("fail", "2026-03-01"), "5": said("pass", "2026-01-01")})  # fmt: skip
    two = record(report, name, "fail", "2026-02-01", slices={
        "5": said("artifact", "2026-02-01"), "6": said("fail", "2026-02-01")})  # fmt: skip
    import_ratings(report, exported(tmp_path, [one]))
    assert import_ratings(report, exported(tmp_path, [two])) == 1
    rating = read_ratings(report)[case_of(report, name)]
    assert rating.verdict == "pass"
    verdicts = {index: each.verdict for index, each in rating.slices.items()}
    assert verdicts == {4: "fail", 5: "artifact", 6: "fail"}


def test_a_case_with_only_slices_rated_is_exported(report, tmp_path):
    name = "sub-02_T2w.nii.gz"
    said = {"verdict": "artifact", "note": "", "updated": "2026-01-02"}
    import_ratings(report, exported(tmp_path, [record(report, name, "", slices={"3": said})]))
    rows = [row.split("\t") for row in export_ratings(report, "tsv").splitlines()[1:]]
    assert [(row[4], row[-1]) for row in rows] == [("n/a", "n/a"), ("artifact", "3")]
    assert export_ratings(report, "yml", "artifact").splitlines()[1:] == ["{}"]
