"""Inspection of photographs before training: every reason to leave one out, shards, remote sets."""

import csv
import functools
import hashlib
import io
import os
import re
import struct
import tarfile
from contextvars import ContextVar
from dataclasses import replace

import cv2
import fsspec
import numpy as np
import pytest
from PIL import Image, ImageChops
from skimage import data

from photochrom import OptionError, TrainingError
from photochrom.color.spaces import luma_of_rgb
from photochrom.photo import read_photo
from photochrom.training.data import curation as inspection
from photochrom.training.data import sources
from photochrom.training.data.curation import inspect, inspect_for_training, read_table
from photochrom.training.data.dataset import (
    MIN_VALIDATION,
    Photograph,
    fingerprint,
    is_held_out,
    split,
    views,
)
from photochrom.training.data.decoding import decode, is_converted
from photochrom.training.evaluation.evaluate import chosen, load
from tests.helpers import profiles
from tests.helpers.web_server import FolderHandler, serving


def jpeg(rgb, **options):
    stream = io.BytesIO()
    Image.fromarray(rgb).save(stream, "JPEG", **{"quality": 90} | options)
    return stream.getvalue()


@functools.cache
def originals():
    return [data.astronaut(), data.coffee(), data.chelsea(), data.rocket()]


def crops(count):
    """Return colour photographs unlike one another: crops of four that come with scikit-image."""
    whole = originals()
    places = [(i % 4, 45 * (i // 4 % 4), 70 * (i // 16)) for i in range(count)]
    return [np.ascontiguousarray(whole[k][top : top + 150, left : left + 150]) for k, top, left in places]


@pytest.fixture(scope="module")
def good():
    """Return 24 good photographs as files."""
    return [jpeg(rgb) for rgb in crops(24)]


@pytest.fixture
def folder(good, tmp_path):
    """Return a folder of 24 good photographs in two folders."""
    for i, content in enumerate(good):
        path = tmp_path / "photographs" / ("a" if i % 2 else "b") / f"{i}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path / "photographs"


@pytest.fixture
def shard(folder, tmp_path):
    """Return the same photographs as a tar file in WebDataset's format, with a caption beside each."""
    path = tmp_path / "shards" / "photographs-000.tar"
    path.parent.mkdir()
    with tarfile.open(path, "w") as tar:
        for file in sorted(folder.rglob("*.jpg")):
            tar.add(file, file.relative_to(folder))
            caption = tarfile.TarInfo(str(file.relative_to(folder).with_suffix(".txt")))
            caption.size = 3
            tar.addfile(caption, io.BytesIO(b"cat"))
    return path


def table(tmp_path):
    return tmp_path / "photographs.csv"


class TestInspection:
    def test_good_photographs_stay(self, folder, tmp_path):
        found = inspect(folder, table(tmp_path))
        assert found.dropped == {}
        assert {p.path for p in found.photographs} == set(folder.rglob("*.jpg"))
        assert {p.source for p in found.photographs} == {"a", "b"}
        assert str(found) == "24 photographs, 24 usable"

    @pytest.mark.parametrize(
        ("reason", "content"),
        [
            ("damaged", lambda rgb: b"\xff\xd8 nothing"),
            ("damaged", lambda rgb: jpeg(rgb)[:-3000]),
            ("damaged", lambda rgb: b""),
            ("tiny", lambda rgb: jpeg(rgb[:150, :40])),
            ("made by Photochrom", lambda rgb: jpeg(rgb, comment=b"photochrom:Statement")),
            ("nearly grey", lambda rgb: jpeg(np.repeat(rgb[..., :1], 3, axis=2))),
            ("duplicate", lambda rgb: jpeg(rgb)),
            ("nearly duplicate", lambda rgb: jpeg(rgb, quality=55)),
            ("nearly duplicate", lambda rgb: jpeg(cv2.resize(rgb, (110, 110), interpolation=cv2.INTER_AREA))),
        ],
    )
    def test_useless_photographs_are_left_out_and_counted(self, reason, content, folder, tmp_path):
        (folder / "z.jpg").write_bytes(content(crops(1)[0]))
        found = inspect(folder, table(tmp_path))
        assert found.dropped == {reason: 1}
        assert str(found) == f"25 photographs, 24 usable; left out: 1 {reason}"
        (row,) = (row for row in inspection.read_table(table(tmp_path)) if row.dropped)
        assert row.file == str(folder / "z.jpg")

    def test_the_same_thing_in_another_colour_is_another_photograph(self, folder, tmp_path):
        luma, cr, cb = cv2.split(cv2.cvtColor(crops(2)[1], cv2.COLOR_RGB2YCrCb))  # with the luma, the hash is equal
        recolored = cv2.cvtColor(cv2.merge([luma, cb, cr]), cv2.COLOR_YCrCb2RGB)
        (folder / "z.jpg").write_bytes(jpeg(recolored))
        assert inspect(folder, table(tmp_path)).dropped == {}

    @pytest.mark.parametrize("mode", ["CMYK", "RGBA", "P", "I;16"])
    def test_other_kinds_of_picture_are_read(self, mode, folder, tmp_path):
        picture = Image.fromarray(data.retina()[400:800, 400:800])
        path = folder / ("z.jpg" if mode == "CMYK" else "z.png")
        if mode == "I;16":
            cv2.imwrite(str(path), np.asarray(picture).astype(np.uint16)[..., ::-1] * 257)
        else:
            picture.convert(mode).save(path)
        assert inspect(folder, table(tmp_path)).dropped == {}

    @pytest.mark.parametrize(("most", "dropped"), [(10**6, {}), (1000, {"too large": 1})])
    def test_only_photochroms_own_limit_of_pixels_applies(self, most, dropped, folder, tmp_path, monkeypatch):
        Image.fromarray(data.retina()[400:800, 400:800]).save(folder / "z.png")
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)  # Pillow's
        monkeypatch.setattr("photochrom.photo.formats.image._most_pixels", ContextVar("most_pixels", default=most))
        assert inspect(folder, table(tmp_path)).dropped == dropped

    def test_unreadable_photographs_are_left_out(self, folder, tmp_path, monkeypatch):
        """A stand-in is used, because tests may run as root, who can read every file."""
        read = sources.read

        def refuse(path, *part):
            if path.name == "5.jpg":
                raise PermissionError(13, "Permission denied", str(path))
            return read(path, *part)

        monkeypatch.setattr(inspection, "read", refuse)
        assert inspect(folder, table(tmp_path)).dropped == {"unreadable": 1}
        monkeypatch.setattr(inspection, "read", read)  # access is given: nothing of the file itself has changed
        assert inspect(folder, table(tmp_path)).dropped == {}

    def test_a_folder_without_permission_is_named(self, folder, tmp_path, monkeypatch):
        scandir = os.scandir

        def refuse(path):
            if str(path).endswith("/a"):
                raise PermissionError(13, "Permission denied", str(path))
            return scandir(path)

        monkeypatch.setattr(os, "scandir", refuse)
        with pytest.raises(TrainingError, match=r"/a: cannot be read \(Permission denied\): give yourself access"):
            inspect(folder, table(tmp_path))

    def test_files_are_inspected_once(self, folder, tmp_path, monkeypatch):
        first = inspect(folder, table(tmp_path))
        changed = folder / "a" / "5.jpg"
        changed.write_bytes(jpeg(crops(30)[-1]))
        seen = []
        monkeypatch.setattr(inspection, "read", lambda path, *part: seen.append(path) or sources.read(path, *part))
        second = inspect(folder, table(tmp_path))
        assert seen == [changed]
        kept = [p for p in second.photographs if p.path != changed]
        assert kept == [p for p in first.photographs if p.path != changed]

    def test_names_that_are_not_text_are_kept(self, folder, tmp_path, monkeypatch):
        first = crops(30)[-1]
        try:
            (folder / os.fsdecode(b"\xff.jpg")).write_bytes(jpeg(first))
        except OSError:
            pytest.skip("this disk takes text only")
        found = inspect(folder, table(tmp_path))
        monkeypatch.setattr(inspection, "read", None)
        assert inspect(folder, table(tmp_path)) == found
        assert any(p.name == os.fsdecode(b"\xff.jpg") for p in found.photographs)

    @pytest.mark.parametrize("format", ["PCX", "TGA", "ICO", "DDS"])
    def test_kinds_that_training_cannot_decode_are_left_out(self, format, folder, tmp_path):
        Image.fromarray(data.retina()[400:600, 400:600]).save(folder / "z.jpg", format)
        assert inspect(folder, table(tmp_path)).dropped == {"damaged": 1}

    @pytest.mark.parametrize("suffix", [".HEIC", ".heif", ".avif"])
    def test_photographs_in_heif_and_avif_are_counted(self, suffix, folder, tmp_path):
        (folder / f"z{suffix}").write_bytes(b"from a telephone")
        (folder / "z.mov").write_bytes(b"another kind of file")
        assert inspect(folder, table(tmp_path)).dropped == {"in HEIF or AVIF (convert to JPEG)": 1}

    def test_a_duplicate_counts_again_when_its_original_is_gone(self, folder, tmp_path):
        (folder / "z.jpg").write_bytes((folder / "a" / "5.jpg").read_bytes())
        assert inspect(folder, table(tmp_path)).dropped == {"duplicate": 1}
        (folder / "a" / "5.jpg").unlink()
        assert inspect(folder, table(tmp_path)).dropped == {}

    @pytest.mark.parametrize("left", [0, 19])
    def test_too_few_are_refused_with_the_reasons(self, left, folder, tmp_path):
        for path in sorted(folder.rglob("*.jpg"))[left:]:
            path.write_bytes(jpeg(data.camera()[: 100 + int(path.stem)]))
        said = rf"{left} usable; left out: .* nearly grey; training needs at least 20 .*: add photographs; "
        with pytest.raises(TrainingError, match=said):
            inspect_for_training(folder, table(tmp_path))

    def test_an_index_is_believed(self, folder, tmp_path):
        rows = [f"{i}.jpg,x,{i},{14 if i < 3 else 40}" for i in range(30)]
        (folder / "index.csv").write_text("\n".join(["file,source,sha1,colourfulness", *rows]))
        found = inspect(folder, table(tmp_path))
        assert (len(found.photographs), found.dropped) == (27, {"nearly grey": 3})

    def test_linked_folders_are_followed_but_not_in_circles(self, folder, tmp_path):
        (tmp_path / "linked").mkdir()
        (tmp_path / "linked" / "here").symlink_to(folder, target_is_directory=True)
        (tmp_path / "linked" / "twice").symlink_to(folder, target_is_directory=True)
        (folder / "a" / "above").symlink_to(tmp_path / "linked", target_is_directory=True)
        found = inspect(tmp_path / "linked", table(tmp_path))
        assert str(found) == "24 photographs, 24 usable"
        assert {p.source for p in found.photographs} == {"here"}

    def test_the_held_out_photograph_of_two_duplicates_is_kept(self, folder, tmp_path):
        """Otherwise the held-out set would contain photographs that were trained on."""
        rgb = crops(1)[0]
        held = next(
            x for x in (jpeg(rgb, quality=q) for q in range(20, 95)) if is_held_out(hashlib.sha1(x).hexdigest())
        )
        (folder / "z.jpg").write_bytes(held)
        found = inspect(folder, table(tmp_path))
        assert found.dropped == {"nearly duplicate": 1}
        assert folder / "z.jpg" in {p.path for p in found.photographs}

    def test_photographs_that_training_cannot_decode_are_left_out(self, folder, tmp_path):
        Image.fromarray(crops(30)[-1]).save(folder / "z.tif", compression="lzma")
        assert inspect(folder, table(tmp_path)).dropped == {"damaged": 1}

    def test_an_index_may_hold_names_that_are_not_text(self, folder, tmp_path):
        (folder / "index.csv").write_bytes(b"file,source,sha1,colourfulness\n" + 20 * b"\xff.jpg,x,1,40\n")
        assert inspect(folder, table(tmp_path)).photographs[0].name == os.fsdecode(b"\xff.jpg")

    @pytest.mark.parametrize(
        "text",
        [
            "file,source,sha1\n1.jpg,x,1",
            "file,source,sha1,colourfulness\n1.jpg,x,1,?",
            "file,source,sha1,colourfulness\n1.jpg,x",
            "file,source,sha1,colourfulness\n1.jpg,x,,40",
            f"file,source,sha1,colourfulness\n{'1' * 140_000}.jpg,x,1,40",
        ],
    )
    def test_an_index_of_another_kind_is_named(self, text, folder, tmp_path):
        (folder / "index.csv").write_text(text)
        with pytest.raises(TrainingError, match=r"index\.csv: is not a list of photographs"):
            inspect(folder, table(tmp_path))

    def test_a_table_that_a_spreadsheet_has_saved_is_read(self, folder, tmp_path, monkeypatch):
        inspect(folder, table(tmp_path))
        before = read_table(table(tmp_path))
        with table(tmp_path).open(newline="") as file:
            rows = list(csv.DictReader(file))
        with table(tmp_path).open("w", newline="", encoding="utf-8-sig") as file:
            writer = csv.DictWriter(file, sorted(rows[0]), quoting=csv.QUOTE_ALL, lineterminator="\r\n")
            writer.writeheader()
            writer.writerows(rows[::-1])
        assert read_table(table(tmp_path)) == before[::-1]

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            (",", ";"),
            ("sha1", "sha"),
            (r",[0-9a-f]{40},", ",1.23E+39,"),
            (r",[0-9a-f]{64},", ",1E+63,"),
            (r",[0-9a-f]{40},", ",,"),
            (r"(\d+)\.(\d) (\d+)\.(\d) ", r"\1 \3 "),
            (r"\n([^,]*,[^,]*),.*", r"\n\1"),
        ],
    )
    def test_a_table_that_a_spreadsheet_has_altered_is_named(self, before, after, folder, tmp_path):
        inspect(folder, table(tmp_path))
        text = table(tmp_path).read_text()
        altered = re.sub(before, after, text)
        assert altered != text
        table(tmp_path).write_text(altered)
        with pytest.raises(TrainingError, match="delete it to inspect the photographs again"):
            inspect(folder, table(tmp_path))

    def test_an_index_may_begin_with_a_byte_order_mark(self, folder, tmp_path):
        rows = "".join(f"{name}.jpg,x,{name:040},30\n" for name in range(20))
        (folder / "index.csv").write_text(f"file,source,sha1,colourfulness\n{rows}", encoding="utf-8-sig")
        assert len(inspect(folder, table(tmp_path)).photographs) == 20

    @pytest.mark.parametrize("text", ["file,offset\nx,y\n", f"file\n{'x' * 140_000}\n"])
    def test_a_damaged_table_is_named(self, text, folder, tmp_path):
        table(tmp_path).write_text(text)
        with pytest.raises(TrainingError, match="delete it"):
            inspect(folder, table(tmp_path))


class TestShards:
    def test_members_are_the_files(self, folder, shard, tmp_path):
        """Reading a member at its offset in the shard gives the file's bytes."""
        found = inspect(shard.parent, table(tmp_path))
        assert found.dropped == {}
        by_name = {p.name: p for p in inspect(folder, tmp_path / "other.csv").photographs}
        for photograph in found.photographs:
            twin = by_name[photograph.name]
            assert (photograph.sha1, photograph.source) == (twin.sha1, twin.source)
            np.testing.assert_array_equal(photograph.decode(), twin.decode())

    def test_evaluation_finds_photographs_in_shards_too(self, folder, shard):
        shas = {p.sha1 for p in chosen(shard.parent, held_out=False, limit=99)}
        assert shas == {p.sha1 for p in chosen(folder, held_out=False, limit=99)}
        assert len(shas) == 24

    def test_half_a_shard_is_named(self, shard, tmp_path):
        shard.write_bytes(shard.read_bytes()[:20_000])
        with pytest.raises(TrainingError, match="is not a whole tar file"):
            inspect(shard.parent, table(tmp_path))

    def test_a_damaged_header_is_named_instead_of_ending_the_shard_silently(self, shard, tmp_path):
        data = bytearray(shard.read_bytes())
        with tarfile.open(shard) as tar:
            offset = tar.getmembers()[20].offset
        data[offset + 148 : offset + 156] = b"damaged!"  # the checksum
        shard.write_bytes(data)
        with pytest.raises(TrainingError, match=rf"is not a whole tar file \(damaged header at byte {offset}\)"):
            inspect(shard.parent, table(tmp_path))


HUGE = struct.pack("<2sIHHIIiiHHIIiiII", b"BM", 84, 0, 0, 54, 40, 200_000, 200_000, 1, 24, 0, 0, 0, 0, 0, 0) + bytes(30)


def test_a_damaged_picture_for_which_opencv_raises_is_reported_as_any_other(folder, tmp_path):
    (folder / "z.bmp").write_bytes(HUGE)
    told = []
    assert len(chosen(folder, held_out=False, limit=99, skip=told.append)) == 24
    assert [str(exc) for exc in told] == [
        f"{folder / 'z.bmp'}: is too large: replace it, or remove it from the photographs"
    ]
    assert inspect(folder, table(tmp_path)).dropped == {"too large": 1}
    with pytest.raises(TrainingError, match="cannot be decoded"):
        decode(HUGE, folder / "z.bmp")


def test_equal_and_nearly_equal_photographs_are_found_among_those_to_evaluate(folder):
    rgb = crops(1)[0]
    (folder / "same.jpg").write_bytes((folder / "a" / "5.jpg").read_bytes())
    (folder / "smaller.jpg").write_bytes(jpeg(cv2.resize(rgb, (110, 110), interpolation=cv2.INTER_AREA)))
    found = inspect(folder)
    assert (len(found.photographs), found.dropped) == (24, {"duplicate": 1, "nearly duplicate": 1})
    assert {p.sha1 for p in chosen(folder, held_out=False, limit=99)} == {p.sha1 for p in found.photographs}


def test_damaged_photographs_that_opencv_decodes_are_not_evaluated(folder):
    whole = chosen(folder, held_out=False, limit=99)
    image = bytearray(jpeg(crops(30)[-1]))
    third = len(image) // 3
    image[third : third + 1000] = bytes(1000)
    (folder / "z.jpg").write_bytes(image)
    told = []
    assert chosen(folder, held_out=False, limit=99, skip=told.append) == whole
    assert [str(exc) for exc in told] == [
        f"{folder / 'z.jpg'}: is damaged: replace it, or remove it from the photographs"
    ]
    with pytest.raises(TrainingError, match=r"z\.jpg: is damaged"):
        chosen(folder, held_out=False, limit=99)


def test_evaluation_and_training_agree_on_what_is_nearly_grey(folder, tmp_path):
    """Noise fades when a large JPEG is decoded at a reduced scale, so its colourfulness depends on the scale."""
    noise = np.random.default_rng(0).normal(0, 15, (800, 800, 3))
    (folder / "z.jpg").write_bytes(jpeg((128 + noise).clip(0, 255).astype(np.uint8), quality=95, subsampling=0))
    assert inspect(folder, table(tmp_path)).dropped == {"nearly grey": 1}
    assert folder / "z.jpg" not in {p.path for p in chosen(folder, held_out=False, limit=99)}


def test_evaluation_measures_what_training_holds_out(folder, tmp_path):
    """None of these 24 is held out by its hash alone, so training adds two."""
    held_out = split(inspect(folder, table(tmp_path)).photographs)[1]
    assert len(held_out) == 2
    assert set(chosen(folder, held_out=True, limit=99)) == set(held_out)


def test_evaluation_reads_each_photograph_once_to_choose(folder, monkeypatch):
    read = []
    monkeypatch.setattr(inspection, "read", lambda path, *part: read.append(path) or sources.read(path, *part))
    monkeypatch.setattr("photochrom.training.data.dataset.read", lambda path, *_: read.append(path))
    chosen(folder, held_out=False, limit=1)
    assert sorted(read) == sorted(folder.rglob("*.jpg"))


class TestRemote:
    @pytest.fixture
    def server(self, shard):
        """Serve the folder of the shard."""
        with serving(shard.parent) as address:
            yield address

    @pytest.mark.parametrize("name", ["photographs-000.tar", "photographs-{000..000}.tar"])
    def test_a_shard_is_copied_over_http(self, server, name, shard, tmp_path):
        sources.copy_here(f"{server}/{name}", tmp_path / "copy")
        assert (tmp_path / "copy" / shard.name).read_bytes() == shard.read_bytes()
        assert len(inspect(tmp_path / "copy", table(tmp_path)).photographs) == 24

    def test_a_missing_address_is_named(self, server, tmp_path):
        with pytest.raises(TrainingError, match=r"photographs-001\.tar.* cannot be copied"):
            sources.copy_here(f"{server}/photographs-001.tar", tmp_path / "copy")
        assert not list((tmp_path / "copy").iterdir())

    @pytest.mark.parametrize(("status", "remedy"), [(403, "start again; the files copied"), (500, "try again later")])
    def test_an_answer_of_the_server_is_reported(self, status, remedy, server, tmp_path, monkeypatch):
        for method in ("do_GET", "do_HEAD"):
            monkeypatch.setattr(FolderHandler, method, lambda request: request.send_error(status), raising=False)
        with pytest.raises(TrainingError, match=rf"cannot be copied to .*{status}.*: {remedy}"):
            sources.copy_here(f"{server}/photographs-000.tar", tmp_path / "copy")

    def test_ranges_and_stars_name_shards(self, tmp_path):
        system = fsspec.filesystem("memory")
        for i in (8, 9, 10):
            system.pipe(f"/shards/p-{i:03}.tar", bytes([i]))
        for pattern in ("p-{008..010}.tar", "p-*.tar"):
            copy = tmp_path / str(len(pattern))
            sources.copy_here(f"memory://shards/{pattern}", copy)
            assert {p.name: p.read_bytes() for p in copy.iterdir()} == {f"p-{i:03}.tar": bytes([i]) for i in (8, 9, 10)}

    def test_shards_of_one_name_are_not_taken_for_one(self, tmp_path):
        for name in "ab":
            fsspec.filesystem("memory").pipe(f"/twins/{name}/train.tar", name.encode())
        with pytest.raises(TrainingError, match="files of the same name in different folders: give the folder above"):
            sources.copy_here("memory://twins/*/train.tar", tmp_path)

    def test_a_folder_keeps_its_folders_and_is_copied_once(self, folder, tmp_path):
        system = fsspec.filesystem("memory")
        for path in folder.rglob("*.jpg"):
            system.pipe(f"/set/{path.relative_to(folder)}", path.read_bytes())
        sources.copy_here("memory://set", tmp_path / "copy")
        names = {p.relative_to(folder) for p in folder.rglob("*.jpg")}
        assert {p.relative_to(tmp_path / "copy") for p in (tmp_path / "copy").rglob("*.jpg")} == names
        (tmp_path / "copy" / "a" / "5.jpg").write_bytes(b"mine")
        sources.copy_here("memory://set", tmp_path / "copy")
        assert (tmp_path / "copy" / "a" / "5.jpg").read_bytes() == b"mine"

    def test_copies_of_two_addresses_do_not_mix(self, tmp_path):
        system = fsspec.filesystem("memory")
        for name in ("roses", "asters"):
            system.pipe(f"/{name}/{name}.jpg", b"a flower")
        sources.copy_here("memory://roses", tmp_path / "copy")
        with pytest.raises(TrainingError, match="contains photographs from memory://roses: give another run folder"):
            sources.copy_here("memory://asters", tmp_path / "copy")
        assert [path.name for path in (tmp_path / "copy").iterdir()] == ["roses.jpg"]

    def test_an_unknown_kind_of_address_is_named(self, tmp_path):
        with pytest.raises(OptionError, match="nowhere://x"):
            sources.copy_here("nowhere://x", tmp_path)


@pytest.mark.parametrize(("count", "least"), [(24, 2), (150, 15), (300, MIN_VALIDATION)])
def test_few_photographs_still_give_a_validation_set(count, least):
    several = [Photograph(None, f"{0x20 * 46 + 1:08x}{i:032x}", "", 40.0) for i in range(count)]
    assert not any(p.held_out for p in several)
    training, validation = split(several)
    assert len(validation) == least
    assert set(training) | set(validation) == set(several)
    assert len(training) == count - least


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="has no named pipes")
def test_pipes_are_left_alone(tmp_path):
    """Opening one would wait for a writer, and never end."""
    for name in ("a.jpg", "b.tar"):
        os.mkfifo(tmp_path / name)
    (tmp_path / "c.jpg").write_bytes(b"")
    (tmp_path / "d.jpg").symlink_to("nowhere")
    assert [file.path.name for file in sources.files(tmp_path)] == ["c.jpg", "d.jpg"]


class TestIccProfiles:
    @pytest.mark.parametrize("name", profiles.PROFILES)
    @pytest.mark.parametrize("kind", ["jpg", "png", "webp", "tif"])
    def test_colours_become_srgb_in_training_and_in_evaluation(self, kind, name, tmp_path):
        path, options = tmp_path / f"photograph.{kind}", {"quality": 95}
        Image.fromarray(crops(2)[1]).save(path, icc_profile=profiles.PROFILES[name], **options)
        stored = cv2.imread(str(path))[..., ::-1]
        found = decode(path.read_bytes(), path)
        assert np.abs(found - profiles.in_srgb(stored, name)).max() < 2
        (photograph,) = inspect(tmp_path).photographs
        assert np.array_equal(photograph.decode(), found)
        assert photograph.colorfulness == inspection.colorfulness(found)
        assert abs(load(photograph).mean() - found.mean()) < 1

    @pytest.mark.parametrize("kind", ["jpg", "png", "webp", "tif", "bmp"])
    @pytest.mark.parametrize("profile", [None, profiles.SRGB])
    def test_pixels_in_srgb_stay_as_they_are_decoded(self, kind, profile, tmp_path):
        path = tmp_path / f"photograph.{kind}"
        Image.fromarray(crops(1)[0]).save(path, icc_profile=profile)
        assert np.array_equal(decode(path.read_bytes(), path), cv2.imread(str(path))[..., ::-1])

    @pytest.mark.parametrize("kind", ["jpg", "tif"])
    def test_cmyk_becomes_srgb_upright(self, kind, tmp_path):
        """It has the colours that the command line's reader sees, without the profile and with it."""
        path, rgb = tmp_path / f"photograph.{kind}", crops(1)[0]
        ink, turned = Image.fromarray(rgb).convert("CMYK"), Image.Exif()
        turned[0x0112] = 6
        ink.rotate(90, expand=True).save(path, quality=100, exif=turned)
        assert np.abs(decode(path.read_bytes(), path).astype(int) - rgb).mean() < 2
        ink.save(path, quality=100, icc_profile=profiles.CMYK)
        found = decode(path.read_bytes(), path)
        assert np.abs(luma_of_rgb(found).astype(int) - read_photo(path).luma).max() <= 1
        assert np.abs(found.astype(int) - rgb).mean() > 8
        assert is_converted(path.read_bytes())
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        with pytest.raises(TrainingError, match=r"photograph\.\w+: cannot be decoded"):
            decode(path.read_bytes(), path)

    def test_cmyk_without_the_marker_of_adobe_is_the_amount_of_ink(self, tmp_path):
        rgb, path = crops(1)[0], tmp_path / "photograph.jpg"
        ImageChops.invert(Image.fromarray(rgb).convert("CMYK")).save(path, quality=100)
        data = path.read_bytes()
        start = data.index(b"\xff\xee")
        ink = data[:start] + data[start + 2 + int.from_bytes(data[start + 2 : start + 4], "big") :]
        assert np.abs(decode(ink, path).astype(int) - rgb).mean() < 2
        assert not is_converted(ink)

    def test_a_run_knows_which_photographs_are_converted(self, folder, tmp_path):
        wide = Image.fromarray(crops(25)[-1])
        wide.save(folder / "z.jpg", icc_profile=profiles.PROFILES["Display P3"])
        found = inspect(folder, table(tmp_path)).photographs
        assert [p.path.name for p in found if p.converted] == ["z.jpg"]
        unconverted = [replace(p, converted=False) for p in found]
        assert fingerprint(views(found, 2)) != fingerprint(views(unconverted, 2))

    def test_a_damaged_profile_is_a_damaged_photograph(self, folder, tmp_path):
        path = folder / "z.jpg"
        Image.fromarray(crops(25)[-1]).save(path, icc_profile=profiles.SRGB[:200])
        assert inspect(folder, table(tmp_path)).dropped == {"damaged": 1}
        with pytest.raises(TrainingError, match=r"z.jpg: has a damaged ICC profile .*: assign another one"):
            decode(path.read_bytes(), path)
