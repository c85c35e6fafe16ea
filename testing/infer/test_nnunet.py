"""Published nnU-Net results folders, run by nnunetv2 itself, on small networks made here."""

from __future__ import annotations

import json
import logging
import shutil
import sys
import threading
from collections.abc import Callable
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from spinetools.errors import InputError, MissingExtra, ModelError
from spinetools.infer.nnunet import NnunetPredictor, load_nnunet
from spinetools.infer.predictor import Predictor, softmax
from spinetools.infer.sliding_window import F32
from spinetools.models.install import install

PATCH = (8, 16, 24)  # z, y, x: no two alike, so that a wrong transposition shows
SHAPE = PATCH[::-1]
NETWORK = "dynamic_network_architectures.architectures.unet.PlainConvUNet"
ONE_MM = (1.0, 1.0, 1.0)
LABELS = {"background": 0, "cord": 1, "disc": 2}
RNG = np.random.default_rng(11)

Make = Callable[..., Path]


def plans(n_channels: int, spacing: tuple[float, ...]) -> dict[str, Any]:
    """nnU-Net's plans of a U-Net of two stages."""
    resampling = {"is_seg": False, "order": 1, "order_z": 0, "force_separate_z": None}
    return {
        "dataset_name": "Dataset7_small", "plans_name": "nnUNetPlans",
        "label_manager": "LabelManager",
        "image_reader_writer": "NibabelIOWithReorient", "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2], "experiment_planner_used": "ExperimentPlanner",
        "foreground_intensity_properties_per_channel": {"0": {}, "1": {}},
        "configurations": {"3d_fullres": {
            "data_identifier": "x", "preprocessor_name": "DefaultPreprocessor", "batch_size": 2,
            "patch_size": PATCH, "median_image_size_in_voxels": PATCH, "spacing": spacing,
            "normalization_schemes": ["ZScoreNormalization", "NoNormalization"][:n_channels],
            "use_mask_for_norm": [False] * n_channels, "batch_dice": False,
            "resampling_fn_data": "resample_data_or_seg_to_shape",
            "resampling_fn_seg": "resample_data_or_seg_to_shape",
            "resampling_fn_probabilities": "resample_data_or_seg_to_shape",
            "resampling_fn_data_kwargs": {**resampling, "order": 3},
            "resampling_fn_seg_kwargs": {**resampling, "is_seg": True},
            "resampling_fn_probabilities_kwargs": resampling,
            "architecture": {
                "network_class_name": NETWORK,
                "arch_kwargs": {
                    "n_stages": 2, "features_per_stage": [4, 8], "strides": [[1] * 3, [2] * 3],
                    "kernel_sizes": [[3] * 3, [3] * 3], "n_conv_per_stage": [1, 1],
                    "n_conv_per_stage_decoder": [1], "conv_bias": True,
                    "conv_op": "torch.nn.modules.conv.Conv3d",
                    "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
                    "norm_op_kwargs": {"eps": 1e-05, "affine": True},
                    "dropout_op": None, "dropout_op_kwargs": None,
                    "nonlin": "torch.nn.LeakyReLU", "nonlin_kwargs": {"inplace": True},
                },
                "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
            },
        }},
    }  # fmt: skip


@pytest.fixture
def make_results(tmp_path: Path) -> Make:
    """Write a results folder with random weights: what nnU-Net leaves after training."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("nnunetv2")
    from nnunetv2.utilities.get_network_from_plans import get_network_from_plans

    def make(
        labels: dict[str, Any] = LABELS,
        order: list[int] | None = None,
        folds: int = 1,
        n_channels: int = 1,
        spacing: tuple[float, ...] = (1, 1, 1),
        name: str = "Dataset7_small",
    ) -> Path:
        folder = tmp_path / "made" / name / "nnUNetTrainer_Nobody__nnUNetPlans__3d_fullres"
        folder.mkdir(parents=True)
        written = plans(n_channels, spacing)
        dataset = {
            "channel_names": {"0": "MRI", "1": "noNorm"} if n_channels == 2 else {"0": "MRI"},
            "labels": labels, "numTraining": 1, "file_ending": ".nii.gz",
            **({"regions_class_order": order} if order else {}),
        }  # fmt: skip
        (folder / "plans.json").write_text(json.dumps(written))
        (folder / "dataset.json").write_text(json.dumps(dataset))
        architecture = written["configurations"]["3d_fullres"]["architecture"]
        for fold in range(folds):
            torch.manual_seed(fold)
            network = get_network_from_plans(
                architecture["network_class_name"], architecture["arch_kwargs"],
                architecture["_kw_requires_import"], n_channels, len(order or labels),
                deep_supervision=True,
            )  # fmt: skip
            (folder / f"fold_{fold}").mkdir()
            checkpoint = {
                "network_weights": network.state_dict(),
                "init_args": {"configuration": "3d_fullres", "device": torch.device("cpu")},
                "trainer_name": "nnUNetTrainer_Nobody",  # a class that is nowhere
                "inference_allowed_mirroring_axes": (2,),  # of z, y, x: left and right
                "_best_ema": np.float64(0.5),
            }
            torch.save(checkpoint, folder / f"fold_{fold}" / "checkpoint_final.pth")
        return folder

    return make


def forward(folder: Path, array: F32, fold: int = 0) -> F32:
    """The network by itself, on z-scored z, y, x; logits as (labels, x, y, z)."""
    import torch
    from nnunetv2.utilities.get_network_from_plans import get_network_from_plans

    architecture = json.loads((folder / "plans.json").read_text())["configurations"]["3d_fullres"][
        "architecture"
    ]
    weights = torch.load(folder / f"fold_{fold}" / "checkpoint_final.pth", weights_only=False)
    heads = weights["network_weights"]["decoder.seg_layers.0.weight"].shape[0]
    network = get_network_from_plans(
        architecture["network_class_name"], architecture["arch_kwargs"],
        architecture["_kw_requires_import"], 1, heads, deep_supervision=False,
    )  # fmt: skip
    network.load_state_dict(weights["network_weights"])
    network.eval()
    z_first = ((array - array.mean()) / array.std()).transpose(2, 1, 0)
    with torch.no_grad():
        logits = network(torch.from_numpy(np.ascontiguousarray(z_first))[None, None]).numpy()
    result: F32 = logits[0].transpose(0, 3, 2, 1)
    return result


def agree(found: F32, expected: F32) -> None:
    """Compare probabilities, but for the outermost voxels.

    nnU-Net adds weighted tiles up in half precision, where the weights of a corner nearly vanish.
    """
    inside = (slice(None), slice(3, -3), slice(2, -2), slice(1, -1))
    np.testing.assert_allclose(found[inside], expected[inside], atol=5e-3)
    assert np.abs(found - expected).mean() < 0.01


@pytest.fixture
def volume() -> F32:
    return RNG.normal(100, 20, SHAPE).astype(np.float32)


def test_a_trainer_that_nobody_has(make_results: Make, volume: F32) -> None:
    folder = make_results()
    predictor: Predictor = NnunetPredictor(folder)
    assert predictor.labels == ("background", "cord", "disc")
    assert (predictor.n_channels, predictor.orientation, predictor.spacing_mm) == (1, "", ())
    found = predictor.predict(volume, ONE_MM)
    agree(found, softmax(forward(folder, volume)))
    np.testing.assert_allclose(found.sum(axis=0), 1, rtol=1e-5)
    assert found.std() > 0.05, "the network says something"
    np.testing.assert_array_equal(
        NnunetPredictor(folder).segment(volume, ONE_MM), found.argmax(axis=0)
    )


def test_mirroring_only_where_training_allowed_it(make_results: Make, volume: F32) -> None:
    folder = make_results()
    found = NnunetPredictor(folder, tta=True).predict(volume, ONE_MM)
    both = (forward(folder, volume) + forward(folder, volume[::-1])[:, ::-1]) / 2
    agree(found, softmax(both))
    assert np.abs(found - softmax(forward(folder, volume))).max() > 0.05


def test_folds_are_averaged(make_results: Make, volume: F32) -> None:
    folder = make_results(folds=2)
    logits = [forward(folder, volume, fold) for fold in (0, 1)]
    both = NnunetPredictor(folder).predict(volume, ONE_MM)
    agree(both, softmax((logits[0] + logits[1]) / 2))
    second = NnunetPredictor(folder, fold="1").predict(volume, ONE_MM)
    agree(second, softmax(logits[1]))


def test_anisotropic_voxels_are_resampled(make_results: Make) -> None:
    """A network of 1 mm on voxels of 1 × 1 × 2 mm: x stays x, and the grid is the input's."""
    predictor = NnunetPredictor(make_results())
    whole = ndimage.gaussian_filter(RNG.normal(0, 1, SHAPE), 2).astype(np.float32)
    fine = predictor.predict(whole, ONE_MM)
    found = predictor.predict(whole.reshape(24, 16, 4, 2).mean(axis=3), (1.0, 1.0, 2.0))
    assert found.shape == (3, 24, 16, 4)
    expected = fine.reshape(3, 24, 16, 4, 2).mean(axis=4)

    def alike(one: F32, other: F32) -> float:
        inside = (slice(3, -3), slice(2, -2), slice(1, -1))
        pairs = zip(one, other, strict=True)
        return min(float(np.corrcoef(a[inside].ravel(), b[inside].ravel())[0, 1]) for a, b in pairs)

    assert alike(found, expected) > 0.9
    for axis in (1, 2, 3):
        assert alike(np.flip(found, axis), expected) < 0.6


def test_two_channels_of_which_one_is_a_mask(make_results: Make, volume: F32) -> None:
    predictor = NnunetPredictor(make_results(n_channels=2))
    assert predictor.n_channels == 2
    odd = (volume > 110).astype(np.float32)
    one = predictor.predict(np.stack([volume, odd]), ONE_MM)
    other = predictor.predict(np.stack([volume * 3 + 5, odd]), ONE_MM)
    np.testing.assert_allclose(other, one, atol=0.02)  # the image is normalised
    assert np.abs(predictor.predict(np.stack([volume, odd * 3]), ONE_MM) - one).max() > 0.05
    with pytest.raises(InputError, match="expected 2 channels"):
        predictor.predict(volume, ONE_MM)


def test_regions(make_results: Make, volume: F32) -> None:
    """As in TotalSpineSeg: discs, of which one is a landmark, and the canal round the cord."""
    labels = {"background": 0, "disc": [1, 2], "disc_C2_C3": 2, "canal": [8, 9], "cord": 9}
    folder = make_results(labels, order=[1, 2, 8, 9])
    predictor = NnunetPredictor(folder)
    assert predictor.labels == ("background", "disc", "disc_C2_C3", "canal", "cord")
    assert predictor.values == (0, 1, 2, 8, 9)
    found = predictor.predict(volume, ONE_MM)
    np.testing.assert_allclose(found.sum(axis=0), 1, rtol=1e-4)
    drawn = predictor.segment(volume, ONE_MM)
    assert set(np.unique(drawn)) <= {0, 1, 2, 8, 9}
    regions = 1 / (1 + np.exp(-forward(folder, volume)))
    expected = np.zeros(SHAPE)
    for region, value in zip(regions, (1, 2, 8, 9), strict=True):
        expected[region > 0.5] = value
    assert (drawn == expected).mean() > 0.99
    sure = found.max(axis=0) > 0.5
    assert sure.any()
    chosen = np.array(predictor.values)[found.argmax(axis=0)]
    assert (chosen[sure] == drawn[sure]).mean() > 0.99


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path, Any], None]:
    """Install a results folder as the model ``small``, which a registry knows."""
    monkeypatch.setattr("spinetools.models.store.cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr("spinetools.models.install.cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setenv("SPINETOOLS_MODELS", str(tmp_path / "lab"))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "lab").mkdir()

    def put(folder: Path, **file: Any) -> None:
        entry = {
            "name": "small", "version": "r1", "engine": "nnunet", "task": "t", "orientation": "RAS",
            "spacing_mm": [1, 1, 1], "files": [{"file": "small.zip", "part": "step1", **file}],
        }  # fmt: skip
        content = json.dumps({"schema": 1, "models": [entry]})
        (tmp_path / "lab" / "registry.json").write_text(content)
        archive = shutil.make_archive(str(tmp_path / "small"), "zip", folder.parents[1])
        install("small", [Path(archive)])

    return put


def test_an_installed_model_knows_its_grid_and_labels(
    make_results: Make, lab: Callable[..., None], volume: F32
) -> None:
    lab(make_results(), labels={"cord": "spinal_cord"})
    for predictor in (load_nnunet("small"), load_nnunet("small@r1", "step1", fold="0")):
        assert (predictor.name, predictor.version) == ("small", "r1")
        assert (predictor.orientation, predictor.spacing_mm) == ("RAS", ONE_MM)
        assert predictor.labels == ("background", "spinal_cord", "disc")
    with pytest.raises(InputError, match="but small reads 1 × 1 × 1 mm; resample first"):
        load_nnunet("small").predict(volume, (1.0, 1.0, 2.0))
    with pytest.raises(ModelError, match="has no part 'step2'; there are: step1"):
        load_nnunet("small", "step2")


def test_from_a_server_to_a_segmentation(
    make_results: Make, lab: Callable[..., None], volume: F32, tmp_path: Path
) -> None:
    """All of it: two steps zipped as they are published, fetched, checked, unpacked, run."""
    made = [make_results(name=f"Dataset10{step}_step{step}") for step in (1, 2)]
    for step, folder in enumerate(made, 1):
        base = folder.parents[1]
        shutil.make_archive(str(tmp_path / f"step{step}"), "zip", base, folder.parent.name)

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    handler = partial(Quiet, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        files = [
            {"file": f"step{step}.zip", "part": f"step{step}", "labels": {"cord": "spinal_cord"},
             "layout": f"Dataset10{step}_step{step}/*__*__*", "urls": [f"{address}/step{step}.zip"]}
            for step in (1, 2)
        ]  # fmt: skip
        entry = {"name": "pair", "version": "r1", "engine": "nnunet", "task": "t", "files": files}
        content = json.dumps({"schema": 1, "models": [entry]})
        (tmp_path / "lab" / "registry.json").write_text(content)
        install("pair")
        server.shutdown()
    for step, folder in enumerate(made, 1):
        predictor = load_nnunet("pair", f"step{step}")
        assert predictor.labels == ("background", "spinal_cord", "disc")
        found = predictor.segment(volume, ONE_MM)
        np.testing.assert_array_equal(found, NnunetPredictor(folder).segment(volume, ONE_MM))


def test_labels_by_a_scheme(make_results: Make, lab: Callable[..., None]) -> None:
    lab(make_results(), label_scheme="totalsegmentator_mr")
    assert load_nnunet("small").labels == ("background", "sacrum", "vertebrae_L5")


def test_a_changed_file_is_not_run(
    make_results: Make, lab: Callable[..., None], tmp_path: Path
) -> None:
    lab(make_results())
    (plan,) = (tmp_path / "cache").rglob("plans.json")
    plan.write_text(plan.read_text().replace("PlainConvUNet", "ResidualUNet"))
    with pytest.raises(ModelError, match=r"wrong checksum: .*plans\.json"):
        load_nnunet("small")


def test_plans_that_call_something_else(make_results: Make) -> None:
    folder = make_results()
    text = (folder / "plans.json").read_text()
    (folder / "plans.json").write_text(text.replace("torch.nn.LeakyReLU", "os.system"))
    with pytest.raises(ModelError, match=r"names 'os\.system' as a part of the network"):
        NnunetPredictor(folder)


def test_weights_that_do_not_fit(make_results: Make) -> None:
    folder = make_results()
    text = (folder / "plans.json").read_text()
    (folder / "plans.json").write_text(text.replace("[4, 8]", "[4, 6]"))
    with pytest.raises(ModelError, match=r"cannot be built: .*size mismatch") as caught:
        NnunetPredictor(folder)
    assert "\n" not in str(caught.value)


def test_a_second_stage_is_refused(make_results: Make) -> None:
    folder = make_results()
    content = json.loads((folder / "plans.json").read_text())
    content["configurations"]["3d_fullres"]["previous_stage"] = "3d_lowres"
    (folder / "plans.json").write_text(json.dumps(content))
    with pytest.raises(ModelError, match="second stage of a resolution cascade"):
        NnunetPredictor(folder)


def test_devices(make_results: Make, caplog: pytest.LogCaptureFixture) -> None:
    torch = pytest.importorskip("torch")
    folder = make_results()
    with caplog.at_level(logging.INFO, "spinetools"):
        NnunetPredictor(folder, "cpu")
    assert "runs on cpu" in caplog.text
    with pytest.raises(InputError, match="unknown device"):
        NnunetPredictor(folder, "tpu")
    if not torch.cuda.is_available():
        with pytest.raises(ModelError, match="sees 0 CUDA devices"):
            NnunetPredictor(folder, "cuda:1")


def test_nothing_is_printed(
    make_results: Make, volume: F32, capsys: pytest.CaptureFixture[str]
) -> None:
    NnunetPredictor(make_results()).predict(volume, ONE_MM)
    assert capsys.readouterr().out == ""


# -- without nnunetv2 --------------------------------------------------------------------------


def a_folder(base: Path) -> Path:
    folder = base / "T__P__3d_fullres"
    (folder / "fold_0").mkdir(parents=True)
    for name in ("plans.json", "dataset.json", "fold_0/checkpoint_final.pth"):
        (folder / name).write_text("{}")
    return folder


def test_without_nnunetv2_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "nnunetv2"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "nnunetv2", None)
    folder = a_folder(tmp_path)
    with pytest.raises(MissingExtra, match=r"nnunetv2 is not installed.*spinetools\[nnunet\]"):
        NnunetPredictor(folder)


def test_models_of_the_other_engine(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is no nnU-Net results folder"):
        load_nnunet("optic")
    folder = a_folder(tmp_path)
    (folder / "fold_0" / "checkpoint_final.pth").unlink()
    with pytest.raises(ModelError, match="unfinished training"):
        load_nnunet(str(folder))
