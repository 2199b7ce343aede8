"""Reads and verifies the content credentials of a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import PhotochromError, message_of, system_errors
from ..json_text import parse_json
from .signing import MIME_TYPES, library


@dataclass(frozen=True)
class Claim:
    """Content of a file's newest manifest, and the result of its verification."""

    is_whole: bool
    """Whether the file is identical to the one that was signed."""
    is_trusted: bool
    """Whether the signer's certificate was issued by one of the given authorities."""
    problems: tuple[str, ...]
    """C2PA status codes of all problems; an untrusted signer is one only if authorities to trust are given."""
    signer: str
    """Organisation or common name in the signer's certificate; ``unknown`` if it has neither."""
    time: str
    """Time of signing according to a time stamp authority, ISO 8601; empty without a time stamp."""
    generator: str
    """Name and version of the program that made the claim, as far as they are recorded."""
    actions: tuple[str, ...]
    """Actions in order, such as the colouring, each with its description if it has one."""
    ingredients: tuple[str, ...]
    """Names of the files from which the file was made; ``unnamed`` for each that has none."""


def _certificate(path: Path) -> str:
    """Read the certificate of an authority from its PEM file.

    Raises:
        PhotochromError: The file cannot be read, or is not text in ASCII.
    """
    try:
        with system_errors(PhotochromError, path, "check the path"):
            return path.read_text("ascii")
    except UnicodeError as exc:
        raise PhotochromError("is not a certificate in PEM", path=path, remedy="name authority.pem") from exc


def read_claim(path: Path, authorities: Sequence[Path] = ()) -> Claim | None:
    """Read and verify a file's newest manifest.

    Args:
        path: The file. If there is a manifest beside it (``NAME.EXT.c2pa``), that one is used.
        authorities: PEM files of authorities to trust.

    Returns:
        The claim; None if the file has no content credentials, or its format cannot hold any.

    Raises:
        PhotochromError: The file or an authority cannot be read, c2pa-python is missing, or the manifest is damaged.
    """
    sdk = library()
    beside = path.with_name(path.name + ".c2pa")
    mime = MIME_TYPES.get(path.suffix.lower(), "application/octet-stream")
    anchors = "".join(map(_certificate, authorities))
    with system_errors(PhotochromError, beside, "check the path"):
        manifest = beside.read_bytes() if beside.is_file() else None
    trust = {"trust": {"user_anchors": anchors}} if anchors else {}
    try:
        context = sdk.Context(sdk.Settings.from_dict({"verify": {"verify_trust": bool(anchors)}} | trust))
        with path.open("rb") as file, sdk.Reader(mime, file, manifest, context) as reader:
            return _claim(parse_json(reader.json()), reader.get_validation_state())
    except (sdk.C2paError.ManifestNotFound, sdk.C2paError.NotSupported):
        return None
    except OSError as exc:
        raise PhotochromError(
            f"content credentials cannot be read ({exc.strerror})", path=path, remedy="check the path"
        ) from exc
    except sdk.C2paError as exc:
        raise PhotochromError(
            f"its content credentials are damaged ({message_of(exc)})",
            path=path,
            remedy="get an unchanged copy of the file",
        ) from exc


def _claim(store: dict[str, Any], state: str) -> Claim:
    manifest = store["manifests"][store["active_manifest"]]
    signature = manifest.get("signature_info", {})
    info = (manifest.get("claim_generator_info") or [{}])[0]
    problems = tuple(status["code"] for status in store.get("validation_status", ()))
    return Claim(
        is_whole=state in ("Valid", "Trusted"),
        is_trusted=state == "Trusted",
        problems=problems,
        signer=signature.get("issuer") or signature.get("common_name") or "unknown",
        time=signature.get("time") or "",
        generator=" ".join(filter(None, (info.get("name"), info.get("version")))),
        actions=tuple(_actions(manifest)),
        ingredients=tuple(item.get("title", "unnamed") for item in manifest.get("ingredients", ())),
    )


def _actions(manifest: dict[str, Any]) -> list[str]:
    found = []
    for assertion in manifest.get("assertions", ()):
        if assertion["label"].startswith("c2pa.actions"):
            for action in assertion["data"].get("actions", ()):
                text = action.get("description")
                found.append(f"{action['action']}: {text}" if text else action["action"])
    return found
