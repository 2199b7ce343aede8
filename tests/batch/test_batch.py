"""Whole batches with a tiny model: folders, resuming, errors, name clashes, locks."""

import csv
import errno
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import defusedxml.ElementTree
import numpy as np
import pytest
from filelock import FileLock, Timeout
from PIL import Image

from photochrom import ColorOptions, OptionError
from photochrom.batch import BatchSummary, Item, color_batch, report_folder
from photochrom.batch.archival import make_bag
from photochrom.batch.contact_sheet import rows_of, sums_of
from photochrom.batch.estimate import estimate_batch
from photochrom.batch.listing import list_items
from photochrom.batch.report import Row, read_rows, report_paths
from photochrom.batch.report_folder import locked
from photochrom.batch.summary import two_digits
from photochrom.batch.thumbnails import Thumbnails
from photochrom.commands.main import main
from photochrom.label import is_labelled
from tests.batch.conftest import scan

pytest.importorskip("onnx")


def rows(target):
    return {row.key: row for row in read_rows(target / "report.jsonl")}


@pytest.mark.slow
def test_a_tree_is_mirrored_and_reported(tree, tmp_path, process_options):
    target = tmp_path / "out"
    summary = color_batch(tree, target, process_options)
    assert (summary.colored, summary.failed, summary.status) == (4, 0, 0)
    outputs = {str(p.relative_to(target)) for p in target.rglob("*.color.*")}
    assert outputs == {"a.color.jpg", "b.color.png", "1934/a.color.jpg", "1934/deep/c.color.tif"}
    assert all(is_labelled(target / name) for name in outputs)
    row = rows(target)["1934/deep/c.tif"]
    assert (row.status, row.width, row.height, row.error) == ("ok", 48, 36, "")
    assert row.output == "1934/deep/c.color.tif"
    assert row.model.startswith("tiny")
    for path, digest in ((tree / row.key, row.source_sha256), (target / row.output, row.output_sha256)):
        assert hashlib.sha256(path.read_bytes()).hexdigest() == digest
    assert row.colorfulness > 10
    assert not list(target.rglob("*.part"))


@pytest.mark.slow
def test_the_command_hands_on_how_outputs_are_written(tmp_path, options, model):
    scan(tmp_path / "box" / "a.tif")
    command = ["batch", str(tmp_path / "box"), "-o", str(tmp_path / "out"), "--model", str(model), "--device", "cpu"]
    for compression, number in (("none", 1), ("lzw", 5)):  # the second colours it again
        assert main([*command, "--quiet", "--compression", compression]) == 0
        with Image.open(tmp_path / "out" / "a.color.tif") as image:
            assert image.tag_v2[259] == number


@pytest.mark.slow
def test_a_second_run_colours_only_missing_items(tree, tmp_path, options):
    target = tmp_path / "out"
    color_batch(tree, target, options)
    before = {path: path.stat().st_mtime_ns for path in target.rglob("*.color.*")}
    again = color_batch(tree, target, options)
    assert (again.colored, again.done_before) == (0, 4)
    (target / "a.color.jpg").unlink()  # its output is gone
    scan(tree / "b.png", seed=9)  # its source has changed
    scan(tree / "new.jpg")
    third = color_batch(tree, target, options)
    assert (third.colored, third.done_before) == (3, 2)
    for name in ("1934/a.color.jpg", "1934/deep/c.color.tif"):
        assert (target / name).stat().st_mtime_ns == before[target / name]
    assert len((target / "report.jsonl").read_text().splitlines()) == 5  # one row an item


@pytest.mark.slow
def test_an_output_that_is_cut_short_is_named_and_coloured_again_if_asked(tree, tmp_path, options, capsys):
    target = tmp_path / "out"
    color_batch(tree, target, options)
    whole = {path: path.read_bytes() for path in sorted(target.rglob("*.color.*"))}
    cut, emptied, captioned = list(whole)[1:]
    cut.write_bytes(whole[cut][:-1])
    emptied.write_bytes(b"")
    captioned.write_bytes(whole[captioned] + b"\0")
    again = color_batch(tree, target, options)
    key = cut.relative_to(target).as_posix().replace(".color", "")
    assert (again.colored, again.done_before, again.cut_short, again.status) == (1, 2, [key], 1)
    assert emptied.read_bytes() == whole[emptied]
    assert cut.read_bytes() == whole[cut][:-1]
    assert captioned.read_bytes() == whole[captioned] + b"\0"
    assert "3 done before\n" not in str(estimate_batch(tree, str(target), options))
    assert "1 cut short before, 3 done before" in str(estimate_batch(tree, str(target), options))
    command = ["batch", str(tree), "-o", str(target), "--model", options.model, "--device", "cpu"]
    assert main([*command, "--bagit", "--premis"]) == 1
    printed = capsys.readouterr()
    assert f"photochrom: {key}: its output is smaller than when it was written" in printed.err
    assert "0 coloured, 3 done before, 1 cut short since" in printed.out
    assert "no bag was made" in printed.out
    assert not (target / "bagit.txt").exists()
    assert (target / "premis.xml").is_file()
    assert main([*command, "--retry-errors"]) == 0
    assert cut.read_bytes() == whole[cut]


@pytest.mark.slow
def test_other_options_or_another_model_recolour(tree, tmp_path, options):
    target = tmp_path / "out"
    color_batch(tree, target, options)
    paler = color_batch(tree, target, replace(options, color=ColorOptions(strength=0.5)))
    assert (paler.colored, paler.done_before) == (4, 0)


@pytest.mark.slow
def test_errors_are_rows(tree, tmp_path, options, capsys):
    (tree / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 not much")
    (tree / "empty.png").write_bytes(b"")
    target = tmp_path / "out"
    summary = color_batch(tree, target, options)
    assert (summary.colored, summary.failed, summary.status) == (4, 2, 1)
    assert rows(target)["empty.png"].remedy
    assert "is empty" in rows(target)["empty.png"].error
    again = color_batch(tree, target, options)
    assert (again.failed, again.failed_before, again.status) == (0, ["broken.jpg", "empty.png"], 1)
    assert str(again).startswith("0 coloured, 4 done before, 2 failed before, in ")
    scan(tree / "empty.png")  # repaired, so it is retried without the option
    assert color_batch(tree, target, options).colored == 1
    assert color_batch(tree, target, replace(options, retry_errors=True)).failed == 1


def listed(table):
    """Return the rows of a table of failed items, without the header."""
    with table.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file))[1:]


@pytest.mark.slow
def test_items_that_failed_are_named_again_and_listed_in_a_table_until_none_fails(tree, tmp_path, options, capsys):
    target, broken = tmp_path / "out", [f"broken {number}, é.jpg" for number in range(5)]
    for name in broken:
        (tree / name).write_bytes(b"\xff\xd8\xff\xe0 not much")
    table = target / "report-failed.csv"
    assert color_batch(tree, target, replace(options, shard=(1, 1))).failures is None  # other parts may be unfinished
    assert not table.exists()
    command = ["batch", str(tree), "-o", str(target), "--model", options.model, "--device", "cpu", "--quiet"]
    assert main(command) == 1
    said = capsys.readouterr().out
    assert f"not tried again, because they failed before: {', '.join(broken[:3])} and 2 more; --retry-errors" in said
    assert f"all items that failed are listed in {table}\n" in said
    assert [(key, source) for key, _, source, _ in listed(table)] == [(key, str(tree / key)) for key in broken]
    assert all("is damaged" in error or "cut short" in error for _, error, *_ in listed(table))
    (tree / broken[4]).unlink()
    assert color_batch(tree, target, replace(options, include=("*.png",))).failures == table
    del broken[4]
    assert [key for key, *_ in listed(table)] == broken
    for number, name in enumerate(broken):
        scan(tree / name)
        again = color_batch(tree, target, options)
        assert (again.colored, again.failed_before) == (1, broken[number + 1 :])
        assert [key for key, *_ in listed(again.failures or Path(os.devnull))] == broken[number + 1 :]
    assert not table.exists()


@pytest.mark.slow
def test_pictures_in_unread_formats_are_named_and_counted(tree, tmp_path, options, capsys):
    for name in ("x.bmp", "1934/y.GIF", "b.nef"):  # the last is no clash with b.png, since it has no output
        (tree / name).write_bytes(b"0")
    (tree / ".hidden.gif").write_bytes(b"0")
    options, target = replace(options, name="{stem}.color.jpg"), tmp_path / "out"
    assert estimate_batch(tree, str(target), options).unread == {".bmp": 1, ".gif": 1, ".nef": 1}
    for colored, before in ((4, 0), (0, 4)):
        summary = color_batch(tree, target, options)
        assert (summary.listed, summary.colored, summary.done_before, summary.status) == (4, colored, before, 0)
        assert summary.unread == {".bmp": 1, ".gif": 1, ".nef": 1}
    unread = {key: row for key, row in rows(target).items() if row.status == "unread"}
    assert unread.keys() == {"x.bmp", "1934/y.GIF", "b.nef"}
    assert unread["x.bmp"].warnings == ("is in a format that Photochrom does not read",)
    assert main(["batch", str(tree), "-o", str(target), "--dry-run", "--model", options.model]) == 0
    told = "left out, because Photochrom does not read their formats: 3 (.bmp .gif .nef); convert them to PNG or TIFF"
    assert told in capsys.readouterr().out
    assert main(["batch", str(tree), "-o", str(tmp_path / "none"), "--include", "*.bmp"]) == 0
    assert f"{told.replace('3 (.bmp .gif .nef)', '1 (.bmp)')}; the report names them" in capsys.readouterr().out
    assert main(["batch", "report", str(target)]) == 0
    assert "4 coloured, 0 failed, 3 left out, being in formats that are not read" in capsys.readouterr().out


def test_a_picture_that_is_named_itself_is_an_error_if_its_format_is_not_read(tree, tmp_path, options):
    (tree / "x.bmp").write_bytes(b"BM")
    assert [item.is_unread for item in list_items(str(tree / "x.bmp"))] == [False]
    assert [item.is_unread for item in list_items(f"file://{tree / 'x.bmp'}")] == [False]
    assert [item.is_unread for item in list_items(f"file://{tree}")].count(True) == 1
    assert color_batch(tree / "x.bmp", tmp_path / "out", options).failed == 1


def test_the_kind_of_an_error_is_not_a_path():
    for error in ("in/a.jpg: is cut short: get it", "1/a.jpg: is cut short: get it", "out/1/a.x: is cut short: get it"):
        assert Row("1/a.jpg", "error", "in/a.jpg", error=error).problem == "is cut short: get it"
    error = "1/a.jpg: its output '../a.jpg' is not in the target: give another"
    assert Row("1/a.jpg", "error", "in/a.jpg", error=error).problem == error.removeprefix("1/a.jpg: ")


def test_every_error_names_its_item(tree, tmp_path, options):
    items = [Item("a.jpg", str(tree / "a.jpg"), vividness=7.0), Item("b.png", str(tree / "b.png"), name="../b.png")]
    assert color_batch(items, tmp_path / "out", options).errors == {
        "vividness is 7.0": 1,
        "its output '../b.png' is not in the target": 1,
    }
    found = rows(tmp_path / "out")
    assert found["a.jpg"].error.startswith(f"{tree / 'a.jpg'}: vividness is 7.0")
    assert found["b.png"].error.startswith("b.png: its output '../b.png' is not in the target")


def test_the_command_sums_up_with_flags_instead_of_arguments(tmp_path, capsys):
    warned = Row("a.jpg", "ok", "a.jpg", warnings=("looks like a negative: if it is one, use negative=True",))
    failed = Row("b.jpg", "error", "b.jpg", error="b.jpg: is in colour: recolor=True colours it anyway")
    (tmp_path / "report.jsonl").write_text(f"{warned.to_json()}\n{failed.to_json()}\n")
    assert main(["batch", "report", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "use --negative" in said
    assert "--recolor colours it anyway" in said


@pytest.mark.slow
def test_negatives_stay_negatives_and_are_recoloured(tree, tmp_path, options):
    def output():
        return np.asarray(Image.open(tmp_path / "out" / "b.color.png")).astype(int)

    color_batch(tree, tmp_path / "out", options)
    positive = output()
    assert color_batch(tree, tmp_path / "out", replace(options, negative=True)).colored == 4
    negative = output()
    assert positive[..., 0].mean() > positive[..., 2].mean()  # orange
    assert negative[..., 0].mean() < negative[..., 2].mean()  # and its complement
    assert np.abs(negative - positive).max() > 10
    assert color_batch(tree, tmp_path / "out", replace(options, negative=True)).done_before == 4


def test_a_raw_scan_becomes_a_tiff(tmp_path):
    from photochrom.batch.naming import output_name

    assert output_name(Item("1934/a.DNG", "a.DNG")) == "1934/a.color.tif"
    assert output_name(Item("a.dng", "a.dng"), "{stem}{suffix}.color.jpg") == "a.dng.color.jpg"


@pytest.mark.slow
def test_colour_photographs_are_skipped_with_a_row_unless_recolor_is_set(tree, tmp_path, options, capsys):
    from photochrom.batch.archival import write_premis
    from photochrom.batch.contact_sheet import write_sheet

    in_color(tree / "autochrome.png", 0)
    target = tmp_path / "out"
    summary = color_batch(tree, target, options)
    assert (summary.colored, summary.failed, summary.skipped, summary.status) == (4, 0, 1, 0)
    assert str(summary).startswith("4 coloured, 1 in colour already, in ")
    row = rows(target)["autochrome.png"]
    assert (row.status, row.warnings, row.output, row.error) == ("skipped", ("is in colour already",), "", "")
    assert not (target / "autochrome.color.png").exists()
    assert str(sums_of([*rows(target).values()])).startswith(
        "4 coloured, 0 failed, 1 skipped, being in colour already;"
    )
    assert "is in colour already" in write_sheet(target, [*rows(target).values()])[0].read_text()
    assert "autochrome" not in write_premis(target, rows(target).values()).read_text()
    again = color_batch(tree, target, options)
    assert (again.skipped, again.skipped_before, again.done_before, again.finished) == (0, 1, 4, 0)
    asked = color_batch(tree, target, replace(options, recolor=True))
    assert (asked.colored, asked.done_before, asked.in_color) == (1, 4, 0)
    assert (target / "autochrome.color.png").exists()
    pictures = Thumbnails([target / "report.thumbnails"])
    for key in ("autochrome.png", "b.png"):  # before, a source has its own colours
        with Image.open(io.BytesIO(pictures.get(key)[0])) as before:
            assert (np.ptp(np.asarray(before.convert("RGB")), axis=2).mean() > 50) == (key == "autochrome.png")


def in_color(path, seed):
    """Write a small picture of coloured patches."""
    path.parent.mkdir(parents=True, exist_ok=True)
    patches = np.random.default_rng(seed).integers(0, 256, (4, 5, 3)).astype(np.uint8)
    Image.fromarray(patches).resize((48, 36), Image.Resampling.NEAREST).save(path)
    return path


def test_a_dry_run_does_not_count_colour_photographs_as_to_do(tree, tmp_path, options):
    in_color(tree / "0.png", 0)
    in_color(tree / "z.png", 1)
    told = estimate_batch(tree, str(tmp_path / "out"), options)
    assert (told.listed, told.to_do, told.in_color, told.skipped) == (6, 4, 2, 2)
    lines = str(told).splitlines()
    assert lines[0].startswith("6 items (3 png, 2 jpg, 1 tif), 4 to do, ")
    assert lines[1] == "2 are in colour already and will be skipped"
    assert told.source_bytes == sum(path.stat().st_size for path in tree.rglob("[abc].*"))
    assert told.output_bytes > 0  # colour photographs are not among the trials
    assert told.has_color
    recoloring = estimate_batch(tree, str(tmp_path / "out"), replace(options, recolor=True))
    assert (recoloring.to_do, recoloring.skipped, recoloring.has_color) == (6, 0, False)


def test_a_dry_run_says_what_earlier_runs_did(tree, tmp_path, options):
    in_color(tree / "0.png", 0)
    color_batch(tree, str(tmp_path / "out"), options)
    told = estimate_batch(tree, str(tmp_path / "out"), options)
    assert str(told).splitlines() == [
        "5 items (2 png, 2 jpg, 1 tif), 0 to do, 0 bytes",
        "4 done before, 1 skipped before",
    ]
    assert told.has_color


def test_the_sums_of_a_report_have_a_line_for_each_warning():
    row = Row("a", "ok", "a.jpg", warnings=("its sidecar in two\nlines.xmp is not kept: it is not XMP",))
    assert str(sums_of([row])).splitlines()[-1] == "  1 x its sidecar in two\\nlines.xmp is not kept: it is not XMP"


@pytest.mark.slow
def test_an_estimate_of_photographs_of_unknown_size(web, tmp_path, options):
    address, folder = web
    scan(folder / "a.jpg")
    (tmp_path / "list.csv").write_text(f"path\n{address}/a.jpg\n")
    told = estimate_batch(tmp_path / "list.csv", str(tmp_path / "out"), options)
    assert (told.source_bytes, told.output_bytes) == (None, None)
    first, second = str(told).splitlines()
    assert first.endswith("1 to do, of unknown size")
    assert second.endswith(" core-hours)")
    (folder / "gone.jpg").symlink_to("nowhere.jpg")
    told = estimate_batch(folder, str(tmp_path / "out"), options)
    assert told.source_bytes == 2 * (folder / "a.jpg").stat().st_size


@pytest.mark.slow
def test_an_estimate_that_is_impossible_says_why(tree, tmp_path, options):
    for path in tree.rglob("*"):
        if path.is_file():
            path.write_bytes(b"damaged")
    told = str(estimate_batch(tree, str(tmp_path / "out"), options))
    assert "no estimate, because none of the items tried could be coloured: " in told
    assert "a.jpg: is not a JPEG, PNG, TIFF, WebP, HEIF or AVIF: convert it to one of these" in told


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_an_estimate_without_room_for_temporary_files_says_so(number, tree, tmp_path, options, monkeypatch):
    def full(*_, **__):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr("photochrom.batch.estimate.temporary_folder", full)
        told = str(estimate_batch(tree, str(tmp_path / "out"), options))
    assert f"there is no temporary folder ({os.strerror(number)}): set TMPDIR to a folder with room" in told
    with monkeypatch.context() as patch:
        patch.setattr("photochrom.photo.write.new_file", full)
        told = str(estimate_batch(tree, str(tmp_path / "out"), options))
    assert " cannot be written: set TMPDIR to a folder with room" in told


def test_a_dry_run_of_many_estimates_how_many_are_in_colour(tmp_path, options, monkeypatch):
    monkeypatch.setattr("photochrom.batch.estimate._CHECKED", 4)
    for number in range(12):
        (scan if number % 2 else in_color)(tmp_path / "box" / f"{number:02}.png", number)
    told = estimate_batch(tmp_path / "box", str(tmp_path / "out"), options)
    assert (told.pending, told.searched) == (12, 4)
    found = [number % 2 == 0 for number in (0, 4, 7, 11)].count(True)
    assert (told.in_color, told.skipped) == (found, 3 * found)
    assert f"about {3 * found} are in colour already and will be skipped, judging by 4 of them" in str(told)


def test_advice_on_a_file_of_several_pages_names_no_option_that_a_batch_lacks(tmp_path, options):
    pages = [Image.fromarray(np.full((40, 50), grey, np.uint8)) for grey in (90, 160)]
    (tmp_path / "scans").mkdir()
    pages[0].save(tmp_path / "scans" / "album.tif", save_all=True, append_images=pages[1:])
    color_batch(tmp_path / "scans", tmp_path / "out", replace(options, name="{stem}.color.jpg"))
    row = rows(tmp_path / "out")["album.tif"]
    assert row.problem == "holds 2 pages, which only a TIFF can hold: write a .tif"
    assert row.remedy == "write a .tif"


def test_too_many_errors_end_the_batch(tmp_path, options):
    for number in range(40):
        (tmp_path / "scans").mkdir(exist_ok=True)
        (tmp_path / "scans" / f"{number:02}.jpg").write_bytes(b"no")
    summary = color_batch(tmp_path / "scans", tmp_path / "out", replace(options, max_errors=3))
    assert summary.failed == 3
    assert summary.ended_early == "ended after 3 errors"
    first = color_batch(tmp_path / "scans", tmp_path / "out1", replace(options, max_errors=1))
    assert first.ended_early == "ended after 1 error"
    share = color_batch(tmp_path / "scans", tmp_path / "out2", replace(options, max_errors=0.5))
    assert share.failed == 20
    assert share.ended_early == "ended because 100% failed"


CLASHES = {
    ("a.jpg", "a.png"): (r" \(", r'name="{stem}{suffix}\.color\.jpg" keeps them apart$'),
    ("A.jpg", "a.jpg"): (" on disks that ignore case", "column output names each output$"),
    ("Box/a.jpg", "box/a.jpg"): (" on disks that ignore case", "column output names each output$"),
    ("caf\u00e9.jpg", "cafe\u0301.jpg"): (" on disks that ignore case or the form of accents", "column output"),
}


@pytest.mark.parametrize("names", CLASHES, ids=ascii)
def test_two_inputs_never_share_an_output_and_the_advice_keeps_them_apart(names, tmp_path, options):
    sources = [scan(tmp_path / str(number) / name) for number, name in enumerate(names)]  # also on such disks
    items = [Item(name, str(source)) for name, source in zip(names, sources, strict=True)]
    where, advice = CLASHES[names]
    with pytest.raises(OptionError, match=f"inputs would share an output{where}.*{advice}") as caught:
        color_batch(items, tmp_path / "out", replace(options, name="{stem}.color.jpg"))
    assert names[1] in str(caught.value)
    assert not list((tmp_path / "out").glob("*.color.*"))
    if "name=" in advice:
        assert color_batch(items, tmp_path / "out", replace(options, name="{stem}{suffix}.color.jpg")).colored == 2
        return
    lines = (f"{source},{number}.jpg" for number, source in enumerate(sources))
    (tmp_path / "list.csv").write_text("\n".join(("path,output", *lines)))
    assert color_batch(tmp_path / "list.csv", tmp_path / "out", options).colored == 2


def test_advice_that_would_keep_only_some_inputs_apart_is_not_given(tmp_path, options):
    items = [Item(name, str(tmp_path / name)) for name in ("a.jpg", "a.png", "a.PNG")]
    with pytest.raises(OptionError, match=r"column output names each output$"):
        color_batch(items, tmp_path / "out", replace(options, name="{stem}.color.jpg"))


def test_files_of_others_are_never_replaced(tree, tmp_path, options):
    target = tmp_path / "out"
    mine = scan(target / "a.color.jpg")
    before = mine.read_bytes()
    with pytest.raises(OptionError, match=r"a\.color\.jpg: would be replaced"):
        color_batch(tree, target, options)
    assert mine.read_bytes() == before


def test_an_output_of_another_photograph_is_not_replaced_while_that_exists(tmp_path, options):
    target, boxes = tmp_path / "out", (tmp_path / "box 1", tmp_path / "box 2")
    for seed, box in enumerate(boxes):
        scan(box / "a.jpg", seed)
    color_batch(boxes[0], target, options)
    before = (target / "a.color.jpg").read_bytes()
    with pytest.raises(OptionError, match=r"a\.color\.jpg: would be .*, but was coloured from another"):
        color_batch(boxes[1], target, options)
    assert (target / "a.color.jpg").read_bytes() == before
    (tmp_path / "link").symlink_to(boxes[0])
    scan(boxes[0] / "a.jpg", 7)
    assert color_batch(tmp_path / "link", target, options).colored == 1
    boxes[0].rename(tmp_path / "moved")
    scan(tmp_path / "moved" / "a.jpg", 8)
    assert color_batch(tmp_path / "moved", target, options).colored == 1


@pytest.mark.parametrize("kind", ["folder", "list", "items"])
def test_sources_are_the_same_files_in_a_report_whatever_the_current_folder(kind, tmp_path, options, monkeypatch):
    target, boxes = tmp_path / "out", (tmp_path / "box 1", tmp_path / "box 2")
    for seed, box in enumerate(boxes):
        scan(box / "scans" / "a.jpg", seed)
        (box / "scans" / "list.csv").write_text("path\na.jpg\n")
    source = {"folder": "scans", "list": "scans/list.csv", "items": [Item("a.jpg", "scans/a.jpg")]}[kind]
    monkeypatch.chdir(boxes[0])
    color_batch(source, "../out", options)
    assert rows(target)["a.jpg"].source == str(boxes[0] / "scans" / "a.jpg")
    monkeypatch.chdir(boxes[1])
    with pytest.raises(OptionError, match=r"a\.color\.jpg: would be .*, but was coloured from another"):
        color_batch(source, target, options)


def test_an_input_that_photochrom_coloured_earlier_is_not_replaced(tmp_path, options):
    color_batch(scan(tmp_path / "b.jpg"), tmp_path, options)
    before = (tmp_path / "b.color.jpg").rename(tmp_path / "a.jpg").read_bytes()
    in_place = replace(options, name="{stem}{suffix}", include=("a.jpg",), recolor=True)
    with pytest.raises(OptionError, match=r"a\.jpg: would be replaced, but is itself to be coloured"):
        color_batch(tmp_path, tmp_path, in_place)
    assert (tmp_path / "a.jpg").read_bytes() == before


def test_outputs_in_the_source_are_not_inputs(tmp_path, options):
    scan(tmp_path / "a.jpg")
    assert color_batch(tmp_path, tmp_path, options).colored == 1
    again = color_batch(tmp_path, tmp_path, options)
    assert (again.listed, again.done_before) == (1, 1)


@pytest.mark.parametrize("protocol", ["", "file://"])
def test_a_target_inside_the_source_is_not_listed_whatever_its_names(protocol, tree, tmp_path, options):
    (tmp_path / "link").symlink_to(tree)
    source, target = f"{protocol}{tmp_path / 'link'}", f"{protocol}{tmp_path / 'link' / '1934' / 'in colour'}"
    options = replace(options, name="{stem}{suffix}", recolor=True, report=tmp_path / "report")
    assert color_batch(source, target, options).colored == 4
    again = color_batch(source if protocol else tree, target, options)
    assert (again.listed, again.done_before) == (4, 4)
    scan(tree / "1934" / "in colours" / "d.jpg")
    assert color_batch(source, target, options).listed == 5


def test_links_that_lead_nowhere_are_listed_to_be_reported(tree):
    (tree / "gone.jpg").symlink_to("master.jpg")
    (tree / "self.jpg").symlink_to("self.jpg")
    (tree / "gone.txt").symlink_to("master.txt")
    (tree / "loop").symlink_to("loop")
    (tree / "1934" / "up").symlink_to(tree)  # is not entered
    found = {item.key: item.size for item in list_items(str(tree))}
    assert set(found) == {"a.jpg", "b.png", "1934/a.jpg", "1934/deep/c.tif", "gone.jpg", "self.jpg"}
    assert found["gone.jpg"] == found["self.jpg"] == -1


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="these systems have no such names")
def test_names_that_are_not_utf8(tmp_path, options):
    source = tmp_path / "scans"
    name = os.fsdecode(b"gr\xfcn.jpg")
    scan(source / "plain.jpg").rename(source / name)
    assert color_batch(source, tmp_path / "out", options).colored == 1
    assert (tmp_path / "out" / os.fsdecode(b"gr\xfcn.color.jpg")).is_file()
    assert color_batch(source, tmp_path / "out", options).done_before == 1


def test_a_name_that_becomes_too_long_is_a_row(tmp_path, options):
    source = tmp_path / "scans"
    scan(source / ("x" * 250 + ".jpg"))
    scan(source / "short.jpg")
    long = Item("y" * 300 + ".jpg", str(source / ("y" * 300 + ".jpg")))
    summary = color_batch([*list_items(str(source)), long], tmp_path / "out", options)
    assert (summary.colored, summary.failed) == (1, 2)
    found = rows(tmp_path / "out")
    for key in ("x" * 250 + ".jpg", long.key):
        assert "longer than 255 bytes: give it a shorter one" in found[key].error


@pytest.mark.slow
def test_the_death_of_a_process_is_one_row(tree, tmp_path, process_options, monkeypatch):
    """A decoder in the worker process is made to crash by an environment variable."""
    monkeypatch.setenv(
        "PYTHONPATH", os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    )
    monkeypatch.setattr("photochrom.batch.distribute.prepare", deadly)
    summary = color_batch(tree, tmp_path / "out", process_options)
    assert (summary.colored, summary.failed) == (3, 1)
    row = rows(tmp_path / "out")["b.png"]
    assert "the process that coloured it ended with s" in row.error
    again = color_batch(tree, tmp_path / "out", process_options)  # not retried, like every item that failed before
    assert (again.colored, again.failed, again.done_before, again.failed_before) == (0, 0, 3, ["b.png"])


def deadly(job):
    from photochrom.batch.coloring import prepare

    color = prepare(job)

    def work(item):
        if item.key == "b.png":
            os.abort()
        return color(item)

    return work


def test_a_second_batch_is_refused_while_the_first_lives(tree, tmp_path, options, monkeypatch):
    monkeypatch.setattr(report_folder, "_TEST_S", 0.01)
    target = tmp_path / "out"
    target.mkdir()
    with locked(target, None), pytest.raises(OptionError, match="another batch is running in"):
        color_batch(tree, target, options)
    with locked(target, (1, 2)), pytest.raises(OptionError, match="another batch is running in"):
        color_batch(tree, target, options)
    with locked(target, (1, 2)):  # another part may run beside it
        color_batch(tree, target, replace(options, shard=(2, 2)))
    assert color_batch(tree, target, options).status == 0


def test_shards_that_begin_at_once_do_not_take_one_another_for_a_batch(tmp_path, monkeypatch):
    """Each of them locks the file of whole batches for a moment, to test whether one is running."""
    whole, own = tmp_path / ".photochrom-batch.lock", tmp_path / ".photochrom-batch-1-of-2.lock"
    monkeypatch.setattr(report_folder, "_TEST_S", 600)
    tested = threading.Event()

    def opened(path, **how):
        if path == whole:
            with pytest.raises(Timeout), FileLock(own, blocking=False):
                pass  # a whole batch that begins now would notice this shard
            tested.set()
        return FileLock(path, **how)

    monkeypatch.setattr(report_folder, "FileLock", opened)
    other = FileLock(whole, thread_local=False)
    other.acquire()
    thread = threading.Thread(target=lambda: (tested.wait(600), other.release()))
    thread.start()
    try:
        with locked(tmp_path, (1, 2)):
            assert tested.is_set()
    finally:
        tested.set()
        thread.join()


@pytest.mark.slow
def test_shards_are_the_whole_once(tree, tmp_path, options):
    for number in range(10):
        scan(tree / f"more{number}.jpg", number)
    target = tmp_path / "out"
    counts = [color_batch(tree, target, replace(options, shard=(i, 3))).listed for i in (1, 2, 3)]
    assert sum(counts) == 14
    assert all(counts)
    assert len(list(target.rglob("*.color.*"))) == 14
    whole = color_batch(tree, target, options)  # the shards' reports count
    assert (whole.colored, whole.done_before) == (0, 14)
    scan(tree / "a.jpg", 99)
    assert color_batch(tree, target, options).colored == 1
    again = color_batch(tree, target, replace(options, shard=(1, 1)))  # earlier rows of shards do not hide the last one
    assert again.done_before == 14


def test_reports_that_a_shard_removes_meanwhile_are_empty_and_do_not_count(tree, tmp_path, options, monkeypatch):
    target, glob = tmp_path / "out", Path.glob
    color_batch(tree, target, options)
    (target / "report-1-of-2.jsonl").touch()

    def listed_before(folder, pattern):
        yield from glob(folder, pattern)
        if folder == target and pattern.startswith("report*"):
            yield folder / pattern.replace("*", "-2-of-2")  # which is not there any more

    monkeypatch.setattr(Path, "glob", listed_before)
    assert report_paths(target) == [target / "report.jsonl"]
    assert len(rows_of(target)) == 4
    assert color_batch(tree, target, options).done_before == 4
    assert main(["batch", "report", str(target)]) == 0


def test_a_report_from_the_future_does_not_hide_later_rows(tree, tmp_path, options):
    target = tmp_path / "out"
    (tree / "a.jpg").write_bytes(b"")
    shard = 1 + next(item for item in list_items(str(tree)) if item.key == "a.jpg").shard(2)
    assert color_batch(tree, target, replace(options, shard=(shard, 2))).failed == 1
    tomorrow = time.time() + 86_400  # on a machine whose clock is ahead
    os.utime(target / f"report-{shard}-of-2.jsonl", (tomorrow, tomorrow))
    scan(tree / "a.jpg")
    assert color_batch(tree, target, options).failed == 0
    assert {row.status for row in rows_of(target)} == {"ok"}
    assert color_batch(tree, target, options).done_before == 4


@pytest.mark.slow
def test_a_stop_finishes_the_items_in_progress(tree, tmp_path, process_options):
    seen = []
    summary = color_batch(
        tree, tmp_path / "out", process_options, progress=lambda _, row: seen.append(row), stop=lambda: len(seen) > 2
    )
    assert summary.finished < 4
    assert summary.ended_early.startswith("stopped with")
    assert color_batch(tree, tmp_path / "out", process_options).status == 0


@pytest.mark.slow
def test_a_script_that_calls_it_without_a_guard_is_told_to_add_one(tree, tmp_path, model):
    unguarded = KILLED.replace('if __name__ == "__main__":', "if True:")
    (tmp_path / "script.py").write_text(unguarded)
    command = [sys.executable, str(tmp_path / "script.py"), str(tree), str(tmp_path / "out"), str(model)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert 'call it under if __name__ == "__main__":' in done.stderr


KILLED = """
import sys
from photochrom.batch import BatchOptions, color_batch
if __name__ == "__main__":
    color_batch(sys.argv[1], sys.argv[2], BatchOptions(model=sys.argv[3], device="cpu", workers=2))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_batch_killed_at_any_moment_leaves_no_half_files_and_loses_nothing(tmp_path, model):
    source, target = tmp_path / "scans", tmp_path / "out"
    for number in range(24):
        scan(source / f"{number:02}.jpg", number)
    random = np.random.default_rng(0)
    (tmp_path / "driver.py").write_text(KILLED)
    command = [sys.executable, str(tmp_path / "driver.py"), str(source), str(target), str(model)]
    for _ in range(3):
        with subprocess.Popen(command, start_new_session=True) as process:
            report, wanted = target / "report.jsonl", count_of(target) + int(random.integers(1, 4))
            while process.poll() is None and count_of(target) < wanted:
                time.sleep(0.005)
            time.sleep(random.random() * 0.03)
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
        for path in target.rglob("*.color.jpg"):
            Image.open(path).load()
    subprocess.run(command, check=True)
    names = sorted(path.name for path in target.glob("*.color.jpg"))
    assert names == [f"{number:02}.color.jpg" for number in range(24)]
    keys = [json.loads(line)["key"] for line in report.read_text().splitlines()]
    assert sorted(keys) == [f"{number:02}.jpg" for number in range(24)]
    assert not list(target.rglob("*.part"))


def count_of(target):
    report = target / "report.jsonl"
    return report.read_bytes().count(b"\n") if report.exists() else 0


@pytest.mark.slow
@pytest.mark.usefixtures("options")
def test_the_command_sums_up_and_makes_a_contact_sheet(tree, tmp_path, model, capsys):
    (tree / "broken.jpg").write_bytes(b"no")
    target = tmp_path / "out"
    command = ["batch", str(tree), "-o", str(target), "--model", str(model), "--device", "cpu", "--workers", "1"]
    assert main([*command, "--dry-run"]) == 0
    assert "5 items (3 jpg, 1 png, 1 tif), 5 to do" in capsys.readouterr().out
    assert not target.exists()
    assert main([*command, "--parquet", "--premis"]) == 1
    captured = capsys.readouterr()
    assert captured.out.startswith("4 coloured, 1 failed (1 is not a JPEG")
    assert "broken.jpg: is not a JPEG" in captured.err
    assert main(["batch", "report", str(target)]) == 0
    assert "4 coloured, 1 failed" in capsys.readouterr().out
    page = (target / "report.html").read_text()
    assert page.count("<figure") == 5
    assert page.count("data:image/jpeg;base64,") == 8
    assert page.index("a.jpg") < page.index("broken.jpg")  # failures last
    import pyarrow.parquet

    assert pyarrow.parquet.read_table(target / "report.parquet").num_rows == 5
    assert (target / "premis.xml").read_text().count("<event>") == 5
    defusedxml.ElementTree.parse(target / "premis.xml")


@pytest.mark.slow
@pytest.mark.usefixtures("options")
@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_finished_target_becomes_a_valid_bag(elsewhere, tree, tmp_path, model, capsys):
    bagit = pytest.importorskip("bagit")
    report = ["--report", str(tmp_path / "report")] if elsewhere else []
    target = tmp_path / "out"
    command = ["batch", str(tree), "-o", str(target), "--model", str(model), "--device", "cpu", "--workers", "1"]
    assert main([*command, "--quiet", "--bagit", *report]) == 0
    assert bagit.Bag(str(target)).is_valid()
    assert (target / "data" / "1934" / "deep" / "c.color.tif").is_file()
    assert main(["batch", "report", *(report[1:] or [str(target)])]) == 0
    assert main([*command, *report]) == 2
    assert f"{target}: is a bag, which must not be changed" in capsys.readouterr().err


def test_no_batch_can_begin_while_a_bag_is_made(tree, tmp_path, options, monkeypatch):
    bagit = pytest.importorskip("bagit")
    monkeypatch.setattr(report_folder, "_TEST_S", 0.01)
    target, make_manifests, tried = tmp_path / "out", bagit.make_manifests, []

    def meanwhile(*args, **how):
        for number in (None, (1, 2)):
            with pytest.raises(OptionError, match=r"out: (another batch is running|is a bag that was not finished)"):
                color_batch(tree, target, replace(options, shard=number))
            with pytest.raises(OptionError, match="another batch is running"), locked(target, number):
                pass
        tried.append(target)
        return make_manifests(*args, **how)

    monkeypatch.setattr(bagit, "make_manifests", meanwhile)
    assert main(["batch", str(tree), "-o", str(target), "--model", options.model, "--device", "cpu", "--bagit"]) == 0
    assert tried
    assert bagit.Bag(str(target)).is_valid()
    assert not list(target.rglob(".photochrom*"))


def test_ctrl_c_stops_the_making_of_a_bag_at_once(tree, tmp_path, options, monkeypatch, capsys):
    bagit = pytest.importorskip("bagit")
    monkeypatch.setattr(bagit, "make_manifests", lambda *_, **__: signal.raise_signal(signal.SIGINT))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever the parent does with it
    target = tmp_path / "out"
    command = ["batch", str(tree), "-o", str(target), "--model", options.model, "--device", "cpu", "--bagit"]
    try:
        assert main(command) == 130
    finally:
        signal.signal(signal.SIGINT, before)
    assert "finishing the items in progress" not in capsys.readouterr().err
    assert not (target / "manifest-sha256.txt").exists()


def test_a_table_of_failed_items_that_is_outside_the_bag_is_named_in_full(tree, tmp_path, options, capsys):
    pytest.importorskip("bagit")
    (tree / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 not much")
    report = tmp_path / "report"
    command = ["batch", str(tree), "-o", str(tmp_path / "out"), "--model", options.model, "--device", "cpu", "--bagit"]
    assert main([*command, "--include", "broken.jpg", "--report", str(report)]) == 2
    assert f"all items that failed are listed in {report / 'report-failed.csv'}\n" in capsys.readouterr().out


def test_a_batch_that_waited_for_one_that_made_a_bag_leaves_the_bag_alone(tree, tmp_path, options, monkeypatch):
    bagit = pytest.importorskip("bagit")
    target = tmp_path / "out"
    color_batch(tree, target, options)

    def waiting(folder, shard):
        make_bag(target)
        return locked(folder, shard)

    monkeypatch.setattr(report_folder, "locked", waiting)
    with pytest.raises(OptionError, match="out: is a bag, which must not be changed"):
        color_batch(tree, target, options)
    assert bagit.Bag(str(target)).is_valid()
    assert not list(target.rglob(".photochrom*"))


@pytest.mark.parametrize(
    ("moved", "inner"),
    [
        (["unfinished-bag/report.jsonl"], "unfinished-bag"),
        (["unfinished-bag/data/report.jsonl"], "unfinished-bag/data"),
        (["unfinished-bag/data/report.jsonl", "unfinished-bag/bagit.txt"], "unfinished-bag"),
        (["unfinished-bag/data/report.jsonl", "bagit.txt"], "unfinished-bag"),
    ],
)
def test_a_bag_whose_making_was_killed_is_named_with_the_place_of_its_files(moved, inner, tree, tmp_path, options):
    for name in moved:
        (tmp_path / "out" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "out" / name).touch()
    with pytest.raises(OptionError, match=f"is a bag that was not finished: move everything in its folder {inner} up"):
        color_batch(tree, tmp_path / "out", options)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["gone/", "-o", "x"], "/gone: does not exist: give a folder, a manifest or an address"),
        (["scans.txt", "-o", "x"], "scans.txt: is neither a photograph nor a list: save a list as .csv"),
        (["."], "a batch needs a target"),
        ([".", "-o", "x", "--name", "same.jpg"], "the same for every file"),
        ([".", "-o", "x", "--name", "{stem}{date}"], "has {date}"),
        ([".", "-o", "x", "--shard", "9/8"], "shard is 9/8"),
        ([".", "-o", "x", "--workers", "0"], "workers is 0"),
        ([".", "-o", "x", "--max-errors", "-1"], "max_errors is -1: give a number, or a share from 0 to 1"),
        ([".", "-o", "x", "--max-errors", "150%"], "max_errors is 1.5: give a number"),
        ([".", "-o", "x", "--max-errors", "nan%"], "max_errors is nan: give a number"),
        ([".", "-o", "x", "--bagit", "--shard", "1/8"], "a bag holds all shards"),
        (["scans.txt", "-o", ".", "--bagit"], "scans.txt: is in the target, and would be moved into the bag"),
        ([".", "-o", ".", "--bagit"], ".: is in the target, and would be moved into the bag"),
        ([".", "-o", "s3://x/y", "--bagit"], "s3://x/y: cannot become a bag"),
        (["report", "nowhere"], "nowhere: holds no report of a batch"),
        (["report"], "no batch is named: name its target"),
        (["report", ".", "--bagit"], "a report takes only --parquet and --premis: leave out --bagit"),
        (["report", ".", "--premis", "-o", "x", "--include", "*.tif"], ": leave out --output, --include"),
    ],
)
def test_wrong_arguments_are_reported_in_one_line(arguments, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("scans.txt").write_text("a.jpg\n")
    assert main(["batch", *arguments]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(("option", "package"), [("--bagit", "bagit"), ("--parquet", "pyarrow")])
def test_a_missing_package_is_reported_before_the_work_begins(option, package, tree, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, package, None)
    assert main(["batch", str(tree), "-o", str(tmp_path / "out"), option]) == 1
    assert f"needs {package}: pip install 'photochrom[batch]'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_list_is_read_once(tree, tmp_path, options, monkeypatch):
    (tree / "list.csv").write_text("path\na.jpg\nb.png\n")
    counted = []

    def read(address: str) -> bytes:
        counted.append(address)
        return Path(address).read_bytes()

    monkeypatch.setattr("photochrom.batch.listing.read_address", read)
    assert color_batch(tree / "list.csv", tmp_path / "out", options).colored == 2
    assert counted == [str(tree / "list.csv")]


@pytest.mark.parametrize(
    ("name", "content", "column"),
    [
        ("list.csv", "path,Hint,title\na.jpg,h.json,A\n", "hint"),
        ("list.tsv", "path\tvivdness\na.jpg\t1\n", "vivdness"),
        ("list.jsonl", '{"path": "a.jpg", "title": "A"}\n{"path": "b.png", "Output": "c.png"}\n', "Output"),
    ],
)
def test_a_column_that_is_probably_misspelled_is_not_ignored(name, content, column, tree, tmp_path, options):
    (tree / name).write_text(content)
    with pytest.raises(
        OptionError, match=f"{name}: has a column '{column}', which would not be read: write [a-z]+, or"
    ):
        color_batch(tree / name, tmp_path / "out", options)


def test_a_key_of_several_items_is_reported_since_the_report_has_one_row_for_it(tree, tmp_path, options):
    told = r"^several items are called a\.jpg, and the report has one row for each name: remove repeated rows"
    for other in ("a.jpg,,", "../a.jpg,mild.jpg,0"):
        (tree / "list.csv").write_text(f"path,output,vividness\na.jpg,bold.jpg,1\nb.png,,\n{other}\n")
        with pytest.raises(OptionError, match=told):
            color_batch(tree / "list.csv", tmp_path / "out", options)
    assert not (tmp_path / "out").exists()


def test_the_last_line_has_a_speed_only_if_something_was_coloured():
    assert str(BatchSummary(listed=3, done_before=3, seconds=1)) == "0 coloured, 3 done before, in 0:01"
    said = str(BatchSummary(listed=3, colored=3, megapixels=6, seconds=2))
    assert said == "3 coloured, in 0:02 (1.5 a second, 3.0 megapixels a second)"
    said = str(BatchSummary(listed=3, colored=3, megapixels=0.1, seconds=2))
    assert "0.050 megapixels a second" in said


def test_an_item_whose_output_was_cut_short_has_been_coloured():
    assert (BatchSummary(listed=1, cut_short=["a.jpg"]).status, BatchSummary(listed=1, failed=1).status) == (1, 2)


def test_numbers_have_two_significant_digits():
    numbers = (0, 0.0004, 0.05, 0.3, 1, 9.99, 23.4, 1234.5)
    assert [two_digits(number) for number in numbers] == ["0", "0.00040", "0.050", "0.30", "1.0", "10", "23", "1,234"]
