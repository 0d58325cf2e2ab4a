"""Layers with 1-bit weights.

::

    W  = a · sign(V),  sign(0) = +1         V: the real latent weight, which the optimiser keeps
    dV = dW · 1[|V| ≤ 1]                    straight-through gradient
    a  = 1 (``scale="none"``), or mean |V| per output channel (``"mean-abs"``)

The factor of ``"mean-abs"`` scales the forward weight and the gradient of the input; it has no factor of its own in dV (ours, as in
the Rust trainer). Sources: Courbariaux et al., "Binarized Neural Networks", 2016; Rastegari et al., XNOR-Net, ECCV 2016.

V starts normal with deviation √(2 / (taps · C_out)), as in the Rust trainer. There is no bias: a batch norm follows.
"""

from __future__ import annotations

import math
from typing import Any, Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bitspike.torch._check import check, fail

Scale = Literal["none", "mean-abs"]


class _Sign(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weight: Tensor, scale: Scale) -> Tensor:
        ctx.save_for_backward(weight)
        sign = torch.where(weight >= 0, 1.0, -1.0).to(weight.dtype)
        if scale == "none":
            return sign
        return sign * weight.abs().mean(dim=list(range(1, weight.dim())), keepdim=True)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        (weight,) = ctx.saved_tensors
        return grads[0] * (weight.abs() <= 1), None


def binarize(weight: Tensor, scale: Scale = "none") -> Tensor:
    """The weight of the forward pass, ``a · sign(weight)``, with the straight-through gradient. Shapes: any ``[O, ...]`` → the same.

    >>> binarize(torch.tensor([[0.5, -0.1], [0.0, -3.0]]), "mean-abs")
    tensor([[ 0.3000, -0.3000],
            [ 1.5000, -1.5000]])
    """
    if scale not in ("none", "mean-abs"):
        raise ValueError(f'scale: expected "none" or "mean-abs", found {scale!r}')
    return cast(Tensor, _Sign.apply(weight, scale))


class BinaryLayer(nn.Module):
    """What layers with binary weights have in common: ``weight``, the real latent one, and ``scale``."""

    weight: nn.Parameter
    scale: Scale
    label: str = ""

    def __init__(self, shape: tuple[int, ...], scale: Scale) -> None:
        super().__init__()
        if min(shape) < 1:
            raise ValueError(f"{type(self).__name__}: expected sizes from 1, found a weight of {list(shape)}")
        self.weight = nn.Parameter(torch.empty(shape))
        self.scale = scale
        self.reset_parameters()
        binarize(self.weight.detach(), scale)  # refuses an unknown scale now

    def reset_parameters(self) -> None:
        """Draws the latent weights anew."""
        out, taps = self.weight.shape[0], math.prod(self.weight.shape[2:])
        nn.init.normal_(self.weight, std=math.sqrt(2.0 / (taps * out)))

    def binary_weight(self) -> Tensor:
        """The weight of the forward pass."""
        return binarize(self.weight, self.scale)


class BinaryLinear(BinaryLayer):
    """``y = x · Wᵀ`` with 1-bit W. Shapes: x ``[..., in_features]`` → ``[..., out_features]``; latent weight ``[out, in]``.

    >>> BinaryLinear(6, 4)(torch.ones(2, 3, 6)).shape
    torch.Size([2, 3, 4])
    """

    def __init__(self, in_features: int, out_features: int, scale: Scale = "none") -> None:
        super().__init__((out_features, in_features), scale)

    def extra_repr(self) -> str:
        out, inputs = self.weight.shape
        return f"{inputs}, {out}" + _tail(self)

    def forward(self, x: Tensor) -> Tensor:
        check(self, x, ("...", "features"), {"features": self.weight.shape[1]}, self.weight.dtype)
        return F.linear(x, self.binary_weight())


class _BinaryConv(BinaryLayer):
    """Convolution over the last axes of ``[T, N, C, ...]`` or ``[N, C, ...]``."""

    axes: tuple[str, ...]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: tuple[int, ...],
        stride: int,
        padding: tuple[int, ...],
        dilation: int,
        groups: int,
        scale: Scale,
    ) -> None:
        if groups < 1 or in_channels % groups or out_channels % groups:
            raise ValueError(
                f"{type(self).__name__}: expected groups that divide {in_channels} and {out_channels} channels, found {groups}"
            )
        super().__init__((out_channels, in_channels // groups, *kernel_size), scale)
        self.in_channels, self.out_channels, self.kernel_size = in_channels, out_channels, kernel_size
        self.stride, self.padding, self.dilation, self.groups = stride, padding, dilation, groups

    def extra_repr(self) -> str:
        kernel = self.kernel_size[0] if len(set(self.kernel_size)) == 1 else self.kernel_size
        padding = self.padding[0] if len(set(self.padding)) == 1 else self.padding
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={kernel}"
        for key, value, default in (
            ("stride", self.stride, 1),
            ("padding", padding, 0),
            ("dilation", self.dilation, 1),
            ("groups", self.groups, 1),
        ):
            text += f", {key}={value}" if value != default else ""
        return text + _tail(self)

    def forward(self, x: Tensor) -> Tensor:
        check(self, x, ("T", "N", "C", *self.axes), {"C": self.in_channels}, self.weight.dtype, optional=1)
        room = [n + 2 * p - self.dilation * (k - 1) for n, p, k in zip(x.shape[-len(self.axes) :], self.padding, self.kernel_size)]
        if min(room) < 1:
            raise fail(self, x, f"a map at least as large as its kernel of {list(self.kernel_size)}")
        conv = F.conv1d if len(self.axes) == 1 else F.conv2d
        # Time and samples are one axis for a convolution.
        y = conv(
            x.flatten(0, -len(self.axes) - 2),
            self.binary_weight(),
            None,
            self.stride,
            self.padding,
            self.dilation,
            self.groups,
        )
        return y.reshape(*x.shape[: -len(self.axes) - 1], *y.shape[1:])


class BinaryConv1d(_BinaryConv):
    """1-bit convolution of signals. Shapes: x ``[T, N, C_in, L]`` or ``[N, C_in, L]`` → the same with ``C_out`` and ``L'``,
    ``L' = (L + 2·padding − dilation·(kernel − 1) − 1) // stride + 1``; latent weight ``[C_out, C_in/groups, kernel]``.

    >>> BinaryConv1d(3, 8, 5, padding=2)(torch.zeros(4, 2, 3, 50)).shape
    torch.Size([4, 2, 8, 50])
    """

    axes = ("L",)

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        padding: int = 0,
        dilation: int = 1,
        groups: int = 1,
        scale: Scale = "none",
    ) -> None:
        super().__init__(in_channels, out_channels, (kernel_size,), stride, (padding,), dilation, groups, scale)


class BinaryConv2d(_BinaryConv):
    """1-bit convolution. Shapes: x ``[T, N, C_in, H, W]`` or ``[N, C_in, H, W]`` → the same with ``C_out``, ``H'`` and ``W'``, each
    ``(n + 2·padding − dilation·(kernel − 1) − 1) // stride + 1``; latent weight ``[C_out, C_in/groups, kernel, kernel]``.

    >>> BinaryConv2d(3, 8, 3, padding=1)(torch.zeros(4, 2, 3, 6, 5)).shape
    torch.Size([4, 2, 8, 6, 5])
    >>> BinaryConv2d(3, 8, 3)(torch.zeros(4, 2, 8, 6, 5))
    Traceback (most recent call last):
    bitspike.torch._check.InputError: BinaryConv2d(3, 8, kernel_size=3): expected float32 [T, N, 3, H, W] or [N, 3, H, W], found float32 [4, 2, 8, 6, 5]
    """

    axes = ("H", "W")

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        stride: int = 1,
        padding: int | tuple[int, int] = 0,
        dilation: int = 1,
        groups: int = 1,
        scale: Scale = "none",
    ) -> None:
        super().__init__(in_channels, out_channels, _pair(kernel_size), stride, _pair(padding), dilation, groups, scale)


def _pair(value: int | tuple[int, int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else value


def _tail(layer: BinaryLayer) -> str:
    return "" if layer.scale == "none" else f", scale={layer.scale!r}"
