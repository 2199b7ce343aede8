"""The embedded network alone at 256 by 256: OpenVINO against ONNX Runtime.

    python benchmarks/engines.py

Each engine loads in a separate process, so that import and loading are measured in full.
"""

import subprocess
import sys
from pathlib import Path

from _tools import print_table

_MEASURED = """
import sys, time
import numpy as np
t0 = time.perf_counter()
__import__(sys.argv[1])
t1 = time.perf_counter()
from photochrom.models.engines import OnnxRuntimeEngine, OpenVinoEngine
from photochrom.models.registry import find_model
t2 = time.perf_counter()
engine = {"openvino": OpenVinoEngine, "onnxruntime": OnnxRuntimeEngine}[sys.argv[1]](find_model("default"))
t3 = time.perf_counter()
inputs = {
    "lightness": np.random.default_rng(0).random((1, 1, 256, 256), np.float32),
    "vividness": np.float32([0.5]),
    "hints": np.zeros((1, 3, 256, 256), np.float32),
}
engine.run(inputs)
t4 = time.perf_counter()
times = []
for _ in range(50):
    start = time.perf_counter()
    engine.run(inputs)
    times.append(time.perf_counter() - start)
print(t1 - t0, t3 - t2, t4 - t3, min(times), sorted(times)[25])
"""


def main() -> None:
    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    known = [flag for flag in ("amx_bf16", "avx512_bf16", "avx512f", "avx2") if flag in flags]
    print(f"processor: {', '.join(known) or 'unknown'}\n")
    rows = []
    for engine in ("openvino", "onnxruntime"):
        output = subprocess.run([sys.executable, "-c", _MEASURED, engine], capture_output=True, text=True, check=True)
        rows.append([engine, *(f"{1000 * float(s):.1f} ms" for s in output.stdout.split())])
    print_table(["engine", "import", "load", "first run", "best run", "median run"], rows)


if __name__ == "__main__":
    main()
