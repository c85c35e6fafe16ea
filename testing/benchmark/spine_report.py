"""Measure the accuracy of st_report's figures on simulated spines; writes results/spine_report.tsv.

    python testing/benchmark/spine_report.py [-h]

Exact labels of new subjects, painted at 1 mm and as sagittal slices of 3.3 mm, go through
st_report; every figure is compared with the spine's own geometry. That is the error of measuring
alone: labels of a network add theirs. Takes some ten minutes on a core.
"""

from __future__ import annotations

import argparse
import math
import pickle
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from cases import RESULTS
from spine_truth import Truth, cobb_of, painted, truth_of
from tables import markdown, number, write_tsv

from spinetools.phantom import make_subject
from spinetools.report import SpineReport, measure_spine
from spinetools.vertebrae.from_labels import spine_from_labels

SEEDS = range(9400, 9404)
#: Part of the spine (levels from the top of C1); voxel sizes.
PARTS = {"cervical": (0.4, 9.0), "thoracic": (8.0, 17.5), "lumbar": (16.6, 26.0)}
GRIDS = {"1 mm": (1.0, 1.0, 1.0), "3.3 mm sagittal": (3.3, 0.8, 0.8)}
#: Figures that are put together in one row, by the end of their names.
FIGURES = {
    "vertebra height": ("mm", "height"), "disc height": ("mm", "disc height"),
    "canal diameter": ("mm", "canal_ap_mm canal_rl_mm"),
    "cord diameter": ("mm", "cord_ap_mm cord_rl_mm"),
    "canal area": ("%", "canal_area_mm2"), "cord area": ("%", "cord_area_mm2"),
    "slip": ("mm", "slip_mm"), "endplate, from the side": ("deg", ""),
    "endplate, from the front": ("deg", ""), "curvature angle": ("deg", ""),
    "Cobb angle, from the front": ("deg", ""),
}  # fmt: skip

Errors = dict[str, list[float]]


def errors_of(report: SpineReport, truth: Truth) -> Errors:
    """Return measured minus exact, by figure; what the report does not measure is left out."""
    found: Errors = {name: [] for name in FIGURES}
    for row in report.rows:
        for key, value in row.items():
            exact = truth.values.get(f"{row['level']} {key}", math.nan)
            if not isinstance(value, float) or not math.isfinite(value) or math.isnan(exact):
                continue
            if key.startswith("height_"):
                found["disc height" if row["kind"] == "disc" else "vertebra height"].append(
                    value - exact
                )
            elif key.endswith("_area_mm2"):
                found[f"{key.partition('_')[0]} area"].append(100 * (value / exact - 1))
            elif key == "slip_mm":
                found["slip"].append(value - exact)
            elif key[:5] in ("canal", "cord_") and row["kind"] == "vertebra":
                found[f"{key.partition('_')[0]} diameter"].append(value - exact)
    for name, plate in report.plates.items():
        lean, tilt = truth.plates[name]
        found["endplate, from the side"].append(plate.lean_deg - lean)
        if math.isfinite(plate.tilt_deg):
            found["endplate, from the front"].append(plate.tilt_deg - tilt)
    for curve in report.curves:
        if curve.name in truth.angles and math.isfinite(curve.angle_deg):
            found["curvature angle"].append(curve.angle_deg - truth.angles[curve.name])
        if curve.name == "coronal_cobb" and math.isfinite(curve.angle_deg):
            seen = [n for n, p in report.plates.items() if math.isfinite(p.tilt_deg)]
            found["Cobb angle, from the front"].append(
                curve.angle_deg - cobb_of(truth.plates, seen)
            )
    return found


def cases(grid: str, kept: Path | None) -> Iterator[tuple[SpineReport, Truth]]:
    """Report each part of each subject."""
    for seed in SEEDS:
        subject = make_subject(seed, "normal")
        truth = truth_of(subject)
        for part, levels in PARTS.items():
            file = kept / f"{seed}_{part}_{grid.split()[0]}.pkl" if kept else None
            if file is not None and file.is_file():
                labels, names = pickle.loads(file.read_bytes())
            else:
                labels, names = painted(subject, levels, GRIDS[grid])
                if file is not None:
                    file.write_bytes(pickle.dumps((labels, names)))
            yield measure_spine(spine_from_labels(labels, names), names, labels), truth


def rows_for(grid: str, found: Errors) -> list[dict[str, str]]:
    rows = []
    for name, (unit, _) in FIGURES.items():
        errors = np.array(found[name])
        away = np.abs(errors)
        digits = 1 if unit == "%" else 2
        values = (
            [errors.mean(), np.median(away), np.percentile(away, 95), away.max()]
            if len(errors) else [math.nan] * 4
        )  # fmt: skip
        words = ("mean_error", "median_abs", "p95_abs", "max_abs")
        rows.append(
            {"grid": grid, "figure": name, "unit": unit, "n": str(len(errors))}
            | {w: number(float(v), digits) for w, v in zip(words, values, strict=True)}
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-labels", type=Path, help="where painted labels are kept")
    args = parser.parse_args()
    rows = []
    for grid in GRIDS:
        found: Errors = {name: [] for name in FIGURES}
        for report, truth in cases(grid, args.labels):
            for name, errors in errors_of(report, truth).items():
                found[name] += errors
        rows += rows_for(grid, found)
    write_tsv(RESULTS / "spine_report.tsv", rows)
    print(markdown(rows))


if __name__ == "__main__":
    main()
