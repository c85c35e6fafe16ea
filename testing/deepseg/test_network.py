"""Running a network on patches: versions, mirroring, models that do not fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spinetools.deepseg.network import MARGIN, check_network, probabilities, versions
from spinetools.deepseg.patches import slices_along
from spinetools.errors import ModelError
from spinetools.infer.onnx import OnnxModel

from .conftest import card_of, share_network, tube

MM = np.array([1.0, 1.0, 1.0])


def patches_of(shape: tuple[int, int, int]):
    k = np.arange(shape[2])
    line = np.column_stack([np.full(shape[2], 30.0), np.full(shape[2], 32.0), k])
    return slices_along(shape, MM, line, (64, 64), (0.5, 0.5), MARGIN)


def test_versions_are_mirrored_only_where_the_card_allows_it() -> None:
    assert len(versions(card_of("a"), tta=False)) == 1
    both, one = (versions(card_of("a", tta=tta), tta=True) for tta in (("x",), ()))
    assert len(both) == 2 * len(one) > 2
    assert not any(version.mirrored for version in one)


def test_a_version_is_undone_so_that_all_agree_on_a_plain_answer(networks: Path) -> None:
    """The share of cord does not change under shifts and mirrors; only bent intensities differ."""
    image, share = tube((61, 65, 5), sway_mm=2)
    model = OnnxModel(networks / "cord_2d.onnx")
    patches = patches_of((61, 65, 5))
    once, nothing = probabilities(model, image.data, patches, versions(model.card, False))
    mean, deviation = probabilities(model, image.data, patches, versions(model.card, True))
    assert nothing is None
    assert deviation is not None
    sharp = (once < 0.01) | (once > 0.99)
    assert np.abs(mean - once)[sharp].max() < 0.02
    assert deviation[sharp].max() < 0.03
    assert deviation[~sharp].max() > 0.02
    assert patches.paste(once)[:, :, 2] == pytest.approx(share[:, :, 2], abs=0.15)


def test_a_mirrored_image_gives_the_mirrored_answer(tmp_path: Path, networks: Path) -> None:
    image, _ = tube((61, 65, 5), sway_mm=3, noise=40)
    model = OnnxModel(networks / "cord_2d.onnx")
    shown = versions(model.card, True)
    patches = patches_of((61, 65, 5))
    one = probabilities(model, image.data, patches, shown)
    other = probabilities(model, image.data[::-1], patches, shown)
    for a, b in zip(one, other, strict=True):
        assert a == pytest.approx(b[:, ::-1], abs=1e-5)


def test_an_answer_does_not_depend_on_the_batch(networks: Path, monkeypatch) -> None:
    image, _ = tube((61, 65, 9))
    model = OnnxModel(networks / "cord_2d.onnx")
    patches = patches_of((61, 65, 9))
    whole, _ = probabilities(model, image.data, patches, versions(model.card, False))
    monkeypatch.setattr("spinetools.deepseg.network._BATCH_VOXELS", 2 * 64 * 64)
    parts, _ = probabilities(model, image.data, patches, versions(model.card, False))
    assert (whole == parts).all()


@pytest.mark.parametrize(
    "changes",
    [{"patch": ()}, {"labels": ("cord", "brain")}, {"axes": "N 2 x y"}, {"labels": ("canal",)}],
)
def test_a_network_for_something_else_is_refused(tmp_path: Path, changes: dict) -> None:
    path = share_network(tmp_path / "other.onnx", card_of("other", **changes))
    with pytest.raises(ModelError, match="choose another -model"):
        check_network(OnnxModel(path))


def test_another_normalisation_is_refused(tmp_path: Path) -> None:
    path = share_network(tmp_path / "z.onnx", card_of("z", normalisation="zscore"))
    model = OnnxModel(path)
    with pytest.raises(ModelError, match="patch_contrast"):
        probabilities(
            model, np.zeros((60, 64, 3)), patches_of((60, 64, 3)), versions(model.card, False)
        )
