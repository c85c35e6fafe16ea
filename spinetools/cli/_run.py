"""How every command runs: exit codes, messages, and what is printed at the end."""

from __future__ import annotations

import errno
import logging
import os
import shlex
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from spinetools.errors import SpinetoolsError

if TYPE_CHECKING:
    import argparse

    from spinetools.cli._parser import StParser

logger = logging.getLogger(__name__)

#: Failures of the machine or the file system that a user can act on: one line, no traceback.
_KNOWN_ERRNO = frozenset(
    {
        errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EPERM, errno.EROFS,
        errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP,
        errno.EIO, errno.EMFILE, errno.ENFILE, errno.ESTALE,
    }
)  # fmt: skip

_COLOURS = ("red", "blue", "green", "yellow")


def execute(
    parser: StParser,
    run: Callable[[argparse.Namespace], None],
    argv: Sequence[str] | None = None,
) -> NoReturn:
    """Parse, run and leave with the right exit code.

    0 done; 1 a known error, one line on stderr (with its traceback under ``-v 2``); 2 usage; 130,
    143 and 129 interrupted, terminated or hung up, with temporary files removed. An unknown
    exception keeps its traceback.
    """
    _write_what_can_be_written()
    args = parser.parse_args(argv)
    args.prog = parser.prog
    args.command_line = shlex.join([parser.prog, *(sys.argv[1:] if argv is None else argv)])
    try:
        with _logging(args.v), _signals_as_exceptions():
            run(args)
            sys.stdout.flush()
    except SpinetoolsError as error:
        _fail(parser.prog, str(error), args.v)
    except MemoryError:
        _fail(
            parser.prog,
            "not enough memory; crop the image (st_crop_image) or close programs",
            args.v,
        )
    except BrokenPipeError:
        # the reader of stdout has left (st_x … | head): not an error, and not worth a message
        _drop_stdout()
        sys.exit(0)
    except OSError as error:
        if error.errno not in _KNOWN_ERRNO:
            raise
        where = f": {error.filename}" if error.filename else ""
        _fail(parser.prog, f"{(error.strerror or 'input/output error').lower()}{where}", args.v)
    except KeyboardInterrupt:
        print(f"{parser.prog}: interrupted", file=sys.stderr)
        sys.exit(130)
    sys.exit(0)


def load_input(args: argparse.Namespace) -> Any:
    """Load the image of ``-i`` (and ``-volume``) as a command works on it."""
    from spinetools.image import load_volume

    if getattr(args, "dicomseg", False):
        from spinetools.cli._dicom import check_dicomseg

        check_dicomseg(args)
    contrast = getattr(args, "c", None)
    return load_volume(args.i, volume=getattr(args, "volume", None), contrast=contrast)


def write_sidecar(
    path: Path,
    args: argparse.Namespace,
    sources: Iterable[str | os.PathLike[str]],
    **extra: Any,
) -> None:
    """Write the JSON sidecar of an output: BIDS derivatives fields and what was run.

    A sidecar that is there already and was not written by spinetools (acquisition parameters), or
    that belongs to an image which is changed in place, keeps its other fields.

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
    from spinetools.series import with_series

    names = [with_series(source) for source in sources]
    in_place = any(os.path.realpath(name) == os.path.realpath(path) for name in names)
    if getattr(args, "derivatives", None) is not None:
        from spinetools.cli._bids import bids_fields

        names, said = bids_fields(args.derivatives, path, names)
        extra = {**said, **extra}
    content: dict[str, Any] = {
        "Sources": names,
        "SpatialReference": names[0] if names else "n/a",
        "GeneratedBy": [
            {"Name": args.prog, "Version": __version__, "CommandLine": args.command_line}
        ],
    }
    content.update(extra)
    sidecar = sidecar_path(path)
    try:
        kept = _fields_to_keep(sidecar, in_place)
    except ValueError:
        logger.warning("%s is no JSON object and is left as it is; no sidecar written", sidecar)
        return
    content["GeneratedBy"] = [*kept.get("GeneratedBy", ()), *content["GeneratedBy"]]
    write_json(sidecar, {**kept, **content})


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
    if image is not None:
        shown, before = viewable(image)
        parts = [shlex.quote(shown)]
        for number, path in enumerate(overlays):
            colour = _COLOURS[number % len(_COLOURS)]
            parts.append(f"{shlex.quote(str(path))} -cm {colour} -a 70")
        print(f"view: {before}fsleyes {' '.join(parts)}")
    if getattr(args, "qc", None):
        print(f"qc: {Path(args.qc, 'index.html').resolve()}")


def viewable(image: str | os.PathLike[str]) -> tuple[str, str]:
    """Return what a viewer opens, and the command that makes it of DICOM (else nothing)."""
    from spinetools.files import strip_nifti_suffix
    from spinetools.series import series_path, with_series

    if series_path(image) is None:
        return str(image), ""
    shown = f"{strip_nifti_suffix(image)}.nii.gz"
    series = shlex.quote(with_series(image))
    return shown, f"st_image -i {series} -convert -o {shlex.quote(shown)} && "


def _write_what_can_be_written() -> None:
    """Escape what a stream's encoding lacks, as stderr does: ``−`` must not end a command.

    A pipe on Windows knows some 250 characters only.
    """
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None and sys.stdout.errors == "strict":
        reconfigure(errors="backslashreplace")


class _Handler(logging.Handler):
    """Notices and warnings on stderr, a line each, without names of modules."""

    def emit(self, record: logging.LogRecord) -> None:
        prefix = f"{record.levelname.lower()}: " if record.levelno >= logging.WARNING else ""
        print(f"{prefix}{record.getMessage()}", file=sys.stderr)


@contextmanager
def _logging(verbosity: int) -> Iterator[None]:
    """Send what the package logs to stderr while a command runs."""
    package = logging.getLogger("spinetools")
    before = package.handlers, package.propagate, package.level
    levels = {0: logging.ERROR, 1: logging.INFO, 2: logging.DEBUG}
    package.handlers, package.propagate = [_Handler()], False
    package.setLevel(levels[verbosity])
    try:
        yield
    finally:
        package.handlers, package.propagate = before[:2]
        package.setLevel(before[2])


def _fields_to_keep(sidecar: Path, in_place: bool) -> Mapping[str, Any]:
    """Return what an existing sidecar says beyond an earlier run of spinetools."""
    from spinetools.files import parse_json

    if not sidecar.is_file():
        return {}
    content = parse_json(sidecar.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ValueError("not an object")
    makers = content.setdefault("GeneratedBy", [])
    if not isinstance(makers, list):
        raise ValueError("GeneratedBy is not a list")
    names = [str(maker.get("Name", "")) for maker in makers if isinstance(maker, dict)]
    ours = any(name.startswith("st_") for name in names)
    return {} if ours and not in_place else content


def _fail(prog: str, message: str, verbosity: int) -> NoReturn:
    if verbosity == 2:
        traceback.print_exc()
    print(f"{prog}: error: {' '.join(message.split())}", file=sys.stderr)
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        _drop_stdout()
    sys.exit(1)


def _drop_stdout() -> None:
    """Let Python's own flush at its end succeed: failing, it would change the exit code to 120."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def _signals_as_exceptions() -> Iterator[None]:
    """Turn SIGTERM and SIGHUP into SystemExit, so that ``finally`` removes temporary files."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Python sets handlers in the main thread only
        return
    kinds = [signal.SIGTERM]
    # nohup's wish stands; Windows has no SIGHUP
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        kinds.append(signal.SIGHUP)
    before = {kind: signal.signal(kind, _leave) for kind in kinds}
    try:
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, signal.SIG_DFL if handler is None else handler)


def _leave(number: int, _frame: Any) -> NoReturn:
    signal.signal(number, signal.SIG_IGN)  # a second one must not interrupt the cleaning up
    raise SystemExit(128 + number)
