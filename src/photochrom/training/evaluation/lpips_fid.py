"""Computes LPIPS and FID with torch-fidelity, if it is installed and its weights are on the disk.

The figures can be compared with published ones: torch-fidelity's InceptionV3, including the resizing, is a port of the
TensorFlow network with which FID was first computed, and its LPIPS is the VGG16 version of Zhang et al. 2018. Nothing
is downloaded here; missing parts are reported, with advice on how to get them.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import torch

from ...errors import TrainingError

_RELEASE = "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/"
_INCEPTION = _RELEASE + "weights-inception-2015-12-05-6726825d.pth"
_LPIPS = (_RELEASE + "weights-vgg16-lpips.pth", "https://download.pytorch.org/models/vgg16-397923af.pth")
INCEPTION_FEATURES = 2048


@dataclass(frozen=True)
class Perceptual:
    """The available networks of LPIPS and FID, and the reasons why others are missing."""

    lpips: Callable[[np.ndarray, np.ndarray], float] | None
    """Function from two RGB uint8 pictures ``[H, W, 3]`` to their LPIPS, 0 for equal pictures; None if missing."""
    inception: Callable[[np.ndarray], np.ndarray] | None
    """Function from an RGB uint8 picture ``[H, W, 3]`` to its features, float32 ``[INCEPTION_FEATURES]``, of which FID
    is the Fréchet distance; None if missing."""
    not_measured: dict[str, str]
    """Missing parts and how to get them, by figure (``LPIPS`` or ``FID``)."""


def open_perceptual() -> Perceptual:
    """Load the networks of LPIPS and FID, as far as they are available."""
    not_measured: dict[str, str] = {}
    lpips = inception = None
    try:
        lpips = _open_lpips()
    except TrainingError as exc:
        not_measured["LPIPS"] = str(exc)
    try:
        inception = _open_inception()
    except TrainingError as exc:
        not_measured["FID"] = str(exc)
    return Perceptual(lpips, inception, not_measured)


def _open_lpips() -> Callable[[np.ndarray, np.ndarray], float]:
    network = _library(_LPIPS).SampleSimilarityLPIPS("lpips-vgg16")

    @torch.inference_mode()
    def lpips(picture: np.ndarray, truth: np.ndarray) -> float:
        return float(network(_tensor(picture), _tensor(truth)))

    return lpips


def _open_inception() -> Callable[[np.ndarray], np.ndarray]:
    library = _library([_INCEPTION])
    layer = str(INCEPTION_FEATURES)
    network = library.FeatureExtractorInceptionV3(
        "inception-v3-compat", [layer], feature_extractor_weights_path=str(_local(_INCEPTION))
    )

    @torch.inference_mode()
    def inception(picture: np.ndarray) -> np.ndarray:
        (features,) = network(_tensor(picture))
        return np.asarray(features[0].numpy())

    return inception


def _library(weights: Sequence[str]) -> ModuleType:
    """Import torch-fidelity, after checking that PyTorch has downloaded the weights at the given addresses.

    Raises:
        TrainingError: torch-fidelity is not installed, cannot be imported, or lacks its weights.
    """
    missing = []
    if importlib.util.find_spec("torch_fidelity") is None:
        missing.append("torch-fidelity is not installed: pip install torch-fidelity")
    if absent := [url for url in weights if not _local(url).is_file()]:
        missing.append(f"no weights on this disk: download {' and '.join(absent)} into {_local(absent[0]).parent}")
    if missing:
        raise TrainingError("; ".join(missing))
    try:
        return importlib.import_module("torch_fidelity")
    except (ImportError, RuntimeError, OSError) as exc:  # a torchvision built for another torch raises RuntimeError
        reason = str(exc).splitlines()[0] if str(exc) else type(exc).__name__
        raise TrainingError(
            f"torch-fidelity cannot be imported ({reason})", remedy="install the torchvision that matches torch"
        ) from exc


def _local(url: str) -> Path:
    """Return the path at which PyTorch stores the download of an address."""
    return Path(torch.hub.get_dir()) / "checkpoints" / url.rsplit("/", 1)[1]


def _tensor(rgb: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(rgb.transpose(2, 0, 1)))[None]
