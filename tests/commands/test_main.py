"""The command line as its users meet it."""

import io
import itertools
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data
from skimage.color import rgb2lab

from photochrom import (
    Colorizer,
    ColorOptions,
    EngineError,
    Hint,
    OptionError,
    PhotoError,
    __version__,
    colorize_file,
    read_hints,
)
from photochrom.colorizer.hints import hints_json
from photochrom.commands.main import main
from tests.helpers.suggesting import hinting_engine

HEAVY = {"numpy", "PIL", "cv2", "openvino", "onnxruntime", "torch"}


def run(*arguments, stdin=b""):
    return subprocess.run([sys.executable, "-m", "photochrom", *map(str, arguments)], input=stdin, capture_output=True)


@pytest.fixture
def folder(tmp_path):
    """Two grey photographs."""
    Image.fromarray(data.camera()).save(tmp_path / "a.jpg")
    Image.fromarray(data.camera()[::2, ::3]).save(tmp_path / "b.png")
    return tmp_path


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"), int)


def facts(path):
    """Format and size."""
    with Image.open(path) as image:
        return image.format, image.size


def is_colored(path):
    return np.ptp(pixels(path), axis=2).mean() > 2


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["photo", "--help"]])
def test_help_and_version_load_nothing_heavy(arguments):
    code = f"import sys; from photochrom.commands.main import main\ntry: main({arguments})\nexcept SystemExit: pass\n"
    code += f"print(sorted({HEAVY} & set(sys.modules)))"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.splitlines()[-1] == "[]"


@pytest.mark.slow
def test_using_needs_no_pytorch(folder):
    code = "import sys; sys.modules['torch'] = None; from photochrom.commands.main import main; "
    code += f"status = main(['photo', {str(folder / 'a.jpg')!r}]); print(status, 'photochrom.training' in sys.modules)"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.split()[-2:] == ["0", "False"]
    assert is_colored(folder / "a.color.jpg")


def test_version():
    assert run("--version").stdout.decode().strip() == f"photochrom {__version__}"


@pytest.mark.slow
def test_outputs_stand_beside_their_sources(folder):
    assert main(["photo", str(folder / "a.jpg"), str(folder / "b.png")]) == 0
    assert is_colored(folder / "a.color.jpg")
    assert is_colored(folder / "b.color.png")
    assert sorted(p.name for p in folder.iterdir()) == ["a.color.jpg", "a.jpg", "b.color.png", "b.png"]


@pytest.mark.slow
def test_nothing_is_overwritten_unless_told(folder, capsys):
    source, target = folder / "a.jpg", folder / "a.color.jpg"
    target.write_bytes(b"mine")
    assert main(["photo", str(source)]) == 0
    assert "a.color.jpg exists already: skipped; --overwrite replaces it" in capsys.readouterr().err
    assert target.read_bytes() == b"mine"
    assert main(["photo", str(source), "--overwrite"]) == 0
    assert is_colored(target)


def test_a_source_is_never_overwritten(folder):
    before = (folder / "b.png").read_bytes()
    assert main(["photo", str(folder / "b.png"), "-o", str(folder / "b.png"), "--overwrite"]) == 2
    assert (folder / "b.png").read_bytes() == before


def test_a_source_under_another_name_is_never_overwritten(folder, capsys):
    """As on disks that take a.jpg and A.jpg for one."""
    (folder / "A.jpg").hardlink_to(folder / "a.jpg")
    assert main(["photo", str(folder / "a.jpg"), "-o", str(folder / "A.jpg"), "--overwrite"]) == 2
    assert "is itself to be coloured" in capsys.readouterr().err


@pytest.mark.slow
def test_what_is_no_photograph_is_named_itself(folder, capsys):
    """Not the output that it would have had."""
    Image.fromarray(data.camera()).save(folder / "c.gif")
    for name, said in (("c.gif", "is not a JPEG, PNG"), ("e.jpg", "does not exist")):
        assert main(["photo", str(folder / name)]) == 1
        assert capsys.readouterr().err.startswith(f"photochrom: {folder / name}: {said}")
    assert main(["photo", "/dev/zero", "-o", str(folder / "f.png")]) == 1
    assert "is a device" in capsys.readouterr().err


@pytest.mark.slow
def test_a_picture_that_is_too_large_does_not_stop_the_others(folder, capsys, monkeypatch):
    chroma = Colorizer.chroma

    def short_of_memory(self, luma, *rest, **more):
        if luma.shape == data.camera().shape:
            raise MemoryError
        return chroma(self, luma, *rest, **more)

    monkeypatch.setattr(Colorizer, "chroma", short_of_memory)
    assert main(["photo", str(folder / "a.jpg"), str(folder / "b.png")]) == 1
    assert "a.jpg: does not fit in memory" in capsys.readouterr().err
    assert is_colored(folder / "b.color.png")


def test_a_closed_standard_output_is_one_line(folder, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    assert main(["photo", str(folder / "a.jpg"), "-o", "-"]) == 1
    assert capsys.readouterr().err == "photochrom: the standard output is closed: name a file\n"


def test_a_folder_that_cannot_be_written_is_named(tmp_path, capsys, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("PHOTOCHROM_HOME", str(tmp_path / "file" / "home"))
    monkeypatch.setattr("photochrom.models.vgg16.read_vgg16", lambda _: {})
    monkeypatch.setattr("onnx.checker.check_model", lambda _: None)
    assert main(["models", "get", "reference", "--encoder-weights", str(tmp_path / "file")]) == 1
    assert "home" in (said := capsys.readouterr().err)
    assert "cannot be written" in said


def test_an_output_that_is_another_input_is_refused(folder, capsys):
    (folder / "a.color.jpg").write_bytes((folder / "a.jpg").read_bytes())
    before = (folder / "a.color.jpg").read_bytes()
    assert main(["photo", str(folder / "a.jpg"), str(folder / "a.color.jpg"), "--overwrite"]) == 1
    assert "is itself to be coloured" in capsys.readouterr().err
    assert (folder / "a.color.jpg").read_bytes() == before


@pytest.mark.slow
def test_an_input_given_twice_is_coloured_once(folder):
    assert main(["photo", str(folder / "a.jpg"), str(folder / "a.jpg")]) == 0


@pytest.mark.parametrize(("name", "status"), [("/", 2), ("", 1)])
def test_what_has_no_name_is_one_line(name, status, capsys):
    assert main(["photo", name]) == status
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.slow
def test_ended_in_the_middle_it_leaves_nothing_behind(folder, signal_number):
    Image.fromarray(np.tile(data.camera(), (12, 16))).save(folder / "big.png", compress_level=0)
    job = subprocess.Popen(
        [sys.executable, "-m", "photochrom", "photo", str(folder / "big.png")], stderr=subprocess.PIPE
    )
    for _ in range(3000):
        if any(".part" in p.name for p in folder.iterdir()):
            break
        time.sleep(0.01)
    job.send_signal(signal_number)
    _, error = job.communicate()
    assert job.returncode in (130, 143)
    assert b"Traceback" not in error
    assert sorted(p.name for p in folder.iterdir()) == ["a.jpg", "b.png", "big.png"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.slow
def test_a_full_standard_output_is_one_line(folder):
    with Path("/dev/full").open("wb") as full:
        command = [sys.executable, "-m", "photochrom", "photo", str(folder / "a.jpg"), "-o", "-"]
        result = subprocess.run(command, stdout=full, stderr=subprocess.PIPE)
    assert result.returncode == 1
    assert result.stderr.decode().count("\n") == 1


@pytest.mark.slow
def test_output_file_folder_and_format(folder):
    (folder / "out").mkdir()
    assert main(["photo", str(folder / "a.jpg"), "-o", str(folder / "x.tif")]) == 0
    assert facts(folder / "x.tif")[0] == "TIFF"
    assert main(["photo", str(folder / "a.jpg"), str(folder / "b.png"), "-o", str(folder / "out")]) == 0
    assert sorted(p.name for p in (folder / "out").iterdir()) == ["a.color.jpg", "b.color.png"]


def test_two_inputs_never_share_an_output(folder, capsys):
    for name in ("x", "y"):
        (folder / name).mkdir()
        (folder / "a.jpg").rename(folder / name / "a.jpg") if name == "x" else (folder / "y" / "a.jpg").write_bytes(
            (folder / "x" / "a.jpg").read_bytes()
        )
    (folder / "out").mkdir()
    assert main(["photo", str(folder / "x" / "a.jpg"), str(folder / "y" / "a.jpg"), "-o", str(folder / "out")]) == 2
    assert "would both be written" in capsys.readouterr().err
    assert list((folder / "out").iterdir()) == []


def test_several_inputs_need_a_folder(folder, capsys):
    assert main(["photo", str(folder / "a.jpg"), str(folder / "b.png"), "-o", str(folder / "x.jpg")]) == 2
    assert "need a folder" in capsys.readouterr().err


@pytest.mark.slow
def test_one_bad_file_does_not_stop_the_others(folder):
    (folder / "bad.jpg").write_bytes((folder / "a.jpg").read_bytes()[:500])
    (folder / "none.jpg").write_bytes(b"")
    result = run("photo", folder / "bad.jpg", folder / "none.jpg", folder / "gone.jpg", folder / "a.jpg")
    assert result.returncode == 1
    lines = result.stderr.decode().splitlines()
    assert len(lines) == 3
    assert all(line.startswith("photochrom: ") for line in lines)
    for name, line in zip(("bad.jpg", "none.jpg", "gone.jpg"), lines, strict=True):
        assert name in line
    assert is_colored(folder / "a.color.jpg")
    assert sorted(p.name for p in folder.iterdir() if "color" in p.name) == ["a.color.jpg"]


@pytest.mark.slow
def test_streams(folder):
    result = run("photo", "-", stdin=(folder / "b.png").read_bytes())
    assert result.returncode == 0
    assert facts(io.BytesIO(result.stdout)) == facts(folder / "b.png")
    result = run("photo", folder / "a.jpg", "-o", "-")
    assert facts(io.BytesIO(result.stdout)) == facts(folder / "a.jpg")
    assert sorted(p.name for p in folder.iterdir()) == ["a.jpg", "b.png"]


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (["--vividness", "2"], "vividness is 2"),
        (["--strength", "-1"], "strength is -1"),
        (["--quality", "0"], "quality is 0"),
    ],
)
def test_wrong_options_are_named(folder, capsys, option, message):
    assert main(["photo", str(folder / "a.jpg"), *option]) == 2
    assert message in capsys.readouterr().err


def test_a_missing_model_is_one_line(folder, capsys):
    assert main(["photo", str(folder / "a.jpg"), "--model", "artistic"]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "default, reference" in error


@pytest.mark.slow
def test_dials_do_what_they_say(folder):
    spread = {}
    for name, option in {
        "cautious": ["--vividness", "0"],
        "bold": ["--vividness", "0.9"],
        "grey": ["--strength", "0"],
    }.items():
        target = folder / f"{name}.png"
        assert main(["photo", str(folder / "b.png"), "-o", str(target), *option]) == 0
        spread[name] = np.ptp(pixels(target), axis=2).mean()
    assert spread["grey"] == 0
    assert spread["bold"] > 1.2 * spread["cautious"] > 0


@pytest.fixture
def hinting(tmp_path_factory, monkeypatch):
    """Options that choose a model of known answer, and what its network was asked for, run by run."""
    runs = []
    path = tmp_path_factory.mktemp("model") / "hinting.onnx"
    path.write_bytes(b"hinting")
    monkeypatch.setattr("photochrom.colorizer.colorizer.open_engine", lambda *_: hinting_engine(runs))
    return ["--model", str(path)], runs


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def everything(folder):
    return {p.name: p.read_bytes() for p in folder.iterdir()}


def luma_plane(path):
    """The Y plane of a JPEG as it is stored."""
    with Image.open(path) as image:
        image.draft("YCbCr", None)
        return np.asarray(image)[..., 0].astype(int)


def label(path):
    with Image.open(path) as image:
        return image.info["xmp"].decode()


BLUE = (70, 110, 190)


def ab_at(path, x, y):
    """a*b* of a place, by other people's code."""
    lab = rgb2lab(pixels(path).astype(np.uint8))
    return lab[int(y * lab.shape[0]), int(x * lab.shape[1]), 1:]


def ab_of(color):
    return rgb2lab(np.array([[color]], np.uint8))[0, 0, 1:]


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
    """In files first: of hints at one place the last counts."""
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
def test_wrong_wishes_are_one_line_and_nothing_is_written(folder, capsys, monkeypatch, options):
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


def test_one_can_go_on_from_an_alternative(folder, hinting):
    source, target = str(folder / "b.png"), folder / "next.png"
    assert main(["photo", source, "--alternatives", "1", *hinting[0]]) == 0
    hints = ["--hints", str(folder / "b.color.1.json"), "--hint", "0.9,0.9,#4682c8"]
    assert main(["photo", source, *hints, "--alternatives", "3", "-o", str(target), *hinting[0]]) == 0
    pictures = [pixels(target), *(pixels(folder / f"next.{number}.png") for number in (1, 2, 3))]
    for one, other in itertools.combinations(pictures, 2):
        assert np.abs(one - other).max() > 10
    assert Hint(0.9, 0.9, (0x46, 0x82, 0xC8)) in read_hints(folder / "next.3.json")


def test_the_network_runs_once_for_each_picture_and_twice_with_hints(folder, hinting):
    """An alternative is a picture with hints, of which the network is asked with them and without."""
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
    assert sure[grey > 180].mean() > sure[grey < 40].mean() + 20  # that network is the surer the brighter


def test_a_model_that_does_not_say_how_sure_it_is_is_named(folder, monkeypatch, capsys):
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
    assert "the model 'hinting' knows no alternatives: choose another model" in capsys.readouterr().err
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
    """a.jpg and a.png have outputs of their own, but for these."""
    Image.fromarray(data.camera()).save(folder / "a.png")
    before = everything(folder)
    both = [str(folder / "a.jpg"), str(folder / "a.png")]
    assert main(["photo", *both, *extra, "--overwrite", *hinting[0]]) == 2
    assert "would both be written" in capsys.readouterr().err
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
    assert f"{name} is itself to be coloured" in capsys.readouterr().err
    after = everything(folder)
    assert {known: after[known] for known in before} == before
    assert "a.color.jpg" not in after


def test_the_hints_that_are_read_are_never_overwritten(folder, hinting, capsys):
    (folder / "a.color.2.json").write_text(hints_json([Hint(0.5, 0.5, BLUE)]))
    before = everything(folder)
    hints = ["--hints", str(folder / "a.color.2.json"), "--overwrite", *hinting[0]]
    assert main(["photo", str(folder / "a.jpg"), *hints, "--alternatives", "2"]) == 2
    assert "a.color.2.json is itself read for its hints" in capsys.readouterr().err
    assert everything(folder) == before
    assert main(["photo", str(folder / "a.jpg"), *hints, "--alternatives", "1"]) == 0


@pytest.mark.parametrize("extra", [["--alternatives", "1"], ["--confidence"]])
def test_the_standard_output_takes_no_extras(folder, extra):
    for arguments, stdin in (([folder / "a.jpg", "-o", "-"], b""), (["-"], (folder / "b.png").read_bytes())):
        result = run("photo", *arguments, *extra, stdin=stdin)
        assert result.returncode == 2
        assert result.stdout == b""
        assert b"are files beside the output" in result.stderr
    assert names(folder) == ["a.jpg", "b.png"]


@pytest.mark.slow
def test_hints_work_on_streams_and_extras_of_the_standard_input_need_a_name(folder):
    hint = ["--hint", "0.5,0.2,#4682c8"]
    result = run("photo", "-", *hint, stdin=(folder / "b.png").read_bytes())
    assert b"with 1 colour given by hand); not a record" in result.stdout
    assert run("photo", folder / "b.png", *hint, "-o", "-").stdout == result.stdout
    extras = ["--confidence", "-o", folder / "x.png"]
    assert run("photo", "-", *extras, stdin=(folder / "b.png").read_bytes()).returncode == 0
    assert names(folder) == ["a.jpg", "b.png", "x.confidence.png", "x.png"]


def test_a_network_that_fails_on_an_alternative_leaves_nothing(folder, monkeypatch, capsys):
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
def test_all_that_the_page_on_hints_shows_runs(tmp_path, monkeypatch):
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


def test_models_are_listed(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("PHOTOCHROM_HOME", str(tmp_path))
    assert main(["models", "list"]) == 0
    output = capsys.readouterr().out
    assert "default" in output
    assert "photochrom models get reference" in output


@pytest.mark.slow
def test_evaluate_prints_a_table_and_writes_what_it_is_asked(tmp_path, capsys):
    photographs = tmp_path / "photographs"
    photographs.mkdir()
    for name in ("astronaut", "coffee", "chelsea"):
        Image.fromarray(getattr(data, name)()).save(photographs / f"{name}.jpg")
    sheet, figures = tmp_path / "sheet.png", tmp_path / "figures.json"
    assert main(["evaluate", str(photographs), "--json", str(figures), "--sheet", str(sheet)]) == 0
    output = capsys.readouterr().out
    assert output.startswith("3 photographs")
    rows = [line.split("|")[1].strip() for line in output.splitlines() if line.startswith("|")]
    assert rows == ["picture", "---", "grey", "default", "truth"] * 2
    assert facts(sheet) == ("PNG", (3 * (3 * 160 + 12), 164))
    assert '"ciede2000"' in figures.read_text()
    assert main(["evaluate", str(tmp_path / "nothing")]) == 1
