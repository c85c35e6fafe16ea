"""The benchmark's own arithmetic: which slices count, and what the tables say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from spinetools.image import Image, Space

sys.path.insert(0, str(Path(__file__).parent))
import cases
import tables
import update_readme

HERE = Path(__file__).parent


def straight_cord(nib_codes: str = "RAS") -> Image:
    """A cord along z at x = y = 10 mm, with slices of 2 mm from z = 0 to 238 mm."""
    data = np.zeros((20, 20, 120), dtype=np.uint8)
    data[9:12, 9:12] = 1
    space = Space((20, 20, 120), np.diag([1.0, 1.0, 2.0, 1.0]))
    return Image(data, space).reorient(tuple(nib_codes))


@pytest.mark.parametrize("nib_codes", ["RAS", "PSR", "LIP"])
def test_the_range_is_as_long_as_the_table_says(nib_codes: str) -> None:
    c2, t2, disc = (np.array([10.0, 10.0, z]) for z in (190, 190 - cases.C2_TO_T2_MM, 30))
    found = cases.slices_c1_to_t3(straight_cord(nib_codes), c2, t2, disc)
    # C2 to T2 as long as in the table, to one slice: the top is 30.75 mm above C2
    assert found[0] == 15
    assert found[-1] * 2 == pytest.approx(190 + 30.75, abs=2)
    assert np.array_equal(found, np.arange(found[0], found[-1] + 1))


def test_the_range_grows_with_the_subject() -> None:
    c2, t2, disc = (np.array([10.0, 10.0, z]) for z in (150, 150 - 2 * cases.C2_TO_T2_MM, 60))
    t2[2] = max(t2[2], 0)
    found = cases.slices_c1_to_t3(straight_cord(), c2, t2, disc)
    assert found[0] == 30
    assert found[-1] * 2 == pytest.approx(150 + 30.75 * 150 / cases.C2_TO_T2_MM, abs=2)


def test_the_disc_is_brought_to_the_nearest_place_of_the_cord() -> None:
    c2, t2 = np.array([10.0, 10.0, 190]), np.array([10.0, 10.0, 66])
    found = cases.slices_c1_to_t3(straight_cord(), c2, t2, np.array([10.0, 28.0, 41.0]))
    assert found[0] in (20, 21)


def test_without_points_all_slices_with_cord_count(tmp_path: Path) -> None:
    mask = straight_cord()
    data = mask.data.copy()
    data[:, :, :7] = 0
    assert np.array_equal(
        cases.scored_slices(tmp_path / "image", mask.like(data)), np.arange(7, 120)
    )


@pytest.mark.real
def test_the_real_cases_are_those_with_manual_masks(real_data: Path) -> None:
    found = {case.name: case for case in cases.real_cases(real_data)}
    assert found["errsm30crop_T2w"].use == "check"
    assert found["errsm21_T2w"].use == "test"
    assert found["errsm18_T2w"].peer is not None
    assert found["tutorial05_MTon"].contrast == "t2s"
    # C1 to T3: from the disc below T3 to the top of the mask, where C1 still goes on
    assert (found["errsm21_T2w"].slices[0], found["errsm21_T2w"].slices[-1]) == (42, 214)
    assert len(found["errsm21_T2star"].slices) == 14


def test_numbers_of_the_tables() -> None:
    assert tables.number(-1.25, 1) == "−1.2"
    assert tables.number(0.5, 1, sign=True) == "+0.5"
    assert tables.number(float("nan")) == "n/a"
    rows = [{"a": "1", "b": "x"}, {"a": "2", "b": "y"}]
    assert tables.markdown(rows) == "| a | b |\n| --- | --- |\n| 1 | x |\n| 2 | y |"


def test_tsv_there_and_back(tmp_path: Path) -> None:
    rows = [{"image": "a", "mean error, mm": "0.30"}, {"image": "b", "mean error, mm": "n/a"}]
    tables.write_tsv(tmp_path / "new" / "t.tsv", rows)
    assert tables.read_tsv(tmp_path / "new" / "t.tsv") == rows


def test_blocks_are_replaced_between_their_markers() -> None:
    text = "a\n<!-- x: written by update_readme.py -->\nold\n<!-- /x -->\nb"
    new = update_readme.with_block(text, "x", "new \\1")
    assert new == "a\n<!-- x: written by update_readme.py -->\nnew \\1\n<!-- /x -->\nb"
    with pytest.raises(SystemExit, match="one block"):
        update_readme.with_block(text, "y", "new")


def test_the_readme_sums_up_what_was_named(tmp_path: Path) -> None:
    row = {"asked": "", "fast": "no", "low": "no", "visible": "5", "variant": "", "flagged": "",
           "right": "yes", "confidence": "0.9", "what": ""}  # fmt: skip
    unsure, wrong = row | {"confidence": "0.5"}, row | {"right": "no", "flagged": "L6"}
    tables.write_tsv(tmp_path / "naming_1.tsv", [row, unsure])
    tables.write_tsv(tmp_path / "naming_2.tsv", [wrong, row | {"visible": "15"}])
    odd = row | {"asked": "T13", "variant": "T13", "flagged": "T13", "visible": "26"}
    tables.write_tsv(tmp_path / "naming_T13_1.tsv", [odd, odd | {"flagged": ""}])
    tables.write_tsv(tmp_path / "naming_T13_2.tsv", [odd | {"visible": "5", "low": "yes"}])
    tables.write_tsv(tmp_path / "naming_3.tsv", [row | {"visible": n} for n in ("24", "26")])
    tables.write_tsv(tmp_path / "naming_fast_1.tsv", [row | {"fast": "yes"}])
    lines = update_readme.naming(tmp_path).splitlines()[2:]
    assert lines == [
        "| whole spines | 2 of 2 | 2 of 2 | 0 of 2 wrongly |",
        "| 5 vertebrae in sight | 2 of 3 | 1 of 2 | 1 of 3 wrongly |",
        "| 15 vertebrae in sight | 1 of 1 | 1 of 1 | 0 of 1 wrongly |",
        "| 5 vertebrae in sight, `-fast` | 1 of 1 | 1 of 1 | 0 of 1 wrongly |",
        "| whole spines, with T13 | 2 of 2 | 2 of 2 | 1 of 2 |",
        "| the last 5 vertebrae in sight, with T13 | 1 of 1 | 1 of 1 | 1 of 1 |",
    ]


def test_the_readme_tells_of_both_methods_and_of_what_failed() -> None:
    row = {"Dice": "0.950", "area, %": "−1.0", "slices found": "100 %"}
    worse = {"Dice": "0.930", "area, %": "+2.0", "slices found": "90.0 %"}
    failed = {"Dice": "n/a", "area, %": "n/a", "slices found": "failed"}
    assert update_readme.segmentation([row]) == "0.950, −1.0 %"
    both = "0.940, +0.5 % (95.0 % of slices)"
    assert update_readme.segmentation([row, worse]) == both
    assert update_readme.segmentation([row, worse, failed]) == f"{both}; 1 failed"
    assert update_readme.segmentation([failed]) == "failed"
    line = {"mean error, mm": "0.30", "worst, mm": "1.00", "inside the cord": "100 %"}
    cells = update_readme.figures(
        [line | {"slices found": "100 %"}],
        [row | {"method": "st_propseg"}, worse | {"method": "st_deepseg_sc 2d"}],
    )
    assert list(cells)[2:] == ["`st_propseg`: Dice, area", "`st_deepseg_sc 2d`: Dice, area"]


@pytest.mark.parametrize(
    ("script", "option"),
    [
        ("accuracy.py", "-no-real"),
        ("speed.py", "-no-real"),
        ("calibrate_cnn.py", "-write"),
        ("calibrate_transition.py", "--keep"),
        ("naming.py", "--images"),
    ],
)
def test_the_scripts_start(script: str, option: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, HERE / script, "-h"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0
    assert option in done.stdout
