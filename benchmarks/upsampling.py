"""Upsampling of true chroma from 32 by 32 to 256 by 256: guided against plain interpolation, in dB.

    python benchmarks/upsampling.py PHOTOS

A blur before upsampling simulates a network, whose chroma is softer than the reduced truth. The last columns need no
photographs: red petals are drawn on grey paper, and the a*b* of the paper beside and between them is their halo, at two
degrees of the network's softness.
"""

import sys
from pathlib import Path

import cv2
import numpy as np
from _tools import print_table

from photochrom.color import gamut, spaces, upsample
from photochrom.training.data import dataset
from photochrom.training.data.curation import inspect
from photochrom.training.evaluation.metrics import psnr

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.helpers.petals import petals

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
    return psnr(gamut.rgb_of_luma(luma, *upsample.apply_to_luma(coefficients, luma, strength=1)), rgb)


def halo(method, blur: float) -> float:  # type: ignore[no-untyped-def]
    """Return the mean chroma of grey paper within 14 pixels of red petals; ideally 0."""
    lightness, ab, paper = petals(SIZE)
    cells = [cv2.resize(plane, (GRID, GRID), interpolation=cv2.INTER_AREA) for plane in ab]
    soft = np.stack([cv2.GaussianBlur(cell, (0, 0), blur) for cell in cells])
    beside = paper & (cv2.dilate((~paper).astype(np.uint8), np.ones((29, 29), np.uint8)) > 0)
    return float(np.hypot(*method(soft, lightness))[beside].mean())


def main() -> None:
    photographs = dataset.split(inspect(Path(sys.argv[1])).photographs)[1]
    pictures = [dataset.square(p.decode(), SIZE) for p in dataset.sample(photographs, COUNT, COUNT // 10)]
    rows = []
    for method in (nearest, bilinear, bicubic, upsample.along_edges, upsample.to_thumbnail):
        figures = [np.mean([restored(rgb, method, blur) for rgb in pictures]) for blur in (0, 0.7, 1.2)]
        halos = [f"{halo(method, blur):.1f}" for blur in (0.7, 1.2)]
        rows.append([method.__name__, *(f"{f:.2f} dB" for f in figures), *halos])
    print_table(["upsampling", "true chroma", "blurred by 0.7", "blurred by 1.2", "halo, 0.7", "halo, 1.2"], rows)


if __name__ == "__main__":
    main()
