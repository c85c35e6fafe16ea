"""Pictures of the QC report: sheets of tiles as WebP (image) and palette PNG (overlays).

The only module that imports an imaging library, and only inside functions. Images are small: a
full 3D T2w is some 250 kB. WebP at quality 85 is a third of the same picture's PNG; voxel-exact
overlays are lossless.
"""

from __future__ import annotations

import colorsys
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from spinetools.qc.geometry import Cut

if TYPE_CHECKING:
    from PIL import Image as PillowImage

ByteArray = npt.NDArray[np.uint8]

#: Pixel of an image sheet, for images of 0.5 mm and coarser; finer images keep their voxels …
PIXEL_MM = 0.5
#: … down to this: finer ones cannot be told apart on a screen.
FINEST_PIXEL_MM = 0.25
#: An image's sheets have at most about this many pixels together (some 250 kB as WebP) …
MAX_PIXELS = 2_600_000
#: … unless its pixels would become coarser than this.
COARSEST_PIXEL_MM = 1.0
#: Side of a sheet; decoded, a sheet is at most 16 MB.
SHEET_PX = 2048
#: A view has at most this many tiles; of more slices, every n-th is shown.
MAX_TILES = {"axial": 480, "sagittal": 40}
#: Sheets of one image above this are encoded again, at the next lower quality.
MAX_BYTES = 300_000
QUALITIES = (85, 70, 50, 30)
#: How much brighter and darker than on average the window may become along the tiles.
MOST_GAIN = 3.0
#: Exponent that lifts middle tones.
GAMMA = 0.8
#: Points and thin lines are drawn this thick, so that they can be seen.
POINT_RADIUS_MM = 1.2
#: Larger labels than this are areas, not points.
POINT_VOXELS = 27
#: A curve's line is drawn where it lies this near to the cut that follows it.
NEAR_MM = 4.0

#: One colour a structure, everywhere: told apart by colour-blind eyes too (after Okabe and Ito,
#: brightened for grey backgrounds).
COLOURS = {
    "cord": "#ff5470",
    "gm": "#b58cff",
    "lesion": "#ff9f1c",
    "csf": "#38c6f4",
    "canal": "#38c6f4",
    "centerline": "#ffd23f",
    "centreline": "#ffd23f",
    "disc": "#2ed3a2",
    "vertebra": "#f28cc8",
    "manual": "#8be04e",
    "truth": "#8be04e",
}
OTHER_COLOURS = ("#ff5470", "#38c6f4", "#ffd23f", "#2ed3a2", "#b58cff", "#ff9f1c", "#f28cc8")


@dataclass(frozen=True)
class Sheets:
    """Encoded sheets of a layer, and how tiles lie in them."""

    suffix: str
    content: tuple[bytes, ...]


@dataclass(frozen=True)
class Arrangement:
    """How the tiles of a cut lie in sheets, row by row.

    Attributes
    ----------
    columns, per_sheet
        Tiles in a row and in a sheet.
    tile_px
        Height and width of a tile of the image, with gutter.
    """

    columns: int
    per_sheet: int
    tile_px: tuple[int, int]


def colour_of(name: str, taken: Sequence[str] = ()) -> str:
    """Return a structure's colour as ``#rrggbb``; for unknown names the next that is free."""
    low = name.lower()
    known = next((colour for word, colour in COLOURS.items() if word in low), "")
    if known and known not in taken:
        return known
    free = [colour for colour in OTHER_COLOURS if colour not in taken]
    return free[0] if free else OTHER_COLOURS[len(taken) % len(OTHER_COLOURS)]


def label_colour(value: int) -> str:
    """Return a label value's colour: neighbouring values are far apart on the colour circle."""
    hue = (value * 0.61803398875) % 1.0  # the golden ratio spreads any run of values evenly
    red, green, blue = colorsys.hls_to_rgb(hue, 0.63, 0.85)
    return f"#{round(red * 255):02x}{round(green * 255):02x}{round(blue * 255):02x}"


def arrange(cut: Cut) -> Arrangement:
    """Choose the pixel size and lay the tiles out in sheets."""
    spacing = cut.frame.spacing[:2]
    size = [n + 2 * cut.gutter for n in cut.size]
    tiles_mm2 = len(cut.slices) * size[0] * spacing[0] * size[1] * spacing[1]
    pixel = max(min(PIXEL_MM, *spacing), FINEST_PIXEL_MM, math.sqrt(tiles_mm2 / MAX_PIXELS))
    pixel = min(pixel, max(COARSEST_PIXEL_MM, *spacing))
    height, width = (
        min(SHEET_PX, max(1, round(n * mm / pixel))) for n, mm in zip(size, spacing, strict=True)
    )
    columns = max(
        1, min(SHEET_PX // width, len(cut.slices), _square(len(cut.slices), height, width))
    )
    rows = max(1, SHEET_PX // height)
    return Arrangement(columns, columns * rows, (height, width))


def _square(count: int, height: int, width: int) -> int:
    """Return how many columns make one sheet of all tiles about square."""
    return max(1, math.ceil(math.sqrt(count * height / width)))


def image_sheets(cut: Cut, arrangement: Arrangement, data: npt.NDArray[Any]) -> Sheets:
    """Draw an image's tiles in grey, with a robust intensity window.

    Parameters
    ----------
    cut, arrangement
        What is shown, and where in the sheets.
    data
        The image's voxels (3D), in their native order.

    Returns
    -------
    Sheets
        WebP, or PNG where Pillow was built without WebP.
    """
    from PIL import Image as Pillow
    from PIL import features

    grey = windowed(cut.tiles(data), along=0 if cut.frame.plane == "axial" else 1)
    height, width = arrangement.tile_px
    pictures = []
    for sheet in _sheets(grey, arrangement):
        rows, columns = sheet.shape[0] // grey.shape[1], sheet.shape[1] // grey.shape[2]
        picture = Pillow.fromarray(sheet)
        pictures.append(picture.resize((columns * width, rows * height), Pillow.Resampling.BICUBIC))
    if not features.check("webp"):
        return Sheets(".png", tuple(_encoded(p, "PNG") for p in pictures))
    content: tuple[bytes, ...] = ()
    for quality in QUALITIES:
        content = tuple(_encoded(p, "WEBP", quality=quality, method=4) for p in pictures)
        if sum(map(len, content)) <= MAX_BYTES:
            return Sheets(".webp", content)
    # all but noise: fewer pixels, which the page stretches over the same tiles
    shrink = math.sqrt(MAX_BYTES / sum(map(len, content)))
    smaller = [
        p.resize((max(1, int(p.width * shrink)), max(1, int(p.height * shrink)))) for p in pictures
    ]
    return Sheets(
        ".webp", tuple(_encoded(p, "WEBP", quality=QUALITIES[-1], method=4) for p in smaller)
    )


def windowed(tiles: npt.NDArray[Any], along: int = 0) -> ByteArray:
    """Scale intensities to 0–255 between robust percentiles.

    The upper end follows the brightness from head to foot smoothly, because a surface coil leaves
    the far end of the cord several times darker than the near one. Middle tones are lifted a
    little, because bright CSF would leave all else in the dark.

    Parameters
    ----------
    tiles
        (tiles, rows, columns).
    along
        The axis that runs from head to foot: 0 from tile to tile, 1 down the rows.
    """
    values = np.nan_to_num(tiles.astype(np.float32))
    inside = values[values != 0]
    if not inside.size:
        return np.zeros(tiles.shape, dtype=np.uint8)
    sample = inside[:: max(1, inside.size // 500_000)]
    low, high = (float(v) for v in np.percentile(sample, [1, 99.5]))
    if high <= low:
        return np.where(values != 0, 128, 0).astype(np.uint8)
    lines = np.moveaxis(values, along, 0).reshape(values.shape[along], -1)
    tops = np.percentile(lines[:, :: max(1, lines.shape[1] // 2000)], 98.5, axis=1) - low
    overall = float(np.median(tops[tops > 0])) if (tops > 0).any() else 1.0
    gain = np.clip(tops / overall, 1 / MOST_GAIN, MOST_GAIN)
    width = min((len(gain) - 1) // 2 * 2 + 1, 15 if along == 0 else 61)
    gain = np.convolve(np.pad(gain, width // 2, mode="edge"), np.full(width, 1 / width), "valid")
    scale = (1 / ((high - low) * gain)).astype(np.float32)
    grey = (values - low) * scale.reshape([-1 if axis == along else 1 for axis in range(3)])
    np.clip(grey, 0, 1, out=grey)
    return np.asarray(np.power(grey, GAMMA) * 255).astype(np.uint8)


def mask_sheets(cut: Cut, arrangement: Arrangement, data: npt.NDArray[Any], colour: str) -> Sheets:
    """Draw a mask's voxels in one colour; a soft mask in 15 steps of opacity."""
    tiles = cut.tiles(data).astype(np.float32)
    top = float(data.max()) if data.size else 0.0
    hard = np.array_equal(tiles, np.where(tiles > 0, top, 0))
    if hard:
        indices, alphas = (tiles > 0).astype(np.uint8), [0, 255]
    else:
        indices = np.clip(np.ceil(tiles / (top or 1.0) * 15), 0, 15).astype(np.uint8)
        alphas = [round(step * 255 / 15) for step in range(16)]
    return _palette_sheets(indices, arrangement, [colour] * len(alphas), alphas)


def label_sheets(cut: Cut, arrangement: Arrangement, data: npt.NDArray[Any]) -> Sheets:
    """Draw labels, a colour each; single points as discs that can be seen."""
    labels = np.rint(data).astype(np.int32)
    values, counts = np.unique(labels[labels > 0], return_counts=True)
    values, counts = values[:255], counts[:255]
    small = set(values[counts <= POINT_VOXELS].tolist())
    indices = np.zeros_like(cut.tiles(labels), dtype=np.uint8)
    areas, points = cut.tiles(labels), _near(cut, labels)
    for number, value in enumerate(values.tolist(), start=1):
        where = thick(points == value, cut) if value in small else areas == value
        indices[where] = number
    colours = ["#000000", *(label_colour(value) for value in values.tolist())]
    return _palette_sheets(indices, arrangement, colours, [0] + [255] * len(values))


def line_sheets(cut: Cut, arrangement: Arrangement, data: npt.NDArray[Any], colour: str) -> Sheets:
    """Draw a line of single voxels (a centreline), thick enough to be seen."""
    where = thick(_near(cut, (data > 0).astype(np.uint8)) > 0, cut)
    return _palette_sheets(where.astype(np.uint8), arrangement, [colour] * 2, [0, 255])


def thick(tiles: npt.NDArray[np.bool_], cut: Cut) -> npt.NDArray[np.bool_]:
    """Thicken points in the plane by :data:`POINT_RADIUS_MM`."""
    down, right = cut.frame.spacing[:2]
    reach_r, reach_c = int(POINT_RADIUS_MM / down), int(POINT_RADIUS_MM / right)
    rows, columns = tiles.shape[1:]
    result = tiles.copy()
    found = np.argwhere(tiles)
    for dr in range(-reach_r, reach_r + 1):
        for dc in range(-reach_c, reach_c + 1):
            if (dr * down) ** 2 + (dc * right) ** 2 > POINT_RADIUS_MM**2:
                continue
            moved = found + np.array([0, dr, dc])
            inside = (moved[:, 1] >= 0) & (moved[:, 1] < rows)
            inside &= (moved[:, 2] >= 0) & (moved[:, 2] < columns)
            result[tuple(moved[inside].T)] = True
    return result


def _near(cut: Cut, data: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Cut tiles; into the one that follows the cord, project what lies a little beside it."""
    tiles = cut.tiles(data)
    if -1 not in cut.slices:
        return tiles
    tile = cut.slices.index(-1)
    array = cut.frame.array(data)
    reach = max(1, round(NEAR_MM / cut.frame.spacing[2]))
    curve = np.asarray(cut.curve)
    gutter, (rows, columns) = cut.gutter, cut.size
    top, left = cut.tops[tile], cut.lefts[tile]
    for offset in sorted(range(-reach, reach + 1), key=abs, reverse=True):
        beside = np.clip(curve + offset, 0, array.shape[2] - 1)
        block = array[np.arange(top, top + rows), left : left + columns, beside[top : top + rows]]
        inner = tiles[tile, gutter : gutter + rows, gutter : gutter + columns]
        np.copyto(inner, block, where=block > 0)
    return tiles


def _palette_sheets(
    indices: ByteArray, arrangement: Arrangement, colours: Sequence[str], alphas: Sequence[int]
) -> Sheets:
    """Encode palette indices as PNG, no finer than the image's own pixels."""
    from PIL import Image as Pillow

    for axis, limit in zip((1, 2), arrangement.tile_px, strict=True):
        n = indices.shape[axis]
        if n > limit:
            nearest = ((np.arange(limit) + 0.5) * n / limit).astype(int)
            indices = np.take(indices, nearest, axis=axis)
    palette = [int(c[i : i + 2], 16) for c in colours for i in (1, 3, 5)]
    content = []
    for sheet in _sheets(indices, arrangement):
        picture = Pillow.fromarray(sheet)
        picture.putpalette(palette)
        content.append(_encoded(picture, "PNG", transparency=bytes(alphas)))
    return Sheets(".png", tuple(content))


def _sheets(tiles: ByteArray, arrangement: Arrangement) -> list[ByteArray]:
    """Lay tiles (n, rows, columns) out in sheets."""
    n, height, width = tiles.shape
    columns = arrangement.columns
    sheets = []
    for start in range(0, n, arrangement.per_sheet):
        part = tiles[start : start + arrangement.per_sheet]
        rows = -(-len(part) // columns)
        full = np.zeros((rows * columns, height, width), dtype=np.uint8)
        full[: len(part)] = part
        sheets.append(
            full.reshape(rows, columns, height, width)
            .transpose(0, 2, 1, 3)
            .reshape(rows * height, columns * width)
        )
    return sheets


def _encoded(picture: PillowImage.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()
