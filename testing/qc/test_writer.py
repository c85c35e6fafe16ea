"""Entries: what they hold, how large they are, and that names cannot do harm."""

from __future__ import annotations

import json
import logging
import string
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinetools.errors import InputError, OutputError, SpaceMismatch
from spinetools.image import Image, Space
from spinetools.image.orientation import ALL_CODES
from spinetools.qc import Flag, add_entry, read_entries
from spinetools.qc.entry import ID_PATTERN, case_key, export_key, folder_name, new_id, subject_of

HOSTILE = '<img src=x onerror="alert(1)">&"\'\u2028</script> ../../../etc\\..\\'


def add(folder, case, **more):
    image, mask = case
    settings = {"process": "st_propseg", "command_line": "st_propseg -i t2.nii.gz -c t2"} | more
    return add_entry(folder, image, [("cord", mask)], **settings)


def only_entry(folder) -> dict:
    (entry,) = read_entries(folder)
    return entry


def test_an_entry_holds_what_was_done(tmp_path, ras):
    image, mask = ras
    image = Image(image.data, image.space, path=Path("data/sub-01_T2w.nii.gz"))
    identity = add_entry(
        tmp_path,
        image,
        [("cord", mask)],
        process="st_propseg",
        command_line="st_propseg -i data/sub-01_T2w.nii.gz -c t2",
        dataset="study",
        contrast="t2",
        flags=[Flag("leak", "too wide", (11, 12))],
    )
    entry = only_entry(tmp_path)
    assert entry["id"] == identity
    assert ID_PATTERN.fullmatch(identity)
    assert entry["subject"] == "sub-01"
    assert entry["dataset"] == "study"
    assert entry["input"] == "data/sub-01_T2w.nii.gz"
    assert entry["flags"] == [{"kind": "leak", "reason": "too wide", "slices": [11, 12]}]
    assert [view["plane"] for view in entry["views"]] == ["axial", "sagittal"]
    place = tmp_path / "img" / "study" / "sub-01" / identity
    assert entry["folder"] == place.relative_to(tmp_path).as_posix()
    for view in entry["views"]:
        assert [layer["name"] for layer in view["layers"]] == ["image", "cord"]
        for layer in view["layers"]:
            for name in layer["files"]:
                assert (place / name).stat().st_size > 0
    assert (tmp_path / "index.html").exists()
    assert identity in (tmp_path / "entries.js").read_text()


@pytest.mark.parametrize("codes", ["".join(codes) for codes in ALL_CODES])
def test_measures_are_those_of_the_native_slices(tmp_path, cord, codes):
    image, mask = cord(codes)
    add(tmp_path, (image, mask))
    entry = only_entry(tmp_path)
    axis = entry["measure_axis"]
    assert image.space.nib_codes[axis] in "SI"
    others = tuple(a for a in range(3) if a != axis)
    expected = (mask.data > 0).sum(axis=others) * 0.8
    slices = entry["measures"]["slices"]
    assert slices == np.flatnonzero(expected).tolist()
    np.testing.assert_allclose(entry["measures"]["values"]["area_mm2"], expected[slices], rtol=1e-4)


def test_given_measures_count_and_nan_is_no_number(tmp_path, ras):
    add(tmp_path, ras, measures={"csa_mm2": {10: 71.25, 11: float("nan")}, "leak": {11: 0.5}})
    measures = only_entry(tmp_path)["measures"]
    assert measures == {
        "slices": [10, 11],
        "values": {"csa_mm2": [71.25, None], "leak": [None, 0.5]},
    }


@pytest.mark.parametrize("codes", ["RAS", "LPI", "SRA", "PIR"])
def test_a_gap_and_an_empty_mask_are_flagged(tmp_path, cord, codes):
    image, mask = cord(codes)
    axis = next(a for a, c in enumerate(codes) if c in "SI")
    holey = mask.data.copy()
    np.moveaxis(holey, axis, 0)[[20, 21]] = 0
    add(tmp_path / "gap", (image, mask.like(holey)))
    (flag,) = only_entry(tmp_path / "gap")["flags"]
    assert flag["kind"] == "gap"
    assert flag["slices"] == [20, 21]
    add(tmp_path / "empty", (image, mask.like(np.zeros_like(mask.data))))
    (flag,) = only_entry(tmp_path / "empty")["flags"]
    assert flag["kind"] == "empty"
    add(tmp_path / "sound", (image, mask))
    assert only_entry(tmp_path / "sound")["flags"] == []


def test_a_sagittal_entry_with_labels_names_them(tmp_path, ras):
    image, mask = ras
    labels = np.zeros(image.shape, dtype=np.uint8)
    labels[19, 30, 10], labels[20, 29, 30] = 9, 3
    add_entry(
        tmp_path,
        image,
        [("cord", mask), ("discs", image.like(labels))],
        process="st_label_utils",
        command_line="st_label_utils",
        plane="sagittal",
        label_kind=["mask", "labels"],
        label_names={3: "C2-C3"},
    )
    entry = only_entry(tmp_path)
    marks = {mark["value"]: mark for mark in entry["marks"]}
    assert marks[3]["name"] == "C2-C3"
    assert marks[9]["name"] == "9"
    assert marks[9]["centre"] == [19, 30, 10]
    assert marks[3]["colour"] != marks[9]["colour"]
    assert entry["views"][0]["indices"][0] is None
    assert len(entry["views"]) == 1


def test_a_registration_shows_two_images(tmp_path, ras):
    image, mask = ras
    add(tmp_path, ras, destination=image.like(image.data[::-1].copy()))
    layers = only_entry(tmp_path)["views"][0]["layers"]
    assert [layer["kind"] for layer in layers] == ["image", "image", "mask"]
    assert mask.shape == image.shape


def test_4d_images_show_their_mean_and_4d_masks_are_refused(tmp_path, ras):
    image, mask = ras
    four = Image(np.stack([image.data, image.data + 10], axis=3), image.space)
    add(tmp_path, (four, mask))
    assert len(read_entries(tmp_path)) == 1
    with pytest.raises(InputError, match="4D"):
        add(tmp_path, (image, Image(np.stack([mask.data] * 2, axis=3), image.space)))


def test_another_grid_is_refused_and_nothing_written(tmp_path, ras):
    image, mask = ras
    moved = mask.space.affine.copy()
    moved[0, 3] += 5
    with pytest.raises(SpaceMismatch):
        add(tmp_path, (image, Image(mask.data, Space(mask.space.shape, moved))))
    assert list(tmp_path.iterdir()) == []


def test_hostile_names_stay_inside_the_report_and_are_kept_as_text(tmp_path, ras):
    report = tmp_path / "report"
    image = Image(ras[0].data, ras[0].space, path=Path(HOSTILE + ".nii.gz"))
    add(
        report,
        (image, ras[1]),
        dataset="../../" + HOSTILE,
        subject="..",
        process=HOSTILE,
        command_line=HOSTILE,
        contrast=HOSTILE,
        flags=[Flag(HOSTILE, HOSTILE, (10,))],
    )
    assert [p.name for p in tmp_path.iterdir()] == ["report"]
    for path in report.rglob("*"):
        assert set(path.name) <= set(string.ascii_letters + string.digits + "._-"), path
    entry = only_entry(report)
    assert entry["process"] == HOSTILE
    script = (report / "entries.js").read_text()
    assert "<" not in script
    assert script.isascii()
    assert "<" not in (report / entry["folder"] / "entry.js").read_text()


@given(st.text())
def test_folder_names_are_harmless(text):
    name = folder_name(text, "subject")
    assert 1 <= len(name) <= 41
    assert set(name) <= set(string.ascii_letters + string.digits + "._-")
    assert name[0] not in ".-"
    assert name[-1] not in ". "
    assert name.upper().split(".")[0] not in {"CON", "PRN", "AUX", "NUL", "COM1", "LPT1"}


def test_an_unwritable_report_is_an_error_in_one_line(tmp_path, ras):
    (tmp_path / "report").write_text("a file is in the way")
    with pytest.raises(OutputError, match="report"):
        add(tmp_path / "report", ras)


def test_a_failed_write_leaves_no_half_entry(tmp_path, ras, monkeypatch):
    import spinetools.qc.writer as writer

    def full_disk(*_args):
        raise OutputError("no space left on the disk")

    add(tmp_path, ras)
    before = sorted(tmp_path.rglob("*"))
    monkeypatch.setattr(writer, "write_text", full_disk)
    with pytest.raises(OutputError):
        add(tmp_path, ras, subject="other")
    left = [p for p in sorted(tmp_path.rglob("*")) if p not in before and p.is_file()]
    assert left == []
    assert len(read_entries(tmp_path)) == 1


def test_an_index_that_cannot_be_written_costs_no_entry(tmp_path, ras, caplog):
    add(tmp_path, ras)
    (tmp_path / "entries.js").unlink()
    (tmp_path / "entries.js").mkdir()
    with caplog.at_level(logging.WARNING):
        add(tmp_path, ras)
    assert "st_qc -refresh" in caplog.text
    assert len(read_entries(tmp_path)) == 2


def test_a_batch_refreshes_once(tmp_path, ras, monkeypatch):
    monkeypatch.setenv("SPINETOOLS_QC_REFRESH", "0")
    add(tmp_path, ras)
    assert not (tmp_path / "entries.js").exists()
    assert len(read_entries(tmp_path)) == 1


def test_ids_sort_by_time_and_do_not_repeat():
    ids = [new_id() for _ in range(2000)]
    assert len(set(ids)) == 2000
    assert [i[:22] for i in ids] == sorted(i[:22] for i in ids)


def key(line: str, source="a/t2.nii.gz", names=("", "s", "axial")) -> str:
    return case_key(source, "st_propseg", line, names)


def test_a_case_is_the_same_input_and_the_same_command():
    first = key("st_propseg -i t2.nii.gz -c t2 -o x_seg.nii.gz -qc qc -qc-subject s -v 1")
    assert first == key("st_propseg -c t2 -i ../t2.nii.gz -ofolder out -v 2 -r 0")
    assert first != key("st_propseg -c t2 -radius 5 -i t2.nii.gz")
    assert first != key("st_propseg -c t2 -i t2.nii.gz", source="b/t2.nii.gz")
    assert first != key("st_propseg -c t2 -i t2.nii.gz", names=("", "s", "sagittal"))
    assert key("an 'open quote") == key("an 'open quote")


@pytest.mark.parametrize(
    ("process", "expected"),
    [
        ("st_propseg", "FILES_SEG"),
        ("sct_deepseg_sc", "FILES_SEG"),
        ("st_label_vertebrae", "FILES_LABEL"),
        ("my tool!", "FILES_MY_TOOL"),
        ("<>", "FILES_OTHER"),
    ],
)
def test_export_keys(process, expected):
    assert export_key(process) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/data/sub-07/ses-b/anat/sub-07_ses-b_T2w.nii.gz", "sub-07_ses-b"),
        ("/data/sub-07/anat/T2w.nii.gz", "sub-07"),
        ("t2.nii.gz", "t2"),
        ("t2.nii", "t2"),
    ],
)
def test_the_subject_comes_from_the_path(path, expected):
    assert subject_of(path) == expected


@pytest.mark.real
@pytest.mark.parametrize("name", ["errsm11_T2w", "errsm18_T2w", "gm9418_T2star"])
def test_a_full_3d_image_makes_a_small_entry_quickly(tmp_path, real_data, name):
    import time

    image = Image.load(real_data / "cord" / f"{name}.nii.gz")
    mask = Image.load(real_data / "cord" / f"{name}_seg.nii.gz")
    assert image.data.shape == mask.data.shape  # both are in memory now, as in a command
    start = time.perf_counter()
    add(tmp_path, (image, mask))
    seconds = time.perf_counter() - start
    size = sum(p.stat().st_size for p in (tmp_path / "img").rglob("*") if p.is_file())
    assert size <= 500_000
    assert seconds < 1.5
    assert json.dumps(only_entry(tmp_path)["views"][0]["indices"])
