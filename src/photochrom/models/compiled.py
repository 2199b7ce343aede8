"""A cache of models compiled by OpenVINO; loading one takes a third of the time of compiling.

Each file holds one model as exported by OpenVINO, after a header that identifies it: the hash of the model file, the
version of OpenVINO, the processor and the precision. A file with another header or a wrong checksum is ignored and
rewritten.
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
from ..machine import processor_flags, processor_name
from .download import cache_folder, known_digest

SWITCH: Final = "PHOTOCHROM_MODEL_CACHE"
"""Environment variable; set to 0, it switches the cache off."""
_HEADER: Final = 1 << 14  # bytes; a card with its bins takes about 6,000
_KEPT: Final = 4  # compiled models kept; the embedded one takes 37 MB


def compiled_folder() -> Path:
    """Return the folder of compiled models, whether or not it exists."""
    return cache_folder() / "compiled"


def is_enabled() -> bool:
    """Return whether the cache is in use."""
    return os.environ.get(SWITCH, "1").lower() not in ("0", "false", "no", "off")


class Loaded(NamedTuple):
    """A model from the cache."""

    compiled: Any
    """OpenVINO's compiled model."""
    metadata: dict[str, str]
    """Metadata of the model file."""
    memory: mmap.mmap
    """The memory-mapped file; it must outlive the compiled model."""


def release(memory: mmap.mmap) -> None:
    """Return the memory of a mapped file to the system, which reads the file again on access.

    The whole file is read to check it, and again when the network first runs and copies its weights. From then on the
    mapping would hold them a second time.
    """
    if hasattr(mmap, "MADV_DONTNEED"):  # not on Windows
        memory.madvise(mmap.MADV_DONTNEED)


class CompiledModel:
    """One model's entry in the cache of compiled models.

    Args:
        path: The model file.
        version: Version of OpenVINO.
        settings: OpenVINO's settings for compiling. The number of threads is not part of a compiled model.
    """

    def __init__(self, path: Path, version: str, settings: Mapping[str, str]) -> None:
        built_for = {name: value for name, value in settings.items() if name != "INFERENCE_NUM_THREADS"}
        processor = [processor_name(), *processor_flags()]
        self._key = json.dumps([known_digest(path), version, processor, built_for], sort_keys=True)
        name = hashlib.sha256(self._key.encode()).hexdigest()[:16]
        self.path = compiled_folder() / f"{name}.blob"
        """Path of the entry's file, which may not exist."""

    def load(self, core: Any, openvino: Any, settings: Mapping[str, str]) -> Loaded | None:
        """Load the model from the cache; None if the file is missing or damaged."""
        try:
            with self.path.open("rb") as file:
                header = json.loads(file.read(_HEADER))
                memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)  # OpenVINO takes writable memory only
            blob = np.frombuffer(memory, np.uint8, offset=_HEADER)
            if header["key"] != self._key or header["crc32"] != zlib.crc32(blob.data):
                return None
            compiled = core.import_model(openvino.Tensor(blob, shared_memory=True), "CPU", dict(settings))
            release(memory)
            self.path.touch()  # the least recently used files are removed
            return Loaded(compiled, dict(header["metadata"]), memory)
        except (OSError, ValueError, TypeError, KeyError, RuntimeError):
            return None

    def store(self, compiled: Any, metadata: Mapping[str, str]) -> None:
        """Write a compiled model to the cache; does nothing if the folder is not writable."""
        with suppress(OSError, RuntimeError):
            blob = compiled.export_model().getbuffer()
            header = json.dumps({"key": self._key, "crc32": zlib.crc32(blob), "metadata": dict(metadata)}).encode()
            if len(header) > _HEADER:
                return
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with new_file(self.path, overwrite=True) as file:
                file.write(header.ljust(_HEADER))
                file.write(blob)
            _remove_oldest()


def _remove_oldest() -> None:
    files = sorted(compiled_folder().glob("*.blob"), key=lambda path: path.stat().st_mtime)
    for path in files[:-_KEPT]:
        path.unlink(missing_ok=True)
