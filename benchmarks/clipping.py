"""Pixels that a decoder clips in a coloured JPEG, with the gamut from full-size luma and from a copy at half size.

    python benchmarks/clipping.py PHOTOGRAPH ...

A JPEG that keeps its source's luma is coloured from the luma at half size. Each chroma sample must be in gamut at the
four pixels that share it, whose luma is then not known exactly. Decoders also interpolate chroma between samples, so
that some pixels clip even if every sample is in gamut. The script colours both ways with the same prediction, decodes
the results, and counts the pixels that lie outside R'G'B' by more than 1 and by more than 4 steps of 255.
"""

import argparse
import io

import numpy as np
from _tools import print_table
from PIL import Image

from photochrom import Colorizer
from photochrom.color import luma_range
from photochrom.colorizer.prediction import Prediction
from photochrom.photo import Photo, encode_photo, read_photo

_WIDENED = (0.0, 0.25, 0.5, 1.0)


def beyond(data: bytes) -> tuple[float, float, float]:
    """Return the percentages of a JPEG's pixels outside R'G'B' by more than 1 and 4 steps, and the mean chroma."""
    with Image.open(io.BytesIO(data)) as image:
        image.draft("YCbCr", None)
        y, cb, cr = np.moveaxis(np.asarray(image).astype(np.float32), -1, 0)
    cb, cr = cb - 128, cr - 128
    rgb = np.stack([y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb])
    excess = np.maximum(rgb.max(0) - 255, -rgb.min(0))
    return 100 * float((excess > 1).mean()), 100 * float((excess > 4).mean()), float(np.hypot(cb, cr).mean())


def coloured(colorizer: Colorizer, photo: Photo, prediction: Prediction) -> bytes:
    step = 1 if photo.reduced else 2
    cb, cr = colorizer.chroma(photo.luma, subsampling=step, prediction=prediction, reduced=photo.reduced)
    return encode_photo(photo, cb, cr, format="JPEG", credit=None)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("photographs", nargs="+", help="of at least 2 megapixels")
    colorizer, rows = Colorizer(), []
    for path in parser.parse_args().photographs:
        stream = io.BytesIO()
        with Image.open(path) as image:
            image.convert("L").save(stream, "JPEG", quality=92)
        whole = read_photo(stream.getvalue())
        prediction = colorizer.predict(whole.luma)
        ways = [("whole", beyond(coloured(colorizer, whole, prediction)))]
        half = read_photo(stream.getvalue(), may_reduce=True)
        if not half.reduced:
            continue
        for widened in _WIDENED:
            luma_range._WIDENING = widened  # type: ignore[misc]
            ways.append((f"half, widened by {widened:g}", beyond(coloured(colorizer, half, prediction))))
        rows += [[path, name, f"{one:.3f} %", f"{four:.3f} %", f"{mean:.2f}"] for name, (one, four, mean) in ways]
    print_table(["photograph", "range of luma", "beyond by 1", "beyond by 4", "mean chroma"], rows)


if __name__ == "__main__":
    main()
