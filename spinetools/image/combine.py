"""Classes of label images, and masks of one class each, as one mask or one label image."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spinetools.errors import InputError
from spinetools.files import strip_nifti_suffix
from spinetools.image.image import Image
from spinetools.image.points import whole_values
from spinetools.labels import LEVELS, find_scheme, numbering, structures

logger = logging.getLogger(__name__)

Array = npt.NDArray[np.uint16]

#: A row of the label table that st_label_vertebrae and others write into the NIfTI header (Caret's
#: XML). Read by pattern: a parser of XML would also follow what a hostile file declares.
_ROW = re.compile(rb'<Label Key="(\d+)"[^>]*><!\[CDATA\[([^\]]*)\]\]></Label>')
_RANGE = re.compile(r"^(\w+):(\w+)$")


@dataclass(frozen=True, eq=False)
class Part:
    """One class of one file.

    Attributes
    ----------
    image
        The file.
    name
        The structure's name; the file's own name where it holds one class.
    value
        Label value in the file; None for a mask of one class (binary or soft).
    """

    image: Image
    name: str
    value: int | None

    def inside(self, threshold: float) -> npt.NDArray[np.bool_]:
        """Return the voxels of the class."""
        data = self.image.data
        found: npt.NDArray[np.bool_] = (
            (data >= threshold) & (data > 0) if self.value is None else data == self.value
        )
        return found


def names_in_header(image: Image) -> dict[int, str]:
    """Return the name of each label value, as the NIfTI header's label table says; or nothing."""
    names: dict[int, str] = {}
    for extension in image.header.extensions:
        try:
            content = extension.get_content()
        except (NotImplementedError, ValueError):
            continue
        raw = content if isinstance(content, bytes) else str(content).encode()
        names |= {int(key): text.decode("utf-8", "replace") for key, text in _ROW.findall(raw)}
    return {value: name for value, name in names.items() if value}


def structure_names(image: Image, scheme: str | None = None) -> dict[int, str]:
    """Return the name of each label value that occurs.

    The table in the file's header counts first, then the label scheme.

    Parameters
    ----------
    image
        Labels.
    scheme
        Of :data:`spinetools.labels.SCHEMES`; None finds the one that has all values.

    Raises
    ------
    InputError
        When the values tell no scheme, or more than one.
    """
    values = whole_values(image)
    table = {} if scheme else names_in_header(image)
    if values and set(values) <= table.keys():
        return {value: table[value] for value in values}
    try:
        known = numbering(scheme or find_scheme(values))
    except InputError as error:
        raise InputError(f"{image.name}: {error}") from error
    missing = [value for value in values if value not in known]
    if missing:
        raise InputError(f"{image.name} has the label {missing[0]}, which {scheme} does not know")
    return {value: known[value].name for value in values}


def parts_of(image: Image, scheme: str | None = None, named: bool = True) -> list[Part]:
    """Return the classes of a file.

    A file without a label table whose values lie between 0 and 1 is a mask, named as its file.

    Parameters
    ----------
    image
        Labels, or a binary or soft mask.
    scheme
        What the label values stand for; see :func:`structure_names`.
    named
        False: names do not matter, and are those of the values.
    """
    data = image.data
    is_mask = float(data.max()) <= 1 and float(data.min()) >= 0
    if is_mask and not names_in_header(image):
        return [Part(image, strip_nifti_suffix(image.path or "mask"), None)]
    if not named:
        return [Part(image, str(value), value) for value in whole_values(image)]
    return [Part(image, name, value) for value, name in structure_names(image, scheme).items()]


def choose(parts: Sequence[Part], words: Iterable[str]) -> list[Part]:
    """Return the classes that words mean, in the order of the files.

    Parameters
    ----------
    parts
        What there is.
    words
        Names (``vertebrae_L4``, or a file's), levels (``L4``, ``L4-L5``, ``S``), ranges of
        vertebrae (``L1:L5``), kinds (``vertebrae``, ``discs``, ``cord``, ``canal``, ``sacrum``),
        label values (``41``) and ranges of them (``18:22``).

    Raises
    ------
    InputError
        When a word means nothing that exists anywhere.
    """
    chosen: list[Part] = []
    known = {row.name for row in structures()}
    for word in words:
        fits = [part for part in parts if _fits(part, word)]
        if not fits:
            if not any(_fits(Part(parts[0].image, name, None), word) for name in known):
                there = ", ".join(dict.fromkeys(part.name for part in parts))
                raise InputError(f"-m {word}: there is no such structure; there are {there}")
            logger.info("%s is in none of the files", word)
        chosen += [part for part in fits if part not in chosen]
    return [part for part in parts if part in chosen]


def _fits(part: Part, word: str) -> bool:
    """Whether one word means a class."""
    between = _RANGE.match(word)
    if between and all(end.upper() in LEVELS for end in between.groups()):
        first, last = (LEVELS.index(end.upper()) for end in between.groups())
        return part.name in {f"vertebrae_{level}" for level in LEVELS[first : last + 1]}
    if between and all(end.isdigit() for end in between.groups()):
        first, last = map(int, between.groups())
        return part.value is not None and first <= part.value <= last
    if word.isdigit():
        return part.value == int(word)
    if word in ("vertebrae", "discs"):
        return part.name.startswith({"vertebrae": "vertebrae", "discs": "disc_"}[word])
    exact = {"cord": "spinal_cord", "canal": "spinal_canal", "S": "sacrum"}.get(word, word)
    level = word.upper().replace("-", "_")
    return part.name in {exact, f"vertebrae_{level}", f"disc_{level}"}


def combine(parts: Sequence[Part], threshold: float = 0.5, keep_values: bool = False) -> Image:
    """Put classes together on one grid.

    Parameters
    ----------
    parts
        At least one. Where two overlap, the first one's value counts.
    threshold
        From which a voxel of a soft mask counts.
    keep_values
        Write each class's own label value instead of 1. A mask gets that of the structure it is
        named after in the scheme ``totalspineseg``, any other the next free value.

    Returns
    -------
    Image
        uint8, or uint16 where values ask for it.

    Raises
    ------
    InputError
        When there is no part, or two classes have one value.
    SpaceMismatch
        When the files are not on one grid.
    """
    if not parts:
        raise InputError("nothing to combine: none of the structures asked for is there")
    first = parts[0].image
    values = _values(parts) if keep_values else dict.fromkeys(range(len(parts)), 1)
    result: Array = np.zeros(first.space.shape, np.uint16)
    lost = 0
    for index, part in enumerate(parts):
        first.space.check_same(part.image.space, (first.name, part.image.name))
        # two files of one session may run along their axes the other way round
        inside = part.inside(threshold)
        lost += int(np.count_nonzero(inside & (result > 0) & (result != values[index])))
        result[inside & (result == 0)] = values[index]
    if lost:
        logger.warning("classes overlap in %d voxels: the first one given counts there", lost)
    return first.like(result.astype(np.min_scalar_type(int(result.max()))))


def _values(parts: Sequence[Part]) -> dict[int, int]:
    """Return a label value for each part."""
    scheme = {row.name: value for value, row in numbering("totalspineseg").items()}
    values = {
        i: scheme.get(part.name, 0) if part.value is None else part.value
        for i, part in enumerate(parts)
    }
    free = iter(value for value in range(1, 65536) if value not in set(values.values()))
    values = {i: value or next(free) for i, value in values.items()}
    _check_apart(parts, values)
    return values


def _check_apart(parts: Sequence[Part], values: Mapping[int, int]) -> None:
    """Two classes of one value would become one, silently."""
    seen: dict[int, str] = {}
    for index, part in enumerate(parts):
        other = seen.setdefault(values[index], part.name)
        if other != part.name:
            raise InputError(
                f"{other} and {part.name} both have the value {values[index]}; change one first "
                "(st_label_utils -add), or leave out -keep-values"
            )
