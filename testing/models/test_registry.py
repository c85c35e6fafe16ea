"""The registry, and that it tells the truth about what ships."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from spinetools.errors import ModelError
from spinetools.labels import SCHEMES, structures
from spinetools.models.card import read_card
from spinetools.models.registry import load_registry, read_registry, shipped_folder
from spinetools.models.verify import verify, verify_shipped
from spinetools.training import register

from .conftest import write_registry

REGISTRY = read_registry(shipped_folder() / "registry.json")
PUBLISHED = [entry for entry in REGISTRY if entry.published]
SHIPPED = [entry for entry in REGISTRY if not entry.published]
#: Classes of networks that stand for several structures.
GROUPS = {"disc", "vertebra", "vertebra_odd", "vertebra_even"}


def test_the_registry_agrees_with_the_files_that_ship() -> None:
    """After a model has changed: python -m spinetools.training.register."""
    assert [finding for finding in verify_shipped() if finding.problem] == []
    for entry in SHIPPED:
        (file,) = entry.files
        card = read_card(shipped_folder() / file.file)
        assert (card.name, card.version, card.task) == (entry.name, entry.version, entry.task)


def test_published_models_can_be_fetched_and_read() -> None:
    assert {entry.name for entry in PUBLISHED} >= {
        "totalspineseg", "totalsegmentator_vertebrae_mr", "sct_contrast_agnostic",
    }  # fmt: skip
    names = {structure.name for structure in structures()}
    for entry in PUBLISHED:
        assert entry.licence
        assert entry.citation
        for file in entry.files:
            for url in file.urls:
                assert urlsplit(url).scheme == "https"
                assert url.endswith(f"/{file.file}")
            assert (file.labels is None) == bool(file.label_scheme)
            assert file.label_scheme in ("", *SCHEMES)
            assert set((file.labels or {}).values()) <= names | GROUPS


def test_one_byte_of_a_shipped_model_changes(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    shutil.copytree(shipped_folder(), folder)
    assert not [finding for finding in verify_shipped(folder) if finding.problem]
    model = folder / "optic.onnx"
    data = bytearray(model.read_bytes())
    data[len(data) // 2] ^= 1
    model.write_bytes(data)
    (wrong,) = [finding for finding in verify_shipped(folder) if finding.problem]
    assert (wrong.model, wrong.path, wrong.problem) == ("optic@1.0", model, "wrong checksum")
    model.write_bytes(data[:-1])
    assert "bytes, expected" in next(f.problem for f in verify_shipped(folder) if f.problem)
    model.unlink()
    assert [f.problem for f in verify_shipped(folder) if f.problem] == ["missing"]
    (folder / "stranger.onnx").touch()
    assert [f.problem for f in verify_shipped(folder) if f.problem][-1] == "not in the registry"


def test_verify_by_name(cache: Path) -> None:
    assert {finding.model for finding in verify("optic")} == {"optic@1.0"}
    assert verify("optic@1.0") == verify("optic")
    assert verify("optic@2") == []


def test_a_laboratory_s_registry_adds_and_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = {"version": "9", "engine": "onnx", "task": "t", "files": [{"file": "a.onnx"}]}
    write_registry(tmp_path, {"name": "optic", **entry}, {"name": "ours", **entry})
    monkeypatch.setenv("SPINETOOLS_MODELS", str(tmp_path))
    registry = load_registry()
    assert registry["optic"].version == "9"
    assert registry["ours"].files[0].file == "a.onnx"
    assert "totalspineseg" in registry


GOOD: dict[str, Any] = {
    "name": "m", "version": "1", "engine": "onnx", "task": "t", "files": [{"file": "m.onnx"}],
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"colour": "red"}, "unknown field colour"),
        ({"engine": "tensorflow"}, "engine 'tensorflow'"),
        ({"name": "../m"}, "name '../m'"),
        ({"version": "1/2"}, "version '1/2'"),
        ({"files": []}, "at least one"),
        ({"files": [{"file": "a/b.onnx"}]}, "file 'a/b.onnx'"),
        ({"files": [{"file": "a"}, {"file": "b"}]}, "a part of its own"),
        ({"files": [{"urls": []}]}, "it lacks file"),
        ({"files": [{"file": "a", "sha256": "12"}]}, "64 hexadecimal digits"),
        ({"files": [{"file": "a", "layout": "../*"}]}, "leaves its folder"),
        ({"files": ["a"]}, ""),
    ],
)
def test_a_registry_that_is_wrong(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    write_registry(tmp_path, {**GOOD, **change})
    with pytest.raises(ModelError, match="the model registry is wrong") as caught:
        read_registry(tmp_path / "registry.json")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [("{", "cannot be read"), ('{"schema": 2, "models": []}', "its form is 2"), ("{}", "it lacks")],
)
def test_a_registry_that_is_none(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "registry.json").write_text(text)
    with pytest.raises(ModelError, match=said):
        read_registry(tmp_path / "registry.json")


def test_the_registry_is_written_for_people() -> None:
    """register.py must not turn it into one long line."""
    text = (shipped_folder() / "registry.json").read_text(encoding="utf-8")
    assert text.count("\n") > 40
    json.loads(text)


def test_register_brings_the_registry_up_to_date(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    shutil.copytree(shipped_folder(), folder)
    register.main(["-folder", str(folder), "-check"])
    before = (folder / "registry.json").read_bytes()
    text = before.decode().replace(REGISTRY[0].files[0].sha256, "0" * 64)
    (folder / "registry.json").write_text(text.replace('"size": 2', '"size": 3'))
    with pytest.raises(SystemExit, match="out of date"):
        register.main(["-folder", str(folder), "-check"])
    register.main(["-folder", str(folder)])
    assert (folder / "registry.json").read_bytes() == before
    (folder / "optic.onnx").rename(folder / "other.onnx")
    with pytest.raises(SystemExit, match="name the file after it"):
        register.main(["-folder", str(folder)])
    (folder / "other.onnx").unlink()
    register.main(["-folder", str(folder)])
    assert "optic" not in {entry.name for entry in read_registry(folder / "registry.json")}


def test_the_shipped_registry_is_as_register_writes_it() -> None:
    register.main(["-check"])
