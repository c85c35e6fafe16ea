"""Variants of the column: names, numbering, levels, discs, ribs."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from spinetools.errors import InputError
from spinetools.image import Space
from spinetools.phantom import VARIANTS, Subject, make_subject, paint_labels
from spinetools.phantom.labels import structure_ids
from spinetools.phantom.tissues import Tissue
from spinetools.phantom.truth import cord_levels, disc_points, slice_truth
from spinetools.phantom.variants import VARIANT_SHARES, draw_variant, make_column

GridMaker = Callable[..., Space]


def test_shares_are_those_of_adults() -> None:
    assert sum(VARIANT_SHARES.values()) == pytest.approx(1.0)
    drawn = [draw_variant(seed) for seed in range(6000)]
    for name, share in VARIANT_SHARES.items():
        assert drawn.count(name) / len(drawn) == pytest.approx(share, abs=0.012), name


def test_variant_can_be_forced_and_is_drawn_otherwise() -> None:
    for seed in range(60):
        assert make_subject(seed).variant == draw_variant(seed)
    assert make_subject(0, variant="L6").variant == "L6"
    with pytest.raises(InputError, match="sacralised"):
        make_subject(0, variant="L7")


@pytest.mark.parametrize(
    ("variant", "last", "lowest_disc"),
    [
        ("normal", ("T11", "T12", "L1", "L2", "L3", "L4", "L5"), "L5-S"),
        ("T13", ("T12", "T13", "L1", "L2", "L3", "L4", "L5"), "L5-S"),
        ("L6", ("T12", "L1", "L2", "L3", "L4", "L5", "L6"), "L6-S"),
        ("L4", ("T10", "T11", "T12", "L1", "L2", "L3", "L4"), "L4-S"),
        ("sacralised", ("T11", "T12", "L1", "L2", "L3", "L4", "L5"), "L5-S"),
    ],
)
def test_names_discs_and_levels(variant: str, last: tuple[str, ...], lowest_disc: str) -> None:
    subject = make_subject(11, variant=variant)
    assert subject.names[-7:] == last
    assert [v.name for v in subject.vertebrae[-5:]] == ["S1", "S2", "S3", "S4", "S5"]
    names = subject.names
    assert [d.name for d in subject.discs] == [
        *(f"{a}-{b}" for a, b in pairwise(names[1:])),
        lowest_disc,
    ]
    middles = (subject.boundaries[:-1] + subject.boundaries[1:]) / 2
    assert subject.level_names(middles) == list(names)
    assert subject.level_names([-5.0, subject.boundaries[-1] + 1]) == ["n/a", "n/a"]
    values = dict(zip(names, subject.level_index(middles), strict=True))
    assert values["T12"] == 19
    assert values["L1"] == 20
    assert values.get("T13", 0) == values.get("L6", 0) == 0
    # the anatomical scale keeps its landmarks
    for landmark, level in (("T1", 7), ("L1", 19)):
        assert subject.profile("level", subject.boundaries[names.index(landmark)]) == (
            pytest.approx(level, abs=0.02)
        )
    assert subject.profile("level", subject.boundaries[-1]) == pytest.approx(24, abs=0.02)
    # every disc lies at the end of its vertebra
    for disc in subject.discs:
        upper = disc.name.split("-", maxsplit=1)[0]
        assert subject.level_names([disc.s - 3, disc.s + 3])[0] == upper


def test_marks_rise_and_meet_the_landmarks() -> None:
    for variant in VARIANTS:
        column = make_column(variant)
        assert (np.diff(column.marks) > 0.7).all()
        assert len(column.marks) == len(column.names) + 1
        assert column.marks[[0, 7, column.n, -1]] == pytest.approx([0, 7, 24, 29])


@pytest.mark.parametrize(
    ("variant", "present", "absent"),
    [
        ("T13", ("vertebrae_T13", "disc_T12_T13", "disc_T13_L1"), ("disc_T12_L1",)),
        ("L6", ("vertebrae_L6", "disc_L5_L6", "disc_L6_S"), ("disc_L5_S",)),
        ("L4", ("disc_L4_S", "sacrum"), ("vertebrae_L5", "disc_L4_L5")),
    ],
)
def test_structures_on_a_grid(
    box_at: GridMaker, variant: str, present: tuple[str, ...], absent: tuple[str, ...]
) -> None:
    subject = make_subject(2, variant=variant)
    space = box_at(subject, 21.5, (60, 150, 260), 2.0)
    structure = paint_labels(subject, space).structure
    ids = structure_ids()
    assert len(set(ids.values())) == len(ids)
    for name in present:
        assert (structure == ids[name]).sum() > 60, name
    for name in absent:
        assert not (structure == ids[name]).any(), name
    # what the numbering of SCT has no value for is left out, never given a neighbour's
    values = set(np.unique(disc_points(subject, space)))
    assert (25 in values) == (variant == "T13")
    assert (20 in values) == (variant != "T13")


def test_cord_at_t13_has_area_and_a_name_but_no_level(box_at: GridMaker) -> None:
    subject = make_subject(4, variant="T13")
    space = box_at(subject, 18.5, (40, 60, 120), 2.0)
    truth = slice_truth(subject, space)
    at_t13 = np.array([name == "T13" for name in truth.names])
    assert at_t13.sum() > 8
    assert (truth.csa[at_t13] > 5).all()
    assert not truth.level[at_t13].any()
    assert truth.csv().count(",T13,") == at_t13.sum()
    cord = paint_labels(subject, space).cord > 0.5
    levels = cord_levels(subject, space, cord)
    middle = np.flatnonzero(at_t13)[4:-4]
    assert cord[:, :, middle].any()
    assert not levels[:, :, middle].any()
    assert {18, 19} <= set(np.unique(levels))


def _rib_voxels(subject: Subject, box_at: GridMaker, name: str) -> int:
    """Bone beside the body of a vertebra that belongs to none: the rib."""
    index = subject.names.index(name)
    level = float(subject.profile("level", subject.boundaries[index : index + 2].mean()))
    labels = paint_labels(subject, box_at(subject, level, (110, 110, 16), 2.0))
    bone = np.isin(labels.top, (Tissue.CORTEX, Tissue.ARCH_MARROW)) & (labels.structure == 0)
    return int(bone.sum())


def test_ribs_follow_the_variant(box_at: GridMaker) -> None:
    counts = {
        variant: [
            _rib_voxels(make_subject(8, variant=variant), box_at, name)
            for name in ("C7", "T12" if variant != "T13" else "T13", "L1")
        ]
        for variant in ("normal", "ribs11", "cervical_rib", "T13")
    }
    assert counts["ribs11"][1] < 0.5 * counts["normal"][1]
    assert counts["T13"][1] > 20
    assert counts["cervical_rib"][0] > counts["normal"][0] + 20


def test_transitional_vertebrae() -> None:
    normal, square = (make_subject(3, variant=v) for v in ("normal", "lumbarised"))
    by_name = {v.name: v for v in square.vertebrae}
    usual = {v.name: v for v in normal.vertebrae}
    assert by_name["S2"].width > 1.2 * usual["S2"].width
    assert square.remnants[0].height > 2.5 * normal.remnants[0].height
    joined = make_subject(3, variant="sacralised")
    assert joined.discs[-1].height < 0.6 * normal.discs[-1].height
    assert [v.name for v in joined.vertebrae if v.wings] == ["L5"]
