"""What ``st_label_vertebrae`` writes."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spinetools.cli._bids import derived
from spinetools.cli._dicom import dicomseg_beside
from spinetools.cli._label_vertebrae import record_of, saved
from spinetools.cli._run import announce, write_sidecar
from spinetools.files import output_path, strip_nifti_suffix, write_json, write_text

if TYPE_CHECKING:
    from spinetools.image import Image
    from spinetools.qc import Flag
    from spinetools.vertebrae import SpineLabels


#: What BIDS' names call structures that other commands write too.
BIDS_LABELS = {"cord": "SC", "spinal_cord": "SC", "spinal_canal": "canal"}


def write_all(args: argparse.Namespace, result: SpineLabels) -> None:
    """Write labels, levels and what was asked for; add the QC entry; say what was written."""
    from spinetools.vertebrae.levels import disc_points, points_table
    from spinetools.vertebrae.values import dseg_table, in_scheme

    labels, names = in_scheme(result, args.label_scheme, args.structures, args.iso)
    record = record_of(args, result)
    path = _labels_path(args)
    written: list[Path] = []
    if args.ml:
        write_sidecar(path, args, [args.i], **record)
        written.append(labels.save(path))
        table = _beside(args, "_dseg.tsv", "dseg", seg=args.label_scheme)
        write_text(table, dseg_table(names))
        written.append(table)
    else:
        written += _write_classes(args, labels, names, record)
    levels = _beside(args, "_levels.nii.gz", "dseg", seg="sct_disc")
    points = disc_points(result, args.iso)
    write_sidecar(levels, args, [args.i], **record)
    written.append(points.save(levels))
    if args.bids:  # every discrete segmentation has its table there
        table = _beside(args, "_dseg.tsv", "dseg", seg="sct_disc")
        write_text(table, points_table(points))
        written.append(table)
    written += _write_saved(args, result)
    written += dicomseg_beside(args, path, labels, names)
    if args.statistics:
        written += _write_statistics(args, result, labels, names)
    if args.radiomics:
        from spinetools.cli._radiomics import write_radiomics

        table, record_ = (
            _beside(args, f"_radiomics.{end}", "radiomics") for end in ("tsv", "json")
        )
        shown = result.working if args.iso else result.image
        written += write_radiomics(args, (table, record_), shown, labels, names)
    if args.preview:
        from spinetools.vertebrae.preview import save_preview

        preview = _beside(args, f"_preview.{args.preview}", "preview")
        written.append(save_preview(result, preview))
    _add_qc(args, result, labels, names, [path] if args.ml else [])
    announce(written, args, args.i, written[:1] if args.ml else [levels])


def write_empty(args: argparse.Namespace, image: Image) -> None:
    """Write empty labels, as ``-allow-empty`` says."""
    from spinetools.cli._results import empty_like

    path = _labels_path(args)
    write_sidecar(path, args, [args.i], Confidence=0)
    empty_like(image).save(path)
    announce([path], args, args.i, [path])


def _labels_path(args: argparse.Namespace) -> Path:
    """Name the labels."""
    path = _derived(args, "dseg", ".nii.gz", seg=args.label_scheme)
    return path or output_path(args.i, "_labels.nii.gz", args.o, args.ofolder)


def _derived(args: argparse.Namespace, suffix: str, extension: str, **words: str) -> Path | None:
    """Name an output as BIDS does; None without ``-bids``."""
    grid = "iso" if args.iso else None
    return derived(args, suffix, "vertebrae", extension=extension, res=grid, **words)


def _beside(args: argparse.Namespace, ending: str, suffix: str, **words: str) -> Path:
    """Name a further output: beside the labels, and after them where ``-o`` names them.

    ``suffix`` and ``words`` are what BIDS calls it.
    """
    path = _derived(args, suffix, f".{ending.partition('.')[2]}", **words)
    if path is not None:
        return path
    if args.o is None:
        return output_path(args.i, ending, None, args.ofolder)
    path = output_path(args.i, "", args.o, args.ofolder)
    name = strip_nifti_suffix(path)
    return path.with_name(f"{name.removesuffix('_labels')}{ending}")


def _write_classes(
    args: argparse.Namespace, labels: Image, names: Mapping[int, str], record: dict[str, Any]
) -> list[Path]:
    """Write a mask for each structure: into a folder, or as BIDS has it."""
    from spinetools.vertebrae.values import mask_of

    folder = None if args.bids else _beside(args, "_labels", "")
    written = []
    for value, name in names.items():
        if folder is None:
            path = _beside(args, ".nii.gz", "mask", label=BIDS_LABELS.get(name, name))
            write_sidecar(path, args, [args.i], **record)
        else:
            path = folder / f"{name}.nii.gz"
        written.append(labels.like(mask_of(labels, value)).save(path))
    if folder is not None:
        write_json(folder / "labels.json", {"Sources": [args.i], **record})
    return written


def _write_saved(args: argparse.Namespace, result: SpineLabels) -> list[Path]:
    """Write what ``-save`` asks for."""
    import numpy as np

    from spinetools.vertebrae.finish import on_grid
    from spinetools.vertebrae.result import CANAL, CORD

    images: list[tuple[str, Image]] = []
    wanted = saved(args)
    for step, classes in result.steps.items():
        if step in wanted:
            shown = classes if args.iso else on_grid(classes.data, classes.space, result.image)
            images.append((step, shown))
    numbers = result.labels(args.iso)
    # the canal as SCT has it: with the cord in it
    for name, inside in (("cord", (CORD,)), ("canal", (CANAL, CORD))):
        if name in wanted:
            mask = np.isin(numbers.data, inside).astype(np.uint8)
            images.append((name, numbers.like(mask)))
    if "soft" in wanted:
        images += [(f"{name}_soft", result.soft(name, args.iso)) for name in ("cord", "canal")]
    written = []
    for name, image in images:
        what, _, soft = name.partition("_")
        words = {"seg": what} if name in result.steps else {"label": BIDS_LABELS.get(what, what)}
        suffix = "dseg" if name in result.steps else "probseg" if soft else "mask"
        path = _beside(args, f"_{name}.nii.gz", suffix, **words)
        write_sidecar(path, args, [args.i], Models=list(result.models))
        written.append(image.save(path))
    return written


def _write_statistics(
    args: argparse.Namespace, result: SpineLabels, labels: Image, names: Mapping[int, str]
) -> list[Path]:
    from spinetools.vertebrae.statistics import statistics_of, table_of, without_nan

    rows = statistics_of(result, names, labels)
    table, record = (_beside(args, f"_statistics.{end}", "statistics") for end in ("tsv", "json"))
    write_text(table, table_of(rows))
    write_json(record, {"Sources": [args.i], **result.summary(), "Structures": without_nan(rows)})
    return [table, record]


def _add_qc(
    args: argparse.Namespace,
    result: SpineLabels,
    labels: Image,
    names: Mapping[int, str],
    files: list[Path],
) -> None:
    from spinetools.cli._qc import add_qc_entry

    if args.qc is None:
        return
    add_qc_entry(
        args,
        result.image,
        [("labels", labels)],
        plane="sagittal",
        label_kind="labels",
        label_names=dict(names),
        flags=flags_of(result),
        files=files,
    )


def flags_of(result: SpineLabels) -> list[Flag]:
    """Return what a person should look at."""
    from spinetools.qc import Flag
    from spinetools.vertebrae.result import as_candidate
    from spinetools.vertebrae.transition import unusual

    flags = []
    if not result.sure:
        others = "; ".join(as_candidate(other) for other in result.numbering.alternatives[:3])
        chosen = as_candidate(result.numbering.chosen)
        flags.append(Flag("low confidence", f"numbering {chosen}; or {others}"))
    if result.variant:
        chance = result.numbering.variant_probability[result.variant]
        flags.append(Flag("variant", unusual(result.variant, chance)))
    return flags
