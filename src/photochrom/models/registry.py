"""Finds models by name or file, and reads the cards that describe them.

A model is one ONNX file, and its card is JSON in the file's metadata under the key ``photochrom``. The model
``default`` comes with the package. The model ``reference`` is assembled from the published weights of VGG16, which are
downloaded, and a decoder that comes with the package.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..atomic import new_file
from ..errors import ModelError, needed_for, one_line, system_errors
from ..json_text import parse_json
from .download import cache_folder, known_digest

CARD_KEY = "photochrom"
WEIGHTS = Path(__file__).parent / "weights"
NAMES = ("default", "reference")
_OTHER = "choose another model"
_LARGEST_SIZE = 4096  # short side of thumbnails, in pixels: larger ones would need more memory than machines have
_SHOWN = 60  # most characters of an invalid value in a message
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
            ModelError: There is no valid card, or it is of a later version of the model file format.
        """
        source = "the engine's network" if path is None else "the file"
        foreign = f"{source} is not a model of Photochrom"
        try:
            facts = parse_json(metadata[CARD_KEY])
            _check_format(facts.get("format", _FORMAT), path)  # first, since later formats may have other fields
            known = {field.name for field in dataclasses.fields(cls)}
            bins = tuple((float(a), float(b)) for a, b in facts.get("bins", ()))  # JSON has no tuples
            card = cls(**{name: value for name, value in facts.items() if name in known} | {"bins": bins})
        except (KeyError, ValueError, TypeError, AttributeError, OverflowError) as exc:
            raise ModelError(foreign, path=path, remedy=_OTHER) from exc
        if name := card._invalid():
            value = one_line(repr(getattr(card, name)))[:_SHOWN]
            raise ModelError(f"{foreign}, since its {name} is {value}", path=path, remedy=_OTHER)
        return card

    def _invalid(self) -> str:
        """Return the name of a field whose value has the wrong type or is out of range; empty if there is none."""
        texts = {name: getattr(self, name) for name in ("name", "version", "licence", "description", "training_data")}
        size, vividness = self.working_size, self.vividness
        valid = {name: isinstance(text, str) for name, text in texts.items()} | {
            "working_size": type(size) is int and 0 < size <= _LARGEST_SIZE,
            "vividness": vividness is None or (type(vividness) in (int, float) and 0 <= vividness <= 1),
            "hints": isinstance(self.hints, bool),
            "bins": all(math.isfinite(value) for pair in self.bins for value in pair),
            "format": type(self.format) is int and self.format == _FORMAT,
        }
        return next((name for name, is_valid in valid.items() if not is_valid), "")

    def to_json(self) -> str:
        """Serialise the card as JSON, as stored in a model file."""
        return json.dumps(dataclasses.asdict(self))


def _check_format(format: object, path: Path | None) -> None:
    """Raise ``ModelError`` if a card is of a later version of the model file format."""
    if isinstance(format, int) and format > _FORMAT:
        raise ModelError(
            f"the model has format {format}, but this version of Photochrom reads format {_FORMAT}",
            path=path,
            remedy="update Photochrom",
        )


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
