"""XMP sidecars: adds captions from those of sources, and removes outdated labels of earlier runs beside outputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..label import has_label
from .formats.image import Decoded
from .formats.xmp import Packet, is_unedited
from .library_errors import naming
from .names import sidecar_path


def read_sidecar(path: Path) -> tuple[str, bytes] | None:
    """Return name and content of the XMP sidecar beside a photograph; None if there is none.

    Raises:
        PhotoError: The sidecar cannot be read, or is a link that leads nowhere.
    """
    for sidecar in (sidecar_path(path), path.with_suffix(".xmp")):
        if sidecar.is_file() or (sidecar.is_symlink() and not sidecar.exists()):
            with naming(str(sidecar)):
                return sidecar.name, sidecar.read_bytes()
    return None


def adopted(decoded: Decoded, sidecar: tuple[str, bytes] | None) -> Decoded:
    """Return a decoded file with captions and rights added from a sidecar, if there is one."""
    if sidecar is None:
        return decoded
    packet = Packet(decoded.metadata.xmp)
    if not packet.adopt(sidecar[1]):
        return replace(decoded, warnings=(*decoded.warnings, f"its sidecar {sidecar[0]} is not kept: it is not XMP"))
    return replace(decoded, metadata=replace(decoded.metadata, xmp=packet.to_bytes()))


def remove_former_sidecars(outputs: Sequence[Path], *, overwrite: bool) -> tuple[str, ...]:
    """Remove the sidecars that earlier runs wrote beside outputs that have none now; they describe replaced pictures.

    Sidecars of others are left alone, and so are those that have a label, but were edited since they were written.

    Args:
        outputs: The files that have just been written.
        overwrite: Whether files may be removed.

    Returns:
        Warnings about sidecars with a label that are left.

    Raises:
        PhotoError: A sidecar cannot be read or removed.
    """
    warnings = []
    for sidecar in former_sidecars(outputs):
        if not sidecar.is_file():
            continue
        with naming(str(sidecar)):
            data = sidecar.read_bytes()
            if overwrite and is_own(data):
                sidecar.unlink()
            elif has_label(data):
                warnings.append(outdated(sidecar.name))
    return tuple(warnings)


def former_sidecars(outputs: Sequence[Path]) -> list[Path]:
    """Return the paths of sidecars that earlier runs may have left beside outputs, and that were not written now."""
    return [sidecar for sidecar in map(sidecar_path, outputs) if sidecar not in outputs]


def is_own(sidecar: bytes) -> bool:
    """Return whether Photochrom wrote a sidecar with this content, and no other program has edited it since."""
    return has_label(sidecar) and is_unedited(sidecar)


def outdated(name: str) -> str:
    """Return the warning about an earlier output's sidecar, which is left because it may hold more than the label."""
    return f"the sidecar {name} beside it has the label of an earlier output: remove it, or what is outdated in it"
