"""Findings: how often they are drawn, and what they do to bones, discs and the canal."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from spinetools.errors import InputError
from spinetools.image import Space
from spinetools.phantom import Subject, make_subject, paint_labels
from spinetools.phantom.labels import structure_ids
from spinetools.phantom.pathology import FINDING_SHARES, draw_pathology
from spinetools.phantom.tissues import Tissue
from spinetools.phantom.variants import make_column

GridMaker = Callable[..., Space]
COLUMN = make_column("normal")


def with_finding(words: str) -> tuple[Subject, int]:
    """The first subject of normal build with a finding, and the vertebra's place."""
    for seed in range(500):
        found = draw_pathology(seed, COLUMN, "much").findings
        if any(finding.startswith(words) for finding in found):
            subject = make_subject(seed, variant="normal", pathology="much")
            finding = next(f for f in subject.findings if f.startswith(words))
            name = finding.split()[-1].split("-")[0]
            return subject, subject.names.index(name)
    raise AssertionError(f"no subject with {words}")


def test_findings_are_as_frequent_as_said() -> None:
    words = {"fracture": "fracture", "node": "Schmorl", "slip": "slip"}
    seeds = 1500
    drawn = [draw_pathology(seed, COLUMN).findings for seed in range(seeds)]
    for kind in ("fracture", "node", "slip"):
        share = np.mean([any(words[kind] in finding for finding in found) for found in drawn])
        assert share == pytest.approx(FINDING_SHARES[kind], abs=0.03), kind
    much = [draw_pathology(seed, COLUMN, "much").findings for seed in range(300)]
    assert np.mean([len(found) for found in much]) > 2 * np.mean([len(found) for found in drawn])


def test_none_means_none() -> None:
    for seed in range(30):
        subject = make_subject(seed, pathology="none")
        assert subject.findings == ()
        assert subject.implants == ()
        assert max(disc.bulge for disc in subject.discs) <= 1.2
        assert not subject.profiles["flavum"].any()
    with pytest.raises(InputError, match="much"):
        make_subject(0, pathology="some")


def test_sound_subjects_differ_by_nothing_but_the_findings() -> None:
    for seed in range(40):
        if not draw_pathology(seed, COLUMN).findings:
            plain, drawn = (
                make_subject(seed, variant="normal", pathology=p) for p in ("none", "auto")
            )
            assert np.array_equal(plain.curve.points, drawn.curve.points)
            assert np.array_equal(plain.boundaries, drawn.boundaries)


def body_profile(subject: Subject, index: int, box_at: GridMaker) -> np.ndarray:
    """Height of a vertebral body (mm) at the back, the middle and the front, in the midline."""
    v = subject.vertebrae[index]
    level = float(subject.profile("level", subject.boundaries[index : index + 2].mean()))
    space = box_at(subject, level, (6, 130, 70), 0.6)
    structure = paint_labels(subject, space).structure
    voxels = np.argwhere(structure == structure_ids()[f"vertebrae_{v.name}"])
    local = (space.to_world(voxels) - v.origin) @ v.axes.T
    heights = []
    for y in (-0.75, 0.0, 0.75):
        near = (np.abs(local[:, 1] - y * v.depth / 2) < 1) & (np.abs(local[:, 0]) < 2)
        heights.append(np.ptp(local[near, 2]))
    return np.array(heights)


def test_wedge_fracture_is_lower_in_front_and_bends_the_spine(box_at: GridMaker) -> None:
    subject, index = with_finding("wedge fracture")
    back, _, front = body_profile(subject, index, box_at)
    assert front < 0.85 * back
    sound = make_subject(subject.seed, variant="normal", pathology="none")
    s = subject.boundaries[index : index + 2] + np.array([-8, 8])
    bend = [
        float(np.subtract(*np.arctan2(up[:, 1], up[:, 2])))
        for up in (x.curve.frame(s)[1] for x in (subject, sound))
    ]
    assert bend[0] > bend[1] + np.radians(1)


def test_biconcave_fracture_is_lowest_in_the_middle(box_at: GridMaker) -> None:
    subject, index = with_finding("biconcave fracture")
    back, middle, front = body_profile(subject, index, box_at)
    assert middle < min(back, front) - 2


def test_discs_fill_what_a_fracture_leaves(box_at: GridMaker) -> None:
    subject, index = with_finding("biconcave fracture")
    v = subject.vertebrae[index]
    space = box_at(subject, float(subject.profile("level", subject.boundaries[index])),
                   (6, 120, 60), 0.6)  # fmt: skip
    labels = paint_labels(subject, space)
    local = (space.to_world(np.argwhere(labels.structure >= 0)) - v.origin) @ v.axes.T
    half = v.height / 2
    hollow = (np.abs(local[:, 0]) < 2) & (np.abs(local[:, 1]) < 2)
    hollow &= (local[:, 2] > half - v.lesions.dish[0]) & (local[:, 2] < half)
    tissues = labels.hard.ravel()[hollow]
    inside = (Tissue.ANNULUS, Tissue.NUCLEUS, Tissue.NUCLEUS_DARK, Tissue.CORTEX)
    assert hollow.sum() > 20
    assert np.isin(tissues, inside).mean() > 0.9


def test_collapsed_disc_is_thin_dark_and_shortens_the_spine() -> None:
    subject, index = with_finding("collapsed disc L")
    sound = make_subject(subject.seed, variant="normal", pathology="none")
    upper = subject.names[index]
    disc, before = (
        next(d for d in x.discs if d.name.startswith(f"{upper}-")) for x in (subject, sound)
    )
    assert disc.height < 0.7 * before.height
    assert disc.degeneration == 1
    assert subject.boundaries[-1] < sound.boundaries[-1]


def test_slipped_vertebra_lies_in_front_of_the_next() -> None:
    subject, index = with_finding("slip")
    sound = make_subject(subject.seed, variant="normal", pathology="none")
    upper, lower = subject.vertebrae[index : index + 2]
    step = [
        float((a.origin - b.origin) @ b.axes[1])
        for a, b in ((upper, lower), sound.vertebrae[index : index + 2])
    ]
    assert 1.5 < step[0] - step[1] < 8.5


def test_block_vertebra_has_marrow_across_the_disc(box_at: GridMaker) -> None:
    subject, index = with_finding("block")
    disc = next(d for d in subject.discs if d.name.startswith(f"{subject.names[index]}-"))
    assert disc.fused
    level = float(subject.profile("level", disc.s))
    space = box_at(subject, level, (20, 90, 24), 0.6)
    labels = paint_labels(subject, space)
    local = (space.to_world(np.argwhere(labels.top < 255)) - disc.origin) @ disc.axes.T
    ring = (np.abs(local[:, 2]) < 0.5) & (np.abs(local[:, 0]) < 2)
    ring &= (local[:, 1] > 0.3 * disc.depth) & (local[:, 1] < 0.42 * disc.depth)
    assert ring.sum() > 10
    assert (labels.top.ravel()[ring] == Tissue.MARROW).mean() > 0.8
    core = np.abs(local).max(axis=1) < 0.7
    assert (labels.structure.ravel()[core] > 200).all()  # a remnant of the disc


def test_stenosis_narrows_several_places_and_thickens_the_ligament() -> None:
    for seed in range(400):
        if any(f.startswith("stenosis") for f in draw_pathology(seed, COLUMN).findings):
            break
    ill, sound = (make_subject(seed, variant="normal", pathology=p) for p in ("auto", "none"))
    assert ill.profiles["flavum"].max() > 0.4
    ratio = [
        ill.profile("sac_ap", a.s) / sound.profile("sac_ap", b.s)
        for a, b in zip(ill.discs, sound.discs, strict=True)
    ]
    assert np.sum(np.array(ratio) < 0.93) >= 2


def test_lesions_stay_inside_the_body(box_at: GridMaker) -> None:
    subject, index = with_finding("haemangioma")
    level = float(subject.profile("level", subject.boundaries[index : index + 2].mean()))
    labels = paint_labels(subject, box_at(subject, level, (60, 120, 50), 1.0))
    changed = labels.top == Tissue.FATTY_MARROW
    assert changed.sum() > 15
    own = structure_ids()[f"vertebrae_{subject.names[index]}"]
    assert (labels.structure[changed] == own).mean() > 0.95


def test_screws_cross_pedicles_not_the_canal() -> None:
    subject, _ = with_finding("screws")
    assert len(subject.implants) >= 8
    for implant in subject.implants:
        line = np.linspace(implant.start, implant.end, 30)
        s, u, v = subject.curve.solve(line)
        a, b = subject.profile("sac_rl", s) / 2, subject.profile("sac_ap", s) / 2
        middle = subject.profile("sac_v", s)
        assert (np.hypot(u / a, (v - middle) / b) > 1).all()


def test_cord_and_canal_can_be_scaled() -> None:
    usual = make_subject(5, pathology="none")
    wide = make_subject(5, pathology="none", cord_scale=1.3, canal_scale=1.1)
    s = float(np.interp(3.5, usual.profiles["level"], usual.curve.s))
    assert wide.cord_csa(s) == pytest.approx(1.3 * usual.cord_csa(s), rel=0.01)
    assert wide.profile("sac_rl", s) == pytest.approx(1.1 * usual.profile("sac_rl", s), rel=0.03)
    with pytest.raises(InputError, match="cord_scale"):
        make_subject(5, cord_scale=3.0)
