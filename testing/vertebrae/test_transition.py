"""Transitional vertebrae: found in shapes, and claimed only where they show."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spinetools.phantom import make_subject, place_grid
from spinetools.phantom.content import fill_canal
from spinetools.phantom.field import Field
from spinetools.phantom.labels import structure_ids
from spinetools.phantom.paint import Canvas
from spinetools.phantom.protocols import Protocol
from spinetools.phantom.spine import paint_spine
from spinetools.vertebrae.anatomy import usual
from spinetools.vertebrae.canal import find_line
from spinetools.vertebrae.discs import find_discs
from spinetools.vertebrae.naming import Candidate, Numbering
from spinetools.vertebrae.transition import (
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
    none = [np.zeros(disc.shape, np.float32)] * 4
    discs = find_discs(disc.astype(np.float32), none, line, SPACING)
    names = usual().disc_names[-len(discs) :]
    path = tuple(usual().disc_names.index(name) for name in names)
    sure = Numbering(usual(), path, subject.habitus.scale, Candidate(names, "", 0.99), (), {})
    found = with_transition(sure, discs, bone, line, SPACING)
    assert found.transition == ("" if variant == "normal" else variant)
    assert found.chosen == sure.chosen
    # a naming that is no better than others does not say what the vertebra at the sacrum is
    unsure = replace(sure, chosen=replace(sure.chosen, probability=0.4))
    assert with_transition(unsure, discs, bone, line, SPACING).transition == ""
    # nor is anything said where the sides are not in the image
    middle = slice(disc.shape[0] // 2 - 14, disc.shape[0] // 2 + 14)
    slab = find_line(canal[middle], (bone | disc)[middle], SPACING)
    parts = [np.zeros(disc[middle].shape, np.float32)] * 4
    last = find_discs(disc[middle].astype(np.float32), parts, slab, SPACING)[-1]
    assert np.isnan(look_at_sacrum(last, bone[middle], slab, 1.0, SPACING).bridge)


def test_nothing_seen_leaves_the_shares_of_adults() -> None:
    chance = transition_probability(SacrumSeen(np.nan, np.nan))
    assert chance == pytest.approx({"sacralised": 0.016, "lumbarised": 0.038})


def test_more_bone_and_more_depth_make_it_likelier() -> None:
    bridges = [transition_probability(SacrumSeen(b, 0.68))["sacralised"] for b in (0, 20, 80, 240)]
    assert bridges == sorted(bridges)
    assert bridges[0] < 0.01 < 0.7 < bridges[-1]
    depths = [transition_probability(SacrumSeen(0, d))["lumbarised"] for d in (0.6, 0.75, 0.9)]
    assert depths == sorted(depths)
    assert depths[0] < 0.01 < 0.7 < depths[-1]
