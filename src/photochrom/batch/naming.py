"""Names the outputs, and finds inputs that would share an output or a key."""

from __future__ import annotations

import hashlib
import string
import unicodedata
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import PurePosixPath
from typing import Final

import numpy as np

from ..errors import OptionError, PhotochromError
from ..photo.names import format_of
from .items import Item

DEFAULT_NAME: Final = "{stem}.color{suffix}"
_FIELDS: Final = ("stem", "suffix", "folder")
_LONGEST: Final = 255  # maximum bytes of a file name on nearly every file system
_NAMED: Final = 20  # maximum number of clashes that are returned


def check_template(template: str) -> None:
    """Check a template for the names of outputs.

    Args:
        template: A path below the target, in which ``{stem}`` and ``{suffix}`` are replaced by parts of the source's
            name (``old`` and ``.jpg``), and ``{folder}`` by its folder. Without ``{folder}``, outputs are in the same
            subfolders as their sources.

    Raises:
        OptionError: The template is malformed, has other fields, gives all files of a folder the same name, leads out
            of the target, or has an extension that Photochrom does not write.
    """
    try:
        fields = [field for _, field, _, _ in string.Formatter().parse(template) if field is not None]
        if set(fields) <= set(_FIELDS):
            template.format(**dict.fromkeys(_FIELDS, "scan"))  # raises errors of format specifications, like {stem:d}
    except (ValueError, LookupError, AttributeError) as exc:
        raise OptionError(
            f"the name {template!r} is not a template ({exc})", remedy=f"write it as {DEFAULT_NAME!r}"
        ) from exc
    if unknown := sorted(set(fields) - set(_FIELDS)):
        raise OptionError(
            f"the name {template!r} has {{{unknown[0]}}}", remedy=f"use {', '.join(f'{{{f}}}' for f in _FIELDS)}"
        )
    if "stem" not in fields:
        raise OptionError(f"the name {template!r} is the same for every file of a folder", remedy="add {stem}")
    try:
        format_of(output_name(Item("box/scan.jpg", "box/scan.jpg"), template))
    except PhotochromError as exc:
        raise OptionError(f"the name {template!r} is not possible ({exc.problem})", remedy=exc.remedy) from exc


def output_name(item: Item, template: str = DEFAULT_NAME) -> str:
    """Return the path of an item's output below the target, with ``/`` between folders; ``.dng`` becomes ``.tif``.

    Args:
        item: The item.
        template: Template of the path (see ``check_template``), unless the item has a name of its own.

    Raises:
        OptionError: The path leads out of the target, or a name in it is too long for file systems.
    """
    path = PurePosixPath(item.key)
    if item.name:
        name = PurePosixPath(item.name)
    else:
        folder = str(path.parent) if path.parent != PurePosixPath(".") else ""
        name = PurePosixPath(template.format(stem=path.stem, suffix=path.suffix, folder=folder))
        if "{folder}" not in template:
            name = path.parent / name
    if name.suffix.lower() == ".dng":  # a DNG holds raw sensor data, not a coloured picture
        name = name.with_suffix(".tif")
    if name.is_absolute() or ".." in name.parts or not name.parts:
        raise OptionError(
            f"its output {str(name)!r} is not in the target", path=item.key, remedy="give a path relative to the target"
        )
    if any(len(part.encode("utf-8", "surrogateescape")) > _LONGEST for part in name.parts):
        raise OptionError(
            f"the name of its output is longer than {_LONGEST} bytes", path=item.key, remedy="give it a shorter one"
        )
    return str(name)


def possible_name(item: Item, template: str = DEFAULT_NAME) -> str:
    """Return the path of an item's output below the target, or an empty string if it has no output or no valid path.

    The error of an invalid path is raised, and reported, when the item is coloured.
    """
    if item.is_unread:
        return ""
    try:
        return output_name(item, template)
    except OptionError:
        return ""


class Outputs:
    """Finds inputs that would share an output, also on file systems that ignore case or Unicode normalisation.

    It also finds inputs that share a key, which the report could not tell apart. Only 16 bytes per item are kept, so
    that ten million items fit in the memory of any machine.

    Args:
        template: See ``check_template``.
    """

    def __init__(self, template: str = DEFAULT_NAME) -> None:
        self._template = template
        self._marks, self._keys = array("Q"), array("Q")

    def note(self, items: Iterable[Item]) -> Iterator[Item]:
        """Yield items unchanged, and record their keys and the names of their outputs."""
        for item in items:
            self._keys.append(_hash(item.key))
            if name := possible_name(item, self._template):
                self._marks.append(_hash(folded(name)))
            yield item

    def repeated(self, items: Callable[[], Iterable[Item]]) -> list[str]:
        """Return up to 20 keys that several items have.

        Args:
            items: Function that lists the items again, which is called only if there are such keys.
        """
        doubled = _doubled(self._keys)
        keys = Counter(item.key for item in items() if _hash(item.key) in doubled) if doubled else Counter[str]()
        return [key for key, count in keys.items() if count > 1][:_NAMED]

    def clashes(self, items: Callable[[], Iterable[Item]]) -> list[tuple[Item, Item]]:
        """Return up to 20 pairs of items that would share an output.

        Args:
            items: Function that lists the items again, which is called only if there are such items.
        """
        doubled, first, clashes = _doubled(self._marks), dict[int, Item](), list[tuple[Item, Item]]()
        for item in items() if doubled else ():
            name = possible_name(item, self._template)
            mark = _hash(folded(name))
            if not name or mark not in doubled:
                continue
            if mark in first:
                clashes.append((first[mark], item))
            first.setdefault(mark, item)
            if len(clashes) == _NAMED:
                break
        return clashes


def clash_error(clashes: Sequence[tuple[Item, Item]], template: str) -> OptionError:
    """Return the error for pairs of items that would share an output, with advice that keeps all of them apart."""
    pairs = "; ".join(f"{one.key} and {other.key} -> {possible_name(other, template)}" for one, other in clashes[:5])
    more = f" and {len(clashes) - 5} more" if len(clashes) > 5 else ""
    where, longer = "", template.replace("{stem}", "{stem}{suffix}")
    if any(possible_name(one, template) != possible_name(other, template) for one, other in clashes):
        where = " on disks that ignore case or the form of accents"
    remedy = "rename some, or colour them from a list whose column output names each output"
    several = {item.key: folded(possible_name(item, longer)) for pair in clashes for item in pair}
    if len(set(several.values())) == len(several):
        remedy = f'name="{longer}" keeps them apart'
    return OptionError(f"inputs would share an output{where} ({pairs}{more})", remedy=remedy)


def folded(name: str) -> str:
    """Return a name in a form that is equal for names that differ only in case or Unicode normalisation."""
    return unicodedata.normalize("NFC", name).casefold()


def _hash(text: str) -> int:
    data = text.encode("utf-8", "surrogateescape")
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "big")


def _doubled(hashes: array[int]) -> set[int]:
    """Return the hashes that occur more than once."""
    found, counts = np.unique(np.frombuffer(hashes, np.uint64), return_counts=True)
    return {int(each) for each in found[counts > 1]}
