"""What the pipeline asks of a network, whichever engine runs it."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from spinetools.image import Space

F32 = npt.NDArray[np.float32]


class Network(Protocol):
    """A segmentation network on an isotropic grid that runs right, front and up."""

    @property
    def name(self) -> str:
        """Name, for sidecars and messages."""
        ...

    @property
    def classes(self) -> tuple[str, ...]:
        """Meaning of the output's channels."""
        ...

    @property
    def spacing_mm(self) -> float:
        """Voxel size that it was trained at, mm."""
        ...

    def probabilities(
        self, channels: F32, space: Space, mean_sd: tuple[float, float] | None = None
    ) -> F32:
        """Return the probability of each class in each voxel.

        Parameters
        ----------
        channels
            (C, X, Y, Z): the image as it is (normalising is the network's own business), and what
            else it reads.
        space
            The grid.
        mean_sd
            Of the image's intensities, where the channels were cut out of a larger image:
            normalised as the whole was, a part looks as it did there.

        Returns
        -------
        ndarray of float32
            (classes, X, Y, Z), 0–1, with a sum of 1.
        """
        ...


class Networks(Protocol):
    """The networks of a cascade."""

    @property
    def step1(self) -> Network:
        """Classes as in :data:`~spinetools.vertebrae.classes.STEP1`."""
        ...

    @property
    def step2(self) -> Network | None:
        """Classes as in :data:`~spinetools.vertebrae.classes.STEP2`; None for the fast way only."""
        ...

    @property
    def region(self) -> Network | None:
        """Finds the spine at low resolution: its first class is background; None: no such one."""
        ...
