"""The training scripts from start to end, on few and small samples."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch")
onnx = pytest.importorskip("onnx", reason="training needs onnx")

from spinetools.errors import InputError, ModelError  # noqa: E402
from spinetools.infer.onnx import OnnxModel  # noqa: E402
from spinetools.models.card import read_card  # noqa: E402
from spinetools.models.registry import shipped_folder  # noqa: E402
from spinetools.training import cord, heatmap, loop, provenance, set_thresholds  # noqa: E402
from spinetools.training.half import with_half_weights  # noqa: E402
from spinetools.training.slices import Slice  # noqa: E402
from spinetools.training.windows import PIXEL_MM, Window  # noqa: E402

GROUPS = ("cord/errsm11_T2w", "cord/gm9418_T2star", "spider cauda", "phantom t2")


def disc(shape: tuple[int, int], centre: tuple[float, float], radius: float) -> np.ndarray:
    places = np.indices(shape) - np.reshape(centre, (2, 1, 1))
    return (np.hypot(*places) < radius).astype(np.float32)


def window(group: str) -> Window:
    """A round cord of 9 mm, brighter than what is about it; none in the cauda equina."""
    rng = np.random.default_rng(len(group))
    mask = np.repeat(disc((104, 104), (50, 54), 4.5 / PIXEL_MM)[..., None], 6, axis=2)
    image = 100 + 150 * mask + rng.normal(0, 10, mask.shape).astype(np.float32)
    share = np.zeros_like(mask) if group.startswith("spider") else mask
    return Window(image, share, 3.0, np.tile([50.0, 54.0], (6, 1)), group)


def slices(*groups: str) -> Iterator[Slice]:
    for number, group in enumerate(groups):
        rng = np.random.default_rng(number)
        mask = disc((90, 80), (40, 45), 5)
        brain = disc((90, 80), (40, 20), 9) if group.startswith("phantom") else np.zeros_like(mask)
        share = np.zeros_like(mask) if group.startswith("spider") else mask
        image = 50 + 80 * mask + 60 * brain + rng.normal(0, 5, mask.shape).astype(np.float32)
        yield Slice(image.astype(np.float32), share, brain, group)


def check_model(path: Path, name: str, labels: tuple[str, ...], size: int) -> None:
    model = OnnxModel(path)
    assert (model.card.name, model.card.version, model.card.labels) == (name, "0.9", labels)
    facts = model.card.training
    assert (facts["steps"], facts["seed"]) == (2, 2026)
    assert sum(facts["data"].values()) == len(GROUPS)
    answer = model.run(np.zeros((1, 1, *[size] * len(model.card.spacing_mm)), np.float32))
    assert answer.shape[1] == len(labels)
    assert (answer >= 0).all()
    assert (answer <= 1).all()


def test_patch_networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cord, "real_windows", lambda _: (window(group) for group in GROUPS[:2]))
    monkeypatch.setattr(cord, "cauda_windows", lambda _: [window(GROUPS[2])])
    asked = []

    def painted(*arguments: int) -> list[Window]:
        asked.append(arguments)
        return [window(GROUPS[3])]

    monkeypatch.setattr(cord, "phantom_windows", painted)
    small = replace(cord.RECIPES["2d"], features=(4, 8), batch=4)
    monkeypatch.setitem(cord.RECIPES, "2d", small)
    at = ["-o", str(tmp_path)]
    cord.main(["prepare", *at, "-paintings", "7", "-seed", "3"])
    assert asked == [(7, 3)]
    groups, commits = cord.read_shards(tmp_path / "windows")
    assert sorted(groups) == sorted(GROUPS)
    assert commits == [provenance.commit()]
    # a batch holds every kind, and cauda equina has no cord
    drawn = [cord.Sampler({group: groups[group]}, small) for group in GROUPS[1:3]]
    cords = [draw(np.random.default_rng(0))[1] for draw in drawn]
    assert float(torch.nansum(cords[0])) > 100 > 0 == float(torch.nansum(cords[1]))

    cord.main(["train", *at, "-steps", "2"])
    model = tmp_path / "cord.onnx"
    cord.main(["export", *at, "-model", str(model), "-model-version", "0.9"])
    check_model(model, "cord_2d", ("cord",), 64)
    assert read_card(model).patch == (64, 64)
    # and on from the exported one, in another folder
    (tmp_path / "2d").rename(tmp_path / "old")
    cord.main(["train", *at, "-steps", "1", "-init", str(model)])
    assert loop.load_checkpoint(tmp_path / "2d")["step"] == 1

    # a network that has not seen some images, beside
    left_out = ["-without", "errsm11", "spider"]
    cord.main(["train", *at, *left_out, "-steps", "1"])
    assert loop.load_checkpoint(tmp_path / "2d-without-errsm11-spider")["step"] == 1
    with pytest.raises(InputError, match="-without needs a -model"):
        cord.main(["export", *at, *left_out])
    cord.main(["export", *at, *left_out, "-model", str(model)])
    assert set(read_card(model).training["data"]) == {GROUPS[1], GROUPS[3]}
    with pytest.raises(InputError, match=r"-without errsm99: no group .* there are .*phantom t2"):
        cord.main(["train", *at, "-without", "errsm99"])


def test_slice_networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heatmap, "real_slices", lambda _: slices(*GROUPS[:2]))
    monkeypatch.setattr(heatmap, "cauda_slices", lambda _: slices(GROUPS[2]))
    monkeypatch.setattr(heatmap, "phantom_slices", lambda n, seed: slices(GROUPS[3]))
    recipe = heatmap.RECIPES["cord_heatmap"]
    monkeypatch.setitem(heatmap.RECIPES, "cord_heatmap", replace(recipe, features=(4, 8)))
    at = ["-o", str(tmp_path), "-name", "cord_heatmap"]
    heatmap.main(["prepare", *at])
    groups, commit = heatmap.load_slices(tmp_path / "slices.npz")
    assert sorted(groups) == sorted(GROUPS)
    assert commit == provenance.commit()
    (phantom,), (given,) = groups["phantom t2"], slices("phantom t2")
    assert phantom.cord.max() == phantom.brain.max() == 255
    assert np.array_equal(phantom.brain > 0, given.brain > 0)
    images, targets = heatmap.Sampler(groups, 2, 32)(np.random.default_rng(1))
    assert images.shape == (32, 1, 112, 112)
    assert targets.shape == (32, 2, 112, 112)
    # the kinds in their order: at the end the digital spine, which alone has brain
    assert float(torch.nansum(targets[-8:, 1])) > 0 == float(torch.nansum(targets[:8, 1]))

    heatmap.main(["train", *at, "-steps", "2"])
    model = tmp_path / "heatmap.onnx"
    heatmap.main(["export", *at, "-model", str(model), "-model-version", "0.9"])
    check_model(model, "cord_heatmap", ("cord", "brain"), 32)


def test_thresholds_are_written_and_weights_stay(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = Path(shutil.copy(shipped_folder() / "cord_2d.onnx", tmp_path / "cord_2d.onnx"))
    before = onnx.load(str(model))
    set_thresholds.main([str(model), "t2=0.25", "any=0.75"])
    card = read_card(model)
    assert (card.thresholds["t2"], card.thresholds["any"]) == (0.25, 0.75)
    assert "t2 0.25" in capsys.readouterr().err
    after = onnx.load(str(model))
    assert after.graph == before.graph
    old = {p.key: p.value for p in before.metadata_props}
    changed = {p.key for p in after.metadata_props if old[p.key] != p.value}
    assert all("threshold" in json.dumps([key, old[key]]) for key in changed)
    for wrong in ("t2", "t2=high"):
        with pytest.raises(SystemExit):
            set_thresholds.main([str(model), wrong])
        assert "expected CONTRAST=NUMBER" in capsys.readouterr().err
    with pytest.raises((ModelError, ValueError)):
        set_thresholds.main([str(model), "t2=1.5"])
    assert read_card(model) == card


def test_a_weight_too_large_for_half_is_refused() -> None:
    weights = np.full(100, 1e5, np.float32)
    model = onnx.helper.make_model(
        onnx.helper.make_graph(
            [onnx.helper.make_node("Add", ["x", "w"], ["y"])], "g",
            [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [100])],
            [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [100])],
            [onnx.numpy_helper.from_array(weights, "w")],
        )
    )  # fmt: skip
    with pytest.raises(ValueError, match="the weight w does not fit into fp16"):
        with_half_weights(model)


def test_without_git_the_commit_is_unknown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert provenance.commit() == "unknown"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert provenance.commit() == "unknown"
