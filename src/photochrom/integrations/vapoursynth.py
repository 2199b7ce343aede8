"""Photochrom for VapourSynth: ``colorize`` returns a clip whose frames are coloured when they are requested.

    import vapoursynth as vs
    from photochrom.integrations.vapoursynth import colorize

    clip = vs.core.bs.VideoSource("reel.mkv")
    colorize(clip, vividness=0.6).set_output()

The luma plane is passed through unchanged. Frames may be requested in any order, with the same result.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..color.coding import Coding
from ..color.spaces import BT601, BT709, BT2020, Matrix
from ..colorizer.colorizer import Colorizer
from ..colorizer.options import ColorOptions
from ..errors import EngineError, FilmError
from .clips import ClipColorizer

if TYPE_CHECKING:
    import vapoursynth as vs

_MATRICES: dict[int, Matrix] = {1: BT709, 5: BT601, 6: BT601, 9: BT2020}  # ITU-T H.273
_UNKNOWN = 2  # an unspecified matrix


def colorize(
    clip: vs.VideoNode,
    *,
    vividness: float | None = None,
    strength: float = 1.0,
    detail: float = 1.0,
    shot_starts: Sequence[int] | None = None,
    model: str | os.PathLike[str] | None = None,
    device: str = "auto",
    colorizer: Colorizer | None = None,
) -> vs.VideoNode:
    """Colour a clip, with colours that are steady within each shot.

    Args:
        clip: Clip of constant format, YUV or GRAY, 8 to 16 bits. Its own chroma, if any, is replaced. The frame
            properties ``_Matrix``, ``_Range`` and ``_SARNum``/``_SARDen`` are read from the first frame. If
            ``_FieldBased`` marks a frame as interlaced, each of its fields gets its own chroma.
        vividness: From 0 (muted) to 1 (bold); None for the model's default.
        strength: Factor on the chroma, from 0 to 2.
        detail: Size of a second thumbnail that the network sees, from 1 (none) to 2; see ``ColorOptions.detail``.
        shot_starts: Numbers of the frames that begin a shot; None to detect them.
        model: Name or file of a model; None for the default model.
        device: Device on which the model runs, as for ``Colorizer``.
        colorizer: A loaded model to use instead of ``model`` and ``device``.

    Returns:
        A clip of the same length and bit depth: YUV of the same subsampling, or 4:2:0 for GRAY (4:4:4 if a side is
        odd).

    Raises:
        FilmError: The clip has another format.
        EngineError: VapourSynth is limited to one thread, so requests for frames would deadlock; or the model cannot be
            run on the device.
        ModelError: The model is missing or damaged, or is not a model that this version of Photochrom reads.
        OptionError: ``vividness``, ``strength`` or ``detail`` is out of range.
        vapoursynth.Error: The first frame cannot be read.
    """
    import vapoursynth

    core = vapoursynth.core
    if core.num_threads < 2:
        raise EngineError("VapourSynth has only one thread", remedy="set core.num_threads to 2 or more")
    target = _format(vapoursynth, clip)
    first = clip.get_frame(0)
    coding, matrix = _coding(clip, first.props)
    aspect = first.props.get("_SARNum", 1) / (first.props.get("_SARDen", 1) or 1) or 1.0
    frames = ClipColorizer(
        colorizer or Colorizer(model, device),
        lambda number: _plane(clip.get_frame(number), 0),
        clip.num_frames,
        coding,
        ColorOptions(vividness, strength, detail=detail),
        aspect=aspect,
        shot_starts=shot_starts,
    )
    shared = 1 << target.subsampling_h, 1 << target.subsampling_w
    blank = core.std.BlankClip(clip, format=target.id, keep=True)

    def fill(n: int, f: list[vs.VideoFrame]) -> vs.VideoFrame:
        filled = f[0].copy()
        interlaced = int(f[1].props.get("_FieldBased", 0)) > 0
        for plane, chroma in enumerate(frames.chroma(n, _plane(f[1], 0), shared, interlaced=interlaced), 1):
            np.asarray(filled[plane])[...] = chroma
        return filled

    chroma = core.std.ModifyFrame(blank, clips=[blank, clip], selector=fill)
    colored = core.std.ShufflePlanes([clip, chroma, chroma], planes=[0, 1, 2], colorfamily=vapoursynth.YUV)
    return core.std.SetFrameProps(colored, _Matrix=matrix)


def _format(vapoursynth: Any, clip: vs.VideoNode) -> vs.VideoFormat:
    """Return the format of the coloured clip.

    Raises:
        FilmError: ``clip`` has a format that cannot be coloured.
    """
    given = clip.format
    usable = given is not None and clip.width > 0 and given.sample_type == vapoursynth.INTEGER
    if (
        not usable
        or given.color_family not in (vapoursynth.YUV, vapoursynth.GRAY)
        or not 8 <= given.bits_per_sample <= 16
    ):
        name = "a variable format" if given is None or clip.width == 0 else given.name
        raise FilmError(f"the clip has {name}", remedy="give YUV or GRAY of 8 to 16 bits (resize converts)")
    if given.color_family == vapoursynth.YUV:
        if max(given.subsampling_w, given.subsampling_h) > 1:
            raise FilmError(f"the clip has {given.name}", remedy="give 4:4:4, 4:2:2, 4:4:0 or 4:2:0")
        return given
    half = 1 if clip.width % 2 == 0 and clip.height % 2 == 0 else 0
    return vapoursynth.core.query_video_format(vapoursynth.YUV, vapoursynth.INTEGER, given.bits_per_sample, half, half)


def _coding(clip: vs.VideoNode, props: Any) -> tuple[Coding, int]:
    """Return the coding of a clip, and the number of its matrix in ITU-T H.273."""
    number = int(props.get("_Matrix", _UNKNOWN))
    if number not in _MATRICES:
        number = 1 if clip.height > 576 else 6  # what players assume
    return Coding(clip.format.bits_per_sample, _is_full_range(props), _MATRICES[number]), number


def _is_full_range(props: Any) -> bool:
    if "_Range" in props:
        return int(props["_Range"]) == 1
    with warnings.catch_warnings():  # older versions use _ColorRange instead, in which 0 means full range
        warnings.simplefilter("ignore", DeprecationWarning)
        return int(props.get("_ColorRange", 1)) == 0


def _plane(frame: vs.VideoFrame, number: int) -> np.ndarray:
    return np.asarray(frame[number])
