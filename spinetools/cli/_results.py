"""Small steps that segmenting commands share: empty results, points from files."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from spinetools.errors import NoSpineError

if TYPE_CHECKING:
    import argparse

    import numpy as np
    import numpy.typing as npt

    from spinetools.image import Image

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
