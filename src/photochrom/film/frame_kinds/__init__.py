"""Colours frames of special kinds: interlaced, negative, logarithmic, or with borders around the picture."""
