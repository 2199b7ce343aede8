"""Signs coloured pictures and films: the C2PA manifest records the hash of the grey original, and the colouring."""

from __future__ import annotations

import datetime
import functools
import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Final
from urllib.parse import urlsplit

from ..errors import OptionError, PhotochromError, message_of, needed_for, system_errors
from ..label import DIGITAL_SOURCE_TYPE
from ..version import __version__

MIME_TYPES: Final = {
    ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".jpe": "image/jpeg", ".jfif": "image/jpeg",
    ".png": "image/png", ".tif": "image/tiff", ".tiff": "image/tiff", ".dng": "image/x-adobe-dng",
    ".webp": "image/webp", ".heic": "image/heic", ".heif": "image/heif", ".hif": "image/heif", ".avif": "image/avif",
    ".jxl": "image/jxl", ".mp4": "video/mp4", ".m4v": "video/mp4", ".mov": "video/quicktime", ".avi": "video/x-msvideo",
}  # fmt: skip
"""Media types, by extension, of files that can hold a manifest; other files get a ``.c2pa`` file beside them."""
_ANY: Final = "application/octet-stream"
_SETTINGS: Final = {"builder": {"thumbnail": {"enabled": False}}, "verify": {"verify_after_sign": False}}
"""Settings of c2pa. With thumbnails, a manifest has 370 kB instead of 13 kB and takes 0.1 s instead of 7 ms.
Verification would read the file again."""


@dataclass(frozen=True, repr=False)
class Identity:
    """A signer: a certificate and its key.

    Raises:
        OptionError: The certificate or the key cannot be read, C2PA does not allow the kind of the key, the two do not
            belong together, the certificate has expired, or the time stamp authority has no valid address.
        PhotochromError: The package ``cryptography`` is missing.
    """

    certificate: Path
    """PEM file of the certificate chain, the signer's own first."""
    key: Path
    """PEM file of the unencrypted private key: EC (P-256, P-384, P-521), Ed25519, or RSA of at least 2,048 bits."""
    time_stamp_authority: str | None = None
    """Address of an RFC 3161 server that time-stamps each signature; None for no time stamps."""

    def __post_init__(self) -> None:
        if self.time_stamp_authority is not None and not _is_web_address(self.time_stamp_authority):
            raise OptionError(
                f"{self.time_stamp_authority!r} is not the address of a time stamp authority",
                remedy="give one that begins with http:// or https://",
            )
        _ = self._signature  # raises errors before anything is coloured

    @functools.cached_property
    def _signature(self) -> tuple[Callable[[bytes], bytes], str, str]:
        """The signing function, the name of its algorithm, and the certificate chain in PEM.

        Raises:
            OptionError, PhotochromError: As for ``Identity``.
        """
        with needed_for("signing", "c2pa"):
            from cryptography import x509
            from cryptography.hazmat.primitives import serialization
        with _reading(self.certificate, "is not a certificate in PEM"):
            chain = self.certificate.read_text("ascii")
            own = x509.load_pem_x509_certificates(chain.encode())[0]
            public_key = own.public_key()
        with _reading(self.key, "is not an unencrypted private key in PEM"):
            key = serialization.load_pem_private_key(self.key.read_bytes(), None)
        if key.public_key() != public_key:
            raise OptionError(
                f"is not the key of {self.certificate}", path=self.key, remedy="name the one that belongs to it"
            )
        begins, ends = own.not_valid_before_utc, own.not_valid_after_utc
        if not begins <= datetime.datetime.now(datetime.UTC) <= ends:
            raise OptionError(
                f"is valid from {begins:%Y-%m-%d} to {ends:%Y-%m-%d} only",
                path=self.certificate,
                remedy="make another one with 'photochrom c2pa init', or set the clock",
            )
        if (found := _signing_function(key)) is None:
            raise OptionError(
                "is a key of a kind that C2PA does not allow",
                path=self.key,
                remedy="use EC (P-256), Ed25519 or RSA of 2,048 bits",
            )
        return *found, chain

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the signer's own certificate, in hexadecimal digits."""
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes

        own = x509.load_pem_x509_certificates(self._signature[2].encode())[0]
        return own.fingerprint(hashes.SHA256()).hex()

    def __repr__(self) -> str:
        stamped = f", {self.time_stamp_authority}" if self.time_stamp_authority else ""
        return f"Identity(sha256 {self.fingerprint}{stamped})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.certificate, self.key, self.time_stamp_authority)

    def signer(self) -> Any:
        """Return a ``c2pa.Signer``, for a single use.

        Raises:
            PhotochromError: c2pa-python is missing.
        """
        sdk = library()
        sign, algorithm, chain = self._signature
        return sdk.Signer.from_callback(sign, sdk.C2paSigningAlg[algorithm], chain, self.time_stamp_authority)


def sign(
    output: BinaryIO,
    signed: BinaryIO,
    extension: str,
    identity: Identity,
    original: BinaryIO,
    original_name: str,
    credit: str,
    path: Path | None = None,
) -> bool:
    """Sign a finished output: write it together with its manifest, or the manifest alone, to ``signed``.

    Args:
        output: The whole output file, with all its metadata, open for reading at its start.
        signed: Stream for the signed file, open for reading and writing; or, if such a file cannot hold a manifest, for
            the manifest alone, to be stored beside the output as ``NAME.EXT.c2pa``.
        extension: The output's extension, with its dot.
        identity: The signer.
        original: The whole file of the grey original, open for reading at its start; a manifest in it is included.
        original_name: Name of the original's file, without folders.
        credit: Result of ``colorizer.hints.credit``: the model, and the number of hints.
        path: Path of the output, for the message of an error.

    Returns:
        True if ``signed`` is the output with the manifest in it, False if it is the manifest alone.

    Raises:
        PhotochromError: c2pa-python is missing, the file could not be signed, or the time stamp authority is
            unreachable.
        OSError: The manifest alone cannot be written.
    """
    sdk = library()
    mime = MIME_TYPES.get(extension.lower())
    original_name = os.fsencode(original_name).decode("utf-8", "replace")  # a manifest holds Unicode only
    try:
        context = sdk.Context(sdk.Settings.from_dict(_SETTINGS))
        with sdk.Builder(json.dumps(_manifest(original_name, credit)), context) as builder:
            builder.set_intent(sdk.C2paBuilderIntent.EDIT)
            if mime is None:
                builder.set_no_embed()
            _add_original(builder, original, original_name)
            manifest = builder.sign(identity.signer(), mime or _ANY, output, signed if mime else BytesIO())
    except sdk.C2paError as exc:
        raise PhotochromError(
            f"content credentials cannot be written ({message_of(exc)})", path=path, remedy="leave them out"
        ) from exc
    if mime is None:
        signed.write(manifest)
    return mime is not None


def _add_original(builder: Any, original: BinaryIO, name: str) -> None:
    """Add the original as an ingredient; a damaged or misnamed file is added as plain bytes, by its hash."""
    ingredient = {"title": name, "relationship": "parentOf"}
    try:
        builder.add_ingredient(ingredient, MIME_TYPES.get(Path(name).suffix.lower(), _ANY), original)
    except library().C2paError:
        original.seek(0)
        builder.add_ingredient(ingredient, _ANY, original)


def _manifest(original_name: str, credit: str) -> dict[str, Any]:
    agent = {"name": "Photochrom", "version": __version__}
    colored = {
        "action": "c2pa.color_adjustments",
        "digitalSourceType": DIGITAL_SOURCE_TYPE,
        "softwareAgent": agent,
        "description": f"Colours added by software ({credit}); not a record of the original colours.",
        "parameters": {"com.photochrom.model": credit},
    }
    return {
        "claim_generator_info": [agent],
        "title": f"{Path(original_name).stem}, coloured",
        "assertions": [{"label": "c2pa.actions", "data": {"actions": [colored]}}],
    }


def _is_web_address(text: str) -> bool:
    try:
        return bool(re.fullmatch("https?://[!-~]+", text) and urlsplit(text).hostname)
    except ValueError:  # an IPv6 address without its brackets
        return False


@contextmanager
def _reading(path: Path, fault: str) -> Iterator[None]:
    """Translate errors of reading and parsing a file in the block.

    Raises:
        OptionError: The file cannot be read, or has the fault.
    """
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        with system_errors(OptionError, path, "check the path"):
            yield
    except OptionError:  # it is a ValueError, too
        raise
    except (ValueError, TypeError, IndexError, UnsupportedAlgorithm) as exc:
        remedy = "make both with 'photochrom c2pa init', or convert it to PEM"
        raise OptionError(f"{fault} ({message_of(exc)})", path=path, remedy=remedy) from exc


def _signing_function(key: Any) -> tuple[Callable[[bytes], bytes], str] | None:
    """Return a function that signs bytes with a key, in COSE's format, and the name of the signature algorithm.

    The result is None if C2PA does not allow the kind of the key.
    """
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign, "ED25519"
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size >= 2048:
        salted = padding.PSS(padding.MGF1(hashes.SHA256()), hashes.SHA256.digest_size)
        return lambda data: key.sign(data, salted, hashes.SHA256()), "PS256"
    kinds: dict[str, tuple[str, hashes.HashAlgorithm]] = {
        "secp256r1": ("ES256", hashes.SHA256()),
        "secp384r1": ("ES384", hashes.SHA384()),
        "secp521r1": ("ES512", hashes.SHA512()),
    }
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name not in kinds:
        return None
    algorithm, digest = kinds[key.curve.name]
    size = -(-key.key_size // 8)

    def sign(data: bytes) -> bytes:
        # COSE needs two numbers of fixed size (IEEE P1363) instead of DER.
        pair = utils.decode_dss_signature(key.sign(data, ec.ECDSA(digest)))
        return b"".join(number.to_bytes(size, "big") for number in pair)

    return sign, algorithm


def library() -> Any:
    """Return the module ``c2pa``.

    Raises:
        PhotochromError: c2pa-python is missing.
    """
    with needed_for("using content credentials", "c2pa"):
        import c2pa
    return c2pa
