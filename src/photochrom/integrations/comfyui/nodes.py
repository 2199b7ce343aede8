"""Nodes for ComfyUI. Images are tensors ``[B, H, W, C]``, masks ``[B, H, W]``, both from 0 to 1.

The first three channels of an image are R'G'B'; others are ignored. Only methods of the tensors are used, so
that PyTorch, which ComfyUI brings along, is not imported here.
"""

from __future__ import annotations

import functools
from typing import Any, ClassVar

import cv2
import numpy as np

from ...color.coding import Coding
from ...color.gamut import rgb_of_luma
from ...color.spaces import luma_of_rgb
from ...colorizer.colorizer import Colorizer
from ...colorizer.hints import Hint, parse_color
from ...colorizer.options import MAX_DETAIL, ColorOptions
from ..clips import ClipColorizer

_HINTS = "PHOTOCHROM_HINTS"
_CATEGORY = "image/photochrom"
_EXACT = 1e-3  # maximum distance from 8-bit code values in an image that counts as loaded from an 8-bit file
_MOST = 64  # approximate number of hints per mask
_VIVIDNESS = ("FLOAT", {"default": 0.5, "min": 0.0, "max": 1.0, "step": 0.05})
_STRENGTH = ("FLOAT", {"default": 1.0, "min": 0.0, "max": 2.0, "step": 0.05})
_DETAIL = ("FLOAT", {"default": 1.0, "min": 1.0, "max": MAX_DETAIL, "step": 0.25})


@functools.cache
def _colorizer() -> Colorizer:
    """Return the default model, which is loaded once for all nodes.

    Raises:
        ModelError, EngineError: The model cannot be loaded.
    """
    return Colorizer()


def _lumas(image: Any) -> np.ndarray:
    """Return the luma ``[B, H, W]`` of images ``[B, H, W, C]``, as uint8 if they come from 8-bit files, else uint16."""
    rgb = image.detach().cpu().float().numpy()[..., :3].clip(0, 1)
    steps = rgb * np.float32(255)
    # ComfyUI truncates to 8 bits when it saves an image. This would darken the luma by a step if colours had 16 bits.
    if np.abs(steps - np.rint(steps)).max() < _EXACT:
        codes = np.rint(steps).astype(np.uint8)
    else:
        codes = np.rint(rgb * np.float32(65535)).astype(np.uint16)
    return np.stack([luma_of_rgb(each) for each in codes])


def _tensor(like: Any, pictures: list[np.ndarray]) -> Any:
    """Convert RGB pictures, uint8 or uint16 ``[H, W, 3]``, to a tensor with the type and device of ``like``."""
    return like.new_tensor(np.stack(pictures).astype(np.float32) / np.iinfo(pictures[0].dtype).max)


class Photograph:
    """Colours each image of a batch independently."""

    RETURN_TYPES: ClassVar = ("IMAGE",)
    FUNCTION = "color"
    CATEGORY = _CATEGORY

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802  ComfyUI asks for this name
        """Declare the node's inputs, in ComfyUI's format."""
        return {
            "required": {"image": ("IMAGE",), "vividness": _VIVIDNESS, "strength": _STRENGTH},
            "optional": {"hints": (_HINTS,), "detail": _DETAIL},
        }

    def color(
        self, image: Any, vividness: float, strength: float, hints: tuple[Hint, ...] = (), detail: float = 1.0
    ) -> tuple[Any]:
        """Return images ``[B, H, W, C]`` in colour, as RGB ``[B, H, W, 3]`` with unchanged luma.

        Raises:
            OptionError: ``vividness``, ``strength`` or ``detail`` is out of range.
            ModelError, EngineError: The model cannot be loaded or run.
        """
        options = ColorOptions(vividness, strength, tuple(hints), detail)
        colored = [_colorizer().colorize(luma, options) for luma in _lumas(image)]
        return (_tensor(image, colored),)


class Frames:
    """Colours a batch of images as consecutive frames, with steady colours within each shot."""

    RETURN_TYPES: ClassVar = ("IMAGE",)
    FUNCTION = "color"
    CATEGORY = _CATEGORY

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802
        """Declare the node's inputs, in ComfyUI's format."""
        return {
            "required": {"frames": ("IMAGE",), "vividness": _VIVIDNESS, "strength": _STRENGTH},
            "optional": {"detail": _DETAIL},
        }

    def color(self, frames: Any, vividness: float, strength: float, detail: float = 1.0) -> tuple[Any]:
        """Return consecutive frames ``[B, H, W, C]`` in colour, as RGB ``[B, H, W, 3]`` with unchanged luma.

        Raises:
            OptionError: ``vividness``, ``strength`` or ``detail`` is out of range.
            ModelError, EngineError: The model cannot be loaded or run.
        """
        lumas = _lumas(frames)
        coding, options = Coding.of_photograph(lumas.dtype), ColorOptions(vividness, strength, detail=detail)
        clip = ClipColorizer(_colorizer(), lambda number: lumas[number], len(lumas), coding, options)
        colored = [rgb_of_luma(luma, *clip.chroma(number, luma, (1, 1))) for number, luma in enumerate(lumas)]
        return (_tensor(frames, colored),)


class Hints:
    """Makes hints that give the white part of a mask one colour, and appends them to other hints."""

    RETURN_TYPES: ClassVar = (_HINTS,)
    FUNCTION = "make"
    CATEGORY = _CATEGORY

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802
        """Declare the node's inputs, in ComfyUI's format."""
        return {
            "required": {"mask": ("MASK",), "color": ("STRING", {"default": "#7a2b22"})},
            "optional": {"hints": (_HINTS,)},
        }

    def make(self, mask: Any, color: str, hints: tuple[Hint, ...] = ()) -> tuple[tuple[Hint, ...]]:
        """Return the given hints, followed by hints that cover the white part of a mask.

        Args:
            mask: ``[H, W]`` or ``[B, H, W]``, of which the first mask is used; values above 0.5 are white.
            color: The hints' colour, in hexadecimal digits or by its CSS name.
            hints: Other hints, to which the new ones are appended.

        Raises:
            OptionError: ``color`` is not a colour.
        """
        plane = mask.detach().cpu().float().numpy()
        return ((*hints, *_hints_in_mask(plane.reshape(-1, *plane.shape[-2:])[0] > 0.5, parse_color(color))),)


def _hints_in_mask(inside: np.ndarray, color: tuple[int, int, int]) -> list[Hint]:
    """Return hints at the points of a grid, with discs that lie inside the true part of a mask, bool ``[H, W]``.

    There are none if no pixel is true, and at least one otherwise.
    """
    height, width = inside.shape
    padded = cv2.copyMakeBorder(inside.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT)
    depth = cv2.distanceTransform(padded, cv2.DIST_L2, 5)[1:-1, 1:-1]  # pixels to the edge
    step = max(1, round((inside.sum() / _MOST) ** 0.5))
    places = [(y, x) for y in range(step // 2, height, step) for x in range(step // 2, width, step) if inside[y, x]]
    if not places and inside.any():  # narrower than the grid: one hint at its innermost pixel
        y, x = divmod(int(depth.argmax()), width)
        places = [(y, x)]
    short = min(inside.shape)
    return [
        Hint((x + 0.5) / width, (y + 0.5) / height, color, min(step / 2, float(depth[y, x]), short / 4) / short)
        for y, x in places
    ]
