"""How often photographs in colour are recognised, and how often toned and faded prints are mistaken for them.

    python benchmarks/toning.py PHOTOS [--limit 400] [--grey OLD]

PHOTOS is a folder of photographs in colour. Prints are made from them: toned ones, with stains and uneven yellowing,
and chromogenic colour prints whose dyes have faded. OLD is a folder of old photographs, of which toned prints are made.
"""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from _tools import print_table
from PIL import Image

from photochrom.color.toning import has_colors

SIDE = 256
TONES = {
    "sepia": [(31, 20, 13), (140, 112, 82), (247, 232, 199)],
    "cyanotype": [(5, 26, 77), (77, 128, 179), (237, 242, 237)],
    "selenium": [(24, 14, 22), (118, 106, 112), (240, 238, 236)],
    "split": [(31, 20, 41), (128, 115, 115), (247, 237, 204)],
}
FADED = {  # shares of the cyan, magenta and yellow dye that are lost, and the density of the yellow stain
    "a quarter": (0.25, 0.1, 0.1, 0.03),
    "half": (0.5, 0.2, 0.25, 0.07),
    "two thirds": (0.67, 0.35, 0.4, 0.1),
    "four fifths": (0.8, 0.55, 0.6, 0.14),
    "nine tenths": (0.9, 0.75, 0.8, 0.18),
}
Print = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def toned(tone: str, rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a black-and-white print whose tone depends on the density, as it is scanned."""
    luma = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    channels = [np.interp(luma, [0, 128, 255], column) for column in zip(*TONES[tone], strict=True)]
    return as_scanned(np.stack(channels, -1), rng)


def as_scanned(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a picture with the scanner's noise and the chroma of a JPEG."""
    noisy = np.clip(np.rint(rgb + rng.normal(0, 3, rgb.shape)), 0, 255).astype(np.uint8)
    coded = cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(70, 96))])[1]
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR))


def yellowed(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a picture with stains of one hue, which vary slowly."""
    field = cv2.resize(rng.random((4, 4)).astype(np.float32), rgb.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    share = np.clip(field, 0, 1)[..., None]
    return rgb * (1 - share + share * np.array([0.95, 0.85, 0.62]))


def foxed(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a picture with small brown spots."""
    mask = np.zeros(rgb.shape[:2], np.float32)
    for _ in range(int(rng.integers(40, 160))):
        x, y = (int(rng.integers(side)) for side in (rgb.shape[1], rgb.shape[0]))
        cv2.circle(mask, (x, y), int(rng.integers(1, 8)), float(rng.uniform(0.2, 0.9)), -1)
    share = cv2.GaussianBlur(mask, (0, 0), 2)[..., None]
    return rgb * (1 - share + share * np.array([0.75, 0.55, 0.33]))


def faded(loss: tuple[float, float, float, float], rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the scan of a chromogenic print that has faded in the dark: cyan fades most, and paper turns yellow."""
    *lost, stain = loss
    density = np.maximum(-np.log10((rgb.astype(np.float32) + 1) / 256), 0) * (1 - np.array(lost))
    density[..., 2] += stain
    return as_scanned(255 * 10**-density, rng)


def prints() -> dict[str, Print]:
    made: dict[str, Print] = {}
    for tone in TONES:
        made[tone] = partial(toned, tone)
    made["sepia, unevenly yellowed"] = lambda rgb, rng: as_scanned(yellowed(toned("sepia", rgb, rng), rng), rng)
    made["sepia, foxed"] = lambda rgb, rng: as_scanned(foxed(toned("sepia", rgb, rng), rng), rng)
    made["sepia, yellowed and foxed"] = lambda rgb, rng: as_scanned(
        foxed(yellowed(toned("sepia", rgb, rng), rng), rng), rng
    )
    for name, loss in FADED.items():
        made[f"colour print, {name} of the cyan dye lost"] = partial(faded, loss)
    return made


def small(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        image.draft("RGB", (SIDE, SIDE))
        rgb = image.convert("RGB")
        rgb.thumbnail((SIDE, SIDE), Image.Resampling.BOX)
        return np.asarray(rgb)


def pictures(folder: Path, limit: int) -> list[np.ndarray]:
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    return [small(path) for path in files[:: max(1, len(files) // limit)][:limit]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--grey", type=Path, help="a folder of old photographs, which become prints, too")
    parser.add_argument("--limit", type=int, default=400)
    args = parser.parse_args()
    colored = pictures(args.photos, args.limit)
    old = pictures(args.grey, args.limit) if args.grey else []
    rows = [["photographs in colour", share([has_colors(rgb) for rgb in colored])]]
    for name, make in prints().items():
        rng = np.random.default_rng(0)
        of = colored if name.startswith("colour") else [*colored, *old]
        rows.append([name, share([has_colors(make(rgb, rng)) for rgb in of])])
    print_table([f"{len(colored)} photographs, {len(old)} old ones", "taken for colour"], rows)


def share(found: list[bool]) -> str:
    return f"{100 * sum(found) / max(1, len(found)):.1f} %"


if __name__ == "__main__":
    main()
