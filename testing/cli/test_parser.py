"""The parser that every command uses: its own rules, apart from any command."""

from __future__ import annotations

import argparse

import pytest

from spinetools.cli._parser import StParser, add_input, add_output, add_qc, number_in, numbers


@pytest.fixture
def parser() -> StParser:
    made = StParser("st_x", "First paragraph. " * 12 + "\n\nSecond.", "st_x -i a.nii.gz")
    add_input(made)
    made.add_argument("-o")
    made.add_argument("-shift", type=float, default=0)
    made.add_argument("-2d", action="store_true")
    return made


def _error(parser: StParser, *tokens: str, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as stop:
        parser.parse_args(["-i", "a.nii", *tokens])
    assert stop.value.code == 2
    err = capsys.readouterr().err
    assert err.startswith("st_x: ")
    assert err.count("\n") == 1
    return err


@pytest.mark.parametrize(
    ("token", "said"),
    [
        ("-ofolder=d", "unknown option '-ofolder=d'"),  # argparse alone: -o folder=d
        ("-ofile", "unknown option '-ofile'"),
        ("-shif", "did you mean -shift?"),
        ("-o=file", "write -o file (a space, no '=')"),
        ("--shift", "did you mean -shift?"),
        ("-2dd", "did you mean -2d?"),
        ("-qwertz", "-h lists the options"),
    ],
)
def test_options_are_taken_in_full_only(
    token: str, said: str, parser: StParser, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in _error(parser, token, capsys=capsys)


def test_no_arguments_at_all(capsys: pytest.CaptureFixture[str]) -> None:
    with_options = [StParser("st_x", "x"), StParser("st_x", "x", bare=True)]
    for one in with_options:
        one.add_argument("-c", default="t2")
    with pytest.raises(SystemExit) as stop:
        with_options[0].parse_args([])
    assert stop.value.code == 2
    assert capsys.readouterr().err == "st_x: no arguments: -h shows the options\n"
    assert with_options[1].parse_args([]).c == "t2"
    assert StParser("st_x", "x").parse_args([]).v == 1


def test_negative_numbers_and_dashes_are_values(parser: StParser) -> None:
    assert parser.parse_args(["-i", "a.nii", "-shift", "-2"]).shift == -2
    assert parser.parse_args(["-i", "a.nii", "-shift", "-0.5"]).shift == -0.5
    assert parser.parse_args(["-i", "-", "-o", "x-y"]).i == "-"


def test_words_are_not_taken_for_files(
    parser: StParser, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "unrecognized arguments: b.nii" in _error(parser, "b.nii", capsys=capsys)


def test_the_help_is_wrapped_and_ends_with_the_example(parser: StParser) -> None:
    text = parser.format_help()
    assert max(map(len, text.splitlines())) <= 80
    assert "\n\nSecond.\n" in text
    assert text.endswith("example:\n  st_x -i a.nii.gz\n")


def test_shared_options() -> None:
    parser = StParser("st_x", "x")
    add_input(parser, "mask")
    add_output(parser, "<input>_x")
    add_qc(parser)
    args = parser.parse_args(["-i", "m.nii", "-ofolder", "d", "-qc", "q", "-qc-subject", "s"])
    assert (args.i, args.o, args.ofolder, args.qc) == ("m.nii", None, "d", "q")
    assert (args.qc_dataset, args.qc_subject, args.v) == (None, "s", 1)
    assert not hasattr(args, "volume")


@pytest.mark.parametrize("text", ["nan", "inf", "-1", "11", "x", ""])
def test_numbers_within_limits(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        number_in(0, 10)(text)
    if text == "inf":
        with pytest.raises(argparse.ArgumentTypeError):
            number_in()(text)


def test_numbers_at_their_limits() -> None:
    assert number_in(0, 10)("10") == 10
    assert number_in(0, kind=int)("0") == 0
    with pytest.raises(argparse.ArgumentTypeError, match=r"2.5.* is not a number"):
        number_in(0, kind=int)("2.5")


@pytest.mark.parametrize(
    ("text", "separator", "kind", "expected"),
    [
        ("1,2,3", ",", int, [1, 2, 3]),
        ("0,3:5,9", ",", int, [0, 3, 4, 5, 9]),
        ("1x0.5x2", "x", float, [1, 0.5, 2]),
        ("7", ",", int, [7]),
    ],
)
def test_lists_of_numbers(
    text: str, separator: str, kind: type[int], expected: list[float]
) -> None:
    assert numbers(separator, kind)(text) == expected


@pytest.mark.parametrize("text", ["", "1,", "1,,2", "a", "5:3", "1:2:3", "1.5", "nan"])
def test_lists_that_are_none(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="expected numbers like"):
        numbers(",")(text)
    with pytest.raises(argparse.ArgumentTypeError):
        numbers("x", float, 3)("1xnanx2")
    with pytest.raises(argparse.ArgumentTypeError, match="expected 3 numbers, got 2"):
        numbers("x", float, 3)("1x2")
