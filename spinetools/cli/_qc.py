"""How a command adds what it did to the QC report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse

    from spinetools.image import Image


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
