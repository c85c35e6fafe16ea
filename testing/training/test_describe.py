"""Figures and known failures in a model's card."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("onnx", reason="onnx is not installed: pip install 'spinetools[train]'")

from spinetools.errors import InputError
from spinetools.infer.onnx import OnnxModel
from spinetools.models.card import read_card
from spinetools.models.store import find_model
from spinetools.training.describe import describe, main

TABLE = "method\timage\tDice\na\tone\t0.9\nb\tone\t0.8\na\ttwo\t0.7\n"


def test_the_rows_of_a_method_come_into_the_card(tmp_path: Path) -> None:
    path, table = tmp_path / "optic.onnx", tmp_path / "table.tsv"
    shutil.copy(find_model("optic"), path)
    before = read_card(path)
    table.write_text(TABLE, encoding="utf-8")
    describe(path, table, "a", ["fails on Mondays"])
    card = OnnxModel(path).card
    assert card.benchmark == [{"image": "one", "Dice": "0.9"}, {"image": "two", "Dice": "0.7"}]
    assert card.failures == ("fails on Mondays",)
    assert card.training == before.training
    describe(path, None)
    assert read_card(path) == card


def test_the_script_says_what_the_card_has_now(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, table = tmp_path / "optic.onnx", tmp_path / "table.tsv"
    shutil.copy(find_model("optic"), path)
    table.write_text(TABLE, encoding="utf-8")
    options = ["-results", str(table), "-method", "b", "-failure", "x", "-failure", "y"]
    main([str(path), *options, "-history", "twice"])
    assert capsys.readouterr().err == f"{path}: 1 rows measured, 2 known failures\n"
    card = read_card(path)
    assert card.failures == ("x", "y")
    assert card.training["history"] == "twice"


def test_a_method_without_rows_is_refused(tmp_path: Path) -> None:
    path, table = tmp_path / "optic.onnx", tmp_path / "table.tsv"
    shutil.copy(find_model("optic"), path)
    table.write_text(TABLE, encoding="utf-8")
    with pytest.raises(InputError, match="no row of method 'c'"):
        describe(path, table, "c")


def test_a_known_error_of_a_script_is_one_line(tmp_path: Path) -> None:
    """As of a command: what is wrong, and no traceback."""
    missing = tmp_path / "none.onnx"
    ran = subprocess.run(
        [sys.executable, "-m", "spinetools.training.describe", str(missing)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 1
    assert ran.stderr.startswith(f"error: the model {missing} cannot be read")
    assert ran.stderr.count("\n") == 1
