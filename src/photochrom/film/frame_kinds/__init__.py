"""Handles special kinds of frames: interlaced, negative, logarithmic, and those with borders around the picture."""
