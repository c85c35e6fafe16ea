"""What each dataset asks for: classes of every structure, in every kind of spine."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from spinetools.labels import LEVELS, structures
from spinetools.models.classes import LANDMARK_DISCS, Levels
from spinetools.phantom import make_subject
from spinetools.phantom.labels import structure_ids
from spinetools.training.nnunet_targets import DATASETS, MERGED, disc_mask, phantom_names

STEP1, STEP2, ONE = (DATASETS[number] for number in (101, 102, 103))
USUAL = Levels()
IDS = structure_ids()


def named(dataset, name: str, column: Levels = USUAL, flipped: bool = False) -> str:
    """Return the class that a voxel of one structure gets."""
    labels = np.array([[[IDS[name]]]], dtype=np.uint8)
    value = int(dataset.target(labels, phantom_names(), column, flipped)[0, 0, 0])
    return dataset.classes[value] if value < len(dataset.classes) else str(value)


def test_the_numbers_of_classes_are_the_issue_s() -> None:
    assert len(STEP1.classes) - 1 == 8
    assert len(STEP2.classes) - 1 == 14
    # 24 vertebrae, T13, L6, sacrum, 23 discs, cord and canal
    assert len(ONE.classes) - 1 == 24 + 3 + 23 + 2
    assert [len(d.channels) for d in (STEP1, STEP2, ONE)] == [1, 2, 1]


@pytest.mark.parametrize("number", DATASETS)
def test_every_structure_of_a_usual_spine_has_one_class(number: int) -> None:
    dataset = DATASETS[number]
    for structure in structures():
        if structure.name in ("vertebrae_T13", "vertebrae_L6"):
            continue
        if structure.kind == "disc" and structure.name not in USUAL.disc_names:
            continue
        assert not named(dataset, structure.name).isdigit()


def test_landmarks_of_a_usual_spine() -> None:
    for name in LANDMARK_DISCS:
        assert named(STEP1, name) == name == named(STEP2, name)
    assert named(STEP1, "disc_C3_C4") == "disc"
    assert named(STEP1, "sacrum") == "vertebra"
    assert [named(STEP2, f"vertebrae_{level}") for level in ("C2", "T1", "T12")] == [
        "vertebra_C2", "vertebra_T1", "vertebra_T12",
    ]  # fmt: skip


def test_neighbours_never_share_a_class_in_step_2() -> None:
    vertebrae = [named(STEP2, f"vertebrae_{level}") for level in LEVELS]
    discs = [named(STEP2, name) for name in USUAL.disc_names]
    for row in ([*vertebrae, named(STEP2, "sacrum")], discs):
        assert all(one != other for one, other in pairwise(row))


@pytest.mark.parametrize(
    ("levels", "first", "last"),
    [
        ((*LEVELS, "L6"), "disc_T12_L1", "disc_L6_S"),
        (LEVELS[:-1], "disc_T12_L1", "disc_L4_S"),
        ((*LEVELS[:19], "T13", *LEVELS[19:]), "disc_T13_L1", "disc_L5_S"),
    ],
)
def test_variants_keep_their_landmarks(levels: tuple[str, ...], first: str, last: str) -> None:
    column = Levels(levels)
    for dataset in (STEP1, STEP2, ONE):
        assert named(dataset, first, column) == "disc_T12_L1"
        assert named(dataset, last, column) == "disc_L5_S"
    lowest = named(STEP2, f"vertebrae_{column.last_thoracic}", column)
    assert lowest == "vertebra_T12"


def test_a_disc_that_no_table_names_is_some_disc_in_one_step() -> None:
    column = Levels((*LEVELS, "L6"))
    code = int(named(ONE, "disc_L5_L6", column))
    assert {ONE.classes[i] for i in ONE.sets[code]} == {
        name for name in ONE.classes if name.startswith("disc_")
    }


def test_flipping_swaps_odd_and_even_and_leaves_landmarks() -> None:
    assert named(STEP2, "disc_C3_C4") == "disc_even"
    assert named(STEP2, "disc_C3_C4", flipped=True) == "disc_odd"
    assert named(STEP2, "vertebrae_L3", flipped=True) != named(STEP2, "vertebrae_L3")
    for name in (*LANDMARK_DISCS, "vertebrae_C2", "sacrum", "spinal_cord"):
        assert named(STEP2, name, flipped=True) == named(STEP2, name)


@pytest.mark.parametrize("flipped", [False, True])
def test_the_second_channel_marks_the_discs_that_the_target_calls_odd(flipped: bool) -> None:
    labels = np.array([IDS[name] for name in USUAL.disc_names], np.uint8).reshape(1, 1, -1)
    mask = disc_mask(labels, phantom_names(), USUAL, flipped)[0, 0]
    target = STEP2.target(labels, phantom_names(), USUAL, flipped)[0, 0]
    for marked, code in zip(mask, target, strict=True):
        name = STEP2.classes[code]
        if name not in LANDMARK_DISCS:
            assert marked == (name == "disc_odd")
    assert mask[0] != flipped  # C2-C3 is a landmark, and odd
    assert (disc_mask(labels, phantom_names(), USUAL, not flipped)[0, 0] == ~mask).all()


def test_sets_hold_what_their_names_say() -> None:
    for dataset in DATASETS.values():
        codes = {name: dataset.code(name, USUAL) for name in MERGED}
        n = len(dataset.classes)
        assert dataset.sets[codes["unlabelled"]] == tuple(range(n))
        discs = {i for i, name in enumerate(dataset.classes) if name.startswith("disc")}
        assert set(dataset.sets[codes["any_disc"]]) == discs
        assert set(dataset.sets[codes["no_disc"]]) == set(range(n)) - discs
        canal = {dataset.classes[i] for i in dataset.sets[codes["any_canal"]]}
        assert {name.removeprefix("spinal_") for name in canal} == {"cord", "canal"}
    # of one class only: no set, but that class
    assert STEP1.code("any_vertebra", USUAL) == STEP1.classes.index("vertebra")


@pytest.mark.parametrize("seed", [0, 4, 9])
def test_all_names_of_a_subject_have_classes(seed: int) -> None:
    subject = make_subject(seed)
    column = Levels(subject.names)
    for disc in column.disc_names:
        assert f"disc_{disc.removeprefix('disc_')}" in IDS
        assert named(STEP1, disc, column)
        assert named(STEP2, disc, column)
