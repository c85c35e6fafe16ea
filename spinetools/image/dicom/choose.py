"""Which series of a study is meant: by what the user says, or because only one can be."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Sequence

from spinetools.errors import InputError
from spinetools.image.dicom.series import Series
from spinetools.series import SEPARATOR

logger = logging.getLogger(__name__)

#: A study has tens of series; of a disk full of studies, this many are listed.
MOST_LISTED = 60
PART = re.compile(r"(?P<series>.+)\.(?P<part>[1-9]\d?)")


def choose(
    series: Sequence[Series], asked: str | None, contrast: str | None, given: str
) -> tuple[Series, int | None, str]:
    """Choose a series, or list all of them and raise.

    Without a wish, a series that is no localizer, is not worked out from others and has slices
    enough is taken where it is the only one, or the only one of the contrast.

    Parameters
    ----------
    series
        As :func:`spinetools.image.dicom.series.find_series` gives them.
    asked
        What the user put after ``#``: number, UID, description or a part of it; with ``.2``, the
        second image of the series.
    contrast
        ``t1``, ``t2``, ``t2s`` or ``dwi``, as ``-c`` says; None or another word for any.
    given
        The input as the user gave it, for messages.

    Returns
    -------
    series, part, reason
        The part counts from 1; None where none was asked for.

    Raises
    ------
    InputError
        When none or several fit.
    """
    if asked is not None:
        return _asked_for(series, asked, given)
    likely = [one for one in series if not one.unfit]
    alike = [one for one in likely if one.contrast == contrast] if contrast else []
    if len(series) == 1 and (likely or series[0].unfit == "worked out from others (derived)"):
        return series[0], None, "the only one"
    if len(likely) == 1:
        return likely[0], None, f"the other {_count(len(series) - 1)} cannot be meant"
    if len(alike) == 1:
        return alike[0], None, f"the only {(contrast or '').upper()} of {len(likely)} that may be"
    if len(series) == 1:
        raise InputError(
            f"{given} holds one series, and it is not taken by itself: {series[0].unfit}; if it is "
            f"meant, say so: {_quoted(given, handle(series[0], series))}"
        )
    say_list(series, given)
    example = handle((alike or likely or list(series))[0], series)
    those = f"{len(alike or likely)} of {len(series)} series may be meant"
    raise InputError(
        f"{given}: {those if likely else f'none of {len(series)} series is taken by itself'} "
        f"(listed above); say which, by its number, like {_quoted(given, example)}"
    )


def say_list(series: Sequence[Series], given: str) -> None:
    """Tell the series, a line each."""
    logger.info("series in %s:", given)
    for one in series[:MOST_LISTED]:
        logger.info("  %s%s  %s", SEPARATOR, handle(one, series), describe(one))
    if len(series) > MOST_LISTED:
        logger.info("  … and %d more", len(series) - MOST_LISTED)


def describe(one: Series) -> str:
    """Say in a line what a series is."""
    rows, columns, count = one.shape
    plane = one.plane or "no one plane"
    parts = [
        one.description or "(no description)", one.modality or "?", plane,
        f"{count} × {columns} × {rows}",
    ]  # fmt: skip
    if all(size > 0 for size in one.spacing):
        parts.append(f"{one.spacing[1]:.3g} × {one.spacing[0]:.3g} × {one.spacing[2]:.3g} mm")
    if one.contrast:
        parts.append(one.contrast.upper())
    if one.n_frames > count > 0 and one.plane:
        parts.append(f"{one.n_frames} images")
    return f"{', '.join(parts)}{f' – {one.unfit}' if one.unfit else ''}"


def handle(one: Series, series: Sequence[Series]) -> str:
    """Return what names a series among the others: its number, or its UID where that is shared."""
    alone = sum(other.number == one.number for other in series) == 1
    return str(one.number) if alone and one.number > 0 else one.uid


def _asked_for(series: Sequence[Series], asked: str, given: str) -> tuple[Series, int | None, str]:
    split = PART.fullmatch(asked)
    wishes: list[tuple[str, int | None]] = [(asked, None)]
    if split:
        wishes.append((split["series"], int(split["part"])))
    for wish, part in wishes:
        found = _matching(series, wish)
        if len(found) == 1:
            return found[0], part, "as asked for"
        if found:
            say_list(found, given)
            raise InputError(
                f"{given}: {wish!r} fits {len(found)} series (listed above); say which, like "
                f"{_quoted(_base(given, asked), handle(found[0], series))}"
            )
    say_list(series, _base(given, asked))
    raise InputError(
        f"{given}: no series has the number, UID or description {asked!r}; those that there are, "
        "are listed above"
    )


def _matching(series: Sequence[Series], wish: str) -> list[Series]:
    """Return the series that a wish fits best: UID, number, whole description, part of it."""
    low = wish.strip().lower()
    ways = (
        [one for one in series if one.uid == wish],
        [one for one in series if str(one.number) == wish.strip()],
        [one for one in series if one.description.lower() == low],
        [one for one in series if len(low) > 1 and low in one.description.lower()],
    )
    return next((found for found in ways if found), [])


def _base(given: str, asked: str) -> str:
    return os.fspath(given).removesuffix(f"{SEPARATOR}{asked}")


def _quoted(given: str, wish: str) -> str:
    text = f"{given}{SEPARATOR}{wish}"
    return f"'{text}'" if " " in text else text


def _count(number: int) -> str:
    return "one" if number == 1 else str(number)
