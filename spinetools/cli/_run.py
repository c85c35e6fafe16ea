"""How every command runs: exit codes, messages, and what is printed at the end."""

from __future__ import annotations

import errno
import logging
import os
import shlex
import signal
import sys
import traceback
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from spinetools.errors import SpinetoolsError

if TYPE_CHECKING:
    import argparse

    from spinetools.cli._parser import StParser


def execute(
    parser: StParser,
    run: Callable[[argparse.Namespace], None],
    argv: Sequence[str] | None = None,
) -> NoReturn:
    """Parse, run and leave with the right exit code.

    0 done; 1 a known error, one line on stderr (with its traceback under ``-v 2``); 2 usage; 130
    and 143 interrupted or terminated, with temporary files removed. An unknown exception keeps
    its traceback.
    """
    args = parser.parse_args(argv)
    args.prog = parser.prog
    args.command_line = shlex.join([parser.prog, *(sys.argv[1:] if argv is None else argv)])
    _start_logging(args.v)
    # SIGTERM becomes an exception, so that "finally" clauses remove temporary files
    signal.signal(signal.SIGTERM, _terminate)
    try:
        run(args)
    except SpinetoolsError as error:
        _fail(parser.prog, " ".join(str(error).split()), args.v)
    except MemoryError:
        _fail(
            parser.prog,
            "not enough memory; crop the image (st_crop_image) or close programs",
            args.v,
        )
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT):
            raise
        where = f" {error.filename}" if error.filename else ""
        _fail(parser.prog, f"{(error.strerror or 'input/output error').lower()}:{where}", args.v)
    except KeyboardInterrupt:
        print(f"{parser.prog}: interrupted", file=sys.stderr)
        sys.exit(130)
    sys.exit(0)


def load_input(args: argparse.Namespace) -> Any:
    """Load the image of ``-i`` (and ``-volume``) as a command works on it."""
    from spinetools.image import load_volume

    return load_volume(args.i, volume=getattr(args, "volume", None))


def write_sidecar(
    path: Path,
    args: argparse.Namespace,
    sources: Iterable[str | os.PathLike[str]],
    **extra: Any,
) -> None:
    """Write the JSON sidecar of an output: BIDS derivatives fields and what was run.

    Parameters
    ----------
    path
        The output.
    args
        The command's arguments.
    sources
        The files that the output comes from; the first one is its spatial reference.
    extra
        Further fields, e.g. ``Model={"Name": …, "SHA256": …}`` or ``Seed=3``.
    """
    from spinetools._version import __version__
    from spinetools.files import sidecar_path, write_json

    names = [str(source) for source in sources]
    content: dict[str, Any] = {
        "Sources": names,
        "SpatialReference": names[0] if names else "n/a",
        "GeneratedBy": [
            {"Name": args.prog, "Version": __version__, "CommandLine": args.command_line}
        ],
    }
    content.update(extra)
    write_json(sidecar_path(path), content)


def announce(
    written: Sequence[Path],
    args: argparse.Namespace,
    image: str | os.PathLike[str] | None = None,
    overlays: Sequence[Path] = (),
) -> None:
    """Print the files written, the viewer command to paste, and the QC page to open."""
    if args.v == 0:
        return
    for path in written:
        print(f"written: {path}")
    if image is not None and overlays:
        colours = ("red", "blue", "green", "yellow")
        parts = [shlex.quote(str(image))]
        for number, path in enumerate(overlays):
            parts.append(f"{shlex.quote(str(path))} -cm {colours[number % 4]} -a 70")
        print(f"view: fsleyes {' '.join(parts)}")
    if getattr(args, "qc", None):
        print(f"qc: {Path(args.qc, 'index.html').resolve()}")


class _Handler(logging.Handler):
    """Notices and warnings on stderr, a line each, without names of modules."""

    def emit(self, record: logging.LogRecord) -> None:
        prefix = f"{record.levelname.lower()}: " if record.levelno >= logging.WARNING else ""
        print(f"{prefix}{record.getMessage()}", file=sys.stderr)


def _start_logging(verbosity: int) -> None:
    logger = logging.getLogger("spinetools")
    logger.handlers = [_Handler()]
    logger.propagate = False
    levels = {0: logging.ERROR, 1: logging.INFO, 2: logging.DEBUG}
    logger.setLevel(levels[verbosity])


def _fail(prog: str, message: str, verbosity: int) -> NoReturn:
    if verbosity == 2:
        traceback.print_exc()
    print(f"{prog}: error: {message}", file=sys.stderr)
    sys.exit(1)


def _terminate(_signal: int, _frame: Any) -> NoReturn:
    raise SystemExit(143)
