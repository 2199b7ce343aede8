"""``photochrom photo`` on folders: photographs found, skipped and counted, and the printed lines."""

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from photochrom.commands.main import main
from photochrom.commands.photo_jobs import PhotoJob, find_jobs
from photochrom.errors import PhotoError
from photochrom.label import is_labelled
from photochrom.photo import OutputOptions
from photochrom.photo.inspection import is_in_color
from photochrom.photo.job import colorize_photo
from tests.helpers.permissions import as_nobody, public_folder


@pytest.fixture
def shoebox(tmp_path):
    """Return a folder with two grey photographs, one of them in a subfolder."""
    box = tmp_path / "box"
    (box / "1920").mkdir(parents=True)
    Image.fromarray(data.camera()[::4, ::4]).save(box / "a.jpg")
    Image.fromarray(data.camera()[::4, ::3]).save(box / "1920" / "b.png")
    (box / "notes.txt").write_text("not a photograph")
    return box


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.slow
def test_a_folder_is_mirrored_and_the_output_created(shoebox, tmp_path, capsys):
    out = tmp_path / "new" / "out"
    assert main(["photo", str(shoebox), "-o", str(out)]) == 0
    assert files(out) == ["1920/b.color.png", "a.color.jpg"]
    said = capsys.readouterr().out.splitlines()
    assert f"{shoebox / 'a.jpg'} -> {out / 'a.color.jpg'}" in said
    assert re.match(r"2 coloured, 0 skipped, 0 failed, in \d+:\d\d\b", said[-1])


@pytest.mark.slow
def test_pictures_that_cannot_be_read_are_counted_and_pipes_are_left_alone(shoebox, tmp_path, capsys):
    for name in ("a.bmp", "1920/b.GIF", "1920/c.gif", ".hidden.gif"):
        (shoebox / name).write_bytes(b"no matter")
    if hasattr(os, "mkfifo"):
        os.mkfifo(shoebox / "pipe.jpg")  # reading it would never end
    assert main(["photo", str(shoebox), "-o", str(tmp_path / "out")]) == 0
    assert files(tmp_path / "out") == ["1920/b.color.png", "a.color.jpg"]
    told = "left out, because Photochrom does not read their formats: 3 (.bmp .gif); convert them to PNG or TIFF"
    assert told in capsys.readouterr().err
    assert main(["photo", str(shoebox), "-o", str(tmp_path / "out"), "--verbose"]) == 0
    assert f"{shoebox / 'a.bmp'}: is in a format that Photochrom does not read" in capsys.readouterr().out
    assert main(["photo", str(shoebox), "-o", str(tmp_path / "top"), "--no-recursive", "--quiet"]) == 0
    assert capsys.readouterr().err == ""
    assert files(tmp_path / "top") == ["a.color.jpg"]


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ([], "name another folder"),
        (["--no-recursive"], "name another folder, or add --recursive"),
        (["other"], "convert those in other formats (.bmp) to PNG or TIFF"),
    ],
)
def test_folders_without_photographs_are_an_error_before_a_model_is_loaded(more, told, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("photochrom.colorizer.colorizer.Colorizer", lambda *_: pytest.fail("a model was loaded"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a.bmp").touch()
    assert main(["photo", "empty", *more]) == 1
    others = ", and neither do the other folders" if "other" in more else ""
    assert capsys.readouterr().err == f"photochrom: empty: holds no photographs that can be coloured{others}: {told}\n"


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["gone/a.jpg"], ["gone.jpg", "-o", "new/"], ["text.jpg", "-o", "new/"]])
def test_no_folder_is_created_for_a_photograph_that_cannot_be_read(arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.jpg").write_text("Dear diary")
    assert main(["photo", *arguments]) == 1
    assert f"photochrom: {arguments[0]}: " in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["text.jpg"]


def test_a_folder_that_cannot_be_listed_is_an_error_beside_the_others():
    with public_folder() as folder:
        folder.chmod(0o777)
        for name in ("a.jpg", "closed/b.jpg"):
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).touch(0o644)
        (folder / "closed").chmod(0)
        with as_nobody():
            jobs, _, errors = find_jobs([str(folder)], None, OutputOptions())
            alone = find_jobs([str(folder / "closed")], None, OutputOptions())
        (folder / "closed").chmod(0o700)
        told = f"{folder / 'closed'}: cannot be listed (Permission denied): check its permissions"
        assert [job.source for job in jobs] == [str(folder / "a.jpg")]
        assert [str(error) for error in errors] == [str(error) for error in alone[2]] == [told]


def test_a_photograph_in_a_folder_that_may_not_be_entered_does_not_stop_the_others():
    with public_folder() as folder:
        folder.chmod(0o777)
        names = [str(folder / "a.jpg"), str(folder / "closed" / "b.jpg")]
        (folder / "closed").mkdir()
        for name in names:
            Path(name).touch(0o644)
        (folder / "closed").chmod(0)
        with as_nobody():
            jobs, _, _ = find_jobs(names, None, OutputOptions())
            with pytest.raises(PhotoError, match=r"closed/out: permission denied: ask for it, or choose"):
                find_jobs(names[:1], str(folder / "closed" / "out"), OutputOptions())
        (folder / "closed").chmod(0o700)
        assert [job.source for job in jobs] == names


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_photograph_that_another_program_colours_meanwhile_is_skipped(shoebox, moment, monkeypatch, capsys):
    """The output appears before the colouring begins, or when it is about to be written."""

    def coloring(source, destination, *arguments, output, **options):
        other = Path(destination)
        if moment == "before":
            other.write_bytes(b"of another program")
        else:
            monkeypatch.setattr(
                "photochrom.photo.write.check_destination", lambda *_, **__: other.write_bytes(b"other")
            )
        return colorize_photo(source, destination, *arguments, output=output, **options)

    monkeypatch.setattr("photochrom.photo.job.colorize_photo", coloring)
    assert main(["photo", str(shoebox / "a.jpg"), str(shoebox / "1920")]) == 0
    said = capsys.readouterr()
    assert "a.color.jpg has just been written by another program: skipped" in said.err
    assert "0 coloured, 2 skipped, 0 failed" in said.out
    assert (shoebox / "a.color.jpg").read_bytes().startswith(b"o")


def test_links_to_folders_elsewhere_are_followed_and_no_folder_is_entered_twice(shoebox, tmp_path):
    shelf = tmp_path / "shelf"
    for name in ("c.png", "deep/d.png"):
        (shelf / name).parent.mkdir(parents=True, exist_ok=True)
        (shelf / name).write_bytes(b"no matter")
    for name, to in (("1930", shelf), ("1931", shelf / "deep"), ("inside", "1920"), ("above", ".."), ("here", ".")):
        (shoebox / name).symlink_to(to)
    (shelf / "back").symlink_to(shoebox)
    jobs, own, errors = find_jobs([str(shoebox)], str(tmp_path / "out"), OutputOptions())
    found = [os.path.relpath(job.source, shoebox) for job in jobs]
    assert (found, own, errors) == (["a.jpg", "1920/b.png", "1930/c.png", "1931/d.png"], [], [])


def test_photographs_are_told_from_own_outputs_without_comparing_each_with_each(tmp_path, monkeypatch):
    compared = []
    monkeypatch.setattr(PhotoJob, "__eq__", lambda one, other: compared.append((one, other)) or one is other)
    monkeypatch.setattr("photochrom.commands.photo_jobs.is_own_output", lambda path: ".color" in path.name)
    for i in range(20):
        (tmp_path / f"{i}.png").touch()
        (tmp_path / f"{i}.color.png").touch()
    found = find_jobs([str(tmp_path)], None, OutputOptions())
    assert (len(found.jobs), len(found.own), len(found.errors)) == (20, 20, 0)
    assert len(compared) <= 40


@pytest.mark.slow
def test_own_outputs_are_left_out_and_existing_ones_skipped(shoebox, capsys):
    for _ in range(2):
        assert main(["photo", str(shoebox)]) == 0
    assert files(shoebox) == ["1920/b.color.png", "1920/b.png", "a.color.jpg", "a.jpg", "notes.txt"]
    said = capsys.readouterr()
    assert "0 coloured, 4 skipped, 0 failed" in said.out
    assert "coloured already: 2; -v names them, --overwrite colours them again" in said.err
    assert "made by Photochrom: 2; -v names them, --recolor colours them anyway" in said.err
    assert main(["photo", str(shoebox), "--overwrite"]) == 0
    assert "2 coloured, 2 skipped, 0 failed" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("more", [[], ["--overwrite"]])
def test_names_that_differ_only_in_case_share_no_output_on_a_disk_that_ignores_case(
    more, shoebox, tmp_path, monkeypatch, capsys
):
    (shoebox / "a.jpg").rename(shoebox / "A.jpg")
    Image.fromarray(data.camera()[::4, ::4]).save(shoebox / "a.jpg")
    out = tmp_path / "out"

    def coloring(source, destination, *args, **options):
        report = colorize_photo(source, destination, *args, **options)
        if Path(destination).name == "A.color.jpg":  # on such a disk, the file now has the other name, too
            (out / "a.color.jpg").hardlink_to(destination)
        return report

    monkeypatch.setattr("photochrom.photo.job.colorize_photo", coloring)
    assert main(["photo", str(shoebox), "-o", str(out), *more]) == 1
    said = capsys.readouterr()
    assert "2 coloured, 0 skipped, 1 failed" in said.out
    assert f"a.color.jpg: would replace the output of {shoebox / 'A.jpg'} on this disk" in said.err


def test_an_empty_output_is_not_taken_for_a_finished_one(shoebox, tmp_path, capsys):
    (tmp_path / "out").mkdir()
    empty = tmp_path / "out" / "a.color.jpg"
    empty.touch()
    command = ["photo", str(shoebox / "a.jpg"), "-o", str(tmp_path / "out")]
    assert main(command) == 1
    assert f"{empty}: is empty: --overwrite replaces it" in capsys.readouterr().err
    assert main([*command, "--overwrite"]) == 0
    assert is_labelled(empty)


@pytest.mark.slow
@pytest.mark.parametrize("more", [["--recolor"], ["--sheet", "sheet.png"], ["--recolor", "--overwrite"]])
def test_the_same_command_again_finds_everything_done(more, shoebox, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        assert main(["photo", str(shoebox), *more]) == 0
    assert files(shoebox) == ["1920/b.color.png", "1920/b.png", "a.color.jpg", "a.jpg", "notes.txt"]
    said = capsys.readouterr()
    assert ("0 coloured, 4 skipped, 0 failed" in said.out) == ("--overwrite" not in more)
    assert ("no contact sheet was written" in said.err) == ("--sheet" in more)


@pytest.mark.slow
def test_an_output_without_its_label_does_not_stop_its_photograph_from_being_skipped(shoebox, capsys):
    Image.fromarray(data.camera()[::4, ::4]).save(shoebox / "a.color.jpg")
    before = (shoebox / "a.color.jpg").read_bytes()
    assert main(["photo", str(shoebox)]) == 0
    assert "coloured already: 1; " in capsys.readouterr().err
    assert (shoebox / "a.color.jpg").read_bytes() == before


@pytest.mark.slow
def test_an_output_inside_the_input_is_not_searched(shoebox):
    for _ in range(2):
        assert main(["photo", str(shoebox), "-o", str(shoebox / "out"), "--overwrite"]) == 0
    assert files(shoebox / "out") == ["1920/b.color.png", "a.color.jpg"]


@pytest.mark.slow
def test_clashes_are_all_named_and_the_others_coloured(shoebox, tmp_path, capsys):
    for name in ("x", "y"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "same.jpg").write_bytes((shoebox / "a.jpg").read_bytes())
    inputs = [str(tmp_path / "x" / "same.jpg"), str(tmp_path / "y" / "same.jpg"), str(shoebox / "a.jpg")]
    assert main(["photo", *inputs, "-o", str(tmp_path / "out")]) == 1
    said = capsys.readouterr()
    assert all(said.err.count(f"{path}: would be written to {tmp_path / 'out'}") == 1 for path in inputs[:2])
    assert "1 coloured, 0 skipped, 2 failed" in said.out
    assert files(tmp_path / "out") == ["a.color.jpg"]
    assert main(["photo", *inputs[:2], "-o", str(tmp_path / "none")]) == 2
    assert "rename one, or choose another output" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


@pytest.mark.slow
def test_a_photograph_in_colour_is_recoloured_only_when_asked(tmp_path, capsys):
    source = tmp_path / "new.jpg"
    Image.fromarray(data.astronaut()).save(source)
    assert is_in_color(source)
    assert main(["photo", str(source)]) == 1
    assert "is in colour already: --recolor colours it anyway" in capsys.readouterr().err
    assert main(["photo", str(tmp_path)]) == 0
    assert "in colour already: 1; -v names them, --recolor colours them anyway" in capsys.readouterr().err
    assert files(tmp_path) == ["new.jpg"]
    assert main(["photo", str(source), "--recolor"]) == 0
    assert files(tmp_path) == ["new.color.jpg", "new.jpg"]


@pytest.mark.slow
def test_quiet_prints_nothing_and_verbose_prints_more(shoebox, capsys):
    assert main(["photo", str(shoebox), "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")
    assert main(["photo", str(shoebox), "--overwrite", "-v"]) == 0
    assert "128 x 128 pixels" in capsys.readouterr().out


def test_an_output_below_a_file_is_reported_as_such(shoebox, tmp_path, capsys):
    below = tmp_path / "note.txt"
    below.write_text("not a folder")
    photograph = str(next(shoebox.rglob("*.jpg")))
    assert main(["photo", photograph, "-o", str(below / "new.png")]) == 1
    assert f"{below}: is a file, not a folder: choose another output" in capsys.readouterr().err
    assert main(["photo", photograph, "-o", str(below / "deep" / "new.png")]) == 1
    assert f"{below / 'deep'}: {below} is a file, not a folder: choose another output" in capsys.readouterr().err
    assert main(["photo", str(shoebox), "-o", str(below.rename(tmp_path / "out"))]) == 2
    assert "out: is a file, not a folder" in capsys.readouterr().err


@pytest.mark.slow
def test_hints_take_names_percentages_and_pixels(tmp_path, capsys):
    Image.fromarray(np.full((100, 200), 120, np.uint8)).save(tmp_path / "a.png")
    hints = ["--hint", "25%,50%,maroon", "--hint", "150px,49px,#36c"]
    assert main(["photo", str(tmp_path / "a.png"), *hints]) == 0
    with Image.open(tmp_path / "a.color.png") as image:
        rgb = np.asarray(image.convert("RGB"), int)
    assert rgb[50, 50, 0] > rgb[50, 50, 2] + 20
    assert rgb[49, 150, 2] > rgb[49, 150, 0] + 20
    capsys.readouterr()
    assert main(["photo", str(tmp_path / "a.png"), "--overwrite", "--hint", "300px,10px,red"]) == 2
    assert "'300px' is outside the picture, which has 200 pixels on that side" in capsys.readouterr().err


@pytest.mark.slow
def test_the_confidence_names_the_least_sure_places(shoebox, capsys):
    assert main(["photo", str(shoebox / "a.jpg"), "--confidence"]) == 0
    assert capsys.readouterr().out.count("least sure at") == 3
    with Image.open(shoebox / "a.confidence.png") as image:
        assert image.mode == "RGB"


@pytest.mark.slow
def test_a_settings_file_that_is_named_and_missing_is_an_error(shoebox, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PHOTOCHROM_CONFIG", str(tmp_path / "cnofig.toml"))
    assert main(["photo", str(shoebox / "a.jpg")]) == 2
    assert "cnofig.toml: does not exist, and PHOTOCHROM_CONFIG names it: create it" in capsys.readouterr().err
    assert not (shoebox / "a.color.jpg").exists()
    monkeypatch.delenv("PHOTOCHROM_CONFIG")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))
    assert main(["photo", str(shoebox / "gone.jpg")]) == 1  # without the variable there need be no file


@pytest.mark.slow
def test_settings_come_from_the_file_the_environment_and_the_command_line(shoebox, tmp_path, monkeypatch, capsys):
    config = tmp_path / "config.toml"
    monkeypatch.setenv("PHOTOCHROM_CONFIG", str(config))
    call = ["photo", str(shoebox / "a.jpg"), "--overwrite"]

    def is_grey():
        with Image.open(shoebox / "a.color.jpg") as image:
            return np.ptp(np.asarray(image.convert("RGB")).astype(int), axis=2).mean() < 1

    config.write_text("[photo]\nstrength = 0\n")
    assert main(call) == 0
    assert is_grey()
    monkeypatch.setenv("PHOTOCHROM_STRENGTH", "1")
    assert main(call) == 0
    assert not is_grey()
    assert main([*call, "--strength", "0"]) == 0
    assert is_grey()
    for text, message in (("[photo]\nstrenght = 1", "did you mean strength?"), ("photo = 3", "is not a table"),
                          ("overwrite = true", "the settings are codec, "), ("quality = 'high'", "quality is 'high'"),
                          ("x =", "is not TOML"), ("[phto]\nquality = 92", "table 'phto': did you mean photo?"),
                          ("[train]\nseed = 1", "'train': the tables are batch, "), ("[[photo]]", "is not a table"),
                          ("[film]\nprest = 'slow'", "setting of film: 'prest': did you mean preset?"),
                          ("[photo]\nport = 1", "setting of photo: 'port': the settings are "),
                          ("compression = 'zip'", "as for --compression"), ("model = ['a']", "as for --model"),
                          ("quality = true", "quality is True"), ("x = " + "[" * 10_000, "is not TOML")):  # fmt: skip
        config.write_text(text)
        capsys.readouterr()
        assert main(call) == 2, json.dumps(text)
        assert message in capsys.readouterr().err
    config.write_bytes(b"vividness = 0.5 # gr\xfcn")
    assert main(call) == 2
    for valid in (b"", b"\xef\xbb\xbfstrength = 1\n[studio]\nport = 1"):  # the second begins with a BOM
        config.write_bytes(valid)
        assert main(call) == 0, valid
