"""Running commands in tests: in this process where it is enough, else as a user does."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Outcome:
    """What a command left: exit code, stdout, stderr."""

    code: int
    out: str
    err: str


Run = Callable[..., Outcome]


def entry_points() -> dict[str, str]:
    """Module of every command in pyproject.toml."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    return dict(re.findall(r'^(st_\w+) = "([\w.]+):main"$', text, flags=re.MULTILINE))


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in this process: ``run("st_image", "-i", path, "-getorient")``."""

    def call(command: str, *arguments: object) -> Outcome:
        module = importlib.import_module(f"spinetools.cli.{command}")
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            module.main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        code = stop.value.code
        assert isinstance(code, int)
        return Outcome(code, out, err)

    return call


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is also the current one, so that default names land in it."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def t2(folder: Path) -> Path:
    """A small oblique image, ASL in SCT's letters, 1 × 0.5 × 2 mm, each voxel its own value."""
    affine = np.eye(4)
    turn = Rotation.from_euler("xyz", (3, -5, 8), degrees=True).as_matrix()
    affine[:3, :3] = turn @ [[0, 0, 1], [-1, 0, 0], [0, -1, 0]] * [1, 0.5, 2]
    affine[:3, 3] = (-9, 30, 12)
    image = nib.Nifti1Image(np.arange(12 * 10 * 8, dtype=np.int16).reshape(12, 10, 8), affine)
    image.set_sform(affine, 1)
    image.set_qform(affine, 1)
    nib.save(image, folder / "t2.nii.gz")
    return folder / "t2.nii.gz"
