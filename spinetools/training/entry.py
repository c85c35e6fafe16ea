"""How the training scripts end: a known error is one line, as it is of a command."""

from __future__ import annotations

import sys
from collections.abc import Callable

from spinetools.errors import SpinetoolsError


def run_script(main: Callable[[], None]) -> None:
    """Run a script's main function; a known error is said in one line, with exit code 1."""
    try:
        main()
    except SpinetoolsError as error:
        sys.exit(f"error: {' '.join(str(error).split())}")
