"""Verbs, misspellings, help, completion and the doctor."""

import os
import re

import av
import pytest
from PIL import Image
from skimage import data

from photochrom.commands.file_kinds import kind_of
from photochrom.commands.main import main
from photochrom.models.engines import open_engine
from photochrom.models.registry import ModelCard, find_model
from tests.helpers.films import pan, still_frame, write_film, write_frames


@pytest.fixture
def grey(tmp_path):
    path = tmp_path / "old.jpg"
    Image.fromarray(data.camera()[::4, ::4]).save(path)
    return path


@pytest.fixture
def film(tmp_path):
    return write_film(tmp_path / "reel.mkv", pan(6), codec="ffv1", rate=24)


def refused(arguments, capsys):
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert exit_.value.code == 2
    return capsys.readouterr().err


def test_misspelt_verbs_options_and_values(grey, capsys):
    assert main(["phto", str(grey)]) == 2
    assert "'phto' is neither a verb nor a file: did you mean photo?" in capsys.readouterr().err
    said = refused(["photo", str(grey), "--vividnss", "1"], capsys)
    assert "photochrom photo: unknown option --vividnss: did you mean --vividness?" in said
    assert "unknown option --lr: see" in refused(["train", "photographs", "-o", "run", "--lr", "1"], capsys)
    assert main(["xyzzy"]) == 2
    assert "'xyzzy' is neither a verb nor a file: the verbs are photo, batch, film, " in capsys.readouterr().err
    assert "did you mean get?" in refused(["models", "gte"], capsys)


def test_values_and_files_may_begin_with_a_minus_sign(grey, film, monkeypatch, capsys):
    for value, told in (
        ("-1,5=red", "'-1,5=red' is not a hint: write X,Y,COLOR"),
        ("-.5,.5,red", "a hint's x is -0.5: give a number from 0 to 1"),
        ("-5%,5%,red", "a hint's x is -0.05: give a number from 0 to 1"),
    ):
        assert main(["photo", str(grey), "--hint", value]) == 2
        assert told in capsys.readouterr().err
    assert main(["film", str(film), "--start", "-1:00"]) == 2
    assert "'-1:00' is not a time" in capsys.readouterr().err
    said = refused(["photo", str(grey), "--hints", "-x.json"], capsys)
    assert "--hints lacks its value; if that begins with a minus sign, write --hints=VALUE: see" in said
    monkeypatch.chdir(grey.parent)
    (grey.parent / "-old.jpg").write_bytes(b"")
    for arguments in (["photo", "-old.jpg"], ["photo", str(grey), "-old.jpg"], ["film", "--end", "-old.jpg"]):
        assert "-old.jpg is taken for an option: write ./-old.jpg" in refused(arguments, capsys)
    grey.rename("-1.jpg")
    assert main(["-1.jpg", "--strength", "3"]) == 2
    assert "strength is 3" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["photo", ""],
        ["batch", "", "-o", "x"],
        ["film", "a.mp4", "-o", ""],
        ["train", "", "-o", "run"],
        ["c2pa", "check", ""],
    ],
)
def test_an_empty_argument_does_not_mean_the_current_folder(arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert "an argument is empty, perhaps because a variable is not set: see" in refused(arguments, capsys)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["reel.mxf", "reel.0000001.dpx"])
def test_films_of_cinema_and_television_are_known(name, tmp_path):
    with av.open(tmp_path / name, "w", format="mxf" if name.endswith("mxf") else "image2") as output:
        stream = output.add_stream("mpeg2video" if name.endswith("mxf") else "dpx", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p" if name.endswith("mxf") else "rgb24"
        output.mux(stream.encode(av.VideoFrame(64, 48, stream.pix_fmt)))
        output.mux(stream.encode())
    path = next(tmp_path.glob("reel*"))
    assert kind_of(path) == "film"


@pytest.mark.parametrize(
    ("suffix", "codec", "name"),
    [
        ("mjpeg", "mjpeg", "yuvj420p"),
        ("MJPG", "mjpeg", "yuvj420p"),
        ("apng", "apng", "gray"),
        ("h264", "libx264", "yuv420p"),
        ("y4m", "rawvideo", "yuv420p"),
        ("ivf", "libvpx", "yuv420p"),
        ("gif", "gif", "gray"),
        ("rm", "rv20", "yuv420p"),
        ("m2ts", "libx264", "yuv420p"),
    ],
)
def test_raw_streams_and_old_formats_are_films_and_the_photo_verb_says_so(suffix, codec, name, tmp_path, capsys):
    frames = [still_frame(luma).reformat(format=name) for luma in pan(3, 176, 144)]
    path = write_frames(tmp_path / f"reel.{suffix}", frames, name=name, codec=codec)
    assert kind_of(path) == "film"
    assert main(["photo", str(path)]) == 1
    assert f"{path}: is a film: colour it with 'photochrom film'" in capsys.readouterr().err


@pytest.mark.slow
def test_a_raw_stream_of_jpegs_is_coloured_as_a_film(tmp_path, capsys):
    frames = [still_frame(luma, "yuvj420p") for luma in pan(6)]
    path = write_frames(tmp_path / "reel.mjpeg", frames, name="yuvj420p", codec="mjpeg")
    assert main([str(path)]) == 0
    assert f"{path} -> {tmp_path / 'reel.color.mkv'}: 6 frames, 1 shot" in capsys.readouterr().out
    with av.open(tmp_path / "reel.color.mkv") as colored:
        assert sum(1 for _ in colored.decode(video=0)) == 6


def test_a_gif_of_one_picture_and_an_animated_avif_are_not_films(tmp_path):
    first, second = (Image.fromarray(luma) for luma in pan(2))
    first.save(tmp_path / "a.gif")
    first.save(tmp_path / "a.avif", save_all=True, append_images=[second])
    assert (kind_of(tmp_path / "a.gif"), kind_of(tmp_path / "a.avif")) == (None, "photo")


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows does not allow such names")
def test_results_and_notes_escape_control_characters(tmp_path, capsys):
    Image.fromarray(data.camera()[::4, ::4]).save(tmp_path / "a\n\x1b[31m.jpg")
    for _ in range(2):
        assert main(["photo", str(tmp_path / "a\n\x1b[31m.jpg")]) == 0
    said = capsys.readouterr()
    assert r"a\n\x1b[31m.jpg -> " in said.out
    assert r"a\n\x1b[31m.jpg: " in said.err
    assert "\x1b" not in said.out + said.err


@pytest.mark.slow
def test_the_wrong_verb_names_the_right_one(grey, film, capsys):
    assert main(["film", str(grey)]) == 1
    assert "is a photograph: colour it with 'photochrom photo'" in capsys.readouterr().err
    assert main(["photo", str(film)]) == 1
    assert "is a film: colour it with 'photochrom film'" in capsys.readouterr().err
    assert main(["film", str(grey.parent)]) == 1
    assert "is a folder" in capsys.readouterr().err
    assert main(["film", "-"]) == 1
    assert "a film cannot be read from the standard input: name a file" in capsys.readouterr().err


@pytest.mark.slow
def test_files_without_a_verb_are_coloured_by_their_kind(grey, film, capsys):
    assert (kind_of(grey), kind_of(film), kind_of(grey.parent)) == ("photo", "film", None)
    assert main([str(grey), str(film)]) == 0
    assert (grey.parent / "old.color.jpg").exists()
    assert (film.parent / "reel.color.mkv").exists()
    said = capsys.readouterr().out.splitlines()
    assert said[0] == f"{grey} -> {grey.parent / 'old.color.jpg'}"
    told = re.escape(f"{film} -> {film.parent / 'reel.color.mkv'}: 6 frames, 1 shot, in ")
    assert re.match(rf"{told}\d+:\d\d\b", said[1])
    assert main([str(grey), str(film), "--overwrite"]) == 2
    assert main([str(grey), "--overwrite"]) == 0
    assert main(["nothing.jpg"]) == 1


@pytest.mark.slow
def test_several_films_go_to_a_folder(film, tmp_path, capsys):
    other = write_film(tmp_path / "other.mkv", pan(6), codec="ffv1", rate=24)
    (tmp_path / "bad.mkv").write_bytes(b"bad")
    films = [str(film), str(tmp_path / "bad.mkv"), str(other)]
    assert main(["film", *films, "-o", str(tmp_path / "out")]) == 1
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["other.color.mkv", "reel.color.mkv"]
    assert capsys.readouterr().err.count("bad.mkv") == 1
    assert main(["film", *films, "-o", str(tmp_path / "x.mkv")]) == 2


@pytest.mark.slow
@pytest.mark.parametrize("action", [[], ["list"]])
def test_models_are_listed(action, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("PHOTOCHROM_HOME", str(tmp_path))
    path = find_model("default")
    card = ModelCard.of(open_engine(path).metadata, path)
    assert main(["models", *action]) == 0
    first, second, *others = capsys.readouterr().out.splitlines()
    assert first.split() == f"default {card.name} {card.version}, {card.licence}: {card.description}".split()
    assert second.strip() == str(path)
    assert others[0].startswith("reference ")
    assert "photochrom models get reference" in others[0]


@pytest.mark.parametrize(
    "verb", ["photo", "batch", "film", "studio", "models", "doctor", "c2pa", "evaluate", "train"]
)  # fmt: skip
def test_help_ends_with_examples_and_the_documentation(verb, capsys):
    with pytest.raises(SystemExit):
        main([verb, "--help"])
    said = capsys.readouterr().out
    assert f"examples:\n  photochrom {verb}" in said
    assert said.splitlines()[-1].startswith("documentation: https://")


def test_completion(capsys):
    pytest.importorskip("shtab")
    with pytest.raises(SystemExit) as exit_:
        main(["--print-completion", "bash"])
    assert exit_.value.code == 0
    said = capsys.readouterr().out
    assert "--vividness" in said
    assert "unknown shell 'fsh'" in refused(["--print-completion", "fsh"], capsys)


@pytest.mark.slow
def test_the_doctor_reports(capsys, monkeypatch):
    monkeypatch.setenv("PHOTOCHROM_DEVICE", "cpu")
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out
    packages = ("jpeglib", "openvino")
    for name in ("photochrom", "processor", "memory", *packages, "engine", "sha256", "PHOTOCHROM_DEVICE=cpu"):
        assert name in said


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[photos]\nquality = 90\n", "unknown table 'photos': did you mean photo?"),
        ("[photo]\nqualty = 90\n", "unknown setting of photo: 'qualty': did you mean quality?"),
        ('[film]\ncrf = "low"\n', "crf is 'low': write a value as for --crf"),
    ],
)
def test_the_doctor_reports_settings_that_other_verbs_refuse(text, problem, tmp_path, capsys, monkeypatch):
    (tmp_path / "config.toml").write_text(text)
    monkeypatch.setenv("PHOTOCHROM_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setattr("photochrom.commands.doctor._models", tuple)
    assert main(["doctor"]) == 0
    assert f"settings       {tmp_path / 'config.toml'}: {problem}\n" in capsys.readouterr().out
