"""Checkpoints are read without running what is in them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spinetools.errors import ModelError
from spinetools.infer.checkpoint import check_files, find_checkpoints, load_checkpoint
from spinetools.infer.nnunet import exclusive
from spinetools.models.install import install

torch = pytest.importorskip("torch")


def content(**more: Any) -> dict[str, Any]:
    """What nnU-Net's trainer writes."""
    return {
        "network_weights": {"layer.weight": torch.ones(2, 2)},
        "optimizer_state": {"state": {}, "param_groups": [{"lr": 0.01}]},
        "grad_scaler_state": None,
        "logging": {"ema_fg_dice": [np.float64(0.5), np.float32(0.25), np.int64(3)]},
        "_best_ema": np.float64(0.75),
        "current_epoch": 3,
        "init_args": {"configuration": "3d_fullres", "fold": 0, "device": torch.device("cpu"),
                      "plans": {"a": [1, 2]}, "medians": np.arange(3.0)},
        "trainer_name": "nnUNetTrainer",
        "inference_allowed_mirroring_axes": (0, 1, 2),
        **more,
    }  # fmt: skip


class Trap:
    """Makes a file when it is read in full."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def results(folder: Path, checkpoint: dict[str, Any]) -> Path:
    """A results folder inside a data set's, as it is published."""
    where = folder / "Dataset1_x" / "T__P__3d_fullres"
    (where / "fold_0").mkdir(parents=True)
    for name in ("plans.json", "dataset.json"):
        (where / name).write_text("{}")
    torch.save(checkpoint, where / "fold_0" / "checkpoint_final.pth")
    return where


def test_what_nnunet_writes_is_read_as_data(tmp_path: Path) -> None:
    path = tmp_path / "c.pth"
    torch.save(content(), path)
    found = load_checkpoint(path, recorded=False)
    assert found["trainer_name"] == "nnUNetTrainer"
    assert found["_best_ema"] == 0.75
    assert found["logging"]["ema_fg_dice"] == [0.5, 0.25, 3]
    np.testing.assert_array_equal(found["init_args"]["medians"], [0, 1, 2])


def test_code_in_a_checkpoint_is_not_run(tmp_path: Path) -> None:
    trap, path = tmp_path / "sprung", tmp_path / "c.pth"
    torch.save(content(extra=Trap(trap)), path)
    with pytest.raises(ModelError, match="could run any code") as caught:
        load_checkpoint(path, recorded=False)
    assert not trap.exists()
    assert "st_models install" in str(caught.value)
    assert "\n" not in str(caught.value)
    load_checkpoint(path, recorded=True)
    assert trap.exists(), "the trap works: the test above means something"


def test_checksums_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("install", "store"):
        name = f"spinetools.models.{module}.cache_folder"
        monkeypatch.setattr(name, lambda: tmp_path / "cache")
    where = results(tmp_path / "made", content())
    checkpoints = find_checkpoints(where)
    assert check_files(where, checkpoints) is False, "nobody has noted any"
    archive = shutil.make_archive(str(tmp_path / "model"), "zip", tmp_path / "made")
    installed = install("mine", [Path(archive)])
    (where,) = [path.parent for path in installed.rglob("plans.json")]
    (checkpoint,) = find_checkpoints(where)
    assert check_files(where, [checkpoint]) is True
    data = bytearray(checkpoint.read_bytes())
    data[len(data) // 2] ^= 1
    checkpoint.write_bytes(data)
    with pytest.raises(ModelError, match=r"wrong checksum: .*checkpoint_final\.pth"):
        check_files(where, [checkpoint])


@pytest.mark.parametrize("damage", [b"", b"no checkpoint", None])
def test_damaged_checkpoints(tmp_path: Path, damage: bytes | None) -> None:
    path = tmp_path / "c.pth"
    torch.save(content(), path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] if damage is None else damage)
    for recorded in (False, True):
        with pytest.raises(ModelError, match=r"cannot be read|any code") as caught:
            load_checkpoint(path, recorded)
        assert "\n" not in str(caught.value)


def test_other_files_of_torch(tmp_path: Path) -> None:
    path = tmp_path / "c.pth"
    for other in ({"state_dict": {}}, torch.ones(3), [1, 2]):
        torch.save(other, path)
        with pytest.raises(ModelError, match="no checkpoint of nnU-Net: it lacks network_weights"):
            load_checkpoint(path, recorded=False)


def test_which_folds(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="unfinished training"):
        find_checkpoints(tmp_path)
    for fold, name in [
        ("0", "checkpoint_best.pth"), ("1", "checkpoint_best.pth"), ("1", "checkpoint_final.pth"),
        ("all", "checkpoint_final.pth"), ("2", "checkpoint_latest.pth"),
    ]:  # fmt: skip
        (tmp_path / f"fold_{fold}").mkdir(exist_ok=True)
        (tmp_path / f"fold_{fold}" / name).touch()

    def names(fold: str = "") -> list[str]:
        return [path.relative_to(tmp_path).as_posix() for path in find_checkpoints(tmp_path, fold)]

    assert names() == ["fold_0/checkpoint_best.pth", "fold_1/checkpoint_final.pth"]
    assert names("all") == ["fold_all/checkpoint_final.pth"]
    assert names("0") == ["fold_0/checkpoint_best.pth"]
    with pytest.raises(ModelError, match="holds no fold_7"):
        names("7")


def test_labels_from_regions() -> None:
    """Drawn one over the other: a certain region leaves nothing to those before it."""
    regions = np.array([[1, 1, 0.5, 0], [0, 1, 0.5, 0.2]], dtype=np.float32)
    found = exclusive(regions)
    np.testing.assert_allclose(
        found, [[0, 0, 0.25, 0.8], [1, 0, 0.25, 0], [0, 1, 0.5, 0.2]], atol=1e-6
    )
    random = np.random.default_rng(0).random((5, 40), dtype=np.float32)
    np.testing.assert_allclose(exclusive(random).sum(axis=0), 1, rtol=1e-5)
    assert (exclusive(random) >= 0).all()
