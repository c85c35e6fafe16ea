"""How often images are drawn, beside the digital spine."""

from __future__ import annotations

import pytest

from spinetools.training.nnunet_phantom import repeated

MADE = [f"phantom_{number:06d}_00" for number in range(90)]
REAL = [f"real_{number}" for number in range(29)]


@pytest.mark.parametrize("share", [0.1, 0.5, 0.7])
def test_share_of_images_is_about_what_was_asked_for(share: float) -> None:
    """Every case stays, and images are drawn about as often as asked for."""
    cases = repeated(MADE + REAL, share)
    assert set(cases) == {*MADE, *REAL}
    got = sum(case.startswith("real_") for case in cases) / len(cases)
    assert got == pytest.approx(share, abs=0.06)


def test_one_kind_alone_or_nothing_asked_for() -> None:
    """Nothing to weigh: as they are; 0 and 1 leave a kind out."""
    assert repeated(MADE + REAL, None) == MADE + REAL
    assert repeated(MADE, 0.5) == MADE
    assert repeated(REAL, 0.5) == REAL
    assert repeated(MADE + REAL, 0) == MADE
    assert repeated(MADE + REAL, 1) == REAL
