"""What commands share about BIDS: the options, the images of a data set, the names of results."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spinetools.cli._folder import Work, add_folder_options, run_jobs
from spinetools.cli._parser import StParser
from spinetools.errors import InputError

if TYPE_CHECKING:
    from spinetools.bids import Derivatives

logger = logging.getLogger(__name__)


def add_bids(parser: StParser) -> None:
    """Declare ``-bids`` and what goes with it."""
    group = parser.add_argument_group("BIDS")
    group.add_argument(
        "-bids",
        action="store_true",
        help="write BIDS derivatives, to -ofolder (default: derivatives/spinetools in the image's "
        "data set); -i may be a BIDS folder, of which each image is worked on",
    )
    for name, verb in (("include", "only images"), ("exclude", "no images")):
        group.add_argument(
            f"-{name}", metavar="REGEX",
            help=f"BIDS folder: {verb} in whose path (sub-01/ses-02/anat/sub-01_…) this is found",
        )  # fmt: skip
    add_folder_options(parser)


def over_images(
    args: argparse.Namespace,
    work: Work,
    of_one_image: Sequence[str] = (),
    for_many: Callable[[argparse.Namespace], Work] | None = None,
) -> None:
    """Do a command's work on the image of ``-i``, or on each image of a BIDS folder.

    Parameters
    ----------
    args
        The command's arguments. What the work is given has ``derivatives`` beside them.
    work
        A function of the command's module.
    of_one_image
        Names of arguments that hold a file of one image, so that a folder cannot have them.
    for_many
        Returns the work for a folder, after all checks: with a network that is loaded once.

    Raises
    ------
    InputError
        When options do not go together, or the data set is not as it should be.
    OutputError
        When results cannot go where they should.
    """
    check_bids(args, of_one_image)
    if not args.bids:
        work(args)
        return
    source, images = _source_and_images(args)
    jobs = [argparse.Namespace(**{**vars(args), **one, "derivatives": source}) for one in images]
    if not Path(args.i).is_dir():
        work(jobs[0])
        return
    logger.info("%d images of %s", len(jobs), source.source.root)
    run_jobs(jobs, work if for_many is None else for_many(args))


def check_bids(args: argparse.Namespace, of_one_image: Sequence[str] = ()) -> None:
    """Refuse options that do not go together, before any work."""
    if not args.bids:
        for name in ("include", "exclude"):
            if getattr(args, name) is not None:
                raise InputError(f"-{name} chooses images of a BIDS folder; give -bids too")
        return
    if args.o is not None:
        raise InputError("-o names a file, but with -bids BIDS does; give -ofolder, or nothing")
    if Path(args.i).is_dir():
        for name in of_one_image:
            if getattr(args, name) not in (None, "viewer"):
                option = name.replace("_", "-")
                raise InputError(f"-{option} belongs to one image, but -i is a folder")
    elif not Path(args.i).exists():
        raise InputError(f"{args.i} does not exist; check the path")


def _source_and_images(args: argparse.Namespace) -> tuple[Derivatives, list[dict[str, Any]]]:
    """Return where results go, and what differs between the images: path and contrast."""
    from spinetools.bids import Derivatives, contrast_of, find_dataset, matching
    from spinetools.files import strip_nifti_suffix

    dataset = find_dataset(args.i)
    derivatives = Derivatives.of(dataset, args.ofolder)
    if not Path(args.i).is_dir():
        dataset.check_image(Path(args.i).absolute())
        return derivatives, [{}]
    contrast = (getattr(args, "c", None) or "any") if hasattr(args, "c") else None
    paths = matching(dataset.images(contrast, args.i), args.include, args.exclude)
    if not paths:
        kind = "" if contrast in (None, "any") else f" of contrast {contrast}"
        raise InputError(f"{args.i} has no image{kind} to work on; check -include and -exclude")
    images: list[dict[str, Any]] = [{"i": str(dataset.root / path)} for path in paths]
    if contrast == "any":
        for image in images:
            image["c"] = contrast_of(strip_nifti_suffix(image["i"]))
    return derivatives, images


def derived(args: argparse.Namespace, suffix: str, desc: str, **words: str | None) -> Path | None:
    """Name a result as BIDS does; None without ``-bids``.

    Parameters
    ----------
    args
        As :func:`over_images` gives them.
    suffix, desc, words
        See :class:`spinetools.bids.Output`.
    """
    derivatives: Derivatives | None = getattr(args, "derivatives", None)
    if derivatives is None:
        return None
    from spinetools.bids import Output

    given = {key: value for key, value in words.items() if value is not None}
    return derivatives.path(Path(args.i).absolute(), Output(suffix, desc, **given))


def bids_fields(
    derivatives: Derivatives, path: Path, sources: Sequence[str]
) -> tuple[list[str], dict[str, Any]]:
    """Return a result's sources as BIDS names them, and what its sidecar has to say.

    The data set that the result goes to is described first, unless it is.
    """
    from spinetools.bids.derivatives import fields_of
    from spinetools.bids.names import parse_name

    link = derivatives.prepare()
    return [derivatives.uri(source, link) for source in sources], fields_of(parse_name(path))
