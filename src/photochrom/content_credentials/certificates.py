"""Makes certificates for signing: the user's own certificate authority, and an end-entity certificate that it issues.

C2PA readers reject self-signed certificates. The C2PA specification 2.2, section 14.5, lists the required extensions of
an end-entity certificate: extended key usage, authority and subject key identifiers, and basic constraints, according
to which it is not an authority.
"""

from __future__ import annotations

import datetime
import os
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import OptionError, PhotochromError, needed_for, system_errors
from ..output_folders import create_folder

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey

AUTHORITY, CERTIFICATE, KEY = "authority.pem", "certificate.pem", "key.pem"
_C2PA_SIGNING = "1.3.6.1.5.5.7.3.36"  # id-kp-documentSigning, RFC 9336
_AUTHORITY_DAYS, _CERTIFICATE_DAYS = 3650, 825
_CLOCKS_APART = datetime.timedelta(hours=1)  # tolerance for the clock of a reader's machine, which may be slow


def make_certificates(folder: Path, name: str, organization: str) -> tuple[Path, Path]:
    """Make a certificate authority, and a signing certificate (ES256) that it issues; the authority's key is discarded.

    Args:
        folder: Folder for ``certificate.pem`` (the chain), ``key.pem`` (readable by its owner only) and
            ``authority.pem``, which readers need to trust the signatures. It is created if it does not exist.
        name: Name of the signer, as shown by readers.
        organization: Institution of the signer, as shown by readers.

    Returns:
        The paths of the certificate and of its key.

    Raises:
        OptionError: One of the files exists already, or a name is empty or longer than 64 characters.
        PhotochromError: The package ``cryptography`` is missing, or the folder cannot be written.
    """
    with needed_for("making certificates", "c2pa"):
        from cryptography.hazmat.primitives.asymmetric import ec
    for attribute, text in (("name", name), ("organization", organization)):
        if not 1 <= len(text) <= 64:  # X.520's limit for both
            raise OptionError(f"the {attribute} has {len(text)} characters", remedy="give 1 to 64")
        if not text.isprintable():  # certificates are in UTF-8
            raise OptionError(f"the {attribute} {text!r} has unprintable characters", remedy="leave them out")
    for path in (folder / AUTHORITY, folder / CERTIFICATE, folder / KEY):
        with system_errors(OptionError, folder, "name another folder"):
            exists = path.exists()
        if exists:
            raise OptionError(
                "exists already", path=path, remedy="name another folder, or keep using these certificates"
            )
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = _authority(authority_key, organization)
    certificate = _end_entity(key.public_key(), authority, authority_key, name, organization)
    with system_errors(PhotochromError, folder, "name another folder", "written"):
        _write(folder, authority, certificate, key)
    return folder / CERTIFICATE, folder / KEY


def _authority(key: EllipticCurvePrivateKey, organization: str) -> x509.Certificate:
    from cryptography import x509

    name = _name(f"{organization} authority"[:64], organization)
    builder = _builder(name, name, key.public_key(), _AUTHORITY_DAYS)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_key_usage(authority=True), critical=True)
    return _signed(builder, key)


def _end_entity(
    public_key: EllipticCurvePublicKey,
    authority: x509.Certificate,
    authority_key: EllipticCurvePrivateKey,
    name: str,
    organization: str,
) -> x509.Certificate:
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID

    identifier = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    usages = [ExtendedKeyUsageOID.EMAIL_PROTECTION, x509.ObjectIdentifier(_C2PA_SIGNING)]
    builder = _builder(_name(name, organization), authority.subject, public_key, _CERTIFICATE_DAYS)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_key_usage(authority=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=True)
    builder = builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False
    )
    return _signed(builder, authority_key)


def _name(common_name: str, organization: str) -> x509.Name:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    attributes = {NameOID.ORGANIZATION_NAME: organization, NameOID.COMMON_NAME: common_name}
    return x509.Name([x509.NameAttribute(oid, text) for oid, text in attributes.items()])


def _builder(
    subject: x509.Name, issuer: x509.Name, public_key: EllipticCurvePublicKey, days: int
) -> x509.CertificateBuilder:
    from cryptography import x509

    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(issuer, subject, public_key, x509.random_serial_number())
    builder = builder.not_valid_before(now - _CLOCKS_APART).not_valid_after(now + datetime.timedelta(days=days))
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def _signed(builder: x509.CertificateBuilder, key: EllipticCurvePrivateKey) -> x509.Certificate:
    from cryptography.hazmat.primitives import hashes

    return builder.sign(key, hashes.SHA256())


def _write(
    folder: Path, authority: x509.Certificate, certificate: x509.Certificate, key: EllipticCurvePrivateKey
) -> None:
    from cryptography.hazmat.primitives import serialization

    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    create_folder(folder, PhotochromError)
    with os.fdopen(os.open(folder / KEY, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(secret)
    (folder / CERTIFICATE).write_bytes(certificate.public_bytes(pem) + authority.public_bytes(pem))
    (folder / AUTHORITY).write_bytes(authority.public_bytes(pem))
