"""Finds models by name or file, and reads the cards that describe them.

A model is one ONNX file, and its card is JSON in the file's metadata under the key ``photochrom``. The model
``default`` comes with the package. The model ``reference`` is assembled from the published weights of VGG16, which are
downloaded, and a decoder that comes with the package.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..atomic import new_file
from ..errors import ModelError, needed_for, system_errors
from ..json_text import parse_json
from .download import cache_folder, known_digest

CARD_KEY = "photochrom"
WEIGHTS = Path(__file__).parent / "weights"
NAMES = ("default", "reference")
_FORMAT = 1  # version of the model file format: names and meanings of the network's inputs and outputs


@dataclass(frozen=True)
class ModelCard:
    """Description of a model, stored in the metadata of its file."""

    name: str
    """Short name, which appears in the label of coloured pictures."""
    version: str
    """Version of the weights."""
    licence: str
    """SPDX identifier of the weights' licence."""
    description: str
    """One sentence about the network."""
    training_data: str
    """Pictures on which the weights were trained."""
    working_size: int
    """Short side of thumbnails in pixels; a multiple of 32."""
    vividness: float | None
    """Recommended vividness, 0 to 1; None if the network has no vividness input."""
    hints: bool = False
    """Whether the network has an input for hints."""
    bins: tuple[tuple[float, float], ...] = ()
    """a* and b* of each colour whose probability the network predicts; empty if it predicts none."""
    format: int = _FORMAT
    """Version of the model file format."""

    @classmethod
    def of(cls, metadata: Mapping[str, str], path: Path | None) -> ModelCard:
        """Read the card from the metadata of a model.

        Args:
            metadata: Metadata of the model file, as from ``Engine.metadata``.
            path: The model file, for error messages; None for an engine without a file.

        Raises:
            ModelError: There is no valid card, or it is of another version of the model file format.
        """
        try:
            facts = parse_json(metadata[CARD_KEY])
            known = {field.name for field in dataclasses.fields(cls)}
            bins = tuple((float(a), float(b)) for a, b in facts.get("bins", ()))  # JSON has no tuples
            card = cls(**{name: value for name, value in facts.items() if name in known} | {"bins": bins})
        except (KeyError, ValueError, TypeError, AttributeError) as exc:
            source = "the engine's network" if path is None else "the file"
            raise ModelError(
                f"{source} is not a model of Photochrom", path=path, remedy="choose another model"
            ) from exc
        if card.format != _FORMAT:
            raise ModelError(
                f"the model has format {card.format}, but this version of Photochrom reads format {_FORMAT}",
                path=path,
                remedy="update Photochrom",
            )
        return card

    def to_json(self) -> str:
        """Serialise the card as JSON, as stored in a model file."""
        return json.dumps(dataclasses.asdict(self))


def find_model(model: str | os.PathLike[str]) -> Path:
    """Find the file of a model.

    Args:
        model: Name (``default``, ``reference``) or path of an .onnx file.

    Raises:
        ModelError: There is no such model or file, the file is not an .onnx file, the default model's file is damaged,
            or the reference model has not been assembled yet.
    """
    if model == "default":
        return _default_path()
    if model == "reference":
        if not (path := reference_path()).is_file():
            raise ModelError(
                "the model 'reference' has not been assembled yet", remedy="run 'photochrom models get reference'"
            )
        return path
    path, remedy = Path(model), f"give an .onnx file, or one of {', '.join(NAMES)}"
    with system_errors(ModelError, path, remedy):
        is_file = path.is_file()  # raises an error if the name is too long
    if is_file:
        if path.suffix.lower() != ".onnx":  # engines would try other formats, and print errors
            raise ModelError("not an .onnx file", path=path, remedy=remedy)
        return path
    if (in_folder := path / "model.onnx").is_file():  # the folder of a training run
        remedy = f"give the file in this folder, {in_folder}"
    raise ModelError(f"there is no model {str(model)!r}", remedy=remedy)


def _default_path() -> Path:
    path = WEIGHTS / "default.onnx"
    with system_errors(ModelError, path, "reinstall Photochrom"):
        expected = (WEIGHTS / "default.sha256").read_bytes().split()[:1]
    if expected != [known_digest(path).encode()]:
        raise ModelError("the file is damaged", path=path, remedy="reinstall Photochrom")
    return path


def reference_path() -> Path:
    """Return the path of the assembled reference model, which may not exist.

    Raises:
        ModelError: The decoder that comes with Photochrom cannot be read.
    """
    return cache_folder() / f"reference-{known_digest(WEIGHTS / 'reference-decoder.onnx')[:8]}.onnx"


def get_reference(encoder_weights: Path | None = None) -> Path:
    """Assemble the reference model from VGG16's ImageNet encoder and the decoder that comes with Photochrom.

    Args:
        encoder_weights: A local "notop" weight file of Keras; None downloads the published file.

    Returns:
        Path of the model file, which is written into the cache folder.

    Raises:
        ModelError: The weights cannot be downloaded or read, the model cannot be written, or the packages of
            ``photochrom[reference]`` are missing.
    """
    from .vgg16 import fetch_vgg16, read_vgg16

    with needed_for("assembling the reference", "reference", ModelError):
        import onnx
        from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
    layers = read_vgg16(encoder_weights or fetch_vgg16())
    path, decoder = reference_path(), WEIGHTS / "reference-decoder.onnx"
    try:
        model = onnx.load(decoder)
    except DecodeError as exc:
        raise ModelError("the file is damaged", path=decoder, remedy="reinstall Photochrom") from exc
    for name, arrays in layers.items():
        for kind, array in zip(("weight", "bias"), arrays, strict=True):
            model.graph.initializer.append(onnx.numpy_helper.from_array(array, f"encoder.layers.{name}.{kind}"))
    onnx.checker.check_model(model)
    with system_errors(ModelError, path, "set PHOTOCHROM_HOME to another folder", "written"):
        path.parent.mkdir(parents=True, exist_ok=True)
        with new_file(path, overwrite=True) as file:
            file.write(model.SerializeToString())
    return path
