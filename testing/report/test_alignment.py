"""Endplates, curves and slips, and reading a spine from labels."""

from __future__ import annotations

import math

import numpy as np
import pytest

from spinetools.errors import InputError, NoSpineError, SpaceMismatch
from spinetools.image import Image, Space
from spinetools.phantom import make_subject
from spinetools.vertebrae.alignment import Endplate, coronal_cobb, curves_of, endplates, slips_of
from spinetools.vertebrae.from_labels import anatomy_of, spine_from_labels


def plate(name: str, lean: float, tilt: float = 0.0) -> Endplate:
    return Endplate(name, np.zeros(3), np.array([0.0, 0, 1]), lean, tilt)


def test_lordosis_and_kyphosis_have_their_signs() -> None:
    leans = {"C2-": -10.0, "C7-": 15.0, "T4+": 20.0, "T12-": -12.0, "L1+": -14.0, "S+": 35.0}
    found = {c.name: c.angle_deg for c in curves_of({n: plate(n, a) for n, a in leans.items()})}
    assert found["cervical_lordosis"] == 25
    assert found["thoracic_kyphosis"] == 32
    assert found["lumbar_lordosis"] == 49
    assert found["sacral_slope"] == 35
    assert found["coronal_cobb"] == 0


def test_what_is_not_seen_is_no_angle() -> None:
    found = curves_of({"L1+": plate("L1+", 3.0)})
    assert all(math.isnan(curve.angle_deg) for curve in found)


def test_the_largest_angle_from_the_front_and_between_which() -> None:
    names = [f"T{i}{s}" for i in range(4, 13) for s in "+-"][1:-1]
    tilts = np.interp(range(len(names)), [0, 5, 12, 15], [0, 14, -10, 0])
    plates = {n: plate(n, 0.0, float(t)) for n, t in zip(names, tilts, strict=True)}
    found = coronal_cobb(plates)
    assert found.angle_deg == pytest.approx(24)
    assert found.upper.endswith("+")
    assert found.lower.endswith("-")
    assert int(found.upper[1:-1]) < int(found.lower[1:-1])


def test_neither_orientation_nor_a_turned_head_changes_what_is_measured(lumbar) -> None:  # type: ignore[no-untyped-def]
    turned = lumbar.labels.reorient(("P", "I", "R"))
    spine = spine_from_labels(turned, lumbar.names)
    plates = endplates(spine)
    for name, expected in lumbar.report.plates.items():
        assert plates[name].lean_deg == pytest.approx(expected.lean_deg, abs=0.01)
    before = [s.mm for s in lumbar.report.slips]
    assert [s.mm for s in slips_of(spine)] == pytest.approx(before, abs=0.01, nan_ok=True)


def test_a_slip_is_seen_as_it_is(lumbar) -> None:  # type: ignore[no-untyped-def]
    """L3 and all above it, moved 6 mm forward."""
    data = np.array(lumbar.labels.data)
    values = {name: value for value, name in lumbar.names.items()}
    z = np.argwhere(data == values["disc_L3_L4"])[:, 2]
    moved = np.zeros_like(data)
    above = [v for n, v in values.items() if n.startswith(("vertebrae_T", "disc_T"))]
    above += [values[n] for n in ("vertebrae_L1", "vertebrae_L2", "vertebrae_L3",
                                  "disc_L1_L2", "disc_L2_L3") if n in values]  # fmt: skip
    steps = round(6 / lumbar.labels.space.spacing[1])
    mine = np.where(np.isin(data, above), data, 0)
    rest = np.where(np.isin(data, above), 0, data)
    shifted = np.roll(mine, steps, axis=1)
    moved = np.where((shifted > 0) & ~np.isin(rest, [values["spinal_canal"]]), shifted, rest)
    assert z.size
    spine = spine_from_labels(Image(moved, lumbar.labels.space), lumbar.names)
    slip = {s.disc: s.mm for s in slips_of(spine)}
    before = {s.disc: s.mm for s in lumbar.report.slips}
    assert slip["disc_L3_L4"] - before["disc_L3_L4"] == pytest.approx(6, abs=1.2)
    assert slip["disc_L4_L5"] == pytest.approx(before["disc_L4_L5"], abs=0.5)


def test_a_cord_from_another_file_counts(lumbar) -> None:  # type: ignore[no-untyped-def]
    empty = lumbar.labels.like(np.zeros(lumbar.labels.shape, np.uint8))
    spine = spine_from_labels(lumbar.labels, lumbar.names, cord=empty)
    assert not spine.cord.any()
    assert spine.canal.any()
    with pytest.raises(SpaceMismatch):
        spine_from_labels(
            lumbar.labels, lumbar.names, cord=Image(np.ones((3, 3, 3)), Space((3, 3, 3), np.eye(4)))
        )


def test_variants_are_read_from_the_names() -> None:
    assert anatomy_of({"vertebrae_L5", "disc_L5_S"}).variant == ""
    assert anatomy_of({"vertebrae_L6", "disc_L6_S"}).variant == "L6"
    assert anatomy_of({"vertebrae_T13"}).variant == "T13"
    with pytest.raises(InputError, match="together"):
        anatomy_of({"vertebrae_T13", "vertebrae_L6"})
    assert make_subject(9, "normal").names[-1] == "L5"


def test_labels_of_no_spine_are_an_error() -> None:
    heart = Image(np.ones((20, 20, 20), np.uint8), Space((20, 20, 20), np.eye(4)))
    with pytest.raises(NoSpineError, match="no label"):
        spine_from_labels(heart, {1: "heart"})
