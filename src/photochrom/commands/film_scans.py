"""Arguments of ``photochrom film`` that concern what a scan of old film shows beside, or instead of, a picture."""

from __future__ import annotations

import argparse


def add_old_film(film: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    film.add_argument(
        "--frame",
        metavar="X,Y,W,H",
        help="where the picture is, in pixels; what lies around it, such as sprocket holes, stays neutral",
    )
    film.add_argument(
        "--negative",
        action=argparse.BooleanOptionalAction,
        help="the film is a negative: predict from the positive, and write complementary colours; the luma is not "
        "changed (default: refuse what is surely a negative)",
    )
    film.add_argument("--keep-titles", action="store_true", help="leave intertitles, still text on black, as they are")
