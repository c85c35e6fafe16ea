"""The digital spine: seeded random subjects, imaged in any contrast, with exact ground truth."""

from spinetools.phantom.acquisition import (
    Acquisition,
    draw_acquisition,
    fine_space,
    simulate,
)
from spinetools.phantom.anatomy import make_subject
from spinetools.phantom.contrast import CONTRASTS, draw_table
from spinetools.phantom.generate import Phantom, make_phantom
from spinetools.phantom.labels import LabelVolume, paint_labels
from spinetools.phantom.protocols import (
    FIELDS_OF_VIEW,
    PROTOCOLS,
    Protocol,
    get_protocol,
    place_grid,
    seen_through,
)
from spinetools.phantom.subject import Subject
from spinetools.phantom.variants import VARIANTS

__all__ = [
    "CONTRASTS",
    "FIELDS_OF_VIEW",
    "PROTOCOLS",
    "VARIANTS",
    "Acquisition",
    "LabelVolume",
    "Phantom",
    "Protocol",
    "Subject",
    "draw_acquisition",
    "draw_table",
    "fine_space",
    "get_protocol",
    "make_phantom",
    "make_subject",
    "paint_labels",
    "place_grid",
    "seen_through",
    "simulate",
]
