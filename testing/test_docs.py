"""What the README and the documentation say is true: commands, options, files, figures."""

from __future__ import annotations

import argparse
import importlib
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from spinetools._version import __version__
from spinetools.labels import level_name, structures

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in [
        ROOT / "README.md",
        *sorted((ROOT / "docs").glob("*.rst")),
        *sorted((ROOT / "docs" / "concepts").glob("*.rst")),
        *sorted((ROOT / "docs" / "notes").glob("*.rst")),
    ]
}
#: Names that stand for any command.
MADE_UP = ("st_example", "st_x")


def load(path: Path) -> ModuleType:
    """Import a script that is no part of the package."""
    sys.path.insert(0, str(path.parent))
    try:
        return importlib.import_module(path.stem)
    finally:
        sys.path.remove(str(path.parent))


command_pages = load(ROOT / "docs" / "command_pages.py")
# what conf.py writes before a build, and pages show
load(ROOT / "docs" / "peer_tables.py").write_all(ROOT / "docs" / "concepts" / "tables")
load(ROOT / "docs" / "architecture_picture.py").write(ROOT / "docs" / "concepts" / "tables")
COMMANDS = sorted(command_pages.command_modules())


def parser_of(command: str) -> argparse.ArgumentParser:
    parser = importlib.import_module(f"spinetools.cli.{command}").get_parser()
    assert isinstance(parser, argparse.ArgumentParser)
    return parser


def command_lines(text: str) -> list[tuple[str, bool]]:
    """Return a page's command lines, and whether each is whole or a mention in a sentence."""
    text = re.sub(r"\\\n\s*", "", text)
    whole = re.findall(r"^\s*\$ (st_\w+ .*)$", text, re.MULTILINE)
    whole += re.findall(r"^\|.*\| `(st_\w+ -[^`]*)` \|$", text, re.MULTILINE)
    mentions = re.findall(r"`{1,2}(st_\w+ -[^`]*)`{1,2}", text)
    return [*((line, True) for line in whole), *((line, False) for line in mentions)]


EXAMPLES = sorted(
    {
        (page, line, whole)
        for page, text in PAGES.items()
        for line, whole in command_lines(text)
        if line.split()[0] not in MADE_UP
    }
)


def test_there_are_examples_to_check() -> None:
    assert sum(whole for _, _, whole in EXAMPLES) >= 20
    assert {"README.md", "docs/tutorial.rst"} <= {page for page, _, whole in EXAMPLES if whole}


@pytest.mark.parametrize(("page", "line", "whole"), EXAMPLES)
def test_an_example_has_options_that_exist(page: str, line: str, whole: bool) -> None:
    command, *words = shlex.split(line)
    assert command in COMMANDS, f"{page}: {command} is no command"
    parser = parser_of(command)
    known = parser._option_string_actions
    assert [word for word in words if re.match("-[A-Za-z]", word) and word not in known] == []
    if whole and "-h" not in words:
        parser.parse_args(words)  # exits with 2 where a value is malformed


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_has_its_line_in_the_readme(command: str) -> None:
    assert re.search(rf"^\| `{command}` \| .+ \| `{command}( .*)?` \|$", README, re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_s_own_example_can_be_parsed(command: str) -> None:
    parser = parser_of(command)
    assert parser.epilog is not None
    for line in parser.epilog.removeprefix("example:").strip().splitlines():
        name, *words = shlex.split(line)
        assert name == command
        parser.parse_args(words)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_s_page_has_every_option(command: str, tmp_path: Path) -> None:
    parser = parser_of(command)
    page = command_pages.page(command, parser, tmp_path / "no notes")
    for action in parser._actions:
        for name in action.option_strings:
            assert f"``{name}" in page
    assert page.startswith(f"{command}\n{'=' * len(command)}\n")


def test_pages_of_commands_that_are_gone_are_removed(tmp_path: Path) -> None:
    (tmp_path / "st_gone.rst").write_text("gone")
    command_pages.write_all(tmp_path, tmp_path)
    assert sorted(path.stem for path in tmp_path.glob("*.rst")) == ["index", *COMMANDS]


def test_every_model_that_ships_has_a_page(tmp_path: Path) -> None:
    pages = load(ROOT / "docs" / "model_pages.py")
    pages.write_all(tmp_path)
    shipped = {path.stem for path in (ROOT / "data" / "models").glob("*.onnx")}
    assert {path.stem for path in tmp_path.glob("*.rst")} == {*shipped, "index"}
    assert shipped
    for name in shipped:
        text = (tmp_path / f"{name}.rst").read_text(encoding="utf-8")
        assert text.startswith(f"{name} ")
        assert "SHA-256" in text


def test_help_text_is_never_markup() -> None:
    parser = argparse.ArgumentParser(prog="x")
    parser.add_argument("-a", help="a *star*, a `tick`, |bars|, under_ and <angle>")
    text = command_pages.option(parser, parser._option_string_actions["-a"])
    assert r"a \*star\*, a \`tick\`, \|bars\|, under\_ and \<angle\>" in text


def test_notes_belong_to_commands() -> None:
    notes = {path.stem for path in (ROOT / "docs" / "notes").glob("*.rst")}
    assert notes <= set(COMMANDS)


@pytest.mark.parametrize("page", PAGES)
def test_pictures_and_files_that_a_page_shows_are_there(page: str) -> None:
    text, folder = PAGES[page], (ROOT / page).parent
    shown = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text)
    shown += re.findall(r"\]\((?!http)([^)#]+)\)", text)
    shown += re.findall(r"^\s*(?:\.\. figure::|:file:) (\S+)$", text, re.MULTILINE)
    assert [name for name in shown if not (folder / name).is_file()] == []


def test_the_readme_s_tables_are_the_benchmark_s() -> None:
    script = ROOT / "testing" / "benchmark" / "update_readme.py"
    done = subprocess.run([sys.executable, script, "-check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_scored_range_is_told_as_it_is_computed() -> None:
    cases = load(ROOT / "testing" / "benchmark" / "cases.py")
    told = " ".join(PAGES["docs/testing.rst"].split())
    assert f"{cases.TOP_OF_C1_TO_C2_MM:g} mm in the table" in told
    assert f"to the table's {cases.C2_TO_T2_MM:g} mm" in told


def test_label_values_are_those_of_the_table() -> None:
    text = PAGES["docs/concepts/conventions.rst"]
    discs = {
        s.level.replace("-", "–"): s.values["sct_disc"]
        for s in structures()
        if s.kind == "disc" and "sct_disc" in s.values
    }
    told = re.findall(r"(\d+) is ([A-Z]\d+–[A-Z]\d*)", text)
    assert len(told) >= 6
    assert {name: int(value) for value, name in told}.items() <= discs.items()
    ranges = re.findall(r"\* - (\d+) … (\d+)\n +- ([A-Z]\d+) … ([A-Z]\d+)", text)
    assert len(ranges) == 3
    for first, last, upper, lower in ranges:
        assert (level_name(int(first)), level_name(int(last))) == (upper, lower)


def test_the_picture_of_the_layers_has_all_and_fits_them() -> None:
    picture = load(ROOT / "docs" / "architecture_picture.py")
    shown = picture.draw(picture.layers())
    packages = {path.parent.name for path in (ROOT / "spinetools").glob("*/__init__.py")}
    for name in packages - {"training", "spinetools"}:
        assert f">{name}</tspan>" in shown, name
    for row in picture.layers():
        width = (picture.WIDTH - 2 * picture.LEFT - picture.GAP * (len(row) - 1)) / len(row)
        for name in row:
            words = picture.WORDS.get(name, "")
            assert 24 + 9 * len(name) + 6.2 * len(words) <= width, name


def test_what_others_have_published_has_a_source() -> None:
    tables = load(ROOT / "docs" / "peer_tables.py")
    page = PAGES["docs/concepts/peers.rst"]
    for *_, source in tables.PUBLISHED:
        author, year = source.split()
        assert re.search(rf"{author} .*?\({year}", page, re.DOTALL) or author in page
        assert year in page
    assert len(tables.same_images()) > 1
    assert len(tables.ours()) > 3


def test_versions_agree() -> None:
    assert f"\nversion: {__version__}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\n{__version__} (" in PAGES["docs/changelog.rst"]
