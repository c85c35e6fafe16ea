"""Voxels for the page, the small picture, and the curve in the summary."""

from __future__ import annotations

import base64
import io
import json
import zlib

import numpy as np
import pytest
from PIL import Image as Pillow

from spinetools.image import Image, Space
from spinetools.qc import add_entry, read_entries
from spinetools.qc.summary import CURVE_POINTS, summarise
from spinetools.qc.volume import MAX_VOXELS, Source, volume_script


def read(script: str) -> dict:
    assert script.startswith("spinetoolsVolume(")
    assert script.isascii()
    assert "<" not in script
    return json.loads(script.removeprefix("spinetoolsVolume(").removesuffix(");\n"))


def unpacked(part: dict) -> np.ndarray:
    data = np.frombuffer(zlib.decompress(base64.b64decode(part["data"])), dtype=np.uint8)
    return data.reshape(part["shape"], order="F")


def test_masks_and_labels_come_back_voxel_by_voxel(ras):
    image, mask = ras
    labels = np.zeros(mask.shape, dtype=np.int32)
    labels[19:22, 30, 10], labels[20, 29, 30] = 63, 1042
    sources = [
        Source("cord", "mask", "#ff0000", mask.data > 0),
        Source("discs", "labels", "", labels),
        Source("empty", "mask", "#00ff00", np.zeros(mask.shape, dtype=bool)),
    ]
    content = read(volume_script("x", image.space, image.data, sources))
    assert [layer["name"] for layer in content["layers"]] == ["cord", "discs"]
    for layer, data in zip(content["layers"], (mask.data > 0, labels), strict=True):
        assert layer["step"] == [1, 1, 1]
        box = tuple(slice(o, o + n) for o, n in zip(layer["origin"], layer["shape"], strict=True))
        values = np.array([0, *layer.get("values", [1])])
        np.testing.assert_array_equal(values[unpacked(layer)], data[box])
        assert np.count_nonzero(data[box]) == np.count_nonzero(data)
    np.testing.assert_allclose(
        np.reshape(content["affine"], (3, 4)), image.space.affine[:3], atol=1e-5
    )


@pytest.mark.parametrize("shape", [(40, 50, 60), (320, 300, 200), (512, 512, 12)])
@pytest.mark.parametrize("any_mask", [True, False])
def test_the_image_is_coarse_enough_and_in_its_place(shape, any_mask):
    space = Space(shape, np.diag([0.5, 0.5, 1.0, 1.0]))
    ramp = np.broadcast_to(np.arange(shape[2], dtype=np.float32), shape) + 1
    mask = np.zeros(shape, dtype=bool)
    if any_mask:
        mask[shape[0] // 2, shape[1] // 2, 2:-2] = True
    part = read(volume_script("x", space, ramp, [Source("c", "mask", "#fff", mask)]))["image"]
    data = unpacked(part)
    assert data.size <= 1.3 * MAX_VOXELS
    for n, origin, step, whole in zip(
        part["shape"], part["origin"], part["step"], shape, strict=True
    ):
        assert origin + (n - 1) * step < whole
    # brightness follows the slice
    line = data.mean(axis=(0, 1))
    assert np.corrcoef(line, np.arange(len(line)))[0, 1] > 0.99


def test_labels_of_a_large_volume_stay_small():
    shape = (200, 200, 300)
    rng = np.random.default_rng(4)
    labels = rng.integers(0, 40, (50, 50, 75)).repeat(4, 0).repeat(4, 1).repeat(4, 2)
    space = Space(shape, np.eye(4))
    script = volume_script("x", space, np.ones(shape), [Source("all", "labels", "", labels)])
    assert len(script) < 350_000
    assert read(script)["layers"][0]["step"][0] > 1


def test_an_entry_has_a_small_picture_that_shows_the_mask(tmp_path, ras):
    image, mask = ras
    add_entry(tmp_path, image, [("cord", mask)], process="p", command_line="p")
    entry = read_entries(tmp_path)[0]
    path = tmp_path / entry["folder"] / entry["thumb"]
    assert path.stat().st_size < 8_000
    picture = np.asarray(Pillow.open(io.BytesIO(path.read_bytes())).convert("RGB")).astype(int)
    assert picture.shape[0] == 176
    red = (picture[..., 0] - picture[..., 1] > 50).mean()
    assert 0.02 < red < 0.5
    assert (tmp_path / entry["folder"] / entry["volume"]).exists()


def test_an_entry_of_pure_noise_is_not_larger_than_500_kb(tmp_path):
    space = Space((200, 200, 260), np.eye(4))
    rng = np.random.default_rng(6)
    noise = Image(rng.normal(100, 30, space.shape).astype(np.float32), space)
    data = np.zeros(space.shape, dtype=np.uint8)
    data[90:104, 90:104, 5:255] = rng.random((14, 14, 250)) < 0.6
    add_entry(tmp_path, noise, [("cord", noise.like(data))], process="p", command_line="p")
    assert sum(p.stat().st_size for p in (tmp_path / "img").rglob("*") if p.is_file()) <= 500_000


def test_an_image_without_a_result_has_both_too(tmp_path, ras):
    empty = ras[1].like(np.zeros_like(ras[1].data))
    add_entry(tmp_path, ras[0], [("cord", empty)], process="p", command_line="p")
    entry = read_entries(tmp_path)[0]
    assert (tmp_path / entry["folder"] / entry["thumb"]).exists()
    assert summarise(entry)["curve"] is None


@pytest.mark.parametrize("codes", ["RAS", "LPI", "SRA"])
def test_the_summary_has_the_curve_from_the_head_down(tmp_path, cord, codes):
    image, mask = cord(codes)
    axis = next(a for a, code in enumerate(codes) if code in "SI")
    slices = range(6, 42)
    values = {z: 50.0 + z for z in slices}
    levels = {z: float(z) for z in slices}
    add_entry(tmp_path, image, [("cord", mask)], process="p", command_line="p",
              measures={"csa_mm2": values}, levels=levels)  # fmt: skip
    curve = summarise(read_entries(tmp_path)[0])["curve"]
    first, step = curve["index"]
    assert (first, step) == ((41, -1) if codes[axis] == "S" else (6, 1))
    assert curve["name"] == "csa_mm2"
    assert curve["mm"] == pytest.approx(2.0)
    assert curve["values"] == [50.0 + first + step * k for k in range(36)]
    assert curve["levels"] == [float(first + step * k) for k in range(36)]


def test_a_long_curve_is_averaged_and_gaps_stay_gaps(tmp_path, ras):
    from spinetools.qc.summary import curve_of

    slices = [z for z in range(400) if not 200 <= z < 240]
    content = {
        "measures": {"slices": slices, "values": {"area_mm2": [float(z) for z in slices]}},
        "measure_axis": 2, "nib_codes": "LPI", "spacing_mm": [1, 1, 0.5], "levels": {},
    }  # fmt: skip
    curve = curve_of(content)
    assert len(curve["values"]) <= CURVE_POINTS
    per_point = curve["index"][1]
    assert curve["values"][0] == pytest.approx((per_point - 1) / 2)
    assert curve["index"][0] == (per_point - 1) / 2
    assert curve["mm"] == pytest.approx(0.5 * per_point)
    assert None in curve["values"]
    assert curve_of({}) is None


def test_an_entry_of_an_older_version_is_still_listed(tmp_path, ras):
    add_entry(tmp_path, ras[0], [("cord", ras[1])], process="p", command_line="p")
    entry = read_entries(tmp_path)[0]
    for name in ("thumb", "volume", "levels"):
        del entry[name]
    summary = summarise(entry)
    assert summary["thumb"] == ""
    assert summary["curve"]["name"] == "area_mm2"


def test_a_source_file_is_remembered_for_the_viewer(tmp_path, ras):
    from pathlib import Path

    image, mask = ras
    named = Image(mask.data, mask.space, path=Path("out/t2_seg.nii.gz"))
    add_entry(tmp_path, image, [("cord", named)], process="p", command_line="p")
    layers = read_entries(tmp_path)[0]["views"][0]["layers"]
    assert [layer["source"] for layer in layers] == ["", "out/t2_seg.nii.gz"]


def test_a_result_that_goes_by_the_images_path_has_none(tmp_path, ras):
    from pathlib import Path

    image = Image(ras[0].data, ras[0].space, path=Path("t2.nii.gz"))
    made = image.like(ras[1].data)
    assert made.path == image.path
    add_entry(tmp_path, image, [("cord", made)], process="p", command_line="p")
    layers = read_entries(tmp_path)[0]["views"][0]["layers"]
    assert [layer["source"] for layer in layers] == ["", ""]
