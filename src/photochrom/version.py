"""The version of Photochrom."""

__version__ = "0.1.0"
