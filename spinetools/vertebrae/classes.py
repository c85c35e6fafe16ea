"""Classes of the networks: they lie in a lower layer, because training needs them too."""

from spinetools.models.classes import (
    LANDMARK_DISCS,
    STEP1,
    STEP2,
    Step,
    channels,
    class_of,
    landmark_of_disc,
    landmark_of_vertebra,
    odd_discs,
    target,
)

__all__ = [
    "LANDMARK_DISCS",
    "STEP1",
    "STEP2",
    "Step",
    "channels",
    "class_of",
    "landmark_of_disc",
    "landmark_of_vertebra",
    "odd_discs",
    "target",
]
