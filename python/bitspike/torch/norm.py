"""Batch norm whose statistics are joint over time.

::

    y = γ (x − μ)/√(v + ε) + β       μ, v over T, N and the map together; tdBN: γ times V_th

Source: tdBN, Zheng et al., "Going Deeper With Directly-Trained Larger Spiking Neural Networks", AAAI 2021.
"""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from bitspike.torch._check import check, fail


class _Joint(_BatchNorm):
    """PyTorch's batch norm without a rank of its own."""

    def _check_input_dim(self, input: Tensor) -> None:
        pass


class TimeBatchNorm(nn.Module):
    """Batch norm over time. Shapes: x ``[T, N, C]``, ``[T, N, C, L]`` or ``[T, N, C, H, W]`` → the same.

    ``v_threshold`` makes it tdBN: γ is multiplied by it. The parameters are those of the module ``norm`` in it, which is an ordinary
    PyTorch batch norm, so that ``nn.SyncBatchNorm.convert_sync_batchnorm`` finds it.

    >>> import torch
    >>> y = TimeBatchNorm(3)(torch.randn(4, 8, 3, 5, 5) * 7 + 2)
    >>> bool(y.mean().abs() < 1e-5), bool((y.var() - 1).abs() < 1e-2)
    (True, True)
    """

    label: str = ""

    def __init__(self, channels: int, eps: float = 1e-5, momentum: float = 0.1, v_threshold: float = 1.0) -> None:
        super().__init__()
        self.norm = _Joint(channels, eps=eps, momentum=momentum)
        self.v_threshold = v_threshold

    def extra_repr(self) -> str:
        return f"{self.norm.num_features}" + (f", v_threshold={self.v_threshold}" if self.v_threshold != 1.0 else "")

    def forward(self, x: Tensor) -> Tensor:
        if not 3 <= x.dim() <= 5:
            raise fail(self, x, f"float [T, N, {self.norm.num_features}], with [L] or [H, W] behind")
        axes = ("T", "N", "C", *[(), ("L",), ("H", "W")][x.dim() - 3])
        check(self, x, axes, {"C": self.norm.num_features})
        y = cast(Tensor, self.norm(x.flatten(0, 1))).view(x.shape)
        if self.v_threshold == 1.0:
            return y
        beta = self.norm.bias.view(-1, *[1] * (x.dim() - 3))
        return self.v_threshold * (y - beta) + beta

    def folded(self) -> tuple[Tensor, Tensor]:
        """Slope and offset ``[C]`` that the norm is at evaluation, in float64."""
        return fold_norm(self.norm, self.v_threshold)


def fold_norm(norm: _BatchNorm, factor: float = 1.0) -> tuple[Tensor, Tensor]:
    """``γ f/√(v + ε)`` and ``β − μ γ f/√(v + ε)`` of a batch norm with running statistics, ``[C]``, in float64."""
    if norm.running_mean is None or norm.running_var is None:
        raise ValueError("a batch norm without running statistics is no affine map")
    mean, var = norm.running_mean.detach().double(), norm.running_var.detach().double()
    slope = factor / (var + norm.eps).sqrt()
    if not norm.affine:
        return slope, -mean * slope
    slope = norm.weight.detach().double() * slope
    return slope, norm.bias.detach().double() - mean * slope
