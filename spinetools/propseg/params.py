"""Parameters of PropSeg, with the names and the default values that users of SCT know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from spinetools.errors import InputError

Contrast = Literal["t1", "t2", "t2s", "dwi"]
LeakAction = Literal["warn", "bridge", "stop"]

#: +1: the cord is darker than what surrounds it; −1: it is brighter.
POLARITY: dict[str, int] = {"t1": -1, "t2": 1, "t2s": 1, "dwi": -1}

#: Where raters draw the edge: fraction of the way from the cord's level to the surrounding's.
#: Chosen so that the mean area is right on the training images (testing/benchmark/calibrate.py):
#: 3D T2w errsm11 and errsm18; T2*w gm9418, gm9584 and gm10062. T1w and DWI have no training image.
EDGE_FRACTION: dict[str, float] = {"t1": 0.32, "t2": 0.43, "t2s": 0.32, "dwi": 0.40}


@dataclass(frozen=True)
class PropsegParams:
    """What can be set in PropSeg.

    Attributes
    ----------
    radius_mm
        Approximate radius of the cord, where the tube starts from.
    down_voxels, up_voxels
        How many slices to propagate downwards and upwards; None for as far as it goes.
    init
        Where to start: a slice index from the lowest, or a fraction of the slices (below 1).
    n_iterations
        Most sections that one direction may grow by.
    max_area_mm2
        Propagation stops where the area is larger *and* jumps.
    max_deformation_mm
        Propagation stops where a section has to deform more than this.
    min_contrast
        Propagation stops where the last three sections' mean contrast is lower, in units of a
        thousandth of the intensity range round the cord.
    distance_weight
        Weight d of the squared distance to the prior surface in the search for the edge.
    distance_search_mm
        How far from the prior surface the edge is searched.
    alpha
        Stiffness of the surface.
    rescale
        Factor on the image's size, for cords that are not of human size: 2 for one half as wide.
    correct
        Remove slices that cannot be cord: several components, or far from the mesh's centre.
    leak
        What to do with slices where the surface leaks.
    """

    radius_mm: float = 4.0
    down_voxels: int | None = None
    up_voxels: int | None = None
    init: float = 0.5
    n_iterations: int = 200
    max_area_mm2: float = 120.0
    max_deformation_mm: float = 2.5
    min_contrast: float = 50.0
    distance_weight: float = 10.0
    distance_search_mm: float = 15.0
    alpha: float = 25.0
    rescale: float = 1.0
    correct: bool = True
    leak: LeakAction = "warn"

    def __post_init__(self) -> None:
        positive = {
            "radius": self.radius_mm,
            "max-area": self.max_area_mm2,
            "max-deformation": self.max_deformation_mm,
            "rescale": self.rescale,
            "nbiter": self.n_iterations,
            "distance-search": self.distance_search_mm,
        }
        for name, value in positive.items():
            if value <= 0:
                raise InputError(f"{name} is {value:g}, expected a number above zero")
