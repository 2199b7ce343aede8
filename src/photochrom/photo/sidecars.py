"""XMP sidecars of outputs: removes the label that an earlier run wrote beside a photograph that now has its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..label import has_label
from .formats.xmp import is_unedited
from .library_errors import naming
from .names import sidecar_path
from .report import PhotoReport


def without_former_sidecars(report: PhotoReport, *, overwrite: bool) -> PhotoReport:
    """Remove the sidecars that earlier runs wrote beside outputs that have none now; they describe replaced pictures.

    Sidecars of others are left alone. A warning names those that have a label, but were edited since they were written.

    Args:
        report: Report on the files that have just been written.
        overwrite: Whether files are removed; otherwise, a warning names them.

    Returns:
        The report, with the warnings.

    Raises:
        PhotoError: A sidecar cannot be read or removed.
    """
    warnings = []
    for sidecar in former_sidecars(report.outputs):
        if not sidecar.is_file():
            continue
        with naming(str(sidecar)):
            data = sidecar.read_bytes()
            if overwrite and is_own(data):
                sidecar.unlink()
            elif has_label(data):
                warnings.append(outdated(sidecar.name))
    return replace(report, warnings=(*report.warnings, *warnings))


def former_sidecars(outputs: Sequence[Path]) -> list[Path]:
    """Return the paths of sidecars that earlier runs may have left beside outputs, and that were not written now."""
    return [sidecar for sidecar in map(sidecar_path, outputs) if sidecar not in outputs]


def is_own(sidecar: bytes) -> bool:
    """Return whether Photochrom wrote a sidecar with this content, and no other program has edited it since."""
    return has_label(sidecar) and is_unedited(sidecar)


def outdated(name: str) -> str:
    """Return the warning about an earlier output's sidecar, which is left because it may hold more than the label."""
    return f"the sidecar {name} beside it has the label of an earlier output: remove it, or what is outdated in it"
