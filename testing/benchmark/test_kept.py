"""Networks' answers, kept."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from kept import keeping

from spinetools.image import Space
from spinetools.vertebrae.engines import LoadedNetworks


class Counting:
    """Answers with what it is given, and counts how often it is asked."""

    name, classes, spacing_mm = "counting 1.0", ("background", "spine"), 1.5

    def __init__(self) -> None:
        self.asked = 0

    def probabilities(
        self, channels: np.ndarray, space: Space, mean_sd: tuple[float, float] | None = None
    ) -> np.ndarray:
        self.asked += 1
        return np.stack([1 - channels[0], channels[0]])


def test_an_answer_is_asked_for_once(tmp_path: Path) -> None:
    network = Counting()
    kept = keeping(LoadedNetworks(network), tmp_path / "kept").step1
    space = Space((4, 5, 6), np.eye(4))
    given = np.random.default_rng(0).random((1, 4, 5, 6)).astype(np.float32)
    first = kept.probabilities(given, space)
    assert first == pytest.approx(network.probabilities(given, space), abs=1e-3)
    asked = network.asked
    assert (kept.probabilities(given, space) == first).all()
    assert (keeping(LoadedNetworks(network), tmp_path / "kept").step1.probabilities(given, space)
            == first).all()  # fmt: skip
    assert network.asked == asked
    # another image, another place, other intensities of the whole
    kept.probabilities(given + 0.1, space)
    kept.probabilities(given, Space((4, 5, 6), np.diag([2.0, 2, 2, 1])))
    kept.probabilities(given, space, (0.5, 0.1))
    assert network.asked == asked + 3
    assert (kept.name, kept.spacing_mm) == (network.name, 1.5)
    assert not list((tmp_path / "kept").glob("*.tmp"))
