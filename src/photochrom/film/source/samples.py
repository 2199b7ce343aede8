"""``FrameSamples``: decodes a few frames spread over a film, and finds whether the film is in colour."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

import av

from ..frame_kinds.picture_area import PictureArea
from ..reader import FilmReader
from .color_detection import GAP, has_colors, is_blank_frame, is_neutral

_COUNT = 8  # number of times at which a film is sampled
_ENOUGH = 5  # number of keyframes that suffice if none of them has any chroma
_MOST_PIXELS = 1 << 22  # pixels per frame up to which all keyframes are held at once
_INTERVAL = 50  # frames between samples of a film that is read whole


class FrameSamples:
    """Frames spread over a film. ``frames`` decodes them, and also examines their colours.

    Colours are found in pairs of frames. If the film has keyframes near most of the times at which it is sampled, and
    these have no chroma at all, they are decoded alone, which takes a fifth of the time.

    Args:
        reader: The film.
        on_frame: Called before each frame of a film that is read whole, because it has no stated length or is not
            seekable; an exception that it raises ends the reading.
        area: The part of the frames whose colours are examined.
    """

    def __init__(
        self, reader: FilmReader, on_frame: Callable[[], None] = lambda: None, area: PictureArea | None = None
    ) -> None:
        self._reader, self._on_frame, self._area = reader, on_frame, area or PictureArea()
        self._are_colored: list[bool] | None = None  # for each sample that is not blank; None until all are decoded

    def frames(self) -> Iterator[av.VideoFrame]:
        """Yield a frame of each sample, and examine the samples for ``colored_part``.

        Raises:
            FilmError: The film cannot be opened again, or the file of a numbered frame cannot be read.
        """
        found = []
        if keyframes := self._grey_keyframes():
            yield from keyframes
        for pair in () if keyframes else self._pairs():
            if self._reader.may_have_colors and not is_blank_frame(pair[0], self._area):
                found.append(has_colors(pair, self._area))
            yield pair[0]
        self._are_colored = found

    def colored_part(self) -> Literal["none", "some", "all"]:
        """Return whether none, some or all samples are in colour; tints, toning and blank frames do not count.

        Raises:
            FilmError: As for ``frames``; only if they have not been decoded yet.
        """
        if not self._reader.may_have_colors:
            return "none"
        if self._are_colored is None:
            for _ in self.frames():
                pass
        found = self._are_colored
        return "none" if not found or not any(found) else "all" if all(found) else "some"

    def _times(self) -> list[int]:
        """Return the times at which to sample the film, as pts; none if its length is unknown."""
        reader = self._reader
        span = reader.video.duration or round(reader.duration / reader.time_base)
        return [reader.first_pts + span * i // _COUNT for i in range(_COUNT if span else 0)]

    def _grey_keyframes(self) -> list[av.VideoFrame]:
        """Decode keyframes near these times; return none if they are too few or too large, or any has chroma."""
        if self._reader.width * self._reader.height > _MOST_PIXELS:
            return []
        found = self._reader.keyframes_near(self._times())
        return found if len(found) >= _ENOUGH and all(map(is_neutral, found)) else []

    def _pairs(self) -> Iterator[list[av.VideoFrame]]:
        """Decode pairs of frames, ``GAP`` apart; if there are fewer than two, read the whole film for more."""
        count = 0
        for pair in self._reader.pairs_near(self._times()):
            yield pair
            count += 1
        if count <= 1:
            yield from self._pairs_of_whole_film()

    def _pairs_of_whole_film(self) -> Iterator[list[av.VideoFrame]]:
        sample: list[av.VideoFrame] = []
        for number, frame in enumerate(self._reader.unchecked_frames()):
            self._on_frame()
            if number % _INTERVAL == 0:
                sample = [frame]
            elif number % _INTERVAL == GAP:
                yield [*sample, frame]
                sample = []
        if sample:
            yield sample
