"""nnU-Net's raw datasets on disk: written case by case, so that a killed run goes on where it was.

Below the training folder lie ``raw``, ``preprocessed`` and ``results``, as nnU-Net wants them. A
case counts once ``dataset.json`` lists it, which happens after all its files are written.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from spinetools.errors import InputError
from spinetools.files import write_json
from spinetools.image import Image
from spinetools.training.nnunet_discs import flipped
from spinetools.training.nnunet_phantom import (
    VIEWS,
    Sample,
    phantom_samples,
    sample_name,
)
from spinetools.training.nnunet_targets import DATASETS, Dataset, disc_mask, phantom_names
from spinetools.training.provenance import commit

logger = logging.getLogger(__name__)

_ENDING = ".nii.gz"


@dataclass(frozen=True)
class Layout:
    """The folders of a training run."""

    folder: Path

    @property
    def raw(self) -> Path:
        """What is learnt from, as images."""
        return self.folder / "raw"

    @property
    def preprocessed(self) -> Path:
        """The same as nnU-Net reads it, and the plans."""
        return self.folder / "preprocessed"

    @property
    def results(self) -> Path:
        """Checkpoints and logs."""
        return self.folder / "results"

    def raw_of(self, dataset: Dataset) -> Path:
        """Return a dataset's raw folder."""
        return self.raw / dataset.folder

    def set_environment(self) -> None:
        """Tell nnU-Net where its folders are, and to work in this process."""
        for name in ("raw", "preprocessed", "results"):
            os.environ[f"nnUNet_{name}"] = str((self.folder / name).resolve())


class RawDataset:
    """The raw folder of one dataset.

    Parameters
    ----------
    layout
        Where everything lies.
    dataset
        Which one.
    """

    def __init__(self, layout: Layout, dataset: Dataset) -> None:
        self.folder, self.dataset = layout.raw_of(dataset), dataset
        self._path = self.folder / "dataset.json"
        self._cases: dict[str, dict[str, Any]] = {}
        if self._path.exists():
            content = json.loads(self._path.read_text(encoding="utf-8"))
            self._cases = content["dataset"]
            if tuple(content["labels"]) != dataset.classes:
                raise InputError(f"{self.folder} has other classes; write to another -folder")

    def __contains__(self, case: str) -> bool:
        return case in self._cases

    def __len__(self) -> int:
        return len(self._cases)

    def image_path(self, case: str, channel: int = 0) -> Path:
        """Return where a case's image is."""
        return self.folder / "imagesTr" / f"{case}_{channel:04d}{_ENDING}"

    def add(
        self,
        case: str,
        channels: Sequence[Image],
        target: npt.NDArray[np.uint8],
        source: str,
        same_image: Path | None = None,
    ) -> None:
        """Write a case's files; :meth:`save` lists it.

        Parameters
        ----------
        case
            Name; what comes before its last underscore is the subject.
        channels
            The input, an image each, all on one grid.
        target
            Class numbers and codes on that grid.
        source
            What it comes from, for people.
        same_image
            The first channel's file in another dataset, which is linked to instead of written.
        """
        if len(channels) != len(self.dataset.channels):
            raise ValueError(f"{len(channels)} channels, expected {len(self.dataset.channels)}")
        for number, channel in enumerate(channels):
            path = self.image_path(case, number)
            if number or same_image is None or not _linked(same_image, path):
                channel.save(path)
        label = self.folder / "labelsTr" / f"{case}{_ENDING}"
        channels[0].like(target).save(label, dtype="uint8")
        images = [self.image_path(case, i) for i in range(len(channels))]
        self._cases[case] = {
            "images": [str(path.relative_to(self.folder)) for path in images],
            "label": str(label.relative_to(self.folder)),
            "source": source,
        }

    def save(self, **extra: Any) -> None:
        """Write ``dataset.json``: from here on the cases count."""
        dataset = self.dataset
        write_json(
            self._path,
            {
                "channel_names": {str(i): name for i, name in enumerate(dataset.channels)},
                "labels": {name: i for i, name in enumerate(dataset.classes)},
                "numTraining": len(self._cases),
                "file_ending": _ENDING,
                "overwrite_image_reader_writer": "NibabelIOWithReorient",
                "spinetools": {
                    "step": dataset.step,
                    "sets": {str(code): some for code, some in dataset.sets.items()},
                    "commit": commit(),
                    **extra,
                },
                "dataset": dict(sorted(self._cases.items())),
            },
        )


def prepare_phantoms(
    layout: Layout,
    numbers: Sequence[int],
    n_volumes: int,
    seed: int = 2026,
    spacing_mm: float | None = None,
) -> None:
    """Write volumes of the digital spine to datasets; those that are there already stay.

    Parameters
    ----------
    layout
        Where.
    numbers
        Which datasets, by nnU-Net's number; they share the images.
    n_volumes
        How many volumes in all; there are as many of a subject as there are views.
    seed
        Of subjects and images.
    spacing_mm
        Voxel size; None for the finest of the datasets'. Another than a network's own is resampled
        when it is preprocessed.
    """
    raw = [RawDataset(layout, DATASETS[number]) for number in numbers]
    spacing_mm = spacing_mm or min(dataset.dataset.spacing_mm for dataset in raw)
    for subject in range(-(-n_volumes // len(VIEWS))):
        views = VIEWS[: n_volumes - subject * len(VIEWS)]
        cases = [sample_name(subject, view) for view in range(len(views))]
        if all(case in dataset for case in cases for dataset in raw):
            continue
        for dataset in raw:  # where it cannot be written is said before the painting
            dataset.save(seed=seed)
        for sample in phantom_samples(subject, seed, spacing_mm, views):
            _add_sample(sample, raw, seed)
        for dataset in raw:
            dataset.save(seed=seed)
        logger.info("%d of %d phantom volumes", subject * len(VIEWS) + len(views), n_volumes)


def _add_sample(sample: Sample, raw: Sequence[RawDataset], seed: int) -> None:
    names, written = phantom_names(), None
    for dataset in raw:
        channels, flip = [sample.image], False
        if len(dataset.dataset.channels) == 2:
            flip = flipped(np.random.default_rng([seed, *sample.name.encode()]))
            mask = disc_mask(sample.structures, names, sample.column, flip)
            channels.append(sample.image.like(mask.astype(np.uint8)))
        target = dataset.dataset.target(sample.structures, names, sample.column, flip)
        dataset.add(sample.name, channels, target, sample.source, written)
        written = written or dataset.image_path(sample.name)


def _linked(source: Path, path: Path) -> bool:
    """Let a file stand in a second folder without its bytes; False where that cannot be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    try:
        path.hardlink_to(source)
    except OSError:  # another file system, or one without links
        return False
    return True


def dataset_numbers(which: str) -> tuple[int, ...]:
    """Return the datasets that ``101``, ``102``, ``103`` or ``all`` names.

    Raises
    ------
    InputError
        When there is no such dataset.
    """
    if which == "all":
        return tuple(DATASETS)
    if not which.isdigit() or int(which) not in DATASETS:
        known = ", ".join(str(number) for number in DATASETS)
        raise InputError(f"there is no dataset {which}; choose one of {known}, or all")
    return (int(which),)
