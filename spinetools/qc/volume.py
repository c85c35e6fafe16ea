"""Voxels of an entry that a page may read: for the 3D view, and for names under the pointer.

A page that is opened from a file may show pictures, but not read their pixels; nor may it load
anything but pictures and scripts. So a small cropped volume is stored as a script: the image in
coarse voxels and 64 shades, and every segmentation as finely as it may be in its place.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from spinetools.image.space import Space
from spinetools.qc.cuts import box_of

ByteArray = npt.NDArray[np.uint8]
Box = tuple[slice, slice, slice]

#: Image shown around the segmentations: across the spine, and along it.
AROUND_MM, BEYOND_MM = 18.0, 8.0
#: The image's voxels are about this large, and larger where there would be more than so many.
VOXEL_MM, MAX_VOXELS, MAX_IMAGE_BYTES = 1.0, 200_000, 85_000
#: Shades of the image: fewer ones take less room, and no eye sees the difference in a 3D view.
SHADE = 4
#: A segmentation keeps its own voxels unless there are more than this, or they take more room.
MAX_LABEL_VOXELS, MAX_LABEL_BYTES = 6_000_000, 45_000
#: Values of a label image beyond this have no place in a byte.
MAX_VALUES = 255


@dataclass(frozen=True)
class Source:
    """What goes into the volume.

    Attributes
    ----------
    name, kind, colour
        As in :class:`spinetools.qc.entry.Layer`.
    data
        On the image's grid: labels, or a mask's solid part (booleans).
    """

    name: str
    kind: str
    colour: str
    data: npt.NDArray[Any]


def volume_script(
    identity: str, space: Space, image: npt.NDArray[Any], sources: Sequence[Source]
) -> str:
    """Return the script that gives the page an entry's voxels.

    Parameters
    ----------
    identity
        The entry's id.
    space
        The image's grid.
    image
        Three-dimensional.
    sources
        Its segmentations; those without a voxel have no part in it.
    """
    solids = [source.data > 0 for source in sources]
    boxes = [box_of(solid) if solid.any() else None for solid in solids]
    found = [(source, box) for source, box in zip(sources, boxes, strict=True) if box]
    content: dict[str, Any] = {
        "id": identity,
        "codes": "".join(space.nib_codes),
        "affine": [round(float(v), 6) for v in space.affine[:3].ravel()],
        "image": _image(space, image, [box for _, box in found]),
        "layers": [_labels(source, box) for source, box in found],
    }
    return f"spinetoolsVolume({json.dumps(content, separators=(',', ':'))});\n".replace(
        "<", "\\u003c"
    )


def _image(space: Space, image: npt.NDArray[Any], boxes: Sequence[Box]) -> dict[str, Any]:
    box = _around(space, boxes)
    extent_mm = [(part.stop - part.start) * mm for part, mm in zip(box, space.spacing, strict=True)]
    target = max(VOXEL_MM, float(np.prod(extent_mm) / MAX_VOXELS) ** (1 / 3))
    while True:
        steps = tuple(max(1, round(target / mm)) for mm in space.spacing)
        shape = [len(range(*part.indices(part.stop))[::step]) for part, step in _pairs(box, steps)]
        target *= 1.1
        if np.prod(shape) > 1.3 * MAX_VOXELS and target < max(extent_mm):
            continue
        packed = _packed(_grey(_means(image[box], steps)), [part.start for part in box], steps)
        # noise takes more room than anatomy
        if len(packed["data"]) <= MAX_IMAGE_BYTES * 4 / 3 or target > max(extent_mm):
            return packed
        target *= 1.1


def _grey(coarse: npt.NDArray[np.float32]) -> ByteArray:
    """Scale intensities to 64 shades between robust percentiles."""
    inside = coarse[coarse != 0]
    low, high = np.percentile(inside, [1, 99.5]) if inside.size else (0.0, 1.0)
    scaled = np.clip((coarse - low) / max(float(high - low), 1e-12), 0, 1) * 255
    grey: ByteArray = scaled.astype(np.uint8) // SHADE * SHADE
    return grey


def _pairs(box: Box, steps: Sequence[int]) -> Iterable[tuple[slice, int]]:
    return zip(box, steps, strict=True)


def _means(data: npt.NDArray[Any], steps: Sequence[int]) -> npt.NDArray[np.float32]:
    """Average blocks of voxels; the last block of an axis may be smaller."""
    result: npt.NDArray[Any] = np.nan_to_num(data.astype(np.float32))
    for axis, step in enumerate(steps):
        if step > 1:
            starts = np.arange(0, result.shape[axis], step)
            counts = np.diff(np.append(starts, result.shape[axis]))
            sums = np.add.reduceat(result, starts, axis=axis)
            result = sums / counts.reshape([-1 if a == axis else 1 for a in range(3)])
    return result.astype(np.float32)


def _labels(source: Source, box: Box) -> dict[str, Any]:
    data = np.rint(source.data[box]) if source.data.dtype.kind == "f" else source.data[box]
    values = [int(v) for v in np.unique(data) if v > 0][:MAX_VALUES]
    places = np.searchsorted(values, data)
    places[places == len(values)] = 0
    index = np.where(np.asarray(values)[places] == data, places + 1, 0).astype(np.uint8)
    step = 1
    while index[::step, ::step, ::step].size > MAX_LABEL_VOXELS:
        step += 1
    while True:
        packed = _packed(index[::step, ::step, ::step], [part.start for part in box], (step,) * 3)
        if len(packed["data"]) <= MAX_LABEL_BYTES * 4 / 3 or step >= 8:
            break
        step += 1
    kept = {"name": source.name, "kind": source.kind, "colour": source.colour}
    return kept | ({"values": values} if source.kind == "labels" else {}) | packed


def _packed(
    data: npt.NDArray[np.uint8], origin: Sequence[int], steps: Sequence[int]
) -> dict[str, Any]:
    """Return voxels as text: the first axis runs fastest, deflated, base 64."""
    text = base64.b64encode(zlib.compress(data.tobytes(order="F"), 6)).decode("ascii")
    return {"shape": data.shape, "origin": list(origin), "step": list(steps), "data": text}


def _around(space: Space, boxes: Sequence[Box]) -> Box:
    """Return the box of all segmentations with a margin; of the whole grid where there is none."""
    sides = []
    for axis, (code, mm) in enumerate(zip(space.nib_codes, space.spacing, strict=True)):
        n = space.shape[axis]
        if not boxes:
            sides.append(slice(0, n))
            continue
        margin = round((BEYOND_MM if code in "SI" else AROUND_MM) / mm)
        first = min(box[axis].start for box in boxes) - margin
        last = max(box[axis].stop for box in boxes) + margin
        sides.append(slice(max(0, first), min(n, last)))
    a, b, c = sides
    return a, b, c
