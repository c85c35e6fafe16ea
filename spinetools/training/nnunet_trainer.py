"""nnU-Net's trainer with habits for the CPU, and a loss for targets that do not say everything."""

from __future__ import annotations

import math
import zlib
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch

from spinetools.files import atomic_path
from spinetools.optional import require
from spinetools.training.nnunet_discs import as_step1_draws
from spinetools.training.nnunet_loss import BALANCED, MarginalLoss
from spinetools.training.nnunet_phantom import repeated
from spinetools.training.nnunet_targets import kinds_of

require("nnunetv2", "nnunet")

from batchgeneratorsv2.transforms.base.basic_transform import BasicTransform  # noqa: E402
from batchgeneratorsv2.transforms.utils.random import RandomTransform  # noqa: E402
from nnunetv2.training.loss.deep_supervision import DeepSupervisionWrapper  # noqa: E402
from nnunetv2.training.lr_scheduler.polylr import PolyLRScheduler  # noqa: E402
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer  # noqa: E402

#: Iterations of an epoch on the CPU: a checkpoint every two minutes or so.
EPOCH = 100
#: Over these many iterations the learning rate rises: AdamW's averages fill first.
RISE = 100
#: A fold holds out every fifth subject.
N_FOLDS = 5


class SpineTrainer(nnUNetTrainer):
    """Trainer of the vertebra networks.

    On any device: left-right mirroring only (a spine upside down is none), oversampling of the
    classes that a case has, one drawn at random, so that landmark discs come as often as vertebrae;
    cross-entropy and Dice over what is present, also for sets of classes, and which disc it is,
    or vertebra, by itself; cases of a subject stay in one fold.

    On the CPU also: bf16, AdamW with a learning rate that rises quickly and falls polynomially,
    short epochs, and augmentation in the same process. Stock SGD learns neither cord nor discs in
    the first 400 iterations, AdamW does (both measured at one sample a batch).

    Parameters
    ----------
    plans, configuration, fold, dataset_json, device
        As nnU-Net's trainer takes them.
    """

    def __init__(
        self,
        plans: dict[str, Any],
        configuration: str,
        fold: int | str,
        dataset_json: dict[str, Any],
        device: torch.device = torch.device("cuda"),  # noqa: B008  # nnU-Net's own signature
    ) -> None:
        super().__init__(plans, configuration, fold, dataset_json, device)
        self.oversample_foreground_percent = 0.67
        # at one sample a batch the stock way would round it to never
        self.probabilistic_oversampling = True
        self.save_every = 1
        self.iteration = 0
        #: Share of the cases that is drawn from images, the rest from the digital spine.
        self.real_share: float | None = None
        if self.on_cpu:
            self.initial_lr, self.weight_decay = 2e-3, 1e-4
            self.num_iterations_per_epoch, self.num_val_iterations_per_epoch = EPOCH, 4
            self.num_epochs = 150

    @property
    def on_cpu(self) -> bool:
        """Whether the CPU's habits hold."""
        return bool(self.device.type == "cpu")

    def set_steps(self, steps: int) -> None:
        """Train for these many iterations in all, rounded up to whole epochs."""
        self.num_epochs = math.ceil(steps / self.num_iterations_per_epoch)

    def configure_optimizers(self) -> tuple[torch.optim.Optimizer, Any]:
        """Return optimiser and schedule."""
        if not self.on_cpu:
            return super().configure_optimizers()  # type: ignore[no-any-return]
        optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=self.initial_lr, weight_decay=self.weight_decay
        )
        return optimiser, PolyLRScheduler(optimiser, self.initial_lr, self.num_epochs)

    def _build_loss(self) -> torch.nn.Module:
        sets = {int(code): some for code, some in self.dataset_json["spinetools"]["sets"].items()}
        kinds = kinds_of(tuple(self.dataset_json["labels"]))
        loss = MarginalLoss(self.label_manager.num_segmentation_heads, sets, kinds)
        if not self.enable_deep_supervision:
            return loss
        # nnU-Net's weights: halved with every stage, the coarsest left out
        weights = np.array([0.5**i for i in range(len(self._get_deep_supervision_scales()))])
        weights[-1] = 0
        wrapped: torch.nn.Module = DeepSupervisionWrapper(loss, weights / weights.sum())
        return wrapped

    def configure_rotation_dummyDA_mirroring_and_inital_patch_size(  # noqa: N802
        self,
    ) -> tuple[Any, bool, Any, tuple[int, ...]]:
        """Mirror left and right only; the network's first axis is right-left."""
        rotation, flat, patch, _ = (
            super().configure_rotation_dummyDA_mirroring_and_inital_patch_size()
        )
        self.inference_allowed_mirroring_axes = (0,)
        return rotation, flat, patch, (0,)

    @staticmethod
    def get_training_transforms(*args: Any, **kwargs: Any) -> BasicTransform:
        """Return nnU-Net's augmentation; a second channel holds discs, drawn roughly instead."""
        composed = nnUNetTrainer.get_training_transforms(*args, **kwargs)
        composed.transforms = [
            _FirstChannel(part) if isinstance(part, RandomTransform) else part
            for part in composed.transforms
        ]
        composed.transforms.append(_RoughDiscs())
        return composed

    def do_split(self) -> tuple[list[str], list[str]]:
        """Return cases to learn from and to look at; all images of a subject go the same way.

        Unlike nnU-Net's, the split of a case does not change when others are added.
        """
        cases = sorted(self.dataset_class.get_identifiers(self.preprocessed_dataset_folder))
        if self.fold == "all":
            return repeated(cases, self.real_share), cases
        held = [case for case in cases if fold_of(case) == self.fold % N_FOLDS]
        kept = [case for case in cases if fold_of(case) != self.fold % N_FOLDS]
        if not held or not kept:  # a handful of subjects
            return cases, cases
        return repeated(kept, self.real_share), held

    def on_train_epoch_start(self) -> None:
        """Begin an epoch."""
        super().on_train_epoch_start()
        self.iteration = self.current_epoch * self.num_iterations_per_epoch
        for part in self.loss.modules():
            if isinstance(part, MarginalLoss):
                part.balance = BALANCED * (1 - self._share())

    def train_step(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Learn from a batch."""
        if not self.on_cpu:
            return super().train_step(batch)  # type: ignore[no-any-return]
        for group in self.optimizer.param_groups:
            group["lr"] = self._rate()
        self.iteration += 1
        self.optimizer.zero_grad(set_to_none=True)
        with self._autocast():
            output = self.network(batch["data"])
        loss = self.loss(output, batch["target"])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 12)
        self.optimizer.step()
        return {"loss": loss.detach().numpy()}

    def _rate(self) -> float:
        rise = min(1.0, (self.iteration + 1) / RISE)
        return float(self.initial_lr * rise * max(1 - self._share(), 1e-3) ** 0.9)

    def _share(self) -> float:
        return self.iteration / (self.num_epochs * self.num_iterations_per_epoch)

    def validation_step(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Look at a batch: loss, and true and false voxels where the target names one class."""
        data = batch["data"].to(self.device)
        targets = [part.to(self.device) for part in batch["target"]]
        with torch.no_grad(), self._autocast():
            output = self.network(data)
        loss = self.loss(output, targets)
        target, found = targets[0][:, 0].long(), output[0].argmax(dim=1)
        n_classes = output[0].shape[1]
        known = target < n_classes
        table = torch.bincount(
            target[known] * n_classes + found[known], minlength=n_classes**2
        ).reshape(n_classes, n_classes)
        right = table.diagonal()
        counts = {
            "tp_hard": right,
            "fp_hard": table.sum(dim=0) - right,
            "fn_hard": table.sum(dim=1) - right,
        }
        result = {name: count[1:].cpu().numpy() for name, count in counts.items()}
        return {"loss": loss.detach().cpu().numpy(), **result}

    def on_validation_epoch_end(self, val_outputs: list[dict[str, Any]]) -> None:
        """Sum up; classes that no batch held have no Dice, which is not worth a warning."""
        with np.errstate(invalid="ignore", divide="ignore"):
            super().on_validation_epoch_end(val_outputs)

    def _autocast(self) -> AbstractContextManager[Any]:
        kind = self.device.type
        if kind == "mps":  # no gradient scaler there, without which half floats vanish
            return nullcontext()
        dtype = torch.bfloat16 if self.on_cpu else torch.float16
        context: AbstractContextManager[Any] = torch.autocast(kind, dtype=dtype)
        return context

    def save_checkpoint(self, filename: str) -> None:
        """Write a checkpoint; a killed run leaves the old one.

        On the CPU there is no ``checkpoint_best``: with random patches of four cases it is luck.
        """
        if self.on_cpu and Path(filename).name == "checkpoint_best.pth":
            return
        with atomic_path(filename) as temporary:
            super().save_checkpoint(str(temporary))

    def newest_checkpoint(self) -> Path | None:
        """Return the checkpoint to go on from."""
        folder = Path(self.output_folder)
        found = [folder / f"checkpoint_{name}.pth" for name in ("latest", "final", "best")]
        there = [path for path in found if path.exists()]
        return max(there, key=lambda path: path.stat().st_mtime, default=None)


class _FirstChannel(BasicTransform):
    """Applies a transform of intensities to the first channel alone."""

    def __init__(self, transform: BasicTransform) -> None:
        super().__init__()
        self.transform = transform

    def apply(self, data_dict: dict[str, Any], **params: Any) -> dict[str, Any]:
        image = data_dict["image"]
        changed = self.transform(image=image[:1])["image"]
        return {**data_dict, "image": torch.cat([changed, image[1:]])}


class _RoughDiscs(BasicTransform):
    """Draws the discs of the second channel as step 1 would."""

    def apply(self, data_dict: dict[str, Any], **params: Any) -> dict[str, Any]:
        image = data_dict["image"]
        if len(image) == 1:
            return data_dict
        rng = np.random.default_rng(int(torch.randint(2**31, ())))
        rough = as_step1_draws(image[1].numpy() > 0.5, rng)
        return {**data_dict, "image": torch.stack([image[0], torch.from_numpy(rough).float()])}


def fold_of(case: str) -> int:
    """Return the fold that holds a case out, by the name of its subject."""
    return zlib.crc32(case.rpartition("_")[0].encode()) % N_FOLDS
