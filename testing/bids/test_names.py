"""Names of BIDS: what they say, and which are none."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinetools.bids import BidsName, contrast_of, parse_name
from spinetools.bids.names import INDICES, ORDER
from spinetools.errors import InputError

LABELS = st.text("abcXYZ0129+", min_size=1, max_size=8)


@given(
    st.dictionaries(st.sampled_from(ORDER), LABELS).map(lambda found: {**found, "sub": "01"}),
    st.sampled_from(("T2w", "dseg", "mask")),
    st.sampled_from((".nii.gz", ".json", ".tsv")),
)
def test_a_name_is_the_same_after_parsing(
    entities: dict[str, str], suffix: str, extension: str
) -> None:
    text = str(BidsName(entities, suffix, extension))
    name = parse_name(f"anywhere/{text}")
    assert str(name) == text
    assert dict(name.entities) == entities
    assert (name.suffix, name.extension) == (suffix, extension)
    assert list(name.entities) == [key for key in ORDER if key in entities]


def test_the_folder_of_a_name() -> None:
    assert parse_name("sub-01_ses-02_run-1_T2w.nii.gz").folder == "sub-01/ses-02"
    assert parse_name("sub-01_T2w.nii.gz").folder == "sub-01"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("t2.nii.gz", "no subject"),
        ("sub-01.nii.gz", "no subject"),
        ("sub-01_.nii.gz", "no suffix"),
        ("sub-01_T2w_seg.nii.gz", "'T2w' is no entity"),
        ("sub-01_run-1_run-2_T2w.nii.gz", "'run' occurs twice"),
        ("sub-01_acq-_T2w.nii.gz", "letters, digits"),
        ("sub-0 1_T2w.nii.gz", "letters, digits"),
        ("sub-é_T2w.nii.gz", "letters, digits"),
        ("sub-<b>_T2w.nii.gz", "letters, digits"),
        ("sub-01_acq-a-b_T2w.nii.gz", "letters, digits"),
        ("sub-01\n_T2w.nii.gz", "letters, digits"),
        ("sub-01_Acq-a_T2w.nii.gz", "'Acq-a' is no entity"),
        ("sub-01_T2w copy.nii.gz", "no suffix"),
    ],
)
def test_what_is_no_name(name: str, why: str) -> None:
    with pytest.raises(InputError, match=re.escape(why)) as caught:
        parse_name(name)
    assert "\n" not in str(caught.value)
    assert "expected one like sub-01_T2w.nii.gz" in str(caught.value)


def test_one_image_by_two_names() -> None:
    assert "run" in INDICES
    same = [parse_name(name).key for name in (
        "sub-01_run-1_T2w.nii.gz", "sub-01_run-01_T2w.nii", "sub-01_run-001_T2w.nii.gz",
    )]  # fmt: skip
    assert len(set(same)) == 1
    other = parse_name("sub-01_run-2_T2w.nii.gz").key, parse_name("sub-01_run-1_T1w.nii.gz").key
    assert not set(other) & set(same)
    # a label is no number: these two are two subjects
    assert parse_name("sub-1_T2w.nii").key != parse_name("sub-01_T2w.nii").key
    assert parse_name("sub-A_T2w.nii").key == parse_name("sub-a_T2w.nii").key


@pytest.mark.parametrize(
    ("name", "contrast"),
    [
        ("sub-01_T1w", "t1"),
        ("sub-01_acq-T1w_MTS", "t1"),
        ("sub-01_ses-2_acq-T1w_flip-2_mt-off_MTS", "t1"),
        ("sub-01_flip-1_mt-on_MTS", "t2s"),
        ("sub-01_acq-T1w_T2w", "t2"),
        ("sub-01_dwi", "dwi"),
        ("sub-01_bold", ""),
        ("T2w", ""),
    ],
)
def test_the_contrast_that_a_name_tells(name: str, contrast: str) -> None:
    assert contrast_of(name) == contrast
