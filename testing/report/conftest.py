"""A simulated spine with exact labels, and what a report should say of it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmark"))

from spine_truth import Truth, painted, truth_of

from spinetools.image import Image
from spinetools.phantom import make_subject
from spinetools.report import SpineReport, measure_spine
from spinetools.vertebrae.from_labels import spine_from_labels


class Known:
    """Exact labels of a part of a spine at 1.2 mm, their report, and the truth."""

    def __init__(self, levels: tuple[float, float]) -> None:
        subject = make_subject(9, "normal", pathology="none")
        self.labels: Image
        self.labels, self.names = painted(subject, levels, (1.2, 1.2, 1.2))
        self.truth: Truth = truth_of(subject)
        spine = spine_from_labels(self.labels, self.names)
        self.report: SpineReport = measure_spine(spine, self.names, self.labels)


@pytest.fixture(scope="session")
def lumbar() -> Known:
    """From T11 to the sacrum."""
    return Known((17.4, 25.3))


@pytest.fixture(scope="session")
def neck() -> Known:
    """From C2 to T1."""
    return Known((1.3, 7.8))
