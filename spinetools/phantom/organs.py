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

    ``wall`` is a tissue and a thickness (mm) painted outside of it first; ``roughness`` dents the
    surface by some millimetres.
    """

    tissue: Tissue
    knots: tuple[Knot, ...]
    mirrored: bool = False
    wall: tuple[Tissue, float] | None = None
    power: float = 2.0
    roughness: float = 0.0


#: Outline of neck and trunk: level, back, front (mm behind and before the cord), half width.
OUTLINE = (
    (-4.0, -50.0, 60.0, 50.0),
    (-2.0, -64.0, 102.0, 66.0),
    (-1.2, -64.0, 104.0, 68.0),
    (-0.6, -64.0, 110.0, 69.0),
    (0.0, -63.0, 105.0, 69.0),
    (0.6, -62.0, 109.0, 68.0),
    (1.5, -60.0, 108.0, 66.0),
    (2.2, -58.0, 100.0, 64.0),
    (2.8, -57.0, 76.0, 62.0),
    (3.5, -56.0, 60.0, 60.0),
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

#: Above this level the outline's front is the face, which moves with the jaw; below, the neck.
FACE_ABOVE = 3.2

#: Subcutaneous fat over its thickness at the lower back, by level.
FAT_BY_LEVEL = (
    (-3.0, 0.45), (0.0, 0.55), (4.0, 0.7), (6.5, 1.25), (9.0, 0.85), (14.0, 0.7), (19.0, 0.9),
    (24.0, 1.45), (29.0, 1.7),
)  # fmt: skip

T = Tissue

NECK = (
    # mouth: tongue and floor; nasopharynx, pharynx, larynx and trachea
    Tube(T.MUCOSA, ((-1.6, 0, 64, 20, 14), (-0.6, 0, 64, 25, 24), (1.4, 0, 60, 24, 24),
                    (2.2, 0, 56, 14, 14)), wall=(T.FAT_PLANE, 1.5), roughness=1.5),
    Tube(T.FAT_PLANE, ((-0.2, 0, 74, 4, 9), (0.8, 0, 74, 7, 15), (1.5, 0, 70, 6, 13)),
         roughness=2.5),
    Tube(T.MUSCLE, ((-0.2, 0, 74, 2.5, 7), (0.8, 0, 74, 5, 12), (1.5, 0, 70, 4, 10)),
         roughness=2.5),
    # teeth
    Tube(T.CORTEX, ((-1.3, 0, 97, 20, 4), (-0.4, 0, 98, 21, 5), (0.5, 0, 96, 20, 4)),
         roughness=1.5),
    Tube(T.AIR, ((-2.6, 0, 72, 14, 22), (-1.9, 0, 66, 15, 26), (-1.5, 0, 50, 12, 12)),
         wall=(T.MUCOSA, 3.0), roughness=2.0),
    Tube(T.AIR, ((-1.7, 0, 38, 11, 7), (-0.5, 0, 35, 10, 5), (0.8, 0, 36, 11, 5),
                 (2.2, 0, 38, 12, 6), (3.1, 0, 41, 9, 6), (3.9, 0, 43, 4, 7),
                 (4.3, 0, 44, 6.5, 7.5), (5.5, 0, 44, 8, 8), (7.0, 0, 48, 8.5, 8),
                 (9.0, 2, 55, 9, 8.5), (10.9, 3, 58, 9, 8)),
         wall=(T.CARTILAGE, 2.2), roughness=0.7),
    Tube(T.AIR, ((10.5, 6, 58, 6, 6), (11.8, 26, 55, 6, 6)), wall=(T.CARTILAGE, 1.5)),
    Tube(T.AIR, ((10.5, -2, 58, 6, 6), (12.0, -28, 53, 5, 5)), wall=(T.CARTILAGE, 1.5)),
    Tube(T.MUCOSA, ((4.6, 0, 33, 6, 3.5), (7.0, -3, 36, 7, 4), (10.0, -4, 43, 7, 5),
                    (14.0, -5, 49, 8, 6), (17.8, -12, 58, 8, 7)),
         wall=(T.FAT_PLANE, 0.8), roughness=0.8),
    Tube(T.ORGAN, ((4.6, 14, 43, 3, 5), (5.4, 16, 42, 8, 9), (6.6, 15, 43, 7, 8),
                   (7.1, 14, 45, 2, 4)), mirrored=True, roughness=1.0),
    Tube(T.ORGAN, ((-0.9, 52, 24, 6, 8), (0.2, 52, 28, 9, 13), (1.4, 50, 36, 8, 12),
                   (2.2, 40, 46, 8, 9)), mirrored=True, roughness=2.0),
    # the jaw: branches at the sides, body in front
    Tube(T.CORTEX, ((-2.0, 46, 44, 3.5, 9), (-0.4, 46, 50, 4, 14), (0.8, 42, 58, 5, 16),
                    (1.4, 32, 72, 6, 12)), mirrored=True, roughness=0.8),
    Tube(T.CORTEX, ((0.2, 0, 92, 24, 5), (1.3, 0, 90, 24, 6)), roughness=0.8),
    # vessels
    Tube(T.ARTERY, ((-0.8, 26, 18, 2.4, 2.4), (1.0, 26, 26, 2.6, 2.6), (3.2, 26, 32, 3.6, 3.6),
                    (5.5, 23, 37, 3.4, 3.4), (7.5, 18, 45, 3.6, 3.6), (9.3, 12, 58, 4, 4)),
         mirrored=True),
    Tube(T.VEIN, ((-0.8, 31, 13, 4, 3.4), (1.0, 33, 22, 4.6, 4), (3.2, 35, 31, 5.6, 5),
                  (5.5, 32, 37, 6.5, 5.5), (7.6, 26, 48, 6.5, 5.5)), mirrored=True, roughness=0.8),
    Tube(T.ARTERY, ((0.9, 22, 4, 1.8, 1.8), (1.6, 17.5, 8, 1.9, 1.9), (2.5, 15.5, 10, 1.9, 1.9),
                    (6.0, 16.5, 11, 2, 2), (7.2, 19, 28, 2, 2)), mirrored=True),
    Tube(T.MUSCLE, ((-0.3, 56, -8, 6, 11), (1.5, 53, 8, 6.5, 13), (3.5, 46, 30, 6.5, 13),
                    (5.5, 34, 46, 6, 10), (7.0, 18, 55, 5, 5)),
         mirrored=True, wall=(T.FAT_PLANE, 0.9), roughness=1.2),
    Tube(T.FAT, ((1.0, 40, 16, 4, 7), (3.5, 40, 14, 5, 9), (6.5, 44, 22, 9, 10)), mirrored=True,
         roughness=2.5),
    Tube(T.ORGAN, ((1.5, 44, 18, 3, 4), (2.5, 44, 20, 3.5, 5), (3.2, 43, 22, 3, 4)), mirrored=True),
    Tube(T.VEIN, ((2.5, 40, 10, 2.2, 2.2), (5.0, 44, 24, 2.6, 2.6)), mirrored=True),
    # longus colli before the bodies
    Tube(T.MUSCLE, ((0.5, 6, 25, 5, 3.5), (3.0, 9, 26, 6, 4), (6.0, 11, 27, 6, 4.5),
                    (9.0, 9, 32, 5, 3)), mirrored=True, wall=(T.FAT_PLANE, 0.5)),
)  # fmt: skip

CHEST = (
    Tube(T.FAT, ((6.6, 0, 54, 16, 8), (8.0, 0, 66, 22, 18), (10.0, 0, 80, 28, 32),
                 (13.0, 0, 92, 34, 42), (17.0, 0, 95, 38, 40), (18.2, 0, 95, 26, 24)),
         roughness=4.0),
    Tube(T.LUNG, ((7.3, 52, 26, 12, 12), (8.2, 62, 26, 34, 34), (10.0, 74, 34, 52, 54),
                  (13.0, 80, 48, 60, 76), (16.0, 80, 48, 61, 84), (17.4, 80, 30, 60, 64),
                  (18.6, 78, 0, 52, 26)), mirrored=True, power=2.3),
    Tube(T.MUSCLE, ((11.5, -4, 92, 34, 28), (13.0, -18, 98, 56, 40), (15.0, -26, 100, 62, 42),
                    (17.0, -30, 100, 44, 34)), wall=(T.FAT_PLANE, 3.0), roughness=3.0),
    Tube(T.HEART, ((11.8, -12, 92, 20, 18), (13.2, -22, 98, 42, 28), (15.0, -28, 100, 46, 30),
                   (16.6, -32, 100, 30, 22)), roughness=4.0),
    Tube(T.ARTERY, ((9.9, -16, 52, 9, 12), (10.6, -20, 46, 11, 11), (12.0, -20, 40, 11, 11),
                    (15.0, -17, 42, 11, 11), (18.0, -9, 53, 10, 10), (20.0, -7, 62, 9, 9),
                    (22.7, -5, 62, 8.5, 8.5)), wall=(T.MUCOSA, 1.2)),
    Tube(T.ARTERY, ((9.8, -10, 60, 10, 10), (10.4, 2, 74, 12, 12), (11.8, 8, 92, 14, 14)),
         wall=(T.MUCOSA, 1.2)),
    Tube(T.VEIN, ((8.6, 18, 66, 7, 6), (11.8, 28, 82, 9, 9))),
    Tube(T.ARTERY, ((8.2, 8, 62, 5, 5), (9.8, 2, 66, 6, 6))),
    Tube(T.VEIN, ((11.0, 5, 41, 2.5, 2.5), (17.5, 6, 44, 2.5, 2.5))),
    Tube(T.ORGAN, ((11.0, 6, 64, 5, 5), (11.9, 8, 66, 7, 6))),
)  # fmt: skip

BELLY_FAT = Tube(
    T.FAT, ((17.4, 0, 78, 90, 36), (18.6, 0, 78, 120, 57), (21.0, 0, 84, 122, 53),
            (24.0, 0, 88, 124, 46), (27.0, 0, 82, 100, 44), (29.8, 0, 78, 90, 40)),
    power=2.4, roughness=3.0,
)  # fmt: skip

BELLY = (
    Tube(T.ORGAN, ((15.6, 62, 74, 44, 40), (17.2, 66, 76, 62, 60), (19.0, 78, 72, 50, 56),
                   (20.8, 92, 70, 28, 40), (21.6, 98, 70, 18, 20)), roughness=2.5),
    Tube(T.ORGAN, ((16.4, -92, 36, 20, 24), (17.6, -96, 34, 24, 32), (19.0, -98, 36, 18, 24)),
         roughness=2.0),
    Tube(T.BOWEL, ((16.6, -50, 96, 28, 24), (18.0, -46, 100, 36, 26), (19.6, -20, 104, 34, 18)),
         wall=(T.MUCOSA, 4.0), roughness=3.0),
    Tube(T.ORGAN, ((19.4, -30, 66, 34, 9), (20.2, 0, 76, 40, 10), (20.9, 26, 74, 16, 12)),
         roughness=2.5),
    Tube(T.KIDNEY, ((18.4, 52, 16, 18, 20), (19.2, 58, 18, 24, 24), (20.4, 62, 20, 26, 25),
                    (21.4, 66, 24, 20, 20)),
         mirrored=True, wall=(T.FAT, 4.0), roughness=1.5),
    Tube(T.FAT, ((19.0, 48, 22, 7, 8), (19.9, 50, 24, 10, 11), (20.9, 54, 26, 7, 8)),
         mirrored=True, roughness=2.0),
    Tube(T.ARTERY, ((22.5, 6, 60, 5, 5), (23.5, 20, 54, 5.5, 5.5), (25.0, 42, 42, 5, 5)),
         mirrored=True),
    Tube(T.VEIN, ((17.6, 16, 62, 10, 9), (20.0, 15, 62, 11, 9), (22.6, 14, 58, 11, 9))),
    Tube(T.VEIN, ((22.5, 10, 54, 8, 6), (23.5, 24, 47, 7, 6), (25.0, 46, 34, 6, 6)),
         mirrored=True),
    Tube(T.MUSCLE, ((16.8, 12, 50, 7, 5), (18.5, 14, 54, 8, 5), (20.8, 14, 46, 5, 4)),
         mirrored=True),
    Tube(T.MUSCLE, ((18.8, 25, 18, 5, 8), (20.0, 31, 22, 11, 16), (21.5, 37, 26, 17, 20),
                    (23.0, 45, 32, 21, 21), (24.5, 54, 42, 20, 19), (27.0, 68, 62, 18, 16)),
         mirrored=True, wall=(T.FAT_PLANE, 1.5), roughness=1.5),
    Tube(T.FAT, ((19.2, 56, -2, 20, 5), (22.0, 66, 2, 24, 6), (23.5, 68, 6, 20, 6)),
         mirrored=True, roughness=2.0),
    Tube(T.FLUID, ((26.5, 0, 88, 16, 14), (28.0, 0, 90, 34, 26), (29.5, 0, 90, 30, 24)),
         wall=(T.MUSCLE, 4.0), roughness=2.0),
    Tube(T.BOWEL, ((25.6, -6, 48, 12, 10), (27.0, 0, 42, 18, 14), (29.5, 0, 36, 20, 16)),
         wall=(T.MUCOSA, 2.5), roughness=2.5),
)  # fmt: skip

#: Arms: level, radius, how far in front of the cord (mm).
ARM = ((8.6, 44.0, -4.0), (12.0, 46.0, -2.0), (16.5, 42.0, 4.0), (18.5, 38.0, 12.0),
       (20.5, 40.0, 22.0), (24.0, 30.0, 34.0), (25.5, 26.0, 38.0))  # fmt: skip
