"""st_check: it says what is there, and fails where something is wrong."""

from __future__ import annotations

import json
import os
import re
from collections import namedtuple
from pathlib import Path

import pytest

from spinetools._version import __version__
from spinetools.cli import _check

from .conftest import Run


def test_all_is_well(run: Run, folder: Path) -> None:
    outcome = run("st_check", "-self-test", 0)
    assert outcome.code == 0, outcome.err
    assert outcome.out.endswith("all is well\n")
    for word in (__version__, "numpy", "CPUExecutionProvider", "optic@", "threads", "GB free"):
        assert word in outcome.out
    assert not any(folder.iterdir())


def test_json_says_the_same(run: Run, folder: Path) -> None:
    outcome = run("st_check", "-json", "-self-test", 0)
    content = json.loads(outcome.out)
    assert outcome.code == 0
    assert content["problems"] == []
    assert content["spinetools"]["version"] == __version__
    asked = {name for name, extra in _check.requirements() if not extra}
    assert set(content["packages"]) == asked
    assert {"numpy", "onnxruntime"} <= asked
    assert "self-test" not in content


@pytest.mark.slow
def test_the_self_test_segments_an_image(run: Run, folder: Path) -> None:
    outcome = run("st_check", "-json")
    assert outcome.code == 0, outcome.err
    assert json.loads(outcome.out)["self-test"]["Dice"] >= _check.LEAST_DICE
    assert not any(folder.iterdir())


def test_a_model_changed_by_one_byte(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    from spinetools.models import registry, verify

    copy = folder / "models"
    shutil.copytree(registry.shipped_folder(), copy)
    content = bytearray((copy / "optic.onnx").read_bytes())
    content[1000] ^= 1
    (copy / "optic.onnx").write_bytes(content)
    monkeypatch.setattr(verify, "shipped_folder", lambda: copy)
    outcome = run("st_check", "-self-test", 0)
    assert outcome.code == 1
    assert re.fullmatch(r"st_check: error: 1 problem: .*optic\.onnx: wrong checksum\n", outcome.err)
    assert "devices" in outcome.out  # the rest is told all the same


def test_a_package_that_cannot_be_loaded(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(name: str) -> object:
        if name == "edt":
            raise ImportError("undefined symbol: PyFoo")
        return __import__(name)

    monkeypatch.setattr(_check, "import_module", broken)
    outcome = run("st_check", "-self-test", 0)
    assert outcome.code == 1
    assert "edt cannot be loaded" in outcome.err
    assert "undefined symbol" in outcome.out


def test_a_full_disk_is_said(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(_check.shutil, "disk_usage", lambda _: usage(10**12, 10**12, 10**8))
    outcome = run("st_check", "-self-test", 0)
    assert outcome.code == 1
    assert "0.1 GB are free in" in outcome.err


def test_a_section_that_fails_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_check, "about_system", lambda: 1 / 0)
    report = _check.look(self_test=False)
    assert report.problems == ["system: ZeroDivisionError: division by zero"]
    assert "resources" in report.facts


def test_memory_without_psutil(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "psutil", None)
    total, free = _check.memory_gb()
    assert 0 < free <= total
    monkeypatch.delattr(os, "sysconf")  # Windows
    assert _check.memory_gb() == (0.0, 0.0)


def test_an_extra_names_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = [("numpy", ""), ("numpy", "one"), ("no-such-package", "one"), ("scipy", "two")]
    monkeypatch.setattr(_check, "requirements", lambda: iter(wanted))
    found = _check.extras()
    assert found["one"] == "lacks no-such-package"
    assert found["two"].startswith("scipy 1.")
