"""Classes and masks put together: by name, by value, from files of one class each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spinetools.errors import InputError, SpaceMismatch
from spinetools.image import Image, Space
from spinetools.image.combine import (
    choose,
    combine,
    names_in_header,
    parts_of,
    structure_names,
)
from spinetools.labels import numbering
from spinetools.vertebrae.values import with_names

SPACE = Space((4, 5, 6), np.diag([1.0, 1, 2, 1]))
#: L5, L4, L3, the disc between the first two, cord.
VALUES = (18, 19, 20, 203, 200)


def labels() -> Image:
    data = np.zeros(SPACE.shape, np.uint8)
    for k, value in enumerate(VALUES):
        data[1, 2, k] = value
    return Image(data, SPACE)


def mask(name: str, where: tuple[int, int, int], value: float = 1) -> Image:
    data = np.zeros(SPACE.shape, np.float32 if value < 1 else np.uint8)
    data[where] = value
    return Image(data, SPACE, path=Path(f"{name}.nii.gz"))


def chosen(words: str) -> set[int]:
    result = combine(choose(parts_of(labels()), words.split(",")))
    assert set(np.unique(result.data)) <= {0, 1}
    return {int(v) for v in labels().data[result.data > 0]}


@pytest.mark.parametrize(
    ("words", "values"),
    [
        ("vertebrae", {18, 19, 20}), ("discs", {203}), ("cord", {200}), ("L4", {19}),
        ("l4", {19}), ("L4-L5", {203}), ("L3:L5", {18, 19, 20}), ("L1:L4", {19, 20}),
        ("vertebrae_L5,disc_L4_L5", {18, 203}), ("19", {19}), ("18:20", {18, 19, 20}),
        ("cord,L3", {200, 20}), ("L1,L4", {19}),
    ],
)  # fmt: skip
def test_words_mean_classes(words: str, values: set[int]) -> None:
    assert chosen(words) == values


def test_a_word_that_means_nothing_is_an_error_that_lists_what_there_is() -> None:
    with pytest.raises(InputError, match=r"-m heart: .* vertebrae_L5, vertebrae_L4"):
        choose(parts_of(labels()), ["heart"])


def test_names_in_the_header_count_before_the_scheme() -> None:
    named = with_names(labels(), dict.fromkeys(VALUES, "disc_T1_T2"))
    assert structure_names(named) == dict.fromkeys(VALUES, "disc_T1_T2")
    assert structure_names(named, "totalspineseg")[18] == "vertebrae_L5"


def test_the_header_is_read_back_after_a_file(tmp_path: Path) -> None:
    names = {row: numbering("totalspineseg")[row].name for row in VALUES}
    with_names(labels(), names).save(tmp_path / "l.nii.gz")
    assert names_in_header(Image.load(tmp_path / "l.nii.gz")) == names


def test_a_header_that_is_no_table_names_nothing() -> None:
    assert names_in_header(labels()) == {}


def test_values_of_two_schemes_have_to_be_told() -> None:
    data = np.zeros(SPACE.shape, np.uint8)
    data[1, 1, 1:4] = 5, 6, 7
    image = Image(data, SPACE)
    with pytest.raises(InputError, match="-label-scheme"):
        parts_of(image)
    assert {part.name for part in parts_of(image, "sct")} == {
        "vertebrae_C5", "vertebrae_C6", "vertebrae_C7",
    }  # fmt: skip
    # by value no name is needed
    assert [part.value for part in choose(parts_of(image, named=False), ["5:6"])] == [5, 6]


def test_masks_are_joined_and_soft_ones_cut_at_the_threshold() -> None:
    parts = [
        *parts_of(mask("a", (0, 0, 0))), *parts_of(mask("b", (1, 1, 1), 0.4)),
        *parts_of(mask("c", (2, 2, 2), 0.6)),
    ]  # fmt: skip
    assert [tuple(p) for p in np.argwhere(combine(parts).data)] == [(0, 0, 0), (2, 2, 2)]
    assert combine(parts, threshold=0.3).data.sum() == 3
    # nothing at all is no mask, whatever the threshold
    assert combine(parts, threshold=0.0).data.sum() == 3


def test_masks_are_chosen_by_their_file(caplog: pytest.LogCaptureFixture) -> None:
    parts = [*parts_of(mask("vertebrae_L1", (0, 0, 0))), *parts_of(mask("heart", (1, 1, 1)))]
    assert [p.name for p in choose(parts, ["vertebrae"])] == ["vertebrae_L1"]
    assert [p.name for p in choose(parts, ["heart", "L1"])] == ["vertebrae_L1", "heart"]


def test_kept_values_are_the_schemes_and_others_are_free_ones() -> None:
    parts = [*parts_of(mask("vertebrae_L1", (0, 0, 0))), *parts_of(mask("heart", (1, 1, 1)))]
    result = combine(parts, keep_values=True)
    assert (result.data[0, 0, 0], result.data[1, 1, 1]) == (22, 1)
    assert result.data.dtype == np.uint8
    kept = combine(parts_of(labels()), keep_values=True)
    np.testing.assert_array_equal(kept.data, labels().data)


def test_the_first_of_two_that_overlap_counts(caplog: pytest.LogCaptureFixture) -> None:
    first = mask("vertebrae_L1", (slice(0, 2), 0, 0))
    second = mask("vertebrae_L2", (slice(1, 3), 0, 0))
    result = combine([*parts_of(first), *parts_of(second)], keep_values=True)
    assert result.data[:3, 0, 0].tolist() == [22, 22, 21]
    assert "overlap in 1 voxels" in caplog.text


def test_two_classes_of_one_value_are_refused() -> None:
    other = with_names(labels(), dict.fromkeys(VALUES, "sacrum"))
    with pytest.raises(InputError, match="both have the value"):
        combine([*parts_of(labels()), *parts_of(other)], keep_values=True)


def test_other_grids_and_nothing_are_refused() -> None:
    moved = Image(mask("b", (0, 0, 0)).data, Space(SPACE.shape, np.diag([1.0, 1, 3, 1])))
    with pytest.raises(SpaceMismatch, match="differ in"):
        combine([*parts_of(mask("a", (0, 0, 0))), *parts_of(moved)])
    with pytest.raises(InputError, match="nothing to combine"):
        combine([])
