"""A ``.bsnn`` file that runs."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bitspike import _core, _files
from bitspike._arrays import batched, checked, shown
from bitspike._errors import InputError, InputTypeError


@dataclass(frozen=True)
class Layer:
    """A layer of a file."""

    index: int
    kind: str
    """``"block"``, ``"residual"``, ``"neurons"`` or ``"head"``."""
    shape: tuple[int, int, int] | None
    """``(C, H, W)`` of its spikes, or of its current where it has no neurons; of a residual block those of its own neurons. None of a
    head."""
    unit: float | None
    """What a count of one stands for: 1, or ½ or ¼ where spikes are averaged."""
    neurons: bool
    facts: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """What else the file says: ``binary``, ``kernel``, ``stride``, ``padding``, ``gate``, ``hard``, ``pool``, ``reset``, ``decay``,
    ``threshold``, as far as the layer has them."""


@dataclass(frozen=True)
class Spikes:
    """What a layer gave: ``counts`` times ``unit`` is what the next layer sees."""

    layer: int
    counts: NDArray[np.uint8]
    """``[N, T, C, H, W]``; of a step of a stream ``[C, H, W]``. 0 and 1, or counts of averaged spikes."""
    unit: float

    @property
    def rate(self) -> float:
        """Spikes per value and step; of averaged spikes their mean."""
        return float(self.counts.mean(dtype=np.float64)) * self.unit if self.counts.size else 0.0


@dataclass(frozen=True)
class Feed:
    """How a sample is made of a recording, as the file says it to a device."""

    channels: list[str]
    rate_hz: float | None
    window: int
    """Samples of a window, per channel."""
    hop: int
    per_count: float
    """What a count of a converter is worth."""
    front: Mapping[str, Any]
    """``kind`` ``"samples"`` or ``"log-mel"``, and its numbers."""
    encoder: Mapping[str, Any]
    """``kind`` ``"whole"``, ``"segments"``, ``"rate"``, ``"latency"``, ``"delta"`` or ``"population"``, and its numbers."""
    clip: float | None
    centre: list[float] = field(repr=False)
    """Subtracted, one for each row of features."""
    scale: list[float] = field(repr=False)
    """What the rest is divided by."""


class Model:
    """A trained network out of a ``.bsnn`` file.

    Make one with :meth:`load`. A call gives logits; they are, bit for bit, those of ``bitspike infer`` and of the exported C, and do not
    depend on the number of threads. Calls release the GIL, and threads may share a model.

    ======================  ======================================================================================
    ``steps``               T
    ``input_shape``         ``(C, H, W)`` of a frame
    ``sequence``            whether a sample is T frames; otherwise one image stands for all steps
    ``sample_shape``        ``(T, C, H, W)`` or ``(C, H, W)``
    ``classes``             number of classes
    ``class_names``         their names, or None where the file has none
    ``feed``                :class:`Feed`, or None where samples are not made of recordings
    ``layers``              a :class:`Layer` for each
    ``meta``                what else the file says, as text
    ======================  ======================================================================================

    >>> from bitspike.format import Block, Head, Neuron, Spec
    >>> block = Block(np.ones((2, 1, 1, 1), np.float32), False, np.ones(2, np.float32), np.zeros(2, np.float32), neuron=Neuron(0.5, 1.0))
    >>> head = Head(np.ones((3, 8), np.float32), np.zeros(3, np.float32))
    >>> model = Model.load(Spec(4, (1, 2, 2), [block, head], classes=["a", "b", "c"]).to_bytes())
    >>> model
    Model(1x2x2 -> 3 classes (a, b, c), T = 4, 2 layers, 0 binary weights, 346 bytes)
    >>> x = np.ones((5, 1, 2, 2), np.float32)
    >>> model(x).shape, [s.counts.shape for s in model.spikes(x)]
    ((5, 3), [(5, 4, 2, 2, 2)])
    >>> model(np.ones((5, 2, 2), np.float32))
    Traceback (most recent call last):
    bitspike._errors.InputError: x: expected float32 or uint8 [N, 1, 2, 2] or [1, 2, 2], found float32 [5, 2, 2]
    """

    def __init__(self, core: _core.Model) -> None:
        if not isinstance(core, _core.Model):
            raise InputTypeError(f"Model: expected Model.load(file), found Model({type(core).__name__})")
        self._core = core
        info = core.info()
        self.format_version: int = info["version"]
        self.steps: int = info["steps"]
        self.sequence: bool = info["sequence"]
        self.input_shape: tuple[int, int, int] = info["input"]
        self.classes: int = info["classes"]
        self.class_names: list[str] | None = info["class_names"]
        self.integer: bool = info["integer"]
        self.binary_weights: int = info["binary_weights"]
        self.real_parameters: int = info["real_parameters"]
        self.file_bytes: int = info["file_bytes"]
        self.arena_bytes: int = info["arena_bytes_run"]
        """Bytes of memory that a device needs for a whole sample."""
        self.arena_bytes_step: int = info["arena_bytes_step"]
        """The same for one frame after another."""
        self.kernels: str = info["kernels"]
        self.normalise: tuple[list[float], list[float]] | None = info["normalise"]
        """Mean and deviation per channel that make network inputs of values from 0 to 1."""
        self.meta: dict[str, str] = info["meta"]
        self.feed: Feed | None = None if info["feed"] is None else Feed(**info["feed"])
        self.layers: list[Layer] = [
            Layer(i, facts.pop("kind"), facts.pop("shape"), facts.pop("unit"), facts.pop("neurons"), MappingProxyType(facts))
            for i, facts in enumerate(info["layers"])
        ]

    @classmethod
    def load(cls, file: str | os.PathLike[str] | bytes | bytearray | memoryview, kernels: str | None = None) -> Model:
        """Reads a path, or takes the bytes of a file; either way the model owns its bytes.

        ``kernels``: ``"portable"``, ``"neon"``, ``"avx2"`` or ``"avx512"`` instead of the best of this processor.

        Raises :class:`bitspike.FormatError` for a damaged file, :class:`OSError` for one that cannot be read.
        """
        if isinstance(file, (bytes, bytearray, memoryview)):
            return cls(_core.Model(bytes(file), kernels))
        if not isinstance(file, (str, os.PathLike)):
            raise InputTypeError(f"Model.load: expected a path or the bytes of a file, found {type(file).__name__}")
        return cls(_core.Model(Path(file).read_bytes(), kernels))

    @property
    def sample_shape(self) -> tuple[int, ...]:
        return (self.steps, *self.input_shape) if self.sequence else self.input_shape

    def to_bytes(self) -> bytes:
        """The bytes of the file."""
        return self._core.file()

    def save_onnx(self, path: str | os.PathLike[str], *, input: Literal["float32", "uint8"] = "float32") -> None:
        """Writes an ONNX graph of floats, opset 13, unrolled over T; its output ``logits`` ``[N, classes]`` is what a call gives.

        ``input``: what the graph takes, like a call. ``"float32"``: ``input`` ``[N, *sample_shape]``, the network's own inputs.
        ``"uint8"``: ``image``, pixels 0 to 255 in floats; the normalisation that the file says is in the graph.

        Sums of spikes are exact in floats; elsewhere a runtime rounds as it likes, so a spike whose potential lies within rounding of
        its threshold may differ. Raises :class:`bitspike.ExportError` for a file with integers.
        """
        if input not in ("float32", "uint8"):
            raise InputError(f'input: expected "float32" or "uint8", found {input!r}')
        _files.replace(path, _core.onnx(self._core, input == "uint8"))

    def save_nir(
        self, path: str | os.PathLike[str], *, weights: Literal["scaled", "signs"] = "scaled", soft_reset: bool = False
    ) -> None:
        """Writes a NIR graph, for other libraries of spiking networks (``weights="scaled"``) or for hardware (``"signs"``: ±1).

        NIR has neurons that go to 0 alone: networks with ``reset="soft"`` need ``soft_reset=True``, which is said in the metadata, and
        a program that does not read it computes something else. Raises :class:`bitspike.ExportError` with the layer that NIR has no words
        for, as a gate that depends on the sample.
        """
        _files.replace(path, _core.nir(self._core, weights, soft_reset))

    def save_c(
        self,
        folder: str | os.PathLike[str],
        *,
        name: str = "bsnn_model",
        samples: Any = None,
        template: Literal["bare", "arduino", "esp-idf", "zephyr"] | None = None,
        hop: int | None = None,
    ) -> list[Path]:
        """Writes the network as C99 that needs no library, and gives the paths: ``NAME.h`` and ``NAME.c``, whose logits are bit for
        bit those of a call; with ``samples`` ``NAME_test.c``, a program that compares them; and where the file says how samples are made
        of recordings, ``NAME_stream.h`` and ``NAME_stream.c``.

        A warning says why there is no stream where the file asks for one that the C code does not have.

        ``samples``: as a call takes them. ``template``: a whole project for a kind of device instead, which needs a stream. ``hop``:
        samples from one window to the next, if not those of the file.
        """
        if hop is not None and not (isinstance(hop, int) and 0 < hop < 1 << 32):
            raise InputError(f"hop: expected a number from 1, found {hop!r}")
        if template is not None and samples is not None:
            raise InputError("samples: a template has no test; leave one of both out")
        given = None if samples is None else self._input(samples)[0]
        written, target = [], Path(folder)
        files, without = _core.c(self._core, name, given, template, hop)
        if without is not None:
            warnings.warn(without, stacklevel=2)
        for path, text in files:
            file = target / path
            file.parent.mkdir(parents=True, exist_ok=True)
            _files.replace(file, text.encode())
            written.append(file)
        return written

    def _input(self, x: Any) -> tuple[NDArray[np.float32], bool]:
        a, single = batched(x, "x", (np.float32, np.uint8), self.sample_shape)
        return (self._core.pixels(a) if a.dtype == np.uint8 else a), single

    def normalised(self, x: Any) -> NDArray[np.float32]:
        """Measured values, float32 ``[N, *sample_shape]``, as inputs of the network: ``(x − mean) / std`` per channel with what the file
        says, in float32. Windows of sensors come to the file so, behind the normalisation that ``feed`` says."""
        a, single = batched(x, "x", (np.float32,), self.sample_shape)
        if self.normalise is not None:
            mean, std = (np.array(v, np.float32)[:, None, None] for v in self.normalise)
            a = np.ascontiguousarray((a - mean) / std)
        return a[0] if single else a

    def __call__(self, x: Any, threads: int = 0) -> NDArray[np.float32]:
        """Logits ``[N, classes]`` of ``x`` ``[N, *sample_shape]``; of one sample ``[*sample_shape]``, ``[classes]``.

        ``x``: a NumPy array, or anything with ``__dlpack__`` on the CPU, in C order. ``float32`` goes in as it is; ``uint8`` are pixels,
        which become ``(p / 255 − mean) / std`` with what the file says. ``threads``: 0 for as many as there are cores.

        Raises :class:`bitspike.InputTypeError` and :class:`bitspike.InputError` that say dtype, shape and layout expected and found.
        """
        if not isinstance(threads, int) or threads < 0:
            raise InputError(f"threads: expected a number from 0, found {threads!r}")
        a, single = self._input(x)
        logits = self._core.run(a, threads)
        return logits[0] if single else logits

    def predict(self, x: Any, threads: int = 0) -> NDArray[np.int64]:
        """Class of each sample, ``[N]``: that of the largest logit, the first of equal ones."""
        return np.asarray(np.argmax(np.atleast_2d(self(x, threads)), axis=1), dtype=np.int64)

    def spikes(self, x: Any) -> list[Spikes]:
        """Spikes of every layer that has neurons, in the order of the file: counts ``[N, T, C, H, W]`` (of one sample N is 1)."""
        return self.run(x)[1]

    def run(self, x: Any) -> tuple[NDArray[np.float32], list[Spikes]]:
        """Logits ``[N, classes]`` and what :meth:`spikes` gives."""
        a, _ = self._input(x)
        logits, seen = self._core.spikes(a)
        return logits, [Spikes(*s) for s in seen]

    def stream(self) -> Stream:
        """A stream at its start: frames one after another."""
        return Stream(self)

    def __repr__(self) -> str:
        shape = "x".join(map(str, self.input_shape))
        names = ""
        if self.class_names:
            shown_names = self.class_names[:5] + (["..."] if self.classes > 5 else [])
            names = f" ({', '.join(shown_names)})"
        frames = ", sequences" if self.sequence else ""
        kind = ", integers" if self.integer else ""
        feed = ""
        if self.feed is not None:
            rate = "" if self.feed.rate_hz is None else f" at {self.feed.rate_hz:g} Hz"
            feed = f", fed with {self.feed.window} samples of {', '.join(self.feed.channels)}{rate}"
        return (
            f"Model({shape} -> {self.classes} classes{names}, T = {self.steps}{frames}, {len(self.layers)} layers{kind}, "
            f"{self.binary_weights} binary weights, {self.file_bytes} bytes{feed})"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return Model.load, (self.to_bytes(),)


class Stream:
    """A network that is shown one frame after another, as a device sees them.

    >>> model = Model.load(path)                                        # doctest: +SKIP
    >>> stream = model.stream()                                         # doctest: +SKIP
    >>> for frame in camera:                                            # doctest: +SKIP
    ...     logits = stream.step(frame)      # the mean over all steps so far

    After T steps gates go on with their last α. A stream belongs to one thread at a time.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self._core = model._core.stream()

    @property
    def steps(self) -> int:
        """Steps since the start, or since :meth:`reset`."""
        return self._core.done()

    def _frame(self, frame: Any) -> NDArray[np.float32]:
        shape = self.model.input_shape
        a = checked(frame, "frame", (np.float32, np.uint8), str(list(shape)))
        if a.shape != shape:
            raise InputError(f"frame: expected float32 or uint8 {list(shape)}, found {shown(a)}")
        return self.model._core.pixels(a) if a.dtype == np.uint8 else a

    def step(self, frame: Any) -> NDArray[np.float32]:
        """Shows a frame ``[C, H, W]``; logits ``[classes]`` are the mean over all steps so far."""
        return self._core.step(self._frame(frame))[0]

    def step_with_spikes(self, frame: Any) -> tuple[NDArray[np.float32], list[Spikes]]:
        """The same, with the spikes of this step of every layer that has neurons, counts ``[C, H, W]``."""
        logits, seen = self._core.step(self._frame(frame), True)
        return logits, [Spikes(*s) for s in seen or []]

    def reset(self) -> None:
        """Forgets everything: between samples."""
        self._core.reset()

    def __repr__(self) -> str:
        return f"Stream({self.steps} steps of {self.model!r})"
