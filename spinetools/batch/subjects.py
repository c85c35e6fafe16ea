"""Which subjects a batch runs on: folders of a study, chosen by pattern, list or YAML file."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spinetools.bids import compile_pattern
from spinetools.errors import InputError
from spinetools.files import nifti_suffix, strip_nifti_suffix
from spinetools.optional import require

logger = logging.getLogger(__name__)

#: How BIDS calls the folder of a session.
SESSION_PREFIX = "ses-"


@dataclass(frozen=True)
class Selection:
    """Which subjects are wanted; everything that is given must hold.

    Attributes
    ----------
    include, exclude
        Regular expressions, looked for anywhere in ``sub-01`` or ``sub-01/ses-02``; of a BIDS data
        set also in the paths of images, ``sub-01/ses-02/anat/sub-01_ses-02_run-1_T2w.nii.gz``.
    include_list, exclude_list
        Subjects (``sub-01``), sessions (``ses-02``), or both (``sub-01/ses-02``).
    include_yml, exclude_yml
        A YAML file with such names, or with names of images as the QC report exports them: an
        image stands for the subject and session that it belongs to.
    """

    include: str | None = None
    include_list: tuple[str, ...] = ()
    include_yml: str | os.PathLike[str] | None = None
    exclude: str | None = None
    exclude_list: tuple[str, ...] = ()
    exclude_yml: str | os.PathLike[str] | None = None


@dataclass(frozen=True)
class Chosen:
    """The subjects of a batch, in the order of their names.

    Attributes
    ----------
    subjects
        ``sub-01`` or ``sub-01/ses-02``.
    left_out
        Why each of the others is left out.
    excluded_files
        Names of images that a script is told to leave out, by subject.
    images
        Images of a BIDS data set that a script is told to work on, by subject; paths below the
        data set's root.
    """

    subjects: tuple[str, ...]
    left_out: Mapping[str, str] = field(default_factory=dict)
    excluded_files: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    images: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def find_subjects(
    data: str | os.PathLike[str], prefix: str = "sub-", ignore_sessions: bool = False
) -> list[str]:
    """Return the subjects of a study, or their sessions where they have some.

    Parameters
    ----------
    data
        The study's folder.
    prefix
        How the folders of subjects begin; empty where they have nothing in common.
    ignore_sessions
        Return ``sub-01``, rather than ``sub-01/ses-01`` and ``sub-01/ses-02``.

    Returns
    -------
    list of str
        Sorted; always with ``/`` between subject and session.

    Raises
    ------
    InputError
        When the folder cannot be read or has no such folders.
    """
    data = Path(data)
    found: list[str] = []
    try:
        for subject in _folders(data, prefix):
            sessions = [] if ignore_sessions else _folders(data / subject, SESSION_PREFIX)
            found += [f"{subject}/{session}" for session in sessions] or [subject]
    except FileNotFoundError:
        raise InputError(f"{data} does not exist; check -path-data") from None
    except NotADirectoryError:
        raise InputError(f"{data} is no folder, expected one with a folder a subject") from None
    except OSError as error:
        raise InputError(f"{data} cannot be read: {error.strerror or error}") from error
    if not found:
        raise InputError(
            f"{data} has no folder whose name begins with {prefix!r}; "
            "check -path-data and -subject-prefix"
        )
    _refuse_same_names(found)
    return found


def choose(
    subjects: Sequence[str],
    wanted: Selection,
    script: str = "",
    images: Sequence[str] | None = None,
) -> Chosen:
    """Choose among subjects, and with BIDS among their images.

    Images listed in ``exclude_yml`` need not cost the whole subject: a script that reads the
    variable ``EXCLUDE_FILES`` is given their names there and decides; for any other script the
    subject is left out.

    Parameters
    ----------
    subjects
        As :func:`find_subjects` returns them.
    wanted
        What to include and exclude.
    script
        The script's text.
    images
        All images of a BIDS data set, paths below its root; None where the study is no data set.
        ``include`` then takes the images of a subject that fits, and any image that fits;
        ``exclude`` leaves them out. A subject without images is left out.

    Raises
    ------
    InputError
        When a pattern or file is malformed, or nothing is left.
    """
    left_out: dict[str, str] = {}
    include = compile_pattern(wanted.include, "-include")
    exclude = compile_pattern(wanted.exclude, "-exclude")
    included = {
        "-include-list": list(wanted.include_list) if wanted.include_list else None,
        "-include-yml": _names_in(wanted.include_yml),
    }
    excluded = {"-exclude-list": [*wanted.exclude_list], "-exclude-yml": []}
    listed = _names_in(wanted.exclude_yml) or []
    reads_files = "EXCLUDE_FILES" in script or (
        images is not None and "SPINETOOLS_IMAGES" in script
    )
    files = [name for name in listed if reads_files and nifti_suffix(name)]
    excluded["-exclude-yml"] = [name for name in listed if name not in files]
    for option, names in (*included.items(), *excluded.items()):
        _warn_of_strangers(option, names or (), subjects)

    listed_images = {Path(name).name for name in files}
    chosen: dict[str, list[str]] = {}
    for subject in subjects:
        own = [subject] if images is None else _images_of(subject, images)
        kept = _fitting(subject, own, include)
        unwanted = _fitting(subject, own, exclude) if exclude else []
        left = [path for path in kept if path not in unwanted]
        rest = [path for path in left if images is None or Path(path).name not in listed_images]
        reasons = [
            f"not in {option}"
            for option, names in included.items()
            if names is not None and not _listed(subject, names)
        ]
        if not own:
            reasons.append("no image")
        elif not kept:
            reasons.append("-include")
        reasons += [
            f"{option} ({name})"
            for option, names in excluded.items()
            if (name := _listed(subject, names))
        ]
        if kept and not left:
            reasons.append("-exclude")
        if left and not rest:
            reasons.append("-exclude-yml (all its images)")
        if reasons:
            left_out[subject] = ", ".join(reasons)
        else:
            chosen[subject] = rest
    if not chosen:
        raise InputError(
            f"all {len(subjects)} subjects are left out; check what -include and -exclude say"
        )
    per_subject = {
        subject: tuple(sorted({Path(name).name for name in files if belongs(name, subject)}))
        for subject in chosen
    }
    to_do = {} if images is None else {s: tuple(paths) for s, paths in chosen.items()}
    listed_files = {subject: names for subject, names in per_subject.items() if names}
    return Chosen(tuple(chosen), left_out, listed_files, to_do)


def belongs(name: str, subject: str) -> bool:
    """Whether a listed name stands for a subject.

    Parameters
    ----------
    name
        ``sub-01``, ``ses-02``, ``sub-01/ses-02``, or an image's name, e.g.
        ``sub-01_ses-02_T2w.nii.gz``.
    subject
        ``sub-01`` or ``sub-01/ses-02``.
    """
    parts = subject.split("/")
    if not nifti_suffix(name):
        name = name.strip().strip("/")
        return name == subject or name in parts
    stem = strip_nifti_suffix(name)
    if not re.match(re.escape(parts[0]) + r"(?![A-Za-z0-9])", stem):
        return False
    session = re.search(r"_(ses-[A-Za-z0-9]+)", stem)
    return len(parts) == 1 or session is None or session[1] == parts[1]


def slug(subject: str) -> str:
    """Return a subject's name for files: ``sub-01_ses-02``."""
    return subject.replace("/", "_")


def _folders(folder: Path, prefix: str) -> list[str]:
    with os.scandir(folder) as items:
        return sorted(
            item.name
            for item in items
            if item.is_dir() and item.name.startswith(prefix) and not item.name.startswith(".")
        )


def _refuse_same_names(subjects: Sequence[str]) -> None:
    """Two subjects must not write one log: ``a/ses-1`` and ``a_ses-1``."""
    seen: dict[str, str] = {}
    for subject in subjects:
        other = seen.setdefault(slug(subject), subject)
        if other != subject:
            raise InputError(
                f"{other} and {subject} would write the same log; rename one of the folders"
            )


def _images_of(subject: str, images: Iterable[str]) -> list[str]:
    return [path for path in images if path.startswith(f"{subject}/")]


def _fitting(subject: str, paths: list[str], pattern: re.Pattern[str] | None) -> list[str]:
    """Return the paths that a pattern means: all of a subject that fits, or those that fit."""
    if pattern is None or pattern.search(subject):
        return paths
    return [path for path in paths if pattern.search(path)]


def _listed(subject: str, names: Iterable[str]) -> str:
    return next((name for name in names if belongs(name, subject)), "")


def _warn_of_strangers(option: str, names: Iterable[str], subjects: Sequence[str]) -> None:
    strangers = [name for name in names if not any(belongs(name, s) for s in subjects)]
    if strangers:
        more = f" and {len(strangers) - 5} more" if len(strangers) > 5 else ""
        logger.warning(
            "%s names what the study does not have: %s%s", option, ", ".join(strangers[:5]), more
        )


def _names_in(path: str | os.PathLike[str] | None) -> list[str] | None:
    """Return all names in a YAML file, whatever keys they stand under."""
    if path is None:
        return None
    content = read_yaml(path)
    try:
        return sorted(set(_texts(content, path)))
    except RecursionError:  # an alias may stand for what it stands in
        raise InputError(f"{path} is no list of names: it is nested without end") from None


def read_yaml(path: str | os.PathLike[str]) -> Any:
    """Read a YAML or JSON file.

    Raises
    ------
    InputError
        When it cannot be read or is malformed.
    MissingExtra
        Without PyYAML.
    """
    yaml = require("yaml", "batch")
    try:
        return yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; check the path") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(f"{path} is no YAML: {' '.join(str(error).split())}") from None


def _texts(content: Any, path: str | os.PathLike[str]) -> Iterator[str]:
    if isinstance(content, Mapping):
        for value in content.values():
            yield from _texts(value, path)
    elif isinstance(content, list):
        for value in content:
            yield from _texts(value, path)
    elif isinstance(content, str):
        yield content
    elif content is not None:
        raise InputError(f"{path} holds {content!r}, expected names of subjects or images only")
