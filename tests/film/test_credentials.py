"""Signed films: the manifest is in the film, or beside one that cannot hold it."""

from dataclasses import replace

import pytest

from photochrom.errors import FilmError
from photochrom.film import FilmOptions, colorize_film
from photochrom.film.output.signing import manifest_path
from tests.helpers.films import colorizer, pan, same_lumas, write_film

pytest.importorskip("c2pa")
pytest.importorskip("cryptography")

from photochrom.commands.main import main
from photochrom.content_credentials import read_claim


@pytest.fixture
def orange(tmp_path):
    return colorizer(tmp_path, lambda lightness: (30, 40))


@pytest.mark.slow
@pytest.mark.parametrize("extension", [".mp4", ".mov", ".mkv"])
def test_a_signed_film_is_whole_and_unchanged(tmp_path, orange, identity, certificates, extension):
    source = write_film(tmp_path / f"reel{extension}", pan(8))
    options = FilmOptions(preset="superfast")
    plain = colorize_film(source, tmp_path / f"plain{extension}", options, colorizer=orange).output
    signed = colorize_film(
        source, tmp_path / f"signed{extension}", replace(options, c2pa=identity), colorizer=orange
    ).output
    beside = manifest_path(signed)
    assert (beside is None) == (extension != ".mkv")
    assert beside is None or beside.is_file()
    claim = read_claim(signed, [certificates / "authority.pem"])
    assert claim.is_whole
    assert claim.is_trusted
    assert claim.ingredients == (source.name,)
    assert "not a record of the original colours" in claim.actions[1]
    assert same_lumas(plain, signed)
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


@pytest.mark.parametrize("extension", [".mp4", ".mkv"])
def test_a_changed_film_is_found(tmp_path, orange, identity, extension):
    source = write_film(tmp_path / f"reel{extension}", pan(4))
    options = FilmOptions(preset="superfast", c2pa=identity)
    signed = colorize_film(source, tmp_path / f"signed{extension}", options, colorizer=orange).output
    data = bytearray(signed.read_bytes())
    data[-200] ^= 1
    signed.write_bytes(data)
    assert not read_claim(signed).is_whole


def test_another_signer_continues_the_work(identity):
    assert repr(FilmOptions(c2pa=identity)) == repr(FilmOptions())  # part of the key of unfinished work


def test_a_manifest_that_exists_is_not_replaced(tmp_path, orange, identity):
    source = write_film(tmp_path / "reel.mkv", pan(4))
    beside = tmp_path / "reel.color.mkv.c2pa"
    beside.write_bytes(b"mine")
    options = FilmOptions(preset="superfast", c2pa=identity)
    with pytest.raises(FilmError, match=r"\.c2pa: exists: choose another output, or add overwrite=True"):
        colorize_film(source, options=options, colorizer=orange)
    assert beside.read_bytes() == b"mine"
    assert not (tmp_path / "reel.color.mkv").exists()
    colorize_film(source, options=options, colorizer=orange, overwrite=True)
    assert read_claim(tmp_path / "reel.color.mkv").is_whole


def test_a_time_stamp_without_a_signature_is_refused(tmp_path, capsys):
    assert main(["film", str(tmp_path / "reel.mp4"), "--tsa", "http://127.0.0.1:1"]) == 2
    assert "a time stamp belongs to a signature" in capsys.readouterr().err
