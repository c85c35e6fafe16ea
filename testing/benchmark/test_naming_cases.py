"""The simulated observations that the numbering is measured on."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from naming import cases, observed
from shapes_seen import seen

from spinetools.phantom import make_subject
from spinetools.vertebrae.likeness import SPREADS, mean_of
from spinetools.vertebrae.shape import MEASURES


def test_simulated_vertebrae_look_like_the_table() -> None:
    """Else the digital spine has changed, and ``calibrate_naming.py`` has to be run anew."""
    rng = np.random.default_rng(5)
    tables = np.array([seen(make_subject(s, "normal"), rng) for s in range(31_000, 31_030)])
    levels = [disc.name.split("-")[1] for disc in make_subject(31_000, "normal").discs]
    wanted = np.array([mean_of(level) for level in levels])
    for name, spread in SPREADS.items():
        k = MEASURES.index(name)
        rows = np.flatnonzero(np.isfinite(wanted[:, k]))
        rows = rows[:14] if name == "cord" else rows  # below, its end tapers
        apart = tables[:, rows, k].mean(axis=0) - wanted[rows, k]
        common = np.hypot(spread.subject, spread.drift) / np.sqrt(len(tables))
        own = np.hypot(spread.own / np.sqrt(len(tables)), common)
        assert abs(apart.mean()) < 3 * common, name
        assert np.abs(apart).max() < 4 * own, name


def test_networks_without_flaws_show_every_disc() -> None:
    for case in cases(3, 31_000, "normal"):
        evidence, truth = observed(case, np.random.default_rng(0), rate=0.0)
        inside = [d for d in case.subject.discs if case.top + 3 < d.s < case.bottom - 3]
        assert truth == [f"disc_{d.name.replace('-', '_')}" for d in inside]
        assert evidence.shape.shape == (len(inside), len(MEASURES))
        assert case.visible - 2 <= len(inside) <= case.visible + 1


def test_rough_networks_err_more_often() -> None:
    lost = {1.0: 0, 2.0: 0}
    for rate in lost:
        for case in cases(15, 31_000, "normal", (15,)):
            _, truth = observed(case, np.random.default_rng(case.seed), rate)
            inside = sum(case.top + 3 < d.s < case.bottom - 3 for d in case.subject.discs)
            lost[rate] += inside - sum(name is not None for name in truth)
    assert 0 < lost[1.0] < lost[2.0]
