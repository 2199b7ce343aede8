"""Models by name or file: which there are, where they lie, what their cards say.

A model is one ONNX file; its card is JSON in the file's metadata, under ``photochrom``. ``default`` is embedded in
the package. ``reference`` is put together from VGG16's own weights, which are not ours to ship, and our decoder.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..atomic import new_file
from ..errors import ModelError
from .download import cache_folder, digest

CARD_KEY = "photochrom"
WEIGHTS = Path(__file__).parent / "weights"
NAMES = ("default", "reference")
_FORMAT = 1  # of the model file: names and meaning of the network's inputs and outputs


@dataclass(frozen=True)
class ModelCard:
    """What a model file says about itself."""

    name: str
    version: str
    licence: str
    description: str
    training_data: str
    working_size: int
    """Short side of the thumbnail that the network looks at, pixels; a multiple of 32."""
    vividness: float | None
    """The setting that the model's makers recommend; None where the network predicts no distribution."""
    hints: bool = False
    """Whether the network takes hints."""
    bins: tuple[tuple[float, float], ...] = ()
    """a* and b* of each entry of the network's probabilities; none where it predicts no distribution."""
    format: int = _FORMAT

    @classmethod
    def of(cls, metadata: Mapping[str, str], path: Path | None) -> ModelCard:
        """Read the card from the metadata of a model.

        Args:
            metadata: Metadata of the model file or the engine.
            path: The model file, for messages; None for an engine that was loaded from no file.

        Raises:
            ModelError: There is no card, or it was written for another version of the model format.
        """
        source = path or "the engine"
        try:
            facts = json.loads(metadata[CARD_KEY])
            known = {field.name for field in dataclasses.fields(cls)}
            bins = tuple((float(a), float(b)) for a, b in facts.get("bins", ()))  # JSON has lists only
            card = cls(**{name: value for name, value in facts.items() if name in known} | {"bins": bins})
        except (KeyError, ValueError, TypeError, AttributeError) as exc:
            raise ModelError(f"{source} is not a model of Photochrom: choose another model") from exc
        if card.format != _FORMAT:
            raise ModelError(
                f"{source} has model format {card.format}, this version reads {_FORMAT}: update Photochrom"
            )
        return card

    def to_json(self) -> str:
        """As stored in a model file."""
        return json.dumps(dataclasses.asdict(self))


def find_model(model: str | os.PathLike[str]) -> Path:
    """The file of a model given by name (``default``, ``reference``) or by path.

    Raises:
        ModelError: no such name or file, or the embedded file is damaged.
    """
    if model == "default":
        return _embedded()
    if model == "reference":
        if not (path := reference_path()).is_file():
            raise ModelError("the model 'reference' is not there yet: run 'photochrom models get reference'")
        return path
    path = Path(model)
    if path.is_file():
        if path.suffix.lower() != ".onnx":  # engines read other kinds, and are loud where they cannot
            raise ModelError(f"{path} is no .onnx file: give one, or one of {', '.join(NAMES)}")
        return path
    raise ModelError(f"no model {str(model)!r}: give an .onnx file, or one of {', '.join(NAMES)}")


def _embedded() -> Path:
    path = WEIGHTS / "default.onnx"
    try:
        whole = digest(path) == (WEIGHTS / "default.sha256").read_text().split()[0]
    except OSError as exc:
        raise ModelError(f"{path} cannot be read ({exc.strerror}): reinstall Photochrom") from exc
    if not whole:
        raise ModelError(f"{path} is damaged: reinstall Photochrom")
    return path


def reference_path() -> Path:
    """Where the assembled reference model lies."""
    return cache_folder() / f"reference-{digest(WEIGHTS / 'reference-decoder.onnx')[:8]}.onnx"


def get_reference(encoder_weights: Path | None = None) -> Path:
    """Put the reference model together: VGG16's ImageNet encoder and the decoder that this project trained.

    Args:
        encoder_weights: a local Keras "notop" file; None downloads it from Keras' own address.

    Raises:
        ModelError: the weights cannot be had or read, or the packages of ``photochrom[reference]`` are missing.
    """
    from .vgg16 import fetch_vgg16, read_vgg16

    try:
        import onnx
    except ImportError as exc:
        raise ModelError("putting the reference together needs onnx: pip install 'photochrom[reference]'") from exc
    layers = read_vgg16(encoder_weights or fetch_vgg16())
    model = onnx.load(WEIGHTS / "reference-decoder.onnx")
    for name, arrays in layers.items():
        for kind, array in zip(("weight", "bias"), arrays, strict=True):
            model.graph.initializer.append(onnx.numpy_helper.from_array(array, f"encoder.layers.{name}.{kind}"))
    onnx.checker.check_model(model)
    path = reference_path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with new_file(path, overwrite=True) as file:
            file.write(model.SerializeToString())
    except OSError as exc:
        raise ModelError(f"{path} cannot be written ({exc.strerror}): set PHOTOCHROM_HOME to another folder") from exc
    return path
