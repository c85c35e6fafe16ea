"""Networks whose answers are kept in a folder, so that what follows them is run again in no time.

An answer is found again by all that was asked of a network of this name and version: a rule that
changes what a step reads makes its network run anew. How tiles overlap is no part of that: such
networks need folders of their own. A kept answer is rounded to three decimals, also when it is new.
"""

from __future__ import annotations

import gzip
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spinetools.image import Space
from spinetools.vertebrae.engines import LoadedNetworks
from spinetools.vertebrae.networks import F32, Network, Networks


@dataclass(frozen=True)
class KeptNetwork:
    """A network, see :class:`~spinetools.vertebrae.networks.Network`, with its answers kept."""

    network: Network
    folder: Path

    @property
    def name(self) -> str:
        """Name and version of the model."""
        return self.network.name

    @property
    def classes(self) -> Sequence[str]:
        """Meaning of the output's channels."""
        return self.network.classes

    @property
    def spacing_mm(self) -> float:
        """Voxel size that it was trained at, mm."""
        return self.network.spacing_mm

    def probabilities(
        self, channels: F32, space: Space, mean_sd: tuple[float, float] | None = None
    ) -> F32:
        """Return the kept answer, or ask for it."""
        asked = hashlib.sha256(np.ascontiguousarray(channels, np.float32).tobytes())
        asked.update(repr((self.name, channels.shape, space.affine.tolist(), mean_sd)).encode())
        path = self.folder / f"{asked.hexdigest()[:24]}.npy.gz"
        if not path.exists():
            answer = self.network.probabilities(channels, space, mean_sd)
            # two runs may share the folder
            new = path.with_suffix(f".{os.getpid()}.tmp")
            with gzip.open(new, "wb", compresslevel=1) as stream:
                np.save(stream, answer.round(3).astype(np.float16))
            new.replace(path)
        with gzip.open(path) as stream:
            return np.load(stream).astype(np.float32)


def keeping(networks: Networks, folder: Path) -> LoadedNetworks:
    """Return networks that keep their answers in a folder, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    step1, step2, region = (
        None if network is None else KeptNetwork(network, folder)
        for network in (networks.step1, networks.step2, networks.region)
    )
    assert step1 is not None
    return LoadedNetworks(step1, step2, region)
