"""Options for the output files of a photograph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, get_args

from ..colorizer.options import DEFAULT_QUALITY
from ..errors import OptionError

COMPRESSIONS: Final = ("none", "lzw", "deflate", "zstd")
"""Lossless compressions of TIFF."""

if TYPE_CHECKING:
    from ..content_credentials import Identity

JpegLayout = Literal["scan", "interleaved"]
JPEG_LAYOUTS: Final = get_args(JpegLayout)


@dataclass(frozen=True)
class OutputOptions:
    """How to write the coloured photograph, and which files to write beside it.

    The command line, the batch, the studio and ``colorize_file`` all build this object.

    Raises:
        OptionError: A value is out of its range.
    """

    quality: int = DEFAULT_QUALITY
    """Quality of lossy formats, 1 to 100. The loss at the default is invisible. Where a JPEG keeps its coded luma, this
    is the quality of the chroma alone."""

    overwrite: bool = False
    """Whether to replace existing files, companion files included."""

    alternatives: int = 0
    """Number of other plausible pictures to write, 0 to 5, each with the hints that produce it."""

    confidence: bool = False
    """Whether to write a map of the model's confidence."""

    sidecar: bool = False
    """Whether to write the label to an XMP file beside the photograph instead of into it."""

    c2pa: Identity | None = None
    """Signer of the photograph's content credentials (C2PA), which are added last; None for an unsigned photograph."""

    preview: bool = False
    """Whether the report includes small pictures of before and after; no file is written for them."""

    confidence_raw: bool = False
    """Whether the confidence map is plain grey, black for 0 and white for 1, instead of coloured with a legend."""

    jpeg_layout: JpegLayout = "scan"
    """Order of the coded data in a JPEG whose luma is kept. ``scan``: a grey source's scan byte for byte, then those of
    the chroma. ``interleaved``: the same coefficients in most encoders' order, for readers that support no other; it
    needs the extra ``jpeg``."""

    compression: str = "deflate"
    """Lossless compression of TIFF: ``none``, ``lzw``, ``deflate`` or ``zstd``."""

    def __post_init__(self) -> None:
        check_quality(self.quality)
        if self.compression not in COMPRESSIONS:
            raise OptionError(
                f"the compression is {self.compression!r}", remedy=f"choose one of {', '.join(COMPRESSIONS)}"
            )
        check_layout(self.jpeg_layout)
        if self.alternatives:
            from ..colorizer.suggestions import check_count

            check_count(self.alternatives)

    @property
    def has_companions(self) -> bool:
        """Whether files are written beside the coloured photograph."""
        return bool(self.alternatives) or self.confidence or self.sidecar


def check_layout(layout: str) -> None:
    """Raise an error if the layout is unknown, or its library missing.

    Raises:
        OptionError: ``layout`` is neither ``scan`` nor ``interleaved``, or is ``interleaved`` without jpeglib.
    """
    if layout not in JPEG_LAYOUTS:
        raise OptionError(f"jpeg_layout is {layout!r}", remedy=f"choose one of {', '.join(JPEG_LAYOUTS)}")
    if layout == "interleaved":
        from .formats.coefficients import INSTALL, has_jpeglib

        if not has_jpeglib():
            raise OptionError("the interleaved layout of JPEG needs jpeglib", remedy=INSTALL)


def check_quality(quality: int) -> None:
    """Raise an error if the quality is out of range.

    Raises:
        OptionError: ``quality`` is not between 1 and 100.
    """
    if not 1 <= quality <= 100:
        raise OptionError(f"quality is {quality}", remedy="give a number from 1 to 100")
