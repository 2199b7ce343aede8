"""Small sequences of numbered frames for tests, and their pixels read without Photochrom's own code."""

import struct

import av
import cv2
import numpy as np


def codes(luma, bits):
    """Convert an 8-bit luma plane to another depth, with lower bits that are not zero."""
    below = np.add.outer(np.arange(luma.shape[0]), np.arange(luma.shape[1])) % (1 << (bits - 8))
    return (luma.astype(np.uint16) << (bits - 8)) + below.astype(np.uint16) if bits > 8 else luma


def dpx(plane, bits, *, order=">", rgb=True, fields=None, offset=2048, user=b""):
    """Build a DPX file as the standard describes it.

    Args:
        plane: Luma ``[H, W]``, which all channels of RGB get.
        bits: Bits per sample: 8, 10, 12 or 16.
        order: Byte order, ``>`` or ``<``.
        rgb: Whether the file has RGB; otherwise it has luma alone.
        fields: Format (of ``struct``) and values of further fields of the header, by their offsets; None for none.
        offset: Offset of the pixels without ``user``.
        user: User data behind the header.
    """
    height, width = plane.shape
    head = bytearray(b"\xff" * offset)
    head[:4] = b"SDPX" if order == ">" else b"XPDS"
    head[8:16] = b"V1.0\0\0\0\0"
    head[36:660] = bytes(624)
    offset += len(user)
    samples = np.repeat(plane[..., None], 3, axis=2) if rgb else plane[..., None]
    data = _packed(samples, bits, order)
    values = {4: ("I", offset), 16: ("I", offset + len(data)), 24: ("III", 1664, 384, len(user))}
    values |= {768: ("H", 0), 770: ("HII", 1, width, height), 780: ("IIfIf", 0, 0, 0.0, (1 << bits) - 1, 2.0)}
    values |= {800: ("BBBB", 50 if rgb else 6, 2, 2, bits), 804: ("HHIII", int(bits in (10, 12)), 0, offset, 0, 0)}
    values |= {1628: ("II", 1, 1)}
    for place, (form, *value) in (values | (fields or {})).items():
        struct.pack_into(order + form, head, place, *value)
    return bytes(head) + user + data


def _packed(samples, bits, order):
    """Pack pixels into words: three of 10 bits per 32-bit word, row by row; 12 bits in 16."""
    if bits == 8:
        flat = samples.astype(np.uint8).reshape(samples.shape[0], -1)
        return np.pad(flat, ((0, 0), (0, -flat.shape[1] % 4))).tobytes()
    if bits != 10:
        words = (samples.astype(np.uint16) << (16 - bits)).reshape(samples.shape[0], -1)
        return np.pad(words, ((0, 0), (0, words.shape[1] % 2))).astype(order + "u2").tobytes()
    flat = samples.astype(np.uint32).reshape(samples.shape[0], -1)
    if samples.shape[2] == 1:
        flat = np.pad(flat, ((0, 0), (0, -flat.shape[1] % 3)))
        words = flat[:, 0::3] << 2 | flat[:, 1::3] << 12 | flat[:, 2::3] << 22  # the first sample in the lowest bits
    else:
        words = flat[:, 0::3] << 22 | flat[:, 1::3] << 12 | flat[:, 2::3] << 2
    return words.astype(order + "u4").tobytes()


def write_dpx(folder, lumas, bits=10, *, first=0, name="reel.{:07}.dpx", fields=None, **options):
    """Write a folder of DPX files; ``fields`` is called with the position of a frame."""
    folder.mkdir(exist_ok=True)
    for i, luma in enumerate(lumas):
        file = dpx(codes(luma, bits), bits, fields=fields(i) if fields else None, **options)
        (folder / name.format(first + i)).write_bytes(file)
    return folder


def pixels(path):
    """Read R'G'B' ``[H, W, 3]`` or grey ``[H, W]`` of a frame's file, and its bits."""
    if path.suffix in (".tif", ".png", ".jp2"):
        found = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        return found[..., ::-1] if found.ndim == 3 else found, 8 * found.dtype.itemsize
    data = path.read_bytes()
    order = ">" if data[:4] == b"SDPX" else "<"
    (offset,) = struct.unpack_from(order + "I", data, 4)
    width, height = struct.unpack_from(order + "II", data, 772)
    bits = data[803]
    if bits == 10:
        words = np.frombuffer(data, order + "u4", width * height, offset).reshape(height, width)
        return np.stack([words >> 22 & 1023, words >> 12 & 1023, words >> 2 & 1023], -1), 10
    if bits == 8:
        rows = np.frombuffer(data, np.uint8, height * (width * 3 + -width * 3 % 4), offset).reshape(height, -1)
        return rows[:, : width * 3].reshape(height, width, 3), 8
    rows = np.frombuffer(data, order + "u2", height * (width * 3 + width * 3 % 2), offset).reshape(height, -1)
    return rows[:, : width * 3].reshape(height, width, 3) >> (16 - bits), bits


def luma_of(path):
    """Return the BT.601 luma of a frame, in the integers of the file."""
    rgb, _ = pixels(path)
    if rgb.ndim == 2:
        return rgb
    return np.rint(rgb @ np.array([0.299, 0.587, 0.114])).astype(int)


def field(path, form, place):
    """Read a field of a DPX header."""
    data = path.read_bytes()[:2048]
    order = ">" if data[:4] == b"SDPX" else "<"
    found = struct.unpack_from(order + form, data, place)
    return found[0] if len(found) == 1 else found


def read_by_ffmpeg(path):
    """Decode a frame with FFmpeg."""
    with av.open(str(path)) as film:
        return next(film.decode(video=0))
