"""``photochrom models``: lists the models and assembles the reference model."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..errors import PhotochromError
from .arguments import add_verb
from .messages import error_text
from .parser import Verbs


def add(verbs: Verbs) -> None:
    """Declare ``photochrom models`` and its arguments."""
    models = add_verb(
        verbs,
        "models",
        "list the models, or get the reference model",
        "Lists the models and their files. 'get reference' assembles the reference model from public weights; "
        "it needs the extra 'reference'.",
        examples=("models", "models get reference"),
        page="model-card",
    )
    models.set_defaults(verb=_list)
    actions = models.add_subparsers(metavar="ACTION")
    actions.add_parser("list", help="list the models and their files").set_defaults(verb=_list)
    get = actions.add_parser("get", help="assemble a model from public weights")
    get.set_defaults(verb=_get)
    get.add_argument("name", choices=["reference"], help="the model to assemble")
    get.add_argument("--encoder-weights", type=Path, metavar="FILE", help="VGG16's weights, if you have them already")


def _list(_: argparse.Namespace) -> int:
    from ..models.engines import open_engine
    from ..models.registry import NAMES, ModelCard, find_model

    for name in NAMES:
        try:
            path = find_model(name)
            card = ModelCard.of(open_engine(path).metadata, path)
        except PhotochromError as exc:
            print(f"{name:10} -  {error_text(exc)}")
            continue
        print(f"{name:10} {card.name} {card.version}, {card.licence}: {card.description}\n{'':10} {path}")
    return 0


def _get(args: argparse.Namespace) -> int:
    from ..models.registry import get_reference

    print(get_reference(args.encoder_weights))
    return 0
