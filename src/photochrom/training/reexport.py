"""Writes a model file anew, with the same weights and card, so that it has the graph of the current exporter.

Command: ``python -m photochrom.training.reexport OLD.onnx NEW.onnx``
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from ..colorizer.vividness import DIAL_LAMBDA
from ..errors import OptionError, PhotochromError, TrainingError
from ..models.engines import OnnxRuntimeEngine
from .export import Trained, example_inputs, export
from .initial_model import load_initial_model
from .networks.colorization import DistributionNetwork
from .published_weights import read_model

_TOLERANCE = 0.05  # in units of a*b*; see ``export``


def reexport(old: Path, new: Path) -> float:
    """Write a model that predicts a distribution of colours anew, and compare it with the old file.

    Args:
        old: The model file, which must be based on the default recipe's encoder.
        new: The file to write; if it exists, it is replaced.

    Returns:
        The largest difference in a*b* between both files in ONNX Runtime.

    Raises:
        TrainingError: The old file has another architecture, the new one cannot be written, or their colours differ.
        OptionError: The old file's name does not end in ``.onnx``.
        ModelError: The old file is not a model of Photochrom.
        EngineError: ONNX Runtime cannot run the files.
    """
    initial = load_initial_model(str(old), None, None)
    card, weights = read_model(old)
    assert initial.head is not None
    assert initial.bins is not None
    network = DistributionNetwork(initial.encoder.backbone, initial.head, initial.bins, DIAL_LAMBDA).eval()
    network.log_class_weights.copy_(weights["log_class_weights"])  # those of the bins are rounded another time
    export(Trained(initial.recipe, network, 0), card, new)
    return _difference(network, old, new)


def _difference(network: DistributionNetwork, old: Path, new: Path) -> float:
    inputs = {name: value.numpy() for name, value in example_inputs(network, 256, 320).items()}
    one, other = (OnnxRuntimeEngine(path).run(inputs)["ab"] for path in (old, new))
    difference = float(np.abs(one - other).max())
    if difference > _TOLERANCE:
        raise TrainingError(f"{new} differs from {old} by {difference:.2f} in a*b*", remedy="keep the old file")
    return difference


def main(arguments: list[str] | None = None) -> int:
    """Run the command line, and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m photochrom.training.reexport", description="Write a model anew.")
    parser.add_argument("old", type=Path, help="model file, .onnx")
    parser.add_argument("new", type=Path, help="model file to write, .onnx")
    args = parser.parse_args(arguments)
    try:
        if args.new.exists():
            raise OptionError("exists", path=args.new, remedy="give another name")
        difference = reexport(args.old, args.new)
    except PhotochromError as exc:
        print(f"photochrom: {exc}", file=sys.stderr)
        return 1
    print(f"{args.new}: {args.new.stat().st_size / 1e6:.1f} MB, within {difference:.3f} a*b* of {args.old}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
