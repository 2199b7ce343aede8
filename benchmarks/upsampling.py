"""From true chroma of 32 by 32 back to 256 by 256: guided upsampling against interpolation, in dB.

    python benchmarks/upsampling.py PHOTOS

A blur before upsampling stands in for a network, whose chroma is softer than the truth shrunk.
"""

import sys
from pathlib import Path

import cv2
import numpy as np
from _tools import print_table

from photochrom.color import gamut, spaces, upsample
from photochrom.training.data import dataset
from photochrom.training.evaluation.metrics import psnr

GRID, SIZE, COUNT = 32, 256, 100


def bilinear(ab: np.ndarray, guide: np.ndarray) -> np.ndarray:
    return np.stack([cv2.resize(p, guide.shape, interpolation=cv2.INTER_LINEAR) for p in ab])


def bicubic(ab: np.ndarray, guide: np.ndarray) -> np.ndarray:
    return np.stack([cv2.resize(p, guide.shape, interpolation=cv2.INTER_CUBIC) for p in ab])


def nearest(ab: np.ndarray, guide: np.ndarray) -> np.ndarray:
    return ab.repeat(SIZE // GRID, axis=1).repeat(SIZE // GRID, axis=2)


def restored(rgb: np.ndarray, method, blur: float) -> float:  # type: ignore[no-untyped-def]
    luma = spaces.luma_of_rgb(rgb)
    small = cv2.resize(rgb.astype(np.float32) / 255, (GRID, GRID), interpolation=cv2.INTER_AREA)
    ab = spaces.rgb_to_lab(small)[..., 1:].transpose(2, 0, 1)
    ab = np.stack([cv2.GaussianBlur(np.ascontiguousarray(p), (0, 0), blur) if blur else np.array(p) for p in ab])
    thumbnail = luma.astype(np.float32) / 255
    cbcr = spaces.ab_to_cbcr(thumbnail, method(ab, spaces.lightness_of_luma(luma)))
    coefficients = upsample.linear_coefficients(thumbnail, cbcr)
    return psnr(
        gamut.rgb_of_luma(luma, *upsample.apply_to_luma(coefficients, luma, strength=1, subsampling=(1, 1))), rgb
    )


def main() -> None:
    photographs = [p for p in dataset.find_photographs(Path(sys.argv[1])) if p.held_out]
    pictures = [
        dataset.square(dataset.decode(p.path.read_bytes(), p.path), SIZE)
        for p in dataset.sample(photographs, COUNT, COUNT // 10)
    ]
    rows = []
    for method in (nearest, bilinear, bicubic, upsample.to_thumbnail):
        figures = [np.mean([restored(rgb, method, blur) for rgb in pictures]) for blur in (0, 0.7, 1.2)]
        rows.append([method.__name__, *(f"{f:.2f} dB" for f in figures)])
    print_table(["upsampling", "true chroma", "blurred by 0.7", "blurred by 1.2"], rows)


if __name__ == "__main__":
    main()
