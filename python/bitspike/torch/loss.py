"""Losses over the time steps of the logits.

::

    tet:         mean over t of CE(logits[t], label)      Deng et al., "Temporal Efficient Training", ICLR 2022 (their λ = 0)
    mean-output: CE(mean over t of logits[t], label)
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from bitspike.torch._check import fail


def _check(name: str, logits: Tensor, labels: Tensor) -> None:
    if logits.dim() != 3 or not logits.is_floating_point():
        raise fail(name, logits, "logits float [T, N, classes]")
    n, classes = logits.shape[1:]
    soft = labels.is_floating_point()
    if labels.shape != ((n, classes) if soft else (n,)):
        raise fail(name, labels, f"labels int64 [{n}], or float [{n}, {classes}]")


def tet_loss(logits: Tensor, labels: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """The mean over steps and samples of the cross entropies. Shapes: logits ``[T, N, K]``, labels ``[N]`` or soft ``[N, K]`` → scalar.

    >>> import torch
    >>> tet_loss(torch.zeros(2, 3, 4), torch.tensor([0, 1, 2]))      # log 4
    tensor(1.3863)
    """
    _check("tet_loss", logits, labels)
    every = labels.repeat(logits.shape[0], *[1] * (labels.dim() - 1))
    return F.cross_entropy(logits.flatten(0, 1), every, label_smoothing=label_smoothing)


def mean_output_loss(logits: Tensor, labels: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """The cross entropy of the mean over steps. Shapes: logits ``[T, N, K]``, labels ``[N]`` or soft ``[N, K]`` → scalar.

    >>> import torch
    >>> mean_output_loss(torch.tensor([[[2.0, 0.0]], [[0.0, 2.0]]]), torch.tensor([1]))      # log 2
    tensor(0.6931)
    """
    _check("mean_output_loss", logits, labels)
    return F.cross_entropy(logits.mean(0), labels, label_smoothing=label_smoothing)
