"""Arguments of the verbs ``photo`` and ``batch``: which photographs are coloured, and how outputs are written."""

from __future__ import annotations

import argparse

from ..colorizer.options import DEFAULT_QUALITY
from ..photo.options import COMPRESSIONS, JPEG_LAYOUTS, OutputOptions
from . import c2pa


def add_photo_arguments(parser: argparse._ActionsContainer) -> None:
    """Declare what ``output_options`` reads, and ``--recolor`` and ``--negative``."""
    parser.add_argument("--recolor", action="store_true", help="also colour photographs that are in colour already")
    parser.add_argument(
        "--negative",
        action="store_true",
        help="the photographs are negatives: predict from the positive, and write complementary colours; the luma does "
        "not change",
    )
    parser.add_argument(
        "--quality",
        type=int,
        default=DEFAULT_QUALITY,
        metavar="1..100",
        help="quality of lossy outputs; only of the chroma if a JPEG keeps its luma (default: %(default)s)",
    )
    parser.add_argument(
        "--jpeg-layout",
        choices=JPEG_LAYOUTS,
        default="scan",
        help="scan keeps the luma of a grey JPEG byte for byte; interleaved keeps its coefficients, in the order that "
        "every reader supports, and needs the extra 'jpeg' (default: %(default)s)",
    )
    parser.add_argument(
        "--compression",
        choices=COMPRESSIONS,
        default="deflate",
        help="lossless compression of TIFF (default: %(default)s)",
    )
    parser.add_argument(
        "--sidecar", action="store_true", help="write the label to NAME.color.EXT.xmp instead of into the photograph"
    )
    c2pa.add_signing(parser)


def output_options(args: argparse.Namespace) -> OutputOptions:
    """Return how to write the outputs.

    Raises:
        OptionError: A value is out of its range, or outputs cannot be signed with the certificate and the key.
        PhotochromError: The packages of ``photochrom[c2pa]`` are missing.
    """
    return OutputOptions(
        quality=args.quality,
        sidecar=args.sidecar,
        c2pa=c2pa.identity_of(args),
        jpeg_layout=args.jpeg_layout,
        compression=args.compression,
    )
