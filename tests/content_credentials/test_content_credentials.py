import base64
import datetime
import io
import stat
import sys
from pathlib import Path

import pytest
from PIL import Image

from photochrom.errors import OptionError, PhotochromError

c2pa = pytest.importorskip("c2pa")
pytest.importorskip("cryptography")

from photochrom.commands.main import main  # noqa: E402
from photochrom.content_credentials import Identity, make_certificates, read_claim, sign  # noqa: E402

FORMATS = {".jpg": "JPEG", ".png": "PNG", ".tif": "TIFF", ".webp": "WEBP", ".avif": "AVIF"}


def picture(format="JPEG", color="grey"):
    stream = io.BytesIO()
    Image.new("RGB", (64, 48), color).save(stream, format)
    return stream.getvalue()


def signed(path, identity, data, original=None, name="old.jpg"):
    stream = io.BytesIO()
    original = original or picture()
    embedded = sign(io.BytesIO(data), stream, path.suffix, identity, io.BytesIO(original), name, "fake 1, sha256 0")
    path.write_bytes(stream.getvalue() if embedded else data)
    if not embedded:
        path.with_name(path.name + ".c2pa").write_bytes(stream.getvalue())
    return path


@pytest.mark.parametrize("extension", FORMATS)
def test_signed_files_are_whole_and_trusted_with_the_authority(tmp_path, identity, certificates, extension):
    path = signed(tmp_path / f"old.color{extension}", identity, picture(FORMATS[extension], "orange"))
    claim = read_claim(path)
    assert claim.is_whole
    assert not claim.is_trusted
    assert claim.signer == "City Archive"
    assert claim.ingredients == ("old.jpg",)
    assert [action.partition(":")[0] for action in claim.actions] == ["c2pa.opened", "c2pa.color_adjustments"]
    assert "not a record of the original colours" in claim.actions[1]
    assert claim.time == ""  # no time stamp authority was used
    assert read_claim(path, [certificates / "authority.pem"]).is_trusted
    assert Image.open(path).convert("RGB").getpixel((5, 5))[0] > 200


def test_the_manifest_says_that_a_model_made_the_colours(tmp_path, identity):
    path = signed(tmp_path / "old.color.jpg", identity, picture())
    with c2pa.Reader("image/jpeg", io.BytesIO(path.read_bytes())) as reader:
        text = reader.json()
    assert "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia" in text
    assert '"parentOf"' in text
    assert "fake 1, sha256 0" in text
    assert "thumbnail" not in text
    assert path.stat().st_size - len(picture()) < 20_000


def test_the_original_may_have_any_name(tmp_path, identity, capsys):
    """Bytes that are not UTF-8 are replaced, and control characters reach no terminal."""
    path = signed(tmp_path / "old.color.jpg", identity, picture(), name="caf\udce9\x1b[31m\n.jpg")
    assert read_claim(path).ingredients == ("caf\ufffd\x1b[31m\n.jpg",)
    assert main(["c2pa", "check", str(path)]) == 0
    assert capsys.readouterr().out.endswith("  made from caf\ufffd\\x1b[31m\\n.jpg\n")


def test_the_picture_itself_is_untouched(tmp_path, identity):
    data = picture("PNG", "orange")
    path = signed(tmp_path / "old.color.png", identity, data)
    assert Image.open(path).tobytes() == Image.open(io.BytesIO(data)).tobytes()


def test_a_changed_byte_is_detected(tmp_path, identity, capsys):
    path = signed(tmp_path / "old.color.jpg", identity, picture(color="orange"))
    data = bytearray(path.read_bytes())
    data[-20] ^= 1
    path.write_bytes(data)
    assert not read_claim(path).is_whole
    assert main(["c2pa", "check", str(path)]) == 1
    assert "CHANGED since it was signed (assertion.dataHash.mismatch)" in capsys.readouterr().out


def test_a_manifest_of_the_original_is_carried_on(tmp_path, identity):
    first = signed(tmp_path / "scan.jpg", identity, picture(), name="negative.jpg")
    second = signed(tmp_path / "scan.color.jpg", identity, picture(color="orange"), first.read_bytes(), "scan.jpg")
    with c2pa.Reader("image/jpeg", io.BytesIO(second.read_bytes())) as reader:
        text = reader.json()
    assert "negative.jpg" in text
    assert text.count('"claim_generator_info"') == 2


def test_an_original_with_a_wrong_extension_is_bound_all_the_same(tmp_path, identity):
    path = signed(tmp_path / "scan.color.jpg", identity, picture(color="orange"), picture(), "scan.tif")
    assert read_claim(path).is_whole
    assert read_claim(path).ingredients == ("scan.tif",)


@pytest.mark.parametrize("name", ["old.color.jp2", "reel.color.mkv", "reel.color.mxf"])
def test_formats_that_hold_no_manifest_get_one_beside_the_file(tmp_path, identity, name):
    path = signed(tmp_path / name, identity, b"a film" * 1000)
    assert path.read_bytes() == b"a film" * 1000
    assert read_claim(path).is_whole
    path.write_bytes(b"another film")
    assert not read_claim(path).is_whole


def test_files_without_credentials(tmp_path, capsys):
    path = tmp_path / "plain.jpg"
    path.write_bytes(picture())
    assert read_claim(path) is None
    (tmp_path / "notes.txt").write_text("hello")
    assert read_claim(tmp_path / "notes.txt") is None
    assert main(["c2pa", "check", str(path)]) == 1
    assert capsys.readouterr().out == f"{path}: no content credentials\n"
    with pytest.raises(PhotochromError, match=r"gone\.jpg: content credentials cannot be read"):
        read_claim(tmp_path / "gone.jpg")
    assert main(["c2pa", "check", str(tmp_path / "gone.jpg"), str(path)]) == 1
    said = capsys.readouterr()
    assert said.out == f"{path}: no content credentials\n"
    assert said.err.count("gone.jpg: content credentials cannot be read") == said.err.count("\n") == 1


def test_an_authority_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"")
    with pytest.raises(PhotochromError, match=r"nope.pem: cannot be read \(No such file.*: check the path"):
        read_claim(tmp_path / "a.jpg", [tmp_path / "nope.pem"])
    (tmp_path / "b.pem").write_bytes(b"\xff")
    with pytest.raises(PhotochromError, match=r"b.pem: is not a certificate in PEM: name authority.pem"):
        read_claim(tmp_path / "a.jpg", [tmp_path / "b.pem"])


def test_the_key_is_its_owners_alone(certificates):
    if sys.platform == "win32":
        pytest.skip("no modes")
    assert stat.S_IMODE((certificates / "key.pem").stat().st_mode) == 0o600


def test_certificates_meet_the_specification(certificates):
    from cryptography import x509

    own, authority = x509.load_pem_x509_certificates((certificates / "certificate.pem").read_bytes())
    own.verify_directly_issued_by(authority)
    assert not own.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    usages = {usage.dotted_string for usage in own.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value}
    assert usages == {"1.3.6.1.5.5.7.3.4", "1.3.6.1.5.5.7.3.36"}
    key_id = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.key_identifier
    issuer = own.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    assert issuer == key_id


def test_init_replaces_nothing(tmp_path, capsys):
    command = ["c2pa", "init", str(tmp_path / "new"), "--name", "Reading room", "--organization", "City Archive"]
    assert main(command) == 0
    assert f"--c2pa {tmp_path / 'new' / 'certificate.pem'}" in capsys.readouterr().out
    before = (tmp_path / "new" / "key.pem").read_bytes()
    assert main(command) == 2
    assert "exists already" in capsys.readouterr().err
    assert (tmp_path / "new" / "key.pem").read_bytes() == before


@pytest.mark.parametrize("kind", ["missing", "not PEM", "another key", "encrypted"])
def test_a_wrong_identity_is_reported_before_any_work(tmp_path, certificates, kind):
    from cryptography.hazmat.primitives import serialization

    key = tmp_path / "key.pem"
    if kind == "not PEM":
        key.write_text("hello")
    elif kind == "another key":
        make_certificates(tmp_path / "other", "x", "y")
        key = tmp_path / "other" / "key.pem"
    elif kind == "encrypted":
        private = serialization.load_pem_private_key((certificates / "key.pem").read_bytes(), None)
        best = serialization.BestAvailableEncryption(b"secret")
        key.write_bytes(private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, best))
    with pytest.raises(OptionError, match=r": (cannot be read|is not an unencrypted|is not the key of)") as caught:
        Identity(certificates / "certificate.pem", key)
    assert caught.value.path == key
    assert caught.value.remedy


def test_an_expired_certificate_is_reported_before_any_work(tmp_path, monkeypatch):
    from photochrom.content_credentials import certificates as module

    monkeypatch.setattr(module, "_CERTIFICATE_DAYS", 1)
    monkeypatch.setattr(module, "_CLOCKS_APART", datetime.timedelta(days=9))
    Identity(*make_certificates(tmp_path / "valid", "x", "y"))
    monkeypatch.setattr(module, "_CERTIFICATE_DAYS", -1)
    with pytest.raises(
        OptionError, match=r"certificate\.pem: is valid from 20..-..-.. to 20..-..-.. only: make another"
    ):
        Identity(*make_certificates(tmp_path / "expired", "x", "y"))


@pytest.mark.parametrize("kind", ["p384", "p521", "ed25519", "rsa"])
def test_keys_of_other_kinds_sign_as_well(tmp_path, certificates, kind):
    """The certificate is renewed for another key in the way that an institution's own authority would do it."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    from photochrom.content_credentials import certificates as module

    key = {
        "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
        "p521": lambda: ec.generate_private_key(ec.SECP521R1()),
        "ed25519": ed25519.Ed25519PrivateKey.generate,
        "rsa": lambda: rsa.generate_private_key(65537, 2048),
    }[kind]()
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = module._authority(authority_key, "City Archive")
    certificate = module._end_entity(key.public_key(), authority, authority_key, "x", "City Archive")
    pem = serialization.Encoding.PEM
    (tmp_path / "c.pem").write_bytes(certificate.public_bytes(pem) + authority.public_bytes(pem))
    (tmp_path / "k.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    identity = Identity(Path(tmp_path / "c.pem"), Path(tmp_path / "k.pem"))
    assert read_claim(signed(tmp_path / "old.color.jpg", identity, picture())).is_whole


def test_without_the_packages_the_error_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "c2pa", None)
    with pytest.raises(PhotochromError, match=r"pip install 'photochrom\[c2pa\]'"):
        read_claim(tmp_path / "a.jpg")


@pytest.mark.parametrize("address", ["", "nonsense", "ftp://stamps.example", "http://", "http://[", "http://a b"])
def test_an_invalid_address_of_a_time_stamp_authority_is_refused_at_once(certificates, address):
    with pytest.raises(OptionError, match="is not the address of a time stamp authority: give one that begins with"):
        Identity(certificates / "certificate.pem", certificates / "key.pem", address)


def test_a_key_of_an_unknown_kind_is_refused(certificates, tmp_path):
    lines = (certificates / "key.pem").read_text().splitlines()
    key = base64.b64decode("".join(lines[1:-1])).replace(
        bytes.fromhex("2a8648ce3d0201"), bytes.fromhex("2a8648ce3d0277")
    )
    path = tmp_path / "key.pem"
    path.write_text("\n".join([lines[0], base64.b64encode(key).decode(), lines[-1]]))
    with pytest.raises(OptionError, match=r"key\.pem: is not an unencrypted private key in PEM"):
        Identity(certificates / "certificate.pem", path)


@pytest.mark.parametrize(("folder", "name"), [("x" * 300, "Reading room"), ("keys", "Reading \udcff room")])
def test_certificates_with_impossible_names_are_refused(tmp_path, folder, name):
    with pytest.raises(OptionError, match=r"File name too long|unprintable"):
        make_certificates(tmp_path / folder, name, "City Archive")
    assert not list(tmp_path.iterdir())
