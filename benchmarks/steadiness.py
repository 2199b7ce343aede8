"""Steadiness of colours: colour clips turned grey, then coloured frame by frame and as films, against the truth.

    python benchmarks/steadiness.py CLIP [CLIP ...] [--frames N] [--vividness V] [--detail D] [--scale S]
        [--sheets FOLDER]

A clip is a file, or a folder of frames as JPEG. All is measured on the luma of the clip, at the size of the usual
thumbnail, or at --scale times that size, up to its own; figures of different scales cannot be compared.

CDC (colour distribution consistency, Liu et al. 2021): mean Jensen-Shannon divergence of the histograms of R, G and B
between frames 1, 2 and 4 apart, divided by that of the true clip. CDC rewards grey, so the colourfulness (CF) is also
listed. Warp error: mean squared difference of a* and b* between a frame and its predecessor warped along the optical
flow of the luma, where forward and backward flow agree, divided by that of the same model frame by frame.
"""

import argparse
import tempfile
from pathlib import Path

import av
import cv2
import numpy as np
from _tools import print_table
from PIL import Image

from photochrom import Colorizer, ColorOptions
from photochrom.color.gamut import rgb_of_luma
from photochrom.color.spaces import luma_of_rgb, rgb_to_lab
from photochrom.film import FilmOptions, optical_flow
from photochrom.film.frame_buffers import view
from photochrom.film.frames import FrameColorizer
from photochrom.film.output.codecs import CODECS
from photochrom.film.output.plane_format import plane_format
from photochrom.film.reader import FilmReader
from photochrom.film.shots import detection
from photochrom.training.data.dataset import colorfulness

_BINS = 256


def read(path: Path, count: int, colorizer: Colorizer, scale: float) -> list[np.ndarray]:
    """Return up to ``count`` frames of a clip, RGB uint8 ``[h, w, 3]`` each.

    They have ``scale`` times the size of the thumbnail, or about their own size if that is smaller.
    """
    if path.is_dir():
        frames = [np.asarray(Image.open(p).convert("RGB")) for p in sorted(path.glob("*.jpg"))[:count]]
    else:
        frames = []
        with av.open(str(path)) as film:
            for frame in film.decode(video=0):
                frames.append(frame.to_ndarray(format="rgb24"))
                if len(frames) == count:
                    break
    height, width = frames[0].shape[:2]
    own = min(height, width) / colorizer.card.working_size
    height, width = colorizer.thumbnail_size(height, width, min(scale, max(1.0, own)))
    return [cv2.resize(np.ascontiguousarray(f), (width, height), interpolation=cv2.INTER_AREA) for f in frames]


def color(lumas: list[np.ndarray], colorizer: Colorizer, options: ColorOptions) -> dict[str, list[np.ndarray]]:
    """Return RGB frames coloured ``one by one`` and as a ``film``, both with the code for films."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "grey.mkv")
        write_grey(path, lumas)
        with FilmReader(path) as reader:
            planes = plane_format(reader, CODECS["ffv1"])
            frame_colorizer = FrameColorizer(colorizer, reader, planes, FilmOptions(options))
            colored: dict[str, list[np.ndarray]] = {"one by one": [], "film": []}
            for frame, colors, _ in frame_colorizer.colors(reader.frames(), reader.first_pts, None):
                for name, ab in (("one by one", frame_colorizer.predict(frame)[0]), ("film", colors.ab)):
                    rendered = frame_colorizer.render(frame, ab)
                    colored[name].append(rgb_of_luma(*(view(rendered, index) for index in range(3))))
    return colored


def write_grey(path: Path, lumas: list[np.ndarray], name: str = "yuv444p") -> None:
    """Write a lossless grey film of full range, with neutral chroma; ``name`` is FFmpeg's name of the pixel format."""
    height, width = lumas[0].shape
    with av.open(str(path), "w") as film:
        stream = film.add_stream("ffv1", rate=24)
        stream.width, stream.height, stream.pix_fmt = width, height, name
        stream.codec_context.color_range, stream.codec_context.colorspace = 2, 6  # as in JPEG
        for luma in lumas:
            frame = av.VideoFrame(width, height, name)
            for index in range(3):
                view(frame, index)[...] = luma if index == 0 else 128
            film.mux(stream.encode(frame))
        film.mux(stream.encode())


def distribution_change(frames: list[np.ndarray]) -> float:
    """Return the Jensen-Shannon divergence (base 2) of the channels' histograms, averaged over gaps of 1, 2 and 4."""
    histograms = [
        np.stack([np.bincount(f[..., c].ravel(), minlength=_BINS) for c in range(3)]) / f[..., 0].size for f in frames
    ]
    return float(
        np.mean(
            [
                np.mean([_divergence(a, b) for a, b in zip(histograms, histograms[gap:], strict=False)])
                for gap in (1, 2, 4)
            ]
        )
    )


def _divergence(p: np.ndarray, q: np.ndarray) -> float:
    middle = (p + q) / 2

    def relative(a: np.ndarray) -> np.ndarray:
        ratio = np.divide(a, middle, out=np.ones_like(a), where=a > 0)
        return (a * np.log2(ratio)).sum(axis=1)

    return float((relative(p) + relative(q)).mean() / 2)


def warp_error(frames: list[np.ndarray], lumas: list[np.ndarray], starts: list[bool]) -> float:
    """Return the mean squared change of a* and b* along the flow, within shots."""
    chroma = [rgb_to_lab(f.astype(np.float32) / 255)[..., 1:] for f in frames]
    errors = []
    for i in range(1, len(frames)):
        if starts[i]:
            continue
        there, back = (
            optical_flow.backward_flow(lumas[i - 1], lumas[i]),
            optical_flow.backward_flow(lumas[i], lumas[i - 1]),
        )
        returned = optical_flow.warp(back, there)
        height, width = lumas[i].shape
        home = np.dstack(np.meshgrid(np.arange(width), np.arange(height)))
        agrees = np.hypot(*np.moveaxis(returned - home, -1, 0)) < 1
        change = chroma[i] - optical_flow.warp(chroma[i - 1], there)
        errors.append((change[agrees] ** 2).sum(axis=-1).mean())
    return float(np.mean(errors))


def write_sheet(path: Path, truth: list[np.ndarray], colored: dict[str, list[np.ndarray]]) -> None:
    places = np.linspace(0, len(truth) - 1, 6).astype(int)
    rows = [np.hstack([frames[i] for i in places]) for frames in (*colored.values(), truth)]
    sheet = cv2.resize(np.vstack(rows), None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), sheet[..., ::-1]):
        raise SystemExit(f"cannot write {path}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--frames", type=int, default=120, help="maximum number of frames of each clip")
    parser.add_argument("--vividness", type=float)
    parser.add_argument("--detail", type=float, default=1.0)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--model", default="default")
    parser.add_argument("--sheets", type=Path, help="folder for sheets: one by one, film, truth")
    args = parser.parse_args()
    colorizer, options = Colorizer(args.model), ColorOptions(args.vividness, detail=args.detail)
    rows, figures = [], []
    for clip in args.clips:
        truth = read(clip, args.frames, colorizer, args.scale)
        lumas = [luma_of_rgb(f) for f in truth]
        starts = list(detection.starts(lumas))
        colored = color(lumas, colorizer, options)
        versions = {"truth": truth, **colored}
        cdc = {name: distribution_change(f) for name, f in versions.items()}
        cf = {name: float(np.mean([colorfulness(x) for x in f])) for name, f in versions.items()}
        warp = {name: warp_error(f, lumas, starts) for name, f in versions.items()}
        figures.append(
            [
                cdc["one by one"] / cdc["truth"],
                cdc["film"] / cdc["truth"],
                cf["one by one"] / cf["truth"],
                cf["film"] / cf["truth"],
                warp["truth"] / warp["one by one"],
                warp["film"] / warp["one by one"],
            ]
        )
        rows.append([clip.stem, str(len(truth)), *(f"{x:.2f}" for x in figures[-1])])
        if args.sheets:
            write_sheet(args.sheets / f"{clip.stem}.jpg", truth, colored)
    rows.append(["mean", "", *(f"{x:.2f}" for x in np.mean(figures, axis=0))])
    print_table(
        ["clip", "frames", "CDC one by one", "CDC film", "CF one by one", "CF film", "warp truth", "warp film"], rows
    )


if __name__ == "__main__":
    main()
