"""Classes of the networks: what each output channel means, for training and inference alike.

Odd and even follow the count along the spine from C1 (1): a vertebra is odd where its number is,
and a disc has the number of the vertebra below it (C2–C3 is 3, as SCT counts discs). The second
step is told which discs are odd by its second channel, so that the two kinds of structures that it
returns mean the same even where the first step has miscounted.

Two landmarks follow what they are, not how the count comes out in a spine with one vertebra too
many or too few: ``disc_T12_L1`` is the disc above the first lumbar vertebra (``vertebra_T12`` the
vertebra above that), ``disc_L5_S`` the one above the sacrum.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from spinetools.errors import InputError
from spinetools.labels import LEVELS

Step = Literal["step1", "step2", "all"]

#: Discs that a network names: they look unlike their neighbours.
LANDMARK_DISCS = ("disc_C2_C3", "disc_C7_T1", "disc_T12_L1", "disc_L5_S")

#: Output channels of step 1; its input is the image.
STEP1 = ("background", "cord", "canal", "disc", "vertebra", *LANDMARK_DISCS)

#: Output channels of step 2; its input is the image and a mask of the odd discs.
STEP2 = (
    "background", "cord", "canal", "disc_odd", "disc_even", "vertebra_odd", "vertebra_even",
    *LANDMARK_DISCS, "vertebra_C2", "vertebra_T1", "vertebra_T12", "sacrum",
)  # fmt: skip

#: Vertebrae that step 2 names, and the landmark class of each.
_LANDMARK_VERTEBRAE = {"vertebrae_C2": "vertebra_C2", "vertebrae_T1": "vertebra_T1"}


@dataclass(frozen=True)
class Levels:
    """A spine's free vertebrae and the discs between them.

    Attributes
    ----------
    vertebrae
        From C1 down; the sacrum follows.
    variant
        Name of the variant; empty for the usual count.
    """

    vertebrae: tuple[str, ...] = LEVELS
    variant: str = ""

    @property
    def disc_names(self) -> tuple[str, ...]:
        """Discs as the label table names them, from ``disc_C2_C3``."""
        pairs = (self.neighbours(i) for i in range(len(self.vertebrae) - 1))
        return tuple(f"disc_{above}_{below}" for above, below in pairs)

    @property
    def last_thoracic(self) -> str:
        """The vertebra above the first lumbar one."""
        return self.vertebrae[self.vertebrae.index("L1") - 1]

    def neighbours(self, disc: int) -> tuple[str, str]:
        """Return the levels above and below a disc (0 is C2–C3); ``S`` is the sacrum."""
        row = (*self.vertebrae, "S")
        return row[disc + 1], row[disc + 2]


def landmark_of_disc(anatomy: Levels, index: int) -> str | None:
    """Return the landmark class of an anatomy's disc (0 is C2–C3), or None."""
    above, below = anatomy.neighbours(index)
    if index == 0:
        return "disc_C2_C3"
    if below == "S":
        return "disc_L5_S"
    if below == "T1":
        return "disc_C7_T1"
    return "disc_T12_L1" if above[0] == "T" and below[0] == "L" else None


def landmark_of_vertebra(anatomy: Levels, level: str) -> str | None:
    """Return step 2's own class of a vertebra (``C2``, ``T1``, last thoracic, ``S``), or None."""
    if level == "S":
        return "sacrum"
    if level == anatomy.last_thoracic:
        return "vertebra_T12"
    return _LANDMARK_VERTEBRAE.get(f"vertebrae_{level}")


def class_of(name: str, anatomy: Levels, step: Step) -> str:
    """Return the class that a structure of the label table belongs to.

    Parameters
    ----------
    name
        As in the label table: ``vertebrae_C1``, ``disc_C2_C3``, ``sacrum``, ``spinal_cord`` …
    anatomy
        The spine's count of vertebrae.
    step
        ``step1``, ``step2``, or ``all`` (the one-step model: a class a structure).

    Raises
    ------
    InputError
        When the anatomy has no such structure.
    """
    if name in ("spinal_cord", "spinal_canal"):
        return name.removeprefix("spinal_") if step != "all" else name
    if step == "all":
        return name
    if name.startswith("disc_"):
        if name not in anatomy.disc_names:
            raise InputError(f"a spine of the kind {anatomy.variant!r} has no {name}")
        index = anatomy.disc_names.index(name)
        landmark = landmark_of_disc(anatomy, index)
        if landmark is not None:
            return landmark
        return "disc" if step == "step1" else _parity("disc", index + 3)
    level = "S" if name == "sacrum" else name.removeprefix("vertebrae_")
    if level != "S" and level not in anatomy.vertebrae:
        raise InputError(f"a spine of the kind {anatomy.variant!r} has no {name}")
    if step == "step1":
        return "vertebra"
    special = landmark_of_vertebra(anatomy, level)
    return special or _parity("vertebra", anatomy.vertebrae.index(level) + 1)


def target(
    structures: npt.NDArray[np.uint8], names: dict[int, str], anatomy: Levels, step: Step
) -> npt.NDArray[np.uint8]:
    """Turn a volume of structures into a volume of class numbers, to train on.

    Parameters
    ----------
    structures
        Label values.
    names
        Structure's name by label value; values without one are background.
    anatomy
        The spine's count of vertebrae.
    step
        ``step1`` or ``step2``.
    """
    classes = STEP1 if step == "step1" else STEP2
    lookup = np.zeros(256, dtype=np.uint8)
    for value in np.unique(structures):
        if int(value) in names:
            lookup[value] = classes.index(class_of(names[int(value)], anatomy, step))
    result: npt.NDArray[np.uint8] = lookup[structures]
    return result


def odd_discs(
    structures: npt.NDArray[np.uint8], names: dict[int, str], anatomy: Levels
) -> npt.NDArray[np.bool_]:
    """Mark the odd discs of a volume of structures: step 2's second channel, in training."""
    odd = [anatomy.disc_names[i] for i in range(len(anatomy.disc_names)) if i % 2 == 0]
    values = [value for value, name in names.items() if name in odd]
    return np.isin(structures, values)


def channels(classes: Sequence[str], *wanted: str) -> list[int]:
    """Return the numbers of the channels whose names start with one of ``wanted``."""
    return [i for i, name in enumerate(classes) if name.startswith(wanted)]


def _parity(kind: str, number: int) -> str:
    return f"{kind}_{'odd' if number % 2 else 'even'}"
