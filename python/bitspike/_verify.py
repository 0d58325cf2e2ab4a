"""A network of PyTorch and its file, layer by layer."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bitspike._errors import InputError
from bitspike._model import Model

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class LayerCheck:
    """The spikes of one layer in both."""

    layer: int
    """Number of the layer in the file."""
    name: str
    """Module path of the neurons in the network."""
    values: int
    """Spikes compared: samples times steps times neurons."""
    different: int
    first: tuple[int, int, int, int, int] | None = None
    """Sample, step, channel, row and column of the first that differs."""


@dataclass(frozen=True)
class Verification:
    """What :func:`verify` found."""

    samples: int
    layers: list[LayerCheck]
    same_predictions: int
    logit_difference: float
    """Largest difference of a logit."""
    logits: NDArray[np.float64] = field(repr=False, compare=False)
    """Of the network, ``[N, classes]``."""

    @property
    def equal(self) -> bool:
        """Whether every spike and every prediction is the same."""
        return self.same_predictions == self.samples and not any(layer.different for layer in self.layers)

    @property
    def first_difference(self) -> LayerCheck | None:
        """The first layer that has one: later ones follow from it."""
        return next((layer for layer in self.layers if layer.different), None)

    def __str__(self) -> str:
        lines = [f"{self.samples} samples: {self.same_predictions} equal predictions, largest difference of a logit {self.logit_difference:.3g}"]
        for c in self.layers:
            lines.append(f"layer {c.layer} ({c.name}): {c.different} of {c.values} spikes differ")
            if c.first is not None:
                lines[-1] += "; the first: sample {}, step {}, channel {}, row {}, column {}".format(*c.first)
        return "\n".join(lines)


def verify(net: nn.Module, file: Model | str | os.PathLike[str] | bytes, x: Any, *, dtype: Any = None) -> Verification:
    """Compares a network of PyTorch with its file: spikes of every layer, and predictions. ``print`` shows where they part.

    ``x``: inputs ``[N, C, H, W]`` or ``[N, C, L]``, of sequences ``[N, T, ...]``. The network is evaluated in float64 unless ``dtype`` says
    otherwise, on a copy; the file computes in float32 in a stated order, so a spike may differ where a potential lies within rounding of
    its threshold.

    >>> import torch
    >>> from torch import nn
    >>> from bitspike.torch import LIF, BinaryConv2d, TimeBatchNorm, TimeDistributed, fold
    >>> _ = torch.manual_seed(0)
    >>> net = nn.Sequential(
    ...     TimeDistributed(nn.Conv2d(1, 8, 3, padding=1)), LIF(), BinaryConv2d(8, 8, 3, padding=1), TimeBatchNorm(8), LIF(),
    ...     nn.Flatten(2), nn.Linear(8 * 16, 3),
    ... )
    >>> found = verify(net, fold(net, T=2, input=(1, 4, 4)).to_bytes(), torch.rand(5, 1, 4, 4))
    >>> found.equal, [c.name for c in found.layers], found.layers[0].values
    (True, ['1', '4'], 1280)
    """
    import copy

    import torch
    import torch.nn.functional as F

    from bitspike.torch.fold import _is
    from bitspike.torch.neuron import Neuron

    model = file if isinstance(file, Model) else Model.load(file)
    dtype = dtype or torch.float64
    values = torch.as_tensor(x).detach().cpu().to(torch.float32)
    shape = model.sample_shape
    if model.input_shape[1] == 1 and values.dim() == len(shape):
        values = values.unsqueeze(-2)  # [N, C, L]
    if tuple(values.shape[1:]) != shape:
        raise InputError(f"x: expected float32 [N, {', '.join(map(str, shape))}] as the file takes, found {list(torch.as_tensor(x).shape)}")
    flat = model.input_shape[1] == 1 and torch.as_tensor(x).dim() == len(shape)
    copied = copy.deepcopy(net).to("cpu", dtype).eval()
    seen: list[tuple[str, Any]] = []
    for name, module in copied.named_modules():
        if isinstance(module, Neuron) or _is(module, "BaseNode"):
            if hasattr(module, "reset") and callable(module.reset):
                module.reset()
            module.register_forward_hook(lambda _m, _i, out, name=name: seen.append((name, out.detach())))
    inputs = values.to(dtype)
    inputs = inputs.transpose(0, 1) if model.sequence else inputs.unsqueeze(0).expand(model.steps, *inputs.shape)
    with torch.no_grad():
        out = copied(inputs.squeeze(-2) if flat else inputs)
    logits = np.asarray((out.mean(0) if out.dim() == 3 else out).to(torch.float64).numpy())
    theirs, spikes = model.run(np.ascontiguousarray(values.numpy()))
    if len(seen) != len(spikes):
        raise InputError(f"net: expected the {len(spikes)} layers of neurons that the file has, found {len(seen)}: {', '.join(n for n, _ in seen)}")
    if logits.shape != theirs.shape:
        raise InputError(f"net: expected logits {list(theirs.shape)} as the file gives, found {list(logits.shape)}")
    checks = []
    for (name, given), of_file in zip(seen, spikes):
        given = given.unsqueeze(-2) if given.dim() == 4 else given[..., None, None] if given.dim() == 3 else given
        pool = model.layers[of_file.layer].facts.get("pool", "none")
        if pool in ("spikes", "max-spikes"):
            window = (min(given.shape[3], 2), 2)
            pooled = (F.avg_pool2d if pool == "spikes" else F.max_pool2d)(given.flatten(0, 1), window)
            given = pooled.reshape(*given.shape[:2], *pooled.shape[1:])
        ours = given.transpose(0, 1).to(torch.float64).numpy()
        if ours.shape != of_file.counts.shape:
            raise InputError(f"net, {name}: expected spikes {list(of_file.counts.shape)} as the file has, found {list(ours.shape)}")
        unequal = ours != of_file.counts * np.float64(of_file.unit)
        at = np.argwhere(unequal)
        first = None
        if len(at):
            a, b, c, d, e = (int(v) for v in at[0])
            first = (a, b, c, d, e)
        checks.append(LayerCheck(of_file.layer, name, int(unequal.size), int(unequal.sum()), first))
    same = int((logits.argmax(1) == theirs.argmax(1)).sum())
    largest = float(np.abs(logits - theirs).max()) if len(theirs) else 0.0
    return Verification(len(theirs), checks, same, largest, logits)
