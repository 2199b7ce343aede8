"""Time stamps that are missing or out of order are repaired."""

import av
import pytest

from photochrom.film.source.timing import increasing


@pytest.mark.parametrize(
    ("given", "repaired", "reported"),
    [
        ([7, 8, 10], [7, 8, 10], []),
        ([None, None, 12], [5, 8, 12], []),
        ([5, None, 9], [5, 8, 9], []),
        ([5, 5, 8], [5, 6, 8], []),
        ([5, 3, 8], [5, 6, 8], [(5, 3)]),
        ([5, 90, 11, 14], [5, 8, 11, 14], [(5, 90)]),
        ([5, 90, 93], [5, 90, 93], []),
        ([5, 8, 90], [5, 8, 90], []),
    ],
    ids=["right", "unknown first", "unknown", "repeated", "back", "one ahead", "gap", "gap before the last"],
)
def test_time_stamps_increase(given, repaired, reported):
    frames, told = [av.VideoFrame(16, 16, "gray") for _ in given], []
    for frame, pts in zip(frames, given, strict=True):
        frame.pts = pts
    found = increasing(iter(frames), 5, 3, lambda last, pts: told.append((last, pts)))
    assert [frame.pts for frame in found] == repaired
    assert told == reported
