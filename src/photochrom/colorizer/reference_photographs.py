"""Borrows colours from a reference photograph that shows the same things in colour, as hints.

The model's encoder computes features of both lumas on a grid of places. A place of the picture matches a place of the
reference if their features are mutual nearest neighbours and similar enough, and if their lightness is about the same.
At each match the reference's colour becomes a hint. (This is unrelated to the model named ``reference``.)

The encoder is extracted from the model file with OpenVINO, whichever engine runs the model. It ends before the layer
that reduces the feature maps from 1/16 to 1/32 of the picture's size.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from ..color.spaces import lightness_of_luma, luma_of_rgb
from ..color.toning import is_nearly_grey
from ..errors import ModelError, OptionError
from ..models.engines import Engine, OpenVinoEngine, import_openvino
from .hints import Hint
from .network import network_inputs
from .options import ColorOptions

if TYPE_CHECKING:
    from .colorizer import Colorizer

_STRIDE = 16  # side of a place, in pixels of the thumbnail
_PROBE = 256  # input size with which the sizes of the network's feature maps are determined
_MIN_SIMILARITY = 0.74  # cosine; frames of one scene then match at hundreds of places, unrelated pictures at few
_TONE = 25.0  # largest difference in L* between matching places
_CELL = 3  # side, in places, of the cells of which only the best match is kept: more hints cost time and add little
_FEATURES = "features"


class References:
    """Borrows colours from reference photographs for one ``Colorizer``. Several threads may use one instance.

    The encoder is loaded on first use.
    """

    def __init__(self, colorizer: Colorizer) -> None:
        self._colorizer = colorizer
        self._engine: Engine | None = None
        self._lock = threading.Lock()

    def borrow(
        self, luma: np.ndarray, reference: np.ndarray, path: str | os.PathLike[str] | None = None
    ) -> tuple[Hint, ...]:
        """Find the places of a picture that match a reference, and return the reference's colours there as hints.

        Args:
            luma: The picture, as for ``Colorizer.chroma``.
            reference: R'G'B' uint8 ``[H, W, 3]``, upright.
            path: Path of the reference, for the message of an error.

        Returns:
            Hints, marked as suggested; none if nothing matches.

        Raises:
            OptionError: The reference is grey, or nearly so: its hints would only make the picture grey.
            EngineError: OpenVINO is not installed or failed.
            ModelError: The model has no file, the file is not a network, or no encoder is found in it.
            PhotoError: ``luma`` is not a luma plane, or one of the two pictures has no pixels.
        """
        if is_nearly_grey(reference):
            subject = "the reference has" if path is None else "has"
            raise OptionError(f"{subject} no colours to borrow", path=path, remedy="choose a photograph in colour")
        shape, features, lightness = self._features(luma)
        other_shape, other_features, other_lightness = self._features(luma_of_rgb(reference))
        similarity = features @ other_features.T
        best = similarity.argmax(1)
        places = np.arange(len(best))
        matches = similarity.argmax(0)[best] == places
        matches &= similarity[places, best] > _MIN_SIMILARITY
        matches &= np.abs(lightness - other_lightness[best]) < _TONE
        colors = cv2.resize(reference, other_shape[::-1], interpolation=cv2.INTER_AREA).reshape(-1, 3)
        chosen = _best_of_each_cell(places[matches], similarity[places, best][matches], shape[1])
        return tuple(_hint(place, colors[best[place]], shape) for place in chosen)

    def _features(self, luma: np.ndarray) -> tuple[tuple[int, int], np.ndarray, np.ndarray]:
        """Compute features and lightness at a grid of places.

        Returns:
            Rows and columns of the grid; features, vectors of length 1, float32 ``[places, channels]``; L*, float32
            ``[places]``.

        Raises:
            EngineError, ModelError, PhotoError: As for ``borrow``.
        """
        thumbnail = self._colorizer.thumbnail(luma)
        inputs = network_inputs(thumbnail, ColorOptions(), self._colorizer.card)
        features = self._encoder().run(inputs)[_FEATURES][0]  # [channels, rows, columns]
        _, height, width = features.shape
        features -= features.mean((1, 2), keepdims=True)  # the mean feature tells nothing about a place
        features /= np.maximum(np.linalg.norm(features, axis=0), 1e-6)
        lightness = cv2.resize(lightness_of_luma(thumbnail), (width, height), interpolation=cv2.INTER_AREA)
        return (height, width), features.reshape(len(features), -1).T, lightness.ravel()

    def _encoder(self) -> Engine:
        with self._lock:
            if self._engine is None:
                if (path := self._colorizer.path) is None:
                    raise ModelError("borrowing colours needs a model file", remedy="load the model from an .onnx file")
                self._engine = OpenVinoEngine(path, adapt=encoder_of)
            return self._engine


def encoder_of(model: Any) -> Any:
    """Extract the encoder of an OpenVINO model: a model with the same inputs and one output, ``features``.

    Both share their layers, and the name of that output is also set in ``model``.

    Raises:
        ModelError: No layer halves a map of one sixteenth of the picture's height and width.
        ImportError: OpenVINO is not installed.
    """
    openvino = import_openvino()
    name = _last_before_halving(model)
    (node,) = (op for op in model.get_ordered_ops() if op.get_friendly_name() == name)
    node.output(0).set_names({_FEATURES})
    return openvino.Model([node.output(0)], model.get_parameters())


def _last_before_halving(model: Any) -> str:
    """Return the name of the layer whose output is halved from 1/16 to 1/32 of the picture's height and width.

    The sizes are determined in a copy of ``model`` with a fixed input size.

    Raises:
        ModelError: There is no such layer.
    """
    probe = model.clone()
    shapes = {port.any_name: port.partial_shape for port in probe.inputs if len(port.partial_shape) == 4}
    probe.reshape({name: [1, shape[1].get_length(), _PROBE, _PROBE] for name, shape in shapes.items()})
    before, after = [_PROBE // _STRIDE] * 2, [_PROBE // _STRIDE // 2] * 2
    for op in probe.get_ordered_ops():
        if op.get_type_name() not in ("Convolution", "GroupConvolution", "MaxPool"):
            continue
        if list(op.get_input_shape(0))[2:] == before and list(op.get_output_shape(0))[2:] == after:
            return str(op.input_value(0).get_node().get_friendly_name())
    raise ModelError("this model has no encoder to match pictures with", remedy="choose another model")


def _best_of_each_cell(places: np.ndarray, similarity: np.ndarray, columns: int) -> list[int]:
    """Return the place of the best match in each cell, in ascending order.

    Args:
        places: Index of each matched place in the grid, counted row by row.
        similarity: Similarity of each match.
        columns: Columns of the grid.
    """
    chosen: dict[tuple[int, int], int] = {}
    for place in places[np.argsort(similarity)]:  # ascending, so that the best one is written last
        row, column = divmod(int(place), columns)
        chosen[row // _CELL, column // _CELL] = int(place)
    return sorted(chosen.values())


def _hint(place: int, color: np.ndarray, shape: tuple[int, int]) -> Hint:
    row, column = divmod(place, shape[1])
    red, green, blue = (int(value) for value in color)
    # Marked as suggested, since the model matched the places and nobody chose the colour.
    return Hint((column + 0.5) / shape[1], (row + 0.5) / shape[0], (red, green, blue), suggested=True)
