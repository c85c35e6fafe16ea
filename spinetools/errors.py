"""The errors that a command reports in one line.

A message has three parts: what was seen, what was expected, and what to do.
"""

from __future__ import annotations


class SpinetoolsError(Exception):
    """Base of every known error; the command line prints it in one line and exits with 1."""


class InputError(SpinetoolsError):
    """An input file or value cannot be used as it is."""


class SpaceMismatch(InputError):
    """Two images that have to share a grid do not."""


class OutputError(SpinetoolsError):
    """A result cannot be written: unwritable folder, full disk, existing folder in the way."""


class NoSpineError(SpinetoolsError):
    """Nothing that looks like a spinal cord was found, so that no result is honest."""


class ModelError(SpinetoolsError):
    """A model is missing, broken, or does not fit its checksum."""


class MissingExtra(SpinetoolsError):
    """An optional dependency is not installed."""
