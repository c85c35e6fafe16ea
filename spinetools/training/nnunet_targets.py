"""What the nnU-Net datasets 101, 102 and 103 ask for, and how labels become their classes.

A voxel of the target holds the number of its class or, above these, a code for a set of classes:
where labels do not say which (``any_disc``: some disc, level unknown; ``unlabelled``: anything;
``no_disc``: anything else than a disc, where all discs are labelled and other things are not).
The loss (:mod:`spinetools.training.nnunet_loss`) then asks for the set as a whole. nnU-Net does not
know of the codes, and needs not to: its ``ignore`` is the set of all classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from spinetools.errors import InputError
from spinetools.labels import structures
from spinetools.models.classes import STEP1, STEP2, Levels, Step, channels, class_of
from spinetools.phantom.labels import structure_ids

UInt8Array = npt.NDArray[np.uint8]
Bools = npt.NDArray[np.bool_]

#: Sets of classes, by the name that labels may have instead of a structure's.
MERGED = ("unlabelled", "any_disc", "any_vertebra", "any_canal", "no_disc")
#: What those who label coarsely call the sets (SPIDER: 1 vertebra, 2 disc, 3 canal with the cord).
COARSE = {"vertebra": "any_vertebra", "disc": "any_disc", "canal": "any_canal"}
#: Discs of spines with one vertebra more or fewer that are what another disc is; of the others the
#: one-step dataset knows only that they are discs.
_SAME_DISC = {
    "disc_T13_L1": "disc_T12_L1",
    "disc_L6_S": "disc_L5_S",
    "disc_L4_S": "disc_L5_S",
}
_SET_PREFIXES = {
    "any_disc": ("disc",),
    "any_vertebra": ("vertebra", "sacrum"),
    "any_canal": ("cord", "canal", "spinal_"),
}


@dataclass(frozen=True)
class Dataset:
    """An nnU-Net dataset.

    Attributes
    ----------
    number
        nnU-Net's number.
    name
        What follows it in the folder's name.
    step
        Which step of the cascade it trains, or ``all`` for the one-step model.
    classes
        Meaning of the output's channels.
    channels
        Meaning of the input's channels, in nnU-Net's words.
    task
        For the model card.
    spacing_mm
        The network's voxel size. Worn discs (4 mm) are some voxels high, and a patch that a CPU
        core takes in under two seconds holds four lumbar vertebrae; step 1 sees more of the spine
        at a time, which names better, step 2 draws.
    """

    number: int
    name: str
    step: Step
    classes: tuple[str, ...]
    channels: tuple[str, ...]
    task: str
    spacing_mm: float

    @property
    def folder(self) -> str:
        """Name of its folder."""
        return f"Dataset{self.number}_{self.name}"

    @cached_property
    def sets(self) -> dict[int, tuple[int, ...]]:
        """Class numbers by code, for the codes that stand for several classes."""
        numbers = [tuple(range(len(self.classes)))]
        numbers += [tuple(channels(self.classes, *_SET_PREFIXES[name])) for name in MERGED[1:4]]
        numbers.append(tuple(sorted(set(numbers[0]) - set(numbers[1]))))
        return {len(self.classes) + i: some for i, some in enumerate(numbers)}

    def code(self, name: str, column: Levels) -> int:
        """Return class number or code of a structure of the label table, or of a name of MERGED.

        Raises
        ------
        InputError
            When the column has no such structure.
        """
        if name in MERGED:
            code = len(self.classes) + MERGED.index(name)
            some = self.sets[code]
            return some[0] if len(some) == 1 else code
        if self.step == "all":
            name = _SAME_DISC.get(name, name)
            if name not in self.classes and name.startswith("disc_"):
                return self.code("any_disc", column)
        found = class_of(name, column, self.step)
        if found not in self.classes:
            raise InputError(f"{self.folder} has no class for {name}")
        return self.classes.index(found)

    def target(
        self, labels: UInt8Array, names: Mapping[int, str], column: Levels, flipped: bool = False
    ) -> UInt8Array:
        """Turn a volume of labels into class numbers and codes.

        Parameters
        ----------
        labels
            Label values.
        names
            Structure's name, or a name of MERGED, by value; values without one are background.
        column
            The spine's count of vertebrae.
        flipped
            Whether odd and even change places (step 2 only): the network has to follow its second
            channel, which may have been counted wrongly.
        """
        lookup = np.zeros(256, dtype=np.uint8)
        for value in np.unique(labels):
            if int(value) in names:
                lookup[value] = self.code(names[int(value)], column)
        if flipped:
            lookup = self._flip[lookup]
        result: UInt8Array = lookup[labels]
        return result

    @cached_property
    def _flip(self) -> UInt8Array:
        table = np.arange(256, dtype=np.uint8)
        for kind in ("disc", "vertebra"):
            pair = [f"{kind}_odd", f"{kind}_even"]
            if pair[0] in self.classes:
                odd, even = (self.classes.index(name) for name in pair)
                table[odd], table[even] = even, odd
        return table


#: Every structure but the discs that only variants have: too few images would show them.
_ONE_STEP = (
    "background",
    *(s.name for s in structures() if s.kind in ("cord", "canal")),
    *(s.name for s in structures() if s.kind == "vertebra" or s.name in Levels().disc_names),
)
DATASETS = {
    101: Dataset(
        101, "SpineStep1", "step1", STEP1, ("MR",),
        "cord, canal, discs, vertebrae and four landmark discs of the spine", 1.5,
    ),
    102: Dataset(
        102, "SpineStep2", "step2", STEP2, ("MR", "noNorm"),
        "odd and even discs and vertebrae, landmarks, cord and canal, from an image and its odd "
        "discs", 1.25,
    ),
    103: Dataset(
        103, "SpineOneStep", "all", _ONE_STEP, ("MR",),
        "every vertebra and disc, sacrum, cord and canal in one step", 1.25,
    ),
}  # fmt: skip


def kinds_of(classes: tuple[str, ...]) -> tuple[tuple[int, ...], ...]:
    """Return the class numbers of discs and of vertebrae, where there are several classes of them.

    They look alike but for their place in the spine.
    """
    kinds = (tuple(channels(classes, *_SET_PREFIXES[name])) for name in MERGED[1:3])
    return tuple(kind for kind in kinds if len(kind) > 1)


def phantom_names() -> dict[int, str]:
    """Return the name of each structure of the digital spine by its label value."""
    return {value: name for name, value in structure_ids().items()}


def disc_mask(
    labels: UInt8Array, names: Mapping[int, str], column: Levels, flipped: bool = False
) -> Bools:
    """Mark the odd discs (flipped: the even ones), which step 2 reads in its second channel."""
    wanted = set(column.disc_names[1 if flipped else 0 :: 2])
    values = [value for value, name in names.items() if name in wanted]
    return np.isin(labels, values)
