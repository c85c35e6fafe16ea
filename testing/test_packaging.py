"""The wheel: everything that commands need is in it, and they run from it alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("pyproject.toml", "setup.cfg", "README.md", "LICENSE", "spinetools", "data")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build a wheel from a copy of the sources, and unpack it."""
    pytest.importorskip("setuptools", minversion="77")
    source = tmp_path_factory.mktemp("source")
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(
                ROOT / part, source / part, ignore=shutil.ignore_patterns("__pycache__")
            )
        else:
            shutil.copy(ROOT / part, source)
    code = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
    wheels = tmp_path_factory.mktemp("wheel")
    built = subprocess.run(
        [sys.executable, "-c", code, wheels], cwd=source, capture_output=True, text=True
    )
    assert built.returncode == 0, built.stderr
    (wheel,) = wheels.glob("*.whl")
    folder = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def run(installed: Path, folder: Path, code: str) -> str:
    """Run code against the unpacked wheel; an editable installation comes after it."""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(installed)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_source_and_data_file_is_in_the_wheel(installed: Path) -> None:
    def names(folder: Path) -> set[str]:
        return {
            str(path.relative_to(folder))
            for path in folder.rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }

    packed = names(installed / "spinetools")
    data = {f"data/{name}" for name in names(ROOT / "data") if not name.endswith(".md")}
    assert sorted((names(ROOT / "spinetools") | data) - packed) == []


def test_it_is_the_wheel_that_runs(installed: Path, tmp_path: Path) -> None:
    code = (
        "import spinetools.labels, spinetools.data\n"
        "print(spinetools.labels.__file__, spinetools.data.__file__, sep='\\n')\n"
        "print(len(spinetools.labels.structures()))"
    )
    labels, data, count = run(installed, tmp_path, code).splitlines()
    assert Path(labels).is_relative_to(installed)
    assert Path(data).is_relative_to(installed)
    assert int(count) > 40


@pytest.mark.parametrize(
    "part", ["spinetools/qc/page/index.html", "spinetools/data/models/optic.onnx",
             "spinetools/py.typed"],
)  # fmt: skip
def test_what_is_no_python_is_there(installed: Path, part: str) -> None:
    assert (installed / part).stat().st_size >= 0


def test_the_licence_goes_with_it(installed: Path) -> None:
    (info,) = installed.glob("spinetools-*.dist-info")
    metadata = (info / "METADATA").read_text(encoding="utf-8")
    assert "License-Expression: Apache-2.0" in metadata
    assert (info / "licenses" / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()
