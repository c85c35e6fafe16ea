"""Segmentation as an object with arrays in and out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from spinetools.errors import InputError
from spinetools.vertebrae.api import as_image
from spinetools.vertebrae.engines import Engine, load_networks
from spinetools.vertebrae.label import LabelParams, label_spine
from spinetools.vertebrae.networks import Networks
from spinetools.vertebrae.result import SpineLabels

Labels = npt.NDArray[np.uint8]

#: Classes of ``two_class_only``.
BACKGROUND, VERTEBRA, DISC = 0, 1, 2
#: A single slice is looked at as one this thick: networks see in three dimensions.
_SLICE_MM = 16.0


@dataclass(frozen=True, eq=False)
class Segmentation:
    """What :meth:`SpineSegmenter.segment` returns; arrays are laid out as the volume given.

    Attributes
    ----------
    semantic_segmentation
        0 background, 1 vertebra (the sacrum is one), 2 disc; with all classes also 3 cord,
        4 canal.
    instance_segmentation
        A number for each structure, 0 outside.
    id_to_label
        Name (``L1``, ``L1-L2``, ``sacrum``, ``cord``, ``canal``) of each number.
    confidence
        Probability that every name is right.
    details
        All else.
    """

    semantic_segmentation: Labels
    instance_segmentation: Labels
    id_to_label: dict[int, str]
    confidence: float
    details: SpineLabels


class SpineSegmenter:
    """Segments and names vertebrae and discs; loads its networks once.

    Parameters
    ----------
    networks
        Networks that are loaded already; otherwise they are loaded when first needed.
    params
        How to label.
    model, engine, device
        See :func:`~spinetools.vertebrae.engines.load_networks`.
    """

    def __init__(
        self,
        networks: Networks | None = None,
        params: LabelParams | None = None,
        *,
        model: str | None = None,
        engine: Engine = "onnx",
        device: str = "auto",
    ) -> None:
        self._networks, self._params = networks, params or LabelParams()
        self._model, self._engine, self._device = model, engine, device

    def segment(
        self,
        volume: npt.NDArray[Any],
        two_class_only: bool = False,
        spacing_mm: Sequence[float] | None = None,
        nib_codes: Sequence[str] = ("R", "A", "S"),
    ) -> Segmentation:
        """Segment a volume, or one sagittal slice.

        Parameters
        ----------
        volume
            (X, Y, Z), or a sagittal slice (Y, Z).
        two_class_only
            Only vertebrae and discs: cord and canal become background.
        spacing_mm
            Voxel size along the axes given; 1 mm where it is not given.
        nib_codes
            Directions in which the axes of a volume grow, nibabel's letters; a slice has those of
            its two axes, by default ``("A", "S")``.

        Raises
        ------
        InputError
            When the volume has another number of axes.
        NoSpineError
            When no spine is found.
        """
        array = np.asarray(volume)
        flat = array.ndim == 2
        if flat:
            array, spacing_mm, nib_codes = _thick(array, spacing_mm, nib_codes)
        if array.ndim != 3:
            raise InputError(f"an array of shape {array.shape}, expected a volume or a slice")
        result = label_spine(as_image(array, spacing_mm, nib_codes), self._loaded(), self._params)
        numbers = np.asarray(result.on_input.data)
        if flat:
            numbers = numbers[numbers.shape[0] // 2]
        kinds = np.zeros(256, np.uint8)
        keep = np.zeros(256, np.uint8)
        names = {}
        for number, name in result.names.items():
            kinds[number] = _kind(name)
            if kinds[number] <= DISC or not two_class_only:
                keep[number] = number
                if (numbers == number).any():
                    names[number] = _short(name)
        if two_class_only:
            kinds[kinds > DISC] = BACKGROUND
        return Segmentation(kinds[numbers], keep[numbers], names, result.confidence, result)

    def _loaded(self) -> Networks:
        if self._networks is None:
            self._networks = load_networks(
                self._model, self._engine, self._device, self._params.fast,
                self._params.step1_only,
            )  # fmt: skip
        return self._networks


def _thick(
    array: npt.NDArray[Any], spacing_mm: Sequence[float] | None, nib_codes: Sequence[str]
) -> tuple[npt.NDArray[Any], tuple[float, ...], tuple[str, ...]]:
    """Repeat a sagittal slice to both sides."""
    codes = tuple(nib_codes)
    codes = codes if len(codes) == 2 else tuple(c for c in codes if c not in "LR")
    inner = tuple(spacing_mm or (1.0, 1.0))[-2:]
    count = 2 * max(1, round(_SLICE_MM / 2 / min(inner))) + 1
    return np.repeat(array[None], count, axis=0), (min(inner), *inner), ("R", *codes)


def _kind(name: str) -> int:
    if name in ("spinal_cord", "spinal_canal"):
        return 3 if name == "spinal_cord" else 4
    return DISC if name.startswith("disc") else VERTEBRA


def _short(name: str) -> str:
    if name.startswith("disc_"):
        return name.removeprefix("disc_").replace("_", "-")
    return name.removeprefix("vertebrae_").removeprefix("spinal_")
