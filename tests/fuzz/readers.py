"""Reads mutated files, and colours some of those that can be read.

Reading takes a tenth of the time of colouring, and goes wrong more often, so each file is read.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

from tests.fuzz.mutations import PHOTOS, Key, Mutant, load_seeds, mutant
from tests.helpers.limits import Outcome, outcome

ASKED = 8  # for one in so many files, it is also checked whether they are in colour already
COLORED = 48  # one in so many files that can be read is coloured,
BY_NETWORK = 8  # and of these, one in so many by a network, the others by a stand-in
_MOST_PAGES = 4  # of a TIFF
_MEMORY = Path("/dev/shm")


def memory_folder() -> tempfile.TemporaryDirectory[str]:
    """Return a temporary folder for the files of all workers: in memory, where the system has such a place."""
    return tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None)


def prepare(model: str, parent: str, seeds: str = "", colored: int = COLORED) -> Callable[[Key], Outcome]:
    """Prepare a worker.

    Args:
        model: A model file.
        parent: Folder in which the worker makes one of its own; see ``memory_folder``.
        seeds: File of ``save_seeds``; empty to make the intact files here.
        colored: One in so many files that can be read is coloured.

    Returns:
        Function that returns the kind of outcome of a mutated file, and a text about it.
    """
    from photochrom.color.bands import limit_threads
    from tests.helpers.films import colorizer

    limit_threads(1)
    if seeds:
        load_seeds(Path(seeds))
    folder = Path(tempfile.mkdtemp(dir=parent))
    stand_in = colorizer(folder, lambda lightness: (60 * lightness, 80 * lightness))

    @cache
    def network() -> Any:
        from photochrom import Colorizer

        return Colorizer(model, "cpu")

    def try_one(key: Key) -> Outcome:
        made = mutant(key)
        read = _read(made, key, folder)
        if read[0] == "read" and key.number % colored == 0:
            is_real = key.number // colored % BY_NETWORK == 0
            return _colored(made, key.target, network() if is_real else stand_in, folder)
        return read

    return try_one


def _read(made: Mutant, key: Key, folder: Path) -> Outcome:
    source = folder / made.name
    source.write_bytes(made.data)
    read = _read_photograph if key.target in PHOTOS else _read_film
    kind, text = outcome(lambda: read(source, is_asked=key.number % ASKED == 0), source)
    source.unlink()
    return ("read", "") if kind == "done" else (kind, text)


def _read_photograph(source: Path, *, is_asked: bool) -> None:
    """Decode a photograph, and build its metadata for its own format, for WebP and for TIFF."""
    from photochrom.photo.inspection import check_source, count_pages, is_in_color
    from photochrom.photo.metadata import format_warnings, metadata_for
    from photochrom.photo.names import EXTENSIONS
    from photochrom.photo.read import read_photo

    check_source(source)
    if is_asked:
        is_in_color(source)
    pages = count_pages(source.read_bytes())
    for page in range(1, min(pages, _MOST_PAGES) + 1):
        photo = read_photo(source, may_reduce=True, page=page if pages > 1 else None)
        for format in {photo.format, "WEBP", "TIFF"} & set(EXTENSIONS):
            metadata_for(photo.metadata, source_format=photo.format, format=format, credit="tiny 0")
            list(format_warnings(photo.metadata, 8 * photo.luma.itemsize, format))


def _read_film(source: Path, *, is_asked: bool) -> None:
    """Plan a film, and decode all of it without threads, which would take longer to start than to decode."""
    from photochrom.film import FilmOptions
    from photochrom.film.damage_log import Damage
    from photochrom.film.plan import make_plan
    from photochrom.film.planes import in_format
    from photochrom.film.reader import FilmReader
    from photochrom.film.sequences.reader import open_film
    from photochrom.film.source.samples import FrameSamples

    options = FilmOptions(codec="ffv1")
    open_file = FilmReader._open

    def open_without_threads(reader: FilmReader) -> None:
        open_file(reader)
        reader.video.thread_count = 1

    with mock.patch.object(FilmReader, "_open", open_without_threads), open_film(source, options) as reader:
        planes = make_plan(reader, source.with_name("coloured.mkv"), options).planes
        if is_asked:
            FrameSamples(reader).colored_part()
        damage = Damage()
        frames = list(reader.frames(damage=damage))
        assert all(before.pts < after.pts for before, after in itertools.pairwise(frames))
        in_format(frames[-1], planes, chroma=True)
        damage.lines()


def _colored(made: Mutant, target: str, colorizer: Any, folder: Path) -> Outcome:
    from tests.corpus import test_corpus, test_films
    from tests.corpus.films import ANY, Film
    from tests.corpus.make import Entry

    if target in PHOTOS:
        kind, what = test_corpus.coloring(colorizer, folder)(Entry(made.name, made.data))
    else:
        kind, what = test_films.coloring(colorizer, folder)(Film(made.name, made.data, ANY))
    return kind, "" if kind == "coloured" else what
