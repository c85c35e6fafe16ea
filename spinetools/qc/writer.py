"""Adding an entry to a report: pictures first, then the entry, then the index."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from spinetools._version import __version__
from spinetools.errors import InputError, OutputError
from spinetools.files import atomic_path, write_text
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
from spinetools.qc.entry import (
    Entry,
    Flag,
    Layer,
    Mark,
    Measures,
    View,
    case_key,
    created_from_id,
    export_key,
    folder_name,
    new_id,
    subject_of,
)
from spinetools.qc.geometry import Cut, Frame
from spinetools.qc.index import ENTRIES, entry_script, refresh, refresh_wanted, script_json

logger = logging.getLogger(__name__)

LabelKind = Literal["mask", "labels", "centerline"]

#: A label image with more values than this is drawn, but its values are not listed.
MOST_MARKS = 150


@dataclass(frozen=True)
class _Overlay:
    """A segmentation on the way to its pictures."""

    name: str
    kind: str
    colour: str
    data: npt.NDArray[Any]


def add_entry(
    folder: str | os.PathLike[str],
    image: Image,
    segmentations: Sequence[tuple[str, Image]],
    *,
    process: str,
    command_line: str,
    plane: str = "axial",
    dataset: str | None = None,
    subject: str | None = None,
    contrast: str | None = None,
    flags: Sequence[Flag] = (),
    measures: Measures | None = None,
    label_kind: LabelKind | Sequence[LabelKind] = "mask",
    label_names: Mapping[int, str] | None = None,
    destination: Image | None = None,
) -> str:
    """Add a result to a QC report, which is made where there is none.

    Any number of processes may do so at once. A process that is killed leaves the report as it was.

    Parameters
    ----------
    folder
        The report.
    image
        The image that was worked on.
    segmentations
        Name and image of each result, on the image's grid. The name is shown and chooses the
        colour: ``cord``, ``canal``, ``centerline``, ``discs`` …
    process, command_line
        The command, and how it was called.
    plane
        ``axial`` (with a sagittal picture beside), or ``sagittal``.
    dataset, subject
        As shown and searched; the subject is taken from the file's name where it is not given.
    contrast
        E.g. ``t2``.
    flags
        What a person should look at. That a mask is empty or has a gap is found without.
    measures
        Values by name (``"csa_mm2"``) and native slice index along the image's head-to-foot axis.
        Without any, the area of the first mask in each slice.
    label_kind
        What the segmentations are: all one kind, or a kind each.
    label_names
        Names of label values.
    destination
        A second image on the same grid, shown in turn with the first one (a registration).

    Returns
    -------
    str
        The entry's id.

    Raises
    ------
    SpaceMismatch
        When a segmentation is not on the image's grid.
    OutputError
        When the report cannot be written. No half entry is left.
    """
    if plane not in ("axial", "sagittal"):
        raise InputError(f"unknown plane {plane!r}; choose axial or sagittal")
    image = image.mean_volume()
    overlays = _overlays(image, segmentations, label_kind)
    if destination is not None:
        image.space.check_same(destination.space, (image.name, destination.name))
        second = destination.mean_volume().data
        overlays.insert(0, _Overlay("destination", "image", "", second))

    folder = Path(folder)
    source = "" if image.path is None else str(image.path)
    subject = subject or (subject_of(source) if source else "unknown")
    identity = new_id()
    place = Path(
        "img", folder_name(dataset or "", "dataset"), folder_name(subject, "subject"), identity
    )
    frame = Frame(image.space, "axial")
    views, seen = _draw(image, overlays, plane, frame)
    entry = Entry(
        id=identity,
        case=case_key(source, process, command_line, (dataset or "", subject, plane)),
        created=created_from_id(identity),
        dataset=dataset or "",
        subject=subject,
        process=process,
        command_line=command_line,
        version=__version__,
        input=source,
        contrast=contrast or "",
        plane=plane,
        nib_codes="".join(image.space.nib_codes),
        spacing_mm=image.space.spacing,
        shape=image.space.shape,
        export_key=export_key(process),
        folder=place.as_posix(),
        measure_axis=frame.axes[2],
        flags=(*flags, *seen),
        marks=_marks(overlays, label_names or {}),
        measures=_area(overlays, frame) if measures is None else measures,
    )
    _write(folder, entry, views)
    if refresh_wanted():
        try:
            refresh(folder)
        except OutputError as error:
            logger.warning("the entry is saved, but not listed yet: %s (st_qc -refresh)", error)
    return identity


def _overlays(
    image: Image,
    segmentations: Sequence[tuple[str, Image]],
    label_kind: LabelKind | Sequence[LabelKind],
) -> list[_Overlay]:
    kinds = [label_kind] * len(segmentations) if isinstance(label_kind, str) else list(label_kind)
    if len(kinds) != len(segmentations):
        raise InputError(f"{len(segmentations)} segmentations, but {len(kinds)} label kinds")
    overlays: list[_Overlay] = []
    for (name, segmentation), kind in zip(segmentations, kinds, strict=True):
        image.space.check_same(segmentation.space, (image.name, segmentation.name))
        if segmentation.n_volumes > 1:
            raise InputError(f"{segmentation.name} is 4D ({segmentation.shape}), expected 3D")
        taken = [overlay.colour for overlay in overlays]
        colour = "" if kind == "labels" else render.colour_of(name, taken)
        overlays.append(_Overlay(name, kind, colour, segmentation.volume(0).data))
    return overlays


# -- pictures -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Drawn:
    """A view with its encoded sheets by file name."""

    view: View
    content: Mapping[str, bytes]


def _draw(
    image: Image, overlays: Sequence[_Overlay], plane: str, frame: Frame
) -> tuple[list[_Drawn], list[Flag]]:
    """Draw all views of an entry; return what was noticed meanwhile, too."""
    masks = [_solid(overlay) for overlay in overlays if overlay.kind != "image"]
    union = np.logical_or.reduce(masks) if masks else np.zeros(image.space.shape, dtype=bool)
    extent = extent_of(frame, union)
    centres = follow(extent, frame.shape, frame.spacing[2])
    middle = midsagittal_cut(image.space, extent, centres)
    cropped: tuple[int, ...] = ()
    if plane == "sagittal":
        cut = sagittal_cut(middle, extent, render.MAX_TILES["sagittal"])
        cuts = [cut]
    else:
        cut = axial_cut(frame, extent, centres, render.MAX_TILES["axial"])
        cuts, cropped = [cut, middle], cropped_slices(cut, extent)
    drawn = [_draw_view(each, image, overlays) for each in cuts]
    first = next((overlay for overlay in overlays if overlay.kind in ("mask", "centerline")), None)
    if first is None:
        names = " and ".join(overlay.name for overlay in overlays if overlay.kind != "image")
        empty = [Flag("empty", f"{names} has no voxel in this image")] if masks else []
        return drawn, [] if len(extent.filled) else empty
    own = extent if len(masks) == 1 else extent_of(frame, _solid(first))
    return drawn, checks.mask_flags(first.name, frame, own, cropped)


def _solid(overlay: _Overlay) -> npt.NDArray[np.bool_]:
    """Return where an overlay is; a soft mask from half of its largest value."""
    data = overlay.data
    if overlay.kind == "mask" and data.dtype.kind == "f" and data.size:
        top = float(data.max())
        return np.asarray(data >= top / 2 if top > 0 else np.zeros(data.shape, dtype=bool))
    return np.asarray(data > 0)


def _draw_view(cut: Cut, image: Image, overlays: Sequence[_Overlay]) -> _Drawn:
    arrangement = render.arrange(cut)
    content: dict[str, bytes] = {}
    layers = []
    for number, layer in enumerate((_Overlay("image", "image", "", image.data), *overlays)):
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
        layers.append(Layer(layer.name, layer.kind, layer.colour, names))
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
    return _Drawn(view, content)


def _marks(overlays: Sequence[_Overlay], names: Mapping[int, str]) -> tuple[Mark, ...]:
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


def _area(overlays: Sequence[_Overlay], frame: Frame) -> dict[str, dict[int, float]]:
    for overlay in overlays:
        if overlay.kind == "mask":
            extent = extent_of(frame, _solid(overlay))
            return {"area_mm2": checks.areas(frame, overlay.data, extent)}
    return {}


# -- files ----------------------------------------------------------------------------------------


def _write(folder: Path, entry: Entry, views: Sequence[_Drawn]) -> None:
    """Write the pictures, then the entry: from then on it cannot be lost."""
    place = folder / entry.folder
    content = replace(entry, views=tuple(drawn.view for drawn in views)).to_json()
    try:
        for drawn in views:
            for name, data in drawn.content.items():
                with atomic_path(place / name) as temporary:
                    temporary.write_bytes(data)
        write_text(place / "entry.js", entry_script(content))
        write_text(folder / ENTRIES / f"{entry.id}.json", script_json(content) + "\n")
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise
