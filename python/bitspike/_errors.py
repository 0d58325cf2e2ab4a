"""Errors of the package. Messages say what, where, what was expected and what was found; a line ``hint:`` says what to do."""

from __future__ import annotations


class BitspikeError(Exception):
    """Every error of the package is one of these, but for those of the operating system, which are :class:`OSError`."""


class InputError(BitspikeError, ValueError):
    """An argument has a value or a shape that cannot be."""


class InputTypeError(InputError, TypeError):
    """An array has another dtype, layout or place than expected."""


class FormatError(BitspikeError, ValueError):
    """A ``.bsnn`` file that is damaged, or a description that cannot be written; the message has layer and array or field."""


class ExportError(BitspikeError, ValueError):
    """A network that another format has no words for; the message has the layer."""


class DataError(BitspikeError, ValueError):
    """A file of events or sensors that is damaged, or is not read; the message has file and place."""


class ProgramError(BitspikeError, RuntimeError):
    """The ``bitspike`` program is not there, or said that something is wrong."""
