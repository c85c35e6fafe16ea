"""A picture of a result: the midsagittal slice, with the labels over it and their names beside."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image as Picture
from PIL import ImageDraw, ImageFont

from spinetools.files import atomic_path
from spinetools.vertebrae.result import SpineLabels
from spinetools.vertebrae.values import colour_of

#: Height of the picture, share of the colour, room for names beside it (pixels).
_HEIGHT_PX, _OPACITY, _MARGIN_PX = 900, 0.45, 96
_TEXT, _PAPER, _WARNING = (225, 228, 235), (18, 20, 26), (255, 176, 77)


def save_preview(result: SpineLabels, path: str | os.PathLike[str]) -> Path:
    """Draw the image along the spine without and with its labels; PNG or JPEG by the name.

    The slice follows the canal from side to side, so that a crooked spine is seen whole.

    Parameters
    ----------
    result
        A labelled image.
    path
        Ends with ``.png``, ``.jpg`` or ``.jpeg``.
    """
    path = Path(path)
    grey, numbers = midsagittal(result)
    colours = np.zeros((256, 3))
    for number in np.unique(result.numbers[result.numbers > 0]):
        colours[number] = colour_of(result.names[int(number)])
    plain = np.repeat(grey[..., None], 3, axis=2)
    shown = np.where(
        (numbers > 0)[..., None], (1 - _OPACITY) * plain + _OPACITY * colours[numbers], plain
    )
    factor = _HEIGHT_PX / grey.shape[0]
    size = max(1, round(grey.shape[1] * factor)), _HEIGHT_PX
    canvas = Picture.new("RGB", (2 * size[0] + _MARGIN_PX, _HEIGHT_PX + 34), _PAPER)
    for index, pixels in enumerate((plain, shown)):
        part = Picture.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
        canvas.paste(part.resize(size, Picture.Resampling.LANCZOS), (index * size[0], 0))
    _write_names(ImageDraw.Draw(canvas), result, numbers, factor, 2 * size[0])
    with atomic_path(path) as temporary:
        canvas.save(temporary, format="PNG" if path.suffix.lower() == ".png" else "JPEG")
    return path


def midsagittal(result: SpineLabels) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.uint8]]:
    """Cut an image and its labels along the canal from side to side.

    Returns
    -------
    grey, numbers
        0 to 255, and working numbers: rows from above, columns from behind to the front, on the
        working grid.
    """
    columns = _midline(result)
    return (
        _window(_slice(np.asarray(result.working.data), columns)),
        _slice(result.numbers, columns),
    )


def _midline(result: SpineLabels) -> npt.NDArray[np.intp]:
    """Return the sagittal slice of each axial one: along the canal's line."""
    line, spacing = result.line.points, result.space.spacing[0]
    z = np.arange(result.numbers.shape[2])
    order = np.argsort(line[:, 2])
    x = np.interp(z * spacing, line[order, 2], line[order, 0]) / spacing
    columns: npt.NDArray[np.intp] = np.clip(np.rint(x), 0, result.numbers.shape[0] - 1).astype(
        np.intp
    )
    return columns


def _slice(volume: npt.NDArray[Any], columns: npt.NDArray[np.intp]) -> npt.NDArray[Any]:
    """Cut along the line: rows from above, columns from behind to the front."""
    cut: npt.NDArray[Any] = volume[columns, :, np.arange(volume.shape[2])][::-1]
    return cut


def _window(values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    low, high = np.percentile(values, (1, 99))
    grey: npt.NDArray[np.float64] = np.clip((values - low) / max(high - low, 1e-9), 0, 1) * 255
    return grey


def _write_names(
    draw: Any, result: SpineLabels, numbers: npt.NDArray[np.uint8], factor: float, left: int
) -> None:
    font = ImageFont.load_default(15)
    last = -100.0
    rows = []
    for number, name in result.names.items():
        found = np.argwhere(numbers == number)
        if len(found) and name.startswith(("vertebrae_", "sacrum")):
            rows.append((float(found[:, 0].mean()) * factor, name))
    for height, name in sorted(rows):
        place = max(height, last + 17)
        draw.text((left + 12, place - 8), name.removeprefix("vertebrae_"), _TEXT, font=font)
        draw.rectangle((left + 2, place - 3, left + 8, place + 3), fill=colour_of(name))
        last = place
    chosen = result.numbering.chosen
    words = f"discs {chosen.span}, confidence {chosen.probability:.2f}"
    if result.variant:
        words += f", {result.variant} ({result.numbering.variant_probability[result.variant]:.2f})"
    colour = _TEXT if result.sure and not result.variant else _WARNING
    draw.text((6, draw.im.size[1] - 26), words, colour, font=font)
