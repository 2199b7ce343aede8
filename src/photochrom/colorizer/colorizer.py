"""Colorizer: the luma of a picture in, its chroma out. The whole path of one picture, step by step."""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from ..color.bands import at_8_bits
from ..color.gamut import to_rgb
from ..color.spaces import ab_to_cbcr, lightness_of_luma, luma_of_rgb
from ..color.upsample import apply_to_luma, linear_coefficients, to_thumbnail
from ..errors import OptionError, PhotoError
from ..models.download import digest
from ..models.engines import Engine, open_engine
from ..models.registry import ModelCard, find_model
from ..photo.formats.image import from_pillow
from .hint_propagation import planes, reach, settle
from .hints import Hint
from .options import ColorOptions

if TYPE_CHECKING:
    from PIL import Image

_MULTIPLE = 32  # the network halves five times
_LONGEST = 4  # times the working size: a panorama beyond that is looked at in less detail


@dataclass(frozen=True)
class Prediction:
    """What the network says about a picture, at the thumbnail's scale."""

    luma: np.ndarray
    """uint8 ``[h, w]``: the thumbnail's luma."""
    ab: np.ndarray
    """float32 ``[2, h', w']``: a*b*, not yet upsampled."""
    confidence: np.ndarray | None = None
    """float32 ``[h', w']``, 0 (any colour would do) to 1 (sure); None where the model cannot tell."""
    probability: np.ndarray | None = None
    """float32 ``[bins, h', w']``: of each colour of the card's ``bins``; None where the model predicts none."""


class Colorizer:
    """Colours pictures with one model, loaded once. Safe to share between threads.

    Args:
        model: a name (``default``, ``reference``) or the path of an .onnx file.
        device: ``auto``, ``cpu``, ``cuda`` or ``gpu``; see ``photochrom.engines``.
        engine: the network, loaded already; ``model`` then only names its file.

    Raises:
        ModelError: the model is missing or damaged.
        EngineError: no engine for the device.
    """

    def __init__(
        self, model: str | os.PathLike[str] = "default", device: str = "auto", engine: Engine | None = None
    ) -> None:
        self.path = find_model(model)
        self.engine = engine or open_engine(self.path, device)
        self.card = ModelCard.of(self.engine.metadata, self.path)

    @functools.cached_property
    def label(self) -> str:
        """Model name, version and hash, as the provenance of a coloured picture names them."""
        return f"{self.card.name} {self.card.version}, sha256 {digest(self.path)}"

    def chroma(
        self,
        luma: np.ndarray,
        options: ColorOptions | None = None,
        *,
        subsampling: int = 1,
        prediction: Prediction | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Colour a luma plane.

        Args:
            luma: Y' (BT.601 full range), uint8 or uint16 ``[H, W]``, upright.
            options: how; None for the model's own choice.
            subsampling: 1 for full-size chroma, 2 for half its width and height.
            prediction: of this luma with these options, where it is known already; the network then does not run.

        Returns:
            Cb and Cr, ``[ceil(H / subsampling), ceil(W / subsampling)]``, of the luma's dtype, around 128 or 32768.

        Raises:
            OptionError: the model has no such dial.
            PhotoError: the luma is not a picture.
        """
        if subsampling not in (1, 2):
            raise OptionError(f"subsampling is {subsampling}: 1 and 2 are possible")
        options, luma = options or ColorOptions(), _checked(luma)
        prediction = prediction or self.predict(luma, options)
        thumbnail = prediction.luma.astype(np.float32) / 255
        lightness = lightness_of_luma(prediction.luma)
        ab = settle(to_thumbnail(prediction.ab, lightness), lightness, options.hints)
        coefficients = linear_coefficients(thumbnail, ab_to_cbcr(thumbnail, ab))
        return apply_to_luma(coefficients, luma, strength=options.strength, subsampling=(subsampling, subsampling))

    def predict(
        self, luma: np.ndarray, options: ColorOptions | None = None, *, plain: Prediction | None = None
    ) -> Prediction:
        """What the network says about a luma plane, before anything is upsampled.

        Args:
            luma: as for ``chroma``.
            options: how; None for the model's own choice.
            plain: what it says of this luma with these options but without hints, where it is known already. With hints
                the network is asked twice, for what lies out of their reach stays what it is without them; this saves
                one of the two.
        """
        options, thumbnail = options or ColorOptions(), self.thumbnail(luma)
        if not (self.card.hints and options.hints):
            return plain or self._ask(thumbnail, options)
        hinted = self._ask(thumbnail, options)
        return _within_reach(hinted, plain or self._ask(thumbnail, options.with_hints(())), options.hints)

    def _ask(self, thumbnail: np.ndarray, options: ColorOptions) -> Prediction:
        outputs = self.engine.run(self.inputs(thumbnail, options))
        confidence = outputs["confidence"][0, 0] if "confidence" in outputs else None
        probability = outputs["probability"][0] if "probability" in outputs else None
        return Prediction(thumbnail, outputs["ab"][0], confidence, probability)

    def inputs(self, thumbnail: np.ndarray, options: ColorOptions) -> dict[str, np.ndarray]:
        """What the network takes: of a thumbnail, as ``Prediction.luma`` is one, to be coloured with some options."""
        inputs = {"lightness": lightness_of_luma(thumbnail)[None, None] / np.float32(100)}
        if (vividness := self._vividness(options)) is not None:
            inputs["vividness"] = np.array([vividness], np.float32)
        if self.card.hints:
            inputs["hints"] = planes(options.hints, *thumbnail.shape)[None]
        return inputs

    def _vividness(self, options: ColorOptions) -> float | None:
        if options.vividness is not None and self.card.vividness is None:
            raise OptionError(f"the model {self.card.name!r} has no vividness: leave it out, or choose another model")
        return self.card.vividness if options.vividness is None else options.vividness

    def thumbnail_size(self, height: float, width: float) -> tuple[int, int]:
        """At what height and width the network looks at a picture: its short side at the working size."""
        short, long = sorted((height, width))
        scale = min(self.card.working_size / short, _LONGEST * self.card.working_size / long)
        height, width = (max(_MULTIPLE, round(side * scale / _MULTIPLE) * _MULTIPLE) for side in (height, width))
        return height, width

    def thumbnail(self, luma: np.ndarray) -> np.ndarray:
        """The luma, as for ``chroma``, at the size that the network looks at: uint8 ``[h, w]``."""
        luma = _checked(luma)
        height, width = self.thumbnail_size(*luma.shape)
        while luma.shape[0] >= 4 * height and luma.shape[1] >= 4 * width:
            luma = _halved(luma)
        shrinks = height <= luma.shape[0] and width <= luma.shape[1]
        interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        return at_8_bits(cv2.resize(luma, (width, height), interpolation=interpolation))

    def colorize(
        self, image: np.ndarray | Image.Image, options: ColorOptions | None = None
    ) -> np.ndarray | Image.Image:
        """Colour a picture held in memory; what comes back is of the kind that was given.

        Args:
            image: uint8 or uint16 array, ``[H, W]`` luma or ``[H, W, 3]`` RGB (its luma counts); or a PIL image,
                which is turned upright and keeps its alpha, but not its metadata (``colorize_file`` keeps that).
            options: how; None for the model's own choice.

        Returns:
            RGB ``[H, W, 3]`` of the same dtype; or a PIL image, RGB or RGBA.

        Raises:
            PhotoError: the picture is neither, or has no pixels.
            OptionError: the model has no such dial.
        """
        if isinstance(image, np.ndarray):
            luma = luma_of_rgb(image) if image.ndim == 3 and image.shape[2] == 3 else image
            return to_rgb(luma, *self.chroma(luma, options))
        return self._colorize_pil(image, options)

    def _colorize_pil(self, image: Image.Image, options: ColorOptions | None) -> Image.Image:
        from PIL import Image, ImageOps

        if not isinstance(image, Image.Image):
            raise PhotoError(f"a picture is an array or a PIL image, this is {type(image).__name__}")
        upright = ImageOps.exif_transpose(image)
        luma, alpha = from_pillow(_of_8_bits(upright))
        colored = Image.fromarray(to_rgb(luma, *self.chroma(luma, options)))
        if alpha is not None:
            colored.putalpha(Image.fromarray(alpha))
        return colored


def _within_reach(hinted: Prediction, plain: Prediction, hints: Sequence[Hint]) -> Prediction:
    """What the network says with hints near them, and what it says without them elsewhere."""
    near = reach(lightness_of_luma(plain.luma), hints)
    near = cv2.resize(near, plain.ab.shape[:0:-1], interpolation=cv2.INTER_AREA)

    changes: dict[str, Any] = {}
    for name in ("ab", "confidence", "probability"):
        if (without := getattr(plain, name)) is not None:
            changes[name] = without + near * (getattr(hinted, name) - without)
    return replace(plain, **changes)


def _of_8_bits(image: Image.Image) -> Image.Image:
    """PIL holds no colour of 16 bits: 16-bit grey is rounded to 8. CMYK is taken without a profile."""
    from PIL import Image

    if image.mode.startswith("I;16"):
        return Image.fromarray(at_8_bits(np.asarray(image).astype(np.uint16)))
    return image.convert("RGB") if image.mode == "CMYK" else image


def _halved(luma: np.ndarray) -> np.ndarray:
    """Means of 2 by 2, several times as fast as averaging over uneven areas; the last odd row or column is left out."""
    height, width = (side // 2 for side in luma.shape)
    return cv2.resize(luma[: 2 * height, : 2 * width], (width, height), interpolation=cv2.INTER_AREA)


def _checked(luma: np.ndarray) -> np.ndarray:
    luma = luma.astype(luma.dtype.newbyteorder("="), copy=False)
    if luma.ndim != 2 or luma.dtype not in (np.uint8, np.uint16):
        raise PhotoError(f"a luma plane is uint8 or uint16 [H, W], this is {luma.dtype} {list(luma.shape)}")
    if 0 in luma.shape:
        raise PhotoError(f"the picture has no pixels: it is {luma.shape[1]} by {luma.shape[0]}")
    return luma
