"""Write one page a model that ships, from the card inside its file."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from command_pages import escape, heading

from spinetools.models.card import ModelCard


def write_all(folder: Path) -> None:
    """Write the pages and their table of contents; pages of models that are gone go too."""
    folder.mkdir(exist_ok=True)
    models = sorted(Path(str(files("spinetools.data").joinpath("models"))).glob("*.onnx"))
    pages = {path.stem: page(path, read_card(path)) for path in models}
    for old in folder.glob("*.rst"):
        if old.stem not in pages:
            old.unlink()
    pages["index"] = index(list(pages))
    for name, text in pages.items():
        (folder / f"{name}.rst").write_text(text, encoding="utf-8")


def read_card(path: Path) -> ModelCard:
    """Return the card inside an ONNX file."""
    from onnxruntime import InferenceSession

    session = InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return ModelCard.from_metadata(session.get_modelmeta().custom_metadata_map, path)


def index(names: list[str]) -> str:
    """Return the list of models."""
    return "\n".join([
        heading("Models", "="),
        "A model is data: a file that says itself how it is run. These are part of the package; "
        "nothing is downloaded. A model of one's own is given by its path, or lies in the folder "
        "``$SPINETOOLS_MODELS``.\n",
        ".. toctree::\n   :maxdepth: 1\n",
        *(f"   {name}" for name in names),
        "",
    ])  # fmt: skip


def page(path: Path, card: ModelCard) -> str:
    """Return a model's page: what it computes, what it reads, and what it was trained on."""
    data = card.training.get("data", {})
    other = {key: value for key, value in card.training.items() if key != "data"}
    parts = [
        heading(f"{card.name} {card.version}", "="),
        escape(card.task[:1].upper() + card.task[1:]) + ".\n",
        table({
            "input": card.axes,
            "orientation (nibabel's letters)": card.orientation,
            "spacing, mm": " × ".join(f"{size:g}" for size in card.spacing_mm),
            "normalisation": card.normalisation,
            "output": ", ".join(card.labels),
            "size": f"{path.stat().st_size / 1e6:.1f} MB",
            "SHA-256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }),
        heading("Training", "-"),
        table(other),
    ]  # fmt: skip
    if isinstance(data, Mapping):
        parts += ["Trained on, with the number of slices of each:\n", table(data)]
    return "\n".join(parts)


def table(rows: Mapping[str, Any]) -> str:
    """Return names and values as a table of two columns."""
    cells = "".join(f"   * - {escape(str(k))}\n     - {escape(str(v))}\n" for k, v in rows.items())
    return f".. list-table::\n   :widths: 40 60\n\n{cells}"
