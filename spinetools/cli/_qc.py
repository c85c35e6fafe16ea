"""How a command adds what it did to the QC report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from spinetools.image import Image
    from spinetools.qc.corrections import Task


def add_qc_entry(
    args: argparse.Namespace, image: Image, overlays: Sequence[tuple[str, Image]], **more: Any
) -> str | None:
    """Add an entry to the report of ``-qc``; does nothing without ``-qc``.

    Call it once all outputs are saved, so that a full disk or an unwritable report costs no result.

    Parameters
    ----------
    args
        The command's arguments, as :func:`spinetools.cli._run.execute` passes them.
    image
        The image that was worked on, loaded.
    overlays
        Name and image of each result, on the image's grid; the names as in
        :func:`spinetools.qc.add_entry`.
    more
        What else :func:`spinetools.qc.add_entry` takes: ``plane``, ``flags``, ``measures``,
        ``label_kind`` …

    Returns
    -------
    str or None
        The entry's id.
    """
    if getattr(args, "qc", None) is None:
        return None
    from spinetools.qc import add_entry

    settings: dict[str, Any] = {
        "process": args.prog,
        "command_line": args.command_line,
        "dataset": args.qc_dataset,
        "subject": args.qc_subject,
        "contrast": getattr(args, "c", None),
    }
    settings.update(more)
    return add_entry(args.qc, image, overlays, **settings)


def made_by(path: Path, process: str) -> str | None:
    """Return the command line that wrote a result, from its sidecar; None where it is not known.

    A result that was corrected by hand in its file, and is added again, is the same case as before.
    """
    from spinetools.files import parse_json, sidecar_path

    try:
        maker = parse_json(sidecar_path(path).read_text(encoding="utf-8"))["GeneratedBy"][-1]
        return str(maker["CommandLine"]) if maker["Name"] == process else None
    except (OSError, ValueError, KeyError, IndexError, TypeError):
        return None


def say_tasks(tasks: Sequence[Task]) -> None:
    """Print what is to be corrected: where, why, and with which commands."""
    for task in tasks:
        entry = task.entry
        axis = "xyz"[entry["measure_axis"]]
        where = "all slices"
        if task.slices is not None:
            first, last = task.slices
            where = (
                f"slice {axis} = {first}" if first == last else f"slices {axis} = {first}–{last}"
            )
        print(f"look at: {entry['subject']} {entry['process']}, {where} ({task.why})")
        if task.fsleyes:
            print(f"  fsleyes: {task.fsleyes}")
            cursor = " ".join(map(str, task.cursor))
            print(f"  itksnap: {task.itksnap} (then type the cursor: {cursor})")
        if task.rerun:
            print(f"  then: {task.todo}")
            print(f"  rerun: {task.rerun}")
