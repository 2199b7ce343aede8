"""``Colorizer`` computes the chroma of a picture from its luma: the one path for photographs and films."""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast, overload

import numpy as np

from ..color.arrays import checked_luma, luma_of
from ..color.bands import in_parallel, shares, threads, upright
from ..color.coding import Coding
from ..color.gamut import rgb_of_luma
from ..color.luma_range import FULL, Sampling
from ..color.pillow import from_pillow, grey_or_rgb, orientation_of
from ..color.spaces import ab_to_cbcr, lightness_of_luma, quick_ab_to_cbcr
from ..color.thumbnail import thumbnail as thumbnail_of
from ..color.tones import ORDINARY, Tones
from ..color.upsample import apply_to_luma, linear_coefficients, to_thumbnail
from ..errors import OptionError, PhotoError
from ..models.download import known_digest
from ..models.engines import Engine, open_engine
from ..models.registry import ModelCard, find_model
from .hint_propagation import propagate_hints
from .hints import Hint
from .margins import NOWHERE, Box, find_picture, is_flat
from .network import decoded, run_network
from .options import ColorOptions
from .prediction import Prediction, blend_near_hints, mean_of_scales, with_margins

if TYPE_CHECKING:
    from PIL import Image

_MULTIPLE = 32  # the network halves its input five times
_LONGEST = 4  # longest side, in working sizes; longer panoramas are seen in less detail


class Colorizer:
    """Colours pictures with one model, which is loaded once. Several threads may use one colorizer.

    Each process needs a colorizer of its own: it cannot be pickled, and its threads do not survive a fork. Start
    processes with ``spawn``.

    ``chroma`` and ``colorize`` run all steps. Films call the steps one by one: ``thumbnail``, ``predict``, ``ab`` and
    ``render``.

    Args:
        model: Name (``default``, ``reference``) or path of an .onnx file. None means ``default``, or no file if
            ``engine`` is given.
        device: ``auto``, ``cpu``, ``cuda`` or ``gpu``; see ``photochrom.models.engines``.
        engine: A network that is already loaded. ``model`` then only names the file that it came from.

    Raises:
        ModelError: The model is missing or damaged, or is not a model that this version of Photochrom reads.
        EngineError: The device is unknown or cannot be used, no engine for it is installed, or memory is too low.
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
        """Name, version and hash of the model, for the label of coloured pictures.

        Raises:
            ModelError: The model file can no longer be read.
        """
        source = "no model file" if self.path is None else f"sha256 {known_digest(self.path)}"
        return f"{self.card.name} {self.card.version}, {source}"

    @overload
    def colorize(
        self, image: np.ndarray, options: ColorOptions | None = None, *, prediction: Prediction | None = None
    ) -> np.ndarray: ...

    @overload
    def colorize(
        self, image: Image.Image, options: ColorOptions | None = None, *, prediction: Prediction | None = None
    ) -> Image.Image: ...

    def colorize(
        self,
        image: np.ndarray | Image.Image,
        options: ColorOptions | None = None,
        *,
        prediction: Prediction | None = None,
    ) -> np.ndarray | Image.Image:
        """Colour a picture in memory: an array gives an array, a PIL image gives a PIL image.

        Args:
            image: uint8 or uint16 array, luma ``[H, W]`` or RGB ``[H, W, 3]``, of which only the luma is used; or a PIL
                image, which is turned upright, and keeps its alpha channel but not its metadata (``colorize_file``
                keeps metadata, too). PIL images may be grey, RGB, YCbCr, CMYK or have a palette; grey of 16 bits is
                rounded to 8.
            options: How to colour; None for the model's defaults.
            prediction: Result of ``predict`` for the picture's luma and these options, if already computed.

        Returns:
            RGB ``[H, W, 3]`` of the same dtype; or a PIL image, RGB or RGBA.

        Raises:
            PhotoError: ``image`` is neither such an array nor such a PIL image, or it has no pixels.
            OptionError: The options ask for something that the model cannot do.
            ModelError: The network's output contradicts the model's card.
            EngineError: The network could not be run.
            OSError: Pillow reads the image's file only now, and the file is damaged.
        """
        if isinstance(image, np.ndarray):
            luma = luma_of(image)
            return rgb_of_luma(luma, *self.chroma(luma, options, prediction=prediction))
        return self._colorize_pil(image, options, prediction)

    def _colorize_pil(
        self, image: Image.Image, options: ColorOptions | None, prediction: Prediction | None
    ) -> Image.Image:
        from PIL import Image

        if not isinstance(image, Image.Image):
            raise PhotoError(f"a picture is an array or a PIL image, not {type(image).__name__}", remedy="convert it")
        image.load()  # which turns a TIFF upright, and changes its orientation
        orientation = orientation_of(image)
        luma, alpha = from_pillow(grey_or_rgb(image))
        luma = upright(luma, orientation)
        colored = Image.fromarray(self.colorize(luma, options, prediction=prediction))
        if alpha is not None:
            colored.putalpha(Image.fromarray(upright(alpha, orientation)))
        return colored

    def chroma(
        self,
        luma: np.ndarray,
        options: ColorOptions | None = None,
        *,
        subsampling: int | tuple[int, int] = 1,
        prediction: Prediction | None = None,
        reduced: bool = False,
        tones: Tones = ORDINARY,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Compute the chroma of a luma plane.

        Blank margins, and pictures of one tone, stay neutral unless a hint lies there.

        Args:
            luma: Y' (BT.601, full range), uint8 or uint16 ``[H, W]``, upright.
            options: How to colour; None for the model's defaults.
            subsampling: Rows and columns of luma that share one chroma sample, 1 or 2 each; one number means both.
            prediction: Result of ``predict`` for ``tones.scene(luma)`` and these options, if already computed; the
                network is then not run.
            reduced: Whether ``luma`` is a copy at half the picture's height and width; see ``Sampling.reduced``.
            tones: How the luma of an unusual picture is stored: ``NEGATIVE``, ``LINEAR`` or ``HALFTONE`` of the module
                ``photochrom.color.tones``.

        Returns:
            Cb and Cr, ``[ceil(H / rows), ceil(W / columns)]``, of the luma's dtype; 128 or 32768 is neutral.

        Raises:
            OptionError: ``subsampling`` is not 1 or 2, or the options ask for something that the model cannot do.
            PhotoError: ``luma`` is not a luma plane, or has no pixels.
            ModelError: The network's output contradicts the model's card.
            EngineError: The network could not be run.
        """
        shared = (subsampling, subsampling) if isinstance(subsampling, int) else subsampling
        if not {*shared} <= {1, 2}:
            raise OptionError(f"subsampling is {subsampling}", remedy="give 1 or 2")
        options, luma = options or ColorOptions(), checked_luma(luma)
        prediction = prediction or self.predict(tones.scene(luma), options)
        ab = self.ab(prediction, options.hints)
        cb, cr = self.render(
            luma,
            prediction.luma,
            ab,
            strength=options.strength,
            sampling=Sampling(shared, reduced=reduced),
            tones=tones,
            threads=threads(),
        )
        prediction.clear_margins(cb, cr, options.hints)
        return cb, cr

    def thumbnail_size(self, height: float, width: float, detail: float = 1.0) -> tuple[int, int]:
        """Return height and width of the thumbnail for a picture of the given height and width.

        The short side is the card's working size, the long side follows from the aspect ratio, and both are multiples
        of 32. ``detail`` multiplies the working size, rounded to a multiple of 32. Panoramas are reduced further, so
        that the long side is at most four times the card's working size, whatever the ``detail``. A picture that is
        already a thumbnail for this ``detail`` keeps its size.
        """
        short, long = sorted((height, width))
        working = int(self.card.working_size * detail / _MULTIPLE + 0.5) * _MULTIPLE
        scale = min(working / short, _LONGEST * self.card.working_size / long)
        height, width = (max(_MULTIPLE, int(side * scale / _MULTIPLE + 0.5) * _MULTIPLE) for side in (height, width))
        return height, width

    def thumbnail(
        self,
        luma: np.ndarray,
        coding: Coding | None = None,
        *,
        aspect: float = 1,
        turns: int = 0,
        detail: float = 1.0,
    ) -> np.ndarray:
        """Make the thumbnail that the network sees.

        Args:
            luma: uint8 or uint16 ``[H, W]``, as stored.
            coding: How the luma is coded; None for a photograph's coding, which is full range.
            aspect: Width of a pixel divided by its height.
            turns: Quarter turns counter-clockwise that make the picture upright.
            detail: Size of the thumbnail, relative to the usual one; see ``ColorOptions.detail``.

        Returns:
            Upright luma, uint8, full range. Its size is ``thumbnail_size(H, W * aspect, detail)``, with height and
            width exchanged by an odd number of turns.

        Raises:
            PhotoError: ``luma`` is not a luma plane, or has no pixels.
        """
        luma = checked_luma(luma)
        height, width = self.thumbnail_size(luma.shape[0], luma.shape[1] * aspect, detail)
        small = thumbnail_of(luma, coding or Coding.of_photograph(luma.dtype), height, width)
        return np.ascontiguousarray(np.rot90(small, turns))

    def scan_thumbnail(self, luma: np.ndarray, *, detail: float = 1.0) -> np.ndarray:
        """Make a thumbnail of a whole scan, in which the picture inside blank margins has the size of a thumbnail.

        ``predict`` predicts nearly the same colours from it as from the scan itself.

        Args:
            luma: uint8 or uint16 ``[H, W]``.
            detail: As for ``thumbnail``.

        Returns:
            Luma, uint8 ``[h, w]``, full range; that of ``thumbnail`` if there are no margins.

        Raises:
            PhotoError: ``luma`` is not a luma plane, or has no pixels.
        """
        luma = checked_luma(luma)
        if (picture := find_picture(luma)) is None:
            return self.thumbnail(luma, detail=detail)
        inside = luma[picture.pixels(*luma.shape)]
        size = picture.whole(*self.thumbnail_size(inside.shape[0], inside.shape[1], detail))
        return thumbnail_of(luma, Coding.of_photograph(luma.dtype), *size)

    def predict(
        self, luma: np.ndarray, options: ColorOptions | None = None, *, plain: Prediction | None = None
    ) -> Prediction:
        """Predict the colours of a luma plane, on the network's small grid.

        If there are hints, and the model has an input for them, the network runs twice, with and without them: pixels
        beyond the influence of hints get the colours that were predicted without hints.

        Args:
            luma: As for ``chroma``, or a result of ``thumbnail`` or ``scan_thumbnail`` for this ``detail``.
            options: How to colour; None for the model's defaults.
            plain: Prediction for this luma and for these options without hints, if already computed; it saves a run.

        Raises:
            OptionError: The options ask for something that the model cannot do.
            PhotoError: ``luma`` is not a luma plane, or has no pixels.
            ModelError: The network's output contradicts the model's card.
            EngineError: The network could not be run.
        """
        options, luma = options or ColorOptions(), checked_luma(luma)
        picture = find_picture(luma)  # None if there are no blank margins
        if not (self.card.hints and options.hints):
            return plain or self._predict(luma, options, picture)
        hinted = self._predict(luma, options, picture)
        return blend_near_hints(hinted, plain or self._predict(luma, options.with_hints(()), picture), options.hints)

    def _predict(self, luma: np.ndarray, options: ColorOptions, picture: Box | None) -> Prediction:
        """Predict the picture inside the margins, or the whole if there are none; errors are those of ``predict``.

        The prediction is extended over the margins. Without hints, a picture of one tone counts as margins only.
        """
        if picture is not None:
            inside = luma[picture.pixels(*luma.shape)]
            prediction = self._run(inside, options.with_hints(picture.hints(options.hints, *luma.shape)))
            return with_margins(prediction, luma, picture)
        prediction = self._run(luma, options)
        flat = is_flat(prediction.luma) and not options.hints  # a hint means that the user wants colour here
        return replace(prediction, picture=NOWHERE) if flat else prediction

    def _run(self, luma: np.ndarray, options: ColorOptions) -> Prediction:
        """Run the network at one size, or with ``detail`` at two; if the model has bins, decode a*b* from them."""
        thumbnail = self.thumbnail(luma, detail=options.detail)
        prediction = run_network(self.engine, self.card, thumbnail, options)
        if self.thumbnail_size(*thumbnail.shape) != thumbnail.shape:
            usual = run_network(self.engine, self.card, self.thumbnail(thumbnail), options)
            prediction = mean_of_scales(usual, prediction)
        return decoded(prediction, options, self.card)

    def ab(self, prediction: Prediction, hints: Sequence[Hint] = (), thumbnail: np.ndarray | None = None) -> np.ndarray:
        """Upsample a prediction along the edges of a thumbnail; hinted pixels get exactly the hinted colours.

        Blank margins are neutral, except near hints.

        Args:
            prediction: Result of ``predict``.
            hints: Known colours.
            thumbnail: Luma of the same picture at any small size, uint8 ``[h, w]``; None for ``prediction.luma``.

        Returns:
            a*b*, float32 ``[2, h, w]``.
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
        sampling: Sampling = FULL,
        coding: Coding | None = None,
        exact: bool = True,
        out: tuple[np.ndarray, np.ndarray] | None = None,
        tones: Tones = ORDINARY,
        threads: int = 1,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Convert a thumbnail's a*b* to chroma for a luma plane, along the edges of the luma and in gamut.

        Args:
            luma: uint8 or uint16 ``[H, W]``, native byte order.
            thumbnail: The luma of the same scene, uint8 ``[h, w]``, full range.
            ab: a*b* of the thumbnail, float32 ``[2, h, w]``. ``luma``, ``thumbnail`` and ``ab`` have one orientation.
            strength: Factor applied to the chroma.
            sampling: As for ``apply_to_luma``.
            coding: How luma and chroma are coded; None for a photograph's coding.
            exact: Whether to convert a*b* by the formula. If not, a table is interpolated, which is ten times as fast;
                films use it.
            out: Planes to write into, with any strides; None for new ones.
            tones: As for ``chroma``.
            threads: Number of threads that share the rows.

        Returns:
            Cb and Cr, ``[ceil(H / rows), ceil(W / columns)]``, of the luma's dtype.
        """
        coding = coding or Coding.of_photograph(luma.dtype)
        if exact:
            y = thumbnail.astype(np.float32) / 255
            parts = in_parallel(lambda rows: ab_to_cbcr(y[rows], ab[:, rows], coding.matrix), shares(len(y), threads))
            cbcr = np.concatenate(list(parts), axis=1)
        else:
            cbcr = quick_ab_to_cbcr(thumbnail, ab, coding.matrix)
        coefficients = linear_coefficients(*tones.stored(thumbnail, cbcr))  # [4, h, w]
        return apply_to_luma(
            coefficients,
            luma,
            strength=strength,
            sampling=sampling,
            coding=coding,
            out=out,
            threads=threads,
        )
