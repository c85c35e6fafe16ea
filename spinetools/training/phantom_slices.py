"""Axial training slices of the digital spine, in every contrast and along the whole spine."""

from __future__ import annotations

from collections.abc import Iterator

from spinetools.phantom import make_phantom, make_subject
from spinetools.training.slices import Slice, volume_slices

#: What each subject is imaged with: protocol, contrast (None: the protocol's), field of view.
SCANS: tuple[tuple[str, str | None, str | None], ...] = (
    ("t2_3d", None, None),
    ("t2_3d", "random", None),
    ("t2_3d", "t1", "thoracic"),
    ("t1_3d", None, None),
    ("t2s_axial", None, None),
    ("mt_axial", None, None),
    ("dwi_axial", None, None),
    ("dwi_axial", None, "thoracic"),
    ("t2s_axial", "random", None),
    ("t2_axial", None, None),
    ("t2_sagittal", None, None),
    ("t2_lumbar", None, None),
    ("t2_lumbar", "random", None),
    ("t2_lumbar", "t1", None),
    ("t2_3d", "t2", "thoracic"),
)
#: Neighbouring slices of one volume teach little new.
STEP_MM = 6.0


def phantom_slices(n_subjects: int, seed: int) -> Iterator[Slice]:
    """Image ``n_subjects`` random subjects and cut the images into slices.

    Parameters
    ----------
    n_subjects
        How many subjects.
    seed
        Their seeds are ``seed`` × 1000, + 1, + 2 …
    """
    for number in range(n_subjects):
        own = seed * 1000 + number
        subject = make_subject(own)
        for scan, (protocol, contrast, view) in enumerate(SCANS):
            phantom = make_phantom(
                own * 100 + scan, contrast, protocol, field_of_view=view, subject=subject
            )
            group = f"phantom {phantom.contrast} {view or protocol}"
            yield from volume_slices(
                phantom.image, phantom.cord_soft, group, labelled_only=False, step_mm=STEP_MM
            )
