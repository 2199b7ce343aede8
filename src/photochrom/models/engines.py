"""Engines that run a model file: one method, ``run``.

OpenVINO and ONNX Runtime read the same file and are held to the same numbers by the tests.
``benchmarks/engines.py`` measures both; OpenVINO is the faster on Intel and AMD processors, and the default there.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ..errors import EngineError, ModelError

Arrays = Mapping[str, np.ndarray]

DEVICES = ("auto", "cpu", "cuda", "gpu")
"""auto: the processor; cuda: NVIDIA, by ONNX Runtime; gpu: Intel graphics, by OpenVINO."""


class Engine(Protocol):
    """A loaded network."""

    @property
    def metadata(self) -> Mapping[str, str]:
        """The model file's own metadata."""
        ...

    def run(self, inputs: Arrays) -> dict[str, np.ndarray]:
        """Named float32 inputs -> named float32 outputs.

        Raises:
            EngineError: the network could not be run.
        """
        ...


@functools.cache
def openvino_core() -> Any:
    """OpenVINO's core, one for the life of the process.

    A core gives its thread a stack for signal handlers, and takes it away when it ends. Of two that end in the order
    they began, the second would put back the first one's, which is freed: the next Ctrl-C brings the process down.
    """
    import openvino

    return openvino.Core()


def openvino_settings(exact: bool) -> dict[str, str]:
    """For ``compile_model``: one input at a time; in float32 if ``exact``, else in bfloat16 where the hardware does."""
    return {"PERFORMANCE_HINT": "LATENCY"} | ({"INFERENCE_PRECISION_HINT": "f32"} if exact else {})


class OpenVinoEngine:
    """OpenVINO on the processor, or on Intel graphics.

    It computes in bfloat16 where the hardware does, which halves the time and moves a* and b* by about half a unit;
    ``exact`` keeps to float32. ``adapt`` makes another network of the file's one before it is compiled.
    """

    def __init__(
        self, path: Path, device: str = "cpu", *, exact: bool = False, adapt: Callable[[Any], Any] | None = None
    ) -> None:
        try:
            import openvino
        except ImportError as exc:
            raise EngineError("OpenVINO is not installed: pip install openvino") from exc
        try:
            # The first array that its bindings take decides what numpy is; two threads that bring one at once would
            # wait for each other for ever (a static guard against Python's lock). So the first comes from here.
            openvino.Tensor(np.zeros(1, np.float32))
            core = openvino_core()
            model = core.read_model(path)
            self._compiled = core.compile_model(
                adapt(model) if adapt else model, device.upper(), openvino_settings(exact)
            )
        except RuntimeError as exc:
            raise _translate(exc, path, device) from exc
        info = model.rt_info
        self.metadata = {k: str(v.value) for k, v in info["framework"].items()} if "framework" in info else {}

    def run(self, inputs: Arrays) -> dict[str, np.ndarray]:
        """See ``Engine.run``."""
        try:
            # A request of its own for each call: the compiled model's is shared, and refuses a second thread.
            found = self._compiled.create_infer_request().infer(dict(inputs), share_inputs=True)
        except RuntimeError as exc:
            raise EngineError(f"OpenVINO failed: {_reason(exc)}") from exc
        return {port.any_name: np.asarray(value, np.float32) for port, value in found.items()}


class OnnxRuntimeEngine:
    """ONNX Runtime on the processor, or on an NVIDIA card with CUDA."""

    def __init__(self, path: Path, device: str = "cpu") -> None:
        try:
            import onnxruntime
        except ImportError as exc:
            package = "onnxruntime-gpu" if device == "cuda" else "'photochrom[onnxruntime]'"
            raise EngineError(f"ONNX Runtime is not installed: pip install {package}") from exc
        provider = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}[device]
        if provider not in onnxruntime.get_available_providers():
            raise EngineError("this ONNX Runtime has no CUDA: pip install onnxruntime-gpu, or use --device cpu")
        try:
            self._session = onnxruntime.InferenceSession(path, providers=[provider])
        except Exception as exc:  # its errors share no base class
            raise _translate(exc, path, device) from exc
        if provider not in self._session.get_providers():  # it says so on the side, and goes on with the processor
            raise EngineError("ONNX Runtime cannot load CUDA here: install CUDA and cuDNN, or use --device cpu")
        self.metadata = dict(self._session.get_modelmeta().custom_metadata_map)

    def run(self, inputs: Arrays) -> dict[str, np.ndarray]:
        """See ``Engine.run``."""
        names = [output.name for output in self._session.get_outputs()]
        try:
            found = self._session.run(names, dict(inputs))
        except Exception as exc:  # its errors share no base class
            raise EngineError(f"ONNX Runtime failed: {_reason(exc)}") from exc
        return dict(zip(names, (np.asarray(value, np.float32) for value in found), strict=True))


class FakeEngine:
    """An engine without a network, for tests: answers from a function of the inputs."""

    def __init__(self, answer: Callable[[Arrays], dict[str, np.ndarray]], metadata: Mapping[str, str]) -> None:
        self._answer = answer
        self.metadata = dict(metadata)

    def run(self, inputs: Arrays) -> dict[str, np.ndarray]:
        """See ``Engine.run``."""
        return self._answer(inputs)


def open_engine(path: Path, device: str = "auto") -> Engine:
    """Load a model file into the best engine that is installed for a device (one of ``DEVICES``).

    Raises:
        EngineError: no such device, no engine for it.
        ModelError: the file is not a network.
    """
    if device not in DEVICES:
        raise EngineError(f"no device is called {device!r}: choose one of {', '.join(DEVICES)}")
    if device == "cuda":
        return OnnxRuntimeEngine(path, "cuda")
    if device == "gpu":
        return OpenVinoEngine(path, "gpu")
    if importlib.util.find_spec("openvino") is None:
        return OnnxRuntimeEngine(path)
    return OpenVinoEngine(path)


def _translate(exc: Exception, path: Path, device: str) -> EngineError | ModelError:
    if device not in ("cpu", "auto") and "onnx" not in str(exc).lower():
        return EngineError(f"cannot use the device {device!r} ({_reason(exc)}): use --device cpu")
    return ModelError(f"{path} is not a model that can be run ({_reason(exc)})")


def _reason(exc: Exception) -> str:
    lines = [line.strip() for line in str(exc).splitlines() if line.strip()]
    return lines[-1] if lines else type(exc).__name__
