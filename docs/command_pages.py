"""Write one page a command from its parser, so that no option can be missing or out of date.

What a parser cannot say (how a method works, what its outputs hold) is written by hand in
``notes/<command>.rst`` and put below the options.
"""

from __future__ import annotations

import argparse
import re
import textwrap
from importlib import import_module
from importlib.metadata import distribution
from pathlib import Path

PACKAGE = "spinetools.cli."


def command_modules() -> dict[str, str]:
    """Return the module of each command that the installed package brings, by name."""
    found = {
        entry.name: entry.module
        for entry in distribution("spinetools").entry_points
        if entry.group == "console_scripts" and entry.module.startswith(PACKAGE)
    }
    return dict(sorted(found.items()))


def write_all(folder: Path, notes: Path) -> None:
    """Write the pages and their table of contents; pages of commands that are gone go too."""
    folder.mkdir(exist_ok=True)
    pages = {
        name: page(name, import_module(module).get_parser(), notes / f"{name}.rst")
        for name, module in command_modules().items()
    }
    for old in folder.glob("*.rst"):
        if old.stem not in pages and old.stem != "index":
            old.unlink()
    first_lines = {name: summary(text) for name, text in pages.items()}
    pages["index"] = index(first_lines)
    for name, text in pages.items():
        path = folder / f"{name}.rst"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")  # Sphinx rebuilds what is newer


def index(first_lines: dict[str, str]) -> str:
    """Return the list of commands."""
    rows = "\n".join(f"* - :doc:`{name}`\n  - {line}" for name, line in first_lines.items())
    contents = "\n".join(first_lines)
    return "\n".join([
        heading("Commands", "="),
        "What every command has in common (exit codes, messages, sidecars, names of outputs) "
        "is told in :doc:`/concepts/conventions`.\n",
        ".. list-table::\n   :widths: 34 66\n",
        textwrap.indent(rows, "   "),
        "\n.. toctree::\n   :hidden:\n",
        textwrap.indent(contents, "   "),
        "",
    ])  # fmt: skip


def page(name: str, parser: argparse.ArgumentParser, notes: Path) -> str:
    """Return a command's page as reStructuredText."""
    parts = [heading(name, "="), paragraphs(parser.description or ""), ""]
    epilog = (parser.epilog or "").removeprefix("example:\n")
    if epilog:
        parts += [code(epilog), ""]
    parts += [heading("Usage", "-"), code(usage(parser)), "", heading("Options", "-")]
    for title, actions in groups(parser):
        parts += [f".. rubric:: {title.capitalize()}", ""]
        parts += [option(parser, action) for action in actions]
    if notes.is_file():
        parts += [notes.read_text(encoding="utf-8")]
    return "\n".join(parts)


def groups(parser: argparse.ArgumentParser) -> list[tuple[str, list[argparse.Action]]]:
    """Return the parser's groups of options, what must be given first and the general last."""
    found: dict[str, tuple[int, list[argparse.Action]]] = {}
    for group in parser._action_groups:
        actions = [a for a in group._group_actions if a.help != argparse.SUPPRESS]
        needed = any(action.required for action in actions)
        # argparse's own name for what was put into no group
        title = str(group.title)
        if title == "options":
            title = "input" if needed else "further options"
        if title == "positional arguments":
            title = "arguments"
        order = 0 if needed else {"further options": 2, "general": 3}.get(title, 1)
        if actions:
            first, before = found.get(title, (order, []))
            found[title] = (min(first, order), sorted(before + actions, key=is_optional))
    ordered = sorted(found.items(), key=lambda entry: entry[1][0])
    return [(title, actions) for title, (_, actions) in ordered]


def is_optional(action: argparse.Action) -> bool:
    """Whether an option may be left out."""
    return not action.required


def usage(parser: argparse.ArgumentParser) -> str:
    """Return the usage line: what must be given, then a word for the rest."""
    required = [a for a in parser._actions if a.required and a.option_strings]
    words = [parser.prog, *(f"{a.option_strings[0]} {placeholder(a)}" for a in required)]
    unnamed = [a for a in parser._actions if not a.option_strings]
    words += [placeholder(a) if a.required else f"[{placeholder(a)}]" for a in unnamed]
    return " ".join([*words, "[options]"])


def option(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    """Return one option as an entry of a definition list."""
    value = "" if action.nargs == 0 else f" {placeholder(action)}"
    if action.nargs == "?":
        value = f" [{placeholder(action)}]"
    names = ", ".join(f"``{text}{value}``" for text in action.option_strings)
    names = names or f"``{placeholder(action)}``"  # an argument without a name
    text = escape(parser._get_formatter()._expand_help(action))
    return f"{names}\n    {text}{' **Required.**' if action.required else ''}\n"


def placeholder(action: argparse.Action) -> str:
    """Return the word that stands for an option's value."""
    if action.choices is not None:
        return "{" + ",".join(str(choice) for choice in action.choices) + "}"
    if isinstance(action.metavar, str):
        return action.metavar
    return action.dest.upper()


def summary(text: str) -> str:
    """Return the first sentence of a page's description, without its final stop."""
    description = text.split("\n\n")[1]
    first = re.split(r"(?<=[.:])\s", " ".join(description.split()))[0]
    return first.rstrip(".:")


def paragraphs(text: str) -> str:
    """Return plain text of a help message as reStructuredText."""
    blocks = re.split(r"\n\s*\n", text.strip())
    return "\n\n".join(escape(" ".join(block.split())) for block in blocks)


def escape(text: str) -> str:
    """Let nothing of a help text count as markup."""
    return re.sub(r"([\\*`|_<>@])", r"\\\1", text)


def heading(text: str, line: str) -> str:
    """Return a heading."""
    return f"{text}\n{line * len(text)}\n"


def code(text: str) -> str:
    """Return a block of shell code."""
    return ".. code-block:: console\n\n" + textwrap.indent(textwrap.dedent(text).strip(), "   $ ")
