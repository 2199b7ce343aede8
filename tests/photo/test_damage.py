"""Damaged input and failures: a one-line error with a remedy, no wrong picture, and no files left behind."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.ExifTags import Base as Tag

from photochrom import photo
from photochrom.errors import PhotoError
from photochrom.photo import write as photo_write
from photochrom.photo.formats import exif, png
from photochrom.photo.formats.damage import DAMAGED, LEFT_OVER, WARNINGS
from photochrom.photo.formats.deflate import is_complete
from photochrom.photo.formats.tiff_cut import page_file
from photochrom.photo.inspection import is_in_color, upright_size
from photochrom.photo.write import write_output
from tests.helpers.permissions import as_nobody, public_folder
from tests.helpers.photographs import MODEL, coloured, neutral, saved, smooth
from tests.photo.test_metadata import source

GREY = smooth(90, 120)
DEEP = smooth(90, 120).astype(np.uint16) * 257


def tiff16(**options: object) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, np.dstack([DEEP] * 3), photometric="rgb", metadata=None, **options)
    return stream.getvalue()


FILES = {
    "baseline.jpg": saved(GREY, "JPEG", quality=90),
    "progressive.jpg": saved(np.dstack([GREY] * 3), "JPEG", quality=90, progressive=True),
    "grey.png": saved(GREY, "PNG"),
    "deep.png": cv2.imencode(".png", np.dstack([DEEP] * 3))[1].tobytes(),
    "plain.tif": saved(GREY, "TIFF"),
    "lzw.tif": saved(GREY, "TIFF", compression="tiff_lzw"),
    "deep.tif": tiff16(),
    "deflated.tif": tiff16(compression="zlib"),
    "lossy.webp": saved(np.dstack([GREY] * 3), "WEBP"),
    "lossless.webp": saved(np.dstack([GREY] * 3), "WEBP", lossless=True),
    "grey.avif": saved(GREY, "AVIF"),
}


def outcome(source: Path | bytes) -> np.ndarray | str:
    """Return the luma, or the message of the error; a damaged file must give one of them."""
    try:
        return photo.read_photo(source).luma
    except PhotoError as error:
        return str(error)


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_jpeg_of_12_bits_is_not_called_damaged(tmp_path: Path) -> None:
    path = tmp_path / "old.jpg"
    Image.new("L", (16, 16)).save(path)
    data = bytearray(path.read_bytes())
    frame = data.index(b"\xff\xc0")
    data[frame + 1], data[frame + 4] = 0xC1, 12  # extended sequential, 12 bits
    path.write_bytes(data)
    assert outcome(path) == f"{path}: is a JPEG of 12 bits: convert it to TIFF or PNG of 16 bits"


def test_canons_raw_files_are_named(tmp_path: Path) -> None:
    """Their first page is a full-size JPEG, which would be refused as a picture of an unusual kind."""
    path = tmp_path / "camera.tif"
    path.write_bytes(b"II*\0\x10\0\0\0CR\2\0" + bytes(99))
    assert outcome(path) == f"{path}: is a camera's raw file: develop it to a plain TIFF first"


def test_a_raw_file_is_refused_as_such_even_where_its_own_ending_names_the_output(tmp_path: Path) -> None:
    path = tmp_path / "camera.cr2"
    path.write_bytes(b"II*\0\x10\0\0\0CR\2\0" + bytes(99))
    with pytest.raises(PhotoError, match=r"camera\.cr2: is a camera's raw file: develop it to a plain TIFF first"):
        photo.colorize_file(path)


def test_bare_numbers_of_libraries_are_not_shown(tmp_path: Path) -> None:
    """Pillow wraps the KeyError of a missing tag, here that of a palette, into a SyntaxError."""
    path = tmp_path / "palette.tif"
    tifffile.imwrite(path, smooth(20, 30))
    with tifffile.TiffFile(path, mode="r+b") as file:
        file.pages[0].tags[262].overwrite(3)
    assert outcome(path) == f"{path}: is damaged or of an unknown kind: get a whole copy of the file"


@pytest.mark.parametrize("name", FILES)
def test_files_cut_at_any_length_are_refused_or_whole(name: str, tmp_path: Path) -> None:
    """The result is an error, or the whole picture if only the trailer is missing."""
    data = FILES[name]
    whole = photo.read_photo(data).luma
    path = tmp_path / name
    steps = {int(len(data) * share) for share in np.linspace(0, 0.999, 60)} | {len(data) - n for n in range(1, 12)}
    for length in sorted(steps):
        path.write_bytes(data[:length])
        result = outcome(path)
        if isinstance(result, str):
            assert result.startswith(f"{path}: ")
            assert "\n" not in result
        else:
            assert np.array_equal(result, whole), length
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(PhotoError, match=r"get a whole copy|save it again"):
        photo.read_photo(path)


def test_jpeg_whose_end_was_lost_and_filled_up() -> None:
    """A bad copy often has the right length, filled up with zeros, which libjpeg decodes as grey without a warning."""
    data = FILES["baseline.jpg"]
    for cut in (len(data) // 2, len(data) - 40):
        with pytest.raises(PhotoError, match="cut short"):
            photo.read_photo(data[:cut] + bytes(len(data) - cut))


def chunk(name: bytes, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload)) + name + payload + struct.pack(">I", zlib.crc32(name + payload))


def png_of(stream: bytes, kind: int, depth: int, side: int, interlace: int) -> bytes:
    parts = [(b"IHDR", struct.pack(">IIBBBBB", side, side, depth, kind, 0, 0, interlace))]
    parts += [(b"PLTE", bytes(range(48)))] if kind == 3 else []
    parts += [(b"IDAT", stream[:50]), (b"IDAT", stream[50:]), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def png_rows(kind: int, depth: int, side: int, interlace: int, value: int) -> list[bytes]:
    """Return the rows of a picture of one value with their filter bytes, in the order of the file."""
    bits = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[kind] * depth
    steps = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    rows = []
    for top, left, down, across in steps if interlace else [(0, 0, 1, 1)]:
        columns = len(range(left, side, across))
        rows += [b"\0" + bytes([value]) * -(-columns * bits // 8)] * (len(range(top, side, down)) if columns else 0)
    return rows


@pytest.mark.parametrize("side", [1, 2, 3, 8, 21])
@pytest.mark.parametrize("interlace", [0, 1])
@pytest.mark.parametrize(("kind", "depth"), [(0, 1), (0, 4), (0, 8), (2, 8), (3, 4), (4, 8), (6, 8), (0, 16), (2, 16)])
def test_png_whose_stream_ends_well_but_too_soon(kind: int, depth: int, interlace: int, side: int) -> None:
    """The checksums are right but rows are missing, at any row and whatever the last one's colour."""
    for value in (0, 255, 165):
        if kind == 3 and value == 255:
            continue  # not in the palette
        rows = png_rows(kind, depth, side, interlace, value)
        whole = photo.read_photo(png_of(zlib.compress(b"".join(rows)), kind, depth, side, interlace))
        assert whole.luma.shape == (side, side)
        for count in range(len(rows)):
            with pytest.raises(PhotoError, match="get a whole copy"):
                photo.read_photo(png_of(zlib.compress(b"".join(rows[:count])), kind, depth, side, interlace))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_pictures_of_the_grounds_own_colour(mode: str) -> None:
    """Rows that look like missing ones are counted, and are there."""
    image = Image.new(mode, (30, 20), (165, 90, 60, 15)[: Image.getmodebands(mode)])
    assert photo.read_photo(saved(image, "PNG")).luma.shape == (20, 30)


@pytest.mark.parametrize("name", ["grey.png", "deep.png"])
def test_png_with_a_changed_byte_among_its_pixels(name: str) -> None:
    start = FILES[name].index(b"IDAT")
    for place in range(start + 4, len(FILES[name]) - 12, 37):
        data = bytearray(FILES[name])
        data[place] ^= 1
        with pytest.raises(PhotoError, match="damaged"):
            photo.read_photo(bytes(data))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("options", [{}, {"tile": (32, 32)}, {"rowsperstrip": 7}])
def test_deflated_tiff_with_a_changed_byte(options: dict[str, object], dtype: type) -> None:
    """libtiff does not verify the checksum."""
    stream = io.BytesIO()
    grey = np.random.default_rng(0).integers(0, 256, (90, 120)).astype(dtype)
    tifffile.imwrite(stream, grey, metadata=None, compression="zlib", **options)
    data = stream.getvalue()
    assert np.array_equal(photo.read_photo(data).luma, grey)
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        offsets, sizes = file.pages[0].dataoffsets, file.pages[0].databytecounts
    for start, size in zip(offsets, sizes, strict=True):
        for place in (start + size // 2, start + size - 1):
            changed = bytearray(data)
            changed[place] ^= 1
            with pytest.raises(PhotoError, match="damaged"):
                photo.read_photo(bytes(changed))


@pytest.mark.slow
@pytest.mark.parametrize("size", [0, 1, 70_000, 1 << 20, (1 << 20) + 1, 5 << 20])
def test_a_stream_is_complete_if_it_ends_within_its_limit(size: int) -> None:
    for content in (bytes(size), np.random.default_rng(size).bytes(size)):
        stream = memoryview(zlib.compress(content, 1))
        assert is_complete(stream, size)
        assert not is_complete(stream[:-1], size)
        assert size == 0 or not is_complete(stream, size - 1)
    with pytest.raises(zlib.error):
        is_complete(memoryview(bytes(stream[:-1]) + (b"?" if stream[-1:] != b"?" else b"!")), size)


@pytest.mark.slow
def test_opencv_keeps_quiet() -> None:
    """OpenCV prints nothing for damage or private tags. A separate process is used because its log level is global."""
    program = "import sys; from photochrom import PhotoError, photo\ntry: photo.read_photo(sys.stdin.buffer.read())\n"
    program += "except PhotoError as error: print(error)"
    files = [(tiff16(extratags=[(65001, 3, 1, 7, True)]), b"")]
    _, lzw = cv2.imencode(".tif", np.dstack([DEEP] * 3), [cv2.IMWRITE_TIFF_COMPRESSION, 5])
    for data in (tiff16(compression="zlib"), lzw.tobytes(), saved(GREY, "TIFF", compression="tiff_adobe_deflate")):
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            place = file.pages[0].dataoffsets[0]
        files.append((data[:place] + bytes(40) + data[place + 40 :], b"damaged"))
    for data, said in files:
        run = subprocess.run([sys.executable, "-c", program], input=data, capture_output=True, check=True)
        assert said in run.stdout
        assert not run.stderr


@pytest.mark.slow
@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP"])
@given(data=st.data())
@settings(max_examples=60)
@pytest.mark.filterwarnings("ignore")
def test_flipped_bytes_in_metadata_never_crash(format: str, data: st.DataObject) -> None:
    content = bytearray(source(format))
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=8)):
        content[place] = data.draw(st.integers(0, 255))
    with contextlib.suppress(PhotoError):
        coloured(photo.read_photo(bytes(content)), "TIFF")


@pytest.mark.parametrize(
    "data", [b"", b"\xff", b"hello, I am a text\n" * 99, b"\xff\xd8\xff\xe0", b"II*\0", bytes(5000)]
)
def test_no_pictures(data: bytes) -> None:
    with pytest.raises(PhotoError, match="the picture: "):
        photo.read_photo(data)


def test_paths_that_lead_nowhere(tmp_path: Path) -> None:
    with pytest.raises(PhotoError, match=r"missing\.jpg: does not exist: check the path"):
        photo.read_photo(tmp_path / "missing.jpg")
    with pytest.raises(PhotoError, match="is a folder"):
        photo.read_photo(str(tmp_path))


def test_no_permission() -> None:
    with public_folder() as folder:
        path = folder / "locked.png"
        path.write_bytes(FILES["grey.png"])
        path.chmod(0)
        with as_nobody(), pytest.raises(PhotoError, match="permission denied"):
            photo.read_photo(path)


def bomb(kind: str) -> bytes:
    """Return a few bytes that claim to be 40,000 x 40,000 pixels."""
    if kind == "PNG":
        header = b"IHDR" + struct.pack(">IIBBBBB", 40000, 40000, 8, 0, 0, 0, 0)
        start = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
        return start + FILES["grey.png"][33:]
    if kind == "JPEG":
        data = FILES["baseline.jpg"]
        place = data.index(b"\xff\xc0") + 5
        return data[:place] + struct.pack(">HH", 40000, 40000) + data[place + 4 :]
    data = bytearray(FILES["plain.tif"])
    for tag in (256, 257):
        struct.pack_into("<HII", data, data.index(struct.pack("<HHI", tag, 4, 1)) + 2, 4, 1, 40000)
    return bytes(data)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
def test_bombs(kind: str) -> None:
    with pytest.raises(PhotoError, match="is 40000 x 40000 pixels, more than 500 million"):
        photo.read_photo(bomb(kind))


@pytest.mark.parametrize("name", ["plain.tif", "lzw.tif", "deep.tif", "deflated.tif"])
def test_tiff_with_parts_missing(name: str) -> None:
    """The header states more rows than there are strips; libtiff would leave the rest black."""
    data = bytearray(FILES[name])
    kind = next(kind for kind in (3, 4) if struct.pack("<HHIHH", 257, kind, 1, 90, 0) in data)
    place = data.index(struct.pack("<HHIHH", 257, kind, 1, 90, 0)) + 8
    struct.pack_into("<H", data, place, 9000)
    with pytest.raises(PhotoError):
        photo.read_photo(bytes(data))


@pytest.mark.slow
def test_text_bomb() -> None:
    text = b"zTXt" + b"Comment\0\0" + zlib.compress(bytes(80 << 20))
    chunk = struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text))
    data = FILES["grey.png"]
    with pytest.raises(PhotoError, match="oversized text"):
        photo.read_photo(data[:33] + chunk + data[33:])


def test_pillows_limit_does_not_apply(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "b.png"
    path.write_bytes(saved(np.dstack([GREY, 255 - GREY, GREY // 2]), "PNG"))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    assert is_in_color(path)
    assert upright_size(path) == (120, 90)


@pytest.mark.slow
def test_pictures_beyond_pillows_limit(tmp_path: Path) -> None:
    """Pillow's limit of 89 million pixels is meant for web servers, and is not changed; a scan of a plate has more."""
    limit = Image.MAX_IMAGE_PIXELS
    width, height = 20000, 9500  # Pillow raises from 179 million
    path = tmp_path / "plate.tif"
    with tifffile.TiffWriter(path) as writer:
        writer.write(np.broadcast_to(np.uint8(99), (height, width)), compression="zlib", rowsperstrip=500)
    luma = photo.read_photo(path).luma
    assert luma.shape == (height, width)
    assert (luma[::999] == 99).all()
    assert limit == Image.MAX_IMAGE_PIXELS


def test_heif_without_its_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(PhotoError, match=r"HEIF needs pillow_heif: pip install 'photochrom\[heif\]'"):
        photo.read_photo(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(64))
    with pytest.raises(PhotoError, match=r"HEIF needs pillow_heif: pip install 'photochrom\[heif\]'"):
        coloured(photo.read_photo(FILES["grey.png"]), "HEIF")


def test_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("photochrom.photo.formats.png.by_opencv", fail)
    with pytest.raises(PhotoError, match="does not fit in memory"):
        photo.read_photo(FILES["grey.png"])


def put(path: Path, **options: object) -> None:
    picture = photo.read_photo(FILES["grey.png"])
    format = photo.format_of(path)
    write_output(picture, *neutral(picture, format), path, format, MODEL, photo.OutputOptions(**options))


def test_existing_files_are_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "out.png"
    path.write_text("precious")
    with pytest.raises(PhotoError, match=r"out\.png: exists already: choose another name"):
        put(path)
    assert path.read_text() == "precious"
    assert files_in(tmp_path) == ["out.png"]
    put(path, overwrite=True)
    assert photo.read_photo(path).luma.shape == GREY.shape
    assert files_in(tmp_path) == ["out.png"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
@pytest.mark.parametrize("overwrite", [True, False])
def test_pipes_and_devices_are_not_replaced(tmp_path: Path, overwrite: bool) -> None:
    path = tmp_path / "out.png"
    os.mkfifo(path)
    picture, options = photo.read_photo(FILES["grey.png"]), photo.OutputOptions(overwrite=overwrite)
    for place in (path, Path(os.devnull)):
        with pytest.raises(PhotoError, match=f"{place}: is not a regular file"):
            write_output(picture, *neutral(picture, "PNG"), place, "PNG", MODEL, options)
    assert path.is_fifo()
    assert files_in(tmp_path) == ["out.png"]


@pytest.mark.parametrize("links", [True, False])
def test_no_race_for_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool) -> None:
    """A file that appears while the picture is being written is not replaced, with or without hard links."""
    path = tmp_path / "out.png"
    written = photo_write._Colored._encode

    def slowly(*arguments: object) -> None:
        written(*arguments)
        path.write_text("precious")

    monkeypatch.setattr(photo_write._Colored, "_encode", slowly)
    if not links:
        monkeypatch.setattr(os, "link", raising(errno.EPERM))
    with pytest.raises(PhotoError, match="exists already"):
        put(path)
    assert path.read_text() == "precious"
    assert files_in(tmp_path) == ["out.png"]


def test_disks_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "link", raising(errno.EPERM))
    put(tmp_path / "out.png")
    assert photo.read_photo(tmp_path / "out.png").luma.shape == GREY.shape
    monkeypatch.setattr(Path, "replace", raising(errno.EIO))
    with pytest.raises(PhotoError):
        put(tmp_path / "other.png")
    assert files_in(tmp_path) == ["out.png"]


def raising(number: int) -> Callable[..., None]:
    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize("extension", ["jpg", "png", "tif", "webp", "heic", "avif"])
def test_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, extension: str) -> None:
    if extension == "heic":
        pytest.importorskip("pillow_heif")
    path = tmp_path / f"out.{extension}"

    class FullDisk(io.BytesIO):
        def write(self, data: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        def fileno(self) -> int:
            raise io.UnsupportedOperation

    opened = Path.open

    def open_full(self: Path, *arguments: object) -> object:
        if self.suffix == ".part":
            opened(self, *arguments).close()
            return FullDisk()
        return opened(self, *arguments)

    monkeypatch.setattr(Path, "open", open_full)
    with pytest.raises(PhotoError, match=f"out.{extension}: the disk is full: make room"):
        put(path)
    assert files_in(tmp_path) == []


def test_fsync_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", raising(errno.EDQUOT))
    with pytest.raises(PhotoError, match="your share of the disk is used up"):
        put(tmp_path / "out.png")
    assert files_in(tmp_path) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_really_full_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Path.open

    def open_full(self: Path, mode: str = "r") -> object:
        if self.suffix == ".part":
            opened(self, mode).close()
            return opened(Path("/dev/full"), "wb")
        return opened(self, mode)

    monkeypatch.setattr(Path, "open", open_full)
    with pytest.raises(PhotoError, match="the disk is full"):
        put(tmp_path / "out.png")
    assert files_in(tmp_path) == []


def test_an_interruption_leaves_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(png, "write", interrupt)
    with pytest.raises(KeyboardInterrupt):
        put(tmp_path / "out.png")
    assert files_in(tmp_path) == []


def test_bad_destinations(tmp_path: Path) -> None:
    with pytest.raises(PhotoError, match=r"there is no folder .*missing: create it first"):
        put(tmp_path / "missing" / "out.png")
    (tmp_path / "folder.png").mkdir()
    for overwrite in (True, False):
        with pytest.raises(PhotoError, match=r"folder\.png: is a folder: name a file in it"):
            put(tmp_path / "folder.png", overwrite=overwrite)
    with pytest.raises(PhotoError, match="unknown extension"):
        put(tmp_path / "out.gif")
    with pytest.raises(PhotoError, match="too long a name"):
        put(tmp_path / ("x" * 300 + ".png"))
    assert files_in(tmp_path) == ["folder.png"]


@pytest.mark.skipif(os.name != "posix", reason="POSIX permissions")
def test_ordinary_permissions(tmp_path: Path) -> None:
    """The file has the permissions that any program's new file has here."""
    (tmp_path / "plain").touch()
    put(tmp_path / "out.png")
    assert (tmp_path / "out.png").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_locked_folder() -> None:
    with public_folder() as folder:
        folder.chmod(0o555)
        with as_nobody(), pytest.raises(PhotoError, match=r"cannot be written \(Permission denied\)"):
            put(folder / "out.png")
        assert list(folder.iterdir()) == []


def fax(compression: str) -> bytes:
    """Return a TIFF of rings in a fax compression."""
    rows, columns = np.mgrid[:208, :160]
    rings = np.hypot(rows - 90, columns - 70).astype(int) // 9 % 2 == 0
    return saved(rings, "TIFF", compression=compression, tiffinfo={Tag.RowsPerStrip: 208})


FAXES = ("group3", "group4", "tiff_ccitt")


def in_tiles(data: bytes) -> bytes:
    """Return a fax of ``fax`` in tiles, two of which are side by side."""
    image = Image.open(io.BytesIO(data))
    halves = [image.crop((left, 0, left + 80, 208)) for left in (0, 80)]
    strips = np.concatenate([np.asarray(half) for half in halves])
    tiff = exif.open_tiff(
        saved(strips, "TIFF", compression=image.info["compression"], tiffinfo={Tag.RowsPerStrip: 208})
    )
    tags = {entry.tag: entry for entry in tiff.directory(tiff.first)[0]}
    for old, new in ((Tag.RowsPerStrip, Tag.TileLength), (Tag.StripOffsets, Tag.TileOffsets),
                     (Tag.StripByteCounts, Tag.TileByteCounts)):  # fmt: skip
        tags[new] = replace(tags.pop(old), tag=new)
    for tag, size in ((Tag.TileWidth, 80), (Tag.ImageWidth, 160), (Tag.ImageLength, 208)):
        tags[tag] = tiff.entry(tag, exif.LONG, [size])
    return page_file(tiff, [tags[tag] for tag in sorted(tags)])


def with_palette(data: bytes) -> bytes:
    """Return a fax whose colours are in a palette."""
    tiff = exif.open_tiff(data)
    tags = {entry.tag: entry for entry in tiff.directory(tiff.first)[0]}
    tags[Tag.ColorMap] = tiff.entry(Tag.ColorMap, exif.SHORT, [0, 65535] * 3)
    tags[Tag.PhotometricInterpretation] = tiff.entry(Tag.PhotometricInterpretation, exif.SHORT, [3])
    return page_file(tiff, [tags[tag] for tag in sorted(tags)])


@pytest.mark.parametrize("change", [bytes, in_tiles, with_palette])
@pytest.mark.parametrize(("compression", "share"), [*zip(FAXES, (0.8, 0.7, 0.8), strict=True)])
def test_a_fax_with_a_changed_bit_is_coloured_with_a_warning(
    compression: str, share: float, change: Callable[[bytes], bytes]
) -> None:
    """libtiff reports an error or a warning, guesses the line and succeeds. Group 4 has no end-of-line codes."""
    data = change(fax(compression))
    whole = photo.read_photo(data)
    assert np.array_equal(whole.luma, photo.read_photo(fax(compression)).luma)
    assert DAMAGED not in whole.warnings
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        start, size = file.pages[0].dataoffsets[0], file.pages[0].databytecounts[0]
    changed = told = 0
    for place in range(start, start + size, max(1, size // 60)):
        bad = bytearray(data)
        bad[place] ^= 16
        with contextlib.suppress(PhotoError):
            picture = photo.read_photo(bytes(bad))
            changed += not np.array_equal(picture.luma, whole.luma)
            told += DAMAGED in picture.warnings
    assert told > share * changed > 20


def jpeg_with(junk: bytes, share: float) -> bytes:
    """Return a JPEG with bytes inserted into its coded data, or added at its end."""
    data = FILES["baseline.jpg"]
    start = data.index(b"\xff\xda") + 10
    place = start + int((len(data) - 2 - start) * share)
    return data[:place] + junk + data[place:]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (jpeg_with(b"\xff\xd3", 0.5), DAMAGED),
        (jpeg_with(b"\x12\x34\x56", 1), LEFT_OVER),
        (jpeg_with(bytes(7), 1), None),
        (jpeg_with(b"\xff" * 7, 1), None),
        (jpeg_with(b"", 1) + b"trailer", None),
        (FILES["baseline.jpg"].replace(b"JFIF\0\1", b"JFIF\0\xff", 1), None),
        (FILES["baseline.jpg"][:20] + b"\xff\0\0\5abc" + FILES["baseline.jpg"][20:], None),
    ],
    ids=["marker", "left over", "zeros", "fill bytes", "trailer", "revision", "junk in the header"],
)
def test_only_damage_to_the_picture_is_reported(data: bytes, expected: str | None) -> None:
    told = [loss for loss in photo.read_photo(data).warnings if loss in WARNINGS]
    assert told == ([expected] if expected else [])


def test_damage_is_reported_in_every_colour_space() -> None:
    """CMYK files, RGB files and the JPEG within an old TIFF are read by different code."""
    grey = smooth(90, 120)
    image = Image.fromarray(np.dstack([grey, grey[::-1], grey[:, ::-1], grey // 3]), "CMYK")
    for data in (saved(image, "JPEG"), saved(image.convert("RGB"), "JPEG", keep_rgb=True)):
        assert DAMAGED not in photo.read_photo(data).warnings
        middle = (data.index(b"\xff\xda") + len(data)) // 2
        assert DAMAGED in photo.read_photo(data[:middle] + b"\xff\xd3" + data[middle:]).warnings


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_damage_is_reported_in_a_tiff_that_holds_jpeg(mode: str) -> None:
    """Pillow suppresses the warnings of libjpeg that libtiff passes on."""
    grey = np.random.default_rng(0).integers(0, 256, (90, 120), np.uint8)
    data = saved(Image.fromarray(grey).convert(mode), "TIFF", compression="jpeg")
    assert not photo.read_photo(data).warnings
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page = file.pages[0]
        middle = page.dataoffsets[0] + page.databytecounts[0] // 2
    assert photo.read_photo(data[:middle] + b"\xff\xd3" + data[middle + 2 :]).warnings == (DAMAGED,)


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize(
    ("stray", "count"), [(b"\0\0\0", 3), (b"junk", 4), (b"\xff\0 \xff\xff", 3), (b"\xff\x01\xff\xd0", 0)]
)
def test_stray_bytes_between_the_headers_of_a_jpeg_are_skipped_and_reported(
    stray: bytes, count: int, progressive: bool
) -> None:
    """libjpeg skips them, too: they belong to no segment, or to a marker without a meaning."""
    data = saved(np.dstack([GREY] * 3), "JPEG", quality=90, progressive=progressive)
    first = 4 + int.from_bytes(data[4:6], "big")
    for place in (2, first):
        strewn = data[:place] + stray + data[place:]
        read = photo.read_photo(strewn)
        assert np.array_equal(read.luma, photo.read_photo(data).luma)
        said = [f"stray bytes between its headers ({count}) are not kept: the file may be damaged"]
        assert list(read.warnings) == (said if count else [])


def test_a_jpeg_whose_picture_does_not_begin_is_cut_short() -> None:
    data = saved(GREY, "JPEG")
    scan = data.index(b"\xff\xda")
    for cut in (data[:scan], data[:scan] + b"\xff\xd9", data[:scan] + b"junk", data[:2], data[: scan + 2]):
        assert "is cut short" in outcome(cut)


def test_a_broken_link_is_named_as_such(tmp_path):
    (tmp_path / "old.jpg").symlink_to("nowhere.jpg")
    with pytest.raises(PhotoError, match=r"old\.jpg: is a link that leads nowhere: remove it, or make it lead"):
        photo.read_photo(tmp_path / "old.jpg")
