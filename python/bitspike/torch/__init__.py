"""Binary spiking networks in PyTorch: 1-bit layers, the AGMM gate, neurons, flips, optimisers.

Everything is time-major, ``[T, N, C, H, W]``: time steps, samples, channels, rows, columns (or ``[T, N, C, L]``, ``[T, N, C]``).
Layers are ordinary modules; neurons, losses, AMP, DDP and optimisers of your own work with them.

>>> import torch
>>> from torch import nn
>>> T = 2
>>> net = nn.Sequential(
...     TimeDistributed(nn.Conv2d(1, 8, 3, padding=1, bias=False)), TimeBatchNorm(8), LIF(),
...     BinaryConv2d(8, 8, 3, padding=1), TimeBatchNorm(8), Agmm(T), LIF(),
...     nn.Flatten(2), nn.Linear(8 * 6 * 6, 10),
... )
>>> opt = torch.optim.SGD(param_groups(net, lr=0.1), lr=0.1, momentum=0.9)
>>> flips = FlipTracker(net)
>>> for _ in range(2):
...     x, y = torch.rand(4, 1, 6, 6), torch.randint(0, 10, (4,))
...     loss = tet_loss(net(repeat_steps(x, T)), y)
...     opt.zero_grad(); loss.backward(); opt.step(); flips.step()
>>> flips.end_epoch().total.steps
2
"""

from bitspike.torch._check import InputError, label_layers
from bitspike.torch.agmm import Agmm
from bitspike.torch.binary import BinaryConv1d, BinaryConv2d, BinaryLayer, BinaryLinear, binarize
from bitspike.torch.flips import FlipCounts, FlipReport, FlipTracker, predicted_ratio
from bitspike.torch.fold import FoldError, fold, run
from bitspike.torch.loss import mean_output_loss, tet_loss
from bitspike.torch.neuron import IF, LIF, PLIF, Neuron, lif, spike
from bitspike.torch.norm import TimeBatchNorm
from bitspike.torch.optim import TBSO, Bop, RelativeSGD, binary_parameters, param_groups, to_unit
from bitspike.torch.time import TimeDistributed, repeat_steps

__all__ = [
    "IF",
    "LIF",
    "PLIF",
    "RelativeSGD",
    "TBSO",
    "Agmm",
    "BinaryConv1d",
    "BinaryConv2d",
    "BinaryLayer",
    "BinaryLinear",
    "Bop",
    "FlipCounts",
    "FlipReport",
    "FlipTracker",
    "FoldError",
    "InputError",
    "Neuron",
    "TimeBatchNorm",
    "TimeDistributed",
    "binarize",
    "binary_parameters",
    "fold",
    "label_layers",
    "lif",
    "mean_output_loss",
    "param_groups",
    "predicted_ratio",
    "repeat_steps",
    "run",
    "spike",
    "tet_loss",
    "to_unit",
]
