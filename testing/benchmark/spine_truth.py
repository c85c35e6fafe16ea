"""What a spine report should say of a simulated spine: exact numbers from its own geometry."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spinetools.image import Image, Space
from spinetools.phantom import Subject, paint_labels
from spinetools.phantom.bones import body, disc
from spinetools.phantom.labels import structure_ids
from spinetools.phantom.subject import Disc, Vertebra
from spinetools.vertebrae.alignment import CURVES, Endplate, coronal_cobb

FloatArray = npt.NDArray[np.float64]
#: Where heights are taken, as shares of the depth from the back (statistics.py).
PLACES = {"posterior": 0.12, "middle": 0.5, "anterior": 0.88}
STEP_MM = 0.02
#: So near to its tip the cord tapers within a slice: it is not compared there.
CONUS_MM = 20.0
#: Margin round the part of the spine that is painted: side, back, front, mm.
MARGIN_MM = (34.0, 72.0, 52.0)


@dataclass(frozen=True, eq=False)
class Truth:
    """Exact numbers by the names that the report uses: ``L1 height_middle_mm``, ``L1-L2 slip_mm``.

    ``angles`` are those of the curves by name, ``plates`` lean and tilt by endplate.
    """

    values: dict[str, float]
    angles: dict[str, float]
    plates: dict[str, tuple[float, float]]


def painted(
    subject: Subject, levels: tuple[float, float], spacing: tuple[float, float, float]
) -> tuple[Image, dict[int, str]]:
    """Paint a part of a spine: exact labels of structures, cord and canal, and their names."""
    ends = np.interp(levels, subject.profiles["level"], subject.curve.s)
    line = subject.curve.at(np.linspace(ends[0], ends[1], 60))
    side, back, front = MARGIN_MM
    low = line.min(axis=0) - np.array([side, back, 0])
    high = line.max(axis=0) + np.array([side, front, 0])
    count = np.ceil((high - low) / np.array(spacing)).astype(int)
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = low
    space = Space((int(count[0]), int(count[1]), int(count[2])), affine)
    labels = paint_labels(subject, space).structure
    names = {value: name for name, value in structure_ids().items()}
    there = {int(value): names[int(value)] for value in np.unique(labels) if value}
    return Image(labels, space), there


def truth_of(subject: Subject) -> Truth:
    """Compute the numbers of every vertebra and disc of a subject."""
    vertebrae = {v.name: v for v in subject.vertebrae}
    values: dict[str, float] = {}
    for name in subject.names[2:]:
        for place, height in heights_of_body(vertebrae[name]).items():
            values[f"{name} height_{place}_mm"] = height
        s, _, _ = subject.curve.solve(vertebrae[name].origin[None])
        values |= {f"{name} {key}": value for key, value in widths_at(subject, s[0]).items()}
    joints = {d.name: d for d in subject.discs}
    ordered = [joint.s for joint in subject.discs]
    for index, (name, joint) in enumerate(joints.items()):
        upper, lower = (vertebrae["S1" if end == "S" else end] for end in name.split("-"))
        for place, height in heights_of_disc(joint, upper, lower).items():
            values[f"{name} height_{place}_mm"] = height
        values[f"{name} slip_mm"] = slip(joint, upper, lower)
        if index + 1 < len(ordered):
            s = np.arange(joint.s, ordered[index + 1], 0.25)
            level = name.split("-")[1]
            values[f"{level} cord_area_mm2"] = float(subject.cord_csa(s).mean())
            if ordered[index + 1] > subject.conus_s - CONUS_MM:
                values[f"{level} cord_area_mm2"] = math.nan
            values[f"{level} canal_area_mm2"] = float(np.mean([sac_area(subject, x) for x in s]))
    plates = plates_of(subject)
    return Truth(values, angles_of(plates), plates)


def heights_of_body(vertebra: Vertebra) -> dict[str, float]:
    """Height of a vertebral body in the midline."""
    z = np.arange(-vertebra.height, vertebra.height, STEP_MM, dtype=np.float32)
    found = {}
    for place, share in PLACES.items():
        y = np.full_like(z, (share - 0.5) * vertebra.depth)
        found[place] = float((body(vertebra, np.float32(0), y, z) <= 0).sum() * STEP_MM)
    return found


def heights_of_disc(joint: Disc, upper: Vertebra, lower: Vertebra) -> dict[str, float]:
    """Height of a disc in the midline: what the bodies leave of it."""
    z = np.arange(-16, 16, STEP_MM)
    found = {}
    for place, share in PLACES.items():
        y = (share - 0.5) * joint.depth
        world = joint.origin + y * joint.axes[1] + z[:, None] * joint.axes[2]
        whole, _ = disc(
            joint, np.zeros(len(z), np.float32), np.full(len(z), y, np.float32),
            z.astype(np.float32),
        )  # fmt: skip
        inside = whole <= 0
        for vertebra in (upper, lower):
            local = ((world - vertebra.origin) @ vertebra.axes.T).astype(np.float32)
            inside &= body(vertebra, *local.T) > 0
        found[place] = float(inside.sum() * STEP_MM)
    return found


def widths_at(subject: Subject, s: float) -> dict[str, float]:
    """Diameters of dural sac and cord; no cord in the last of the conus."""
    found = {f"canal_{way}_mm": float(subject.profile(f"sac_{way}", s)) for way in ("ap", "rl")}
    for way in ("ap", "rl"):
        known = s < subject.conus_s - CONUS_MM
        found[f"cord_{way}_mm"] = float(subject.profile(f"cord_{way}", s)) if known else math.nan
    return found


def sac_area(subject: Subject, s: float) -> float:
    """Area of the dural sac, an ellipse that is wider in front."""
    t = np.linspace(-1, 1, 401)
    skew = float(subject.profile("sac_skew", s))
    half = np.sqrt(1 - t**2) / (1 - skew * t)
    a, b = (float(subject.profile(f"sac_{way}", s)) / 2 for way in ("rl", "ap"))
    return float(2 * a * b * half.mean() * 2 * len(t) / (len(t) - 1))


def slip(joint: Disc, upper: Vertebra, lower: Vertebra) -> float:
    """How far the upper body's back wall stands before the lower one's, beside the disc."""
    beside = 2.0
    above = (
        upper.origin
        - upper.axes[1] * upper.depth / 2
        + upper.axes[2] * (-upper.height / 2 - upper.tilt_bottom * upper.depth / 2 + beside)
    )
    below = (
        lower.origin
        - lower.axes[1] * lower.depth / 2
        + lower.axes[2] * (lower.height / 2 - lower.tilt_top * lower.depth / 2 - beside)
    )
    return float((above - below) @ joint.axes[1])


def plates_of(subject: Subject) -> dict[str, tuple[float, float]]:
    """Lean (forward) and tilt (to the right) of each endplate, degrees."""
    found = {}
    for vertebra in subject.vertebrae:
        if vertebra.name in ("C1", *(f"S{i}" for i in range(2, 6))):
            continue
        name = "S" if vertebra.name == "S1" else vertebra.name
        wedge = vertebra.lesions.wedge
        for sign, slope in (
            ("+", vertebra.tilt_top - wedge[0]), ("-", vertebra.tilt_bottom + wedge[1]),
        ):  # fmt: skip
            normal = vertebra.axes[2] - slope * vertebra.axes[1]
            found[f"{name}{sign}"] = (
                math.degrees(math.atan2(normal[1], normal[2])),
                math.degrees(math.atan2(normal[0], normal[2])),
            )
    return found


def angles_of(plates: dict[str, tuple[float, float]]) -> dict[str, float]:
    """Angles of the report's curves between exact endplates."""
    found = {}
    for name, (upper, lower, lordotic) in CURVES.items():
        angle = plates[lower][0] - plates[upper][0]
        found[name] = angle if lordotic else -angle
    found["sacral_slope"] = plates["S+"][0]
    return found


def cobb_of(plates: dict[str, tuple[float, float]], seen: list[str]) -> float:
    """Largest angle from the front between exact endplates that the report has too."""
    nothing = np.zeros(3)
    exact = {name: Endplate(name, nothing, nothing, *plates[name]) for name in seen}
    return coronal_cobb(exact).angle_deg
