"""From a trained network to a packed ``.bsnn`` file: batch norm, scale and constant gates folded.

::

    trained:  z = k (γ (S f − μ)/√(v + ε) + β)        f: unit of the input times the scale of the weights
    folded:   z = k (a S + b)       a = f γ/√(v + ε)       b = β − μ γ/√(v + ε)

The forward pass is traced (``torch.fx``) and read layer by layer, so it may be written as a ``Sequential`` or by hand. What the format
holds: a real convolution first; binary convolutions, each with norm, gate, 2×2 pooling and neurons behind it; residual blocks
``x + norm(conv(neuron(x)))`` with the identity or average pooling, 1×1 convolution and norm around; one linear classifier over the
flattened map or its mean. Anything else is refused by the name of the layer. Folding is done in float64 and rounded once.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn
from torch.nn.modules.batchnorm import _BatchNorm

from bitspike import format as fmt
from bitspike._errors import BitspikeError
from bitspike.torch._check import label_layers
from bitspike.torch.agmm import Agmm, hard
from bitspike.torch.binary import BinaryConv1d, BinaryConv2d, BinaryLayer
from bitspike.torch.neuron import Neuron, lif
from bitspike.torch.norm import TimeBatchNorm, fold_norm
from bitspike.torch.time import TimeDistributed


class FoldError(BitspikeError, ValueError):
    """A layer that the format does not have; the message names it."""


def _array(values: Tensor) -> fmt.Array:
    return values.detach().cpu().to(torch.float32).numpy()


def _is(module: nn.Module, *names: str) -> bool:
    """Whether a module of SpikingJelly is of one of these classes; the library need not be there."""
    kinds = type(module).__mro__
    return any(k.__module__.startswith("spikingjelly.") and k.__name__ in names for k in kinds)


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        if isinstance(m, nn.Sequential):
            return False
        own = type(m).__module__.startswith(("bitspike.", "torch.nn", "spikingjelly."))
        return own or super().is_leaf_module(m, module_qualified_name)


@dataclass
class _Conv:
    """A convolution whose current is being put together; slope and offset in float64."""

    weight: Tensor
    binary: bool
    slope: Tensor
    offset: Tensor
    stride: int
    padding: tuple[int, int]
    sums: tuple[int, int, int]
    source: _Value
    gate: fmt.Gate | None = None
    pool: fmt.Pool = "none"
    normed: bool = False
    one_by_one: bool = False


@dataclass
class _Value:
    """What flows along an edge of the traced graph."""

    kind: str  # input, current, spikes, pooled, features, logits
    map: tuple[int, int, int]
    node: fx.Node
    unit: float = 1.0
    conv: _Conv | None = None  # of a current that no layer has taken yet
    source: _Value | None = None  # spikes: the current of a residual chain that they come from; pooled: what was pooled
    neuron: fmt.Neuron | None = None
    average: bool = False
    depth: int = 0  # layers of the file in front of it


class _Fold:
    def __init__(self, net: nn.Module, steps: int, shape: tuple[int, int, int]) -> None:
        self.steps, self.shape = steps, shape
        self.layers: list[fmt.Block | fmt.Residual | fmt.Neuron | fmt.Head] = []
        try:
            self.graph = _Tracer().trace(net)
        except Exception as e:
            raise FoldError(f"the forward pass cannot be traced: {e}; write it without branches on values") from e
        self.modules = dict(net.named_modules())
        self.done = False

    def run(self) -> None:
        values: dict[fx.Node, _Value] = {}
        for node in self.graph.nodes:
            if node.op == "output":
                out = node.args[0]
                value = values.get(out) if isinstance(out, fx.Node) else None
                if value is None or value.kind != "logits":
                    raise FoldError("output: expected the logits of a linear classifier")
                return
            if node.op == "placeholder":
                if values:
                    raise FoldError(f"{node.name}: expected one input")
                c, h, w = self.shape
                values[node] = _Value("input", (c, h, w), node)
                continue
            if node.op == "call_module":
                name = str(node.target)
                module = self.modules[name]
                value = self._value(values, node, node.args[0], name)
                for inner_name, layer in _parts(name, module):
                    value = self._module(inner_name, layer, value, node)
            else:
                value = self._function(node, values)
            values[node] = value

    def _value(self, values: Mapping[fx.Node, _Value], node: fx.Node, arg: Any, name: str) -> _Value:
        if isinstance(arg, fx.Node) and arg in values:
            return values[arg]
        raise FoldError(f"{name}: its input is not the output of a layer")

    def _function(self, node: fx.Node, values: Mapping[fx.Node, _Value]) -> _Value:
        name = node.name
        args = [values[a] for a in node.args if isinstance(a, fx.Node) and a in values]
        if node.op not in ("call_function", "call_method") or not args:
            raise FoldError(f"{name}: the format has no {node.target}")
        numbers = [a for a in node.args[1:] if not isinstance(a, fx.Node)]
        axes = node.kwargs.get("dim", numbers[0] if numbers else None)
        if node.target in (operator.add, operator.iadd, torch.add, "add", "add_") and len(args) == 2:
            return self._join(name, args[0], args[1], node)
        if node.target in ("mean", torch.mean):
            axes = tuple(axes) if isinstance(axes, (list, tuple)) else axes
            if args[0].kind == "logits" and axes == 0:
                return replace(args[0], node=node)
            if args[0].kind == "spikes" and axes in ((3, 4), (-2, -1), (-1, -2)):
                return replace(args[0], kind="features", average=True, node=node)
            if args[0].kind == "spikes" and self.shape[1] == 1 and axes in (3, -1):
                return replace(args[0], kind="features", average=True, node=node)
        if node.target in ("flatten", torch.flatten) and args[0].kind == "spikes":
            start = node.kwargs.get("start_dim", numbers[0] if numbers else 0)
            if start == 2:
                return replace(args[0], kind="features", node=node)
        raise FoldError(f"{name}: the format has no {getattr(node.target, '__name__', node.target)} of {args[0].kind} here")

    def _join(self, name: str, a: _Value, b: _Value, node: fx.Node) -> _Value:
        """``x + norm(conv(neuron(x)))``: a residual block."""
        for inner, around in ((a, b), (b, a)):
            conv = inner.conv
            if conv is None or not conv.binary or conv.source.source is None or conv.pool != "none":
                continue
            start, projection, shortcut = conv.source.source, None, around.conv
            if around is not start:
                if shortcut is None or not shortcut.one_by_one or shortcut.source.source is not start:
                    continue
                weight = _array(shortcut.weight[:, :, 0, 0])
                projection = (weight, _array(shortcut.slope), _array(shortcut.offset))
            if inner.map != around.map:
                raise FoldError(f"{name}: expected a shortcut of {list(inner.map)}, found {list(around.map)}")
            self._emit(name, fmt.Residual(_block(conv, conv.source.neuron), projection), conv.source)
            return _Value("current", inner.map, node)
        raise FoldError(f"{name}: the format adds x + norm(conv(neuron(x))) alone, with the identity, or with 2x2 average pooling, "
                        "1x1 convolution and norm around")

    def _module(self, name: str, m: nn.Module, x: _Value, node: fx.Node) -> _Value:
        def refuse(reason: str) -> FoldError:
            return FoldError(f"{name} ({type(m).__name__}): {reason}")

        if x.kind == "logits":
            raise refuse("the format has nothing behind the classifier")
        if isinstance(m, (nn.Identity, nn.Dropout, nn.Dropout2d)):
            return x
        if isinstance(m, (BinaryLayer, nn.Conv2d, nn.Conv1d)):
            return self._conv(m, x, node, refuse)
        if isinstance(m, (TimeBatchNorm, _BatchNorm)):
            conv = x.conv
            if conv is None or x.kind != "current" or conv.normed:
                raise refuse("expected right behind a convolution")
            inner, factor = (m.norm, m.v_threshold) if isinstance(m, TimeBatchNorm) else (m, 1.0)
            if inner.num_features != x.map[0]:
                raise refuse(f"expected {x.map[0]} channels, found {inner.num_features}")
            slope, offset = fold_norm(inner, factor)
            conv = replace(conv, slope=conv.slope * slope, offset=conv.offset * slope + offset, normed=True)
            if conv.gate is not None:
                raise refuse("a gate that differs per step or sample stands behind the norm in the format")
            return replace(x, conv=conv, node=node)
        if isinstance(m, Agmm):
            return self._gate(m, x, node, refuse)
        if isinstance(m, Neuron) or _is(m, "BaseNode"):
            return self._neuron(m, x, node, refuse)
        if isinstance(m, (nn.AvgPool2d, nn.MaxPool2d, nn.AvgPool1d, nn.MaxPool1d)):
            return self._pool(m, x, node, refuse)
        if isinstance(m, (nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool1d)) and x.kind == "spikes":
            if m.output_size not in (1, (1, 1)):
                raise refuse("the format has the mean of the whole map alone")
            return replace(x, average=True, node=node)
        if isinstance(m, nn.Flatten) and x.kind == "spikes":
            return replace(x, kind="features", node=node)
        if isinstance(m, nn.Linear):
            return self._head(m, x, node, refuse)
        raise refuse("the format has no such layer here")

    def _conv(self, m: nn.Module, x: _Value, node: fx.Node, refuse: Callable[[str], FoldError]) -> _Value:
        binary = isinstance(m, BinaryLayer)
        if not isinstance(m, (BinaryConv1d, BinaryConv2d, nn.Conv1d, nn.Conv2d)):
            raise refuse("the format has no binary layer but convolutions")
        stride, padding = m.stride, m.padding
        stride = (stride,) if isinstance(stride, int) else stride
        if isinstance(padding, str):
            raise refuse("expected padding in numbers")
        if len(set(stride)) > 1 or m.groups != 1 or set(_tuple(m.dilation)) != {1}:
            raise refuse("the format has no groups, no dilation, and one stride")
        if not binary and (x.kind not in ("input", "pooled") or getattr(m, "padding_mode", "zeros") != "zeros"):
            raise refuse("the format has real weights in the first layer, the classifier and 1x1 shortcuts alone")
        if binary and x.kind != "spikes":
            raise refuse(f"a binary convolution sees spikes in the format, not the {x.kind}")
        weight = m.weight.detach().double()
        if weight.dim() == 3:
            weight, padding = weight.unsqueeze(2), (0, *padding)
        out, inputs, *kernel = weight.shape
        if inputs != x.map[0]:
            raise refuse(f"expected {x.map[0]} channels, found {inputs}")
        shortcut = x.kind == "pooled"
        if shortcut and (kernel != [1, 1] or stride[0] != 1 or set(padding) != {0} or m.bias is not None):
            raise refuse("a shortcut has a 1x1 convolution without bias in the format")
        scale = torch.full((out,), x.unit, dtype=torch.float64)
        if isinstance(m, BinaryLayer) and m.scale == "mean-abs":
            scale = scale * weight.abs().flatten(1).mean(1)
        bias = getattr(m, "bias", None)
        offset = torch.zeros_like(scale) if bias is None else bias.detach().double()
        # Signs are taken of the stored weight: rounding to float32 could turn none.
        conv = _Conv(weight, binary, scale.cpu(), offset.cpu(), stride[0], (padding[0], padding[1]), (0, 0, 0), x, one_by_one=shortcut)
        rows, columns = ((n + 2 * p - k) // stride[0] + 1 for n, p, k in zip(x.map[1:], padding, kernel))
        conv.sums = (out, rows, columns)
        return _Value("current", conv.sums, node, conv=conv)

    def _gate(self, m: Agmm, x: _Value, node: fx.Node, refuse: Callable[[str], FoldError]) -> _Value:
        conv = x.conv
        if conv is None or x.kind != "current" or not conv.binary:
            raise refuse("expected behind a binary convolution")
        if m.steps != self.steps:
            raise refuse(f"expected {self.steps} time steps, found {m.steps}")
        if conv.gate is not None:
            raise refuse("the format has one gate behind a convolution")
        if m.apply_to == "gradient":
            return replace(x, node=node)
        factor = m.fixed_factor()
        if factor is not None:
            k = factor.detach().double().cpu()
            if bool((k == k[0]).all()):
                conv = replace(conv, slope=conv.slope * k[0], offset=conv.offset * k[0])
            else:
                conv = replace(conv, gate=fmt.Gate("fixed", _array(k)))
            return replace(x, conv=conv, node=node)
        if m.pool not in ("chw", "hw") and not (m.pool == "none" and m.gate == "hard"):
            raise refuse(
                f'pool="{m.pool}": a gate per element would need a logistic function for every neuron; use gate="hard", or pool "chw" or "hw"'
            )
        if conv.pool != "none":
            raise refuse("a gate from the sample stands in front of the pooling in the format")
        kind: Literal["sample", "element"] = "element" if m.pool == "none" else "sample"
        gate = fmt.Gate(kind, _array(m.alpha), m.pool == "hw", m.alpha_inside, m.gate == "hard" and kind == "sample")
        return replace(x, conv=replace(conv, gate=gate), node=node)

    def _neuron(self, m: nn.Module, x: _Value, node: fx.Node, refuse: Callable[[str], FoldError]) -> _Value:
        if x.kind != "current":
            raise refuse(f"neurons see a current in the format, not the {x.kind}")
        gain = 1.0
        if isinstance(m, Neuron):
            neuron = fmt.Neuron(_f32(m.decay()), _f32(m.v_threshold), m.reset)
        else:
            neuron, gain = _spikingjelly(m, refuse)
        conv = x.conv
        # A current that others see too is that of a residual chain, and so is a sum.
        chain = conv is None or (not conv.binary and len(x.node.users) > 1)
        if gain != 1.0:
            if conv is None or chain:
                raise refuse("decay_input=True scales a current that a shortcut sees too; use decay_input=False")
            conv = replace(conv, slope=conv.slope * gain, offset=conv.offset * gain)
        if not chain:
            assert conv is not None
            if len(x.node.users) > 1:
                raise refuse("the current of a binary convolution goes to one layer in the format")
            self._emit(str(node.target), _block(conv, neuron), conv.source)
            return _Value("spikes", x.map, node, depth=len(self.layers))
        if conv is not None:
            self._stem(x)
        return _Value("spikes", x.map, node, source=x, neuron=neuron, depth=len(self.layers))

    def _emit(self, name: str, layer: fmt.Block | fmt.Residual, source: _Value) -> None:
        """The next layer of the file, if it is fed by the one before."""
        if source.depth != len(self.layers):
            raise FoldError(f"{name}: expected behind the last layer: the format has no branches but shortcuts")
        self.layers.append(layer)

    def _stem(self, x: _Value) -> None:
        """The first convolution of a residual chain, whose current goes out."""
        assert x.conv is not None
        if not self.layers:
            self.layers.append(_block(x.conv, None))

    def _pool(self, m: nn.Module, x: _Value, node: fx.Node, refuse: Callable[[str], FoldError]) -> _Value:
        c, rows, columns = x.map
        size, stride = _tuple(m.kernel_size), _tuple(m.stride)  # type: ignore[arg-type]
        padded = set(_tuple(m.padding)) != {0}  # type: ignore[arg-type]
        window = (min(rows, 2), 2)
        if isinstance(m, (nn.AvgPool1d, nn.MaxPool1d)):
            size, stride = (1, *size), (1, *stride)
        size, stride = (v * 2 if len(v) == 1 else v for v in (size, stride))
        if size != window or stride != window or padded or getattr(m, "ceil_mode", False):
            raise refuse(f"the format pools windows of {window[0]}x{window[1]} that do not overlap, found {size}, stride {stride}")
        average = isinstance(m, (nn.AvgPool2d, nn.AvgPool1d))
        out = (c, rows // window[0], columns // 2)
        if x.kind == "spikes" and x.source is None and x.unit == 1.0:
            block = self.layers[-1]
            if not isinstance(block, fmt.Block) or block.pool != "none" or len(x.node.users) > 1:
                raise refuse("the format pools once behind the neurons of a convolution")
            self.layers[-1] = replace(block, pool="spikes" if average else "max-spikes")
            return _Value("spikes", out, node, depth=x.depth, unit=1 / (window[0] * 2) if average else 1.0)
        if x.kind == "current" and average:
            conv = x.conv
            if conv is None or (not conv.binary and len(x.node.users) > 1):
                if conv is not None:
                    self._stem(x)
                return _Value("pooled", out, node, source=x)
            if conv.pool != "none":
                raise refuse("the format pools once behind a convolution")
            return replace(x, map=out, conv=replace(conv, pool="current"), node=node)
        raise refuse(f"the format has no such pooling of {x.kind}")

    def _head(self, m: nn.Linear, x: _Value, node: fx.Node, refuse: Callable[[str], FoldError]) -> _Value:
        if x.kind not in ("features", "spikes"):
            raise refuse(f"the classifier sees spikes in the format, not the {x.kind}")
        if x.kind == "spikes" and not x.average and x.map[1:] != (1, 1):
            raise refuse("expected a flattened map or its mean in front of the classifier")
        if x.depth != len(self.layers):
            raise refuse("expected behind the last layer: the format has no branches but shortcuts")
        if x.neuron is not None:
            self.layers.append(x.neuron)
        bias = torch.zeros(m.out_features) if m.bias is None else m.bias
        self.layers.append(fmt.Head(_array(m.weight), _array(bias), x.average))
        return _Value("logits", (m.out_features, 1, 1), node)


def _block(conv: _Conv, neuron: fmt.Neuron | None) -> fmt.Block:
    # Signs of the stored numbers: a tiny weight must not become zero in float32.
    weight = torch.where(conv.weight >= 0, 1.0, -1.0) if conv.binary else conv.weight
    slope, offset = _array(conv.slope), _array(conv.offset)
    return fmt.Block(_array(weight), conv.binary, slope, offset, conv.stride, conv.padding, conv.gate, conv.pool, neuron)


def _spikingjelly(m: nn.Module, refuse: Callable[[str], FoldError]) -> tuple[fmt.Neuron, float]:
    """A neuron of SpikingJelly as ours, and the factor of its current."""
    settings: Any = m
    if settings.v_reset not in (None, 0.0):
        raise refuse(f"expected v_reset None or 0, found {settings.v_reset}")
    gain = 1.0
    if _is(m, "ParametricLIFNode"):
        decay = 1.0 - _f32(settings.w.sigmoid())
    elif _is(m, "LIFNode"):
        decay = 1.0 - 1.0 / settings.tau
    elif _is(m, "IFNode"):
        decay = 1.0
    else:
        raise refuse("of SpikingJelly's neurons the format has IFNode, LIFNode and ParametricLIFNode")
    if decay != 1.0 and settings.decay_input:
        gain = 1.0 - decay
    return fmt.Neuron(_f32(decay), _f32(settings.v_threshold), "soft" if settings.v_reset is None else "hard"), gain


def _f32(value: float | Tensor) -> float:
    return float(np.float32(value.detach().cpu().item() if isinstance(value, Tensor) else value))


def _tuple(value: int | tuple[int, ...]) -> tuple[int, ...]:
    return (value,) if isinstance(value, int) else tuple(value)


def _parts(name: str, module: nn.Module) -> list[tuple[str, nn.Module]]:
    """A container that applies layers to every step, as those layers."""
    if isinstance(module, (TimeDistributed, nn.Sequential)) or _is(module, "SeqToANNContainer"):
        return [part for i, layer in module.named_children() for part in _parts(f"{name}.{i}", layer)]
    return [(name, module)]


def fold(
    net: nn.Module,
    T: int,
    input: tuple[int, ...],
    *,
    sequence: bool = False,
    normalise: tuple[Any, Any] | None = None,
    meta: dict[str, str] | None = None,
    classes: Sequence[str] | None = None,
    signal: fmt.Signal | None = None,
) -> fmt.Spec:
    """The description of a trained network as a ``.bsnn`` file; ``.save(path)`` writes it, ``.save_c(folder)``, ``.save_onnx(path)`` and
    ``.save_nir(path)`` other formats.

    ``net`` maps ``[T, N, *input]`` to logits ``[T, N, classes]`` (or their mean over T); ``input`` is ``(C, H, W)`` or ``(C, L)``.
    ``sequence``: whether inputs are T frames; otherwise one image stands for all steps. ``normalise``: mean and deviation per channel
    that make network inputs of values from 0 to 1. ``classes``: names of the classes, which the file carries; ``signal``: how samples are
    made of recordings. The network is read as it is at evaluation, whatever its mode.

    Raises :class:`FoldError` with the first layer that the format does not have, :class:`bitspike.format.FormatError` for sizes beyond
    its fields.

    >>> from bitspike.torch import LIF, Agmm, BinaryConv2d
    >>> net = nn.Sequential(
    ...     TimeDistributed(nn.Conv2d(1, 8, 3, padding=1)), TimeBatchNorm(8), LIF(),
    ...     BinaryConv2d(8, 8, 3, padding=1), TimeBatchNorm(8), Agmm(2), LIF(), nn.Flatten(2), nn.Linear(8 * 16, 3),
    ... )
    >>> spec = fold(net, T=2, input=(1, 4, 4))
    >>> [type(layer).__name__ for layer in spec.layers], len(spec.to_bytes())
    (['Block', 'Block', 'Head'], 2480)
    """
    if len(input) == 2:
        input = (input[0], 1, input[1])
    if len(input) != 3 or min(input) < 1 or T < 1:
        raise ValueError(f"fold: expected T from 1 and an input of (C, H, W) or (C, L), found T = {T}, {input}")
    label_layers(net)
    walk = _Fold(net, T, (input[0], input[1], input[2]))
    walk.run()
    means = None
    if normalise is not None:
        mean, std = (np.asarray(v, dtype=np.float32) for v in normalise)
        means = (mean, std)
    spec = fmt.Spec(T, walk.shape, walk.layers, sequence, means, dict(meta or {}), classes, signal)
    spec.to_bytes()  # refuses what does not fit now, not when it is saved
    return spec


@torch.no_grad()
def run(spec: fmt.Spec, x: Tensor, dtype: torch.dtype = torch.float64) -> Tensor:
    """Logits ``[N, classes]`` of what a file says, for inputs ``[N, C, H, W]`` or sequences ``[T, N, C, H, W]``: the plain twin of the
    packed runtime, in ``dtype``.

    The runtime computes in float32 in a stated order; in float64 a logit differs in its last bits, and a spike where a potential lies
    within rounding of the threshold.
    """
    x = x.to(dtype)
    x = x if spec.sequence else x.unsqueeze(0).expand(spec.steps, *x.shape)

    def tensor(values: fmt.Array) -> Tensor:
        return torch.from_numpy(np.array(values)).to(dtype)

    def per_channel(values: fmt.Array) -> Tensor:
        return tensor(values).view(1, 1, -1, 1, 1)

    def window(x: Tensor, mean: bool) -> Tensor:
        size = (min(x.shape[3], 2), 2)
        y = (F.avg_pool2d if mean else F.max_pool2d)(x.flatten(0, 1), size)
        return y.reshape(*x.shape[:2], *y.shape[1:])

    def current(b: fmt.Block, x: Tensor, unit: float) -> Tensor:
        weight = tensor(b.weight)
        weight = torch.where(weight >= 0, 1.0, -1.0).to(dtype) if b.binary else weight
        s = F.conv2d(x.flatten(0, 1), weight, None, b.stride, b.padding)
        s = s.reshape(*x.shape[:2], *s.shape[1:]) / unit
        z = per_channel(b.slope) * s + per_channel(b.offset)
        if b.gate is not None:
            values = tensor(b.gate.values).view(spec.steps, 1, -1, 1, 1)
            if b.gate.kind != "fixed":
                element = b.gate.kind == "element"
                m = z if element else z.mean((3, 4) if b.gate.per_channel else (2, 3, 4), keepdim=True)
                function = hard if element or b.gate.hard else torch.sigmoid
                values = function(values * m) if b.gate.inside else values * function(m)
            z = values * z
        return window(z, True) if b.pool == "current" else z

    def fire(n: fmt.Neuron, z: Tensor) -> Tensor:
        return lif(z, n.decay, n.threshold, n.reset)[0]

    unit = 1.0
    for layer in spec.layers:
        if isinstance(layer, fmt.Block):
            z = current(layer, x, unit)
            x = z if layer.neuron is None else fire(layer.neuron, z)
            unit = 1.0
            if layer.pool in ("spikes", "max-spikes"):
                unit = 1 / (min(x.shape[3], 2) * 2) if layer.pool == "spikes" else 1.0
                x = window(x, layer.pool == "spikes")
        elif isinstance(layer, fmt.Residual):
            assert layer.block.neuron is not None
            z, around = current(layer.block, fire(layer.block.neuron, x), 1.0), x
            if layer.projection is not None:
                weight, slope, offset = layer.projection
                around = torch.einsum("oc,tnchw->tnohw", tensor(weight), window(x, True))
                around = per_channel(slope) * around + per_channel(offset)
            x = z + around
        elif isinstance(layer, fmt.Neuron):
            x = fire(layer, x)
        else:
            x = x.mean((3, 4)) if layer.average else x.flatten(2)
            x = x @ tensor(layer.weight).t() + tensor(layer.bias)
    return x.mean(0)
