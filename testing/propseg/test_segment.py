"""PropSeg on tilted elliptical cylinders, whose area and place are known exactly."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from scipy.special import erf

from spinetools.errors import InputError, NoSpineError
from spinetools.image import Image, Space
from spinetools.image.orientation import ALL_CODES
from spinetools.propseg import PropsegParams, params, segment, segment_cord

AP_MM, RL_MM, TILT = 3.9, 6.1, 0.25


def cylinder(
    shape: tuple[int, int, int] = (50, 54, 40),
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0),
    bright: bool = False,
    noise: float = 0.0,
) -> tuple[Image, np.ndarray, np.ndarray]:
    """A cord in CSF in muscle, leaning forward; gives image, centreline voxels and cord mask."""
    x, y, z = np.meshgrid(
        *[np.arange(n) * s for n, s in zip(shape, spacing, strict=True)], indexing="ij"
    )
    middle = np.array([shape[0] * spacing[0] / 2, shape[1] * spacing[1] / 2 - 2])
    height = z - z.mean()

    def inside(grow: float, blur: float = 0.5) -> np.ndarray:
        u, v = (x - middle[0]) / (RL_MM + grow), (y - middle[1] - TILT * height) / (AP_MM + grow)
        rho = np.hypot(u, v)
        # distance to the ellipse along the ray, near enough to a blurred edge
        away = (
            (rho - 1)
            * np.hypot(x - middle[0], y - middle[1] - TILT * height)
            / np.maximum(rho, 1e-6)
        )
        return 0.5 * (1 - erf(away / (blur * np.sqrt(2))))

    cord, sac = inside(0), inside(3.0)
    levels = (100, 350, 60) if not bright else (350, 100, 200)
    data = levels[0] * cord + levels[1] * (sac - cord) + levels[2] * (1 - sac)
    data += np.random.default_rng(1).normal(0, noise, shape) if noise else 0
    space = Space(shape, np.diag([*spacing, 1.0]))
    k = np.arange(shape[2])
    line = np.column_stack(
        [
            np.full(len(k), middle[0] / spacing[0]),
            (middle[1] + TILT * (k * spacing[2] - z.mean())) / spacing[1],
            k,
        ]
    )
    return Image(data.astype(np.float32), space), line, cord >= 0.5


@pytest.fixture(autouse=True)
def _true_edge(monkeypatch: pytest.MonkeyPatch) -> None:
    """Raters draw inside the half level; here the truth is the half level itself."""
    for contrast in params.EDGE_FRACTION:
        monkeypatch.setitem(params.EDGE_FRACTION, contrast, 0.5)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.5, 0.5, 4.0), (0.8, 0.6, 2.0)])
@pytest.mark.parametrize("contrast", ["t2", "t1"])
def test_area_is_right(contrast, spacing) -> None:
    shape = tuple(round(n / s) for n, s in zip((50, 54, 40), spacing, strict=True))
    image, line, truth = cylinder(shape, spacing, bright=contrast == "t1", noise=8)
    result = segment_cord(image, line + np.array([0.8, -0.6, 0]), contrast)
    pixel = spacing[0] * spacing[1]
    areas = result.soft.data.sum(axis=(0, 1)) * pixel
    assert (areas > 0).all()
    assert areas.mean() == pytest.approx(np.pi * AP_MM * RL_MM, rel=0.02)
    dice = 2 * (truth & (result.mask.data > 0)).sum() / (truth.sum() + result.mask.data.sum())
    assert dice > 0.96
    off = np.linalg.norm(result.centreline_mm[:, :2] - (line * spacing)[:, :2], axis=1)
    assert off.max() < 0.5


def test_same_in_all_orientations() -> None:
    image, line, _ = cylinder((40, 44, 24))
    world = image.space.to_world(line)
    reference = segment_cord(image, line, "t2").mask
    for codes in ALL_CODES:
        turned = image.reorient(codes)
        result = segment_cord(turned, turned.space.to_voxel(world), "t2")
        assert result.mask.space.same_as(turned.space)
        assert (result.mask.reorient(("R", "A", "S")).data == reference.data).all(), codes


def test_wrong_contrast_is_noticed_and_said(caplog: pytest.LogCaptureFixture) -> None:
    image, line, truth = cylinder(bright=True)
    with caplog.at_level(logging.WARNING):
        result = segment_cord(image, line, "t2")
    assert "going by the image" in caplog.text
    assert result.polarity == -1
    assert (
        2 * (truth & (result.mask.data > 0)).sum() / (truth.sum() + result.mask.data.sum()) > 0.95
    )


def test_right_contrast_is_not_doubted(caplog: pytest.LogCaptureFixture) -> None:
    for contrast, bright in (("t2", False), ("t1", True)):
        image, line, _ = cylinder(bright=bright)
        with caplog.at_level(logging.WARNING):
            segment_cord(image, line, contrast)
    assert not caplog.text


def test_up_down_and_init() -> None:
    image, line, _ = cylinder()
    result = segment_cord(image, line, "t2", PropsegParams(init=12, up_voxels=5, down_voxels=3))
    filled = np.flatnonzero(result.mask.data.any(axis=(0, 1)))
    # a section of six slices about the start, and what was asked for beyond it
    assert filled.tolist() == list(range(6, 20))
    with pytest.raises(InputError, match="slice 99"):
        segment_cord(image, line, "t2", PropsegParams(init=99))


@pytest.fixture
def _leaking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the surface bulge by 4 mm to one side in slices 17 to 22, as a leak does."""
    settle = segment.settle

    def bulging(*args):
        tube = settle(*args)
        radii = tube.radii_mm.copy()
        rows = np.isin(tube.slices, np.arange(17, 23))
        radii[np.ix_(rows, [30, 31, 0, 1, 2])] += 4
        return tube.with_radii(radii)

    monkeypatch.setattr(segment, "settle", bulging)


@pytest.mark.usefixtures("_leaking")
def test_leaks_are_found_and_named() -> None:
    image, line, _ = cylinder()
    leak = segment_cord(image, line, "t2").leak
    assert np.flatnonzero(leak.flagged).tolist() == list(range(17, 23))
    assert all(bool(why) == flag for why, flag in zip(leak.reasons, leak.flagged, strict=True))


def test_no_leak_is_seen_where_there_is_none() -> None:
    image, line, _ = cylinder(noise=10)
    assert not segment_cord(image, line, "t2").leak.flagged.any()


@pytest.mark.usefixtures("_leaking")
def test_leaks_are_bridged() -> None:
    image, line, truth = cylinder()
    for action, least in (("warn", 0.0), ("bridge", 0.95)):
        mask = segment_cord(image, line, "t2", PropsegParams(leak=action)).mask.data > 0
        part = np.s_[:, :, 17:23]
        dice = 2 * (truth & mask)[part].sum() / (truth[part].sum() + mask[part].sum())
        assert dice >= least
        assert (dice > 0.95) == (action == "bridge")


@pytest.mark.usefixtures("_leaking")
def test_propagation_stops_at_leaks() -> None:
    image, line, _ = cylinder()
    mask = segment_cord(image, line, "t2", PropsegParams(leak="stop", init=5)).mask.data
    assert np.flatnonzero(mask.any(axis=(0, 1))).tolist() == list(range(17))
    with pytest.raises(NoSpineError, match="-init"):
        segment_cord(image, line, "t2", PropsegParams(leak="stop", init=20))


def test_correction_pulls_the_surface_through_marks() -> None:
    image, line, _ = cylinder()
    marks = np.zeros(image.shape, dtype=np.uint8)
    beyond = round(line[0, 0] + RL_MM + 2)
    for k in range(16, 24):
        marks[beyond, round(line[k, 1]), k] = 1

    def right_end(mask: np.ndarray, k: int) -> int:
        return int(np.nonzero(mask[:, round(line[k, 1]), k])[0].max())

    before = segment_cord(image, line, "t2").mask.data
    after = segment_cord(image, line, "t2", correction=image.like(marks)).mask.data
    for k in range(16, 24):
        assert abs(right_end(after, k) - beyond) <= 1
        assert right_end(before, k) <= beyond - 2
    # elsewhere nothing moves
    assert (after[:, :, :6] == before[:, :, :6]).all()


def test_csf_surrounds_the_cord() -> None:
    image, line, _ = cylinder()
    result = segment_cord(image, line, "t2", with_csf=True)
    assert result.csf is not None
    both = (result.csf.data | result.mask.data).sum(axis=(0, 1))
    assert not (result.csf.data & result.mask.data).any()
    assert both[5:-5] == pytest.approx(np.pi * (AP_MM + 3) * (RL_MM + 3), rel=0.08)


def test_rescale_makes_small_cords_findable() -> None:
    # a rat's cord: everything a third as large
    image, line, truth = cylinder()
    small = Image(image.data, Space(image.space.shape, np.diag([1 / 3, 1 / 3, 1 / 3, 1.0])))
    mask = segment_cord(small, line, "t2", PropsegParams(rescale=3.0)).mask.data > 0
    assert 2 * (truth & mask).sum() / (truth.sum() + mask.sum()) > 0.96


@pytest.mark.parametrize("name", ["radius_mm", "max_area_mm2", "rescale", "n_iterations"])
def test_parameters_have_to_be_positive(name: str) -> None:
    with pytest.raises(InputError, match="above zero"):
        PropsegParams(**{name: 0})


def test_centreline_outside_the_image_is_an_error() -> None:
    image, line, _ = cylinder()
    with pytest.raises(InputError, match="does not pass through"):
        segment_cord(image, line + 1000, "t2")
