"""st_qc: add to a QC report, bring it up to date, export and import ratings, open it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

from spinetools.cli._parser import StParser
from spinetools.cli._qc import add_qc_entry
from spinetools.cli._run import announce, execute

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

DESCRIPTION = """\
Add a result to a QC report, or work on a report.

A report is a folder; its index.html opens in any browser, offline. People rate there, and the
browser keeps their ratings. To share ratings: Export > All ratings on the page saves a file,
-import puts that file into the report for everyone who opens it (the newer rating of a case
counts), and -export writes the ratings that are in the report (not those in your browser)."""


def get_parser() -> StParser:
    """Return the command's parser."""
    parser = StParser(
        "st_qc",
        DESCRIPTION,
        "st_qc -i t2.nii.gz -s t2_seg.nii.gz -p st_propseg -qc qc -open",
    )
    entry = parser.add_argument_group("a new entry")
    entry.add_argument("-i", metavar="FILE", help="the image")
    entry.add_argument(
        "-s", metavar="[NAME=]FILE", action="append", default=[],
        help="a segmentation, labels or a centreline on the image's grid; may be given again. "
        "Labels named discs or levels also say where along the spine each slice is",
    )  # fmt: skip
    entry.add_argument("-p", metavar="PROCESS", help="the command that made it, e.g. st_propseg")
    entry.add_argument(
        "-d", metavar="FILE", help="second image, shown in turn with the first (a registration)"
    )
    entry.add_argument(
        "-plane", choices=("axial", "sagittal"), default="axial", help="(default axial)"
    )
    entry.add_argument("-c", metavar="CONTRAST", help="contrast as shown in the report, e.g. t2")
    report = parser.add_argument_group("the report")
    report.add_argument("-qc", metavar="DIR", required=True, help="the report's folder")
    report.add_argument("-qc-dataset", metavar="NAME", help="data set's name in the report")
    report.add_argument("-qc-subject", metavar="NAME", help="subject's name in the report")
    report.add_argument(
        "-refresh", action="store_true",
        help="rebuild the page and its index from the entries, and remove what killed commands "
        "left (a batch sets SPINETOOLS_QC_REFRESH=0 and refreshes once)",
    )  # fmt: skip
    report.add_argument(
        "-import", dest="import_file", metavar="FILE",
        help="merge ratings saved by the page (.json, .tsv) into the report",
    )  # fmt: skip
    report.add_argument(
        "-export", choices=("yml", "tsv", "json"),
        help="write the report's ratings: yml lists the inputs with one verdict, as -exclude-yml "
        "of the batch commands reads them; tsv and json all ratings",
    )  # fmt: skip
    report.add_argument(
        "-verdict", choices=("fail", "artifact", "pass"), default="fail",
        help="which inputs -export yml lists (default fail)",
    )  # fmt: skip
    report.add_argument(
        "-o", metavar="FILE", help="where -export writes (default qc_<verdict or ratings>.<kind>)"
    )
    report.add_argument(
        "-correct", choices=("failed", "flagged"),
        help="for each slice that was judged fail or artifact (import ratings first), or that is "
        "flagged: print what opens it in FSLeyes and in ITK-SNAP, and what takes the correction "
        "back",
    )  # fmt: skip
    report.add_argument("-open", action="store_true", help="open the report in the browser")
    return parser


def run(args: argparse.Namespace) -> None:
    """Do what is asked for, in the order: entry, refresh, import, correct, export, open."""
    from pathlib import Path

    from spinetools.cli._qc import say_tasks
    from spinetools.errors import InputError
    from spinetools.qc.corrections import tasks

    wanted = (args.i, args.refresh, args.import_file, args.export, args.correct, args.open)
    if not any(wanted):
        raise InputError(
            "nothing to do: give -i, -s and -p, or -refresh, -import, -export, -correct, -open"
        )
    segmentations: list[Path] = []
    if args.i:
        segmentations = _add(args)
    elif not Path(args.qc).is_dir():
        raise InputError(f"{args.qc} does not exist or is no folder, expected a QC report")
    if args.refresh:
        from spinetools.qc.comparison import list_comparisons
        from spinetools.qc.index import refresh, tidy

        left = tidy(args.qc)
        print(f"entries: {refresh(args.qc, rebuild=True)}")
        list_comparisons(args.qc)
        if left:
            print(f"removed: {left} leftovers of killed commands")
    if args.import_file:
        from spinetools.qc.ratings import import_ratings

        print(f"ratings taken over: {import_ratings(args.qc, args.import_file)}")
    if args.correct:
        say_tasks(tasks(args.qc, args.correct))
    written = _export(args) if args.export else []
    announce(written, args, image=args.i, overlays=segmentations)
    if args.open:
        import webbrowser

        webbrowser.open(Path(args.qc, "index.html").resolve().as_uri())


def _add(args: argparse.Namespace) -> list[Path]:
    """Add the entry, say what is flagged; return the segmentations' files."""
    from spinetools.cli._qc import made_by, say_tasks
    from spinetools.errors import InputError
    from spinetools.image import load_mask, load_volume
    from spinetools.qc.corrections import flagged
    from spinetools.qc.index import read_entry
    from spinetools.qc.naming import kind_of, name_and_path

    if not args.s and not args.d:
        raise InputError("nothing to show on the image: give a segmentation with -s")
    if not args.p:
        raise InputError("name the command that made it with -p, e.g. -p st_propseg")
    image = load_volume(args.i)
    named = [name_and_path(text, args.i) for text in args.s]
    overlays = [(name, load_mask(path, allow_empty=True)) for name, path in named]
    identity = add_qc_entry(
        args,
        image,
        overlays,
        process=args.p,
        plane=args.plane,
        label_kind=[kind_of(mask) for _, mask in overlays],
        destination=load_volume(args.d) if args.d else None,
        case_line=made_by(named[0][1], args.p) if named else None,
    )
    if args.v > 0:
        say_tasks(flagged(read_entry(args.qc, str(identity))))
    return [path for _, path in named]


def _export(args: argparse.Namespace) -> list[Path]:
    from pathlib import Path

    from spinetools.files import write_text
    from spinetools.qc.ratings import export_ratings

    what = args.verdict if args.export == "yml" else "ratings"
    path = Path(args.o or f"qc_{what}.{args.export}")
    write_text(path, export_ratings(args.qc, args.export, args.verdict))
    return [path]


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command."""
    execute(get_parser(), run, argv)


if __name__ == "__main__":
    main()
