"""Luma in, chroma out: the ``Colorizer``, its options and hints, and the colours that it suggests."""
