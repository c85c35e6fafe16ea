"""Data that ships with spinetools; read with ``importlib.resources.files("spinetools.data")``."""
