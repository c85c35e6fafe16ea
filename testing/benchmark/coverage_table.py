"""Write results/coverage.tsv from what ``coverage json`` says: lines and branches by package.

coverage json -o coverage.json
python testing/benchmark/coverage_table.py coverage.json
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from tables import markdown, write_tsv

RESULTS = Path(__file__).resolve().parent / "results" / "coverage.tsv"
COUNTS = ("num_statements", "covered_lines", "num_branches", "covered_branches")


def rows_of(content: Mapping[str, Any]) -> list[dict[str, str]]:
    """Add up what was measured: a row a package below ``spinetools``, and one for all."""
    sums: dict[str, Counter[str]] = {}
    for file, measured in content["files"].items():
        parts = PurePosixPath(file.replace("\\", "/")).parts
        # what ships with the package lies beside it, in data/
        inside = parts[parts.index("spinetools") + 1 :] if "spinetools" in parts else parts
        package = inside[0] if len(inside) > 1 else "(top)"
        for name in (package, "all"):
            counts = sums.setdefault(name, Counter())
            counts.update({key: measured["summary"][key] for key in COUNTS})
    order = sorted(name for name, counts in sums.items() if name != "all" and counts[COUNTS[0]])
    return [_row(name, sums[name]) for name in [*order, "all"]]


def _row(name: str, counts: Mapping[str, int]) -> dict[str, str]:
    lines, run, branches, taken = (counts[key] for key in COUNTS)
    return {
        "package": name,
        "lines": str(lines),
        "run by a test": str(run),
        "%": f"{100 * run / max(lines, 1):.1f}",
        "branches": str(branches),
        "taken by a test": str(taken),
        "% of branches": f"{100 * taken / branches:.1f}" if branches else "n/a",
    }


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("json", type=Path, help="made by: coverage json -o FILE")
    parser.add_argument("-table", type=Path, default=RESULTS, help="default: results/coverage.tsv")
    args = parser.parse_args()
    rows = rows_of(json.loads(args.json.read_text(encoding="utf-8")))
    write_tsv(args.table, rows)
    print(markdown(rows))


if __name__ == "__main__":
    main()
