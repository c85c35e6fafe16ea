"""Adding an entry to a report: pictures first, then the entry, then the index."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from spinetools._version import __version__
from spinetools.errors import InputError, OutputError
from spinetools.files import atomic_path, write_text
from spinetools.image import Image
from spinetools.qc.drawing import (
    LabelKind,
    Overlay,
    areas_of,
    draw,
    found_flags,
    levels_of,
    marks_of,
    overlays_of,
    sources_of,
)
from spinetools.qc.entry import (
    Entry,
    Flag,
    Measures,
    case_key,
    created_from_id,
    export_key,
    folder_name,
    new_id,
    subject_of,
)
from spinetools.qc.geometry import Frame
from spinetools.qc.index import ENTRIES, entry_script, refresh, refresh_wanted, script_json
from spinetools.qc.viewers import viewers_of
from spinetools.qc.volume import volume_script

__all__ = ["LabelKind", "add_entry"]

logger = logging.getLogger(__name__)

#: Name of the script with an entry's voxels.
VOLUME = "volume.js"


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
    levels: Mapping[int, float] | None = None,
    files: Sequence[str | os.PathLike[str]] = (),
    case_line: str | None = None,
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
        What a person should look at. Found without: an empty mask, a gap, a jump of the cord's
        area, a cord outside the canal, labels out of order, slices of low confidence.
    measures
        Values by name (``"csa_mm2"``) and native slice index along the image's head-to-foot axis.
        Without any, the area of the first mask in each slice. One called ``confidence`` (0 to 1)
        flags the slices where it is low.
    label_kind
        What the segmentations are: all one kind, or a kind each.
    label_names
        Names of label values.
    destination
        A second image on the same grid, shown in turn with the first one (a registration).
    levels
        Vertebral level by native slice index (3.0 at the top of C3, 3.5 in its middle), for
        comparing subjects. Without any, from labels of discs or vertebrae among the segmentations.
    files
        Where the segmentations are saved, in their order, for the commands that open them in a
        viewer; those that were read from a file need none.
    case_line
        The command line that the case goes by, where it is another one: the one that made a result
        which was corrected by hand and is added again.

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
    overlays = overlays_of(image, segmentations, label_kind, [os.fspath(file) for file in files])
    if destination is not None:
        image.space.check_same(destination.space, (image.name, destination.name))
        second = destination.mean_volume().data
        overlays.insert(0, Overlay("destination", "image", "", second))

    folder = Path(folder)
    source = "" if image.path is None else str(image.path)
    subject = subject or (subject_of(source) if source else "unknown")
    identity = new_id()
    place = Path(
        "img", folder_name(dataset or "", "dataset"), folder_name(subject, "subject"), identity
    )
    frame = Frame(image.space, "axial")
    drawing = draw(image, overlays, plane, frame)
    marks = marks_of(overlays, label_names or {})
    measures = areas_of(overlays, frame) if measures is None else measures
    if levels is None:
        levels = levels_of(marks, frame)
    seen = [*drawing.flags, *found_flags(overlays, frame, marks, measures)]
    # what a command has said itself need not be said again
    said = {flag.kind for flag in flags}
    entry = Entry(
        id=identity,
        case=case_key(source, process, case_line or command_line, (dataset or "", subject, plane)),
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
        flags=(*flags, *(flag for flag in seen if flag.kind not in said)),
        marks=marks,
        measures=measures,
        levels=levels,
        thumb=next(name for name in drawing.content if name.startswith("thumb")),
        volume=VOLUME,
        viewers=viewers_of(
            source,
            [(o.kind, o.source) for o in overlays if o.kind != "image"],
            process,
            command_line,
        ),
        views=drawing.views,
    )
    script = volume_script(identity, image.space, image.data, sources_of(overlays))
    _write(folder, entry, drawing.content | {VOLUME: script.encode("ascii")})
    if refresh_wanted():
        try:
            refresh(folder, wanted=identity)
        except OutputError as error:
            logger.warning("the entry is saved, but not listed yet: %s (st_qc -refresh)", error)
    return identity


# -- files ----------------------------------------------------------------------------------------


def _write(folder: Path, entry: Entry, content: Mapping[str, bytes]) -> None:
    """Write the pictures, then the entry: from then on it cannot be lost."""
    place = folder / entry.folder
    record = entry.to_json()
    try:
        for name, data in content.items():
            with atomic_path(place / name) as temporary:
                temporary.write_bytes(data)
        write_text(place / "entry.js", entry_script(record))
        write_text(folder / ENTRIES / f"{entry.id}.json", script_json(record) + "\n")
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise
