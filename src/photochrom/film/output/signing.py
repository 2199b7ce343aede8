"""Signs coloured films with content credentials: inside MP4, MOV and AVI files, otherwise in a file beside the film."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

from ...atomic import new_file
from ...content_credentials import Identity, sign
from ...content_credentials.signing import MIME_TYPES
from ...errors import FilmError, OptionError


def manifest_path(film: Path) -> Path | None:
    """Return the path of the manifest beside a film, such as ``film.mkv.c2pa``; None if the film can hold it."""
    return None if film.suffix.lower() in MIME_TYPES else film.with_name(f"{film.name}.c2pa")


def check_signing(source: Path, output: Path, *, overwrite: bool) -> None:
    """Check, before a film is coloured, that it can be signed.

    Raises:
        FilmError: A manifest beside the output exists, and may not be replaced.
        OptionError: The source is a sequence, whereas content credentials refer to one source file.
    """
    if not source.is_file():
        raise OptionError(
            "is not one file, to which content credentials could refer", path=source, remedy="leave them out"
        )
    manifest = manifest_path(output)
    if manifest is not None and manifest.exists() and not overwrite:
        raise FilmError("exists", path=manifest, remedy="choose another output, or add overwrite=True")


def sign_film(whole: Path, output: Path, source: Path, identity: Identity, credit: str, *, overwrite: bool) -> None:
    """Sign a finished film: in place if its container can hold a manifest, otherwise in a file beside the output.

    Args:
        whole: The finished film, under its temporary name.
        output: Final path of the film.
        source: The black-and-white film.
        identity: The signer.
        credit: Which model added the colours; see ``colorizer.hints.credit``.
        overwrite: Whether a manifest beside the output may be replaced.

    Raises:
        PhotochromError: The film cannot be signed.
        FileExistsError: A manifest has appeared beside the output.
        OSError: The disk is full, or a file cannot be read.
    """
    manifest = manifest_path(output)
    with whole.open("rb") as film, source.open("rb") as original:
        if manifest is None:
            with new_file(whole, overwrite=True) as signed:
                sign(film, signed, output.suffix, identity, original, source.name, credit, output)
            return
        detached = BytesIO()
        sign(film, detached, output.suffix, identity, original, source.name, credit, output)
    with new_file(manifest, overwrite=overwrite) as file:
        file.write(detached.getvalue())
