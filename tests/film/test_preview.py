"""Previews: which frames of a shot they show."""

from __future__ import annotations

from fractions import Fraction
from types import SimpleNamespace

import av
import numpy as np
import pytest
from PIL import Image

from photochrom.commands.main import main
from photochrom.film.preview import _shots
from tests.helpers.films import decoded, other_shot, pan, plane, write_film


@pytest.mark.parametrize(
    ("stills", "shown"),
    [
        (set(), [0, 16, 32, 48, 64, 80, 96]),
        ({3}, [0, 3, 16, 32, 48, 64, 80, 96]),
        ({0, 5, 6}, [0, 5, 6, 16, 32, 48, 64, 80, 96]),
    ],
)
def test_frames_are_evenly_spaced_whichever_have_stills(stills, shown):
    reader = SimpleNamespace(seconds=Fraction, rate=Fraction(1))
    prepared = [(SimpleNamespace(pts=pts), pts == 0) for pts in range(100)]
    colorizer = SimpleNamespace(reader=reader, stills=stills, prepared_part=lambda *_: prepared)
    ((shot, frames),) = _shots(colorizer, None, keep=8)
    assert ([frame.pts for frame in frames], shot.frames) == (shown, 100)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".mxf"])
def test_a_preview_film_is_labelled_and_shown_like_the_film(suffix, tmp_path):
    film = write_film(tmp_path / "reel.mp4", pan(30), aspect=Fraction(12, 11), rotation=90)
    trial = tmp_path / f"trial{suffix}"
    codec = "prores" if suffix == ".mxf" else "libx264"
    assert main(["film", str(film), "--preview", "-o", str(trial), "--codec", codec]) == 0
    with av.open(str(trial)) as found:
        packets = [packet for packet in found.demux(video=0) if packet.size]
        ends = [(packet.pts + packet.duration) * packet.time_base for packet in packets]
        assert [float(end) for end in (max(ends), found.duration / 10**6)] == pytest.approx([30 / 24] * 2, abs=0.002)
        comments = [value for key, value in found.metadata.items() if key.lower().endswith("comment")]
        assert [comment.startswith("Colours added by software (") for comment in comments] == [True]
        assert found.streams.video[0].sample_aspect_ratio == Fraction(12, 11)
    assert decoded(trial)[0].rotation == (0 if suffix == ".mxf" else 90)  # MXF cannot hold a rotation


@pytest.mark.slow
def test_a_preview_film_shows_each_shot_even_if_the_frame_rate_varies(tmp_path):
    """The second shot is slower than the film's rate, and the third is so much faster that half of it is 0.25 s."""
    pts = [*(40 * i for i in range(30)), *(1200 + 1000 * i for i in range(10)), *(11200 + 5 * i for i in range(100))]
    lumas = pan(30) + other_shot(10) + pan(100, top=150)
    film = write_film(tmp_path / "a.mkv", lumas, pts=pts, time_base=Fraction(1, 1000), codec="ffv1")
    trial = tmp_path / "trial.mkv"
    assert main(["film", str(film), "--preview", "-o", str(trial), "--codec", "ffv1", "--strength", "0"]) == 0
    # Two seconds are 48 frames; the duration of the last frame, and so the middle of its shot, is an estimate.
    expected = [*lumas[:40], *lumas[40 + 28 : 40 + 28 + 48]]
    assert np.array_equal([plane(frame) for frame in decoded(trial)], expected)


def test_the_label_of_a_preview_film_counts_a_still_as_one(tmp_path):
    film = write_film(tmp_path / "reel.mkv", pan(12))
    Image.fromarray(np.dstack([pan(12)[6]] * 2 + [pan(12)[6] // 2])).save(tmp_path / "still.png")
    arguments = ["--still", f"0.25={tmp_path / 'still.png'}", "-o", str(tmp_path / "trial.mp4")]
    assert main(["film", str(film), "--preview", *arguments]) == 0
    with av.open(str(tmp_path / "trial.mp4")) as found:
        assert "with colours of a still)" in found.metadata["comment"]
