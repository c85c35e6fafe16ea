"""Which method is chosen, how sure, and in which words."""

from __future__ import annotations

import numpy as np
import pytest

from spinetools.compare.cases import Compared
from spinetools.compare.choose import choices, choose, in_words

from .conftest import scored


def scans(
    n: int, a: float, b: float, spread: float = 0.004, reference: bool = True
) -> list[Compared]:
    rng = np.random.default_rng(n)
    return [
        scored(
            {"a": a + rng.normal(0, spread), "b": b + rng.normal(0, spread)},
            subject=f"s{k}",
            reference=reference,
        )
        for k in range(n)
    ]


def test_a_clear_difference_on_many_scans_is_sure() -> None:
    found = choose(scans(20, 0.90, 0.96))
    assert (found.method, found.runner_up, found.sureness) == ("b", "a", "sure")
    assert found.scores["b"] == pytest.approx(0.96, abs=0.005)
    # what a lacks over what b does: (0.10 + 0.01) / (0.04 + 0.01)
    assert found.paired.mean == pytest.approx(np.log(2.2), abs=0.05)
    assert (found.paired.wins, found.paired.losses) == (20, 0)


@pytest.mark.parametrize("n", [2, 3, 5])
def test_few_scans_are_never_sure(n: int) -> None:
    compared = scans(n, 0.90, 0.96)
    found = choose(compared)
    assert found.method == "b"
    assert found.sureness == "likely"
    words = in_words(compared, [found])
    assert words[0] == f"b probably suits these {n} scans better than a, but that is not sure."
    assert any(f"With {n} scans nothing can be sure: at least 6 are needed" in w for w in words)


def test_a_single_scan_decides_nothing() -> None:
    compared = scans(1, 0.5, 0.96)
    found = choose(compared)
    assert found.sureness == "open"
    words = in_words(compared, [found])
    assert words[0] == "Not sure: b and a cannot be told apart on this one scan."
    assert any("With 1 scan nothing can be sure" in line for line in words)


def test_no_difference_is_not_called_one() -> None:
    rng = np.random.default_rng(4)
    noisy = [
        scored({"a": 0.9 + x, "b": 0.9 - x}, subject=str(k))
        for k, x in enumerate(rng.permutation(np.linspace(-0.04, 0.04, 12)))
    ]
    assert choose(noisy).sureness == "open"


def test_alike_on_many_scans_is_equal() -> None:
    compared = scans(30, 0.950, 0.9502, spread=0.001)
    found = choose(compared)
    assert found.sureness == "equal"
    assert "do equally well on these 30 scans: choose either" in in_words(compared, [found])[0]


def test_images_of_one_subject_count_once() -> None:
    # twelve images of two subjects: as good as two scans
    compared = [scored({"a": 0.90, "b": 0.96}, subject=f"s{k % 2}") for k in range(12)]
    found = choose(compared)
    assert (found.images, found.subjects, found.paired.n) == (12, 2, 2)
    assert found.sureness == "likely"


def test_expectations_are_less_sure_than_references() -> None:
    exact = choose(scans(8, 0.930, 0.942, spread=0.0))
    rough = choose(scans(8, 0.930, 0.942, spread=0.0, reference=False))
    assert exact.paired.low == pytest.approx(exact.paired.high)
    assert rough.paired.low < exact.paired.low
    assert rough.paired.high > exact.paired.high


def test_a_failure_counts_as_lacking_all() -> None:
    compared = [scored({"a": 0.97, "b": 0.0 if k < 2 else 0.97}, subject=str(k)) for k in range(10)]
    found = choose(compared)
    assert found.method == "a"
    assert found.paired.mean == pytest.approx(0.2 * np.log(1.01 / 0.04))


def test_each_contrast_has_its_choice() -> None:
    compared = [
        *[scored({"a": 0.95, "b": 0.90}, f"s{k}", "t2") for k in range(6)],
        *[scored({"a": 0.80, "b": 0.93}, f"s{k}", "t1") for k in range(6)],
    ]
    found = choices(compared)
    assert [(c.group, c.method, c.images) for c in found[1:]] == [("t1", "b", 6), ("t2", "a", 6)]
    assert found[0].group == ""
    words = in_words(compared, found)
    assert "Use b for these 6 T1-weighted scans: it does better than a, and that is sure." in words


def test_one_method_alone() -> None:
    compared = [scored({"a": 0.9}, str(k)) for k in range(4)]
    found = choices(compared)
    assert (found[0].method, found[0].runner_up, found[0].sureness) == ("a", "", "open")
    assert in_words(compared, found)[0].startswith("Only one method was run on these 4 scans")


def test_three_methods_need_more_evidence() -> None:
    # seven of seven: p = 0.016 for two methods, twice that against the next of three
    two = [scored({"a": 0.95, "b": 0.92}, str(k)) for k in range(6)]
    three = [scored({"a": 0.95, "b": 0.92, "c": 0.5}, str(k)) for k in range(6)]
    assert choose(two).sureness == "sure"
    assert choose(three).sureness == "likely"  # 2 × 0.031 is above 0.05
    assert choose(three).runner_up == "b"


def test_the_chosen_one_is_the_better_by_subjects() -> None:
    # a is better on four images of one subject, b on one image each of two others
    compared = [scored({"a": 0.95, "b": 0.90}, "many") for _ in range(4)]
    compared += [scored({"a": 0.90, "b": 0.95}, subject) for subject in ("one", "two")]
    found = choose(compared)
    assert found.method == "b"
    assert found.paired.mean > 0
    assert (found.paired.wins, found.paired.losses) == (2, 1)
