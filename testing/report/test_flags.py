"""What the report says of the numbering."""

from __future__ import annotations

from typing import Any

import pytest

from spinetools.report.flags import flags_of


@pytest.mark.parametrize(
    ("numbering", "variant", "reasons"),
    [
        ({}, "", []),
        ({"Confidence": 0.95, "Variant": "none"}, "", []),
        ({"Variant": "T13"}, "", ["the count of vertebrae is unusual: T13"]),
        ({}, "L6", ["the count of vertebrae is unusual: L6"]),
        (
            {"Variant": "lumbarised", "VariantProbability": {"lumbarised": 0.41}},
            "",
            ["S1 may be lumbarised in part (probability 0.41)"],
        ),
        ({"Variant": "sacralised"}, "", ["L5 may be sacralised in part"]),
        (
            {"Variant": "sacralised", "VariantProbability": None},
            "",
            ["L5 may be sacralised in part"],
        ),
        (
            {"Variant": "T13", "VariantProbability": {"T13": "high"}},
            "",
            ["the count of vertebrae is unusual: T13"],
        ),
    ],
)
def test_an_unusual_count_is_no_transition(
    numbering: dict[str, Any], variant: str, reasons: list[str]
) -> None:
    assert [flag.reason for flag in flags_of([], [], numbering, variant)] == reasons


def test_an_uncertain_numbering_names_what_else_it_may_be() -> None:
    others = [{"Numbering": "L1-L2 to L5-S", "Probability": 0.3}]
    (flag,) = flags_of([], [], {"Confidence": 0.5, "Alternatives": others}, "")
    assert flag.kind == "numbering"
    assert "0.50" in flag.reason
    assert "L1-L2 to L5-S (0.30)" in flag.reason
