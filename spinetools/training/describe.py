"""Write what was measured, and what is known to fail, into the card of an exported model.

    python -m spinetools.training.describe data/models/cord_2d.onnx -method "st_deepseg_sc"
        -results testing/benchmark/results/segmentation.tsv -failure "..." -failure "..."

``python -m spinetools.training.register`` brings the registry up to date afterwards.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from spinetools.errors import InputError
from spinetools.models.card import read_card
from spinetools.training.entry import run_script
from spinetools.training.set_thresholds import write_card


def describe(
    path: Path,
    results: Path | None,
    method: str = "",
    failures: Sequence[str] = (),
    history: str = "",
) -> None:
    """Replace the benchmark, and the failures, in a model's card.

    Parameters
    ----------
    path
        ONNX file with a card; replaced as a whole.
    results
        Table of the benchmark (TSV) with a column ``method``; None leaves the benchmark as it is.
    method
        Whose rows are taken.
    failures
        What is known to fail, a sentence each; none leaves the card's as they are.
    history
        How the training went, where one command did not do it all; empty leaves it as it is.

    Raises
    ------
    InputError
        When the table has no row of the method.
    """
    card = read_card(path)
    if results is not None:
        with results.open(encoding="utf-8") as file:
            rows = [row for row in csv.DictReader(file, delimiter="\t") if row["method"] == method]
        if not rows:
            raise InputError(f"{results} has no row of method {method!r}; run the benchmark first")
        kept = [{key: value for key, value in row.items() if key != "method"} for row in rows]
        card = replace(card, benchmark=kept)
    if failures:
        card = replace(card, failures=tuple(failures))
    if history:
        card = replace(card, training={**card.training, "history": history})
    write_card(path, card)


def main(argv: list[str] | None = None) -> None:
    """Describe a model."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("-results", type=Path)
    parser.add_argument("-method", default="")
    parser.add_argument("-failure", action="append", default=[])
    parser.add_argument("-history", default="")
    args = parser.parse_args(argv)
    describe(args.model, args.results, args.method, args.failure, args.history)
    card = read_card(args.model)
    sys.stderr.write(
        f"{args.model}: {len(card.benchmark)} rows measured, {len(card.failures)} known failures\n"
    )


if __name__ == "__main__":
    run_script(main)
