"""The networks that ship, on images whose cord is known: simulated ones, and real ones by hand.

Figures are floors a little below what was measured (testing/benchmark/results): they say that
nothing got worse, the README's table says how good it is.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from spinetools.deepseg import DeepsegParams, segment_cord
from spinetools.errors import NoSpineError
from spinetools.image import Image, Space, load_mask, load_volume
from spinetools.metrics.report import cord_report
from spinetools.models.card import read_card
from spinetools.models.registry import shipped_folder
from spinetools.phantom import Phantom, make_phantom

from .conftest import RAS, dice


@pytest.fixture(autouse=True)
def _use_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that ship, not the tiny ones of the other tests."""
    monkeypatch.delenv("SPINETOOLS_MODELS", raising=False)


@pytest.fixture(params=["2d", "3d"])
def kernel(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def phantoms() -> dict[str, Phantom]:
    protocols = ("t2_axial", "t2s_axial", "mt_axial", "dwi_axial")
    return {protocol: make_phantom(4711, None, protocol) for protocol in protocols}


def test_the_cards_say_what_the_command_needs() -> None:
    detector = read_card(shipped_folder() / "cord_heatmap.onnx")
    assert detector.labels == ("cord", "brain")
    card = read_card(shipped_folder() / "cord_2d.onnx")
    assert (card.patch, card.spacing_mm, card.labels) == ((64, 64), (0.5, 0.5), ("cord",))
    assert all(0.2 <= card.threshold(contrast) <= 0.8 for contrast in ("t1", "t2", "t2s", "dwi"))


@pytest.mark.parametrize(
    ("protocol", "contrast", "floor"),
    [("t2_axial", "t2", 0.93), ("t2s_axial", "t2s", 0.92), ("mt_axial", "t2s", 0.90),
     ("dwi_axial", "dwi", 0.88)],
)  # fmt: skip
def test_the_simulated_spine(
    kernel: str, phantoms: dict[str, Phantom], protocol: str, contrast, floor: float
) -> None:
    phantom = phantoms[protocol]
    result = segment_cord(phantom.image, contrast, DeepsegParams(kernel=kernel))
    truth = phantom.cord.data > 0
    assert dice(result.mask.data > 0, truth) > floor


@pytest.mark.parametrize(("seed", "turn"), [(4712, (15, -20, 10)), (4713, (5, 3, -8))])
def test_ten_slices_turned_in_the_scanner(
    kernel: str, seed: int, turn: tuple[float, float, float]
) -> None:
    phantom = make_phantom(seed, None, "t2_3d")
    low = phantom.image.shape[2] // 2
    box = ((0, 0, low), (*phantom.image.shape[:2], low + 10))
    image, truth = phantom.image.crop(*box), phantom.cord.crop(*box).data > 0
    straight = segment_cord(image, "t2", DeepsegParams(kernel=kernel))
    assert len(straight.slices) == 10
    assert dice(straight.mask.data > 0, truth) > 0.91
    affine = image.space.affine.copy()
    affine[:3, :3] = Rotation.from_euler("xyz", turn, degrees=True).as_matrix() @ (affine[:3, :3])
    turned = Image(image.data, Space(image.space.shape, affine))
    oblique = segment_cord(turned, "t2", DeepsegParams(kernel=kernel))
    assert dice(oblique.mask.data > 0, straight.mask.data > 0) > 0.999


@pytest.mark.parametrize("contrast", ["t2", "any"])
def test_an_image_without_cord_is_refused(contrast) -> None:
    i, j, k = np.indices((80, 90, 40))
    noise = np.random.default_rng(0).normal(100, 20, (80, 90, 40))
    ball = 100.0 * (((i - 40) ** 2 + (j - 45) ** 2 + (2 * k - 40) ** 2) < 30**2)
    for data in (noise, ball):
        image = Image(data.astype(np.float32), Space((80, 90, 40), np.diag([1.0, 1.0, 2.0, 1.0])))
        with pytest.raises(NoSpineError):
            segment_cord(image, contrast)


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "contrast", "floors", "covered"),
    [("errsm21_T2star", "t2s", {"2d": 0.92, "3d": 0.86}, {"2d": 0.99, "3d": 0.85}),
     ("gm9669_T2star", "t2s", {"2d": 0.92, "3d": 0.82}, {"2d": 0.99, "3d": 0.86}),
     ("errsm30crop_T1w", "t1", {"2d": 0.92, "3d": 0.90}, {"2d": 0.99, "3d": 0.95}),
     ("tutorial05_MTon", "t2s", {"2d": 0.89, "3d": 0.88}, {"2d": 0.95, "3d": 0.90})],
)  # fmt: skip
def test_real_images(real_data: Path, kernel: str, name: str, contrast, floors, covered) -> None:
    image = load_volume(real_data / "cord" / f"{name}.nii.gz")
    manual = load_mask(real_data / "cord" / f"{name}_seg.nii.gz")
    result = segment_cord(image, contrast, DeepsegParams(kernel=kernel))
    report = cord_report(result.mask, manual.like((manual.data > 0.5).astype(np.uint8)), None)
    assert report["dice"] >= floors[kernel], report
    assert report["coverage"] >= covered[kernel], report


@pytest.mark.real
def test_the_conus_ends_the_cord(real_data: Path) -> None:
    """The lumbar image reaches down to L5; the cord ends near L1, about a third of the way."""
    image = load_volume(real_data / "cord" / "tutorial_lumbar_T2w.nii.gz")
    result = segment_cord(image, "t2")
    assert result.slices[-1] == 200
    assert 60 <= result.slices[0] <= 120
    assert result.mask.reorient(RAS).data[:, :, :60].sum() == 0


@pytest.mark.real
@pytest.mark.parametrize("name", ["lumbar/ts_mr", "ct/ts_ct"])
def test_a_real_image_without_cord_is_refused(real_data: Path, name: str) -> None:
    with pytest.raises(NoSpineError):
        segment_cord(load_volume(real_data / f"{name}.nii.gz"))
