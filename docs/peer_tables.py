"""Write the tables of the page "Beside other programs" from the benchmark's results.

What others have published is written down here once, each with its source.
"""

from __future__ import annotations

import csv
import re
import statistics
from collections.abc import Sequence
from pathlib import Path

RESULTS = Path(__file__).resolve().parents[1] / "testing" / "benchmark" / "results"

#: (program, what, on what, figure, source): as their abstracts say, nothing read off a plot.
PUBLISHED = [
    ("sct_deepseg_sc", "cord", "1,943 T1w, T2w and T2*w images, 30 sites, 1,042 subjects",
     "median Dice 0.95", "Gros 2019"),
    ("PropSeg", "cord", "the same images", "median Dice 0.88", "Gros 2019"),
    ("SPINEPS", "vertebrae, each by itself", "SPIDER", "Dice 0.929", "Möller 2024"),
    ("the baseline of that paper", "vertebrae, each by itself", "SPIDER",
     "Dice 0.907", "Möller 2024"),
    ("SPINEPS", "vertebrae, discs, canal", "German National Cohort",
     "Dice 0.920, 0.967, 0.958", "Möller 2024"),
]  # fmt: skip


def write_all(folder: Path) -> None:
    """Write same_images.tsv, published.tsv and ours.tsv."""
    folder.mkdir(exist_ok=True)
    write(folder / "same_images.tsv", same_images())
    heads = ("program", "what", "images", "figure", "source")
    write(folder / "published.tsv", [heads, *PUBLISHED])
    write(folder / "ours.tsv", ours())


def read(name: str) -> list[dict[str, str]]:
    """Read a table of results."""
    with (RESULTS / name).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


def same_images() -> list[Sequence[str]]:
    """Return our figures and the other program's on every image that has both."""
    rows = read("segmentation.tsv")
    both = {row["image"] for row in rows if row["method"] == "peer"}
    columns = ["image", "method", "Dice", "worst slice", "HD95, mm", "area, %"]
    names = {"peer": "SCT's PropSeg"}
    return [columns, *(
        [names.get(row[c], row[c]) for c in columns] for row in rows if row["image"] in both
    )]  # fmt: skip


def ours() -> list[Sequence[str]]:
    """Return the median over real images that nothing was tuned on."""
    table: list[Sequence[str]] = [("command", "what", "images", "figure")]
    found: dict[str, list[float]] = {}
    for row in read("segmentation.tsv"):
        if row["use"] == "test" and row["method"] != "peer":
            found.setdefault(row["method"], []).append(float(row["Dice"]))
    for method, values in found.items():
        figure = f"median Dice {statistics.median(values):.2f}"
        table.append((method, "cord", f"{len(values)} T1w, T2w, T2*w and MT images", figure))
    regions: dict[str, list[float]] = {}
    n = 0
    for row in read("vertebrae.tsv"):
        if row["truth"] == "regions":
            n += 1
            for name, value in re.findall(r"Dice (\w+) ([\d.]+)", row["figures"]):
                regions.setdefault(name, []).append(float(value))
    if regions:
        figure = ", ".join(f"{statistics.mean(values):.2f}" for values in regions.values())
        what = ", ".join(regions) + ", without levels"
        table.append(("st_label_vertebrae", what, f"{n} of SPIDER, midsagittal", f"Dice {figure}"))
    return table


def write(path: Path, rows: Sequence[Sequence[str]]) -> None:
    """Write a table where it has changed: Sphinx reads again what is newer."""
    text = "".join("\t".join(row) + "\n" for row in rows)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
