"""Commands that open a result in the viewers that people have, and that take a correction back.

They are written once, when an entry is made: with full paths, and quoted for a POSIX shell whatever
the paths hold. The page puts in the voxel that is looked at.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spinetools.files import nifti_suffix, strip_nifti_suffix

_COLOURS = ("red", "blue", "green", "yellow")

#: How a command takes a correction back: options that go, options that come, the end of the name of
#: the file that a person saves, and what to draw there.
_TAKES_BACK: dict[str, tuple[dict[str, int], tuple[str, ...], str, str]] = {
    "st_propseg": (
        {"-mask-correction": 1},
        ("-mask-correction",),
        "_corrected",
        "Draw the whole cord in this slice, erase slices that are wrong too, and save all as",
    ),
    "st_deepseg_sc": (
        {"-centerline": 1, "-file-centerline": 1},
        ("-centerline", "file", "-file-centerline"),
        "_points",
        "Mark the cord's centre in some slices of a new mask, and save it as",
    ),
    "st_get_centerline": (
        {"-method": 1, "-init-points": 1},
        ("-method", "viewer", "-init-points"),
        "_points",
        "Mark the cord's centre in some slices of a new mask, and save it as",
    ),
}


@dataclass(frozen=True)
class Viewers:
    """Commands to correct a result; empty where the files are not known.

    Attributes
    ----------
    fsleyes
        What comes before and after the voxel's three indices.
    itksnap
        ITK-SNAP has no option for a place: its cursor is typed in, counted from 1.
    todo
        What to draw for :attr:`rerun`, and the file to save it in.
    rerun
        The command that takes the correction back.
    """

    fsleyes: tuple[str, str] = ("", "")
    itksnap: str = ""
    todo: tuple[str, str] = ("", "")
    rerun: str = ""


def viewers_of(
    image: str, overlays: Sequence[tuple[str, str]], process: str, command_line: str
) -> Viewers:
    """Write the commands.

    Parameters
    ----------
    image
        Path of the image; empty where it is not known.
    overlays
        Kind (``mask``, ``labels`` …) and path of each result; results without a path are left out.
    process, command_line
        The command, and how it was called.
    """
    if not image:
        return Viewers()
    known = [(kind, _full(path)) for kind, path in overlays if path]
    shown = [shlex.quote(_full(image))]
    for number, (kind, path) in enumerate(known):
        how = "-ot label" if kind == "labels" else f"-cm {_COLOURS[number % len(_COLOURS)]} -a 50"
        shown.append(f"{shlex.quote(path)} {how}")
    itksnap = ["itksnap", "-g", _full(image), *(["-s", known[0][1]] if known else [])]
    todo, rerun = _back(process, command_line, known[0][1] if known else _full(image))
    return Viewers(("fsleyes -vl", " ".join(shown)), shlex.join(itksnap), todo, rerun)


def _full(path: str) -> str:
    # no link is followed: the path is the one that people know
    return os.path.abspath(path)  # noqa: PTH100


def _back(process: str, command_line: str, result: str) -> tuple[tuple[str, str], str]:
    """Write the command that takes a correction of a result back, from the folder it was run in."""
    try:
        tokens = shlex.split(command_line)
        here = os.fspath(Path.cwd())
    except (ValueError, OSError):
        return ("", ""), ""
    if not tokens:
        return ("", ""), ""
    if tokens[0] == "st_qc":
        # the mask itself is corrected, and looked at again
        return (
            "Correct it, and save it under its own name:",
            result,
        ), f"cd {shlex.quote(here)} && {shlex.join(tokens)}"
    if tokens[0] != process or process not in _TAKES_BACK:
        return ("", ""), ""
    gone, come, ending, what = _TAKES_BACK[process]
    kept: list[str] = []
    position = 0
    while position < len(tokens):
        skip = 1 + gone[tokens[position]] if tokens[position] in gone else 0
        if not skip:
            kept.append(tokens[position])
        position += skip or 1
    suffix = nifti_suffix(result) or ".nii.gz"
    saved = os.fspath(Path(result).with_name(f"{strip_nifti_suffix(result)}{ending}{suffix}"))
    rerun = shlex.join([*kept, *come, saved])
    return (what, saved), f"cd {shlex.quote(here)} && {rerun}"


# -- places ---------------------------------------------------------------------------------------


def place_of(content: Mapping[str, Any], index: int) -> tuple[int, int, int]:
    """Return the native voxel in the middle of what an entry shows of a slice.

    Parameters
    ----------
    content
        The entry's JSON.
    index
        Native index along the image's head-to-foot axis.
    """
    view = content["views"][0]
    voxel = [0, 0, 0]
    if view["axes"][2] == content["measure_axis"]:
        tile = min(
            (n for n, shown in enumerate(view["indices"]) if shown is not None),
            key=lambda n: abs(view["indices"][n] - index),
        )
        for which in (0, 1):
            voxel[view["axes"][which]] = _middle(view, tile, which)
    else:
        # a sagittal cut: its rows run from head to foot
        tile = next((n for n, shown in enumerate(view["indices"]) if shown is None), 0)
        voxel[view["axes"][1]] = _middle(view, tile, 1)
        row = (index - view["origins"][tile][0]) * view["steps"][0]
        row = min(max(row, 0), view["size"][0] - 1)
        shown = view["indices"][tile]
        voxel[view["axes"][2]] = view["curve"][row] if shown is None else shown
    voxel[content["measure_axis"]] = index
    with suppress(KeyError):
        # a picture may reach beyond the image
        voxel = [min(max(v, 0), n - 1) for v, n in zip(voxel, content["shape"], strict=True)]
    return voxel[0], voxel[1], voxel[2]


def _middle(view: Mapping[str, Any], tile: int, which: int) -> int:
    """Return the native index in the middle of a tile, down (0) or across (1)."""
    return int(view["origins"][tile][which] + view["steps"][which] * (view["size"][which] // 2))
