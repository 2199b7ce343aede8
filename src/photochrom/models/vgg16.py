"""Downloads and reads the ImageNet weights of VGG16 (Simonyan and Zisserman 2015) that Keras publishes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import ModelError, needed_for
from .download import cache_folder, fetch

FILE = "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
URL = f"https://storage.googleapis.com/tensorflow/keras-applications/vgg16/{FILE}"
MD5 = "6d6bbae143d832006294945121d1f1fc"
SHAPES = {
    f"block{block}_conv{i + 1}": (out, width if i == 0 else out)
    for block, width, out, repeats in (
        (1, 3, 64, 2),
        (2, 64, 128, 2),
        (3, 128, 256, 3),
        (4, 256, 512, 3),
        (5, 512, 512, 3),
    )
    for i in range(repeats)
}
"""Output and input channels of each layer, by its name in Keras, such as ``block1_conv1``."""


def fetch_vgg16() -> Path:
    """Return the path of the weight file, which is downloaded into the cache folder on first use.

    Raises:
        ModelError: The download failed, or the file is not the published one or cannot be read.
    """
    return fetch(URL, cache_folder() / FILE, "md5", MD5)


def read_vgg16(path: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Read a "notop" weight file of Keras, which contains the convolutions without the classifier.

    Returns:
        Kernel, float32 ``[out, in, 3, 3]``, and bias, float32 ``[out]``, by layer name.

    Raises:
        ModelError: The file is missing or is not HDF5, one of the thirteen convolutions is missing or has another
            shape, or h5py is not installed.
    """
    with needed_for("reading the weights of VGG16", "reference", ModelError):
        import h5py
    try:
        with h5py.File(path, "r") as file:
            return {name: _layer(file, name, shape) for name, shape in SHAPES.items()}
    except FileNotFoundError as exc:
        raise ModelError("does not exist", path=path, remedy=f"check the path, or get {URL}") from exc
    except (OSError, KeyError, ValueError) as exc:
        raise ModelError(f"not a VGG16 weight file of Keras ({exc})", path=path, remedy=f"get {URL}") from exc


def _layer(file: "h5py.File", name: str, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[name-defined]  # noqa: F821, UP037
    arrays = {data.ndim: np.asarray(data, np.float32) for data in file[name].values()}
    kernel, bias = arrays[4].transpose(3, 2, 0, 1), arrays[1]  # Keras stores [height, width, in, out]
    if kernel.shape != (*shape, 3, 3) or bias.shape != shape[:1]:
        raise ValueError(f"{name} has shape {kernel.shape}")
    return np.ascontiguousarray(kernel), bias
