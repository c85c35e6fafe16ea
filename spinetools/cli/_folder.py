"""The same work on many images: one by one, or some at a time in processes of their own."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from spinetools.cli._parser import StParser, number_in
from spinetools.errors import SpinetoolsError

logger = logging.getLogger(__name__)

#: What a command does with one image; its arguments say which.
Work = Callable[[argparse.Namespace], None]


def add_folder_options(parser: StParser) -> None:
    """Declare ``-jobs`` and ``-continue-on-error``."""
    group = parser.add_argument_group("folders")
    group.add_argument(
        "-jobs", type=number_in(1, kind=int), default=1, help="images at a time (default 1)"
    )
    group.add_argument(
        "-continue-on-error",
        action="store_true",
        help="folder: go on with the next image; failures are listed at the end, with exit code 1",
    )


def over_each(args: argparse.Namespace, images: Sequence[Path], work: Work) -> None:
    """Do the work on each image; see :func:`run_jobs`."""
    run_jobs([argparse.Namespace(**{**vars(args), "i": str(path)}) for path in images], work)


def run_jobs(jobs: Sequence[argparse.Namespace], work: Work) -> None:
    """Do the work on each image, ``-jobs`` at a time.

    Parameters
    ----------
    jobs
        The arguments of each; at least one.
    work
        A function of a module: other processes find it by its name.

    Raises
    ------
    SpinetoolsError
        When one has failed; with ``-continue-on-error`` at the end, with all of them.
    """
    failures = _one_by_one(jobs, work) if jobs[0].jobs == 1 else _at_once(jobs, work)
    if failures:
        listed = "; ".join(f"{Path(path).name}: {why}" for path, why in failures)
        raise SpinetoolsError(f"{len(failures)} of {len(jobs)} images failed: {listed}")


def _one_by_one(jobs: Sequence[argparse.Namespace], work: Work) -> list[tuple[str, str]]:
    problems = [(job.i, _do_or_say(job, work)) for job in jobs]
    return [(path, problem) for path, problem in problems if problem]


def _do_or_say(job: argparse.Namespace, work: Work) -> str:
    """Do the work; with ``-continue-on-error``, return what went wrong, or nothing."""
    try:
        work(job)
    except SpinetoolsError as error:
        if not job.continue_on_error:
            raise
        logger.warning("%s", error)
        return str(error)
    return ""


def _at_once(jobs: Sequence[argparse.Namespace], work: Work) -> list[tuple[str, str]]:
    """Do the work in processes of their own, which share the cores."""
    import multiprocessing
    import os
    from concurrent.futures import ProcessPoolExecutor, as_completed

    from spinetools.infer.onnx import THREADS_VARIABLE, n_threads

    count = min(jobs[0].jobs, len(jobs))
    before = os.environ.get(THREADS_VARIABLE)
    os.environ[THREADS_VARIABLE] = str(max(1, n_threads() // count))
    failures: list[tuple[str, str]] = []
    try:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(count, mp_context=context) as pool:
            running = {pool.submit(_in_process, job, work): job for job in jobs}
            for done in as_completed(running):
                job, problem = running[done], done.result()
                if problem:
                    failures.append((job.i, problem))
                    if not job.continue_on_error:
                        pool.shutdown(cancel_futures=True)
                        break
    finally:
        if before is None:
            del os.environ[THREADS_VARIABLE]
        else:
            os.environ[THREADS_VARIABLE] = before
    return failures


def _in_process(job: argparse.Namespace, work: Work) -> str:
    """Do the work in a process of its own; return what went wrong, or nothing."""
    from spinetools.cli._run import _logging

    try:
        with _logging(job.v):
            work(job)
    except SpinetoolsError as error:
        return str(error)
    return ""
