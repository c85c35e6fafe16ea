"""Labelling every vertebra and disc, the sacrum, the cord and the canal."""

from spinetools.vertebrae.anchors import Known
from spinetools.vertebrae.api import label_vertebrae
from spinetools.vertebrae.engines import load_networks
from spinetools.vertebrae.label import LabelParams, label_spine
from spinetools.vertebrae.result import SpineLabels
from spinetools.vertebrae.segmenter import Segmentation, SpineSegmenter

__all__ = [
    "Known",
    "LabelParams",
    "Segmentation",
    "SpineLabels",
    "SpineSegmenter",
    "label_spine",
    "label_vertebrae",
    "load_networks",
]
