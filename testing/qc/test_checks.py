"""Flags that follow from any result: sound ones have none, spoilt ones are found where they are."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from spinetools.image import Image, Space
from spinetools.qc import add_entry, read_entries
from spinetools.qc.checks import is_cord
from spinetools.qc.levels import level_of_label, levels_along

AXIS_MM = (1.0, 1.0, 2.0)
SLICES = 90


def tube(radius_mm: float, slices: int = SLICES) -> np.ndarray:
    """A straight round cord, a fifth wider at a third of its length, tapering at its lower end."""
    x, y, z = np.meshgrid(np.arange(48), np.arange(48), np.arange(slices), indexing="ij")
    along = z / slices
    wide = radius_mm * (1 + 0.2 * np.exp(-(((along - 0.66) / 0.12) ** 2)))
    wide *= np.clip(along / 0.15, 0.3, 1)
    return (x - 23.5) ** 2 + (y - 23.5) ** 2 < wide**2


def image_of(data: np.ndarray) -> Image:
    return Image(data, Space(data.shape, np.diag([*AXIS_MM, 1.0])))


@pytest.fixture(scope="module")
def anatomy() -> Image:
    return image_of(np.random.default_rng(2).normal(100, 5, (48, 48, SLICES)).astype(np.float32))


def flags_of(folder, image: Image, *overlays: tuple[str, np.ndarray], **more) -> dict[str, dict]:
    """Flags of an entry, by kind."""
    settings = {"process": "p", "command_line": "p"} | more
    add_entry(folder, image, [(name, image_of(data)) for name, data in overlays], **settings)
    found = read_entries(folder)[-1]["flags"]
    kinds = [flag["kind"] for flag in found]
    assert len(kinds) == len(set(kinds))
    return dict(zip(kinds, found, strict=True))


def test_a_sound_cord_has_no_flag(tmp_path, anatomy):
    assert flags_of(tmp_path, anatomy, ("cord", tube(6.0).astype(np.uint8))) == {}


@pytest.mark.parametrize("where", [(40, 44), (55, 56), (50, 70)])
def test_a_leak_is_a_jump_of_the_area(tmp_path, anatomy, where):
    cord = tube(6.0)
    cord[10:40, 20:30, where[0] : where[1]] = True
    flags = flags_of(tmp_path, anatomy, ("cord", cord.astype(np.uint8)))
    assert set(flags) == {"area jump"}
    slices = flags["area jump"]["slices"]
    assert set(slices) & set(range(where[0] - 1, where[1] + 1))
    assert "mm²" in flags["area jump"]["reason"]
    # other masks than a cord may do as they like
    other = flags_of(tmp_path, anatomy, ("lesion", cord.astype(np.uint8)))
    assert "area jump" not in other


def test_a_cord_lost_in_part_is_a_jump_too(tmp_path, anatomy):
    cord = tube(6.0)
    cord[24:, :, 40:50] = False
    assert "area jump" in flags_of(tmp_path, anatomy, ("cord", cord.astype(np.uint8)))


def test_what_a_command_says_itself_is_not_said_again(tmp_path, anatomy):
    from spinetools.qc import Flag

    cord = tube(6.0)
    cord[10:40, 20:30, 40:44] = True
    said = [Flag("area jump", "said by the command", (41,))]
    flags = flags_of(tmp_path, anatomy, ("cord", cord.astype(np.uint8)), flags=said)
    assert flags["area jump"]["reason"] == "said by the command"


@pytest.mark.parametrize("hollow", [False, True])
def test_a_cord_outside_the_canal_is_flagged_where_it_is(tmp_path, anatomy, hollow):
    cord, canal = tube(5.0), tube(9.0)
    moved = cord.copy()
    moved[..., 50:54] = np.roll(cord[..., 50:54], 9, axis=0)
    outer = (canal & ~cord if hollow else canal).astype(np.uint8)
    sound = flags_of(tmp_path, anatomy, ("cord", cord.astype(np.uint8)), ("canal", outer))
    assert sound == {}
    flags = flags_of(tmp_path, anatomy, ("cord", moved.astype(np.uint8)), ("canal", outer))
    assert flags["outside canal"]["slices"] == [50, 51, 52, 53]


def discs(order: list[int], names: bool = False) -> tuple[np.ndarray, dict[int, str]]:
    data = np.zeros((48, 48, SLICES), dtype=np.uint8)
    for place, value in enumerate(order):
        data[24, 24, SLICES - 8 - 8 * place] = value
    return data, {v: f"disc_C{v - 1}_C{v}" for v in order} if names else {}


@pytest.mark.parametrize("names", [False, True])
@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ([2, 3, 4, 5, 6, 7], set()),
        ([3, 4, 6, 5, 7], {"label order"}),
        ([7, 6, 5, 4, 3], {"label order"}),
        ([2, 3, 4, 6, 7], {"label missing"}),
        ([3, 7], set()),  # landmarks
    ],
)
def test_labels_are_in_order_and_complete(tmp_path, anatomy, order, expected, names):
    data, words = discs(order, names)
    flags = flags_of(
        tmp_path, anatomy, ("discs", data), label_kind="labels", plane="sagittal", label_names=words
    )
    assert set(flags) == expected
    if "label order" in expected:
        assert "below" in flags["label order"]["reason"]


def test_vertebrae_that_the_upper_end_cuts_tell_no_order(tmp_path, anatomy):
    """Of the uppermost only the spinous process is seen, beside the next one's cut-off body."""
    data = np.zeros((48, 48, SLICES), dtype=np.uint8)
    data[24, 8:12, SLICES - 14 : SLICES - 6] = 16
    data[24, 24:34, SLICES - 5 :] = 17
    for place in range(4):
        top = SLICES - 8 - 12 * place
        data[24, 24:34, top - 9 : top] = 18 + place
    levels = ("T9", "T10", "T11", "T12", "L1", "L2")
    names = {16 + place: f"vertebrae_{level}" for place, level in enumerate(levels)}
    shown = {"label_kind": "labels", "plane": "sagittal", "label_names": names}
    assert flags_of(tmp_path, anatomy, ("vertebrae", data), **shown) == {}
    lower = np.roll(data, -4, axis=2)  # now all of them are seen
    lower[..., -4:] = 0
    assert set(flags_of(tmp_path, anatomy, ("vertebrae", lower), **shown)) == {"label order"}


def test_a_disc_is_missing_beside_a_vertebra_that_the_upper_end_cuts(tmp_path, anatomy):
    data, words = discs([3, 4, 6, 7, 8], names=True)
    data[24, 10:14, SLICES - 30 :] = 24
    shown = {"label_kind": "labels", "plane": "sagittal"}
    names = words | {24: "vertebrae_C4"}
    flags = flags_of(tmp_path, anatomy, ("spine", data), label_names=names, **shown)
    assert set(flags) == {"label missing"}


def test_a_vertebra_whose_processes_hang_low_is_in_order(tmp_path, anatomy):
    """The middle of a vertebra with its spinous process lies below the disc under its body."""
    data, words = discs([3, 4, 5, 6, 7], names=True)
    for level in range(3, 7):
        top = SLICES - 8 - 8 * (level - 3)
        data[24, 10:14, top - 14 : top - 5] = 20 + level
        words[20 + level] = f"vertebrae_C{level}"
    settings = {"label_kind": "labels", "plane": "sagittal", "label_names": words}
    assert flags_of(tmp_path, anatomy, ("bones", data), **settings) == {}
    levels = read_entries(tmp_path)[0]["levels"]
    assert levels[str(SLICES - 8)] == 3.0
    assert levels[str(SLICES - 12)] == 3.5


def test_low_confidence_is_flagged_given_or_seen(tmp_path, anatomy):
    cord = tube(6.0)
    measures = {"confidence": {z: 0.2 if 30 <= z < 33 else 0.9 for z in range(SLICES)}}
    flags = flags_of(tmp_path, anatomy, ("cord", cord.astype(np.uint8)), measures=measures)
    assert flags["low confidence"]["slices"] == [30, 31, 32]
    soft = ndimage.gaussian_filter(cord.astype(np.float32), (0.8, 0.8, 0))
    assert flags_of(tmp_path, anatomy, ("cord", soft)) == {}
    soft[..., 60:63] *= 0.62
    flags = flags_of(tmp_path, anatomy, ("cord", soft))
    assert flags["low confidence"]["slices"] == [60, 61, 62]


@pytest.mark.parametrize(
    ("name", "expected"),
    [("cord", True), ("seg", True), ("manual", True), ("canal", False), ("CSF", False),
     ("gmseg", False), ("lesion", False), ("discs", False)],
)  # fmt: skip
def test_only_a_cord_is_judged_as_one(name, expected):
    assert is_cord(name) == expected


# -- levels ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "name", "layer", "expected"),
    [
        (3, "3", "discs", 3.0),
        (3, "3", "levels", 3.5),
        (3, "3", "lesions", None),
        (63, "disc_C2_C3", "step2", 3.0),
        (38, "vertebrae_C4", "step2", 4.5),
        (9, "C7-T1", "x", 8.0),
        (1, "spinal_cord", "levels", None),
        (60, "60", "discs", None),
    ],
)
def test_a_label_marks_a_level(value, name, layer, expected):
    assert level_of_label(value, name, layer) == expected


def test_levels_are_interpolated_and_not_carried_on_far():
    # index 40 is the top of C3, 30 that of C4: indices grow upwards
    levels = levels_along({3.0: 40.0, 4.0: 30.0, 5.0: 22.0}, 0, 60, -1)
    assert levels[40] == 3.0
    assert levels[35] == 3.5
    assert levels[26] == pytest.approx(4.5)
    assert min(levels.values()) >= 2.5
    assert max(levels.values()) <= 5.5
    assert levels_along({3.0: 10.0, 4.0: 20.0}, 0, 30, 1)[15] == 3.5
    assert levels_along({3.0: 10.0, 4.0: 20.0}, 0, 30, -1) == {}, "out of order"
    assert levels_along({3.0: 10.0}, 0, 30, 1) == {}


def test_an_entry_takes_its_levels_from_disc_labels(tmp_path, anatomy):
    data, _ = discs([3, 4, 5, 6])
    masks = [("cord", image_of(tube(6.0).astype(np.uint8))), ("discs", image_of(data))]
    add_entry(tmp_path, anatomy, masks, process="p", command_line="p",
              label_kind=["mask", "labels"])  # fmt: skip
    levels = read_entries(tmp_path)[0]["levels"]
    assert levels[str(SLICES - 8)] == 3.0
    assert levels[str(SLICES - 12)] == 3.5
    given = add_entry(
        tmp_path, anatomy, masks[:1], process="p", command_line="p", levels={40: 7.25}
    )
    entry = next(e for e in read_entries(tmp_path) if e["id"] == given)
    assert entry["levels"] == {"40": 7.25}
