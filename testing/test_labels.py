"""The label table: names, values, schemes, colour tables."""

from __future__ import annotations

import colorsys
import itertools
import re

import pytest

from spinetools.errors import InputError
from spinetools.labels import (
    LEVELS,
    LUT_SUFFIXES,
    SCHEMES,
    code_of,
    colour_of_structure,
    colour_table,
    find_scheme,
    level_name,
    level_value,
    numbering,
    remapping,
    structures,
)


def test_the_table_has_every_structure_once() -> None:
    names = [row.name for row in structures()]
    assert len(set(names)) == len(names)
    assert {"vertebrae_C1", "disc_L5_S", "spinal_cord", "spinal_canal", "sacrum"} <= set(names)
    by_name = {row.name: row for row in structures()}
    assert by_name["vertebrae_C1"].value("totalspineseg") == 41
    assert by_name["vertebrae_L5"].value("totalsegmentator") == 27
    assert by_name["disc_C2_C3"].value("sct") == 3
    assert by_name["spinal_cord"].value("sct") is None


@pytest.mark.parametrize("scheme", SCHEMES)
def test_within_a_scheme_a_value_stands_for_one_structure(scheme: str) -> None:
    for discs in (False, True):
        rows = numbering(scheme, discs)
        assert len({row.name for row in rows.values()}) == len(rows) > 20
        assert 0 not in rows


def test_levels_as_sct_counts_them() -> None:
    assert (level_value("C1"), level_value("T1"), level_value("L5")) == (1, 8, 24)
    assert [level_name(level_value(level)) for level in LEVELS] == list(LEVELS)
    assert level_name(0) == level_name(25) == "n/a"
    with pytest.raises(InputError, match="unknown vertebral level 'C9'"):
        level_value("C9")


def test_sct_counts_vertebrae_and_discs_alike() -> None:
    assert numbering("sct")[3].name == "vertebrae_C3"
    assert numbering("sct", discs=True)[3].name == "disc_C2_C3"


def test_a_scheme_is_found_only_where_it_is_the_only_one() -> None:
    assert find_scheme([18, 19, 20, 202, 203, 200]) == "totalspineseg"
    assert find_scheme([0, 11, 12, 63, 100]) == "totalspineseg_2025"
    assert find_scheme([50, 49, 48, 79]) == "totalsegmentator"
    with pytest.raises(InputError, match=r"fit the schemes .* -label-scheme"):
        find_scheme([18, 19, 20])
    with pytest.raises(InputError, match="no label scheme has all of the values 3, 999"):
        find_scheme([3, 999])
    with pytest.raises(InputError, match="no label scheme"):
        find_scheme([0])


@pytest.mark.parametrize("target", SCHEMES)
@pytest.mark.parametrize("source", SCHEMES)
def test_remapping_there_and_back(source: str, target: str) -> None:
    values = list(numbering(source))
    changes, dropped = remapping(values, source, target)
    assert len(changes) + len(dropped) == len(values)
    assert len(set(changes.values())) == len(changes)
    back, lost = remapping(changes.values(), target, source)
    assert not lost
    assert all(back[changes[value]] == value for value in changes)


def test_remapping_of_known_values() -> None:
    changes, dropped = remapping([0, 41, 18, 224, 200], "totalspineseg", "sct")
    assert changes == {41: 1, 18: 24}
    assert dropped == ["spinal_cord", "disc_C2_C3"]
    assert remapping([224, 202], "totalspineseg", "sct")[0] == {224: 3, 202: 25}
    assert remapping([3, 25], "sct", "totalspineseg", discs=True)[0] == {3: 224, 25: 202}
    assert remapping([3, 24], "sct", "totalspineseg_2025")[0] == {3: 13, 24: 45}
    with pytest.raises(InputError, match="has no label 77"):
        remapping([77], "totalspineseg", "sct")
    with pytest.raises(InputError, match="a value for none of spinal_cord"):
        remapping([200], "totalspineseg", "sct")
    with pytest.raises(InputError, match="unknown label scheme 'x'; choose one of"):
        remapping([1], "x", "sct")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_colour_tables(scheme: str) -> None:
    expected = {value: row.name for value, row in numbering(scheme).items()}
    patterns = {
        "fsleyes": r"(?P<v>\d+) (?P<r>[01]\.\d+) (?P<g>[01]\.\d+) (?P<b>[01]\.\d+) (?P<n>\w+)",
        "itksnap": r' *(?P<v>\d+) +(?P<r>\d+) +(?P<g>\d+) +(?P<b>\d+) +1  1  1 +"(?P<n>\w+)"',
        "slicer": r"(?P<v>\d+) (?P<n>\w+) (?P<r>\d+) (?P<g>\d+) (?P<b>\d+) 255",
    }
    assert patterns.keys() == LUT_SUFFIXES.keys()
    for program, pattern in patterns.items():
        rows = [re.fullmatch(pattern, line) for line in colour_table(scheme, program).splitlines()]
        found = [row for row in rows if row]
        assert {int(row["v"]): row["n"] for row in found} == expected
        largest = 1 if program == "fsleyes" else 255
        colours = {tuple(float(row[c]) for c in "rgb") for row in found}
        assert len(colours) == len(expected)
        assert all(0 <= part <= largest for colour in colours for part in colour)
    with pytest.raises(InputError, match="unknown program"):
        colour_table(scheme, "paint")


def test_lines_of_colour_tables_as_viewers_have_them() -> None:
    tables = {p: colour_table("totalsegmentator", p) for p in LUT_SUFFIXES}
    lines = {program: text.split("\n") for program, text in tables.items()}
    assert all(rows[-1] == "" and rows[-2] for rows in lines.values())
    assert lines["fsleyes"][0] == "25 0.90000 0.62548 0.22500 sacrum"
    # ITK-SNAP: index, red, green, blue, opacity, shown, shown in 3D, name
    assert lines["itksnap"][:2] == [
        '    0     0    0    0        0  0  0    "Clear Label"',
        '   25   230  159   57        1  1  1    "sacrum"',
    ]
    assert lines["slicer"][:4] == [
        "# Color table file totalsegmentator", "# 27 values", "0 Background 0 0 0 0",
        "25 sacrum 230 159 57 255",
    ]  # fmt: skip
    assert "79 spinal_cord 255 217 51 255" in lines["slicer"]
    values = [int(line.split()[0]) for line in lines["fsleyes"][:-1]]
    assert values == sorted(values)


def test_colours_of_neighbours_lie_far_apart_and_stay() -> None:
    by_name = {row.name: row for row in structures()}
    for kind, saturation, brightness in (("vertebra", 0.75, 0.9), ("disc", 0.35, 1.0)):
        rows = [row for row in structures() if row.kind == kind]
        colours = [colorsys.rgb_to_hsv(*colour_of_structure(row)) for row in rows]
        hues = [hue for hue, _, _ in colours]
        assert all(c[1:] == pytest.approx((saturation, brightness)) for c in colours)
        apart = [abs(a - b) for a, b in itertools.pairwise(hues)]
        assert min(min(d, 1 - d) for d in apart) > 0.35
        # reports and screenshots of other versions show the same ones
        assert hues[:2] == pytest.approx([0.03, 0.648], abs=1e-3)
    assert colour_of_structure(by_name["spinal_cord"]) == (1.0, 0.85, 0.2)
    assert colour_of_structure(by_name["spinal_canal"]) == (0.45, 0.8, 1.0)


def test_codes_of_structures() -> None:
    codes = {row.name: code_of(row) for row in structures()}
    assert codes["vertebrae_C1"] == ("SCT", "14806007", "C1 vertebra")
    assert codes["disc_C2_C3"] == ("SCT", "1078209008", "C2/C3 disc")
    # not in DICOM's context groups: any vertebra, any disc
    assert codes["vertebrae_T13"] == ("SCT", "51282000", "Vertebra")
    assert codes["disc_T12_T13"] == ("SCT", "360499006", "Intervertebral disc")


def test_a_long_list_of_values_is_cut() -> None:
    with pytest.raises(InputError, match=r"values 900, 901, .* 907, …; keep"):
        find_scheme(range(900, 909))
    with pytest.raises(InputError, match=r"values 900, .* 907; keep"):
        find_scheme(range(900, 908))
    with pytest.raises(InputError, match="all of the values none; keep"):
        find_scheme([])
