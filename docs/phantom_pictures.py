"""Draw montages of the simulated spine: contrasts, findings and variants, what goes wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from spinetools.image import Space
from spinetools.phantom import (
    Acquisition,
    LabelVolume,
    Subject,
    draw_table,
    make_subject,
    paint_labels,
    simulate,
)
from spinetools.phantom.contrast import to_hounsfield
from spinetools.phantom.pathology import draw_pathology
from spinetools.phantom.variants import make_column

Panel = tuple[str, Any]

#: A good scanner, so that the pictures show the anatomy.
CLEAN = Acquisition(snr=45.0, coil=0.25, bias=0.05)
CONTRASTS = (
    ("t1", "gradient"), ("t1", "spin"), ("t2", "volume"), ("t2", "turbo"), ("pd", None),
    ("stir", None), ("t2s", None), ("mt", "on"), ("dixon", "water"), ("dixon", "in"),
    ("relax", "inversion"), ("random", None), ("dwi", None), ("ct", None),
)  # fmt: skip
FINDINGS = (
    "wedge fracture L", "biconcave fracture L", "crush fracture T12", "Schmorl node L",
    "Modic 1 L", "collapsed disc L", "block vertebra L", "slip L4", "stenosis L",
)  # fmt: skip
VARIANTS = ("T13", "L6", "L4", "lumbarised", "sacralised")


def phantom_pictures(folder: Path) -> None:
    """Make all montages of the simulated spine."""
    draw(contrasts(), folder / "phantom_contrasts.png", columns=7, size=1.9)
    draw(findings(), folder / "phantom_findings.png", columns=7, size=1.9)
    draw(faults(), folder / "phantom_faults.png", columns=5, size=2.5)


def slab(subject: Subject, levels: tuple[float, float], depth: float, spacing: float) -> Space:
    """Return a few sagittal slices about the cord: its levels, and so much in front and behind."""
    s = np.interp(levels, subject.profiles["level"], subject.curve.s)
    path = subject.curve.at(np.linspace(*s, 60))
    low, high = path.min(axis=0), path.max(axis=0)
    extent = high - low + (0.0, 2 * depth, 0.0)
    shape = (7, int(extent[1] / spacing), int(extent[2] / spacing))
    affine = np.diag([1.0, spacing, spacing, 1.0])
    affine[:3, 3] = (path[:, 0].mean() - 3, low[1] - depth, low[2])
    return Space(shape, affine)


def sagittal(
    labels: LabelVolume, contrast: str, style: str | None, taken: Acquisition = CLEAN
) -> Any:
    """Form an image of painted labels and return its middle slice."""
    if contrast == "ct":
        taken = Acquisition(snr=60.0, coil=0.0, bias=0.0, magnitude=False)
    table = draw_table(contrast, np.random.default_rng(4), style, fat_suppressed=False)
    image = simulate(labels, table, taken, np.random.default_rng(1))
    return (to_hounsfield(image) if contrast == "ct" else image)[labels.space.shape[0] // 2]


def contrasts() -> list[Panel]:
    """One subject in every contrast."""
    subject = make_subject(22, "normal", "none")
    labels = paint_labels(subject, slab(subject, (-0.3, 8.3), 52.0, 0.8))
    return [
        (" ".join(filter(None, (contrast, style))), sagittal(labels, contrast, style))
        for contrast, style in CONTRASTS
    ]


def findings() -> list[Panel]:
    """A subject with each finding, then a subject with each variant of the column."""
    panels = []
    column = make_column("normal")
    for words in FINDINGS:
        seed = next(
            seed
            for seed in range(100, 2000)
            if any(f.startswith(words) for f in draw_pathology(seed, column, "much").findings)
        )
        subject = make_subject(seed, "normal", "much")
        finding = next(f for f in subject.findings if f.startswith(words))
        name = finding.removeprefix("stenosis ").split(" to ")[0].split()[-1].split("-")[0]
        level = subject.names.index(name) + (2.0 if words.startswith("stenosis") else 0.5)
        labels = paint_labels(subject, slab(subject, (level - 1.9, level + 1.9), 52.0, 0.6))
        panels.append((finding, sagittal(labels, "t2", "turbo")))
    for variant in VARIANTS:
        subject = make_subject(12, variant, "none")
        labels = paint_labels(subject, slab(subject, (17.6, 26.0), 62.0, 1.0))
        panels.append((variant, sagittal(labels, "t2", "turbo")))
    return panels


def faults() -> list[Panel]:
    """One subject, imaged with one thing going wrong at a time."""
    subject = make_subject(22, "normal", "none")
    space = slab(subject, (18.0, 25.0), 60.0, 1.0)
    labels = paint_labels(subject, space)
    margin = (0, 34, 0)
    wide_shape = (space.shape[0], space.shape[1] + 2 * margin[1], space.shape[2])
    affine = space.affine.copy()
    affine[1, 3] -= margin[1]
    wide = paint_labels(subject, Space(wide_shape, affine))
    table = draw_table("t2", np.random.default_rng(4), "turbo", fat_suppressed=False)
    folded = simulate(wide, table, CLEAN, np.random.default_rng(1), margin=margin)
    screws = next(
        found
        for found in (make_subject(seed, "normal", "much") for seed in range(400))
        if any(f.startswith("screws L") for f in found.findings)
    )
    beside = slab(screws, (18.0, 25.0), 60.0, 1.0)
    affine = beside.affine.copy()
    affine[0, 3] += 13.0  # through the pedicles
    metal = paint_labels(screws, Space(beside.shape, affine))

    def taken(**changes: float) -> Any:
        return sagittal(labels, "t2", "turbo", replace(CLEAN, **changes))

    return [
        ("a good scanner", taken()),
        ("noise", taken(snr=7.0)),
        ("surface coil", taken(coil=1.0)),
        ("saturation band", taken(band_mm=40.0)),
        ("motion", taken(motion=1.6)),
        ("ghost", taken(ghost=0.12)),
        ("ringing, blur", taken(ringing=0.4)),
        ("flow voids", taken(flow=0.9)),
        ("fold-over", folded[space.shape[0] // 2]),
        ("screws", sagittal(metal, "t2", "turbo")),
    ]


def draw(panels: Sequence[Panel], path: Path, columns: int, size: float) -> None:
    """Write panels side by side, front of the body to the left as on a scanner's screen."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    rows = -(-len(panels) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(columns * size, rows * size * 1.3), facecolor="black"
    )
    for axis in axes.ravel():
        axis.set_axis_off()
    for axis, (name, plane) in zip(axes.ravel(), panels, strict=False):
        low, high = np.percentile(plane, [2, 99.3])
        axis.imshow(plane[::-1].T, origin="lower", cmap="gray", vmin=low, vmax=high)
        axis.set_title(name, color="white", fontsize=8, pad=2)
    figure.tight_layout(pad=0.3)
    figure.savefig(path, dpi=90, facecolor="black")
    plt.close(figure)
