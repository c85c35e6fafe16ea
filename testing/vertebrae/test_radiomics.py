"""What pyradiomics is given, with a stand-in for it; and what is said where it is missing."""

from __future__ import annotations

import math
import sys
import types
from typing import Any, ClassVar

import numpy as np
import pytest

from spinetools.cli import _radiomics
from spinetools.errors import MissingExtra
from spinetools.image import Image, Space
from spinetools.vertebrae import radiomics
from spinetools.vertebrae.radiomics import radiomics_of


class ItkImage:
    def __init__(self, array: np.ndarray) -> None:
        self.array, self.spacing = array, (1.0, 1.0, 1.0)

    def SetSpacing(self, spacing: tuple[float, ...]) -> None:  # noqa: N802
        self.spacing = spacing


class Extractor:
    """Answers as pyradiomics does, by numbers that tell what it was given."""

    made: ClassVar[list[Extractor]] = []

    def __init__(self, **settings: Any) -> None:
        self.settings, self.classes = settings, ["everything"]
        Extractor.made.append(self)

    def disableAllFeatures(self) -> None:  # noqa: N802
        self.classes = []

    def enableFeatureClassByName(self, name: str) -> None:  # noqa: N802
        self.classes.append(name)

    def execute(self, image: ItkImage, mask: ItkImage, label: int) -> dict[str, Any]:
        assert image.array.shape == mask.array.shape
        inside = mask.array == label
        if inside.sum() < 2:
            raise ValueError("mask too small")
        extent = [np.ptp(np.flatnonzero(inside.any(axis=axes))) + 1 for axes in
                  ((0, 1), (0, 2), (1, 2))]  # fmt: skip
        return {
            "diagnostics_Versions_PyRadiomics": "stand-in",
            "original_firstorder_Mean": np.array(image.array[inside].mean()),
            "original_shape_Volume": inside.sum() * math.prod(mask.spacing),
            **{f"original_shape_{a}": n * s for a, n, s in
               zip("XYZ", extent, mask.spacing, strict=True)},
        }  # fmt: skip


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    Extractor.made.clear()
    package, module = types.ModuleType("radiomics"), types.ModuleType("radiomics.featureextractor")
    package.__version__, package.__path__ = "9.9", []  # type: ignore[attr-defined]
    module.RadiomicsFeatureExtractor = Extractor  # type: ignore[attr-defined]
    itk = types.ModuleType("SimpleITK")
    itk.GetImageFromArray = ItkImage  # type: ignore[attr-defined]
    for name, each in (("radiomics", package), ("radiomics.featureextractor", module),
                       ("SimpleITK", itk)):  # fmt: skip
        monkeypatch.setitem(sys.modules, name, each)


def case() -> tuple[Image, Image]:
    """A block of 2 × 6 × 12 mm, and a structure of one voxel, on a grid of its own axes."""
    space = Space((8, 9, 10), np.diag([1.0, 2, 3, 1]))
    labels = np.zeros(space.shape, np.uint8)
    labels[1:3, 2:5, 3:7], labels[7, 7, 7] = 20, 21
    image = np.where(labels == 20, 50, 7).astype(np.int16)
    both = (Image(array, space).reorient(("P", "S", "L")) for array in (image, labels))
    return next(both), next(both)


@pytest.mark.usefixtures("stand_in")
def test_voxels_and_spacing_arrive_as_they_are(caplog: pytest.LogCaptureFixture) -> None:
    image, labels = case()
    names = {20: "vertebrae_L3", 21: "vertebrae_L2", 22: "vertebrae_L1"}
    found = radiomics_of(image, labels, names, ("shape", "glcm"))
    first, second = found.rows
    assert (first["name"], first["value"]) == ("vertebrae_L3", 20)
    assert first["original_firstorder_Mean"] == 50
    assert first["original_shape_Volume"] == 24 * 6
    assert [first[f"original_shape_{a}"] for a in "XYZ"] == [2, 6, 12]
    assert math.isnan(second["original_shape_Volume"])
    assert "no radiomic features of vertebrae_L2: mask too small" in caplog.text
    assert not any("diagnostics" in column for column in found.columns)
    assert Extractor.made[0].classes == ["shape", "glcm"]
    assert Extractor.made[0].settings["binCount"] == 32
    assert found.version == "9.9"


def test_what_is_missing_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("radiomics", "radiomics.featureextractor"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtra, match=r"pip install 'spinetools\[radiomics\]'") as error:
        radiomics.check_radiomics()
    assert "\n" not in str(error.value)


def test_the_help_and_the_package_have_the_same_classes() -> None:
    assert _radiomics.CLASSES == radiomics.CLASSES
