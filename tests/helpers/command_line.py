"""Runs the command line in a separate process, and inspects the files that it writes."""

import subprocess
import sys

import numpy as np
from PIL import Image
from skimage.color import rgb2lab


def run(*arguments, stdin=b""):
    return subprocess.run([sys.executable, "-m", "photochrom", *map(str, arguments)], input=stdin, capture_output=True)


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"), int)


def facts(path):
    """Return format and size of a picture."""
    with Image.open(path) as image:
        return image.format, image.size


def is_colored(path):
    return np.ptp(pixels(path), axis=2).mean() > 2


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def everything(folder):
    return {p.name: p.read_bytes() for p in folder.iterdir()}


def luma_plane(path):
    """Return the Y plane of a JPEG as it is stored."""
    with Image.open(path) as image:
        image.draft("YCbCr", None)
        return np.asarray(image)[..., 0].astype(int)


def label(path):
    with Image.open(path) as image:
        return image.info["xmp"].decode()


BLUE = (70, 110, 190)


def ab_at(path, x, y):
    """Return a*b* at a place, computed by another library."""
    lab = rgb2lab(pixels(path).astype(np.uint8))
    return lab[int(y * lab.shape[0]), int(x * lab.shape[1]), 1:]


def ab_of(color):
    return rgb2lab(np.array([[color]], np.uint8))[0, 0, 1:]
