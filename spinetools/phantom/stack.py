"""Stack the bones of the spine in front of and round the canal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spinetools.phantom import numbers
from spinetools.phantom.curve import Curve
from spinetools.phantom.lattice import FloatArray
from spinetools.phantom.pathology import SOUND, Pathology
from spinetools.phantom.profiles import Profiles
from spinetools.phantom.subject import Disc, Vertebra
from spinetools.phantom.variants import Column

#: Endplates of S1 (width, depth, mm) and of the sacral segments relative to it.
_S1_ENDPLATE_MM = (45.6, 29.0)
_SACRAL_WIDTH = (0.95, 0.68, 0.52, 0.42, 0.34)
_SACRAL_DEPTH = (1.0, 0.70, 0.54, 0.45, 0.39)

#: Of S2 where S1 is lumbarised; height of the disc below S1 then; height of the disc above a
#: sacralised L5's sacrum over what it would be. Typical MRI values.
_SQUARE_S2 = (0.86,)
_LUMBARISED_DISC_MM, _SACRALISED_DISC = 5.0, 0.45

#: Descent of the spinous process, degrees, by number of the vertebra (0 for C1).
_SLANT_DEG = ((0, 5), (1, 12), (5, 18), (7, 25), (11, 50), (14, 52), (17, 30), (19, 12), (24, 10),
              (28, 20))  # fmt: skip

#: Share of the angle between neighbouring discs that the bodies' wedge takes; discs take the rest.
_WEDGE = 0.7

#: How much of a slip a vertebra has, and those above it.
_FOLLOW = (1.0, 0.7, 0.4, 0.15)

#: The top of C1's ring below the top of its level, mm.
_C1_TOP_MM = 6.0


@dataclass(frozen=True, eq=False)
class _Joints:
    """The ends of all levels, top of C1 first: place, frame, size of the disc there."""

    s: FloatArray
    centres: FloatArray
    up: FloatArray
    right: FloatArray
    front: FloatArray
    width: FloatArray
    depth: FloatArray
    height: FloatArray


def place_bones(
    rng: np.random.Generator,
    curve: Curve,
    column: Column,
    ends: FloatArray,
    profiles: Profiles,
    scale: float,
    pathology: Pathology,
) -> tuple[tuple[Vertebra, ...], tuple[Disc, ...], tuple[Disc, ...]]:
    """Place disc centres in front of the canal, and bodies between them.

    Parameters
    ----------
    rng
        Source of randomness.
    curve
        The cord's line.
    column
        Its vertebrae.
    ends
        ``s`` of the top of C1 and of the lower end of each level C1 to S5.
    profiles
        Tables along the curve.
    scale
        Body size over the mean.
    pathology
        What is not sound.

    Returns
    -------
    vertebrae, discs, remnants
        The remnants are the discs inside the sacrum.
    """
    width, depth = (_draw_endplates(rng, column, axis, scale) for axis in (0, 1))
    s = ends.copy()
    s[0] = _C1_TOP_MM * scale

    def at_joints(values: FloatArray) -> FloatArray:
        return np.concatenate([values[:1], (values[:-1] + values[1:]) / 2, values[-1:]])

    joint_depth = at_joints(depth)
    wall = _profile(curve, profiles, "canal_v", s) + _profile(curve, profiles, "canal_ap", s) / 2
    _, up, right, front = curve.frame(s)
    heights = np.concatenate([[0.0], _draw_heights(rng, column, scale, pathology)])
    joints = _Joints(
        s, curve.at(s, 0.0, wall + joint_depth / 2), up, right, front,
        at_joints(width), joint_depth, heights,
    )  # fmt: skip
    slants = np.deg2rad(np.interp(column.marks[:-1], *np.array(_SLANT_DEG).T))
    forward = _slipped(pathology.slip_mm, len(column.names))
    vertebrae = []
    for i, name in enumerate(column.names):
        middle = (s[i] + s[i + 1]) / 2
        canal_v, canal_ap, canal_rl = (
            float(_profile(curve, profiles, f"canal_{which}", middle))
            for which in ("v", "ap", "rl")
        )
        pose = _body_pose(joints, i, forward[i])
        canal_centre = curve.at(middle, 0.0, canal_v)
        vertebrae.append(
            Vertebra(
                name=name,
                width=float(width[i]),
                depth=float(depth[i]),
                canal=float((canal_centre - pose.origin) @ pose.axes[1]),
                canal_ap=canal_ap,
                canal_rl=canal_rl,
                pedicle=(column.levels[i].pedicle_width if i < column.n else 16.0) * scale,
                spinous=(column.levels[i].spinous if i < column.n else 8.0) * scale,
                slant=float(slants[i] + rng.normal(0, 0.07)),
                lesions=pathology.lesions[i] if i < column.n else SOUND,
                wings=column.variant == "sacralised" and i == column.n - 1,
                **vars(pose),
            )
        )
    discs = _place_discs(rng, column, joints, forward, profiles.bulges, pathology)
    return tuple(vertebrae), discs, _place_remnants(column, joints, discs[-1].degeneration)


def _slipped(slip_mm: FloatArray, n: int) -> FloatArray:
    """How far forward of its place each vertebra is: those above one that slips follow it."""
    forward = np.zeros(n)
    for i in np.flatnonzero(slip_mm):
        for above, share in enumerate(_FOLLOW):
            if i >= above:
                forward[i - above] += share * slip_mm[i]
    return forward


@dataclass(frozen=True, eq=False)
class _Pose:
    origin: FloatArray
    axes: FloatArray
    height: float
    span: float
    tilt_top: float
    tilt_bottom: float


def _body_pose(joints: _Joints, i: int, forward: float) -> _Pose:
    """Place the body between the joints above and below, ``forward`` mm in front of its place."""
    upper, lower = joints.centres[i], joints.centres[i + 1]
    above, below = joints.height[i], joints.height[i + 1]
    axis = upper - lower
    span = float(np.linalg.norm(axis))
    axis = axis / span
    right = joints.right[i] + joints.right[i + 1]
    right = right - (right @ axis) * axis
    right /= np.linalg.norm(right)
    axes = np.stack([right, np.cross(axis, right), axis])
    tilts = [
        float(joints.up[j] @ axes[1]) / max(float(joints.up[j] @ axis), 0.5) for j in (i, i + 1)
    ]
    return _Pose(
        origin=(upper + lower) / 2 + axis * (below - above) / 4 + forward * axes[1],
        axes=axes,
        height=max(span - (below + above) / 2, 4.0),
        span=span,
        tilt_top=-_WEDGE * tilts[0],
        tilt_bottom=-_WEDGE * tilts[1],
    )


def _profile(
    curve: Curve, profiles: Profiles, name: str, s: npt.ArrayLike
) -> npt.NDArray[np.float64]:
    result: FloatArray = np.interp(np.asarray(s, dtype=float), curve.s, profiles.tables[name])
    return result


def _draw_endplates(
    rng: np.random.Generator, column: Column, axis: int, scale: float
) -> FloatArray:
    """Widths (axis 0) or depths (axis 1) of all bodies, mm."""
    mean = column.numbers(("endplate_width", "endplate_depth")[axis])
    own = mean * scale * (1 + numbers.ENDPLATE_CV * rng.normal(size=column.n).clip(-2, 2))
    sizes = (_SACRAL_WIDTH, _SACRAL_DEPTH)[axis]
    if column.variant == "lumbarised":
        sizes = (sizes[0], *_SQUARE_S2, *sizes[2:])
    sacral = np.array(sizes) * _S1_ENDPLATE_MM[axis] * scale
    return np.concatenate([own, sacral])


def _draw_heights(
    rng: np.random.Generator, column: Column, scale: float, pathology: Pathology
) -> FloatArray:
    """Height of the disc below each level, mm; the sacrum's remnants are thin."""
    mean = column.numbers("disc")
    own = rng.normal(0, 0.5) + rng.normal(0, 0.85, column.n)
    heights = mean * scale * np.clip(1 + numbers.DISC_CV * own, 0.5, 1.5)
    heights *= pathology.disc_share
    remnants = np.full(5, 1.5)
    if column.variant == "lumbarised":
        remnants[0] = _LUMBARISED_DISC_MM * scale
    if column.variant == "sacralised":
        heights[-1] *= _SACRALISED_DISC
    return np.concatenate([heights, remnants])


def _place_discs(
    rng: np.random.Generator,
    column: Column,
    joints: _Joints,
    forward: FloatArray,
    bulges: FloatArray,
    pathology: Pathology,
) -> tuple[Disc, ...]:
    age = rng.beta(1.6, 2.0)
    names = (*column.names[: column.n], "S")
    lesions = [*pathology.lesions, SOUND]
    return tuple(
        Disc(
            name=f"{names[i - 1]}-{names[i]}",
            s=float(joints.s[i]),
            origin=joints.centres[i] + joints.front[i] * (forward[i - 1] + forward[i]) / 2,
            axes=np.stack([joints.right[i], joints.front[i], joints.up[i]]),
            width=float(joints.width[i]),
            depth=float(joints.depth[i]),
            height=float(joints.height[i]),
            bulge=float(bulges[i - 1]),
            degeneration=max(
                float(np.clip(age + rng.normal(0, 0.25), 0, 1)), float(pathology.worn[i - 1])
            ),
            fill=(lesions[i - 1].dish[1], lesions[i].dish[0]),
            slope=(lesions[i - 1].wedge[1], lesions[i].wedge[0]),
            fused=bool(pathology.fused[i - 1]),
        )
        for i in range(2, column.n + 1)  # the first disc lies between C2 and C3
    )


def _place_remnants(column: Column, joints: _Joints, degeneration: float) -> tuple[Disc, ...]:
    """Discs between the upper sacral segments: thin and narrow, but whole below a lumbarised S1."""
    remnants = []
    for i, names in ((column.n + 1, "S1-S2"), (column.n + 2, "S2-S3")):
        whole = names == "S1-S2" and column.variant == "lumbarised"
        size = 1.0 if whole else 0.7
        remnants.append(
            Disc(
                name=names,
                s=float(joints.s[i]),
                origin=joints.centres[i],
                axes=np.stack([joints.right[i], joints.front[i], joints.up[i]]),
                width=float(joints.width[i]) * size,
                depth=float(joints.depth[i]) * size,
                height=float(joints.height[i]),
                bulge=0.0,
                degeneration=degeneration,
            )
        )
    return tuple(remnants)
