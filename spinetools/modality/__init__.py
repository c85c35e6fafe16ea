"""MR or CT, and the likely contrast: from what an image shows, and what is said of it."""

from spinetools.modality.guess import CONTRASTS, Guess, command_contrast, guess_contrast

__all__ = ["CONTRASTS", "Guess", "command_contrast", "guess_contrast"]
