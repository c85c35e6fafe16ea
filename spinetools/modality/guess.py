"""MR or CT, and the contrast: one answer from all there is, and how sure it is."""

from __future__ import annotations

import os
from dataclasses import dataclass

from spinetools.image import Image
from spinetools.modality.classify import shipped
from spinetools.modality.features import Seen, look_at
from spinetools.modality.said import from_name, from_sidecar

#: What ``-c`` is for each contrast; none where no segmentation of the cord is made for it.
COMMAND = {"t1": "t1", "t2": "t2", "stir": "t2", "t2s": "t2s", "mt": "t2s", "dwi": "dwi"}
#: Contrasts that are told apart, and how they are written.
CONTRASTS = {
    "t1": "T1-weighted", "t2": "T2-weighted", "t2s": "T2*-weighted", "mt": "MT",
    "dwi": "diffusion-weighted", "pd": "proton density", "stir": "STIR", "dixon": "water-fat",
    "ct": "CT",
}  # fmt: skip
#: Probability from which an answer counts; below it, the answer is "not sure".
SURE = 0.8
#: Hounsfield units: this share of voxels is fat or air, and that one soft tissue.
_BELOW_AIR, _SOFT = 0.03, 0.10
#: Less than this share of negative voxels comes from interpolation.
_NO_NEGATIVES = 0.005
#: A contrast that is said, and that the image makes less likely than this, is contradicted.
_AGAINST = 0.01


@dataclass(frozen=True)
class Guess:
    """What an image is.

    Attributes
    ----------
    modality
        ``MR``, ``CT`` or ``not sure``.
    contrast
        One of :data:`CONTRASTS`, or ``not sure``.
    probability
        Of the likeliest contrast, from the image; 1 where it is said or Hounsfield units tell.
    command
        What ``-c`` should be; empty where that is not sure or there is none.
    source
        ``name``, ``sidecar``, ``Hounsfield units`` or ``image``.
    ranking
        Contrasts and their probabilities from the image, likeliest first.
    contradiction
        A sentence where what is said does not fit the image; else empty.
    """

    modality: str
    contrast: str
    probability: float
    command: str
    source: str
    ranking: tuple[tuple[str, float], ...] = ()
    contradiction: str = ""


def guess_contrast(
    image: Image, path: str | os.PathLike[str] | None = None, only_image: bool = False
) -> Guess:
    """Tell the modality and the contrast.

    The file's name and its sidecar count first; the image is asked in any case, and says so where
    it contradicts them.

    Parameters
    ----------
    image
        3D.
    path
        Its file; None for none.
    only_image
        Do not ask name and sidecar.

    Returns
    -------
    Guess
    """
    seen = look_at(image)
    from_image = _from_image(seen)
    if path is None or only_image:
        return from_image
    for source, contrast in (("sidecar", from_sidecar(path)), ("name", from_name(path))):
        if contrast:
            return _said(contrast, source, from_image)
    return from_image


def command_contrast(image: Image, path: str | os.PathLike[str]) -> Guess:
    """Tell what ``-c`` should be; name and sidecar settle it without a look at the image."""
    for source, contrast in (("sidecar", from_sidecar(path)), ("name", from_name(path))):
        if contrast:
            return _said(contrast, source, None)
    return guess_contrast(image)


def _said(contrast: str, source: str, other: Guess | None) -> Guess:
    """Believe what is said, and note where the image speaks against it."""
    against = ""
    ranking: tuple[tuple[str, float], ...] = ()
    if other is not None:
        ranking = other.ranking
        shares = dict(other.ranking)
        apart = COMMAND.get(contrast, contrast) != COMMAND.get(other.contrast, other.contrast)
        unlikely = shares.get(contrast, 0.0) < _AGAINST
        if other.contrast != "not sure" and apart and unlikely:
            against = (
                f"the {source} says {CONTRASTS[contrast]}, but the image looks "
                f"{CONTRASTS[other.contrast]} (probability {other.probability:.2f})"
            )
    modality = "CT" if contrast == "ct" else "MR"
    return Guess(modality, contrast, 1.0, COMMAND.get(contrast, ""), source, ranking, against)


def _from_image(seen: Seen) -> Guess:
    if seen.below_air >= _BELOW_AIR and seen.soft >= _SOFT:
        return Guess("CT", "ct", 1.0, "", "Hounsfield units", (("ct", 1.0),))
    shares, distance = shipped().probabilities(seen.features)
    ranking = tuple(sorted(shares.items(), key=lambda item: -item[1]))
    contrast, probability = ranking[0]
    if distance > shipped().farthest or seen.below_air > _NO_NEGATIVES:
        # unlike everything that the numbers were fitted to
        return Guess("not sure", "not sure", probability, "", "image", ranking)
    by_command: dict[str, float] = {}
    for name, share in ranking:
        word = COMMAND.get(name, "")
        by_command[word] = by_command.get(word, 0.0) + share
    command, share = max(by_command.items(), key=lambda item: item[1])
    # only Hounsfield units prove CT: fluid, fat and bone of a scan in other units could be MR's
    is_mr = shares.get("ct", 0.0) <= 1 - SURE
    return Guess(
        "MR" if is_mr else "not sure",
        contrast if probability >= SURE and is_mr else "not sure",
        probability,
        command if share >= SURE else "",
        "image",
        ranking,
    )
