"""Colours one film from file to file. Colours are steady within each shot; luma, sound and other tracks are kept."""

from .coloring import Progress
from .job import FilmReport, colorize_film
from .options import FilmOptions
from .times import parse_time

__all__ = ["FilmOptions", "FilmReport", "Progress", "colorize_film", "parse_time"]
