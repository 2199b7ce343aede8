"""Downloads that are checked before they count, and the folder where they are kept."""

from __future__ import annotations

import hashlib
import os
from http.client import HTTPException
from pathlib import Path

from ..atomic import new_file
from ..errors import ModelError


def cache_folder() -> Path:
    """``$PHOTOCHROM_HOME``, else ``$XDG_CACHE_HOME/photochrom``, else ``~/.cache/photochrom``."""
    if home := os.environ.get("PHOTOCHROM_HOME"):
        return Path(home)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "photochrom"


def digest(path: Path, algorithm: str = "sha256") -> str:
    """Hexadecimal hash of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def fetch(url: str, path: Path, algorithm: str, expected: str) -> Path:
    """Return ``path``, downloading it from ``url`` unless a file with the expected hash is there already.

    Raises:
        ModelError: no network, no room, or another hash; the message says which file to put where.
    """
    by_hand = f"get {url} ({algorithm} {expected}) and place it at {path}"
    if path.exists():
        if digest(path, algorithm) == expected:
            return path
        raise ModelError(f"{path} is damaged: delete it, or {by_hand}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _download(url, path, algorithm, expected)
    except (OSError, HTTPException) as exc:  # URLError is an OSError
        raise ModelError(f"cannot download {path.name} ({getattr(exc, 'reason', exc)}): {by_hand}") from exc
    return path


def _download(url: str, path: Path, algorithm: str, expected: str) -> None:
    """Into a side file, which gets the name only when its hash agrees."""
    from urllib.error import HTTPError
    from urllib.request import urlopen

    try:
        response = urlopen(url, timeout=30)
    except HTTPError as exc:
        exc.close()  # it is an answer, too, and holds the connection
        raise
    hashed = hashlib.new(algorithm)
    with response, new_file(path, overwrite=True) as file:
        while piece := response.read(1 << 20):
            hashed.update(piece)
            file.write(piece)
        whole = int(response.headers.get("Content-Length") or file.tell())
        if file.tell() < whole:  # reading in pieces says nothing of it
            raise OSError(f"the connection broke after {file.tell():,} of {whole:,} bytes")
        if (found := hashed.hexdigest()) != expected:
            raise ModelError(f"{url} now has another content ({algorithm} {found}, not {expected}): report it")
