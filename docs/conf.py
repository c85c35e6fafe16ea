"""Sphinx configuration."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import architecture_picture  # noqa: E402
import command_pages  # noqa: E402
import model_pages  # noqa: E402
import peer_tables  # noqa: E402

from spinetools import __version__  # noqa: E402

project = "spinetools"
author = "The spinetools developers"
copyright = "The spinetools developers, Apache-2.0"
version = release = __version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
exclude_patterns = ["_build", "notes"]
root_doc = "index"
language = "en"
nitpicky = False

# API pages are read from the numpydoc docstrings; types stand in the signatures
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autosummary_generate = False
napoleon_google_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
python_use_unqualified_type_names = True

html_theme = "furo"
html_title = f"spinetools {__version__}"
html_static_path: list[str] = []
html_copy_source = False
html_show_sphinx = False

# a page for each command, written from its parser before Sphinx reads the sources
command_pages.write_all(HERE / "commands", HERE / "notes")
# and one for each model, from the card in its file
model_pages.write_all(HERE / "models")
# and the tables beside other programs, from the benchmark's results
peer_tables.write_all(HERE / "concepts" / "tables")
architecture_picture.write(HERE / "concepts" / "tables")
