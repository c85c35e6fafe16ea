"""Image input and output: Space, Image, orientation, resampling."""

from spinetools.image.image import Image
from spinetools.image.load import load_grid, load_mask, load_volume
from spinetools.image.resample import resample_to, resample_to_spacing
from spinetools.image.space import Space

__all__ = [
    "Image",
    "Space",
    "load_grid",
    "load_mask",
    "load_volume",
    "resample_to",
    "resample_to_spacing",
]
