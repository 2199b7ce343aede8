"""Downloads that are checked before they count, and the folder where they are kept."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

from .errors import ModelError


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

    The download goes to a side file and is renamed when its hash agrees, so ``path`` is always whole.

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
        return _download(url, path, algorithm, expected)
    except OSError as exc:  # URLError is one
        raise ModelError(f"cannot download {path.name} ({getattr(exc, 'reason', exc)}): {by_hand}") from exc


def _download(url: str, path: Path, algorithm: str, expected: str) -> Path:
    import shutil
    import urllib.request

    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.name, delete=False) as side:
        try:
            with urllib.request.urlopen(url, timeout=30) as response:
                shutil.copyfileobj(response, side)
            side.close()
            if (found := digest(Path(side.name), algorithm)) != expected:
                raise ModelError(f"{url} now has another content ({algorithm} {found}, not {expected}): report it")
            Path(side.name).replace(path)
        finally:
            Path(side.name).unlink(missing_ok=True)
    return path
