"""Content credentials of photographs and batches: added last, and signed by the signer in the options."""

from __future__ import annotations

import pickle
import sys
from dataclasses import replace

import pytest

from photochrom.batch import color_batch
from photochrom.batch.report import read_rows
from photochrom.commands.main import main
from photochrom.label import is_labelled
from photochrom.photo import OutputOptions, colorize_file
from tests.batch.conftest import scan

pytest.importorskip("c2pa")
pytest.importorskip("cryptography")

from photochrom.content_credentials import Identity, make_certificates, read_claim


def test_an_identity_travels_and_shows_its_fingerprint_only(identity):
    again = pickle.loads(pickle.dumps(identity))
    assert again == identity
    assert repr(again) == f"Identity(sha256 {identity.fingerprint})"
    assert str(identity.key) not in repr(identity)


@pytest.mark.parametrize("extension", [".jpg", ".png", ".tif", ".webp"])
def test_a_photograph_is_labelled_then_signed(tmp_path, model, identity, extension):
    from photochrom import Colorizer

    source = scan(tmp_path / f"old{extension}")
    output = colorize_file(source, colorizer=Colorizer(str(model)), output=OutputOptions(c2pa=identity))
    claim = read_claim(output)
    assert claim.is_whole
    assert claim.ingredients == (source.name,)
    assert "tiny" in claim.actions[1]
    assert is_labelled(output)


def test_a_large_heic_can_still_be_decoded_once_it_is_signed(tmp_path, model, identity, monkeypatch):
    """Signing damages HEICs that are stored in tiles."""
    pillow_heif = pytest.importorskip("pillow_heif")
    from photochrom import Colorizer

    monkeypatch.setattr("photochrom.photo.formats.heif._TILE", 64)
    monkeypatch.setattr("photochrom.photo.formats.heif._LARGE", 64)
    source, output = scan(tmp_path / "old.png", size=(150, 70)), OutputOptions(c2pa=identity)
    signed = colorize_file(source, tmp_path / "new.heic", colorizer=Colorizer(str(model)), output=output)
    assert read_claim(signed).is_whole
    opened = pillow_heif.open_heif(signed)
    assert opened.to_pillow().size == (150, 70)
    assert "tiling" not in opened.info


def test_a_manifest_of_the_source_is_carried_on(tmp_path, model, identity):
    import c2pa

    from photochrom import Colorizer

    colorizer, output = Colorizer(str(model)), OutputOptions(c2pa=identity)
    first = colorize_file(scan(tmp_path / "old.jpg"), colorizer=colorizer, output=output)
    second = colorize_file(first, tmp_path / "again.jpg", colorizer=colorizer, output=output)
    with second.open("rb") as file, c2pa.Reader("image/jpeg", file) as reader:
        assert reader.json().count('"claim_generator_info"') == 2


@pytest.mark.slow
def test_a_batch_is_signed_and_another_signer_recolours(tree, tmp_path, options, identity):
    target = tmp_path / "out"
    signed = replace(options, output=OutputOptions(c2pa=identity))
    assert color_batch(tree, target, signed).colored == 4
    for row in read_rows(target / "report.jsonl"):
        assert read_claim(target / row.output).is_whole
        assert identity.fingerprint in row.options
    assert color_batch(tree, target, signed).done_before == 4
    other = Identity(*make_certificates(tmp_path / "other", "Reading room", "City Archive"))
    assert color_batch(tree, target, replace(options, output=OutputOptions(c2pa=other))).colored == 4


@pytest.mark.slow
def test_the_flags(tree, tmp_path, model, identity, capsys):
    names = [str(identity.certificate), str(identity.key)]
    base = ["--model", str(model), "--device", "cpu", "--c2pa", *names]
    assert main(["photo", str(tree / "a.jpg"), *base]) == 0
    assert read_claim(tree / "a.color.jpg").is_whole
    assert main(["batch", str(tree), "-o", str(tmp_path / "out"), "--workers", "1", *base]) == 0
    assert read_claim(tmp_path / "out" / "b.color.png").is_whole
    assert main(["photo", str(tree / "b.png"), "--tsa", "http://127.0.0.1:1"]) == 2
    assert "give --c2pa CERT KEY with --tsa" in capsys.readouterr().err
    assert main(["photo", str(tree / "b.png"), "--c2pa", names[0], names[0]]) == 2
    assert main(["photo", str(tree / "b.png"), *base, "--tsa", "http://127.0.0.1:1"]) == 1
    assert "cannot be written" in capsys.readouterr().err
    assert not (tree / "b.color.png").exists()


def test_without_the_package(tree, identity, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "c2pa", None)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    assert main(["photo", str(tree / "a.jpg"), "--c2pa", str(identity.certificate), str(identity.key)]) == 1
    assert "pip install 'photochrom[c2pa]'" in capsys.readouterr().err
