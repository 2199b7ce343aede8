"""Colours borrowed from another photograph, where the two pictures match.

Both pictures' lumas go through the encoder of the model at hand. A place of the one and a place of the other match if,
among all places, each is most like the other in what the encoder makes of them, if they are alike enough, and about as
light. There the reference's colour becomes a hint.

The encoder is cut out of the model's own file: it ends where the sixteenth of the picture's size is halved for the last
time, which every encoder of this kind does somewhere. OpenVINO does the cutting, whatever engine runs the model.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from ..color.spaces import lightness_of_luma, luma_of_rgb
from ..errors import ModelError
from ..models.engines import Engine, OpenVinoEngine
from .hints import Hint
from .options import ColorOptions

if TYPE_CHECKING:
    from .colorizer import Colorizer

_STRIDE = 16  # pixels of the thumbnail per place
_PROBE = 256  # the size at which the network is looked through
_ALIKE = 0.6  # cosine; frames of one scene agree in hundreds of places, pictures of different things in a few
_TONE = 25.0  # L*
_CELL = 2  # of so many by so many places the best match alone is taken: more hints cost time and add little
_FEATURES = "features"


class References:
    """Borrows colours for the pictures of one ``Colorizer``. Safe to share between threads.

    The encoder is loaded when first needed.
    """

    def __init__(self, colorizer: Colorizer) -> None:
        self._colorizer = colorizer
        self._engine: Engine | None = None
        self._lock = threading.Lock()

    def borrow(self, luma: np.ndarray, reference: np.ndarray) -> tuple[Hint, ...]:
        """The reference's colours at the places of the picture that match it; none where nothing does.

        Args:
            luma: the picture, as for ``Colorizer.chroma``.
            reference: R'G'B' uint8 ``[H, W, 3]``, upright.

        Raises:
            EngineError: OpenVINO is not installed.
            ModelError: the model has no encoder that could be told from its rest.
        """
        shape, features, lightness = self._look_at(luma)
        other_shape, other_features, other_lightness = self._look_at(luma_of_rgb(reference))
        likeness = features @ other_features.T
        best = likeness.argmax(1)
        places = np.arange(len(best))
        matches = likeness.argmax(0)[best] == places
        matches &= likeness[places, best] > _ALIKE
        matches &= np.abs(lightness - other_lightness[best]) < _TONE
        colors = cv2.resize(reference, other_shape[::-1], interpolation=cv2.INTER_AREA).reshape(-1, 3)
        chosen = _best_of_each_cell(places[matches], likeness[places, best][matches], shape[1])
        return tuple(_hint(place, colors[best[place]], shape) for place in chosen)

    def _look_at(self, luma: np.ndarray) -> tuple[tuple[int, int], np.ndarray, np.ndarray]:
        """Rows and columns of places; float32 ``[places, channels]`` of length 1; L* ``[places]``."""
        thumbnail = self._colorizer.thumbnail(luma)
        inputs = self._colorizer.inputs(thumbnail, ColorOptions())
        features = self._encoder().run(inputs)[_FEATURES][0]
        _, height, width = features.shape
        features -= features.mean((1, 2), keepdims=True)  # what all places share tells none from another
        features /= np.maximum(np.linalg.norm(features, axis=0), 1e-6)
        lightness = cv2.resize(lightness_of_luma(thumbnail), (width, height), interpolation=cv2.INTER_AREA)
        return (height, width), features.reshape(len(features), -1).T, lightness.ravel()

    def _encoder(self) -> Engine:
        with self._lock:
            if self._engine is None:
                if (path := self._colorizer.path) is None:
                    raise ModelError("borrowing colours needs a model file: load the model from its .onnx file")
                self._engine = OpenVinoEngine(path, adapt=encoder_of)
            return self._engine


def encoder_of(model: Any) -> Any:
    """The encoder of a network of OpenVINO, as a network of its own with one output, ``features``.

    Raises:
        ModelError: nothing in it halves a sixteenth of the picture's size.
    """
    import openvino

    name = _last_before_halving(model)
    (node,) = (op for op in model.get_ordered_ops() if op.get_friendly_name() == name)
    node.output(0).set_names({_FEATURES})
    return openvino.Model([node.output(0)], model.get_parameters())


def _last_before_halving(model: Any) -> str:
    """The name of the layer that hands on the features; sizes are known only once the network is given one."""
    probe = model.clone()
    shapes = {port.any_name: port.partial_shape for port in probe.inputs if len(port.partial_shape) == 4}
    probe.reshape({name: [1, shape[1].get_length(), _PROBE, _PROBE] for name, shape in shapes.items()})
    before, after = [_PROBE // _STRIDE] * 2, [_PROBE // _STRIDE // 2] * 2
    for op in probe.get_ordered_ops():
        if op.get_type_name() not in ("Convolution", "GroupConvolution", "MaxPool"):
            continue
        if list(op.get_input_shape(0))[2:] == before and list(op.get_output_shape(0))[2:] == after:
            return str(op.input_value(0).get_node().get_friendly_name())
    raise ModelError("this model has no encoder to match pictures with: choose another model")


def _best_of_each_cell(places: np.ndarray, likeness: np.ndarray, columns: int) -> list[int]:
    """Of the places in each cell the most alike one."""
    chosen: dict[tuple[int, int], int] = {}
    for place in places[np.argsort(likeness)]:  # the best comes last
        row, column = divmod(int(place), columns)
        chosen[row // _CELL, column // _CELL] = int(place)
    return sorted(chosen.values())


def _hint(place: int, color: np.ndarray, shape: tuple[int, int]) -> Hint:
    row, column = divmod(place, shape[1])
    red, green, blue = (int(value) for value in color)
    # Which place has which colour, the model says: it is no person's word.
    return Hint((column + 0.5) / shape[1], (row + 0.5) / shape[0], (red, green, blue), suggested=True)
