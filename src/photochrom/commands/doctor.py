"""``photochrom doctor``: prints versions and hardware for bug reports."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from ..errors import PhotochromError, counted
from ..machine import processor_flags, processor_name
from ..version import __version__
from .arguments import add_verb
from .messages import error_text
from .parser import Verbs
from .settings import apply_settings, config_path, read_config

_PACKAGES = (
    "numpy", "opencv-python-headless", "pillow", "simplejpeg", "jpeglib", "tifffile", "zstandard", "OpenEXR", "av",
    "openvino", "onnxruntime", "pillow-heif", "starlette", "torch", "c2pa-python",
)  # fmt: skip
_FEATURES = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8", "asimd", "bf16")


def add(verbs: Verbs) -> None:
    """Declare ``photochrom doctor`` and its arguments."""
    doctor = add_verb(
        verbs,
        "doctor",
        "print versions, processor, engines and memory, for bug reports",
        "Prints facts about this machine and the engine that Photochrom would use, to paste into a bug report.",
        examples=("doctor",),
        page="",
    )
    doctor.set_defaults(verb=run, parsers=verbs.choices)


def run(args: argparse.Namespace) -> int:
    """Print the report and return the exit status: 1 if the embedded model cannot be used, otherwise 0."""
    is_usable = True
    for name, text in (*_system(), *_packages(), *_configuration(args.parsers)):
        print(f"{name:14} {text}")
    try:
        for name, text in _models():
            print(f"{name:14} {text}")
    except PhotochromError as exc:
        print(f"{'model':14} {error_text(exc)}")
        is_usable = False
    return 0 if is_usable else 1


def _system() -> Iterator[tuple[str, str]]:
    yield "photochrom", f"{__version__}, {Path(__file__).parents[1]}"
    yield "python", f"{platform.python_version()}, {sys.executable}"
    yield "system", platform.platform()
    yield "processor", f"{processor_name()}, {os.cpu_count()} threads"
    yield "features", " ".join(processor_features()) or "unknown"
    yield "memory", memory()


def _packages() -> Iterator[tuple[str, str]]:
    from importlib import metadata  # imported only here, because it is slow and every verb imports this module

    for name in _PACKAGES:
        try:
            yield name, metadata.version(name)
        except metadata.PackageNotFoundError:
            yield name, "not installed"


def _configuration(parsers: Mapping[str, argparse.ArgumentParser]) -> Iterator[tuple[str, str]]:
    path = config_path()
    try:
        settings = read_config(path)
        yield "settings", f"{path}: {settings}" if settings else f"none ({path})"
        for verb in parsers:  # so that what another verb would refuse is reported
            apply_settings(verb, parsers)
    except PhotochromError as exc:
        yield "settings", error_text(exc)
    variables = sorted(name for name in os.environ if name.startswith("PHOTOCHROM_"))
    yield "environment", " ".join(f"{name}={os.environ[name]}" for name in variables) or "no PHOTOCHROM_ variables"


def _models() -> Iterator[tuple[str, str]]:
    from ..models.engines import open_engine
    from ..models.registry import ModelCard, find_model

    path = find_model("default")
    engine = open_engine(path)
    yield "engine", f"{type(engine).__name__} would be used"
    from ..models.download import known_digest

    card = ModelCard.of(engine.metadata, path)
    yield "model", f"{card.name} {card.version}, sha256 {known_digest(path)}, {path}"
    yield "model cache", _model_cache()


def _model_cache() -> str:
    from ..models.compiled import SWITCH, compiled_folder, entries, is_enabled

    if not is_enabled():
        return f"off ({SWITCH})"
    sizes = [state.st_size for state in entries().values()]
    models = counted(len(sizes), "compiled model")
    return f"{compiled_folder()}: {models}, {sum(sizes) / 1e6:.0f} MB; {SWITCH}=0 switches it off"


def processor_features() -> list[str]:
    """Return those instruction sets of the processor that speed up the engines; always empty except on Linux."""
    present = set(processor_flags())
    return [feature for feature in _FEATURES if feature in present]


def memory() -> str:
    """Return free and total memory, such as ``5.2 of 7.8 GiB free``; ``unknown`` except on Linux."""
    try:
        facts = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines() if ":" in line)
        free, total = (int(facts[name].split()[0]) / 2**20 for name in ("MemAvailable", "MemTotal"))
    except (OSError, KeyError, ValueError):
        return "unknown"
    return f"{free:.1f} of {total:.1f} GiB free"
