"""Lists the pictures of an IIIF manifest (Presentation 3 or 2) or of one IIIF image."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from ..errors import OptionError
from ..json_text import parse_json
from .items import Item


def items_of_manifest(data: bytes, name: str) -> Iterator[Item]:
    """List the pictures of an IIIF manifest or of an image's ``info.json``.

    Only the first picture of each canvas (or of each of its annotation pages) is listed; if that picture is a
    ``Choice``, its first or default option. Keys have the form ``0001-LABEL.jpg``.

    Args:
        data: The JSON.
        name: Name or address of the JSON, for messages.

    Raises:
        OptionError: The data is not JSON, or neither a manifest with pictures nor an ``info.json``.
    """
    try:
        facts = parse_json(data)
    except ValueError as exc:
        raise OptionError(f"is not JSON ({exc})", path=name, remedy="give an IIIF manifest or info.json") from exc
    try:
        addresses = list(_pictures(facts)) if isinstance(facts, dict) else []
    except (AttributeError, TypeError, RecursionError):  # not the objects that IIIF requires, or too deeply nested
        addresses = []
    if not addresses:
        raise OptionError(
            "is neither an IIIF manifest with pictures nor an info.json", path=name, remedy="check the address"
        )
    for number, (label, address) in enumerate(addresses, 1):
        words = "-".join(re.findall(r"\w+", label))[:60]
        extension = re.search(r"\.(jpe?g|png|tiff?|webp|jp2)(?:$|\?)", address, re.IGNORECASE)
        suffix = extension[1].lower() if extension else "jpg"
        yield Item(f"{number:04}{'-' if words else ''}{words}.{suffix}", address)


def _pictures(facts: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield label and address of the first picture of each canvas (or annotation page), or of an ``info.json``."""
    if "items" in facts:  # Presentation 3: canvases, annotation pages, annotations
        for canvas in facts["items"]:
            for page in canvas.get("items", ()):
                for annotation in page.get("items", ())[:1]:
                    if address := _address(annotation.get("body")):
                        yield _label(canvas.get("label")), address
    elif "sequences" in facts:  # Presentation 2
        for canvas in (canvas for sequence in facts["sequences"] for canvas in sequence.get("canvases", ())):
            for image in canvas.get("images", ())[:1]:
                if address := _address(image.get("resource")):
                    yield _label(canvas.get("label")), address
    elif (facts.get("protocol") == "http://iiif.io/api/image" or "tiles" in facts) and (address := _image(facts)):
        yield address.split("/")[-5], address


def _address(body: Any) -> str:
    """Return the address of an annotation body's picture, at full size if it has an image service; empty if none."""
    if isinstance(body, list):
        body = body[0] if body else None
    if not isinstance(body, dict):
        return ""
    if body.get("type") == "Choice" or body.get("@type") == "oa:Choice":
        return _address(body.get("items") or body.get("default"))
    services = body.get("service", [])
    for service in services if isinstance(services, list) else [services]:
        if isinstance(service, dict) and (address := _image(service)):
            return address
    return str(body.get("id") or body.get("@id") or "")


def _image(service: dict[str, Any]) -> str:
    """Return the address of the full-size picture of an image service; empty if the service has no address."""
    base = str(service.get("id") or service.get("@id") or "").rstrip("/")
    if not base:
        return ""
    context = json.dumps(service.get("@context", "")) + str(service.get("profile", "")) + str(service.get("type", ""))
    return f"{base}/full/{'full' if '/2/' in context or 'ImageService2' in context else 'max'}/0/default.jpg"


def _label(label: Any) -> str:
    """Return a label's text in its first language; empty if there is none."""
    if isinstance(label, dict):
        label = next(iter(label.values()), "")
    if isinstance(label, list):
        label = label[0] if label else ""
    return label if isinstance(label, str) else ""
