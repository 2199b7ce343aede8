"""Weights in few bits: small files, and equal weights in PyTorch and in the file."""

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from photochrom.training.weight_storage import restored, round_to_stored, store_small


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Module()
        self.head.decoder = nn.Module()
        self.head.decoder.refine = nn.Conv2d(16, 8, 3)
        self.head.decoder.narrow = nn.Linear(48, 24)
        self.head.decoder.norm = nn.GroupNorm(1, 512)
        self.head.decoder.classify = nn.Conv2d(64, 8, 1)


@pytest.fixture
def network():
    torch.manual_seed(0)
    network = Network()
    network.head.decoder.refine.weight.data[2] = 0  # a channel of zeros
    network.head.decoder.refine.weight.data[3] *= 1000
    network.head.decoder.norm.weight.data.uniform_()
    return network


# The exporter transposes linear layers, adds an axis to weights of norms, and drops the names of both.
FOLDED = {"head.decoder.narrow.weight": "val_1", "head.decoder.norm.weight": "val_2"}


def stored(network):
    arrays = {name: value.numpy() for name, value in network.state_dict().items()}
    arrays |= {constant: np.atleast_2d(arrays.pop(name)).T.copy() for name, constant in FOLDED.items()}
    tensors = [numpy_helper.from_array(array, name) for name, array in arrays.items()]
    outputs = [helper.make_tensor_value_info(f"{name}.seen", TensorProto.FLOAT, a.shape) for name, a in arrays.items()]
    nodes = [helper.make_node("Identity", [name], [f"{name}.seen"]) for name in arrays]
    model = helper.make_model(helper.make_graph(nodes, "weights", [], outputs, tensors))
    store_small(model, FOLDED)
    onnx.checker.check_model(model)
    return model


def test_the_file_holds_the_rounded_weights(network):
    round_to_stored(network)
    found = restored(stored(network))
    found |= {name: found[constant].T.squeeze() for name, constant in FOLDED.items()}
    for name, value in network.state_dict().items():
        np.testing.assert_allclose(found[name], value.numpy(), rtol=1e-6)


def test_each_output_channel_of_a_kernel_has_its_own_steps(network):
    layers = network.head.decoder.refine, network.head.decoder.narrow
    before = [layer.weight.flatten(1).clone() for layer in layers]
    round_to_stored(network)
    for layer, weight in zip(layers, before, strict=True):
        error = (layer.weight.flatten(1) - weight).abs().amax(1)
        assert (error <= weight.abs().amax(1) / 127 / 2 * 1.001 + 1e-9).all()
        assert error.max() > 0


def test_kernels_take_one_byte_per_weight_and_those_of_the_logits_two(network):
    sizes = {tensor.name: numpy_helper.to_array(tensor).nbytes for tensor in stored(network).graph.initializer}
    assert sizes["head.decoder.refine.weight.integers"] == 8 * 16 * 9
    assert sizes["val_1.integers"] == 48 * 24
    assert sizes["head.decoder.classify.weight.half"] == 2 * 8 * 64
    assert sizes["head.decoder.refine.bias"] == 4 * 8
