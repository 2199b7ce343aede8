"""Shot detection: Photochrom's and PySceneDetect's detectors on joined real clips with known cuts.

    pip install --no-deps scenedetect && pip install click platformdirs
    python benchmarks/shots.py CLIP [CLIP ...] [--cuts NAME=30,76 ...] [--seed N]

Pieces of the clips are joined at random by cuts, fades through black (24 frames) and dissolves (12 to 20 frames); in
four pieces of ten one frame is a flash. A boundary counts as found within two frames of its transition. Clips should
be single shots; ``--cuts`` names the cuts inside one.
"""

import argparse
import time
from collections import Counter
from pathlib import Path

import av
import cv2
import numpy as np
from _tools import print_table

from photochrom.film.shots import detection

_SIZE = (224, 128)
_PIECES = 3  # pieces of each clip


def read(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as film:
        return [
            cv2.resize(f.to_ndarray(format="gray"), _SIZE, interpolation=cv2.INTER_AREA).astype(np.float32)
            for f in film.decode(video=0)
        ]


def join(
    clips: dict[str, list[np.ndarray]], cuts: dict[str, list[int]], rng: np.random.Generator
) -> tuple[list[np.ndarray], list[tuple[int, int, str]]]:
    """Join pieces of the clips; return the frames, and (first frame, last frame, kind) of each transition."""
    frames: list[np.ndarray] = []
    truth = []
    order = [name for name in clips for _ in range(_PIECES)]
    rng.shuffle(order)
    for before, name in zip(["", *order], order, strict=False):
        if name == before:
            continue  # a jump inside one clip is hardly a cut
        length = int(rng.integers(40, 90))
        start = int(rng.integers(0, max(1, len(clips[name]) - length)))
        piece = [f.copy() for f in clips[name][start : start + length]]
        if rng.random() < 0.4:
            piece[len(piece) // 2] = piece[len(piece) // 2] * 0.3 + 170
        kind = str(rng.choice(["cut", "cut", "fade", "dissolve"])) if frames else ""
        if kind == "cut":
            truth.append((len(frames), len(frames), kind))
        elif kind == "fade":
            for i in range(12):
                frames[-1 - i] *= i / 12
                piece[i] *= i / 12
            truth.append((len(frames) - 3, len(frames) + 3, kind))
        elif kind == "dissolve":
            count = int(rng.choice([12, 16, 20]))
            tail = frames[-count:]
            del frames[-count:]
            truth.append((len(frames), len(frames) + count, kind))
            for i in range(count):
                share = (i + 1) / (count + 1)
                piece[i] = (1 - share) * tail[i] + share * piece[i]
        truth += [
            (len(frames) + c - start,) * 2 + ("inner cut",) for c in cuts.get(name, []) if start < c < start + length
        ]
        frames += piece
    return [np.clip(f, 0, 255).astype(np.uint8) for f in frames], truth


def ours(frames: list[np.ndarray]) -> list[int]:
    return [i for i, start in enumerate(detection.starts(frames)) if start and i]


def scenedetect(frames: list[np.ndarray], *, fades: bool) -> list[int]:
    from scenedetect import AdaptiveDetector, FrameTimecode, ThresholdDetector

    found = []
    for detector in [AdaptiveDetector(luma_only=True), *([ThresholdDetector()] if fades else [])]:
        for i, frame in enumerate(frames):
            found += detector.process_frame(FrameTimecode(i, 24.0), cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR))
        found += detector.post_process(FrameTimecode(len(frames) - 1, 24.0))
    return sorted({cut.frame_num for cut in found} - {0})


def row(name: str, found: list[int], truth: list[tuple[int, int, str]], milliseconds: float) -> list[str]:
    left = set(found)
    hits: Counter[str] = Counter()
    for first, last, kind in truth:
        near = [f for f in sorted(left) if first - 2 <= f <= last + 2]
        if near:
            left.discard(near[0])
            hits[kind] += 1
    kinds = Counter(kind for _, _, kind in truth)
    good = sum(hits.values())
    f1 = 2 * good / (len(found) + len(truth))
    return [
        name,
        *(f"{hits[kind]}/{kinds[kind]}" for kind in sorted(kinds)),
        str(len(left)),
        f"{f1:.2f}",
        f"{milliseconds:.2f} ms",
    ]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--cuts", action="append", default=[], metavar="NAME=30,76")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    clips = {path.stem: read(path) for path in args.clips}
    cuts = {name: [int(c) for c in numbers.split(",")] for name, numbers in (text.split("=") for text in args.cuts)}
    frames, truth = join(clips, cuts, np.random.default_rng(args.seed))
    methods = {
        "photochrom": ours,
        "PySceneDetect adaptive": lambda f: scenedetect(f, fades=False),
        "PySceneDetect adaptive + threshold": lambda f: scenedetect(f, fades=True),
    }
    rows = []
    for name, method in methods.items():
        started = time.perf_counter()
        found = method(frames)
        rows.append(row(name, found, truth, (time.perf_counter() - started) / len(frames) * 1e3))
    kinds = sorted({kind for _, _, kind in truth})
    print(f"{len(frames)} frames, {len(truth)} transitions\n")
    print_table(["detector", *(f"{k}s found" for k in kinds), "false", "F1", "a frame"], rows)


if __name__ == "__main__":
    main()
