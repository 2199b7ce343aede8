"""Engines, which run a model file: OpenVINO and ONNX Runtime behind one method, ``run``.

Both engines read the same file, and tests check that they give the same numbers. OpenVINO is the default, since it is
faster on Intel and AMD processors (``benchmarks/engines.py``).
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import mmap
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np

from ..color.bands import thread_limit
from ..errors import EngineError, ModelError
from ..machine import give_back_freed_memory, lacks_memory
from .compiled import CompiledModel, is_enabled, release

Arrays = Mapping[str, np.ndarray]

_CONVERTER: Final = "openvino.tools.ovc"
# OpenVINO compiles kernels for each of the 49 shapes that a thumbnail may have, and by default keeps the 5,000 most
# recently used: that is all of them, 370 MB. With this limit, the six most common shapes are predicted just as fast.
_KEPT_KERNELS = 500
# Discarded kernels leave freed memory that glibc keeps: 60 MB after 15 predictions of as many shapes. Giving it back
# takes 2 ms.
_RUNS_BETWEEN = 20
DEVICES = ("auto", "cpu", "cuda", "gpu")
"""``auto`` and ``cpu``: the processor; ``cuda``: NVIDIA, by ONNX Runtime; ``gpu``: Intel graphics, by OpenVINO."""


class Engine(Protocol):
    """A loaded network. One engine may be used by several threads."""

    @property
    def metadata(self) -> Mapping[str, str]:
        """Metadata of the model file."""
        ...

    def run(self, inputs: Arrays) -> dict[str, np.ndarray]:
        """Run the network once.

        Args:
            inputs: float32 arrays by the names of the network's inputs; ``Colorizer.inputs`` makes them.

        Returns:
            float32 arrays by the names of the network's outputs.

        Raises:
            EngineError: The network could not be run.
        """
        ...


def import_openvino() -> Any:
    """Import OpenVINO without its telemetry and without its converter.

    OpenVINO comes with ``openvino_telemetry``, which reports every import to its vendor unless the user has opted out.
    If that package cannot be imported, OpenVINO uses a stub. The converter for models of other frameworks takes two
    thirds of the import time; here ``openvino.convert_model`` loads it when first called.

    Raises:
        ImportError: OpenVINO is not installed.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # makes its import fail
    if "openvino" in sys.modules:
        import openvino

        return openvino
    sys.modules[_CONVERTER] = None  # type: ignore[assignment]
    try:
        import openvino
    finally:
        del sys.modules[_CONVERTER]
    if not hasattr(openvino, "convert_model"):
        openvino.convert_model = _convert_model
    return openvino


def _convert_model(*args: Any, **options: Any) -> Any:
    """Load OpenVINO's converter and call it, for other code in this process that uses OpenVINO."""
    return importlib.import_module(_CONVERTER).convert_model(*args, **options)


@functools.cache
def openvino_core() -> Any:
    """Return the process's only OpenVINO core.

    A core installs an alternate signal stack, and restores the previous one when it is destroyed. If two cores were
    destroyed in the order of their creation, the second would restore the first one's stack, which has been freed by
    then, and the next Ctrl-C would crash the process.
    """
    return import_openvino().Core()


def openvino_settings(exact: bool) -> dict[str, str]:
    """Settings for ``compile_model``: low latency, and float32 if ``exact``, else bfloat16 if the hardware has it."""
    settings = {"PERFORMANCE_HINT": "LATENCY"} | ({"INFERENCE_PRECISION_HINT": "f32"} if exact else {})
    limit = thread_limit()
    return settings if limit is None else settings | {"INFERENCE_NUM_THREADS": str(limit)}


def _cache(path: Path, settings: Mapping[str, str]) -> CompiledModel | None:
    """Return the model's entry in the cache; None if the cache is off or the model cannot be read."""
    if not is_enabled():
        return None
    try:
        return CompiledModel(path, import_openvino().__version__, settings)
    except OSError:
        return None


class OpenVinoEngine:
    """OpenVINO on the processor, or on Intel graphics.

    A model compiled for the processor is cached on disk for the next process (``models.compiled``).

    Args:
        path: The model file.
        device: ``cpu`` or ``gpu``.
        exact: Whether to always compute in float32. By default the engine uses bfloat16 where the hardware supports it,
            which halves the time and changes a* and b* by about half a unit.
        adapt: Function that turns the OpenVINO model read from the file into the one to compile.

    Raises:
        EngineError: OpenVINO is not installed, or the device cannot be used.
        ModelError: The file is not a network.
    """

    def __init__(
        self, path: Path, device: str = "cpu", *, exact: bool = False, adapt: Callable[[Any], Any] | None = None
    ) -> None:
        self._memory: mmap.mmap | None = None
        self._is_fresh, self._runs = False, 0
        try:
            openvino = import_openvino()
        except ImportError as exc:
            _check_memory(exc)
            raise EngineError("OpenVINO is not installed", remedy="pip install openvino") from exc
        try:
            # The bindings import numpy when they first receive an array. Two threads that passed their first arrays at
            # once would deadlock (a C++ static guard against the GIL), so a first array is passed here.
            openvino.Tensor(np.zeros(1, np.float32))
            core, settings = openvino_core(), openvino_settings(exact)
            if device == "cpu":
                settings["CPU_RUNTIME_CACHE_CAPACITY"] = str(_KEPT_KERNELS)
            cache = _cache(path, settings) if device == "cpu" and adapt is None else None
            if cache and (found := cache.load(core, openvino, settings)):
                self._compiled, self.metadata, self._memory = found
                self._is_fresh = True
                return
            model = core.read_model(path)
            self._compiled = core.compile_model(adapt(model) if adapt else model, device.upper(), settings)
        except RuntimeError as exc:
            raise _translate(exc, path, device) from exc
        info = model.rt_info
        self.metadata = {k: str(v.value) for k, v in info["framework"].items()} if "framework" in info else {}
        if cache:
            cache.store(self._compiled, self.metadata)

    def run(self, inputs: Arrays) -> dict[str, np.ndarray]:
        """See ``Engine.run``."""
        try:
            # Each call makes its own request, since the compiled model's shared one refuses a second thread.
            found = self._compiled.create_infer_request().infer(dict(inputs), share_inputs=True)
        except RuntimeError as exc:
            _check_memory(exc)
            raise EngineError(f"OpenVINO failed ({_reason(exc)})", remedy="report it") from exc
        if self._is_fresh and self._memory is not None:
            self._is_fresh = False
            release(self._memory)
        self._runs += 1
        if self._runs % _RUNS_BETWEEN == 0:
            give_back_freed_memory()
        return {port.any_name: np.asarray(value, np.float32) for port, value in found.items()}


class OnnxRuntimeEngine:
    """ONNX Runtime on the processor, or on an NVIDIA card with CUDA.

    Args:
        path: The model file.
        device: ``cpu`` or ``cuda``.

    Raises:
        EngineError: ONNX Runtime is not installed, or has no CUDA.
        ModelError: The file is not a network.
    """

    def __init__(self, path: Path, device: str = "cpu") -> None:
        try:
            import onnxruntime
        except ImportError as exc:
            package = "onnxruntime-gpu" if device == "cuda" else "'photochrom[onnxruntime]'"
            raise EngineError("ONNX Runtime is not installed", remedy=f"pip install {package}") from exc
        provider = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}[device]
        if provider not in onnxruntime.get_available_providers():
            raise EngineError(
                "this ONNX Runtime has no CUDA", remedy='pip install onnxruntime-gpu, or use device="cpu"'
            )
        try:
            settings = onnxruntime.SessionOptions()
            settings.intra_op_num_threads = thread_limit() or 0  # 0: as many as there are cores
            self._session = onnxruntime.InferenceSession(path, settings, providers=[provider])
        except Exception as exc:  # its errors have no common base class
            raise _translate(exc, path, device) from exc
        if provider not in self._session.get_providers():  # on failure it only logs, and falls back to the processor
            raise EngineError(
                "ONNX Runtime cannot load CUDA here", remedy='install CUDA and cuDNN, or use device="cpu"'
            )
        self.metadata = dict(self._session.get_modelmeta().custom_metadata_map)

    def run(self, inputs: Arrays) -> dict[str, np.ndarray]:
        """See ``Engine.run``."""
        names = [output.name for output in self._session.get_outputs()]
        try:
            found = self._session.run(names, dict(inputs))
        except Exception as exc:  # its errors have no common base class
            _check_memory(exc)
            raise EngineError(f"ONNX Runtime failed ({_reason(exc)})", remedy="report it") from exc
        return dict(zip(names, (np.asarray(value, np.float32) for value in found), strict=True))


class FakeEngine:
    """An engine that calls a function instead of a network, for tests.

    Args:
        answer: Function that maps the inputs to the outputs.
        metadata: Metadata of the model file that it replaces.
    """

    def __init__(self, answer: Callable[[Arrays], dict[str, np.ndarray]], metadata: Mapping[str, str]) -> None:
        self._answer = answer
        self.metadata = dict(metadata)

    def run(self, inputs: Arrays) -> dict[str, np.ndarray]:
        """See ``Engine.run``."""
        return self._answer(inputs)


def open_engine(path: Path, device: str = "auto") -> Engine:
    """Load a model file into the best installed engine for a device.

    Args:
        path: The model file.
        device: One of ``DEVICES``.

    Raises:
        EngineError: The device is unknown or cannot be used, or no engine for it is installed.
        ModelError: The file is not a network.
    """
    if device not in DEVICES:
        raise EngineError(f"there is no device {device!r}", remedy=f"choose one of {', '.join(DEVICES)}")
    if device == "cuda":
        return OnnxRuntimeEngine(path, "cuda")
    if device == "gpu":
        return OpenVinoEngine(path, "gpu")
    if importlib.util.find_spec("openvino") is None:
        return OnnxRuntimeEngine(path)
    return OpenVinoEngine(path)


def _check_memory(exc: Exception) -> None:
    """Raise ``EngineError`` if an exception means that memory ran out, so that the model is not blamed."""
    if lacks_memory(exc):
        raise EngineError("there is not enough memory to run the model", remedy="close other programs") from exc


def _translate(exc: Exception, path: Path, device: str) -> EngineError | ModelError:
    _check_memory(exc)
    if device not in ("cpu", "auto") and "onnx" not in str(exc).lower():
        return EngineError(f"cannot use the device {device!r} ({_reason(exc)})", remedy='use device="cpu"')
    return ModelError(f"not a model that can be run ({_reason(exc)})", path=path, remedy="choose another model")


def _reason(exc: Exception) -> str:
    lines = [line.strip() for line in str(exc).splitlines() if line.strip()]
    return lines[-1] if lines else type(exc).__name__
