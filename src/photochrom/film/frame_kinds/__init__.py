"""Colours frames that are interlaced, negative or logarithmic, or have borders around the picture."""
