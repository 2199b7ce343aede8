"""``photochrom c2pa``: makes certificates, checks content credentials. Also declares the options to sign outputs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import OptionError, PhotochromError, one_line
from .arguments import add_verb
from .console import print_to_stderr
from .messages import error_text
from .parser import Verbs

if TYPE_CHECKING:
    from ..content_credentials import Identity


def add_signing(parser: Any) -> None:
    """Declare ``--c2pa`` and ``--tsa``, with which a verb signs its outputs."""
    parser.add_argument(
        "--c2pa",
        nargs=2,
        type=Path,
        metavar=("CERT", "KEY"),
        help="sign each output with content credentials; 'photochrom c2pa init' makes these PEM files; needs the extra "
        "'c2pa'",
    )
    parser.add_argument("--tsa", metavar="URL", help="with --c2pa: a server that time-stamps each signature (RFC 3161)")


def identity_of(args: argparse.Namespace) -> Identity | None:
    """Return the signer that ``--c2pa`` and ``--tsa`` describe; None if outputs are not signed.

    Raises:
        OptionError: The certificate or the key cannot be used, or a time stamp is requested without them.
        PhotochromError: The packages of ``photochrom[c2pa]`` are missing.
    """
    if args.c2pa is None:
        if args.tsa:
            raise OptionError("a time stamp belongs to a signature", remedy="give --c2pa CERT KEY with --tsa")
        return None
    from ..content_credentials import Identity

    certificate, key = args.c2pa
    return Identity(certificate, key, args.tsa)


def add(verbs: Verbs) -> None:
    """Declare ``photochrom c2pa`` and its arguments."""
    parser = add_verb(
        verbs,
        "c2pa",
        "content credentials: make certificates, check files",
        "Makes signing certificates, and checks the content credentials (C2PA) of files.",
        examples=("c2pa init keys/ --name Photographs --organization 'City Archive'", "c2pa check old.color.jpg"),
        page="archives",
    )
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    init = actions.add_parser("init", help="make an authority and a signing certificate")
    init.add_argument("folder", type=Path, metavar="FOLDER", help="folder for the certificates")
    init.add_argument("--name", required=True, help="name of the signer, for example a department")
    init.add_argument("--organization", required=True, help="institution of the signer")
    init.set_defaults(verb=_init)
    check = actions.add_parser("check", help="print a file's claims, and whether it is unchanged")
    check.add_argument("files", nargs="+", type=Path, metavar="FILE", help="files to check")
    check.add_argument(
        "--trust",
        action="append",
        default=[],
        type=Path,
        metavar="PEM",
        help="certificate of an authority to trust; may be repeated",
    )
    check.set_defaults(verb=_check)


def _init(args: argparse.Namespace) -> int:
    from ..content_credentials import make_certificates

    certificate, key = make_certificates(args.folder, args.name, args.organization)
    print(f"sign with --c2pa {certificate} {key}\ngive {args.folder / 'authority.pem'} to everyone who should trust it")
    return 0


def _check(args: argparse.Namespace) -> int:
    """Print each file's claim and return the exit status.

    The status is 1 if a file has no claim, has changed since its signing, or cannot be read.

    Raises:
        PhotochromError: c2pa-python is missing, or the certificate of an authority cannot be read.
    """
    from ..content_credentials import read_claim

    unchanged = 0
    for path in args.files:
        try:
            claim = read_claim(path, args.trust)
        except PhotochromError as exc:
            if exc.path is None or exc.path in args.trust:  # the other files could not be checked, either
                raise
            print_to_stderr(f"photochrom: {error_text(exc)}")
            continue
        if claim is None:
            print(one_line(f"{path}: no content credentials"))
            continue
        unchanged += claim.is_whole
        state = "unchanged" if claim.is_whole else f"CHANGED since it was signed ({', '.join(claim.problems)})"
        trust = "trusted" if claim.is_trusted else "not known to be trusted"
        signed = f"{path}: {state}; signed by {claim.signer} ({trust}) with {claim.generator} {claim.time}"
        print(one_line(signed.rstrip()))
        for line in (*claim.actions, *(f"made from {name}" for name in claim.ingredients)):
            print(f"  {one_line(line)}")
    return 0 if unchanged == len(args.files) else 1
