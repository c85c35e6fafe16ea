"""The card inside a model's file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from spinetools.errors import ModelError
from spinetools.infer.onnx import OnnxModel
from spinetools.models.card import CARD_KEY, ModelCard, read_card
from spinetools.models.store import find_model

OLDEST: dict[str, Any] = {
    "name": "m", "version": "1.0", "task": "cord", "axes": "N 1 x y", "orientation": "RAS",
    "spacing_mm": [1, 1], "normalisation": "local_contrast", "multiple": 8, "labels": ["cord"],
}  # fmt: skip
WHOLE: dict[str, Any] = {
    **OLDEST,
    "axes": "N 1 x y z",
    "spacing_mm": [0.5, 0.5, 1],
    "training": {"steps": 12, "data": {"phantom": 3}},
    "patch": [64, 64, 48],
    "overlap": 0.25,
    "thresholds": {"any": 0.4, "t2s": 0.6},
    "tta": ["x"],
    "benchmark": [{"image": "a", "Dice": "0.95"}],
    "failures": ["thick slices"],
    "licence": "Apache-2.0",
    "citation": "the project",
}


def read(content: Any) -> ModelCard:
    return ModelCard.from_metadata({CARD_KEY: json.dumps(content)}, Path("m.onnx"))


def test_a_card_survives_the_file() -> None:
    card = read(WHOLE)
    assert ModelCard.from_metadata(card.to_metadata(), "again") == card
    assert card.spacing_mm == (0.5, 0.5, 1)
    assert card.patch == (64, 64, 48)
    assert card.spatial_axes == ("x", "y", "z")
    assert card.failures == ("thick slices",)


def test_fields_that_came_later_have_defaults() -> None:
    card = read(OLDEST)
    assert (card.patch, card.overlap, card.thresholds, card.tta) == ((), 0.5, {}, ())
    assert (card.benchmark, card.failures, card.licence, card.citation) == ([], (), "", "")
    assert card.threshold("t2") == 0.5


def test_the_card_of_the_first_model_that_shipped_still_loads() -> None:
    card = OnnxModel(find_model("optic")).card
    assert card.name == "optic"
    assert card.labels == ("cord",)


def test_thresholds_by_contrast() -> None:
    card = read(WHOLE)
    assert card.threshold("t2s") == 0.6
    assert card.threshold("t1") == card.threshold() == 0.4


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"colour": "red", "shape": 1}, "unknown field colour, shape"),
        ({"labels": "cord"}, "labels is 'cord', not a list"),
        ({"patch": [64, 64]}, "patch has 2 axes, not 3"),
        ({"patch": [64, 64, 44]}, "no multiple of 8"),
        ({"overlap": 1.0}, "overlap is 1.0"),
        ({"thresholds": {"any": 40}}, "thresholds are"),
        ({"thresholds": [0.5]}, "thresholds is [0.5], not a dict"),
        ({"training": "long"}, "training is 'long', not a dict"),
        ({"benchmark": {"a": 1}}, "not a list"),
        ({"benchmark": ["a"]}, "no list of rows"),
        ({"spacing_mm": [1, 1]}, "3 spatial axes, not 2"),
        ({"tta": ["left"]}, "tta names"),
        ({"activation": "relu"}, "activation is 'relu'"),
    ],
)
def test_a_card_that_is_wrong_says_how(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ModelError, match=r"^m\.onnx holds a model card that cannot be read: ") as e:
        read({**WHOLE, **change})
    assert said in str(e.value)
    assert "\n" not in str(e.value)


def test_a_card_that_lacks_something_names_it() -> None:
    content = {key: value for key, value in OLDEST.items() if key not in ("axes", "labels")}
    with pytest.raises(ModelError, match="it lacks axes, labels"):
        read(content)


@pytest.mark.parametrize("content", [[1, 2], "text", None, 3])
def test_a_card_that_is_no_card(content: Any) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        read(content)


def test_no_card_at_all() -> None:
    with pytest.raises(ModelError, match="holds no model card"):
        ModelCard.from_metadata({"other": "x"}, "m.onnx")
    with pytest.raises(ModelError, match="cannot be read"):
        ModelCard.from_metadata({CARD_KEY: "{"}, "m.onnx")


def test_reading_the_card_without_the_network() -> None:
    """Against ONNX Runtime, which reads the whole file."""
    path = find_model("optic")
    assert read_card(path) == OnnxModel(path).card


@pytest.mark.parametrize(
    "damage",
    [lambda _: b"", lambda _: b"hello, this is a text", lambda d: d[: len(d) // 2],
     lambda d: d[:-1], lambda _: b"\xff" * 50],
    ids=["empty", "text", "half", "one byte short", "ones"],
)  # fmt: skip
def test_files_that_hold_no_card(tmp_path: Path, damage: Any) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(damage(find_model("optic").read_bytes()))
    with pytest.raises(
        ModelError, match=r"m\.onnx (is not a usable ONNX model|holds no model card)"
    ):
        read_card(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        read_card(tmp_path / "gone.onnx")
