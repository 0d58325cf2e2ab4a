"""The gate of the Adaptive Gradient Modulation Mechanism (AGMM).

::

    m[t] = mean of x[t] over the pool
    y[t] = α[t] · σ(m[t]) · x[t]                  default
    y[t] = σ(α[t] · m[t]) · x[t]                  alpha_inside
    y[t] = x[t], and dx[t] = α[t] σ(m[t]) dy[t]   apply="gradient"
    h(m) = min(max(m/4 + ½, 0), 1) in place of σ  gate="hard", ours

Source: Liang et al., "Towards Accurate Binary Spiking Neural Networks: Learning with Adaptive Gradient Modulation Mechanism", AAAI
2025. **Known from the paper:** a forward gate from a time-dependent factor α[t] and σ(E(X[t])), right after every pair of binary
convolution and batch norm. **Our reconstruction:** over what the mean is taken, the shape and start of α, and every option here.
"""

from __future__ import annotations

from typing import Any, Literal, cast, get_args

import torch
from torch import Tensor, nn

from bitspike.torch._check import check, fail

Pool = Literal["chw", "hw", "nchw", "none", "const"]
Alpha = Literal["step", "step-channel", "fixed"]
Apply = Literal["forward", "gradient"]
EvalGate = Literal["sample", "ema"]
Function = Literal["sigmoid", "hard"]


class _ScaleGradient(torch.autograd.Function):
    """The value as it is; its gradient times a factor."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, factor: Tensor) -> Tensor:
        ctx.save_for_backward(factor)
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        (factor,) = ctx.saved_tensors
        return grads[0] * factor, None


class _Hard(torch.autograd.Function):
    """min(max(x/4 + ½, 0), 1), whose derivative is ¼ for |x| < 2 and 0 else, also at the corners."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return (x * 0.25 + 0.5).clamp(0.0, 1.0)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        (x,) = ctx.saved_tensors
        return grads[0] * torch.where(x.abs() < 2.0, 0.25, 0.0).to(grads[0].dtype)


def hard(x: Tensor) -> Tensor:
    """The hard σ, min(max(x/4 + ½, 0), 1).

    >>> hard(torch.tensor([-3.0, 0.0, 1.0, 5.0]))
    tensor([0.0000, 0.5000, 0.7500, 1.0000])
    """
    return cast(Tensor, _Hard.apply(x))


def pooled_mean(x: Tensor, pool: Pool) -> Tensor:
    """m, the mean of ``[T, N, C, ...]`` over a pool with its axes kept, and x itself for ``"none"``.

    >>> pooled_mean(torch.ones(2, 3, 4, 5, 5), "hw").shape
    torch.Size([2, 3, 4, 1, 1])
    """
    if pool == "none":
        return x
    first = {"chw": 2, "hw": 3, "nchw": 1}[pool]
    return x.mean(dim=list(range(first, x.dim())), keepdim=True)


class Agmm(nn.Module):
    """The AGMM gate. Shapes: x ``[T, N, C]``, ``[T, N, C, L]`` or ``[T, N, C, H, W]`` → the same.

    Put it behind the batch norm of a binary layer (as in the paper), or in front of that norm (ours).

    Args:
        steps: T.
        channels: C; needed for ``alpha="step-channel"``, and for ``pool="hw"`` with ``eval_gate="ema"``.
        pool: ``"chw"`` one gate per sample and time step; ``"hw"`` one per channel too; ``"nchw"`` one per time step over the whole
            batch, by a running mean at evaluation; ``"none"`` each element is its own gate; ``"const"`` the constant ½, a control.
        gate: ``"sigmoid"``, or ``"hard"``, min(max(m/4 + ½, 0), 1): value and slope of σ at 0 without an exponential, so that a device
            computes it for every element too, and files hold it with every pool. Its derivative is ¼ for |m| < 2, else 0.
        alpha: ``"step"`` learned, one per time step; ``"step-channel"`` learned, one per time step and channel; ``"fixed"``.
        alpha_init: start of α. 1 halves activations and gradients at the start, since σ(0) = ½; 2 changes neither.
        alpha_inside: σ(α m) in place of α σ(m).
        detach_gate: no gradient through the mean.
        apply: ``"forward"``, or ``"gradient"``: only the gradient is multiplied, α stays as it is, and evaluation has no gate.
        eval_gate: what evaluation uses: the mean of the ``"sample"``, or a running mean per step, ``"ema"``, which folds.
        ema_momentum: share of a new batch in the running means.

    Adam-like optimisers divide by the size of the gradient: they cancel a constant gate and most of this one's scaling.

    >>> gate = Agmm(steps=2)
    >>> gate(torch.zeros(2, 4, 8, 6, 6) + 1.0)[0, 0, 0, 0, 0]      # 1 · σ(1) · 1
    tensor(0.7311, grad_fn=<SelectBackward0>)
    >>> Agmm(2, pool="const", alpha_inside=True)
    Traceback (most recent call last):
    ValueError: Agmm: alpha_inside=True cannot be used with pool="const": σ(α·m) needs a mean m, and the constant gate has none
    """

    alpha: nn.Parameter
    running_means: Tensor | None
    label: str = ""

    def __init__(
        self,
        steps: int,
        channels: int | None = None,
        *,
        pool: Pool = "chw",
        gate: Function = "sigmoid",
        alpha: Alpha = "step",
        alpha_init: float = 1.0,
        alpha_inside: bool = False,
        detach_gate: bool = False,
        apply: Apply = "forward",
        eval_gate: EvalGate = "sample",
        ema_momentum: float = 0.1,
    ) -> None:
        super().__init__()
        for key, value, kind in (
            ("pool", pool, Pool),
            ("gate", gate, Function),
            ("alpha", alpha, Alpha),
            ("apply", apply, Apply),
            ("eval_gate", eval_gate, EvalGate),
        ):
            if value not in get_args(kind):
                raise ValueError(f"Agmm: {key}: expected one of {', '.join(map(repr, get_args(kind)))}, found {value!r}")
        if steps < 1:
            raise ValueError(f"Agmm: steps: expected a number from 1, found {steps}")
        if pool == "const" and alpha_inside:
            raise ValueError(
                'Agmm: alpha_inside=True cannot be used with pool="const": σ(α·m) needs a mean m, and the constant gate has none'
            )
        if pool == "none" and eval_gate == "ema":
            raise ValueError(
                'Agmm: eval_gate="ema" cannot be used with pool="none": an element-wise gate has no mean that could be kept'
            )
        keeps = pool != "const" and (pool == "nchw" or eval_gate == "ema")
        if channels is None and (alpha == "step-channel" or (keeps and pool == "hw")):
            key = 'alpha="step-channel"' if alpha == "step-channel" else 'pool="hw" with eval_gate="ema"'
            raise ValueError(f"Agmm: {key} needs channels")
        self.steps, self.channels = steps, channels
        self.pool, self.gate, self.alpha_kind, self.alpha_inside = pool, gate, alpha, alpha_inside
        self.detach_gate, self.apply_to, self.eval_gate = detach_gate, apply, eval_gate
        self.ema_momentum = ema_momentum
        width = channels if alpha == "step-channel" and channels is not None else 1
        # With apply="gradient" α has no gradient: a parameter that DDP must not wait for.
        learned = alpha != "fixed" and apply == "forward"
        self.alpha = nn.Parameter(torch.full((steps, width), float(alpha_init)), requires_grad=learned)
        kept = channels if pool == "hw" and channels is not None else 1
        self.register_buffer("running_means", torch.zeros(steps, kept) if keeps else None)

    def extra_repr(self) -> str:
        text = f"{self.steps}" + (f", {self.channels}" if self.channels is not None else "")
        for key, value, default in (
            ("pool", self.pool, "chw"),
            ("gate", self.gate, "sigmoid"),
            ("alpha", self.alpha_kind, "step"),
            ("alpha_inside", self.alpha_inside, False),
            ("detach_gate", self.detach_gate, False),
            ("apply", self.apply_to, "forward"),
            ("eval_gate", self.eval_gate, "sample"),
        ):
            text += f", {key}={value!r}" if value != default else ""
        return text

    def _per_step(self, values: Tensor, dims: int) -> Tensor:
        """``[T, 1 or C]`` as it meets ``[T, N, C, ...]``."""
        return values.view(self.steps, 1, -1, *[1] * (dims - 3))

    def _gate(self, mean: Tensor, alpha: Tensor) -> Tensor:
        function = hard if self.gate == "hard" else torch.sigmoid
        return function(alpha * mean) if self.alpha_inside else alpha * function(mean)

    def fixed_factor(self) -> Tensor | None:
        """The factor ``[T, 1 or C]`` that the gate is at evaluation, where it is a constant there: then it folds."""
        if self.apply_to == "gradient":
            return torch.ones_like(self.alpha[:, :1])
        if self.pool == "const":
            return self.alpha * 0.5
        return None if self.running_means is None else self._gate(self.running_means, self.alpha)

    def forward(self, x: Tensor) -> Tensor:
        if not 3 <= x.dim() <= 5:
            raise fail(self, x, f"float [{self.steps}, N, {self.channels or 'C'}], with [L] or [H, W] behind")
        axes = ("T", "N", "C", *[(), ("L",), ("H", "W")][x.dim() - 3])
        check(self, x, axes, {"T": self.steps, "C": self.channels})
        if self.pool == "hw" and x.dim() == 3:
            raise fail(self, x, f'a map behind the channels for pool="hw": float [{self.steps}, N, C, L] or [{self.steps}, N, C, H, W]')
        if not self.training:
            if self.apply_to == "gradient":
                return x
            factor = self.fixed_factor()
            if factor is not None:
                return self._per_step(factor, x.dim()).to(x.dtype) * x
        alpha = self._per_step(self.alpha, x.dim())
        if self.pool == "const":
            factor = alpha * 0.5
        else:
            mean = pooled_mean(x, self.pool)
            if self.training and self.running_means is not None:
                self._keep(mean.detach())
            factor = self._gate(mean.detach() if self.detach_gate else mean, alpha)
        if self.apply_to == "gradient":
            return cast(Tensor, _ScaleGradient.apply(x, factor.detach().to(x.dtype)))
        return factor.to(x.dtype) * x

    def _keep(self, mean: Tensor) -> None:
        """Moves the running means towards those of a batch."""
        assert self.running_means is not None
        batch = mean.mean(dim=1).flatten(1).to(self.running_means.dtype)
        self.running_means.mul_(1.0 - self.ema_momentum).add_(batch, alpha=self.ema_momentum)
