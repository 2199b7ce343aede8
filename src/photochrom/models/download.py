"""Downloads files into the cache folder and verifies them by hash."""

from __future__ import annotations

import functools
import hashlib
import os
from pathlib import Path

import platformdirs

from ..atomic import new_file
from ..errors import ModelError, system_errors


def cache_folder() -> Path:
    """Return the cache folder: ``$PHOTOCHROM_HOME``, or the system's usual place, such as ``~/.cache/photochrom``."""
    if home := os.environ.get("PHOTOCHROM_HOME"):
        return Path(home)
    return Path(platformdirs.user_cache_dir("photochrom", appauthor=False))


def digest(path: Path, algorithm: str = "sha256") -> str:
    """Compute the hexadecimal hash of a file, reading it in chunks.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def known_digest(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a model, computed again only if its file's size or modification time changes.

    Raises:
        ModelError: The file cannot be read.
    """
    with system_errors(ModelError, path, "reinstall Photochrom, or choose another model"):
        status = path.stat()
        return _digest_of_state(path, status.st_size, status.st_mtime_ns)


@functools.lru_cache(maxsize=8)
def _digest_of_state(path: Path, size: int, changed: int) -> str:
    del size, changed  # only part of the cache's key, so that a changed file is read again
    return digest(path)


def fetch(url: str, path: Path, algorithm: str, expected: str) -> Path:
    """Download a file unless it exists already, check its hash, and return its path.

    Args:
        url: Source of the file.
        path: Where to store the file.
        algorithm: Name of a hash algorithm in hashlib.
        expected: Hexadecimal hash of the file.

    Raises:
        ModelError: The download failed, the disk is full, or the file exists already, but is damaged or cannot be read.
    """
    from http.client import HTTPException  # slow to load, and seldom needed

    by_hand = f"get {url} ({algorithm} {expected}) and place it at {path}"
    with system_errors(ModelError, path, f"delete it, or {by_hand}"):
        if path.exists():
            if digest(path, algorithm) == expected:
                return path
            raise ModelError("the file is damaged", path=path, remedy=f"delete it, or {by_hand}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _download(url, path, algorithm, expected)
    except (OSError, HTTPException) as exc:  # URLError is an OSError
        raise ModelError(f"cannot download {path.name} ({getattr(exc, 'reason', exc)})", remedy=by_hand) from exc
    return path


def _download(url: str, path: Path, algorithm: str, expected: str) -> None:
    """Download into a temporary file, which is renamed to ``path`` only if its hash is ``expected``.

    Raises:
        ModelError: The hash differs.
        OSError: The download failed, or the file cannot be written.
        HTTPException: The server's answer is not valid HTTP.
    """
    from urllib.error import HTTPError
    from urllib.request import urlopen

    try:
        response = urlopen(url, timeout=30)
    except HTTPError as exc:
        exc.close()  # an HTTPError is also the response, and keeps the connection open
        raise
    hashed = hashlib.new(algorithm)
    with response, new_file(path, overwrite=True) as file:
        while piece := response.read(1 << 20):
            hashed.update(piece)
            file.write(piece)
        size = int(response.headers.get("Content-Length") or file.tell())
        if file.tell() < size:  # read(n) does not report a broken connection
            raise OSError(f"the connection broke after {file.tell():,} of {size:,} bytes")
        if (found := hashed.hexdigest()) != expected:
            raise ModelError(f"{url} has changed ({algorithm} {found}, not {expected})", remedy="report it")
