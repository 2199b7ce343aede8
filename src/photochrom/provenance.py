"""The label: every picture that Photochrom writes says that its colours are a guess, and whose.

It stands in XMP, four times over, because no reader looks everywhere:

- ``Iptc4xmpExt:DigitalSourceType``, which search engines and agencies read: partly made by a trained model.
- ``Iptc4xmpExt:AISystemUsed`` and ``AISystemVersionUsed`` (IPTC 2025.1): which.
- ``photoshop:Instructions``, which picture editors show to people, behind what stood there.
- ``photochrom:Statement``: the same sentence where nobody edits it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from . import __version__
from .colorizer.hints import Hint
from .photo.formats.xmp import Packet

DIGITAL_SOURCE_TYPE: Final = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
_OWN_SENTENCE: Final = re.compile(r"\s*Colours added by software \(.*?\); not a record of the original colours", re.S)


def credit(model: str, hints: Sequence[Hint]) -> str:
    """Whose colours these are, where hints took part: ``tiny 1.0, sha256 0123, with 1 colour given by hand``.

    Args:
        model: name, version and hash of the model, as people are to read them.
        hints: that took part; those that the model itself proposed are not passed off as people's.
    """
    suggested = sum(hint.suggested for hint in hints)
    given = len(hints) - suggested
    counts = ((given, "given by hand"), (suggested, "suggested by the model"))
    sources = [f"{count} {'colour' if count == 1 else 'colours'} {source}" for count, source in counts if count]
    return f"{model}, with {' and '.join(sources)}" if sources else model


def statement(model: str) -> str:
    """The label as one sentence, without a full stop.

    Args:
        model: name, version and hash of the model, as people are to read them; maybe with what ``credit`` adds.
    """
    return f"Colours added by software (photochrom {__version__}, model {model}); not a record of the original colours"


def stated_behind(text: str, model: str) -> str:
    """A text with the statement behind it; an older one of ours goes."""
    return f"{_OWN_SENTENCE.sub('', text).strip()} {statement(model)}".strip()


def label(packet: Packet, model: str) -> None:
    """Write the label into a packet; an older one of ours is replaced, everything else stays.

    What the source was before (a print, a negative) moves to ``photochrom:OriginalDigitalSourceType``.
    """
    former = packet.get("Iptc4xmpExt:DigitalSourceType")
    if former and former != DIGITAL_SOURCE_TYPE:
        packet.set("photochrom:OriginalDigitalSourceType", [former])
    packet.set("Iptc4xmpExt:DigitalSourceType", [DIGITAL_SOURCE_TYPE])
    packet.set("Iptc4xmpExt:AISystemUsed", [f"Photochrom, model {model}"])
    packet.set("Iptc4xmpExt:AISystemVersionUsed", [__version__])
    packet.set("photochrom:Statement", [statement(model)])
    packet.set("photoshop:Instructions", [stated_behind(packet.get("photoshop:Instructions") or "", model)])
