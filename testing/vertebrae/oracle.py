"""Networks that know the truth: probabilities from the digital spine, spoilt on purpose.

They stand for trained networks where the pipeline behind them is tested: what they return has
soft edges, noise, merged neighbours, missing discs, false blobs and wrong landmarks, as asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from spinetools.image import Image, Space
from spinetools.phantom import Subject, paint_labels
from spinetools.phantom.labels import structure_ids
from spinetools.vertebrae.anatomy import Anatomy, anatomies
from spinetools.vertebrae.classes import LANDMARK_DISCS, STEP1, STEP2, class_of

F32 = npt.NDArray[np.float32]
KINDS = {"T13": "T13", "L6": "L6", "L4": "L4"}


@dataclass(frozen=True)
class Flaws:
    """What is wrong with a network's answer.

    Attributes
    ----------
    smooth
        Width of the soft edges, voxels.
    merged
        Discs (0 is C2–C3) that grow together with the next one below.
    missing
        Discs that are not seen.
    blobs
        Number of false discs.
    shifts
        Landmark disc's name to by how many discs it is off; None: not seen.
    hesitant
        Share of a landmark's probability that goes to plain discs.
    noise
        Standard deviation of noise on the logits.
    seed
        Of noise and blobs.
    """

    smooth: float = 0.7
    merged: tuple[int, ...] = ()
    missing: tuple[int, ...] = ()
    blobs: int = 0
    shifts: dict[str, int | None] = field(default_factory=dict)
    hesitant: float = 0.1
    noise: float = 0.0
    seed: int = 0


def anatomy_of(subject: Subject) -> Anatomy:
    """Return the count of vertebrae that a digital spine has."""
    wanted = KINDS.get(getattr(subject, "variant", ""), "")
    return next(kind for kind in anatomies() if kind.variant == wanted)


def truth_on(subject: Subject, space: Space) -> tuple[npt.NDArray[np.uint8], dict[int, str]]:
    """Paint a subject's structures; with the name of each value."""
    names = {value: name for name, value in structure_ids().items()}
    return paint_labels(subject, space).structure, names


@dataclass(frozen=True, eq=False)
class Oracle:
    """A network that looks the answer up.

    Attributes
    ----------
    truth
        Structures on some grid; looked up by nearest voxel.
    names
        Structure's name by value.
    anatomy
        The subject's count of vertebrae.
    step
        ``step1`` or ``step2``.
    """

    truth: Image
    names: dict[int, str]
    anatomy: Anatomy
    step: Any
    flaws: Flaws = Flaws()
    spacing_mm: float = 1.0
    name: str = "oracle"

    @property
    def classes(self) -> tuple[str, ...]:
        return STEP1 if self.step == "step1" else STEP2

    def probabilities(
        self, channels: F32, space: Space, mean_sd: tuple[float, float] | None = None
    ) -> F32:
        assert channels.shape[1:] == space.shape
        assert len(channels) == (1 if self.step == "step1" else 2)
        numbers = self._numbers(space)
        if self.step == "step2":
            numbers = self._follow(numbers, channels[1] > 0.5)
        flaws = self.flaws
        rng = np.random.default_rng([flaws.seed, len(self.classes)])
        shares = np.zeros((len(self.classes), *space.shape), np.float32)
        for number in np.unique(numbers):
            shares[number] = numbers == number
            if flaws.smooth:
                shares[number] = ndimage.gaussian_filter(shares[number], flaws.smooth)
        self._hesitate(shares)
        if flaws.noise:
            factor = np.exp(flaws.noise * rng.normal(size=shares.shape)).astype(np.float32)
            shares = (shares + 0.003) * factor
        shares /= shares.sum(axis=0)
        return shares

    def _look_up(self, space: Space) -> npt.NDArray[np.uint8]:
        own = self.truth.reorient(space.nib_codes)
        move = np.linalg.inv(own.space.affine) @ space.affine
        return ndimage.affine_transform(
            own.data, move[:3, :3], move[:3, 3], output_shape=space.shape, order=0,
            mode="constant",
        )  # fmt: skip

    def _numbers(self, space: Space) -> npt.NDArray[np.uint8]:
        found = self._look_up(space)
        numbers = np.zeros(space.shape, np.uint8)
        landmarks = self._landmarks()
        for value in np.unique(found[found > 0]):
            name = self.names[int(value)]
            numbers[found == value] = self._class(name, landmarks)
        numbers = self._spoil(numbers, found, space)
        return numbers

    def _landmarks(self) -> dict[str, str]:
        """Return the discs that the network takes for landmarks, with the landmark of each."""
        discs = self.anatomy.disc_names
        result = {}
        for i, name in enumerate(discs):
            called = class_of(name, self.anatomy, "step1")
            if called in LANDMARK_DISCS:
                shift = self.flaws.shifts.get(called, 0)
                if shift is not None and 0 <= i + shift < len(discs):
                    result[discs[i + shift]] = called
        return result

    def _class(self, name: str, landmarks: dict[str, str]) -> int:
        if name.startswith("disc_"):
            if name in landmarks:
                return self.classes.index(landmarks[name])
            if self.step == "step1":
                return self.classes.index("disc")
            number = self.anatomy.disc_names.index(name) + 3
            return self.classes.index(f"disc_{'odd' if number % 2 else 'even'}")
        called = class_of(name, self.anatomy, self.step)
        shifted = {"vertebra_T12": "disc_T12_L1", "vertebra_T1": "disc_C7_T1"}
        if self.step == "step2" and name.startswith("vertebrae_"):
            number = self.anatomy.vertebrae.index(name.removeprefix("vertebrae_"))
            for special, disc in shifted.items():
                shift = self.flaws.shifts.get(disc, 0)
                if called == special and shift != 0:
                    called = f"vertebra_{'even' if number % 2 else 'odd'}"
                elif shift and 0 <= number - shift < len(self.anatomy.vertebrae):
                    other = f"vertebrae_{self.anatomy.vertebrae[number - shift]}"
                    if class_of(other, self.anatomy, "step2") == special:
                        called = special
        return self.classes.index(called)

    def _spoil(
        self, numbers: npt.NDArray[np.uint8], found: npt.NDArray[np.uint8], space: Space
    ) -> npt.NDArray[np.uint8]:
        flaws, values = self.flaws, {name: value for value, name in self.names.items()}
        discs = self.anatomy.disc_names
        for i in flaws.missing:
            numbers[found == values.get(discs[i], 255)] = 0
        for i in flaws.merged:
            ends = [np.argwhere(found == values[discs[j]]) for j in (i, i + 1)]
            if all(len(end) for end in ends):
                a, b = (end.mean(axis=0) for end in ends)
                for t in np.linspace(0, 1, 60):
                    middle = np.rint(a + t * (b - a)).astype(int)
                    box = tuple(slice(max(m - 2, 0), m + 3) for m in middle)
                    numbers[box] = self.classes.index("disc" if self.step == "step1" else
                                                      "disc_odd")  # fmt: skip
        rng = np.random.default_rng([flaws.seed, 7])
        for _ in range(flaws.blobs):
            middle = rng.integers(6, np.maximum(np.array(space.shape) - 6, 7))
            box = tuple(slice(max(m - r, 0), m + r) for m, r in zip(middle, (5, 5, 3), strict=True))
            numbers[box] = self.classes.index("disc" if self.step == "step1" else "disc_even")
        return numbers

    def _follow(
        self, numbers: npt.NDArray[np.uint8], odd: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.uint8]:
        """Turn odd and even about where the second channel has them the other way round."""
        index = self.classes.index
        agree = np.count_nonzero(odd & (numbers == index("disc_odd")))
        against = np.count_nonzero(odd & (numbers == index("disc_even")))
        if against > agree:
            swap = np.arange(256, dtype=np.uint8)
            for kind in ("disc", "vertebra"):
                a, b = index(f"{kind}_odd"), index(f"{kind}_even")
                swap[a], swap[b] = b, a
            numbers = swap[numbers]
        return numbers

    def _hesitate(self, shares: F32) -> None:
        plain = next(i for i, name in enumerate(self.classes) if name in ("disc", "disc_odd"))
        for name in LANDMARK_DISCS:
            channel = self.classes.index(name)
            shares[plain] += self.flaws.hesitant * shares[channel]
            shares[channel] *= 1 - self.flaws.hesitant


@dataclass(frozen=True, eq=False)
class Cascade:
    """Two oracles on one truth."""

    step1: Oracle
    step2: Oracle | None
    region: Oracle | None = None


def cascade(
    truth: Image,
    names: dict[int, str],
    anatomy: Anatomy,
    flaws: Flaws = Flaws(),
    second: Flaws | None = None,
    spacing: float = 1.0,
) -> Cascade:
    """Make the oracles of both steps; the second one's flaws default to the first one's."""
    first = Oracle(truth, names, anatomy, "step1", flaws, spacing)
    return Cascade(first, replace(first, step="step2", flaws=second or flaws))
