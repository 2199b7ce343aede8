"""Batches with unusual disks, names, links, signals and reports."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import defusedxml.ElementTree
import pytest

from photochrom.batch import BatchOptions, color_batch
from photochrom.batch.archival import make_bag, write_parquet, write_premis
from photochrom.batch.coloring import BatchJob, coloring
from photochrom.batch.contact_sheet import write_sheet
from photochrom.batch.coordinator import _report_writer
from photochrom.batch.report import Row, read_rows
from photochrom.colorizer.colorizer import Colorizer
from photochrom.colorizer.hints import Hint, hints_json
from photochrom.errors import ModelError, OptionError, PhotochromError
from photochrom.label import is_labelled
from photochrom.photo.job import colorize_photo
from photochrom.photo.sidecars import outdated
from tests.batch.conftest import XMP, scan


@pytest.mark.slow
def test_a_full_disk_ends_the_batch(small_disk, tmp_path, options):
    for number in range(12):
        scan(tmp_path / "scans" / f"{number:02}.png", number, (500, 400))
    (small_disk / "ballast").write_bytes(bytes(1_200_000))
    try:
        summary = color_batch(tmp_path / "scans", small_disk, options)
        assert "the disk is full: make room" in summary.ended_early
    except PhotochromError as exc:  # the report itself could not be written
        assert "make room and start again" in str(exc)  # noqa: PT017
    rows = list(read_rows(small_disk / "report.jsonl"))
    assert {row.status for row in rows} <= {"ok"}
    assert len(rows) < 12
    assert not list(small_disk.glob(".photochrom-*.part"))


def test_errors_of_the_items_are_not_taken_for_errors_of_the_report(tmp_path):
    with pytest.raises(OSError, match="no memory"), _report_writer(tmp_path, BatchOptions()):
        raise OSError("no memory")


@pytest.mark.parametrize("wrong", ["unreadable model", "missing model", "no source", "no device"])
def test_nothing_is_left_of_a_batch_that_cannot_begin(wrong, tree, tmp_path, process_options):
    damaged = tmp_path / "model.onnx"
    damaged.write_bytes(b"not a model")
    models = {"unreadable model": str(damaged), "missing model": "nowhere.onnx"}
    options = replace(process_options, model=models.get(wrong, process_options.model))
    options = replace(options, device="steam") if wrong == "no device" else options
    before = sorted(tmp_path.iterdir())
    with pytest.raises(PhotochromError):
        color_batch(tmp_path / "nowhere" if wrong == "no source" else tree, tmp_path / "made" / "out", options)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.slow
def test_an_error_removes_no_report_of_an_earlier_run(tree, tmp_path, options):
    color_batch(tree, tmp_path / "out", options)
    before = sorted(path for path in (tmp_path / "out").rglob("*"))
    with pytest.raises(OptionError, match="nowhere: does not exist"):
        color_batch(tmp_path / "nowhere", tmp_path / "out", options)
    assert sorted(path for path in (tmp_path / "out").rglob("*")) == before


@pytest.mark.slow
def test_a_report_of_another_version(tree, tmp_path, options):
    color_batch(tree, tmp_path / "out", options)
    report = tmp_path / "out" / "report.jsonl"
    lines = report.read_text().splitlines()
    report.write_text("\n".join([json.dumps(json.loads(lines[0]) | {"schema": 99}), *lines[1:]]) + "\n")
    with pytest.raises(OptionError, match=r"report\.jsonl: the rows have schema 99, and this version reads 1: update"):
        color_batch(tree, tmp_path / "out", options)
    report.write_text("\n".join([json.dumps(json.loads(lines[0]) | {"future": 1}), *lines[1:]]) + "\n")
    assert color_batch(tree, tmp_path / "out", options).done_before == 4


def test_a_bag_that_was_not_finished_is_reported_and_can_be_resumed(tree, tmp_path, options, monkeypatch):
    bagit = pytest.importorskip("bagit")
    target = tmp_path / "out"
    color_batch(tree, target, options)

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(bagit, "make_manifests", killed)  # after the files have been moved
        with pytest.raises(KeyboardInterrupt):
            make_bag(target)
    with pytest.raises(OptionError, match="out: is a bag that was not finished: move everything in its folder data up"):
        color_batch(tree, target, options)
    for path in (target / "data").iterdir():
        path.rename(target / path.name)
    (target / "data").rmdir()
    (target / "unfinished-bag" / "data").mkdir(parents=True)  # as if the process had been killed
    assert color_batch(tree, target, options).done_before == 4
    assert bagit.Bag(str(make_bag(target))).is_valid()
    assert not (target / "unfinished-bag").exists()


def test_a_target_may_contain_the_target_of_another_batch_in_a_folder_called_data(tree, tmp_path, options):
    for target in (tmp_path / "out" / "data", tmp_path / "out"):
        assert color_batch(tree, target, options).colored == 4


@pytest.mark.parametrize("is_lost", [False, True])
def test_a_photograph_that_changes_while_it_is_coloured_is_an_error_and_coloured_again(
    is_lost, tree, tmp_path, options, monkeypatch
):
    def changing(source, *args, **options):
        report = colorize_photo(source, *args, **options)
        if source.name == "b.png":
            source.unlink() if is_lost else scan(source, 7)
        return report

    with monkeypatch.context() as patched:
        patched.setattr("photochrom.photo.job.colorize_photo", changing)
        summary = color_batch(tree, tmp_path / "out", options)
    problem = "cannot be read" if is_lost else "changed while it was being coloured"
    assert (summary.colored, summary.errors) == (3, {problem: 1})
    scan(tree / "b.png", 7)
    again = color_batch(tree, tmp_path / "out", options)
    assert (again.colored, again.failed, again.failed_before) == (1, 0, [])


@pytest.mark.slow
def test_sidecars_are_read_and_written(tree, tmp_path, options):
    (tree / "a.jpg.xmp").write_bytes(XMP)
    (tree / "1934" / "deep" / "c.xmp").write_bytes(XMP)
    target = tmp_path / "out"
    beside = replace(options, output=replace(options.output, sidecar=True))
    assert color_batch(tree, target, beside).colored == 4
    assert b"City" in (target / "a.color.jpg").read_bytes()
    assert b"City" in (target / "1934" / "deep" / "c.color.tif").read_bytes()
    assert not is_labelled(target / "a.color.jpg")
    assert is_labelled(target / "a.color.jpg.xmp")
    assert color_batch(tree, target, beside).done_before == 4
    scan(tree / "b.png", 7)
    assert color_batch(tree, target, beside).colored == 1  # the label beside the output shows whose it is


@pytest.mark.slow
def test_a_sidecar_of_an_earlier_run_is_removed_unless_it_was_edited(tree, tmp_path, options):
    beside = replace(options, output=replace(options.output, sidecar=True))
    target = tmp_path / "out"
    color_batch(tree, target, beside)
    written, edited, others = (target / f"{name}.xmp" for name in ("a.color.jpg", "b.color.png", "1934/a.color.jpg"))
    edited.write_bytes(edited.read_bytes().replace(b'"', b"'"))  # as ExifTool writes XMP
    others.write_bytes(XMP)
    others.with_suffix("").unlink()  # only a picture without a label and without a labelled sidecar stops a batch
    kept = {path: path.read_bytes() for path in (edited, others)}
    assert color_batch(tree, target, options).colored == 4
    assert not written.exists()
    assert {path: path.read_bytes() for path in kept} == kept
    warnings = {row.key: row.warnings for row in read_rows(target / "report.jsonl")}
    assert warnings.pop("b.png") == (outdated(edited.name),)
    assert not any(warnings.values())
    assert all(is_labelled(target / name.removesuffix(".xmp")) for name in ("a.color.jpg.xmp", "b.color.png.xmp"))


@pytest.mark.slow
def test_an_output_whose_sidecar_is_missing_is_made_again_unless_it_was_edited(tree, tmp_path, options):
    beside = replace(options, output=replace(options.output, sidecar=True))
    target = tmp_path / "out"
    color_batch(tree, target, beside)
    written, edited = (target / f"{name}.xmp" for name in ("a.color.jpg", "b.color.png"))
    written.unlink()
    edited.unlink()
    with edited.with_suffix("").open("ab") as file:
        file.write(b"edited")
    again = color_batch(tree, target, beside)
    assert (again.colored, again.done_before) == (1, 3)
    assert is_labelled(written)
    assert not edited.exists()
    written.unlink()
    with pytest.raises(OptionError, match=r"out/b\.color\.png: would be replaced, but was not made by Photochrom"):
        color_batch(tree, target, options)
    edited.with_suffix("").unlink()
    assert color_batch(tree, target, options).colored == 4  # the report shows whose a picture without a label is


def test_a_sidecar_of_others_is_not_replaced(tree, tmp_path, options):
    foreign = scan(tmp_path / "out" / "x.png").with_name("b.color.png.xmp")
    foreign.write_bytes(XMP)
    with pytest.raises(OptionError, match=r"b\.color\.png\.xmp: would be replaced, but was not made by Photochrom"):
        color_batch(tree, tmp_path / "out", replace(options, output=replace(options.output, sidecar=True)))
    assert foreign.read_bytes() == XMP


@pytest.mark.slow
@pytest.mark.parametrize("text", ["{", "not JSON", "[" * 100_000, "null"])
def test_a_json_file_that_is_no_manifest(text, tmp_path, options):
    path = tmp_path / "list.json"
    path.write_text(text)
    said = (
        r"is neither an IIIF manifest" if text == "null" else r"is not JSON \(.*\): give an IIIF manifest or info.json"
    )
    with pytest.raises(OptionError, match=rf"list\.json: {said}"):
        color_batch(str(path), tmp_path / "out", options)


def test_hints_and_vividness_of_a_manifest(tree, tmp_path, options):
    from PIL import Image

    Image.linear_gradient("L").resize((48, 36)).save(tree / "a.jpg")  # noise would stop the hint
    (tree / "blue.json").write_text(hints_json((Hint.parse("0.5,0.5,#2030c0"),)))
    lines = ("path;hints;vividness", "a.jpg;blue.json;", "b.png;;0", "1934/a.jpg;gone.json;", "1934/deep/c.tif;;1")
    (tree / "list.csv").write_text("\n".join(lines))
    summary = color_batch(tree / "list.csv", tmp_path / "out", options)
    rows = {row.key: row for row in read_rows(tmp_path / "out" / "report.jsonl")}
    assert (summary.colored, summary.failed) == (3, 1), [row.error for row in rows.values()]
    assert "gone.json" in rows["1934/a.jpg"].error
    assert rows["b.png"].colorfulness < 1 < rows["1934/deep/c.tif"].colorfulness
    red, _, blue = Image.open(tmp_path / "out" / "a.color.jpg").convert("RGB").getpixel((24, 18))
    assert blue > red


def test_an_item_is_coloured_again_if_its_vividness_or_its_hints_change(tree, tmp_path, options):
    hints, table, target = tree / "blue.json", tree / "list.csv", tmp_path / "out"
    hints.write_text(hints_json((Hint.parse("0.5,0.5,#2030c0"),)))
    table.write_text("path,hints,vividness\na.jpg,blue.json,\nb.png,,0\n1934/a.jpg,,0.5\n")
    assert color_batch(table, target, options).colored == 3
    assert color_batch(table, target, options).done_before == 3
    table.write_text(table.read_text().replace("b.png,,0", "b.png,,1"))
    assert (color_batch(table, target, options).colored, row_of(target, "b.png").colorfulness > 1) == (1, True)
    hints.write_text(hints_json((Hint.parse("0.5,0.5,#c03020"),)))
    assert color_batch(table, target, options).colored == 1
    recorded = hashlib.sha256(hints.read_bytes()).hexdigest()
    assert row_of(target, "a.jpg").options.endswith(f" hints={recorded}")
    assert row_of(target, "b.png").options.endswith(" vividness=1.0")


def row_of(target, key):
    return next(row for row in read_rows(target / "report.jsonl") if row.key == key)


# Ctrl+C is pressed when the first item has ended, however busy the machine is.
INTERRUPTED = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever the parent does with it
from photochrom.commands import batch
from photochrom.commands.main import main

class Interrupting(batch._Progress):
    def __call__(self, summary, row):
        super().__call__(summary, row)
        if row is not None and summary.finished == 1:
            os.kill(os.getpid(), signal.SIGINT)

batch._Progress = Interrupting
if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGINT")
def test_ctrl_c_finishes_the_items_in_progress(tmp_path, model):
    for number in range(20):
        scan(tmp_path / "scans" / f"{number:03}.jpg", number)
    driver = tmp_path / "driver.py"
    driver.write_text(INTERRUPTED)
    target = tmp_path / "out"
    arguments = ["batch", str(tmp_path / "scans"), "-o", str(target), "--model", str(model), "--workers", "2"]
    done = subprocess.run([sys.executable, str(driver), *arguments], capture_output=True, text=True)
    assert done.returncode == 130, done.stderr
    assert "finishing the items in progress" in done.stderr
    assert "stopped with" in done.stdout
    names = {path.name for path in target.glob("*.color.jpg")}
    assert 1 <= len(names) <= 3  # the first, and one in each of the two processes
    assert names == {row.output for row in read_rows(target / "report.jsonl")}
    assert not list(target.glob(".photochrom-*.part"))


def test_events_are_xml_whatever_characters_a_file_name_has(tmp_path):
    names = ("a\x01&<\n.jpg", "b\udcff.jpg")
    path = write_premis(tmp_path, [Row(name, "ok", name, name) for name in names])
    found = [
        node.text for node in defusedxml.ElementTree.parse(path).iter() if node.tag.endswith("ObjectIdentifierValue")
    ]
    assert found == ["a?&<\n.jpg"] * 2 + ["b?.jpg"] * 2


def test_an_empty_source_is_an_error_unless_it_is_one_shard_of_several(tree, tmp_path, options):
    for name in ("nothing", "outputs"):
        (tmp_path / name).mkdir()
    scan(tmp_path / "outputs" / "a.color.jpg", 1)
    for source, include in ((tmp_path / "nothing", ()), (tmp_path / "outputs", ()), (tree, ("*.none",))):
        told = f"^{source}: holds no photographs that can be coloured"
        with pytest.raises(OptionError, match=f"{told}: check the path and the patterns$"):
            color_batch(source, tmp_path / "out", replace(options, include=include))
        assert not (tmp_path / "out").exists()
    summary = color_batch(tmp_path / "nothing", tmp_path / "out", replace(options, shard=(1, 2)))
    assert (summary.listed, summary.status) == (0, 0)


def test_a_model_that_has_disappeared_is_found_before_any_item(model, tmp_path):
    path = shutil.copy(model, tmp_path)
    colorizer = Colorizer(path)
    Path(path).unlink()
    with pytest.raises(ModelError, match="No such file"):
        coloring(BatchJob(str(tmp_path / "out"), BatchOptions()), colorizer)


def test_names_and_messages_are_escaped_in_the_contact_sheet(tmp_path):
    pytest.importorskip("jinja2")
    text = "<img src=x onerror=alert(1)>&amp;'\""
    folder = tmp_path / text
    (folder / text).mkdir(parents=True)
    facts = {"model": text, "error": text, "remedy": text, "warnings": (text,), "output": f"{text}/{text}"}
    rows = [Row(text, status, text, **facts) for status in ("ok", "error", "skipped", "unread")]
    (folder / rows[0].output).touch()
    (page,) = write_sheet(folder, rows)
    found = page.read_text()
    assert "<img src=x" not in found
    assert found.count("&lt;img src=x onerror=alert(1)&gt;&amp;amp;&#39;&#34;") > 4


def test_an_unknown_confidence_does_not_count_as_the_lowest(tmp_path):
    pytest.importorskip("jinja2")
    confidences = {"a": None, "b": 0.9, "c": 0.0, "d": 0.4}
    rows = [Row(f"{key}.jpg", "ok", f"{key}.jpg", confidence=value) for key, value in confidences.items()]
    (page,) = write_sheet(tmp_path, rows)
    text = page.read_text()
    assert sorted(confidences, key=lambda key: text.index(f"{key}.jpg")) == ["c", "d", "b", "a"]


def test_names_that_are_not_text_are_replaced_in_parquet(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    row = Row("\udcff.png", "ok", "\udcff.png", "", warnings=("its sidecar \udcff.xmp is not kept: it is not XMP",))
    table = parquet.read_table(write_parquet(tmp_path, [row]))
    assert table["warnings"].to_pylist() == [["its sidecar ?.xmp is not kept: it is not XMP"]]
    assert table["key"].to_pylist() == ["?.png"]
