"""Errors as the command line prints them: the one place where arguments of the Python API become flags."""

from __future__ import annotations

import re
from typing import Final

_ARGUMENT: Final = re.compile(r"""\b([a-z]+(?:_[a-z]+)*)=(?:True\b|(False)\b|"([^"]*)"|(\d[\d.]*))""")

_SPELLED: Final = {"initial": "from"}  # arguments whose flags have other names


def error_text(error: Exception) -> str:
    """Return the message of an error, with ``overwrite=True`` in its remedy spelled ``--overwrite``.

    Likewise ``negative=False`` becomes ``--no-negative``, ``device="cpu"`` becomes ``--device cpu``, and ``cache_gb=0``
    becomes ``--cache-gb 0``. Nothing else of the message is changed, since a file may well be called ``a=1.jpg``.
    """
    text = str(error)
    if not (remedy := getattr(error, "remedy", "")):
        return text
    return text.removesuffix(remedy) + _ARGUMENT.sub(_flag, remedy)


def note_text(note: str) -> str:
    """Return a note on a photograph or a film, with ``negative=True`` in its remedy spelled ``--negative``."""
    fact, colon, remedy = note.rpartition(": ")
    return fact + colon + _ARGUMENT.sub(_flag, remedy)


def _flag(found: re.Match[str]) -> str:
    name, no, text, number = found.groups()
    value = text if text is not None else number
    return f"--{'no-' if no else ''}{_SPELLED.get(name, name).replace('_', '-')}" + (
        "" if value is None else f" {value}"
    )
