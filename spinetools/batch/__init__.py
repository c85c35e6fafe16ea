"""Batches: a user's script on every subject of a study, on this machine or a cluster.

What it needs (dask.distributed, dask-jobqueue) comes with the extra ``batch`` and is imported when
a batch runs, so that this package itself stays light: workers import it for each job.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spinetools.batch.params import EXECUTORS, BatchParams
    from spinetools.batch.progress import Progress
    from spinetools.batch.record import Record
    from spinetools.batch.run import BatchReport, run_batch
    from spinetools.batch.subjects import Selection

__all__ = [
    "EXECUTORS",
    "BatchParams",
    "BatchReport",
    "Progress",
    "Record",
    "Selection",
    "run_batch",
]

_MODULES = {
    "EXECUTORS": "params",
    "BatchParams": "params",
    "BatchReport": "run",
    "Progress": "progress",
    "Record": "record",
    "Selection": "subjects",
    "run_batch": "run",
}


def __getattr__(name: str) -> Any:
    """Import a part of the Python interface when it is first asked for."""
    if name in _MODULES:
        from importlib import import_module

        return getattr(import_module(f"spinetools.batch.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
