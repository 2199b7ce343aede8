"""A fake engine with its card: a colorizer without a network."""

import json

import numpy as np

from photochrom.models.registry import CARD_KEY, ModelCard

CARD = ModelCard(
    name="fake",
    version="0",
    licence="CC0-1.0",
    description="for tests",
    training_data="none",
    working_size=64,
    vividness=0.5,
)


def card_metadata(**changes):
    """Return the metadata of a model file with ``CARD``, with some fields changed."""
    return {CARD_KEY: json.dumps(json.loads(CARD.to_json()) | changes)}


class FakeEngine:
    """An engine that calls a function instead of a network.

    Args:
        answer: Function that computes the outputs from the inputs, as ``Engine.run`` does.
        metadata: Metadata of a model file.
    """

    def __init__(self, answer, metadata):
        self.run, self.metadata = answer, dict(metadata)


def constant_answer(a, b):
    """Return a function for ``FakeEngine`` that answers with one a*b* everywhere, at an eighth of the input's size."""

    def answer(inputs):
        _, _, height, width = inputs["lightness"].shape
        ab = np.empty((1, 2, height // 8, width // 8), np.float32)
        ab[:, 0], ab[:, 1] = a, b
        return {"ab": ab, "confidence": np.ones_like(ab[:, :1])}

    return answer


def tiny_model(path):
    """Write a model file of a few hundred bytes that makes everything orange, and loads at once in each process."""
    import onnx
    from onnx import TensorProto, helper

    lightness = helper.make_tensor_value_info("lightness", TensorProto.FLOAT, ["n", 1, "h", "w"])
    vividness = helper.make_tensor_value_info("vividness", TensorProto.FLOAT, [1])
    ab = helper.make_tensor_value_info("ab", TensorProto.FLOAT, ["n", 2, "a", "b"])
    confidence = helper.make_tensor_value_info("confidence", TensorProto.FLOAT, ["n", 1, "a", "b"])
    colors = helper.make_tensor("colors", TensorProto.FLOAT, [2, 1, 1, 1], [60.0, 80.0])
    zero = helper.make_tensor("zero", TensorProto.FLOAT, [2], [0.0, 0.0])
    nodes = [
        helper.make_node("AveragePool", ["lightness"], ["confidence"], kernel_shape=[8, 8], strides=[8, 8]),
        helper.make_node("Mul", ["colors", "vividness"], ["scaled"]),
        helper.make_node("Conv", ["confidence", "scaled", "zero"], ["mapped"]),  # orange times lightness
        helper.make_node("Identity", ["mapped"], ["ab"]),
    ]
    graph = helper.make_graph(nodes, "tiny", [lightness, vividness], [ab, confidence], [colors, zero])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, card_metadata(name="tiny"))
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return path
