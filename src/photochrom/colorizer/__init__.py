"""Computes chroma from luma: the ``Colorizer``, its options and hints, and suggestions of colours."""
