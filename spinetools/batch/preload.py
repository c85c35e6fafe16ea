"""What each worker does first (dask calls it by this module's name)."""

from __future__ import annotations

import signal
from contextlib import suppress
from typing import Any


def dask_setup(_worker: Any) -> None:
    """Leave a Ctrl-C at the terminal to the batch, which then ends its workers."""
    with suppress(ValueError):  # Python sets handlers in the main thread only
        signal.signal(signal.SIGINT, signal.SIG_IGN)
