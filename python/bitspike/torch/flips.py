"""Sign flips of binary weights: how many, how many are undone, how many were useful.

::

    flip ratio F    share of signs changed by a step
    back-flip@k     share of flips that take back a flip which the same weight made at most k steps earlier, k = 10 and 100
    back-flip@epoch the same, for an earlier flip in the same epoch
    efficiency      weights whose sign differs between start and end of the epoch / flips in it
    unchanged       share of signs equal to those at the start of training (C2I is one minus this)

A weight is positive where it is at least zero, so −0.0 is positive: the sign the forward pass uses. NaN counts as negative.
Definitions and figures are those of the Rust trainer.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from bitspike.torch._check import label_layers, name_of
from bitspike.torch.binary import BinaryLayer

#: Steps within which an undone flip counts as a back-flip.
HORIZONS = (10, 100)


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


@dataclass(frozen=True)
class FlipCounts:
    """Counts of one layer, or of all, over an epoch.

    >>> c = FlipCounts(weights=10, steps=5, flips=4, undone=(1, 2), undone_in_epoch=2, changed_in_epoch=2)
    >>> c.ratio, c.back_10, c.back_100, c.efficiency
    (0.08, 0.25, 0.5, 0.5)
    """

    weights: int = 0
    """Binary weights."""
    steps: int = 0
    """Steps observed."""
    flips: int = 0
    """Flips."""
    undone: tuple[int, int] = (0, 0)
    """Flips undone within each of :data:`HORIZONS`."""
    undone_in_epoch: int = 0
    """Flips undone within the epoch."""
    changed_in_epoch: int = 0
    """Weights whose sign at the end of the epoch differs from its start."""
    changed_since_start: int = 0
    """Weights whose sign differs from the start of training."""

    @property
    def ratio(self) -> float:
        """Mean share of signs that a step changes."""
        return _share(self.flips, self.weights * self.steps)

    @property
    def per_weight(self) -> float:
        """Flips per binary weight."""
        return _share(self.flips, self.weights)

    @property
    def back_10(self) -> float:
        """Share of flips undone within 10 steps."""
        return _share(self.undone[0], self.flips)

    @property
    def back_100(self) -> float:
        """Share of flips undone within 100 steps."""
        return _share(self.undone[1], self.flips)

    @property
    def back_epoch(self) -> float:
        """Share of flips undone within the epoch."""
        return _share(self.undone_in_epoch, self.flips)

    @property
    def efficiency(self) -> float:
        """Weights that end the epoch changed, per flip."""
        return _share(self.changed_in_epoch, self.flips)

    @property
    def unchanged_since_start(self) -> float:
        """Share of signs equal to those at the start of training."""
        return 1.0 - _share(self.changed_since_start, self.weights)

    def __add__(self, other: FlipCounts) -> FlipCounts:
        """Two layers over the same steps."""
        return FlipCounts(
            self.weights + other.weights,
            max(self.steps, other.steps),
            self.flips + other.flips,
            (self.undone[0] + other.undone[0], self.undone[1] + other.undone[1]),
            self.undone_in_epoch + other.undone_in_epoch,
            self.changed_in_epoch + other.changed_in_epoch,
            self.changed_since_start + other.changed_since_start,
        )


@dataclass(frozen=True)
class FlipReport:
    """Flips of an epoch; ``print`` shows a table."""

    total: FlipCounts
    """All layers together."""
    layers: dict[str, FlipCounts] = field(default_factory=dict)
    """Each layer."""

    def __str__(self) -> str:
        width = max([5, *map(len, self.layers)])
        lines = [f"{'layer':{width}}  flips/weight   ratio    back@10  back@100  back@epoch  efficiency  unchanged"]
        for name, c in [*self.layers.items(), ("total", self.total)]:
            lines.append(
                f"{name:{width}}  {c.per_weight:12.4f}  {c.ratio:8.6f}  {c.back_10:7.3f}  {c.back_100:8.3f}  {c.back_epoch:10.3f}  "
                f"{c.efficiency:10.3f}  {c.unchanged_since_start:9.3f}"
            )
        return "\n".join(lines)


class _History:
    """Signs and history of one layer, on the device of its weight, so that a step waits for nothing."""

    TENSORS = ("signs", "start", "epoch_start", "last", "counts")

    def __init__(self, weight: Tensor) -> None:
        self.signs = weight >= 0
        self.start = self.signs.clone()
        self.epoch_start = self.signs.clone()
        self.last = torch.zeros_like(weight, dtype=torch.int32)  # step of each weight's last flip, 0 if none
        self.counts = torch.zeros(4, dtype=torch.int64, device=weight.device)  # flips, undone in 10, in 100, in the epoch
        self.step = 0
        self.epoch_step = 0

    def observe(self, weight: Tensor) -> None:
        self.step += 1
        now = weight >= 0
        changed = now != self.signs
        again = changed & (self.last > 0)
        age = self.step - self.last
        found = [changed, *(again & (age <= k) for k in HORIZONS), again & (self.last > self.epoch_step)]
        self.counts += torch.stack([f.sum() for f in found])
        self.last = torch.where(changed, torch.full_like(self.last, self.step), self.last)
        self.signs = now

    def report(self) -> FlipCounts:
        flips, ten, hundred, epoch = (int(c) for c in self.counts.tolist())
        return FlipCounts(
            self.signs.numel(),
            self.step - self.epoch_step,
            flips,
            (ten, hundred),
            epoch,
            int((self.signs != self.epoch_start).sum()),
            int((self.signs != self.start).sum()),
        )

    def end_epoch(self) -> None:
        self.epoch_start = self.signs.clone()
        self.epoch_step = self.step
        self.counts.zero_()


class FlipTracker:
    """Watches the signs of binary weights.

    ``FlipTracker(net)`` watches every layer of this package with binary weights; ``FlipTracker({"name": weight})`` any latent
    weights. The signs at construction are those training starts from.

    >>> from bitspike.torch import BinaryLinear
    >>> net = nn.Sequential(BinaryLinear(3, 1))
    >>> _ = net[0].weight.data.copy_(torch.tensor([[1.0, 1.0, -1.0]]))
    >>> flips = FlipTracker(net)
    >>> for w in [-1.0, 1.0, 1.0]:
    ...     net[0].weight.data[0, 0] = w      # your optimiser's step
    ...     flips.step()
    >>> report = flips.end_epoch()
    >>> report.total.flips, report.total.back_10, report.layers["0"].unchanged_since_start
    (2, 0.5, 1.0)
    """

    def __init__(self, net: nn.Module | Mapping[str, Tensor]) -> None:
        if isinstance(net, nn.Module):
            label_layers(net)
            self._weights: dict[str, Tensor] = {
                name: module.weight for name, module in net.named_modules() if isinstance(module, BinaryLayer)
            }
        else:
            self._weights = dict(net)
        if not self._weights:
            raise ValueError("FlipTracker: expected a network with binary layers of bitspike.torch, or weights by name, found none")
        with torch.no_grad():
            self._layers = {name: _History(weight) for name, weight in self._weights.items()}

    @torch.no_grad()
    def step(self) -> None:
        """Looks at the weights once after every step of the optimiser."""
        for name, weight in self._weights.items():
            history = self._layers[name]
            if weight.shape != history.signs.shape:
                raise ValueError(
                    f"FlipTracker: {name}: expected a weight of {list(history.signs.shape)}, found {name_of(weight.dtype)} {list(weight.shape)}"
                )
            history.observe(weight)

    def report(self) -> FlipReport:
        """Counts of the running epoch, without ending it."""
        layers = {name: history.report() for name, history in self._layers.items()}
        return FlipReport(sum(layers.values(), FlipCounts()), layers)

    def end_epoch(self) -> FlipReport:
        """Ends the epoch: returns its counts and starts the next one."""
        report = self.report()
        for history in self._layers.values():
            history.end_epoch()
        return report

    def predicted(self, lr: float, momentum: float = 0.0) -> dict[str, float | None]:
        """:func:`predicted_ratio` of every layer, from the gradients that are there: call it between ``backward`` and the step."""

        def moments() -> Iterator[tuple[str, float | None]]:
            for name, weight in self._weights.items():
                if weight.grad is None:
                    yield name, None
                    continue
                grad = weight.grad.double()
                yield name, predicted_ratio(weight, float(grad.mean()), float(grad.std(correction=0)), lr, momentum)

        return dict(moments())

    def state_dict(self) -> dict[str, Any]:
        """The histories, for a checkpoint."""
        return {
            name: {key: getattr(h, key).clone() for key in _History.TENSORS} | {"step": h.step, "epoch_step": h.epoch_step}
            for name, h in self._layers.items()
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on from a checkpoint of the same layers."""
        if state.keys() != self._layers.keys():
            raise ValueError(f"FlipTracker: expected layers {sorted(self._layers)}, found {sorted(state)}")
        for name, h in self._layers.items():
            for key in _History.TENSORS:
                here, there = getattr(h, key), state[name][key]
                if here.shape != there.shape or here.dtype != there.dtype:
                    raise ValueError(
                        f"FlipTracker: {name}.{key}: expected {name_of(here.dtype)} {list(here.shape)}, "
                        f"found {name_of(there.dtype)} {list(there.shape)}"
                    )
        for name, h in self._layers.items():
            for key in _History.TENSORS:
                setattr(h, key, state[name][key].to(getattr(h, key).device, copy=True))
            h.step, h.epoch_step = int(state[name]["step"]), int(state[name]["epoch_step"])


def predicted_ratio(weight: Tensor, mean: float, std: float, lr: float, momentum: float = 0.0) -> float | None:
    """Share of weights a step of SGD is expected to flip: P(flip | w) = Q((|w|/η − μ sign w)/σ), the mean over ``weight``.

    With momentum β the gradient has mean μ/(1−β) and variance σ²/(1−β²). Derived for normal, independent gradients. None without
    weights, learning rate or deviation.

    >>> round(predicted_ratio(torch.full((5,), 0.1), mean=0.0, std=1.0, lr=0.1), 4)       # Q(1)
    0.1587
    """
    mu, sigma = mean / (1.0 - momentum), std / math.sqrt(1.0 - momentum * momentum)
    if weight.numel() == 0 or not lr > 0.0 or not sigma > 0.0:
        return None
    w = weight.detach().double()
    z = (w.abs() / lr - torch.where(w >= 0, mu, -mu)) / sigma
    return float(torch.special.ndtr(-z).mean())
