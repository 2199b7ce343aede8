"""The embedded network alone at its working size: OpenVINO against ONNX Runtime, one picture at a time and 32 at once.

    python benchmarks/engines.py [--device cpu|cuda|gpu]

Each engine loads in a separate process, so that import and loading are measured in full. Only ONNX Runtime runs on
NVIDIA cards (``cuda``), and only OpenVINO on Intel graphics (``gpu``).
"""

import argparse
import subprocess
import sys

from _tools import print_processor, print_table

_ENGINES = {"cpu": ("openvino", "onnxruntime"), "cuda": ("onnxruntime",), "gpu": ("openvino",)}
_MEASURED = """
import sys, time
import numpy as np
sys.path.insert(0, sys.argv[3])
from _tools import best_seconds
t0 = time.perf_counter()
__import__(sys.argv[1])
t1 = time.perf_counter()
from photochrom import Colorizer
from photochrom.models.engines import OnnxRuntimeEngine, OpenVinoEngine
from photochrom.models.registry import find_model
t2 = time.perf_counter()
kind = {"openvino": OpenVinoEngine, "onnxruntime": OnnxRuntimeEngine}[sys.argv[1]]
engine = kind(find_model("default"), sys.argv[2])
t3 = time.perf_counter()
def inputs(count):
    size = Colorizer(engine=engine).card.working_size
    return {
        "lightness": np.random.default_rng(0).random((count, 1, size, size), np.float32),
        "vividness": np.float32([0.5]),
        "hints": np.zeros((count, 3, size, size), np.float32),
    }
one, many = inputs(1), inputs(32)
t4 = time.perf_counter()
engine.run(one)
t5 = time.perf_counter()
single = best_seconds(lambda: engine.run(one), 50)
engine.run(many)
print(t1 - t0, t3 - t2, t5 - t4, single, best_seconds(lambda: engine.run(many)) / 32)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=_ENGINES, default="cpu")
    device = parser.parse_args().device
    print_processor()
    rows = []
    for engine in _ENGINES[device]:
        command = [sys.executable, "-c", _MEASURED, engine, device, sys.path[0]]
        output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        imported, loaded, first, single, batch = map(float, output.stdout.split())
        times = (f"{1000 * seconds:.1f} ms" for seconds in (imported, loaded, first, single))
        rows.append([engine, *times, f"{1 / single:.0f}", f"{1 / batch:.0f}"])
    header = ["engine", "import", "load", "first run", "best run", "pictures a second", "32 at once, pictures a second"]
    print_table(header, rows)


if __name__ == "__main__":
    main()
