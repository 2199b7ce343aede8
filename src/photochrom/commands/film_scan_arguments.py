"""Arguments of ``photochrom film`` for scans of old film: picture area, negatives, intertitles."""

from __future__ import annotations

import argparse


def add_old_film(film: argparse.ArgumentParser) -> None:
    """Declare ``--frame``, ``--negative`` and ``--keep-titles``."""
    film.add_argument(
        "--frame",
        metavar="X,Y,W,H",
        help="the area of the picture in pixels; everything around it, such as sprocket holes, is left grey",
    )
    film.add_argument(
        "--negative",
        action=argparse.BooleanOptionalAction,
        help="the film is a negative: predict from the positive, and write complementary colours; the luma is not "
        "changed (default: refuse a film that is certainly a negative)",
    )
    film.add_argument("--keep-titles", action="store_true", help="leave intertitles (still text on black) as they are")
