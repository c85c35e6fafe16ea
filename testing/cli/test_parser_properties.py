"""Whatever is typed: a parser gives what was asked for, or one line and exit code 2."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spinetools.cli._parser import number_in, numbers

from .conftest import entry_points

COMMANDS = sorted(entry_points())
words = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ["-i", "-o", "-v", "2", "x.nii.gz", "--", "-", "-1", "-1e5", "nan", "@file", ""]
    ),
    st.from_regex(r"\A--?[a-zA-Z][a-z-]{0,8}(=.{0,3})?\Z"),
)


def _outcome(command: str, arguments: list[str]) -> tuple[int | None, str]:
    parser = importlib.import_module(f"spinetools.cli.{command}").get_parser()
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        try:
            parser.parse_args(arguments)
        except SystemExit as stop:
            return int(str(stop.code)), said.getvalue()
    return None, said.getvalue()


@given(st.sampled_from(COMMANDS), st.lists(words, max_size=6))
@settings(max_examples=300, deadline=None)
def test_any_words_parse_or_are_a_usage_error(command: str, arguments: list[str]) -> None:
    code, said = _outcome(command, arguments)
    assert code in (None, 0, 2)
    if code == 2:
        assert said.startswith(f"{command}: ")
        assert "Traceback" not in said


@given(st.sampled_from(COMMANDS), st.from_regex(r"\A-[a-zA-Z][a-zA-Z-]{0,14}\Z"))
@settings(max_examples=200, deadline=None)
def test_no_option_is_taken_that_is_not_declared(command: str, option: str) -> None:
    parser = importlib.import_module(f"spinetools.cli.{command}").get_parser()
    code, said = _outcome(command, [option, "x"])
    if option not in parser._option_string_actions:
        assert code == 2
        assert f"unknown option {option!r}" in said


@given(st.floats(-100, 100), st.floats(0, 100), st.text(max_size=8))
def test_numbers_lie_within_their_limits(low: float, width: float, text: str) -> None:
    parse = number_in(low, low + width)
    for word in (text, str(low), str(low + width), str(low - 1), "nan", "inf", "1e400"):
        try:
            value = parse(word)
        except argparse.ArgumentTypeError:
            continue
        assert low <= value <= low + width
        assert math.isfinite(value)
    assert parse(repr(low)) == low


@given(st.lists(st.integers(-(10**6), 10**6), min_size=1, max_size=6))
def test_lists_of_numbers_come_back(values: list[int]) -> None:
    text = ",".join(str(value) for value in values)
    assert numbers(",")(text) == values
    assert numbers(",", count=len(values))(text) == values
    with pytest.raises(argparse.ArgumentTypeError, match="expected"):
        numbers(",", count=len(values) + 1)(text)


def test_a_range_that_fills_the_memory_is_refused() -> None:
    for text in ("0:99999999999", "1,2:3,-5:10000000000000000000000"):
        with pytest.raises(argparse.ArgumentTypeError, match="range of more than"):
            numbers(",")(text)
    assert len(numbers(",")("0:99999")) == 100_000


@given(st.text(alphabet="0123456789,:x.-e ", max_size=12))
@settings(max_examples=200, deadline=None)
def test_any_text_is_a_list_of_numbers_or_an_error(text: str) -> None:
    for parse in (numbers(","), numbers("x", float), numbers(",", count=3)):
        try:
            values = parse(text)
        except argparse.ArgumentTypeError:
            continue
        assert values
        assert all(math.isfinite(value) for value in values)
