"""The model card: how to run a model, kept inside the ONNX file itself."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from spinetools.errors import ModelError

#: Key of the card in the ONNX file's ``metadata_props``.
CARD_KEY = "spinetools_card"


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
            content = json.loads(metadata[CARD_KEY])
            content["spacing_mm"] = tuple(content["spacing_mm"])
            content["labels"] = tuple(content["labels"])
            return cls(**content)
        except (ValueError, KeyError, TypeError) as error:
            raise ModelError(f"{path} holds a model card that cannot be read ({error})") from error
