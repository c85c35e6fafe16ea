"""Optional dependencies: a missing one names the extra that brings it."""

from __future__ import annotations

import importlib
from types import ModuleType

from spinetools.errors import MissingExtra


def require(module: str, extra: str) -> ModuleType:
    """Import an optional module.

    Parameters
    ----------
    module
        Dotted name, e.g. ``"torch"``.
    extra
        The extra of spinetools that installs it, e.g. ``"train"``.

    Returns
    -------
    module
        The imported module.

    Raises
    ------
    MissingExtra
        When the module is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise  # the module is there, but something that it needs itself is not
        raise MissingExtra(
            f"{module} is not installed, and this needs it: pip install 'spinetools[{extra}]'"
        ) from error
