"""Between images and sequences: repeating an image over time, and ordinary layers applied to every step."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

from bitspike.torch._check import fail


def repeat_steps(x: Tensor, steps: int) -> Tensor:
    """A static input at all T steps ("direct coding"). Shapes: ``[N, ...]`` → ``[T, N, ...]``, without a copy.

    >>> import torch
    >>> repeat_steps(torch.zeros(8, 3, 32, 32), 4).shape
    torch.Size([4, 8, 3, 32, 32])
    """
    if steps < 1:
        raise ValueError(f"repeat_steps: steps: expected a number from 1, found {steps}")
    return x.unsqueeze(0).expand(steps, *x.shape)


class TimeDistributed(nn.Module):
    """Applies layers without time, such as ``nn.Conv2d`` or ``nn.AvgPool2d``, to every step. Shapes: ``[T, N, ...]`` → ``[T, N, ...']``.

    Not for a batch norm, which would have to be told: :class:`~bitspike.torch.TimeBatchNorm`.

    >>> import torch
    >>> TimeDistributed(nn.Conv2d(3, 8, 3), nn.AvgPool2d(2))(torch.zeros(4, 2, 3, 10, 10)).shape
    torch.Size([4, 2, 8, 4, 4])
    """

    label: str = ""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        if x.dim() < 3:
            raise fail(self, x, "float [T, N, features or channels, ...]")
        y = cast(Tensor, self.layers(x.flatten(0, 1)))
        return y.reshape(*x.shape[:2], *y.shape[1:])
