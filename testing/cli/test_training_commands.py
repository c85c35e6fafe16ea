"""What the training commands hand on to the functions below them; nnU-Net itself is not needed."""

from __future__ import annotations

import ast
import sys
from collections import namedtuple
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from .conftest import ROOT, Run

Calls = list[tuple[Any, ...]]


def stand_in(monkeypatch: pytest.MonkeyPatch, name: str, record: str, function: str) -> Calls:
    """Put a module in the place of one that imports nnU-Net: its record of settings, one function.

    The record has the fields of the real one, in their order, as its source says.
    """
    source = (ROOT / "spinetools" / "training" / f"{name}.py").read_text(encoding="utf-8")
    (made,) = (
        node
        for node in ast.parse(source).body
        if isinstance(node, ast.ClassDef) and node.name == record
    )
    fields = [node.target.id for node in made.body if isinstance(node, ast.AnnAssign)]  # type: ignore[union-attr]
    calls: Calls = []

    def call(*arguments: Any) -> Path:
        calls.append(arguments)
        return Path("results") / "fold"

    module = ModuleType(f"spinetools.training.{name}")
    module.__dict__[record] = namedtuple(record, fields)
    module.__dict__[function] = call
    module.__dict__["MODEL_NAMES"] = {101: "spine_step1", 103: "spine_onestep"}
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return calls


def test_st_train(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = stand_in(monkeypatch, "nnunet_train", "Run", "train")
    (folder / "before.onnx").touch()
    done = run(
        "st_train", "102", "all", "-folder", "net", "-steps", 70, "-device", "cpu", "-threads", 2,
        "-seed", 5, "-init", "before.onnx", "-real-share", 0.25,
    )  # fmt: skip
    assert done.code == 0, done.err
    assert done.out == f"written: {Path('results') / 'fold'}\n"
    ((layout, number, fold, how),) = calls
    assert layout.raw.parent.name == "net"
    assert (number, fold) == (102, "all")
    assert how._asdict() == {
        "steps": 70, "device": "cpu", "threads": 2, "seed": 5, "init": Path("before.onnx"),
        "real_share": 0.25,
    }  # fmt: skip
    assert run("st_train", "101", "3").code == 0
    assert calls[1][1:3] == (101, 3)
    assert (calls[1][3].init, calls[1][3].real_share) == (None, None)
    failed = run("st_train", "101", "-init", "missing.onnx")
    assert failed.code == 1
    assert "there is no such file" in failed.err
    assert len(calls) == 2


def test_st_export_onnx(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = stand_in(monkeypatch, "nnunet_export", "Release", "export_model")
    options = ["-model-version", "2.1", "-licence", "X", "-failure", "one", "-failure", "two"]
    assert run("st_export_onnx", "103", "4", "-ofolder", "out", *options).code == 0
    (folder / "old.log.tsv").write_text("100\t1.5\t60\n")
    again = ["-o", "mine.onnx", "-log-before", "old.log.tsv"]
    assert run("st_export_onnx", "101", "all", *again).code == 0
    (_, number, fold, output, release), second = calls
    assert (number, fold, output) == (103, 4, Path("out") / "spine_onestep.onnx")
    assert tuple(release) == ("2.1", "X", ("one", "two"), "")
    assert second[1:4] == (101, "all", Path("mine.onnx"))
    assert second[4].log_before == "100\t1.5\t60\n"
    failed = run("st_export_onnx", "101", "all", "-log-before", "missing.log.tsv")
    assert failed.code == 1
    assert "there is no such file" in failed.err
    assert len(calls) == 2


def test_st_train_prepare(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch", reason="training needs torch")
    from spinetools.training import nnunet_bids, nnunet_dataset

    labelled: Calls = []
    painted: Calls = []
    monkeypatch.setattr(nnunet_bids, "prepare_labelled", lambda *given: labelled.append(given))
    monkeypatch.setattr(nnunet_dataset, "prepare_phantoms", lambda *given: painted.append(given))
    made = folder / "net" / "raw" / "Dataset101_SpineStep1" / "dataset.json"
    made.parent.mkdir(parents=True)
    made.touch()
    done = run(
        "st_train_prepare", "101", "-folder", "net", "-phantoms", 0, "-i", "study", "-seed", 9,
        "-label-scheme", "sct", "-values", "1=vertebra", "-unlabelled", "span", "-lowest",
        "disc_L5_S", "-list", "names.txt", "-copies", 2,
    )  # fmt: skip
    assert done.code == 0, done.err
    assert done.out == f"written: {made.relative_to(folder)}\n"
    assert not painted
    ((_, numbers, source, params, listed, seed),) = labelled
    assert (list(numbers), source, listed, seed) == ([101], Path("study"), "names.txt", 9)
    assert (params.scheme, params.values, params.unlabelled) == ("sct", "1=vertebra", "span")
    assert (params.copies, params.lowest) == (2, "disc_L5_S")
    run("st_train_prepare", "-i", "study", "-noaug", "-phantoms", 3)
    assert labelled[1][3].copies == 0
    assert (list(painted[0][1]), painted[0][2:]) == ([101, 102, 103], (3, 2026))
