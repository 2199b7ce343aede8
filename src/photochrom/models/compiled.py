"""Caches models compiled by OpenVINO: loading a compiled model takes a third of the time of compiling it.

Each file of the cache contains a header and one compiled model as exported by OpenVINO. The header identifies the
model: hash of the model file, version of OpenVINO, processor and precision. A file with another header or a wrong
checksum is ignored and rewritten.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import zlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from ..atomic import new_file
from ..json_text import parse_json
from ..machine import processor_flags, processor_name
from .download import cache_folder, known_digest

SWITCH: Final = "PHOTOCHROM_MODEL_CACHE"
"""Environment variable that switches the cache off if it is set to 0, false, no or off."""
_HEADER: Final = 1 << 14  # bytes of the header; the model's card with its bins takes about 6,000
_GRAPH: Final = 2  # number of the changes that engines make to a network before compiling it; see ``unused_hints``
_KEPT: Final = 4  # number of compiled models in the cache; that of the default model takes about 40 MB


def compiled_folder() -> Path:
    """Return the folder of compiled models, which may not exist."""
    return cache_folder() / "compiled"


def is_enabled() -> bool:
    """Return whether the cache is in use; it is unless ``SWITCH`` switches it off."""
    return os.environ.get(SWITCH, "1").lower() not in ("0", "false", "no", "off")


def entries() -> dict[Path, os.stat_result]:
    """Return the files of the cache with their states, without those that another process removes meanwhile."""
    found = {}
    for path in compiled_folder().glob("*.blob"):
        with suppress(FileNotFoundError):
            found[path] = path.stat()
    return found


class Loaded(NamedTuple):
    """A compiled model that was loaded from the cache."""

    compiled: Any
    """OpenVINO's compiled model."""
    metadata: dict[str, str]
    """Metadata of the model file."""
    memory: mmap.mmap
    """The memory-mapped file; it must outlive the compiled model."""


def release(memory: mmap.mmap) -> None:
    """Give a mapped file's memory back to the system, which reads the file again when needed; no effect on Windows."""
    # The checksum reads the whole file, and so does the first run of the network, which copies the weights. From
    # then on the weights would be in memory twice.
    if hasattr(mmap, "MADV_DONTNEED"):
        memory.madvise(mmap.MADV_DONTNEED)


class CompiledModel:
    """One model's entry in the cache of compiled models.

    Args:
        path: The model file.
        version: Version of OpenVINO.
        settings: OpenVINO's settings for compiling. The number of threads is ignored, because a compiled model does
            not depend on it.

    Raises:
        ModelError: The model file cannot be read.
    """

    def __init__(self, path: Path, version: str, settings: Mapping[str, str]) -> None:
        built_for = {name: value for name, value in settings.items() if name != "INFERENCE_NUM_THREADS"}
        processor = [processor_name(), *processor_flags()]
        self._key = json.dumps([known_digest(path), version, processor, built_for, _GRAPH], sort_keys=True)
        name = hashlib.sha256(self._key.encode()).hexdigest()[:16]
        self.path = compiled_folder() / f"{name}.blob"
        """Path of the entry's file, which may not exist."""

    def load(self, core: Any, openvino: Any, settings: Mapping[str, str]) -> Loaded | None:
        """Load the model from the cache, and mark its entry as recently used.

        Args:
            core: OpenVINO's core.
            openvino: The module ``openvino``.
            settings: OpenVINO's settings for the compiled model, with the number of threads.

        Returns:
            The loaded model; None if the entry's file is missing, is damaged, or was made for another model file,
            version of OpenVINO, processor or precision.
        """
        try:
            with self.path.open("rb") as file:
                header = parse_json(file.read(_HEADER))
                memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)  # OpenVINO accepts writable memory only
            blob = np.frombuffer(memory, np.uint8, offset=_HEADER)
            if header["key"] != self._key or header["crc32"] != zlib.crc32(blob.data):
                return None
            compiled = core.import_model(openvino.Tensor(blob, shared_memory=True), "CPU", dict(settings))
            release(memory)
            self.path.touch()  # marks it as recently used
            return Loaded(compiled, dict(header["metadata"]), memory)
        except (OSError, ValueError, TypeError, KeyError, RuntimeError):
            return None

    def store(self, compiled: Any, metadata: Mapping[str, str]) -> None:
        """Write a compiled model to the cache, and remove the least recently used entries; errors are ignored."""
        with suppress(OSError, RuntimeError):
            blob = compiled.export_model().getbuffer()
            header = json.dumps({"key": self._key, "crc32": zlib.crc32(blob), "metadata": dict(metadata)}).encode()
            if len(header) > _HEADER:
                return
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with new_file(self.path, overwrite=True) as file:
                file.write(header.ljust(_HEADER))
                file.write(blob)
            self._remove_least_recently_used()

    def _remove_least_recently_used(self) -> None:
        # This entry is kept in any case, since others may have the same time.
        others = {path: state.st_mtime_ns for path, state in entries().items() if path != self.path}
        for path in sorted(others, key=others.__getitem__, reverse=True)[_KEPT - 1 :]:
            path.unlink(missing_ok=True)
