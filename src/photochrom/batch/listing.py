"""Lists the photographs of a folder, bucket, manifest or IIIF image as items."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from ..errors import OptionError, first_of, system_errors
from ..photo.names import PHOTOGRAPHS, UNREAD
from .iiif import items_of_manifest
from .items import Item
from .manifests import read_manifest
from .remote_files import address_of, is_remote, naming_errors, open_address, read_address, version_of

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

MANIFESTS: Final = frozenset((".csv", ".tsv", ".jsonl", ".ndjson", ".parquet"))
"""Extensions of manifests other than IIIF manifests, which end in ``.json``."""
_NAMED: Final = 10  # maximum number of folders that an error names
_OUTPUT: Final = ".color."  # part of the names of Photochrom's outputs


@dataclass(frozen=True)
class Filter:
    """Selects files of a folder or bucket, or rows of a manifest.

    Patterns are globs for the path below the source (``1934/*``) or, without a slash, for the name (``*.tif``).
    """

    include: tuple[str, ...] = ()
    """Patterns of which a file must match at least one; empty for every picture."""
    exclude: tuple[str, ...] = ()
    """Patterns of files to leave out, and of folders not to enter."""
    target: str = ""
    """Path of the outputs below the source, a folder not to enter (see ``below``); empty if it is elsewhere."""

    def takes(self, key: str) -> bool:
        """Return whether to list a file, given its path below the source.

        Besides matching the patterns, the file must have a picture's extension, and be neither hidden nor named like an
        output of Photochrom (``.color.``).
        """
        name = key.rpartition("/")[2]
        if name.startswith(".") or _OUTPUT in name or not (_suffix(name) in PHOTOGRAPHS or is_unread(name)):
            return False
        return self._matches(key, name)

    def rows(self, items: Iterable[Item]) -> Iterator[Item]:
        """Return the items that the patterns select, of a manifest or a single photograph."""
        return (item for item in items if self.selects(item.key))

    def selects(self, key: str) -> bool:
        """Return whether the patterns select a row of a manifest, given its key."""
        is_excluded = any(_any(self.exclude, folder, folder.rpartition("/")[2]) for folder in _folders(key))
        return self._matches(key, key.rpartition("/")[2]) and not is_excluded

    def _matches(self, key: str, name: str) -> bool:
        return (not self.include or _any(self.include, key, name)) and not _any(self.exclude, key, name)

    def enters(self, key: str) -> bool:
        """Return whether to enter a folder, given its path below the source."""
        name = key.rpartition("/")[2]
        return key != self.target and not name.startswith(".") and not _any(self.exclude, key, name)


def _folders(key: str) -> list[str]:
    return [key[:i] for i, letter in enumerate(key) if letter == "/"]


def is_unread(key: str) -> bool:
    """Return whether a picture has a format that Photochrom does not read, by its extension."""
    return _suffix(key) in UNREAD


def _suffix(key: str) -> str:
    return os.path.splitext(key)[1].lower()  # noqa: PTH122


def _any(patterns: tuple[str, ...], key: str, name: str) -> bool:
    return any(fnmatch.fnmatchcase(key if "/" in pattern else name, pattern) for pattern in patterns)


def below(source: str, target: str) -> str:
    """Return the path of the target below the source, with ``/`` between folders; empty if it is not inside it.

    Args:
        source: Absolute path or address of the source.
        target: Absolute path or address of the target.
    """
    if is_remote(source) or is_remote(target):
        folder, place = f"{source.rstrip('/')}/", target.rstrip("/")
    else:
        folder, place = (Path(os.path.realpath(path)).as_posix() for path in (source, target))
        folder = f"{folder.rstrip('/')}/"
    return place.removeprefix(folder) if place.startswith(folder) else ""


def list_items(source: str, wanted: Filter | None = None) -> Iterator[Item]:
    """List the photographs of a source in a fixed order.

    In folders and buckets, pictures in formats that Photochrom does not read are listed, too (``Item.is_unread``). Some
    errors are raised only while the items are iterated over.

    Args:
        source: Path or address of a folder, of a photograph, or of a manifest (CSV, TSV, JSONL, Parquet or IIIF); or
            the address of an IIIF image.
        wanted: Selects files or rows.

    Raises:
        OptionError: There is no such source, it cannot be listed, or a manifest is invalid.
        PhotochromError: The package for the address or for Parquet is missing.
    """
    return (_list_remote if is_remote(source) else _list_local)(source, wanted or Filter())


def _list_local(source: str, wanted: Filter) -> Iterator[Item]:
    """List a local folder, manifest or photograph.

    Raises:
        OptionError: There is no such source, it cannot be listed, or a manifest is invalid.
        PhotochromError: The package for Parquet is missing.
    """
    path = Path(source)
    with system_errors(OptionError, source, "give a folder, a manifest or an address"):
        if path.is_dir():
            return _walk(path, wanted)
        if not path.exists():
            raise OptionError("does not exist", path=source, remedy="give a folder, a manifest or an address")
    suffix = path.suffix.lower()
    if suffix in MANIFESTS or suffix == ".json":
        return wanted.rows(read_manifest(read_address(source), path.name, str(path.parent)))
    if suffix not in PHOTOGRAPHS and suffix not in UNREAD:
        raise OptionError(
            "is neither a photograph nor a list", path=source, remedy="save a list as .csv, .jsonl or .parquet"
        )
    return wanted.rows([with_local_state(Item(path.name, str(path)))])


def with_local_state(item: Item) -> Item:
    """Return an item with the size and modification time of its local file.

    Items of a manifest are listed without them, so that one shard of a large manifest can be coloured without accessing
    the files of the others. An item that has a size, or whose file is remote or missing, is returned unchanged.
    """
    if item.size >= 0 or is_remote(item.source):
        return item
    try:
        status = Path(item.source).stat()
    except (OSError, ValueError):
        return item
    return replace(item, size=status.st_size, version=str(status.st_mtime_ns))


def _walk(root: Path, wanted: Filter) -> Iterator[Item]:
    """List a folder and its subfolders in the order of names; links to folders that contain them are not followed.

    Raises:
        OptionError: Folders cannot be listed; raised at the end, so that it names all of them.
    """
    unlisted = list[OSError]()
    pending: list[tuple[str, str, frozenset[tuple[int, int]]]] = [("", str(root), frozenset())]
    while pending:
        prefix, folder, above = pending.pop()
        try:
            status = Path(folder).stat()
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as exc:
            unlisted.append(exc)
            continue
        here = above | {(status.st_dev, status.st_ino)}
        folders = []
        for entry in entries:
            key = prefix + entry.name
            if _is_folder(entry):
                if wanted.enters(key) and not _is_above(entry, here):
                    folders.append((key + "/", entry.path, here))
            elif not wanted.takes(key):
                continue
            elif (entry.is_symlink() and not Path(entry).exists()) or entry.is_file():  # a lost file gets a row, too
                yield with_local_state(Item(key, entry.path, is_unread=is_unread(key)))
        pending += reversed(folders)
    if unlisted:
        raise _not_listed(unlisted)


def _not_listed(errors: list[OSError]) -> OptionError:
    names, problem = [exc.filename for exc in errors], f"cannot be listed ({errors[0].strerror})"
    if len(names) == 1:
        return OptionError(problem, path=names[0], remedy="give access to it, or exclude it")
    return OptionError(f"{first_of(names, _NAMED)}: {problem}", remedy="give access to them, or exclude them")


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _is_above(entry: os.DirEntry[str], here: frozenset[tuple[int, int]]) -> bool:
    """Return whether an entry is a link to a folder that contains it.

    Args:
        entry: The entry.
        here: Device and inode numbers of the folders that contain the entry.
    """
    if not entry.is_symlink():
        return False
    status = entry.stat()
    return (status.st_dev, status.st_ino) in here


def _list_remote(address: str, wanted: Filter) -> Iterator[Item]:
    name = address.partition("?")[0].rstrip("/")
    suffix = PurePosixPath(name).suffix.lower()
    if address.startswith(("http://", "https://")) and (suffix == ".json" or name.endswith(("/manifest", "/info"))):
        return wanted.rows(items_of_manifest(read_address(address), address))
    system, path = open_address(address)
    if suffix in MANIFESTS:
        return wanted.rows(read_manifest(read_address(address), PurePosixPath(name).name, address.rpartition("/")[0]))
    return _find(system, path, address, wanted)


def _find(system: AbstractFileSystem, path: str, address: str, wanted: Filter) -> Iterator[Item]:
    """List a remote file or folder; an item names its XMP sidecar if there is one among the files.

    Raises:
        OptionError: The address cannot be read, or contains no files.
    """
    with naming_errors(address):
        is_file = not address.endswith("/") and system.isfile(path)  # on a web server a folder is also a page
        if is_file:
            infos = {path: system.info(path)}
            root = path.rpartition("/")[0]
        else:
            infos = system.find(path, detail=True)
            root = path.rstrip("/")
    if not infos:
        raise OptionError("contains no files", path=address, remedy="check the address")
    for name in sorted(infos):
        key = name.removeprefix(root).lstrip("/")
        sidecars = (f"{name}.xmp", str(PurePosixPath(name).with_suffix(".xmp")))
        sidecar = None if len(infos) == 1 else next((place for place in sidecars if place in infos), "")
        if wanted.selects(key) if is_file else wanted.takes(key) and all(map(wanted.enters, _folders(key))):
            info = infos[name]
            size = info.get("size")
            yield Item(
                key,
                address_of(system, name, address),
                -1 if size is None else int(size),
                version_of(info),
                sidecar=address_of(system, sidecar, address) if sidecar else sidecar,
                is_unread=not is_file and is_unread(key),
            )
