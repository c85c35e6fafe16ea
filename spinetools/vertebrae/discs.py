"""Discs as things: components of the network's answer, split, joined, measured, put in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cc3d
import numpy as np
import numpy.typing as npt

from spinetools.vertebrae.canal import FloatArray, Line, coordinates
from spinetools.vertebrae.classes import LANDMARK_DISCS

F32 = npt.NDArray[np.float32]
Indices = npt.NDArray[np.intp]

#: A disc is no thicker than this (spread of its voxels about its plane, mm); two are.
_MOST_SPREAD_MM = 4.3
#: Nor does it reach further across its plane: discs merged by a bridge do, mm.
_MOST_THICKNESS_MM = 17.0
#: The same where the voxels are wide at one height only: a high or bulging disc is no two.
_ALONE_SPREAD_MM, _ALONE_THICKNESS_MM = 6.0, 24.0
#: Two pieces nearer than this along the spine are parts of one disc; discs are 13 mm apart or more.
_SAME_DISC_MM, _TWO_DISCS_MM = 6.0, 12.0
#: What is smaller is no disc, mm³ (a cervical disc has 700) …
_LEAST_VOLUME_MM3 = 40.0
#: … nor what is this much smaller than those near it.
_LEAST_SHARE = 0.07
#: Where a disc's middle may lie: mm in front of the canal's middle, and to its side.
_FRONT_MM, _SIDE_MM = (2.0, 55.0), 28.0
#: A disc's plane leans on the canal's line at most so much (tangent of the angle).
_MOST_SLOPE = 1.0
#: Strength of the prior that a disc does not lean sideways, mm² (a slab shows little width).
_RIDGE_MM2 = 12.0
#: Heights at which a component has this share of its largest section are a disc's; voxels nearer
#: than this to a disc's plane belong to it, mm.
_WIDE, _CORE_MM = 0.35, 6.5
#: A plane is fitted to about so many of a component's voxels at least, where it has them.
_SAMPLE = 3000
#: From this many discs on their usual distance is known; farther apart by this factor, one between
#: them was missed; it is at least this share of the distance away from both.
_LEAST_FOR_PITCH, _GAP, _APART = 4, 1.5, 0.6
#: Probability from which voxels are a disc's, and from which such a disc is looked for.
CLEAR, FAINT = 0.5, 0.25
#: Place of L5–S among a disc's shares, and the share from which the network calls it that.
_L5_S, _CALLED = 1 + LANDMARK_DISCS.index("disc_L5_S"), 0.5
#: S1–S2 is less deep than L5–S1 by more than this.
_SACRAL_DEPTH = 0.9
#: What is shallower and narrower than these shares of the disc above it, with L5–S about there, is
#: what is left of S1–S2: L5–S1 itself is about as large as L4–L5.
_RUDIMENT_DEPTH, _RUDIMENT_WIDTH = 0.75, 0.65
#: … and where the image's sides cut one of them, so that no width is known, in depth alone. (L5–S
#: has 0.8 of L4–L5's and more in SPIDER's images; a vessel in front of a slipped L5 had 0.4.)
_RUDIMENT_ALONE = 0.5


@dataclass(frozen=True, eq=False)
class DiscSeen:
    """A disc that the network saw. Places are mm in a grid that runs right, front and up.

    Attributes
    ----------
    voxels
        (N, 3) indices in the working grid.
    centre, normal
        Middle, and the unit vector that stands on its plane, upwards.
    back
        The middle of its posterior edge.
    s
        Length along the canal's line, mm.
    depth, width, height
        Front to back, side to side, thickness, mm; NaN where the image cuts it off.
    probability
        Mean over its voxels, 0–1.
    landmark
        Shares (5,) of no landmark and of each of :data:`LANDMARK_DISCS`.
    """

    voxels: Indices
    centre: FloatArray
    normal: FloatArray
    back: FloatArray
    s: float
    depth: float
    width: float
    height: float
    probability: float
    landmark: FloatArray

    @property
    def cut(self) -> bool:
        """Whether the image's upper or lower end cuts it."""
        return bool(np.isnan(self.height))


def find_discs(
    disc: F32,
    landmarks: Sequence[F32],
    line: Line,
    spacing: float,
    kinds: npt.NDArray[np.uint8] | None = None,
    threshold: float = CLEAR,
) -> list[DiscSeen]:
    """Find the discs, from the top.

    Parameters
    ----------
    disc
        Probability of any disc.
    landmarks
        Probability of each of :data:`LANDMARK_DISCS`.
    line
        The canal's line.
    spacing
        Of the isotropic grid, mm.
    kinds
        Classes that keep neighbours apart (odd, even): touching voxels of two are two discs.
    threshold
        Probability from which a voxel counts.
    """
    inside = disc >= threshold
    labels = cc3d.connected_components(
        inside if kinds is None else np.where(inside, kinds, 0), connectivity=6
    )
    places = np.argwhere(labels)
    if not len(places):
        return []
    owner = labels[tuple(places.T)]
    order = np.argsort(owner, kind="stable")
    groups = np.split(places[order], np.flatnonzero(np.diff(owner[order])) + 1)
    least = max(3.0, _LEAST_VOLUME_MM3 / spacing**3)
    parts = [
        part
        for group in groups
        if len(group) >= least
        for part in _split(group, line, spacing)
        if len(part) >= least
    ]
    parts = _joined([part for part in parts if _in_place(part, line, spacing)], line, spacing)
    sizes = np.array([len(part) for part in parts], dtype=float)
    kept = [
        part
        for i, part in enumerate(parts)
        if sizes[i] >= _LEAST_SHARE * np.median(sizes[max(0, i - 3) : i + 4])
    ]
    shape = disc.shape
    seen = [_measured(part, disc, landmarks, line, spacing, shape) for part in kept]
    return sorted(seen, key=lambda found: found.s)


def measure_disc(voxels: Indices, line: Line, spacing: float, shape: tuple[int, ...]) -> DiscSeen:
    """Measure a disc whose voxels are known, as :func:`find_discs` measures those it finds.

    Parameters
    ----------
    voxels
        (N, 3) indices in a grid that runs right, front and up.
    line
        The canal's line.
    spacing, shape
        Of the isotropic grid.

    Returns
    -------
    DiscSeen
        Without shares of landmarks: no network was asked.
    """
    return _measured(voxels, np.ones(shape, np.float32), (), line, spacing, shape)


def _split(group: Indices, line: Line, spacing: float) -> list[Indices]:
    """Cut discs that have grown together: voxels go to the nearest of the planes fitted to them.

    How many there are shows in the heights of the voxels: discs are wide, what joins them is thin.
    """
    _, residual = _plane(group, line, spacing)
    thickness = float(np.ptp(np.percentile(residual, (2, 98))))
    if residual.std() <= _MOST_SPREAD_MM and thickness <= _MOST_THICKNESS_MM:
        return [group]
    middles = _wide_heights(residual, spacing)
    if len(middles) < 2:
        if residual.std() <= _ALONE_SPREAD_MM and thickness <= _ALONE_THICKNESS_MM:
            return [group]
        low, high = np.percentile(residual, (10, 90))
        middles = np.array([low, high])
    nearest = np.argmin(np.abs(residual[:, None] - middles), axis=1)
    away = np.abs(residual[:, None] - middles)
    for _ in range(6):
        columns = []
        for k in range(len(middles)):
            # what joins two discs is far from both planes, and does not count in either
            core = group[(nearest == k) & (away[:, k] <= _CORE_MM)]
            if len(core) < 8:
                columns.append(np.full(len(group), np.inf))
                continue
            (centre, normal), _ = _plane(core, line, spacing)
            columns.append(np.abs((group * spacing - centre) @ normal))
        away = np.stack(columns, axis=1)
        before, nearest = nearest, np.argmin(away, axis=1)
        if (before == nearest).all():
            break
    parts = []
    for k in range(len(middles)):
        mine = (nearest == k) & (away[:, k] <= _CORE_MM)
        if mine.sum() >= 8:
            edge = 1.5 * np.percentile(away[mine, k], 75) + 0.7 * spacing
            parts.append(group[mine & (away[:, k] <= edge)])
    return parts


def _wide_heights(residual: FloatArray, spacing: float) -> FloatArray:
    """Return the middles of the heights at which a component is wide."""
    step = max(1.0, spacing)
    bins = np.arange(residual.min(), residual.max() + step, step)
    counts = np.histogram(residual, bins)[0].astype(float)
    counts = np.convolve(np.pad(counts, 1, mode="edge"), (0.25, 0.5, 0.25), mode="valid")
    wide = np.flatnonzero(counts >= _WIDE * counts.max())
    runs = np.split(wide, np.flatnonzero(np.diff(wide) > 1) + 1)
    return np.array([bins[0] + step * (run.mean() + 0.5) for run in runs])


def _plane(
    group: Indices, line: Line, spacing: float
) -> tuple[tuple[FloatArray, FloatArray], FloatArray]:
    """Fit a plane: its centre and upward normal, and the voxels' heights above it in mm.

    Height along the canal's line is regressed on depth and, held back, on width: of a disc seen in
    a few sagittal slices the thinnest side is not its height.
    """
    centre = group.mean(axis=0) * spacing
    sample = group[:: max(1, len(group) // _SAMPLE)] * spacing
    index = int(line.nearest(centre))
    up, front, right = line.up[index], line.front[index], line.right[index]
    away = sample - centre
    height, ahead, aside = away @ up, away @ front, away @ right
    n = len(sample)
    lean = np.clip(ahead @ height / (ahead @ ahead + n * 2.0), -_MOST_SLOPE, _MOST_SLOPE)
    rest = height - lean * ahead
    roll = np.clip(aside @ rest / (aside @ aside + n * _RIDGE_MM2), -0.7, 0.7)
    normal = up - lean * front - roll * right
    normal /= np.linalg.norm(normal)
    return (centre, normal), (group * spacing - centre) @ normal


def _in_place(group: Indices, line: Line, spacing: float) -> bool:
    """Whether a component lies where discs are: in front of the canal, and near it."""
    _, right, front, _ = coordinates(line, group.mean(axis=0)[None] * spacing)
    return bool(_FRONT_MM[0] <= front[0] <= _FRONT_MM[1] and abs(right[0]) <= _SIDE_MM)


def _joined(parts: list[Indices], line: Line, spacing: float) -> list[Indices]:
    """Join the pieces of one disc, and put discs in order along the canal."""

    def length(part: Indices) -> float:
        return float(coordinates(line, part.mean(axis=0)[None] * spacing)[0][0])

    result: list[Indices] = []
    for part in sorted(parts, key=length):
        if result:
            last = result[-1]
            larger, smaller = (last, part) if len(last) >= len(part) else (part, last)
            (centre, normal), _ = _plane(larger, line, spacing)
            apart = abs((smaller.mean(axis=0) * spacing - centre) @ normal)
            both = np.concatenate([last, part])
            _, residual = _plane(both, line, spacing)
            if apart < _SAME_DISC_MM and residual.std() <= _MOST_SPREAD_MM:
                result[-1] = both
                continue
        result.append(part)
    return result


def _measured(
    group: Indices,
    disc: F32,
    landmarks: Sequence[F32],
    line: Line,
    spacing: float,
    shape: tuple[int, ...],
) -> DiscSeen:
    (centre, normal), _ = _plane(group, line, spacing)
    s, _, _, index = coordinates(line, centre[None])
    front, right = line.front[index[0]], line.right[index[0]]
    away = group * spacing - centre
    ahead, aside = away @ front, away @ right
    where = tuple(group.T)
    weights = disc[where].astype(float)
    shares = np.array([0.0, *(float(landmark[where].mean()) for landmark in landmarks)])
    shares[1:] /= max(float(weights.mean()), shares.sum(), 1e-6)
    shares[0] = 1 - shares.sum()
    # the nearest to the midline: a disc may be seen in two halves
    middle = np.abs(aside) <= np.abs(aside).min() + max(3.0, 0.15 * np.ptp(aside))
    back = away[middle][np.argmin(ahead[middle])]
    # along the disc's own plane: a cervical disc rises backwards by a third of its height and more
    along = front - normal * float(front @ normal)
    # area of the plane that the disc covers, from that of its shadow on the axial plane
    area = len(np.unique(group[:, :2], axis=0)) * spacing**2 / max(abs(float(normal[2])), 0.3)
    return DiscSeen(
        voxels=group,
        centre=centre,
        normal=normal,
        back=centre + along * (float(back @ front) / float(along @ front)),
        s=float(s[0]),
        depth=_extent(ahead, spacing) if not _cut(group, 1, shape) else np.nan,
        width=_extent(aside, spacing) if not _cut(group, 0, shape) else np.nan,
        height=len(group) * spacing**3 / area if not _cut(group, 2, shape) else np.nan,
        probability=float(weights.mean()),
        landmark=shares,
    )


def _extent(values: npt.NDArray[Any], spacing: float) -> float:
    """Length of a body from its voxels: the middle 96 % of a super-ellipse's is 92 % of it."""
    low, high = np.percentile(values, (2, 98))
    return float(high - low) / 0.92 + spacing * 0.5


def _cut(group: Indices, axis: int, shape: tuple[int, ...]) -> bool:
    """Whether a component reaches the edge of the grid along an axis, but for a soft voxel."""
    return bool(group[:, axis].min() <= 1 or group[:, axis].max() >= shape[axis] - 2)


def with_faint(discs: Sequence[DiscSeen], faint: Sequence[DiscSeen]) -> list[DiscSeen]:
    """Add discs that are seen faintly where two others lie too far apart to be neighbours.

    Parameters
    ----------
    discs, faint
        From the top; ``faint`` found at a lower threshold.
    """
    if len(discs) < _LEAST_FOR_PITCH:
        return list(discs)
    s = np.array([disc.s for disc in discs])
    pitch = np.diff(s)
    usual = float(np.median(pitch))
    result = list(discs)
    for above, room in zip(s[:-1], pitch, strict=True):
        if room < _GAP * usual:
            continue
        low, high = above + _APART * usual, above + room - _APART * usual
        result += [disc for disc in faint if low <= disc.s <= high]
    return sorted(result, key=lambda disc: disc.s)


def _is_rudiment(disc: DiscSeen, above: DiscSeen) -> bool:
    if np.isnan(disc.width) or np.isnan(above.width):
        return disc.depth <= _RUDIMENT_ALONE * above.depth
    return (
        disc.depth <= _RUDIMENT_DEPTH * above.depth and disc.width <= _RUDIMENT_WIDTH * above.width
    )


def _is_crumb(disc: DiscSeen, below: DiscSeen) -> bool:
    """Whether a disc is a piece of the one below: nearer than two discs are, and much smaller."""
    return below.s - disc.s < _TWO_DISCS_MM and _is_rudiment(disc, below)


def without_sacral(discs: Sequence[DiscSeen]) -> list[DiscSeen]:
    """Leave out discs within the sacrum: S1–S2, where it is seen, looks like L5–S1.

    Where a network calls several discs L5–S, the uppermost is; one below is left out if it is no
    deeper than :data:`_SACRAL_DEPTH` of that one, or if the image cuts either off, so that L5–S is
    not lost to an error at L4–L5. A much smaller disc below one called L5–S, or called so itself,
    is left out whatever it is called, and with it what lies below, unless it is a crumb of that.

    Parameters
    ----------
    discs
        From the top.
    """
    called = [i for i, disc in enumerate(discs) if disc.landmark[_L5_S] >= _CALLED]
    if not called:
        return list(discs)
    for i in range(max(called[0], 1), len(discs)):
        if _is_rudiment(discs[i], discs[i - 1]) and not {i - 1, i}.isdisjoint(called):
            crumb = i + 1 < len(discs) and _is_crumb(discs[i], discs[i + 1])
            return without_sacral([*discs[:i], *(discs[i + 1 :] if crumb else [])])
    first = discs[called[0]]
    sacral = {
        i for i in called[1:]
        if not discs[i].depth > _SACRAL_DEPTH * first.depth
    }  # fmt: skip
    # below the sacrum's own there is no other
    kept = [d for i, d in enumerate(discs) if not sacral or i < min(sacral)]
    return kept
