"""Training itself: loss, resuming, export and going on from an export."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip(
    "torch", reason="torch is not installed: pip install 'spinetools[train]'"
)

from spinetools.errors import ModelError  # noqa: E402
from spinetools.infer.onnx import OnnxModel  # noqa: E402
from spinetools.training import cord, heatmap  # noqa: E402
from spinetools.training.export import export, warm_start  # noqa: E402
from spinetools.training.loop import Schedule, fit, load_checkpoint, soft_loss  # noqa: E402
from spinetools.training.nets import UNet  # noqa: E402
from spinetools.training.windows import phantom_windows, write_shards  # noqa: E402


def discs(rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Bright discs on noise: a task that a small network learns in some dozen steps."""
    target = np.zeros((4, 1, 16, 16), np.float32)
    for one in target[:, 0]:
        centre = rng.uniform(5, 11, 2)
        one[np.hypot(*(np.indices(one.shape).T - centre).T) < 3.5] = 1
    image = target + rng.normal(0, 0.3, target.shape)
    return torch.from_numpy(image.astype(np.float32)), torch.from_numpy(target)


def test_the_loss_falls_towards_the_truth_and_leaves_out_what_is_unknown() -> None:
    target = torch.zeros(1, 2, 8, 8)
    target[0, 0, :4] = 1
    sure, wrong = (target * 2 - 1) * 12, (target * 2 - 1) * -12
    assert soft_loss(sure, target) < 0.02 < soft_loss(wrong, target)
    unknown = target.clone()
    unknown[0, 1] = torch.nan
    half_wrong = sure.clone()
    half_wrong[0, 1] = -wrong[0, 1]
    assert soft_loss(half_wrong, unknown) == pytest.approx(
        float(soft_loss(sure[:, :1], target[:, :1]))
    )


def test_a_network_learns_and_its_log_tells(tmp_path: Path) -> None:
    torch.manual_seed(0)
    fit(UNet(2, (4, 8)), discs, tmp_path, Schedule(200, learning_rate=2e-2, log_steps=50))
    losses = [
        float(line.split("\t")[1]) for line in (tmp_path / "log.tsv").read_text().splitlines()
    ]
    assert len(losses) == 4
    assert losses[-1] < 0.5 * losses[0]


def test_a_resumed_run_ends_where_an_unbroken_one_does(tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    whole.mkdir()
    parts.mkdir()
    torch.manual_seed(1)
    fit(UNet(2, (4, 8)), discs, whole, Schedule(6))
    torch.manual_seed(1)
    _fit_killed_after(UNet(2, (4, 8)), parts, 3)
    torch.manual_seed(99)  # another start: the checkpoint has to bring everything
    fit(UNet(2, (4, 8)), discs, parts, Schedule(6))
    one, other = load_checkpoint(whole), load_checkpoint(parts)
    assert one["step"] == other["step"] == 6
    for key, weights in one["net"].items():
        torch.testing.assert_close(weights, other["net"][key])


def _fit_killed_after(net: torch.nn.Module, folder: Path, steps: int) -> None:
    drawn = 0

    def draw(rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        nonlocal drawn
        if drawn == steps:
            raise KeyboardInterrupt
        drawn += 1
        return discs(rng)

    with pytest.raises(KeyboardInterrupt):
        fit(net, draw, folder, Schedule(6, checkpoint_s=0))


@pytest.mark.parametrize("name", list(heatmap.RECIPES))
def test_an_exported_heatmap_computes_what_torch_computes(name: str, tmp_path: Path) -> None:
    recipe = heatmap.RECIPES[name]
    torch.manual_seed(2)
    net = UNet(2, recipe.features, len(recipe.labels))
    net.train()
    net(torch.randn(4, 1, 32, 32))  # gives the batch norm something to fold
    check_export(net, torch.randn(2, 1, 48, 32), recipe.labels, tmp_path)


@pytest.mark.parametrize("kernel", list(cord.RECIPES))
def test_an_exported_patch_network_computes_what_torch_computes(
    kernel: str, tmp_path: Path
) -> None:
    recipe = cord.RECIPES[kernel]
    torch.manual_seed(3)
    net = cord.network(recipe)
    shape = (32, 32) if kernel == "2d" else (16, 16, 16)
    net(torch.randn(4, 1, *shape))
    check_export(net, torch.randn(2, 1, *shape), ("cord",), tmp_path)


def check_export(
    net: torch.nn.Module, samples: torch.Tensor, labels: tuple[str, ...], folder: Path
) -> None:
    from spinetools.models.card import ModelCard

    n_dims = samples.ndim - 2
    axes = " ".join("xyz"[:n_dims])
    card = ModelCard(
        name="test", version="1", task="t", axes=f"N 1 {axes}", orientation="RAS",
        spacing_mm=(1.0,) * n_dims, normalisation="patch_contrast", multiple=8, labels=labels,
    )  # fmt: skip
    path = folder / "test.onnx"
    export(net, card, samples, path)
    model = OnnxModel(path)
    assert model.card == card
    net.eval()
    with torch.no_grad():
        wanted = torch.sigmoid(net(samples)).numpy()
    np.testing.assert_allclose(model.run(samples.numpy()), wanted, atol=4e-3)

    again = UNet(n_dims, (4, 8))
    with pytest.raises(ModelError, match="holds another network"):
        warm_start(again, path)


def test_training_goes_on_from_an_exported_model(tmp_path: Path) -> None:
    from spinetools.models.card import ModelCard

    torch.manual_seed(4)
    net, other = UNet(2, (4, 8)), UNet(2, (4, 8))
    net(torch.randn(4, 1, 16, 16))
    samples = torch.randn(2, 1, 16, 16)
    card = ModelCard("test", "1", "t", "N 1 x y", "RAS", (1.0, 1.0), "patch_contrast", 2, ("cord",))
    export(net, card, samples, tmp_path / "test.onnx")
    warm_start(other, tmp_path / "test.onnx")
    other.eval()
    with torch.no_grad():
        torch.testing.assert_close(other(samples), net(samples), atol=2e-2, rtol=0)


@pytest.fixture(scope="module")
def windows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("windows")
    write_shards(phantom_windows(3, seed=5), folder, "phantom", "abc")
    return folder


@pytest.mark.parametrize("kernel", list(cord.RECIPES))
def test_a_batch_of_patches_is_normalised_and_labelled(kernel: str, windows: Path) -> None:
    groups, _ = cord.read_shards(windows)
    recipe = cord.RECIPES[kernel]
    images, cords = cord.Sampler(groups, recipe)(np.random.default_rng(0))
    assert images.shape == cords.shape == (recipe.batch, 1, *recipe.augmentation.patch)
    assert torch.isfinite(images).all()
    assert abs(float(images.mean())) < 0.2
    known = cords[~torch.isnan(cords)]
    assert len(known) > 0.2 * cords.numel()
    assert float(known.min()) >= 0
    assert float(known.max()) <= 1
    assert float(known.sum()) > 0
