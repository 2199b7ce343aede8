"""Every codec in every container that takes it: frames, times, time code, sound, tags, luma, and other readers."""

import itertools
import json
import re
import shutil
import subprocess
from fractions import Fraction

import av
import numpy as np
import pytest

from photochrom.errors import FilmError, OptionError
from photochrom.film import FilmOptions, colorize_film
from photochrom.film.output.codecs import CODECS, FORMATS
from tests.film.test_time_code import stated
from tests.helpers.films import (
    decoded,
    heard,
    in_fields,
    pan,
    plane,
    seconds,
    still_frame,
    write_film,
    write_frames,
)

BT709 = (1, 1, 1)
ENDS = {container: suffix for suffix, container in FORMATS.items() if suffix != ".m4v"}
PAIRS = [
    (codec, profile, ENDS[container])
    for codec, row in CODECS.items()
    for container in row.containers
    if container in ENDS and container != "nut"
    for profile in (row.profiles or [None])
]
MAIN = [(codec, profile, end) for codec, profile, end in PAIRS if profile in (None, "hq", "hqx", "4444", "444")]
LIKENESS = {"libx264": 40, "libx265": 40, "prores": 45, "dnxhr": 40}
"""PSNR of Y that a lossy codec reaches at least, dB."""
STATE_TIME_CODE = ("mov", "mp4", "mxf", "matroska")


@pytest.fixture(scope="module")
def reel(tmp_path_factory):
    """Return ten frames of limited range with sound and time code, and every luma from 1 to 254."""
    lumas = [np.clip(luma, 1, 254) for luma in pan(10, 256, 128)]
    return write_film(
        tmp_path_factory.mktemp("reel") / "reel.mov",
        lumas,
        codec="libx264",
        options={"crf": "0", "bf": "0"},
        rate=25,
        sound="pcm_s16le",
        tags=BT709,
        video_metadata={"timecode": "01:02:03:04"},
    )


def sound(path):
    """Return all sound of a film, since containers without time stamps divide it into other packets."""
    with av.open(str(path)) as film:
        return b"".join(bytes(packet) for packet in film.demux(audio=0) if packet.size)


def lumas_at(path, bits):
    """Return the luma of each frame in integers of the given number of bits."""
    return [plane(f).astype(float) * 2 ** (bits - f.format.components[0].bits) for f in decoded(path)]


def psnr(one, other, bits):
    error = np.mean([(a - b) ** 2 for a, b in zip(one, other, strict=True)])
    return np.inf if error == 0 else 10 * np.log10((2**bits - 1) ** 2 / error)


@pytest.mark.slow
@pytest.mark.parametrize(("codec", "profile", "end"), MAIN)
def test_a_film_of_each_codec_in_each_container(codec, profile, end, reel, tmp_path, red):
    output = tmp_path / f"b{end}"
    report = colorize_film(reel, output, FilmOptions(codec=codec, profile=profile), colorizer=red)
    frames = decoded(output)
    assert report.frames == len(frames) == 10
    allowed = Fraction(1, 1000) if end == ".mkv" else 0
    assert all(abs(a - b) <= allowed for a, b in zip(seconds(output), seconds(reel), strict=True))
    if FORMATS[end] in STATE_TIME_CODE:
        assert stated(output)[0] == {"01:02:03:04"}
        tags = {(f.colorspace, f.color_primaries, f.color_trc) for f in frames}
        assert tags == {BT709}
    ours, theirs = sound(output), sound(reel)
    cut = "not kept: 0.005 s of sound after the last frame, where MXF ends"
    assert (cut in report.notes) == (end == ".mxf")  # MXF holds as many samples as go with the frames
    assert ours == (theirs[: 2 * 48000 * 10 // 25] if end == ".mxf" else theirs)
    if codec != "v210":  # it has one range only, and no container says so
        assert {f.color_range for f in frames} <= {1, 0 if end == ".avi" or profile == "444" else 1}
    if codec not in LIKENESS:
        assert np.array_equal(lumas_at(output, 10), lumas_at(reel, 10))
    else:
        assert psnr(lumas_at(output, 8), lumas_at(reel, 8), 8) > LIKENESS[codec]
    chroma = plane(frames[4], 2).astype(float) / 2 ** frames[4].format.components[1].bits
    assert chroma.mean() > 0.55  # red
    said = "luma of 8 bits becomes luma of 10 bits, exactly scaled"
    deeper = frames[0].format.components[0].bits > 8
    assert (said in report.notes) == deeper


@pytest.mark.parametrize(("codec", "profile"), sorted({(codec, profile) for codec, profile, _ in PAIRS if profile}))
def test_each_profile_is_announced_to_other_programs(codec, profile, reel, tmp_path, red):
    output = tmp_path / "b.mov"
    colorize_film(reel, output, FilmOptions(codec=codec, profile=profile), colorizer=red)
    with av.open(str(output)) as film:
        found = film.streams.video[0].codec_context
        tags = {"hq": "apch", "standard": "apcn", "lt": "apcs", "proxy": "apco", "4444": "ap4h", "4444xq": "ap4x"}
        assert found.codec_tag == (tags[profile] if codec == "prores" else "AVdh")
        names = {"standard": "Standard", "4444": "4444", "4444xq": "XQ"} if codec == "prores" else {}
        assert found.profile.lower().endswith(names.get(profile, profile).lower())


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="needs ffprobe")
@pytest.mark.skipif(shutil.which("mediainfo") is None, reason="needs mediainfo")
@pytest.mark.parametrize(
    ("codec", "profile", "end", "name"),
    [
        ("prores", None, ".mov", "ProRes 422 HQ"),
        ("prores", "4444", ".mxf", "ProRes 4444"),
        ("dnxhr", None, ".mxf", "VC-3 RI@HQX"),
        ("ffv1", None, ".mkv", "FFV1"),
        ("v210", None, ".mov", "YUV"),
    ],
)
def test_other_readers_agree(codec, profile, end, name, reel, tmp_path, red):
    output = tmp_path / f"b{end}"
    colorize_film(reel, output, FilmOptions(codec=codec, profile=profile), colorizer=red)
    wanted = "stream=nb_read_packets,color_space,r_frame_rate"
    command = ["ffprobe", "-v", "error", "-select_streams", "v", "-count_packets", "-show_entries", wanted]
    told = subprocess.run([*command, "-of", "json", output], capture_output=True, text=True, check=True)
    (stream,) = json.loads(told.stdout)["streams"]
    assert (stream["nb_read_packets"], stream["color_space"], stream["r_frame_rate"]) == ("10", "bt709", "25/1")
    inform = "--Inform=Video;%Format% %Format_Profile%|%FrameCount%|%FrameRate%|%colour_primaries%"
    told = subprocess.run(["mediainfo", inform, output], capture_output=True, text=True, check=True).stdout.strip()
    form, count, rate, primaries = told.split("|")
    assert form.strip() == name
    assert (count, rate, primaries) == ("10", "25.000", "BT.709")


@pytest.mark.parametrize(
    ("codec", "end", "remedy"),
    [
        ("prores", ".mp4", "write to a .mov, .mkv or .mxf file"),
        ("prores", ".avi", "write to a .mov, .mkv or .mxf file"),
        ("v210", ".mxf", "write to a .mov, .avi or .nut file"),
        ("dnxhr", ".mkv", "write to a .mov or .mxf file"),
        ("libx264", ".mxf", "write to a .mp4, .mov, .mkv or .nut file"),
    ],
)
def test_an_impossible_pair_is_refused_before_any_work(codec, end, remedy, reel, tmp_path, red):
    with pytest.raises(FilmError) as raised:
        colorize_film(reel, tmp_path / f"b{end}", FilmOptions(codec=codec), colorizer=red)
    assert str(raised.value).endswith(f"cannot hold {codec}: {remedy}")
    assert [p.name for p in tmp_path.iterdir()] == ["fake.onnx"]


@pytest.mark.parametrize(
    ("codec", "end", "suffix"),
    [
        ("prores", ".mp4", ".mov"),
        ("prores", ".mkv", ".mkv"),
        ("dnxhr", ".mkv", ".mxf"),
        ("v210", ".mkv", ".mov"),
        ("libx264", ".avi", ".mkv"),
    ],
)
def test_an_output_without_a_name_gets_a_container_for_its_codec(codec, end, suffix, tmp_path, red):
    source = write_film(tmp_path / f"a{end}", pan(2, 256, 128), options={"bf": "0"})
    assert colorize_film(source, None, FilmOptions(codec=codec), colorizer=red).output.suffix == suffix


@pytest.mark.slow
@pytest.mark.parametrize("codec", ["prores", "dnxhr", "v210"])
@pytest.mark.parametrize("name", ["yuv420p", "gray", "yuv422p10le"])
def test_full_range_becomes_the_range_of_the_codec(name, codec, tmp_path, red):
    """For 8 bits, all values of luma stay distinct, and the original ones can be computed."""
    frames = [still_frame(luma, name) for luma in pan(3, 256, 128)]
    source = write_frames(tmp_path / "a.mkv", frames, name=name, codec="ffv1", full=True)
    report = colorize_film(source, tmp_path / "b.mov", FilmOptions(codec=codec), colorizer=red)
    bits = frames[0].format.components[0].bits
    said = "luma is" if bits == 10 else "luma of 8 bits becomes luma of 10 bits,"
    assert f"{said} scaled from full range to limited range, which is what the codec stores" in report.notes
    before, after = (np.stack([plane(f) for f in decoded(path)]).astype(float) for path in (source, report.output))
    wanted = 64 + before * 876 / (2**bits - 1)
    if codec == "v210":
        assert np.abs(after - wanted).max() <= 0.5
        if bits == 8:
            assert np.array_equal(np.rint((after - 64) * 255 / 876), before)
    else:
        assert psnr(after, wanted, 10) > 40


@pytest.mark.slow
def test_bits_are_not_lost_unasked(tmp_path, red):
    source = write_film(tmp_path / "a.mkv", pan(2, 256, 128), name="yuv422p10le", codec="ffv1")
    with pytest.raises(FilmError, match=r"has 10 bits, and dnxhd takes 8 .*choose codec=.ffv1., .* or bits=8"):
        colorize_film(source, tmp_path / "b.mov", FilmOptions(codec="dnxhr", profile="hq"), colorizer=red)
    options = FilmOptions(codec="dnxhr", profile="hq", bits=8)
    report = colorize_film(source, tmp_path / "b.mov", options, colorizer=red)
    assert report.notes == ["not kept: the last 2 of 10 bits of luma"]
    with pytest.raises(FilmError, match="does not take 12 bits here: choose bits=10"):
        colorize_film(source, tmp_path / "c.mov", FilmOptions(codec="prores", bits=12), colorizer=red)


def test_pictures_that_a_codec_does_not_take(tmp_path, red):
    small = write_film(tmp_path / "a.mkv", pan(2), codec="ffv1")
    with pytest.raises(FilmError, match="needs 256 x 120 pixels or more, and the film has 96 x 64"):
        colorize_film(small, None, FilmOptions(codec="dnxhr"), colorizer=red)
    odd = write_film(tmp_path / "b.mkv", pan(2, 97, 65), name="yuv444p", codec="ffv1")
    with pytest.raises(FilmError, match="cannot encode pictures of 97 x 65 pixels"):
        colorize_film(odd, None, FilmOptions(codec="v210"), colorizer=red)
    output = colorize_film(odd, None, FilmOptions(codec="prores", profile="4444"), colorizer=red).output
    assert (decoded(output)[0].width, decoded(output)[0].height) == (97, 65)


@pytest.mark.slow
@pytest.mark.parametrize("order", ["tff", "bff"])
def test_prores_and_v210_mark_fields(order, tmp_path, red):
    frames = in_fields([still_frame(luma) for luma in pan(3, 256, 128)], order)
    source = write_frames(tmp_path / "a.mkv", frames, codec="ffv1")
    output = colorize_film(source, None, FilmOptions(codec="prores"), colorizer=red).output
    assert all(frame.interlaced_frame for frame in decoded(output))
    for codec in ("dnxhr", "libx265"):
        with pytest.raises(FilmError, match=f"interlaced, which {codec} cannot mark: choose"):
            colorize_film(source, tmp_path / "b.mov", FilmOptions(codec=codec), colorizer=red)


@pytest.mark.parametrize("end", [".mxf", ".avi"])
def test_uneven_times_are_refused_where_no_times_are_stored(end, tmp_path, red):
    pts = [0, 1, 2, 3, 7, 8]
    source = write_film(tmp_path / "a.mov", pan(6, 256, 128), rate=24, pts=pts, options={"bf": "0"})
    with pytest.raises(FilmError, match=r"stores no time stamps.*\(first at 0:00:00\.\d+\): write to a \.mov or"):
        colorize_film(source, tmp_path / f"b{end}", FilmOptions(codec="ffv1"), colorizer=red)


@pytest.mark.slow
@pytest.mark.parametrize("rate", [16, 18, 20, Fraction(24000, 1001), Fraction(30000, 1001)])
def test_rates_of_old_films_in_mxf(rate, tmp_path, red):
    source = write_film(tmp_path / "a.mov", pan(5, 256, 128), rate=rate, options={"bf": "0"})
    output = colorize_film(source, tmp_path / "b.mxf", FilmOptions(codec="dnxhr"), colorizer=red).output
    assert seconds(output) == seconds(source)


def test_the_first_of_several_essences_is_coloured_and_the_others_reported(tmp_path, red):
    source = tmp_path / "a.mov"
    with av.open(str(source), "w") as out:
        streams = [out.add_stream("dnxhd", rate=25, options={"profile": "dnxhr_hq"}) for _ in range(2)]
        packets = []
        for stream, lumas in zip(streams, (pan(4, 256, 128), pan(4, 256, 128, top=150)), strict=True):
            stream.width, stream.height, stream.pix_fmt = 256, 128, "yuv422p"
            for number, luma in enumerate(lumas):
                frame = still_frame(luma, "yuv422p")
                frame.pts, frame.time_base = number, Fraction(1, 25)
                packets += stream.encode(frame)
            packets += stream.encode(None)
        for packet in sorted(packets, key=lambda packet: packet.pts):
            out.mux(packet)
    options = FilmOptions(codec="dnxhr", profile="hq")
    report = colorize_film(source, tmp_path / "b.mov", options, colorizer=red)
    assert "track 1 is a further video track, which is copied uncoloured: only the first is coloured" in report.notes
    with av.open(str(report.output)) as film:
        assert len(film.streams.video) == 2
        assert len(list(film.decode(video=1))) == 4
    with pytest.raises(FilmError, match=r"mxf cannot hold its video track 1 .*: write to a \.mov file"):
        colorize_film(source, tmp_path / "b.mxf", options, colorizer=red)


@pytest.mark.slow
def test_sound_that_mxf_cannot_hold_is_pcm_there(tmp_path, red):
    source = write_film(tmp_path / "a.mkv", pan(12, 256, 128), rate=24, sound="flac")
    report = colorize_film(source, tmp_path / "b.mxf", FilmOptions(codec="dnxhr"), colorizer=red)
    assert "the sound of track 1 is re-encoded without loss as pcm_s24le, because mxf cannot hold flac" in report.notes
    before, after = (heard(path)[0] for path in (source, report.output))
    assert np.array_equal(after >> 16, before[: after.size])
    assert after.size == 12 * 48000 // 24


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        (
            {"titles": "subrip"},
            "mxf cannot hold its subtitle track 1 (it holds one video track, and sound): write to a .mov",
        ),
        (
            {"sound": "pcm_s16le", "hertz": 44100},
            "mxf holds sound of 48000 Hz only, and track 1 has 44100 Hz: write to",
        ),
    ],
)
def test_tracks_that_mxf_cannot_hold_are_reported_before_any_work(extra, said, tmp_path, red):
    source = write_film(tmp_path / "a.mkv", pan(3, 256, 128), rate=24, **extra)
    with pytest.raises(FilmError, match=re.escape(said)):
        colorize_film(source, tmp_path / "b.mxf", FilmOptions(codec="dnxhr"), colorizer=red)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.mkv", "fake.onnx"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"codec": "prores", "profile": "hqx"}, "profile is 'hqx', which prores does not have: choose one of hq"),
        ({"codec": "ffv1", "profile": "hq"}, "profile is 'hq', which ffv1 does not have: leave it out"),
        ({"bits": 9}, "bits is 9: give 8, 10, 12, 14 or 16"),
    ],
)
def test_meaningless_options_are_refused(wrong, said):
    with pytest.raises(OptionError, match=said):
        FilmOptions(**wrong)


def test_codecs_have_the_names_that_people_know():
    for name, codec in itertools.chain([("h264", "libx264"), ("h265", "libx265")], zip(CODECS, CODECS, strict=True)):
        assert FilmOptions(codec=name).codec == codec
