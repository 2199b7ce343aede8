"""Films: a black-and-white reel in, the same reel in colour out, steady and with everything else as it was."""

from .job import FilmReport, Progress, colorize_film
from .options import FilmOptions, parse_time

__all__ = ["FilmOptions", "FilmReport", "Progress", "colorize_film", "parse_time"]
