"""Sources of photographs: folders and tar shards (WebDataset's format), local or remote.

Remote photographs are first copied to the run's folder, so that neither the order of training nor the losses depend on
the connection, and a resumed run finds the same photographs.
"""

from __future__ import annotations

import os
import re
import stat
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ...atomic import new_path
from ...batch.remote_files import naming_errors, open_address
from ...errors import TrainingError
from ...label import has_label, is_labelled
from ...photo.names import sidecar_path
from ..atomic_files import write

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp")
HEIF_SUFFIXES = (".heic", ".heif", ".avif")  # photographs that training does not decode; users are told
_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")  # train-{000..146}.tar, in WebDataset's notation


@dataclass(frozen=True)
class File:
    """A file, or a member of a tar shard, that may be a photograph; see ``data.dataset.Photograph`` for the fields."""

    path: Path
    source: str
    """Top-level folder of the file, below the given folder or within the shard; empty if it is in none."""
    member: str = ""
    offset: int = 0
    size: int = -1


def read(path: Path, offset: int, size: int) -> bytes:
    """Read ``size`` bytes of a file from ``offset`` on, such as a member of a tar shard; all bytes if ``size`` is -1.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(size)


def is_own_output(path: Path, data: bytes) -> bool:
    """Return whether Photochrom made an image file with content ``data``, whose colours are then not true ones.

    Raises:
        OSError: The sidecar beside the file cannot be read.
    """
    sidecar = sidecar_path(path)
    return has_label(data) or (sidecar.is_file() and is_labelled(sidecar))


def files(folder: Path) -> Iterator[File]:
    """Yield the files with a photograph's extension in a folder, its subfolders and their tar shards, in a fixed order.

    Pipes, sockets and devices are left out. ``folder`` may also be a single photograph or shard.

    Raises:
        TrainingError: A folder cannot be listed, or a shard is damaged.
    """
    for path in [folder] if folder.is_file() else _listed(folder):
        if _is_special(path):
            continue
        if path.suffix.lower() == ".tar":
            yield from _members(path)
        elif _is_named_like_photograph(path):
            parts = path.relative_to(folder).parts
            yield File(path, parts[0] if len(parts) > 1 else "")


def _is_named_like_photograph(path: Path) -> bool:
    return path.suffix.lower() in (*SUFFIXES, *HEIF_SUFFIXES)


def _is_special(path: Path) -> bool:
    """Return whether a path is a pipe, socket or device, since reading one may never end."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False  # such as a broken link, which reading it will report
    return not stat.S_ISREG(mode)


def _listed(folder: Path) -> list[Path]:
    """Return all files in a folder and its subfolders, sorted; each linked folder is entered once.

    Raises:
        TrainingError: A folder cannot be listed.
    """

    def refuse(exc: OSError) -> None:
        raise TrainingError(
            f"cannot be read ({exc.strerror})", path=exc.filename, remedy="give yourself access, or move it away"
        )

    paths, seen = [], {os.path.realpath(folder)}
    for base, folders, names in os.walk(folder, onerror=refuse, followlinks=True):
        paths += [Path(base, name) for name in names]
        real = {os.path.realpath(Path(base, name)): name for name in sorted(folders, reverse=True)}
        folders[:] = sorted(name for place, name in real.items() if place not in seen)  # links may form loops
        seen.update(real)
    return sorted(paths)


def _members(shard: Path) -> Iterator[File]:
    """Yield the members of a tar shard that have a photograph's extension.

    Raises:
        TrainingError: The shard is damaged or cannot be read.
    """
    try:
        with tarfile.open(shard, "r:") as tar:
            for entry in tar:
                if entry.isfile() and _is_named_like_photograph(Path(entry.name)):
                    parts = Path(entry.name).parts
                    yield File(shard, parts[0] if len(parts) > 1 else "", entry.name, entry.offset_data, entry.size)
            _check_end(shard, tar.offset)
    except (tarfile.TarError, OSError) as exc:
        raise TrainingError(
            f"is not a whole tar file ({exc})", path=shard, remedy="replace it, or move it away"
        ) from exc


def _check_end(shard: Path, offset: int) -> None:
    """Check that a tar file has zeros where reading ended, since ``tarfile`` also stops at a damaged header.

    Raises:
        tarfile.ReadError: There is something else.
        OSError: The file cannot be read.
    """
    with shard.open("rb") as file:
        file.seek(offset)
        if file.read(tarfile.BLOCKSIZE).strip(b"\0"):
            raise tarfile.ReadError(f"damaged header at byte {offset}")


def copy_here(photographs: str, folder: Path) -> None:
    """Copy remote photographs into ``folder``, except those that are already there.

    Args:
        photographs: Address of one tar shard, of several (``...-{000..146}.tar``, ``...-*.tar``), or of a folder.
        folder: Folder for the copies, created if missing. A file appears in it only when it is complete. The address is
            recorded in a file beside it, ``FOLDER.address``.

    Raises:
        OptionError: The protocol of the address is unknown, or its credentials are missing.
        PhotochromError: fsspec or the package for the protocol is missing.
        TrainingError: The address cannot be read, it contains files of the same name in different folders, the folder
            contains copies from another address, or a copy cannot be written.
    """
    remedy = "start again; the files copied so far are kept"
    with naming_errors(photographs, f"copied to {folder}", error=TrainingError, remedy=remedy):
        system, _ = open_address(photographs)
        folder.mkdir(parents=True, exist_ok=True)
        there = list(_remote_files(system, photographs))
        _note_address(photographs, folder.with_name(f"{folder.name}.address"))
        if len({name for _, name in there}) < len(there):
            raise TrainingError(
                "contains files of the same name in different folders",
                path=photographs,
                remedy="give the folder above them",
            )
        for remote, name in tqdm(there, "copying", disable=None):
            if not (path := folder / name).exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                with new_path(path, overwrite=True) as part:
                    system.get_file(remote, str(part))


def _note_address(photographs: str, note: Path) -> None:
    """Record the address of the copies, so that copies from two addresses are not mixed.

    Raises:
        TrainingError: Another address is recorded, or the note cannot be written.
        OSError: The note cannot be read.
    """
    if note.is_file() and (other := note.read_text()) != photographs:
        raise TrainingError(
            f"contains photographs from {other}", path=note.parent, remedy=f"give another run folder for {photographs}"
        )
    write(note, photographs.encode())


def _remote_files(system: Any, photographs: str) -> Iterator[tuple[str, str]]:
    """Yield each remote file with its name in the local folder."""
    if match := _RANGE.search(photographs):
        first, last = match.groups()
        names = [f"{number:0{len(first)}}" for number in range(int(first), int(last) + 1)]
        urls = [photographs[: match.start()] + name + photographs[match.end() :] for name in names]
    elif "*" in photographs:
        urls = system.glob(photographs)
    elif photographs.endswith(".tar"):
        urls = [photographs]
    else:
        root = system._strip_protocol(photographs).rstrip("/")
        urls = system.find(photographs)
        yield from ((url, system._strip_protocol(url).removeprefix(root).lstrip("/")) for url in urls)
        return
    yield from ((url, url.rsplit("/", 1)[-1]) for url in urls)
