"""From an image and its segmentations to pictures, marks, measures and flags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from spinetools.errors import InputError
from spinetools.image import Image
from spinetools.qc import checks, render
from spinetools.qc.cuts import (
    axial_cut,
    cropped_slices,
    extent_of,
    follow,
    midsagittal_cut,
    sagittal_cut,
)
from spinetools.qc.entry import Flag, Layer, Mark, Measures, View
from spinetools.qc.geometry import Cut, Frame
from spinetools.qc.levels import level_of_label, levels_along
from spinetools.qc.thumbs import thumbnail
from spinetools.qc.volume import Source

LabelKind = Literal["mask", "labels", "centerline"]

#: A label image with more values than this is drawn, but its values are not listed.
MOST_MARKS = 150


@dataclass(frozen=True)
class Overlay:
    """A segmentation on the way to its pictures."""

    name: str
    kind: str
    colour: str
    data: npt.NDArray[Any]
    source: str = ""

    @cached_property
    def solid(self) -> npt.NDArray[np.bool_]:
        """Where the overlay is; a soft mask from half of its largest value."""
        data = self.data
        if self.kind == "mask" and data.dtype.kind == "f" and data.size:
            top = float(data.max())
            return np.asarray(data >= top / 2 if top > 0 else np.zeros(data.shape, dtype=bool))
        return np.asarray(data > 0)

    @property
    def is_soft(self) -> bool:
        """Whether the values between 0 and 1 are probabilities or shares."""
        if self.kind != "mask" or self.data.dtype.kind != "f" or not self.data.size:
            return False
        inside = self.data[self.solid]
        return bool(inside.size) and bool(inside.max() <= 1) and bool((inside < 1).any())


def overlays_of(
    image: Image,
    segmentations: Sequence[tuple[str, Image]],
    label_kind: LabelKind | Sequence[LabelKind],
    files: Sequence[str] = (),
) -> list[Overlay]:
    """Return segmentations as overlays, with a colour each; all on the image's grid.

    ``files`` says where the segmentations are saved, where they were not read from there.
    """
    kinds = [label_kind] * len(segmentations) if isinstance(label_kind, str) else list(label_kind)
    if len(kinds) != len(segmentations):
        raise InputError(f"{len(segmentations)} segmentations, but {len(kinds)} label kinds")
    overlays: list[Overlay] = []
    for number, ((name, segmentation), kind) in enumerate(zip(segmentations, kinds, strict=True)):
        image.space.check_same(segmentation.space, (image.name, segmentation.name))
        if segmentation.n_volumes > 1:
            raise InputError(f"{segmentation.name} is 4D ({segmentation.shape}), expected 3D")
        taken = [overlay.colour for overlay in overlays]
        colour = "" if kind == "labels" else render.colour_of(name, taken)
        # a result that was made on the image's grid goes by the image's own path
        own = segmentation.path is not None and segmentation.path != image.path
        source = str(segmentation.path) if own else ""
        source = files[number] if number < len(files) else source
        overlays.append(Overlay(name, kind, colour, segmentation.volume(0).data, source))
    return overlays


@dataclass(frozen=True)
class Drawing:
    """Views, their encoded sheets by file name, and what was noticed meanwhile."""

    views: tuple[View, ...]
    content: dict[str, bytes]
    flags: list[Flag]


def draw(image: Image, overlays: Sequence[Overlay], plane: str, frame: Frame) -> Drawing:
    """Draw all views of an entry, and its small picture."""
    shown = [overlay for overlay in overlays if overlay.kind != "image"]
    union = np.zeros(image.space.shape, dtype=bool)
    for overlay in shown:
        union |= overlay.solid
    extent = extent_of(frame, union)
    centres = follow(extent, frame.shape, frame.spacing[2])
    middle = midsagittal_cut(image.space, extent, centres)
    cropped: tuple[int, ...] = ()
    if plane == "sagittal":
        cuts = [sagittal_cut(middle, extent, render.MAX_TILES["sagittal"])]
    else:
        cut = axial_cut(frame, extent, centres, render.MAX_TILES["axial"])
        cuts, cropped = [cut, middle], cropped_slices(cut, extent)
    drawn = [_draw_view(each, image, overlays) for each in cuts]
    content = {name: data for _, files in drawn for name, data in files.items()}
    colours = [(o.colour, o.data if o.kind == "labels" else o.solid) for o in shown]
    small = thumbnail(middle, image.data, colours)
    content[f"thumb{'.webp' if small[:4] == b'RIFF' else '.png'}"] = small
    first = next((overlay for overlay in shown if overlay.kind in ("mask", "centerline")), None)
    if first is not None:
        own = extent if len(shown) == 1 else extent_of(frame, first.solid)
        flags = checks.mask_flags(first.name, frame, own, cropped)
        if first.kind == "mask" and checks.is_cord(first.name):
            flags += checks.area_jumps(first.name, frame, own)
    else:
        names = " and ".join(overlay.name for overlay in shown)
        empty = bool(shown) and not len(extent.filled)
        flags = [Flag("empty", f"{names} has no voxel in this image")] if empty else []
    return Drawing(tuple(view for view, _ in drawn), content, flags)


def found_flags(
    overlays: Sequence[Overlay], frame: Frame, marks: Sequence[Mark], measures: Measures
) -> list[Flag]:
    """Return what the segmentations say about each other, and about their own confidence."""
    cut = {o.name: checks.cut_above(frame, o.data) for o in overlays if o.kind == "labels"}
    flags = checks.label_order(frame, marks, cut)
    masks = [overlay for overlay in overlays if overlay.kind == "mask"]
    soft = next((overlay.data for overlay in masks if overlay.is_soft), None)
    flags += checks.low_confidence(frame, measures, soft)
    cord = next((o for o in masks if checks.is_cord(o.name)), None)
    canal = next((o for o in masks if "canal" in o.name.lower()), None)
    if cord is not None and canal is not None and cord is not canal:
        flags += checks.outside_canal(frame, cord.solid, canal.solid)
    return flags


def levels_of(marks: Sequence[Mark], frame: Frame) -> dict[int, float]:
    """Return the level of each slice from labels of discs or vertebrae, where there are some."""
    axis = frame.axes[2]
    for layer in dict.fromkeys(mark.layer for mark in marks):
        places = {
            level: mark.centre[axis]
            for mark in marks
            if mark.layer == layer
            and (level := level_of_label(mark.value, mark.name, layer)) is not None
        }
        # discs where there are some: the middle of a vertebra with its processes is lower
        discs = {level: place for level, place in places.items() if level % 1 == 0}
        places = discs if len(discs) > 1 else places
        found = levels_along(places, 0, frame.shape[2] - 1, -1 if frame.flipped[2] else 1)
        if found:
            return found
    return {}


def sources_of(overlays: Sequence[Overlay]) -> list[Source]:
    """Return what of the overlays goes into the volume for the page."""
    return [
        Source(o.name, o.kind, o.colour, o.data if o.kind == "labels" else o.solid)
        for o in overlays
        if o.kind != "image"
    ]


def _draw_view(
    cut: Cut, image: Image, overlays: Sequence[Overlay]
) -> tuple[View, dict[str, bytes]]:
    arrangement = render.arrange(cut)
    content: dict[str, bytes] = {}
    layers = []
    for number, layer in enumerate((Overlay("image", "image", "", image.data), *overlays)):
        if layer.kind == "image":
            sheets = render.image_sheets(cut, arrangement, layer.data)
        elif layer.kind == "labels":
            sheets = render.label_sheets(cut, arrangement, layer.data)
        elif layer.kind == "centerline":
            sheets = render.line_sheets(cut, arrangement, layer.data, layer.colour)
        else:
            sheets = render.mask_sheets(cut, arrangement, layer.data, layer.colour)
        names = tuple(
            f"{cut.frame.plane}-{number}-{sheet}{sheets.suffix}"
            for sheet in range(len(sheets.content))
        )
        content.update(zip(names, sheets.content, strict=True))
        layers.append(Layer(layer.name, layer.kind, layer.colour, names, layer.source))
    down, right, _ = cut.frame.flipped
    view = View(
        plane=cut.frame.plane,
        axes=cut.frame.axes,
        steps=(-1 if down else 1, -1 if right else 1),
        spacing_mm=cut.frame.spacing,
        letters=cut.frame.letters,
        size=cut.size,
        gutter=cut.gutter,
        columns=arrangement.columns,
        per_sheet=arrangement.per_sheet,
        indices=cut.native_slices(),
        origins=cut.native_origins(),
        curve=cut.native_curve(),
        every=cut.every,
        layers=tuple(layers),
    )
    return view, content


def marks_of(overlays: Sequence[Overlay], names: Mapping[int, str]) -> tuple[Mark, ...]:
    """Return the place of each label, to be named beside the picture."""
    marks = []
    for overlay in overlays:
        if overlay.kind != "labels":
            continue
        places = np.argwhere(overlay.data > 0)
        found = np.rint(overlay.data[tuple(places.T)]).astype(int)
        for value in np.unique(found)[:MOST_MARKS].tolist():
            i, j, k = (round(float(c), 2) for c in places[found == value].mean(axis=0))
            name = names.get(value, str(value))
            marks.append(Mark(overlay.name, value, name, render.label_colour(value), (i, j, k)))
    return tuple(marks)


def areas_of(overlays: Sequence[Overlay], frame: Frame) -> dict[str, dict[int, float]]:
    """Return the area of the first mask in each slice, as a measure; none without a mask."""
    for overlay in overlays:
        if overlay.kind == "mask":
            extent = extent_of(frame, overlay.solid)
            return {"area_mm2": checks.areas(frame, overlay.data, extent)}
    return {}
