"""Content credentials of coloured photographs: signed in memory, so that only whole, signed files are published."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import PhotoError
from .library_errors import naming
from .read import Photo

if TYPE_CHECKING:
    from ..content_credentials import Identity


def signed(data: bytes, photo: Photo, path: Path, identity: Identity, credit: str) -> bytes:
    """Sign an encoded photograph. All formats that are written hold the manifest themselves.

    Args:
        data: The whole file, with its metadata.
        photo: The grey original.
        path: Name of the output; only its extension counts.
        identity: Who signs.
        credit: Whose colours these are, see ``provenance.credit``.

    Returns:
        The whole signed file.

    Raises:
        PhotoError: The original cannot be read any more, or is not known.
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
        if not sign(BytesIO(data), stream, path.suffix, identity, original, name, credit):
            raise PhotoError("cannot hold content credentials", remedy="write JPEG, PNG or TIFF", path=path)
    return stream.getvalue()
