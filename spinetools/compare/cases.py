"""What is compared, and what comes out of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from spinetools.qc.entry import Flag

#: A method's state on one image, from good to bad.
STATES = ("ok", "suspect", "failed")


@dataclass(frozen=True)
class Case:
    """One image with the segmentations of several methods.

    Attributes
    ----------
    image
        File.
    segmentations
        File by method; None, or a file that does not exist, where the method failed.
    subject
        Who was scanned: images of one subject are not independent of each other.
    contrast
        As the commands name it; empty where it is not known.
    reference
        A mask drawn by hand.
    levels, discs
        Labels on the image's grid that tell vertebral levels, as st_process_segmentation's
        ``-vertfile`` and ``-discfile``.
    """

    image: Path
    segmentations: Mapping[str, Path | None]
    subject: str
    contrast: str = ""
    reference: Path | None = None
    levels: Path | None = None
    discs: Path | None = None


@dataclass(frozen=True)
class SliceRow:
    """One method in one axial slice.

    Attributes
    ----------
    index
        The image's own voxel index, as viewers show it.
    place
        0 at the top of the cord as the methods have it together, 1 at its lower end.
    level
        Vertebral level (SCT's value, 1 is C1); 0 where it is not known.
    csa_mm2
        Area at right angles to the cord; NaN without mask.
    agreement
        Mean Dice with the other methods; NaN where there is no other.
    edge_mm
        Mean distance from the mask's edge to the image's; NaN without mask.
    dice
        With the reference; NaN without one, or where neither has a voxel.
    state
        ``ok``, ``missing`` (others have a mask here), ``implausible`` (no cord has this area) or
        ``disagreement`` (the methods differ, and this one fits the image's edge less well).
    """

    index: int
    place: float
    level: int
    csa_mm2: float
    agreement: float
    edge_mm: float
    dice: float
    state: str


@dataclass(frozen=True)
class Result:
    """One method on one image.

    Attributes
    ----------
    method
        Its name.
    state
        ``ok``; ``suspect``: somebody should look; ``failed``: no mask, or one of no use.
    reasons
        Why it is not ``ok``.
    expected
        Dice to be expected from the evidence; 0 where there is no mask, NaN where nothing could
        be judged.
    lacking_error
        Standard deviation of the error of the expectation.
    csa_mm2, volume_mm3, length_mm
        Mean area at right angles to the cord, volume, and extent from foot to head; NaN without
        mask.
    evidence
        By name; empty without mask.
    figures
        Against the reference, as :func:`spinetools.metrics.report.cord_report` names them; empty
        without one.
    flags
        As of the QC report.
    slices
        From the top down.
    """

    method: str
    state: str
    reasons: tuple[str, ...] = ()
    expected: float = 0.0
    lacking_error: float = 0.0
    csa_mm2: float = float("nan")
    volume_mm3: float = float("nan")
    length_mm: float = float("nan")
    evidence: Mapping[str, float] = field(default_factory=dict)
    figures: Mapping[str, float] = field(default_factory=dict)
    flags: tuple[Flag, ...] = ()
    slices: tuple[SliceRow, ...] = ()

    @property
    def dice(self) -> float:
        """Dice with the reference; NaN without one."""
        return self.figures.get("dice", float("nan"))


@dataclass(frozen=True)
class Pair:
    """How two methods agree on one image: all measures as against a reference, both ways alike."""

    first: str
    second: str
    dice: float
    hausdorff_mm: float
    hd95_mm: float
    mean_surface_distance_mm: float
    csa_difference_mm2: float


@dataclass(frozen=True)
class Compared:
    """A case with its results, in the order of its methods."""

    case: Case
    results: tuple[Result, ...]
    pairs: tuple[Pair, ...] = ()
    has_reference: bool = False

    def result(self, method: str) -> Result:
        """Return one method's result."""
        return next(result for result in self.results if result.method == method)


def methods_of(compared: Sequence[Compared]) -> tuple[str, ...]:
    """Return the names of all methods, in the order of their first appearance."""
    return tuple(dict.fromkeys(r.method for each in compared for r in each.results))
