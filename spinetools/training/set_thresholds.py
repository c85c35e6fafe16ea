"""Write thresholds into the card of an exported model.

    python -m spinetools.training.set_thresholds data/models/cord_2d.onnx any=0.5 t2=0.47

Thresholds that are not named stay as they are. Only models that are not released yet may be
changed; ``python -m spinetools.training.register`` brings the registry up to date afterwards.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from spinetools.files import atomic_path
from spinetools.models.card import ModelCard, read_card
from spinetools.training.entry import run_script


def set_thresholds(path: Path, thresholds: Mapping[str, float]) -> dict[str, float]:
    """Replace thresholds in a model's card; its weights do not change.

    Parameters
    ----------
    path
        ONNX file with a card; replaced as a whole.
    thresholds
        Probability, 0 to 1, by contrast; ``"any"`` for every other contrast.

    Returns
    -------
    dict
        All thresholds that the card has now.

    Raises
    ------
    ModelError
        When the file is no model with a card.
    ValueError
        When a threshold lies outside 0 to 1.
    """
    card = read_card(path)
    changed = replace(card, thresholds={**card.thresholds, **thresholds})
    write_card(path, changed)
    return changed.thresholds


def write_card(path: Path, card: ModelCard) -> None:
    """Replace the card of a model; its weights do not change."""
    import onnx

    model = onnx.load(str(path))
    new = card.to_metadata()
    for entry in model.metadata_props:
        if entry.key in new:
            entry.value = new[entry.key]
    with atomic_path(path) as temporary:
        onnx.save(model, str(temporary))


def _pair(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        return name, float(value)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: expected CONTRAST=NUMBER") from None


def main(argv: list[str] | None = None) -> None:
    """Write thresholds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("thresholds", type=_pair, nargs="+", metavar="CONTRAST=NUMBER")
    args = parser.parse_args(argv)
    now = set_thresholds(args.model, dict(args.thresholds))
    said = ", ".join(f"{name} {value:g}" for name, value in now.items())
    sys.stderr.write(f"{args.model}: {said}\n")


if __name__ == "__main__":
    run_script(main)
