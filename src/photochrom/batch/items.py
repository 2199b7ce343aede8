"""One item of a batch: a photograph to be coloured, with its place, size and version, and the name of its output."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Item:
    """One photograph of a batch."""

    key: str
    """Its path below the source, with ``/`` between folders: what the report knows it by."""
    source: str
    """Local path or address of the file."""
    size: int = -1
    """Bytes; -1 where the source does not say."""
    version: str = ""
    """Changes when the file does: its ETag, or its time of modification in nanoseconds; empty if neither is known."""
    name: str = ""
    """Output below the target that a manifest asks for; empty for the usual one."""
    hints: str = ""
    """Local path or address of a file of hints that a manifest names."""
    vividness: float | None = None
    """Vividness that a manifest asks for; None for the batch's."""
    strength: float | None = None
    """Strength of this item alone; None for the batch's."""
    sidecar: str | None = None
    """Address of the XMP file beside a remote source; empty if there is none, None if the listing does not tell."""

    def shard(self, count: int) -> int:
        """Return the shard, from 0 to ``count - 1``, that the item belongs to on every machine and in every run."""
        digest = hashlib.blake2b(self.key.encode("utf-8", "surrogateescape"), digest_size=8).digest()
        return int.from_bytes(digest, "big") % count
