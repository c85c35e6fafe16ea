"""Phantoms on tilted grids, and DICOM studies of them."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

pytest.importorskip("pydicom", reason="the extra dicom is not installed")
pytest.importorskip("highdicom", reason="the extra dicom is not installed")
pytest.importorskip("dcm2niix", reason="the extra dicom is not installed")

sys.path.insert(0, str(Path(__file__).resolve().parent))

from spinetools.image import Space
from spinetools.phantom import Phantom, make_phantom, make_subject

PLANES = ("sagittal", "axial", "coronal")
#: Directions of columns, rows and slices in NIfTI's world, as scanners have them.
_AXES = {
    "axial": [[-1, 0, 0], [0, -1, 0], [0, 0, 1]],
    "sagittal": [[0, -1, 0], [0, 0, -1], [-1, 0, 0]],
    "coronal": [[-1, 0, 0], [0, 0, -1], [0, 1, 0]],
}


def tilted_grid(plane: str, shape: tuple[int, int, int], spacing: tuple[float, ...]) -> Space:
    """A grid about the cord at T1, turned by some degrees about each axis."""
    turn = Rotation.from_euler("xyz", (7, -5, 12), degrees=True).as_matrix()
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.array(_AXES[plane], dtype=float).T * spacing
    subject = make_subject(7)
    s = float(np.interp(7, subject.profiles["level"], subject.curve.s))
    affine[:3, 3] = subject.curve.at(s) - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return Space(shape, affine)


@pytest.fixture(scope="session")
def phantom() -> Callable[[str], Phantom]:
    """``phantom(plane)``: a small T2 phantom, its axes columns, rows and slices of DICOM."""
    made: dict[str, Phantom] = {}

    def get(plane: str) -> Phantom:
        if plane not in made:
            space = tilted_grid(plane, (44, 52, 9), (1.6, 1.7, 3.3))
            made[plane] = make_phantom(7, "t2", space=space, subject=make_subject(7))
        return made[plane]

    return get


@pytest.fixture
def messages(caplog: pytest.LogCaptureFixture) -> Callable[[], str]:
    """What was logged so far."""
    caplog.set_level(logging.DEBUG, logger="spinetools")
    return lambda: "\n".join(record.getMessage() for record in caplog.records)


@pytest.fixture(autouse=True)
def no_temporary_files_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    """Temporary files go into a folder of the test, which is empty at its end."""
    import tempfile

    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    yield
    assert not list(place.iterdir())
