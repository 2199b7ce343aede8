"""``Colorizer`` computes the chroma of a picture from its luma: the one path for photographs and films."""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import cv2
import numpy as np

from ..color.bands import at_8_bits, in_parallel, threads
from ..color.coding import Coding
from ..color.gamut import rgb_of_luma
from ..color.pillow import from_pillow
from ..color.spaces import ab_to_cbcr, lightness_of_luma, luma_of_rgb, quick_ab_to_cbcr
from ..color.thumbnail import thumbnail
from ..color.upsample import CENTER, apply_to_luma, linear_coefficients, to_thumbnail
from ..errors import OptionError, PhotoError
from ..models.download import known_digest
from ..models.engines import Engine, open_engine
from ..models.registry import ModelCard, find_model
from .coherence import coherent, declared, mean_color
from .hint_propagation import hint_influence, hint_planes, propagate_hints
from .hints import Hint
from .margins import NOWHERE, Box, find_picture, is_flat
from .options import ColorOptions
from .vividness import chroma_gain, lean, network_vividness

if TYPE_CHECKING:
    from PIL import Image

_MULTIPLE = 32  # the network halves its input five times
_LONGEST = 4  # most working sizes along the long side; longer panoramas are seen in less detail


@dataclass(frozen=True)
class Prediction:
    """Output of the network for one picture, on the network's small grid."""

    luma: np.ndarray
    """Luma of the thumbnail, uint8 ``[h, w]``, full range."""
    ab: np.ndarray
    """a*b*, float32 ``[2, h', w']``, before any upsampling."""
    confidence: np.ndarray | None = None
    """float32 ``[h', w']``, from 0 (any colour is plausible) to 1 (certain); None if the model does not predict it."""
    probability: np.ndarray | None = None
    """Probability of each colour in the card's ``bins``, float32 ``[bins, h', w']``; None if the model has no bins."""
    picture: Box | None = None
    """Position of the picture inside plain margins, which stay neutral; None without margins, ``NOWHERE`` if the whole
    picture is margin."""


class Colorizer:
    """Colours pictures with one model, which is loaded once. Several threads may use one colorizer.

    ``chroma`` and ``colorize`` run the whole path. Films call its steps one by one: ``thumbnail``, ``predict``, ``ab``
    and ``render``.

    Args:
        model: Name (``default``, ``reference``) or path of an .onnx file. None is ``default``, or no file if ``engine``
            is given.
        device: ``auto``, ``cpu``, ``cuda`` or ``gpu``; see ``photochrom.models.engines``.
        engine: A loaded network to use instead of loading one. ``model`` then only names the file it came from.

    Raises:
        ModelError: The model is missing or damaged, or is not a model of Photochrom.
        EngineError: The device is unknown, or no engine for it is installed.
    """

    def __init__(
        self, model: str | os.PathLike[str] | None = None, device: str = "auto", engine: Engine | None = None
    ) -> None:
        self.path: Path | None = None
        """The model file; None for an engine without a file."""
        if engine is None or model is not None:
            self.path = find_model("default" if model is None else model)
        self.engine: Engine = engine or open_engine(cast(Path, self.path), device)
        """The loaded network."""
        self.card = ModelCard.of(self.engine.metadata, self.path)
        """Description of the model."""

    @functools.cached_property
    def label(self) -> str:
        """Name, version and hash of the model, as written into the label of coloured pictures."""
        source = "no model file" if self.path is None else f"sha256 {known_digest(self.path)}"
        return f"{self.card.name} {self.card.version}, {source}"

    def colorize(
        self, image: np.ndarray | Image.Image, options: ColorOptions | None = None
    ) -> np.ndarray | Image.Image:
        """Colour a picture in memory. An array returns an array, a PIL image a PIL image.

        Args:
            image: uint8 or uint16 array, luma ``[H, W]`` or RGB ``[H, W, 3]`` (only its luma is used); or a PIL image.
                An image is turned upright and keeps its alpha channel, but loses its metadata (``colorize_file`` keeps
                them).
            options: How to colour; None for the model's defaults.

        Returns:
            RGB ``[H, W, 3]`` of the same dtype; or a PIL image, RGB or RGBA.

        Raises:
            PhotoError: The picture is neither an array of that kind nor a PIL image, or has no pixels.
            OptionError: The options ask for something that the model cannot do.
            EngineError: The network could not be run.
        """
        if isinstance(image, np.ndarray):
            luma = luma_of_rgb(image) if image.ndim == 3 and image.shape[2] == 3 else image
            return rgb_of_luma(luma, *self.chroma(luma, options))
        return self._colorize_pil(image, options)

    def _colorize_pil(self, image: Image.Image, options: ColorOptions | None) -> Image.Image:
        from PIL import Image, ImageOps

        if not isinstance(image, Image.Image):
            raise PhotoError(f"a picture is an array or a PIL image, not {type(image).__name__}", remedy="convert it")
        upright = ImageOps.exif_transpose(image)
        luma, alpha = from_pillow(_of_8_bits(upright))
        colored = Image.fromarray(rgb_of_luma(luma, *self.chroma(luma, options)))
        if alpha is not None:
            colored.putalpha(Image.fromarray(alpha))
        return colored

    def chroma(
        self,
        luma: np.ndarray,
        options: ColorOptions | None = None,
        *,
        subsampling: int | tuple[int, int] = 1,
        prediction: Prediction | None = None,
        reduced: bool = False,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Colour a luma plane.

        Args:
            luma: Y' (BT.601, full range), uint8 or uint16 ``[H, W]``, upright.
            options: How to colour; None for the model's defaults.
            subsampling: Rows and columns of luma that share one chroma sample, 1 or 2 each; one number stands for both.
            prediction: Result of ``predict`` for this luma and these options, if already computed; the network then
                does not run.
            reduced: Whether ``luma`` is a copy at half the picture's height and width; see ``apply_to_luma``.

        Returns:
            Cb and Cr, ``[ceil(H / rows), ceil(W / columns)]``, of the luma's dtype; 128 or 32768 is neutral.

        Raises:
            OptionError: The options ask for something that the model cannot do.
            PhotoError: ``luma`` is not a luma plane, or has no pixels.
            EngineError: The network could not be run.
        """
        shared = (subsampling, subsampling) if isinstance(subsampling, int) else subsampling
        if not {*shared} <= {1, 2}:
            raise OptionError(f"subsampling is {subsampling}", remedy="give 1 or 2")
        options, luma = options or ColorOptions(), _checked(luma)
        prediction = prediction or self.predict(luma, options)
        ab = self.ab(prediction, options.hints)
        how: dict[str, Any] = {"strength": options.strength, "subsampling": shared, "reduced": reduced}
        cb, cr = self.render(luma, prediction.luma, ab, threads=threads(), **how)
        if prediction.picture is not None and not prediction.picture.misses(options.hints):
            for plane in (cb, cr):  # at full size: a pixel of the thumbnail may lie across the edge of the picture
                prediction.picture.clear_outside(plane, Coding.of_photograph(luma.dtype).neutral)
        return cb, cr

    def thumbnail_size(self, height: float, width: float) -> tuple[int, int]:
        """Return height and width of the thumbnail for a picture.

        The short side is the card's working size, the long side keeps the aspect ratio, and both are multiples of 32.
        Panoramas are scaled down until the long side is four times the working size. A picture that is already a
        thumbnail keeps its size.
        """
        short, long = sorted((height, width))
        scale = min(self.card.working_size / short, _LONGEST * self.card.working_size / long)
        height, width = (max(_MULTIPLE, round(side * scale / _MULTIPLE) * _MULTIPLE) for side in (height, width))
        return height, width

    def thumbnail(
        self, luma: np.ndarray, coding: Coding | None = None, *, aspect: float = 1, turns: int = 0
    ) -> np.ndarray:
        """Make the thumbnail that the network sees.

        Args:
            luma: uint8 or uint16 ``[H, W]``, as stored.
            coding: Meaning of its integers; None for full range, as in photographs.
            aspect: Width of a pixel divided by its height.
            turns: Quarter turns counter-clockwise that make the picture upright.

        Returns:
            Upright luma, uint8 ``[h, w]``, full range, of the size that ``thumbnail_size`` gives.

        Raises:
            PhotoError: ``luma`` is not a luma plane, or has no pixels.
        """
        luma = _checked(luma)
        height, width = self.thumbnail_size(luma.shape[0], luma.shape[1] * aspect)
        small = thumbnail(luma, coding or Coding.of_photograph(luma.dtype), height, width)
        return np.ascontiguousarray(np.rot90(small, turns))

    def predict(
        self, luma: np.ndarray, options: ColorOptions | None = None, *, plain: Prediction | None = None
    ) -> Prediction:
        """Run the network on a luma plane.

        With hints the network runs twice, with and without them, because pixels beyond their influence keep the colours
        that they have without hints.

        Args:
            luma: As for ``chroma``, or a result of ``thumbnail``.
            options: How to colour; None for the model's defaults.
            plain: Prediction for this luma and these options without their hints, if already computed; it saves one
                run.

        Raises:
            OptionError: The options ask for something that the model cannot do.
            PhotoError: ``luma`` is not a luma plane, or has no pixels.
            EngineError: The network could not be run.
        """
        options, luma = options or ColorOptions(), _checked(luma)
        picture = find_picture(luma)
        if not (self.card.hints and options.hints):
            return plain or self._predict(luma, options, picture)
        hinted = self._predict(luma, options, picture)
        return _near_hints(hinted, plain or self._predict(luma, options.with_hints(()), picture), options.hints)

    def _predict(self, luma: np.ndarray, options: ColorOptions, picture: Box | None) -> Prediction:
        """Run the network on the picture inside the margins, and extend the result over the whole."""
        if picture is not None:
            inside = self.thumbnail(luma[picture.pixels(*luma.shape)])
            answer = self._run(inside, options.with_hints(picture.hints(options.hints, *luma.shape)))
            return _spread(answer, luma, picture)
        answer = self._run(self.thumbnail(luma), options)
        flat = is_flat(answer.luma) and not options.hints  # a hint means that the user wants colour here
        return replace(answer, picture=NOWHERE) if flat else answer

    def _run(self, thumbnail: np.ndarray, options: ColorOptions) -> Prediction:
        outputs = self.engine.run(self.inputs(thumbnail, options))
        confidence = outputs["confidence"][0, 0] if "confidence" in outputs else None
        probability = outputs["probability"][0] if "probability" in outputs else None
        return self._coherent(Prediction(thumbnail, outputs["ab"][0], confidence, probability), options)

    def _coherent(self, answer: Prediction, options: ColorOptions) -> Prediction:
        """Decode the distributions of a picture jointly; see ``coherence``.

        Raises:
            ModelError: The network's output contradicts the model's card.
        """
        if not (bins := self.card.bins):
            return answer
        vividness = self.vividness_of(options) or 0
        probability = coherent(declared(answer.probability, self.card), answer.luma, bins, lean(vividness))
        return replace(answer, ab=mean_color(probability, bins) * np.float32(chroma_gain(vividness)))

    def inputs(self, thumbnail: np.ndarray, options: ColorOptions) -> dict[str, np.ndarray]:
        """Build the network's inputs from a result of ``thumbnail``.

        Returns:
            ``lightness`` float32 ``[1, 1, h, w]``, L*/100; ``vividness`` float32 ``[1]`` and ``hints`` float32
            ``[1, 3, h, w]`` if the model takes them.

        Raises:
            OptionError: The options ask for something that the model cannot do.
        """
        inputs = {"lightness": lightness_of_luma(thumbnail)[None, None] / np.float32(100)}
        if (vividness := self.vividness_of(options)) is not None:
            vividness = network_vividness(vividness) if self.card.bins else vividness
            inputs["vividness"] = np.array([vividness], np.float32)
        if self.card.hints:
            inputs["hints"] = hint_planes(options.hints, *thumbnail.shape)[None]
        return inputs

    def vividness_of(self, options: ColorOptions) -> float | None:
        """Return the vividness in the options, or the model's default; None if the model has no dial.

        Raises:
            OptionError: The options ask for a vividness, and the model has no dial.
        """
        if options.vividness is not None and self.card.vividness is None:
            raise OptionError(
                f"the model {self.card.name!r} has no vividness", remedy="leave it out, or choose another model"
            )
        return self.card.vividness if options.vividness is None else options.vividness

    def ab(self, prediction: Prediction, hints: Sequence[Hint] = (), thumbnail: np.ndarray | None = None) -> np.ndarray:
        """Upsample a prediction along the edges of a thumbnail, with exactly the hinted colours at the hints.

        Args:
            prediction: Result of ``predict``.
            hints: Known colours.
            thumbnail: Luma of the same picture at any small size, uint8 ``[h, w]``; None for the prediction's own.

        Returns:
            a*b* float32 ``[2, h, w]``.
        """
        lightness = lightness_of_luma(prediction.luma if thumbnail is None else thumbnail)
        ab = to_thumbnail(prediction.ab, lightness)
        if prediction.picture is not None:
            for plane in ab:
                prediction.picture.clear_outside(plane, 0)
        return propagate_hints(ab, lightness, hints)

    def render(
        self,
        luma: np.ndarray,
        thumbnail: np.ndarray,
        ab: np.ndarray,
        *,
        strength: float = 1.0,
        subsampling: tuple[int, int] = (1, 1),
        coding: Coding | None = None,
        exact: bool = True,
        out: tuple[np.ndarray, np.ndarray] | None = None,
        reduced: bool = False,
        siting: tuple[float, float] = CENTER,
        threads: int = 1,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Upsample a*b* along the luma of the full-size picture, and bring the chroma into gamut.

        Args:
            luma: uint8 or uint16 ``[H, W]``, native byte order.
            thumbnail: The same picture's luma, uint8 ``[h, w]``, full range.
            ab: a*b* float32 ``[2, h, w]``. It and the thumbnail are oriented like ``luma``.
            strength: Factor applied to the chroma.
            subsampling: Rows and columns of luma that share one chroma sample, 1 or 2 each.
            coding: Meaning of the integers of luma and chroma; None for a photograph's.
            exact: Whether to convert a*b* by the formula. False interpolates in a table, as films do; it is ten times
                as fast.
            out: Planes to write into, with any strides; None for new ones.
            reduced: As for ``apply_to_luma``.
            siting: As for ``apply_to_luma``.
            threads: Number of threads that share the rows.

        Returns:
            Cb and Cr, ``[ceil(H / rows), ceil(W / columns)]``, of the luma's dtype.
        """
        coding = coding or Coding.of_photograph(luma.dtype)
        y = thumbnail.astype(np.float32) / 255
        if exact:
            shares = [(y[rows], ab[:, rows]) for rows in _shares(len(y), threads)]
            cbcr = np.concatenate(list(in_parallel(lambda share: ab_to_cbcr(*share, coding.matrix), shares)), axis=1)
        else:
            cbcr = quick_ab_to_cbcr(thumbnail, ab, coding.matrix)
        coefficients = linear_coefficients(y, cbcr)  # [4, h, w]
        how: dict[str, Any] = {"strength": strength, "subsampling": subsampling, "coding": coding, "reduced": reduced}
        return apply_to_luma(coefficients, luma, out=out, siting=siting, threads=threads, **how)


def _shares(height: int, count: int) -> list[slice]:
    """Divide rows into at most ``count`` slices."""
    share = -(-height // count)
    return [slice(start, start + share) for start in range(0, height, share)]


def _spread(answer: Prediction, luma: np.ndarray, picture: Box) -> Prediction:
    """Extend a prediction of the picture inside the margins to the margins, at the same scale."""
    changes: dict[str, Any] = {
        name: picture.spread(planes, *picture.whole(*planes.shape[-2:]))
        for name in ("ab", "confidence", "probability")
        if (planes := getattr(answer, name)) is not None
    }
    small = thumbnail(luma, Coding.of_photograph(luma.dtype), *picture.whole(*answer.luma.shape))
    return replace(answer, luma=small, picture=picture, **changes)


def _near_hints(hinted: Prediction, plain: Prediction, hints: Sequence[Hint]) -> Prediction:
    """Blend two predictions: the hinted one where hints have influence, the plain one elsewhere."""
    near = hint_influence(lightness_of_luma(plain.luma), hints)
    near = cv2.resize(near, plain.ab.shape[:0:-1], interpolation=cv2.INTER_AREA)

    changes: dict[str, Any] = {"picture": hinted.picture}
    for name in ("ab", "confidence", "probability"):
        if (without := getattr(plain, name)) is not None:
            changes[name] = without + near * (getattr(hinted, name) - without)
    return replace(plain, **changes)


def _of_8_bits(image: Image.Image) -> Image.Image:
    """Round 16-bit grey to 8 bits, since PIL has no 16-bit colour, and convert CMYK without a profile."""
    from PIL import Image

    if image.mode.startswith("I;16"):
        return Image.fromarray(at_8_bits(np.asarray(image).astype(np.uint16)))
    return image.convert("RGB") if image.mode == "CMYK" else image


def _checked(luma: np.ndarray) -> np.ndarray:
    """Return the luma plane in native byte order, or refuse it."""
    luma = luma.astype(luma.dtype.newbyteorder("="), copy=False)
    if luma.ndim != 2 or luma.dtype not in (np.uint8, np.uint16):
        raise PhotoError(
            f"a luma plane is uint8 or uint16 [H, W], not {luma.dtype} {list(luma.shape)}", remedy="convert it"
        )
    if 0 in luma.shape:
        raise PhotoError(f"the picture has no pixels: it is {luma.shape[1]} by {luma.shape[0]}", remedy="give another")
    return luma
