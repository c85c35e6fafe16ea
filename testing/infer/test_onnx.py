"""Models in ONNX Runtime: devices, batches, errors."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spinetools.errors import InputError, ModelError
from spinetools.infer import device as module
from spinetools.infer.device import Device, choose_device, parse_device
from spinetools.infer.onnx import OnnxModel, n_threads

from .conftest import Make, card_of

CPU, CUDA, APPLE = (module.PROVIDERS[kind] for kind in ("cpu", "cuda", "mps"))


def runtime_with(*providers: str) -> Any:
    return lambda: list(providers)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("auto", ("auto", 0)), ("cpu", ("cpu", 0)), ("cuda", ("cuda", 0)), ("cuda:3", ("cuda", 3)),
     ("mps", ("mps", 0))],
)  # fmt: skip
def test_names_of_devices(name: str, expected: tuple[str, int]) -> None:
    assert parse_device(name) == expected


@pytest.mark.parametrize("name", ["", "gpu", "cuda:", "cuda:x", "cpu:0", "CUDA", "cuda:-1"])
def test_names_that_no_device_has(name: str) -> None:
    with pytest.raises(InputError, match="expected auto, cpu, cuda, cuda:N or mps"):
        choose_device(name)


def test_auto_takes_the_card_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_available", runtime_with(CUDA, CPU))
    assert choose_device("auto") == Device("cuda")
    assert choose_device("auto").providers == [(CUDA, {"device_id": 0}), CPU]
    monkeypatch.setattr(module, "_available", runtime_with(APPLE, CPU))
    assert choose_device("auto") == Device("cpu")
    assert choose_device("mps").providers == [APPLE, CPU]
    assert choose_device("cpu").providers == [CPU]


def test_a_device_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_available", runtime_with(CPU))
    with pytest.raises(
        ModelError, match=r"-device cuda:1: .* runs on cpu only; install onnxruntime-gpu"
    ):
        choose_device("cuda:1")
    with pytest.raises(ModelError, match="-device mps"):
        choose_device("mps")


@pytest.mark.filterwarnings("ignore:Specified provider")
def test_a_card_that_cannot_be_used(
    monkeypatch: pytest.MonkeyPatch, make_model: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """ONNX Runtime has the part for it, but not the driver: it takes the processor, silently."""
    monkeypatch.setattr(module, "_available", runtime_with(CUDA, CPU))
    path = make_model(card_of(2))
    with caplog.at_level(logging.INFO, "spinetools"):
        model = OnnxModel(path, "auto")
    assert model.device == Device("cpu")
    assert "going on with the processor" in caplog.text
    with pytest.raises(ModelError, match=r"-device cuda:0: .*; take -device auto or cpu"):
        OnnxModel(path, "cuda")


def test_it_says_where_it_runs(make_model: Make, caplog: pytest.LogCaptureFixture) -> None:
    path = make_model(card_of(2))
    with caplog.at_level(logging.INFO, "spinetools"):
        OnnxModel(path)
        assert caplog.text == "", "the usual is not worth a line"
        OnnxModel(path, "cpu")
    assert f"small runs on {n_threads()} threads of the processor" in caplog.text


def test_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPINETOOLS_THREADS", "3")
    assert n_threads() == 3
    for wrong in ("0", "many", ""):
        monkeypatch.setenv("SPINETOOLS_THREADS", wrong)
        assert n_threads() >= 1


@pytest.mark.parametrize("batch", [1, 2, 5, 100])
@pytest.mark.parametrize("n_samples", [0, 1, 5])
def test_batches(make_model: Make, batch: int, n_samples: int) -> None:
    model = OnnxModel(make_model(card_of(2, labels=("a", "b")), "two labels"))
    samples = np.random.default_rng(0).normal(0, 1, (n_samples, 1, 6, 7))
    found = model.run_batches(samples, batch)  # type: ignore[arg-type]
    assert found.shape == (n_samples, 2, 6, 7)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[:, :1], samples, rtol=1e-6)
    np.testing.assert_allclose(found[:, 1:], -2 * samples, rtol=1e-6)


def test_batches_of_nothing(make_model: Make) -> None:
    with pytest.raises(ValueError, match="batch is 0"):
        OnnxModel(make_model(card_of(2))).run_batches(np.zeros((1, 1, 2, 2), np.float32), 0)


def test_a_batch_of_another_form(make_model: Make) -> None:
    model = OnnxModel(make_model(card_of(2)))
    with pytest.raises(ModelError, match=r"cannot run on a batch of float32 \(1, 1, 4\)") as caught:
        model.run(np.zeros((1, 1, 4), dtype=np.float32))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"no model at all"])
def test_a_file_that_is_no_model(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match="is not a usable ONNX model; fetch it again"):
        OnnxModel(path)


def test_metadata_that_is_no_text(make_model: Make, tmp_path: Path) -> None:
    """One byte changed in the card: ONNX Runtime hands it over as it is."""
    data = make_model(card_of(2)).read_bytes()
    place = data.index(b'"task"')
    (tmp_path / "x.onnx").write_bytes(data[:place] + b"\xe2" + data[place + 1 :])
    with pytest.raises(ModelError, match="not a usable ONNX model"):
        OnnxModel(tmp_path / "x.onnx")
