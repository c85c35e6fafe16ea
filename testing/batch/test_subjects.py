"""Which subjects a batch finds and chooses."""

from __future__ import annotations

from pathlib import Path

import pytest

from spinetools.batch.subjects import Selection, belongs, choose, find_subjects, slug
from spinetools.errors import InputError

SUBJECTS = ["sub-01/ses-01", "sub-01/ses-02", "sub-02", "sub-10"]


def make(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).mkdir(parents=True)
    return folder


def test_sessions_are_runs_of_their_own(tmp_path: Path) -> None:
    make(tmp_path, "sub-02/anat", "sub-01/ses-02", "sub-01/ses-01", "derivatives", "sub-03")
    (tmp_path / "sub-04.txt").touch()
    assert find_subjects(tmp_path) == ["sub-01/ses-01", "sub-01/ses-02", "sub-02", "sub-03"]
    assert find_subjects(tmp_path, ignore_sessions=True) == ["sub-01", "sub-02", "sub-03"]


def test_any_folders_without_a_prefix(tmp_path: Path) -> None:
    make(tmp_path, "Anna é", "b c", ".git")
    assert find_subjects(tmp_path, "") == ["Anna é", "b c"]


def test_a_link_to_a_folder_is_a_subject(tmp_path: Path) -> None:
    make(tmp_path, "elsewhere", "data")
    (tmp_path / "data" / "sub-01").symlink_to(tmp_path / "elsewhere")
    assert find_subjects(tmp_path / "data") == ["sub-01"]


@pytest.mark.parametrize(
    ("name", "message"),
    [("missing", "does not exist"), ("file", "is no folder"), ("empty", "begins with 'sub-'")],
)
def test_no_study(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "file").touch()
    make(tmp_path, "empty/other")
    with pytest.raises(InputError, match=message):
        find_subjects(tmp_path / name)


def test_two_subjects_must_not_share_a_log(tmp_path: Path) -> None:
    make(tmp_path, "sub-01/ses-01", "sub-01_ses-01")
    assert slug("sub-01/ses-01") == "sub-01_ses-01"
    with pytest.raises(InputError, match="would write the same log"):
        find_subjects(tmp_path)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Selection(), SUBJECTS),
        (Selection(include="0[12]"), SUBJECTS[:3]),
        (Selection(include="ses-02|10"), [SUBJECTS[1], SUBJECTS[3]]),
        (Selection(exclude="sub-01"), SUBJECTS[2:]),
        (Selection(include_list=("sub-01",)), SUBJECTS[:2]),
        (Selection(include_list=("ses-02", "sub-10")), [SUBJECTS[1], SUBJECTS[3]]),
        (Selection(include_list=("sub-01/ses-01",)), SUBJECTS[:1]),
        (Selection(exclude_list=("sub-01/ses-01", "sub-10/")), SUBJECTS[1:3]),
        (Selection(include="sub", include_list=("sub-02", "sub-10"), exclude="0$"), ["sub-02"]),
    ],
)
def test_choosing(wanted: Selection, expected: list[str]) -> None:
    chosen = choose(SUBJECTS, wanted)
    assert list(chosen.subjects) == expected
    assert {*chosen.subjects, *chosen.left_out} == set(SUBJECTS)


@pytest.mark.parametrize(
    ("name", "subject", "expected"),
    [
        ("sub-01_T2w.nii.gz", "sub-01", True),
        ("sub-01_T2w.nii.gz", "sub-01/ses-02", True),  # which session, the name does not say
        ("sub-01_ses-02_T2w.nii.gz", "sub-01/ses-02", True),
        ("sub-01_ses-01_T2w.nii.gz", "sub-01/ses-02", False),
        ("data/sub-01/anat/sub-01_T2w.nii", "sub-01", True),
        ("sub-010_T2w.nii.gz", "sub-01", False),
        ("sub-01.nii.gz", "sub-01", True),
        ("Anna_T2w.nii.gz", "Anna", True),
        ("sub-01", "sub-01/ses-02", True),
        ("sub-1", "sub-10", False),
    ],
)
def test_what_a_name_stands_for(name: str, subject: str, expected: bool) -> None:
    assert belongs(name, subject) is expected


#: As ``st_qc -export yml`` writes it.
EXPORTED = """\
# inputs rated "fail" in a spinetools QC report
FILES_CENTERLINE:
- sub-10_T1w.nii.gz
FILES_SEG:
- sub-02_T2w.nii.gz
- sub-10_T2w.nii.gz
"""


def test_lists_of_the_report(tmp_path: Path) -> None:
    pytest.importorskip("yaml")
    listed = tmp_path / "qc_fail.yml"
    listed.write_text(EXPORTED)
    assert choose(SUBJECTS, Selection(include_yml=listed)).subjects == ("sub-02", "sub-10")
    left = choose(SUBJECTS, Selection(exclude_yml=listed), script="st_propseg -i x.nii.gz")
    assert left.subjects == ("sub-01/ses-01", "sub-01/ses-02")
    assert left.left_out["sub-02"] == "-exclude-yml (sub-02_T2w.nii.gz)"
    assert not left.excluded_files


def test_a_script_may_leave_out_single_images(tmp_path: Path) -> None:
    pytest.importorskip("yaml")
    listed = tmp_path / "qc_fail.yml"
    listed.write_text(EXPORTED + "subjects: [sub-01/ses-01]\n")
    script = 'grep -qxF "$file" <<<"$EXCLUDE_FILES"'
    chosen = choose(SUBJECTS, Selection(exclude_yml=listed), script)
    assert chosen.subjects == ("sub-01/ses-02", "sub-02", "sub-10")
    assert chosen.excluded_files == {
        "sub-02": ("sub-02_T2w.nii.gz",),
        "sub-10": ("sub-10_T1w.nii.gz", "sub-10_T2w.nii.gz"),
    }


def test_a_report_without_failures_excludes_nobody(tmp_path: Path) -> None:
    pytest.importorskip("yaml")
    (tmp_path / "a.yml").write_text("# none\n{}\n")
    assert len(choose(SUBJECTS, Selection(exclude_yml=tmp_path / "a.yml")).subjects) == 4


@pytest.mark.parametrize(
    ("text", "message"),
    [("a: [1, 2]", "holds 1"), ("a: [", "is no YAML"), ("a: !!python/name:os.system", "no YAML")],
)
def test_wrong_lists(tmp_path: Path, text: str, message: str) -> None:
    pytest.importorskip("yaml")
    (tmp_path / "a.yml").write_text(text)
    with pytest.raises(InputError, match=message):
        choose(SUBJECTS, Selection(exclude_yml=tmp_path / "a.yml"))


def test_wrong_patterns_and_nothing_left() -> None:
    with pytest.raises(InputError, match="-include '\\(' is no regular expression"):
        choose(SUBJECTS, Selection(include="("))
    with pytest.raises(InputError, match="all 4 subjects are left out"):
        choose(SUBJECTS, Selection(include="nobody"))


def test_names_of_nobody_are_said(caplog: pytest.LogCaptureFixture) -> None:
    choose(SUBJECTS, Selection(exclude_list=("sub-2", "sub-10")))
    assert caplog.messages == ["-exclude-list names what the study does not have: sub-2"]


#: Of a BIDS data set; sub-10 has none.
IMAGES = (
    "sub-01/ses-01/anat/sub-01_ses-01_run-1_T2w.nii.gz",
    "sub-01/ses-01/anat/sub-01_ses-01_run-2_T2w.nii.gz",
    "sub-01/ses-02/anat/sub-01_ses-02_T1w.nii.gz",
    "sub-02/anat/sub-02_T2w.nii.gz",
)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Selection(), {SUBJECTS[0]: IMAGES[:2], SUBJECTS[1]: IMAGES[2:3], "sub-02": IMAGES[3:]}),
        # a subject that fits has all its images
        (Selection(include="ses-01$"), {SUBJECTS[0]: IMAGES[:2]}),
        (Selection(include="run-2"), {SUBJECTS[0]: IMAGES[1:2]}),
        (
            Selection(include="T2w", exclude="run-2"),
            {SUBJECTS[0]: IMAGES[:1], "sub-02": IMAGES[3:]},
        ),
        (Selection(exclude="sub-01"), {"sub-02": IMAGES[3:]}),
        (Selection(exclude="T2w", include_list=("sub-01",)), {SUBJECTS[1]: IMAGES[2:3]}),
    ],
)
def test_choosing_images(wanted: Selection, expected: dict[str, tuple[str, ...]]) -> None:
    chosen = choose(SUBJECTS, wanted, images=IMAGES)
    assert chosen.images == expected
    assert chosen.subjects == tuple(expected)
    assert {*chosen.subjects, *chosen.left_out} == set(SUBJECTS)
    assert "no image" in chosen.left_out["sub-10"]


def test_images_that_were_rated_failures_are_left_out(tmp_path: Path) -> None:
    pytest.importorskip("yaml")
    listed = tmp_path / "qc_fail.yml"
    listed.write_text("FILES_SEG: [sub-01_ses-01_run-2_T2w.nii.gz, sub-02_T2w.nii.gz]\n")
    script = 'while read image; do …; done <<<"$SPINETOOLS_IMAGES"'
    chosen = choose(SUBJECTS, Selection(exclude_yml=listed), script, IMAGES)
    assert chosen.images == {SUBJECTS[0]: IMAGES[:1], SUBJECTS[1]: IMAGES[2:3]}
    assert chosen.left_out["sub-02"] == "-exclude-yml (all its images)"
    # any other script would not know which
    whole = choose(SUBJECTS, Selection(exclude_yml=listed), "st_propseg", IMAGES)
    assert whole.images == {SUBJECTS[1]: IMAGES[2:3]}


def test_a_list_that_holds_itself(tmp_path: Path) -> None:
    pytest.importorskip("yaml")
    (tmp_path / "a.yml").write_text("&a [*a]\n")
    with pytest.raises(InputError, match="nested without end"):
        choose(SUBJECTS, Selection(exclude_yml=tmp_path / "a.yml"))
