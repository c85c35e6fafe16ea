"""Small steps that segmenting commands share: empty results, masks and centrelines from files."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeVar

from spinetools.errors import InputError, NoSpineError

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from spinetools.centerline import Centreline
    from spinetools.image import Image, Space

logger = logging.getLogger(__name__)
Result = TypeVar("Result")


def unless_empty(args: argparse.Namespace, find: Callable[[], Result]) -> Result | None:
    """Run a search for the cord; with ``-allow-empty``, finding none is a warning and gives None.

    Raises
    ------
    NoSpineError
        When nothing is found and the user did not allow for it.
    """
    try:
        return find()
    except NoSpineError as error:
        if not args.allow_empty:
            raise NoSpineError(
                f"{error} (-allow-empty writes an empty mask instead of this error)"
            ) from error
        logger.warning("%s; writing an empty mask, as -allow-empty says", error)
        return None


def labelled_points(path: str, image: Image) -> npt.NDArray[np.float64]:
    """Read the places of a file's non-zero voxels, as voxel coordinates of the image (N, 3)."""
    import numpy as np

    from spinetools.image import load_mask

    labels = load_mask(path)
    image.space.check_same(labels.space, (image.name, labels.name))
    return np.argwhere(labels.data != 0).astype(np.float64)


def empty_like(image: Image) -> Image:
    """Return an empty mask on the image's grid."""
    import numpy as np

    return image.like(np.zeros(image.shape, dtype=np.uint8))


def mask_on(image: Image, path: str) -> Image:
    """Load a mask that has to share the image's grid."""
    from spinetools.image import load_mask

    mask = load_mask(path)
    image.space.check_same(mask.space, (image.name, mask.name))
    return mask


def centreline_on(image: Image, path: str) -> Centreline:
    """Read a centreline: a mask, labels on the cord, or the CSV that st_get_centerline writes.

    The CSV's coordinates are voxels of the image, unless the sidecar beside it says that they are
    millimetres in the scanner: then it may come from another image of the same session, of which
    only the part inside this one is used.

    Raises
    ------
    InputError
        When the file cannot be read, or holds no place inside the image.
    """
    import numpy as np

    from spinetools.centerline import centreline_through, fitted_centreline

    if not path.lower().endswith(".csv"):
        mask = mask_on(image, path)
        # the values of labels are names, those of a soft centreline weights
        weights = mask if mask.data.dtype.kind == "f" else mask.like(mask.data != 0)
        return fitted_centreline(weights)
    rows, in_mm = _rows(path)
    if not in_mm:
        return centreline_through(image, image.space.to_world(rows))
    voxels = image.space.to_voxel(rows)
    inside = ((voxels > -0.5) & (voxels < np.array(image.shape) - 0.5)).all(axis=1)
    if not inside.any():
        raise InputError(f"no point of {path} lies inside {image.name}; check their spaces")
    if not inside.all():
        logger.info("%d of %d points of %s lie inside the image", inside.sum(), len(rows), path)
    return centreline_through(image, rows[inside])


def _rows(path: str) -> tuple[npt.NDArray[np.float64], bool]:
    """Read x,y,z a row, and whether they are in mm."""
    from contextlib import suppress
    from pathlib import Path

    import numpy as np

    from spinetools.files import parse_json, sidecar_path

    try:
        rows = np.loadtxt(path, delimiter=",", ndmin=2, encoding="utf-8")
    except (ValueError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is no table of x,y,z a row: {error}") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error
    if rows.shape[0] == 0 or rows.shape[1] != 3 or not np.isfinite(rows).all():
        raise InputError(f"{path} has {rows.shape} numbers, expected x,y,z in each of its rows")
    with suppress(OSError, ValueError, AttributeError):
        said = parse_json(sidecar_path(Path(path)).read_text(encoding="utf-8"))
        return rows, said.get("Coordinates") == "phys"
    return rows, False


def model_record(path: Path) -> dict[str, str]:
    """Return what a sidecar says of a model, so that a result can be made again."""
    from spinetools.models.store import model_identity

    return dict(zip(("Name", "Version", "SHA256"), model_identity(path), strict=True))


def native_slice(space: Space, number: int) -> int:
    """Turn a slice counted from the lowest into the image's own voxel index."""
    axis = next(n for n, code in enumerate(space.nib_codes) if code in "SI")
    return number if space.nib_codes[axis] == "S" else space.shape[axis] - 1 - number


def ranges(numbers: Iterable[int]) -> str:
    """Write sorted numbers shortly: ``3, 7–9``."""
    groups: list[list[int]] = []
    for number in numbers:
        if groups and number == groups[-1][-1] + 1:
            groups[-1].append(number)
        else:
            groups.append([number])
    return ", ".join(f"{g[0]}" if len(g) == 1 else f"{g[0]}–{g[-1]}" for g in groups)
