"""Settings of the CNN segmentation, with the meaning of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kernel = Literal["2d", "3d"]
Contrast = Literal["t1", "t2", "t2s", "dwi", "any"]

#: Threshold that asks for the probability itself instead of a mask (SCT's value of ``-thr``).
SOFT = -1.0
#: Shipped network of each kernel.
NETWORKS: dict[Kernel, str] = {"2d": "cord_2d", "3d": "cord_3d"}
#: Shipped detector: tells cord and brain on axial slices.
DETECTOR = "cord_heatmap"
#: Contrasts that are usually taken without the head in view (SCT's defaults of ``-brain``). Where
#: the contrast is not told, the detector is asked for the brain: it tells none where none is.
WITHOUT_BRAIN = ("t2s", "dwi")


@dataclass(frozen=True)
class DeepsegParams:
    """Settings of :func:`spinetools.deepseg.segment_cord`.

    Attributes
    ----------
    kernel
        ``2d``: axial slices one by one; ``3d``: blocks along the cord. None: as ``model`` is, or
        ``2d``.
    model
        Name or path of the segmentation network; None: the shipped one.
    threshold
        Probability from which a voxel is cord; None: as the model's card says for the contrast;
        :data:`SOFT`: the result of interest is the probability, the card's threshold still cleans.
    tta
        Mean over mirrored, shifted and recoloured versions of each patch.
    uncertainty
        Also keep the disagreement of these versions (which implies ``tta``).
    largest
        Keep only the largest connected part of the cord.
    fill_holes
        Fill holes, slice by slice.
    smallest
        Parts smaller than this are removed: voxels, or mm³ where ``in_mm3``.
    in_mm3
        See ``smallest``.
    device
        Where the networks run, see :mod:`spinetools.infer.device`.
    """

    kernel: Kernel | None = None
    model: str | None = None
    threshold: float | None = None
    tta: bool = False
    uncertainty: bool = False
    largest: bool = False
    fill_holes: bool = True
    smallest: float = 0.0
    in_mm3: bool = False
    device: str = "auto"

    @property
    def is_soft(self) -> bool:
        """Whether the probability itself is asked for."""
        return self.threshold == SOFT

    @property
    def network(self) -> str:
        """Name or path of the segmentation network."""
        return self.model or NETWORKS[self.kernel or "2d"]


def brain_in_view(contrast: Contrast) -> bool:
    """Whether an image of this contrast is expected to show the brain."""
    return contrast not in WITHOUT_BRAIN
