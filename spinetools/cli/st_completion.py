"""st_completion: let the Tab key complete commands' options, choices and files."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NoReturn

from spinetools.cli._parser import StParser
from spinetools.cli._run import execute

SHELLS = ("bash", "zsh", "fish", "tcsh", "powershell")

DESCRIPTION = """\
Print a script that lets the Tab key complete the options, the choices and the files of every
command, for one shell. Once for good:

bash: st_completion bash > ~/.st_completion && echo '. ~/.st_completion' >> ~/.bashrc

zsh (after compinit): st_completion zsh > ~/.st_completion && echo 'eval "$(<~/.st_completion)"' >>
~/.zshrc

fish: st_completion fish > ~/.config/fish/conf.d/spinetools.fish

tcsh: st_completion tcsh > ~/.st_completion && echo 'source ~/.st_completion' >> ~/.tcshrc

PowerShell: st_completion powershell >> $PROFILE

After an update of spinetools print it again."""


def get_parser() -> StParser:
    """Return the command's parser."""
    parser = StParser("st_completion", DESCRIPTION, "st_completion bash")
    parser.add_argument("shell", choices=SHELLS, help="the shell")
    return parser


def run(args: argparse.Namespace) -> None:
    """Print the script."""
    from spinetools.cli._completion import script

    print(script(args.shell))


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command."""
    execute(get_parser(), run, argv)


if __name__ == "__main__":
    main()
