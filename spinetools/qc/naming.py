"""What a segmentation given as a file is called, and of which kind it is."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from spinetools.files import strip_nifti_suffix
from spinetools.image import Image
from spinetools.qc.writer import LabelKind


def name_and_path(text: str, source: str | os.PathLike[str]) -> tuple[str, Path]:
    """Split ``NAME=FILE``; without a name, take what the file's name adds to the image's.

    ``t2_seg.nii.gz`` of ``t2.nii.gz`` is ``seg``.
    """
    name, equals, rest = text.partition("=")
    if equals and name and rest and not Path(text).exists():
        return name, Path(rest)
    stem, image = strip_nifti_suffix(text), strip_nifti_suffix(source)
    added = stem.removeprefix(image).strip("_-") if stem != image else ""
    return added or stem, Path(text)


def kind_of(image: Image) -> LabelKind:
    """Tell a mask, labels and a line of single voxels apart by their values.

    More than one whole value makes labels; one voxel a slice along the image's head-to-foot axis
    makes a centreline; all else is a mask.
    """
    data = image.data
    if data.dtype.kind == "f" and not np.array_equal(data, np.rint(data)):
        return "mask"
    values = np.unique(data)
    if (values > 0).sum() > 1:
        return "labels"
    axis = next(a for a, code in enumerate(image.space.nib_codes) if code in "SI")
    others = tuple(a for a in range(3) if a != axis)
    most = (data > 0).sum(axis=others).max(initial=0)
    return "centerline" if most == 1 and (data > 0).sum() > 1 else "mask"
