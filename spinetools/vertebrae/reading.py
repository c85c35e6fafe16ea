"""What the networks' probabilities say, by structure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spinetools.image import Image, Space, resample_to
from spinetools.vertebrae import classes
from spinetools.vertebrae.discs import DiscSeen
from spinetools.vertebrae.evidence import landmark_shares
from spinetools.vertebrae.naming import Path
from spinetools.vertebrae.networks import F32

FloatArray = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
#: Odd and even bone keep neighbours apart where the network is as sure as this which is which; else
#: arches are told apart by their height alone, as with step 1.
_SURE_APART = 0.95


@dataclass(frozen=True, eq=False)
class Seen:
    """The output of one step, by structure.

    ``kinds`` and ``masks`` keep neighbouring discs and vertebrae apart (where the network does not,
    one mask holds all bone, or all but the sacrum, which has the other); ``landmarks`` and
    ``marks`` are the probabilities of landmark discs and vertebrae.
    """

    cord: F32
    canal: F32
    disc: F32
    bone: F32
    landmarks: tuple[F32, ...]
    kinds: npt.NDArray[np.uint8] | None
    masks: tuple[Bools, ...]
    marks: tuple[F32, ...]


def hard_classes(answer: F32) -> npt.NDArray[np.uint8]:
    """Return the number of the likeliest class."""
    result: npt.NDArray[np.uint8] = answer.argmax(axis=0).astype(np.uint8)
    return result


def read_step1(answer: F32) -> Seen:
    """Read step 1's probabilities (classes, X, Y, Z)."""
    names = classes.STEP1
    landmarks = tuple(answer[names.index(name)].copy() for name in classes.LANDMARK_DISCS)
    bone = answer[names.index("vertebra")].copy()
    disc = answer[classes.channels(names, "disc")].sum(axis=0)
    return Seen(
        cord=answer[1].copy(), canal=answer[2].copy(), disc=disc, bone=bone, landmarks=landmarks,
        kinds=None, masks=(bone >= np.maximum(disc, 0.5),), marks=(),
    )  # fmt: skip


def read_step2(
    answer: F32, first: Seen | None = None, spaces: tuple[Space, Space] | None = None
) -> Seen:
    """Read step 2's probabilities (classes, X, Y, Z).

    Parameters
    ----------
    answer
        Of step 2.
    first, spaces
        What step 1 saw, and the grid of each step: cord, canal, disc and bone are then the average
        of both networks, which err less together. Which disc and which vertebra it is, is step 2's.
    """
    names = classes.STEP2
    disc_channels = classes.channels(names, "disc")
    bone_channels = classes.channels(names, "vertebra", "sacrum")
    parts = [answer[1].copy(), answer[2].copy()]
    parts += [answer[channels].sum(axis=0) for channels in (disc_channels, bone_channels)]
    if first is not None and spaces is not None:
        for part, before in zip(
            parts, (first.cord, first.canal, first.disc, first.bone), strict=True
        ):
            part += _on_space(before, *spaces)
            part /= 2
    cord, canal, disc, bone = parts
    # the likeliest class among bone's, where bone as a whole is likely
    inside = (bone >= 0.5) & (bone > disc)
    best = np.asarray(bone_channels)[answer[bone_channels].argmax(axis=0)]
    masks = tuple(inside & (best == channel) for channel in bone_channels)
    if _sureness(answer[bone_channels], inside) < _SURE_APART:
        sacrum = masks[bone_channels.index(names.index("sacrum"))]
        masks = (inside & ~sacrum, sacrum)
    kinds = np.asarray(disc_channels)[answer[disc_channels].argmax(axis=0)].astype(np.uint8)
    marks = ("vertebra_C2", "vertebra_T1", "vertebra_T12", "sacrum")
    return Seen(
        cord=cord, canal=canal, disc=disc, bone=bone,
        landmarks=tuple(answer[names.index(name)].copy() for name in classes.LANDMARK_DISCS),
        kinds=kinds, masks=masks,
        marks=tuple(answer[names.index(name)].copy() for name in marks),
    )  # fmt: skip


def _sureness(shares: F32, inside: Bools) -> float:
    """Return how much of bone's probability its likeliest class has, on average."""
    here = shares[:, inside]
    if not here.size:
        return 0.0
    return float((here.max(axis=0) / np.maximum(here.sum(axis=0), 1e-6)).mean())


def _on_space(share: F32, space: Space, target: Space) -> F32:
    """Bring a probability to another step's grid."""
    if space.same_as(target):
        return share
    result: F32 = resample_to(Image(share, space), target, "linear").data
    return result


def draw_odd(discs: Sequence[DiscSeen], path: Path, shape: tuple[int, ...]) -> F32:
    """Draw the odd discs, as step 2 was trained to read them."""
    odd = np.zeros(shape, np.float32)
    for disc, index in zip(discs, path, strict=True):
        if index is not None and index % 2 == 0:
            odd[tuple(disc.voxels.T)] = 1
    return odd


def shares_of(
    discs: Sequence[DiscSeen], first: Seen, second: Seen, spaces: tuple[Space, Space]
) -> FloatArray:
    """Average what step 1, step 2 and the vertebrae of step 2 say of each disc.

    Parameters
    ----------
    discs
        On step 2's grid.
    first, second
        What the steps saw.
    spaces
        The grid of each.
    """
    if not discs:
        return np.zeros((0, 5))
    spacing, early = spaces[1].spacing[0], []
    for disc in discs:
        where = _voxels_of(disc, *spaces)
        row = np.array([0.0, *(float(landmark[where].mean()) for landmark in first.landmarks)])
        row[1:] /= max(float(first.disc[where].mean()), row.sum(), 1e-6)
        row[0] = 1 - row.sum()
        early.append(row)
    late = np.array([disc.landmark for disc in discs])
    bones = np.array([_bone_shares(disc, i, discs, second, spacing, late[i])
                      for i, disc in enumerate(discs)])  # fmt: skip
    return landmark_shares([np.array(early), late, bones])


def _voxels_of(disc: DiscSeen, first: Space, second: Space) -> tuple[npt.NDArray[np.int64], ...]:
    """Return the voxels of step 1's grid that lie nearest to those of a disc."""
    if first.same_as(second):
        return tuple(disc.voxels.T)
    nearest = np.rint(first.to_voxel(second.to_world(disc.voxels))).astype(np.int64)
    return tuple(np.clip(nearest, 0, np.asarray(first.shape) - 1).T)


def _bone_shares(
    disc: DiscSeen,
    i: int,
    discs: Sequence[DiscSeen],
    seen: Seen,
    spacing: float,
    otherwise: FloatArray,
) -> FloatArray:
    """Ask the vertebrae beside a disc: C2 and the last thoracic above, T1 and sacrum below."""
    row = np.zeros(5)
    sides = {1: (i - 1, disc.normal), -1: (i + 1, -disc.normal)}
    for column, (mark, side) in enumerate(zip(seen.marks, (1, -1, 1, -1), strict=True), start=1):
        beside, direction = sides[side]
        away = 0.45 * (disc.depth if np.isfinite(disc.depth) else 20.0)
        if 0 <= beside < len(discs):
            away = min(away, 0.5 * float(np.linalg.norm(discs[beside].centre - disc.centre)))
        value = _mean_at(mark, seen.bone, disc.centre + away * direction, spacing)
        row[column] = otherwise[column] if value is None else value
    row /= max(1.0, row.sum())
    row[0] = 1 - row[1:].sum()
    return row


def _mean_at(mark: F32, bone: F32, place: FloatArray, spacing: float) -> float | None:
    """Return a class's share of the bone round a place; None where there is none."""
    middle = np.rint(place / spacing).astype(int)
    reach = max(1, round(4.0 / spacing))
    low, high = np.maximum(middle - reach, 0), np.minimum(middle + reach + 1, mark.shape)
    if (high <= low).any():
        return None
    box = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    total = float(bone[box].sum())
    if total < 0.3 * bone[box].size:
        return None
    return float(mark[box].sum()) / total
