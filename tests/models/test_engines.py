"""Both engines give the same colours for the same file, and one-line errors."""

import subprocess
import sys
from types import SimpleNamespace
from unittest.mock import Mock

import numpy as np
import onnx
import onnxruntime
import pytest
from skimage import data

from photochrom import EngineError, ModelError
from photochrom.color.spaces import lightness_of_luma
from photochrom.models import engines
from photochrom.models.engines import OnnxRuntimeEngine, OpenVinoEngine, open_engine
from photochrom.models.registry import ModelCard, find_model
from tests.helpers.fakes import tiny_model

ENGINES = [OpenVinoEngine, OnnxRuntimeEngine]


@pytest.fixture(scope="module", params=[(256, 256), (192, 416)], ids=["square", "wide"])
def inputs(request):
    height, width = request.param
    luma = data.camera()[100 : 100 + height, 50 : 50 + width]
    lightness = lightness_of_luma(np.ascontiguousarray(luma))[None, None] / np.float32(100)
    hints = np.zeros((1, 3, height, width), np.float32)
    hints[:, :, 100, 90] = 1, 30, -20
    return {"lightness": lightness, "vividness": np.array([0.5], np.float32), "hints": hints}


@pytest.mark.slow
@pytest.mark.parametrize("hinted", [False, True])
def test_engines_agree(inputs, hinted):
    path = find_model("default")
    if not hinted:
        inputs = inputs | {"hints": np.zeros_like(inputs["hints"])}
    exact, theirs = OpenVinoEngine(path, exact=True).run(inputs), OnnxRuntimeEngine(path).run(inputs)
    assert exact.keys() == theirs.keys() == {"ab", "confidence", "probability"}
    np.testing.assert_allclose(exact["ab"], theirs["ab"], atol=0.01)
    np.testing.assert_allclose(exact["confidence"], theirs["confidence"], atol=1e-3)
    np.testing.assert_allclose(exact["probability"], theirs["probability"], atol=1e-3)
    assert np.abs(theirs["ab"]).mean() > 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "engine", [pytest.param(lambda path: OpenVinoEngine(path, exact=True), id="openvino"), OnnxRuntimeEngine]
)
def test_each_picture_of_a_batch_gets_the_colours_that_it_gets_alone(engine, inputs):
    """Up to version 13, the file stated that it takes several pictures, and failed for more than one."""
    other = {"lightness": inputs["lightness"][..., ::-1, ::-1], "hints": np.zeros_like(inputs["hints"])}
    network = engine(find_model("default"))
    together = network.run(inputs | {name: np.concatenate([inputs[name], other[name]]) for name in other})
    for i, alone in enumerate((network.run(inputs), network.run(inputs | other))):
        for name, value in alone.items():
            np.testing.assert_allclose(together[name][i : i + 1], value, atol=0.01 if name == "ab" else 1e-3)
    assert np.abs(together["ab"][0] - together["ab"][1]).mean() > 1


def hinted_model(path, kernel):
    """Write a model file that adds a convolution of the hints, with a bias of 2, to the lightness."""
    helper, floats = onnx.helper, onnx.TensorProto.FLOAT
    values = {name: helper.make_tensor_value_info(name, floats, ["n", c, "h", "w"]) for name, c in PLANES.items()}
    weights = helper.make_tensor("weights", floats, kernel.shape, kernel.ravel())
    bias = helper.make_tensor("bias", floats, [1], [2.0])
    nodes = [
        helper.make_node("Exp", ["hints"], ["odds"]),
        helper.make_node("Conv", ["odds", "weights", "bias"], ["known"], pads=[kernel.shape[2] // 2] * 4),
        helper.make_node("Add", ["lightness", "known"], ["ab"]),
    ]
    graph = helper.make_graph(nodes, "hinted", [values["lightness"], values["hints"]], [values["ab"]], [weights, bias])
    onnx.save(helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)]), path)
    return path


PLANES = {"lightness": 1, "hints": 3, "ab": 1}


@pytest.mark.parametrize(("side", "is_skipped"), [(1, True), (3, False)], ids=["uniform", "less at the edges"])
def test_the_part_for_hints_is_skipped_without_hints(side, is_skipped, tmp_path):
    kernel = np.random.default_rng(0).random((1, 3, side, side), np.float32)
    path = hinted_model(tmp_path / "hinted.onnx", kernel)
    engine, other = OpenVinoEngine(path, exact=True), OnnxRuntimeEngine(path)
    assert any(node.get_friendly_name().startswith("If") for node in executed(engine)) == is_skipped
    lightness, hints = np.full((1, 1, 64, 96), 0.5, np.float32), np.zeros((1, 3, 64, 96), np.float32)
    hinted = hints.copy()
    hinted[0, :, 20, 30] = 1, 3, -2
    for planes in (hints, hinted, hints):
        inputs = {"lightness": lightness, "hints": planes}
        np.testing.assert_allclose(engine.run(inputs)["ab"], other.run(inputs)["ab"], rtol=1e-5)


def executed(engine):
    return engine._compiled.get_runtime_model().get_ops()


@pytest.mark.slow
def test_the_default_model_skips_its_hints():
    assert any(node.get_friendly_name().startswith("If") for node in executed(OpenVinoEngine(find_model("default"))))


@pytest.mark.slow
def test_bfloat16_moves_colours_less_than_eyes_see(inputs):
    path = find_model("default")
    fast, exact = OpenVinoEngine(path).run(inputs), OpenVinoEngine(path, exact=True).run(inputs)
    assert np.abs(fast["ab"] - exact["ab"]).mean() < 1.5  # about 1 is just noticeable
    assert np.abs(fast["confidence"] - exact["confidence"]).max() < 0.05


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_the_card_is_in_the_file(engine):
    path = find_model("default")
    card = ModelCard.of(engine(path).metadata, path)
    assert card.licence == "Apache-2.0"
    assert card.working_size % 32 == 0


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("content", [b"", b"not a network", b"\x08\x07\x12\x04"])
def test_a_file_that_is_not_a_network_is_refused(engine, content, tmp_path):
    path = tmp_path / "broken.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError) as error:
        engine(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_model_is_not_blamed_if_openvino_lacks_its_reader(tmp_path, monkeypatch):
    """As with too little memory for the library that reads ONNX files."""
    message = 'Unable to read the model: "a.onnx" Please check it. Available frontends: paddle tflite ir'
    monkeypatch.setattr("openvino.Core.read_model", Mock(side_effect=RuntimeError(message)))
    (tmp_path / "a.onnx").write_bytes(b"not cached")
    with pytest.raises(EngineError, match="not enough memory: close other programs, or install openvino again"):
        OpenVinoEngine(tmp_path / "a.onnx")


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_a_network_that_fails_is_an_engine_error(engine):
    with pytest.raises(EngineError, match="failed"):
        engine(find_model("default")).run({"lightness": np.zeros((1, 3, 64, 64), np.float32)})


def test_another_networks_file_is_not_a_model(tmp_path):
    node = onnx.helper.make_node("Identity", ["x"], ["y"])
    value = [onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, [1]) for n in "xy"]
    path = tmp_path / "identity.onnx"
    graph = onnx.helper.make_graph([node], "identity", value[:1], value[1:])
    onnx.save(onnx.helper.make_model(graph, ir_version=10, opset_imports=[onnx.helper.make_opsetid("", 18)]), path)
    with pytest.raises(ModelError, match="not a model of Photochrom"):
        ModelCard.of(open_engine(path).metadata, path)


@pytest.mark.parametrize("compiled_in", [False, True])
def test_devices_that_are_not_there_are_named(compiled_in, monkeypatch):
    """If CUDA is compiled in but cannot be loaded, ONNX Runtime would continue with the processor."""
    session = SimpleNamespace(get_providers=lambda: ["CPUExecutionProvider"])
    providers = ["CUDAExecutionProvider"] * compiled_in + ["CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: providers)
    monkeypatch.setattr(onnxruntime, "InferenceSession", lambda *_, **__: session)
    with pytest.raises(EngineError, match="choose one of auto, cpu"):
        open_engine(find_model("default"), "tpu")
    said = "ONNX Runtime cannot load CUDA here" if compiled_in else "this ONNX Runtime has no CUDA"
    with pytest.raises(EngineError, match=rf'{said}.*use device="cpu"$'):
        open_engine(find_model("default"), "cuda")


@pytest.mark.slow
def test_kernels_of_few_shapes_are_kept(monkeypatch):
    """OpenVINO would keep those of all shapes; ``benchmarks/steady_memory.py`` checks that it obeys the setting."""
    core, given = engines.openvino_core(), []

    class Core:
        def read_model(self, path):
            return core.read_model(path)

        def compile_model(self, model, device, settings):
            given.append(settings)
            return core.compile_model(model, device, settings)

    monkeypatch.setattr(engines, "openvino_core", Core)
    monkeypatch.setenv("PHOTOCHROM_MODEL_CACHE", "0")
    OpenVinoEngine(find_model("default"))
    *_, network = given  # the first is the part that depends on hints alone
    assert int(network["CPU_RUNTIME_CACHE_CAPACITY"]) == 500


def test_memory_that_kernels_have_freed_is_given_back(tmp_path, monkeypatch):
    times = []
    monkeypatch.setattr(engines, "give_back_freed_memory", lambda: times.append(1))
    engine = OpenVinoEngine(tiny_model(tmp_path / "tiny.onnx"))
    grey = {"lightness": np.full((1, 1, 16, 16), 0.5, np.float32), "vividness": np.array([0.5], np.float32)}
    for _ in range(2 * engines._RUNS_BETWEEN_TRIMS + 1):
        engine.run(grey)
    assert len(times) == 2
    monkeypatch.undo()
    engines.give_back_freed_memory()  # which the system may or may not have


RACE = """
import faulthandler, sys, threading
import numpy as np
from photochrom.models.engines import OpenVinoEngine
from photochrom.models.registry import find_model

faulthandler.dump_traceback_later(500, exit=True)
engine, barrier = OpenVinoEngine(find_model("default")), threading.Barrier(4)
sys.setswitchinterval(1e-6)
inputs = {"lightness": np.zeros((1, 1, 64, 64)), "vividness": np.zeros(1), "hints": np.zeros((1, 3, 64, 64))}
inputs = {name: value.astype(np.float32) for name, value in inputs.items()}

def run():
    barrier.wait()
    engine.run(inputs)

threads = [threading.Thread(target=run) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


@pytest.mark.parametrize("attempt", range(3))
@pytest.mark.slow
def test_first_runs_in_several_threads_do_not_wait_for_each_other_for_ever(attempt):
    """OpenVINO's bindings deadlocked in two processes of five."""
    subprocess.run([sys.executable, "-c", RACE], check=True, timeout=600)


LOADING = """
import sys, threading
from photochrom.models.engines import openvino_core

sys.setswitchinterval(1e-6)
cores, barrier = [], threading.Barrier(8)
threads = [threading.Thread(target=lambda: (barrier.wait(), cores.append(openvino_core()))) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len(cores) == 8 and len(set(map(id, cores))) == 1, cores
"""


@pytest.mark.slow
def test_threads_that_load_openvino_at_once_share_one_core():
    subprocess.run([sys.executable, "-c", LOADING], check=True, timeout=600)


ENDING = """
import os, signal
from photochrom.models.engines import OpenVinoEngine
from photochrom.models.registry import find_model

signal.signal(signal.SIGUSR1, lambda number, frame: print("handled"))
model = find_model("default")
first = OpenVinoEngine(model)
second = OpenVinoEngine(model)
del first
del second
os.kill(os.getpid(), signal.SIGUSR1)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")
@pytest.mark.slow
def test_signals_are_handled_when_engines_have_gone():
    """OpenVINO left the process a signal stack that had been freed."""
    done = subprocess.run([sys.executable, "-c", ENDING], check=True, capture_output=True, text=True, timeout=600)
    assert done.stdout == "handled\n"
