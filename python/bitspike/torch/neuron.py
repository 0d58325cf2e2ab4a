"""Spiking neurons IF, LIF and PLIF, and the surrogates of their spikes.

::

    u[t] = λ (u[t−1] − V_th s[t−1]) + x[t]        soft reset;  hard: λ u[t−1] (1 − s[t−1]) + x[t];  u[0] = x[0]
    s[t] = 1 if u[t] ≥ V_th, else 0               λ = 1 − 1/τ; IF: λ = 1; PLIF: λ = σ(``decay_logit``), learned

A surrogate h stands for ∂s/∂v, v = u − V_th. Each integrates to one:

========== ================================ ========== ============================
surrogate  h(v)                             k, default source
========== ================================ ========== ============================
triangle   max(0, 1 − |v|/k) / k            1          Bellec et al., NeurIPS 2018
rectangle  1[|v| < k/2] / k                 1          STBP, Wu et al., 2018
sigmoid    k σ(kv)(1 − σ(kv))               4          Zenke and Ganguli, 2018
atan       (k/2) / (1 + (π k v / 2)²)       2          PLIF, Fang et al., ICCV 2021
========== ================================ ========== ============================

Sources: LIF as in BSO, Liang et al., ICML 2025; learned λ, PLIF. The layers keep no state between calls: a sequence goes in whole,
so there is no reset to forget. Your own neurons work in their place.
"""

from __future__ import annotations

import math
from typing import Any, Literal, cast, get_args

import torch
from torch import Tensor, nn

from bitspike.torch._check import fail

Surrogate = Literal["triangle", "rectangle", "sigmoid", "atan"]
Reset = Literal["soft", "hard"]

#: Width k of each surrogate.
WIDTHS: dict[Surrogate, float] = {"triangle": 1.0, "rectangle": 1.0, "sigmoid": 4.0, "atan": 2.0}


def surrogate_derivative(v: Tensor, surrogate: Surrogate, width: float) -> Tensor:
    """h(v), of any shape.

    >>> surrogate_derivative(torch.tensor([-0.5, 0.0, 2.0]), "triangle", 1.0)
    tensor([0.5000, 1.0000, 0.0000])
    """
    if surrogate == "triangle":
        return (1 - v.abs() / width).clamp(min=0) / width
    if surrogate == "rectangle":
        return (v.abs() < width / 2).to(v.dtype) / width
    if surrogate == "sigmoid":
        s = torch.sigmoid(width * v)
        return width * s * (1 - s)
    return (width / 2) / (1 + (math.pi / 2 * width * v) ** 2)


class _Spike(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, v: Tensor, surrogate: Surrogate, width: float) -> Tensor:
        ctx.save_for_backward(v)
        ctx.surrogate, ctx.width = surrogate, width
        return (v >= 0).to(v.dtype)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        (v,) = ctx.saved_tensors
        return grads[0] * surrogate_derivative(v, ctx.surrogate, ctx.width), None, None


def spike(v: Tensor, surrogate: Surrogate = "triangle", width: float | None = None) -> Tensor:
    """1 where v ≥ 0, else 0, with the surrogate as its gradient. For neurons of your own.

    >>> spike(torch.tensor([-0.1, 0.0, 0.1]))
    tensor([0., 1., 1.])
    """
    return cast(Tensor, _Spike.apply(v, surrogate, WIDTHS[surrogate] if width is None else width))


def lif(
    x: Tensor,
    decay: float | Tensor = 0.5,
    v_threshold: float = 1.0,
    reset: Reset = "soft",
    detach_reset: bool = True,
    surrogate: Surrogate = "triangle",
    width: float | None = None,
) -> tuple[Tensor, Tensor]:
    """Spikes and potentials before the reset, both ``[T, ...]``, for currents ``[T, ...]``.

    >>> s, u = lif(torch.tensor([[0.8], [0.8], [0.0]]))
    >>> s.flatten().tolist(), [round(v, 3) for v in u.flatten().tolist()]
    ([0.0, 1.0, 0.0], [0.8, 1.2, 0.1])
    """
    spikes: list[Tensor] = []
    potentials: list[Tensor] = []
    for t in range(x.shape[0]):
        u = x[t]
        if t > 0:
            s, v = spikes[-1].detach() if detach_reset else spikes[-1], potentials[-1]
            u = decay * (v - v_threshold * s) + u if reset == "soft" else decay * v * (1 - s) + u
        potentials.append(u)
        spikes.append(spike(u - v_threshold, surrogate, width))
    return torch.stack(spikes), torch.stack(potentials)


class Neuron(nn.Module):
    """What the three neurons have in common. Shapes: currents ``[T, N, ...]`` → spikes of the same shape.

    Args:
        v_threshold: V_th, above 0.
        reset: ``"soft"`` subtracts V_th after a spike, ``"hard"`` sets the potential to 0.
        detach_reset: the spike in the reset is a constant for the gradient.
        surrogate: what stands for the derivative of the spike.
        width: its width k; its own default if None.
    """

    label: str = ""

    def __init__(
        self,
        v_threshold: float = 1.0,
        reset: Reset = "soft",
        detach_reset: bool = True,
        surrogate: Surrogate = "triangle",
        width: float | None = None,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        if not v_threshold > 0:
            raise ValueError(f"{name}: v_threshold: expected a number above 0, found {v_threshold}")
        if width is not None and not width > 0:
            raise ValueError(f"{name}: width: expected a number above 0, found {width}")
        for key, value, kind in (("reset", reset, Reset), ("surrogate", surrogate, Surrogate)):
            if value not in get_args(kind):
                raise ValueError(f"{name}: {key}: expected one of {', '.join(map(repr, get_args(kind)))}, found {value!r}")
        self.v_threshold, self.reset, self.detach_reset = v_threshold, reset, detach_reset
        self.surrogate: Surrogate = surrogate
        self.width = WIDTHS[surrogate] if width is None else width

    def decay(self) -> float | Tensor:
        """λ."""
        raise NotImplementedError

    def extra_repr(self) -> str:
        text = f"v_threshold={self.v_threshold}"
        for key, value, default in (
            ("reset", self.reset, "soft"),
            ("detach_reset", self.detach_reset, True),
            ("surrogate", self.surrogate, "triangle"),
        ):
            text += f", {key}={value!r}" if value != default else ""
        return text

    def forward(self, x: Tensor) -> Tensor:
        if x.dim() < 2 or x.shape[0] < 1 or not x.is_floating_point():
            raise fail(self, x, "float [T, N, ...] with T from 1")
        decay = self.decay()
        if isinstance(decay, Tensor):
            decay = decay.to(x.dtype)
        spikes, _ = lif(x, decay, self.v_threshold, self.reset, self.detach_reset, self.surrogate, self.width)
        return spikes


class LIF(Neuron):
    """Leaky integrate and fire, λ = 1 − 1/τ with a fixed τ ≥ 1 in steps; see :class:`Neuron`.

    >>> LIF()(torch.full((4, 1, 1), 0.6)).flatten().tolist()
    [0.0, 0.0, 1.0, 0.0]
    """

    def __init__(
        self,
        tau: float = 2.0,
        v_threshold: float = 1.0,
        reset: Reset = "soft",
        detach_reset: bool = True,
        surrogate: Surrogate = "triangle",
        width: float | None = None,
    ) -> None:
        super().__init__(v_threshold, reset, detach_reset, surrogate, width)
        self.tau = _tau(tau, self)

    def extra_repr(self) -> str:
        return f"tau={self.tau}, " + super().extra_repr()

    def decay(self) -> float:
        return 1.0 - 1.0 / self.tau


class IF(Neuron):
    """Integrate and fire: λ = 1; see :class:`Neuron`.

    >>> IF()(torch.full((4, 1, 1), 0.5)).flatten().tolist()
    [0.0, 1.0, 0.0, 1.0]
    """

    def decay(self) -> float:
        return 1.0


class PLIF(Neuron):
    """LIF whose λ = σ(``decay_logit``) is learned, one number per layer that starts at 1 − 1/τ; see :class:`Neuron`.

    A start of 0 or 1 has no finite logit; the nearest of 0.01 and 0.99 is taken.

    >>> PLIF(tau=2.0).decay()
    tensor([0.5000], grad_fn=<SigmoidBackward0>)
    """

    def __init__(
        self,
        tau: float = 2.0,
        v_threshold: float = 1.0,
        reset: Reset = "soft",
        detach_reset: bool = True,
        surrogate: Surrogate = "triangle",
        width: float | None = None,
    ) -> None:
        super().__init__(v_threshold, reset, detach_reset, surrogate, width)
        start = min(max(1.0 - 1.0 / _tau(tau, self), 0.01), 0.99)
        self.decay_logit = nn.Parameter(torch.tensor([math.log(start / (1.0 - start))]))

    def decay(self) -> Tensor:
        return torch.sigmoid(self.decay_logit)


def _tau(tau: float, layer: nn.Module) -> float:
    if not tau >= 1.0:
        raise ValueError(f"{type(layer).__name__}: tau: expected a number from 1, in time steps, found {tau}")
    return tau
