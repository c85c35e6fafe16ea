"""The networks that train here: small U-Nets in two and three dimensions."""

from __future__ import annotations

import itertools

import torch
from torch import nn


class Block(nn.Module):
    """Two convolutions with a norm and leaky ReLU."""

    def __init__(self, n_dims: int, n_in: int, n_out: int, norm: str) -> None:
        super().__init__()
        convolution = nn.Conv2d if n_dims == 2 else nn.Conv3d
        layers: list[nn.Module] = []
        for n in (n_in, n_out):
            layers += [
                convolution(n, n_out, 3, padding=1, bias=False),
                _norm(norm, n_dims, n_out),
                nn.LeakyReLU(0.1, inplace=True),
            ]
        self.layers = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Run the block."""
        result: torch.Tensor = self.layers(x)
        return result


class UNet(nn.Module):
    """U-Net: (N, 1, spatial) → logits (N, n_out, spatial).

    Parameters
    ----------
    n_dims
        2 or 3.
    features
        Channels of each level, finest first.
    n_out
        Output channels.
    norm
        ``batch`` (folded away at export) or ``instance`` (where a batch is one sample or two).
    """

    def __init__(
        self, n_dims: int, features: tuple[int, ...], n_out: int = 1, norm: str = "batch"
    ) -> None:
        super().__init__()
        ins = (1, *features[:-1])
        pairs = list(itertools.pairwise(features))
        rise = nn.ConvTranspose2d if n_dims == 2 else nn.ConvTranspose3d
        last = nn.Conv2d if n_dims == 2 else nn.Conv3d
        self.pool = nn.MaxPool2d(2) if n_dims == 2 else nn.MaxPool3d(2)
        self.down = nn.ModuleList(
            [Block(n_dims, a, b, norm) for a, b in zip(ins, features, strict=True)]
        )
        self.up = nn.ModuleList([rise(b, a, 2, stride=2) for a, b in pairs])
        self.join = nn.ModuleList([Block(n_dims, 2 * a, a, norm) for a, _ in pairs])
        self.head = last(features[0], n_out, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Run the network."""
        skips = []
        for level, block in enumerate(self.down):
            x = block(self.pool(x) if level else x)
            skips.append(x)
        for level in range(len(self.up) - 1, -1, -1):
            x = self.join[level](torch.cat([skips[level], self.up[level](x)], dim=1))
        result: torch.Tensor = self.head(x)
        return result


def _norm(name: str, n_dims: int, n: int) -> nn.Module:
    if name == "instance":
        return (
            nn.InstanceNorm2d(n, affine=True) if n_dims == 2 else nn.InstanceNorm3d(n, affine=True)
        )
    return nn.BatchNorm2d(n) if n_dims == 2 else nn.BatchNorm3d(n)
