"""What surrounds the spine, as tubes along the curve: plausible shapes, placed by typical anatomy.

Each row gives, at levels (0 top of C1, 7 top of T1, 19 top of L1, 24 top of the sacrum; negative
in the head), the tube's centre (right, front of the cord) and half-axes in mm, for a body of scale
one.
"""

from __future__ import annotations

from dataclasses import dataclass

from spinetools.phantom.tissues import Tissue

Knot = tuple[float, float, float, float, float]  # level, u, v, half-axis along u, along v


@dataclass(frozen=True)
class Tube:
    """A tube along the spine; ``mirrored`` ones exist on both sides.

    ``wall`` is a tissue and a thickness (mm) painted outside of it first.
    """

    tissue: Tissue
    knots: tuple[Knot, ...]
    mirrored: bool = False
    wall: tuple[Tissue, float] | None = None
    power: float = 2.0


#: Outline of neck and trunk: level, back, front (mm behind and before the cord), half width.
OUTLINE = (
    (-4.0, -50.0, 60.0, 50.0),
    (-2.0, -64.0, 96.0, 66.0),
    (0.0, -64.0, 102.0, 69.0),
    (1.5, -60.0, 98.0, 66.0),
    (2.5, -57.0, 84.0, 63.0),
    (3.5, -56.0, 62.0, 60.0),
    (5.0, -59.0, 56.0, 62.0),
    (6.0, -64.0, 58.0, 78.0),
    (7.0, -67.0, 62.0, 125.0),
    (8.0, -66.0, 74.0, 168.0),
    (9.5, -64.0, 92.0, 185.0),
    (12.0, -62.0, 125.0, 182.0),
    (15.0, -61.0, 148.0, 168.0),
    (19.0, -66.0, 150.0, 150.0),
    (22.0, -72.0, 140.0, 155.0),
    (24.0, -80.0, 138.0, 170.0),
    (26.5, -80.0, 134.0, 182.0),
    (30.0, -70.0, 130.0, 185.0),
)

#: Subcutaneous fat over its thickness at the lower back, by level.
FAT_BY_LEVEL = (
    (-3.0, 0.45), (0.0, 0.55), (4.0, 0.7), (6.5, 1.25), (9.0, 0.85), (14.0, 0.7), (19.0, 0.9),
    (24.0, 1.45), (29.0, 1.7),
)  # fmt: skip

T = Tissue

NECK = (
    # mouth: tongue and floor; nasopharynx, pharynx, larynx and trachea
    Tube(T.MUCOSA, ((-1.6, 0, 64, 20, 14), (-0.6, 0, 64, 25, 24), (1.4, 0, 60, 24, 24),
                    (2.2, 0, 56, 14, 14)), wall=(T.FAT_PLANE, 1.5)),
    Tube(T.AIR, ((-2.6, 0, 72, 14, 22), (-1.9, 0, 66, 15, 26), (-1.5, 0, 50, 12, 12)),
         wall=(T.MUCOSA, 3.0)),
    Tube(T.AIR, ((-1.7, 0, 38, 11, 7), (-0.5, 0, 35, 10, 5), (0.8, 0, 36, 11, 5),
                 (2.2, 0, 38, 12, 6), (3.1, 0, 41, 9, 6), (3.9, 0, 43, 4, 7), (4.3, 0, 44, 6.5, 7.5),
                 (5.5, 0, 44, 8, 8), (7.0, 0, 48, 8.5, 8), (9.0, 2, 55, 9, 8.5), (10.9, 3, 58, 9, 8)),
         wall=(T.CARTILAGE, 2.2)),
    Tube(T.AIR, ((10.7, 8, 57, 6, 6), (11.6, 24, 55, 6, 6)), wall=(T.CARTILAGE, 1.5)),
    Tube(T.AIR, ((10.7, -4, 57, 6, 6), (11.8, -26, 53, 5, 5)), wall=(T.CARTILAGE, 1.5)),
    Tube(T.MUCOSA, ((4.6, 0, 33, 6, 3.5), (7.0, -3, 36, 7, 4), (10.0, -4, 43, 7, 5),
                    (14.0, -5, 49, 8, 6), (17.8, -12, 58, 8, 7)), wall=(T.FAT_PLANE, 0.8)),
    Tube(T.ORGAN, ((4.6, 14, 43, 3, 5), (5.4, 16, 42, 8, 9), (6.6, 15, 43, 7, 8), (7.1, 14, 45, 2, 4)),
         mirrored=True),
    Tube(T.ORGAN, ((-0.6, 52, 30, 7, 10), (0.8, 50, 34, 10, 14), (2.0, 44, 42, 8, 10)), mirrored=True),
    # vessels
    Tube(T.ARTERY, ((-0.8, 26, 18, 2.4, 2.4), (1.0, 26, 26, 2.6, 2.6), (3.2, 26, 32, 3.6, 3.6),
                    (5.5, 23, 37, 3.4, 3.4), (7.5, 18, 45, 3.6, 3.6), (9.3, 12, 58, 4, 4)), mirrored=True),
    Tube(T.VEIN, ((-0.8, 31, 13, 4, 3.4), (1.0, 33, 22, 4.6, 4), (3.2, 35, 31, 5.6, 5),
                  (5.5, 32, 37, 6.5, 5.5), (7.6, 26, 48, 6.5, 5.5)), mirrored=True),
    Tube(T.ARTERY, ((0.9, 22, 4, 1.8, 1.8), (1.6, 17.5, 8, 1.9, 1.9), (2.5, 15.5, 10, 1.9, 1.9),
                    (6.0, 16.5, 11, 2, 2), (7.2, 19, 28, 2, 2)), mirrored=True),
    Tube(T.MUSCLE, ((-0.3, 56, -8, 7, 11), (1.5, 53, 8, 7, 13), (3.5, 46, 30, 7, 13),
                    (5.5, 34, 46, 6, 10), (7.0, 18, 55, 5, 5)), mirrored=True, wall=(T.FAT_PLANE, 1.2)),
    Tube(T.FAT, ((1.5, 42, 12, 5, 12), (3.5, 42, 12, 8, 14), (6.5, 46, 20, 12, 14)), mirrored=True),
)  # fmt: skip

CHEST = (
    Tube(T.FAT, ((6.8, 0, 52, 20, 12), (8.0, 0, 66, 24, 20), (10.0, 0, 82, 30, 34),
                 (13.0, 0, 95, 36, 42), (17.0, 0, 95, 40, 40), (18.0, 0, 95, 20, 20))),
    Tube(T.LUNG, ((7.3, 52, 28, 5, 6), (8.2, 62, 30, 34, 34), (10.0, 74, 40, 52, 52),
                  (13.0, 80, 56, 60, 74), (16.0, 80, 58, 61, 82), (17.4, 80, 36, 60, 60),
                  (18.6, 78, 2, 52, 22)), mirrored=True, power=2.3),
    Tube(T.HEART, ((11.5, -4, 92, 26, 22), (13.0, -18, 98, 48, 34), (15.0, -28, 100, 56, 38),
                   (16.6, -30, 100, 40, 30)), wall=(T.FAT_PLANE, 2.0)),
    Tube(T.ARTERY, ((9.9, -16, 52, 9, 12), (10.6, -20, 46, 11, 11), (12.0, -20, 40, 11, 11),
                    (15.0, -17, 42, 11, 11), (18.0, -9, 53, 10, 10), (20.0, -7, 62, 9, 9),
                    (22.7, -5, 62, 8.5, 8.5)), wall=(T.MUCOSA, 1.2)),
    Tube(T.ARTERY, ((9.8, -10, 60, 10, 10), (10.4, 2, 74, 12, 12), (11.5, 8, 92, 14, 14)),
         wall=(T.MUCOSA, 1.2)),
    Tube(T.VEIN, ((9.0, 20, 68, 8, 7), (11.5, 28, 82, 9, 9))),
    Tube(T.VEIN, ((11.0, 5, 41, 2.5, 2.5), (17.5, 6, 44, 2.5, 2.5))),
)  # fmt: skip

BELLY = (
    Tube(T.FAT, ((17.6, 0, 78, 96, 40), (18.6, 0, 78, 122, 58), (21.0, 0, 84, 124, 54),
                 (24.0, 0, 88, 126, 46), (27.0, 0, 82, 100, 44), (29.5, 0, 78, 90, 40)), power=2.4),
    Tube(T.ORGAN, ((15.8, 62, 74, 40, 38), (17.2, 66, 78, 62, 60), (19.0, 78, 74, 50, 56),
                   (20.8, 92, 70, 28, 40), (21.6, 98, 70, 8, 10))),
    Tube(T.ORGAN, ((16.6, -92, 40, 14, 20), (17.6, -96, 38, 24, 32), (18.8, -98, 40, 14, 20))),
    Tube(T.KIDNEY, ((18.4, 52, 16, 8, 10), (19.2, 58, 18, 24, 24), (20.4, 62, 20, 26, 25),
                    (21.4, 66, 24, 8, 10)), mirrored=True, wall=(T.FAT, 4.0)),
    Tube(T.ARTERY, ((22.5, 6, 60, 5, 5), (23.5, 20, 54, 5.5, 5.5), (25.0, 42, 42, 5, 5)), mirrored=True),
    Tube(T.VEIN, ((17.6, 16, 62, 10, 9), (20.0, 15, 62, 11, 9), (22.6, 14, 58, 11, 9))),
    Tube(T.VEIN, ((22.5, 10, 54, 8, 6), (23.5, 24, 47, 7, 6), (25.0, 46, 34, 6, 6)), mirrored=True),
    Tube(T.MUSCLE, ((18.8, 25, 18, 5, 8), (20.0, 31, 22, 11, 16), (21.5, 37, 26, 17, 20),
                    (23.0, 45, 32, 21, 21), (24.5, 54, 42, 20, 19), (27.0, 68, 62, 18, 16)),
         mirrored=True, wall=(T.FAT_PLANE, 1.5)),
    Tube(T.FAT, ((19.2, 56, -2, 20, 5), (22.0, 66, 2, 24, 6), (23.5, 68, 6, 20, 6)), mirrored=True),
    Tube(T.FLUID, ((26.5, 0, 88, 10, 8), (28.0, 0, 90, 34, 26), (29.5, 0, 90, 30, 24)),
         wall=(T.MUSCLE, 4.0)),
    Tube(T.BOWEL, ((25.6, -6, 48, 12, 10), (27.0, 0, 42, 18, 14), (29.0, 0, 36, 20, 16)),
         wall=(T.MUCOSA, 2.5)),
)  # fmt: skip
