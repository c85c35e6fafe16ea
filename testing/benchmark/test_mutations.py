"""The faults that are put into the code: what changes, what does not, and who sees it."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import coverage_table
import mutants

SOURCE = '''"""A module."""
import logging

__all__ = ["f"]
LIMIT = 3


def f(x: int, name: str = "a") -> str:
    """Say."""
    if x < LIMIT and not name:
        raise ValueError(f"{x} is too small")
    table = {}
    table["k"] = x + 1
    logging.warning("odd %s", x)
    table.update(y=2.5)
    return table
'''


def changed(source: str) -> list[mutants.Mutant]:
    return [mutants.mutant(source, place) for place in mutants.places(source)]


def test_every_kind_of_fault_is_made_once_in_its_place() -> None:
    found = {(m.place.kind, m.place.line, m.after) for m in changed(SOURCE)}
    assert found == {
        ("constant", 5, "LIMIT = 4"),
        ("constant", 8, "x: int, name: str='a~'"),
        ("boolean", 10, "if not (x < LIMIT and (not name)):"),
        ("boolean", 10, "if x < LIMIT or not name:"),
        ("boolean", 10, "x < LIMIT and name"),
        ("comparison", 10, "x <= LIMIT and (not name)"),
        ("comparison", 10, "x >= LIMIT and (not name)"),
        ("statement", 11, "pass"),
        ("statement", 13, "pass"),
        ("constant", 13, "table['k~']"),
        ("arithmetic", 13, "table['k'] = x - 1"),
        ("constant", 13, "x + 2"),
        ("statement", 15, "pass"),
        ("constant", 15, "y=5.0"),
        ("return", 16, "return None"),
    }


def test_mutants_are_programs_and_all_differ() -> None:
    sources = [one.source for one in changed(SOURCE)]
    assert len({*sources, ast.unparse(ast.parse(SOURCE))}) == len(sources) + 1
    for source in sources:
        compile(source, "mutant", "exec")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a == b", "a != b"), ("a in b", "a not in b"), ("a is b", "a is not b"),
        ("a - b", "a + b"), ("a / b", "a * b"), ("a // b", "a * b"), ("a ** b", "a * b"),
        ("a % b", "a // b"), ("a & b", "a | b"), ("-a", "a"), ("~a", "a"), ("a or b", "a and b"),
        ("True", "False"), ("0.0", "1.0"),
    ],
)  # fmt: skip
def test_operators(before: str, after: str) -> None:
    # a bare name, number or text in a line of its own is no place
    assert f"x = {after}" in {one.source for one in changed(f"x = {before}")}


def test_lines_around_a_line() -> None:
    assert mutants.around(SOURCE, 5) == (range(5, 6), None)
    assert mutants.around(SOURCE, 10) == (range(10, 11), range(8, 17))
    assert mutants.around("def f():\n    x = [\n        1,\n    ]\n", 3)[0] == range(2, 5)


def test_the_table_of_coverage_adds_up() -> None:
    def file(lines: int, run: int, branches: int = 0, taken: int = 0) -> dict[str, object]:
        counts = (lines, run, branches, taken)
        return {"summary": dict(zip(coverage_table.COUNTS, counts, strict=True))}

    rows = coverage_table.rows_of(
        {
            "files": {
                "/x/spinetools/labels.py": file(10, 9),
                "spinetools/image/space.py": file(20, 20, 8, 6),
                "spinetools\\image\\dicom\\seg.py": file(30, 15, 2, 0),
                "spinetools/image/__init__.py": file(0, 0),
            }
        }
    )
    found = {row["package"]: (row["lines"], row["%"], row["% of branches"]) for row in rows}
    assert found == {
        "(top)": ("10", "90.0", "n/a"),
        "image": ("50", "70.0", "60.0"),
        "all": ("60", "73.3", "60.0"),
    }
