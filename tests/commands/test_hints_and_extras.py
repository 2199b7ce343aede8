"""``photochrom photo`` with hints, and the files that it writes beside the photograph."""

import itertools
import re
import shlex
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from photochrom import (
    Colorizer,
    ColorOptions,
    EngineError,
    Hint,
    OptionError,
    PhotoError,
    colorize_file,
    read_hints,
)
from photochrom.colorizer.hints import hints_json
from photochrom.commands.main import main
from tests.helpers.command_line import BLUE, ab_at, ab_of, everything, facts, label, luma_plane, names, pixels
from tests.helpers.suggesting import hinting_engine


@pytest.mark.parametrize("model", ["default", "hinting"])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
@pytest.mark.parametrize("depth", [8, 16])
def test_a_hint_is_a_place_of_the_upright_picture(folder, hinting, model, orientation, depth):
    upright = Image.fromarray(np.full((160, 240), 120 if depth == 8 else 120 * 257, f"u{depth // 8}"))
    turn = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
    stored = upright.transpose(turn[orientation]) if orientation in turn else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(folder / "turned.png", exif=exif)
    options = [] if model == "default" else hinting[0]
    hint = "0.2,0.75,#{:02x}{:02x}{:02x}".format(*BLUE)
    assert main(["photo", str(folder / "turned.png"), "--hint", hint, *options]) == 0
    target = folder / "turned.color.png"
    assert facts(target)[1] == (240, 160)
    np.testing.assert_allclose(ab_at(target, 0.2, 0.75), ab_of(BLUE), atol=3)


def test_hints_of_files_and_of_the_command_line_add_up(folder, hinting):
    """Hints in files come first: the last of several at one place counts."""
    red, green, ochre = (180, 60, 60), (60, 130, 60), (170, 130, 60)
    Image.fromarray(np.full((160, 240), 120, np.uint8)).save(folder / "flat.png")
    (folder / "one.json").write_text(hints_json([Hint(0.2, 0.2, red), Hint(0.8, 0.2, red)]))
    (folder / "two.json").write_text(hints_json([Hint(0.2, 0.8, green)]))
    files = ["--hints", str(folder / "one.json"), "--hints", str(folder / "two.json")]
    typed = ["--hint", "0.8,0.8,#4682c8", "--hint", "0.8,0.2,aa823c"]
    assert main(["photo", str(folder / "flat.png"), *typed, *files, *hinting[0]]) == 0
    expected = {(0.2, 0.2): red, (0.8, 0.2): ochre, (0.2, 0.8): green, (0.8, 0.8): (70, 130, 200)}
    for place, color in expected.items():
        np.testing.assert_allclose(ab_at(folder / "flat.color.png", *place), ab_of(color), atol=2)
    assert "with 5 colours given by hand); not a record" in label(folder / "flat.color.png")


@pytest.mark.slow
def test_hints_belong_to_one_picture(folder, capsys):
    before = everything(folder)
    hint = ["--hint", "0.5,0.5,#c81e28"]
    assert main(["photo", str(folder / "a.jpg"), str(folder / "b.png"), *hint]) == 2
    assert "hints belong to one picture" in capsys.readouterr().err
    assert everything(folder) == before
    assert main(["photo", str(folder / "b.png"), str(folder / "b.png"), *hint]) == 0


@pytest.mark.parametrize(
    "options",
    [["--hint", "0.5,0.5,reddish"], ["--hint", "2,0.5,#ffffff"], ["--hints", "gone.json"], ["--hints", "."],
     ["--hints", "a.jpg"], ["--alternatives", "6"], ["--alternatives", "-1"], ["--alternatives", "1000000000"]],
)  # fmt: skip
def test_bad_requests_give_a_one_line_error_and_nothing_is_written(folder, capsys, monkeypatch, options):
    monkeypatch.chdir(folder)
    before = everything(folder)
    assert main(["photo", "a.jpg", *options]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert everything(folder) == before


@pytest.mark.parametrize("model", ["default", "hinting"])
def test_alternatives_stand_beside_the_picture_with_their_hints(folder, hinting, model):
    options = [] if model == "default" else hinting[0]
    assert main(["photo", str(folder / "a.jpg"), "--strength", "0", "-o", str(folder / "grey.jpg"), *options]) == 0
    assert main(["photo", str(folder / "a.jpg"), "--alternatives", "2", "--hint", "0.5,0.1,#6090c0", *options]) == 0
    made = ["a.color.1.jpg", "a.color.1.json", "a.color.2.jpg", "a.color.2.json", "a.color.jpg"]
    assert names(folder) == [*made, "a.jpg", "b.png", "grey.jpg"]
    pictures = [folder / name for name in made if name.endswith("jpg")]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert np.abs(pixels(pictures[one]) - pixels(pictures[other])).max() > 10
    for path in pictures:
        np.testing.assert_array_equal(luma_plane(path), luma_plane(folder / "grey.jpg"))
    for number in (1, 2):
        hints = read_hints(folder / f"a.color.{number}.json")
        assert hints[0] == Hint(0.5, 0.1, (0x60, 0x90, 0xC0))
        assert all(hint.suggested for hint in hints[1:])
        words = f"with 1 colour given by hand and {len(hints) - 1} colours suggested by the model); not a record"
        assert words in label(folder / f"a.color.{number}.jpg")
        again = ["--hints", str(folder / f"a.color.{number}.json"), "-o", str(folder / "again.jpg"), "--overwrite"]
        assert main(["photo", str(folder / "a.jpg"), *again, *options]) == 0
        assert (folder / "again.jpg").read_bytes() == (folder / f"a.color.{number}.jpg").read_bytes()


def test_a_sheet_shows_the_first_picture_and_the_alternatives_by_name(folder, hinting, capsys):
    sheet = folder / "sheet.png"
    assert main(["photo", str(folder / "a.jpg"), "--alternatives", "3", "--sheet", str(sheet), *hinting[0]]) == 0
    printed = capsys.readouterr().out
    assert printed.endswith(f"contact sheet -> {sheet}\n")
    assert [line.split(":")[0].strip() for line in printed.splitlines()[1:4]] == [f"alternative {n}" for n in (1, 2, 3)]
    assert "with " not in label(sheet)
    with Image.open(sheet) as image:
        shown = np.asarray(image.convert("RGB")).astype(int)
    width = 300 + 12
    assert shown.shape == (12 + 300 + 24 + 12, 5 * width + 12, 3)
    cells = [shown[12:312, 12 + n * width : 12 + n * width + 300] for n in range(5)]
    chroma = [np.ptp(cell, axis=2).mean() for cell in cells]
    assert chroma[0] == 0
    assert min(chroma[1:]) > 5
    for one, other in itertools.combinations(cells, 2):
        assert np.abs(one - other).max() > 10
    captions = [shown[316:336, 12 + n * width : 12 + n * width + 300] for n in range(5)]
    assert all((name < 100).any() for name in captions)
    assert main(["photo", str(folder), "-o", str(folder / "again"), *hinting[0]]) == 0  # the sheet is not a photograph
    assert names(folder / "again") == ["a.color.jpg", "b.color.png"]


def test_a_sheet_shows_several_photographs_without_failed_ones(folder, hinting):
    (folder / "bad.jpg").write_bytes(b"no picture")
    (folder / "a.jpg").rename(folder / "in two\nlines.jpg")
    sheet = folder / "sheet.webp"
    assert main(["photo", str(folder), "--sheet", str(sheet), *hinting[0]]) == 1
    with Image.open(sheet) as image:
        assert (image.format, image.height) == ("WEBP", 2 * (24 + 12 + 300 + 24 + 12))


def test_a_sheet_shows_a_photograph_that_is_written_to_the_standard_output(folder, hinting, capsysbinary):
    sheet = folder / "sheet.png"
    assert main(["photo", str(folder / "a.jpg"), "-o", "-", "--sheet", str(sheet), *hinting[0]]) == 0
    assert capsysbinary.readouterr().out.startswith(b"\xff\xd8")
    with Image.open(sheet) as image:
        assert image.height == 12 + 300 + 24 + 12


@pytest.mark.parametrize(
    ("name", "status", "message"),
    [("sheet.gif", 2, "choose such an extension, as in sheet.png"), ("a.color.jpg", 2, "read or written already"),
     ("a.jpg", 2, "read or written already"), ("old.png", 1, "exists already"), ("gone/s.png", 1, "no folder")],
)  # fmt: skip
def test_a_sheet_that_cannot_be_is_refused_before_the_work(folder, hinting, capsys, name, status, message):
    (folder / "old.png").write_bytes(b"mine")
    before = everything(folder)
    assert main(["photo", str(folder / "a.jpg"), "--sheet", str(folder / name), *hinting[0]]) == status
    assert message in capsys.readouterr().err
    assert everything(folder) == before
    assert not hinting[1]


def test_one_can_continue_from_an_alternative(folder, hinting):
    source, target = str(folder / "b.png"), folder / "next.png"
    assert main(["photo", source, "--alternatives", "1", *hinting[0]]) == 0
    hints = ["--hints", str(folder / "b.color.1.json"), "--hint", "0.9,0.9,#4682c8"]
    assert main(["photo", source, *hints, "--alternatives", "3", "-o", str(target), *hinting[0]]) == 0
    pictures = [pixels(target), *(pixels(folder / f"next.{number}.png") for number in (1, 2, 3))]
    for one, other in itertools.combinations(pictures, 2):
        assert np.abs(one - other).max() > 10
    assert Hint(0.9, 0.9, (0x46, 0x82, 0xC8)) in read_hints(folder / "next.3.json")


def test_the_network_runs_once_for_each_picture_and_twice_with_hints(folder, hinting):
    """An alternative is a picture with hints, for which the network runs with and without them."""
    options, runs = hinting
    assert main(["photo", str(folder / "a.jpg"), "--alternatives", "3", "--confidence", *options]) == 0
    assert runs == [1] * (1 + 3 * 2)


def test_confidence_is_a_grey_picture_of_the_photographs_size(folder, hinting):
    camera = Image.fromarray(data.camera()[:, ::2])
    exif = Image.Exif()
    exif[0x0112] = 6
    camera.transpose(Image.Transpose.ROTATE_90).save(folder / "turned.jpg", exif=exif)
    assert main(["photo", str(folder / "turned.jpg"), "--confidence-raw", *hinting[0]]) == 0
    assert names(folder) == ["a.jpg", "b.png", "turned.color.jpg", "turned.confidence.png", "turned.jpg"]
    with Image.open(folder / "turned.confidence.png") as image:
        assert (image.format, image.mode, image.size) == ("PNG", "L", camera.size)
        sure = np.asarray(image)
    grey = np.asarray(camera)
    assert sure[grey > 180].mean() > sure[grey < 40].mean() + 20  # this network is more certain of brighter pixels


def test_a_model_without_confidence_is_named(folder, monkeypatch, capsys):
    engine = hinting_engine()
    run_all = engine.run
    monkeypatch.setattr(engine, "run", lambda inputs: {k: v for k, v in run_all(inputs).items() if k != "confidence"})
    monkeypatch.setattr("photochrom.colorizer.colorizer.open_engine", lambda *_: engine)
    before = everything(folder)
    assert main(["photo", str(folder / "a.jpg"), str(folder / "b.png"), "--confidence"]) == 2
    assert "the model 'hinting' does not report its confidence" in capsys.readouterr().err
    assert everything(folder) == before


def test_a_model_without_alternatives_is_named(folder, monkeypatch, capsys):
    monkeypatch.setattr("photochrom.colorizer.colorizer.open_engine", lambda *_: hinting_engine(hints=False, bins=[]))
    before = everything(folder)
    assert main(["photo", str(folder / "a.jpg"), "--alternatives", "1"]) == 2
    assert "the model 'hinting' cannot suggest alternatives: choose another model" in capsys.readouterr().err
    assert everything(folder) == before


def test_extras_follow_the_output_and_the_batch(folder, hinting):
    (folder / "out").mkdir()
    extras = ["--alternatives", "1", "--confidence", *hinting[0]]
    assert main(["photo", str(folder / "a.jpg"), str(folder / "b.png"), "-o", str(folder / "out"), *extras]) == 0
    assert names(folder / "out") == [
        "a.color.1.jpg", "a.color.1.json", "a.color.jpg", "a.confidence.png",
        "b.color.1.json", "b.color.1.png", "b.color.png", "b.confidence.png",
    ]  # fmt: skip
    (folder / "one").mkdir()
    assert main(["photo", str(folder / "a.jpg"), "-o", str(folder / "one" / "x.tif"), *extras]) == 0
    assert names(folder / "one") == ["x.1.json", "x.1.tif", "x.confidence.png", "x.tif"]
    assert facts(folder / "one" / "x.1.tif")[0] == "TIFF"


@pytest.mark.parametrize("name", ["a.color.jpg", "a.color.1.jpg", "a.color.2.json", "a.confidence.png"])
def test_nothing_is_written_where_one_name_is_taken(folder, hinting, capsys, name):
    (folder / name).write_bytes(b"mine")
    before = everything(folder)
    extras = ["--alternatives", "2", "--confidence", *hinting[0]]
    status = 0 if name == "a.color.jpg" else 1  # a photograph whose coloured copy exists is skipped
    assert main(["photo", str(folder / "a.jpg"), *extras]) == status
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert name in error
    assert "exists already" in error
    assert everything(folder) == before
    assert not hinting[1]
    assert main(["photo", str(folder / "a.jpg"), *extras, "--overwrite"]) == 0
    assert (folder / name).read_bytes() != b"mine"
    assert len(names(folder)) == 8


def test_a_folder_in_the_place_of_an_extra_is_named(folder, hinting, capsys):
    (folder / "a.color.1.json").mkdir()
    assert main(["photo", str(folder / "a.jpg"), "--alternatives", "1", "--overwrite", *hinting[0]]) == 1
    assert "a.color.1.json: is a folder" in capsys.readouterr().err
    assert names(folder) == ["a.color.1.json", "a.jpg", "b.png"]


@pytest.mark.parametrize("extra", [["--alternatives", "1"], ["--confidence"]])
def test_extras_of_two_inputs_never_share_a_name(folder, hinting, capsys, extra):
    """The outputs of a.jpg and a.png have different names, but these files would have the same."""
    Image.fromarray(data.camera()).save(folder / "a.png")
    before = everything(folder)
    both = [str(folder / "a.jpg"), str(folder / "a.png")]
    assert main(["photo", *both, *extra, "--overwrite", *hinting[0]]) == 2
    assert f"{both[0]}: would be written to {folder}" in (said := capsys.readouterr().err)
    assert f", like {both[1]}: rename one, or choose another output" in said
    assert everything(folder) == before


@pytest.mark.parametrize(
    ("name", "extra"),
    [("a.color.1.jpg", ["--alternatives", "1"]), ("a.confidence.png", ["--confidence"])],
)
def test_an_extra_that_is_an_input_is_refused(folder, hinting, capsys, name, extra):
    """The other photograph is still coloured."""
    Image.fromarray(data.camera()).save(folder / name)
    before = everything(folder)
    assert main(["photo", str(folder / "a.jpg"), str(folder / name), *extra, "--overwrite", *hinting[0]]) == 1
    assert f"{name}: is itself to be coloured" in capsys.readouterr().err
    after = everything(folder)
    assert {known: after[known] for known in before} == before
    assert "a.color.jpg" not in after


def test_the_hints_that_are_read_are_never_overwritten(folder, hinting, capsys):
    (folder / "a.color.2.json").write_text(hints_json([Hint(0.5, 0.5, BLUE)]))
    before = everything(folder)
    hints = ["--hints", str(folder / "a.color.2.json"), "--overwrite", *hinting[0]]
    assert main(["photo", str(folder / "a.jpg"), *hints, "--alternatives", "2"]) == 2
    assert "a.color.2.json: is itself read for its hints" in capsys.readouterr().err
    assert everything(folder) == before
    assert main(["photo", str(folder / "a.jpg"), *hints, "--alternatives", "1"]) == 0


@pytest.fixture
def standard_input(folder, monkeypatch):
    """Make ``b.png`` the standard input."""
    with (folder / "b.png").open() as file:
        monkeypatch.setattr(sys, "stdin", file)
        yield


@pytest.mark.usefixtures("standard_input")
@pytest.mark.parametrize("extra", [["--alternatives", "1"], ["--confidence"]])
def test_the_standard_output_takes_no_extras(folder, extra, capsys):
    for arguments in ([str(folder / "a.jpg"), "-o", "-"], ["-"]):
        assert main(["photo", *arguments, *extra]) == 2
        printed, said = capsys.readouterr()
        assert printed == ""
        assert "are files beside the output" in said
    assert names(folder) == ["a.jpg", "b.png"]


@pytest.mark.slow
def test_hints_work_on_streams_and_extras_of_the_standard_input_need_a_name(folder, standard_input, capsysbinary):
    hint = ["--hint", "0.5,0.2,#4682c8"]
    assert main(["photo", "-", *hint]) == 0
    result = capsysbinary.readouterr().out
    assert b"with 1 colour given by hand); not a record" in result
    assert main(["photo", str(folder / "b.png"), *hint, "-o", "-"]) == 0
    assert capsysbinary.readouterr().out == result
    sys.stdin.buffer.seek(0)
    assert main(["photo", "-", "--confidence", "-o", str(folder / "x.png")]) == 0
    assert names(folder) == ["a.jpg", "b.png", "x.confidence.png", "x.png"]


def test_a_failure_of_an_alternative_leaves_no_files(folder, monkeypatch, capsys):
    engine = hinting_engine()
    answers = iter([engine.run] * 2)

    def run_or_fail(inputs):
        if (answer := next(answers, None)) is None:
            raise EngineError("no more")
        return answer(inputs)

    failing = type(engine)(run_or_fail, engine.metadata)
    monkeypatch.setattr("photochrom.colorizer.colorizer.open_engine", lambda *_: failing)
    assert main(["photo", str(folder / "a.jpg"), "--alternatives", "2"]) == 1
    assert "no more" in capsys.readouterr().err
    assert names(folder) == ["a.jpg", "b.png"]


def test_python_writes_the_same_as_the_command_line(folder, hinting):
    assert main(["photo", str(folder / "a.jpg"), "--alternatives", "2", "--confidence", *hinting[0]]) == 0
    (folder / "python").mkdir()
    wanted = {"alternatives": 2, "confidence": True, "colorizer": Colorizer(hinting[0][1])}
    target = folder / "python" / "a.color.jpg"
    assert colorize_file(folder / "a.jpg", target, **wanted) == target
    for path in (folder / "python").iterdir():
        assert path.read_bytes() == (folder / path.name).read_bytes()
    assert len(names(folder / "python")) == 6
    with pytest.raises(PhotoError, match="exists already"):
        colorize_file(folder / "a.jpg", target, ColorOptions(), **wanted)
    with pytest.raises(OptionError, match="ask for 1 to 5"):
        colorize_file(folder / "a.jpg", target, alternatives=6)


@pytest.mark.slow
def test_all_commands_of_the_page_on_hints_run(tmp_path, monkeypatch):
    root = Path(__file__).parents[2]
    shutil.copytree(root / "examples", tmp_path / "examples", ignore=shutil.ignore_patterns("train"))
    monkeypatch.chdir(tmp_path)
    luma = np.asarray(Image.open("examples/dust-bowl-home.jpg").convert("L"))
    shown = re.findall(r"```(\w+)\n(.*?)```", (root / "docs" / "hints.md").read_text(), re.S)
    assert [kind for kind, _ in shown] == ["sh", "json", "sh", "sh", "sh", "sh", "python"]
    for kind, text in shown:
        if kind == "json":
            Path("house.json").write_text(text)
        elif kind == "python":
            exec(text, {"luma": luma})
        else:
            assert main(shlex.split(text)[1:]) == 0
    assert len(names(tmp_path / "examples")) == 17


def test_a_photograph_that_does_not_exist_is_named_as_such_with_a_hint_in_pixels_too(tmp_path, capsys):
    missing = tmp_path / "missing.jpg"
    assert main(["photo", str(missing), "--hint", "3px,4px=#ff0000"]) == 1
    assert f"{missing}: does not exist: check the path" in capsys.readouterr().err
