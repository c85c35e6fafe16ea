"""A small picture of an entry, for the table of all subjects: the spine from the side."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from spinetools.qc.geometry import Cut
from spinetools.qc.render import label_colour, windowed

#: Height of the picture, twice what the page gives it, for fine screens.
HEIGHT_PX = 176
#: Wider pictures than this are cut on both sides.
MAX_WIDTH_PX = 150
#: How much of a segmentation's colour lies over the grey.
STRENGTH = 0.62

Overlay = tuple[str, npt.NDArray[np.integer] | npt.NDArray[np.bool_]]


def thumbnail(middle: Cut, image: npt.NDArray[np.generic], overlays: Sequence[Overlay]) -> bytes:
    """Draw the sagittal picture that follows the cord, with the segmentations over it.

    Parameters
    ----------
    middle
        A cut whose first tile follows the cord.
    image
        Three-dimensional.
    overlays
        Colour (``#rrggbb``; empty for labels, which have one each) and voxels of each segmentation.

    Returns
    -------
    bytes
        WebP, or PNG where Pillow was built without WebP.
    """
    from PIL import Image as Pillow
    from PIL import features

    grey = windowed(middle.tiles(image)[:1], along=1)[0]
    picture = np.repeat(grey[..., None], 3, axis=2).astype(np.float32)
    for colour, data in overlays:
        tile = middle.tiles(data)[0]
        for value in np.unique(tile[tile > 0])[:64].tolist():
            rgb = _rgb(colour or label_colour(int(value)))
            where = tile == value
            picture[where] = (1 - STRENGTH) * picture[where] + STRENGTH * rgb
    height_mm, width_mm = middle.size_mm
    width = max(1, round(HEIGHT_PX * width_mm / height_mm))
    small = Pillow.fromarray(picture.astype(np.uint8)).resize(
        (width, HEIGHT_PX), Pillow.Resampling.BOX
    )
    if width > MAX_WIDTH_PX:
        left = (width - MAX_WIDTH_PX) // 2
        small = small.crop((left, 0, left + MAX_WIDTH_PX, HEIGHT_PX))
    buffer = io.BytesIO()
    if features.check("webp"):
        small.save(buffer, "WEBP", quality=68, method=2)
    else:
        small.save(buffer, "PNG")
    return buffer.getvalue()


def _rgb(colour: str) -> npt.NDArray[np.float32]:
    return np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)], dtype=np.float32)
