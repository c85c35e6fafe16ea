"""Transitional vertebrae: found in shapes, and claimed only where they show."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from spinetools.image import Space
from spinetools.phantom import Subject, make_subject, place_grid
from spinetools.phantom.content import fill_canal
from spinetools.phantom.field import Field
from spinetools.phantom.labels import structure_ids
from spinetools.phantom.paint import Canvas
from spinetools.phantom.protocols import Protocol
from spinetools.phantom.spine import paint_spine
from spinetools.vertebrae.anatomy import usual
from spinetools.vertebrae.canal import find_line
from spinetools.vertebrae.discs import find_discs, measure_disc
from spinetools.vertebrae.naming import Candidate, Numbering
from spinetools.vertebrae.transition import (
    TRANSITION_THRESHOLD,
    SacrumSeen,
    look_at_sacrum,
    transition_probability,
    with_transition,
)

SPACING = 2.0


@pytest.mark.parametrize("variant", ["normal", "sacralised", "lumbarised"])
def test_a_transitional_vertebra_is_flagged_and_a_sound_one_is_not(variant: str) -> None:
    subject = make_subject(20301, variant)
    protocol = Protocol("t2", (SPACING,) * 3, (112, 130, 0), (22.5, 27.5), 18)
    canvas = Canvas(place_grid(subject, protocol, None))
    field, ids = Field.over(subject, canvas), structure_ids()
    paint_spine(canvas, field, ids)
    canal = fill_canal(canvas, field).sac >= 0.5
    structure = np.where(canal, 0, canvas.structure)
    disc = np.isin(structure, [ids["disc_L4_L5"], ids["disc_L5_S"]])
    bone = (structure > 0) & ~disc
    line = find_line(canal, bone | disc, SPACING)
    # networks see little of a disc inside the sacrum
    probability = np.maximum(disc, 0.25 * _whole_remnant(subject, canvas.space)).astype(np.float32)
    bone = bone.astype(np.float32)
    none = [np.zeros(disc.shape, np.float32)] * 4
    discs = find_discs(disc.astype(np.float32), none, line, SPACING)
    names = usual().disc_names[-len(discs) :]
    path = tuple(usual().disc_names.index(name) for name in names)
    sure = Numbering(usual(), path, subject.habitus.scale, Candidate(names, "", 0.99), (), {})
    found = with_transition(sure, discs, bone, probability, line, SPACING)
    assert found.transition == ("" if variant == "normal" else variant)
    assert found.chosen == sure.chosen
    # a naming that is no better than others does not say what the vertebra at the sacrum is
    unsure = replace(sure, chosen=replace(sure.chosen, probability=0.32))
    assert with_transition(unsure, discs, bone, probability, line, SPACING).transition == ""
    # nor is anything said where the sides are not in the image
    middle = slice(disc.shape[0] // 2 - 14, disc.shape[0] // 2 + 14)
    slab = find_line(canal[middle], (bone.astype(bool) | disc)[middle], SPACING)
    parts = [np.zeros(disc[middle].shape, np.float32)] * 4
    last = find_discs(disc[middle].astype(np.float32), parts, slab, SPACING)[-1]
    looks = look_at_sacrum(last, bone[middle], probability[middle], slab, 1.0, SPACING)
    assert np.isnan(looks.bridge)
    assert 0.5 < looks.squareness < 1.0


def _whole_remnant(subject: Subject, space: Space) -> npt.NDArray[np.bool_]:
    """The disc below a lumbarised S1; elsewhere there is nothing that networks see."""
    below = subject.remnants[0]
    voxels = np.stack(np.indices(space.shape), axis=-1)
    right, front, up = np.moveaxis((space.to_world(voxels) - below.origin) @ below.axes.T, -1, 0)
    flat = (2 * right / below.width) ** 2 + (2 * front / below.depth) ** 2 < 1
    return (subject.variant == "lumbarised") & flat & (np.abs(up) < below.height / 2)


def test_an_image_that_ends_in_s1_says_nothing_of_the_sacrum() -> None:
    shape = (20, 60, 60)
    x, y, z = np.indices(shape) * SPACING
    bone = ((y > 40) & (y < 70)).astype(np.float32)  # a column in front of the canal
    canal = (np.abs(x - 20) < 8) & (np.abs(y - 30) < 8)
    line = find_line(canal, bone > 0, SPACING)
    disc = np.zeros(shape, np.float32)
    for height, shown in ((90.0, True), (20.0, False)):
        last = measure_disc(
            np.argwhere((bone > 0) & (np.abs(z - height) < 4)), line, SPACING, shape
        )
        looks = look_at_sacrum(last, bone, disc, line, 1.0, SPACING)
        assert np.isfinite(looks.squareness) == shown
        if shown:
            assert looks.squareness == pytest.approx(1.0, abs=0.05)
        # half of a disc, all the way through
        disc[:] = 0.5 * (np.abs(z - (height - 31.0)) < 3)
        thickness = look_at_sacrum(last, bone, disc, line, 1.0, SPACING).disc
        assert thickness == pytest.approx(3.0, abs=1.0) if shown else np.isnan(thickness)


def test_nothing_seen_leaves_the_shares_of_adults() -> None:
    chance = transition_probability(SacrumSeen(np.nan, np.nan, np.nan))
    assert chance == pytest.approx({"sacralised": 0.016, "lumbarised": 0.038})


def test_more_bone_more_depth_and_more_disc_make_it_likelier() -> None:
    bridges = [
        transition_probability(SacrumSeen(b, 0.66, 0.05))["sacralised"] for b in (0, 20, 80, 240)
    ]
    assert bridges == sorted(bridges)
    assert bridges[0] < 0.01 < 0.7 < bridges[-1]
    depths = [transition_probability(SacrumSeen(0, d, 0.6))["lumbarised"] for d in (0.6, 0.75, 0.9)]
    assert depths == sorted(depths)
    assert depths[0] < TRANSITION_THRESHOLD < 0.7 < depths[-1]
    # a sacrum whose second body was not measured is no such one, whatever there is of a disc
    for seen in (SacrumSeen(0, np.nan, 0.6), SacrumSeen(0, 0.84, np.nan)):
        assert transition_probability(seen)["lumbarised"] < 0.05
    discs = [
        transition_probability(SacrumSeen(0, 0.84, d))["lumbarised"] for d in (0, 0.05, 0.3, 0.7)
    ]
    assert discs == sorted(discs)
    assert discs[0] < 0.05 < 0.7 < discs[-1]
