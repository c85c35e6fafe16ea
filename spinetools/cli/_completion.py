"""Completion scripts of all commands, written by shtab from their parsers."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import distribution

#: Words in the placeholders of values that are files, and of those that are folders.
_FILES = {"FILE", "IMAGE", "SEG", "MASK", "MANUAL", "REF", "DEST"}
_FOLDERS = {"DIR", "FOLDER"}


def script(shell: str) -> str:
    """Return the script of a shell: every command's completion, one after the other.

    Parameters
    ----------
    shell
        ``bash``, ``zsh``, ``fish``, ``tcsh`` or ``powershell``.
    """
    import shtab

    parts = [f"# completion of spinetools' commands for {shell}"]
    for parser in parsers():
        for action in parser._actions:
            kind = value_kind(action)
            if kind:
                what = shtab.FILE if kind == "file" else shtab.DIRECTORY
                action.complete = what  # type: ignore[attr-defined]
            action.help = one_line(parser, action)
        parser.epilog = None
        parser.description = parser.prog
        parts.append(shtab.complete(parser, shell=shell))
    return "\n".join(parts)


def parsers() -> Iterator[argparse.ArgumentParser]:
    """Make the parsers of the installed commands, one after the other."""
    entries = distribution("spinetools").entry_points
    for entry in sorted(entries, key=lambda entry: entry.name):
        if entry.group == "console_scripts" and entry.name.startswith("st_"):
            yield import_module(entry.module).get_parser()


def value_kind(action: argparse.Action) -> str:
    """Tell whether an option's value is a ``file``, a ``folder`` or neither (empty)."""
    if action.nargs == 0 or action.choices is not None:
        return ""
    words = set(re.findall("[A-Z]+", action.metavar if isinstance(action.metavar, str) else ""))
    if words & _FILES:
        return "file"
    return "folder" if words & _FOLDERS else ""


def one_line(parser: argparse.ArgumentParser, action: argparse.Action) -> str | None:
    """Return an option's help as plain words: shells read quotes, brackets and dollars."""
    if action.help in (None, argparse.SUPPRESS):
        return action.help
    text = parser._get_formatter()._expand_help(action)
    return re.sub(r"[^\w\s.,;:()/+=–-]", "", " ".join(text.split())).replace(":", " –")
