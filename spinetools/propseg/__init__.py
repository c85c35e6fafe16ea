"""PropSeg: a tube-shaped mesh propagated along the cord and fitted to its edge."""

from spinetools.propseg.correct import drawn_places
from spinetools.propseg.params import PropsegParams
from spinetools.propseg.segment import PropsegResult, segment_cord

__all__ = ["PropsegParams", "PropsegResult", "drawn_places", "segment_cord"]
