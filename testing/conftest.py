"""Fixtures that all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of the real images: $SPINETOOLS_REAL_DATA, else ../shared/real beside the checkout."""
    named = os.environ.get("SPINETOOLS_REAL_DATA")
    folder = Path(named) if named else ROOT.parent / "shared" / "real"
    if not (folder / "manifest.tsv").exists():
        pytest.skip(f"no real images: {folder} has no manifest.tsv (set SPINETOOLS_REAL_DATA)")
    return folder
