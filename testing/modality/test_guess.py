"""Names, sidecars and images: which counts, how sure it is, what is said of contradictions."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from spinetools.image import load_volume
from spinetools.modality import guess as module
from spinetools.modality.classify import fit, from_record, shipped
from spinetools.modality.features import FEATURES, Seen
from spinetools.modality.guess import Guess, _from_image, command_contrast, guess_contrast
from spinetools.modality.said import from_name, from_sidecar
from spinetools.phantom import CONTRASTS

RESULTS = Path(__file__).resolve().parents[1] / "benchmark" / "results" / "modality.tsv"


@pytest.mark.parametrize(
    ("name", "contrast"),
    [
        ("sub-01_T1w.nii.gz", "t1"), ("sub-01_T2w.nii", "t2"), ("s_T2star.nii.gz", "t2s"),
        ("s_acq-T1w_MTS.nii.gz", "t1"), ("s_acq-MTon_MTS.nii.gz", "mt"), ("s_dwi.nii.gz", "dwi"),
        ("s_PDw.nii.gz", "pd"), ("T2w.nii.gz", "t2"), ("t2.nii.gz", ""), ("notT1w.nii.gz", ""),
        ("s_T2w_seg.nii.gz", ""),
    ],
)  # fmt: skip
def test_names(name: str, contrast: str) -> None:
    assert from_name(f"some/_T1w/{name}") == contrast


@pytest.mark.parametrize(
    ("fields", "contrast"),
    [
        ({"Modality": "CT"}, "ct"),
        ({"ScanningSequence": "SE", "EchoTime": 0.1, "RepetitionTime": 3.0}, "t2"),
        ({"ScanningSequence": ["SE"], "EchoTime": 0.01, "RepetitionTime": 0.6}, "t1"),
        ({"ScanningSequence": "SE", "EchoTime": 0.02, "RepetitionTime": 3.0}, "pd"),
        ({"ScanningSequence": "SE", "EchoTime": 0.02, "RepetitionTime": 1.5}, ""),
        ({"ScanningSequence": "SE\\IR", "InversionTime": 0.16, "EchoTime": 0.05}, "stir"),
        ({"ScanningSequence": "GR_IR", "InversionTime": 0.9}, "t1"),
        ({"MTState": True}, "mt"), ({"Modality": "MR"}, ""), ({}, ""),
        ({"ScanningSequence": "SE", "EchoTime": "long", "RepetitionTime": None}, ""),
    ],
)  # fmt: skip
def test_sidecars(fields: dict[str, object], contrast: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(fields))
    assert from_sidecar(tmp_path / "a.nii.gz") == contrast


def test_sidecars_that_are_none(tmp_path: Path) -> None:
    assert from_sidecar(tmp_path / "missing.nii.gz") == ""
    for text in ("no json", "[1, 2]"):
        (tmp_path / "a.json").write_text(text)
        assert from_sidecar(tmp_path / "a.nii.gz") == ""


def far_apart() -> list[tuple[str, np.ndarray]]:
    rng = np.random.default_rng(0)
    return [
        (name, rng.normal(0, 0.3, (40, len(FEATURES))) + 2 * k)
        for k, name in enumerate(("t1", "t2", "t2"))
    ]


def test_the_gaussians_tell_what_they_were_fitted_to() -> None:
    kinds = far_apart()
    known = from_record(json.loads(json.dumps(fit(kinds))))
    for name, rows in kinds:
        shares, distance = known.probabilities(rows[0])
        assert shares[name] > 0.99
        assert distance < known.farthest
        assert sum(shares.values()) == pytest.approx(1)
    assert known.probabilities(np.full(len(FEATURES), 30.0))[1] > known.farthest


def test_features_that_are_missing_are_left_out() -> None:
    kinds = far_apart()
    known = from_record(fit(kinds))
    row = kinds[0][1][0].copy()
    row[6:] = np.nan
    assert known.probabilities(row)[0]["t1"] > 0.9


def test_weak_evidence_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    known = from_record(fit(far_apart()))
    monkeypatch.setattr(module, "shipped", lambda: known)
    between = Seen(np.full(len(FEATURES), 1.0), 5, 0.0, 0.0)
    assert _from_image(between).contrast == "not sure"
    far = Seen(np.full(len(FEATURES), 30.0), 5, 0.0, 0.0)
    assert (_from_image(far).modality, _from_image(far).command) == ("not sure", "")
    sure = _from_image(Seen(np.zeros(len(FEATURES)), 5, 0.0, 0.0))
    assert (sure.modality, sure.contrast, sure.command) == ("MR", "t1", "t1")


def test_intensities_alone_are_no_proof_of_ct() -> None:
    known = shipped()
    ct = Seen(known.means[known.contrasts.index("ct")], 5, 0.0, 0.0)
    assert _from_image(ct).modality == "not sure"


def test_what_is_said_counts_and_a_contradiction_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = Guess("MR", "t2", 0.99, "t2", "image", (("t2", 0.99), ("pd", 0.01)))
    monkeypatch.setattr(module, "look_at", lambda image: None)
    monkeypatch.setattr(module, "_from_image", lambda seen: looks)
    said = guess_contrast(None, "a_T1w.nii.gz")  # type: ignore[arg-type]
    assert (said.contrast, said.command, said.source) == ("t1", "t1", "name")
    assert "looks T2-weighted" in said.contradiction
    assert guess_contrast(None, "a_T2w.nii.gz").contradiction == ""  # type: ignore[arg-type]
    assert guess_contrast(None, "a_T1w.nii.gz", only_image=True) == looks  # type: ignore[arg-type]
    # the commands do not look where the name tells
    monkeypatch.setattr(module, "look_at", lambda image: pytest.fail("looked"))
    assert command_contrast(None, "a_T1w.nii.gz").command == "t1"  # type: ignore[arg-type]


def test_the_shipped_numbers_are_whole() -> None:
    known = shipped()
    assert set(known.contrasts) == set(CONTRASTS) - {"random", "relax"}
    assert known.means.shape == (len(known.contrasts), len(FEATURES))
    for covariance in known.covariances:
        assert np.linalg.eigvalsh(covariance).min() > 0


def test_what_was_measured_is_what_the_docs_promise() -> None:
    """At most one answer in thirty is wrong; on the real test images none."""
    with RESULTS.open(encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream, delimiter="\t") if row["true"] == "all"]
    found = {(r["set"], r["question"], r["answer"]): int(r["images"]) for r in rows}
    for question in ("modality", "contrast", "-c"):
        assert found["simulated", question, "wrong"] <= 4
        assert found["real, test", question, "wrong"] == 0


@pytest.mark.real
@pytest.mark.parametrize(
    ("file", "contrast"),
    [("cord/errsm11_T2w", "t2"), ("cord/gm9418_T2star", "t2s"), ("spider/118_T2space", "t2")],
)
def test_real_images(real_data: Path, file: str, contrast: str) -> None:
    image = load_volume(real_data / f"{file}.nii.gz")
    assert guess_contrast(image).command == contrast
