"""Radiomic features of structures, by pyradiomics (van Griethuysen 2017, Cancer Research 77)."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from spinetools.image import Image
from spinetools.image.orientation import check_codes
from spinetools.optional import require

logger = logging.getLogger(__name__)

#: Feature classes of pyradiomics.
CLASSES = ("shape", "firstorder", "glcm", "glrlm", "glszm", "gldm", "ngtdm")
#: The number of grey levels is fixed, not their width: intensities of MR have no unit (the Image
#: Biomarker Standardisation Initiative's advice, Zwanenburg 2020, Radiology 295).
SETTINGS: dict[str, Any] = {"binCount": 32, "geometryTolerance": 1e-3}
_EXTRA = "radiomics"


@dataclass(frozen=True)
class Radiomics:
    """Features of structures.

    Attributes
    ----------
    rows
        Name, value and features by name (``original_shape_Sphericity``) of each structure; NaN
        where one could not be computed.
    columns
        Names of the features, in order.
    version
        Of pyradiomics.
    """

    rows: list[dict[str, Any]]
    columns: tuple[str, ...]
    version: str


def check_radiomics() -> None:
    """Raise MissingExtra, in one line, where pyradiomics or SimpleITK is not installed."""
    require("radiomics.featureextractor", _EXTRA)
    require("SimpleITK", _EXTRA)


def radiomics_of(
    image: Image,
    labels: Image,
    names: Mapping[int, str],
    classes: Sequence[str] = ("shape", "firstorder"),
) -> Radiomics:
    """Compute features of each structure.

    Parameters
    ----------
    image, labels
        On one grid.
    names
        Structure's name by label value.
    classes
        Some of :data:`CLASSES`.

    Raises
    ------
    MissingExtra
        When pyradiomics is not installed.
    SpaceMismatch
        When the two are not on one grid.
    """
    featureextractor = require("radiomics.featureextractor", _EXTRA)
    itk = require("SimpleITK", _EXTRA)
    labels.space.check_same(image.space, (labels.name, image.name))
    extractor = featureextractor.RadiomicsFeatureExtractor(**SETTINGS)
    extractor.disableAllFeatures()
    for name in classes:
        extractor.enableFeatureClassByName(name)
    pair = [_as_itk(itk, image.astype(np.float32)), _as_itk(itk, labels.astype(np.uint16))]
    rows: list[dict[str, Any]] = []
    columns: dict[str, None] = {}
    for value, name in sorted(names.items()):
        if not (labels.data == value).any():
            continue
        row: dict[str, Any] = {"name": name, "value": value}
        try:
            found = extractor.execute(*pair, label=int(value))
        except ValueError as error:  # a structure of a voxel or two, or in one plane
            logger.warning("no radiomic features of %s: %s", name, error)
            found = {}
        for key, number in found.items():
            if not str(key).startswith("diagnostics_"):
                row[str(key)] = float(number)
                columns[str(key)] = None
        rows.append(row)
    version = str(getattr(require("radiomics", _EXTRA), "__version__", "n/a"))
    filled = [{**dict.fromkeys(columns, math.nan), **row} for row in rows]
    return Radiomics(filled, tuple(columns), version)


def _as_itk(itk: Any, image: Image) -> Any:
    """Hand an image over: voxels and spacing in its upright axes; places do not matter."""
    upright = image.reorient(check_codes(("R", "A", "S")))
    # its arrays run the other way round: z, y, x
    result = itk.GetImageFromArray(np.ascontiguousarray(np.asarray(upright.data).T))
    result.SetSpacing(tuple(upright.space.spacing))
    return result
