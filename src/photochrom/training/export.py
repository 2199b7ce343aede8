"""Checkpoint -> one ONNX file, compared with PyTorch, with its card inside. Of several, the mean of their weights.

python -m photochrom.training.export RUN/best.safetensors MODEL.onnx --version 1 --vividness 0.5
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from ..atomic import new_file
from ..errors import TrainingError
from ..models.engines import OnnxRuntimeEngine
from ..models.registry import CARD_KEY, ModelCard
from . import checkpoint
from .files import writing
from .networks.colorization import DistributionNetwork, ReferenceNetwork
from .networks.encoders import Encoder, load_encoder
from .networks.losses import ColorBins
from .networks.onnx_export import to_onnx
from .published import idle_blocks
from .recipes import Recipe, build_tail, recipe_of

Network = ReferenceNetwork | DistributionNetwork

_SIZES = ((224, 224), (256, 320), (416, 192))  # that the export is compared at
_SMALL = 256  # initializers of fewer numbers stay float32
_TOLERANCE = 0.05  # a*b* units: what another order of additions may cost


@dataclass(frozen=True)
class Trained:
    """A trained colorizer in PyTorch, ready to run."""

    recipe: Recipe
    network: Network
    photographs: int
    """How many it was trained on."""


def load_trained(path: Path, encoder: Encoder | None = None) -> Trained:
    """The network of a checkpoint, with the running average of its weights.

    Args:
        path: of the checkpoint.
        encoder: None loads the one that the checkpoint's recipe names.

    Raises:
        TrainingError: not a checkpoint, or of another architecture.
    """
    tensors, facts = checkpoint.load(path)
    recipe = recipe_of(facts["recipe"])
    encoder = encoder or load_encoder(recipe.encoder)
    bins = ColorBins(tensors["bins.centres"], tensors["bins.frequency"]) if recipe.uniform is not None else None
    tail = build_tail(encoder, bins)
    load_average(tail, tensors, path)
    return Trained(recipe, build_network(encoder.early, tail, bins, recipe).cpu(), facts["count"] // recipe.views)


@torch.no_grad()
def load_mean(paths: Sequence[Path], encoder: Encoder | None = None) -> Trained:
    """The network with the mean weights of several checkpoints, see ``load_trained``.

    Of runs that went on from one model it is often nearer to the truth than each (Wortsman et al. 2022).

    Raises:
        TrainingError: they are of different networks, or of different colours.
    """
    first, *others = (load_trained(path, encoder) for path in paths)
    fixed, mean = dict(first.network.named_buffers()), dict(first.network.named_parameters())
    for count, (path, other) in enumerate(zip(paths[1:], others, strict=True), 2):
        if not _same(fixed, dict(other.network.named_buffers())) or other.recipe.encoder != first.recipe.encoder:
            raise TrainingError(f"{path} has other colours than {paths[0]}: give runs that went on from one model")
        for name, value in other.network.named_parameters():
            mean[name].lerp_(value, 1 / count)
    return replace(first, photographs=max(trained.photographs for trained in (first, *others)))


def _same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    """But for what it costs to read them from a model file."""
    return one.keys() == other.keys() and all(torch.allclose(one[name], other[name], atol=1e-4) for name in one)


def load_average(tail: nn.Module, tensors: dict[str, torch.Tensor], path: Path) -> None:
    """Set a tail to the running average in a checkpoint.

    Raises:
        TrainingError: the checkpoint is of another architecture.
    """
    try:
        found = checkpoint.under("average.", tensors)
        tail.load_state_dict(found | idle_blocks(tail.state_dict(), found))
    except RuntimeError as exc:
        raise TrainingError(f"{path} is of another architecture than its recipe: train anew") from exc


def build_network(early: nn.Module, tail: nn.Module, bins: ColorBins | None, recipe: Recipe) -> Network:
    """The whole of a colorizer, ready to run."""
    if bins is None or recipe.uniform is None:
        return ReferenceNetwork(early, tail).eval()
    return DistributionNetwork(early, tail, bins, recipe.uniform).eval()


def export(trained: Trained, card: ModelCard, path: Path) -> float:
    """Write the model file with fp16 weights and its card, and compare it with PyTorch at three sizes.

    Returns:
        The largest difference of a*b*.

    Raises:
        TrainingError: the file does not give what PyTorch gives, or cannot be written.
    """
    network = trained.network
    round_to_half(network)  # what float16 costs is so in both, and the comparison can be strict
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
    store_half(model)
    entry = model.metadata_props.add()
    entry.key, entry.value = CARD_KEY, card.to_json()
    onnx.checker.check_model(model)
    with writing(path), new_file(path, overwrite=True) as file:
        onnx.save(model, file)
        file.flush()
        return compare(network, Path(file.name))


def abilities(network: Network, vividness: float | None) -> dict[str, Any]:
    """The fields of a card that depend on the kind of network."""
    if isinstance(network, ReferenceNetwork):
        return {"vividness": None}
    bins = tuple((float(a), float(b)) for a, b in network.centres[:, :, 0, 0].T)
    return {"vividness": vividness, "hints": True, "bins": bins}


def strip_traces(model: onnx.ModelProto) -> None:
    """Take out what the exporter notes about the Python code that made each node: paths and names of this machine."""
    for part in (model.graph, *model.graph.node, *model.graph.input, *model.graph.output, *model.graph.initializer):
        del part.metadata_props[:]
        part.doc_string = ""


@torch.no_grad()
def round_to_half(network: nn.Module) -> None:
    """Round what ``store_half`` will store as float16, and no more."""
    for tensor in network.state_dict().values():
        if tensor.numel() >= _SMALL:
            tensor.copy_(tensor.half().float())


def store_half(model: onnx.ModelProto) -> None:
    """Store large float32 weights as float16, each followed by a cast: the file halves, the arithmetic stays."""
    casts = []
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT and np.prod(tensor.dims) >= _SMALL:
            name = tensor.name
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), f"{name}.half"))
            casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    del model.graph.value_info[:]


def compare(network: Network, path: Path) -> float:
    """Largest difference of a*b* between a network in PyTorch and its file in ONNX Runtime, at three sizes.

    Raises:
        TrainingError: it is more than rounding to float16 explains.
    """
    engine = OnnxRuntimeEngine(path)
    worst = 0.0
    for height, width in _SIZES:
        inputs = example_inputs(network, height, width)
        with torch.no_grad():
            expected = network(*inputs.values())
        ab = expected[0] if isinstance(expected, tuple) else expected
        found = engine.run({k: v.numpy() for k, v in inputs.items()})["ab"]
        worst = max(worst, float(np.abs(found - ab.numpy()).max()))
    if worst > _TOLERANCE:
        raise TrainingError(f"the model differs from PyTorch by {worst:.2f} in a*b*: the export is wrong")
    return worst


def example_inputs(network: Network, height: int, width: int) -> dict[str, torch.Tensor]:
    """A smooth picture, a vividness, and one hint; as far as the network takes them."""
    smooth = torch.rand(1, 1, height // 16, width // 16, generator=torch.Generator().manual_seed(height))
    hints = torch.zeros(1, 3, height, width)
    hints[:, :, 40:44, 90:94] = torch.tensor([1.0, 30, -20])[:, None, None]
    lightness = nn.functional.interpolate(smooth, (height, width), mode="bilinear")
    every = {"lightness": lightness, "vividness": torch.tensor([0.4]), "hints": hints}
    return {name: every[name] for name in network.inputs}


def strip_encoder(path: Path) -> None:
    """Take VGG16's weights, which are not ours to ship, out of a reference model; ``models`` puts them back."""
    model = onnx.load(path)
    ours = [t for t in model.graph.initializer if not t.name.startswith("encoder.layers.")]
    kept = [n for n in model.graph.node if not (n.op_type == "Cast" and n.output[0].startswith("encoder.layers."))]
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.initializer.extend(ours)
    model.graph.node.extend(kept)
    onnx.save(model, path)


def main(arguments: list[str] | None = None) -> None:
    """Export a checkpoint, or the mean of several."""
    parser = argparse.ArgumentParser(description="Write a checkpoint as a model file.")
    parser.add_argument("checkpoint", type=Path, nargs="+", help="of several, the mean of their weights")
    parser.add_argument("model", type=Path)
    parser.add_argument("--name", help="of the model; the recipe's by default")
    parser.add_argument("--version", default="1")
    parser.add_argument("--licence", default="Apache-2.0")
    parser.add_argument("--description", default="")
    parser.add_argument("--vividness", type=float, default=0.5, help="that the card recommends")
    parser.add_argument("--encoder-weights", type=Path, help="a local file with VGG16's weights (Keras notop .h5)")
    parser.add_argument("--strip-encoder", action="store_true", help="leave VGG16's weights out, to be put in later")
    args = parser.parse_args(arguments)
    encoder = load_encoder("vgg16", args.encoder_weights) if args.encoder_weights else None
    trained = load_mean(args.checkpoint, encoder)
    card = ModelCard(
        name=args.name or trained.recipe.name,
        version=args.version,
        licence=args.licence,
        description=args.description,
        training_data=f"{trained.photographs:,} colour photographs of public data sets; see docs/model-card.md",
        working_size=trained.recipe.size,
        **abilities(trained.network, args.vividness),
    )
    difference = export(trained, card, args.model)
    if args.strip_encoder:
        strip_encoder(args.model)
    print(f"{args.model}: {args.model.stat().st_size / 1e6:.1f} MB, within {difference:.3f} a*b* of PyTorch")


if __name__ == "__main__":
    main()
