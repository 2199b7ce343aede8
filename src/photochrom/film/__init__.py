"""Films: colouring that is steady within each shot and leaves everything else of the film as it was."""

from .coloring import Progress
from .job import FilmReport, colorize_film
from .options import FilmOptions
from .times import parse_time

__all__ = ["FilmOptions", "FilmReport", "Progress", "colorize_film", "parse_time"]
