"""The loss for targets that name a class, a set of classes, or nothing."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="needs torch (extra 'train')")

from spinetools.training.nnunet_loss import BALANCED, MarginalLoss  # noqa: E402

SETS = {4: (0, 1, 2, 3), 5: (2, 3)}


def logits(seed: int = 0, shape: tuple[int, ...] = (1, 4, 6, 5, 7)) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def target(seed: int = 1, n: int = 4) -> torch.Tensor:
    return torch.randint(0, n, (1, 1, 6, 5, 7), generator=torch.Generator().manual_seed(seed))


def test_plain_targets_give_cross_entropy_and_dice() -> None:
    x, y = logits(), target()
    loss = MarginalLoss(4, SETS)(x, y)
    chance = x.softmax(dim=1)
    scores = []
    for c in (1, 2, 3):
        wanted = (y[:, 0] == c).float()
        scores.append(2 * (chance[:, c] * wanted).sum() / (chance[:, c].sum() + wanted.sum()))
    expected = torch.nn.functional.cross_entropy(x, y[:, 0]) + 1 - sum(scores) / 3
    assert loss.item() == pytest.approx(expected.item(), abs=1e-4)


def test_an_absent_class_has_no_dice() -> None:
    x, y = logits(), target().clamp(max=1)
    parts = MarginalLoss(4)(x, y) - torch.nn.functional.cross_entropy(x, y[:, 0])
    chance, wanted = x.softmax(dim=1)[:, 1], (y[:, 0] == 1).float()
    only = 1 - 2 * (chance * wanted).sum() / (chance.sum() + wanted.sum())
    assert parts.item() == pytest.approx(only.item(), abs=1e-4)


def test_what_is_unlabelled_changes_nothing() -> None:
    y = target()
    y[..., 3:] = 4
    x, other = logits(0), logits(0)
    other[..., 3:] = logits(7)[..., 3:] * 5
    loss = MarginalLoss(4, SETS)
    assert loss(x, y).item() == pytest.approx(loss(other, y).item(), abs=1e-6)
    x.requires_grad_()
    loss(x, y).backward()
    assert x.grad is not None
    assert x.grad[..., 3:].abs().max() == 0
    assert x.grad[..., :3].abs().max() > 0


def test_nothing_known_is_nothing_learnt() -> None:
    x = logits().requires_grad_()
    value = MarginalLoss(4, SETS)(x, torch.full((1, 1, 6, 5, 7), 4))
    value.backward()
    assert value.item() == 0
    assert x.grad is not None
    assert x.grad.abs().max() == 0


def test_a_class_where_there_is_surely_none_costs() -> None:
    """All but class 1, say: the other classes may be there as they like, class 1 costs."""
    y = target().clamp(max=1)
    y[..., 3:] = 6
    loss = MarginalLoss(4, {**SETS, 6: (0, 2, 3)})

    def with_class(number: int) -> float:
        x = logits(0)
        x[:, number, ..., 3:] += 8
        return float(loss(x, y))

    assert with_class(2) == pytest.approx(with_class(3), abs=0.02)
    assert with_class(1) > with_class(2) + 1


def test_a_set_asks_for_its_sum_and_not_for_one_of_its_classes() -> None:
    y = torch.full((1, 1, 2, 2, 2), 5)
    y[0, 0, 0] = 1
    loss = MarginalLoss(4, SETS)

    def with_choice(share: float) -> torch.Tensor:
        chance = torch.full((1, 4, 2, 2, 2), 0.01)
        chance[:, 1, 0] = 0.97
        chance[:, 2, 1], chance[:, 3, 1] = 0.98 * share, 0.98 * (1 - share)
        return chance.clamp(min=1e-6).log()

    assert loss(with_choice(0.5), y).item() == pytest.approx(
        loss(with_choice(0.9), y).item(), abs=1e-3
    )
    wrong = with_choice(0.5)
    wrong[:, 0, 1] = 5.0
    assert loss(wrong, y) > loss(with_choice(0.5), y) + 1


def test_a_class_s_dice_leaves_out_voxels_of_a_set_with_it() -> None:
    """A voxel that may be class 2 or 3 says nothing on whether class 2 is there."""
    y = target(n=3)
    y[..., 0] = 5
    x, other = logits(), logits()
    # within the set's voxels the two classes change places
    other[:, [2, 3], :, :, 0] = x[:, [3, 2], :, :, 0]
    loss = MarginalLoss(4, SETS)
    assert loss(x, y).item() == pytest.approx(loss(other, y).item(), abs=1e-5)


def test_learning_with_sets_finds_them() -> None:
    torch.manual_seed(0)
    y = target(n=3)
    coarse = torch.where(y == 2, torch.tensor(5), y)
    x = torch.zeros(1, 4, 6, 5, 7, requires_grad=True)
    optimiser, loss = torch.optim.Adam([x], lr=0.3), MarginalLoss(4, SETS)
    for _ in range(60):
        optimiser.zero_grad()
        loss(x, coarse).backward()
        optimiser.step()
    best = x.argmax(dim=1, keepdim=True)
    assert (best[y < 2] == y[y < 2]).all()
    assert (best[y == 2] >= 2).all()


def test_kinds_are_told_apart_by_themselves() -> None:
    """Among the channels of a kind alone, with every class that occurs counted the same."""
    x, y = logits(), target()
    y[(y == 3) & (torch.rand(y.shape, generator=torch.Generator().manual_seed(2)) < 0.9)] = 5
    terms = []
    for place, number in enumerate((2, 3)):
        log = x[:, 2:4].log_softmax(dim=1)[:, place]
        terms.append(-log[y[:, 0] == number].mean())
    log = x.log_softmax(dim=1)
    balanced = sum(-log[:, c][y[:, 0] == c].mean() for c in (1, 2, 3)) / 3
    difference = MarginalLoss(4, SETS, [(2, 3)])(x, y) - MarginalLoss(4, SETS)(x, y)
    expected = float(sum(terms) / 2 + BALANCED * balanced)
    assert difference.item() == pytest.approx(expected, abs=1e-5)


def test_telling_kinds_apart_moves_no_outline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spinetools.training.nnunet_loss.BALANCED", 0.0)
    y = target()
    x = logits().requires_grad_()
    (MarginalLoss(4, SETS, [(2, 3)])(x, y) - MarginalLoss(4, SETS)(x, y)).backward()
    assert x.grad is not None
    assert x.grad[:, :2].abs().max() < 1e-6
    assert x.grad[:, 2:].sum(dim=1).abs().max() < 1e-6
    assert x.grad[:, 2:].abs().max() > 1e-4


def test_a_kind_that_is_absent_adds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spinetools.training.nnunet_loss.BALANCED", 0.0)
    x, y = logits(), target(n=2)
    assert MarginalLoss(4, SETS, [(2, 3)])(x, y).item() == MarginalLoss(4, SETS)(x, y).item()
