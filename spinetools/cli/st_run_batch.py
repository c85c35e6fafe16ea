"""st_run_batch: run a script for every subject of a study, on this machine or a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

from spinetools.cli._batch import add_batch_options
from spinetools.cli._parser import StParser
from spinetools.cli._run import execute

if TYPE_CHECKING:
    import argparse

DESCRIPTION = """\
Run a shell script for every subject of a study, on this machine or on a cluster.

The script is started as 'script.sh SUBJECT [script-args]' in data_processed, with the variables
PATH_DATA, PATH_DATA_PROCESSED, PATH_RESULTS, PATH_LOG and PATH_QC, and with as many threads as it
may use. What it prints goes to log/SUBJECT.log; log/summary.tsv has a row a subject."""


def get_parser() -> StParser:
    """Return the command's parser."""
    parser = StParser(
        "st_run_batch",
        DESCRIPTION,
        "st_run_batch -script process_subject.sh -path-data data -path-output out -jobs 4",
    )
    add_batch_options(parser)
    return parser


def run(args: argparse.Namespace) -> None:
    """Run the batch, print its summary, and fail where a subject has."""
    from spinetools.batch import run_batch
    from spinetools.cli._batch import Shown, params_from, print_summary, with_config
    from spinetools.cli._run import announce
    from spinetools.errors import SpinetoolsError

    args = with_config(args)
    params = params_from(args)
    with Shown(args.v) as shown:
        report = run_batch(params, shown)
    if args.v:
        print_summary(report)
    announce([report.summary], args)
    if report.report is not None and args.v:
        print(f"qc: {report.report}")
    bad = [record.subject for record in report.records if record.state != "done"]
    if bad:
        more = f" and {len(bad) - 5} more" if len(bad) > 5 else ""
        raise SpinetoolsError(
            f"{len(bad)} of {len(report.rows)} subjects are not done: {', '.join(bad[:5])}{more}; "
            f"see the logs in {report.summary.parent}, then repeat them with -resume"
        )


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command."""
    execute(get_parser(), run, argv)


if __name__ == "__main__":
    main()
