"""The tissues that the digital spine is made of: one number each."""

from __future__ import annotations

from enum import IntEnum


class Tissue(IntEnum):
    """Tissue labels of a :class:`~spinetools.phantom.labels.LabelVolume`."""

    AIR = 0
    SKIN = 1
    FAT = 2
    MUSCLE = 3
    FAT_PLANE = 4  # thin fat or fascia between muscles
    CORTEX = 5  # cortical bone
    MARROW = 6  # trabecular bone of vertebral bodies
    ARCH_MARROW = 7  # trabecular bone of arches, processes, ribs
    ANNULUS = 8
    NUCLEUS = 9
    NUCLEUS_DARK = 10  # dehydrated disc
    EPIDURAL = 11  # epidural fat and veins
    LIGAMENT = 12
    CSF = 13
    WHITE_MATTER = 14  # of the cord
    GREY_MATTER = 15  # of the cord
    ROOT = 16  # nerve roots, cauda equina
    BRAIN_WHITE = 17
    BRAIN_GREY = 18
    BRAINSTEM = 19
    ARTERY = 20
    VEIN = 21
    LUNG = 22
    ORGAN = 23  # liver, spleen, glands
    KIDNEY = 24
    BOWEL = 25
    HEART = 26
    CARTILAGE = 27
    MUCOSA = 28  # walls of airway and gut, tongue
    FLUID = 29  # synovial fluid, vitreous, bladder
    BASIVERTEBRAL = 30  # vein at the back of a vertebral body
    SKULL_MARROW = 31
    FASCIA = 32  # thin fibrous sheets between muscles
    OEDEMA = 33  # watery marrow: Modic 1, recent fractures
    FATTY_MARROW = 34  # Modic 2, haemangioma
    SCLEROSIS = 35  # dense bone: Modic 3


N_TISSUES = len(Tissue)
