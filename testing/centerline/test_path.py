"""The best path against an exhaustive search, and what it does in easy cases."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from spinetools.centerline.path import MAX_SLOPE, best_path


def exhaustive(scores: list[np.ndarray], steps: list[float], smoothness: float) -> float:
    """Largest total of all paths, by trying every one."""
    pixels = list(np.ndindex(scores[0].shape))
    best = -np.inf
    for path in itertools.product(pixels, repeat=len(scores)):
        total = sum(score[p] for score, p in zip(scores, path, strict=True))
        for a, b, step in zip(path[:-1], path[1:], steps, strict=True):
            reach = max(2, np.ceil(MAX_SLOPE * step))
            if abs(a[0] - b[0]) > reach or abs(a[1] - b[1]) > reach:
                total = -np.inf
                break
            total -= smoothness * ((a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2) / step
        best = max(best, total)
    return best


@pytest.mark.parametrize("seed", range(8))
def test_total_is_the_largest_possible(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores = [rng.normal(size=(4, 3)).astype(np.float32) for _ in range(3)]
    steps = [1.0, float(rng.uniform(0.5, 3))]
    path = best_path(scores, steps, 0.3)
    total = sum(float(score[tuple(p)]) for score, p in zip(scores, path, strict=True))
    total -= sum(
        0.3 * float(((b - a) ** 2).sum()) / step
        for a, b, step in zip(path[:-1], path[1:], steps, strict=True)
    )
    assert total == pytest.approx(exhaustive(scores, steps, 0.3), abs=1e-4)


def test_a_bright_spot_far_away_does_not_draw_the_path() -> None:
    scores = []
    for k in range(12):
        score = np.zeros((40, 30), dtype=np.float32)
        score[15 + k // 3, 10] = 0.8
        scores.append(score)
    scores[6][35, 28] = 1.0
    path = best_path(scores, [2.0] * 11, 0.05)
    assert path[:, 1].tolist() == [10] * 12
    assert path[6, 0] == 17


def test_slices_without_a_score_are_crossed_straight() -> None:
    scores = [np.zeros((20, 20), dtype=np.float32) for _ in range(9)]
    scores[0][4, 4] = scores[8][12, 4] = 5
    path = best_path(scores, [1.0] * 8, 0.1)
    assert path[:, 0].tolist() == list(range(4, 13))


def test_one_slice() -> None:
    score = np.zeros((5, 6), dtype=np.float32)
    score[3, 2] = 1
    assert best_path([score], [], 0.1).tolist() == [[3, 2]]
