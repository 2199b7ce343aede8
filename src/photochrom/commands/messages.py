"""Turns errors and notes into text for the command line: ``overwrite=True`` in a remedy becomes ``--overwrite``."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from typing import Final

from ..errors import one_line

OWN_OUTPUT: Final = "was coloured by Photochrom: skipped; --recolor colours it anyway"
"""Reason why a photograph or film is not coloured again."""
_ARGUMENT: Final = re.compile(r"""\b([a-z]+(?:_[a-z]+)*)=(?:True\b|(False)\b|"([^"]*)"|(\d[\d.]*))""")
_SPELLED: Final = {"initial": "from"}  # arguments whose flags are named differently


def error_text(error: Exception) -> str:
    """Return an error's message in one line, with the Python arguments in its remedy rewritten as flags.

    ``overwrite=True`` becomes ``--overwrite``, ``negative=False`` becomes ``--no-negative``, ``device="cpu"`` becomes
    ``--device cpu``, and ``cache_gb=0`` becomes ``--cache-gb 0``. The message before the remedy is not rewritten, since
    it may name a file such as ``a=1.jpg``.
    """
    text = str(error)
    if remedy := getattr(error, "remedy", ""):
        text = text.removesuffix(remedy) + _ARGUMENT.sub(_flag, remedy)
    return one_line(text)


def note_text(note: str) -> str:
    """Return a note on a photograph or film in one line; Python arguments after its last colon become flags."""
    fact, colon, remedy = note.rpartition(": ")
    return one_line(fact + colon + _ARGUMENT.sub(_flag, remedy))


def unread_text(unread: Counter[str]) -> str:
    """Return a note on pictures in unsupported formats, which were left out; ``unread`` counts them by extension."""
    return (
        f"left out, because Photochrom does not read their formats: {unread.total():,} ({' '.join(sorted(unread))}); "
        "convert them to PNG or TIFF"
    )


def _flag(found: re.Match[str]) -> str:
    name, no, text, number = found.groups()
    value = shlex.quote(text) if text is not None else number
    return f"--{'no-' if no else ''}{_SPELLED.get(name, name).replace('_', '-')}" + (
        "" if value is None else f" {value}"
    )
