"""Draw the layers as an SVG, from the import contract in setup.cfg: it cannot show others."""

from __future__ import annotations

import configparser
from pathlib import Path
from xml.sax.saxutils import escape

ROOT = Path(__file__).resolve().parents[1]
#: What a module does, in a few words; one without words has its name alone.
WORDS = {
    "cli": "st_* commands: parse, load, call, save, report",
    "batch": "a script a subject, here or on a cluster",
    "report": "a page a subject",
    "compare": "which method, how sure",
    "qc": "entries, pictures, the page",
    "bids": "data sets in and out",
    "propseg": "cord, by mesh",
    "deepseg": "by networks",
    "vertebrae": "bone, disc",
    "modality": "contrast",
    "centerline": "detection, fit, best path",
    "infer": "ONNX, nnU-Net",
    "phantom": "the simulated spine",
    "models": "cards, registry, downloads",
    "metrics": "overlap, surfaces, shape",
    "morphology": "components, holes",
    "image": "Space and Image: load, orient, resample, save",
    "labels": "values and names",
    "files": "atomic writes",
    "series": "names of DICOM series",
    "optional": "missing extras",
    "errors": "one line each",
}
WIDTH, ROW, GAP, LEFT = 760, 34, 6, 16
INK, PAPER = "#1d3557", "#ffffff"
#: From the commands down to the errors.
TOP_COLOUR, BOTTOM_COLOUR = (69, 123, 157), (241, 250, 238)


def layers() -> list[list[str]]:
    """Return the layers from the top, each with its modules."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    lines = config["importlinter:contract:layers"]["layers"].split("\n")
    rows = [
        [name.strip().removeprefix("spinetools.") for name in line.replace(":", "|").split("|")]
        for line in lines
        if line.strip()
    ]
    return [row for row in rows if row != ["_version"]]


def draw(rows: list[list[str]]) -> str:
    """Return the picture."""
    height = LEFT + len(rows) * (ROW + GAP) + 44
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'font-family="sans-serif" role="img" aria-label="Layers of spinetools">',
        f'<rect width="{WIDTH}" height="{height}" rx="8" fill="{PAPER}"/>',
    ]
    for number, row in enumerate(rows):
        top = LEFT + number * (ROW + GAP)
        share = number / max(len(rows) - 1, 1)
        pairs = zip(TOP_COLOUR, BOTTOM_COLOUR, strict=True)
        red, green, blue = (round(a + (b - a) * share) for a, b in pairs)
        dark = 0.3 * red + 0.6 * green + 0.1 * blue < 150
        width = (WIDTH - 2 * LEFT - GAP * (len(row) - 1)) / len(row)
        for column, name in enumerate(row):
            left = LEFT + column * (width + GAP)
            ink = PAPER if dark else INK
            parts.append(
                f'<rect x="{left:.1f}" y="{top}" width="{width:.1f}" height="{ROW}" rx="6" '
                f'fill="rgb({red},{green},{blue})" stroke="{INK}" stroke-width="0.8"/>'
            )
            words = WORDS.get(name, "")
            shown = f'<tspan font-weight="bold">{escape(name)}</tspan>'
            shown += f'<tspan font-size="12" dx="8">{escape(words)}</tspan>' if words else ""
            parts.append(
                f'<text x="{left + 12:.1f}" y="{top + ROW / 2 + 5:.0f}" font-size="15" '
                f'fill="{ink}">{shown}</text>'
            )
    parts.append(
        f'<text x="{LEFT}" y="{height - 20}" font-size="12" fill="{INK}">A module imports only '
        "what lies below it; those side by side do not know each other. Beside all this: "
        "training.</text></svg>"
    )
    return "\n".join(parts) + "\n"


def write(folder: Path) -> None:
    """Write architecture.svg where it has changed."""
    folder.mkdir(exist_ok=True)
    path, text = folder / "architecture.svg", draw(layers())
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
