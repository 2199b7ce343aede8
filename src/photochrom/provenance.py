"""The label in every output: it says that the colours are a guess, and which model made it.

The label is in four XMP properties, because no reader looks at all of them:

- ``Iptc4xmpExt:DigitalSourceType`` for search engines and agencies: partly made by a trained model.
- ``Iptc4xmpExt:AISystemUsed`` and ``AISystemVersionUsed`` (IPTC 2025.1): the model.
- ``photoshop:Instructions``, which picture editors show, after any text that was there.
- ``photochrom:Statement``: the same sentence in a property that nobody edits.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from .colorizer.hints import Hint
from .photo.formats.xmp import Packet
from .version import __version__

DIGITAL_SOURCE_TYPE: Final = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
_MARK: Final = b"photochrom:Statement"
_OWN_SENTENCE: Final = re.compile(r"\s*Colours added by software \(.*?\); not a record of the original colours", re.S)


def credit(model: str, hints: Sequence[Hint]) -> str:
    """Name the sources of the colours: ``tiny 1.0, sha256 0123, with 1 colour given by hand``.

    Args:
        model: Label of the model (``Colorizer.label``).
        hints: Hints that were used; suggested ones are counted separately.
    """
    suggested = sum(hint.suggested for hint in hints)
    given = len(hints) - suggested
    counts = ((given, "given by hand"), (suggested, "suggested by the model"))
    sources = [f"{count} {'colour' if count == 1 else 'colours'} {source}" for count, source in counts if count]
    return f"{model}, with {' and '.join(sources)}" if sources else model


def statement(model: str) -> str:
    """Write the label as one sentence, without a full stop; ``model`` is a result of ``credit``."""
    return f"Colours added by software (photochrom {__version__}, model {model}); not a record of the original colours"


def short_statement() -> str:
    """Write the label without the model, for fields of at most 99 characters."""
    return f"Colours added by software (photochrom {__version__}); not a record of the original colours"


def stated_behind(text: str, model: str) -> str:
    """Append the statement to a text, replacing an earlier one of Photochrom's."""
    return f"{_OWN_SENTENCE.sub('', text).strip()} {statement(model)}".strip()


def label(packet: Packet, model: str) -> None:
    """Write the label into an XMP packet, replacing an earlier one of Photochrom's.

    The source type that the packet had (a print, a negative) moves to ``photochrom:OriginalDigitalSourceType``.
    """
    former = packet.get("Iptc4xmpExt:DigitalSourceType")
    if former and former != DIGITAL_SOURCE_TYPE:
        packet.set("photochrom:OriginalDigitalSourceType", [former])
    packet.set("Iptc4xmpExt:DigitalSourceType", [DIGITAL_SOURCE_TYPE])
    packet.set("Iptc4xmpExt:AISystemUsed", [f"Photochrom, model {model}"])
    packet.set("Iptc4xmpExt:AISystemVersionUsed", [__version__])
    packet.set("photochrom:Statement", [statement(model)])
    packet.set("photoshop:Instructions", [stated_behind(packet.get("photoshop:Instructions") or "", model)])


def is_labelled(path: Path) -> bool:
    """Return whether a file holds Photochrom's label, which makes it an output of Photochrom.

    XMP is plain text in every format that Photochrom writes, so the file is searched without being parsed.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        if not file.read(1):
            return False
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return data.find(_MARK) >= 0
