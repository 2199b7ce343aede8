"""Receives uploads: the request's body is the file, its query holds the name."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from ..errors import OptionError, StudioError
from .state import AppState

_LONGEST_FOLDER = 1000  # maximum number of characters in the path of a file's folder
_LONGEST_NAME = 180  # maximum number of bytes in a name; most file systems allow 255, and results get longer names


class Uploads:
    """Receives uploads as long as the disk has space for them and for the uploads in progress.

    Args:
        state: State that all visitors share.
    """

    def __init__(self, state: AppState) -> None:
        self._state = state
        self._pending_bytes = 0  # total size in bytes of uploads in progress

    @asynccontextmanager
    async def received(self, request: Request) -> AsyncIterator[Path]:
        """Receive a file as ``kept`` does, with the same errors, and remove its folder after the block."""
        async with self.kept(request) as path:
            yield path
            shutil.rmtree(path.parent, ignore_errors=True)

    @asynccontextmanager
    async def kept(self, request: Request) -> AsyncIterator[Path]:
        """Write the body of a request to a file in a new folder, and yield the file's path.

        The folder is removed if the block raises an exception. Otherwise the caller must remove it.

        Raises:
            StudioError: There is not enough space on the disk.
            OptionError: The request does not state a name and size, the file is larger than the studio accepts, or it
                does not have the stated size.
            OSError: The file cannot be written.
        """
        name, size = file_name(request.query_params.get("name", "")), await self._size(request)
        folder = self._state.new_folder()
        try:
            await self._receive(request, folder / name, size)
            yield folder / name
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    async def _size(self, request: Request) -> int:
        length = request.headers.get("content-length", "")
        if not length.isdecimal():
            raise OptionError("the request does not state the size of the file", remedy="send Content-Length")
        if int(length) > self._state.max_upload_bytes:
            await _drain(request)
            most = self._state.max_upload_bytes / 1e6
            raise OptionError(f"the file is larger than {most:g} MB", remedy="start the studio with a larger limit")
        return int(length)

    async def _receive(self, request: Request, path: Path, size: int) -> None:
        self._pending_bytes += size
        try:
            try:
                await run_in_threadpool(self._state.disk.check, self._pending_bytes)
            except StudioError:
                await _drain(request)
                raise
            received = 0
            with path.open("wb") as file:
                async for chunk in request.stream():
                    received += len(chunk)
                    if received > size:
                        raise OptionError("the file is larger than the request states")
                    await asyncio.to_thread(file.write, chunk)
            if received < size:
                raise OptionError("the upload was cut short", remedy="send it again")
        finally:
            self._pending_bytes -= size


async def _drain(request: Request) -> None:
    """Read and discard the rest of a request, since browsers do not read the response before they have sent it all."""
    async for _ in request.stream():
        pass


def folder_name(path: str) -> str:
    """Return the path of a dropped file's folder, with ``/`` between names, and without ``..`` and invalid characters.

    Raises:
        OptionError: The folders are nested too deeply.
    """
    if len(path) > _LONGEST_FOLDER:
        raise OptionError("the folders are nested too deeply", remedy="drop an inner folder")
    parts = (part for part in re.split(r"[/\\]", path) if part.strip(". "))
    return "/".join(file_name(part) for part in parts)


def file_name(name: str) -> str:
    """Return a file name for an upload, from the name that the browser sent.

    Folders and leading dots are removed, invalid characters are replaced by ``_``, and a stem that is too long is cut.

    Raises:
        OptionError: No characters remain before the extension.
    """
    name = re.sub(r"[\x00-\x1f\x7f<>:\"|?*]", "_", re.split(r"[/\\]", name)[-1]).strip().lstrip(".")
    stem, suffix = Path(name).stem, Path(name).suffix
    while stem and len(name.encode()) > _LONGEST_NAME:
        stem = stem[:-1]
        name = stem + suffix
    if not stem:
        raise OptionError(
            "the file has no name", remedy="give a name with the extension of its format, for example .jpg"
        )
    return name
