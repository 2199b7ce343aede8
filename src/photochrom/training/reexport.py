"""Re-exports a model file with the current exporter; weights and card stay the same.

Command: ``python -m photochrom.training reexport OLD.onnx NEW.onnx``
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from ..atomic import new_path
from ..colorizer.vividness import DIAL_LAMBDA
from ..errors import OptionError, TrainingError, renaming
from ..models.engines import OnnxRuntimeEngine
from .atomic_files import writing
from .export import TOLERANCE, example_inputs, export
from .initial_model import load_initial_model
from .networks.colorization import DistributionNetwork
from .published_weights import read_model


def reexport(old: Path, new: Path) -> float:
    """Re-export a model that predicts a distribution of colours, if its colours stay those of the old file.

    Args:
        old: The model file, which must be based on the default recipe's encoder.
        new: The file to write, which may be ``old``; an existing file is replaced only if the comparison succeeds.

    Returns:
        The largest difference in a*b* between both files in ONNX Runtime.

    Raises:
        TrainingError: The old file is not a whole ONNX file or has another architecture, the encoder's weights are not
            installed, the new file cannot be written, or their colours differ.
        OptionError: The old file's name does not end in ``.onnx``.
        ModelError: The old file is missing, not a model of Photochrom, of another version of the format, or has damaged
            weights; or ONNX Runtime cannot load a file.
        EngineError: ONNX Runtime cannot run the files.
    """
    initial = load_initial_model(str(old), None, None)
    card, weights = read_model(old)
    assert initial.head is not None
    assert initial.bins is not None
    network = DistributionNetwork(initial.encoder.backbone, initial.head, initial.bins, DIAL_LAMBDA).eval()
    network.log_class_weights.copy_(weights["log_class_weights"])  # those of the bins are rounded another time
    with writing(new), new_path(new, overwrite=True) as part, renaming(str(part), str(new)):
        export(network, card, part)
        return _difference(network, old, part)


def _difference(network: DistributionNetwork, old: Path, new: Path) -> float:
    # Older files take one picture at a time.
    inputs = {name: value[:1].numpy() for name, value in example_inputs(network, 256, 320).items()}
    one, other = (OnnxRuntimeEngine(path).run(inputs)["ab"] for path in (old, new))
    difference = float(np.abs(one - other).max())
    if difference > TOLERANCE:
        problem = f"a new file would differ by {difference:.2f} in a*b*"
        raise TrainingError(problem, path=old, remedy="keep this file")
    return difference


def run(arguments: list[str]) -> int:
    """Run the command, and return its exit status, 0.

    Raises:
        PhotochromError: The new file exists, or see ``reexport``.
    """
    purpose = "Re-exports a model file with the current exporter; weights and card stay the same."
    parser = argparse.ArgumentParser(prog="python -m photochrom.training reexport", description=purpose)
    parser.add_argument("old", type=Path, help="model file, .onnx")
    parser.add_argument("new", type=Path, help="model file to write, .onnx")
    args = parser.parse_args(arguments)
    if args.new.exists():
        raise OptionError("exists", path=args.new, remedy="give another name")
    worst = reexport(args.old, args.new)
    print(f"{args.new}: {args.new.stat().st_size / 1e6:.1f} MB, within {worst:.3f} a*b* of {args.old}")
    return 0
