"""From working numbers to label values of a scheme, with the names written into the file."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt

from spinetools.errors import InputError
from spinetools.image import Image
from spinetools.labels import colour_of_structure, numbering, structures
from spinetools.vertebrae.anatomy import anatomies
from spinetools.vertebrae.result import SpineLabels

logger = logging.getLogger(__name__)

#: Value of all vertebrae together (``-step1``): no scheme uses it for anything else.
ANY_VERTEBRA_VALUE = 99
#: Code of the NIfTI extension that the label table (Caret's XML) is written under: that of no
#: particular kind, as TotalSegmentator writes it, which every reader gives back as it is.
_CODE = 0
_ROOT = b"<CaretExtension>"
#: Groups that ``-structures`` takes beside names and levels.
GROUPS = ("vertebrae", "discs", "sacrum", "cord", "canal")


def values_in(scheme: str) -> dict[str, int]:
    """Return the value of each structure that a scheme has, by the structure's name.

    SCT's scheme has vertebrae only: its discs are points, in the levels file.
    """
    found = {row.name: value for value, row in numbering(scheme).items()}
    return found | {"vertebrae": ANY_VERTEBRA_VALUE}


def chosen_names(wanted: Sequence[str] | None, result: SpineLabels) -> set[str]:
    """Return the structures that ``-structures`` means.

    Parameters
    ----------
    wanted
        Names of the label table (``disc_L4_L5``), levels (``L4``, ``L4-L5``, ``S``) or
        :data:`GROUPS`; None for all.
    result
        Whose names to choose from.

    Raises
    ------
    InputError
        When a word is none of these.
    """
    known = set(result.names.values())
    if wanted is None:
        return known
    chosen: set[str] = set()
    for word in wanted:
        fits = named_by(word, known)
        if not fits and not named_by(word, _all_names()):
            raise InputError(
                f"-structures {word}: no structure of this name; give {', '.join(GROUPS)}, levels "
                "(L4, L4-L5) or names (vertebrae_L4, disc_L4_L5)"
            )
        chosen |= fits
    return chosen


def named_by(word: str, names: set[str]) -> set[str]:
    """Return the structures that one word means."""
    prefixes = {"vertebrae": "vertebrae", "discs": "disc"}
    if word in prefixes:
        return {name for name in names if name.startswith(prefixes[word])}
    exact = {"cord": "spinal_cord", "canal": "spinal_canal", "S": "sacrum"}.get(word, word)
    level = word.upper().replace("-", "_")
    options = {exact, f"vertebrae_{level}", f"disc_{level}"}
    return {name for name in names if name in options}


def _all_names() -> set[str]:
    names = {row.name for row in structures()} | {"vertebrae"}
    for kind in anatomies():
        names |= set(kind.disc_names) | {f"vertebrae_{level}" for level in kind.vertebrae}
    return names


def in_scheme(
    result: SpineLabels, scheme: str, wanted: Sequence[str] | None = None, iso: bool = False
) -> tuple[Image, dict[int, str]]:
    """Return the labels with a scheme's values, and the name of each value that occurs.

    Structures that the scheme has no value for are left out, which is said.

    Raises
    ------
    InputError
        When the scheme or a structure does not exist, or nothing is left.
    """
    values, chosen = values_in(scheme), chosen_names(wanted, result)
    numbers = result.labels(iso)
    present = [int(n) for n in np.unique(numbers.data) if n and result.names[int(n)] in chosen]
    table = np.zeros(256, np.uint8)
    left_out = []
    names: dict[int, str] = {}
    for number in present:
        name = result.names[number]
        if name in values:
            table[number] = values[name]
            names[values[name]] = name
        else:
            left_out.append(name)
    if left_out:
        logger.info("%s has no value for %s: left out", scheme, ", ".join(left_out))
    if not names:
        raise InputError(
            f"nothing is left to write: of the structures asked for, {scheme} has none that was "
            "found; see -structures and -label-scheme"
        )
    image = numbers.like(table[numbers.data])
    return with_names(image, names), dict(sorted(names.items()))


def with_names(image: Image, names: Mapping[int, str]) -> Image:
    """Write the names of label values into the image's NIfTI header, as viewers read them."""
    header = image.header
    rows = "\n".join(
        f'        <Label Key="{value}" {_rgb(name)} Alpha="1"><![CDATA[{name}]]></Label>'
        for value, name in sorted(names.items())
    )
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<CaretExtension>\n'
        f'  <VolumeInformation Index="0">\n    <LabelTable>\n'
        '        <Label Key="0" Red="0" Green="0" Blue="0" Alpha="0"><![CDATA[background]]>'
        f"</Label>\n{rows}\n    </LabelTable>\n    <VolumeType><![CDATA[Label]]></VolumeType>\n"
        "  </VolumeInformation>\n</CaretExtension>\n"
    )
    others = [extension for extension in header.extensions if _ROOT not in _content(extension)]
    del header.extensions[:]
    header.extensions.append(nib.nifti1.Nifti1Extension(_CODE, text.encode()))
    header.extensions.extend(others)
    header["descrip"] = b"spinetools labels"
    return Image(image.data, image.space, header=header, path=image.path)


def _content(extension: Any) -> bytes:
    """Return an extension's bytes; nothing where nibabel does not give them."""
    try:
        content = extension.get_content()
    except (NotImplementedError, ValueError):
        return b""
    return content if isinstance(content, bytes) else str(content).encode()


def dseg_table(names: Mapping[int, str]) -> str:
    """Return the BIDS table of label values (``_dseg.tsv``)."""
    lines = ["index\tname\tcolor"]
    lines += [f"{value}\t{name}\t{_hex(name)}" for value, name in sorted(names.items())]
    return "\n".join(lines) + "\n"


def colour_of(name: str) -> tuple[int, int, int]:
    """Return a structure's colour, the same in every file and picture."""
    rows = {row.name: row for row in structures()}
    if name in rows:
        red, green, blue = colour_of_structure(rows[name])
    elif name == "vertebrae":
        return 220, 190, 140
    else:
        raise InputError(f"the label table has no structure {name}")
    return round(red * 255), round(green * 255), round(blue * 255)


def _rgb(name: str) -> str:
    red, green, blue = (part / 255 for part in colour_of(name))
    return f'Red="{red:.4f}" Green="{green:.4f}" Blue="{blue:.4f}"'


def _hex(name: str) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour_of(name))


def mask_of(image: Image, value: int) -> npt.NDArray[np.uint8]:
    """Return one label as a mask."""
    mask: npt.NDArray[np.uint8] = (image.data == value).astype(np.uint8)
    return mask
