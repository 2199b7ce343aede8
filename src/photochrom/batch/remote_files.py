"""Opens and reads remote files and folders through fsspec."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..errors import OptionError, PhotochromError, message_of, needed_for, system_errors
from ..output_folders import check_name

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_PACKAGES: Final = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "az": "adlfs", "abfs": "adlfs",
                    "http": "aiohttp", "https": "aiohttp", "sftp": "paramiko", "smb": "smbprotocol"}  # fmt: skip
_BUSY: Final = (408, 425, 429)  # statuses of HTTP with which a server refuses for now, as all from 500
_CHECK: Final = "check the address, the credentials and the rights"


def is_remote(address: str) -> bool:
    """Return whether an address has a protocol, like ``s3://bucket``, but unlike ``C:\\scans``."""
    scheme, separator, _ = address.partition("://")
    return bool(separator) and len(scheme) > 1 and scheme.replace("+", "").isalnum()


def in_full(place: str) -> str:
    """Return a local path as an absolute one; links in it are kept unless it contains ``..``. Addresses do not change.

    Raises:
        OptionError: No file can have this name.
    """
    if is_remote(place):
        return place
    check_name(place, OptionError)
    path = Path(place)
    return str(path.resolve() if ".." in path.parts else path.absolute())


def version_of(info: dict[str, Any]) -> str:
    """Return the ETag, checksum or modification time of a remote file, to detect changes; empty if none is known.

    Args:
        info: Description of the file, as fsspec's ``info`` returns it.
    """
    for name in ("ETag", "etag", "md5Hash", "content_settings", "LastModified", "last_modified", "mtime", "created"):
        if value := info.get(name):
            return str(value).strip('"')
    return ""


def open_address(address: str) -> tuple[AbstractFileSystem, str]:
    """Return the file system of an address, and the path in that file system; cached listings are discarded.

    Raises:
        PhotochromError: fsspec or the package for the protocol is missing.
        OptionError: The protocol is unknown, or its credentials are missing.
    """
    with needed_for(address, "batch"):
        import fsspec
    protocol = address.partition("://")[0]
    try:
        system, path = fsspec.core.url_to_fs(address)
    except ImportError as exc:
        package = _PACKAGES.get(protocol, protocol)
        raise PhotochromError(f"{protocol}:// needs {package}", remedy=f"pip install {package}") from exc
    except Exception as exc:  # each protocol raises exceptions of its own
        raise OptionError(
            f"cannot be opened ({message_of(exc)[:200]})", path=address, remedy="check the address and the credentials"
        ) from exc
    system.invalidate_cache()  # listings cached by an earlier batch of this process may be out of date
    return system, path


def address_of(system: AbstractFileSystem, path: str, address: str) -> str:
    """Return the address of a path in a file system that was opened with ``address``.

    The path in an archive is followed by the archive's own address, as in ``zip://a.tif::s3://bucket/scans.zip``.
    """
    _, separator, container = address.partition("::")
    return f"{system.unstrip_protocol(path)}{separator}{container}"


@contextmanager
def naming_errors(
    address: str, verb: str = "read", *, error: type[PhotochromError] = OptionError, remedy: str = _CHECK
) -> Iterator[None]:
    """Translate any exception in the block, except Photochrom's own: "ADDRESS: cannot be VERB (REASON): REMEDY".

    Args:
        address: The remote file or folder that the block uses.
        verb: Past participle of what the block does.
        error: Class of the error.
        remedy: Advice on what to do.
    """
    try:
        yield
    except PhotochromError:
        raise
    except Exception as exc:  # each protocol raises exceptions of its own
        reason = message_of(exc)[:200]
        if isinstance(exc, FileNotFoundError) and reason == address:
            reason = "there is no such file"  # of a web server
        elif isinstance(status := getattr(exc, "status", None), int):  # that of a web server's answer
            reason = f"the server answers with status {status}"
            remedy = "try again later" if status in _BUSY or status >= 500 else remedy
        raise error(f"cannot be {verb} ({reason})", path=address, remedy=remedy) from exc


def read_address(address: str) -> bytes:
    """Read a whole file, local or remote.

    Raises:
        OptionError: The file cannot be read.
        PhotochromError: The package for the file's protocol is missing.
    """
    if not is_remote(address):
        with system_errors(OptionError, address, "check the path"):
            return Path(address).read_bytes()
    system, path = open_address(address)
    with naming_errors(address):
        data: bytes = system.cat_file(path)
    return data
