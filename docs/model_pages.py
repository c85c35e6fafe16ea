"""Write one page a model that ships, from the card inside its file, and a list of published ones.

A picture ``images/models/<name>.png`` is shown where there is one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from command_pages import escape, heading

from spinetools.models.card import ModelCard, read_card
from spinetools.models.registry import Entry, file_sha256, read_registry, shipped_folder

IMAGES = Path(__file__).parent / "images" / "models"
PAGES = Path(__file__).parent / "models"

INTRODUCTION = """\
A model is data: a file that says itself how it is run. These are part of the package; nothing is
downloaded, and nothing is updated by itself. :doc:`/commands/st_models` tells what is here and
verifies it; :doc:`/add_a_model` tells how one's own is used.
"""
PUBLISHED = """\
Networks that other projects have published run with ``-engine nnunet`` (``pip install
'spinetools[nnunet]'``). ``st_models install NAME`` fetches one, ``st_models install NAME -from
FILE`` takes its zip where there is no network. A download that breaks off is gone on with; a proxy
of the environment (``HTTPS_PROXY``) is used. Their projects publish no checksums: that of the first
installation is noted, and every later one must be the same.
"""


def write_all(folder: Path) -> None:
    """Write the pages and their table of contents; pages of models that are gone go too."""
    folder.mkdir(exist_ok=True)
    models = sorted(shipped_folder().glob("*.onnx"))
    pages = {path.stem: page(path, read_card(path)) for path in models}
    for old in folder.glob("*.rst"):
        if old.stem not in pages:
            old.unlink()
    entries = read_registry(shipped_folder() / "registry.json")
    pages["index"] = index(list(pages), [entry for entry in entries if entry.published])
    for name, text in pages.items():
        (folder / f"{name}.rst").write_text(text, encoding="utf-8")


def index(names: list[str], published: Sequence[Entry]) -> str:
    """Return the list of models."""
    rows = {f"{entry.name} {entry.version}": described(entry) for entry in published}
    return "\n".join([
        heading("Models", "="),
        INTRODUCTION,
        ".. toctree::\n   :maxdepth: 1\n",
        *(f"   {name}" for name in names),
        "",
        heading("Published models of other projects", "-"),
        PUBLISHED,
        *(f"{heading(name, '~')}\n{text}" for name, text in rows.items()),
    ])  # fmt: skip


def described(entry: Entry) -> str:
    """Return what the registry says of a published model."""
    rows = {
        "computes": escape(entry.task),
        "from": entry.homepage,
        "licence": escape(entry.licence),
        "to cite": escape(entry.citation),
        "files": ", ".join(f"`{file.file} <{file.urls[0]}>`__" for file in entry.files),
    }
    return table(rows)


def page(path: Path, card: ModelCard) -> str:
    """Return a model's page: what it computes and reads, how good it is, how it was trained."""
    parts = [
        heading(f"{card.name} {card.version}", "="),
        escape(card.task[:1].upper() + card.task[1:]) + ".\n",
    ]
    if (IMAGES / f"{card.name}.png").is_file():
        parts.append(f".. image:: /images/models/{card.name}.png\n   :alt: {escape(card.task)}\n")
    parts.append(table({key: escape(str(value)) for key, value in facts(path, card).items()}))
    if card.benchmark:
        parts += [heading("Measured", "-"), benchmark(card.benchmark)]
    if card.failures:
        parts += [
            heading("Known to fail", "-"),
            *(f"* {escape(text)}" for text in card.failures),
            "",
        ]
    if curve(path, card.name):
        parts.append(f".. image:: {card.name}-training.png\n   :alt: loss against training step\n")
    data = card.training.get("data", {})
    other = {key: escape(str(value)) for key, value in card.training.items() if key != "data"}
    parts += [heading("Training", "-"), table(other)]
    if isinstance(data, Mapping) and data:
        numbers = {escape(str(key)): escape(str(value)) for key, value in data.items()}
        parts += ["Trained on, with the number of samples of each:\n", table(numbers)]
    return "\n".join(parts)


def curve(path: Path, name: str) -> bool:
    """Draw the training's loss from the log beside a model; False where there is none."""
    log = path.with_suffix(".log.tsv")
    if not log.is_file():
        return False
    import matplotlib.pyplot as plt

    rows = [line.split("\t") for line in log.read_text(encoding="utf-8").splitlines()]
    figure, axes = plt.subplots(figsize=(6, 2.4), layout="constrained")
    axes.plot([int(row[0]) for row in rows], [float(row[1]) for row in rows], linewidth=1)
    axes.set_yscale("log")
    axes.set_xlabel("step")
    axes.set_ylabel("loss")
    figure.savefig(PAGES / f"{name}-training.png", dpi=110)
    plt.close(figure)
    return True


def facts(path: Path, card: ModelCard) -> dict[str, Any]:
    """Return what is needed to run a model."""
    thresholds = card.thresholds or {"any": card.threshold()}
    rows = {
        "input": card.axes,
        "channels": ", ".join(card.channels),
        "orientation (nibabel's letters)": card.orientation,
        "spacing, mm": " × ".join(f"{size:g}" for size in card.spacing_mm),
        "patch, voxels": " × ".join(str(size) for size in card.patch),
        "normalisation": card.normalisation,
        "output": ", ".join(card.labels),
        "threshold, by contrast": ", ".join(
            f"{key} {value:g}" for key, value in thresholds.items()
        ),
        "mirrored in training along": ", ".join(card.tta),
        "licence": card.licence,
        "to cite": card.citation,
        "size": f"{path.stat().st_size / 1e6:.1f} MB",
        "SHA-256": file_sha256(path),
    }
    return {key: value for key, value in rows.items() if value}


def benchmark(rows: Sequence[Mapping[str, str]]) -> str:
    """Return the measured figures as a table with a heading."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    lines = [columns, *([row.get(column, "") for column in columns] for row in rows)]
    cells = "".join(
        "".join(
            f"   {'* -' if number == 0 else '  -'} {escape(str(cell)) or '–'}\n"
            for number, cell in enumerate(line)
        )
        for line in lines
    )
    return f".. list-table::\n   :header-rows: 1\n\n{cells}"


def table(rows: Mapping[str, Any]) -> str:
    """Return names and values as a table of two columns."""
    cells = "".join(f"   * - {key}\n     - {value}\n" for key, value in rows.items())
    return f".. list-table::\n   :widths: 30 70\n\n{cells}"
