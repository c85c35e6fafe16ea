"""Where training runs: what the name asks for, and it is said."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra train is not installed")

from spinetools.errors import InputError, ModelError  # noqa: E402
from spinetools.infer.nnunet import torch_device  # noqa: E402
from spinetools.training.loop import Schedule, fit  # noqa: E402


@pytest.fixture
def cards(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Pretend that there is no card of any kind."""
    set_cards(monkeypatch, cuda=0, mps=False)
    return monkeypatch


def set_cards(monkeypatch: pytest.MonkeyPatch, cuda: int, mps: bool) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)


@pytest.mark.parametrize(
    ("name", "cuda", "mps", "device"),
    [
        ("auto", 0, False, "cpu"),
        ("auto", 2, True, "cuda:0"),
        ("auto", 0, True, "cpu"),  # Apple's has to be asked for
        ("cpu", 2, True, "cpu"),
        ("cuda", 2, False, "cuda:0"),
        ("cuda:1", 2, False, "cuda:1"),
        ("mps", 0, True, "mps"),
    ],
)
def test_a_name_s_device(
    name: str, cuda: int, mps: bool, device: str, cards: pytest.MonkeyPatch
) -> None:
    set_cards(cards, cuda, mps)
    assert str(torch_device(name)) == device


@pytest.mark.parametrize("name", ["cuda", "cuda:1", "mps"])
def test_a_card_that_is_not_there_is_an_error(name: str, cards: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match=f"-device {name}: this torch sees 0 CUDA devices"):
        torch_device(name)


@pytest.mark.parametrize("name", ["gpu", "cuda:x", ""])
def test_a_name_of_nothing_is_an_error(name: str) -> None:
    with pytest.raises(InputError, match="expected auto, cpu, cuda, cuda:N or mps"):
        torch_device(name)


def test_training_says_where_it_runs(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, cards: pytest.MonkeyPatch
) -> None:
    def draw(rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        image = torch.from_numpy(rng.random((1, 1, 8, 8), dtype=np.float32))
        return image, (image > 0.5).float()

    net = torch.nn.Conv2d(1, 1, 3, padding=1)
    with caplog.at_level(logging.INFO, "spinetools"):
        fit(net, draw, tmp_path, Schedule(1, device="cpu"))
    assert "training on cpu" in caplog.text
    with pytest.raises(ModelError, match="-device mps"):
        fit(net, draw, tmp_path, Schedule(2, device="mps"))


def test_nnunet_s_trainer_says_it_too(
    caplog: pytest.LogCaptureFixture, cards: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("nnunetv2", reason="the extra nnunet is not installed")
    from spinetools.training.nnunet_train import choose

    with caplog.at_level(logging.INFO, "spinetools"):
        assert str(choose("auto")) == "cpu"
    assert "training on the processor" in caplog.text
