"""Images that tiny networks can read, and those networks."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from coded import coded_image, save_networks

from spinetools.image import Image
from spinetools.phantom import make_subject

Coded = tuple[Image, Image, dict[int, str]]


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the coded networks."""
    return save_networks(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="session")
def lumbar() -> Coded:
    """T10 to the sacrum, 2 mm: image, structures, names."""
    return coded_image(make_subject(4, "normal"), (16.5, 25.5))


@pytest.fixture(scope="session")
def cervical() -> Coded:
    """Skull to T3, 2 mm."""
    return coded_image(make_subject(4, "normal"), (-1.0, 9.0))
