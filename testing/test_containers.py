"""The container recipes: what can be checked where no container can be built."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "containers"
DOCKERFILE = (FOLDER / "Dockerfile").read_text(encoding="utf-8")
RECIPE = (FOLDER / "spinetools.def").read_text(encoding="utf-8")
#: What both copy: the first six are what test_packaging.py builds a wheel from, that runs alone.
NEEDED = {
    "pyproject.toml", "setup.cfg", "README.md", "LICENSE", "spinetools", "data",
    "batch_processing.sh",
}  # fmt: skip


def instructions() -> list[tuple[str, str]]:
    """Return the Dockerfile's instructions in order, continued lines joined."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.MULTILINE).replace("\\\n", " ")
    return [tuple(line.split(None, 1)) for line in text.splitlines() if line.strip()]  # type: ignore[misc]


def test_only_what_the_package_needs_goes_in() -> None:
    lines = (FOLDER / "Dockerfile.dockerignore").read_text(encoding="utf-8").split()
    assert lines[0] == "*"
    assert {line[1:] for line in lines if line.startswith("!")} == NEEDED
    files = re.search(r"%files\n((?:    .+\n)+)", RECIPE)
    assert files
    assert {line.split()[0] for line in files[1].splitlines()} == NEEDED
    assert all((ROOT / name).exists() for name in NEEDED)


def test_nobody_is_root_in_it() -> None:
    kinds = [kind for kind, _ in instructions()]
    last_stage = kinds[len(kinds) - kinds[::-1].index("FROM") :]
    assert "USER" in last_stage
    users = [value for kind, value in instructions() if kind == "USER"]
    assert users == ["spine"]
    assert last_stage.index("USER") > last_stage.index("RUN")
    assert any(f" {users[0]}" in value for kind, value in instructions() if kind == "RUN")


def test_both_are_small_and_of_one_python() -> None:
    assert DOCKERFILE.count("-slim") == 2
    default = re.search(r"ARG PYTHON=(\S+)", DOCKERFILE)
    assert default
    assert f"From: python:{default[1]}-slim" in RECIPE
    assert f'"Programming Language :: Python :: {default[1]}"' in (
        ROOT / "pyproject.toml"
    ).read_text(encoding="utf-8")
    assert DOCKERFILE.count("--no-cache-dir") == RECIPE.count("--no-cache-dir") == 1


@pytest.mark.skipif(not shutil.which("bash"), reason="there is no bash")
@pytest.mark.parametrize("extras", ["", "batch,dicom"])
def test_the_steps_are_sound_shell(extras: str, tmp_path: Path) -> None:
    """Run them with programs that only say how they were called."""
    calls = tmp_path / "calls"
    for name in ("python", "pip", "install", "useradd", "rm"):
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f'#!/bin/bash\necho "{name} $*" >> {calls}\n')
        program.chmod(0o755)
    steps = [value for kind, value in instructions() if kind == "RUN"]
    post = re.search(r"%post\n((?:    .+\n)+)", RECIPE)
    assert post
    for step in [*steps, post[1]]:
        script = step.replace("/opt/spinetools/bin/pip", "pip")
        done = subprocess.run(
            ["bash", "-euc", script], capture_output=True, text=True,
            env={"PATH": f"{tmp_path / 'bin'}{os.pathsep}/usr/bin:/bin", "EXTRAS": extras},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    said = calls.read_text().splitlines()
    wanted = "/src[batch,dicom]" if extras else "/src"
    assert f"pip install --no-cache-dir {wanted}" in said
    assert said.count("python -m venv /opt/spinetools") == 2
    assert "useradd --create-home --uid 1000 spine" in said
