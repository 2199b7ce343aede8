"""Writes the coloured film: codecs, resumable segments, muxing with the other tracks."""
