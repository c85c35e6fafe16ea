"""Cases for nnU-Net from a folder of images with labels, in any scheme of the label table."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cc3d
import numpy as np
import numpy.typing as npt

from spinetools.bids.derivatives import image_of
from spinetools.errors import InputError, SpaceMismatch
from spinetools.files import strip_nifti_suffix
from spinetools.image import Image, Space, load_mask, load_volume
from spinetools.labels import LEVELS, find_scheme, numbering, structures
from spinetools.models.classes import Levels
from spinetools.morphology import components
from spinetools.training.augment import Augmentation, changed
from spinetools.training.nnunet_dataset import Layout, RawDataset
from spinetools.training.nnunet_discs import flipped
from spinetools.training.nnunet_targets import COARSE, DATASETS, disc_mask

logger = logging.getLogger(__name__)

UInt8Array = npt.NDArray[np.uint8]

#: What a label file's name has after its image's.
LABEL_ENDINGS = ("_seg", "_dseg", "_labels", "_label")
#: What the names of labels have that are points, not volumes, in derivatives of our own.
POINTS = "_seg-sctdisc_"
#: Random changes to copies of an image: intensities, blur, coil and noise, but not its place.
COPIES = Augmentation(repaint=0.0, crop=0.0, blur=0.8, noise=0.05, invert=0.15)
#: A smaller piece is not a disc of its own, only a part of one (mm³).
SMALLEST_DISC_MM3 = 300.0
#: Value of voxels of which nothing is known, while labels are being read.
_UNKNOWN = 255


@dataclass(frozen=True)
class LabelParams:
    """What labels mean.

    Attributes
    ----------
    scheme
        A scheme of the label table; None for the one that fits.
    values
        ``1=vertebra,2=disc`` instead of a scheme.
    unlabelled
        What voxels without a label are: ``background``, ``ignore`` (nobody knows), or ``span``:
        background from the highest disc to the lowest one, anything but a disc above and below.
        (As long as nobody knew there, L5–S grew into the first sacral body on real images.)
    copies
        Randomly changed copies of each image.
    lowest
        Which disc of the label table the lowest labelled one is, where the labels name none
        (``disc_L5_S`` for SPIDER, whose levels are counted from there: van der Graaf 2024); those
        above it follow one by one. None leaves them discs of unknown level.
    """

    scheme: str | None = None
    values: str | None = None
    unlabelled: str = "background"
    copies: int = 3
    lowest: str | None = None


def prepare_labelled(
    layout: Layout,
    numbers: Sequence[int],
    folder: Path,
    params: LabelParams,
    listed: str | None = None,
    seed: int = 2026,
) -> None:
    """Write the labelled images of a folder to datasets; those that are there already stay.

    Parameters
    ----------
    layout, numbers
        Where, and which datasets.
    folder
        Searched with all that lies below it. A label file is named after its image: ``x.nii.gz``
        has ``x_dseg.nii.gz``, ``x_seg.nii.gz``, ``x_label-spine_dseg.nii.gz``, in any folder; or as
        derivatives of BIDS are: ``sub-01_space-T2w_desc-vertebrae_dseg.nii.gz``.
    params
        What the labels mean.
    listed
        File with the names of the images to take, one a line; None for all.
    seed
        Of the copies.

    Raises
    ------
    InputError
        When no image has labels, a listed one is missing, or a label value means nothing.
    """
    raw = [RawDataset(layout, DATASETS[number]) for number in numbers]
    pairs = find_pairs(folder)
    if listed is not None:
        pairs = _only(pairs, Path(listed), folder)
    for image_path, label_path in pairs:
        subject = case_name(image_path, folder)
        cases = [f"{subject}_{copy:02d}" for copy in range(params.copies + 1)]
        if all(case in dataset for case in cases for dataset in raw):
            continue
        image, labels, names = read_pair(image_path, label_path, params)
        for copy, case in enumerate(cases):
            rng = np.random.default_rng([seed, *case.encode()])
            shown = image if copy == 0 else _changed(image, rng)
            _add(raw, case, shown, labels, names, str(image_path.relative_to(folder)), rng)
        for dataset in raw:
            dataset.save(seed=seed)
    logger.info("%d labelled images of %s", len(pairs), folder)


def find_pairs(folder: Path) -> list[tuple[Path, Path]]:
    """Return each image below a folder with the file of its labels.

    Raises
    ------
    InputError
        When there is none.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder")
    files = sorted(path for ending in ("*.nii", "*.nii.gz") for path in folder.rglob(ending))
    names = {path: strip_nifti_suffix(path) for path in files}
    labels = [path for path, name in names.items()
              if name.endswith(LABEL_ENDINGS) and POINTS not in name]  # fmt: skip
    images = {names[path]: path for path in files if path not in labels}
    pairs: dict[Path, Path] = {}
    for path in labels:
        stem = names[path]
        derived_from = image_of(stem)
        owners = [name for name in images if stem.startswith(f"{name}_") or name == derived_from]
        if owners:
            owner = images[max(owners, key=len)]
            if owner in pairs:
                raise InputError(
                    f"{owner} has two label files, {pairs[owner].name} and {path.name}; leave one"
                )
            pairs[owner] = path
    if not pairs:
        raise InputError(
            f"{folder} holds no image with labels; they are found by name: x.nii.gz and "
            "x_dseg.nii.gz, x_seg.nii.gz or x_labels.nii.gz"
        )
    return sorted(pairs.items())


def case_name(path: Path, folder: Path) -> str:
    """Return a case's name: the path below the folder, with what nnU-Net's names cannot hold."""
    whole = path.relative_to(folder).with_name(strip_nifti_suffix(path)).as_posix()
    return "real_" + "".join(c if c.isalnum() or c == "-" else "-" for c in whole)


def read_pair(
    image_path: Path, label_path: Path, params: LabelParams
) -> tuple[Image, UInt8Array, dict[int, str]]:
    """Load an image and its labels.

    Returns
    -------
    image
        Axes R, A, S.
    labels
        uint8 on its grid.
    names
        Structure, or set of classes, by value.
    """
    image = load_volume(image_path).reorient(("R", "A", "S"))
    mask = load_mask(label_path).reorient(("R", "A", "S"))
    if not image.space.same_as(mask.space):
        raise SpaceMismatch(
            f"{image_path} and {label_path} lie on different grids; st_image -resample-to mends it"
        )
    values = [int(value) for value in np.unique(mask.data) if value]
    if max(values, default=0) >= _UNKNOWN:
        raise InputError(f"{label_path} has the label {max(values)}, expected at most 254")
    names = value_names(values, params, label_path)
    labels = mask.data.astype(np.uint8)
    if params.lowest is not None:
        labels, names = _name_discs(labels, names, params.lowest, mask.space, label_path)
    if params.unlabelled != "background":
        labels = _unlabelled(labels, names, params.unlabelled == "span")
        names = {**names, _UNKNOWN: "no_disc" if params.unlabelled == "span" else "unlabelled"}
    return image, labels, names


def _name_discs(
    labels: UInt8Array, names: dict[int, str], lowest: str, space: Space, path: object
) -> tuple[UInt8Array, dict[int, str]]:
    """Name discs of unknown level from the lowest one upwards; small pieces stay unnamed."""
    order = Levels().disc_names[::-1]
    if lowest not in order:
        raise InputError(f"-lowest {lowest!r}: expected a disc of labels.tsv, e.g. {order[0]}")
    above = order[order.index(lowest) :]
    unnamed = [value for value, name in names.items() if name == "any_disc"]
    parts, _ = components(np.isin(labels, unnamed))
    found = cc3d.statistics(parts)
    smallest = SMALLEST_DISC_MM3 / space.voxel_volume
    wanted = [part for part in range(1, len(found["voxel_counts"]))
              if found["voxel_counts"][part] >= smallest]  # fmt: skip
    if not wanted or len(wanted) > len(above):
        raise InputError(
            f"{path} has {len(wanted)} discs of unknown level, expected 1 to {len(above)} to count "
            f"from {lowest} upwards"
        )
    free = [value for value in range(_UNKNOWN - 1, 0, -1) if value not in names]
    labels, names = labels.copy(), dict(names)
    heights = found["centroids"][:, 2]
    for part, name, value in zip(
        sorted(wanted, key=lambda one: float(heights[one])), above, free, strict=False
    ):
        labels[parts == part] = value
        names[value] = name
    return labels, names


def value_names(values: Sequence[int], params: LabelParams, path: object) -> dict[int, str]:
    """Return what label values mean.

    Raises
    ------
    InputError
        When one of them means nothing, or several schemes fit.
    """
    if params.values is not None:
        names = parse_values(params.values)
    else:
        scheme = params.scheme or find_scheme(values)
        names = {value: row.name for value, row in numbering(scheme).items()}
    unknown = [value for value in values if value not in names]
    if unknown:
        raise InputError(f"{path} has the label {unknown[0]}, which means nothing here")
    return {value: names[value] for value in values}


def parse_values(text: str) -> dict[int, str]:
    """Read ``1=vertebra,2=disc,7=vertebrae_L3``.

    Raises
    ------
    InputError
        When it is of another form, or a name is not known.
    """
    known = {row.name for row in structures()}
    names: dict[int, str] = {}
    for part in text.split(","):
        value, _, name = part.partition("=")
        if not value.strip().isdigit() or not 0 < int(value) < _UNKNOWN:
            raise InputError(f"-values {part!r}: expected e.g. 1=vertebra, with 1 to 254")
        if name not in known and name not in COARSE:
            raise InputError(
                f"-values {part!r}: expected one of {', '.join(COARSE)}, or a name of labels.tsv"
            )
        names[int(value)] = COARSE.get(name, name)
    return names


def _unlabelled(labels: UInt8Array, names: dict[int, str], span: bool) -> UInt8Array:
    """Mark the voxels of which nothing is known."""
    unknown = labels == 0
    if span:
        discs = [value for value, name in names.items() if "disc" in name]
        rows = np.flatnonzero(np.isin(labels, discs).any(axis=(0, 1)))
        if len(rows):
            # the lowest disc's own rows hold the sacrum behind it
            middle = np.isin(labels[:, :, rows[0] :], discs).any(axis=(0, 1))
            gap = int(np.argmin(middle)) if not middle.all() else 0
            unknown[:, :, rows[0] + gap : rows[-1] + 1] = False
    result = labels.copy()
    result[unknown] = _UNKNOWN
    return result


def _changed(image: Image, rng: np.random.Generator) -> Image:
    data = image.data.astype(np.float32)
    array, _ = changed(
        data, np.zeros((1, *data.shape), np.float32), rng, COPIES, rng.random() < 0.7
    )
    return image.like(array)


def _add(
    raw: Sequence[RawDataset],
    case: str,
    image: Image,
    labels: UInt8Array,
    names: dict[int, str],
    source: str,
    rng: np.random.Generator,
) -> None:
    column, written = column_of(names), None
    swapped = flipped(rng)
    scaled = image.like(_as_int16(image.data))
    for dataset in raw:
        channels, flip = [scaled], False
        if len(dataset.dataset.channels) == 2:
            # coarse labels do not say which discs are odd: then the mask is empty, and only sets
            # of classes are asked for
            flip = swapped
            channels.append(image.like(disc_mask(labels, names, column, flip).astype(np.uint8)))
        target = dataset.dataset.target(labels, names, column, flip)
        dataset.add(case, channels, target, source, written)
        written = written or dataset.image_path(case)


def column_of(names: dict[int, str]) -> Levels:
    """Return the column that has the labelled vertebrae: the usual one, or with T13 or L6."""
    levels, extra = LEVELS, LEVELS.index("L1")
    if "vertebrae_T13" in names.values():
        levels = (*levels[:extra], "T13", *levels[extra:])
    if "vertebrae_L6" in names.values():
        levels = (*levels, "L6")
    return Levels(levels)


def _as_int16(array: npt.NDArray[np.generic]) -> npt.NDArray[np.int16]:
    values = array.astype(np.float32)
    low, high = float(values.min()), float(np.percentile(values, 99.9))
    scale = 1000 / max(high - min(low, 0.0), 1e-6)
    return np.clip(np.round(values * scale), -32768, 32767).astype(np.int16)


def _only(pairs: list[tuple[Path, Path]], listed: Path, folder: Path) -> list[tuple[Path, Path]]:
    try:
        lines = listed.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"the list {listed} cannot be read") from error
    wanted = {line.strip() for line in lines if line.strip()}
    there = {str(image.relative_to(folder)): (image, label) for image, label in pairs}
    missing = sorted(wanted - set(there))
    if missing:
        raise InputError(f"{listed} names {missing[0]}, which is no labelled image of {folder}")
    return [there[name] for name in sorted(wanted)]
