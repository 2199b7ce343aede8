"""Options for the output files of a photograph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, get_args

from ..colorizer.options import DEFAULT_QUALITY
from ..errors import OptionError

COMPRESSIONS: Final = ("none", "lzw", "deflate", "zstd")
"""Lossless compressions of TIFF files."""

if TYPE_CHECKING:
    from ..content_credentials import Identity

JpegLayout = Literal["scan", "interleaved"]
JPEG_LAYOUTS: Final = get_args(JpegLayout)


@dataclass(frozen=True)
class OutputOptions:
    """Options for writing a coloured photograph and its companion files.

    The command line, the batch, the studio and ``colorize_file`` all use them.

    Raises:
        OptionError: A value is out of its range or unknown, or needs a library that is not installed.
    """

    quality: int = DEFAULT_QUALITY
    """Quality of lossy formats, 1 to 100. At the default, the loss is invisible. If a JPEG keeps its coded luma, this
    is the quality of the chroma alone."""

    overwrite: bool = False
    """Whether to replace existing files, companion files included."""

    alternatives: int = 0
    """Number of alternative colourings to write, 0 to 5, each with the hints that produce it."""

    confidence: bool = False
    """Whether to write a map of the model's confidence."""

    sidecar: bool = False
    """Whether to write the label to an XMP sidecar beside the photograph instead of into the photograph."""

    c2pa: Identity | None = None
    """Signer of the content credentials (C2PA) that are embedded in the photograph; None to embed none."""

    preview: bool = False
    """Whether the report includes small pictures of before and after, which are not written to files."""

    confidence_raw: bool = False
    """Whether the confidence map is greyscale, black for 0 and white for 1, instead of coloured with a legend."""

    jpeg_layout: JpegLayout = "scan"
    """Order of the coded data in a JPEG that keeps its coded luma. ``scan``: the luma scan of a grey source, byte for
    byte, then scans of the chroma. ``interleaved``: the same coefficients in the order that most encoders use, for
    programs that cannot read any other; it needs the extra ``jpeg``."""

    compression: str = "deflate"
    """Lossless compression of TIFF files: ``none``, ``lzw``, ``deflate`` or ``zstd``."""

    def __post_init__(self) -> None:
        check_quality(self.quality)
        check_compression(self.compression)
        check_layout(self.jpeg_layout)
        if self.alternatives:
            from ..colorizer.suggestions import check_count

            check_count(self.alternatives)

    @property
    def has_companions(self) -> bool:
        """Whether companion files are written: alternatives, a confidence map or a sidecar."""
        return bool(self.alternatives) or self.confidence or self.sidecar


def check_layout(layout: str) -> None:
    """Check that a JPEG layout is known, and that the library for it is installed.

    Raises:
        OptionError: ``layout`` is neither ``scan`` nor ``interleaved``, or is ``interleaved`` without jpeglib.
    """
    if layout not in JPEG_LAYOUTS:
        raise OptionError(f"jpeg_layout is {layout!r}", remedy=f"choose one of {', '.join(JPEG_LAYOUTS)}")
    if layout == "interleaved":
        from .formats.jpeg_coefficients import INSTALL, has_jpeglib

        if not has_jpeglib():
            raise OptionError("the interleaved layout of JPEG needs jpeglib", remedy=INSTALL)


def check_quality(quality: int) -> None:
    """Check that a quality is in range.

    Raises:
        OptionError: ``quality`` is not a whole number from 1 to 100.
    """
    if not isinstance(quality, int) or not 1 <= quality <= 100:
        raise OptionError(f"quality is {quality!r}", remedy="give a whole number from 1 to 100")


def check_compression(compression: str) -> None:
    """Check that a compression of TIFF files is known.

    Raises:
        OptionError: ``compression`` is not one of ``COMPRESSIONS``.
    """
    if compression not in COMPRESSIONS:
        raise OptionError(f"the compression is {compression!r}", remedy=f"choose one of {', '.join(COMPRESSIONS)}")
