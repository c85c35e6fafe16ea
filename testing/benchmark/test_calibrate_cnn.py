"""The calibration's arithmetic, on an image whose probability is known; thresholds in a card."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from spinetools.deepseg import DeepsegParams
from spinetools.errors import ModelError
from spinetools.infer.onnx import OnnxModel
from spinetools.models.card import ModelCard, read_card
from spinetools.training.set_thresholds import main, set_thresholds

sys.path.insert(0, str(Path(__file__).parent))
import calibrate_cnn


def falling(zero: float) -> np.ndarray:
    """An area bias that falls with the threshold and is 0 at one."""
    return 0.4 * (zero - calibrate_cnn.THRESHOLDS)


def test_the_threshold_of_zero_bias() -> None:
    assert calibrate_cnn.zero_of(falling(0.37)) == pytest.approx(0.37)
    assert calibrate_cnn.zero_of(falling(2.0)) == 0.9


def test_real_and_simulated_images_weigh_alike() -> None:
    found = calibrate_cnn.thresholds_of(
        {
            "t2": {True: [falling(0.6)], False: [falling(0.4), falling(0.4), falling(0.4)]},
            "t1": {False: [falling(0.3)]},
            "dwi": {False: [falling(0.85)]},
        }
    )
    assert found == {"t2": 0.5, "t1": 0.3, "dwi": 0.75, "any": pytest.approx(0.55, abs=0.002)}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    card = ModelCard(
        "half", "1", "t", "N 1 x y", "RAS", (1.0, 1.0), "patch_contrast", 1, ("cord",),
        thresholds={"any": 0.5, "t2": 0.4},
    )  # fmt: skip
    value = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 1, "x", "y"]) for name in "xy"
    ]
    node = helper.make_node("Sigmoid", ["x"], ["y"])
    graph = helper.make_graph([node], "half", value[:1], value[1:])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    made.metadata_props.add(key="other", value="stays")
    for key, text in card.to_metadata().items():
        made.metadata_props.add(key=key, value=text)
    onnx.save(made, str(tmp_path / "half.onnx"))
    return tmp_path / "half.onnx"


def test_thresholds_are_written_and_nothing_else_changes(model: Path) -> None:
    batch = np.random.default_rng(0).normal(size=(1, 1, 4, 4)).astype(np.float32)
    before = OnnxModel(model)
    assert set_thresholds(model, {"t2": 0.45, "dwi": 0.3}) == {"any": 0.5, "t2": 0.45, "dwi": 0.3}
    after = OnnxModel(model)
    assert [after.card.threshold(c) for c in ("t2", "dwi", "t1")] == [0.45, 0.3, 0.5]
    assert (after.run(batch) == before.run(batch)).all()
    assert after.card.task == "t"
    assert {entry.key for entry in onnx.load(str(model)).metadata_props} >= {"other"}


def test_as_a_script(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main([str(model), "any=0.25"])
    assert "any 0.25" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([str(model), "any"])
    with pytest.raises(ValueError, match="not within 0 and 1"):
        set_thresholds(model, {"any": 1.5})
    with pytest.raises(ModelError):
        set_thresholds(Path(__file__), {"any": 0.5})


def test_a_real_image_is_measured_by_a_network_that_has_not_seen_it(
    model: Path, tmp_path: Path
) -> None:
    def trained(name: str, *groups: str) -> str:
        made = onnx.load(model)
        card = replace(read_card(model), training={"data": dict.fromkeys(groups, 1)})
        del made.metadata_props[:]
        for key, text in card.to_metadata().items():
            made.metadata_props.add(key=key, value=text)
        onnx.save(made, str(tmp_path / name))
        return str(tmp_path / name)

    networks = [
        trained("a.onnx", "phantom t2", "cord/errsm11_T2w"),
        trained("b.onnx", "phantom t2", "cord/errsm18_T2w"),
    ]
    params = DeepsegParams("2d", None, threshold=-1)

    def chosen(name: str, real: bool = True) -> str | None:
        sample = calibrate_cnn.Sample(name, real, "t2", None, np.zeros(1, int), np.zeros(1))
        return calibrate_cnn.params_for(sample, params, networks).model

    assert chosen("errsm18_T2w") == networks[0]
    assert chosen("errsm11_T2w") == networks[1]
    assert chosen("t2_3d_501", real=False) is None
    networks.pop(0)
    with pytest.raises(SystemExit, match="errsm18_T2w: each network of -unseen has learnt from it"):
        chosen("errsm18_T2w")
