"""Exports a checkpoint, or the mean of several, as an ONNX model file, and compares the file with PyTorch.

Command: ``python -m photochrom.training export RUN/best.safetensors MODEL.onnx --version 1 --vividness 0.5``
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper
from torch import Tensor, nn

from ..atomic import new_file
from ..errors import OptionError, TrainingError
from ..models.engines import OnnxRuntimeEngine
from ..models.registry import CARD_KEY, ModelCard
from ..output_folders import check_folder
from . import checkpoint
from .atomic_files import writing
from .networks.colorization import Network, ReferenceNetwork, build_network, new_head
from .networks.encoders import Encoder, load_encoder
from .networks.losses import ColorBins
from .networks.onnx_export import to_onnx
from .published_weights import FOLDED_KEY
from .recipes import Recipe
from .weight_storage import is_linear, round_to_stored, store_small

_SIZES = ((224, 224), (256, 320), (416, 192))  # heights and widths in pixels at which the file is compared
TOLERANCE = 0.05  # in units of a*b*; results differ slightly because numbers are added in another order


@dataclass
class Trained:
    """A trained colorizer in PyTorch, with its EMA weights."""

    recipe: Recipe
    encoder: Encoder
    head: nn.Module
    bins: ColorBins | None
    photographs: int
    """Number of photographs that it was trained on."""

    @cached_property
    def network(self) -> Network:
        """The whole network, ready to run."""
        return build_network(self.encoder.backbone, self.head, self.bins, self.recipe.rebalance_lambda)


def load_trained(path: Path, encoder_weights: Path | None = None) -> Trained:
    """Load a colorizer from a checkpoint.

    Args:
        path: Path of the checkpoint.
        encoder_weights: Local file with VGG16's weights; None to download them when needed.

    Raises:
        OptionError: There are weights for VGG16, and the recipe has another encoder.
        TrainingError: The file is not a checkpoint, was written by another version, or has another architecture, or the
            weights of EfficientNet are not installed.
        ModelError: The weights of VGG16 cannot be downloaded or read.
    """
    tensors, facts = checkpoint.load(path)
    recipe = checkpoint.recipe_of(facts)
    with checkpoint.reading(path):
        bins, photographs = checkpoint.bins_of(tensors, recipe), int(facts["photographs"])
    encoder = load_encoder(recipe.encoder, encoder_weights)
    head = new_head(encoder, bins, checkpoint.color_queries_of(tensors, "ema."))
    if backbone := checkpoint.under("backbone.", tensors):  # none of VGG16, which is never trained
        _load(encoder.backbone, backbone, path)
    _load(head, checkpoint.under("ema.", tensors), path)
    return Trained(recipe, encoder, head, bins, photographs)


@torch.no_grad()
def load_mean(paths: Sequence[Path], encoder_weights: Path | None = None) -> Trained:
    """Load several checkpoints as one network with the mean of their weights.

    The mean of runs that started from the same model is often better than each of them (Wortsman et al. 2022).

    Args:
        paths: Paths of the checkpoints, at least one.
        encoder_weights: See ``load_trained``.

    Returns:
        The mean, with the recipe of the first checkpoint and the largest number of photographs.

    Raises:
        OptionError, ModelError: As for ``load_trained``.
        TrainingError: ``load_trained`` raises it, or the checkpoints have different networks or bins.
    """
    first, *others = (load_trained(path, encoder_weights) for path in paths)
    mean = dict(first.network.named_parameters())
    for count, (path, other) in enumerate(zip(paths[1:], others, strict=True), 2):
        if reason := _difference(first, other):
            raise TrainingError(
                f"has {reason} than {paths[0]}",
                path=path,
                remedy="give runs with the same recipe and initial model",
            )
        for name, value in other.network.named_parameters():
            mean[name].lerp_(value, 1 / count)
    first.photographs = max(trained.photographs for trained in (first, *others))
    return first


def _difference(one: Trained, other: Trained) -> str | None:
    """Return why the weights of two networks cannot be averaged, such as ``other bins``; None if they can."""
    shapes = [{name: p.shape for name, p in trained.network.named_parameters()} for trained in (one, other)]
    if one.recipe.encoder != other.recipe.encoder or shapes[0] != shapes[1]:
        return "another network"
    if not _close(dict(one.network.named_buffers()), dict(other.network.named_buffers())):
        return "other bins"
    return None


def _close(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    """Return whether two sets of buffers are equal, up to the lower precision of a model file."""
    return one.keys() == other.keys() and all(torch.allclose(one[name], other[name], atol=1e-4) for name in one)


def _load(part: nn.Module, weights: Mapping[str, Tensor], path: Path) -> None:
    try:
        part.load_state_dict(weights)
    except RuntimeError as exc:
        raise TrainingError("has another architecture than its recipe", path=path, remedy="train again") from exc


def export(network: Network, card: ModelCard, path: Path, *, stripped: bool = False) -> float:
    """Write a network and its card as a model file, and compare the file with PyTorch at three sizes.

    The network's weights are first rounded, in place, to the precision of the file. An existing file is replaced only
    if the comparison succeeds.

    Args:
        network: The network.
        card: Its card.
        path: The model file.
        stripped: Whether to omit VGG16's weights, once the comparison has succeeded (see ``strip_encoder``).

    Returns:
        The largest difference in a*b*.

    Raises:
        TrainingError: The file's colours differ from PyTorch's, or the file cannot be written.
        ModelError, EngineError: ONNX Runtime cannot load or run the file.
    """
    model = model_of(network, card)
    with writing(path), new_file(path, overwrite=True) as file:
        onnx.save(model, file)
        file.flush()
        if (worst := difference(network, Path(file.name))) > TOLERANCE:
            problem = f"the exported model differs from PyTorch by {worst:.2f} in a*b*"
            raise TrainingError(problem, remedy="please report this")
        if stripped:
            strip_encoder(model)
            file.seek(0)
            file.truncate()
            onnx.save(model, file)
    return worst


def model_of(network: Network, card: ModelCard) -> onnx.ModelProto:
    """Return a network and its card as a model. The network's weights are rounded in place, as by ``export``."""
    round_to_stored(network)  # so that the comparison, with equal weights, can be strict
    examples = example_inputs(network, 256, 320)
    planes = {0: torch.export.Dim.DYNAMIC, 2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC}
    dynamic = {name: planes if example.ndim == 4 else {} for name, example in examples.items()}
    program = to_onnx(
        network,
        tuple(examples.values()),
        input_names=list(network.inputs),
        output_names=list(network.outputs),
        dynamic_shapes=dynamic,
    )
    model = program.model_proto
    strip_traces(model)
    folded = find_folded_weights(model, network.state_dict())
    store_small(model, folded)
    helper.set_model_props(model, {CARD_KEY: card.to_json(), FOLDED_KEY: json.dumps(folded)})
    onnx.checker.check_model(model)
    return model


def capabilities(network: Network, vividness: float | None) -> dict[str, Any]:
    """Return the fields of a model card that depend on the kind of network.

    Args:
        network: The network.
        vividness: Vividness that the card recommends, 0 to 1; ignored for a network without vividness.
    """
    if isinstance(network, ReferenceNetwork):
        return {"vividness": None}
    bins = tuple((float(a), float(b)) for a, b in network.centres[:, :, 0, 0].T)
    return {"vividness": vividness, "hints": True, "bins": bins}


def strip_traces(model: onnx.ModelProto) -> None:
    """Remove the exporter's metadata on the Python source of each node, which contain local paths."""
    for part in (model.graph, *model.graph.node, *model.graph.input, *model.graph.output, *model.graph.initializer):
        del part.metadata_props[:]
        part.doc_string = ""


def find_folded_weights(model: onnx.ModelProto, state: Mapping[str, Tensor]) -> dict[str, str]:
    """Map the names of weights to the unnamed constants into which the exporter folded them.

    The exporter transposes weights of linear layers, and adds axes to those of group norms. The constants are found by
    their values.
    """
    arrays = ((tensor.name, numpy_helper.to_array(tensor)) for tensor in model.graph.initializer)
    constants = {(_folded_shape(a), a.tobytes()): name for name, a in arrays if name not in state}
    named = {tensor.name for tensor in model.graph.initializer}
    folded = {}
    for name, value in state.items():
        array = (value.T if value.ndim == 2 else value).contiguous().numpy()
        constant = constants.get((array.shape, array.tobytes()))
        if name not in named and constant is not None:
            folded[name] = constant
    return folded


def _folded_shape(array: np.ndarray) -> tuple[int, ...]:
    """Return the shape by which a constant is compared.

    The constants of linear layers, ``[in, out]``, keep their shape. All others, such as ``[C, 1]`` or ``[C, 1, 1]`` of
    a group norm, are flattened.
    """
    return array.shape if is_linear(array.shape) else (array.size,)


def difference(network: Network, path: Path, counts: Sequence[int] = (1, 2)) -> float:
    """Return the largest difference in a*b* between PyTorch and the file in ONNX Runtime, at three sizes.

    Args:
        network: The network in PyTorch.
        path: The model file.
        counts: Numbers of pictures that the file is given at once, 1 or 2 each; older files take only one.

    Raises:
        ModelError, EngineError: ONNX Runtime cannot load or run the file.
    """
    engine = OnnxRuntimeEngine(path)
    worst = 0.0
    for height, width in _SIZES:
        inputs = example_inputs(network, height, width)
        with torch.no_grad():
            expected = network(*inputs.values())
        ab = expected[0] if isinstance(expected, tuple) else expected
        for count in counts:
            exported = engine.run({k: v[:count].numpy() for k, v in inputs.items()})["ab"]
            worst = max(worst, float(np.abs(exported - ab[:count].numpy()).max()))
    return worst


def example_inputs(network: Network, height: int, width: int) -> dict[str, Tensor]:
    """Return example inputs of a network by name, float32.

    They are two smooth pictures as ``lightness`` ``[2, 1, height, width]`` and, if the network takes them,
    ``vividness`` ``[1]`` and ``hints`` ``[2, 3, height, width]``, with one patch of colour in the first picture.
    """
    # Not one picture, since the exporter treats a side of one as fixed.
    smooth = torch.rand(2, 1, height // 16, width // 16, generator=torch.Generator().manual_seed(height))
    hints = torch.zeros(2, 3, height, width)
    hints[0, :, 40:44, 90:94] = torch.tensor([1.0, 30, -20])[:, None, None]
    lightness = nn.functional.interpolate(smooth, (height, width), mode="bilinear")
    examples = {"lightness": lightness, "vividness": torch.tensor([0.4]), "hints": hints}
    return {name: examples[name] for name in network.inputs}


def strip_encoder(model: onnx.ModelProto) -> None:
    """Remove VGG16's weights, which are not distributed, from a reference model, in place.

    ``models.registry.get_reference`` adds them again.
    """
    kept_tensors = [t for t in model.graph.initializer if not t.name.startswith("encoder.layers.")]
    kept_nodes = [
        n for n in model.graph.node if not (n.op_type == "Cast" and n.output[0].startswith("encoder.layers."))
    ]
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.initializer.extend(kept_tensors)
    model.graph.node.extend(kept_nodes)


def run(arguments: list[str]) -> int:
    """Run the command, and return its exit status, 0.

    Raises:
        OptionError: An option is invalid, or the file exists and may not be overwritten.
        PhotochromError: See ``load_mean`` and ``export``.
    """
    args = _parser().parse_args(arguments)
    _check(args)
    trained = load_mean(args.checkpoint, args.encoder_weights)
    card = ModelCard(
        name=args.name or trained.recipe.name,
        version=args.version,
        licence=args.licence,
        description=args.description,
        training_data=args.training_data or f"{trained.photographs:,} colour photographs",
        working_size=trained.recipe.size,
        **capabilities(trained.network, args.vividness),
    )
    worst = export(trained.network, card, args.model, stripped=args.strip_encoder)
    print(f"{args.model}: {args.model.stat().st_size / 1e6:.1f} MB, within {worst:.3f} a*b* of PyTorch")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m photochrom.training export", description="Writes a checkpoint as a model file."
    )
    parser.add_argument("checkpoint", type=Path, nargs="+", help="checkpoint to export; several are averaged")
    parser.add_argument("model", type=Path, help="model file to write, .onnx")
    parser.add_argument("--overwrite", action="store_true", help="replace the model file if it exists")
    parser.add_argument("--name", help="name of the model (default: the recipe's)")
    parser.add_argument("--version", default="1", help="version of the model (default: %(default)s)")
    parser.add_argument(
        "--licence", default="as its photographs allow", help="licence of the model (default: %(default)s)"
    )
    parser.add_argument("--description", default="", help="what the model is for, in a few words")
    parser.add_argument(
        "--training-data", metavar="TEXT", help="what the model was trained on (default: the number of photographs)"
    )
    parser.add_argument(
        "--vividness", type=float, default=0.5, metavar="0..1", help="vividness that the card recommends"
    )
    parser.add_argument("--encoder-weights", type=Path, help="local file with VGG16's weights (Keras notop .h5)")
    parser.add_argument("--strip-encoder", action="store_true", help="omit VGG16's weights, to be added later")
    return parser


def _check(args: argparse.Namespace) -> None:
    if not 0 <= args.vividness <= 1:
        raise OptionError(f"vividness is {args.vividness}", remedy="give a number from 0 to 1")
    if args.model.suffix.lower() != ".onnx":
        raise OptionError(
            "is not the name of a model file",
            path=args.model,
            remedy="give a name that ends in .onnx as the last argument",
        )
    if args.model.exists() and not args.overwrite:
        raise OptionError("exists", path=args.model, remedy="give another name, or allow it to be overwritten")
    check_folder(args.model, OptionError)
