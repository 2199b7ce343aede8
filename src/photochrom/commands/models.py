"""``photochrom models``: lists the models, and puts the reference together."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..errors import PhotochromError
from .messages import error_text


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the verb."""
    models = verbs.add_parser("models", help="list models, get the reference model")
    actions = models.add_subparsers(required=True, metavar="ACTION")
    show = actions.add_parser("list", help="list the models and where they are")
    show.set_defaults(verb=_models_list)
    get = actions.add_parser("get", help="put a model together from public weights")
    get.set_defaults(verb=_models_get)
    get.add_argument("name", choices=["reference"])
    get.add_argument("--encoder-weights", type=Path, metavar="FILE", help="VGG16's weights, if you have them already")


def _models_list(_: argparse.Namespace) -> int:
    from ..models.engines import open_engine
    from ..models.registry import NAMES, ModelCard, find_model

    for name in NAMES:
        try:
            path = find_model(name)
        except PhotochromError as exc:
            print(f"{name:10} -  {error_text(exc)}")
            continue
        card = ModelCard.of(open_engine(path).metadata, path)
        print(f"{name:10} {card.name} {card.version}, {card.licence}: {card.description}\n{'':10} {path}")
    return 0


def _models_get(args: argparse.Namespace) -> int:
    from ..models.registry import get_reference

    print(get_reference(args.encoder_weights))
    return 0
