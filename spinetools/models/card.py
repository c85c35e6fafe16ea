"""The model card: how to run a model, kept inside the ONNX file itself."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, BinaryIO

from spinetools.errors import ModelError
from spinetools.files import parse_json

#: Key of the card in the ONNX file's ``metadata_props``.
CARD_KEY = "spinetools_card"
#: Contrast whose threshold holds for every contrast that has none of its own.
ANY_CONTRAST = "any"
#: A voxel above it belongs to the structure where a card names no threshold.
DEFAULT_THRESHOLD = 0.5
#: Values of a card's ``activation``.
ACTIVATIONS = ("", "softmax", "sigmoid")

# onnx.proto: the field of ModelProto that holds metadata_props, and the largest that is believed
_METADATA_FIELD = 14
_MOST_METADATA_BYTES = 1 << 20


@dataclass(frozen=True)
class ModelCard:
    """How a model is run and where it comes from.

    Attributes
    ----------
    name, version
        Identity; a released version never changes.
    task
        What it computes, in a few words.
    axes
        Meaning of the input's axes, e.g. ``"N C x y"``.
    orientation
        nibabel letters of the grid that it reads, e.g. ``"RAS"``.
    spacing_mm
        Voxel size along the spatial axes.
    normalisation
        Name of the normalisation in :mod:`spinetools.infer.normalise`.
    multiple
        The input's spatial size must be a multiple of this.
    labels
        Meaning of the output's channels.
    training
        Data, steps, seed, commit, hours: what is needed to train it again.
    patch
        Voxels along the spatial axes that it was trained at; empty where any size will do.
    overlap
        Share of a tile that it has in common with the next one, from 0 to below 1.
    thresholds
        Probability from which a voxel counts as the structure, by contrast; ``"any"`` is that of
        every other contrast. See :meth:`threshold`.
    tta
        Spatial axes along which it was trained on mirrored images, e.g. ``("x",)``: those that
        test-time augmentation may mirror.
    benchmark
        Rows of a table of measured accuracy: column's name to text.
    failures
        Where it is known to fail, a sentence each.
    licence, citation
        Under what it may be used, and what to cite.
    channels
        Meaning of the input's channels where there are several; ``"noNorm"`` is nnU-Net's word for
        one that is not normalised.
    activation
        What turns the output into probabilities: ``"softmax"``, ``"sigmoid"``, or ``""`` where it
        is probabilities already. Applied after tiles and mirrored images are averaged.
    """

    name: str
    version: str
    task: str
    axes: str
    orientation: str
    spacing_mm: tuple[float, ...]
    normalisation: str
    multiple: int
    labels: tuple[str, ...]
    training: dict[str, Any] = field(default_factory=dict)
    patch: tuple[int, ...] = ()
    overlap: float = 0.5
    thresholds: dict[str, float] = field(default_factory=dict)
    tta: tuple[str, ...] = ()
    benchmark: list[dict[str, str]] = field(default_factory=list)
    failures: tuple[str, ...] = ()
    licence: str = ""
    citation: str = ""
    channels: tuple[str, ...] = ()
    activation: str = ""

    def __post_init__(self) -> None:
        # a card that contradicts itself is found when it is made or read, not amid a run
        spatial, size = self.spatial_axes, len(self.spacing_mm)
        if len(spatial) != size:
            raise ValueError(f"axes {self.axes!r} have {len(spatial)} spatial axes, not {size}")
        if self.patch and len(self.patch) != size:
            raise ValueError(f"patch has {len(self.patch)} axes, not {size}")
        if any(length < 1 or length % self.multiple for length in self.patch):
            raise ValueError(f"patch {self.patch} is no multiple of {self.multiple}")
        if not 0 <= self.overlap < 1:
            raise ValueError(f"overlap is {self.overlap}, not within 0 and 1")
        if not all(0 <= value <= 1 for value in self.thresholds.values()):
            raise ValueError(f"thresholds are {self.thresholds}, not within 0 and 1")
        if not set(self.tta) <= set(spatial):
            raise ValueError(f"tta names {self.tta}, not among the axes {spatial}")
        if self.activation not in ACTIVATIONS:
            raise ValueError(f"activation is {self.activation!r}, expected one of {ACTIVATIONS}")

    @property
    def spatial_axes(self) -> tuple[str, ...]:
        """Names of the input's spatial axes in order, e.g. ``("x", "y")``."""
        return tuple(self.axes.split()[2:])

    def threshold(self, contrast: str = ANY_CONTRAST) -> float:
        """Return the probability from which a voxel counts as the structure.

        Parameters
        ----------
        contrast
            As of ``-c``; one without a threshold of its own takes that of ``"any"``, or 0.5.
        """
        general = self.thresholds.get(ANY_CONTRAST, DEFAULT_THRESHOLD)
        return self.thresholds.get(contrast, general)

    def to_metadata(self) -> dict[str, str]:
        """Return the card as ONNX metadata."""
        return {CARD_KEY: json.dumps(asdict(self), ensure_ascii=False)}

    @classmethod
    def from_metadata(cls, metadata: dict[str, str], path: object) -> ModelCard:
        """Read the card from ONNX metadata.

        Raises
        ------
        ModelError
            When the file holds no card, or one of another form.
        """
        if CARD_KEY not in metadata:
            raise ModelError(f"{path} holds no model card; it was not made by spinetools")
        try:
            return cls.from_dict(parse_json(metadata[CARD_KEY]))
        except (ValueError, TypeError, AttributeError) as error:
            raise ModelError(f"{path} holds a model card that cannot be read: {error}") from error

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> ModelCard:
        """Make a card from what JSON gives; fields that are left out take their defaults.

        Raises
        ------
        ValueError, TypeError
            When a field is unknown, missing or of another kind.
        """
        known = {entry.name: entry for entry in fields(cls)}
        unknown = sorted(set(content) - set(known))
        if unknown:
            raise ValueError(
                f"unknown field {', '.join(unknown)}; made by a newer spinetools? Update it"
            )
        missing = [
            name
            for name, entry in known.items()
            if name not in content and entry.default is entry.default_factory is MISSING
        ]
        if missing:
            raise ValueError(f"it lacks {', '.join(missing)}")
        values = dict(content)
        for name in ("spacing_mm", "labels", "patch", "tta", "failures", "channels"):
            if name in values:
                if not isinstance(values[name], (list, tuple)):
                    raise TypeError(f"{name} is {values[name]!r}, not a list")
                values[name] = tuple(values[name])
        for name, kind in (("training", dict), ("thresholds", dict), ("benchmark", list)):
            if not isinstance(values.get(name, kind()), kind):
                raise TypeError(f"{name} is {values[name]!r}, not a {kind.__name__}")
        if not all(isinstance(row, dict) for row in values.get("benchmark", ())):
            raise TypeError("benchmark is no list of rows")
        return cls(**values)


def read_card(path: Path) -> ModelCard:
    """Return the card inside an ONNX file, without loading the network.

    Raises
    ------
    ModelError
        When the file cannot be read, is no ONNX file, or holds no usable card.
    """
    try:
        with path.open("rb") as file:
            entries = [
                dict(_parts(entry))
                for number, entry in _fields(file, path.stat().st_size)
                if number == _METADATA_FIELD
            ]
        metadata = {entry[1].decode(): entry[2].decode() for entry in entries}
    except OSError as error:
        raise ModelError(f"the model {path} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, IndexError) as error:
        raise ModelError(f"{path} is not a usable ONNX model; fetch it again") from error
    return ModelCard.from_metadata(metadata, path)


def _fields(file: BinaryIO, end: int) -> Iterator[tuple[int, bytes]]:
    """Yield number and content of a protobuf message's fields; only small metadata is read.

    https://protobuf.dev/programming-guides/encoding/ : each field is a tag (number << 3 | kind) and
    a value, which a kind of 2 precedes with its length. The weights are jumped over.
    """
    while file.tell() < end:
        tag = _varint(file)
        number, kind = tag >> 3, tag & 7
        if kind == 0:
            _varint(file)
        elif kind == 2:
            length = _varint(file)
            if file.tell() + length > end:
                raise ValueError("truncated")
            if number == _METADATA_FIELD and length <= _MOST_METADATA_BYTES:
                yield number, file.read(length)
            else:
                file.seek(length, io.SEEK_CUR)
        elif kind in (1, 5):
            file.seek(8 if kind == 1 else 4, io.SEEK_CUR)
        else:
            raise ValueError("no protobuf")


def _parts(entry: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield number and content of the texts in a metadata entry: 1 is the key, 2 the value."""
    file = io.BytesIO(entry)
    while file.tell() < len(entry):
        tag = _varint(file)
        length = _varint(file)
        if tag & 7 != 2 or file.tell() + length > len(entry):
            raise ValueError("no protobuf")
        yield tag >> 3, file.read(length)


def _varint(file: BinaryIO) -> int:
    value = shift = 0
    while True:
        byte = file.read(1)
        if not byte or shift > 63:
            raise ValueError("no protobuf")
        value |= (byte[0] & 0x7F) << shift
        if not byte[0] & 0x80:
            return value
        shift += 7
