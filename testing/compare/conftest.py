"""Simulated tubes whose edges and areas are known, as images with masks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from spinetools.compare.cases import Case, Compared, Result
from spinetools.image import Image, Space

SHAPE, SPACING_MM = (44, 44, 40), (0.8, 0.8, 2.0)
RADIUS_MM = 4.6


def tube(radius_mm: float, first: int = 0, last: int = 40, shift_mm: float = 0.0) -> np.ndarray:
    """A straight cord along the last axis, from one slice to another."""
    x, y, z = np.meshgrid(*map(np.arange, SHAPE), indexing="ij")
    away = np.hypot((x - 21.5) * SPACING_MM[0] - shift_mm, (y - 21.5) * SPACING_MM[1])
    return (away < radius_mm) & (z >= first) & (z < last)


def soft_tube(radius_mm: float) -> np.ndarray:
    """The share of each voxel that lies in a cord through all slices."""
    x, y, _ = np.meshgrid(*map(np.arange, SHAPE), indexing="ij")
    away = np.hypot((x - 21.5) * SPACING_MM[0], (y - 21.5) * SPACING_MM[1])
    return np.clip((radius_mm - away) / SPACING_MM[0] + 0.5, 0, 1)


def space() -> Space:
    affine = np.diag([*SPACING_MM, 1.0])
    affine[:3, 3] = (-17, -20, 4)
    return Space(SHAPE, affine)


@pytest.fixture(scope="session")
def bright() -> Image:
    """A dark cord in bright fluid in grey tissue, with some noise."""
    noise = np.random.default_rng(3).normal(0, 6, SHAPE)
    values = 60.0 + 140 * soft_tube(9.0) - 100 * soft_tube(RADIUS_MM) + noise
    return Image(values.astype(np.float32), space())


def mask(*args: float, **kwargs: float) -> Image:
    return Image(tube(*args, **kwargs).astype(np.uint8), space())  # type: ignore[arg-type]


@pytest.fixture
def study(tmp_path: Path, bright: Image) -> Callable[..., Case]:
    """Write an image with masks by method, and return the case; None is a method that failed."""

    def make(name: str = "sub-01_T2w", reference: Image | None = None,
             **masks: Image | None) -> Case:  # fmt: skip
        image = tmp_path / f"{name}.nii.gz"
        bright.save(image)
        files: dict[str, Path | None] = {}
        for method, each in masks.items():
            files[method] = tmp_path / f"{name}_seg-{method}.nii.gz"
            if each is not None:
                each.save(tmp_path / f"{name}_seg-{method}.nii.gz")
        manual = None
        if reference is not None:
            manual = reference.save(tmp_path / f"{name}_seg-manual.nii.gz")
        return Case(image, files, name.split("_")[0], "t2", manual)

    return make


def scored(
    scores: dict[str, float], subject: str = "a", contrast: str = "t2", reference: bool = True
) -> Compared:
    """A case of which only the scores matter."""
    results = tuple(
        Result(
            name,
            "ok",
            expected=score,
            evidence={"edge": 0.1},
            figures={"dice": score} if reference else {},
        )
        for name, score in scores.items()
    )
    return Compared(Case(Path(f"{subject}_{contrast}"), {}, subject, contrast), results, (),
                    reference)  # fmt: skip
