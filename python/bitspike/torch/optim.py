"""Optimisers of binary weights, and parameter groups.

::

    Bop     m ← (1 − r) m + r g;                                w ← −w where w m > threshold,  w = ±1
    T-BSO   at every time step t:
            M ← (1 − r₁) M + r₁ G[t];  v[t] ← (1 − r₂) v[t] + r₂ mean(G[t]²);  w ← −w where w M > γ √(v[t] + ε)

    Relative at the start  V ← V · u / rms(V),  u = 1/16
            every step    ĝ = g / rms(g);  v ← β v + ĝ + 256 · decay · V/u;  V/u ← V/u − (lr / 16) v

Relative is ours: the step of latent weights in units of the weights themselves, the default of the Rust trainer. Bop: Helwegen et al., "Latent Weights Do Not Exist", NeurIPS 2019; it is also the rule of BSO (Liang et al., "Binary Spiking Online
Optimization Algorithm", ICML 2025), with the gradient of all time steps at once. T-BSO is of the same paper. Both keep no latent
weights: at the first step the weights become their signs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from bitspike.torch.agmm import Agmm
from bitspike.torch.binary import BinaryLayer


def param_groups(
    net: nn.Module, lr: float, weight_decay: float = 1e-4, lr_binary_mult: float = 1.0, lr_alpha_mult: float = 1.0
) -> list[dict[str, Any]]:
    """Groups for an optimiser of PyTorch: weights decay; norms, biases, leaks and α do not; binary weights and α have own rates.

    Each group has a ``name``: ``"binary"``, ``"weight"``, ``"plain"`` or ``"alpha"``; empty ones are left out.
    ``lr_binary_mult`` is the control experiment of every gate: a constant gate is a lower learning rate of the binary weights.

    >>> from bitspike.torch import Agmm, BinaryLinear, TimeBatchNorm
    >>> net = nn.Sequential(BinaryLinear(8, 4), TimeBatchNorm(4), Agmm(2))
    >>> opt = torch.optim.SGD(param_groups(net, lr=0.1, lr_binary_mult=0.5), lr=0.1, momentum=0.9)
    >>> [(g["name"], g["lr"], g["weight_decay"]) for g in opt.param_groups]
    [('binary', 0.05, 0.0001), ('plain', 0.1, 0.0), ('alpha', 0.1, 0.0)]
    """
    groups: dict[str, list[nn.Parameter]] = {"binary": [], "weight": [], "plain": [], "alpha": []}
    seen: set[int] = set()
    for module in net.modules():
        for name, p in module.named_parameters(recurse=False):
            if not p.requires_grad or id(p) in seen:
                continue
            seen.add(id(p))
            if isinstance(module, BinaryLayer) and name == "weight":
                role = "binary"
            elif isinstance(module, Agmm):
                role = "alpha"
            else:
                role = "weight" if p.dim() > 1 and not isinstance(module, _BatchNorm) else "plain"
            groups[role].append(p)
    rates = {"binary": lr * lr_binary_mult, "alpha": lr * lr_alpha_mult}
    return [
        {
            "params": params,
            "name": role,
            "lr": rates.get(role, lr),
            "weight_decay": weight_decay if role in ("binary", "weight") else 0.0,
        }
        for role, params in groups.items()
        if params
    ]


def binary_parameters(net: nn.Module) -> list[nn.Parameter]:
    """The latent weights of every binary layer, for :class:`Bop` or :class:`TBSO`; the others are for another optimiser.

    >>> from bitspike.torch import BinaryLinear
    >>> [list(p.shape) for p in binary_parameters(nn.Sequential(BinaryLinear(8, 4), nn.Linear(4, 2)))]
    [[4, 8]]
    """
    return [m.weight for m in net.modules() if isinstance(m, BinaryLayer)]


def _sign(w: Tensor) -> Tensor:
    return torch.where(w >= 0, 1.0, -1.0).to(w.dtype)


def _evaluate(closure: Callable[[], Any] | None) -> Any:
    """The loss of a closure, which may compute gradients; None without one."""
    if closure is None:
        return None
    with torch.enable_grad():
        return closure()


UNIT = 1.0 / 16.0
"""Root mean square of the latent weights of a layer at the start; 16 of them are the window of the straight-through gradient."""
STEP = 1.0 / 16.0
"""Units by which a learning rate of 1 moves a weight whose gradient has the usual size."""
DECAY = 256.0
"""Factor on the weight decay of binary weights: in units of the weights, as their step is."""
_TINY = 1e-30


def _rms(x: Tensor) -> Tensor:
    return x.square().mean().sqrt()


@torch.no_grad()
def _bring_to_unit(params: Iterable[Tensor]) -> None:
    for p in params:
        p.mul_(UNIT / (_rms(p) + _TINY))


def to_unit(net: nn.Module) -> nn.Module:
    """Brings the latent weights of every binary layer to a root mean square of 1/16; returns ``net``.

    :class:`RelativeSGD` does it by itself. With Adam and its like, which divide by the size of the gradient already, this is all of the
    rule.

    >>> from bitspike.torch import BinaryLinear
    >>> layer = BinaryLinear(64, 64)
    >>> _ = layer.weight.data.fill_(-0.5)       # random weights would be off by a last bit now and then
    >>> float(_rms(to_unit(layer).weight.detach()))
    0.0625
    """
    _bring_to_unit(binary_parameters(net))
    return net


class RelativeSGD(torch.optim.Optimizer):
    """SGD with momentum whose step of binary weights is in units of the weights themselves (ours, ``docs/concepts/method.md``).

    Takes :func:`param_groups`: the group named ``"binary"`` has the relative step, all others the ordinary one, ``v ← β v + g + decay · w;
    w ← w − lr v``. Schedules act on ``group["lr"]`` of both. At construction the binary weights of every layer are brought to their unit.

    Two laws, both tested: a power of two in front of the starting weights of any layer changes no bit of a run, and a factor on the loss
    changes nothing but last bits.

    >>> from bitspike.torch import BinaryLinear
    >>> net = nn.Sequential(BinaryLinear(8, 4), nn.Linear(4, 2))
    >>> opt = RelativeSGD(param_groups(net, lr=0.1), momentum=0.9)
    >>> net(torch.randn(3, 8)).sum().backward()
    >>> opt.step()
    """

    def __init__(self, params: Iterable[Any], lr: float = 0.1, momentum: float = 0.9, weight_decay: float = 1e-4) -> None:
        for name, value in (("lr", lr), ("momentum", momentum), ("weight_decay", weight_decay)):
            if not value >= 0.0:
                raise ValueError(f"RelativeSGD: {name}: expected a number from 0, found {value}")
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})
        if not any(g.get("name") == "binary" for g in self.param_groups):
            raise ValueError('RelativeSGD: expected param_groups(net, ...), with a group named "binary", found none')
        for group in self.param_groups:
            if group.get("name") == "binary":
                _bring_to_unit(group["params"])

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Moves weights; ``closure`` as in every optimiser of PyTorch."""
        loss = _evaluate(closure)
        for group in self.param_groups:
            relative = group.get("name") == "binary"
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if "momentum_buffer" not in state:
                    state["momentum_buffer"] = torch.zeros_like(p)
                v = state["momentum_buffer"].mul_(group["momentum"])
                if relative:
                    v.add_(p.grad / (_rms(p.grad) + _TINY)).add_(p, alpha=group["weight_decay"] * DECAY / UNIT)
                    p.sub_(v, alpha=group["lr"] * STEP * UNIT)
                else:
                    v.add_(p.grad).add_(p, alpha=group["weight_decay"])
                    p.sub_(v, alpha=group["lr"])
        return loss


class _FlipOptimizer(torch.optim.Optimizer):
    """What both rules share: the loop over parameters, the momentum, and flips where it passes a threshold."""

    def _threshold(self, p: Tensor, grad: Tensor, group: dict[str, Any]) -> Tensor | float:
        raise NotImplementedError

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Flips weights; ``closure`` as in every optimiser of PyTorch."""
        loss = _evaluate(closure)
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if "momentum" not in state:
                    state["momentum"] = torch.zeros_like(p)
                    p.copy_(_sign(p))
                threshold = self._threshold(p, p.grad, group)
                m = state["momentum"].mul_(1.0 - group["rate"]).add_(p.grad, alpha=group["rate"])
                p.copy_(torch.where(p * m > threshold, -p, p))
        return loss


class Bop(_FlipOptimizer):
    """A weight flips when a momentum of its gradient has its sign and passes a threshold.

    ``rate`` r and ``threshold`` as in Bop; BSO is ``rate=1e-3, threshold=5e-7``. A schedule may act on ``group["rate"]``.

    >>> w = nn.Parameter(torch.tensor([0.03, -0.2]))
    >>> opt = Bop([w], rate=0.5, threshold=0.4)
    >>> w.grad = torch.tensor([1.0, 1.0])
    >>> opt.step()
    >>> w.tolist()          # pushed down: the first flips, the second is there already
    [-1.0, -1.0]
    """

    def __init__(self, params: Iterable[Any], rate: float = 1e-3, threshold: float = 1e-6) -> None:
        super().__init__(params, {"rate": rate, "threshold": threshold})

    def _threshold(self, p: Tensor, grad: Tensor, group: dict[str, Any]) -> Tensor | float:
        return float(group["threshold"])


class TBSO(_FlipOptimizer):
    """T-BSO: an update at every time step, with a threshold in units of the gradient's root mean square at that step.

    Compute the loss of one step, ``backward``, ``at(t).step()``; then the next. ``rate`` is 1 − β₁, ``moment_rate`` 1 − β₂.

    >>> w = nn.Parameter(torch.tensor([1.0, 1.0]))
    >>> opt = TBSO([w], steps=2, rate=1.0, gamma=0.5, moment_rate=1.0)
    >>> w.grad = torch.tensor([1.0, -1.0])
    >>> opt.at(0).step()
    >>> w.tolist()
    [-1.0, 1.0]
    """

    def __init__(
        self,
        params: Iterable[Any],
        steps: int,
        rate: float = 1e-3,
        gamma: float = 5e-7,
        moment_rate: float = 1e-5,
        eps: float = 1e-10,
    ) -> None:
        if steps < 1:
            raise ValueError(f"TBSO: steps: expected a number from 1, found {steps}")
        super().__init__(params, {"rate": rate, "gamma": gamma, "moment_rate": moment_rate, "eps": eps})
        self.steps, self.t = steps, 0

    def at(self, t: int) -> TBSO:
        """Says that the gradients are those of time step ``t``; returns itself."""
        if not 0 <= t < self.steps:
            raise ValueError(f"TBSO: t: expected 0 to {self.steps - 1}, found {t}")
        self.t = t
        return self

    def _threshold(self, p: Tensor, grad: Tensor, group: dict[str, Any]) -> Tensor | float:
        state = self.state[p]
        if "second_moment" not in state:
            state["second_moment"] = torch.zeros(self.steps, dtype=p.dtype, device=p.device)
        v = state["second_moment"]
        v[self.t] = (1.0 - group["moment_rate"]) * v[self.t] + group["moment_rate"] * grad.square().mean()
        root: Tensor = (v[self.t] + group["eps"]).sqrt()
        return root * float(group["gamma"])
