"""One protocol for both engines: an array on the model's grid in, probabilities on it out."""

from __future__ import annotations

import itertools
import logging
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from spinetools.errors import InputError, ModelError
from spinetools.infer import normalise
from spinetools.infer.onnx import OnnxModel
from spinetools.infer.sliding_window import (
    F32,
    Finish,
    Progress,
    Run,
    estimate_memory,
    make_tiling,
    sliding_window,
)

logger = logging.getLogger(__name__)

#: Voxel sizes may differ from the model's by this share: headers are rounded.
SPACING_TOLERANCE = 0.02
#: Input channels that are not normalised, by nnU-Net's word.
NOT_NORMALISED = "noNorm"


class Predictor(Protocol):
    """What an engine offers, whichever it is."""

    @property
    def name(self) -> str:
        """Name of the model."""

    @property
    def version(self) -> str:
        """Version of the model."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Meaning of the output's channels; ``"background"`` may be among them."""

    @property
    def n_channels(self) -> int:
        """Channels that it reads."""

    @property
    def orientation(self) -> str:
        """Letters of the grid that it reads (nibabel's); empty where it takes any."""

    @property
    def spacing_mm(self) -> tuple[float, ...]:
        """Voxel size that it reads; empty where it resamples by itself."""

    def predict(
        self,
        array: npt.NDArray[np.generic],
        spacing_mm: Sequence[float],
        *,
        mean_sd: tuple[float, float] | None = None,
    ) -> F32:
        """Return the probability of each label in each voxel.

        Parameters
        ----------
        array
            (C, X, Y, Z), intensities as they are: the engine normalises them. Axes run as
            ``orientation`` says. One channel may be given as (X, Y, Z).
        spacing_mm
            Voxel size along X, Y, Z.
        mean_sd
            Mean and standard deviation to normalise by, for an array that was cut out of a larger
            image: a model that is made for zero mean and unit deviation takes these instead of the
            array's own. Others, and nnU-Net's own predictor, take no notice.

        Returns
        -------
        ndarray of float32
            (labels, X, Y, Z), from 0 to 1.

        Raises
        ------
        InputError
            When the channels or the voxel size are not the model's.
        """


def with_channels(array: npt.NDArray[np.generic], n_channels: int) -> npt.NDArray[np.generic]:
    """Return an array with its axis of channels.

    Raises
    ------
    InputError
        When it is not 3D with the model's number of channels.
    """
    full = array[np.newaxis] if array.ndim == 3 and n_channels == 1 else array
    if full.ndim != 4 or full.shape[0] != n_channels:
        raise InputError(
            f"the array is {array.shape}, expected {n_channels} channels of three axes"
        )
    return full


class OnnxPredictor:
    """An ONNX model of the project, run tile by tile.

    A 2D model ("N C x y") goes through the slices along the last axis.

    Parameters
    ----------
    path
        ONNX file with a card.
    device
        See :func:`spinetools.infer.device.choose_device`.
    tile
        Voxels of a tile along the model's spatial axes (default: the card's patch, or where that is
        empty the whole array).
    overlap
        Of neighbouring tiles (default: the card's).
    tta
        Average over mirrored images, along the axes that the card names.
    batch
        Tiles at a time.
    progress
        Called with the share that is done.

    Raises
    ------
    ModelError
        When the model cannot be loaded, or asks for a normalisation that is not known.
    """

    def __init__(
        self,
        path: Path,
        device: str = "auto",
        tile: Sequence[int] = (),
        overlap: float | None = None,
        tta: bool = False,
        batch: int = 1,
        progress: Progress | None = None,
    ) -> None:
        self._model = OnnxModel(path, device)
        card = self.card = self._model.card
        if len(card.spatial_axes) not in (2, 3):
            raise ModelError(f"{path} has axes {card.axes!r}, expected two or three spatial ones")
        if card.normalisation not in (*WHOLE, *OF_SLICE, *OF_TILE):
            raise ModelError(f"{path} asks for an unknown normalisation, {card.normalisation!r}")
        if tile and len(tile) != len(card.spatial_axes):
            raise ModelError(f"a tile of {tuple(tile)} does not fit the axes {card.axes!r}")
        self._tile = tuple(tile) or card.patch
        self._overlap = card.overlap if overlap is None else overlap
        self._mirrored = tuple(card.spatial_axes.index(axis) for axis in card.tta) if tta else ()
        self._batch, self._progress = batch, progress

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.card.name

    @property
    def version(self) -> str:
        """Version of the model."""
        return self.card.version

    @property
    def labels(self) -> tuple[str, ...]:
        """Meaning of the output's channels."""
        return self.card.labels

    @property
    def n_channels(self) -> int:
        """Channels that it reads."""
        return int(self.card.axes.split()[1])

    @property
    def orientation(self) -> str:
        """Letters of the grid that it reads (nibabel's)."""
        return self.card.orientation

    @property
    def spacing_mm(self) -> tuple[float, ...]:
        """Voxel size that it reads, along its spatial axes."""
        return self.card.spacing_mm

    def tile(self, shape: Sequence[int]) -> tuple[int, ...]:
        """Return the tile for an array of (X, Y, Z): a multiple of what the network asks for."""
        flat = len(self.card.spatial_axes) == 2
        wanted = self._tile or tuple(shape[:2] if flat else shape)
        of = self.card.multiple
        rounded = tuple(math.ceil(length / of) * of for length in wanted)
        return (*rounded, 1) if flat else rounded

    def memory(self, shape: Sequence[int]) -> int:
        """Return how many bytes :meth:`predict` takes for an array of (X, Y, Z), without layers."""
        tiling = make_tiling(shape, self.tile(shape), self._overlap)
        input_bytes = math.prod(shape) * self.n_channels * 4
        return input_bytes + estimate_memory(tiling, self.n_channels, len(self.labels), self._batch)

    def predict(
        self,
        array: npt.NDArray[np.generic],
        spacing_mm: Sequence[float],
        finish: Finish | None = None,
        *,
        mean_sd: tuple[float, float] | None = None,
    ) -> F32:
        """Return the probability of each label in each voxel, see :class:`Predictor`.

        ``finish`` is that of :func:`~spinetools.infer.sliding_window.sliding_window`, and is given
        probabilities.
        """
        full = with_channels(array, self.n_channels)
        check_spacing(self.name, spacing_mm, self.spacing_mm)
        prepared = self._normalised(full, mean_sd)
        output = sliding_window(
            prepared,
            mirrored(self._run, self._mirrored),
            self.tile(full.shape[1:]),
            self._overlap,
            self._batch,
            finish=self._finish(finish),
            progress=self._progress,
        )
        return output  # type: ignore[return-value]  # float32, or what finish makes of it

    def _run(self, batch: F32) -> F32:
        if self.card.normalisation in OF_TILE:
            change = OF_TILE[self.card.normalisation]
            for sample, number in itertools.product(batch, range(self.n_channels)):
                if self._to_normalise(number):
                    sample[number] = change(sample[number])
        if len(self.card.spatial_axes) == 3:
            return self._checked(self._model.run(np.ascontiguousarray(batch)))
        return self._checked(self._model.run(np.ascontiguousarray(batch[..., 0]))[..., np.newaxis])

    def _checked(self, output: F32) -> F32:
        if output.shape[1] != len(self.labels):
            raise ModelError(
                f"{self._model.path} has {output.shape[1]} output channels, but its card names "
                f"{len(self.labels)} labels"
            )
        return output

    def _normalised(
        self, full: npt.NDArray[np.generic], mean_sd: tuple[float, float] | None
    ) -> F32:
        card = self.card
        result: F32 = full.astype(np.float32)
        for number, channel in enumerate(result):
            if not self._to_normalise(number):
                continue
            if card.normalisation == ZSCORE and mean_sd is not None:
                result[number] = zscore(channel, *mean_sd)
            elif card.normalisation in WHOLE:
                result[number] = WHOLE[card.normalisation](channel)
            elif card.normalisation in OF_SLICE:
                change = OF_SLICE[card.normalisation]
                for z in range(channel.shape[2]):
                    result[number, :, :, z] = change(channel[:, :, z], card.spacing_mm[0])
        return result

    def _to_normalise(self, number: int) -> bool:
        """Whether an input channel is an image."""
        named = self.card.channels
        return number >= len(named) or named[number] != NOT_NORMALISED

    def _finish(self, then: Finish | None) -> Finish | None:
        activation = ACTIVATIONS[self.card.activation]
        if activation is None or then is None:
            return activation or then

        def both(part: F32) -> npt.NDArray[np.generic]:
            return then(activation(part).astype(np.float32, copy=False))

        return both


def check_spacing(name: str, spacing_mm: Sequence[float], wanted_mm: Sequence[float]) -> None:
    """Raise InputError where an array's voxel size is not the one that a model reads.

    Parameters
    ----------
    name
        Of the model.
    spacing_mm
        Of the array, along its three axes.
    wanted_mm
        Of the model, along its first axes; empty where it takes any.
    """
    pairs = zip(spacing_mm, wanted_mm, strict=False)
    if len(spacing_mm) != 3 or any(
        abs(is_mm - want_mm) > SPACING_TOLERANCE * want_mm for is_mm, want_mm in pairs
    ):
        is_text, want_text = (
            " × ".join(f"{size:g}" for size in sizes) or "three sizes"
            for sizes in (spacing_mm, wanted_mm)
        )
        raise InputError(
            f"the voxels are {is_text} mm, but {name} reads {want_text} mm; resample first"
        )


def mirrored(run: Run, axes: Sequence[int]) -> Run:
    """Return a network that averages over its input mirrored along every set of some axes.

    Parameters
    ----------
    run
        The network, ``(N, C, *tile)`` to ``(N, channels, *tile)``.
    axes
        Spatial axes, from 0; none leaves the network as it is.
    """
    if not axes:
        return run
    sets = [
        tuple(axis + 2 for axis in some)
        for count in range(len(axes) + 1)
        for some in itertools.combinations(axes, count)
    ]

    def averaged(batch: F32) -> F32:
        total = np.flip(run(np.ascontiguousarray(np.flip(batch, sets[0]))), sets[0]).copy()
        for some in sets[1:]:
            total += np.flip(run(np.ascontiguousarray(np.flip(batch, some))), some)
        total /= np.float32(len(sets))
        return total

    return averaged


def zscore(channel: F32, mean: float | None = None, sd: float | None = None) -> F32:
    """Bring a volume to zero mean and unit standard deviation, as nnU-Net does by default.

    ``mean`` and ``sd`` are those of the image that it was cut out of (default: its own).
    """
    mean = float(channel.mean()) if mean is None else mean
    sd = float(channel.std()) if sd is None else sd
    result: F32 = (channel - np.float32(mean)) / np.float32(max(sd, 1e-8))
    return result


def softmax(part: F32) -> F32:
    """Return probabilities that sum to 1 over the first axis."""
    shifted = np.exp(part - part.max(axis=0))
    result: F32 = shifted / shifted.sum(axis=0)
    return result


def sigmoid(part: F32) -> F32:
    """Return each channel's probability by itself."""
    from scipy.special import expit

    result: F32 = expit(part)
    return result


#: The normalisation that a part of an image takes from the whole.
ZSCORE = "zscore"
#: Normalisations by what they look at: the whole volume, a slice (with its pixel size), a tile.
WHOLE: dict[str, Callable[[F32], F32]] = {"none": lambda channel: channel, ZSCORE: zscore}
OF_SLICE: dict[str, Callable[[F32, float], F32]] = {"local_contrast": normalise.local_contrast}
OF_TILE: dict[str, Callable[[F32], F32]] = {"patch_contrast": normalise.patch_contrast}
#: What makes probabilities of the output.
ACTIVATIONS: dict[str, Finish | None] = {"": None, "softmax": softmax, "sigmoid": sigmoid}
