"""What a training was made from."""

from __future__ import annotations

import subprocess


def commit() -> str:
    """Return the commit that is checked out, or ``unknown``."""
    try:
        answer = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
        )
    except OSError:  # no git here
        return "unknown"
    return answer.stdout.strip() or "unknown"
