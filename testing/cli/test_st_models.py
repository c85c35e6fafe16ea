"""st_models as a user calls it."""

from __future__ import annotations

import io
import json
import shutil
import threading
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from spinetools.models.registry import shipped_folder

from .conftest import Run

OPTIC = shipped_folder() / "optic.onnx"
LAYOUT = "Dataset7_cord/nnUNetTrainer__nnUNetPlans__3d_fullres"


@pytest.fixture
def cache(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("platformdirs.user_cache_path", lambda *_, **__: folder / "cache")
    monkeypatch.delenv("SPINETOOLS_MODELS", raising=False)
    return folder / "cache" / "models"


def make_zip() -> bytes:
    plans = {"configurations": {"3d_fullres": {"spacing": [3, 1, 1], "patch_size": [8, 16, 24]}}}
    dataset = {"channel_names": {"0": "MRI"}, "labels": {"background": 0, "cord": 1}}
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr(f"{LAYOUT}/plans.json", json.dumps(plans))
        archive.writestr(f"{LAYOUT}/dataset.json", json.dumps(dataset))
        archive.writestr(f"{LAYOUT}/fold_0/checkpoint_final.pth", b"weights")
    return target.getvalue()


@pytest.fixture
def own_zip(folder: Path) -> Path:
    (folder / "cord.zip").write_bytes(make_zip())
    return folder / "cord.zip"


def test_list(run: Run, cache: Path) -> None:
    outcome = run("st_models", "list")
    assert outcome.code == 0
    lines = {line.split()[0]: line for line in outcome.out.splitlines()}
    assert "in the package" in lines["optic"]
    assert "can be installed" in lines["totalspineseg"]


def test_info_of_a_shipped_model_is_its_card(run: Run, cache: Path) -> None:
    outcome = run("st_models", "info", "optic")
    assert outcome.code == 0
    for said in ("spacing        1 × 1 mm", "threshold      0.5", "steps", "trained on", "cord/"):
        assert said in outcome.out
    assert max(map(len, outcome.out.splitlines())) <= 200
    assert run("st_models", "info", OPTIC).out == outcome.out.replace(
        "\nlicence        Apache-2.0", ""
    ), "by its path: only the card speaks"


def test_info_of_a_card_with_everything(
    run: Run, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from spinetools.cli import _models
    from spinetools.models.card import read_card

    card = replace(
        read_card(OPTIC),
        patch=(64, 64), thresholds={"any": 0.4, "t2s": 0.55}, tta=("x",),
        benchmark=[{"image": "errsm21 T2w", "Dice": "0.95"}, {"image": "gm9669", "CSA": "+1 %"}],
        failures=("Slices thicker than 6 mm.", "Metal."), citation="us",
    )  # fmt: skip
    monkeypatch.setattr(_models, "read_card", lambda _: card)
    out = run("st_models", "info", "optic").out
    for said in (
        "64 × 64 voxels, overlap 0.5", "any 0.4, t2s 0.55", "mirroring      x", "cite           us",
        "  image        Dice  CSA\n  errsm21 T2w  0.95\n  gm9669             +1 %\n",
        "known to fail\n  - Slices thicker than 6 mm.\n  - Metal.\n",
    ):  # fmt: skip
        assert said in out


def test_info_of_a_model_that_is_not_here(run: Run, cache: Path) -> None:
    out = run("st_models", "info", "totalspineseg").out
    assert "https://github.com/neuropoly/totalspineseg/releases/download/" in out
    assert "not installed: st_models install totalspineseg" in out


def test_install_from_a_file_and_what_it_says_then(run: Run, cache: Path, own_zip: Path) -> None:
    outcome = run("st_models", "install", "cordnet@2", "-from", own_zip)
    assert (outcome.code, outcome.out) == (0, f"written: {cache / 'cordnet@2'}\n")
    assert "pinned" in outcome.err
    out = run("st_models", "info", "cordnet").out
    assert "background 0, cord 1" in out
    assert "3 × 1 × 1 mm, patch 8 × 16 × 24" in out
    assert "cordnet" in run("st_models", "list").out
    assert run("st_models", "path", "cordnet").out == f"{cache / 'cordnet@2'}\n"
    assert run("st_models", "verify", "cordnet").out == "3 files of 1 models are as on record\n"


def test_install_from_a_server(
    run: Run, cache: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A laboratory's own registry, with an address of its own."""
    lab = folder / "lab"
    lab.mkdir()
    (lab / "cord.zip").write_bytes(make_zip())

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(lab)))
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/cord.zip"
    entry = {
        "name": "served", "version": "1", "engine": "nnunet", "task": "cord", "licence": "ours",
        "files": [{"file": "cord.zip", "urls": [url], "layout": "Dataset7_cord/*__*__*"}],
    }  # fmt: skip
    (lab / "registry.json").write_text(json.dumps({"schema": 1, "models": [entry]}))
    monkeypatch.setenv("SPINETOOLS_MODELS", str(lab))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    try:
        outcome = run("st_models", "install", "served")
        assert outcome.code == 0
        assert f"fetching {url}" in outcome.err
        assert (cache / "served@1" / "model" / LAYOUT / "plans.json").is_file()
        (lab / "cord.zip").unlink()
        entry["version"] = "2"
        (lab / "registry.json").write_text(json.dumps({"schema": 1, "models": [entry]}))
        outcome = run("st_models", "install", "served")
        assert outcome.code == 1
        assert outcome.err.splitlines()[-1].startswith(f"st_models: error: {url} cannot be fetched")
    finally:
        server.shutdown()
        server.server_close()


def test_verify_names_the_byte(run: Run, cache: Path, own_zip: Path) -> None:
    assert run("st_models", "verify").code == 0
    run("st_models", "install", "cordnet", "-from", own_zip)
    weights = next(cache.rglob("*.pth"))
    weights.write_bytes(b"weightz")
    (weights.parent / "extra.pth").write_bytes(b"")
    for arguments in (["verify"], ["verify", "cordnet"], ["verify", "cordnet@1"]):
        outcome = run("st_models", *arguments)
        assert outcome.code == 1
        assert f"cordnet@1: {weights}: wrong checksum\n" in outcome.out
        assert f"{weights.parent / 'extra.pth'}: not on record\n" in outcome.out
        assert "2 of " in outcome.err
        assert "in cordnet@1 (first" in outcome.err
    assert run("st_models", "verify", "optic").code == 0


def test_verify_of_what_has_no_checksum(
    run: Run, cache: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "did you mean optic" in run("st_models", "verify", "optik").err
    shutil.copy(OPTIC, folder / "mine.onnx")
    monkeypatch.setenv("SPINETOOLS_MODELS", str(folder))
    outcome = run("st_models", "verify", "mine")
    assert outcome.code == 1
    assert "no checksum of mine on record" in outcome.err
    assert "mine" not in run("st_models", "verify").err
    assert str(folder / "mine.onnx") in run("st_models", "list").out


def test_path(run: Run, cache: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("st_models", "path", "optic").out == f"{OPTIC}\n"
    assert run("st_models", "path", "optik").code == 1
    monkeypatch.setenv("SPINETOOLS_MODELS", str(folder))
    assert run("st_models", "path").out.split() == [
        "own", str(folder), "shipped", str(shipped_folder()), "installed", str(cache),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["install"], "which model"),
        (["info"], "which model"),
        (["list", "optic"], "list takes no name"),
        (["verify", "-from", "a"], "-from belongs to install"),
        (["path", "-to", "a"], "-to belongs to install"),
        (["remove", "optic"], "invalid choice"),
    ],
)
def test_usage(run: Run, cache: Path, arguments: list[str], said: str) -> None:
    outcome = run("st_models", *arguments)
    assert outcome.code == 2
    assert said in outcome.err
    assert outcome.err.count("\n") == 1
