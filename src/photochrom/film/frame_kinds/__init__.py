"""Colours frames that are interlaced or logarithmic, or have borders around the picture."""
