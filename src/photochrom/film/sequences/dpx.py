"""``DpxHeader``: headers of DPX files (SMPTE ST 268). FFmpeg codes the pixels, but loses most fields of the header."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from ...errors import FilmError, system_errors
from ..source.time_code import from_bcd, to_bcd

GENERIC, SIZE = 1664, 2048
"""Sizes of the header in bytes, without and with the sections for film and television."""
LOGARITHMIC = (1, 3)
"""Codes of the logarithmic transfer characteristics: printing density (Cineon), and logarithmic."""
_RGB = 50
_DESCRIPTORS = {6: 1, 50: 3, 51: 4, 52: 4}
"""Samples per pixel by descriptor, for those that FFmpeg decodes: luma, RGB, RGBA, ABGR."""
_DEPTHS = (8, 10, 12, 16)  # bits per sample that FFmpeg decodes
_WORD = 4  # bytes to whose multiple each row is filled in any case
_UNDEFINED = b"\xff"  # each byte of a field without a value
_MOST = 1 << 16  # rows or columns; a greater number means a damaged header
_ORIENTATIONS = (1, 2, 4, 3, 5, 6, 8, 7)  # in EXIF, by the code of the directions of rows and columns
# Offsets of fields in the header.
_OFFSET, _FILE_SIZE, _USER_SIZE, _NAME, _CREATOR, _DIRECTIONS, _ELEMENTS, _COLUMNS = 4, 16, 32, 36, 160, 768, 770, 772
_LOW, _HIGH, _DESCRIPTOR, _TRANSFER, _BITS, _PACKING, _ENCODING, _DATA = 784, 792, 800, 801, 803, 804, 806, 808
_PADDING, _ASPECT, _FRAME_POSITION, _FILM_RATE, _SLATE = 812, 1628, 1712, 1724, 1764
_TIME_CODE, _VIDEO_RATE = 1920, 1940
_TEXTS = {
    "creator": (_CREATOR, 100),
    "project": (260, 200),
    "copyright": (460, 200),
    "source file": (1432, 100),
    "scanner": (1556, 64),
    "film edge code": (1664, 16),
    "film format": (1680, 32),
    "frame identifier": (1732, 32),
}
"""Offset and size of the fields of text that describe a frame, except for the slate, which names the reel."""


@dataclass(frozen=True)
class DpxHeader:
    """The header of one DPX file, including its user data."""

    data: bytes
    """The header, of ``GENERIC`` or ``SIZE`` bytes, and the user data after it."""

    @property
    def order(self) -> str:
        """Byte order in the notation of ``struct``."""
        return ">" if self.data[:4] == b"SDPX" else "<"

    def _get(self, form: str, offset: int) -> int | float:
        """Return the number at an offset; ``form`` is its format in ``struct``."""
        size = struct.calcsize(form)
        field = self.data[offset : offset + size].ljust(size, _UNDEFINED)
        value: int | float = struct.unpack(self.order + form, field)[0]
        return value

    def _text(self, offset: int, size: int) -> str:
        """Return the text at an offset; empty if it is undefined."""
        field = self.data[offset : offset + size].split(b"\0")[0]
        return "" if set(field) == {255} else field.decode("utf-8", "replace").strip()

    @property
    def width(self) -> int:
        """Number of columns."""
        return int(self._get("I", _COLUMNS))

    @property
    def height(self) -> int:
        """Number of rows."""
        return int(self._get("I", _COLUMNS + 4))

    @property
    def orientation(self) -> int:
        """EXIF orientation, 1 to 8; 1 if the header states no valid one."""
        code = int(self._get("H", _DIRECTIONS))
        return _ORIENTATIONS[code] if code < len(_ORIENTATIONS) else 1

    @property
    def bits(self) -> int:
        """Bits per sample."""
        return self.data[_BITS]

    @property
    def samples(self) -> int:
        """Samples per pixel; 0 for an unsupported descriptor."""
        return _DESCRIPTORS.get(self.data[_DESCRIPTOR], 0)

    @property
    def transfer(self) -> int:
        """Code of the transfer characteristic."""
        return self.data[_TRANSFER]

    @property
    def offset(self) -> int:
        """Offset of the pixels in the file, in bytes."""
        return int(self._get("I", _OFFSET))

    @property
    def rate(self) -> Fraction | None:
        """Frames per second according to the film section, or else the television section; None if both lack it.

        It is rounded to a whole number or, up to 121, to the nearest whole number or whole number divided by 1.001.
        """
        for offset in (_FILM_RATE, _VIDEO_RATE):
            rate = float(self._get("f", offset))
            if 1 <= rate <= 1000:
                near = [Fraction(n, d) for n in range(1, 121) for d in (1, Fraction(1001, 1000))]
                return min(near, key=lambda r: abs(float(r) - rate)) if rate <= 121 else Fraction(round(rate))
        return None

    @property
    def time_code(self) -> str:
        """Time code, such as ``01:00:00:00``, or ``01:00:00;00`` for drop-frame; empty if there is none."""
        field = int(self._get("I", _TIME_CODE))
        return "" if field == 0xFFFFFFFF or len(self.data) < _TIME_CODE + 4 else from_bcd(field)

    @property
    def reel_name(self) -> str:
        """Text of the slate field, since DPX has no field for the reel name."""
        return self._text(_SLATE, 100)

    def described(self) -> list[str]:
        """Return the names of those fields of text that are filled in, and of the user data if there are any."""
        user_data = ["user data"] if self.data[SIZE:].strip(b"\0\xff") else []
        return [name for name, place in _TEXTS.items() if self._text(*place)] + user_data

    def problem(self, file_size: int) -> str:
        """Describe what is wrong with the header, given the file's size in bytes; empty if it is valid."""
        if not self.data:
            return "is empty"
        if self.data[:4] not in (b"SDPX", b"XPDS"):
            return "is not a DPX file: its first bytes differ"
        if len(self.data) < GENERIC:
            return "has a header that is cut short"
        if not (0 < self.width < _MOST and 0 < self.height < _MOST):
            return f"states a size of {self.width} x {self.height} pixels in its header"
        if self._get("H", _ELEMENTS) != 1:
            return f"holds {self._get('H', _ELEMENTS)} picture elements, and one is supported"
        if not self.samples:
            return f"has pixels of descriptor {self.data[_DESCRIPTOR]}; luma (6) and RGB (50, 51, 52) are supported"
        if self.bits not in _DEPTHS:
            return f"states {self.bits} bits per sample; 8, 10, 12 and 16 are supported"
        if self._get("H", _ENCODING) == 1:
            return "is run-length encoded, which is not supported"
        if self.offset < GENERIC or self.offset + self._least_bytes() > file_size:
            return f"is cut short, or states a wrong offset of its pixels ({self.offset})"
        if (padding := int(self._get("I", _PADDING))) >= _WORD and self._holds(padding, file_size):
            return f"has {padding} bytes of padding after each row, which are not supported"
        return ""

    def _holds(self, padding: int, file_size: int) -> bool:
        """Return whether a file is large enough for as many bytes of padding after each row as its header states."""
        return self.offset + self._least_bytes() + padding * (self.height - 1) <= file_size

    def _least_bytes(self) -> int:
        """Return the least size of the pixels in bytes."""
        samples = self.width * self.height * self.samples
        packed = self.bits == 12 and self._get("H", _PACKING) == 0
        thirds = {8: 24, 10: 32, 12: 36 if packed else 48, 16: 48}[self.bits]  # thirds of bits per sample
        return samples * thirds // 24


def read_header(path: Path) -> DpxHeader:
    """Read the header of a DPX file, including its user data.

    Raises:
        FilmError: The file cannot be read, or is not a DPX file that can be decoded.
    """
    with system_errors(FilmError, path, "check its permissions, and the disk"), path.open("rb") as stream:
        header = DpxHeader(stream.read(SIZE))
        size = path.stat().st_size
        if problem := header.problem(size):
            raise FilmError(problem, path=path, remedy="check the file")
        stream.seek(0)
        return DpxHeader(stream.read(header.offset))


def new_header(order: str, aspect: Fraction, rate: Fraction) -> DpxHeader:
    """Return a header for ``file_of`` with the given values and the fields that every DPX file must have.

    All other fields are undefined.

    Args:
        order: Byte order in the notation of ``struct``.
        aspect: Width of a pixel divided by its height.
        rate: Frames per second.
    """
    data = bytearray(_UNDEFINED * SIZE)
    data[:4] = b"SDPX" if order == ">" else b"XPDS"
    data[8:16] = b"V2.0\0\0\0\0"
    struct.pack_into(order + "III", data, 24, GENERIC, SIZE - GENERIC, 0)
    data[_NAME:660] = bytes(660 - _NAME)  # texts
    struct.pack_into(order + "HH", data, _DIRECTIONS, 0, 1)
    data[820:1356] = bytes(1356 - 820)  # the element's description, and unused elements
    data[_TRANSFER] = data[_TRANSFER + 1] = 2  # linear, as DPX calls display-referred video
    struct.pack_into(order + "II", data, _ASPECT, aspect.numerator, aspect.denominator)
    struct.pack_into(order + "f", data, _FILM_RATE, float(rate))
    struct.pack_into(order + "f", data, _VIDEO_RATE, float(rate))
    return DpxHeader(bytes(data))


def file_of(
    header: DpxHeader, encoded: memoryview, name: str, label: str, time_code: str, number: int
) -> tuple[bytes, memoryview]:
    """Return the two parts of a DPX file: a header with the source's fields, and pixels that FFmpeg has encoded.

    Args:
        header: Header of the source's frame.
        encoded: A DPX file written by FFmpeg: RGB in the byte order of ``header``.
        name: Name of the new file.
        label: Statement about the colours, for the creator field.
        time_code: Time code of the frame; empty to keep that of the header.
        number: Position of the frame in its sequence, from 0; used if the header states none.
    """
    theirs, order = DpxHeader(bytes(encoded[:GENERIC])), header.order
    data = bytearray(header.data.ljust(SIZE, _UNDEFINED))
    pixels = encoded[theirs.offset :]
    _put_text(data, _NAME, 100, name)
    _put_text(data, _CREATOR, 100, label)
    struct.pack_into(order + "I", data, _OFFSET, len(data))
    struct.pack_into(order + "I", data, _FILE_SIZE, len(data) + len(pixels))
    if header._get("I", _USER_SIZE) == 0xFFFFFFFF or len(data) == SIZE:
        struct.pack_into(order + "III", data, 24, GENERIC, SIZE - GENERIC, 0)
    struct.pack_into(order + "HII", data, _ELEMENTS, 1, theirs.width, theirs.height)
    top = (1 << theirs.bits) - 1
    if header.bits != theirs.bits or header._get("I", _HIGH) == 0xFFFFFFFF:
        struct.pack_into(order + "I", data, _LOW, 0)
        struct.pack_into(order + "I", data, _HIGH, top)
    struct.pack_into(order + "I", data, 780, 0)  # unsigned samples
    data[_DESCRIPTOR], data[_BITS] = _RGB, theirs.bits
    packing, padding = int(theirs._get("H", _PACKING)), int(theirs._get("I", _PADDING))
    struct.pack_into(order + "HHIII", data, _PACKING, packing, 0, len(data), padding, 0)
    if header._get("I", _FRAME_POSITION) == 0xFFFFFFFF:
        struct.pack_into(order + "I", data, _FRAME_POSITION, number)
    if time_code:
        struct.pack_into(order + "I", data, _TIME_CODE, to_bcd(time_code))
    return bytes(data), pixels


def _put_text(data: bytearray, offset: int, size: int, text: str) -> None:
    # The text may hold surrogates from a file name that is not valid UTF-8.
    coded = text.encode("utf-8", "replace")[: size - 1].decode("utf-8", "ignore").encode()
    data[offset : offset + size] = coded.ljust(size, b"\0")
