"""The cascade's networks from model files: ONNX (the default), or nnU-Net results folders."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from spinetools.errors import ModelError
from spinetools.image import Space
from spinetools.image.orientation import reorient_array
from spinetools.infer.predictor import OnnxPredictor, Predictor
from spinetools.models.store import find_model, results_folders
from spinetools.vertebrae.classes import STEP1, STEP2
from spinetools.vertebrae.grid import CODES
from spinetools.vertebrae.networks import F32, Network

logger = logging.getLogger(__name__)

Engine = Literal["onnx", "nnunet"]

#: Models by engine: ONNX files ``<name>_step1`` …, or a folder with the parts step1 and step2.
DEFAULT_MODEL: dict[str, str] = {"onnx": "spine", "nnunet": "totalspineseg"}
#: Tiles overlap by this share with the fast way, and at low resolution.
_FAST_OVERLAP, REGION_OVERLAP = 0.25, 0.1
#: Voxel size for a network that resamples by itself, mm.
_OWN_SPACING_MM = 1.0

#: Classes under other names: those of published models, and of the label table.
_ALIASES = {
    "spinal_cord": "cord",
    "spinal_canal": "canal",
    "vertebrae": "vertebra",
    "vertebrae_C2": "vertebra_C2",
    "vertebrae_T1": "vertebra_T1",
    "vertebrae_T12": "vertebra_T12",
    # classes that one of the steps does not have: what they count as there
    "disc": "disc_odd",
    "vertebra": "vertebra_odd",
    "vertebrae_C1": "vertebra",
}


@dataclass(frozen=True, eq=False)
class PredictorNetwork:
    """A predictor with its output's channels put in a step's order.

    Attributes
    ----------
    predictor
        Of any engine.
    classes
        The step's.
    """

    predictor: Predictor
    classes: tuple[str, ...]

    @property
    def name(self) -> str:
        """Name and version of the model."""
        return f"{self.predictor.name} {self.predictor.version}".strip()

    @property
    def spacing_mm(self) -> float:
        """Voxel size that it was trained at, mm."""
        return float(self.predictor.spacing_mm[0]) if self.predictor.spacing_mm else _OWN_SPACING_MM

    def probabilities(
        self, channels: F32, space: Space, mean_sd: tuple[float, float] | None = None
    ) -> F32:
        """Return the probability of each class, see :class:`Network`."""
        codes = tuple(self.predictor.orientation) or CODES
        turned = reorient_array(np.moveaxis(channels, 0, -1), CODES, codes)
        given = np.moveaxis(turned, -1, 0)
        axes = [CODES.index(_upright(code)) for code in codes]
        spacing = [space.spacing[axis] for axis in axes]
        answer = self.predictor.predict(given, spacing, mean_sd=mean_sd)
        back = reorient_array(np.moveaxis(answer, 0, -1), codes, CODES)
        return self._in_order(np.moveaxis(back, -1, 0))

    def _in_order(self, answer: F32) -> F32:
        labels = self.predictor.labels
        if labels == self.classes:
            return answer
        result = np.zeros((len(self.classes), *answer.shape[1:]), np.float32)
        for number, label in enumerate(labels):
            result[self.classes.index(_class_named(label, self.classes))] += answer[number]
        if "background" not in labels:
            result[0] = np.clip(1 - result[1:].sum(axis=0), 0, 1)
        return result


@dataclass(frozen=True)
class LoadedNetworks:
    """The networks of a cascade, see :class:`~spinetools.vertebrae.networks.Networks`."""

    step1: Network
    step2: Network | None = None
    region: Network | None = None


def load_networks(
    model: str | None = None,
    engine: Engine = "onnx",
    device: str = "auto",
    fast: bool = False,
    one_step: bool = False,
    fold: str = "0",
) -> LoadedNetworks:
    """Load the cascade's networks.

    Parameters
    ----------
    model
        ONNX: a name, of which ``<name>_step1``, ``<name>_step2`` and, where it is there,
        ``<name>_region`` are looked for, or the folder that holds them. nnU-Net: a model that was
        installed, or a folder with a results folder for each step. None for the engine's default.
    engine
        ``onnx`` or ``nnunet``.
    device
        ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
    fast
        Tiles overlap less, and step 2 is not needed.
    one_step
        Step 2 is not needed.
    fold
        Which fold of an nnU-Net results folder: ``0`` … ``4`` or ``all``.

    Raises
    ------
    ModelError
        When a model is missing, or has other classes than its step.
    """
    name = model or DEFAULT_MODEL[engine]
    needed = ("step1",) if fast or one_step else ("step1", "step2")
    if engine == "nnunet":
        return _from_nnunet(name, needed, device, fold)
    paths = {step: _onnx_path(name, step) for step in needed}
    overlap = _FAST_OVERLAP if fast else None
    loaded = {
        step: _network(OnnxPredictor(path, device, overlap=overlap), step, path)
        for step, path in paths.items()
    }
    region = None
    try:
        where = _onnx_path(name, "region")
    except ModelError:
        pass  # the whole image is searched
    else:
        predictor = OnnxPredictor(where, device, overlap=REGION_OVERLAP)
        region = PredictorNetwork(predictor, predictor.labels)
    return LoadedNetworks(loaded["step1"], loaded.get("step2"), region)


def _onnx_path(name: str, step: str) -> Path:
    folder = Path(name).expanduser()
    if folder.is_dir():
        found = sorted(folder.glob(f"*{step}*.onnx"))
        if len(found) != 1:
            raise ModelError(
                f"{name} holds {len(found)} files *{step}*.onnx, expected one; "
                "give the folder of one model"
            )
        return found[0]
    base, at, version = name.partition("@")
    return find_model(f"{base}_{step}{at}{version}")


def _from_nnunet(name: str, needed: Sequence[str], device: str, fold: str) -> LoadedNetworks:
    from spinetools.infer.nnunet import NnunetPredictor

    folder = find_model(name)
    parts = results_folders(folder)
    chosen = {}
    for step in needed:
        fits = [part for part in parts if step in part] or [part for part in parts if part == ""]
        if len(fits) != 1 or (len(needed) > 1 and "" in fits):
            listed = ", ".join(sorted(parts)) or "none"
            raise ModelError(
                f"{folder} has no results folder for {step} (it has: {listed}); expected one whose "
                f"name contains {step}"
            )
        chosen[step] = _network(NnunetPredictor(parts[fits[0]], device, fold), step, folder)
    return LoadedNetworks(chosen["step1"], chosen.get("step2"))


def _network(predictor: Predictor, step: str, path: Path) -> PredictorNetwork:
    classes = STEP1 if step == "step1" else STEP2
    for label in predictor.labels:
        if _class_named(label, classes) not in classes:
            raise ModelError(
                f"{path} has the class {label!r}, which {step} has not; is it another model?"
            )
    found = {_class_named(label, classes) for label in predictor.labels}
    missing = {"disc_odd", "vertebra_odd", "disc", "vertebra"} & set(classes) - found
    if missing:
        raise ModelError(f"{path} has no class {', '.join(sorted(missing))}; is it another model?")
    return PredictorNetwork(predictor, classes)


def _class_named(label: str, classes: Sequence[str]) -> str:
    """Return the class that a model's label is, following other names until one fits."""
    name = label
    for _ in range(3):
        if name in classes:
            return name
        name = _ALIASES.get(name, name)
    return name


def _upright(code: str) -> str:
    return {"L": "R", "P": "A", "I": "S"}.get(code, code)
