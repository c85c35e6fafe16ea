"""Paint the head above the spine: skull, brain, brainstem and the cisterns round it."""

from __future__ import annotations

import numpy as np

from spinetools.phantom.field import Field, waves
from spinetools.phantom.paint import Box, Canvas
from spinetools.phantom.shapes import F32, ellipse
from spinetools.phantom.tissues import Tissue

#: Brainstem: mm above the foramen magnum, centre in front of the line, half-axes across and along.
_BRAINSTEM = (
    (0.0, 0.0, 0.0, 0.0),  # replaced by the cord's own size
    (14.0, 0.5, 7.0, 6.0),
    (26.0, 1.5, 9.0, 7.0),
    (34.0, 4.5, 15.0, 11.5),
    (48.0, 5.0, 17.0, 12.5),
    (58.0, 3.0, 13.0, 10.0),
    (72.0, 2.0, 16.0, 10.0),
    (84.0, 2.0, 20.0, 12.0),
)

#: All that belongs to the head lies above this, mm below the top of C1.
_LOWEST_MM = 12.0


def paint_head(canvas: Canvas, field: Field) -> None:
    """Paint skull and brain where the grid reaches above the top of C2."""
    scale = field.subject.habitus.scale
    box = field.box_above(_LOWEST_MM)
    if box is None:
        return
    cerebrum = field.ball((0, 16, 88), (66, 86, 62), box)
    fossa = field.ball((0, -22, 34), (52, 44, 36), box)
    cavity = np.minimum(cerebrum, fossa)
    below = field.s[box] + 2  # the skull ends at the foramen magnum
    clivus = field.ball((0, 21 + 6, 24), (14, 9, 26), box)
    petrous: F32 = np.minimum(
        field.ball((42, 4, 34), (20, 12, 14), box), field.ball((-42, 4, 34), (20, 12, 14), box)
    )
    bone: F32 = np.minimum(np.maximum(cavity - 6.5, below), np.minimum(clivus, petrous))
    face: F32 = np.minimum(
        field.ball((34, 84, 58), (14, 13, 13), box), field.ball((-34, 84, 58), (14, 13, 13), box)
    )
    canvas.paint(box, face - 3, Tissue.FAT)
    canvas.paint(box, face, Tissue.FLUID)
    canvas.paint(box, bone, Tissue.CORTEX)
    marrow: F32 = np.maximum(bone, 1.8 - cavity)
    canvas.paint(box, marrow + np.float32(1.6), Tissue.SKULL_MARROW)
    canvas.paint(box, petrous + 3, Tissue.CORTEX)
    canvas.paint(box, cavity, Tissue.CSF)
    folds = np.abs(field.lattice.spread(waves(field, 11, 26.0, 30.0))[box])
    leaves = _folia(field, box)
    folds = np.where(fossa < cerebrum, leaves, folds)
    cortex = np.maximum(cavity + 2.5, 0.6 - folds * 3.0)
    tent = np.abs(field.s[box] + 58 * scale - 0.25 * field.v[box]) - 1.2
    gap = np.maximum(tent, field.v[box] - 5)
    grey = np.maximum(cortex, -gap)
    canvas.paint(box, grey, Tissue.BRAIN_GREY)
    canvas.paint(box, np.maximum(grey + 3.0, 2.2 - folds * 3.0), Tissue.BRAIN_WHITE)
    _paint_brainstem(canvas, field, box)


def _folia(field: Field, box: Box) -> F32:
    """Distance-like field of the cerebellum's leaves: thin sheets that curve about its middle."""
    scale = np.float32(field.subject.habitus.scale)
    y, z = field.v[box] + 22 * scale, -field.s[box] - 30 * scale
    bent = field.lattice.spread(waves(field, 14, 40.0, 40.0))[box]
    turns = np.arctan2(z, -y) * np.float32(9) + np.sqrt(y * y + z * z) / (6 * scale) + bent
    leaves: F32 = np.abs(np.sin(turns)).astype(np.float32)
    return leaves


def _paint_brainstem(canvas: Canvas, field: Field, box: Box) -> None:
    subject = field.subject
    scale, p = subject.habitus.scale, subject.profiles
    above = -subject.curve.s
    height, centre, a, b = np.array(_BRAINSTEM).T * scale
    a[0] = subject.profile("cord_rl", 0.0) / 2
    b[0] = subject.profile("cord_ap", 0.0) / 2
    v = field.v[box] - field.along(np.interp(above, height, centre), box)
    half_a, half_b = (field.along(np.interp(above, height, half), box) for half in (a, b))
    stem = ellipse(field.u[box], v, half_a, half_b)
    inside = np.maximum(field.s[box] - 1.5, -field.s[box] - float(height[-1]))
    funnel_v = field.v[box] - field.along(p["sac_v"] - np.clip(above, 0, 30) * 0.15, box)
    funnel = ellipse(
        field.u[box], funnel_v, field.along(p["sac_rl"] / 2, box), field.along(p["sac_ap"] / 2, box)
    )
    cistern = np.maximum(funnel, np.maximum(field.s[box] - 1.5, -field.s[box] - 34 * scale))
    prepontine = np.maximum(ellipse(field.u[box], v - 2, half_a + 5, half_b + 3), inside)
    canvas.paint(box, np.minimum(cistern, prepontine), Tissue.CSF)
    canvas.paint(box, np.maximum(stem, inside), Tissue.BRAINSTEM)
    ventricle = field.ball((0, -8, 40), (8, 4, 14), box)
    canvas.paint(box, ventricle, Tissue.CSF)
