"""Options, progress and summary of ``st_run_batch``."""

from __future__ import annotations

import argparse
import logging
import re
import shlex
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from spinetools.cli._parser import StParser, number_in
from spinetools.errors import InputError

if TYPE_CHECKING:
    from spinetools.batch import BatchParams, BatchReport, Progress

logger = logging.getLogger(__name__)

# written out here, so that the help needs no further import; a test holds them to the package's
EXECUTORS = ("local", "slurm", "pbs", "lsf", "sge", "htcondor")

#: Subjects in the table on the terminal; of larger batches, only those with something to say.
MOST_ROWS = 40


def add_batch_options(parser: StParser) -> None:
    """Declare all options."""
    what = parser.add_argument_group("what to run")
    what.add_argument("-script", metavar="FILE", help="the script (required, here or in -config)")
    what.add_argument(
        "-path-data", metavar="DIR",
        help="the study, with a folder a subject (required, here or in -config)",
    )  # fmt: skip
    what.add_argument(
        "-path-output", metavar="DIR", default=".",
        help="where data_processed, results, log and qc are made (default: the current folder)",
    )  # fmt: skip
    what.add_argument(
        "-script-args", metavar="TEXT", default="",
        help="further arguments of the script, in quotes; begin with a space where the first is an "
        "option: ' -c t2'",
    )  # fmt: skip
    what.add_argument(
        "-config", metavar="FILE",
        help="YAML or JSON file with options by name (jobs: 4, include-list: [sub-01]), and under "
        "'cluster' arguments of the dask-jobqueue class; options given here come first",
    )  # fmt: skip
    _add_selection(parser)
    how = parser.add_argument_group("how to run")
    how.add_argument(
        "-jobs", type=number_in(kind=int), default=1, metavar="N",
        help="subjects at once; 0: as many as there are cores, -1: one less (default 1)",
    )  # fmt: skip
    how.add_argument(
        "-threads", type=number_in(1, kind=int), metavar="N",
        help="threads of each subject (default: cores / jobs; on a cluster 1)",
    )  # fmt: skip
    how.add_argument(
        "-memory", type=number_in(0.01), metavar="GB",
        help="memory of each subject: beyond it, the subject is ended and reported (default: this "
        "machine's / jobs; on a cluster 8)",
    )  # fmt: skip
    how.add_argument(
        "-timeout", type=number_in(0.01), metavar="MIN",
        help="end a subject that takes longer (default: no limit)",
    )  # fmt: skip
    how.add_argument(
        "-continue-on-error", type=int, choices=(0, 1), default=1,
        help="whether to begin further subjects when one has failed (default 1)",
    )  # fmt: skip
    how.add_argument(
        "-resume",
        action="store_true",
        help="leave out the subjects that are done, run those that failed or have not been run",
    )
    how.add_argument(
        "-retries", type=number_in(0, kind=int), default=5, metavar="N",
        help="how often to repeat a subject whose worker was lost (default 5)",
    )  # fmt: skip
    _add_executor(parser)


def _add_selection(parser: StParser) -> None:
    which = parser.add_argument_group("which subjects")
    which.add_argument(
        "-bids",
        action="store_true",
        help="the study is a BIDS data set: it is checked, the script finds the subject's images "
        "in SPINETOOLS_IMAGES, and data_processed is a data set of derivatives (-bids -ofolder "
        '"$PATH_DATA_PROCESSED" in the script)',
    )
    which.add_argument(
        "-subject-prefix", metavar="TEXT", default="sub-",
        help="how the folders of subjects begin; '' where they have nothing in common "
        "(default sub-)",
    )  # fmt: skip
    which.add_argument(
        "-ignore-ses",
        action="store_true",
        help="run once a subject (sub-01), rather than once a session (sub-01/ses-01)",
    )
    for name, verb in (("include", "run only"), ("exclude", "leave out")):
        which.add_argument(
            f"-{name}",
            metavar="REGEX",
            help=f"{verb} subjects in whose name this is found; with -bids also images in whose "
            "path it is",
        )
        which.add_argument(
            f"-{name}-list", metavar="NAME", nargs="+", default=[],
            help=f"{verb} these: sub-01, ses-02 or sub-01/ses-02",
        )  # fmt: skip
        which.add_argument(
            f"-{name}-yml", metavar="FILE",
            help=f"{verb} the subjects listed in a YAML file, or whose images are, as st_qc "
            "-export yml writes it"
            + ("; a script that reads EXCLUDE_FILES leaves out the images alone"
               if name == "exclude" else ""),
        )  # fmt: skip


def _add_executor(parser: StParser) -> None:
    where = parser.add_argument_group("where to run")
    where.add_argument(
        "-executor", choices=EXECUTORS, default="local",
        help="this machine, or the queue of a cluster (default local)",
    )  # fmt: skip
    where.add_argument(
        "-walltime", metavar="TIME",
        help="of each job in the queue, e.g. 04:00:00; time for many subjects (default: as "
        "dask-jobqueue is set up, 30 minutes)",
    )  # fmt: skip
    where.add_argument("-queue", metavar="NAME", help="queue or partition")
    where.add_argument("-account", metavar="NAME", help="account or project to charge")


class _ConfigParser(StParser):
    """The command's parser, with options from a file: what is wrong is the file's fault."""

    file = ""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{self.file}: {message}")


def with_config(args: argparse.Namespace) -> argparse.Namespace:
    """Return the arguments with those of ``-config`` below them.

    Raises
    ------
    InputError
        When the file is malformed, or something that must be given is missing.
    """
    cluster: Mapping[str, Any] = {}
    if args.config is not None:
        from spinetools.batch.subjects import read_yaml

        content = read_yaml(args.config)
        if not isinstance(content, Mapping):
            raise InputError(f"{args.config} holds no options, expected lines like 'jobs: 4'")
        options = {str(name).replace("_", "-"): value for name, value in content.items()}
        cluster = options.pop("cluster", {}) or {}
        if not isinstance(cluster, Mapping):
            raise InputError(f"{args.config}: cluster holds {cluster!r}, expected names and values")
        typed = shlex.split(args.command_line)[1:]
        parser = _ConfigParser(args.prog, "")
        parser.file = str(args.config)
        add_batch_options(parser)
        given = parser.parse_args([*_tokens(options, parser), *typed])
        given.prog, given.command_line = args.prog, args.command_line
        args = given
    args.cluster = cluster
    for option in ("script", "path_data"):
        if getattr(args, option) is None:
            raise InputError(f"-{option.replace('_', '-')} is missing: give it, or in -config")
    return args


def _tokens(options: Mapping[str, Any], parser: StParser) -> list[str]:
    """Write options from a file as they would be typed."""
    tokens: list[str] = []
    actions = parser._option_string_actions
    for name, value in options.items():
        action = actions.get(f"-{name}")
        if action is None or name in ("config", "h", "help", "version"):
            parser.error(f"unknown option {name!r}; -h lists the options")
        if value is None:
            continue
        if isinstance(value, Mapping):
            parser.error(f"{name} holds {value!r}, expected one value")
        if action.nargs == 0:
            if not isinstance(value, bool):
                parser.error(f"{name} holds {value!r}, expected true or false")
            tokens += [f"-{name}"] if value else []
        elif action.nargs == "+":
            values = value if isinstance(value, list) else [value]
            tokens += [f"-{name}", *map(str, values)] if values else []
        else:
            if isinstance(value, list):
                value = shlex.join(map(str, value))
            text = str(int(value)) if isinstance(value, bool) else str(value)
            # what begins with a dash would be read as an option
            tokens += [f"-{name}", f" {text}" if re.match(r"-\D", text) else text]
    return tokens


def params_from(args: argparse.Namespace) -> BatchParams:
    """Turn the arguments into parameters."""
    from spinetools.batch import BatchParams, Selection

    try:
        script_args = tuple(shlex.split(args.script_args))
    except ValueError as error:
        raise InputError(f"-script-args {args.script_args!r}: {error}".lower()) from None
    return BatchParams(
        script=args.script,
        data=args.path_data,
        output=args.path_output,
        script_args=script_args,
        jobs=args.jobs,
        threads=args.threads,
        memory_gb=args.memory,
        timeout_minutes=args.timeout,
        bids=args.bids,
        subject_prefix=args.subject_prefix,
        ignore_sessions=args.ignore_ses,
        selection=Selection(
            include=args.include,
            include_list=tuple(args.include_list),
            include_yml=args.include_yml,
            exclude=args.exclude,
            exclude_list=tuple(args.exclude_list),
            exclude_yml=args.exclude_yml,
        ),
        continue_on_error=bool(args.continue_on_error),
        resume=args.resume,
        retries=args.retries,
        executor=args.executor,
        walltime=args.walltime,
        queue=args.queue,
        account=args.account,
        cluster=args.cluster,
    )


class Shown:
    """Shows how far a batch is: a bar on a terminal, lines elsewhere.

    Parameters
    ----------
    verbosity
        As ``-v`` says; 0 shows nothing.
    """

    def __init__(self, verbosity: int) -> None:
        self._silent = verbosity == 0
        self._bar: Any = None

    def __enter__(self) -> Shown:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the terminal clean."""
        if self._bar is not None:
            self._bar.close()

    def __call__(self, progress: Progress, message: str | None) -> None:
        """Show a state, and what has just happened."""
        from spinetools.batch.progress import words

        if self._silent:
            return
        ended = progress.done + progress.failed
        known = progress.eta_seconds is not None and ended < progress.total
        left = f", {words(progress.eta_seconds or 0)} left" if known else ""
        if sys.stderr.isatty():
            if self._bar is None:
                from tqdm import tqdm

                form = "{percentage:3.0f}% |{bar}| {n_fmt} of {total_fmt} subjects{postfix}"
                self._bar = tqdm(
                    total=progress.total, bar_format=form, leave=False, file=sys.stderr,
                    dynamic_ncols=True,
                )  # fmt: skip
            if message is not None:
                self._bar.write(message, file=sys.stderr)
            self._bar.n = ended
            parts = [f"{progress.failed} failed"] if progress.failed else []
            parts += [left.removeprefix(", ")] if left else []
            at_work = ", ".join(progress.running[:3])
            more = f" and {len(progress.running) - 3} more" if len(progress.running) > 3 else ""
            parts.append(f"at work: {at_work}{more}" if at_work else f"workers: {progress.workers}")
            self._bar.set_postfix_str(", ".join(parts))
        elif message is not None:
            text = message.removeprefix("warning: ")
            level = logging.INFO if text == message else logging.WARNING
            logger.log(level, "[%d/%d] %s%s", ended, progress.total, text, left)


def print_summary(report: BatchReport) -> None:
    """Print the table and what became of the batch."""
    from spinetools.batch.progress import words

    rows = list(report.rows)
    if len(rows) > MOST_ROWS:
        rows = [r for r in rows if r.record.state != "done" or r.flags or r.record.times_lost]
    table = [("subject", "state", "time", "memory", "attempts", "warnings", "flags")]
    for row in rows:
        record = row.record
        memory = record.peak_memory_mb
        table.append((
            record.subject, record.state, words(record.seconds) if record.attempts else "-",
            "-" if memory is None else f"{memory:.0f} MB", str(len(record.attempts)),
            str(row.warnings), "; ".join(row.flags) or "-",
        ))  # fmt: skip
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for line in table if rows else []:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        print("  ".join(cells).rstrip())
    for row in report.rows:
        if row.record.state != "done":
            print(f"{row.record.state}: {row.record.subject}: {row.record.reason}")
    done = sum(record.state == "done" for record in report.records)
    parts = [f"{done} of {len(report.rows)} subjects in {words(report.seconds)}"]
    if report.skipped:
        parts.append(f"{len(report.skipped)} of them before")
    if len(report.skipped) < len(report.rows):
        parts.append(
            f"{report.share.jobs} at once, {report.share.threads} "
            f"thread{'' if report.share.threads == 1 else 's'} and "
            f"{report.share.memory_bytes / 1e9:.1f} GB each"
        )
    if report.workers_lost:
        parts.append(f"workers lost: {report.workers_lost}")
    print(f"done: {'; '.join(parts)}")
