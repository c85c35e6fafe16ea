"""One image, several methods: what is measured, and what is called a failure."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from spinetools.compare.cases import Case
from spinetools.compare.measure import compare_case, native_index
from spinetools.errors import InputError, SpaceMismatch
from spinetools.image import Image, Space
from spinetools.metrics.report import cord_report

from .conftest import RADIUS_MM, SPACING_MM, mask, space

Study = Callable[..., Case]


def test_both_methods_are_measured(study: Study) -> None:
    found = compare_case(study(a=mask(RADIUS_MM), b=mask(RADIUS_MM + 0.9)))
    a, b = found.results
    assert (a.method, b.method) == ("a", "b")
    area = mask(RADIUS_MM).data[:, :, 0].sum() * SPACING_MM[0] * SPACING_MM[1]
    assert a.csa_mm2 == pytest.approx(area, rel=0.005)
    assert a.length_mm == 80
    assert a.volume_mm3 == pytest.approx(a.csa_mm2 * 80, rel=0.01)
    assert a.expected > b.expected
    assert not found.has_reference
    assert np.isnan(a.dice)
    (pair,) = found.pairs
    report = cord_report(mask(RADIUS_MM), mask(RADIUS_MM + 0.9))
    assert pair.dice == report["dice"]
    assert pair.hd95_mm == pytest.approx(report["hd95_mm"])
    assert pair.csa_difference_mm2 == pytest.approx(a.csa_mm2 - b.csa_mm2, abs=1e-6)


def test_with_a_reference(study: Study) -> None:
    found = compare_case(study(reference=mask(RADIUS_MM), a=mask(RADIUS_MM), b=mask(6.0)))
    assert found.has_reference
    assert found.result("a").dice == 1
    assert found.result("b").dice == cord_report(mask(6.0), mask(RADIUS_MM))["dice"]
    assert {row.dice for row in found.result("a").slices} == {1.0}


def test_a_missing_and_an_empty_mask_are_failures(study: Study) -> None:
    case = study(a=mask(RADIUS_MM), b=None, c=mask(0.0))
    found = compare_case(case)
    assert [result.state for result in found.results] == ["ok", "failed", "failed"]
    assert found.result("b").reasons == ("no segmentation was made",)
    assert found.result("c").reasons == ("the segmentation is empty",)
    assert found.result("b").expected == 0
    assert found.pairs == ()


def test_all_methods_may_fail(study: Study) -> None:
    found = compare_case(study(a=None, b=mask(0.0)))
    assert [result.state for result in found.results] == ["failed", "failed"]


def test_what_one_lacks_and_the_other_has_is_missing(study: Study) -> None:
    found = compare_case(study(whole=mask(RADIUS_MM), short=mask(RADIUS_MM, 0, 25)))
    short = found.result("short")
    assert short.state == "suspect"
    (flag,) = [flag for flag in short.flags if flag.kind == "shorter"]
    assert flag.slices == tuple(range(25, 40))  # the grid runs upwards
    missing = [row.index for row in short.slices if row.state == "missing"]
    assert missing == list(range(39, 24, -1))  # from the top down
    assert all(row.state == "ok" for row in found.result("whole").slices)


def test_of_two_that_differ_the_one_off_the_edge_is_doubted(study: Study) -> None:
    found = compare_case(study(good=mask(RADIUS_MM), wide=mask(RADIUS_MM + 3.0)))
    assert {row.state for row in found.result("good").slices} == {"ok"}
    assert {row.state for row in found.result("wide").slices} <= {"disagreement", "implausible"}
    assert found.result("wide").state in ("suspect", "failed")
    assert found.result("good").expected > found.result("wide").expected


def test_an_area_that_no_cord_has(study: Study) -> None:
    found = compare_case(study(a=mask(RADIUS_MM), huge=mask(9.0)))
    flags = [flag.kind for flag in found.result("huge").flags]
    assert "area" in flags
    assert found.result("huge").state != "ok"


def test_levels_are_read_from_labels(study: Study, tmp_path) -> None:
    case = study(a=mask(RADIUS_MM), b=mask(RADIUS_MM))
    levels = mask(RADIUS_MM).data.astype(np.uint8)
    levels[:, :, :20] *= 5
    levels[:, :, 20:] *= 4
    path = Image(levels, space()).save(tmp_path / "levels.nii.gz")
    found = compare_case(Case(case.image, case.segmentations, case.subject, levels=path))
    assert [row.level for row in found.result("a").slices] == [4] * 20 + [5] * 20


@pytest.mark.parametrize("codes", ["RAS", "LPI", "PIR", "IRA"])
def test_slices_are_named_as_viewers_do(codes: str) -> None:
    turned = mask(RADIUS_MM, 3, 4).reorient(tuple(codes))
    axis = next(n for n, code in enumerate(codes) if code in "SI")
    filled = np.flatnonzero(turned.data.any(axis=tuple({0, 1, 2} - {axis})))
    assert [native_index(turned, 3)] == filled.tolist()


def test_masks_on_another_grid_are_refused(study: Study) -> None:
    other = Space((44, 44, 40), np.diag([*SPACING_MM, 1.0]))
    with pytest.raises(SpaceMismatch):
        compare_case(study(a=Image(mask(RADIUS_MM).data, other)))
    with pytest.raises(SpaceMismatch):
        compare_case(study(a=mask(4.0), reference=Image(mask(RADIUS_MM).data, other)))


def test_an_empty_reference_is_an_error(study: Study) -> None:
    with pytest.raises(InputError, match="empty"):
        compare_case(study(a=mask(4.0), reference=mask(0.0)))
