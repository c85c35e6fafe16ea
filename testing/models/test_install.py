"""Installing models: whole or not at all, checked, without a network."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from spinetools.errors import ModelError, OutputError
from spinetools.models.install import install, pinned
from spinetools.models.registry import file_sha256, shipped_folder
from spinetools.models.store import find_model, read_record, results_folders
from spinetools.models.verify import verify, verify_installed

from .conftest import Site, results_zip, write_registry

LAYOUT = "nnUNetTrainer__nnUNetPlans__3d_fullres"


def listing(folder: Path) -> list[str]:
    """Every file and folder but the lock."""
    if not folder.exists():
        return []
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))
    return [name for name in names if name != ".lock"]


@pytest.mark.usefixtures("lab")
def test_two_steps_from_the_network(site: Site, cache: Path) -> None:
    folder = install("twostep")
    assert folder == cache / "twostep@r1" == find_model("twostep") == find_model("twostep@r1")
    assert results_folders(folder) == {
        "step1": folder / "step1" / "Dataset101_one" / LAYOUT,
        "step2": folder / "step2" / "Dataset102_two" / LAYOUT,
    }
    record = read_record(folder)
    assert record["sources"]["one.zip"]["from"] == site.url("one.zip")
    assert all(not finding.problem for finding in verify_installed(folder))
    assert len(verify_installed(folder)) == 6
    assert sorted(path.name for path in cache.iterdir()) == [".lock", "pins.json", "twostep@r1"]
    assert not [path for path in folder.rglob("*") if "MACOSX" in str(path)]


@pytest.mark.usefixtures("lab")
def test_it_is_installed_once(site: Site, cache: Path, caplog: pytest.LogCaptureFixture) -> None:
    install("twostep")
    site.asked.clear()
    with caplog.at_level(logging.INFO, "spinetools"):
        install("twostep")
    assert "installed already" in caplog.text
    assert site.asked == []


@pytest.mark.usefixtures("lab")
def test_a_download_that_broke_off_goes_on(site: Site, cache: Path) -> None:
    whole = site.files["one.zip"]
    site.cut_at = [300, 0, 0, 0]
    with pytest.raises(ModelError, match="run again to go on"):
        install("onestep")
    assert listing(cache / ".downloads") == [
        "onestep@r1-one.zip.part",
        "onestep@r1-one.zip.part.json",
    ]
    assert not (cache / "onestep@r1").exists()
    site.asked.clear()
    install("onestep")
    assert [wanted for _, wanted in site.asked] == ["bytes=300-"]
    assert read_record(cache / "onestep@r1")["sources"]["one.zip"]["sha256"] == (_sha(whole))
    assert not (cache / ".downloads").exists()


@pytest.mark.usefixtures("lab")
def test_an_interrupted_install_leaves_only_the_download(site: Site, cache: Path) -> None:
    def interrupt(have: int, _total: int) -> None:
        if have >= 300:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        install("onestep", progress=interrupt)
    names = ["onestep@r1-one.zip.part", "onestep@r1-one.zip.part.json"]
    assert listing(cache) == [".downloads", *(f".downloads/{name}" for name in names)]
    site.asked.clear()
    install("onestep")
    assert [wanted for _, wanted in site.asked] == ["bytes=300-"]


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<html>sign in</html>", "not a sound zip"),
        (results_zip("Dataset101_one")[:-80], "not a sound zip"),
        (results_zip("Dataset999_other"), "no nnU-Net results folder"),
        (results_zip("Dataset101_one", **{"../outside": b"x"}), "out of its folder"),
        (results_zip("Dataset101_one", **{"/tmp/outside": b"x"}), "absolute"),
    ],
    ids=["html", "truncated", "another model", "dots", "absolute"],
)
@pytest.mark.usefixtures("lab")
def test_a_zip_that_is_wrong(
    site: Site, cache: Path, tmp_path: Path, body: bytes, said: str
) -> None:
    site.files["one.zip"] = body
    before = listing(tmp_path)
    with pytest.raises(ModelError, match=said):
        install("onestep")
    assert listing(tmp_path) == before, "nothing is left, and nothing is pinned"
    site.files["one.zip"] = results_zip("Dataset101_one")
    assert install("onestep") == cache / "onestep@r1", "mended on the server: it is fetched anew"


@pytest.mark.usefixtures("lab")
def test_the_second_step_fails_and_neither_stays(site: Site, cache: Path) -> None:
    del site.files["two.zip"]
    with pytest.raises(ModelError, match="404"):
        install("twostep")
    assert listing(cache) == []


def test_the_registry_s_checksum(site: Site, lab: Path, cache: Path) -> None:
    content = json.loads((lab / "registry.json").read_text())
    content["models"][1]["files"][0]["sha256"] = _sha(site.files["one.zip"])
    (lab / "registry.json").write_text(json.dumps(content))
    site.files["one.zip"] = results_zip("Dataset101_one", b"tampered")
    with pytest.raises(ModelError, match=r"wrong checksum: .* the registry says"):
        install("onestep")
    assert listing(cache) == []


@pytest.mark.usefixtures("lab")
def test_the_first_install_pins_the_checksum(
    site: Site, cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    install("onestep")
    assert "is pinned from now on" in caplog.text
    assert pinned(cache) == {"onestep@r1": {"one.zip": _sha(site.files["one.zip"])}}
    shutil.rmtree(cache / "onestep@r1")
    good = site.files["one.zip"]
    site.files["one.zip"] = results_zip("Dataset101_one", b"another")
    with pytest.raises(ModelError, match=r"wrong checksum: .*first install.*pins\.json"):
        install("onestep")
    site.files["one.zip"] = good
    caplog.clear()
    install("onestep")
    assert "pinned" not in caplog.text


@pytest.mark.usefixtures("lab")
def test_without_a_network(site: Site, cache: Path, tmp_path: Path) -> None:
    one, two = tmp_path / "one.zip", tmp_path / "renamed.zip"
    one.write_bytes(site.files["one.zip"])
    two.write_bytes(site.files["two.zip"])
    with pytest.raises(ModelError, match=r"also needs two\.zip; give all with -from"):
        install("twostep", [one])
    folder = install("twostep", [two, one])  # by name, and by what is in it
    assert set(results_folders(folder)) == {"step1", "step2"}
    assert site.asked == []
    assert one.exists()
    assert two.exists(), "given files stay"


@pytest.mark.usefixtures("lab")
def test_files_that_do_not_belong(site: Site, cache: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.zip"
    other.write_bytes(results_zip("Dataset5_other"))
    with pytest.raises(ModelError, match=r"is not what twostep@r1 consists of: one\.zip, two\.zip"):
        install("twostep", [other])
    with pytest.raises(ModelError, match=r"gone\.zip does not exist"):
        install("twostep", [tmp_path / "gone.zip"])
    assert listing(cache) == []


def test_a_model_of_one_s_own(cache: Path, tmp_path: Path) -> None:
    source = tmp_path / "weights.zip"
    source.write_bytes(results_zip("Dataset7_mine"))
    folder = install("mine@3", [source])
    assert folder == cache / "mine@3" == find_model("mine")
    assert results_folders(folder) == {"": folder / "model" / "Dataset7_mine" / LAYOUT}
    copy = tmp_path / "copy.onnx"
    shutil.copy(shipped_folder() / "optic.onnx", copy)
    assert install("detector", [copy]) == cache / "detector@1.0"
    assert find_model("detector") == cache / "detector@1.0" / "detector.onnx"
    with pytest.raises(ModelError, match=r"holds version 1\.0 of optic, not 7"):
        install("detector@7", [copy])


@pytest.mark.parametrize("name", ["../up", "a/b", ".hidden", "", "a b", "mine@../x"])
def test_names_that_are_no_names(cache: Path, tmp_path: Path, name: str) -> None:
    source = tmp_path / "weights.zip"
    source.write_bytes(results_zip("Dataset7_mine"))
    with pytest.raises(ModelError, match="letters, digits"):
        install(name, [source])
    assert listing(cache) == []


@pytest.mark.usefixtures("lab")
def test_models_that_nobody_knows(cache: Path) -> None:
    with pytest.raises(ModelError, match="did you mean onestep"):
        install("onestp")
    with pytest.raises(ModelError, match="knows onestep@r1 only"):
        install("onestep@r2")
    assert not cache.exists()


def test_what_ships_needs_no_installation(cache: Path) -> None:
    assert install("optic") == shipped_folder()
    assert not cache.exists()


@pytest.mark.usefixtures("lab", "cache")
def test_a_folder_for_everybody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shared = tmp_path / "shared" / "models"
    install("onestep", folder=shared)
    monkeypatch.setenv("SPINETOOLS_MODELS", str(shared))
    assert find_model("onestep") == shared / "onestep@r1"
    assert {finding.problem for finding in verify("onestep")} == {""}


@pytest.mark.usefixtures("lab")
def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot install into"):
        install("onestep", folder=tmp_path / "file" / "models")


@pytest.mark.usefixtures("lab")
def test_leftovers_of_a_killed_run_go(cache: Path) -> None:
    (cache / ".new-0123" / "step1").mkdir(parents=True)
    install("onestep")
    assert sorted(path.name for path in cache.iterdir()) == [".lock", "onestep@r1", "pins.json"]


@pytest.mark.usefixtures("lab")
def test_what_is_in_the_way_stays(cache: Path) -> None:
    (cache / "onestep@r1").mkdir(parents=True)
    (cache / "onestep@r1" / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="in the way"):
        install("onestep")
    assert (cache / "onestep@r1" / "notes.txt").read_text() == "mine"


@pytest.mark.usefixtures("lab")
def test_two_installs_at_once(site: Site, cache: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The second waits for the first, and then finds the model there."""
    began, go_on = threading.Event(), threading.Event()

    def slow(_have: int, _total: int) -> None:
        began.set()
        assert go_on.wait(20)

    caplog.set_level(logging.INFO, "spinetools")
    results: list[Path] = []
    first = threading.Thread(target=lambda: results.append(install("onestep", progress=slow)))
    first.start()
    assert began.wait(20)
    second = threading.Thread(target=lambda: results.append(install("onestep")))
    second.start()
    while "waiting" not in caplog.text and second.is_alive():
        second.join(0.01)
    assert second.is_alive()
    go_on.set()
    first.join(20)
    second.join(20)
    assert results == [cache / "onestep@r1"] * 2
    assert len(site.asked) == 1


@pytest.mark.usefixtures("lab")
def test_two_processes_at_once(site: Site, lab: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from spinetools.models.install import install\n"
        "install('twostep', folder=Path(sys.argv[1]))"
    )
    environment = {**os.environ, "SPINETOOLS_MODELS": str(lab)}
    both = [
        subprocess.Popen([sys.executable, "-c", code, tmp_path / "both"], env=environment)
        for _ in range(2)
    ]
    assert [process.wait(60) for process in both] == [0, 0]
    assert len(site.asked) == 2
    assert {f.problem for f in verify_installed(tmp_path / "both" / "twostep@r1")} == {""}


def test_a_second_address_helps_out(site: Site, lab: Path, cache: Path) -> None:
    files = [{"file": "one.zip", "urls": [site.url("gone.zip"), site.url("one.zip")]}]
    write_registry(
        lab, {"name": "m", "version": "1", "engine": "nnunet", "task": "t", "files": files}
    )
    install("m")
    record = read_record(cache / "m@1")
    assert record["sources"]["one.zip"]["from"] == site.url("one.zip")


def test_the_record_names_every_file(cache: Path, tmp_path: Path) -> None:
    source = tmp_path / "weights.zip"
    source.write_bytes(results_zip("Dataset7_mine"))
    folder = install("mine", [source])
    weights = next(folder.rglob("*.pth"))
    record = read_record(folder)
    assert record["files"][weights.relative_to(folder).as_posix()] == file_sha256(weights)
