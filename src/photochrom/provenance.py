"""The label: every picture that Photochrom writes says that its colours are a guess, and whose.

It stands in XMP, four times over, because no reader looks everywhere:

- ``Iptc4xmpExt:DigitalSourceType``, which search engines and agencies read: partly made by a trained model.
- ``Iptc4xmpExt:AISystemUsed`` and ``AISystemVersionUsed`` (IPTC 2025.1): which.
- ``photoshop:Instructions``, which picture editors show to people, behind what stood there.
- ``photochrom:Statement``: the same sentence where nobody edits it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from .formats.xmp import Packet

DIGITAL_SOURCE_TYPE: Final = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
_OWN_SENTENCE: Final = re.compile(r"\s*Colours added by software \(.*?\); not a record of the original colours", re.DOTALL)


@dataclass(frozen=True)
class Label:
    """Who added the colours: version of Photochrom, name of the model, SHA-256 of its file in hexadecimal."""

    version: str
    model: str
    sha256: str

    @property
    def statement(self) -> str:
        """The label as one sentence, without a full stop."""
        maker = f"photochrom {self.version}, model {self.model}, sha256 {self.sha256}"
        return f"Colours added by software ({maker}); not a record of the original colours"


def put(label: Label, packet: Packet) -> None:
    """Write the label into a packet; an older label of ours is replaced, everything else stays.

    What the source was before (a print, a negative) moves to ``photochrom:OriginalDigitalSourceType``.
    """
    former = packet.get("Iptc4xmpExt:DigitalSourceType")
    if former and former != DIGITAL_SOURCE_TYPE:
        packet.set("photochrom:OriginalDigitalSourceType", [former])
    packet.set("Iptc4xmpExt:DigitalSourceType", [DIGITAL_SOURCE_TYPE])
    packet.set("Iptc4xmpExt:AISystemUsed", [f"Photochrom, model {label.model}"])
    packet.set("Iptc4xmpExt:AISystemVersionUsed", [f"{label.version}, model sha256 {label.sha256}"])
    packet.set("photochrom:Statement", [label.statement])
    instructions = _OWN_SENTENCE.sub("", packet.get("photoshop:Instructions") or "").strip()
    packet.set("photoshop:Instructions", [f"{instructions} {label.statement}".strip()])
