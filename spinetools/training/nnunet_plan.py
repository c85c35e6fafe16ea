"""nnU-Net's planning and preprocessing, with plans that two CPU cores can train."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from spinetools.errors import InputError
from spinetools.optional import require
from spinetools.training.nnunet_dataset import Layout
from spinetools.training.nnunet_targets import DATASETS, Dataset

require("nnunetv2", "nnunet")

from nnunetv2.experiment_planning.dataset_fingerprint.fingerprint_extractor import (  # noqa: E402
    DatasetFingerprintExtractor,
)
from nnunetv2.experiment_planning.experiment_planners.default_experiment_planner import (  # noqa: E402
    ExperimentPlanner,
)
from nnunetv2.experiment_planning.plan_and_preprocess_api import (  # noqa: E402
    extract_fingerprint_dataset,
    plan_experiment_dataset,
)
from nnunetv2.training.dataloading.nnunet_dataset import nnUNetDatasetBlosc2  # noqa: E402
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager  # noqa: E402

logger = logging.getLogger(__name__)

PLANS_NAME = "SpinePlans"
CONFIGURATION = "3d_fullres"
#: Cases that the fingerprint is taken of at most.
MOST_CASES = 40
#: Voxels of a patch: right-left, back-front, up-down; 60 × 120 × 160 mm at 1.25 mm.
PATCH = (48, 96, 128)
#: Channels and convolutions of each stage, finest first, and convolutions of each stage upwards,
#: coarsest first. Most of the time goes to the finest stage: one convolution less each way there
#: makes an iteration a sixth shorter and hardly a weight fewer.
FEATURES = (16, 32, 64, 128, 160)
CONVOLUTIONS, CONVOLUTIONS_UP = (1, 2, 2, 2, 2), (2, 2, 2, 1)


class SpineFingerprint(DatasetFingerprintExtractor):
    """Looks at some cases evenly spread: the plans are fixed but for sizes and intensities told."""

    dataset: dict[str, Any]

    def __init__(self, number: int, num_processes: int = 1, verbose: bool = False) -> None:
        super().__init__(number, num_processes, verbose)
        cases = sorted(self.dataset)
        step = -(-len(cases) // MOST_CASES)
        self.dataset = {case: self.dataset[case] for case in cases[::step]}
        self.num_foreground_voxels_for_intensitystats = 1e6  # nnU-Net's 1e8 take a gigabyte


class SpinePlanner(ExperimentPlanner):
    """Plans with a fixed voxel size, patch and network, in x, y, z order.

    nnU-Net's own planner fills a graphics card: patches of 128 voxels and 30 million weights, batch
    2, which take tens of seconds an iteration on a laptop.
    """

    def determine_fullres_target_spacing(self) -> npt.NDArray[np.float64]:
        """Return the working voxel size."""
        dataset = next(d for d in DATASETS.values() if d.folder == self.dataset_name)
        return np.array([dataset.spacing_mm] * 3)

    def determine_transpose(self) -> tuple[list[int], list[int]]:
        """Make the network see x, y, z; nnU-Net reads z, y, x."""
        return [2, 1, 0], [2, 1, 0]

    def plan_experiment(self) -> dict[str, Any]:
        """Write the plans; one configuration only."""
        data, data_kwargs, seg, seg_kwargs = self.determine_resampling()
        softmax, softmax_kwargs = self.determine_segmentation_softmax_export_fn()
        schemes, masked = self.determine_normalization_scheme_and_whether_mask_is_used_for_norm()
        forward, backward = self.determine_transpose()
        shapes = np.median(self.dataset_fingerprint["shapes_after_crop"], axis=0)[forward]
        spacings = np.median(self.dataset_fingerprint["spacings"], axis=0)[forward]
        configuration = {
            "data_identifier": self.generate_data_identifier(CONFIGURATION),
            "preprocessor_name": self.preprocessor_name,
            "batch_size": 1,
            "patch_size": list(PATCH),
            "median_image_size_in_voxels": [float(n) for n in shapes],
            "spacing": self.determine_fullres_target_spacing().tolist(),
            "normalization_schemes": schemes,
            "use_mask_for_norm": masked,
            "resampling_fn_data": data.__name__,
            "resampling_fn_seg": seg.__name__,
            "resampling_fn_data_kwargs": data_kwargs,
            "resampling_fn_seg_kwargs": seg_kwargs,
            "resampling_fn_probabilities": softmax.__name__,
            "resampling_fn_probabilities_kwargs": softmax_kwargs,
            "architecture": architecture(),
            "batch_dice": True,
        }
        plans = {
            "dataset_name": self.dataset_name,
            "plans_name": self.plans_identifier,
            "original_median_spacing_after_transp": [float(mm) for mm in spacings],
            "original_median_shape_after_transp": [round(float(n)) for n in shapes],
            "image_reader_writer": self.determine_reader_writer().__name__,
            "transpose_forward": forward,
            "transpose_backward": backward,
            "configurations": {CONFIGURATION: configuration},
            "experiment_planner_used": type(self).__name__,
            "label_manager": "LabelManager",
            "foreground_intensity_properties_per_channel": self.dataset_fingerprint[
                "foreground_intensity_properties_per_channel"
            ],
        }
        folder = Path(os.environ["nnUNet_preprocessed"]) / self.dataset_name  # noqa: SIM112
        self.plans = plans
        self.save_plans(plans)
        source = Path(self.raw_dataset_folder) / "dataset.json"
        (folder / "dataset.json").write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
        return plans


def architecture() -> dict[str, Any]:
    """Return nnU-Net's description of the network: its plain U-Net, made thin."""
    n = len(FEATURES)
    return {
        "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
        "arch_kwargs": {
            "n_stages": n,
            "features_per_stage": list(FEATURES),
            "conv_op": "torch.nn.modules.conv.Conv3d",
            "kernel_sizes": [[3, 3, 3]] * n,
            "strides": [[1, 1, 1]] + [[2, 2, 2]] * (n - 1),
            "n_conv_per_stage": list(CONVOLUTIONS),
            "n_conv_per_stage_decoder": list(CONVOLUTIONS_UP),
            "conv_bias": True,
            "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
            "norm_op_kwargs": {"eps": 1e-5, "affine": True},
            "dropout_op": None,
            "dropout_op_kwargs": None,
            "nonlin": "torch.nn.LeakyReLU",
            "nonlin_kwargs": {"inplace": True},
        },
        "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
    }


def plan(layout: Layout, number: int) -> dict[str, Any]:
    """Return a dataset's plans, made where there are none yet.

    Raises
    ------
    InputError
        When the dataset has not been written.
    """
    dataset = DATASETS[number]
    if not (layout.raw_of(dataset) / "dataset.json").exists():
        raise InputError(
            f"{layout.raw_of(dataset)} holds no dataset; st_train_prepare {number} writes it"
        )
    if not raw_description(layout, dataset)["dataset"]:
        raise InputError(
            f"{layout.raw_of(dataset)} has no cases; st_train_prepare {number} goes on"
        )
    layout.set_environment()
    path = layout.preprocessed / dataset.folder / f"{PLANS_NAME}.json"
    if not path.exists():
        # the planner asks for at least one process; the trainer works in its own
        os.environ["nnUNet_n_proc_DA"] = "1"  # noqa: SIM112
        extract_fingerprint_dataset(
            number, SpineFingerprint, num_processes=1, verbose=False, show_progress_bar=False
        )
        plan_experiment_dataset(number, SpinePlanner, overwrite_plans_name=PLANS_NAME)
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def preprocess(layout: Layout, number: int) -> int:
    """Preprocess, by nnU-Net's own preprocessor, the cases that are not yet; returns how many are.

    nnU-Net's command does all of them anew whenever one is added.
    """
    dataset = DATASETS[number]
    plans = PlansManager(plan(layout, number))
    configuration = plans.get_configuration(CONFIGURATION)
    description = raw_description(layout, dataset)
    folder = layout.preprocessed / dataset.folder / configuration.data_identifier
    unfinished = folder.with_name(f"{folder.name}_unfinished")
    for place in (folder, unfinished):
        place.mkdir(parents=True, exist_ok=True)
    preprocessor = configuration.preprocessor_class(verbose=False)
    known = set(nnUNetDatasetBlosc2.get_identifiers(str(folder)))
    todo = [case for case in description["dataset"] if case not in known]
    for count, case in enumerate(todo, start=1):
        entry = description["dataset"][case]
        # elsewhere first: nnU-Net takes every file that it finds for a whole one
        temporary = unfinished / case
        preprocessor.run_case_save(
            str(temporary),
            [str(layout.raw_of(dataset) / image) for image in entry["images"]],
            str(layout.raw_of(dataset) / entry["label"]),
            plans, configuration, description,
        )  # fmt: skip
        # what makes it count comes last
        for ending in ("_seg.b2nd", ".pkl", ".b2nd"):
            Path(f"{temporary}{ending}").replace(folder / f"{case}{ending}")
        if count % 50 == 0 or count == len(todo):
            logger.info("%d of %d new cases preprocessed", count, len(todo))
    return len(known) + len(todo)


def raw_description(layout: Layout, dataset: Dataset) -> dict[str, Any]:
    """Return the content of a raw dataset's ``dataset.json``."""
    path = layout.raw_of(dataset) / "dataset.json"
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content
