"""The whole chain on cords whose place and area are known, with networks whose answer is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from spinetools.centerline import centreline_through, optic_centreline
from spinetools.deepseg import DeepsegParams, find_centreline, segment_cord
from spinetools.deepseg.look import own_middles
from spinetools.errors import InputError, ModelError, NoSpineError
from spinetools.image import Image, Space
from spinetools.image.orientation import ALL_CODES
from spinetools.phantom import make_phantom

from .conftest import RAS, card_of, dice, share_network, tube

KERNELS = ("2d", "3d")
SPACINGS = [(1.0, 1.0, 1.0), (0.5, 0.5, 4.0), (0.8, 0.6, 2.0), (0.3, 0.3, 3.0), (3.0, 0.5, 0.5)]


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("spacing", SPACINGS)
def test_soft_area_and_mask_are_right(kernel, spacing) -> None:
    shape = tuple(round(n / s) for n, s in zip((60, 64, 70), spacing, strict=True))
    image, share = tube(shape, spacing)
    result = segment_cord(image, params=DeepsegParams(kernel=kernel))
    assert result.slices.tolist() == list(range(shape[2]))
    pixel = spacing[0] * spacing[1]
    true = share.sum(axis=(0, 1)) * pixel
    soft = result.soft.data.sum(axis=(0, 1)) * pixel
    assert soft == pytest.approx(true, rel=0.006)
    assert result.areas_mm2 == pytest.approx(soft, rel=1e-4)
    least = 0.98 if max(spacing[:2]) < 2 else 0.96
    assert dice(result.mask.data > 0, share >= 0.5) > least
    assert result.doubts == ()
    assert result.sureness.min() > 0.9
    assert (result.soft.data.dtype, result.mask.data.dtype) == (np.float32, np.uint8)


@pytest.mark.parametrize("kernel", KERNELS)
def test_same_in_all_orientations(kernel) -> None:
    image, _ = tube((48, 52, 40), (1.0, 0.8, 1.5), sway_mm=3, noise=20)
    params = DeepsegParams(kernel=kernel)
    # one centreline, so that only what is new here is repeated 48 times
    line = find_centreline(image)
    reference = segment_cord(image, params=params, line=line)
    for codes in ALL_CODES:
        turned = image.reorient(codes)
        result = segment_cord(turned, params=params, line=line)
        assert result.mask.space.same_as(turned.space)
        assert (result.soft.reorient(RAS).data == reference.soft.data).all(), codes
        assert (result.mask.reorient(RAS).data == reference.mask.data).all(), codes
    turned = image.reorient(("P", "S", "R"))
    whole = segment_cord(turned, params=params)
    assert (whole.mask.reorient(RAS).data == reference.mask.data).all()


def test_an_oblique_header_changes_nothing_on_the_grid() -> None:
    image, _ = tube((48, 52, 40), (1.0, 0.8, 1.5))
    affine = image.space.affine.copy()
    affine[:3, :3] = (
        Rotation.from_euler("xyz", (12, -20, 25), degrees=True).as_matrix() @ (affine[:3, :3])
    )
    affine[:3, 3] = 40, -70, 11
    oblique = Image(image.data, Space(image.space.shape, affine))
    assert oblique.space.nib_codes == RAS
    one, other = segment_cord(image), segment_cord(oblique)
    assert one.soft.data == pytest.approx(other.soft.data, abs=1e-5)
    assert other.soft.space.same_as(oblique.space)


def test_a_curved_cord_stays_in_its_blocks() -> None:
    """60 mm aside over 100: it leaves the window of one block within that block."""
    image, share = tube((120, 60, 100), middle_mm=lambda z: 0.6 * (z - 50))
    for kernel in KERNELS:
        result = segment_cord(image, params=DeepsegParams(kernel=kernel))
        assert dice(result.mask.data > 0, share >= 0.5) > 0.98, kernel
        assert result.areas_mm2.sum() == pytest.approx(share.sum(), rel=0.01)


def test_cut_at_the_border_of_the_image() -> None:
    image, share = tube((60, 64, 40), sway_mm=0)
    cropped = image.crop((27, 0, 0), (60, 64, 40))  # the cord's right part is cut off
    result = segment_cord(cropped)
    assert dice(result.mask.data > 0, share[27:] >= 0.5) > 0.97


@pytest.mark.parametrize("n_slices", [2, 10])
@pytest.mark.parametrize("kernel", KERNELS)
def test_few_thick_slices(kernel, n_slices: int) -> None:
    image, share = tube((80, 80, n_slices), (0.5, 0.5, 9.0), sway_mm=1)
    result = segment_cord(image, params=DeepsegParams(kernel=kernel))
    assert len(result.slices) == n_slices
    assert dice(result.mask.data > 0, share >= 0.5) > 0.97


def test_ten_slices_of_one_millimetre() -> None:
    image, share = tube((80, 80, 10), sway_mm=1)
    result = segment_cord(image)
    assert len(result.slices) == 10
    assert dice(result.mask.data > 0, share >= 0.5) > 0.98


def with_brain(image: Image, first: int) -> Image:
    """Flicker all over the upper slices, on the cord too, which goes on."""
    data = image.data.copy()
    x, y, _ = np.indices(image.shape)
    data[..., first:] += (450 * np.where((x + y // 2) % 4 < 2, 1, -1))[..., first:]
    return image.like(data.astype(np.float32))


def test_the_brain_ends_the_cord_or_is_not_asked_for() -> None:
    image = with_brain(tube((96, 96, 90), sway_mm=1)[0], 60)
    stopped = segment_cord(image, "t2")
    assert stopped.line.ceiling is not None
    assert 57 <= stopped.line.ceiling <= 63
    assert stopped.slices[-1] < stopped.line.ceiling
    assert stopped.slices[0] == 0
    going_on = segment_cord(image, "t2", line=find_centreline(image, "t2", brain=False))
    assert going_on.line.ceiling is None
    assert going_on.slices[-1] > 75
    # by contrast, as SCT has it
    assert find_centreline(image, "t2s").ceiling is None
    assert find_centreline(image, "any").ceiling == stopped.line.ceiling


def test_a_slice_like_brain_does_not_cut_the_cord() -> None:
    image = tube((96, 96, 90), sway_mm=1)[0]
    data = image.data.copy()
    data[..., 41:44] = with_brain(image, 41).data[..., 41:44]
    result = segment_cord(image.like(data), "t2")
    assert result.line.ceiling is None
    assert (result.slices[0], result.slices[-1]) == (0, 89)


def test_a_detector_without_brain_finds_the_cord_too(monkeypatch, caplog) -> None:
    """``optic`` as the heatmap, on the simulated spine."""
    monkeypatch.delenv("SPINETOOLS_MODELS")
    phantom = make_phantom(987, None, "t2s_axial")
    line = find_centreline(phantom.image, "t2", model="optic")
    assert line.ceiling is None
    cord = phantom.cord.data > 0
    i, j, k = np.rint(line.voxels).astype(int).T
    have = cord.any(axis=(0, 1))[k]
    assert cord[i, j, k][have].mean() > 0.97


def test_gaps_are_filled_or_named() -> None:
    image, share = tube((60, 64, 70))
    data = image.data.copy()
    data[..., 30:34] = 100
    short = segment_cord(image.like(data))
    found = {doubt.kind: doubt.slices for doubt in short.doubts}
    assert found["gap filled"] == (30, 31, 32, 33)
    assert dice(short.mask.data > 0, share >= 0.5) > 0.98
    assert short.soft.data[..., 31].sum() == pytest.approx(share[..., 31].sum(), rel=0.1)
    data[..., 28:37] = 100
    long = segment_cord(image.like(data))
    assert {doubt.kind: doubt.slices for doubt in long.doubts}["gap"] == tuple(range(28, 37))
    assert len(long.slices) == 61
    largest = segment_cord(image.like(data), params=DeepsegParams(largest=True))
    assert largest.slices[0] == 37


def test_compressed_cord_keeps_its_area() -> None:
    x, y, z = np.indices((60, 64, 60)) + 0.5
    flat = 1 - 0.5 * np.exp(-(((z - 30) / 5) ** 2))  # down to half in front-back
    rho = np.hypot((x - 30) / 6.5, (y - 32) / (5 * flat))
    share = np.clip(0.5 - (rho - 1) * 5 * flat, 0, 1).astype(np.float32)
    image = Image(100 + 900 * share, Space((60, 64, 60), np.eye(4)))
    result = segment_cord(image)
    assert result.slices.tolist() == list(range(60))
    assert dice(result.mask.data > 0, share >= 0.5) > 0.97
    assert result.areas_mm2[30] == pytest.approx(share[..., 30].sum(), rel=0.03)


def test_a_leak_is_named() -> None:
    image, _ = tube((60, 64, 70), sway_mm=0)
    data = image.data.copy()
    data[33:45, 30:36, 34:36] = 1000
    found = {doubt.kind: doubt.slices for doubt in segment_cord(image.like(data)).doubts}
    assert found["area jump"] == (34, 35)


@pytest.mark.parametrize("kernel", KERNELS)
def test_mirrored_images_give_mirrored_results_with_tta(kernel) -> None:
    image, _ = tube((61, 64, 40), sway_mm=3, noise=30)
    params = DeepsegParams(kernel=kernel, tta=True, uncertainty=True)
    line = find_centreline(image)
    world = line.world_mm * [-1, 1, 1] + [60, 0, 0]
    flipped = Image(image.data[::-1], image.space)
    one = segment_cord(image, params=params, line=line)
    other = segment_cord(flipped, params=params, line=replace(line, world_mm=world))
    assert one.n_versions > 1
    assert one.soft.data == pytest.approx(other.soft.data[::-1], abs=1e-4)
    assert one.uncertainty.data == pytest.approx(other.uncertainty.data[::-1], abs=1e-4)


def test_uncertainty_is_at_the_edge_and_grows_with_noise() -> None:
    image, share = tube((60, 64, 40))
    noisy, _ = tube((60, 64, 40), noise=150)
    params = DeepsegParams(uncertainty=True)
    line = find_centreline(image)
    found = [segment_cord(one, params=params, line=line) for one in (image, noisy)]
    inside, edge = share > 0.999, (share > 0.2) & (share < 0.8)
    clear = found[0].uncertainty.data
    assert clear.dtype == np.float32
    assert clear[edge].mean() > 4 * clear[inside].mean()
    assert found[1].uncertainty.data[inside].mean() > 2 * clear[inside].mean()
    assert found[0].uncertainty.space.same_as(image.space)
    assert segment_cord(image).uncertainty is None


def test_threshold_by_contrast_by_hand_and_soft() -> None:
    image, _ = tube((60, 64, 40))
    sizes = {}
    for name, contrast, given in (
        ("card", "t2", None), ("dwi", "dwi", None), ("high", "dwi", 0.9), ("soft", "dwi", -1.0),
    ):  # fmt: skip
        result = segment_cord(image, contrast, DeepsegParams(threshold=given))
        sizes[name] = int(result.mask.data.sum())
        wanted = {"card": 0.5, "dwi": 0.3, "high": 0.9, "soft": 0.3}[name]
        assert result.threshold == wanted
    assert sizes["high"] < sizes["card"] < sizes["dwi"] == sizes["soft"]


def test_a_centreline_by_hand_bounds_the_cord() -> None:
    image, _ = tube((60, 64, 70), sway_mm=2)
    middle = find_centreline(image).voxels
    line = centreline_through(image, image.space.to_world(middle[[15, 30, 50]] + [2, -2, 0]))
    result = segment_cord(image, line=line)
    assert (result.slices[0], result.slices[-1]) == (15, 50)
    assert [path.stem for path in result.models] == ["cord_2d"]
    far = replace(line, world_mm=line.world_mm + 300)
    with pytest.raises(InputError, match="does not pass through"):
        segment_cord(image, line=far)


def test_a_centreline_that_strays_is_looked_at_again() -> None:
    """At the upper end it leads 7 mm away: there the cord is cut off by the first patches."""
    image, share = tube((120, 64, 70), radii_mm=(9.0, 4.2), sway_mm=0)
    line = find_centreline(image)
    aside = np.clip(np.arange(70) - 50, 0, None)[:, None] * [0.35, 0, 0]
    strayed = replace(line, world_mm=line.world_mm + aside)
    result = segment_cord(image, line=strayed)
    assert (result.soft.data == segment_cord(image, line=line).soft.data).mean() > 0.9999
    assert dice(result.mask.data > 0, share >= 0.5) > 0.98


def test_middles_of_a_mask_and_between() -> None:
    mask = np.zeros((40, 40, 10), dtype=bool)
    line = np.column_stack([np.full(10, 20.0), np.full(10, 20.0), np.arange(10)])
    mask[24:27, 19:22, :4] = True
    mm = np.array([1.0, 1.0, 2.0])
    assert own_middles(mask, line, mm) == pytest.approx(line + np.array([5, 0, 0]))
    assert own_middles(mask, line + np.array([3, 0, 0]), mm) is None
    assert own_middles(np.zeros_like(mask), line, mm) is None


def test_the_models_are_on_record(networks: Path) -> None:
    result = segment_cord(tube((60, 64, 40))[0])
    assert result.models == (networks / "cord_heatmap.onnx", networks / "cord_2d.onnx")


@pytest.mark.parametrize("kind", ["noise", "ramp"])
def test_an_image_without_cord_is_refused(kind: str) -> None:
    i, j, k = np.indices((80, 90, 40))
    data = {
        "noise": np.random.default_rng(0).normal(100, 20, (80, 90, 40)),
        "ramp": i + 2.0 * j + k,
    }[kind]
    image = Image(data.astype(np.float32), Space((80, 90, 40), np.diag([1.0, 1.0, 2.0, 1.0])))
    with pytest.raises(NoSpineError, match="no spinal cord"):
        segment_cord(image)


def test_no_cord_along_the_centreline_is_refused() -> None:
    image, _ = tube((60, 64, 40))
    line = find_centreline(image)
    with pytest.raises(NoSpineError, match="sees no cord along the centreline"):
        segment_cord(image.like(np.full(image.shape, 7, dtype=np.float32)), line=line)


def test_kernel_and_model_must_agree(networks: Path, tmp_path: Path) -> None:
    image, _ = tube((60, 64, 40))
    blocks = str(networks / "cord_3d.onnx")
    assert segment_cord(image, params=DeepsegParams(model=blocks)).models[-1].stem == "cord_3d"
    with pytest.raises(InputError, match="-kernel 2d, but the model cord_3d is of kernel 3d"):
        segment_cord(image, params=DeepsegParams(kernel="2d", model=blocks))
    with pytest.raises(ModelError, match="nowhere"):
        segment_cord(image, params=DeepsegParams(model="nowhere"))
    other = share_network(tmp_path / "other.onnx", card_of("other", labels=("canal",)))
    with pytest.raises(ModelError, match="choose another -model"):
        segment_cord(image, params=DeepsegParams(model=str(other)))


def test_a_detector_must_tell_the_cord(tmp_path: Path) -> None:
    other = share_network(tmp_path / "other.onnx", card_of("other", labels=("canal",)))
    with pytest.raises(ModelError, match="expected cord"):
        optic_centreline(tube((60, 64, 40))[0], model=str(other))
