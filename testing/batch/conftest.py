"""Studies and scripts for batches."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

WriteScript = Callable[[str], Path]


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A study of four subjects without images."""
    for number in range(1, 5):
        (tmp_path / "data" / f"sub-0{number}").mkdir(parents=True)
    return tmp_path / "data"


@pytest.fixture
def write_script(tmp_path: Path) -> WriteScript:
    """Write a shell script that stops at its first error."""

    def write(text: str) -> Path:
        path = tmp_path / "process.sh"
        path.write_text(f"#!/usr/bin/env bash\nset -euo pipefail\n{text}\n")
        return path

    return write


def wait_until(ready: Callable[[], object], seconds: float = 60) -> None:
    """Wait for something to be so; fail where it does not come."""
    until = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < until, "it did not come"
        time.sleep(0.05)


def alive(pid: int) -> bool:
    """Whether a process lives, zombies aside."""
    try:
        os.kill(pid, 0)
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
