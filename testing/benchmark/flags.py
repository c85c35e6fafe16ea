"""Measure how many spoilt cord masks the QC report flags, and how many sound ones.

    python testing/benchmark/flags.py [-h]

The masks are those of the simulated spine, as the checks of the QC report see them, whichever
command made them. Sound: the edge moved by noise and by up to a third of a voxel inwards or
outwards, as methods differ. Leaking: a lobe of CSF or fat added to the cord over a length and with
an area drawn at random, as deformable surfaces leak. Lost: as long a piece of which a part is
missing. Writes results/flags.tsv.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from cases import PHANTOMS, RESULTS
from scipy import ndimage
from tables import markdown, write_tsv

from spinetools.image import Image
from spinetools.phantom import make_phantom
from spinetools.qc.checks import area_jumps, mask_flags
from spinetools.qc.cuts import extent_of
from spinetools.qc.geometry import Frame

BoolArray = npt.NDArray[np.bool_]

#: How a leak is drawn: its length along the cord, and what it adds to the cord's area.
LEAK_MM, LEAK_SHARE = (4.0, 40.0), (0.8, 3.0)
#: A lost piece: its length, and the share that is missing.
LOST_MM, LOST_SHARE = (6.0, 40.0), (0.5, 0.95)
#: No slice of a leak or a loss is nearer to an end than this: there a mask may end as it likes.
FROM_END_MM = 35.0


def main(argv: Sequence[str] | None = None) -> int:
    """Spoil masks, look for flags, print and write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("-seeds", type=int, default=3, help="phantoms of a protocol (default 3)")
    parser.add_argument("-each", type=int, default=5, help="masks of a phantom (default 5)")
    args = parser.parse_args(argv)
    counts: dict[str, Counter[str]] = {kind: Counter() for kind in ("sound", "leaking", "lost")}
    for protocol in PHANTOMS:
        for seed in range(args.seeds):
            cord = make_phantom(seed=7000 + seed, protocol=protocol).cord
            rng = np.random.default_rng(seed)
            for _ in range(args.each):
                for kind, spoilt in (("sound", sound), ("leaking", leaking), ("lost", lost)):
                    data = spoilt(cord, rng)
                    if data is not None:
                        counts[kind]["masks"] += 1
                        counts[kind]["flagged"] += bool(flags(cord, data))
        print(protocol, {kind: dict(count) for kind, count in counts.items()}, flush=True)
    rows = [
        {
            "masks": kind,
            "number": str(count["masks"]),
            "flagged": str(count["flagged"]),
            "share": f"{count['flagged'] / max(count['masks'], 1):.1%}",
            "expected": "≤ 5 %" if kind == "sound" else "≥ 95 %" if kind == "leaking" else "n/a",
        }
        for kind, count in counts.items()
    ]
    print(markdown(rows))
    write_tsv(RESULTS / "flags.tsv", rows)
    return 0


def flags(cord: Image, data: BoolArray) -> list[str]:
    """Return the kinds of flag that a mask gets."""
    frame = Frame(cord.space, "axial")
    extent = extent_of(frame, data)
    found = [*mask_flags("cord", frame, extent, ()), *area_jumps("cord", frame, extent)]
    return [flag.kind for flag in found]


def sound(cord: Image, rng: np.random.Generator) -> BoolArray:
    """Return the mask with an edge as another good method would draw it."""
    moved = cord.data > 0
    box = tuple(
        slice(max(0, part.start - 3), part.stop + 3)
        for part in ndimage.find_objects(moved.astype(np.uint8))[0]
    )
    data = moved[box]
    depth = ndimage.distance_transform_edt(data) - ndimage.distance_transform_edt(~data)
    noise = ndimage.gaussian_filter(rng.normal(0, 1, data.shape), 1.5)
    noise *= 0.25 / max(float(noise.std()), 1e-9)
    moved[box] = depth + noise + rng.uniform(-0.33, 0.33) > 0
    return np.asarray(moved)


def piece(
    cord: Image, rng: np.random.Generator, length_mm: tuple[float, float]
) -> tuple[Frame, BoolArray, slice] | None:
    """Choose a piece of the cord; None where the cord is too short for one."""
    frame = Frame(cord.space, "axial")
    data = np.array(frame.array(cord.data > 0))
    filled = np.flatnonzero(data.any(axis=(0, 1)))
    mm = frame.spacing[2]
    n = max(1, round(rng.uniform(*length_mm) / mm))
    from_end = round(FROM_END_MM / mm)
    first, last = int(filled[0]) + from_end, int(filled[-1]) - from_end - n
    if last <= first:
        return None
    start = int(rng.integers(first, last))
    return frame, data, slice(start, start + n)


def back(cord: Image, frame: Frame, data: BoolArray) -> BoolArray:
    """Return the frame's array in the image's own order of axes."""
    result = np.zeros(cord.shape, dtype=bool)
    frame.array(result)[...] = data
    return result


def leaking(cord: Image, rng: np.random.Generator) -> BoolArray | None:
    """Add a lobe to one side of a piece of the cord."""
    chosen = piece(cord, rng, LEAK_MM)
    if chosen is None:
        return None
    frame, data, where = chosen
    angle, share = rng.uniform(0, 2 * np.pi), rng.uniform(*LEAK_SHARE)
    rows, columns = np.indices(data.shape[:2])
    for s in range(where.start, where.stop):
        if not data[..., s].any():
            continue
        area = data[..., s].sum() * frame.spacing[0] * frame.spacing[1]
        centre = np.argwhere(data[..., s]).mean(axis=0)
        # a disc of that area whose centre lies on the cord's edge, so that half of it is new
        radius = np.sqrt(2 * share * area / np.pi)
        edge = np.sqrt(area / np.pi)
        y = (rows - centre[0]) * frame.spacing[0] - edge * np.sin(angle)
        x = (columns - centre[1]) * frame.spacing[1] - edge * np.cos(angle)
        data[..., s] |= x**2 + y**2 < radius**2
    return back(cord, frame, data)


def lost(cord: Image, rng: np.random.Generator) -> BoolArray | None:
    """Take away one side of a piece of the cord."""
    chosen = piece(cord, rng, LOST_MM)
    if chosen is None:
        return None
    frame, data, where = chosen
    angle, share = rng.uniform(0, 2 * np.pi), rng.uniform(*LOST_SHARE)
    for s in range(where.start, where.stop):
        places = np.argwhere(data[..., s])
        if not len(places):
            continue
        along = places @ [np.sin(angle) * frame.spacing[0], np.cos(angle) * frame.spacing[1]]
        gone = places[along > np.quantile(along, 1 - share)]
        data[gone[:, 0], gone[:, 1], s] = False
    return back(cord, frame, data)


if __name__ == "__main__":
    raise SystemExit(main())
