"""Where models are found."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from spinetools.errors import ModelError
from spinetools.models.install import install
from spinetools.models.registry import file_sha256, shipped_folder
from spinetools.models.store import (
    find_model,
    installed_models,
    model_identity,
    places,
    read_record,
    results_folders,
    verified_files,
)

from .conftest import results_zip

OPTIC = shipped_folder() / "optic.onnx"


@pytest.fixture
def own(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "own"
    folder.mkdir()
    monkeypatch.setenv("SPINETOOLS_MODELS", str(folder))
    return folder


def make_results(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for name in ("plans.json", "dataset.json"):
        (folder / name).write_text("{}")
    return folder


def test_the_order_of_the_places(own: Path, tmp_path: Path, cache: Path) -> None:
    assert [place.kind for place in places()] == ["own", "shipped", "installed"]
    assert find_model("optic") == OPTIC
    (cache / "optic@1.0").mkdir(parents=True)
    shutil.copy(OPTIC, cache / "optic@1.0" / "optic.onnx")
    assert find_model("optic") == OPTIC, "the package goes before the cache"
    shutil.copy(OPTIC, own / "optic.onnx")
    assert find_model("optic") == own / "optic.onnx", "$SPINETOOLS_MODELS goes before the package"
    explicit = tmp_path / "renamed.onnx"
    shutil.copy(OPTIC, explicit)
    assert find_model(str(explicit)) == explicit


def test_versions(own: Path) -> None:
    assert find_model("optic@1.0") == OPTIC
    with pytest.raises(ModelError, match=r"no version 2 of optic in .*; the registry knows 1\.0"):
        find_model("optic@2")
    shutil.copy(OPTIC, own / "optic@0.9.onnx")
    shutil.copy(OPTIC, own / "mine@3.onnx")
    assert find_model("optic@0.9") == own / "optic@0.9.onnx"
    assert find_model("mine") == find_model("mine@3") == own / "mine@3.onnx"
    shutil.copy(OPTIC, own / "mine@4.onnx")
    with pytest.raises(ModelError, match="several versions of mine: mine@3, mine@4; name one"):
        find_model("mine")


def test_a_version_inside_the_file_counts(own: Path) -> None:
    shutil.copy(OPTIC, own / "mine.onnx")
    assert find_model("mine@1.0") == own / "mine.onnx"
    with pytest.raises(ModelError, match="no model named 'mine@2'"):
        find_model("mine@2")


@pytest.mark.usefixtures("lab")
def test_an_older_version_is_never_replaced(cache: Path, tmp_path: Path) -> None:
    """The registry has moved on to r1, but r0 is what is installed."""
    source = tmp_path / "old.zip"
    source.write_bytes(results_zip("Dataset101_one"))
    old = install("onestep@r0", [source])
    assert find_model("onestep") == old
    new = install("onestep")
    assert find_model("onestep") == new == cache / "onestep@r1"
    assert find_model("onestep@r0") == old


def test_names_that_lead_nowhere(cache: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"did you mean optic\?"):
        find_model("optik")
    with pytest.raises(ModelError, match=r"st_models install totalspineseg$"):
        find_model("totalspineseg")
    with pytest.raises(ModelError, match="does not exist; check the path"):
        find_model(str(tmp_path / "gone.onnx"))
    with pytest.raises(ModelError, match="is no nnU-Net results folder"):
        find_model(f"{tmp_path}/")
    for name in ("", "@1", "optic@"):
        with pytest.raises(ModelError):
            find_model(name)


def test_a_folder_by_its_path(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results = make_results(tmp_path / "Dataset1_x" / "T__P__3d")
    assert find_model(str(results)) == results
    assert results_folders(results) == {"": results}
    assert results_folders(results.parent) == {"": results}
    monkeypatch.chdir(tmp_path)
    assert find_model("./Dataset1_x") == Path("Dataset1_x")
    assert find_model("Dataset1_x") == Path("Dataset1_x"), "a bare name, and no model has it"
    (tmp_path / "optic").mkdir()
    assert find_model("optic") == OPTIC, "a folder that happens to have a model's name"


def test_several_parts_in_a_folder_of_one_s_own(own: Path) -> None:
    step1 = make_results(own / "twice" / "step1")
    step2 = make_results(own / "twice" / "step2")
    assert find_model("twice") == own / "twice"
    assert results_folders(own / "twice") == {"step1": step1, "step2": step2}


def test_checksums_on_record(cache: Path, tmp_path: Path) -> None:
    assert verified_files(OPTIC) == {OPTIC: file_sha256(OPTIC)}
    copy = tmp_path / "optic.onnx"
    shutil.copy(OPTIC, copy)
    assert verified_files(copy) is None
    installed = install("mine", [copy])
    path = find_model("mine")
    assert verified_files(path) == {path: file_sha256(OPTIC)}
    assert installed_models() == [installed]
    results = make_results(tmp_path / "results")
    assert verified_files(results) is None


def test_a_record_from_elsewhere_says_nothing(cache: Path, tmp_path: Path) -> None:
    """A folder that came with a record of its own is not one that was installed here."""
    source = tmp_path / "weights.zip"
    source.write_bytes(results_zip("Dataset7_mine"))
    installed = install("mine", [source])
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(installed, elsewhere)
    (results,) = results_folders(elsewhere).values()
    assert verified_files(elsewhere) is None
    assert verified_files(results) is None
    inside = next(iter(results_folders(installed).values()))
    assert verified_files(inside) == verified_files(installed) is not None


def test_identity_for_sidecars(cache: Path, tmp_path: Path) -> None:
    assert model_identity(OPTIC) == ("optic", "1.0", file_sha256(OPTIC))
    source = tmp_path / "weights.zip"
    source.write_bytes(results_zip("Dataset7_mine"))
    (results,) = results_folders(install("mine@3", [source])).values()
    weights = file_sha256(results / "fold_0" / "checkpoint_final.pth")
    assert model_identity(results) == ("mine", "3", weights)
    own = tmp_path / "own"
    shutil.copytree(results, own)
    assert model_identity(own) == ("own", "", weights)
    shutil.rmtree(own / "fold_0")
    with pytest.raises(ModelError, match="holds no fold"):
        model_identity(own)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"name": 1}'])
def test_a_damaged_record(cache: Path, tmp_path: Path, text: str) -> None:
    copy = tmp_path / "optic.onnx"
    shutil.copy(OPTIC, copy)
    folder = install("mine", [copy])
    (folder / "installed.json").write_text(text)
    with pytest.raises(ModelError, match=r"remove .* and install the model again"):
        read_record(folder)
