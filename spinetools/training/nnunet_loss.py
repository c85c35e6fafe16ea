"""Cross-entropy and Dice for targets that do not always say which class a voxel is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import nn

#: Weight of the cross-entropy in which each class counts the same, at the start.
BALANCED = 0.1


class MarginalLoss(nn.Module):
    """Cross-entropy + Dice over the classes that are present.

    A target voxel holds a class number, or a code for a set of classes: then the probability of the
    set as a whole is asked for (Fidon 2021, label-set loss functions; Shi 2021, marginal loss). The
    set of all classes asks for nothing: such voxels are ignored.

    Dice is averaged over the classes and sets that occur, background left out: at one sample a
    batch most samples lack most classes, and a class that is absent has no Dice worth the name.

    Which disc a disc is weighs nothing beside where discs are: a landmark is one voxel in some
    hundred. So classes of one kind are also told apart by themselves: cross-entropy among their
    channels alone, over the voxels of that kind, with each class that occurs counted the same. It
    does not move outlines. (Without it the network knew no landmark after 3,000 iterations.)
    A class that is small and not yet known has next to no gradient from Dice, nor from voxels that
    all count the same: with a small weight, each class that occurs counts the same in a
    cross-entropy of its own. (Without it C2–C3 stayed bone, though told from other discs.) It makes
    small classes swell, discs a quarter too large on real images: ``balance`` should fade.

    Parameters
    ----------
    n_classes
        Output channels; class 0 is background.
    sets
        Class numbers by code.
    kinds
        Class numbers of each kind: the discs, the vertebrae.

    Attributes
    ----------
    balance
        Weight of the cross-entropy in which each class counts the same; may be changed.
    """

    def __init__(
        self,
        n_classes: int,
        sets: Mapping[int, Sequence[int]] | None = None,
        kinds: Sequence[Sequence[int]] = (),
    ) -> None:
        super().__init__()
        self.n_classes = n_classes
        self.balance = BALANCED
        self.kinds = tuple(tuple(kind) for kind in kinds)
        codes = max([n_classes - 1, *(sets or {})]) + 1
        allowed = torch.zeros(codes, n_classes, dtype=torch.bool)
        allowed[:n_classes] = torch.eye(n_classes, dtype=torch.bool)
        for code, some in (sets or {}).items():
            allowed[code, list(some)] = True
        self.allowed: torch.Tensor
        self.register_buffer("allowed", allowed)

    def forward(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return the loss.

        Parameters
        ----------
        logits
            (N, classes, spatial).
        target
            (N, 1, spatial), class numbers and codes.
        """
        codes = target[:, 0].long()
        allowed = self.allowed.to(codes.device)
        log = nn.functional.log_softmax(logits.float(), dim=1)
        present = torch.unique(codes)
        if int(present[-1]) < self.n_classes:
            entropy = nn.functional.nll_loss(log, codes)
        else:
            entropy = self._set_entropy(log, codes, allowed)
        loss = entropy + self._dice(log.exp(), codes, present, allowed)
        if self.kinds:
            every = range(1, self.n_classes)
            loss = loss + self.balance * self._within(log, codes, tuple(every))
        for kind in self.kinds:
            loss = loss + self._within(log, codes, kind, renew=True)
        return loss

    def _within(
        self, log: torch.Tensor, codes: torch.Tensor, classes: tuple[int, ...], renew: bool = False
    ) -> torch.Tensor:
        """Average the cross-entropy over classes; ``renew``: among these classes alone."""
        here = torch.isin(codes, torch.tensor(classes, device=codes.device))
        if not here.any():
            return log.sum() * 0
        # (voxels, classes)
        part = log.movedim(1, -1)[here][:, classes]
        part, wanted = part.log_softmax(dim=1) if renew else part, codes[here]
        terms = [
            -part[wanted == number, place].mean()
            for place, number in enumerate(classes)
            if (wanted == number).any()
        ]
        return torch.stack(terms).mean()

    def _set_entropy(
        self, log: torch.Tensor, codes: torch.Tensor, allowed: torch.Tensor
    ) -> torch.Tensor:
        known = ~allowed.all(dim=1)[codes]
        if not known.any():
            return log.sum() * 0
        # (voxels, classes) of those that say something
        voxels, wanted = log.movedim(1, -1)[known], allowed[codes[known]]
        return -voxels.masked_fill(~wanted, -torch.inf).logsumexp(dim=1).mean()

    def _dice(
        self,
        chance: torch.Tensor,
        codes: torch.Tensor,
        present: torch.Tensor,
        allowed: torch.Tensor,
    ) -> torch.Tensor:
        scores = []
        for code in present.tolist():
            own = allowed[code]
            if own[0]:  # background, or a set with it
                continue
            # a voxel counts where its own set lies within this one or wholly outside
            inside = ~(allowed & ~own).any(dim=1)
            decided = inside | ~(allowed & own).any(dim=1)
            mask = decided[codes]
            wanted = inside[codes] & mask
            got = chance[:, own].sum(dim=1) * mask
            overlap = (got * wanted).sum()
            scores.append((2 * overlap + 1e-5) / (got.sum() + wanted.sum() + 1e-5))
        if not scores:
            return chance.sum() * 0
        return 1 - torch.stack(scores).mean()
