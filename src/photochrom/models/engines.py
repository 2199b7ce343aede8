"""Runs model files with OpenVINO or ONNX Runtime, behind one interface: ``Engine``.

Both read the same file, and tests check that they compute the same numbers. OpenVINO is the default, since it is faster
on Intel and AMD processors (``benchmarks/engines.py``).
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import mmap
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np

from ..color.bands import thread_limit
from ..errors import EngineError, ModelError
from ..machine import give_back_freed_memory, lacks_memory
from .compiled import CompiledModel, is_enabled, release
from .unused_hints import skip_unused_hints

Arrays = Mapping[str, np.ndarray]

_CONVERTER: Final = "openvino.tools.ovc"
_LOADING: Final = threading.RLock()  # held while OpenVINO is imported, and while its core is created
# OpenVINO compiles kernels for each of the 49 shapes that a thumbnail may have. By default it keeps the 5,000 most
# recently used, which means all of them, 370 MB. This limit does not slow down predictions at the six commonest shapes.
_KEPT_KERNELS = 500
# The C library keeps the memory of discarded kernels: 60 MB after 15 predictions at 15 shapes. After so many runs it is
# given back to the system, which takes 2 ms.
_RUNS_BETWEEN_TRIMS = 20
DEVICES = ("auto", "cpu", "cuda", "gpu")
"""``auto`` and ``cpu``: the processor; ``cuda``: NVIDIA with ONNX Runtime; ``gpu``: Intel graphics with OpenVINO."""


class Engine(Protocol):
    """A loaded network, which several threads may use at the same time."""

    @property
    def metadata(self) -> Mapping[str, str]:
        """Metadata of the model file."""
        ...

    def run(self, inputs: Arrays) -> dict[str, np.ndarray]:
        """Run the network once, on one picture or on several of one size.

        Args:
            inputs: float32 arrays by name of the input, as returned by ``colorizer.network.network_inputs``.

        Returns:
            float32 arrays by name of the output: ``ab`` ``[N, 2, h, w]`` and, if the model has them, ``confidence``
            ``[N, 1, h, w]`` and ``probability`` ``[N, bins, h, w]``.

        Raises:
            EngineError: The network could not be run.
        """
        ...


def import_openvino() -> Any:
    """Import OpenVINO without its telemetry and converter; return the module as it is if other code has imported it.

    The converter of models from other frameworks is loaded when ``openvino.convert_model`` is first called.

    Raises:
        ImportError: OpenVINO is not installed.
    """
    # OpenVINO depends on a package that reports every import to the vendor unless the user has opted out; if it cannot
    # be imported, OpenVINO uses a stub.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # makes its import fail
    with _LOADING:
        if "openvino" in sys.modules:
            import openvino

            return openvino
        sys.modules[_CONVERTER] = None  # type: ignore[assignment]  # it takes two thirds of the import time
        try:
            import openvino
        finally:
            del sys.modules[_CONVERTER]
        if not hasattr(openvino, "convert_model"):
            openvino.convert_model = _convert_model
        return openvino


def _convert_model(*args: Any, **options: Any) -> Any:
    """Load and call OpenVINO's converter, for other code in this process that needs it."""
    return importlib.import_module(_CONVERTER).convert_model(*args, **options)


def openvino_core() -> Any:
    """Return the OpenVINO core of this process; there must be only one.

    Raises:
        ImportError: OpenVINO is not installed.
    """
    # A core installs an alternate signal stack, and restores the previous stack when it is destroyed. If two cores were
    # destroyed in the order of their creation, the second would restore the stack of the first, which is freed already,
    # and the next Ctrl+C would crash the process.
    with _LOADING:
        return _core()


@functools.cache
def _core() -> Any:
    return import_openvino().Core()


def openvino_settings(exact: bool) -> dict[str, str]:
    """Return OpenVINO's settings for ``compile_model``.

    They ask for low latency, for float32 if ``exact`` (else bfloat16 is used if available), and for at most as many
    threads as ``thread_limit`` allows. Only weights are stored as int8: activations must not be quantised as well.
    """
    settings = {"PERFORMANCE_HINT": "LATENCY", "DYNAMIC_QUANTIZATION_GROUP_SIZE": "0"}
    if exact:
        settings["INFERENCE_PRECISION_HINT"] = "f32"
    limit = thread_limit()
    return settings if limit is None else settings | {"INFERENCE_NUM_THREADS": str(limit)}


class OpenVinoEngine:
    """OpenVINO on the processor, or on Intel graphics.

    Models compiled for the processor are cached on disk, so that later processes load faster (``models.compiled``),
    except those that ``adapt`` converts.

    Args:
        path: The model file.
        device: ``cpu`` or ``gpu``.
        exact: Whether to compute in float32 on any hardware. Otherwise bfloat16 is used where the hardware supports it;
            it halves the time and changes a* and b* by about half a unit.
        adapt: Function that converts the OpenVINO model in the file to the one that is compiled; None to compile it
            unchanged.

    Raises:
        EngineError: OpenVINO is not installed, the device cannot be used, or memory is too low.
        ModelError: The file is missing or is not a network, or ``adapt`` raised it.
    """

    def __init__(
        self, path: Path, device: str = "cpu", *, exact: bool = False, adapt: Callable[[Any], Any] | None = None
    ) -> None:
        self._memory: mmap.mmap | None = None  # the mapped file, if the compiled model is from the cache
        self._runs = 0
        try:
            openvino = import_openvino()
        except ImportError as exc:
            _check_memory(exc)
            raise EngineError("OpenVINO is not installed", remedy="pip install openvino") from exc
        try:
            # The bindings import NumPy when they first receive an array. If two threads passed the first arrays at the
            # same time, they would deadlock (one holds a C++ static guard, one the GIL). So one is passed beforehand.
            openvino.Tensor(np.zeros(1, np.float32))
            core, settings = openvino_core(), openvino_settings(exact)
            if device == "cpu":
                settings["CPU_RUNTIME_CACHE_CAPACITY"] = str(_KEPT_KERNELS)
            is_cached = is_enabled() and device == "cpu" and adapt is None
            cache = CompiledModel(path, openvino.__version__, settings) if is_cached else None
            if cache and (found := cache.load(core, openvino, settings)):
                self._compiled, self.metadata, self._memory = found
                return
            model = core.read_model(path)
            if device == "cpu" and adapt is None:
                skip_unused_hints(openvino, core, model)
            self._compiled = core.compile_model(adapt(model) if adapt else model, device.upper(), settings)
        except RuntimeError as exc:
            raise _translate(exc, path, device) from exc
        info = model.rt_info
        self.metadata = {k: str(v.value) for k, v in info["framework"].items()} if "framework" in info else {}
        if cache:
            cache.store(self._compiled, self.metadata)

    def run(self, inputs: Arrays) -> dict[str, np.ndarray]:
        """Run the network once; arguments, result and errors are those of ``Engine.run``."""
        try:
            # Each call makes its own request, since the compiled model's own request refuses a second thread.
            found = self._compiled.create_infer_request().infer(dict(inputs), share_inputs=True)
        except RuntimeError as exc:
            _check_memory(exc)
            raise EngineError(f"OpenVINO failed ({_reason(exc)})", remedy="report it") from exc
        if self._runs == 0 and self._memory is not None:
            release(self._memory)
        self._runs += 1
        if self._runs % _RUNS_BETWEEN_TRIMS == 0:
            give_back_freed_memory()
        return {port.any_name: np.asarray(value, np.float32) for port, value in found.items()}


class OnnxRuntimeEngine:
    """ONNX Runtime on the processor, or on an NVIDIA card with CUDA.

    Args:
        path: The model file.
        device: ``cpu`` or ``cuda``.

    Raises:
        EngineError: ONNX Runtime is not installed, lacks CUDA or cannot load it, or memory is too low.
        ModelError: The file is missing or is not a network.
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
        except Exception as exc:  # ONNX Runtime's errors have no common base class
            raise _translate(exc, path, device) from exc
        if provider not in self._session.get_providers():  # if CUDA fails, it only logs and uses the processor
            raise EngineError(
                "ONNX Runtime cannot load CUDA here", remedy='install CUDA and cuDNN, or use device="cpu"'
            )
        self.metadata = dict(self._session.get_modelmeta().custom_metadata_map)

    def run(self, inputs: Arrays) -> dict[str, np.ndarray]:
        """Run the network once; arguments, result and errors are those of ``Engine.run``."""
        names = [output.name for output in self._session.get_outputs()]
        try:
            found = self._session.run(names, dict(inputs))
        except Exception as exc:  # ONNX Runtime's errors have no common base class
            _check_memory(exc)
            raise EngineError(f"ONNX Runtime failed ({_reason(exc)})", remedy="report it") from exc
        return dict(zip(names, (np.asarray(value, np.float32) for value in found), strict=True))


def open_engine(path: Path, device: str = "auto") -> Engine:
    """Load a model file with the fastest installed engine for a device.

    Args:
        path: The model file.
        device: One of ``DEVICES``.

    Raises:
        EngineError: The device is unknown or cannot be used, no engine for it is installed, or memory is too low.
        ModelError: The file is missing or is not a network.
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
    # OpenVINO lists its libraries that read models, and leaves out one for which there was no memory.
    _, listed, readers = str(exc).partition("Available frontends:")
    if listed and "onnx" not in readers:
        problem = "OpenVINO cannot load its library for ONNX files, probably because there is not enough memory"
        raise EngineError(problem, remedy="close other programs, or install openvino again") from exc


def _translate(exc: Exception, path: Path, device: str) -> EngineError | ModelError:
    """Convert an exception that was raised while a model was loaded to one of Photochrom.

    Returns:
        ``EngineError`` if the device is the cause, otherwise ``ModelError``.

    Raises:
        EngineError: Memory ran out.
    """
    _check_memory(exc)
    if device != "cpu" and "onnx" not in str(exc).lower():
        return EngineError(f"cannot use the device {device!r} ({_reason(exc)})", remedy='use device="cpu"')
    return ModelError(f"not a model that can be run ({_reason(exc)})", path=path, remedy="choose another model")


def _reason(exc: Exception) -> str:
    lines = [line.strip() for line in str(exc).splitlines() if line.strip()]
    return lines[-1] if lines else type(exc).__name__
