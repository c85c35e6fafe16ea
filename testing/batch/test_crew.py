"""Workers that do not come back are replaced: with a cluster made for the test."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("distributed")

from spinetools.batch import crew
from spinetools.batch.crew import DaskCrew
from spinetools.errors import SpinetoolsError


class Nanny:
    """What starts a worker."""

    def __init__(self, status: str, alive: bool) -> None:
        self.status, self._alive, self.closed = SimpleNamespace(name=status), alive, False

    def is_alive(self) -> bool:
        return self._alive

    async def close(self) -> None:
        self.closed = True
        raise RuntimeError("it was closed before")


class Cluster:
    """A cluster whose workers are as given; those with a process have come."""

    def __init__(self, **nannies: Nanny) -> None:
        self.workers = dict(nannies)
        state = SimpleNamespace(name="running")
        self.scheduler = SimpleNamespace(
            workers={
                f"tls://{name}": SimpleNamespace(name=name, status=state)
                for name, nanny in nannies.items()
                if nanny.status.name == "running" and nanny.is_alive()
            }
        )
        self.wanted: list[int] = []

    def scale(self, count: int) -> None:
        self.wanted.append(count)

    def sync(self, function: Any, *args: Any) -> None:
        asyncio.run(function(*args))


def test_the_dead_are_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "KEEP_UP_SECONDS", 0.0)
    monkeypatch.setattr(crew, "DEAD_SECONDS", 0.0)
    nannies = {
        "fine": Nanny("running", True),
        "failed": Nanny("failed", False),
        "gone": Nanny("running", False),  # killed while its worker was started again
    }
    cluster = Cluster(**nannies, starting=Nanny("init", True))
    workers = DaskCrew(cluster, None, 4)
    workers.keep_up()
    assert len(cluster.workers) == 4  # a process may be about to be started again
    workers.keep_up()
    assert set(cluster.workers) == {"fine", "starting"}
    assert nannies["failed"].closed
    assert cluster.wanted == [4, 4]


def test_no_worker_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "KEEP_UP_SECONDS", 0.0)
    monkeypatch.setattr(crew, "LOCAL_START_SECONDS", 0.0)
    with pytest.raises(SpinetoolsError, match="no worker has started"):
        DaskCrew(Cluster(a=Nanny("init", True)), None, 1).keep_up()
