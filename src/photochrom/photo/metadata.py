"""Prepares the output's metadata: updates it for the upright, coloured picture, and adds the label.

The label consists of several XMP properties, because different programs read different ones:

- ``Iptc4xmpExt:DigitalSourceType`` for search engines and agencies: partly made by a trained model.
- ``Iptc4xmpExt:AISystemUsed`` and ``AISystemVersionUsed`` (IPTC 2025.1): the model.
- ``photoshop:Instructions``, which picture editors show: a sentence, after any text that was there.
- ``photochrom:Statement``: the same sentence in a property that nobody edits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from ..label import DIGITAL_SOURCE_TYPE, statement, with_statement
from ..version import __version__
from .formats import exif, icc, photoshop, png, xmp
from .formats.image import Decoded, Density, Metadata
from .formats.xmp import Packet

DEEP: Final = ("PNG", "TIFF")
"""Formats that can store 16 bits per sample."""
_NO_IPTC: Final = ("WEBP", "HEIF", "AVIF")  # formats that store neither IPTC data nor a resolution outside EXIF


def update_for_output(decoded: Decoded, width: int, height: int, *, turned: bool, moved: bool) -> Metadata:
    """Return the metadata of a file, with all that describes its old pixels corrected or removed.

    Args:
        decoded: The file as read.
        width: Width of the upright picture.
        height: Height of the upright picture.
        turned: Whether rows of the source have become columns.
        moved: Whether the picture was turned or mirrored, here or by its decoder.

    Raises:
        PhotoError: The ICC profile is grey and damaged.
    """
    metadata = decoded.metadata
    profile = None if decoded.srgb else icc.for_rgb(metadata.icc)
    block, packet, density = metadata.exif, metadata.xmp, metadata.density
    if block is not None:
        block = exif.update_for_output(block, width, height, turned=turned, moved=moved, srgb=decoded.srgb)
    if packet is not None:
        changed = Packet(packet)
        new_profile = profile != metadata.icc
        xmp.update_for_output(changed, width, height, moved=moved, srgb=decoded.srgb, new_profile=new_profile)
        packet = changed.to_bytes()
    if density is not None and turned:
        density = Density(density.y, density.x, density.unit)
    return replace(metadata, exif=block, xmp=packet, icc=profile, density=density)


def metadata_for(metadata: Metadata, *, source_format: str, format: str, credit: str | None) -> Metadata:
    """Convert metadata to what the output format can store, and add the label that software added the colours.

    Args:
        metadata: Metadata of the photograph.
        source_format: Format of the source, a key of ``EXTENSIONS``.
        format: Format of the output.
        credit: Sources of the colours, for the label (see ``colorizer.hints.credit``); None to write no label.
    """
    packet = Packet(metadata.xmp)
    if "dc:format" in packet:
        packet.set("dc:format", [f"image/{format.lower()}"])
    if format != source_format:
        metadata = replace(metadata, native=())
        if metadata.texts:
            packet.set("photochrom:Remarks", metadata.texts, "Bag")
    if metadata.iptc and format in _NO_IPTC:
        photoshop.iptc_to_xmp(metadata.iptc, packet)
    elif metadata.iptc:  # programs prefer XMP, so the label in XMP would hide instructions that are only in IPTC
        photoshop.iptc_to_xmp(metadata.iptc, packet, (photoshop.INSTRUCTIONS,))
    density = metadata.density if format in _NO_IPTC else None
    if density and not metadata.exif:
        metadata = replace(metadata, exif=exif.from_density(density))
    elif density and exif.density(metadata.exif) is None:  # no tags can be added to an EXIF block
        packet.set("tiff:XResolution", ["{}/{}".format(*density.x.as_integer_ratio())])
        packet.set("tiff:YResolution", ["{}/{}".format(*density.y.as_integer_ratio())])
        packet.set("tiff:ResolutionUnit", [str(density.unit)])
    if credit is not None:
        label(packet, credit)
    return replace(metadata, xmp=packet.to_bytes())


def label(packet: Packet, credit: str) -> None:
    """Write the label into an XMP packet; an earlier label of Photochrom's is replaced.

    Another source type in the packet (a print, a negative) is moved to ``photochrom:OriginalDigitalSourceType``.
    """
    former = packet.get("Iptc4xmpExt:DigitalSourceType")
    if former and former != DIGITAL_SOURCE_TYPE:
        packet.set("photochrom:OriginalDigitalSourceType", [former])
    packet.set("Iptc4xmpExt:DigitalSourceType", [DIGITAL_SOURCE_TYPE])
    packet.set("Iptc4xmpExt:AISystemUsed", [f"Photochrom, model {credit}"])
    packet.set("Iptc4xmpExt:AISystemVersionUsed", [__version__])
    packet.set("photochrom:Statement", [statement(credit)])
    packet.set("photoshop:Instructions", [with_statement(packet.get("photoshop:Instructions") or "", credit)])


def format_warnings(metadata: Metadata, depth: int, format: str) -> Iterator[str]:
    """Yield warnings about content that a format cannot store: metadata, and samples of ``depth`` bits."""
    if depth > 8 and format not in DEEP:
        yield f"its samples have more than 8 bits, which are rounded to 8 in {format}: write PNG or TIFF to keep them"
    if format != "PNG" and (chunks := " and ".join(png.coding_chunks(metadata))):
        yield f"its gamma or primaries ({chunks}) are not kept in {format}: write PNG to keep them"
    if format not in _NO_IPTC:
        return
    if metadata.photoshop:
        yield f"its Photoshop resources are not kept in {format}: write JPEG, PNG or TIFF to keep them"
    if metadata.iptc and (names := photoshop.without_property(metadata.iptc)):
        yield f"its IPTC data ({', '.join(names)}) is not kept in {format}: write JPEG, PNG or TIFF to keep them"
