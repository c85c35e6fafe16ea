"""nnU-Net results folders, as published, run through nnunetv2 itself.

nnunetv2 is imported when a network is loaded. Its search for trainer classes is gone around: it
imports every module of the package, and a published network may name a trainer that only its
authors have. The network is built from ``plans.json``; the trainer adds nothing to that when
predicting, but for the axes that may be mirrored, and those are in the checkpoint.
"""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from spinetools.errors import ModelError
from spinetools.files import parse_json
from spinetools.image.orientation import nib_codes_from_sct
from spinetools.infer.checkpoint import check_files, find_checkpoints, load_checkpoint, short
from spinetools.infer.device import parse_device
from spinetools.infer.onnx import n_threads
from spinetools.infer.predictor import check_spacing, with_channels
from spinetools.infer.sliding_window import F32
from spinetools.labels import structures
from spinetools.models.registry import Entry, ModelFile, find_entry
from spinetools.models.store import (
    RECORD_NAME,
    find_model,
    read_record,
    results_folders,
)
from spinetools.optional import require

logger = logging.getLogger(__name__)

EXTRA = "nnunet"
#: Packages that a network's layers may come from: plans.json names classes to call.
LAYER_PACKAGES = ("dynamic_network_architectures", "torch")


def load_nnunet(
    model: str, part: str = "", device: str = "auto", fold: str = "", tta: bool = False
) -> NnunetPredictor:
    """Load a network by its model's name or its path.

    Parameters
    ----------
    model
        As for :func:`spinetools.models.store.find_model`.
    part
        Which of the model's networks, e.g. ``"step1"``; may be left out where there is but one.
    device, fold, tta
        See :class:`NnunetPredictor`.

    Raises
    ------
    ModelError
        When the model or its part is not there or cannot be loaded.
    MissingExtra
        When nnunetv2 is not installed.
    """
    path = find_model(model)
    folders = results_folders(path) if path.is_dir() else {}
    if not folders:
        raise ModelError(f"the model {model} is no nnU-Net results folder: {path}")
    if part not in folders and not (part == "" and len(folders) == 1):
        parts = ", ".join(name or "(the whole)" for name in folders)
        raise ModelError(f"the model {model} has no part {part!r}; there are: {parts}")
    folder = folders[part] if part in folders else next(iter(folders.values()))
    return NnunetPredictor(folder, device, fold, tta)


class NnunetPredictor:
    """A network in an nnU-Net results folder; a :class:`spinetools.infer.predictor.Predictor`.

    Parameters
    ----------
    folder
        Holds ``plans.json``, ``dataset.json`` and ``fold_*/checkpoint_final.pth``.
    device
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:N"`` or ``"mps"``.
    fold
        Which one, e.g. ``"0"`` or ``"all"``; empty averages over all numbered ones.
    tta
        Average over mirrored images, along the axes that the training allowed.
    entry, file
        What the registry says of the model: grid, and the meaning of its labels (default: found by
        the record that an installed model has).

    Attributes
    ----------
    labels
        Meaning of the output's channels; the first is the background.
    values
        Label value of each of them in nnU-Net's own result.

    Raises
    ------
    ModelError
        When a file is missing, is not as on record, or would run code of its own.
    MissingExtra
        When nnunetv2 is not installed.
    """

    def __init__(
        self,
        folder: Path,
        device: str = "auto",
        fold: str = "",
        tta: bool = False,
        entry: Entry | None = None,
        file: ModelFile | None = None,
    ) -> None:
        parse_device(device)
        checkpoints = find_checkpoints(folder, fold)
        recorded = check_files(folder, checkpoints)
        require("nnunetv2", EXTRA)
        self._device = torch_device(device)
        if entry is None:
            entry, file = _registered(folder)
        self._folder, self._entry = folder, entry
        self._dataset = _read_json(folder / "dataset.json")
        self._plans = _read_json(folder / "plans.json")
        loaded = [load_checkpoint(path, recorded) for path in checkpoints]
        try:
            with _quiet():
                self._predictor = self._build(loaded, tta)
        except (ImportError, KeyError, AttributeError, RuntimeError, TypeError) as error:
            raise ModelError(
                f"the network in {folder} cannot be built: {' '.join(str(error).split())[:300]}"
            ) from error
        self.labels, self.values = self._meanings(file)
        logger.info("%s runs on %s", self.name, self._device)

    @property
    def name(self) -> str:
        """Name of the model, or of its folder."""
        return self._entry.name if self._entry is not None else self._folder.name

    @property
    def version(self) -> str:
        """Version of the model; empty where nobody says."""
        return self._entry.version if self._entry is not None else ""

    @property
    def n_channels(self) -> int:
        """Channels that it reads."""
        return len(self._dataset["channel_names"])

    @property
    def orientation(self) -> str:
        """Letters of the grid that it reads (nibabel's); empty where nobody says."""
        if self._entry is not None and self._entry.orientation:
            return self._entry.orientation
        named = self._dataset.get("image_orientation", "")  # SCT's own addition, in its letters
        return "".join(nib_codes_from_sct(named)) if named else ""

    @property
    def spacing_mm(self) -> tuple[float, ...]:
        """Voxel size that it reads; empty: nnU-Net resamples by itself."""
        return self._entry.spacing_mm if self._entry is not None else ()

    def predict(
        self,
        array: npt.NDArray[np.generic],
        spacing_mm: Sequence[float],
        *,
        mean_sd: tuple[float, float] | None = None,  # nnU-Net normalises by itself
    ) -> F32:
        """Return the probability of each label in each voxel, see the protocol.

        A network of regions, which overlap, gives the probability that nnU-Net's drawing of them
        one over the other ends with each label: the sum is 1 for every network.
        """
        probabilities = self._predict(array, spacing_mm)[1]
        if self._predictor.label_manager.has_regions:
            return exclusive(probabilities)
        return probabilities

    def segment(
        self, array: npt.NDArray[np.generic], spacing_mm: Sequence[float]
    ) -> npt.NDArray[np.uint16]:
        """Return nnU-Net's own result (X, Y, Z): a label value in each voxel."""
        return self._predict(array, spacing_mm)[0]

    def _predict(
        self, array: npt.NDArray[np.generic], spacing_mm: Sequence[float]
    ) -> tuple[npt.NDArray[np.uint16], F32]:
        import torch

        full = with_channels(array, self.n_channels)
        check_spacing(self.name, spacing_mm, self.spacing_mm)
        # nnU-Net's axes run z, y, x
        turned = np.ascontiguousarray(full.transpose(0, 3, 2, 1), dtype=np.float32)
        before = torch.get_num_threads()
        torch.set_num_threads(n_threads())
        try:
            with _quiet():
                segmentation, probabilities = self._predictor.predict_single_npy_array(
                    turned,
                    {"spacing": [float(size) for size in spacing_mm[::-1]]},
                    None,
                    None,
                    True,
                )
        finally:
            torch.set_num_threads(before)
        values = segmentation.transpose(2, 1, 0).astype(np.uint16)
        return values, probabilities.transpose(0, 3, 2, 1).astype(np.float32)

    def _build(self, loaded: Sequence[dict[str, Any]], tta: bool) -> Any:
        """Return nnU-Net's predictor with the network of the plans and the weights of the folds."""
        from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
        from nnunetv2.utilities.get_network_from_plans import get_network_from_plans
        from nnunetv2.utilities.label_handling.label_handling import determine_num_input_channels
        from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

        first = loaded[0]
        plans = PlansManager(self._plans)
        configuration = plans.get_configuration(first["init_args"]["configuration"])
        if configuration.previous_stage_name is not None:
            raise ModelError(
                f"{self._folder} holds the second stage of a resolution cascade, which is not "
                "supported; give the folder of 3d_fullres, 3d_lowres or 2d"
            )
        _check_layers(self._folder, configuration)
        network = get_network_from_plans(
            configuration.network_arch_class_name,
            configuration.network_arch_init_kwargs,
            configuration.network_arch_init_kwargs_req_import,
            determine_num_input_channels(plans, configuration, self._dataset),
            plans.get_label_manager(self._dataset).num_segmentation_heads,
            allow_init=False,
            deep_supervision=False,
        )
        weights = [checkpoint["network_weights"] for checkpoint in loaded]
        network.load_state_dict(weights[0])
        predictor = nnUNetPredictor(
            use_mirroring=tta,
            device=self._device,
            perform_everything_on_device=self._device.type == "cuda",
            allow_tqdm=False,
        )
        predictor.manual_initialization(
            network,
            plans,
            configuration,
            weights,
            self._dataset,
            str(first["trainer_name"]),
            first.get("inference_allowed_mirroring_axes"),
        )
        return predictor

    def _meanings(self, file: ModelFile | None) -> tuple[tuple[str, ...], tuple[int, ...]]:
        """Return what the output's channels mean, and the label value of each."""
        manager = self._predictor.label_manager
        named = {name: value for name, value in self._dataset["labels"].items() if name != "ignore"}
        if manager.has_regions:
            # a region is a set of values; where it is drawn last it leaves its own one
            regions = [name for name, value in named.items() if value not in (0, [0])]
            pairs = [("background", 0), *zip(regions, manager.regions_class_order, strict=True)]
        else:
            pairs = sorted(named.items(), key=lambda pair: int(pair[1]))
        ours = (file.labels if file is not None else None) or {}
        scheme = file.label_scheme if file is not None else ""
        by_value = {s.value(scheme): s.name for s in structures()} if scheme else {}
        labels = tuple(
            (by_value.get(int(value)) if value else None) or ours.get(name, name)
            for name, value in pairs
        )
        return labels, tuple(int(value) for _, value in pairs)


def exclusive(regions: F32) -> F32:
    """Return the probabilities of labels from those of regions that are drawn over each other.

    Parameters
    ----------
    regions
        (R, …), the region drawn last at the end.

    Returns
    -------
    labels
        (1 + R, …), the background first; the sum is 1.
    """
    result = np.empty((len(regions) + 1, *regions.shape[1:]), dtype=np.float32)
    left = np.ones(regions.shape[1:], dtype=np.float32)  # not covered by what is drawn later
    for number in range(len(regions) - 1, -1, -1):
        result[number + 1] = left * regions[number]
        left -= result[number + 1]
    result[0] = left
    return result


def _check_layers(folder: Path, configuration: Any) -> None:
    """Refuse plans that name anything but layers and networks as what to call."""
    kwargs = configuration.network_arch_init_kwargs
    wanted = [kwargs[key] for key in configuration.network_arch_init_kwargs_req_import]
    for name in (configuration.network_arch_class_name, *wanted):
        if name is not None and str(name).partition(".")[0] not in LAYER_PACKAGES:
            raise ModelError(f"{folder}/plans.json names {name!r} as a part of the network")


def torch_device(name: str) -> Any:
    """Return torch's device of a name: ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.

    ``auto`` is the first NVIDIA card, else the processor. Apple's ``mps`` has to be asked for: it
    could not be measured here that it is faster and gives the same.

    Raises
    ------
    InputError
        When there is no device of this name at all.
    ModelError
        When this torch has no such device.
    """
    import torch

    kind, index = parse_device(name)
    n_cards = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if kind == "auto":
        return torch.device("cuda", 0) if n_cards else torch.device("cpu")
    there: bool = {"cpu": True, "cuda": index < n_cards, "mps": torch.backends.mps.is_available()}[
        kind
    ]
    if not there:
        raise ModelError(
            f"-device {name}: this torch sees {n_cards} CUDA devices and "
            f"{'an' if torch.backends.mps.is_available() else 'no'} Apple one; take -device auto"
        )
    return torch.device("cuda", index) if kind == "cuda" else torch.device(kind)


def _registered(folder: Path) -> tuple[Entry | None, ModelFile | None]:
    """Return what the registry says of the installed model that a results folder belongs to."""
    for base in folder.parents:
        if not (base / RECORD_NAME).is_file():
            continue
        record = read_record(base)
        # the registry may know another version by now: what its labels mean is the same
        entry = find_entry(str(record["name"]))
        if entry is None:
            return None, None
        places = {base / where: part for part, where in record["parts"].items()}
        part = places.get(folder)
        file = next((file for file in entry.files if file.part == part), None)
        return replace(entry, version=str(record["version"])), file
    return None, None


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = parse_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read: {short(error)}") from error
    if not isinstance(content, dict):
        raise ModelError(f"{path} is not as nnU-Net writes it")
    return content


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep what nnU-Net prints away from a command's own output."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        yield
    for line in filter(None, map(str.strip, said.getvalue().splitlines())):
        logger.debug("nnU-Net: %s", line)
