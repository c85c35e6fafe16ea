"""spinetools: a toolbox for spinal cord and spine MRI."""

from spinetools._version import __version__

__all__ = ["__version__"]
