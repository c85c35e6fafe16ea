"""How far a batch is, and how long it will still take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """How far a batch is.

    Attributes
    ----------
    total
        Subjects to run; without those that ``-resume`` leaves out.
    done, failed
        Subjects that have come to an end; ``failed`` with those that are lost for good.
    running
        Subjects that a worker has.
    lost
        Attempts that were lost with their worker so far.
    workers
        Workers there are.
    seconds
        Since the start.
    eta_seconds
        Until the end; None as long as no subject has come to one.
    """

    total: int
    done: int = 0
    failed: int = 0
    running: tuple[str, ...] = ()
    lost: int = 0
    workers: int = 0
    seconds: float = 0.0
    eta_seconds: float | None = None


def seconds_left(
    finished_s: Sequence[float], running_s: Sequence[float], n_waiting: int, n_at_once: int
) -> float | None:
    """Estimate the time to the end.

    Every subject is expected to take the mean of those that are finished; one that has run longer
    than that could end at any moment.

    Parameters
    ----------
    finished_s
        How long each finished subject took.
    running_s
        How long each running one has run.
    n_waiting
        How many have not begun.
    n_at_once
        How many run at once.

    Returns
    -------
    float or None
        Seconds; None before the first subject is finished.
    """
    if not finished_s:
        return None
    mean = sum(finished_s) / len(finished_s)
    left = [max(0.0, mean - ran) for ran in running_s]
    # shared out evenly, but never shorter than one that has not begun takes
    shared = (sum(left) + mean * n_waiting) / max(1, min(n_at_once, n_waiting + len(left)))
    return max([shared, *left, mean if n_waiting else 0.0])


def words(seconds: float) -> str:
    """Write a time as people say it: ``41 s``, ``12 min``, ``3 h 20 min``."""
    whole = round(seconds)
    if whole < 90:
        return f"{whole} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"
