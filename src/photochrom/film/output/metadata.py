"""Copies the source's metadata, chapters and time code to the coloured film, and labels it."""

from __future__ import annotations

from pathlib import Path

import av

from ...errors import FilmError
from ...label import has_statement, with_statement
from ..reader import FilmReader
from ..source.opening import open_container
from ..source.time_code import add_frames, fits_mxf
from ..span import Span

# Metadata keys that describe the source's file or its encoded picture, and so do not apply to the coloured film.
_OF_THE_FILE = ("major_brand", "minor_version", "compatible_brands", "encoder", "software")
# Such keys in MXF: the software that wrote the file, and the identifiers of its packages.
_OF_MXF = ("company_name", "application_platform", "operational_pattern_ul", "modification_date")
_OF_MXF_ITSELF = {"timecode", "reel_name"}
_MXF_COMMENT = "comment_"  # FFmpeg stores metadata with this prefix as user comments of MXF files, and leaves out other
_OF_PACKAGES = ("uid", "umid", "product_", "toolkit_")
_OF_THE_CODEC = ("encoder", "bps", "number_of_bytes", "number_of_frames", "alpha_mode")  # upper or lower case


def metadata_to_copy(source: av.container.InputContainer) -> dict[str, str]:
    """Return a film's metadata without the entries that describe its file."""
    kept = {k: v for k, v in source.metadata.items() if k.lower() not in _OF_THE_FILE and not _is_of_a_package(k)}
    return {k.removeprefix(_MXF_COMMENT): v for k, v in kept.items()} if source.format.name == "mxf" else kept


def is_own_output(film: Path) -> bool:
    """Return whether the comment of a film in one file has Photochrom's label; False if the film cannot be read."""
    try:
        with open_container(film, {}) as source:
            tags = metadata_to_copy(source)
    except FilmError:
        return False
    return any(has_statement(value) for key, value in tags.items() if key.lower() == "comment")


def set_metadata(
    out: av.container.OutputContainer, source: av.container.InputContainer, span: Span, credit: str
) -> None:
    """Copy the source's metadata and chapters that still apply, and add the credit to the comment."""
    comment = ""
    for key, value in metadata_to_copy(source).items():
        if key.lower() == "comment":  # Matroska writes tags in capitals
            comment = value
        else:
            out.metadata[key] = value
    out.metadata["comment"] = with_statement(comment, credit)
    name_for_mxf(out)
    out.set_chapters([adjusted for chapter in source.chapters() if (adjusted := span.chapter(chapter))])


def name_for_mxf(out: av.container.OutputContainer) -> None:
    """Give the metadata of an MXF file the names by which FFmpeg stores it."""
    if out.format.name == "mxf":
        for key in out.metadata.keys() - _OF_MXF_ITSELF:
            out.metadata[_MXF_COMMENT + key] = out.metadata.pop(key)


def set_time_code(out: av.container.OutputContainer, metadata: dict[str, str], reader: FilmReader, span: Span) -> None:
    """Write the source's reel name, and the time code of the first coloured frame.

    Args:
        out: The coloured film.
        metadata: Metadata of the coloured film's picture.
        reader: The source.
        span: The coloured part of the source.
    """
    both = (out.metadata, metadata)
    if reader.time_code and not any(key.lower() == "timecode" for tags in both for key in tags):
        metadata["timecode"] = reader.time_code
    if out.format.name == "mxf":  # its muxer fails on others
        for tags in both:
            for key in [k for k, v in tags.items() if k.lower() == "timecode" and not fits_mxf(v, reader.rate)]:
                del tags[key]
    if reader.reel_name:
        for tags in both if out.format.name == "mxf" else (metadata,):
            tags["reel_name"] = reader.reel_name
    if not span.is_part:
        return
    skipped = max(0, round((span.start - reader.first_pts * reader.time_base) * reader.rate))
    for tags in both:
        for key in [key for key in tags if key.lower() == "timecode"]:
            if (code := add_frames(tags.pop(key), skipped, reader.rate)) is not None:  # None if it is not a time code
                tags[key] = code


def is_of_the_codec(key: str) -> bool:
    """Return whether a metadata key describes the source's encoded picture."""
    return key.partition("-")[0].casefold() in _OF_THE_CODEC or _is_of_a_package(key)


def _is_of_a_package(key: str) -> bool:
    """Return whether a metadata key describes a package of the source's MXF file."""
    return key in _OF_MXF or key.startswith(_OF_PACKAGES) or key.endswith(("_uid", "_umid"))
