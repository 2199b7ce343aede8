"""HEIC and AVIF outputs of 12 megapixels: time and size of the chosen encoder settings against the encoders' defaults.

    python benchmarks/heif.py [MEGAPIXELS]

CPU seconds are summed over all cores and hardly depend on the machine's load; wall-clock seconds need an idle machine.
"""

import io
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
import pillow_heif
from _tools import print_table
from PIL import Image
from skimage import data

from photochrom.colorizer.options import DEFAULT_QUALITY
from photochrom.photo.formats import heif
from photochrom.photo.formats.image import Metadata


def processor() -> str:
    """Return the processor's name."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.processor())


def picture(megapixels: float) -> Image.Image:
    """Make a colour picture with a little grain, so that it takes as long as a photograph."""
    height = round((megapixels * 1e6 * 3 / 4) ** 0.5)
    rgb = cv2.resize(data.astronaut(), (height * 4 // 3, height))
    grain = np.random.default_rng(0).normal(0, 4, (height, height * 4 // 3, 1))
    return Image.fromarray(np.clip(rgb + grain, 0, 255).astype(np.uint8))


def measured(encode: Callable[[BinaryIO], object]) -> tuple[float, float, int]:
    """Run an encoder, and return its CPU seconds, its wall-clock seconds, and the bytes that it writes."""
    stream, cpu, wall = io.BytesIO(), time.process_time(), time.perf_counter()
    encode(stream)
    return time.process_time() - cpu, time.perf_counter() - wall, len(stream.getvalue())


def main() -> None:
    image = picture(float(sys.argv[1]) if len(sys.argv) > 1 else 12)
    quality = DEFAULT_QUALITY
    encoders: dict[str, Callable[[BinaryIO], object]] = {
        "HEIC, x265's default": lambda stream: pillow_heif.from_pillow(image).save(stream, quality=quality),
        "HEIC, as Photochrom writes it": lambda stream: heif.write_heif(stream, np.asarray(image), Metadata(), quality),
        "AVIF, Pillow's default": lambda stream: image.save(stream, "AVIF", quality=quality),
        "AVIF, as Photochrom writes it": lambda stream: heif.write_avif(stream, image, Metadata(), quality),
    }
    print(f"{processor()}, {image.width} x {image.height} pixels, quality {quality}\n")
    rows = [(name, measured(encode)) for name, encode in encoders.items()]
    print_table(
        ["", "CPU seconds", "wall-clock seconds", "bytes"],
        [[name, f"{cpu:.1f}", f"{wall:.1f}", f"{size:,}"] for name, (cpu, wall, size) in rows],
    )


if __name__ == "__main__":
    main()
