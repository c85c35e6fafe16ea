"""Write the benchmarks' results into the README, between its markers.

    python testing/benchmark/update_readme.py [-check]

Reads results/*.tsv, which accuracy.py and speed.py wrote. With -check nothing is written, and the
exit code is 1 where the README says something else.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from pathlib import Path

from cases import RESULTS, ROOT
from tables import Row, markdown, number, read_tsv

README = ROOT / "README.md"
FIGURES = (
    "centreline, mean / worst error", "centreline in the cord", "Dice", "mean surface distance",
    "area", "slices found",
)  # fmt: skip
USES = {"test": "", "train": " (tuned on)"}


def main() -> None:
    """Rewrite the README's blocks, or compare them."""
    old = README.read_text(encoding="utf-8")
    new = with_block(with_block(old, "accuracy", accuracy()), "speed", speed())
    if new == old:
        print("README.md is up to date")
    elif "-check" in sys.argv[1:]:
        sys.exit("README.md is out of date: run python testing/benchmark/update_readme.py")
    else:
        README.write_text(new, encoding="utf-8")
        print("written: README.md")


def with_block(text: str, name: str, content: str) -> str:
    """Return the text with what stands between a block's two markers replaced."""
    start, end = f"<!-- {name}: written by update_readme.py -->", f"<!-- /{name} -->"
    pattern = re.compile(f"{re.escape(start)}.*?{re.escape(end)}", re.DOTALL)
    if len(pattern.findall(text)) != 1:
        sys.exit(f"README.md must have one block between {start} and {end}")
    return pattern.sub(lambda _: f"{start}\n{content}\n{end}", text)


def accuracy(folder: Path = RESULTS) -> str:
    """Return the table of accuracy: a row a real image, and a row a protocol of the phantom."""
    lines = read_tsv(folder / "centreline.tsv")
    everything = read_tsv(folder / "segmentation.tsv")
    segmentations = [row for row in everything if row["method"] == "st_propseg"]
    rows = []
    for line, seg in zip(lines, segmentations, strict=True):
        if line["use"] in USES:
            rows.append(
                {"image": f"`{line['image']}`{USES[line['use']]}", **figures([line], [seg])}
            )
    simulated = [row for row in lines if row["use"] == "phantom"]
    for protocol in dict.fromkeys(protocol_of(row) for row in simulated):
        own_lines = [row for row in simulated if protocol_of(row) == protocol]
        own_segs = [
            row for row in segmentations if row["use"] == "phantom" and protocol_of(row) == protocol
        ]
        name = f"simulated {protocol.replace('_', ' ')}, mean of {len(own_segs)}"
        rows.append({"image": name, **figures(own_lines, own_segs)})
    return markdown(rows)


def protocol_of(row: Row) -> str:
    """Return the protocol of a simulated image: its name without the seed."""
    return row["image"].rsplit("_", 1)[0]


def figures(lines: list[dict[str, str]], segs: list[dict[str, str]]) -> Row:
    """Return the figures of one image, or means over those that did not fail."""
    failed = sum(row["slices found"] == "failed" for row in segs)
    lines, segs = (
        [row for row in table if row["slices found"] != "failed"] for table in (lines, segs)
    )
    if not segs:
        return dict.fromkeys(FIGURES, "n/a") | {FIGURES[-1]: f"{failed} failed"}
    found = mean_percent(segs, "slices found")
    cells = (
        f"{mean(lines, 'mean error, mm', 2)} / {number(max(values(lines, 'worst, mm')))} mm",
        mean_percent(lines, "inside the cord"),
        mean(segs, "Dice", 3),
        f"{mean(segs, 'mean surface distance, mm', 2)} mm",
        f"{mean(segs, 'area, %', 1, sign=True)} %",
        f"{found}; {failed} failed" if failed else found,
    )
    return dict(zip(FIGURES, cells, strict=True))


def values(rows: Iterable[Row], key: str) -> list[float]:
    """Return a column as numbers, without the rows that have none (no distance to nothing)."""
    texts = [row[key].removesuffix(" %").replace("−", "-") for row in rows]
    return [float(text) for text in texts if text != "n/a"] or [float("nan")]


def mean(rows: list[dict[str, str]], key: str, digits: int, sign: bool = False) -> str:
    """Return a column's mean as text."""
    found = values(rows, key)
    return number(sum(found) / len(found), digits, sign)


def mean_percent(rows: list[dict[str, str]], key: str) -> str:
    """Return the mean of percentages; 100 % only where all are."""
    found = values(rows, key)
    average = sum(found) / len(found)
    return f"{average:.0f} %" if average in (0, 100) else f"{number(average, 1)} %"


def speed(folder: Path = RESULTS) -> str:
    """Return the table of times, with the machine that they were taken on."""
    machine = read_tsv(folder / "machine.tsv")[0]
    rows = read_tsv(folder / "speed.tsv")
    shown = [
        {
            "command": f"`{row['what']}`" if row["what"].startswith("st_") else row["what"],
            "time": f"{row['median, s']} s",
            "of the processor": "" if row["processor, s"] == "n/a" else f"{row['processor, s']} s",
            "memory": "" if row["memory, MB"] == "n/a" else f"{row['memory, MB']} MB",
            "": row["note"],
        }
        for row in rows
        if row["note"] != "start-up"
    ]
    starts = [row for row in rows if row["note"] == "start-up"]
    slowest = max(values(starts, "median, s"))
    shown.append({
        "command": f"`-h` of any of the {len(starts)} commands",
        "time": f"≤ {slowest:.2f} s",
        "of the processor": f"≤ {max(values(starts, 'processor, s')):.2f} s",
        "memory": f"≤ {number(max(values(starts, 'memory, MB')), 0)} MB",
        "": "start-up",
    })  # fmt: skip
    return (
        f"{markdown(shown)}\n\nOn {machine['image']}, whole processes, {machine['cores']} cores "
        f"({machine['processor']}), Python {machine['python']}, NumPy {machine['numpy']}."
    )


if __name__ == "__main__":
    main()
