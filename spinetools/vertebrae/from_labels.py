"""A labelled spine from a label image: what a person corrected, or another program wrote."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from spinetools.errors import InputError, NoSpineError
from spinetools.image import Image, Space, resample_to
from spinetools.vertebrae.anatomy import Anatomy, anatomies
from spinetools.vertebrae.canal import Line, find_line
from spinetools.vertebrae.discs import DiscSeen, measure_disc
from spinetools.vertebrae.grid import CODES, isotropic, working_image
from spinetools.vertebrae.naming import Candidate, Numbering
from spinetools.vertebrae.result import CANAL, CORD, FIRST_DISC, SpineLabels, named_disc
from spinetools.vertebrae.result import working_names as names_of

Labels = npt.NDArray[np.uint8]

#: Limits of the working grid's voxel size: finer than the first shows no more in MRI, coarser
#: than the second blurs a cervical disc's height, mm.
SPACING_MM = (0.7, 1.0)
#: Kept round the labels, mm.
MARGIN_MM = 20.0
#: Fewer voxels than this are no disc.
_LEAST_DISC_VOXELS = 20


def spine_from_labels(
    labels: Image,
    names: Mapping[int, str],
    image: Image | None = None,
    cord: Image | None = None,
    confidence: float = math.nan,
) -> SpineLabels:
    """Read a label image as :func:`~spinetools.vertebrae.label_spine` would have returned it.

    Parameters
    ----------
    labels
        Label values, in any orientation.
    names
        Structure's name, as in the label table, by value.
    image
        What was labelled, on the labels' grid; None shows the labels alone.
    cord
        A cord mask on the labels' grid that counts instead of theirs.
    confidence
        How sure the numbering is, where that is known.

    Returns
    -------
    SpineLabels
        On a working grid of about 1 mm round the labels.

    Raises
    ------
    NoSpineError
        When no label is a structure of the spine.
    SpaceMismatch
        When the images are not on one grid.
    """
    shown = labels.astype(np.float32) if image is None else image
    labels.space.check_same(shown.space, (labels.name, shown.name))
    anatomy = anatomy_of(names.values())
    numbers_by_name = {name: number for number, name in names_of(anatomy).items()}
    table = np.zeros(max([*names, 0]) + 1, np.uint8)
    for value, name in names.items():
        table[value] = numbers_by_name.get(name, 0)
    data = np.asarray(labels.data)
    coded: Labels = table[np.where(data <= len(table) - 1, data, 0).astype(np.intp)]
    if cord is not None:
        labels.space.check_same(cord.space, (labels.name, cord.name))
        inside = np.asarray(cord.data) >= 0.5
        coded[coded == CORD] = CANAL
        coded[inside & ((coded == 0) | (coded == CANAL))] = CORD
    if not coded.any():
        raise NoSpineError(f"{labels.name} has no label of a vertebra, disc, cord or canal")
    start, stop = _box(labels.like(coded))
    upright = labels.like(coded).reorient(CODES).crop(start, stop)
    spacing = float(np.clip(min(upright.space.spacing), *SPACING_MM))
    working = working_image(shown.reorient(CODES).crop(start, stop), spacing)
    numbers = _on(upright, working.space)
    bones = (numbers > 0) & (numbers < CORD)
    line = find_line(np.isin(numbers, (CORD, CANAL)), bones, spacing)
    seen = _discs(numbers, anatomy, line, spacing)
    spine = SpineLabels(
        image=shown, working=working, numbers=numbers, names=names_of(anatomy),
        discs=tuple(named_disc(name, disc, line, working.space) for name, disc in seen.items()),
        numbering=_numbering(tuple(seen), anatomy, confidence),
        cord=(numbers == CORD).astype(np.float32),
        canal=np.isin(numbers, (CORD, CANAL)).astype(np.float32), line=line,
    )  # fmt: skip
    # known here, and better than what comes back from the working grid
    vars(spine)["on_input"] = labels.like(coded)
    return spine


def anatomy_of(names: Any) -> Anatomy:
    """Return the count of vertebrae that names go with: the usual one, or one with a variant.

    Raises
    ------
    InputError
        When there is none: names of two variants.
    """
    wanted = {name for name in names if name.startswith(("vertebrae_", "disc_"))}
    known = {
        kind.variant: {*kind.disc_names, *(f"vertebrae_{level}" for level in kind.vertebrae)}
        for kind in anatomies()
    }
    everything = set().union(*known.values())
    for kind in anatomies():
        if wanted & everything <= known[kind.variant]:
            return kind
    odd = ", ".join(sorted(wanted - known[""]))
    raise InputError(f"no spine has all of these structures together: {odd}; check the labels")


def _box(coded: Image) -> tuple[list[int], list[int]]:
    """Return the labels' box in the upright image, with a margin, as crop takes it."""
    upright = coded.reorient(CODES)
    where = [np.flatnonzero(upright.data.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    steps = [round(MARGIN_MM / step) for step in upright.space.spacing]
    start = [max(0, int(w[0]) - n) for w, n in zip(where, steps, strict=True)]
    stop = [
        min(size, int(w[-1]) + 1 + n)
        for w, n, size in zip(where, steps, upright.shape, strict=True)
    ]
    return start, stop


def _on(upright: Image, space: Space) -> Labels:
    if isotropic(upright.space, space.spacing[0]).same_as(upright.space):
        numbers: Labels = np.asarray(upright.data)
        return numbers
    return np.asarray(resample_to(upright, space, "nn").data, dtype=np.uint8)


def _discs(numbers: Labels, anatomy: Anatomy, line: Line, spacing: float) -> dict[str, DiscSeen]:
    found = {}
    for index, name in enumerate(anatomy.disc_names):
        voxels = np.argwhere(numbers == FIRST_DISC + index)
        if len(voxels) >= _LEAST_DISC_VOXELS:
            found[name] = measure_disc(voxels, line, spacing, numbers.shape)
    return found


def _numbering(names: tuple[str, ...], anatomy: Anatomy, confidence: float) -> Numbering:
    path = tuple(anatomy.disc_names.index(name) for name in names)
    chosen = Candidate(names, anatomy.variant, confidence)
    return Numbering(anatomy, path, math.nan, chosen, (), {})
