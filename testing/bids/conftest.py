"""A raw data set of phantoms as a scanner's data come: sessions, runs, several contrasts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from spinetools.phantom import get_protocol, make_phantom

#: Images of the data set: name, which phantom it shows, and what a sidecar says. T2*-weighted and
#: magnetisation transfer images show a dark cord as T2w does, diffusion a bright one as T1w does.
IMAGES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("sub-01/ses-01/anat/sub-01_ses-01_run-1_T2w", "t2", {"EchoTime": 0.12}),
    ("sub-01/ses-01/anat/sub-01_ses-01_run-2_T2w", "t2", {"EchoTime": 0.12}),
    ("sub-01/ses-02/anat/sub-01_ses-02_T1w", "t1", {}),
    ("sub-01/ses-02/anat/sub-01_ses-02_acq-ax_T2w", "t2", {}),
    (
        "sub-02/ses-01/anat/sub-02_ses-01_flip-1_mt-on_MTS", "t2",
        {"FlipAngle": 9, "MTState": True, "RepetitionTimeExcitation": 0.03},
    ),
    ("sub-02/ses-01/dwi/sub-02_ses-01_dir-AP_dwi", "t1", {}),
)  # fmt: skip


def write_json(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def describe(root: Path, **more: object) -> None:
    content = {"Name": "Phantoms", "BIDSVersion": "1.10.0", "DatasetType": "raw", "License": "CC0"}
    write_json(root / "dataset_description.json", {**content, **more})


def add(root: Path, name: str, said: dict[str, Any] | None = None) -> Path:
    """Add an image in which there is nothing: where only its name matters."""
    path = root / f"{name}.nii.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(np.zeros((4, 4, 4), np.int16), np.eye(4)), path)
    if said is not None:
        write_json(root / f"{name}.json", said)
    return path


@pytest.fixture
def names_only(tmp_path: Path) -> Path:
    """A data set in which nothing is but names."""
    root = tmp_path / "raw"
    describe(root)
    for name, _, said in IMAGES:
        add(root, name, said)
        if name.endswith("dwi"):
            for extension in (".bval", ".bvec"):
                (root / f"{name}{extension}").write_text("0\n")
    return root


@pytest.fixture(scope="session")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of simulated spines, valid for BIDS; nobody writes into it."""
    root = tmp_path_factory.mktemp("study") / "raw data"
    describe(root)
    (root / "README").write_text("Simulated spines.\n")
    (root / "participants.tsv").write_text("participant_id\nsub-01\nsub-02\n")
    small = replace(get_protocol("t2_axial"), spacing=(1.0, 1.0, 4.0))
    made = {contrast: make_phantom(11, contrast, small, "cervical") for contrast in ("t2", "t1")}
    for name, contrast, said in IMAGES:
        path = root / f"{name}.nii.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        made[contrast].image.save(path, dtype="int16")
        if said:
            write_json(root / f"{name}.json", said)
        if name.endswith("dwi"):
            (root / f"{name}.bval").write_text("0\n")
            (root / f"{name}.bvec").write_text("0\n0\n0\n")
    return root


Validate = Callable[..., list[str]]


@pytest.fixture(scope="session")
def validate() -> Validate:
    """Return the errors that the BIDS validator finds in a data set."""
    program = Path(sys.executable).with_name("bids-validator-deno")
    if not program.exists():
        pytest.skip("no BIDS validator: pip install bids-validator-deno (extra test)")

    def errors(folder: Path, *options: str) -> list[str]:
        said = subprocess.run(
            [program, "--format", "json", *options, folder],
            capture_output=True, text=True, env={**os.environ, "NO_COLOR": "1"},
        )  # fmt: skip
        content = json.loads(said.stdout)
        parts = [content, *content.get("derivativesSummary", {}).values()]
        issues = [issue for part in parts for issue in part["issues"]["issues"]]
        found = [issue for issue in issues if issue["severity"] == "error"]
        assert bool(found) == (said.returncode != 0), said.stderr
        return [f"{issue['code']} {issue.get('location')}" for issue in found]

    return errors
