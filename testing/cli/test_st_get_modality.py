"""``st_get_modality``, and ``-c`` where it is left out of other commands."""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

import spinetools.modality
from spinetools.cli._contrast import COLUMNS, in_words, settle_contrast
from spinetools.errors import InputError
from spinetools.modality import Guess

from .conftest import Run


def save(path: Path, kind: str = "mr") -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(200, 20, (30, 30, 20))
    if kind == "ct":
        values = rng.choice([-1000.0, -90, 40, 60, 300], values.shape, p=(0.2, 0.2, 0.3, 0.2, 0.1))
    nib.save(nib.Nifti1Image(values.astype(np.int16), np.eye(4)), path)


def test_the_name_the_image_and_a_table(run: Run, folder: Path) -> None:
    save(folder / "s_T1w.nii.gz")
    save(folder / "s.nii.gz", "ct")
    outcome = run("st_get_modality", "-i", "s_T1w.nii.gz", "s.nii.gz", "-o", "t.tsv")
    assert outcome.code == 0, outcome.err
    assert "s_T1w.nii.gz: MR, T1-weighted, as the name says; -c t1" in outcome.out
    assert "s.nii.gz: CT, from its Hounsfield units; -c not sure" in outcome.out
    lines = [line.split("\t") for line in (folder / "t.tsv").read_text().splitlines()]
    assert tuple(lines[0]) == COLUMNS
    assert [line[1] for line in lines[1:]] == ["MR", "CT"]
    alone = run("st_get_modality", "-i", "s_T1w.nii.gz", "-only-image")
    assert "not sure" in alone.out


def arguments(path: str, contrast: str | None = None) -> argparse.Namespace:
    return argparse.Namespace(i=path, c=contrast)


def test_what_is_given_counts() -> None:
    args = arguments("a_T1w.nii.gz", "t2")
    settle_contrast(args, None)  # type: ignore[arg-type]
    assert args.c == "t2"


def test_what_is_left_out_is_said_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    args = arguments("a_T1w.nii.gz")
    with caplog.at_level(logging.INFO):
        settle_contrast(args, None)  # type: ignore[arg-type]
    assert args.c == "t1"
    assert [r.getMessage() for r in caplog.records] == [
        "-c is left out: t1, as the name says T1-weighted"
    ]


def test_where_nothing_is_sure(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    guess = Guess("MR", "not sure", 0.5, "", "image", (("t2s", 0.5), ("pd", 0.4)))
    monkeypatch.setattr(spinetools.modality, "command_contrast", lambda image, path: guess)
    args = arguments("a.nii.gz")
    with caplog.at_level(logging.INFO):
        settle_contrast(args, None)  # type: ignore[arg-type]
    assert args.c == "any"
    assert "does not tell its contrast for sure (perhaps T2*-weighted or proton" in caplog.text
    with pytest.raises(InputError, match="say which contrast it is: -c"):
        settle_contrast(arguments("a.nii.gz"), None, otherwise=None)  # type: ignore[arg-type]
    assert "contrast not sure" in in_words(guess)


def test_the_commands_use_it(run: Run, folder: Path) -> None:
    save(folder / "s_T2star.nii.gz")
    outcome = run("st_deepseg_sc", "-i", "s_T2star.nii.gz", "-allow-empty")
    assert outcome.code == 0, outcome.err
    assert outcome.err.count("-c is left out: t2s, as the name says T2*-weighted") == 1
    assert json.loads((folder / "s_T2star_seg.json").read_text())["Contrast"] == "t2s"
    save(folder / "s.nii.gz")
    unsure = run("st_propseg", "-i", "s.nii.gz")
    assert unsure.code == 1
    assert "say which contrast it is: -c" in unsure.err
    said = run("st_get_centerline", "-i", "s_T2star.nii.gz", "-allow-empty")
    assert "-c is left out: t2s" in said.err
