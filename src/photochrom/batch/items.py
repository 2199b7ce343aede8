"""``Item``: one photograph of a batch, with its own options."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from ..errors import OptionError
from ..output_folders import check_name


@dataclass(frozen=True, slots=True)
class Item:
    """One photograph of a batch.

    Raises:
        OptionError: A path or name has a character that no file name can have.
    """

    key: str
    """Path below the source, with ``/`` between folders; identifies the item in the report."""
    source: str
    """Local path or address of the file."""
    size: int = -1
    """Size in bytes; -1 if unknown."""
    version: str = ""
    """ETag, checksum or modification time of the file, to detect changes; empty if none is known."""
    name: str = ""
    """Path of the output below the target; empty to name it by the template of the batch."""
    hints: str = ""
    """Local path or address of a file of hints; empty for none."""
    vividness: float | None = None
    """Vividness, 0 to 1; None for that of the batch."""
    strength: float | None = None
    """Strength; None for that of the batch."""
    sidecar: str | None = None
    """Address of the XMP sidecar of a remote source; empty if there is none, None if unknown."""
    is_unread: bool = False
    """Whether its format is one that Photochrom does not read; such an item is only listed in the report."""

    def __post_init__(self) -> None:
        for name in (self.key, self.source, self.name, self.hints):
            check_name(name, OptionError)

    def shard(self, count: int) -> int:
        """Return the item's shard, 0 to ``count - 1``; the same on every machine and in every run."""
        digest = hashlib.blake2b(self.key.encode("utf-8", "surrogateescape"), digest_size=8).digest()
        return int.from_bytes(digest, "big") % count
