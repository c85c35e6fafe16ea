"""What st_compare and st_pilot share: reading pairs of files, comparing, writing, saying."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spinetools.bids.names import contrast_of
from spinetools.errors import InputError, SpinetoolsError
from spinetools.series import is_there

if TYPE_CHECKING:
    from spinetools.compare.cases import Case, Compared
    from spinetools.compare.choose import Choice

logger = logging.getLogger(__name__)

#: Stands for a file that there is not, in lists of one file an image.
NONE = "none"


def subject_of_scan(path: str | Path) -> str:
    """Guess who was scanned: BIDS' subject, else the file's name without its contrast."""
    from spinetools.files import strip_nifti_suffix
    from spinetools.qc.entry import subject_of

    name, guess = strip_nifti_suffix(path), subject_of(path)
    if guess != name or not contrast_of(name):
        return guess
    return name.rpartition("_")[0] or name


def named_files(words: Sequence[str]) -> dict[str, list[str]]:
    """Read ``METHOD=FILE``; words without a name belong to the method named last."""
    found: dict[str, list[str]] = {}
    method = ""
    for word in words:
        name, equals, rest = word.partition("=")
        if equals and name and not Path(word).exists():
            method, word = name, rest
        if not method:
            raise InputError(f"-s {word}: name the method, e.g. -s propseg={word}")
        found.setdefault(method, []).append(word)
    return found


def one_each(option: str, files: Sequence[str] | None, images: Sequence[str]) -> list[Path | None]:
    """Return a list of one file an image as paths, ``none`` as None.

    Raises
    ------
    InputError
        When there are more or fewer, or one does not exist.
    """
    if files is None:
        return [None] * len(images)
    if len(files) != len(images):
        raise InputError(
            f"{option} has {len(files)} files for {len(images)} images, expected one an image, in "
            f"their order ({NONE} where there is none)"
        )
    return [None if name == NONE else Path(name) for name in files]


def cases_from(args: argparse.Namespace) -> list[Case]:
    """Pair images with their segmentations, references and levels.

    Raises
    ------
    InputError
        When lists do not fit together, or a segmentation is missing without ``-allow-missing``.
    """
    from spinetools.compare.cases import Case
    from spinetools.files import strip_nifti_suffix

    methods = {
        name: one_each(f"-s {name}=", files, args.i)
        for name, files in named_files([word for words in args.s for word in words]).items()
    }
    missing = [path for paths in methods.values() for path in paths
               if path is not None and not is_there(path)]  # fmt: skip
    if missing and not args.allow_missing:
        raise InputError(
            f"{missing[0]} does not exist (-allow-missing counts it as a failure of its method)"
        )
    references = one_each("-ref", args.ref, args.i)
    levels = one_each("-vertfile", args.vertfile, args.i)
    discs = one_each("-discfile", args.discfile, args.i)
    return [
        Case(
            image=Path(image),
            segmentations={name: paths[n] for name, paths in methods.items()},
            subject=subject_of_scan(image),
            contrast=args.c or contrast_of(strip_nifti_suffix(image)),
            reference=references[n],
            levels=levels[n],
            discs=discs[n],
        )
        for n, image in enumerate(args.i)
    ]


def compare_all(cases: Sequence[Case], tolerant: bool = False) -> list[Compared]:
    """Measure every case, with progress on a terminal.

    Parameters
    ----------
    cases
        The files.
    tolerant
        An image that cannot be used is a failure of all methods on it, rather than an error.
    """
    from tqdm import tqdm

    progress = tqdm(cases, unit="image", disable=None, leave=False)
    return [_compare_one(case, tolerant) for case in progress]


def _compare_one(case: Case, tolerant: bool) -> Compared:
    from spinetools.compare.cases import Compared, Result
    from spinetools.compare.measure import compare_case

    try:
        return compare_case(case)
    except SpinetoolsError as error:
        if not tolerant:
            raise
        logger.warning("%s cannot be compared: %s", case.image, error)
        failed = [Result(name, "failed", (str(error),)) for name in case.segmentations]
        return Compared(case, tuple(failed))


def finish(
    args: argparse.Namespace,
    compared: Sequence[Compared],
    table: Path,
    about: Mapping[str, Any] | None = None,
) -> list[Path]:
    """Write tables and report, and print the summary.

    Parameters
    ----------
    args
        The command's arguments: ``qc``, ``qc_dataset``, ``v`` …
    compared
        The images with their results.
    table
        Where the table goes.
    about
        More for the table's sidecar.

    Returns
    -------
    list of Path
        The tables.
    """
    from spinetools.cli._run import write_sidecar
    from spinetools.compare.choose import choices, in_words
    from spinetools.compare.report import put_in_report
    from spinetools.compare.tables import write_tables

    chosen = choices(compared)
    words = in_words(compared, chosen)
    written = write_tables(table, compared)
    files = [
        str(path)
        for each in compared
        for path in (each.case.image, *each.case.segmentations.values(), each.case.reference)
        if path is not None
    ]
    write_sidecar(table, args, files, Summary=words, Choice=_choice(chosen), **(about or {}))
    if args.qc:
        put_in_report(
            args.qc, compared, chosen, written,
            dataset=args.qc_dataset or "", command_line=args.command_line,
        )  # fmt: skip
    if args.v > 0:
        print("\n".join(words))
    return written


def _choice(chosen: Sequence[Choice]) -> dict[str, Any]:
    """Return what a script reads from the sidecar."""
    return {
        choice.group or "all": {
            "Method": choice.method,
            "Sureness": choice.sureness,
            "Scores": {name: round(score, 4) for name, score in choice.scores.items()},
        }
        for choice in chosen
    }
