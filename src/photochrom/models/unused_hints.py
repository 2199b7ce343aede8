"""Lets OpenVINO skip, for pictures without hints, the part of a network that processes hints."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

_HINTS: Final = "hints"  # name of the network's input
_SIDE: Final = 64  # pixels of a side of the empty hints with which the part is tried


def skip_unused_hints(openvino: Any, core: Any, model: Any) -> None:
    """Put the part of a network that depends on hints alone into an ``If``, in place, so that it runs only with hints.

    This part reduces three planes of the picture's size and spreads the hints, which takes 7 % of the network's time.
    Without hints, it gives the same for all places, so it is replaced by constants. A network in which it does not,
    or one that takes no hints, stays as it is.

    Args:
        openvino: The imported package.
        core: OpenVINO's core.
        model: OpenVINO's model, as read from a file.
    """
    others = [port for port in model.inputs if _HINTS not in port.names]
    if len(others) == len(model.inputs):
        return
    hints = model.input(_HINTS)
    mixed = set().union(*(_dependents(port) for port in others))
    only_hints = _dependents(hints) - mixed
    nodes = [node for node in model.get_ordered_ops() if node.get_name() in only_hints]
    uses = {port: found for node in nodes for port in node.outputs() if (found := _uses(port, mixed))}
    if not uses:
        return
    part = openvino.Model([openvino.opset13.result(port) for port in uses], [hints.get_node()]).clone()
    constants = _constants(core, part)
    if constants is None:
        return
    for values, targets in zip(_conditional(openvino, hints, part, constants), uses.values(), strict=True):
        for target in targets:
            target.replace_source_output(values)
    model.validate_nodes_and_infer_types()


def _dependents(port: Any) -> set[str]:
    """Return the names of all nodes that depend on an output of a node."""
    names: set[str] = set()
    ports = [port]
    while ports:
        for target in ports.pop().get_target_inputs():
            node = target.get_node()
            if node.get_name() not in names:
                names.add(node.get_name())
                ports += node.outputs()
    return names


def _uses(port: Any, names: set[str]) -> list[Any]:
    """Return the inputs of the named nodes that take their values from an output of another node."""
    return [target for target in port.get_target_inputs() if target.get_node().get_name() in names]


def _constants(core: Any, part: Any) -> list[np.ndarray] | None:
    """Return the part's outputs without hints, ``[1, C, 1, 1]`` each; None if they differ from place to place."""
    compiled = core.compile_model(part.clone(), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    outputs = [np.array(values) for values in compiled(np.zeros((1, 3, _SIDE, _SIDE), np.float32)).values()]
    if all(values.ndim == 4 and np.ptp(values, axis=(2, 3)).max() == 0 for values in outputs):
        return [values[:, :, :1, :1] for values in outputs]
    return None


def _conditional(openvino: Any, hints: Any, part: Any, constants: list[np.ndarray]) -> list[Any]:
    """Return the outputs of an ``If`` node: those of the part, or the constants if there are no hints."""
    op = openvino.opset13
    highest = op.reduce_max(hints, op.constant(np.arange(4)), False)  # the mask of a known pixel is 1
    unused = op.parameter(hints.get_partial_shape(), np.float32)
    otherwise = openvino.Model([op.result(op.constant(values)) for values in constants], [unused])
    choice = op.if_op(op.greater(highest, op.constant(np.float32(0))).output(0))
    choice.set_then_body(part)
    choice.set_else_body(otherwise)
    choice.set_input(hints, part.get_parameters()[0], unused)
    return [choice.set_output(*ends) for ends in zip(part.get_results(), otherwise.get_results(), strict=True)]
