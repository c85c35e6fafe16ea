"""How likely each contrast is: a Gaussian for each contrast and style over the features.

A discriminant analysis with few parameters, chosen over a network because it can be read, says how
far an image is from everything it knows, and copes with features that are not there (they are left
out of the Gaussians). ``testing/benchmark/calibrate_modality.py`` writes its numbers to
``data/contrasts.json``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import logsumexp

from spinetools.modality.features import FEATURES

FloatArray = npt.NDArray[np.float64]

#: Share of a kind's own covariance against that of all kinds together; factor on both, as real
#: images differ more from each other than simulated ones; least variance.
OWN, WIDER, LEAST = 0.5, 1.5, 0.03
#: An image may lie further out than those that the numbers were fitted to, by this factor: left
#: out of the fit, the real T2-weighted training images of the neck lay at 1.1 times their limit.
FARTHER = 1.2


@dataclass(frozen=True, eq=False)
class Kinds:
    """The Gaussians.

    Attributes
    ----------
    contrasts
        Of each kind (K).
    means, covariances
        (K, F) and (K, F, F).
    farthest
        Distance (squared, a feature) beyond which an image is like none of them.
    """

    contrasts: tuple[str, ...]
    means: FloatArray
    covariances: FloatArray
    farthest: float

    def probabilities(self, features: FloatArray) -> tuple[dict[str, float], float]:
        """Return the probability of each contrast, and the distance to the nearest kind.

        Each contrast is as likely beforehand as any other.
        """
        known = np.isfinite(features)
        likelihood, distance = [], []
        for mean, covariance in zip(self.means, self.covariances, strict=True):
            root = np.linalg.cholesky(covariance[np.ix_(known, known)])
            z = np.linalg.solve(root, (features - mean)[known])
            likelihood.append(-0.5 * float(z @ z) - float(np.log(np.diag(root)).sum()))
            distance.append(float(z @ z) / int(known.sum()))
        counts = np.array([self.contrasts.count(name) for name in self.contrasts])
        weights = np.array(likelihood) - np.log(counts)
        shares = np.exp(weights - logsumexp(weights))
        found: dict[str, float] = {}
        for name, share in zip(self.contrasts, shares, strict=True):
            found[name] = found.get(name, 0.0) + float(share)
        return found, min(distance)


def fit(kinds: list[tuple[str, FloatArray]]) -> dict[str, Any]:
    """Fit the Gaussians; returns what ``data/contrasts.json`` holds.

    Parameters
    ----------
    kinds
        Contrast, and features (N, F), of each kind.
    """
    centred = []
    means = []
    for _, rows in kinds:
        mean = np.nanmean(rows, axis=0)
        centred.append(np.where(np.isfinite(rows), rows - mean, 0.0))
        means.append(mean)
    pooled = sum(c.T @ c for c in centred) / sum(len(c) - 1 for c in centred)
    covariances = [
        WIDER * (OWN * c.T @ c / max(len(c) - 1, 1) + (1 - OWN) * pooled)
        + LEAST * np.eye(len(FEATURES))
        for c in centred
    ]
    lower = np.tril_indices(len(FEATURES))
    record: dict[str, Any] = {
        "features": list(FEATURES),
        "farthest": 0.0,
        "kinds": [
            {
                "contrast": name,
                "mean": [round(float(v), 3) for v in mean],
                "covariance": [round(float(v), 4) for v in covariance[lower]],
            }
            for (name, _), mean, covariance in zip(kinds, means, covariances, strict=True)
        ],
    }
    known = from_record(record)
    distances = [known.probabilities(row)[1] for _, rows in kinds for row in rows]
    record["farthest"] = round(FARTHER * float(np.percentile(distances, 99.5)), 3)
    return record


def from_record(record: dict[str, Any]) -> Kinds:
    """Read the Gaussians from what :func:`fit` returned."""
    lower = np.tril_indices(len(FEATURES))
    covariances = []
    for kind in record["kinds"]:
        matrix = np.zeros((len(FEATURES), len(FEATURES)))
        matrix[lower] = kind["covariance"]
        covariances.append(matrix + np.tril(matrix, -1).T)
    return Kinds(
        tuple(kind["contrast"] for kind in record["kinds"]),
        np.array([kind["mean"] for kind in record["kinds"]]),
        np.array(covariances),
        float(record["farthest"]),
    )


@lru_cache(maxsize=1)
def shipped() -> Kinds:
    """Return the Gaussians that ship with the package."""
    text = files("spinetools.data").joinpath("contrasts.json").read_text(encoding="utf-8")
    return from_record(json.loads(text))
