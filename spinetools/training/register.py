"""Bring ``data/models/registry.json`` up to date with the models that ship.

Run it after a model was exported:

    python -m spinetools.training.register
    python -m spinetools.training.register -check

Name, version, task, licence and citation come from the card in each file, size and checksum from
the file. Entries of published models, and the commands that a model is the default for, stay as
they are; an entry whose file is gone goes too.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from spinetools.files import write_text
from spinetools.models.card import read_card
from spinetools.models.registry import REGISTRY_NAME, file_sha256, read_registry, shipped_folder
from spinetools.training.entry import run_script


def refreshed(content: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return the registry's content with the shipped models as they are in ``folder``."""
    before = {entry["name"]: entry for entry in content["models"]}
    published = [
        entry for entry in content["models"] if any(file.get("urls") for file in entry["files"])
    ]
    shipped = [_entry(path, before) for path in sorted(folder.glob("*.onnx"))]
    return {**content, "models": [*shipped, *published]}


def _entry(path: Path, before: dict[str, dict[str, Any]]) -> dict[str, Any]:
    card = read_card(path)
    if path.stem != card.name:
        raise SystemExit(f"{path.name} holds the model {card.name}: name the file after it")
    old = before.get(card.name, {})
    return {
        "name": card.name,
        "version": card.version,
        "engine": "onnx",
        "task": card.task,
        "default_for": old.get("default_for", []),
        "licence": card.licence or old.get("licence", ""),
        "citation": card.citation or old.get("citation", ""),
        "files": [
            {"file": path.name, "size": path.stat().st_size, "sha256": file_sha256(path)}
        ],
    }  # fmt: skip


def main(argv: list[str] | None = None) -> None:
    """Write the registry, or with ``-check`` say whether it is up to date."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-folder", type=Path, default=shipped_folder())
    parser.add_argument("-check", action="store_true", help="change nothing; exit 1 if out of date")
    args = parser.parse_args(argv)
    path = args.folder / REGISTRY_NAME
    old = path.read_text(encoding="utf-8")
    new = json.dumps(refreshed(json.loads(old), args.folder), indent=2, ensure_ascii=False) + "\n"
    if args.check:
        if new != old:
            raise SystemExit(f"{path} is out of date: python -m spinetools.training.register")
        return
    write_text(path, new)
    entries = read_registry(path)  # what was written can be read
    sys.stderr.write(f"{path}: {', '.join(entry.identity for entry in entries)}\n")


if __name__ == "__main__":
    run_script(main)
