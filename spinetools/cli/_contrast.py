"""What ``-c`` is where it is left out, and how the answer is written."""

from __future__ import annotations

import argparse
import logging
from typing import TYPE_CHECKING

from spinetools.errors import InputError

if TYPE_CHECKING:
    from spinetools.image import Image
    from spinetools.modality import Guess

logger = logging.getLogger(__name__)

#: Columns of the table of ``st_get_modality``.
COLUMNS = ("image", "modality", "contrast", "probability", "c", "source", "second", "contradiction")


def settle_contrast(args: argparse.Namespace, image: Image, otherwise: str | None = "any") -> None:
    """Set ``-c`` where it was left out, and say in one line what it is and why.

    Parameters
    ----------
    args
        With ``c``, which may be None, and ``i``.
    image
        Of ``-i``.
    otherwise
        What ``-c`` becomes where nothing is sure; None: the user has to say.

    Raises
    ------
    InputError
        When nothing is sure and there is nothing else to take.
    """
    from spinetools.modality import command_contrast

    if args.c is not None:
        return
    guess = command_contrast(image, args.i)
    if guess.command:
        logger.info("-c is left out: %s, as %s", guess.command, _why(guess))
        args.c = guess.command
    elif otherwise is not None:
        logger.info("-c is left out: %s, as %s", otherwise, _why(guess))
        args.c = otherwise
    else:
        raise InputError(f"-c is left out, and {_why(guess)}; say which contrast it is: -c")


def _why(guess: Guess) -> str:
    from spinetools.modality import CONTRASTS

    if guess.source in ("name", "sidecar"):
        return f"the {guess.source} says {CONTRASTS[guess.contrast]}"
    if guess.modality == "CT":
        return f"the image is CT ({guess.source})"
    named = CONTRASTS.get(guess.contrast, "")
    if named:
        return f"the image looks {named} (probability {guess.probability:.2f})"
    likely = " or ".join(CONTRASTS[name] for name, share in guess.ranking[:2] if share >= 0.1)
    if guess.command:
        return f"the image looks {likely}"
    return f"the image does not tell its contrast for sure (perhaps {likely})"


def in_words(guess: Guess) -> str:
    """Write an answer in one line."""
    from spinetools.modality import CONTRASTS

    contrast = CONTRASTS.get(guess.contrast, "contrast not sure")
    parts = [guess.modality] if guess.contrast == "ct" else [guess.modality, contrast]
    if guess.source in ("name", "sidecar"):
        parts.append(f"as the {guess.source} says")
    elif guess.source == "image":
        shares = [f"{CONTRASTS[name]} {share:.2f}" for name, share in guess.ranking[:3]]
        parts.append(f"from the image ({', '.join(shares)})")
    else:
        parts.append(f"from its {guess.source}")
    words = ", ".join(parts) + f"; -c {guess.command or 'not sure'}"
    return words + (f". Look: {guess.contradiction}" if guess.contradiction else "")


def row_of(path: str, guess: Guess) -> list[str]:
    """Return the table's row."""
    second = f"{guess.ranking[1][0]} {guess.ranking[1][1]:.3f}" if len(guess.ranking) > 1 else "n/a"
    return [
        path, guess.modality, guess.contrast, f"{guess.probability:.3f}", guess.command or "n/a",
        guess.source, second, guess.contradiction or "n/a",
    ]  # fmt: skip
