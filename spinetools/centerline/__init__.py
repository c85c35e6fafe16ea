"""The cord's centreline: detection, and the curve through it."""

from spinetools.centerline.extract import (
    Centreline,
    centreline_through,
    draw,
    fitted_centreline,
    optic_centreline,
    with_sizes,
)
from spinetools.centerline.fit import Curve, fit_curve

__all__ = [
    "Centreline",
    "Curve",
    "centreline_through",
    "draw",
    "fit_curve",
    "fitted_centreline",
    "optic_centreline",
    "with_sizes",
]
