"""Checks of inputs: every error names the layer, what was expected, and dtype and shape of what was found."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from bitspike._errors import InputError as _InputError


class InputError(_InputError):
    """An input that a layer cannot take; the message has the layer, and dtype and shape expected and found."""


def describe(layer: nn.Module) -> str:
    """Class, settings, and the module path if :func:`label_layers` has set it.

    >>> describe(nn.Linear(3, 2))
    'Linear(in_features=3, out_features=2, bias=True)'
    """
    label = getattr(layer, "label", "")
    name = f"{type(layer).__name__}({layer.extra_repr()})"
    return f"{label}: {name}" if label else name


def label_layers(net: nn.Module) -> nn.Module:
    """Tells every layer of this package its module path, so that its errors name it; returns ``net``.

    :class:`~bitspike.torch.FlipTracker` and :func:`~bitspike.torch.fold` do it for you.

    >>> from bitspike.torch import BinaryLinear
    >>> net = label_layers(nn.Sequential(BinaryLinear(3, 2)))
    >>> net(torch.zeros(4, 1, 5))
    Traceback (most recent call last):
    bitspike.torch._check.InputError: 0: BinaryLinear(3, 2): expected float32 [..., 3], found float32 [4, 1, 5]
    """
    for name, module in net.named_modules():
        if type(module).__module__.startswith("bitspike."):
            module.label = name
    return net


def name_of(dtype: torch.dtype) -> str:
    """``torch.float32`` as ``float32``."""
    return str(dtype).removeprefix("torch.")


def fail(layer: nn.Module | str, x: Tensor, expected: str) -> InputError:
    """The error for ``x`` where ``expected`` was wanted."""
    where = layer if isinstance(layer, str) else describe(layer)
    return InputError(f"{where}: expected {expected}, found {name_of(x.dtype)} {list(x.shape)}")


def check(
    layer: nn.Module | str,
    x: Tensor,
    axes: Sequence[str],
    sizes: dict[str, int | None],
    dtype: torch.dtype | None = None,
    optional: int = 0,
) -> None:
    """Refuses ``x`` unless its axes are ``axes``, of the sizes that ``sizes`` has, and its dtype is ``dtype``.

    The first ``optional`` axes may be absent; an axis ``"..."`` stands for any number. Without ``dtype`` any float will do; so it does under autocast, which casts.
    """
    names = list(axes)
    wanted = "[" + ", ".join(str(sizes.get(a) or a) for a in names) + "]"
    if optional:
        wanted += " or [" + ", ".join(str(sizes.get(a) or a) for a in names[optional:]) + "]"
    if dtype is not None and torch.is_autocast_enabled(x.device.type):
        dtype = None
    kind = name_of(dtype) if dtype is not None else "float"
    if not (x.dtype == dtype if dtype is not None else x.is_floating_point()):
        raise fail(layer, x, f"{kind} {wanted}")
    if names[0] == "...":
        names = ["..."] * (x.dim() - len(names) + 1) + names[1:]
    if x.dim() == len(names) - optional:
        names = names[optional:]
    if x.dim() != len(names):
        raise fail(layer, x, f"{kind} {wanted}")
    for size, axis in zip(x.shape, names):
        want = sizes.get(axis)
        if want is not None and size != want:
            raise fail(layer, x, f"{kind} {wanted}")
