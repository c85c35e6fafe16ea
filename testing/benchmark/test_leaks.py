"""The benchmark of leaks: the exact cord decides, whatever was done to the image."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from spinetools.image import Image, Space
from spinetools.propseg.leak import Leak

sys.path.insert(0, str(Path(__file__).parent))
import leaks

SHAPE = (40, 40, 40)


def cylinder(radius: float, aside: float = 0.0, part: slice = slice(None)) -> np.ndarray:
    i, j = np.indices(SHAPE[:2])
    mask = np.zeros(SHAPE, dtype=np.uint8)
    mask[..., part] = (np.hypot(i - 20 - aside, j - 20) < radius)[..., None]
    return mask


def judged(mask: np.ndarray, flagged: tuple[int, ...] = ()) -> dict[str, str]:
    space = Space(SHAPE, np.eye(4))
    truth = Image(cylinder(5), space)
    score = np.zeros(SHAPE[2])
    score[list(flagged)] = 1
    reasons = tuple("wide" if s else "" for s in score)
    result = SimpleNamespace(
        mask=truth.like(mask), leak=Leak(score, reasons), slices=np.arange(SHAPE[2])
    )
    return leaks.judged(SimpleNamespace(cord=truth), result)


@pytest.mark.parametrize(
    ("mask", "kind"),
    [
        (cylinder(5), "sound"),
        (cylinder(5.05), "sound"),
        (cylinder(5) | cylinder(5, 6, slice(15, 23)), "leaking"),
        (cylinder(5) | cylinder(5, 6, slice(18, 20)), "neither"),  # shorter than counts
        (cylinder(3.5), "neither"),  # too small is no leak
        (cylinder(5) * (np.arange(SHAPE[2]) < 30).astype(np.uint8), "sound"),  # ends early
    ],
)
def test_the_truth_decides(mask: np.ndarray, kind: str) -> None:
    assert judged(mask)["is"] == kind


def test_a_flag_counts_as_such_where_the_leak_is() -> None:
    mask = cylinder(5) | cylinder(5, 6, slice(15, 23))
    here, elsewhere = judged(mask, flagged=(18,)), judged(mask, flagged=(30,))
    assert (here["at the leak"], elsewhere["at the leak"]) == ("yes", "no")
    assert "leak" in here["flags"]
    rows = [here, elsewhere, judged(cylinder(5))]
    leaking, sound = leaks.summary(rows)
    assert (leaking["number"], leaking["flagged where it leaks"]) == ("2", "50.0%")
    assert (sound["number"], sound["flagged"]) == ("1", "0")
