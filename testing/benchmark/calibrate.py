"""Where raters draw the cord's edge: the level at which PropSeg's mean area is right.

For every image marked ``train`` PropSeg runs with a range of edge fractions; the fraction of zero
area bias is printed an image and a contrast. ``EDGE_FRACTION`` in ``spinetools/propseg/params.py``
is set from it by hand. Run: ``python testing/benchmark/calibrate.py``
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np

from spinetools.centerline import optic_centreline
from spinetools.image import load_mask, load_volume
from spinetools.propseg import params, segment_cord
from spinetools.training.slices import REAL_CORDS

FRACTIONS = np.arange(0.20, 0.61, 0.05)


def scored_slices(folder: Path, name: str, manual: np.ndarray) -> np.ndarray:
    """All slices with manual cord; of the errsm volumes those from C1 to T3."""
    slices = np.flatnonzero(manual.any(axis=(0, 1)))
    points = folder / f"{name}_points.nii.gz"
    if not points.exists():
        return slices
    marks = load_mask(points).reorient(("R", "A", "S")).data
    c2, t2 = (int(np.argwhere(marks == value)[0, 2]) for value in (2, 9))
    # 1 mm slices: C1's upper end is some 25 mm above C2's centre, T3's lower 34 mm below T2's
    return slices[(slices > t2 - 34) & (slices <= c2 + 25)]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = Path(__file__).resolve().parents[2].parent / "shared" / "real"
    real = os.environ.get("SPINETOOLS_REAL_DATA", default)
    parser.add_argument("-real", type=Path, default=Path(real))
    folder = parser.parse_args().real
    unbiased: dict[str, list[float]] = {}
    print("image", *(f"{f:.2f}" for f in FRACTIONS), "unbiased", sep="\t")
    for name in REAL_CORDS:
        contrast = "t2" if name.endswith("T2w") else "t2s"
        image = load_volume(folder / f"{name}.nii.gz")
        manual = load_mask(folder / f"{name}_seg.nii.gz").reorient(("R", "A", "S")).data > 0.5
        slices = scored_slices(folder, name, manual)
        line = optic_centreline(image)
        bias = []
        for fraction in FRACTIONS:
            params.EDGE_FRACTION[contrast] = float(fraction)
            result = segment_cord(image, line.voxels, contrast, radius_mm=line.radius_mm)
            found = result.mask.reorient(("R", "A", "S")).data > 0
            areas = (part[:, :, slices].sum(axis=(0, 1)) for part in (found, manual))
            ratio = np.divide(*areas)
            bias.append(float(ratio[ratio > 0].mean() - 1))
        zero = float(np.interp(0, bias, FRACTIONS))
        unbiased.setdefault(contrast, []).append(zero)
        print(name, *(f"{b:+.1%}" for b in bias), f"{zero:.3f}", sep="\t")
    for contrast, values in unbiased.items():
        print(f"{contrast}: {np.mean(values):.3f}")


if __name__ == "__main__":
    main()
