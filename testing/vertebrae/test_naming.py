"""The numbering: sums over all matchings, and what each kind of evidence does."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import logsumexp

from spinetools.errors import NoSpineError
from spinetools.vertebrae import naming
from spinetools.vertebrae.anatomy import Anatomy, anatomies, usual
from spinetools.vertebrae.classes import LANDMARK_DISCS, landmark_of_disc
from spinetools.vertebrae.discs import DiscSeen
from spinetools.vertebrae.evidence import (
    HEARINGS,
    SCALES,
    Evidence,
    EvidenceParams,
    PlaceEvidence,
    spacing_term,
)
from spinetools.vertebrae.likeness import means_of
from spinetools.vertebrae.naming import solve


def disc(s: float, depth: float = np.nan, probability: float = 0.9) -> DiscSeen:
    nowhere = np.zeros(3)
    return DiscSeen(
        np.zeros((1, 3), np.intp), nowhere, nowhere, nowhere, s, depth, np.nan, np.nan,
        probability, np.zeros(5),
    )  # fmt: skip


def seen(
    first: int,
    last: int,
    anatomy: Anatomy | None = None,
    landmarks: bool = True,
    without: Sequence[int] = (),
    scale: float = 1.0,
    room: float = 10.0,
) -> Evidence:
    """Discs first to last of a spine, as a good network sees them."""
    anatomy = anatomy or usual()
    place = anatomy.place_mm * scale
    found, shares = [], []
    for j in range(first, last + 1):
        if j in without:
            continue
        found.append(disc(float(place[j]), float(anatomy.disc_depth_mm[j] * scale)))
        row = np.full(5, 0.01)
        landmark = landmark_of_disc(anatomy, j) if landmarks else None
        row[0 if landmark is None else 1 + LANDMARK_DISCS.index(landmark)] = 0.96
        shares.append(row)
    return Evidence(
        tuple(found), np.array(shares), float(place[first] - room), float(place[last] + room)
    )


def names(first: int, last: int, anatomy: Anatomy | None = None) -> tuple[str, ...]:
    return (anatomy or usual()).disc_names[first : last + 1]


def kind(variant: str) -> Anatomy:
    return next(k for k in anatomies() if k.variant == variant)


def test_the_sum_over_all_matchings_is_that_of_each_one() -> None:
    small = Anatomy(("C1", "C2", "C3", "C4", "T1", "T2", "L1"))
    evidence = seen(1, 3, small)
    model = naming._model(evidence, small, EvidenceParams(), HEARINGS[0])
    options = [None, *range(len(small.disc_names))]
    scores = []
    for path in itertools.product(options, repeat=3):
        real = [j for j in path if j is not None]
        if real and real == sorted(set(real)):
            scores.append(logsumexp(naming._score(model, path)))
    assert len(scores) > 20
    assert naming._total(model) == pytest.approx(logsumexp(scores), abs=1e-9)


def test_probabilities_of_all_namings_sum_to_one() -> None:
    result = solve(seen(8, 11, landmarks=False))
    listed = [result.chosen, *result.alternatives]
    total = sum(candidate.probability for candidate in listed)
    assert 0.95 < total <= 1 + 1e-9
    assert listed[0].probability == max(candidate.probability for candidate in listed)


@pytest.mark.parametrize(("first", "last"), [(0, 4), (2, 9), (15, 22), (0, 22)])
def test_a_landmark_names_all(first: int, last: int) -> None:
    result = solve(seen(first, last))
    assert result.chosen.names == names(first, last)
    assert result.chosen.probability > 0.9
    assert result.chosen.variant == ""


@pytest.mark.parametrize("scale", [0.88, 1.0, 1.14])
def test_body_size_is_found(scale: float) -> None:
    result = solve(seen(0, 22, scale=scale))
    assert result.chosen.names == names(0, 22)
    assert result.scale == pytest.approx(scale, abs=0.05)


def test_without_a_landmark_the_confidence_is_low_and_the_truth_is_listed() -> None:
    result = solve(seen(8, 11, landmarks=False))
    assert result.chosen.probability < 0.7
    assert names(8, 11) in [c.names for c in (result.chosen, *result.alternatives)]


def test_what_a_cut_disc_is_called_does_not_count() -> None:
    """The uppermost is called T12–L1, and is T11–T12, cut by the image."""
    evidence = seen(16, 22)
    evidence.landmarks[0] = [0.04, 0, 0, 0.95, 0.01]
    heard = solve(evidence).chosen.probability
    evidence.landmarks[0] = np.nan
    result = solve(evidence)
    assert result.chosen.names == names(16, 22)
    assert result.chosen.probability > max(heard, 0.9)


def test_one_wrong_landmark_is_outvoted() -> None:
    evidence = seen(0, 22)
    shares = evidence.landmarks.copy()
    thoracolumbar = 17
    shares[[thoracolumbar, thoracolumbar - 1]] = shares[[thoracolumbar - 1, thoracolumbar]]
    result = solve(replace(evidence, landmarks=shares))
    assert result.chosen.names == names(0, 22)


def test_a_missed_disc_is_bridged() -> None:
    result = solve(seen(3, 12, without=(7,)))
    assert result.chosen.names == (*names(3, 6), *names(8, 12))
    assert result.chosen.probability > 0.8


def test_a_false_alarm_gets_no_name() -> None:
    evidence = seen(0, 8)
    place = float(usual().place_mm[4] + 7.0)
    discs = sorted([*evidence.discs, disc(place, 8.0, 0.55)], key=lambda d: d.s)
    at = [d.s for d in discs].index(place)
    shares = np.insert(evidence.landmarks, at, [0.96, 0.01, 0.01, 0.01, 0.01], axis=0)
    result = solve(replace(evidence, discs=tuple(discs), landmarks=shares))
    assert result.chosen.names[at] is None
    assert tuple(name for name in result.chosen.names if name) == names(0, 8)


@pytest.mark.parametrize("variant", ["T13", "L6", "L4"])
def test_a_variant_is_flagged_in_a_whole_spine(variant: str) -> None:
    anatomy = kind(variant)
    last = len(anatomy.disc_names) - 1
    evidence = seen(0, last, anatomy, room=50.0)
    result = solve(evidence)
    assert result.chosen.variant == variant
    assert result.chosen.names == anatomy.disc_names
    assert result.variant_probability[variant] > naming.VARIANT_THRESHOLD
    never = solve(evidence, variants=False)
    assert never.chosen.variant == ""
    assert not never.variant_probability


@pytest.mark.parametrize(("variant", "first", "counted"), [
    ("T13", 12, False), ("T13", 4, True), ("L6", 18, False), ("L6", 16, True), ("L4", 18, False),
    ("L4", 16, True),
])  # fmt: skip
def test_a_variant_is_claimed_where_its_vertebrae_are_counted(
    variant: str, first: int, counted: bool
) -> None:
    """However much the vertebrae look like those of one: looks alone tell no T13."""
    anatomy = kind(variant)
    last = len(anatomy.disc_names) - 1
    evidence = seen(first, last, anatomy)
    evidence = replace(evidence, bottom=evidence.bottom + 20)  # the sacrum is seen
    looks = replace(evidence, shape=means_of(anatomy)[0][first : last + 1])
    result = solve(looks)
    assert (result.chosen.variant == variant) == counted
    listed = [result.chosen, *result.alternatives]
    assert sum(c.probability for c in listed) <= 1 + 1e-9
    if not counted:
        votes = np.zeros((len(looks.discs), len(anatomy.disc_names)))
        votes[:, first : last + 1] = 50 * np.eye(last + 1 - first)
        told = solve(replace(looks, votes=votes, vote_names=anatomy.disc_names))
        assert told.chosen.names == names(first, last, anatomy)


@pytest.mark.parametrize(("level", "claimed"), [("L3", False), ("L6", True)])
def test_a_level_by_hand_counts_a_variant_where_only_it_has_that(level: str, claimed: bool) -> None:
    anatomy = kind("L6")
    evidence = seen(18, len(anatomy.disc_names) - 1, anatomy)
    shape = means_of(anatomy)[0][18:]
    middle = sum(anatomy.level_mm(level)) / 2
    told = replace(evidence, shape=shape, places=(PlaceEvidence(middle, level),))
    assert (solve(told).chosen.variant == "L6") == claimed


def test_a_variant_outside_the_image_is_not_claimed() -> None:
    result = solve(seen(0, 8, kind("L6")))
    assert result.chosen.variant == ""
    assert result.chosen.names == names(0, 8)


@pytest.mark.parametrize("level", ["T7", "T7-T8"])
def test_a_level_by_hand_settles_it(level: str) -> None:
    evidence = seen(8, 12, landmarks=False)  # T3–T4 to T7–T8
    anatomy = usual()
    places = {"T7": np.mean(anatomy.level_mm("T7")), "T7-T8": anatomy.place_mm[12]}
    place = float(places[level])
    shifted = replace(evidence, places=(PlaceEvidence(place, level),))
    result = solve(shifted)
    assert result.chosen.names == names(8, 12)
    assert result.chosen.probability > 0.95


def test_the_conus_helps() -> None:
    evidence = seen(15, 19, landmarks=False)
    top, end = usual().level_mm("L1")
    before = solve(evidence)
    after = solve(
        replace(evidence, places=(PlaceEvidence(top + 0.67 * (end - top), "conus", 0.93),))
    )

    def right(result: naming.Numbering) -> float:
        both = (result.chosen, *result.alternatives)
        return sum(c.probability for c in both if c.names == names(15, 19))

    assert right(after) > right(before) + 0.05


def test_room_without_discs_speaks_for_the_ends() -> None:
    """Discs of the neck with a long way up that holds no disc: the first one is C2–C3."""
    close = solve(seen(0, 4, landmarks=False, room=4.0))
    far = seen(0, 4, landmarks=False, room=4.0)
    open_ = solve(replace(far, top=far.discs[0].s - 60.0))

    def first(result: naming.Numbering) -> float:
        both = (result.chosen, *result.alternatives)
        return sum(c.probability for c in both if c.names[0] == "disc_C2_C3")

    assert first(open_) > 0.9
    assert first(open_) > first(close)


def test_what_vertebrae_look_like_names_the_mid_back() -> None:
    """Without a landmark in sight, sizes and shapes tell what distances alone do not."""
    evidence = seen(8, 13, landmarks=False)
    blind = solve(evidence)
    looking = solve(replace(evidence, shape=means_of(usual())[0][8:14]))
    assert looking.chosen.names == names(8, 13)
    assert looking.chosen.probability > blind.chosen.probability + 0.1
    listed = [looking.chosen, *looking.alternatives]
    assert 0.9 < sum(candidate.probability for candidate in listed) <= 1 + 1e-9


def test_a_network_that_names_no_landmark_may_be_deaf() -> None:
    """T12 to the sacrum, where L5–S is not named: it costs less than a level's looks are worth."""
    evidence = seen(18, 22, landmarks=False)
    shape = means_of(usual())[0][18:23]
    sure = [
        solve(replace(evidence, shape=shape), EvidenceParams(hearings=hearings)).chosen
        for hearings in (HEARINGS[:2], HEARINGS)
    ]
    assert sure[1].names == names(18, 22)
    assert sure[1].probability > sure[0].probability or sure[0].names != names(18, 22)


def test_a_landmark_at_the_images_upper_end_says_little() -> None:
    """C3–C4 is called C2–C3 where the image begins just above it; C7–T1 knows better."""
    evidence = seen(1, 5, room=8.0)
    called = np.tile([0.98, 0.005, 0.005, 0.005, 0.005], (5, 1))
    called[0], called[4] = (0.02, 0.95, 0.01, 0.01, 0.01), (0.02, 0.01, 0.95, 0.01, 0.01)
    assert solve(replace(evidence, landmarks=called)).chosen.names == names(1, 5)


def step(distance: float, apart: float, disc: str) -> float:
    """Log-likelihood of the distance from a disc to the next one, in a mean body."""
    j = usual().disc_names.index(disc)
    term = spacing_term(distance, apart, usual(), EvidenceParams())
    return float(term[j, j + 1, int(np.argmin(np.abs(SCALES - 1)))])


def test_where_the_spine_bends_middles_are_as_far_apart_as_usual() -> None:
    """A slipped L5: along the canal, L4–L5 lies half a level too high."""
    mean = float(np.diff(usual().place_mm)[20])
    assert step(mean / 2, mean, "disc_L3_L4") > step(mean / 2, mean / 2, "disc_L3_L4") + 3
    assert step(mean, mean, "disc_L3_L4") > step(mean / 2, mean, "disc_L3_L4") + 1


def test_of_two_discs_within_a_body_s_height_one_is_none() -> None:
    assert step(6.0, 6.0, "disc_C2_C3") < step(10.0, 10.0, "disc_C2_C3") - 4


def test_of_two_discs_called_a_landmark_the_larger_one_is_meant() -> None:
    evidence = seen(4, 8)
    shares = evidence.landmarks.copy()
    shares[2] = shares[1]  # T1–T2 is called C7–T1 too
    small = np.zeros((1, 3), np.intp)
    large = np.zeros((9, 3), np.intp)
    for meant in (1, 2):
        discs = tuple(
            replace(found, voxels=large if i == meant else small, depth=np.nan)
            for i, found in enumerate(evidence.discs)
        )
        chosen = solve(replace(evidence, discs=discs, landmarks=shares)).chosen
        assert chosen.names[meant] == "disc_C7_T1", (meant, chosen)


def test_looks_do_not_outvote_clear_landmarks() -> None:
    """Two landmarks agree; the bodies are those of the vertebrae one level lower."""
    evidence = seen(0, 8)
    evidence = replace(evidence, top=evidence.top - 20)  # what is above C2–C3 is seen
    result = solve(replace(evidence, shape=means_of(usual())[0][1:10]))
    assert result.chosen.names == names(0, 8)


def test_no_disc_is_an_error() -> None:
    with pytest.raises(NoSpineError, match="no disc was found"):
        solve(Evidence((), np.zeros((0, 5)), 0.0, 100.0))
