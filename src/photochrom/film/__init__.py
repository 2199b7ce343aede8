"""Colours one film from file to file: steady within each shot, with luma, sound and all other tracks kept."""

from .coloring import Progress
from .job import FilmReport, colorize_film
from .options import FilmOptions
from .times import parse_time

__all__ = ["FilmOptions", "FilmReport", "Progress", "colorize_film", "parse_time"]
