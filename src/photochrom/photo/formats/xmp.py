"""``Packet`` parses, edits and writes XMP, and keeps unknown properties unchanged."""

from __future__ import annotations

import base64
import codecs
import hashlib
import re
from collections import ChainMap
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import Final, TypeGuard
from xml.dom import minidom
from xml.parsers.expat import ExpatError

from defusedxml import DefusedXmlException

ILLEGAL: Final = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""Characters that XML cannot represent, not even escaped."""
RDF: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
NAMESPACES: Final = {
    "Container": "http://ns.google.com/photos/1.0/container/",
    "GCamera": "http://ns.google.com/photos/1.0/camera/",
    "crs": "http://ns.adobe.com/camera-raw-settings/1.0/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "exif": "http://ns.adobe.com/exif/1.0/",
    "Iptc4xmpCore": "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "MP": "http://ns.microsoft.com/photo/1.2/",
    "hdrgm": "http://ns.adobe.com/hdr-gain-map/1.0/",
    "mwg-rs": "http://www.metadataworkinggroup.com/schemas/regions/",
    "photochrom": "urn:photochrom:1.0:",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "tiff": "http://ns.adobe.com/tiff/1.0/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "xmpNote": "http://ns.adobe.com/xmp/note/",
}
_OF_THE_PIXELS: Final = (
    "tiff:ImageWidth", "tiff:ImageLength", "tiff:BitsPerSample", "tiff:Compression", "tiff:PhotometricInterpretation",
    "tiff:SamplesPerPixel", "tiff:PlanarConfiguration", "tiff:YCbCrSubSampling", "tiff:YCbCrPositioning",
    "xmp:Thumbnails",
)  # fmt: skip
# Regions of the picture (faces, the subject), in coordinates of the pixels as stored.
_POSITIONS: Final = ("mwg-rs:Regions", "MP:RegionInfo", "Iptc4xmpExt:ImageRegion",
                  "exif:SubjectArea", "exif:SubjectLocation")  # fmt: skip
# Gain maps, films and further pictures after the main one are not kept, so references to them are removed.
_COMPANIONS: Final = (
    "GCamera:MotionPhoto", "GCamera:MotionPhotoVersion", "GCamera:MotionPhotoPresentationTimestampUs",
    "GCamera:MicroVideo", "GCamera:MicroVideoVersion", "GCamera:MicroVideoOffset",
    "GCamera:MicroVideoPresentationTimestampUs", "Container:Directory",
    *(f"hdrgm:{name}" for name in ("Version", "BaseRenditionIsHDR", "GainMapMin", "GainMapMax", "Gamma", "OffsetSDR",
                                   "OffsetHDR", "HDRCapacityMin", "HDRCapacityMax")),
)  # fmt: skip
# Schemas of a sidecar's captions, rights and ratings: Dublin Core, IPTC, Photoshop, XMP, Lightroom's keywords.
_ADOPTED: Final = frozenset(
    [
        *(NAMESPACES[prefix] for prefix in ("dc", "photoshop", "Iptc4xmpCore", "Iptc4xmpExt", "xmp")),
        "http://ns.adobe.com/xap/1.0/rights/",
        "http://ns.adobe.com/lightroom/1.0/",
        "http://ns.useplus.org/ldf/xmp/1.0/",
    ]
)
# Properties on how the picture was made.
_PROVENANCE: Final = (
    "Iptc4xmpExt:DigitalSourceType", "photochrom:OriginalDigitalSourceType", "Iptc4xmpExt:AISystemUsed",
    "Iptc4xmpExt:AISystemVersionUsed", "photochrom:Statement", "photoshop:Instructions",
)  # fmt: skip
_MAX_LENGTH: Final = 2_000  # characters of such a property, so that all of them fit into one segment
_EMPTY: Final = f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}"/></x:xmpmeta>'.encode()
_TEXT: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})
_VALUE: Final = _TEXT | str.maketrans({'"': "&quot;", "\n": "&#10;", "\t": "&#9;"})
_HEAD: Final = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
_TAIL: Final = '\n<?xpacket end="w"?>'
_MAX_BYTES: Final = 32 << 20  # the parsed tree takes about twenty times the memory of its text


_Property = minidom.Attr | minidom.Element
_UNREADABLE = (ExpatError, DefusedXmlException, RecursionError, ValueError)


class Packet:
    """An XMP packet, whose properties are named with a prefix of ``NAMESPACES``, as in "dc:title".

    If the data cannot be parsed, the packet is new, and stores the data as Base64 in the property
    ``photochrom:UnreadableXMP``, so that nothing is lost.
    """

    def __init__(self, data: bytes | None = None) -> None:
        try:
            self._document, self._rdf = _parsed(_EMPTY if data is None else data)
        except _UNREADABLE:
            self._document, self._rdf = _parsed(_EMPTY)
            self._own = self._new_description("")
            self._store_unreadable(data or b"")
        else:
            # All descriptions of a packet must have the same subject, so the existing one is used.
            subjects = [description.getAttributeNS(RDF, "about") for description in _descriptions(self._rdf)]
            self._own = self._new_description(next(iter(subjects), ""))

    def __contains__(self, name: str) -> bool:
        return any(True for _ in self._occurrences(name))

    def get(self, name: str) -> str | None:
        """Return the text of a simple property, or None if the property is missing."""
        for occurrence in self._occurrences(name):
            if isinstance(occurrence, minidom.Attr):
                return str(occurrence.value)
            text = "".join(str(child.data) for child in occurrence.childNodes if isinstance(child, minidom.Text))
            return text or occurrence.getAttributeNS(RDF, "resource")
        return None

    def remove(self, *names: str) -> None:
        """Remove properties, whether they are written as attributes or as elements."""
        parts = (name.partition(":") for name in names)
        self._drop({(NAMESPACES[prefix], local) for prefix, _, local in parts})

    def _drop(self, names: Container[tuple[str | None, str | None]]) -> None:
        """Remove the properties with these namespaces and names, in one pass over the packet."""
        for description in _descriptions(self._rdf):
            for attribute in list(description.attributes.values()):
                if _name(attribute) in names:
                    description.removeAttributeNode(attribute)
            # Removing the children one by one would search the list for each.
            kept = [node for node in description.childNodes if _name(node) not in names]
            if len(kept) < len(description.childNodes):
                description.childNodes[:] = kept

    def set(self, name: str, values: Sequence[str], array: str = "") -> None:
        """Replace a property with one value, or with an array of values if ``array`` is "Alt", "Bag" or "Seq"."""
        self.remove(name)
        prefix = name.partition(":")[0]
        self._own.setAttribute(f"xmlns:{prefix}", NAMESPACES[prefix])
        element = self._child(self._own, NAMESPACES[prefix], name)
        if array:
            container = self._child(element, RDF, f"rdf:{array}")
            for value in values:
                member = self._child(container, RDF, "rdf:li")
                if array == "Alt":
                    member.setAttribute("xml:lang", "x-default")
                member.appendChild(self._document.createTextNode(_legal(value)))
        else:
            element.appendChild(self._document.createTextNode(_legal(values[0])))

    def adopt(self, sidecar: bytes) -> bool:
        """Copy captions, rights and ratings from a sidecar, but not its settings for editing the old pixels.

        Returns:
            Whether the sidecar is XMP.
        """
        try:
            _, rdf = _parsed(sidecar)
        except _UNREADABLE:
            return False
        found = {_name(node): node for description in _descriptions(rdf) for node in _adopted(description)}
        self._drop(found)  # of a property that the sidecar has several times, the last one counts
        kept = {id(node) for node in found.values()}
        inherited = _inherited(rdf)
        for description in _descriptions(rdf):
            if nodes := [node for node in _adopted(description) if id(node) in kept]:
                self._copy(nodes, ChainMap(_declared(description), inherited))
        return True

    def _copy(self, nodes: Sequence[_Property], declarations: Mapping[str, str]) -> None:
        """Copy properties into a new description; ``declarations`` are the xmlns attributes that apply to them."""
        own = self._new_description(self._own.getAttributeNS(RDF, "about"))
        _declare(own, nodes, declarations)
        for node in nodes:
            if isinstance(node, minidom.Attr):
                own.setAttributeNS(node.namespaceURI, node.name, node.value)
            else:
                own.appendChild(self._document.importNode(node, True))

    def absorb(self, extension: bytes) -> None:
        """Add the properties of the second packet of a JPEG ("extended XMP").

        If the data cannot be parsed, it is stored as by the constructor.
        """
        self.remove("xmpNote:HasExtendedXMP")
        try:
            _, rdf = _parsed(extension)
        except _UNREADABLE:
            self._store_unreadable(extension)
            return
        inherited = _inherited(rdf)
        self._rdf.removeChild(self._own)  # and appended again, which is faster than inserting each node before it
        for node in _descriptions(rdf):
            _declare(node, [node], ChainMap(_declared(node), inherited))
            self._rdf.appendChild(self._document.importNode(node, True))
        self._rdf.appendChild(self._own)

    def _store_unreadable(self, unreadable: bytes) -> None:
        self.set("photochrom:UnreadableXMP", [base64.b64encode(unreadable).decode()])

    def to_bytes(self) -> bytes:
        """Return the packet as UTF-8."""
        return (_HEAD + _markup(self._root) + _TAIL).encode()

    def split(self) -> tuple[bytes, bytes, bytes]:
        """Split the packet into two for a JPEG, in which a segment has at most 64 KB.

        Many programs read only the first packet, so the properties on how the picture was made are moved to it.

        Returns:
            The first packet; the extended packet, with all other properties; and the GUID of the extended packet.
        """
        own = Packet()
        own._own.setAttributeNS(RDF, "rdf:about", self._own.getAttributeNS(RDF, "about"))
        for name in _PROVENANCE:
            value = self.get(name)
            if value and len(value) <= _MAX_LENGTH:
                self.remove(name)
                own.set(name, [value])
        rest = _markup(self._root).encode()
        guid = hashlib.md5(rest, usedforsecurity=False).hexdigest().upper()
        own.set("xmpNote:HasExtendedXMP", [guid])
        return own.to_bytes(), rest, guid.encode()

    @property
    def _root(self) -> minidom.Element:
        root = self._document.documentElement
        assert root is not None  # _parsed found RDF below it
        return root

    def _occurrences(self, name: str) -> Iterator[_Property]:
        prefix, _, local = name.partition(":")
        for description in _descriptions(self._rdf):
            attribute = description.getAttributeNodeNS(NAMESPACES[prefix], local)
            if attribute is not None:
                yield attribute
            yield from (node for node in description.childNodes if _is(node, NAMESPACES[prefix], local))

    def _new_description(self, subject: str) -> minidom.Element:
        description = self._child(self._rdf, RDF, "rdf:Description")
        # The packet may use these prefixes for other namespaces, so this description declares them itself.
        description.setAttribute("xmlns:rdf", RDF)
        description.setAttributeNS(RDF, "rdf:about", subject)
        return description

    def _child(self, parent: minidom.Element, namespace: str, name: str) -> minidom.Element:
        return parent.appendChild(self._document.createElementNS(namespace, name))


def is_unedited(data: bytes) -> bool:
    """Return whether ``Packet.to_bytes`` wrote a packet; other programs begin or end it differently."""
    return data.startswith(_HEAD.encode()) and data.endswith(_TAIL.encode())


def update_for_output(packet: Packet, width: int, height: int, *, moved: bool, srgb: bool, new_profile: bool) -> None:
    """Correct or remove the properties that describe the pixels of the source.

    Args:
        packet: The packet to change.
        width: Width of the upright picture, in pixels.
        height: Height of the upright picture, in pixels.
        moved: Whether the picture was rotated or mirrored to be upright.
        srgb: Whether the pixels were converted to sRGB.
        new_profile: Whether the ICC profile was replaced or removed.
    """
    packet.remove(*_OF_THE_PIXELS, *_COMPANIONS, *(_POSITIONS if moved else ()))
    if (packet.get("crs:ConvertToGrayscale") or "").lower() == "true":
        # Editors would show the output in grey.
        packet.remove("crs:ConvertToGrayscale", "crs:Treatment", "crs:Look")
    if new_profile:
        packet.remove("photoshop:ICCProfile")
    values = {"tiff:Orientation": 1, "exif:PixelXDimension": width, "exif:PixelYDimension": height}
    values |= {"photoshop:ColorMode": 3} | ({"exif:ColorSpace": 1} if srgb else {})  # RGB, sRGB
    for name, value in values.items():
        if name in packet:
            packet.set(name, [str(value)])


def _parsed(data: bytes) -> tuple[minidom.Document, minidom.Element]:
    if len(data) > _MAX_BYTES:
        raise ValueError("the packet is too long")
    if not data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        data = data.strip(b"\0 \t\r\n")  # TIFF writers append a zero byte, others pad the packet
    document = minidom.parseString(data) if data == _EMPTY else _defused(data)
    found = document.getElementsByTagNameNS(RDF, "RDF")
    if not found:
        raise ValueError("no RDF in the packet")
    root = document.documentElement
    assert root is not None  # a document with RDF has a root
    _markup(root)  # raises RecursionError here if the nesting is too deep to be written
    return document, found[0]


def _defused(data: bytes) -> minidom.Document:
    """Parse an untrusted packet; any document type definition, which attacks on XML parsers need, is an error."""
    from defusedxml.minidom import parseString  # slow to load, since it loads an HTTP client

    document: minidom.Document = parseString(data, forbid_dtd=True)
    return document


def _is(node: minidom.Node, namespace: str, local: str) -> TypeGuard[minidom.Element]:
    return isinstance(node, minidom.Element) and (node.namespaceURI, node.localName) == (namespace, local)


def _descriptions(rdf: minidom.Element) -> list[minidom.Element]:
    return [node for node in rdf.childNodes if _is(node, RDF, "Description")]


def _name(node: minidom.Node) -> tuple[str | None, str | None]:
    """Return namespace and local name of an attribute or element; two empty strings for another node."""
    return (node.namespaceURI, node.localName) if isinstance(node, minidom.Attr | minidom.Element) else ("", "")


def _adopted(description: minidom.Element) -> Iterator[_Property]:
    """Yield the properties of a sidecar's description that are copied."""
    for node in (*description.attributes.values(), *description.childNodes):
        if isinstance(node, _Property) and node.namespaceURI in _ADOPTED:
            yield node


def _declared(node: minidom.Element) -> dict[str, str]:
    """Return the xmlns attributes of a node."""
    return {name: value for name, value in node.attributes.items() if name.partition(":")[0] == "xmlns"}


def _inherited(node: minidom.Element) -> dict[str, str]:
    """Return the xmlns attributes that apply to a node, its own and those of its ancestors; the nearest wins."""
    found: dict[str, str] = {}
    ancestor: minidom.Node | None = node
    while isinstance(ancestor, minidom.Element):
        found = _declared(ancestor) | found
        ancestor = ancestor.parentNode
    return found


def _declare(target: minidom.Element, nodes: Iterable[_Property], declarations: Mapping[str, str]) -> None:
    """Set those of the xmlns attributes on an element that some nodes or their descendants need.

    If all were set on each description, a file with thousands of both would take gigabytes.
    """
    for node in nodes:
        elements = [node, *node.getElementsByTagName("*")] if isinstance(node, minidom.Element) else []
        names = [node.nodeName, *(name for one in elements for name in (one.tagName, *one.attributes.keys()))]
        for prefix in {name.partition(":")[0] if ":" in name else "" for name in names}:
            attribute = f"xmlns:{prefix}" if prefix else "xmlns"
            if attribute in declarations:
                target.setAttribute(attribute, declarations[attribute])


def _markup(node: minidom.Node) -> str:
    """Serialise a node; minidom itself turns line breaks in attributes into spaces before Python 3.13."""
    if isinstance(node, minidom.Text):  # CDATA sections too
        return node.data.translate(_TEXT)
    if isinstance(node, minidom.Comment):
        return f"<!--{node.data}-->"
    if isinstance(node, minidom.ProcessingInstruction):
        return f"<?{node.target} {node.data}?>"
    assert isinstance(node, minidom.Element)  # documents with a DTD are refused, and there are no other kinds of nodes
    attributes = "".join(f' {name}="{value.translate(_VALUE)}"' for name, value in node.attributes.items())
    inside = "".join(_markup(child) for child in node.childNodes)
    return f"<{node.tagName}{attributes}>{inside}</{node.tagName}>" if inside else f"<{node.tagName}{attributes}/>"


def _legal(text: str) -> str:
    """Return the text without lone surrogates and other characters that XML cannot represent."""
    return ILLEGAL.sub("", text)
