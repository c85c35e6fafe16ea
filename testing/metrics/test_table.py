"""Grouping of slices, averages, and the file they are written to."""

from __future__ import annotations

import csv
import multiprocessing

import numpy as np
import pytest

from spinetools.errors import InputError
from spinetools.metrics.shape import SliceShapes
from spinetools.metrics.table import Selection, group_slices, make_rows, write_rows

LEVELS = np.array([0, 5, 5, 4, 4, 4, 3, 3, 0, 0])


@pytest.fixture
def shapes():
    """Ten slices, 1 to 8 with cord; areas 10, 20, … 80."""
    area = np.arange(10) * 10.0
    area[[0, 9]] = np.nan
    columns = dict.fromkeys(SliceShapes.__dataclass_fields__, area / 10)
    diameter = area / 10
    diameter[2] = np.nan
    return SliceShapes(**{**columns, "area_mm2": area, "diameter_ap_mm": diameter})


def test_everything_is_one_group(shapes):
    assert group_slices(shapes.slices, Selection()) == [tuple(range(1, 9))]


def test_groups_by_slice_and_level(shapes):
    groups = group_slices(shapes.slices, Selection(per_level=True), LEVELS)
    assert groups == [(6, 7), (3, 4, 5), (1, 2)]
    groups = group_slices(shapes.slices, Selection(levels=[4, 3], per_slice=True), LEVELS)
    assert groups == [(3,), (4,), (5,), (6,), (7,)]
    groups = group_slices(shapes.slices, Selection(levels=[3, 5]), LEVELS)
    assert groups == [(1, 2, 6, 7)]
    chosen = Selection(slices=[2, 3, 4], levels=[4, 5], per_level=True)
    assert group_slices(shapes.slices, chosen, LEVELS) == [(3, 4), (2,)]


def test_where_nothing_is_missing_nothing_is_said(shapes, caplog):
    group_slices(shapes.slices, Selection(slices=[3, 4], levels=[4]), LEVELS)
    assert caplog.text == ""


def test_what_is_missing_is_said(shapes, caplog):
    assert group_slices(shapes.slices, Selection(slices=[0, 1, 9, 12])) == [(1,)]
    assert "no cord in slices 0,9,12" in caplog.text
    group_slices(shapes.slices, Selection(levels=[3, 7, 8]), LEVELS)
    assert "no slice with cord has level 7:8" in caplog.text


@pytest.mark.parametrize(
    ("selection", "levels", "said"),
    [
        (Selection(slices=[0, 9]), None, "no cord in slices 0,9; it lies in slices 1:8"),
        (Selection(levels=[3]), None, "-vertfile or -discfile"),
        (Selection(per_level=True), None, "-vertfile or -discfile"),
        (Selection(levels=[7, 9]), LEVELS, "has level 7,9; the levels there are 3:5"),
        (Selection(slices=[8], per_level=True), LEVELS, "has a level; the levels there are none"),
    ],
)
def test_nothing_left_is_an_error(shapes, selection, levels, said):
    with pytest.raises(InputError, match=said):
        group_slices(shapes.slices, selection, levels)


def test_rows(shapes):
    rows = make_rows(shapes, [(1, 2, 3), (4,)], "/a/b.nii.gz", LEVELS, {"intensity": np.ones(10)})
    first, second = rows
    assert list(first)[:7] == [
        "Timestamp", "spinetools Version", "Filename", "Slice (I->S)", "VertLevel",
        "MEAN(area)", "STD(area)",
    ]  # fmt: skip
    assert list(first)[-3:] == ["MEAN(intensity)", "STD(intensity)", "SUM(length)"]
    assert (first["Slice (I->S)"], first["VertLevel"]) == ("1:3", "4:5")
    assert (first["MEAN(area)"], first["STD(area)"]) == ("20", "10")
    assert first["MEAN(diameter_AP)"] == "2"  # of 1 and 3; slice 2 has none
    assert first["SUM(length)"] == "6"
    assert (second["MEAN(area)"], second["STD(area)"], second["VertLevel"]) == ("40", "", "4")


def read(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_write_and_append(tmp_path, shapes):
    path = tmp_path / "new" / "csa.csv"
    rows = make_rows(shapes, [(1, 3), (5,)], "a,b.nii.gz")
    write_rows(path, rows)
    assert read(path) == rows
    write_rows(path, rows[:1], append=True)
    assert read(path) == [*rows, rows[0]]
    write_rows(path, rows[1:])
    assert read(path) == rows[1:]
    assert [each.name for each in path.parent.iterdir()] == ["csa.csv"]


def test_appending_to_nothing_starts_the_file(tmp_path, shapes):
    rows = make_rows(shapes, [(1,)], "a")
    write_rows(tmp_path / "a.csv", rows, append=True)
    (tmp_path / "b.csv").touch()
    write_rows(tmp_path / "b.csv", rows, append=True)
    assert read(tmp_path / "a.csv") == read(tmp_path / "b.csv") == rows


def test_other_columns_are_refused_and_the_file_is_kept(tmp_path, shapes):
    path = tmp_path / "csa.csv"
    write_rows(path, make_rows(shapes, [(1,)], "a"))
    before = path.read_bytes()
    rows = make_rows(shapes, [(1,)], "a", further={"intensity": np.ones(10)})
    with pytest.raises(InputError, match="other columns"):
        write_rows(path, rows, append=True)
    assert path.read_bytes() == before


def append_some(path, name):
    for number in range(10):
        write_rows(path, [{"who": name, "number": str(number)}], append=True)


def test_processes_that_append_lose_nothing(tmp_path):
    path = tmp_path / "csa.csv"
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=append_some, args=(path, f"p{i}")) for i in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    found = {(row["who"], row["number"]) for row in read(path)}
    assert len(read(path)) == 60
    assert found == {(f"p{i}", str(n)) for i in range(6) for n in range(10)}
