"""Where raters draw the cord's edge: the level at which PropSeg's mean area is right.

For every image marked ``train`` PropSeg runs with a range of edge fractions; the fraction of zero
area bias is printed an image and a contrast. ``EDGE_FRACTION`` in ``spinetools/propseg/params.py``
is set from it by hand. Run: ``python testing/benchmark/calibrate.py``
"""

from __future__ import annotations

import sys

import numpy as np
from cases import real_cases, real_folder

from spinetools.centerline import optic_centreline
from spinetools.image import load_mask, load_volume
from spinetools.propseg import params, segment_cord

FRACTIONS = np.arange(0.20, 0.61, 0.05)


def main() -> None:
    """Print the table."""
    folder = real_folder()
    if folder is None:
        sys.exit("no real images: set SPINETOOLS_REAL_DATA to their folder")
    unbiased: dict[str, list[float]] = {}
    print("image", *(f"{f:.2f}" for f in FRACTIONS), "unbiased", sep="\t")
    for case in real_cases(folder):
        if case.use != "train":
            continue
        image = load_volume(case.image)
        manual = load_mask(case.mask).reorient(("R", "A", "S")).data > 0.5
        line = optic_centreline(image)
        bias = []
        for fraction in FRACTIONS:
            params.EDGE_FRACTION[case.contrast] = float(fraction)
            result = segment_cord(image, line.voxels, case.contrast, radius_mm=line.radius_mm)
            found = result.mask.reorient(("R", "A", "S")).data > 0
            areas = (part[:, :, case.slices].sum(axis=(0, 1)) for part in (found, manual))
            ratio = np.divide(*areas)
            bias.append(float(ratio[ratio > 0].mean() - 1))
        zero = float(np.interp(0, bias, FRACTIONS))
        unbiased.setdefault(case.contrast, []).append(zero)
        print(case.name, *(f"{b:+.1%}" for b in bias), f"{zero:.3f}", sep="\t")
    for contrast, values in unbiased.items():
        print(f"{contrast}: {np.mean(values):.3f}")


if __name__ == "__main__":
    main()
