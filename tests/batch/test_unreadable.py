"""Files and folders that a batch cannot read or write end it with an error of one line, which names them."""

from __future__ import annotations

import io
import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from photochrom.batch import color_batch
from photochrom.batch.archival import make_bag
from photochrom.batch.contact_sheet import write_sheet
from photochrom.batch.estimate import estimate_batch
from photochrom.batch.listing import Filter, list_items
from photochrom.batch.manifests import read_manifest
from photochrom.batch.naming import check_template
from photochrom.batch.remote_report import ReportCopy
from photochrom.batch.report import Row, read_rows
from photochrom.color.bands import limited_threads, thread_limit
from photochrom.errors import OptionError, PhotochromError
from tests.helpers.permissions import as_nobody, public_folder

NESTED = "[" * 100_000


@pytest.mark.parametrize(
    ("said", "templates"),
    [
        ("is not a template .* write it as", "{stem:d} {stem!q} {stem:{width}} {stem:.} {stem:{0}} {stem:{stem.x}}"),
        (r"is not possible \(unknown extension", "{stem}.bmp"),
        (r"is not possible \(has no extension", "{stem} {suffix}{stem}"),
        (r"is not possible \(its output .* is not", "/out/{stem}.jpg ../{stem}.jpg"),
    ],
)
def test_a_template_that_no_output_can_have_is_refused_before_anything_is_coloured(said, templates):
    for template in templates.split():
        with pytest.raises(OptionError, match=said):
            check_template(template)
    for possible in ("{stem}.dng", "{folder}-{stem}{suffix}", "x/{stem}.color.TIFF", "{stem:0>8}{suffix}"):
        check_template(possible)


@pytest.mark.parametrize("line", ["{", NESTED, "1"])
def test_a_line_of_a_manifest_that_is_not_an_object_is_named(line):
    with pytest.raises(OptionError, match=r"list\.jsonl: line 2 is not "):
        list(read_manifest(f'{{"path": "a.jpg"}}\n{line}'.encode(), "list.jsonl", "."))


@pytest.mark.parametrize(
    ("table", "paths"),
    [
        ("path\nSmith, John.tif\nold; new/1.tif\n", ["Smith, John.tif", "old; new/1.tif"]),
        ('path\r\n"Smith, John.tif"\r\n', ["Smith, John.tif"]),
        ("path,vividness\n'Twas night.tif,0.5\nthe boys',0.3\n", ["'Twas night.tif", "the boys'"]),
        ("path;vividness\n" + '"a.tif";0.5\n' * 999 + '"say ""cheese"".tif";1', ['say "cheese".tif']),
    ],
    ids=["commas", "quoted commas", "apostrophes", "quotes after many rows"],
)
def test_a_table_is_read_by_the_delimiter_of_its_header(table, paths):
    for name in ("list.csv", "list.tsv"):
        assert [item.key for item in read_manifest(table.encode(), name, ".")][-len(paths) :] == paths


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('path,output\n"a.jpg,b.jpg\nc.jpg,d.jpg\n', "line 2 is not CSV .*: check its quotation marks"),
        ('path,output\n"a.jpg,b.jpg\n"c.jpg",d.jpg\n', "line 2 is not CSV .*: check its quotation marks"),
        ("path,vividness\nSmith, John.tif,0.5\n", "line 2 has more fields than the first line: put values"),
        ("path,vividness\n,0.5\n", "row 1 has no path"),
        ("path,vividness\na.jpg,7\n", "row 1: vividness is '7': write a number from 0 to 1"),
        ("path,vividness\na.jpg,nan\n", "row 1: vividness is 'nan': write a number from 0 to 1"),
    ],
    ids=["open quotes", "quotes closed too late", "unquoted comma", "no path", "too vivid", "not a number"],
)
def test_a_table_is_refused_if_a_row_cannot_be_read_as_it_was_meant(table, said):
    with pytest.raises(OptionError, match=rf"list\.csv: {said}"):
        list(read_manifest(table.encode(), "list.csv", "."))


def test_empty_rows_and_fields_as_spreadsheets_write_them_are_left_out():
    table = "\ufeffpath,vividness\r\n\r\na.jpg,\r\n , \r\nb.jpg,1,, \r\n,\r\n,,,\r\n"
    assert [item.key for item in read_manifest(table.encode(), "list.csv", ".")] == ["a.jpg", "b.jpg"]


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("box/12:30.tif", "box/12:30.tif"),
        ("urn:nbn:1/a.tif", "urn:nbn:1/a.tif"),
        ("/scans/../a.tif", "scans/a.tif"),
        ("s3://archive/x/a:1.tif", "archive/x/a:1.tif"),
        ("http://localhost:8000/x/a.jpg", "x/a.jpg"),
    ],
)
def test_names_with_colons_are_whole(path, key):
    assert [item.key for item in read_manifest(f"path\n{path}".encode(), "list.csv", ".")] == [key]


def test_line_breaks_that_json_does_not_escape_are_part_of_names():
    lines = '{"path": "a\u2028b.tif"}\r\n\n{"path": "c\u0085.tif"}\n'
    assert [item.key for item in read_manifest(lines.encode(), "list.jsonl", ".")] == ["a\u2028b.tif", "c\u0085.tif"]


def test_choices_within_choices_are_refused_if_there_are_too_many():
    choice = '{"type": "Choice", "items": ' * 3000 + '""' + "}" * 3000  # Python 3.11 cannot even parse this
    page = f'{{"type": "Manifest", "items": [{{"items": [{{"items": [{{"body": {choice}}}]}}]}}]}}'
    with pytest.raises(OptionError, match=r"is not (JSON|an IIIF manifest)"):
        list(read_manifest(page.encode(), "list.json", "."))


@pytest.mark.parametrize(
    "change",
    [
        {"key": []},
        {"status": 1},
        {"model": None},
        {"width": "48"},
        {"warnings": 1},
        {"seconds": "1"},
        {"output_size": 1 << 63},
        NESTED,
    ],
)
def test_a_row_with_an_impossible_value_is_named(tmp_path, change):
    path = tmp_path / "report.jsonl"
    facts = json.loads(Row("a.jpg", "ok", "a.jpg").to_json())
    wrong = change if isinstance(change, str) else json.dumps(facts | change)
    path.write_text(json.dumps(facts | {"seconds": 1, "confidence": 1}) + f"\n{wrong}\n")
    with pytest.raises(OptionError, match=r"line 2 is not a row of a report .*: remove the line, or .* again$"):
        list(read_rows(path))


def folder_as(path: Path) -> Path:
    path.mkdir(parents=True)
    return path


@pytest.mark.parametrize("name", ["report.jsonl", "report-2-of-8.jsonl", "a.color.jpg"])
def test_a_folder_in_place_of_a_file_in_the_target_is_named(tree, tmp_path, options, name):
    path = folder_as(tmp_path / "out" / name)
    with pytest.raises(OptionError, match=f"{path}: (cannot be read|would be replaced)") as error:
        color_batch(tree, tmp_path / "out", options)
    assert error.value.remedy


@pytest.mark.parametrize("name", ["report.jsonl", "report-2-of-8.jsonl"])
def test_a_report_that_is_a_broken_link_is_reported(tree, tmp_path, options, name):
    target = folder_as(tmp_path / "out")
    (target / name).symlink_to("nowhere")
    with pytest.raises(OptionError, match=r"out: cannot be read \(No such file or directory\): check"):
        color_batch(tree, target, options)


def test_a_pipe_in_place_of_an_output_is_not_read(tree, tmp_path, options):
    folder_as(tmp_path / "out")
    os.mkfifo(tmp_path / "out" / "a.color.jpg")
    with pytest.raises(OptionError, match="would be replaced"):
        color_batch(tree, tmp_path / "out", options)


def test_thumbnails_that_are_a_folder_are_named(tree, tmp_path, options):
    path = folder_as(tmp_path / "out" / "report.thumbnails")
    with pytest.raises(OptionError, match=f"{path}: cannot be read"):
        color_batch(tree, tmp_path / "out", options)
    with pytest.raises(OptionError, match=f"{path}: cannot be read"):
        write_sheet(path.parent, [Row("a.jpg", "ok", "a.jpg")])


def test_a_manifest_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    path = tmp_path / "list.csv"
    path.write_text("path\na.jpg\n")

    def fail(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", fail)
    with pytest.raises(OptionError, match=r"list.csv: cannot be read \(Permission denied\): check the path"):
        list_items(str(path))


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX permissions")
def test_all_folders_that_cannot_be_listed_are_named_unless_excluded(tree):
    with public_folder() as folder:
        scans = shutil.copytree(tree, folder / "scans")
        locked = [scans / name for name in ("1934/deep", "box")]
        locked[1].mkdir()
        for path in locked:
            path.chmod(0)
        names = ", ".join(map(str, locked))
        with as_nobody():
            with pytest.raises(OptionError, match=rf"^{names}: cannot be listed \(Permission denied\): give access to"):
                list(list_items(str(scans)))
            items = list(list_items(str(scans), Filter(exclude=("deep", "box"))))
        assert [item.key for item in items] == ["a.jpg", "b.png", "1934/a.jpg"]
        for path in locked:
            path.chmod(0o700)


def test_patterns_select_rows_of_a_list_as_they_select_files(tree, tmp_path):
    items = list(list_items(str(tree)))
    (tree / "list.csv").write_text("path\n" + "\n".join(item.key for item in items))
    for wanted in (
        Filter(include=("*.jpg",)),
        Filter(include=("1934/*",), exclude=("deep",)),
        Filter(exclude=("1934",)),
    ):
        keys = [item.key for item in list_items(str(tree), wanted)]
        assert 0 < len(keys) < len(items)
        assert [item.key for item in list_items(str(tree / "list.csv"), wanted)] == keys


@pytest.mark.parametrize("long", ["source", "target"])
def test_a_name_longer_than_file_systems_allow_is_reported(tree, tmp_path, options, long):
    places = {"source": tree, "target": tmp_path / "out"} | {long: tmp_path / ("x" * 300)}
    with pytest.raises(OptionError, match="File name too long"):
        color_batch(**places, options=options)


def test_a_file_that_disappears_while_its_folder_is_listed_is_listed_to_be_reported(tree, monkeypatch):
    def scandir(folder: str, real=os.scandir) -> list[os.DirEntry[str]]:
        entries = list(real(folder))
        (tree / "b.png").unlink(missing_ok=True)
        return entries

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", scandir)
        sizes = {item.key: item.size for item in list_items(str(tree))}
    assert sizes.pop("b.png") == -1
    assert len(sizes) == 3
    assert min(sizes.values()) > 0


def test_a_target_that_cannot_be_listed_is_named(tmp_path, monkeypatch):
    memory = pytest.importorskip("fsspec.implementations.memory")

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("403 Forbidden")

    monkeypatch.setattr(memory.MemoryFileSystem, "glob", fail)
    with pytest.raises(OptionError, match=r"memory://out: cannot be read \(403 Forbidden\): check the address"):
        ReportCopy("memory://out", tmp_path / "report.jsonl").fetch()


def test_a_local_report_that_cannot_be_written_is_named(tmp_path):
    fsspec = pytest.importorskip("fsspec")
    fsspec.filesystem("memory").pipe("/full/report.jsonl", (Row("a.jpg", "ok", "a.jpg").to_json() + "\n").encode())
    with pytest.raises(PhotochromError, match=r"report.jsonl: cannot be written \(No such file or directory\)"):
        ReportCopy("memory://full", tmp_path / "missing" / "report.jsonl").fetch()


def test_an_estimate_does_not_change_the_number_of_threads(tree, tmp_path, process_options):
    with limited_threads(3):
        assert estimate_batch(tree, str(tmp_path / "out"), process_options).core_seconds is not None
        assert thread_limit() == 3


@pytest.mark.parametrize("name", ["\udcff.jpg", "b\udcff"])
def test_a_folder_with_names_that_a_bag_cannot_contain_is_left_as_it_is(tmp_path, name):
    pytest.importorskip("bagit")
    path = tmp_path / name
    path.write_bytes(b"picture")
    with pytest.raises(OptionError, match=r"is not UTF-8: delete this file, and rename its source"):
        make_bag(tmp_path)
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(PhotochromError, match="cannot be made a bag"):
        make_bag(tmp_path / "missing")


def test_a_damaged_parquet_manifest_is_reported():
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    stream = io.BytesIO()
    parquet.write_table(pyarrow.table({"path": ["aaaa.jpg"]}), stream, compression="none", use_dictionary=False)
    whole = stream.getvalue()
    assert [item.key for item in read_manifest(whole, "list.parquet", ".")] == ["aaaa.jpg"]
    for damaged in (whole.replace(b"aaaa.jpg", b"\xffaaa.jpg"), whole[:-100] + bytes(92) + whole[-8:], whole[:50]):
        with pytest.raises(OptionError, match=r"list\.parquet: is not a Parquet file"):
            list(read_manifest(damaged, "list.parquet", "."))
