"""The version, alone in a module without imports so that ``st_x -h`` stays fast."""

__version__ = "0.1.0"
