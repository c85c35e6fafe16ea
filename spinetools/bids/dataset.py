"""A BIDS data set that is read: its images, their sidecars, and what is wrong with it."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from spinetools.bids.names import BidsName, contrast_of, parse_name
from spinetools.errors import InputError
from spinetools.files import nifti_suffix, strip_nifti_suffix

DESCRIPTION = "dataset_description.json"
#: Folders of images that can be worked on.
DATATYPES = ("anat", "dwi", "func")
#: Suffixes of images in which a spine can be seen; maps, masks and reference images are none.
SUFFIXES = frozenset({
    "T1w", "T2w", "PDw", "T2star", "T2starw", "PDT2", "FLAIR", "inplaneT1", "inplaneT2", "UNIT1",
    "MTS", "dwi",
})  # fmt: skip
#: Files that an image must have, beside it or in a folder above.
NEEDED_FILES = {"dwi": (".bval", ".bvec")}
#: Fields that an image's sidecars must have.
NEEDED_FIELDS = {
    "MTS": ("FlipAngle", "MTState", "RepetitionTimeExcitation"),
    "bold": ("RepetitionTime", "TaskName"),
}


@dataclass(frozen=True)
class Dataset:
    """A BIDS data set.

    Attributes
    ----------
    root
        Its folder; absolute.
    description
        What ``dataset_description.json`` says.
    ignored
        Patterns of ``.bidsignore``.
    """

    root: Path
    description: Mapping[str, Any]
    ignored: tuple[str, ...] = field(default=())

    @property
    def title(self) -> str:
        """How it is called."""
        return str(self.description["Name"])

    @property
    def is_derivative(self) -> bool:
        """Whether it was made from other data sets."""
        return self.description.get("DatasetType") == "derivative"

    def below(self, path: str | os.PathLike[str]) -> str:
        """Return a file's path below the root, with ``/`` on every system."""
        return absolute(path).relative_to(self.root).as_posix()

    def images(self, contrast: str | None = None, under: str | os.PathLike[str] = "") -> list[str]:
        """Return the images of the data set, in the order of their paths.

        Parameters
        ----------
        contrast
            ``t1``, ``t2``, ``t2s`` or ``dwi``: only images whose names tell it; ``any``: only those
            whose names tell one of them; None: all in which a spine can be seen.
        under
            Only those below this folder.

        Returns
        -------
        list of str
            Paths below the root. A file that ``.bidsignore`` names is left out.

        Raises
        ------
        InputError
            When a file of images has a name that BIDS does not know, lies in the wrong folder, or
            lacks what BIDS requires; when two files are the same image.
        """
        first = "" if not under else self.below(under)
        found = []
        for path in self._files():
            if first not in ("", ".") and not f"{path}/".startswith(f"{first}/"):
                continue
            if parse_name(path).suffix not in SUFFIXES:
                continue
            told = contrast_of(strip_nifti_suffix(path))
            if contrast is None or told == contrast or (contrast == "any" and told):
                self.check_image(path)
                found.append(path)
        return found

    def check_image(self, path: str | os.PathLike[str]) -> BidsName:
        """Return the parts of an image's name.

        Parameters
        ----------
        path
            The image; if relative, below the root.

        Raises
        ------
        InputError
            As :meth:`images`.
        """
        full = self.root / path
        name, place = parse_name(full), self.below(full).rpartition("/")[0]
        if place.rpartition("/")[0] != name.folder or place.rpartition("/")[2] not in DATATYPES:
            raise InputError(
                f"{full} lies in {place or 'the root'}, expected {name.folder}/ and one of "
                f"{', '.join(DATATYPES)}, as its name says"
            )
        if not nifti_suffix(full):
            raise InputError(f"{full} is no NIfTI file, expected .nii.gz or .nii")
        for other in sorted(full.parent.glob("*.nii*")):
            if other.name != full.name and _key_of(other) == name.key:
                raise InputError(
                    f"{full.name} and {other.name} are the same image for BIDS; rename or remove "
                    "one of them"
                )
        self._check_companions(full, name)
        return name

    def metadata(self, path: str | os.PathLike[str]) -> dict[str, Any]:
        """Return what an image's sidecars say, those in folders above it too.

        Raises
        ------
        InputError
            When one of them is no JSON object.
        """
        full = self.root / path
        fields: dict[str, Any] = {}
        for sidecar in self._inherited(full, parse_name(full), ".json"):
            fields.update(read_object(sidecar))
        return fields

    def _check_companions(self, full: Path, name: BidsName) -> None:
        """Refuse what the validator would: a raw image without what it must have."""
        fields = self.metadata(full)
        if self.is_derivative:
            return
        for extension in NEEDED_FILES.get(name.suffix, ()):
            if not any(self._inherited(full, name, extension)):
                raise InputError(f"{full} has no {extension} file, which BIDS requires; add it")
        missing = [key for key in NEEDED_FIELDS.get(name.suffix, ()) if key not in fields]
        if missing:
            raise InputError(
                f"{full} has no sidecar with {', '.join(missing)}, which BIDS requires; add it as "
                f"{strip_nifti_suffix(full)}.json"
            )

    def _inherited(self, full: Path, name: BidsName, extension: str) -> Iterator[Path]:
        """Find the files that apply to an image, from the root to its folder (inheritance)."""
        levels = [self.root, *(self.root / step for step in _steps(self.below(full)))]
        for folder in levels:
            try:
                found = sorted(os.listdir(folder))  # noqa: PTH208 - names only, and faster
            except OSError as error:
                raise InputError(f"{folder} cannot be read: {error.strerror or error}") from error
            ending = f"{name.suffix}{extension}"
            for file in found:
                if file == ending or (file.endswith(f"_{ending}") and _applies(file, name)):
                    yield folder / file

    def _files(self) -> Iterator[str]:
        """Go through all images in the folders of BIDS; odd names are an error."""
        for subject in _folders(self.root, "sub-"):
            sessions = _folders(self.root / subject, "ses-")
            for folder in (subject, *(f"{subject}/{session}" for session in sessions)):
                for datatype in _folders(self.root / folder, DATATYPES):
                    place = f"{folder}/{datatype}"
                    for file in sorted(os.listdir(self.root / place)):  # noqa: PTH208
                        path = f"{place}/{file}"
                        hidden = file.startswith(".") or self._is_ignored(path)
                        if nifti_suffix(file) and not hidden:
                            yield path

    def _is_ignored(self, path: str) -> bool:
        return any(ignores(pattern, path) for pattern in self.ignored)


def absolute(path: str | os.PathLike[str]) -> Path:
    """Return a path from the root of the file system, without ``..`` in it.

    No link is followed: that of an image in git-annex leads out of its data set.
    """
    return Path(os.path.abspath(Path(path).expanduser()))  # noqa: PTH100 - resolve() follows links


def ignores(pattern: str, path: str) -> bool:
    """Whether a pattern of ``.bidsignore`` stands for a path below the root.

    As in ``.gitignore``: without a slash it stands for a name anywhere, with one for a path from
    the root, and what lies in an ignored folder is ignored too.
    """
    steps = path.split("/")
    pattern, is_folder = pattern.rstrip("/"), pattern.endswith("/")
    last = len(steps) - 1 if is_folder else len(steps)
    if "/" not in pattern:
        return any(fnmatch(step, pattern) for step in steps[:last])
    whole = pattern.removeprefix("/").replace("**/", "*")
    return any(fnmatch("/".join(steps[: n + 1]), whole) for n in range(last))


def open_dataset(root: str | os.PathLike[str]) -> Dataset:
    """Open a BIDS data set.

    Raises
    ------
    InputError
        When the folder has no ``dataset_description.json``, that file is broken, or two subjects
        have one name.
    """
    folder = absolute(root)
    path = folder / DESCRIPTION
    if not path.is_file():
        raise InputError(f"{root} is no BIDS data set: it has no {DESCRIPTION}; add one")
    content = read_object(path)
    for key in ("Name", "BIDSVersion"):
        if not isinstance(content.get(key), str) or not content[key].strip():
            raise InputError(f"{path} has no {key}, which BIDS requires; add it as a text")
    kind = content.get("DatasetType", "raw")
    if kind not in ("raw", "derivative", "study"):
        raise InputError(f"{path}: DatasetType is {kind!r}, expected raw or derivative")
    _refuse_same_subjects(folder)
    return Dataset(folder, content, _patterns(folder / ".bidsignore"))


def find_dataset(path: str | os.PathLike[str]) -> Dataset:
    """Open the data set that a file or folder lies in.

    Raises
    ------
    InputError
        When it lies in none, or that one is broken.
    """
    start = absolute(path)
    for folder in (start, *start.parents):
        if (folder / DESCRIPTION).is_file():
            return open_dataset(folder)
    raise InputError(
        f"{path} lies in no BIDS data set: no folder above it has a {DESCRIPTION}; leave out -bids"
    )


def read_object(path: Path) -> dict[str, Any]:
    """Read a JSON file that holds an object.

    Raises
    ------
    InputError
        When it cannot be read or holds anything else.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is broken, expected JSON: {error}") from None
    if not isinstance(content, dict):
        raise InputError(f"{path} is broken, expected a JSON object, {{…}}")
    return content


def _refuse_same_subjects(root: Path) -> None:
    """Refuse what is one name on some file systems, and a subject with two rows."""
    _refuse_twice(_folders(root, "sub-"), f"{root} has two folders of one subject")
    table = root / "participants.tsv"
    if table.is_file():
        try:
            rows = table.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, ValueError) as error:
            raise InputError(f"{table} cannot be read: {error}") from None
        named = [row.partition("\t")[0] for row in rows[1:] if row.strip()]
        _refuse_twice(named, f"{table} has two rows of one subject")


def _refuse_twice(names: Iterable[str], what: str) -> None:
    listed = list(names)
    counts = Counter(name.lower() for name in listed)
    twice = [name for name in listed if counts[name.lower()] > 1]
    if twice:
        raise InputError(f"{what}: {' and '.join(twice[:2])}; rename one of them")


def _patterns(path: Path) -> tuple[str, ...]:
    if not path.is_file():
        return ()
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return tuple(line.strip() for line in lines if line.strip() and line[0] not in "#!")


def _folders(folder: Path, first: str | tuple[str, ...]) -> list[str]:
    """List folders: those whose names begin with a text, or are one of some names."""
    try:
        with os.scandir(folder) as items:
            return sorted(
                item.name
                for item in items
                if (item.name.startswith(first) if isinstance(first, str) else item.name in first)
                and item.is_dir()
            )
    except OSError as error:
        raise InputError(f"{folder} cannot be read: {error.strerror or error}") from error


def _steps(path: str) -> list[str]:
    """Return the folders on the way to a file: ``a``, ``a/b`` of ``a/b/c.nii``."""
    steps = path.split("/")[:-1]
    return ["/".join(steps[: n + 1]) for n in range(len(steps))]


def _applies(file: str, name: BidsName) -> bool:
    """Whether a sidecar's entities are all those of the image."""
    pairs = [pair.partition("-") for pair in file.partition(".")[0].split("_")[:-1]]
    return all(name.entities.get(key) == value for key, _, value in pairs)


def _key_of(path: Path) -> tuple[object, ...] | None:
    try:
        return parse_name(path).key if nifti_suffix(path) else None
    except InputError:
        return None
