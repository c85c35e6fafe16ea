"""The parser of every command, and the options that commands share."""

from __future__ import annotations

import argparse
import difflib
import math
import re
import sys
import textwrap
from collections.abc import Sequence
from typing import Any, NoReturn

from spinetools._version import __version__

# a dash and a letter, also after digits (-2d-slices); -1 and -0.5 are numbers
_LOOKS_LIKE_OPTION = re.compile(r"^-{1,2}\d*[A-Za-z]")
#: No image has more slices or volumes; a longer range is a slip that would fill the memory.
_MOST_IN_RANGE = 100_000

#: What every input may be.
INPUTS = ".nii.gz, .nii; DICOM folder or zip, with #N for its series N"


class StParser(argparse.ArgumentParser):
    """An ArgumentParser with single-dash long options that takes options only in full.

    argparse alone reads ``-ofolder=d`` as ``-o folder=d`` where only ``-o`` is declared, and
    matches ``-qc-data`` to ``-qc-dataset``. Here a token that starts with a dash and a letter must
    be an exact option; otherwise the nearest one is suggested and the exit code is 2.

    Parameters
    ----------
    prog
        The command's name.
    description
        First paragraphs of the help, with an empty line between; they are wrapped.
    example
        One or more command lines shown at the end of the help.
    bare
        Whether a command that has options may be called without any; otherwise that is a usage
        error, also where none of them is required.
    """

    def __init__(self, prog: str, description: str, example: str = "", bare: bool = False) -> None:
        epilog = f"example:\n  {example}" if example else None
        super().__init__(
            prog=prog,
            description="\n\n".join(textwrap.fill(p, 79) for p in description.split("\n\n")),
            epilog=epilog,
            add_help=False,
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        group = self.add_argument_group("general")
        group.add_argument("-h", "-help", "--help", action="help", help="show this help and exit")
        group.add_argument(
            "-version",
            "--version",
            action="version",
            version=f"{prog} (spinetools {__version__})",
            help="show the version and exit",
        )
        group.add_argument(
            "-v",
            type=int,
            choices=(0, 1, 2),
            default=1,
            help="how much to say: 0 errors only, 1 notices, 2 details and tracebacks (default 1)",
        )
        self._bare, self._n_general = bare, len(self._actions)

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Refuse tokens that look like an option but are none; then parse as argparse does."""
        tokens = list(sys.argv[1:] if args is None else args)
        known = self._option_string_actions
        for token in tokens:
            if token == "--":
                break
            if not _LOOKS_LIKE_OPTION.match(token) or token in known:
                continue
            name, equals, value = token.partition("=")
            if equals and name in known:
                self.error(f"{token!r}: write {name} {value} (a space, no '=')")
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            hint = f"; did you mean {near[0]}?" if near else "; -h lists the options"
            self.error(f"unknown option {token!r}{hint}")
        parsed = super().parse_known_args(tokens, namespace)
        if not tokens and not self._bare and len(self._actions) > self._n_general:
            self.error("no arguments: -h shows the options")
        return parsed

    def _get_option_tuples(self, option_string: str) -> list[Any]:
        """Match no option by its beginning: ``-2`` is a number even beside ``-2d-slices``."""
        return []

    def error(self, message: str) -> NoReturn:
        """Print one line on stderr and exit with 2."""
        self.exit(2, f"{self.prog}: {message}\n")


def add_input(parser: argparse.ArgumentParser, what: str = "image") -> None:
    """Declare ``-i`` and ``-volume``."""
    group = parser.add_argument_group("input")
    group.add_argument("-i", required=True, metavar="FILE", help=f"the {what} ({INPUTS})")
    if what == "image":
        group.add_argument(
            "-volume",
            type=int,
            metavar="N",
            help="which volume of a 4D image, from 0 (default: the mean over time)",
        )


def add_output(parser: argparse.ArgumentParser, default_name: str) -> None:
    """Declare ``-o`` and ``-ofolder``."""
    group = parser.add_argument_group("output")
    group.add_argument("-o", metavar="FILE", help=f"output file (default: {default_name})")
    group.add_argument(
        "-ofolder", metavar="DIR", help="output folder, made if missing (default: the current one)"
    )


def add_qc(parser: argparse.ArgumentParser) -> None:
    """Declare ``-qc``, ``-qc-dataset`` and ``-qc-subject``."""
    group = parser.add_argument_group("quality control")
    group.add_argument("-qc", metavar="DIR", help="add an entry to the QC report in this folder")
    group.add_argument("-qc-dataset", metavar="NAME", help="data set's name in the QC report")
    group.add_argument("-qc-subject", metavar="NAME", help="subject's name in the QC report")


def add_temporary(parser: argparse.ArgumentParser) -> None:
    """Declare ``-r``."""
    parser.add_argument(
        "-r",
        type=int,
        choices=(0, 1),
        default=1,
        help="remove temporary files: 1 yes, 0 keep intermediate results (default 1)",
    )


def add_allow_empty(parser: argparse.ArgumentParser) -> None:
    """Declare ``-allow-empty``."""
    parser.add_argument(
        "-allow-empty",
        action="store_true",
        help="write an empty mask, with a warning, where no spine is found (default: an error)",
    )


def on_off(parser: Any, name: str, default: int, text: str) -> None:
    """Declare an option that takes 0 or 1, as SCT's do."""
    parser.add_argument(
        name, type=int, choices=(0, 1), default=default, help=f"{text} (default {default})"
    )


def number_in(
    low: float | None = None, high: float | None = None, kind: type[float] | type[int] = float
) -> Any:
    """Return an argparse type: a number within closed limits."""

    def parse(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
        if (
            not math.isfinite(value)
            or (low is not None and value < low)
            or (high is not None and value > high)
        ):
            limits = " and ".join(
                f"{word} {limit:g}"
                for word, limit in (("at least", low), ("at most", high))
                if limit is not None
            )
            raise argparse.ArgumentTypeError(
                f"{text} is out of range, expected {limits or 'a number'}"
            )
        return value

    return parse


def numbers(separator: str, kind: type[float] | type[int] = int, count: int | None = None) -> Any:
    """Return an argparse type: numbers with a separator between, e.g. ``1x1x2`` or ``0,5,10``.

    ``first:last`` stands for a range of whole numbers where the separator is a comma.
    """

    def parse(text: str) -> list[float]:
        values: list[float] = []
        new: Sequence[float]
        for part in text.split(separator):
            first, colon, last = part.partition(":")
            try:
                if colon and separator == "," and kind is int:
                    if int(last) - int(first) >= _MOST_IN_RANGE:
                        raise argparse.ArgumentTypeError(
                            f"{text!r}: a range of more than {_MOST_IN_RANGE} numbers"
                        )
                    new = [*range(int(first), int(last) + 1)]
                else:
                    new = [kind(part)]
                if not new or not all(map(math.isfinite, new)):
                    raise ValueError
                values.extend(new)
            except ValueError:
                example = separator.join("123"[: count or 3])
                raise argparse.ArgumentTypeError(
                    f"{text!r}: expected numbers like {example}"
                ) from None
        if count is not None and len(values) != count:
            raise argparse.ArgumentTypeError(
                f"{text!r}: expected {count} numbers, got {len(values)}"
            )
        return values

    return parse


def tuples(count: int) -> Any:
    """Return an argparse type: groups of numbers with colons between, e.g. ``3,1:9,2``."""
    group = numbers(",", count=count)

    def parse(text: str) -> list[list[int]]:
        return [group(part) for part in text.split(":")]

    return parse
