"""st_phantom: files, options, refusals."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spinetools.cli import st_phantom
from spinetools.image import Image
from spinetools.phantom import CONTRASTS, FIELDS_OF_VIEW, PROTOCOLS, VARIANTS
from spinetools.phantom.pathology import PATHOLOGIES

Run = Callable[..., Any]
SMALL = ("-spacing", "2x2x2")


def test_choices_are_those_of_the_package() -> None:
    assert st_phantom.CONTRASTS == CONTRASTS
    assert set(st_phantom.PROTOCOLS) == set(PROTOCOLS)
    assert set(st_phantom.FIELDS_OF_VIEW) == set(FIELDS_OF_VIEW)
    assert st_phantom.VARIANTS == VARIANTS
    assert st_phantom.PATHOLOGIES == PATHOLOGIES


def test_writes_image_and_truth_beside_it(run: Run, folder: Path) -> None:
    outcome = run("st_phantom", "-o", "sub/a.nii.gz", "-c", "t2", "-seed", 3, "-soft", 1, *SMALL)
    assert outcome.code == 0, outcome.err
    endings = ("", "_cord", "_canal", "_levels", "_discs", "_structures", "_cord_soft")
    images = {ending: Image.load(folder / "sub" / f"a{ending}.nii.gz") for ending in endings}
    for ending, image in images.items():
        assert image.space.same_as(images[""].space)
        sidecar = json.loads((folder / "sub" / f"a{ending}.json").read_text())
        assert sidecar["Seed"] == 3
        assert f"written: sub/a{ending}.nii.gz" in outcome.out
    assert images[""].space.nib_codes == ("L", "A", "S")  # SCT's RPI
    assert images[""].space.spacing == pytest.approx((2, 2, 2))
    cord = images["_cord"].data
    assert set(np.unique(cord)) == {0, 1}
    assert (images["_structures"].data == 200).sum() == pytest.approx(cord.sum(), rel=0.1)
    assert set(np.unique(images["_levels"].data)) <= set(range(13))
    rows = (folder / "sub" / "a_centerline.csv").read_text().splitlines()
    assert len(rows) > 100
    assert len(rows[0].split(",")) == 3
    assert (folder / "sub" / "a_truth.csv").read_text().startswith("slice,level")
    assert "fsleyes" in outcome.out
    assert len(list((folder / "sub").iterdir())) == 7 * 2 + 2


def test_same_options_same_bytes_other_orientation_same_world(run: Run, folder: Path) -> None:
    for name, *options in (("a",), ("b",), ("c", "-orient", "AIL")):
        options = ["-o", f"{name}.nii.gz", "-c", "dwi", *options]
        assert run("st_phantom", *options, "-spacing", "2x2x15").code == 0
    a, b, c = (Image.load(folder / f"{name}.nii.gz") for name in "abc")
    assert np.array_equal(a.data, b.data)
    assert c.space.nib_codes == ("P", "S", "R")
    assert np.array_equal(c.reorient(a.space.nib_codes).data, a.data)


def test_default_name_and_protocol_by_contrast(run: Run, folder: Path) -> None:
    assert run("st_phantom", "-c", "dwi").code == 0
    image = Image.load(folder / "phantom_dwi.nii.gz")
    assert image.space.spacing == pytest.approx((0.85, 0.85, 15))


def test_variant_and_findings_are_told_and_the_cord_is_scaled(run: Run, folder: Path) -> None:
    areas = []
    for name, *options in (("a",), ("b", "-cord-scale", 1.3)):
        options += ["-variant", "L6", "-fov", "lumbar", "-pathology", "none", "-spacing", "3x3x3"]
        assert run("st_phantom", "-o", f"{name}.nii.gz", "-seed", 1, *options).code == 0
        rows = (folder / f"{name}_truth.csv").read_text().splitlines()
        areas.append(float(rows[2].split(",")[3]))
    assert areas[1] == pytest.approx(1.3 * areas[0], rel=0.02)
    sidecar = json.loads((folder / "a.json").read_text())
    assert sidecar["Variant"] == "L6"
    assert sidecar["Findings"] == []
    assert 17 in Image.load(folder / "a_structures.nii.gz").data


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("-seed", "-1"), 2, "seed"),
        (("-seed", "1.5"), 2, "seed"),
        (("-c", "t3"), 2, "-c"),
        (("-protocol", "none"), 2, "-protocol"),
        (("-spacing", "1x1"), 2, "3 numbers"),
        (("-spacing", "0x1x1"), 1, "voxel size"),
        (("-spacing", "0.1x0.1x0.1"), 1, "too large"),
        (("-orient", "RPX"), 1, "orientation"),
        (("-variant", "L7"), 2, "-variant"),
        (("-pathology", "some"), 2, "-pathology"),
        (("-cord-scale", "5"), 2, "-cord-scale"),
        (("-o", "a.png"), 1, ".nii.gz"),
    ],
)
def test_bad_options_write_nothing(
    run: Run, folder: Path, options: tuple[str, ...], code: int, words: str
) -> None:
    outcome = run("st_phantom", *SMALL, *options)
    assert outcome.code == code
    assert words in outcome.err
    assert len(outcome.err.strip().splitlines()) == 1
    assert not list(folder.iterdir())
