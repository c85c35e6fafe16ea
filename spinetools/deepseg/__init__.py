"""The cord by networks: a heatmap, a centreline, and a network on patches along it."""

from spinetools.deepseg.doubts import Doubt
from spinetools.deepseg.params import DeepsegParams
from spinetools.deepseg.segment import DeepsegResult, find_centreline, segment_cord

__all__ = ["DeepsegParams", "DeepsegResult", "Doubt", "find_centreline", "segment_cord"]
