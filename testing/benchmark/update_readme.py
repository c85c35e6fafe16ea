"""Write the benchmarks' results into the README, between its markers.

    python testing/benchmark/update_readme.py [-check]

Reads results/*.tsv, which accuracy.py, vertebrae.py, naming.py and speed.py wrote. With -check
nothing is written, and the exit code is 1 where the README says something else.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from pathlib import Path

from cases import RESULTS, ROOT
from tables import Row, markdown, number, read_tsv

README = ROOT / "README.md"
CENTRELINE, INSIDE = "centreline, mean / worst error", "centreline in the cord"
SEGMENTATION = "Dice, area"
#: The README shows the centreline of the command as it is; other methods are in the table.
LINE = "st_get_centerline"
#: Confidence of a numbering from which st_label_vertebrae does not warn (vertebrae/result.py).
SURE = 0.8
#: With more vertebrae than this in sight it is a whole spine.
_MOST_PARTS = 20
USES = {"test": "", "train": " (tuned on)"}


def main() -> None:
    """Rewrite the README's blocks, or compare them."""
    old = README.read_text(encoding="utf-8")
    new = old
    tables = {"accuracy": accuracy, "vertebrae": vertebrae, "naming": naming, "speed": speed}
    for name, content in tables.items():
        new = with_block(new, name, content())
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
    every = read_tsv(folder / "centreline.tsv")
    lines = [line for line in every if line["method"] == LINE]
    segmentations = read_tsv(folder / "segmentation.tsv")
    rows = []
    for line in lines:
        if line["use"] in USES:
            own = [row for row in segmentations if row["image"] == line["image"]]
            name = f"`{line['image']}`{USES[line['use']]}"
            rows.append({"image": name, **figures([line], own)})
    simulated = [row for row in lines if row["use"] == "phantom"]
    for protocol in dict.fromkeys(protocol_of(row) for row in simulated):
        own_lines = [row for row in simulated if protocol_of(row) == protocol]
        own = [
            row for row in segmentations if row["use"] == "phantom" and protocol_of(row) == protocol
        ]
        name = f"simulated {protocol.replace('_', ' ')}, mean of {len(own_lines)}"
        rows.append({"image": name, **figures(own_lines, own)})
    columns = list(dict.fromkeys(column for row in rows for column in row))
    return markdown([{column: row.get(column, "n/a") for column in columns} for row in rows])


def protocol_of(row: Row) -> str:
    """Return the protocol of a simulated image: its name without the seed."""
    return row["image"].rsplit("_", 1)[0]


def figures(lines: list[dict[str, str]], segs: list[dict[str, str]]) -> Row:
    """Return the figures of one image, or means over those that did not fail."""
    found = [row for row in lines if row["slices found"] != "failed"]
    cells = {CENTRELINE: "failed", INSIDE: "n/a"}
    if found:
        worst = number(max(values(found, "worst, mm")))
        cells[CENTRELINE] = f"{mean(found, 'mean error, mm', 2)} / {worst} mm"
        cells[INSIDE] = mean_percent(found, "inside the cord")
    for method in dict.fromkeys(row["method"] for row in segs):
        if method.startswith("st_"):
            own = [row for row in segs if row["method"] == method]
            cells[f"`{method}`: {SEGMENTATION}"] = segmentation(own)
    return cells


def segmentation(segs: list[dict[str, str]]) -> str:
    """Return Dice and area, and what a reader has to know of slices and images without result."""
    found = [row for row in segs if row["slices found"] != "failed"]
    failed = len(segs) - len(found)
    if not found:
        return "failed" if failed == 1 else f"{failed} failed"
    text = f"{mean(found, 'Dice', 3)}, {mean(found, 'area, %', 1, sign=True)} %"
    share = mean_percent(found, "slices found")
    if share != "100 %":
        text += f" ({share} of slices)"
    return f"{text}; {failed} failed" if failed else text


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


#: Real images with labelled vertebrae, by what their names begin with.
GROUPS = {
    "errsm21_": "cervico-thoracic T2w: every disc from C2–C3 to T4–T5, levels of C2 and T2",
    "errsm21crop": "its crop: posterior edges of the discs",
    "vb1": "lumbar T1w, T2w, TIRM: order and count",
    "vb2": "lumbar T2w: T11 to L5",
    "vb3": "lumbar water-fat gradient echo: L1 to L5",
    "ivd": "lumbar T2w: discs L1–L2 to L5–S",
    "sub-verse": "lumbar CT: L1 to L5",
    "": "SPIDER T2w, midsagittal slices: no levels known",
}


def vertebrae(folder: Path = RESULTS) -> str:
    """Return the table of the vertebrae: a row a kind of image."""
    left = read_tsv(folder / "vertebrae.tsv")
    rows = []
    for start, what in GROUPS.items():
        own = [row for row in left if row["image"].startswith(start)]
        left = [row for row in left if row not in own]
        if not own:
            continue
        known = [row for row in own if row["right"] != "n/a"]
        right = sum(row["right"] == "yes" for row in known)
        surely_wrong = sum(
            row["right"] == "no" and float(row["sure"] or 0) >= SURE for row in known
        )
        rows.append({
            "images": what,
            "all names right": f"{right} of {len(known)}" if known else "n/a",
            "wrong without a warning": str(surely_wrong) if known else "n/a",
            "mean of other figures": means_of([row["figures"] for row in own]),
        })  # fmt: skip
    return markdown(rows)


def naming(folder: Path = RESULTS) -> str:
    """Return the table of numberings on simulated images: a row a size of the field of view."""
    cases = [row for path in sorted(folder.glob("naming_*.tsv")) for row in read_tsv(path)]
    rows = []
    for what, own in _groups(cases):
        right = [row["right"] == "yes" for row in own]
        sure = [float(row["confidence"]) >= SURE for row in own]
        both = sum(r and s for r, s in zip(right, sure, strict=True))
        rows.append({
            "images": what,
            "all names right": f"{sum(right)} of {len(own)}",
            "of those without a warning": f"{both} of {sum(sure)}",
            "variant said": _said(own),
        })  # fmt: skip
    return markdown(rows)


def _groups(cases: list[dict[str, str]]) -> Iterable[tuple[str, list[dict[str, str]]]]:
    """Give the cases by their variant, where all have one, by -fast, and by what is in sight."""

    def kind_of(row: dict[str, str]) -> tuple[str, str, str, int]:
        visible = int(row["visible"])
        # variants and drawn subjects have not all the same count
        return row["asked"], row["fast"], row["low"], 0 if visible > _MOST_PARTS else visible

    for kind in sorted({kind_of(row) for row in cases}):
        asked, fast, low, visible = kind
        what = f"{'the last ' if low == 'yes' else ''}{visible} vertebrae in sight"
        what = what if visible else "whole spines"
        what += f", with {asked}" if asked else ""
        what += ", `-fast`" if fast == "yes" else ""
        yield what, [row for row in cases if kind_of(row) == kind]


def _said(rows: list[dict[str, str]]) -> str:
    """Return how often a variant was said, rightly where all have it and else wrongly."""
    if rows[0]["asked"]:
        return f"{sum(r['flagged'] == r['variant'] for r in rows)} of {len(rows)}"
    return f"{sum(r['flagged'] not in ('', r['variant']) for r in rows)} of {len(rows)} wrongly"


def means_of(texts: Iterable[str]) -> str:
    """Return the means of figures written as ``name value, name value``."""
    found: dict[str, list[float]] = {}
    for text in texts:
        # the unit of a distance follows its name after a comma too
        for part in filter(None, text.replace(", mm ", " [mm] ").split(", ")):
            name, _, value = part.rpartition(" ")
            found.setdefault(name, []).append(float(value))
    return ", ".join(f"{name} {number(sum(v) / len(v))}" for name, v in found.items())


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
