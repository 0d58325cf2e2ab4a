"""Binary spiking neural networks: 1-bit weights, 1-bit spikes.

=======================  =============================================================================================
:class:`Model`           a ``.bsnn`` file that runs: logits, spikes of every layer, streams; compiled
:mod:`bitspike.torch`    layers, gate, neurons, optimisers and the flip tracker for PyTorch; ``fold`` makes a file
:func:`verify`           a network of PyTorch against its file, layer by layer
:func:`train`            and :func:`compare`, :func:`sweep`, :func:`report`: recipes, by the program ``bitspike``
:mod:`bitspike.events`   files of event cameras, frames, a simulated camera
:mod:`bitspike.sensors`  recordings of sensors and sound
:mod:`bitspike.encode`   encoders
:mod:`bitspike.data`     data sets as arrays, among them embedded images
:mod:`bitspike.format`   writer of ``.bsnn`` files
=======================  =============================================================================================

NumPy is all that is needed; PyTorch and pandas where they are used. Errors are :class:`BitspikeError` and :class:`OSError`.
"""

from bitspike import data, encode, events, sensors
from bitspike._errors import BitspikeError, DataError, ExportError, FormatError, InputError, InputTypeError, ProgramError
from bitspike._model import Feed, Layer, Model, Spikes, Stream
from bitspike._program import Interrupted
from bitspike._runs import Comparison, Report, Run, compare, report, sweep, train
from bitspike._verify import LayerCheck, Verification, verify

__version__ = "0.1.0"

__all__ = [
    "BitspikeError",
    "Comparison",
    "DataError",
    "ExportError",
    "Feed",
    "FormatError",
    "InputError",
    "InputTypeError",
    "Interrupted",
    "Layer",
    "LayerCheck",
    "Model",
    "ProgramError",
    "Report",
    "Run",
    "Spikes",
    "Stream",
    "Verification",
    "compare",
    "data",
    "encode",
    "events",
    "report",
    "sensors",
    "sweep",
    "train",
    "verify",
]
