"""Measure how many leaking results of st_propseg are flagged, and how many sound ones.

    python testing/benchmark/leaks.py [-h]

Real runs on simulated spines, a short piece of the neck each. Most runs are provoked: the CSF
beside the cord is given the cord's intensity along a piece, a structure of the cord's intensity is
put beside it, the contrast of the CSF is weakened everywhere, the surface is told a wrong radius or
a wrong contrast, or is made loose. Whether a result leaks or is sound is decided by the exact cord
alone, not by what was done. A result counts as flagged where the QC report flags anything: what
st_propseg says itself, and what the report finds. Writes results/leaks.tsv.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from cases import RESULTS
from flags import flags
from scipy import ndimage
from tables import markdown, read_tsv, write_tsv

from spinetools.centerline import optic_centreline
from spinetools.cli._propseg import flags_of
from spinetools.errors import SpinetoolsError
from spinetools.image import Image
from spinetools.phantom import Phantom, get_protocol, make_phantom
from spinetools.propseg import PropsegParams, PropsegResult, segment_cord

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

#: Protocols, each with a piece of the spine to see (levels) and a field of view across (mm).
PIECES = {
    "t2_3d": ((2.0, 5.5), (46, 56, 0)),
    "t1_3d": ((2.0, 5.5), (46, 56, 0)),
    "t2_axial": ((1.0, 6.5), (60, 60, 100)),
    "t2s_axial": ((1.5, 5.5), (60, 60, 75)),
}
#: Runs on each phantom: as it is, and provoked in ways that are drawn.
PROVOKED = 5
#: A leak: so much of the cord's true area too much, on average over this length.
LEAK_EXCESS, LEAK_MM = 0.4, 5.0
#: Sound: nowhere more than this too much or too little over that length, and a Dice of at least …
SOUND_EXCESS, SOUND_DICE = 0.2, 0.9
#: The first slices of a mask may end as they like.
ENDS_MM = 4.0


class Run(NamedTuple):
    """A run of PropSeg: what it is told, and on which image."""

    how: str
    image: Image
    contrast: Literal["t1", "t2", "t2s", "dwi"]
    params: PropsegParams
    knows_radius: bool = False


def main(argv: Sequence[str] | None = None) -> int:
    """Run, judge, print and write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("-seeds", type=int, nargs=2, default=(9000, 9025), metavar=("FROM", "TO"))
    parser.add_argument("-runs", type=Path, help="append each run to this file, and sum up all")
    args = parser.parse_args(argv)
    rows = read_tsv(args.runs) if args.runs and args.runs.is_file() else []
    for seed in range(*args.seeds):
        for protocol in PIECES:
            done = measure(seed, protocol)
            for row in done:
                print("\t".join(row.values()), file=sys.stderr, flush=True)
            rows += done
            if args.runs:
                write_tsv(args.runs, rows)
    table = summary(rows)
    print(markdown(table))
    write_tsv(RESULTS / "leaks.tsv", table)
    return 0


def summary(rows: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """Return how many leaking and sound results were flagged."""
    table = []
    for kind, expected in (("leaking", "≥ 95 %"), ("sound", "≤ 5 %")):
        own = [row for row in rows if row["is"] == kind]
        flagged = sum(row["flags"] != "" for row in own)
        at_place = sum(row["at the leak"] == "yes" for row in own)
        share = f"{flagged / max(len(own), 1):.1%}"
        there = f"{at_place / max(len(own), 1):.1%}" if kind == "leaking" else "n/a"
        table.append(
            {
                "results": kind, "number": str(len(own)), "flagged": str(flagged), "share": share,
                "flagged where it leaks": there, "expected": expected,
            }
        )  # fmt: skip
    return table


def measure(seed: int, protocol: str) -> list[dict[str, str]]:
    """Run PropSeg on a phantom in several ways; return a row a run."""
    levels, size = PIECES[protocol]
    grid = replace(get_protocol(protocol), levels=levels, size=size, forward=0.0)
    phantom = make_phantom(seed=seed, protocol=grid)
    rng = np.random.default_rng([seed, sorted(PIECES).index(protocol)])
    contrast = "t2s" if phantom.contrast == "mt" else phantom.contrast
    plain = Run("as it is", phantom.image, contrast, PropsegParams())  # type: ignore[arg-type]
    rows = []
    for run in (plain, *(provoked(phantom, plain, rng) for _ in range(PROVOKED))):
        row = {"seed": str(seed), "protocol": protocol, "how": run.how}
        try:
            line = optic_centreline(run.image, below_mm=40.0)
            result = segment_cord(
                run.image, line.voxels, run.contrast, run.params,
                radius_mm=None if run.knows_radius else line.radius_mm,
                seen_radius_mm=line.radius_mm, n_below=line.n_below,
            )  # fmt: skip
        except SpinetoolsError as error:
            rows.append({**row, **_nothing(str(error))})
            continue
        rows.append({**row, **judged(phantom, result)})
    return rows


def _nothing(why: str) -> dict[str, str]:
    return {"is": "no result", "dice": "", "excess": "", "at the leak": "", "flags": why[:60]}


def judged(phantom: Phantom, result: PropsegResult) -> dict[str, str]:
    """Say what a result is by the exact cord, and what the report says of it."""
    truth, found = phantom.cord, result.mask
    upright = [image.reorient(("R", "A", "S")) for image in (truth, found)]
    true, mask = (image.data > 0 for image in upright)
    step_mm = upright[0].space.spacing[2]
    both = np.flatnonzero(true.any(axis=(0, 1)) & mask.any(axis=(0, 1)))
    rim = max(0, round(ENDS_MM / step_mm)) if step_mm < ENDS_MM else 0
    inner = both[rim : len(both) - rim]
    areas = true.sum(axis=(0, 1), dtype=float)[inner]
    # in thick slices the length is less than one slice: then every slice by itself
    window = max(1, round(LEAK_MM / step_mm))
    extra = (mask & ~true).sum(axis=(0, 1))[inner] / areas
    lost = (true & ~mask).sum(axis=(0, 1))[inner] / areas
    extra, lost = (ndimage.uniform_filter1d(each, window, mode="nearest") for each in (extra, lost))
    net = ndimage.uniform_filter1d(mask.sum(axis=(0, 1))[inner] / areas - 1, window, mode="nearest")
    overlap = mask[..., both] & true[..., both]
    dice = 2 * overlap.sum() / (mask[..., both].sum() + true[..., both].sum())
    leaks = net >= LEAK_EXCESS
    is_sound = dice >= SOUND_DICE and np.abs(net).max() <= SOUND_EXCESS
    said = [*flags_of(found, result)]
    slices = {k for flag in said for k in flag.slices}
    kinds = sorted({flag.kind for flag in said} | set(flags(truth, found.data > 0)))
    from spinetools.cli._results import native_slice

    at = {native_slice(found.space, int(k)) for k in inner[leaks]}
    return {
        "is": "leaking" if leaks.any() else "sound" if is_sound else "neither",
        "dice": f"{dice:.3f}",
        "excess": f"{net.max():.2f}",
        "at the leak": "yes" if at & slices else "no",
        "flags": ", ".join(kinds),
    }


# -- what makes a surface leak --------------------------------------------------------------------


def provoked(phantom: Phantom, plain: Run, rng: np.random.Generator) -> Run:
    """Draw one or two ways of provoking a leak, and do them."""
    ways = {
        "csf gone": csf_gone, "neighbour": neighbour, "faint": faint, "radius": wrong_radius,
        "loose": loose, "contrast": wrong_contrast,
    }  # fmt: skip
    names = list(ways)
    chosen = rng.choice(
        names, size=rng.integers(1, 3), replace=False, p=[0.3, 0.25, 0.1, 0.1, 0.15, 0.1]
    )
    run = plain
    for name in sorted(chosen, key=names.index):
        run = ways[name](phantom, run, rng)
    return run._replace(how=" and ".join(sorted(chosen, key=names.index)))


def cord_level(phantom: Phantom, image: Image) -> float:
    """Return the cord's intensity."""
    return float(np.median(image.data[phantom.cord_soft.data > 0.95]))


def piece(phantom: Phantom, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Draw a piece of the cord: a weight for each slice (axis 2), and the cord's centres."""
    cord = phantom.cord.data > 0
    step_mm = phantom.space.spacing[2]
    filled = np.flatnonzero(cord.any(axis=(0, 1)))
    length = rng.uniform(8, 40)
    middle = rng.uniform(filled[0] + 8 / step_mm, filled[-1] - 8 / step_mm)
    away = np.abs(np.arange(cord.shape[2]) - middle) * step_mm
    weight = np.clip((length / 2 + 2 - away) / 4, 0, 1)
    centres = np.array([ndimage.center_of_mass(cord[..., k]) for k in filled])
    everywhere = np.arange(cord.shape[2])
    return weight, np.stack([np.interp(everywhere, filled, c) for c in centres.T], axis=1)


def around(phantom: Phantom, centres: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return each voxel's angle about the cord's centre and its distance to it in the slice, mm."""
    sx, sy, _ = phantom.space.spacing
    i, j = np.indices(phantom.space.shape[:2])
    dx = (i[..., None] - centres[None, None, :, 0]) * sx
    dy = (j[..., None] - centres[None, None, :, 1]) * sy
    return np.arctan2(dy, dx), np.hypot(dx, dy)


def csf_gone(phantom: Phantom, run: Run, rng: np.random.Generator) -> Run:
    """Give CSF the cord's intensity along a piece, on one side or all round."""
    weight, centres = piece(phantom, rng)
    angle, _ = around(phantom, centres)
    side, width = rng.uniform(-np.pi, np.pi), rng.uniform(0.5, 3.2)
    off = np.abs((angle - side + np.pi) % (2 * np.pi) - np.pi)
    share = np.clip((width - off) / 0.3, 0, 1) * weight * rng.uniform(0.75, 1.0)
    return run._replace(image=faded(phantom, run.image, share))


def faint(phantom: Phantom, run: Run, rng: np.random.Generator) -> Run:
    """Weaken the contrast of the CSF everywhere."""
    share = np.full(phantom.space.shape, rng.uniform(0.5, 0.95))
    return run._replace(image=faded(phantom, run.image, share))


def faded(phantom: Phantom, image: Image, share: FloatArray) -> Image:
    """Move CSF's mean intensity towards the cord's; the noise stays."""
    csf = np.clip(phantom.canal_soft.data - phantom.cord_soft.data, 0, 1)
    surely = csf > 0.9
    if not surely.any():
        surely = csf > 0.5 * csf.max()
    level = float(np.median(image.data[surely]))
    return image.like(image.data + (cord_level(phantom, image) - level) * csf * share)


def neighbour(phantom: Phantom, run: Run, rng: np.random.Generator) -> Run:
    """Put a structure of the cord's intensity beside the cord."""
    weight, centres = piece(phantom, rng)
    angle, _ = around(phantom, centres)
    sx, sy, _ = phantom.space.spacing
    side, radius_mm = rng.uniform(-np.pi, np.pi), rng.uniform(2.0, 6.0)
    area_mm2 = phantom.cord_soft.data.sum(axis=(0, 1)) * sx * sy
    edge_mm = np.sqrt(area_mm2 / np.pi)
    middle = centres + (edge_mm * rng.uniform(0.9, 1.3) + radius_mm * rng.uniform(0.4, 1.0))[
        :, None
    ] * np.array([np.cos(side) / sx, np.sin(side) / sy])
    _, distance = around(phantom, middle)
    del angle
    share = np.clip((radius_mm - distance) / 0.7 + 0.5, 0, 1) * weight
    share *= 1 - phantom.cord_soft.data
    level = cord_level(phantom, run.image)
    noise = rng.normal(0, 0.03 * abs(level), phantom.space.shape)
    data = run.image.data * (1 - share) + (level + noise) * share
    return run._replace(image=run.image.like(data.astype(np.float32)))


def wrong_radius(phantom: Phantom, run: Run, rng: np.random.Generator) -> Run:
    """Tell a radius that is too large."""
    params = replace(run.params, radius_mm=float(rng.uniform(5.5, 10)))
    return run._replace(params=params, knows_radius=True)


def loose(phantom: Phantom, run: Run, rng: np.random.Generator) -> Run:
    """Make the surface loose: not stiff, and hardly held by the section before."""
    params = replace(
        run.params,
        alpha=float(rng.uniform(0.5, 8)),
        distance_weight=float(rng.uniform(0, 2)),
        max_deformation_mm=8.0,
        max_area_mm2=400.0,
    )
    return run._replace(params=params)


def wrong_contrast(phantom: Phantom, run: Run, rng: np.random.Generator) -> Run:
    """Tell the contrast of the other polarity."""
    del rng
    return run._replace(contrast="t2" if run.contrast in ("t1", "dwi") else "t1")


if __name__ == "__main__":
    raise SystemExit(main())
