"""``photochrom train``: trains a colorizer on the user's own photographs."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..errors import TrainingError, needed_for
from ..signals import ending_at_once
from .arguments import add_verb
from .console import print_to_stderr
from .messages import error_text
from .parser import Verbs


def add(verbs: Verbs) -> None:
    """Declare ``photochrom train`` and its arguments."""
    train = add_verb(
        verbs,
        "train",
        "train a colorizer on your own photographs",
        "Trains a colorizer on colour photographs; by default, training starts from the embedded model. The "
        "photographs are checked first, unsuitable ones are left out, and the duration of the run is estimated.",
        examples=(
            "train photographs/ -o run --dry-run",
            "train photographs/ -o run",
            "train photographs/ -o run --resume",
        ),
        page="training",
    )
    train.set_defaults(verb=run)
    train.add_argument(
        "photographs", metavar="PHOTOS", help="a folder, a tar shard, or the address of either (s3, gs, https)"
    )
    train.add_argument(
        "-o", "--output", dest="run_folder", type=Path, required=True, metavar="RUN", help="folder of the run"
    )
    train.add_argument("--dry-run", action="store_true", help="check the photographs, estimate the run, and stop")
    train.add_argument(
        "--resume", action="store_true", help="resume the run, with the same losses as without the interruption"
    )
    _add_recipe(train.add_argument_group("recipe"))
    _add_machine(train.add_argument_group("machine"))


def _add_recipe(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--from",
        dest="initial",
        metavar="START",
        help="default, reference, scratch (an encoder pretrained on ImageNet), an earlier RUN, or an .onnx model "
        "(default: the embedded model; with --recipe, scratch)",
    )
    group.add_argument(
        "--encoder",
        choices=["efficientnet-lite2", "efficientnet-lite1", "efficientnet-lite0", "vgg16"],
        help="pretrained encoder, for --from scratch (default: efficientnet-lite2)",
    )
    group.add_argument("--encoder-weights", type=Path, metavar="FILE", help="VGG16's weights, if you have them already")
    group.add_argument(
        "--recipe",
        choices=["reference", "default", "default-cpu", "broad"],  # a test compares them with ``training.recipes``
        help="use the settings of a recipe as they are, not adapted to the number of photographs: reference, default "
        "(for a GPU), default-cpu, or broad (for many diverse photographs; the embedded model is based on it)",
    )
    group.add_argument("--epochs", type=float, metavar="N", help="number of times that each view is used")
    group.add_argument(
        "--patience",
        type=int,
        metavar="N",
        help="stop after N rounds (rows of losses.csv) without a lower held-out loss; 0: never stop early (default: "
        "10; with --recipe, 0)",
    )
    group.add_argument(
        "--size", type=int, metavar="N", help="side of the training squares, a multiple of 32 from 64 on"
    )
    group.add_argument("--learning-rate", type=float, metavar="RATE", help="learning rate after the warm-up")
    group.add_argument(
        "--seed", type=int, metavar="N", help="random seed for the order of views and for simulated hints (default: 0)"
    )


def _add_machine(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--batch", type=int, metavar="N", help="number of views per step and process")
    group.add_argument(
        "--minutes", type=float, default=10, metavar="N", help="minutes between checkpoints (default: 10)"
    )
    group.add_argument(
        "--cache-gb", type=float, metavar="N", help="maximum disk space for cached features, in GB; 0 caches none"
    )
    group.add_argument(
        "--precision",
        choices=["auto", "bf16", "fp32"],
        default="auto",
        help="auto is bf16 if the processor supports it, else fp32",
    )
    group.add_argument(
        "--accelerator",
        choices=["cpu", "cuda", "mps"],
        default="cpu",
        help="device to train on: cuda is an NVIDIA card, mps an Apple GPU (default: cpu)",
    )
    group.add_argument(
        "--devices", type=int, metavar="N", help="number of processes per machine (default: 1, or from torchrun)"
    )
    group.add_argument("--nodes", type=int, metavar="N", help="number of machines (default: 1, or from torchrun)")


def run(args: argparse.Namespace) -> int:
    """Train a model and return the exit status: 0 if the run finished, 128 + N if signal N stopped it.

    Raises:
        TrainingError: A package of ``photochrom[train]`` is missing, or the run cannot start or continue.
        OptionError: The options contradict one another or the run that is resumed.
        ModelError, EngineError: The model cannot be loaded or run.
        PhotochromError: The photographs are remote, and fsspec or the package for the protocol is missing.
        SystemExit: Several processes train, and another one has failed and reports the error.
    """
    with needed_for("training", "train", TrainingError), ending_at_once("SIGTERM", "SIGHUP"):
        from ..training.config import TrainingConfig
        from ..training.pipeline import train
        from ..training.stop_signals import Stopped
    chosen = {name: value for name, value in vars(args).items() if name != "verb"}
    try:
        if (model := train(TrainingConfig(**chosen))) is not None:
            print(f"photochrom photo OLD.jpg --model {model}")
    except Stopped as exc:
        print_to_stderr(f"photochrom: {error_text(exc)}")
        return exc.status
    return 0
