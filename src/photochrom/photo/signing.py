"""Signs coloured photographs with content credentials in memory, before the file is published."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import PhotoError
from .library_errors import naming
from .names import EXTENSIONS
from .read import Photo

if TYPE_CHECKING:
    from ..content_credentials import Identity


def signed(data: bytes, photo: Photo, path: Path | None, format: str, identity: Identity, credit: str) -> bytes:
    """Return an encoded photograph with signed content credentials embedded.

    Args:
        data: The whole file, with its metadata.
        photo: The grey original.
        path: Path of the output, for error messages; None if it has none.
        format: Format of the output, a key of ``EXTENSIONS``.
        identity: Certificate and key of the signer.
        credit: Sources of the colours; see ``colorizer.hints.credit``.

    Returns:
        The whole signed file.

    Raises:
        PhotoError: The original can no longer be read or is unknown, or the format cannot hold content credentials.
        PhotochromError: c2pa-python is missing, or the file cannot be signed.
    """
    from ..content_credentials import sign

    if photo.origin is None:
        raise PhotoError("the file that the photograph was read from is not known", remedy="read it with read_photo")
    stream = BytesIO()
    with naming(photo.name):
        original = BytesIO(photo.origin) if isinstance(photo.origin, bytes) else photo.origin.open("rb")
    with original:
        name = photo.origin.name if isinstance(photo.origin, Path) else "original"
        extension = EXTENSIONS[format][0]
        if not sign(BytesIO(data), stream, extension, identity, original, name, credit, path):
            path = path or Path(f"output{extension}")
            raise PhotoError("cannot hold content credentials", remedy="write JPEG, PNG or TIFF", path=path)
    return stream.getvalue()
