"""Training volumes of the digital spine: many images, in random fields of view, of one painting.

Painting a whole spine takes far longer than imaging a part of it, so each subject is painted once,
on the networks' working grid, and imaged as often as :data:`VIEWS` says: whole and partial spines,
in thin and thick sagittal and in axial slices, large and small. Thick slices are averaged over what
lies in them and then interpolated to the working grid, as real ones are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from spinetools.image import Image, Space, resample_to
from spinetools.models.classes import Levels
from spinetools.phantom import (
    LabelVolume,
    Subject,
    draw_acquisition,
    draw_table,
    make_subject,
    paint_labels,
    simulate,
)

FloatArray = npt.NDArray[np.float64]

#: A case of the digital spine is called so.
PREFIX = "phantom_"
#: Painted beyond the cord's line: right and left, behind and in front, mm.
_SIDE_MM, _BEHIND_MM, _FRONT_MM = 82.0, 80.0, 110.0
#: Painted from this level to that one (0 top of C1, 24 top of the sacrum; negative: the head).
_LEVELS = (-3.0, 29.0)
#: A view along the spine has at least this many voxels in every direction.
_LEAST_VOXELS = 12

_MIXED = {
    "t2": 4.0, "t1": 3.0, "dixon": 2.0, "stir": 0.7, "pd": 0.5, "t2s": 0.7, "mt": 0.3,
    "random": 4.0,
}  # fmt: skip
_AXIAL = {"t2": 3.0, "t2s": 2.0, "t1": 1.5, "mt": 1.0, "dwi": 0.3, "random": 3.0}


@dataclass(frozen=True)
class View:
    """A kind of field of view; sizes are drawn uniformly between limits.

    Attributes
    ----------
    name
        For reports.
    contrasts
        Their weights.
    width_mm, depth_mm, length_mm
        Right-left, back-front, up-down.
    forward_mm
        How far in front of the cord its centre lies.
    levels
        Levels that its centre lies at.
    thick_axis
        Axis of the slices, 0 right-left or 2 up-down; None: isotropic.
    parts
        Working voxels a thick slice, at least and at most.
    """

    name: str
    contrasts: dict[str, float]
    width_mm: tuple[float, float]
    depth_mm: tuple[float, float]
    length_mm: tuple[float, float]
    forward_mm: tuple[float, float] = (-10.0, 30.0)
    levels: tuple[float, float] = (0.0, 25.5)
    thick_axis: int | None = None
    parts: tuple[int, int] = (1, 1)


VIEWS = (
    View("whole", _MIXED, (45, 90), (170, 300), (420, 720), levels=(10, 16)),
    View("cervical", _MIXED, (45, 164), (150, 260), (140, 300), levels=(0.5, 8)),
    View("thoracic", _MIXED, (45, 150), (130, 260), (150, 330), levels=(8, 18)),
    View("lumbar", _MIXED, (40, 164), (120, 260), (150, 330), levels=(19, 25)),
    View("lumbar", _MIXED, (40, 120), (100, 220), (120, 260), levels=(19, 25.5)),
    View("any", _MIXED, (40, 164), (100, 260), (120, 350)),
    View("sagittal", _MIXED, (40, 90), (160, 280), (180, 350), thick_axis=0, parts=(2, 4)),
    View("sagittal lumbar", _MIXED, (45, 90), (160, 280), (200, 330), levels=(18, 24), thick_axis=0,
         parts=(2, 4)),
    View("sagittal upper", _MIXED, (40, 70), (160, 260), (180, 300), levels=(2, 9), thick_axis=0,
         parts=(2, 4)),
    View("axial", _AXIAL, (90, 164), (90, 240), (45, 140), thick_axis=2, parts=(2, 6)),
    View("small", _MIXED, (26, 80), (45, 110), (50, 130), (-10, 15)),
    View("small", _MIXED, (20, 60), (60, 130), (70, 170), (-10, 20)),
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Sample:
    """An image of the digital spine.

    Attributes
    ----------
    name
        ``phantom_000012_03``: the 4th image of the 13th subject.
    image
        int16, axes R, A, S, voxels of the working size.
    structures
        uint8 of the same shape, see :func:`spinetools.phantom.labels.structure_ids`.
    column
        The subject's vertebrae.
    source
        View and contrast.
    """

    name: str
    image: Image
    structures: npt.NDArray[np.uint8]
    column: Levels
    source: str


def sample_name(subject: int, view: int) -> str:
    """Return the case's name: what comes before the last underscore is the subject."""
    return f"{PREFIX}{subject:06d}_{view:02d}"


def is_phantom(case: str) -> bool:
    """Tell whether a case is of the digital spine, by its name."""
    return case.startswith(PREFIX)


def repeated(cases: list[str], real_share: float | None) -> list[str]:
    """Return cases, those of the rarer kind several times so that the share is about right.

    Parameters
    ----------
    cases
        Names.
    real_share
        Wanted share of images among the draws, from 0 to 1; None leaves things as they are.
    """
    made = [case for case in cases if is_phantom(case)]
    real = [case for case in cases if not is_phantom(case)]
    if real_share is None or not made or not real:
        return cases
    if real_share in (0, 1):
        return real if real_share else made
    ratio = real_share / (1 - real_share) * len(made) / len(real)
    return sorted(made * max(1, round(1 / ratio)) + real * max(1, round(ratio)))


def phantom_samples(
    number: int, seed: int, spacing_mm: float, views: tuple[View, ...] = VIEWS
) -> Iterator[Sample]:
    """Image one subject through all views.

    Parameters
    ----------
    number
        Which subject: everything depends on this and on ``seed`` only.
    seed
        Of the whole set.
    spacing_mm
        The working grid's voxel size.
    views
        Fields of view, an image each.
    """
    rng = np.random.default_rng([seed, number])
    subject = make_subject(int(rng.integers(2**31)))
    labels = paint_labels(subject, whole_space(subject, spacing_mm))
    column = Levels(subject.names, "" if subject.variant == "normal" else subject.variant)
    for index, view in enumerate(views):
        own = np.random.default_rng([seed, number, index])
        start, stop, parts = place_view(subject, labels.space, view, own)
        image, contrast = _imaged(labels.crop(start, stop), view, parts, own)
        box = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
        yield Sample(
            sample_name(number, index), image, labels.structure[box], column,
            f"{view.name} {contrast}",
        )  # fmt: skip


def whole_space(subject: Subject, spacing_mm: float) -> Space:
    """Return a grid that holds the whole spine and what surrounds it."""
    ends = np.interp(_LEVELS, subject.profiles["level"], subject.curve.s)
    line = subject.curve.at(np.linspace(ends[0], ends[1], 100))
    low = line.min(axis=0) - np.array([_SIDE_MM, _BEHIND_MM, 0])
    high = line.max(axis=0) + np.array([_SIDE_MM, _FRONT_MM, 0])
    shape = np.ceil((high - low) / spacing_mm).astype(int)
    affine = np.diag([spacing_mm, spacing_mm, spacing_mm, 1.0])
    affine[:3, 3] = low
    return Space((int(shape[0]), int(shape[1]), int(shape[2])), affine)


def place_view(
    subject: Subject, space: Space, view: View, rng: np.random.Generator
) -> tuple[list[int], list[int], int]:
    """Draw where a view lies.

    Returns
    -------
    start, stop
        Voxels of ``space``; stop is exclusive.
    parts
        Voxels of ``space`` a thick slice.
    """
    size = np.array([rng.uniform(*limits) for limits in
                     (view.width_mm, view.depth_mm, view.length_mm)])  # fmt: skip
    s = np.interp(rng.uniform(*view.levels), subject.profiles["level"], subject.curve.s)
    # long views lie about the middle of the column that they see, not of one level
    reach = np.clip([s - 0.4 * size[2], s + 0.4 * size[2]], subject.curve.s[0], subject.curve.s[-1])
    seen = subject.curve.at(np.linspace(reach[0], reach[1], 20))
    centre = np.array([seen[:, 0].mean(), seen[:, 1].mean(), subject.curve.at(s)[2]])
    centre += [rng.normal(0, 5), rng.uniform(*view.forward_mm), 0]
    step = np.asarray(space.spacing)
    middle = space.to_voxel(centre)
    count = np.maximum(np.round(size / step).astype(int), _LEAST_VOXELS)
    low = np.clip(
        np.round(middle - count / 2).astype(int), 0, np.array(space.shape) - _LEAST_VOXELS
    )
    high = np.clip(low + count, _LEAST_VOXELS, space.shape)
    parts = int(rng.integers(view.parts[0], view.parts[1] + 1))
    if view.thick_axis is not None:
        axis = view.thick_axis
        high[axis] -= (high[axis] - low[axis]) % parts
    return low.tolist(), high.tolist(), parts


def _imaged(
    labels: LabelVolume, view: View, parts: int, rng: np.random.Generator
) -> tuple[Image, str]:
    """Image a part of a painting; returns it on the painting's grid, and the contrast."""
    weights = np.array(list(view.contrasts.values()))
    contrast = str(rng.choice(list(view.contrasts), p=weights / weights.sum()))
    taken = draw_acquisition(contrast, rng)
    table = draw_table(contrast, rng, taken.style, taken.fat_suppressed)
    if view.thick_axis is None or parts == 1:
        # smaller voxels than these were averaged: less noise and no more blur
        taken = replace(taken, snr=taken.snr * float(rng.uniform(1.0, 1.8)))
        array = simulate(labels, table, taken, rng)
    else:
        factors = [1, 1, 1]
        factors[view.thick_axis] = parts
        coarse = simulate(labels, table, taken, rng, (factors[0], factors[1], factors[2]))
        image = Image(coarse, _thick_space(labels.space, view.thick_axis, parts))
        array = resample_to(image, labels.space, "linear").data
    top = max(float(np.percentile(array, 99.9)), 1e-6)
    scaled = np.clip(np.round(array * (1000 / top)), 0, 32767).astype(np.int16)
    return Image(scaled, labels.space), contrast


def _thick_space(space: Space, axis: int, parts: int) -> Space:
    """Return the grid whose voxels are ``parts`` times as thick along an axis."""
    scale = np.eye(4)
    scale[axis, axis] = parts
    scale[axis, 3] = (parts - 1) / 2
    shape = list(space.shape)
    shape[axis] //= parts
    return Space((shape[0], shape[1], shape[2]), space.affine @ scale)
