"""Which images of a data set are wanted: ``-include`` and ``-exclude``."""

from __future__ import annotations

import re
from collections.abc import Iterable

from spinetools.errors import InputError


def compile_pattern(text: str | None, option: str) -> re.Pattern[str] | None:
    """Return the regular expression of an option; None where it is not given.

    Raises
    ------
    InputError
        When it is malformed.
    """
    try:
        return None if text is None else re.compile(text)
    except re.error as error:
        raise InputError(f"{option} {text!r} is no regular expression: {error}") from None


def matching(paths: Iterable[str], include: str | None, exclude: str | None) -> list[str]:
    """Return the paths in which ``include`` is found and ``exclude`` is not.

    Parameters
    ----------
    paths
        Images, below the data set's root: ``sub-01/anat/sub-01_T2w.nii.gz``.
    include, exclude
        Regular expressions, looked for anywhere in the path.

    Raises
    ------
    InputError
        When a pattern is malformed.
    """
    wanted, unwanted = compile_pattern(include, "-include"), compile_pattern(exclude, "-exclude")
    return [
        path
        for path in paths
        if (wanted is None or wanted.search(path))
        and (unwanted is None or not unwanted.search(path))
    ]
